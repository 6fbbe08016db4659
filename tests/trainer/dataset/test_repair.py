from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from trainer.dataset.recording import RecordingSource
from trainer.dataset.repair import mend_recording
from trainer.dataset.source import open_source
from trainer.errors import DataError

MakeRecording = Callable[..., Path]


def test_a_whole_recording_is_left_alone(make_recording: MakeRecording) -> None:
    path = make_recording({"a": ("T1", 3)})
    before = {file: file.read_bytes() for file in path.rglob("*") if file.is_file()}
    assert mend_recording(path) == ()
    assert {file: file.read_bytes() for file in path.rglob("*") if file.is_file()} == before


def test_a_torn_tail_is_put_aside_and_counted(make_recording: MakeRecording) -> None:
    path = make_recording({"a": ("T1", 3)})
    shard = path / "episodes/a/shard-00000.tar"
    whole = shard.read_bytes()
    shard.write_bytes(whole[:-1500])  # into the last frame
    assert [ref.frame for ref in RecordingSource(path).frames] == [0, 1]
    torn = shard.read_bytes()
    mends = mend_recording(path)
    assert any("moved to shard-00000.tar.torn-0" in mend.what for mend in mends)
    assert any("frames 3 -> 2" in mend.what for mend in mends)
    kept = (path / "episodes/a/shard-00000.tar.torn-0").read_bytes()
    assert torn == shard.read_bytes()[:-1024] + kept, "every byte is still there"
    assert json.loads((path / "episodes/a/episode.json").read_text())["frames"] == 2
    assert mend_recording(path) == ()


def test_an_episode_left_open_is_closed(make_writer: Callable, pair: Callable) -> None:
    rgb, tags = pair(0)
    with make_writer() as writer:
        writer.open_episode("e", "T")
        writer.append(0, {"front": {"rgb": rgb, "semantic": tags}})
    assert [mend.what for mend in mend_recording(writer.path)] == ["state open -> closed"]
    episode = RecordingSource(writer.path).episodes["e"]
    assert (episode.state, episode.ended, episode.frames) == ("closed", "killed", 1)


@pytest.mark.parametrize("damage", ["missing", "half"])
def test_a_damaged_episode_json_is_made_anew_and_the_old_kept(make_recording: MakeRecording, damage: str) -> None:
    path = make_recording({"a": ("T1", 2)})
    file = path / "episodes/a/episode.json"
    if damage == "missing":
        file.unlink()
    else:
        file.write_text(file.read_text()[:40])
    with pytest.raises(DataError, match=r"episode.json: cannot be read .*data repair"):
        open_source(path)
    mend_recording(path)
    assert open_source(path).frames[1].key == "a/00000001"
    assert (path / "episodes/a/episode.json.damaged-0").exists() == (damage == "half")


def test_repair_waits_for_no_writer(make_writer: Callable) -> None:
    with make_writer() as writer, pytest.raises(DataError, match="another process is writing"):
        mend_recording(writer.path)


def test_what_is_no_recording_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no recording"):
        mend_recording(tmp_path)
