"""A world from any OpenDRIVE text: flat road surfaces with their markings, ground around, spawn points and signals."""

from __future__ import annotations

import math

import numpy as np

from sim_agent.embedded.pose import Pose, wrap_deg
from sim_agent.embedded.scene import Box, Material, Tag
from sim_agent.embedded.town.blocks import Ground
from sim_agent.embedded.town.build import bounds_of
from sim_agent.embedded.town.geometry import Array
from sim_agent.embedded.town.marks import DASH_M, GAP_M
from sim_agent.embedded.town.model import Signal, Town
from sim_agent.embedded.town.opendrive_reader import (
    ReadMap,
    ReadMark,
    ReadRoad,
    ReadSection,
    ReadSignal,
    read_opendrive,
)
from sim_agent.embedded.town.reference_line import evaluate
from sim_agent.embedded.town.scenery import Scenery
from sim_agent.embedded.town.shapes import sheet, wall_band
from sim_agent.embedded.town.signals import BRAKING_M_S2, NEAR_HEAD_M
from sim_agent.embedded.town.signposts import set_posts
from sim_agent.embedded.town.spawn import SPAWN_Z_M, STEP_M, spread
from sim_agent.embedded.town.surface import PAINT_M, SIDEWALK_M, WHITE, YELLOW
from sim_agent.embedded.town.terrain import lay_terrain

LARGEST_M = 6000.0
_GROUND_M = -0.05
_DRIVABLE = (
    "driving",
    "bidirectional",
    "parking",
    "shoulder",
    "stop",
    "biking",
    "border",
    "restricted",
    "entry",
    "exit",
    "onRamp",
    "offRamp",
)
_KINDS = {"1000001": "light", "206": "stop", "205": "yield", "274": "speed"}
NARROWEST_M = 2.0
"""A lane that begins or ends is no place for a car."""
_LIFT_M = 0.001
"""Roads of one junction lie over each other; each is this much lower than the one before, so that none flickers."""


def town_from_opendrive(xodr: str) -> Town:
    """The world of `generate_opendrive_world`; elevation is ignored, as the simulator's world is flat.

    There is no navmesh: people stand still in it, as in CARLA with a map that has none.

    Raises:
        ValueError: as `read_opendrive`; and for a map wider than `LARGEST_M`.
    """
    read = read_opendrive(xodr)
    scenery = Scenery()
    loops: list[Array] = []
    for depth, road in enumerate(read.roads):
        _lay_road(scenery, road, -_LIFT_M * (depth % 40) if road.junction != -1 else 0.0, loops)
    if not loops:
        raise ValueError("no road of the map has a lane with a width: there is nothing to drive on")
    every = np.concatenate(loops)
    span = float((every.max(0) - every.min(0)).max())
    if span > LARGEST_M:
        raise ValueError(
            f"the map is {span / 1000.0:.1f} km wide, at the most {LARGEST_M / 1000.0:.0f} km can be built; cut it"
        )
    ground = Ground(every, [], loops, [], cell_m=0.375 if span < 1500.0 else 0.75)
    lay_terrain(scenery, ground, {}, np.random.default_rng(0), _GROUND_M)
    signals = _signals(read)
    set_posts(scenery, signals)
    mesh, objects = scenery.finish()
    return Town(read.name, xodr, _spawn_points(read), b"", mesh, objects, signals, (), bounds_of(mesh))


