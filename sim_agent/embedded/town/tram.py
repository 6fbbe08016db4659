"""A tramway on its own track along the town's outer streets: rails, wires, and trams that stand on it."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from sim_agent.embedded.pose import Pose
from sim_agent.embedded.scene import Material, Mesh, Tag
from sim_agent.embedded.town.blocks import Block, Ground
from sim_agent.embedded.town.furniture import METALS, Maker
from sim_agent.embedded.town.geometry import Array, offset
from sim_agent.embedded.town.scenery import Scenery
from sim_agent.embedded.town.shapes import quads, sheet, tube
from sim_agent.embedded.town.signposts import post_box
from sim_agent.embedded.town.terrain import GROUND_M

STRIP_M = 7.6
"""From the back of the sidewalk to behind the track: what else lines the street stands there."""
_MIDDLE_M = 3.9
_BED_M, _GAUGE_M = 1.5, 1.435
"""Half the width of the ballast; between the rails' inner edges."""
_RAIL_TOP_M = GROUND_M + 0.2
_STEP_M = 2.0
_LEAST_RADIUS_M = 16.0
_LEAST_M = 120.0
_SMOOTHED = 5
"""Points to each side over which the track is evened out, for the sidewalks are not all of one width."""
_POLE_STEP_M = 32.0
_WIRE_M = 5.6
_SECTIONS, _SECTION_M = 3, 8.0
_LIVERIES = ((0.78, 0.12, 0.1), (0.86, 0.72, 0.12), (0.1, 0.36, 0.3), (0.16, 0.3, 0.6))


def find_track(block: Block, ground: Ground) -> Array | None:
    """(N, 2) the middle of a track along the frontage of the land around the town, two metres between points; its
    strip is taken. None where no stretch of 120 m is free and gentle enough.
    """
    loop = block.frontage
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(loop, axis=0).T))])
    s = np.arange(0.0, along[-1], _STEP_M)
    edge = np.column_stack([np.interp(s, along, loop[:, k]) for k in (0, 1)])
    middle = _evened(offset(_evened(edge), _MIDDLE_M))
    heading = np.unwrap(np.arctan2(*np.roll(middle, -1, axis=0).T[::-1] - middle.T[::-1]))
    forward = ((np.roll(middle, -1, axis=0) - middle) * (np.roll(edge, -1, axis=0) - edge)).sum(1) > 0.3 * _STEP_M**2
    turn = np.abs((np.diff(heading, append=heading[:1] + 2.0 * np.pi) + np.pi) % (2.0 * np.pi) - np.pi)
    away = np.array([np.hypot(*(loop - point).T).min() for point in middle])
    fits = forward & (turn < _STEP_M / _LEAST_RADIUS_M) & (away > _MIDDLE_M - 0.7)
    fits &= ~ground.is_wet(middle, 9.0)
    # Nor near what does not fit.
    bad = ~fits
    for shift in range(-4, 5):
        bad |= np.roll(~fits, shift)
    start = int(np.argmax(bad)) if bad.any() else 0
    runs = np.split(np.roll(np.arange(len(s)), -start), np.flatnonzero(np.diff(np.roll(bad, -start))) + 1)
    longest = max((run for run in runs if not bad[run[0]]), key=len, default=np.zeros(0, np.intp))
    if len(longest) * _STEP_M < _LEAST_M:
        return None
    track = middle[longest]
    half = STRIP_M - _MIDDLE_M
    near, far = offset(track, -half + 0.9), offset(track, half)
    ground.reserve([np.stack(corners) for corners in zip(near[:-1], near[1:], far[1:], far[:-1], strict=True)])
    return track


def behind_track(block: Block, track: Array) -> Block:
    """The block with its frontage moved to behind the track, where there is one."""
    points = block.frontage
    near = np.array([np.hypot(*(track - point).T).min() for point in points]) < _MIDDLE_M + 2.5
    shifted = np.where(near[:, None], offset(points, STRIP_M), points)
    return Block(block.number, shifted, block.kerb_gap, block.outer, block.area_m2)


def _evened(loop: Array) -> Array:
    """A closed line, each point the mean of its neighbourhood."""
    shifts = range(-_SMOOTHED, _SMOOTHED + 1)
    return np.asarray(sum(np.roll(loop, shift, axis=0) for shift in shifts) / len(shifts), np.float64)


