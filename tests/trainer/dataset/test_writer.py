from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from trainer.dataset.pictures import decode_16bit
from trainer.dataset.recording import Camera, Codecs, RecordingSource
from trainer.dataset.shard import scan_shard
from trainer.dataset.writer import RecordingWriter, encode_frame
from trainer.errors import DataError
from trainer.labels import LabelTable, Tag

Pair = Callable[..., tuple[np.ndarray, np.ndarray]]
MakeWriter = Callable[..., RecordingWriter]


TABLE = LabelTable("tiny", (Tag(0, "None", (0, 0, 0)),))


def test_round_trip_of_every_data_type(make_writer: MakeWriter, pair: Pair) -> None:
    rgb, tags = pair(1)
    depth_m = np.linspace(0, 900, 24 * 40).reshape(24, 40)
    instance = np.arange(24 * 40).reshape(24, 40)
    with make_writer(codecs=Codecs(rgb="png")) as writer:
        writer.open_episode("e", "Town01", {"name": "Wet", "cloudiness": 80.0}, {"world": 7}, {"vehicles": 3})
        writer.append(
            5,
            {"front": {"rgb": rgb, "semantic": tags, "depth": depth_m, "instance": instance}},
            {"sim_time_s": 1.25, "velocity": [1, 2, 3]},
        )
        writer.count_dropped("late", 2)
        writer.close_episode()
    source = RecordingSource(writer.path)
    (ref,) = source.frames
    assert (ref.key, ref.episode, ref.town, ref.weather, ref.frame) == ("e/00000005", "e", "Town01", "Wet", 5)
    np.testing.assert_array_equal(source.read_rgb(ref), rgb)
    np.testing.assert_array_equal(source.read_tags(ref), tags)
    stored_cm = decode_16bit(source.member_bytes(ref, "depth"), "")
    near = depth_m < 655
    np.testing.assert_allclose(stored_cm[near] / 100, depth_m[near], atol=0.006)
    assert (stored_cm[depth_m > 656] == 65535).all()
    np.testing.assert_array_equal(decode_16bit(source.member_bytes(ref, "instance"), ""), instance)
    meta = source.meta(ref)
    assert meta["sim_time_s"] == 1.25 and meta["velocity"] == [1, 2, 3]
    assert meta["tags"]["front"] == {str(i): int((tags == i).sum()) for i in (0, 1, 3, 11)}
    assert source.changed_members(ref) == []
    episode = source.episodes["e"]
    assert episode.state == "closed" and episode.frames == 1 and episode.dropped == {"late": 2}
    assert episode.seeds == {"world": 7} and episode.traffic == {"vehicles": 3}


def test_shards_roll_at_their_size(make_writer: MakeWriter, pair: Pair) -> None:
    with make_writer(shard_bytes=6000) as writer:
        writer.open_episode("e", "T")
        for frame in range(6):
            rgb, tags = pair(frame)
            writer.append(frame, {"front": {"rgb": rgb, "semantic": tags}})
        writer.close_episode()
    shards = sorted((writer.path / "episodes" / "e").glob("*.tar"))
    assert len(shards) > 1 and all(scan_shard(shard).closed for shard in shards)
    assert [ref.frame for ref in RecordingSource(writer.path).frames] == list(range(6))


