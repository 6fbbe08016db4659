from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from trainer.dataset import shard_index
from trainer.dataset.frame_table import Entries, FrameTable, Part, rows_with
from trainer.dataset.recording import RecordingSource
from trainer.dataset.shard import ShardWriter, scan_shard
from trainer.dataset.shard_index import ShardIndex, read_shard


def write(path: Path, frames: list[tuple[str, list[str]]], close: bool = True) -> Path:
    """A shard of frames (name, fields); every member is as long as its name."""
    writer = ShardWriter(path)
    for stem, fields in frames:
        writer.append(stem, {field: field.encode() for field in [*fields, "json"]})
    if close:
        writer.close()
    else:
        assert writer._file is not None
        writer._file.close()
    return path


FRAMES = [("00000003", ["a.rgb.jpg"]), ("00000010", ["a.rgb.jpg", "b.rgb.jpg"]), ("00000011", ["b.rgb.jpg"])]


def frames_of(index: ShardIndex) -> tuple:
    return tuple(index.frame(row) for row in range(len(index)))


@pytest.fixture
def refuse_to_scan(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    def refuse(path: Path) -> None:
        raise AssertionError(f"{path} was scanned")

    return lambda: monkeypatch.setattr(shard_index, "scan_shard", refuse)


def test_an_index_says_what_the_shard_says_and_spares_the_scan(tmp_path: Path, refuse_to_scan: Callable) -> None:
    path = write(tmp_path / "shard-00000.tar", FRAMES)
    assert frames_of(read_shard(path)) == scan_shard(path).frames
    refuse_to_scan()
    assert frames_of(read_shard(path)) == scan_shard(path).frames


def test_a_shard_without_a_frame_has_an_index_too(tmp_path: Path, refuse_to_scan: Callable) -> None:
    path = write(tmp_path / "shard-00000.tar", [])
    assert len(read_shard(path)) == 0
    refuse_to_scan()
    assert len(read_shard(path)) == 0


def test_a_shard_that_may_grow_has_none(tmp_path: Path) -> None:
    path = write(tmp_path / "shard-00000.tar", FRAMES, close=False)
    assert len(read_shard(path)) == 3
    assert os.listdir(tmp_path) == ["shard-00000.tar"]


def test_a_shard_that_changed_is_read_again(tmp_path: Path) -> None:
    path = write(tmp_path / "shard-00000.tar", FRAMES)
    read_shard(path)
    path.unlink()
    write(path, [("00000004", ["a.rgb.jpg"]), *FRAMES[1:]])  # as many bytes
    seen = path.stat()
    os.utime(path, ns=(seen.st_atime_ns, seen.st_mtime_ns + 10**9))
    assert read_shard(path).stem(0) == "00000004"


def test_damage_to_the_index_at_any_byte_is_seen(tmp_path: Path) -> None:
    path = write(tmp_path / "shard-00000.tar", FRAMES)
    read_shard(path)
    index = tmp_path / ".shard-00000.tar.index"
    whole = index.read_bytes()
    true = scan_shard(path).frames
    for at in range(len(whole)):
        for damaged in (whole[:at], whole[:at] + bytes([whole[at] ^ 0x11]) + whole[at + 1 :]):
            index.write_bytes(damaged)
            assert frames_of(read_shard(path)) == true, at


def test_a_folder_that_cannot_be_written_to_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "shard-00000.tar", FRAMES)

    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(shard_index, "_write", refuse)  # root, as in many containers, may write anywhere
    assert len(read_shard(path)) == 3


def test_the_recorder_leaves_an_index_and_a_copy_needs_none(
    make_recording: Callable[..., Path], tmp_path: Path, refuse_to_scan: Callable
) -> None:
    recording = make_recording({"a": ("T1", 3), "b": ("T2", 2)})
    shutil.copytree(recording, tmp_path / "copy", ignore=shutil.ignore_patterns(".*"))
    copy = RecordingSource(tmp_path / "copy")
    refuse_to_scan()
    assert list(RecordingSource(recording).frames) == list(copy.frames)
    assert RecordingSource(recording).fingerprint() == copy.fingerprint()


def test_a_frame_that_stands_twice_counts_once(make_recording: Callable[..., Path]) -> None:
    recording = make_recording({"a": ("T1", 3)})
    shard = recording / "episodes/a/shard-00000.tar"
    shutil.copy(shard, shard.with_name("shard-00001.tar"))
    source = RecordingSource(recording)
    assert [ref.key for ref in source.frames] == ["a/00000000", "a/00000001", "a/00000002"]


def table(tmp_path: Path) -> FrameTable:
    index = read_shard(write(tmp_path / "shard-00000.tar", FRAMES))
    other = read_shard(write(tmp_path / "shard-00001.tar", [("z", ["a.rgb.jpg"]), ("b", ["a.rgb.jpg"])]))
    parts = [
        Part(Path(shard), episode, "T", "W", index, rows_with(index, "a.rgb."))
        for shard, episode, index in (("s0", "e1", index), ("s1", "e1", other), ("s2", "e2", index))
    ]
    return FrameTable(parts)


def test_frames_of_one_camera_by_place_and_by_slice(tmp_path: Path) -> None:
    frames = table(tmp_path)
    keys = ["e1/00000003", "e1/00000010", "e1/z", "e1/b", "e2/00000003", "e2/00000010"]
    assert [ref.key for ref in frames] == keys == [frames[k].key for k in range(len(frames))]
    assert [ref.frame for ref in frames[:3]] == [3, 10, -1]
    assert frames[-1] == frames[5] and [ref.key for ref in frames[4:0:-2]] == [keys[4], keys[2]]
    with pytest.raises(IndexError):
        frames[6]


def test_a_key_is_found_in_its_shard(tmp_path: Path) -> None:
    frames = table(tmp_path)
    assert frames.place("e1/b")[0] == Path("s1") and frames.place("e2/00000010")[1].stem == "00000010"
    for none in ("e1/00000011", "e3/z", "z", "e1/"):
        with pytest.raises(KeyError):
            frames.place(none)


def test_what_a_line_of_a_list_may_say(tmp_path: Path) -> None:
    entries = Entries(table(tmp_path), ("e1", "e2", "e3"))
    assert entries["e2"] == ["e2/00000003", "e2/00000010"] and entries["e3"] == [] and entries["e1/z"] == ("e1/z",)
    assert "e1/y" not in entries and len(entries) == len(list(entries)) == 9
