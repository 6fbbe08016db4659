from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from trainer.dataset import packed
from trainer.dataset.packed import cache_key, open_packed, pack, resize_nearest, resize_rgb
from trainer.dataset.source import Source, open_source
from trainer.errors import DataError, LabelError
from trainer.labels import VOID, ClassList, LabelClass

Pairs = list


@pytest.fixture
def source(make_folder: Callable[..., Path]) -> Source:
    return open_source(make_folder([f"{i:03d}" for i in range(6)]))


def pairs_of(source: Source) -> Pairs:
    return [(source, ref) for ref in source.frames]


def test_a_cache_holds_what_was_asked_for(source: Source, classes: ClassList, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    cache = pack(pairs_of(source), (12, 20), classes, tmp_path / "cache", progress=lambda *at: seen.append(at))
    assert cache.images.shape == (6, 12, 20, 3) and cache.labels.shape == (6, 12, 20)
    assert cache.images.dtype == cache.labels.dtype == np.uint8 and isinstance(cache.images, np.memmap)
    assert cache.keys == tuple(ref.key for ref in source.frames) and seen[-1] == (6, 6)
    assert cache.path.stat().st_mode & 0o055 == 0o055, "others on a shared storage may use it"
    ref = source.frames[2]
    np.testing.assert_array_equal(cache.images[2], resize_rgb(source.read_rgb(ref), (12, 20)))
    tags = resize_nearest(source.read_tags(ref), (12, 20))
    expected = np.select([tags == 1, tags == 3], [0, 1], VOID)
    np.testing.assert_array_equal(cache.labels[2], expected)
    np.testing.assert_array_equal(cache.class_pixels, [(cache.labels == index).sum() for index in (0, 1)])


def test_processes_give_the_same_bytes(source: Source, classes: ClassList, tmp_path: Path) -> None:
    one = pack(pairs_of(source), (12, 20), classes, tmp_path / "one", processes=1)
    two = pack(pairs_of(source), (12, 20), classes, tmp_path / "two", processes=2)
    np.testing.assert_array_equal(one.images, two.images)
    np.testing.assert_array_equal(one.labels, two.labels)
    np.testing.assert_array_equal(one.class_pixels, two.class_pixels)


def test_a_second_call_opens_the_first_cache(source: Source, classes: ClassList, tmp_path: Path) -> None:
    first = pack(pairs_of(source), (12, 20), classes, tmp_path)

    def never(done: int, total: int) -> None:
        raise AssertionError("built twice")

    assert pack(pairs_of(source), (12, 20), classes, tmp_path, progress=never).path == first.path


def test_the_key_follows_everything(source: Source, classes: ClassList) -> None:
    pairs = pairs_of(source)
    keys = {
        cache_key(pairs, (12, 20), classes),
        cache_key(pairs, (12, 24), classes),
        cache_key(pairs, (12, 20), classes, "nearest"),
        cache_key(pairs[::-1], (12, 20), classes),
        cache_key(pairs, (12, 20), ClassList("one", classes.classes[:1])),
    }
    os.utime(source.path / "CameraSeg" / "000.png", ns=(1, 10**18))
    keys.add(cache_key(pairs, (12, 20), classes))
    assert len(keys) == 6


def test_several_at_once_build_once(
    source: Source, classes: ClassList, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built: list[Path] = []
    build = packed._build

    def counted(folder: Path, *rest: object) -> None:
        built.append(folder)
        build(folder, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(packed, "_build", counted)
    with ThreadPoolExecutor(4) as pool:
        jobs = [pool.submit(pack, pairs_of(source), (12, 20), classes, tmp_path) for _ in range(4)]
        paths = {job.result().path for job in jobs}
    assert len(built) == 1 and len(paths) == 1


# Builds a cache, and stands still after the first pictures until it is killed.
BUILD = """
import sys
from pathlib import Path
from trainer.dataset.packed import pack
from trainer.dataset.source import open_source
from trainer.labels import ClassList, LabelClass

def progress(done, total):
    print("at", done, flush=True)
    sys.stdin.read()

classes = ClassList("two", (LabelClass("road", (128, 64, 128), ("Roads",)),
                            LabelClass("building", (70, 70, 70), ("Buildings",))))
source = open_source(sys.argv[1])
pack([(source, ref) for ref in source.frames], (12, 20), classes, Path(sys.argv[2]), 1, progress)
"""


def start(source: Source, cache: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", BUILD, str(source.path), str(cache)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
def test_a_killed_builder_leaves_nothing_that_is_used(source: Source, classes: ClassList, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    with start(source, cache) as builder:
        assert builder.stdout is not None and builder.stdout.readline().startswith("at")
        assert any(cache.glob(".*")), "it is half built"
        with ThreadPoolExecutor(1) as pool:  # asks while the other process holds the lock
            waiting = pool.submit(pack, pairs_of(source), (12, 20), classes, cache)
            builder.send_signal(signal.SIGKILL)
            whole = waiting.result(timeout=60)
    assert (whole.labels != 0).any() and not [path for path in cache.glob(".*") if path.is_dir()]


@pytest.mark.parametrize("damage", ["no manifest", "short images", "half a manifest"])
def test_a_damaged_cache_is_refused_and_built_anew(
    source: Source, classes: ClassList, tmp_path: Path, damage: str
) -> None:
    path = pack(pairs_of(source), (12, 20), classes, tmp_path).path
    if damage == "no manifest":
        (path / "manifest.json").unlink()
    elif damage == "short images":
        with open(path / "images.npy", "r+b") as file:
            file.truncate(1000)
    else:
        (path / "manifest.json").write_text(json.dumps({"version": 1})[:-1])
    with pytest.raises(DataError, match="no whole packed cache"):
        open_packed(path)
    again = pack(pairs_of(source), (12, 20), classes, tmp_path)
    assert again.path == path and open_packed(path).images.shape == (6, 12, 20, 3)


def test_a_bad_pair_stops_the_build_and_leaves_nothing(source: Source, classes: ClassList, tmp_path: Path) -> None:
    file = source.path / "CameraRGB" / "004.png"
    file.write_bytes(file.read_bytes()[:200])
    with pytest.raises(DataError, match=r"004.png: the picture is truncated"):
        pack(pairs_of(source), (12, 20), classes, tmp_path / "cache")
    assert [path.suffix for path in (tmp_path / "cache").iterdir()] == [".lock"]


def test_wrong_arguments(source: Source, classes: ClassList, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no pictures to pack"):
        pack([], (12, 20), classes, tmp_path)
    with pytest.raises(DataError, match="no resize 'nearst'; did you mean 'nearest'"):
        pack(pairs_of(source), (12, 20), classes, tmp_path, resize="nearst")
    with pytest.raises(DataError, match="not 0x20"):
        pack(pairs_of(source), (0, 20), classes, tmp_path)
    with pytest.raises(LabelError, match="maps none"):
        pack(pairs_of(source), (12, 20), ClassList("x", (LabelClass("x", (0, 0, 0), ("Dragons",)),)), tmp_path)


def test_a_full_disk_is_said_before_the_work(
    source: Source, classes: ClassList, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import shutil

    monkeypatch.setattr(shutil, "disk_usage", lambda path: type("Usage", (), {"free": 100})())
    with pytest.raises(DataError, match="needs 0 MB, the disk has 0 MB free"):
        pack(pairs_of(source), (12, 20), classes, tmp_path)


def test_sizes_may_differ_within_a_source(source: Source, classes: ClassList, tmp_path: Path) -> None:
    Image.new("RGB", (50, 30)).save(source.path / "CameraRGB" / "001.png")
    Image.new("L", (50, 30), 3).save(source.path / "CameraSeg" / "001.png")
    cache = pack(pairs_of(source), (24, 40), classes, tmp_path)
    assert (cache.images[1] == 0).all() and (cache.labels[1] == 1).all()


@pytest.mark.parametrize("size", [(12, 20), (7, 13), (48, 80), (24, 40)])
def test_resizes_agree_with_torch(pair: Callable, size: tuple[int, int]) -> None:
    rgb, tags = pair(5)
    wide = torch.from_numpy(tags)[None, None].float()
    nearest = torch.nn.functional.interpolate(wide, size=size, mode="nearest-exact")[0, 0].byte().numpy()
    np.testing.assert_array_equal(resize_nearest(tags, size), nearest)
    smooth = torch.nn.functional.interpolate(
        torch.from_numpy(rgb).permute(2, 0, 1)[None].float(), size=size, mode="bilinear", antialias=True
    )
    difference = resize_rgb(rgb, size).astype(float) - smooth[0].permute(1, 2, 0).numpy()
    assert np.abs(difference).max() <= 1.5


def test_processes_are_started_only_where_they_pay(
    source: Source, classes: ClassList, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Started(Exception):
        pass

    def start(*arguments: object, **more: object) -> None:
        raise Started

    monkeypatch.setattr(packed, "ProcessPoolExecutor", start)
    monkeypatch.setattr(packed, "_PROBE_PAIRS", 2)
    monkeypatch.setattr(packed, "_CHUNK_PAIRS", 2)
    monkeypatch.setattr(packed.os, "sched_getaffinity", lambda process: {0, 1, 2, 3}, raising=False)
    assert pack(pairs_of(source), (12, 20), classes, tmp_path / "soon").images.shape[0] == 6
    monkeypatch.setattr(packed, "POOL_COST_S", 0.0)
    with pytest.raises(Started):
        pack(pairs_of(source), (12, 20), classes, tmp_path / "long")
    assert torch.get_num_threads() >= 1 and not [path for path in (tmp_path / "long").iterdir() if path.is_dir()]
