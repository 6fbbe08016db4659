"""The reference of `record`: each picture saved by its own save_to_disk, off the thread that ticks; and its rows."""

import json
import subprocess
import threading
from types import SimpleNamespace

import pytest

from benchmarks import record
from sim_agent.rig import Bundle


class Picture:
    """As carla.Image saves itself."""

    threads: set = set()

    def save_to_disk(self, path):
        self.threads.add(threading.get_ident())
        if path.endswith("bad.png"):
            raise RuntimeError("no room")
        with open(path, "wb") as file:
            file.write(b"-" * 10)


def bundle(frame, *kinds):
    return Bundle(frame, {"front": {kind: Picture() for kind in kinds}})


def test_all_is_saved_when_it_ends_and_on_another_thread(tmp_path):
    with record.Saver(tmp_path) as saver:
        for frame in range(5):
            saver.add(bundle(frame, "rgb", "semantic"))
    assert sorted(file.name for file in tmp_path.iterdir())[:2] == ["00000000.rgb.png", "00000000.semantic.png"]
    assert threading.get_ident() not in Picture.threads
    assert (saver.size(), saver.size()) == (100, 0)


def test_one_that_cannot_be_saved_is_not_passed_over(tmp_path):
    with pytest.raises(RuntimeError, match="no room"), record.Saver(tmp_path) as saver:
        saver.add(bundle(0, "bad"))


def test_both_write_the_same_frames(tmp_path):
    written = []

    class Film:
        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def add(self, bundle, meta):
            written.append((bundle.frame, meta))

    frames = [(bundle(frame, "rgb"), {"n": frame}) for frame in range(25)]
    took_s = record.write_alone(frames, Film, tmp_path)
    assert set(took_s) == {"recorded", "save_to_disk"} and all(seconds >= 0.0 for seconds in took_s.values())
    assert written == [(frame, {"n": frame}) for frame in range(25)]
    assert len(list(tmp_path.glob("*.rgb.png"))) == 25


def test_rows(monkeypatch):
    told = {
        "ticks_per_s": {"recorded": 20.0, "not written": 21.0, "save_to_disk": 8.0},
        "cpu_s_per_frame": {"recorded": 0.01, "save_to_disk": 0.09},
        "bytes_per_frame": {"recorded": 100e3, "save_to_disk": 400e3},
        "frames": 50,
        "lost": 0,
        "of_another_frame": 0,
    }
    done = subprocess.CompletedProcess([], 0, stdout=f"a line\n{json.dumps(told)}\n")
    monkeypatch.setattr(record.subprocess, "run", lambda *_, **__: done)
    rows, _ = record.measure(SimpleNamespace(size="640x360", vehicles=20))
    assert [row.met for row in rows] == [True, None, False, None]
    assert [row.ratio for row in rows] == [pytest.approx(value) for value in (20 / 21, 2.5, 9.0, 0.25)]
    assert rows[2].ours == pytest.approx(100.0) and rows[2].mark.value == 10.0