def lay_tramway(scenery: Scenery, track: Array, rng: np.random.Generator) -> None:
    """Ballast, sleepers, rails, poles, wires and trams."""
    colour = _LIVERIES[int(rng.integers(len(_LIVERIES)))]
    for first in range(0, len(track) - 1, 30):
        _lay_track(scenery, track[first : first + 31])
    step = round(_POLE_STEP_M / _STEP_M)
    hung = None
    for k in range(2, len(track) - 2, step):
        foot = _pose(track, k, 2.0)
        scenery.open("Pole_Tram", Tag.POLE, foot, True, post_box(foot, 6.4, 0.12))
        scenery.builder.add_mesh(_pole(), foot)
        if hung is not None:
            _hang_wire(scenery, track[hung : k + 1])
        hung = k
    room = round((_SECTIONS * _SECTION_M + 8.0) / _STEP_M)
    stands = [int(share * (len(track) - room)) for share in (0.18, 0.55, 0.9)]
    for k in stands[: 3 if len(track) > 6 * room else 1]:
        _set_tram(scenery, track[k : k + room], colour)
    for k in (0, len(track) - 1):
        stop = _pose(track, k, 0.0)
        scenery.open("Static_BufferStop", Tag.STATIC, stop, True)
        low, high = (-0.3, -1.1, 0.0), (0.3, 1.1, 1.0)
        maker = Maker(Tag.STATIC)
        maker.block(low, high, Material.CONCRETE, (0.6, 0.6, 0.58))
        maker.block((-0.34, -1.0, 0.6), (0.34, 1.0, 0.85), Material.SIGN, (0.8, 0.1, 0.08))
        scenery.builder.add_mesh(maker.builder.build(), stop._replace(z_m=GROUND_M))


def _pose(track: Array, k: int, right_m: float) -> Pose:
    """At a point of the track, heading along it."""
    a, b = track[max(0, k - 1)], track[min(len(track) - 1, k + 1)]
    yaw = math.atan2(b[1] - a[1], b[0] - a[0])
    x, y = track[k] + right_m * np.array([-math.sin(yaw), math.cos(yaw)])
    return Pose(float(x), float(y), 0.0, 0.0, math.degrees(yaw), 0.0)


