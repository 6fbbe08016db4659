"""The workers' sign of life, and how long it has been silent."""

import os
import time

from tests.processes import wait_for
from trainer.pulse import Pulse, PulseWatch


def test_a_pulse_beats_until_its_end(tmp_path):
    file = tmp_path / "pulse"
    with Pulse(file, every_s=0.01):
        wait_for(file.is_file, "a first beat")
        first = file.stat().st_mtime_ns
        wait_for(lambda: file.stat().st_mtime_ns > first, "another beat")
    last = file.stat().st_mtime_ns
    time.sleep(0.05)  # nothing must happen in it
    assert file.stat().st_mtime_ns == last


def test_silence_is_counted_from_the_last_beat_or_the_watchs_begin(tmp_path, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    file = tmp_path / "pulse"
    watch = PulseWatch(file)
    now[0] = 107.0
    assert watch.silent_s() == 7.0
    file.touch()
    os.utime(file, (5.0, 5.0))  # whatever the clock of the node that wrote it
    assert watch.silent_s() == 0.0
    now[0] = 110.0
    assert watch.silent_s() == 3.0
