"""Posts of lights and signs, and the signs themselves: plates with their symbols in relief."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from sim_agent.embedded.pose import Pose, wrap_deg
from sim_agent.embedded.scene import Box, Material, Mesh, MeshBuilder, Tag
from sim_agent.embedded.town.blocks import Ground
from sim_agent.embedded.town.geometry import Array, Place
from sim_agent.embedded.town.model import Signal
from sim_agent.embedded.town.network import Network
from sim_agent.embedded.town.scenery import Scenery
from sim_agent.embedded.town.shapes import disc, quads, tube
from sim_agent.embedded.town.signals import FAR_HEAD_M, NEAR_HEAD_M, POST_M, Site
from sim_agent.embedded.town.surface import SIDEWALK_M

GREY = (0.45, 0.46, 0.47)
RED, WHITE, BLACK = (0.72, 0.08, 0.08), (0.95, 0.95, 0.93), (0.08, 0.08, 0.08)
BLUE = (0.05, 0.2, 0.55)
_SIGN_INTO_M = 4.6
"""From the ends of a one-way street to its signs."""
_PLATE_M = 2.35
"""Height of a sign's middle."""
_SEGMENTS = {
    "0": "abcdef",
    "1": "bc",
    "2": "abged",
    "3": "abgcd",
    "4": "fgbc",
    "5": "afgcd",
    "6": "afgedc",
    "7": "abc",
    "8": "abcdefg",
    "9": "abcdfg",
}


def post_box(pose: Pose, height_m: float, half_m: float = 0.08) -> Box:
    """What a vehicle hits of a post."""
    return Box(pose._replace(z_m=pose.z_m + height_m / 2.0), (half_m, half_m, height_m / 2.0))


def set_signposts(scenery: Scenery, ground: Ground, sites: Sequence[Site]) -> None:
    """Posts for all lights, posts and plates for all signs, and the masts behind junctions."""
    set_posts(scenery, [site.signal for site in sites])
    for site in sites:
        ground.claim(site.signal.pose.x_m, site.signal.pose.y_m, 0.4)
        for mast in site.masts:
            ground.claim(mast.foot.x_m, mast.foot.y_m, 0.4)
            foot = Pose(mast.foot.x_m, mast.foot.y_m, 0.0, 0.0, mast.foot.yaw_deg, 0.0)
            height = FAR_HEAD_M + 0.75
            scenery.open("Pole_TrafficLightMast", Tag.POLE, foot, True, post_box(foot, height, 0.11))
            scenery.builder.add_mesh(_post(height, 0.11, round(mast.arm_m, 6)), foot)


def set_one_way_signs(scenery: Scenery, ground: Ground, network: Network) -> None:
    """Where a one-way street begins an arrow, where it ends a plate against those who would come in."""
    for street in network.streets:
        if not street.one_way:
            continue
        side = street.section.kerb_m + POST_M
        end = street.path.length_m - _SIGN_INTO_M
        first = street.path.place(_SIGN_INTO_M, side)
        last = street.path.place(end, -side).turned(math.pi)
        for kind, place in (("one_way", first), ("no_entry", last)):
            ground.claim(place.x_m, place.y_m, 0.4)
            _set_plate(scenery, kind, Pose(place.x_m, place.y_m, 0.0, 0.0, wrap_deg(place.yaw_deg + 90.0), 0.0))


def set_roundabout_signs(scenery: Scenery, network: Network) -> None:
    """On the island, before everyone who comes in: an arrow to the right."""
    for junction in network.junctions:
        ring = junction.ring
        if ring is None:
            continue
        for arm in junction.arms:
            if arm.lanes_in:
                place = Place(ring.x_m, ring.y_m, arm.edge.heading_rad).moved(ring.island_m - POST_M)
                _set_plate(scenery, "roundabout", Pose(place.x_m, place.y_m, 0.0, 0.0, wrap_deg(place.yaw_deg - 90.0)))


def set_posts(scenery: Scenery, signals: Sequence[Signal]) -> None:
    """What carries the heads of lights; posts and plates of signs."""
    for signal in signals:
        foot = signal.pose
        if signal.kind == "light":
            height = NEAR_HEAD_M + 0.6
            scenery.open("Pole_TrafficLight", Tag.POLE, foot, True, post_box(foot, height))
            scenery.builder.add_mesh(_post(height, 0.085, 0.0), foot)
            continue
        _set_plate(scenery, signal.kind, foot)


def _set_plate(scenery: Scenery, kind: str, foot: Pose) -> None:
    """A sign on its post, turned as a signal's pose."""
    scenery.open("Pole_Sign", Tag.POLE, foot, True, post_box(foot, _PLATE_M + 0.35, 0.05))
    scenery.builder.add_mesh(_post(_PLATE_M + 0.35, 0.035, 0.0), foot)
    face = Pose(foot.x_m, foot.y_m, foot.z_m + _PLATE_M, 0.0, foot.yaw_deg + 90.0, 0.0).compose(Pose(0.05))
    scenery.open(f"Sign_{kind}", Tag.TRAFFIC_SIGN, face)
    scenery.builder.add_mesh(_plate(kind), face)


