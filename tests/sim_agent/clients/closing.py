"""Somebody who steers and then closes the window while a slow engine is at work: `closing.py PORT MODEL`."""

import os
import sys
import threading
import time
from pathlib import Path

os.environ["PYGAME_HIDE_SUPPORT_PROMPT"] = "1"
import pygame
from telling import tell

from sim_agent.drive import DriveRequest, open_drive
from sim_agent.drive_config import load_drive_config
from sim_agent.session import Where

SLOW_S = 0.5
"""Ten times a step of the simulator."""
WAIT_S = 120.0
KEYS = 20
told = {}


def until(condition, what):
    end_s = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < end_s, what
        time.sleep(0.01)


def post(kind, **values):
    pygame.event.post(pygame.event.Event(kind, **values))


def use(drive):
    ride, live = drive.ride, drive.live
    until(lambda: live.masks >= 3 and ride.frames > 20, "the drive has begun")
    masks = live.masks
    for k in range(KEYS):
        pressed_s = time.monotonic()
        post(pygame.KEYUP if k % 2 else pygame.KEYDOWN, key=pygame.K_a, mod=0)
        until(lambda k=k: len(steered_s) > k, "a key is sent")
        told.setdefault("key_ms", []).append(1000.0 * (steered_s[k] - pressed_s))
    post(pygame.KEYDOWN, key=pygame.K_d, mod=0)
    until(lambda: ride.telemetry.steer > 0.4, "it steers to the right")
    post(pygame.KEYUP, key=pygame.K_d, mod=0)
    until(lambda: ride.telemetry.steer == 0.0, "it steers back")
    until(lambda: live.masks > masks + 2 and drive.readings.mask_age_ms, "more masks")
    told["age_ms"] = drive.readings.mask_age_ms
    computing.clear()
    assert computing.wait(WAIT_S)
    post(pygame.QUIT)
    until(lambda: drive.ended, "the window's end is seen")
    told["was_computing"] = not done.is_set()
    go_on.set()


def user(drive):
    try:
        use(drive)
    except BaseException as error:
        told["error"] = repr(error)
        go_on.set()
        post(pygame.QUIT)


config = load_drive_config(None, width=160, height=96, vehicles=0, walkers=0, rate_hz=20)
request = DriveRequest(Where("127.0.0.1", int(sys.argv[1])), Path(sys.argv[2]), engine="torch", headless=True)
computing, done, go_on = threading.Event(), threading.Event(), threading.Event()
with open_drive(request, config, print) as drive:
    segmenter = drive.live._segmenter
    segment = segmenter.segment

    def slow(picture):
        done.clear()
        computing.set()
        go_on.wait(SLOW_S)
        labels = segment(picture)
        done.set()
        return labels

    segmenter.segment = slow
    steered_s, steer_now = [], drive.ride.steer_now

    def steer_and_note(born_s):
        steer_now(born_s)
        steered_s.append(time.monotonic())

    drive.ride.steer_now = steer_and_note
    thread = threading.Thread(target=user, args=(drive,))
    thread.start()
    drive.run()
    thread.join()
    result = drive.result()
tell(**told, **{name: result[name] for name in ("frames", "masks", "dropped", "steer_ms", "engine_ms")})
