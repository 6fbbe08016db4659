"""Somebody at the window: posts keys, and tells what it showed. `window.py PORT MODEL RUN CHECKPOINTS`."""

import os
import sys
import threading
from pathlib import Path

os.environ["PYGAME_HIDE_SUPPORT_PROMPT"] = "1"
import numpy as np
import pygame
from telling import tell

from sim_agent import hud
from sim_agent.drive import DriveRequest, open_drive
from sim_agent.drive_config import load_drive_config
from sim_agent.session import Where

WAIT_S = 120.0
port, model, run, checkpoints = int(sys.argv[1]), *map(Path, sys.argv[2:5])
changed = threading.Condition()
texts = []
told = {}
shown = []
write = hud.write


def note(surface, text, *args, **kwargs):
    with changed:
        texts.append(text)
        changed.notify_all()
    return write(surface, text, *args, **kwargs)


hud.write = note


def post(kind, **values):
    pygame.event.post(pygame.event.Event(kind, **values))


def press(key, mod=0):
    with changed:
        texts.clear()
    post(pygame.KEYDOWN, key=key, mod=mod)
    post(pygame.KEYUP, key=key, mod=mod)


def until(text):
    """Wait until the window has shown this since the last key."""
    with changed:
        assert changed.wait_for(lambda: any(text in one for one in texts), WAIT_S), (text, texts[-40:])


def until_true(condition, what):
    """Wait until something is so; it is looked at again whenever the window shows something else."""
    with changed:
        for _ in range(int(WAIT_S / 0.25)):
            if condition():
                return
            changed.wait(0.25)
    raise AssertionError(what)


def corner(drive):
    """Mean brightness of where the panel of the place is, in a picture that is drawn from now on."""
    drawn = drive.drawn
    until_true(lambda: drive.drawn > drawn + 1, "a picture is drawn")
    return float(np.mean(shown[-1][25:100, 40:200, :3]))


def use(drive):
    ride = drive.ride
    until("Clear, noon")
    for chip in ("truth  50 %", "errors", "truth | mask  50 %", "mask only", "camera"):
        press(pygame.K_m)
        until(chip)
    press(pygame.K_m)
    until("mask  50 %")
    press(pygame.K_PLUS)
    until("mask  60 %")
    press(pygame.K_MINUS)
    until("mask  50 %")
    press(pygame.K_n)
    until("on the newest picture,")
    press(pygame.K_n)
    until("mask on its own picture")

    for key, chip in (
        (pygame.K_1, "lag 250 ms"),
        (pygame.K_2, "noise"),
        (pygame.K_3, "blur"),
        (pygame.K_4, "dead camera"),
    ):
        press(key)
        until(chip)
    until_true(lambda: not drive.live.newest.seen.any(), "the camera is dead")
    until_true(lambda: drive.live.newest.age_ms > 250.0, "its pictures come late")
    for key in (pygame.K_4, pygame.K_3, pygame.K_2, pygame.K_1):
        press(key)
    until_true(lambda: drive.live.newest.seen.any() and not drive.troubles.names, "the camera is back")

    press(pygame.K_c)
    until("Cloudy, noon")
    told["clouds"] = ride.session.world.get_weather().cloudiness
    press(pygame.K_c, pygame.KMOD_LSHIFT)
    until("Clear, noon")
    press(pygame.K_TAB)
    until("chase")
    for _ in range(3):
        press(pygame.K_TAB)
    until_true(lambda: ride.telemetry.camera == "front", "the first camera again")

    press(pygame.K_BACKSPACE)
    until("started elsewhere")
    press(pygame.K_w)
    post(pygame.KEYDOWN, key=pygame.K_w, mod=0)
    until_true(lambda: ride.telemetry.speed_kmh > 8.0, "it drives")
    post(pygame.KEYDOWN, key=pygame.K_d, mod=0)
    until_true(lambda: ride.telemetry.steer > 0.4, "it steers to the right")
    post(pygame.KEYUP, key=pygame.K_d, mod=0)
    until_true(lambda: ride.telemetry.steer == 0.0, "it steers back")
    post(pygame.KEYUP, key=pygame.K_w, mod=0)
    post(pygame.KEYDOWN, key=pygame.K_s, mod=0)
    until_true(lambda: ride.telemetry.brake > 0.9 and ride.telemetry.speed_kmh < 1.0, "it brakes")
    post(pygame.KEYUP, key=pygame.K_s, mod=0)
    post(pygame.KEYDOWN, key=pygame.K_SPACE, mod=0)
    until("hand brake")
    post(pygame.KEYUP, key=pygame.K_SPACE, mod=0)
    press(pygame.K_q)
    until("reverse gear")
    until_true(lambda: ride.telemetry.gear == "R", "the gear is in")
    press(pygame.K_q)
    until("forward gear")

    press(pygame.K_p)
    until("autopilot drives")
    press(pygame.K_r)
    until("REC 3")
    press(pygame.K_r)
    until("frames recorded in")

    (checkpoints / "step_00000020-1").rename(run / "attempt-001" / "step_00000020-1")
    until("now showing step 20")
    until_true(lambda: "step 20" in texts, "the panel names the step")
    (checkpoints / "step_00000030-1").rename(run / "attempt-001" / "step_00000030-1")
    until("a damaged model was refused; the old one goes on")
    told["checkpoint"] = drive.checkpoint

    press(pygame.K_h)
    until("this help")
    press(pygame.K_h)
    with_panels = corner(drive)
    press(pygame.K_F1)
    until_true(lambda: not drive.show_hud, "the panels are off")
    told["panels"] = [with_panels, corner(drive)]
    press(pygame.K_F1)
    press(pygame.K_F12)
    until("saved drive-")
    for _ in range(3):
        press(pygame.K_m)
    until("truth | mask")
    post(pygame.MOUSEMOTION, pos=(drive.window.size[0] // 4, 50), rel=(1, 0), buttons=(0, 0, 0))
    until_true(lambda: abs(drive.split_at - 0.25) < 0.01, "the wipe follows the mouse")


def user(drive):
    try:
        use(drive)
    except BaseException as error:
        told["error"] = repr(error)
    finally:
        post(pygame.KEYDOWN, key=pygame.K_ESCAPE, mod=0)


config = load_drive_config(None, width=160, height=96, vehicles=2, walkers=0, rate_hz=20)
request = DriveRequest(Where("127.0.0.1", port), model, watch=run, headless=True, record=Path("recording").resolve())
with open_drive(request, config, print) as drive:
    show = drive.window.show

    def keep_and_show():
        shown[:] = [drive.window.pixels()]  # here: a surface is for one thread at a time
        show()

    drive.window.show = keep_and_show
    thread = threading.Thread(target=user, args=(drive,))
    thread.start()
    drive.run()
    thread.join()
    told["result"] = drive.result()
tell(**told)
os._exit(0)
