"""Recording a drive at the press of a key: a whole recording, and nobody who drives waits for the disk."""

import json
import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest

import sim_agent.tape as tape_module
from sim_agent.feed import Feed
from sim_agent.gates import Scene
from sim_agent.ledger import Header
from sim_agent.tape import Begin, Tape
from tests.processes import wait_for
from trainer.dataset.check import check_source
from trainer.dataset.recording import Camera, read_recording_info
from trainer.dataset.source import open_source
from trainer.labels import load_class_list, load_label_table

TABLE = load_label_table("carla-0.9.14")
CAMERA = Camera("front", 48, 32)
SIMULATOR = {"name": "embedded simulator", "version": "0.9.16"}
BEGIN = Begin("Town02", Header({"name": "ClearNoon", "cloudiness": 5.0}, {"drive": 1}, {"vehicles": 2}, {}), 0.0)


class Drive:
    """A feed with pictures of noise, and the vehicle at each frame."""

    def __init__(self):
        self.feed = Feed(load_class_list("street17").lookup(TABLE))
        self._rng = np.random.default_rng(0)

    def picture(self, frame):
        for put, level in ((self.feed.put_picture, 256), (self.feed.put_tags, 29)):
            data = self._rng.integers(0, level, (32, 48, 4), np.uint8)
            put(SimpleNamespace(frame=frame, width=48, height=32, raw_data=data.tobytes()))

    def scene(self, frame, speed_m_s=8.0):
        control = {"throttle": 0.5, "steer": 0.0, "brake": 0.0, "hand_brake": False, "reverse": False, "gear": 2}
        return Scene(frame, frame * 0.05, (0.4 * frame, 0.0, 0.0), (0.0, 0.0, 0.0), (speed_m_s, 0.0, 0.0), control)

    def tape(self, folder):
        return Tape(folder, self.feed, CAMERA, TABLE, SIMULATOR, 0.05, {"made_by": "drive"})


@pytest.fixture
def drive():
    return Drive()


def episodes_of(folder):
    """What each episode.json holds."""
    for path in sorted(folder.glob("episodes/*/episode.json")):
        yield json.loads(path.read_text())


def test_what_is_driven_is_on_the_disk(drive, tmp_path):
    folder = tmp_path / "drives"
    tape = drive.tape(folder)
    tape.begin(BEGIN)
    for frame in range(10, 16):
        drive.picture(frame)
        tape.add(drive.scene(frame))
    tape.close()
    assert tape.frames == 6 and tape.error is None
    report = check_source(open_source(folder, strict=False))
    assert (report.frames, report.episodes) == (6, 1) and not report.problems
    info = read_recording_info(folder)
    assert info.rig == (CAMERA,) and info.step_s == 0.05 and info.simulator == SIMULATOR
    (episode,) = episodes_of(folder)
    assert episode["state"] == "closed" and episode["town"] == "Town02" and episode["weather"]["name"] == "ClearNoon"
    assert episode["seeds"] == {"drive": 1} and episode["traffic"] == {"vehicles": 2}
    kept = drive.feed.shot(15).picture
    source = open_source(folder)
    stored = source.read_rgb(source.frames[-1])
    assert np.abs(stored.astype(int) - kept[..., 2::-1]).mean() < 8.0


def test_another_weather_is_another_episode_and_the_next_drive_adds_to_it(drive, tmp_path):
    folder = tmp_path / "drives"
    for first in (10, 30):
        tape = drive.tape(folder)
        for frame in range(first, first + 4):
            if frame in (first, first + 2):
                tape.begin(BEGIN)
            drive.picture(frame)
            tape.add(drive.scene(frame))
        tape.close()
        assert tape.frames == 4 and tape.error is None
    assert [episode["frames"] for episode in episodes_of(folder)] == [2, 2, 2, 2]
    assert not check_source(open_source(folder, strict=False)).problems


def test_standing_frames_are_dropped_and_counted(drive, tmp_path):
    tape = drive.tape(tmp_path / "drives")
    tape.begin(BEGIN)
    for frame in range(1, 9):
        drive.picture(frame)
        tape.add(drive.scene(frame, speed_m_s=0.0 if frame > 3 else 8.0))
    tape.close()
    (episode,) = episodes_of(tmp_path / "drives")
    assert episode["frames"] == tape.frames < 8
    assert episode["dropped"] == {"standing": 8 - tape.frames}


def test_a_disk_that_is_too_slow_costs_frames_and_never_time(drive, tmp_path, monkeypatch):
    gate, real = threading.Event(), tape_module.encode_frame

    def slow(*args):
        assert gate.wait(60)
        return real(*args)

    monkeypatch.setattr(tape_module, "encode_frame", slow)
    tape = drive.tape(tmp_path / "drives")
    tape.begin(BEGIN)
    started_s = time.monotonic()
    for frame in range(1, 41):
        drive.picture(frame)
        tape.add(drive.scene(frame))
    assert time.monotonic() - started_s < 30.0
    gate.set()
    wait_for(lambda: tape.frames == 12, "all that waited is written")
    drive.picture(41)
    tape.add(drive.scene(41))
    tape.close()
    (episode,) = episodes_of(tmp_path / "drives")
    assert episode["frames"] == tape.frames == 13
    assert episode["dropped"] == {"disk too slow": 28}


def test_frames_without_pictures_are_counted_as_missing(drive, tmp_path, monkeypatch):
    monkeypatch.setattr(tape_module, "_LATE_S", 0.05)
    tape = drive.tape(tmp_path / "drives")
    tape.begin(BEGIN)
    tape.add(drive.scene(3))
    drive.picture(4)  # so 3 will not come any more
    tape.add(drive.scene(4))
    tape.add(drive.scene(5))  # and 5 has not come when the drive ends
    tape.close()
    (episode,) = episodes_of(tmp_path / "drives")
    assert episode["dropped"] == {"missing": 2} and tape.frames == 1


def test_pictures_may_come_after_the_vehicle(drive, tmp_path):
    tape = drive.tape(tmp_path / "drives")
    tape.begin(BEGIN)
    for frame in range(1, 5):
        tape.add(drive.scene(frame))
        drive.picture(frame)
        tape.look()
    tape.close()
    assert tape.frames == 4


def test_a_folder_that_holds_something_else_is_left_alone(drive, tmp_path):
    (tmp_path / "letter.txt").write_text("dear")
    tape = drive.tape(tmp_path)
    wait_for(lambda: tape.error is not None, "the tape refuses")
    tape.begin(BEGIN)
    for frame in range(60):
        tape.add(drive.scene(frame))
    tape.close()
    assert "is no recording and not empty (it holds letter.txt)" in tape.error
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def test_a_recording_of_another_camera_is_refused(drive, tmp_path):
    tape = drive.tape(tmp_path / "drives")
    tape.close()
    other = Tape(tmp_path / "drives", drive.feed, Camera("chase", 48, 32), TABLE, SIMULATOR, 0.05, {})
    other.close()
    assert "differs in rig (cameras front there, chase now)" in other.error
