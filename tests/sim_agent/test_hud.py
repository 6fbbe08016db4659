"""The panels say what the readings are, where the window has room for it, and cost little while nothing changes."""

import dataclasses
import math

import numpy as np
import pygame
import pytest

import sim_agent.hud as hud_module
from sim_agent.controls import help_rows
from sim_agent.hud import AMBER, BAD, GOOD, TOAST_S, Hud
from sim_agent.lettering import write
from sim_agent.readings import Readings
from trainer.labels import load_class_list

CLASSES = load_class_list("street17")
SIZE = (1280, 720)
READINGS = Readings(
    town="Town10HD_Opt",
    weather="Hard rain, noon",
    simulator="embedded simulator 0.9.16",
    ticks_per_s=19.96,
    drawn_per_s=18.51,
    real_time_factor=0.998,
    speed_kmh=47.4,
    gear="3",
    throttle=0.62,
    steer=-0.21,
    brake=0.1,
    hand_brake=True,
    driver="autopilot",
    engine="openvino-int8",
    masks_per_s=17.2,
    engine_ms=14.23,
    mask_age_ms=23.4,
    ages_ms=(20.0, 21.0, 80.0),
    miou=0.7132,
    miou_after_latency=0.6881,
    dropped=3,
    iou=tuple([0.5] * 16 + [math.nan]),
    checkpoint="step 1,200",
    view="mask",
    opacity=0.55,
    behind_ms=63.4,
    camera="chase",
    recorded=1289,
    troubles=("lag 250 ms", "noise"),
)


@pytest.fixture
def said(monkeypatch):
    """All that is written from now on."""
    texts = []

    def note(surface, text, *args, **kwargs):
        texts.append(text)
        return write(surface, text, *args, **kwargs)

    monkeypatch.setattr(hud_module, "write", note)
    return texts


def blank(size=SIZE):
    return pygame.Surface(size, 0, 32)


def pixels(surface):
    return pygame.surfarray.array3d(surface).swapaxes(0, 1)


def drawn(readings, size=SIZE):
    surface = blank(size)
    Hud(size, CLASSES, help_rows()).draw(surface, readings)
    return pixels(surface)


def test_every_reading_is_said(said):
    Hud(SIZE, CLASSES, help_rows()).draw(blank(), READINGS)
    for text in ("Town10HD_Opt", "Hard rain, noon", "embedded simulator 0.9.16", "20.0", "18.5", "1.00"):
        assert text in said
    for text in ("47", "km/h", "3", "62", "-21", "10", "hand brake", "autopilot"):
        assert text in said
    for text in ("openvino-int8", "17.2", "14.2", "23", "0.713", "0.688", "step 1,200"):
        assert text in said
    for text in ("mask  55 %", "on the newest picture, 63 ms behind", "chase", "REC 1289", "lag 250 ms", "noise"):
        assert text in said
    assert set(CLASSES.names) <= set(said) and said.count("0.50") == 16


def test_what_is_not_known_is_a_dash_and_not_a_number(said):
    Hud(SIZE, CLASSES, help_rows()).draw(blank(), Readings(miou=math.nan))
    assert not any("nan" in text.lower() or "None" in text for text in said)
    assert said.count("-") >= 8


def test_the_legend_has_the_colour_of_every_class():
    shown = {tuple(colour) for colour in drawn(READINGS).reshape(-1, 3).tolist()}
    for one in CLASSES.classes:
        assert any(max(abs(a - b) for a, b in zip(one.colour, seen, strict=True)) <= 2 for seen in shown), one.name


def test_what_is_slower_than_real_time_is_marked():
    def marked(factor):
        frame = drawn(dataclasses.replace(READINGS, real_time_factor=factor))[:200, :330]
        return (np.abs(frame - np.array(AMBER)).max(axis=2) < 40).any()

    assert marked(0.85) and not marked(0.97)


@pytest.mark.parametrize(("field", "colour"), [("throttle", GOOD), ("brake", BAD)])
def test_bars_are_as_long_as_what_they_show(field, colour):
    still = dataclasses.replace(READINGS, throttle=0.0, brake=0.0, hand_brake=False, recorded=None, iou=(), steer=0.0)

    def length(share):
        frame = drawn(dataclasses.replace(still, **{field: share}))[360:, :640]
        return (np.abs(frame - np.array(colour)).max(axis=2) < 12).sum()

    assert length(0.0) == 0
    assert length(0.5) == pytest.approx(length(1.0) / 2, rel=0.12)


def test_steering_shows_its_side():
    straight = drawn(dataclasses.replace(READINGS, steer=0.0)).astype(int)

    def moved(steer):
        changed = np.abs(drawn(dataclasses.replace(READINGS, steer=steer)) - straight).max(axis=2) > 25
        columns = np.flatnonzero(changed[:, :230].any(axis=0))  # left of the figure
        return columns.mean() if len(columns) else None

    assert moved(-0.8) < moved(0.8)


def test_panels_are_painted_again_only_when_they_say_something_else(said):
    hud, surface = Hud(SIZE, CLASSES, help_rows()), blank()
    hud.draw(surface, READINGS)
    first = pixels(surface)
    said.clear()
    surface.fill(0)
    hud.draw(surface, READINGS)
    assert not said
    np.testing.assert_array_equal(pixels(surface), first)
    hud.draw(surface, dataclasses.replace(READINGS, speed_kmh=48.0))
    assert "48" in said and "Town10HD_Opt" not in said and "sky" not in said


@pytest.mark.parametrize("size", [(1280, 720), (960, 540), (1920, 1080), (640, 360)])
def test_panels_fit_into_the_window_and_leave_the_road_in_sight(size):
    frame = drawn(READINGS, size)
    covered = (frame.max(axis=2) > 0).mean()
    assert 0.1 < covered < 0.45
    middle = frame[size[1] // 4 : -size[1] // 4, size[0] // 3 : -size[0] // 3]
    assert not middle.any()
    assert not frame[0].any() and not frame[-1].any() and not frame[:, 0].any() and not frame[:, -1].any()


def test_many_classes_fit_too():
    surface = blank()
    classes = load_class_list("carla29")
    Hud(SIZE, classes, help_rows()).draw(surface, dataclasses.replace(READINGS, iou=(0.5,) * len(classes)))
    column = pixels(surface)[:, -100]
    # Legend and figures stand one above the other with a gap between.
    lit = column.max(axis=1) > 0
    edges = np.flatnonzero(np.diff(lit.astype(int)))
    assert len(edges) == 4


def test_the_help_shows_every_row_of_the_key_table(said):
    hud, surface = Hud(SIZE, CLASSES, help_rows()), blank()
    hud.draw_help(surface)
    for caps, what in help_rows():
        assert what in said and all(cap in said for cap in caps.split())
    frame = pixels(surface)
    assert frame[360, 640].max() > frame[:5].max()


def test_a_toast_fades():
    hud = Hud(SIZE, CLASSES, help_rows())

    def light(age_s):
        surface = blank()
        hud.draw_toast(surface, "autopilot drives", age_s)
        return pixels(surface).sum()

    assert light(0.0) > light(TOAST_S - 0.1) > 0
    assert light(TOAST_S) == 0


def test_a_notice_says_what_is_waited_for(said):
    surface = blank()
    Hud(SIZE, CLASSES, help_rows()).draw_notice(surface, "no picture", "waiting for the camera")
    assert {"no picture", "waiting for the camera"} <= set(said)
    assert pixels(surface)[360, 640].max() > 0