def _lay_road(scenery: Scenery, road: ReadRoad, z_m: float, loops: list[Array]) -> None:
    middle = road.beside(np.array([road.length_m / 2.0]), np.zeros(1))[0]
    _, _, heading = road.line(np.array([road.length_m / 2.0]))
    pose = Pose(float(middle[0]), float(middle[1]), 0.0, 0.0, wrap_deg(-math.degrees(float(heading[0]))), 0.0)
    surfaces: list[tuple[Tag, Array, float]] = []
    paint: list[tuple[Array, tuple[float, float, float]]] = []
    for section in road.sections:
        s = road.stations(section.start_m, section.end_m)
        for sign in (1, -1):
            for lane, inner, outer in road.borders(section, sign, s):
                if not np.any(np.abs(outer - inner) > 1e-3):
                    continue
                # Left to right as seen along s: the outer border of left lanes, the inner one of right lanes.
                pair = (outer, inner) if sign > 0 else (inner, outer)
                lines = np.stack([road.beside(s, t) for t in pair], 1)
                if lane.kind in _DRIVABLE:
                    surfaces.append((Tag.ROAD, lines, z_m))
                elif lane.kind in ("sidewalk", "curb", "median"):
                    surfaces.append((Tag.SIDEWALK, lines, SIDEWALK_M))
                else:
                    continue
                loops.append(np.concatenate([lines[:, 0], lines[::-1, 1]]))
        paint += _paint(road, section, s)
    for tag, name, material, colour in (
        (Tag.ROAD, "Road", Material.ASPHALT, (0.88, 0.88, 0.88)),
        (Tag.SIDEWALK, "Sidewalk", Material.PAVING, (0.8, 0.79, 0.77)),
    ):
        mine = [(lines, z) for kind, lines, z in surfaces if kind == tag]
        if mine:
            scenery.open(f"{name}_{road.road_id}", tag, pose)
        for lines, z in mine:
            sheet(scenery.builder, lines, z, tag, material, colour)
            if tag == Tag.SIDEWALK:
                # Left edges are seen from the left of s, right edges from the left of the way back.
                for edge in (lines[:, 0], lines[::-1, 1]):
                    wall_band(scenery.builder, edge, _GROUND_M, z, tag, Material.CONCRETE, (0.72, 0.72, 0.7))
    if paint:
        scenery.open(f"RoadLine_{road.road_id}", Tag.ROAD_LINE, pose)
        for lines, tint in paint:
            sheet(scenery.builder, lines, PAINT_M, Tag.ROAD_LINE, Material.MARKING, tint)


def _paint(road: ReadRoad, section: ReadSection, s: Array) -> list[tuple[Array, tuple[float, float, float]]]:
    borders: list[tuple[tuple[ReadMark, ...], Array]] = []
    centre = next((lane for lane in section.lanes if lane.lane_id == 0), None)
    if centre is not None:
        borders.append((centre.marks, evaluate(road.offsets, s)))
    for sign in (1, -1):
        borders += [(lane.marks, outer) for lane, _, outer in road.borders(section, sign, s)]
    out = []
    for marks, t in borders:
        ends = [mark.s_m for mark in marks[1:]] + [section.end_m]
        # A lane without marks has no end of a mark either.
        for mark, end in zip(marks, ends, strict=False):
            colour = YELLOW if mark.colour == "yellow" else WHITE
            for piece in _pieces(mark.kind, mark.s_m, min(end, section.end_m)):
                here = np.unique(np.concatenate([np.array(piece), s[(s > piece[0]) & (s < piece[1])]]))
                if len(here) < 2:
                    continue
                at = np.interp(here, s, t)
                shifts = (-0.12, 0.12) if mark.kind.count(" ") else (0.0,)
                for shift in shifts:
                    edges = (at + shift + mark.width_m / 2.0, at + shift - mark.width_m / 2.0)
                    out.append((np.stack([road.beside(here, edge) for edge in edges], 1), colour))
    return out