def test_a_resumed_episode_goes_on_behind_its_frames(make_writer: MakeWriter, pair: Pair) -> None:
    rgb, tags = pair(0)
    bundle = {"front": {"rgb": rgb, "semantic": tags}}
    with make_writer() as writer:
        assert writer.open_episode("e", "T") == 0
        writer.append(0, bundle)
        writer.append(1, bundle)
    assert RecordingSource(writer.path).episodes["e"].state == "open"
    with make_writer() as writer:
        assert writer.frames_on_disk("e") == 2
        assert writer.open_episode("e", "T") == 2
        with pytest.raises(DataError, match="has frame 1 already"):
            writer.append(1, bundle)
        writer.append(2, bundle)
        assert writer.close_episode().frames == 3
        with pytest.raises(DataError, match="is closed"):
            writer.open_episode("e", "T")
    assert len(RecordingSource(writer.path).frames) == 3


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"step_s": 0.1}, r"step_s \(0.05 there, 0.1 now\)"),
        ({"rig": [Camera("front", 40, 24, 100.0)]}, r"rig \(front.fov_deg\)"),
        ({"rig": [Camera("left", 40, 24)]}, r"rig \(cameras front there, left now\)"),
        ({"table": LabelTable("other", (Tag(0, "None", (0, 0, 0)),))}, r"label_table \(tiny there, other now\)"),
        ({"codecs": Codecs(rgb="png")}, r"codecs \(rgb jpg there, png now\)"),
    ],
)
def test_resume_refuses_what_differs_and_names_it(make_writer: MakeWriter, changes: dict, named: str) -> None:
    make_writer().close()
    with pytest.raises(DataError, match=named):
        make_writer(**changes)


def test_a_folder_with_other_things_is_refused_and_kept(make_writer: MakeWriter, tmp_path: Path) -> None:
    (tmp_path / "rec").mkdir()
    (tmp_path / "rec" / "thesis.txt").write_text("mine")
    with pytest.raises(DataError, match="not empty .*thesis.txt"):
        make_writer()
    assert os.listdir(tmp_path / "rec") == ["thesis.txt"]


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a folder where nobody can write")
def test_a_folder_that_cannot_be_made_is_one_sentence() -> None:
    with pytest.raises(DataError, match="/proc/1/rec: the folder cannot be made"):
        RecordingWriter.create("/proc/1/rec", TABLE, [Camera("front", 40, 24)], {"name": "t", "version": "1"}, 0.05)


def test_two_writers_at_once_are_refused(make_writer: MakeWriter) -> None:
    with make_writer(), pytest.raises(DataError, match="another process is writing"):
        make_writer()
    make_writer().close()


@pytest.mark.parametrize(
    ("pictures", "message"),
    [
        ({"rgb": (24, 40, 3), "semantic": (24, 41)}, "semantic picture is 41x24"),
        ({"rgb": (24, 40, 3)}, "pictures 'rgb' and 'semantic'"),
        ({"rgb": (24, 40), "semantic": (24, 40)}, "must be"),
    ],
)
def test_wrong_pictures_are_refused(make_writer: MakeWriter, pictures: dict, message: str) -> None:
    with make_writer() as writer:
        writer.open_episode("e", "T")
        with pytest.raises(DataError, match=message):
            writer.append(0, {"front": {kind: np.zeros(shape, np.uint8) for kind, shape in pictures.items()}})


def test_an_unknown_tag_is_refused_with_its_pixels(make_writer: MakeWriter, pair: Pair) -> None:
    rgb, tags = pair(0)
    tags[:2, :5] = 77
    with make_writer() as writer:
        writer.open_episode("e", "T")
        with pytest.raises(DataError, match=r"77 \(10 pixels\)"):
            writer.append(0, {"front": {"rgb": rgb, "semantic": tags}})
        with pytest.raises(DataError, match=r"cameras \['rear'\], the rig \['front'\]"):
            writer.append(0, {"rear": {"rgb": rgb, "semantic": tags}})


def test_a_bad_episode_name_is_refused(make_writer: MakeWriter) -> None:
    with make_writer() as writer, pytest.raises(DataError, match="named with letters"):
        writer.open_episode("../e", "T")


