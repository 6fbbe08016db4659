"""A world from any OpenDRIVE text: road surfaces with their markings, ground around, spawn points and signals."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from sim_agent.embedded.pose import Pose, wrap_deg
from sim_agent.embedded.scene import Box, Material, Mesh, Tag
from sim_agent.embedded.town.blocks import Ground
from sim_agent.embedded.town.build import bounds_of
from sim_agent.embedded.town.geometry import Array
from sim_agent.embedded.town.map_walkways import navmesh_of
from sim_agent.embedded.town.marks import DASH_M, GAP_M
from sim_agent.embedded.town.model import Signal, Slopes, Town
from sim_agent.embedded.town.opendrive_reader import (
    ReadMap,
    ReadMark,
    ReadRoad,
    ReadSection,
    ReadSignal,
    read_opendrive,
)
from sim_agent.embedded.town.reference_line import evaluate
from sim_agent.embedded.town.relief import Relief
from sim_agent.embedded.town.scenery import Scenery
from sim_agent.embedded.town.shapes import sheet, wall_band
from sim_agent.embedded.town.signals import BRAKING_M_S2, NEAR_HEAD_M
from sim_agent.embedded.town.signposts import set_posts
from sim_agent.embedded.town.spawn import SPAWN_Z_M, STEP_M, spread
from sim_agent.embedded.town.surface import PAINT_M, SIDEWALK_M, WHITE, YELLOW
from sim_agent.embedded.town.terrain import lay_terrain

LARGEST_M = 6000.0
_GROUND_M = -0.05
_SUNK_M, _BASE_M = -0.25, -0.9
"""Where roads climb: the land lies lower, so that it cuts through no road, and roads have sides that reach into it."""
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
_RAISED = ("sidewalk", "curb", "median")
_KINDS = {"1000001": "light", "206": "stop", "205": "yield", "274": "speed"}
NARROWEST_M = 2.0
"""A lane that begins or ends is no place for a car."""
_LIFT_M = 0.001
"""Roads of one junction lie over each other; each is this much lower than the one before, so that none flickers."""


class _Strip(NamedTuple):
    """A lane of one section as it is laid."""

    tag: Tag
    lines: Array
    """(S, 2, 2) its left and right edge along s."""
    z_m: Array
    """(S,) the road's height."""

    def solid(self) -> Array:
        """(S, 2, 3)."""
        return np.concatenate([self.lines, np.repeat(self.z_m[:, None], 2, 1)[..., None]], -1)


def town_from_opendrive(xodr: str, walkable: bool = True) -> Town:
    """The world of `generate_opendrive_world`. Roads climb as the map says, and the land follows them.

    Without `walkable` there is no navmesh, and AI walkers stand still.

    Raises:
        ValueError: as `read_opendrive`; and for a map wider than `LARGEST_M`.
    """
    read = read_opendrive(xodr)
    scenery = Scenery()
    is_flat = not any(any(piece[1:]) for road in read.roads for piece in road.elevations)
    strips: list[_Strip] = []
    for depth, road in enumerate(read.roads):
        strips += _lay_road(scenery, road, -_LIFT_M * (depth % 40) if road.junction != -1 else 0.0, is_flat)
    if not strips:
        raise ValueError("no road of the map has a lane with a width: there is nothing to drive on")
    loops = [np.concatenate([strip.lines[:, 0], strip.lines[::-1, 1]]) for strip in strips]
    every = np.concatenate(loops)
    span = float((every.max(0) - every.min(0)).max())
    if span > LARGEST_M:
        raise ValueError(
            f"the map is {span / 1000.0:.1f} km wide, at the most {LARGEST_M / 1000.0:.0f} km can be built; cut it"
        )
    ground = Ground(every, [], loops, [], cell_m=0.375 if span < 1500.0 else 0.75)
    relief = None if is_flat else Relief(np.concatenate([strip.solid().reshape(-1, 3) for strip in strips]))
    lay_terrain(scenery, ground, {}, np.random.default_rng(0), _GROUND_M if is_flat else _SUNK_M, relief)
    signals = _signals(read)
    set_posts(scenery, signals)
    mesh, objects = scenery.finish()
    return Town(
        read.name,
        xodr,
        _spawn_points(read),
        navmesh_of(read) if walkable else b"",
        mesh,
        objects,
        signals,
        (),
        bounds_of(mesh),
        None if is_flat else _slopes(strips, mesh, ground),
    )


