from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from trainer.dataset.recording import Camera, RecordingSource
from trainer.dataset.source import open_source
from trainer.errors import ConfigError, DataError

MakeRecording = Callable[..., Path]


def test_keys_are_episode_and_frame(make_recording: MakeRecording) -> None:
    source = open_source(make_recording({"a": ("T1", 2), "b": ("T2", 1)}))
    assert [ref.key for ref in source.frames] == ["a/00000000", "a/00000001", "b/00000000"]
    assert [ref.town for ref in source.frames] == ["T1", "T1", "T2"]
    assert source.step_s == 0.05 and source.table.name == "tiny"


def test_lists_name_episodes_or_frames(make_recording: MakeRecording) -> None:
    path = make_recording({"a": ("T1", 2), "b": ("T2", 2)})
    (path / "val.txt").write_text("b\n")
    assert open_source(path).lists == {"train": ("a/00000000", "a/00000001"), "val": ("b/00000000", "b/00000001")}
    (path / "val.txt").write_text("a/00000001\n")
    assert open_source(path).lists["val"] == ("a/00000001",)
    (path / "val.txt").write_text("c\n")
    with pytest.raises(DataError, match="no picture or episode 'c'"):
        open_source(path)


def test_a_camera_is_chosen_by_name(make_writer: Callable, pair: Callable) -> None:
    rig = [Camera("front", 40, 24), Camera("rear", 20, 10)]
    front, rear = pair(0), pair(1, 10, 20)
    with make_writer(rig=rig) as writer:
        writer.open_episode("e", "T")
        bundle = {"front": front, "rear": rear}
        writer.append(0, {name: {"rgb": rgb, "semantic": tags} for name, (rgb, tags) in bundle.items()})
        writer.close_episode()
    assert open_source(writer.path).read_tags(open_source(writer.path).frames[0]).shape == (24, 40)
    source = open_source(writer.path, camera="rear")
    assert source.read_rgb(source.frames[0]).shape == (10, 20, 3)
    with pytest.raises(DataError, match="no camera 'reer'; did you mean 'rear'"):
        open_source(writer.path, camera="reer")


def test_flags_for_folders_are_refused(make_recording: MakeRecording) -> None:
    with pytest.raises(DataError, match="carries its label table"):
        open_source(make_recording({"a": ("T1", 1)}), table="carla-0.8")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 99}, "version 99; this program reads"),
        ({"rig": None}, "'NoneType'"),
        ({"rig": [{"name": "a", "widht": 3}]}, "did you mean 'width'"),
        ({"label_table": {"name": "x"}}, "not a label table"),
    ],
)
def test_a_recording_json_that_does_not_fit_is_named(make_recording: MakeRecording, change: dict, message: str) -> None:
    path = make_recording({"a": ("T1", 1)})
    file = path / "recording.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    with pytest.raises((DataError, ConfigError), match=message):
        open_source(path)
    file.write_text("{")
    with pytest.raises(DataError, match="cannot be read"):
        open_source(path)


def test_a_changed_byte_is_seen(make_recording: MakeRecording) -> None:
    path = make_recording({"a": ("T1", 1)})
    source = RecordingSource(path)
    before = source.fingerprint()
    shard = path / "episodes/a/shard-00000.tar"
    data = bytearray(shard.read_bytes())
    data[900] ^= 1
    shard.write_bytes(data)
    assert RecordingSource(path).changed_members(source.frames[0]) == ["front.rgb.jpg"]
    assert before == RecordingSource(path).fingerprint(), "the fingerprint is of what was written"


def test_a_shard_copied_by_hand_counts_once(make_recording: MakeRecording) -> None:
    path = make_recording({"a": ("T1", 2)})
    folder = path / "episodes/a"
    (folder / "shard-00001.tar").write_bytes((folder / "shard-00000.tar").read_bytes())
    assert len(open_source(path).frames) == 2