def test_several_episodes_at_once_are_kept_apart(make_writer: MakeWriter, pair: Pair) -> None:
    rgb, tags = pair(0)
    with make_writer() as writer:
        one, two = writer.begin_episode("one", "Town01"), writer.begin_episode("two", "Town02", {"name": "Wet"})
        with pytest.raises(ValueError, match="still open"):
            writer.begin_episode("one", "Town01")
        encoded = [
            encode_frame(writer.info, frame, {"front": {"rgb": rgb, "semantic": tags}}, {"sim_time_s": frame})
            for frame in range(4)
        ]
        for frame in encoded:
            assert one.append(frame) > frame.bytes > 0
            if frame.frame % 2:
                two.append(frame)
        two.count_dropped("standing", 2)
        assert two.close("stuck").frames == 2
        assert one.info.frames == 4 and writer.episodes["one"].state == "open"
    source = RecordingSource(writer.path)
    assert [ref.key for ref in source.frames] == [f"one/{k:08d}" for k in range(4)] + [f"two/{k:08d}" for k in (1, 3)]
    assert source.episodes["two"].dropped == {"standing": 2} and source.episodes["two"].ended == "stuck"
    # what was not closed was left open, with its count
    assert source.episodes["one"].state == "open" and source.episodes["one"].frames == 4
    with make_writer() as writer:
        assert writer.begin_episode("one", "Town01").info.frames == 4


@pytest.mark.skipif(sys.platform == "win32", reason="no limit of a file's size")
def test_a_full_disk_loses_no_frame_and_gives_the_recording_back(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", FULL, str(tmp_path / "rec")], capture_output=True, text=True)
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert (
        last.startswith("trainer.errors.DataError") and "writing failed (File too large)" in last and "shard-" in last
    )
    assert "ResourceWarning" not in done.stderr
    there = [ref.frame for ref in RecordingSource(tmp_path / "rec").frames]
    assert there == list(range(len(there))) and len(there) > 3
    with RecordingWriter.create(
        tmp_path / "rec", TABLE, [Camera("front", 40, 24)], {"name": "t", "version": "1"}, 0.05
    ) as writer:
        assert writer.open_episode("e", "T") == len(there)


FULL = """
import resource, sys
import numpy as np
from trainer.dataset.recording import Camera
from trainer.dataset.writer import RecordingWriter
from trainer.labels import LabelTable, Tag
table = LabelTable("tiny", (Tag(0, "None", (0, 0, 0)),))
with RecordingWriter.create(sys.argv[1], table, [Camera("front", 40, 24)], {"name": "t", "version": "1"}, 0.05) as writer:
    writer.open_episode("e", "T")
    resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))
    grey = np.zeros((24, 40), np.uint8)
    for frame in range(100):
        writer.append(frame, {"front": {"rgb": np.dstack([grey] * 3), "semantic": grey}})
"""
KILLED = """
import os, signal, sys
import numpy as np
from trainer.dataset.recording import Camera
from trainer.dataset.writer import RecordingWriter
from trainer.labels import LabelTable, Tag
table = LabelTable("tiny", (Tag(0, "None", (0, 0, 0)),))
writer = RecordingWriter.create(sys.argv[1], table, [Camera("front", 40, 24)], {"name": "t", "version": "1"}, 0.05)
writer.open_episode("e", "T")
black = {"front": {"rgb": np.zeros((24, 40, 3), np.uint8), "semantic": np.zeros((24, 40), np.uint8)}}
for frame in range(7):
    writer.append(frame, black)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
def test_kill_9_loses_nothing_that_was_appended(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "rec")], check=False)
    assert done.returncode == -9
    source = RecordingSource(tmp_path / "rec")
    assert [ref.frame for ref in source.frames] == list(range(7))
    assert json.loads((tmp_path / "rec/episodes/e/episode.json").read_text())["state"] == "open"
    table = LabelTable("tiny", (Tag(0, "None", (0, 0, 0)),))
    camera = Camera("front", 40, 24)
    with RecordingWriter.create(tmp_path / "rec", table, [camera], {"name": "t", "version": "1"}, 0.05) as writer:
        assert writer.open_episode("e", "T") == 7