def _lay_track(scenery: Scenery, line: Array) -> None:
    """One object of some sixty metres."""
    builder = scenery.builder
    scenery.open("RailTrack", Tag.RAIL_TRACK, _pose(line, len(line) // 2, 0.0))
    ballast, top = (0.66, 0.63, 0.59), GROUND_M + 0.07
    edges = [offset(line, right) for right in (-_BED_M - 0.3, -_BED_M, _BED_M, _BED_M + 0.3)]
    sheet(builder, np.stack(edges[1:3], 1), top, Tag.RAIL_TRACK, Material.ASPHALT, ballast)
    for outer, inner in ((edges[0], edges[1]), (edges[3], edges[2])):
        rows = [np.column_stack([outer, np.full(len(line), 0.04)]), np.column_stack([inner, np.full(len(line), top)])]
        solid = np.stack(rows if outer is edges[0] else rows[::-1], 1)
        corners = np.stack([solid[:-1, 0], solid[1:, 0], solid[1:, 1], solid[:-1, 1]], 1)
        quads(builder, corners, Tag.RAIL_TRACK, Material.ASPHALT, ballast)
    count = int((len(line) - 1) * _STEP_M / 0.8)
    at = np.linspace(0.0, len(line) - 1.0, count + 1)[:-1] + 0.2
    heading = offset(line, 1.0) - line
    index = np.arange(len(line))
    centre, right = (np.column_stack([np.interp(at, index, v[:, k]) for k in (0, 1)]) for v in (line, heading))
    ahead = np.column_stack([right[:, 1], -right[:, 0]])
    sleepers = np.stack(
        [centre + a * ahead + b * right for a, b in ((-0.12, -1.2), (0.12, -1.2), (0.12, 1.2), (-0.12, 1.2))], 1
    )
    solid = np.concatenate([sleepers, np.full((len(at), 4, 1), top + 0.03)], -1)
    quads(builder, solid, Tag.RAIL_TRACK, Material.CONCRETE, (0.5, 0.48, 0.45))
    for side in (-1, 1):
        a, b = (offset(line, side * (_GAUGE_M / 2.0) + aside) for aside in (-0.04, 0.04))
        sheet(builder, np.stack([a, b], 1), _RAIL_TOP_M, Tag.RAIL_TRACK, Material.METAL, (0.62, 0.6, 0.57))
        for edge, flip in ((a, False), (b, True)):
            low, high = (np.column_stack([edge, np.full(len(line), z)]) for z in (top, _RAIL_TOP_M))
            face = [low[:-1], low[1:], high[1:], high[:-1]]
            corners = np.stack(face[::-1] if flip else face, 1)
            quads(builder, corners, Tag.RAIL_TRACK, Material.METAL, (0.36, 0.27, 0.22))


@lru_cache(maxsize=1)
def _pole() -> Mesh:
    """An arm over the track, which lies at negative y."""
    maker = Maker(Tag.POLE)
    maker.bar([(0, 0, 0.05), (0, 0, 3.2), (0, 0, 6.4)], [0.12, 0.1, 0.08], Material.METAL, METALS[1])
    maker.bar([(0, 0, 6.0), (0, -2.3, 6.0)], [0.05, 0.04], Material.METAL, METALS[1], 5)
    maker.bar([(0, 0, 6.4), (0, -1.6, 6.0)], [0.025, 0.025], Material.METAL, METALS[1], 4)
    maker.bar([(0, -2.0, 6.0), (0, -2.0, _WIRE_M)], [0.03, 0.03], Material.METAL, METALS[1], 4)
    return maker.builder.build()


def _hang_wire(scenery: Scenery, line: Array) -> None:
    middle = line[len(line) // 2]
    scenery.open("Cables", Tag.OTHER, Pose(float(middle[0]), float(middle[1]), _WIRE_M))
    points = np.column_stack([line, np.full(len(line), _WIRE_M)])[:: 4 if len(line) % 4 == 1 else 1]
    tube(scenery.builder, points, np.full(len(points), 0.02), 3, Tag.OTHER, Material.RUBBER, (0.06, 0.06, 0.06), False)


def _set_tram(scenery: Scenery, line: Array, colour: tuple[float, float, float]) -> None:
    """Sections behind each other along the track, each one solid object."""
    for number in range(_SECTIONS):
        k = 2 + round((number + 0.5) * _SECTION_M / _STEP_M)
        scenery.open("Train_Tram", Tag.TRAIN, _pose(line, k, 0.0), True)
        end = -1 if number == 0 else 1 if number == _SECTIONS - 1 else 0
        scenery.builder.add_mesh(_section(colour, end), _pose(line, k, 0.0)._replace(z_m=_RAIL_TOP_M))


@lru_cache(maxsize=16)
def _section(colour: tuple[float, float, float], end: int) -> Mesh:
    """Along x, on the rails; end is 1 with a cab in front, -1 with one behind, 0 in the middle."""
    maker = Maker(Tag.TRAIN)
    half, wide = _SECTION_M / 2.0 - 0.25, 1.2
    dark, cream = (0.08, 0.08, 0.09), (0.86, 0.84, 0.78)
    for x in (-0.55 * half, 0.55 * half):
        maker.block((x - 1.1, -0.9, 0.02), (x + 1.1, 0.9, 0.42), Material.RUBBER, dark)
        for wheel in (x - 0.7, x + 0.7):
            for side in (-1, 1):
                y = side * 0.78
                maker.bar([(wheel, y - 0.06, 0.3), (wheel, y + 0.06, 0.3)], [0.3, 0.3], Material.METAL, dark, 10)
    maker.block((-half, -wide, 0.34), (half, wide, 1.25), Material.PAINT, colour)
    maker.block((-half, -wide + 0.03, 1.25), (half, wide - 0.03, 2.45), Material.WINDOW, (0.32, 0.37, 0.41))
    for x in np.linspace(-half + 0.06, half - 0.06, 6).tolist():
        maker.block((x - 0.07, -wide, 1.25), (x + 0.07, wide, 2.45), Material.PAINT, cream)
    maker.block((-half, -wide, 2.45), (half, wide, 2.95), Material.PAINT, cream)
    maker.block((-half + 0.3, -0.9, 2.95), (half - 0.3, 0.9, 3.15), Material.METAL, (0.45, 0.46, 0.47))
    for door in (-0.35 * half, 0.4 * half):
        for side in (-1, 1):
            low, high = sorted((side * (wide - 0.02), side * (wide + 0.015)))
            maker.block((door - 0.65, low, 0.42), (door + 0.65, high, 2.4), Material.PAINT, cream)
            for pane in (-0.32, 0.32):
                low, high = sorted((side * wide, side * (wide + 0.025)))
                maker.block(
                    (door + pane - 0.24, low, 0.8), (door + pane + 0.24, high, 2.25), Material.WINDOW, (0.3,) * 3
                )
    if end:
        nose = (half, half + 0.2) if end > 0 else (-half - 0.2, -half)
        face = (half + 0.2, half + 0.23) if end > 0 else (-half - 0.23, -half - 0.2)
        maker.block((nose[0], -1.05, 0.34), (nose[1], 1.05, 2.9), Material.PAINT, colour)
        maker.block((face[0], -0.95, 1.3), (face[1], 0.95, 2.35), Material.WINDOW, (0.3, 0.34, 0.38))
        maker.block((face[0], -0.5, 2.45), (face[1], 0.5, 2.75), Material.SIGN, (0.9, 0.55, 0.1))
        for y in (-0.8, 0.8):
            lamp = Material.HEAD_LAMP if end > 0 else Material.TAIL_LAMP
            maker.block(
                (face[0], y - 0.14, 0.75),
                (face[1], y + 0.14, 0.95),
                lamp,
                (0.95, 0.94, 0.9) if end > 0 else (0.7, 0.05, 0.04),
            )
    else:
        maker.bar(
            [(-0.4, 0.0, 3.15), (0.7, 0.0, 4.3), (0.0, 0.0, _WIRE_M - _RAIL_TOP_M)],
            [0.04, 0.04, 0.04],
            Material.METAL,
            dark,
            4,
        )
        maker.block(
            (-0.1, -0.8, _WIRE_M - _RAIL_TOP_M - 0.06), (0.1, 0.8, _WIRE_M - _RAIL_TOP_M - 0.02), Material.METAL, dark
        )
    for joint in (-half - 0.25, half + 0.01):
        if (joint < 0 and end >= 0) or (joint > 0 and end <= 0):
            maker.block((joint, -1.05, 0.5), (joint + 0.24, 1.05, 2.85), Material.RUBBER, (0.14, 0.14, 0.15))
    return maker.builder.build()
