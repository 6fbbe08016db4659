"""References of `data` on a small recording: what is started, what is said where one is absent, and their clock."""

import os
import subprocess
import sys
import time

import pytest

from benchmarks import data, references, rows
from trainer.dataset.drawn import draw_recording
from trainer.dataset.source import open_source


@pytest.fixture
def recording(tmp_path):
    draw_recording(tmp_path / "drawn", count=6, width=64, height=48, seed=0)
    return open_source(tmp_path / "drawn")


def test_webdataset_is_started_only_where_it_is(recording, tmp_path, monkeypatch):
    monkeypatch.setenv(references.VARIABLE, str(tmp_path))
    started = []
    monkeypatch.setattr(data, "Child", lambda name, command: started.append(command))
    assert list(data.references_of(tmp_path, recording)) == ["Ray Data"]
    environment = tmp_path / "webdataset"
    environment.mkdir()
    (environment / references.PINS).write_text(references.requirements("webdataset").read_text())
    assert list(data.references_of(tmp_path, recording)) == ["Ray Data", "WebDataset"]
    assert started[-1][3:] == [str(recording.path), "front", "32", "96", "128"]


def test_packing_leaves_nothing_behind(recording, tmp_path):
    before = sorted(tmp_path.iterdir())
    assert data.packing(recording, tmp_path) > 0.0
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc")
def test_the_clock_counts_what_processes_below_compute():
    burn = "import os, time\nwhile time.process_time() < 0.3: pass\nprint(os.getpid(), flush=True)\ninput()"
    before_s = rows.tree_cpu_s()
    process = subprocess.Popen([sys.executable, "-c", burn], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert int(process.stdout.readline()) == process.pid
    alive_s = rows.tree_cpu_s() - before_s
    process.communicate("\n")
    assert alive_s >= 0.28
    assert rows.tree_cpu_s() - before_s >= alive_s - 0.05 and os.getpid() != process.pid


@pytest.mark.slow
def test_ray_data_reads_every_pair(recording, tmp_path):
    from benchmarks.child import Child

    data.make_folder(recording, tmp_path / "png", 7)
    command = [sys.executable, "-m", "benchmarks.ray_pictures", str(tmp_path / "png"), "4", "24", "32"]
    with Child("Ray Data", command) as child:
        started_s = time.monotonic()
        assert child.cpu_s() > 0.0
        assert child.told[0]["pictures"] == 7
        assert child.told[0]["wall_s"] <= time.monotonic() - started_s
