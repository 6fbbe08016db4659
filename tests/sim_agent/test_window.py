"""The window itself: pictures in their shape, events in time, and a loop that shows what a ride brings."""

import threading
import time
from types import SimpleNamespace

import numpy as np
import pygame
import pytest

from sim_agent import window as window_module
from sim_agent.controls import Wheel
from sim_agent.drive import Drive
from sim_agent.drive_config import load_drive_config
from sim_agent.feed import Feed
from sim_agent.gates import Scene
from sim_agent.interrupts import Interrupts
from sim_agent.overlay import View
from sim_agent.ride import Ride
from sim_agent.video import Video
from sim_agent.window import Window, WindowError
from trainer.labels import load_class_list, load_label_table
from trainer.segmenter import Segmenter

WAIT_S = 60.0
CLASSES = load_class_list("street17")
ROAD, ROAD_TAG = CLASSES.names.index("road"), 1


@pytest.fixture
def window(monkeypatch):
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")
    with Window((160, 90), (640, 480), "test", headless=True) as opened:
        yield opened


def flat(height, width, bgr):
    picture = np.empty((height, width, 4), np.uint8)
    picture[:] = (*bgr, 255)
    return picture


def test_the_window_has_the_pictures_shape(window):
    assert window.size == (640, 360)
    assert window.place(flat(90, 160, (10, 200, 30))).size == (640, 360)
    shown = window.pixels()
    assert shown.shape == (360, 640, 4) and (shown[..., :3] == (10, 200, 30)).all()


def test_another_shape_is_not_stretched(window):
    box = window.place(flat(90, 90, (10, 200, 30)))
    assert box.size == (360, 360) and box.centerx == 320
    shown = window.pixels()[..., :3]
    assert (shown[:, 150:490] == (10, 200, 30)).all()
    assert shown[:, :130].max() < 30 and shown[:, 510:].max() < 30
    assert window.place(None).size == (640, 360) and window.pixels().max() < 30


def test_a_canvas_can_be_drawn_on_after_it_was_read(window):
    window.place(flat(90, 160, (1, 2, 3)))
    kept = window.pixels()
    window.canvas.blit(pygame.Surface((5, 5)), (0, 0))
    assert (kept[..., :3] == (1, 2, 3)).all()


def test_a_wake_ends_the_wait_and_is_no_event(window):
    window.events(0.001)
    threading.Timer(0.05, window.wake).start()
    started_s = time.monotonic()
    assert window.events(WAIT_S) == []
    assert time.monotonic() - started_s < WAIT_S / 2


def test_events_say_when_they_may_have_come(window):
    window.events(0.001)
    before_s = time.monotonic()
    pygame.event.post(pygame.event.Event(pygame.KEYDOWN, key=pygame.K_w, mod=0))
    threading.Event().wait(0.05)  # as while it is drawn
    assert [event.key for event in window.events(1.0)] == [pygame.K_w]
    assert window.came_s <= before_s
    pygame.event.post(pygame.event.Event(pygame.KEYUP, key=pygame.K_w, mod=0))
    after_s = time.monotonic()
    assert len(window.events(1.0)) == 1
    assert window.came_s <= after_s


def test_the_window_can_be_made_larger(window):
    pygame.event.post(pygame.event.Event(pygame.VIDEORESIZE, w=800, h=700, size=(800, 700)))
    window.events(0.01)
    assert window.size == (800, 700)
    assert window.place(flat(90, 160, (9, 9, 9))).size == (800, 450)


def test_pictures_that_are_saved_never_replace_one(window, tmp_path, monkeypatch):
    monkeypatch.setattr(window_module.time, "strftime", lambda form: "drive-20250101-120000")
    saved = [window.save(tmp_path).name for _ in range(3)]
    assert saved == ["drive-20250101-120000.png", "drive-20250101-120000-1.png", "drive-20250101-120000-2.png"]


def test_without_a_display_headless_is_offered(monkeypatch):
    def none():
        raise pygame.error("No available video device")

    monkeypatch.setattr(pygame.display, "init", none)
    with pytest.raises(WindowError, match="No available video device.*--headless --frames 300 --video drive.gif"):
        Window((160, 90), (640, 480), "test", headless=False)


class Painted(Segmenter):
    """Everything is road."""

    engine, info = "painted", SimpleNamespace(classes=CLASSES)

    def segment(self, rgb):
        return np.full(rgb.shape[:2], ROAD, np.uint8)

    def _logits(self, picture):
        raise AssertionError("not used")


class Played(Ride):
    """A ride without a simulator: a frame for each `go`."""

    def __init__(self, config, feed, tmp_path):
        simulator = SimpleNamespace(name="played simulator", version="1")
        session = SimpleNamespace(simulator=simulator, uninterrupted=Interrupts().held)
        super().__init__(session, config, feed, tmp_path, print)
        self.town, self.go, self.steered = "Toytown", threading.Semaphore(0), []
        self.fails = None

    def prepare(self, autopilot):
        pass

    def steer_now(self, born_s):
        self.steered.append(born_s)

    def serve(self, action):
        self.note(f"asked for {action.name}")

    def _step(self):
        self._serve_all()
        if not self.go.acquire(timeout=0.02):
            return
        if self.fails is not None:
            raise self.fails
        frame = self.frames + 100
        tags, picture = flat(90, 160, (0, 0, ROAD_TAG)), flat(90, 160, (40, 80, 120))
        for put, data in ((self.feed.put_tags, tags), (self.feed.put_picture, picture)):
            put(SimpleNamespace(frame=frame, height=90, width=160, raw_data=data.tobytes()))
        control = {"throttle": 0.5, "steer": 0.0, "brake": 0.0, "hand_brake": False, "reverse": False, "gear": 2}
        self._seen(Scene(frame, self.frames * 0.05, (0, 0, 0), (0, 0, 0), (10.0, 0, 0), control), "manual")