def _pieces(kind: str, start: float, end: float) -> list[tuple[float, float]]:
    if kind in ("none", "curb", "grass", "botts dots", "edge", "custom") or end - start < 1e-3:
        return []
    if kind in ("broken", "broken broken"):
        count = int((end - start + GAP_M) // (DASH_M + GAP_M))
        return [(start + k * (DASH_M + GAP_M), start + k * (DASH_M + GAP_M) + DASH_M) for k in range(count)]
    return [(start, end)]


def _spawn_points(read: ReadMap) -> tuple[Pose, ...]:
    stations: list[list[Pose]] = []
    for road in read.roads:
        for section in road.sections if road.junction == -1 else ():
            s = np.arange(section.start_m + 5.0, section.end_m - 4.0, STEP_M)
            if not len(s):
                continue
            _, _, heading = road.line(s)
            abreast: list[list[Pose]] = [[] for _ in s]
            for sign in (1, -1):
                for lane, inner, outer in road.borders(section, sign, s):
                    if lane.kind != "driving":
                        continue
                    points = road.beside(s, (inner + outer) / 2.0)
                    yaws = -np.degrees(heading) + (180.0 if sign > 0 else 0.0)
                    wide = np.abs(outer - inner) > NARROWEST_M
                    for k, ((x, y), yaw) in enumerate(zip(points.tolist(), yaws.tolist(), strict=True)):
                        if wide[k]:
                            abreast[k].append(Pose(x, y, SPAWN_Z_M, 0.0, wrap_deg(yaw), 0.0))
            stations += abreast
    return spread(stations)


def _signals(read: ReadMap) -> tuple[Signal, ...]:
    extra: dict[str, list[tuple[int, int]]] = {}
    for road in read.roads:
        for reference in road.references:
            extra.setdefault(reference.signal_id, []).extend(_lanes(road, reference))
    signals = []
    alone: dict[int, int] = {}
    for road in read.roads:
        for signal in road.signals:
            kind = _KINDS.get(signal.type_id)
            if kind is None:
                continue
            along = signal.orientation != "-"
            junction = road.junction if road.junction != -1 else road.next_junctions[1 if along else 0]
            phase = 0
            if kind == "light":
                # A light without a controller is green on its own.
                phase = read.groups.get(signal.signal_id, -1)
                if phase < 0:
                    alone[junction] = alone.get(junction, len(set(read.groups.values()))) + 1
                    phase = alone[junction]
            signals.append(_signal(road, signal, kind, along, junction, phase, extra.get(signal.signal_id, [])))
    return tuple(signals)


def _lanes(road: ReadRoad, signal: ReadSignal) -> list[tuple[int, int]]:
    """Road and id of the driving lanes that a signal is for."""
    section = next((c for c in reversed(road.sections) if c.start_m <= signal.s_m + 1e-6), road.sections[0])
    along = signal.orientation != "-"
    driving = [lane.lane_id for lane in section.lanes if lane.kind == "driving" and (lane.lane_id < 0) == along]
    if signal.lanes:
        driving = [n for n in driving if any(min(pair) <= n <= max(pair) for pair in signal.lanes)]
    return [(road.road_id, number) for number in sorted(driving)]


def _signal(
    road: ReadRoad,
    signal: ReadSignal,
    kind: str,
    along: bool,
    junction: int,
    phase: int,
    more_lanes: list[tuple[int, int]],
) -> Signal:
    s = np.array([min(max(signal.s_m, 0.0), road.length_m)])
    _, _, heading = road.line(s)
    travel = -math.degrees(float(heading[0])) + (0.0 if along else 180.0)
    foot = road.beside(s, np.array([signal.t_m]))[0]
    pose = Pose(float(foot[0]), float(foot[1]), 0.0, 0.0, wrap_deg(travel + 90.0), 0.0)
    lanes = _lanes(road, signal)
    wanted = {number for _, number in lanes}
    section = next((c for c in reversed(road.sections) if c.start_m <= signal.s_m + 1e-6), road.sections[0])
    spans = [
        (float(inner[0]), float(outer[0]))
        for sign in (1, -1)
        for lane, inner, outer in road.borders(section, sign, s)
        if lane.lane_id in wanted
    ]
    edges = [edge for span in spans for edge in span] or [-1.75, 1.75]
    reach = 3.0 if kind == "speed" else (road.limit_kmh / 3.6) ** 2 / (2.0 * BRAKING_M_S2) + 1.5
    ahead = Pose(0.0, 0.0, 0.0, 0.0, wrap_deg(travel), 0.0)
    middle = road.beside(s, np.array([(min(edges) + max(edges)) / 2.0]))[0]
    centre = Pose(float(middle[0]), float(middle[1]), 1.0, 0.0, ahead.yaw_deg, 0.0).compose(Pose(-reach / 2.0))
    width = max(1.0, max(edges) - min(edges) - 1.2)
    stops = []
    for span in spans if kind != "speed" else []:
        point = road.beside(s, np.array([sum(span) / 2.0]))[0]
        stops.append(Pose(float(point[0]), float(point[1]), 0.0, 0.0, ahead.yaw_deg, 0.0))
    heads: tuple[Pose, ...] = ()
    if kind == "light":
        hang = pose._replace(z_m=NEAR_HEAD_M, yaw_deg=ahead.yaw_deg).compose(Pose(-0.3))
        heads = (hang._replace(yaw_deg=wrap_deg(travel + 180.0)),)
    value = signal.value.split(".")[0]
    return Signal(
        signal.signal_id,
        f"speed_{value}" if kind == "speed" else kind,
        pose,
        heads,
        Box(centre._replace(yaw_deg=pose.yaw_deg), (width / 2.0, reach / 2.0, 1.0)),
        tuple(stops),
        -1 if kind == "speed" else junction,
        phase,
        tuple(lanes + more_lanes),
    )
