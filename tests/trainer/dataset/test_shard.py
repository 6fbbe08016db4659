from __future__ import annotations

import io
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trainer.dataset.shard import ShardWriter, read_member, scan_shard
from trainer.errors import DataError


def write(path: Path, frames: int, close: bool = True) -> list[int]:
    """Frames of different sizes; returns where each ends."""
    writer = ShardWriter(path)
    ends = []
    for frame in range(frames):
        writer.append(f"{frame:08d}", {"a.rgb.jpg": bytes([frame + 1]) * (300 + 400 * frame), "json": b"{}"})
        ends.append(writer.bytes)
    if close:
        writer.close()
    else:
        assert writer._file is not None
        writer._file.close()
    return ends


def test_what_is_appended_is_read_back(tmp_path: Path) -> None:
    write(tmp_path / "s.tar", 3)
    scan = scan_shard(tmp_path / "s.tar")
    assert [frame.stem for frame in scan.frames] == ["00000000", "00000001", "00000002"]
    assert scan.closed and scan.torn_bytes == 0
    assert read_member(scan.path, scan.frames[1].members["a.rgb.jpg"]) == b"\x02" * 700


@pytest.mark.parametrize("close", [True, False])
def test_any_tar_reader_reads_a_shard(tmp_path: Path, close: bool) -> None:
    write(tmp_path / "s.tar", 2, close)
    with tarfile.open(tmp_path / "s.tar") as tar:
        names = tar.getnames()
    assert names == ["00000000.a.rgb.jpg", "00000000.json", "00000001.a.rgb.jpg", "00000001.json"]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.integers(0, 10**6))
def test_after_a_kill_at_any_byte_the_whole_frames_are_read(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "s.tar"
    path.unlink(missing_ok=True)
    ends = write(path, 4)
    data = path.read_bytes()
    cut %= len(data) + 1
    path.write_bytes(data[:cut])
    scan = scan_shard(path)
    assert len(scan.frames) == sum(end <= cut for end in ends)
    assert scan.whole_bytes == max([end for end in ends if end <= cut], default=0)
    assert scan.closed == (cut >= ends[-1] + 512)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(tail=st.binary(min_size=1, max_size=2000), zeros=st.integers(0, 3))
def test_whatever_stands_behind_the_last_frame_does_no_harm(tmp_path: Path, tail: bytes, zeros: int) -> None:
    path = tmp_path / "s.tar"
    path.unlink(missing_ok=True)
    write(path, 2, close=False)
    with open(path, "ab") as file:
        file.write(bytes(512 * zeros) + tail)
    assert len(scan_shard(path).frames) == 2


def test_a_frame_without_its_json_is_torn(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "s.tar", "w") as tar:
        info = tarfile.TarInfo("00000000.a.rgb.jpg")
        info.size = 3
        tar.addfile(info, io.BytesIO(b"abc"))
    assert scan_shard(tmp_path / "s.tar").frames == ()


def test_a_shard_that_exists_is_never_written_again(tmp_path: Path) -> None:
    write(tmp_path / "s.tar", 1)
    with pytest.raises(FileExistsError):
        ShardWriter(tmp_path / "s.tar")


def test_a_long_name_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    writer = ShardWriter(tmp_path / "s.tar")
    with pytest.raises(DataError, match="longer than 100"):
        writer.append("0", {"x" * 120 + ".rgb.jpg": b"", "json": b"{}"})
    assert writer.bytes == 0
    writer.close()


def test_a_full_disk_leaves_whole_frames(tmp_path: Path) -> None:
    # The size limit of a process stands for a full disk: the write ends half way with an OSError.
    code = """
import resource, signal, sys
from pathlib import Path
from trainer.dataset.shard import ShardWriter
from trainer.errors import DataError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
writer = ShardWriter(Path(sys.argv[1]))
writer.append("00000000", {"a.rgb.jpg": bytes(3000), "json": b"{}"})
try:
    writer.append("00000001", {"a.rgb.jpg": bytes(9000), "json": b"{}"})
except DataError as error:
    print("refused", error)
writer.append("00000002", {"a.rgb.jpg": bytes(1000), "json": b"{}"})
writer.close()
"""
    if sys.platform == "win32":
        pytest.skip("no file size limit to set")
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "s.tar")], capture_output=True, text=True, check=True
    )
    assert "the frames before it are kept" in done.stdout
    scan = scan_shard(tmp_path / "s.tar")
    assert [frame.stem for frame in scan.frames] == ["00000000", "00000002"] and scan.closed


@pytest.mark.parametrize("layout", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_shards_of_other_writers_are_read(tmp_path: Path, layout: int) -> None:
    with tarfile.open(tmp_path / "s.tar", "w", format=layout) as tar:
        folder = tarfile.TarInfo("folder")
        folder.type = tarfile.DIRTYPE
        tar.addfile(folder)
        for name, data in (("00000007.a.rgb.jpg", b"abc"), ("00000007.json", b"{}")):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            info.uname = "somebody"
            tar.addfile(info, io.BytesIO(data))
    (frame,) = scan_shard(tmp_path / "s.tar").frames
    assert frame.stem == "00000007" and read_member(tmp_path / "s.tar", frame.members["a.rgb.jpg"]) == b"abc"