class PlayedDrive:
    def __init__(self, window, tmp_path, video=None):
        config = load_drive_config(None, width=160, height=90)
        feed = Feed(CLASSES.lookup(load_label_table("carla-0.9.14")))
        self.ride = Played(config, feed, tmp_path)
        self.drive = Drive(window, self.ride, Wheel(), Painted(), config, video, print)
        self.said = []
        tell = self.drive._tell
        self.drive._tell = lambda sentence: (self.said.append(sentence), tell(sentence))

    def run(self, user, frames=None):
        """Run the loop, with `user` called once a turn until it returns True."""
        turn, users = self.drive._turn, [user]

        def one_turn():
            turn()
            if users and users[0]():
                users.pop()

        self.drive._turn = one_turn
        with self.drive.live:
            self.drive.run(frames)
        return self.drive.result()


@pytest.fixture
def played(window, tmp_path):
    return PlayedDrive(window, tmp_path)


def press(key):
    pygame.event.post(pygame.event.Event(pygame.KEYDOWN, key=key, mod=0))


def test_the_loop_shows_masks_until_the_frames_are_through(played, window):
    for _ in range(5):
        played.ride.go.release()
    result = played.run(lambda: True, frames=5)
    assert result["frames"] == 5 and 1 <= result["masks"] <= 5
    assert result["miou"] == 1.0 and result["iou"] == {"road": 1.0}
    assert result["engine"] == "painted" and result["simulator"] == "played simulator 1"


def test_what_is_drawn_is_the_view_of_the_newest_mask(played, window):
    seen = {}

    def user():
        drive = played.drive
        newest = drive.live.newest
        if newest is not None and drive._shown is newest and drive.view not in seen:
            middle = window.pixels()[180, 320, :3].astype(int)
            seen[drive.view] = middle
            press(pygame.K_m)
        if len(seen) == len(View):
            press(pygame.K_ESCAPE)
            return True
        return False

    played.drive.show_hud = False
    for _ in range(3):
        played.ride.go.release()
    played.run(user)
    road = np.array(CLASSES.classes[ROAD].colour[::-1])
    picture = np.array([40, 80, 120])
    assert np.abs(seen[View.CAMERA] - picture).max() <= 1
    assert np.abs(seen[View.MASK_ONLY] - road).max() <= 1
    assert np.abs(seen[View.MASK] - (road + picture) / 2).max() <= 2
    assert np.abs(seen[View.TRUTH] - seen[View.MASK]).max() == 0
    assert seen[View.ERRORS][2] < 100 and np.ptp(seen[View.ERRORS]) < 30  # nothing is wrong: grey
    assert played.drive.ended


def test_what_drives_goes_to_the_ride_and_its_answer_is_shown(played):
    wanted = [pygame.K_p, pygame.K_r, pygame.K_TAB, pygame.K_c, pygame.K_BACKSPACE, pygame.K_q]
    names = ["AUTOPILOT", "RECORD", "CAMERA", "NEXT_WEATHER", "RESPAWN", "REVERSE"]

    def user():
        if not played.said and not played.ride.steered:
            for key in wanted:
                press(key)
            press(pygame.K_w)
        if len(played.said) >= len(wanted):
            press(pygame.K_ESCAPE)
            return True
        return False

    played.run(user)
    assert played.said == [f"asked for {name}" for name in names]
    assert played.ride.steered and played.ride.steered[0] <= time.monotonic()


def test_what_ends_the_ride_ends_the_drive(played):
    played.ride.fails = RuntimeError("the world is gone")
    played.ride.go.release()
    with pytest.raises(RuntimeError, match="the world is gone"):
        played.run(lambda: True)


def test_a_simulator_that_stands_still_is_told(played, monkeypatch):
    told = []
    notice = played.drive.hud.draw_notice
    monkeypatch.setattr(
        played.drive.hud, "draw_notice", lambda surface, *text: (told.append(text), notice(surface, *text))
    )
    played.ride.go.release()

    def user():
        if played.ride.frames:
            played.ride.last_frame_s = -100.0
            played.drive._drawn_s = -100.0
        if any("stands still" in title for title, _ in told):
            press(pygame.K_ESCAPE)
            return True
        return False

    played.run(user)
    assert ("the simulator stands still", "waiting for its next frame") in told


def test_the_video_has_a_slot_for_every_frame(window, tmp_path):
    added = []

    class Counted(Video):
        def add(self, number, picture):
            added.append(number)
            super().add(number, picture)

    with Counted(tmp_path / "drive.gif", window.size, 20.0) as video:
        played = PlayedDrive(window, tmp_path, video)
        for _ in range(8):
            played.ride.go.release()
        played.run(lambda: True, frames=8)
    assert added and added == sorted(added) and set(added) <= set(range(100, 108))
    assert (tmp_path / "drive.gif").is_file()
