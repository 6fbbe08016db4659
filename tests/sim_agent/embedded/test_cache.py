"""What is kept between runs: where one may write, made once, and made again when it is not whole."""

import os

import numpy as np
import pytest

from sim_agent.embedded import cache


def test_the_folder_follows_numbas_own_setting(tmp_path, monkeypatch):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    folder = cache.cache_folder("towns")
    assert folder == tmp_path / "towns" and folder.is_dir()
    assert cache.cache_folder("towns") == folder


def test_without_a_folder_to_write_in_the_temporary_one_serves(tmp_path, monkeypatch):
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(blocked / "below"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(blocked))
    monkeypatch.setattr(cache.tempfile, "gettempdir", lambda: str(tmp_path))
    assert str(cache.cache_folder("towns")).startswith(str(tmp_path / "carla-unet-"))


def test_a_digest_changes_with_a_source_and_with_a_circumstance(tmp_path):
    source = tmp_path / "a.py"
    source.write_text("1")
    before = cache.digest_of([source], "x86")
    assert cache.digest_of([source], "x86") == before
    assert cache.digest_of([source], "arm") != before
    source.write_text("2")
    assert cache.digest_of([source], "x86") != before


class Maker:
    def __init__(self):
        self.calls = 0

    def __call__(self):
        self.calls += 1
        return {"heights": np.arange(6.0).reshape(2, 3), "tags": np.array([1, 2], np.uint8)}


def test_arrays_are_made_once(tmp_path):
    make = Maker()
    first = cache.kept_arrays(tmp_path / "below" / "town.npz", make)
    second = cache.kept_arrays(tmp_path / "below" / "town.npz", make)
    assert make.calls == 1
    assert [path.name for path in (tmp_path / "below").iterdir()] == ["town.npz"]
    for name in ("heights", "tags"):
        np.testing.assert_array_equal(first[name], second[name], strict=True)


@pytest.mark.parametrize("harm", ["empty", "cut", "other"])
def test_a_file_that_is_not_whole_is_made_again(tmp_path, harm):
    path, make = tmp_path / "town.npz", Maker()
    cache.kept_arrays(path, make)
    whole = path.read_bytes()
    path.write_bytes({"empty": b"", "cut": whole[: len(whole) // 2], "other": b"no arrays at all"}[harm])
    assert cache.kept_arrays(path, make)["heights"].shape == (2, 3)
    assert make.calls == 2
    assert path.read_bytes() == whole


def test_where_nothing_can_be_written_the_arrays_are_still_there(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    made = cache.kept_arrays(blocked / "town.npz", Maker())
    assert made["tags"].tolist() == [1, 2]
    assert os.listdir(tmp_path) == ["file"]