@lru_cache(maxsize=64)
def _post(height_m: float, radius_m: float, arm_m: float) -> Mesh:
    """A post with a collar and, to the left, an arm with a hanger at its end."""
    builder = MeshBuilder()
    low = SIDEWALK_M - 0.05

    def bar(points: list[tuple[float, float, float]], radii: list[float], sides: int) -> None:
        tube(builder, np.array(points), np.array(radii), sides, Tag.POLE, Material.METAL, GREY)

    bar([(0, 0, low), (0, 0, height_m)], [radius_m] * 2, 7)
    bar([(0, 0, low), (0, 0, low + 0.3)], [radius_m * 1.5] * 2, 7)
    if arm_m:
        top = height_m
        bar([(0, 0, top - 0.1), (0, -arm_m / 2.0, top + 0.05), (0, -arm_m - 0.2, top + 0.1)], [0.08, 0.065, 0.05], 7)
        bar([(-0.15, -arm_m, top + 0.05), (-0.15, -arm_m, top - 0.3)], [0.035] * 2, 5)
    return builder.build()


def _ring(radius_m: float, sides: int, first_deg: float = 0.0) -> Array:
    angle = math.radians(first_deg) + 2.0 * np.pi * np.arange(sides) / sides
    return radius_m * np.column_stack([np.cos(angle), np.sin(angle)])


@lru_cache(maxsize=16)
def _plate(kind: str) -> Mesh:
    """A sign that faces along x: symbols lie 4 mm over each other, and the back is grey."""
    if kind == "stop":
        outlines = [(_ring(0.41, 8, 22.5), WHITE), (_ring(0.385, 8, 22.5), RED)]
    elif kind == "one_way":
        arrow = np.array([(-0.16, 0.04), (0.16, 0.04), (0.0, 0.26)])
        outlines = [(_ring(0.38, 20), WHITE), (_ring(0.36, 20), BLUE), (arrow, WHITE)]
    elif kind == "roundabout":
        # Who reads the plate has its x on the left.
        arrow = np.array([(-0.04, -0.16), (-0.04, 0.16), (-0.26, 0.0)])
        outlines = [(_ring(0.38, 20), WHITE), (_ring(0.36, 20), BLUE), (arrow, WHITE)]
    elif kind == "no_entry":
        outlines = [(_ring(0.38, 20), WHITE), (_ring(0.36, 20), RED)]
    elif kind == "yield":
        outlines = [(_ring(0.5, 3, -90.0), RED), (_ring(0.33, 3, -90.0), WHITE)]
    else:
        outlines = [(_ring(0.38, 20), RED), (_ring(0.29, 20), WHITE)]
    builder = MeshBuilder()
    back = Pose(-0.012, 0.0, 0.0, 0.0, 180.0, 0.0)
    disc(builder, back, outlines[0][0], Tag.TRAFFIC_SIGN, Material.METAL, GREY)
    for k, (outline, colour) in enumerate(outlines):
        disc(builder, Pose(0.004 * k), outline, Tag.TRAFFIC_SIGN, Material.SIGN, colour)
    strokes = _strokes(kind)
    if strokes:
        rim = np.array([[(u0, z0), (u1, z0), (u1, z1), (u0, z1)] for u0, z0, u1, z1 in strokes])
        # Who reads the plate looks against its x axis and has its y axis on the left.
        corners = np.stack([np.full(rim.shape[:2], 0.012), -rim[..., 0], rim[..., 1]], -1)[:, ::-1]
        quads(builder, corners, Tag.TRAFFIC_SIGN, Material.SIGN, BLACK if kind.startswith("speed") else WHITE)
    return builder.build()


def _strokes(kind: str) -> list[tuple[float, float, float, float]]:
    """What is written on a plate, as (left, low, right, high)."""
    if kind.startswith("speed_"):
        return _digits(kind.removeprefix("speed_"))
    bars = {
        "roundabout": [(-0.25, -0.06, 0.06, 0.06)],
        "one_way": [(-0.06, -0.25, 0.06, 0.06)],
        "no_entry": [(-0.27, -0.07, 0.27, 0.07)],
        "stop": _letters(),
    }
    return bars.get(kind, [])


def _digits(text: str) -> list[tuple[float, float, float, float]]:
    """Strokes (left, low, right, high) of seven-segment digits, centred."""
    width, height, thick, gap = 0.13, 0.28, 0.038, 0.05
    total = len(text) * width + (len(text) - 1) * gap
    strokes = []
    for k, digit in enumerate(text):
        x = -total / 2.0 + k * (width + gap)
        h = height / 2.0
        where = {
            "a": (x, h - thick, x + width, h),
            "d": (x, -h, x + width, -h + thick),
            "g": (x, -thick / 2.0, x + width, thick / 2.0),
            "f": (x, 0.0, x + thick, h),
            "e": (x, -h, x + thick, 0.0),
            "b": (x + width - thick, 0.0, x + width, h),
            "c": (x + width - thick, -h, x + width, 0.0),
        }
        strokes += [where[segment] for segment in _SEGMENTS[digit]]
    return strokes


def _letters() -> list[tuple[float, float, float, float]]:
    """STOP in strokes, as the digits 5, 7 doubled, 0 and a P."""
    h, t, w = 0.12, 0.03, 0.12
    strokes = []
    for x, shape in ((-0.31, "afgcd"), (-0.145, "T"), (0.02, "abcdef"), (0.185, "abefg")):
        where = {
            "a": (x, h - t, x + w, h),
            "d": (x, -h, x + w, -h + t),
            "g": (x, -t / 2.0, x + w, t / 2.0),
            "f": (x, 0.0, x + t, h),
            "e": (x, -h, x + t, 0.0),
            "b": (x + w - t, 0.0, x + w, h),
            "c": (x + w - t, -h, x + w, 0.0),
            "T": (x + (w - t) / 2.0, -h, x + (w + t) / 2.0, h),
        }
        strokes += [where[s] for s in shape]
        if shape == "T":
            strokes.append(where["a"])
    return strokes