def _lay_road(scenery: Scenery, road: ReadRoad, lift_m: float, is_flat: bool) -> list[_Strip]:
    half = np.array([road.length_m / 2.0])
    middle = road.beside(half, np.zeros(1))[0]
    _, _, heading = road.line(half)
    yaw = wrap_deg(-math.degrees(float(heading[0])))
    pose = Pose(float(middle[0]), float(middle[1]), float(road.height(half)[0]), 0.0, yaw, 0.0)
    strips: list[_Strip] = []
    edges: list[tuple[Array, Array]] = []
    paint: list[tuple[Array, Array, tuple[float, float, float]]] = []
    for section in road.sections:
        s = road.stations(section.start_m, section.end_m)
        z = road.height(s)
        for sign in (1, -1):
            outermost = None
            for lane, inner, outer in road.borders(section, sign, s):
                if not np.any(np.abs(outer - inner) > 1e-3):
                    continue
                # Left to right as seen along s: the outer border of left lanes, the inner one of right lanes.
                pair = (outer, inner) if sign > 0 else (inner, outer)
                lines = np.stack([road.beside(s, t) for t in pair], 1)
                if lane.kind in _DRIVABLE:
                    strips.append(_Strip(Tag.ROAD, lines, z))
                elif lane.kind in _RAISED:
                    strips.append(_Strip(Tag.SIDEWALK, lines, z))
                else:
                    continue
                outermost = strips[-1]
            if outermost is not None and outermost.tag == Tag.ROAD and not is_flat:
                left = sign > 0
                edges.append((outermost.lines[:, 0], z) if left else (outermost.lines[::-1, 1], z[::-1]))
        paint += _paint(road, section, s)
    for tag, name, material, colour in (
        (Tag.ROAD, "Road", Material.ASPHALT, (0.88, 0.88, 0.88)),
        (Tag.SIDEWALK, "Sidewalk", Material.PAVING, (0.8, 0.79, 0.77)),
    ):
        mine = [strip for strip in strips if strip.tag == tag]
        if mine:
            scenery.open(f"{name}_{road.road_id}", tag, pose)
        for strip in mine:
            z = strip.z_m + (lift_m if tag == Tag.ROAD else SIDEWALK_M)
            sheet(scenery.builder, strip.lines, z, tag, material, colour)
            if tag == Tag.SIDEWALK:
                # Left edges are seen from the left of s, right edges from the left of the way back.
                foot = strip.z_m + (_GROUND_M if is_flat else _BASE_M)
                for edge, low, high in (
                    (strip.lines[:, 0], foot, z),
                    (strip.lines[::-1, 1], foot[::-1], z[::-1]),
                ):
                    wall_band(scenery.builder, edge, low, high, tag, Material.CONCRETE, (0.72, 0.72, 0.7))
        if tag == Tag.ROAD and mine:
            for edge, z in edges:
                wall_band(scenery.builder, edge, z + _BASE_M, z, tag, Material.CONCRETE, (0.72, 0.72, 0.7))
    if paint:
        scenery.open(f"RoadLine_{road.road_id}", Tag.ROAD_LINE, pose)
        for lines, z, tint in paint:
            sheet(scenery.builder, lines, z + PAINT_M, Tag.ROAD_LINE, Material.MARKING, tint)
    return strips


def _slopes(strips: list[_Strip], mesh: Mesh, ground: Ground) -> Slopes:
    """The strips, and the land as far as the raster of the ground goes."""
    vertices, triangles, count = [], [], 0
    for strip in strips:
        k = 2 * np.arange(len(strip.z_m) - 1)[:, None] + count
        triangles.append((k + np.array([[0, 2, 3, 0, 3, 1]])).reshape(-1, 3))
        vertices.append(strip.solid().reshape(-1, 3))
        count += 2 * len(strip.z_m)
    roads = sum(map(len, triangles))
    land = mesh.triangles[(mesh.tags == Tag.TERRAIN) & (mesh.materials == Material.GRASS)]
    corners = mesh.vertices[land][..., :2]
    near = ((corners.min(1) >= ground.low) & (corners.max(1) <= ground.high)).all(1)
    used, renumbered = np.unique(land[near], return_inverse=True)
    triangles.append(renumbered.reshape(-1, 3) + count)
    vertices.append(mesh.vertices[used])
    return Slopes(np.concatenate(vertices).astype(np.float32), np.concatenate(triangles).astype(np.int32), roads)


def _paint(road: ReadRoad, section: ReadSection, s: Array) -> list[tuple[Array, Array, tuple[float, float, float]]]:
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
                    lines = np.stack([road.beside(here, edge) for edge in edges], 1)
                    out.append((lines, road.height(here), colour))
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
                    points = road.beside(s, (inner + outer) / 2.0).tolist()
                    yaws = (-np.degrees(heading) + (180.0 if sign > 0 else 0.0)).tolist()
                    heights = (road.height(s) + SPAWN_Z_M).tolist()
                    pitches = (np.degrees(np.arctan(-sign * road.grade(s))) + 0.0).tolist()
                    wide = np.abs(outer - inner) > NARROWEST_M
                    for k in np.flatnonzero(wide).tolist():
                        x, y = points[k]
                        abreast[k].append(Pose(x, y, heights[k], pitches[k], wrap_deg(yaws[k]), 0.0))
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
    z = float(road.height(s)[0])
    pose = Pose(float(foot[0]), float(foot[1]), z, 0.0, wrap_deg(travel + 90.0), 0.0)
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
    centre = Pose(float(middle[0]), float(middle[1]), z + 1.0, 0.0, ahead.yaw_deg, 0.0).compose(Pose(-reach / 2.0))
    width = max(1.0, max(edges) - min(edges) - 1.2)
    stops = []
    for span in spans if kind != "speed" else []:
        point = road.beside(s, np.array([sum(span) / 2.0]))[0]
        stops.append(Pose(float(point[0]), float(point[1]), z, 0.0, ahead.yaw_deg, 0.0))
    heads: tuple[Pose, ...] = ()
    if kind == "light":
        hang = pose._replace(z_m=z + NEAR_HEAD_M, yaw_deg=ahead.yaw_deg).compose(Pose(-0.3))
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
