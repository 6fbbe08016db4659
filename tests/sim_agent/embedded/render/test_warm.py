"""Compiled kernels: kept where one may write, told about once, and loaded by the next process."""

import os
import subprocess
import sys

import pytest

from sim_agent.embedded.render import kernel, warm_up


def test_the_second_time_nothing_is_said():
    warm_up(lambda text: None)
    said = []
    warm_up(said.append)
    assert said == []


def test_the_cache_follows_numbas_own_setting(tmp_path, monkeypatch):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    folder = kernel._cache_folder()
    assert folder.parent == tmp_path and folder.is_dir()
    assert kernel._cache_folder() == folder


def test_without_a_folder_to_write_in_the_temporary_one_serves(tmp_path, monkeypatch):
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(blocked / "below"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(blocked))
    monkeypatch.setattr(kernel.tempfile, "gettempdir", lambda: str(tmp_path))
    assert str(kernel._cache_folder()).startswith(str(tmp_path / "carla-unet-"))


@pytest.mark.slow
def test_an_empty_cache_is_filled_with_progress_and_then_used(tmp_path):
    code = "from sim_agent.embedded.render import warm_up; warm_up(print)"
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    said = []
    for _ in range(2):
        run = subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True, timeout=300
        )
        said.append(run.stdout)
    assert "compil" in said[0]
    assert said[1] == ""
    assert list(tmp_path.rglob("*.nbi"))
