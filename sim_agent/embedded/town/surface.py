"""Asphalt, kerbs, sidewalks and paint, cut from the same curves as the map."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from sim_agent.embedded.pose import Pose
from sim_agent.embedded.scene import Material, Tag
from sim_agent.embedded.town.geometry import Array, Path, Place
from sim_agent.embedded.town.marks import (
    CROSSWALK_M,
    DASH_M,
    GAP_M,
    LINE_M,
    STOP_LINE_M,
    Border,
    crossed_arms,
    dashes,
    street_borders,
)
from sim_agent.embedded.town.network import Arm, Junction, Network, Street
from sim_agent.embedded.town.roundabout import Ring
from sim_agent.embedded.town.scenery import Scenery
from sim_agent.embedded.town.shapes import quads, sheet, wall_band

SIDEWALK_M = 0.15
"""Height of the sidewalks over the road."""
PAINT_M = 0.015
"""Height of markings over the asphalt: enough to be seen first, too little to be seen from the side."""
KERB_STONE_M = 0.18
KERB_SIDE_M = 0.55
"""From the kerb to the middle of what stands along it; people walk further in."""
STEP_M = 4.0
"""Longest piece of a surface: float32 edge functions of a rasteriser stay exact."""
WHITE = (0.82, 0.82, 0.8)
YELLOW = (0.86, 0.6, 0.1)
_DOUBLE_M = 0.12
"""Half the distance between the middles of a double line."""
_BLOCK_M, _YIELD_M = 0.55, 0.4
"""Length of the blocks of a roundabout's yield line, and of the gaps between them; their breadth."""


def lay_surfaces(scenery: Scenery, network: Network, rng: np.random.Generator) -> None:
    """Road, sidewalk and marking objects of every street and junction."""
    for street in network.streets:
        _lay_street(scenery, street, street_borders(street, network.paint), rng)
    zebra = rng.random(len(network.junctions)) < 0.6
    crossed = crossed_arms(network)
    for number, junction in enumerate(network.junctions):
        _lay_junction(scenery, junction, rng)
        arms = [arm for n, arm in crossed if n == number]
        _paint_junction(scenery, junction, arms, bool(zebra[number]) or junction.rule == "yield")


def street_columns(street: Street) -> Array:
    """Offsets to the right of the path at which the asphalt is divided: kerbs and lane borders."""
    section = street.section
    right = [lane * section.lane_m for lane in range(section.lanes + 1)]
    if section.parking_m:
        right.append(section.kerb_m)
    return np.array([-offset for offset in right[:0:-1]] + right)


def _speckled(shape: tuple[int, ...], tint: float, rng: np.random.Generator) -> Array:
    """Grey with patches, one colour a vertex: asphalt is not of one piece."""
    grey = tint * (1.0 + 0.1 * (rng.random(shape) - 0.5))
    return np.stack([grey * 0.985, grey * 0.99, grey], -1)


def _lay_street(scenery: Scenery, street: Street, borders: tuple[Border, ...], rng: np.random.Generator) -> None:
    path, section = street.path, street.section
    middle = path.place(path.length_m / 2.0)
    pose = Pose(middle.x_m, middle.y_m, 0.0, 0.0, middle.yaw_deg, 0.0)
    s = path.stations(STEP_M)
    columns = street_columns(street)
    points = np.stack([path.beside(s, offset) for offset in columns], 1)
    scenery.open(f"Road_{street.road_id}", Tag.ROAD, pose)
    road = _road_look(rng)
    sheet(scenery.builder, points, 0.0, Tag.ROAD, road.material, _speckled(points.shape[:2], road.tint, rng))
    scenery.open(f"RoadLine_{street.road_id}", Tag.ROAD_LINE, pose)
    for border in borders:
        _paint_border(scenery, path, border)
    _, _, heading = path.at(s)
    rightward = np.column_stack([-np.sin(heading), np.cos(heading)])
    width = np.full(len(s), section.sidewalk_m)
    walk = walk_look(rng)
    for sign in (1, -1):
        scenery.open(f"Sidewalk_{street.road_id}", Tag.SIDEWALK, pose)
        kerb = points[:, -1 if sign > 0 else 0]
        lay_sidewalk(scenery, kerb[::sign], sign * rightward[::sign], width, walk)


class _Look(NamedTuple):
    material: Material
    tint: float


def _road_look(rng: np.random.Generator) -> _Look:
    """Asphalt mostly; some streets are of concrete or slabs."""
    draw = float(rng.random())
    if draw < 0.76:
        return _Look(Material.ASPHALT, float(rng.uniform(0.68, 1.0)))
    return _Look(Material.CONCRETE if draw < 0.94 else Material.PAVING, float(rng.uniform(0.5, 0.78)))


def walk_look(rng: np.random.Generator) -> _Look:
    """Slabs mostly, darker than the road or as bright, as in CARLA's towns: brightness must not tell them apart."""
    draw = float(rng.random())
    if draw < 0.6:
        return _Look(Material.PAVING, float(rng.uniform(0.36, 0.72)))
    if draw < 0.9:
        return _Look(Material.CONCRETE if draw < 0.78 else Material.BRICK, float(rng.uniform(0.32, 0.66)))
    return _Look(Material.ASPHALT, float(rng.uniform(0.5, 0.85)))


def lay_sidewalk(scenery: Scenery, kerb: Array, inward: Array, width_m: Array, look: _Look) -> None:
    """Kerb and paving along (N, 2) points of the kerb, with the block on the right, where `inward` (N, 2) points."""

    def beside(offset_m: Array | float) -> Array:
        return kerb + inward * np.reshape(offset_m, (-1, 1))

    stone = beside(KERB_STONE_M)
    tone = look.tint
    grey = (0.95 * tone, 0.95 * tone, 0.95 * tone)
    wall_band(scenery.builder, kerb, 0.0, SIDEWALK_M, Tag.SIDEWALK, Material.CONCRETE, grey)
    sheet(scenery.builder, np.stack([kerb, stone], 1), SIDEWALK_M, Tag.SIDEWALK, Material.CONCRETE, grey)
    rows = 1 + math.ceil((float(width_m.max()) - KERB_STONE_M) / STEP_M)
    steps = [KERB_STONE_M + (width_m - KERB_STONE_M) * k / (rows - 1) for k in range(rows)]
    paving = np.stack([beside(step) for step in steps], 1)
    sheet(scenery.builder, paving, SIDEWALK_M, Tag.SIDEWALK, look.material, (tone, tone, 0.985 * tone))


def _ribbon(
    scenery: Scenery, path: Path, start_m: float, end_m: float, right_m: float, colour: tuple[float, ...]
) -> None:
    s = path.stations(STEP_M, (start_m, end_m))
    s = s[(s >= start_m - 1e-9) & (s <= end_m + 1e-9)]
    if len(s) < 2:
        return
    points = np.stack([path.beside(s, right_m - LINE_M / 2.0), path.beside(s, right_m + LINE_M / 2.0)], 1)
    sheet(scenery.builder, points, PAINT_M, Tag.ROAD_LINE, Material.MARKING, colour)


def _dashed(scenery: Scenery, path: Path, ends_m: Array, right_m: float, colour: tuple[float, ...]) -> None:
    """Dashes of three pieces each: metre by metre they follow the sharpest bend within half a centimetre."""
    s = ends_m[:, :1] + (ends_m[:, 1:] - ends_m[:, :1]) * np.linspace(0.0, 1.0, 4)
    left, right = (path.beside(s.ravel(), right_m + side).reshape(-1, 4, 2) for side in (-LINE_M / 2.0, LINE_M / 2.0))
    corners = np.stack([left[:, :-1], left[:, 1:], right[:, 1:], right[:, :-1]], 2).reshape(-1, 4, 2)
    solid = np.concatenate([corners, np.full((len(corners), 4, 1), PAINT_M)], -1)
    quads(scenery.builder, solid, Tag.ROAD_LINE, Material.MARKING, colour)


def _paint_border(scenery: Scenery, path: Path, border: Border) -> None:
    colour = YELLOW if border.colour == "yellow" else WHITE
    for run in border.runs:
        if run.kind == "solid":
            _ribbon(scenery, path, run.start_m, run.end_m, border.right_m, colour)
        elif run.kind == "solid solid":
            for side in (-_DOUBLE_M, _DOUBLE_M):
                _ribbon(scenery, path, run.start_m, run.end_m, border.right_m + side, colour)
        elif run.kind == "broken":
            _dashed(scenery, path, np.array(dashes(run)).reshape(-1, 2), border.right_m, colour)


def junction_outline(junction: Junction, step_m: float) -> Array:
    """(N, 2) the junction's edge, turning to the right: across arm 0, along its right kerb to arm 1, and so on."""
    parts = []
    for arm, corner in zip(junction.arms, junction.corners, strict=True):
        for offset in street_columns(arm.street)[:-1]:
            place = arm.edge.moved(0.0, float(offset))
            parts.append(np.array([[place.x_m, place.y_m]]))
        s = corner.stations(step_m, CROSSWALK_M)[::-1]
        parts.append(corner.beside(s, 0.0)[:-1])
    return np.concatenate(parts)


def _lay_junction(scenery: Scenery, junction: Junction, rng: np.random.Generator) -> None:
    centre = np.array(junction.centre)
    pose = Pose(*junction.centre, 0.0, 0.0, junction.arms[0].edge.yaw_deg, 0.0)
    edge = junction_outline(junction, STEP_M / 2.0)
    edge = np.concatenate([edge, edge[:1]])
    # Outside in, with the outline turning right: what `sheet` calls left to right and ahead.
    if junction.ring is None:
        rings = np.stack([centre + (edge - centre) * f for f in (1.0, 0.75, 0.5, 0.25)], 1)
    else:
        out = np.hypot(*(edge - centre).T)[:, None]
        shares = np.linspace(1.0, 0.0, 1 + math.ceil((float(out.max()) - junction.ring.island_m) / STEP_M))
        island = centre + (edge - centre) * (junction.ring.island_m / out)
        rings = np.stack([island + (edge - island) * f for f in shares], 1)
    scenery.open(f"Road_{junction.junction_id}", Tag.ROAD, pose)
    road = _road_look(rng)
    colour = _speckled(rings.shape[:2], road.tint, rng)
    colour[-1] = colour[0]
    sheet(scenery.builder, rings, 0.0, Tag.ROAD, road.material, colour)
    if junction.ring is None:
        hub = np.column_stack([np.concatenate([rings[:-1, -1], [centre]]), np.zeros(len(edge))])
        rim = np.arange(len(edge) - 1)
        fan = np.stack([rim, (rim + 1) % len(rim), np.full(len(rim), len(rim))], -1)
        tints = np.concatenate([colour[:-1, -1], colour[:1, -1]])
        scenery.builder.add(hub, fan, Tag.ROAD, road.material, tints, (0.0, 0.0, 1.0), hub[:, :2])
    walk = walk_look(rng)
    for k, corner in enumerate(junction.corners):
        scenery.open(f"Sidewalk_{junction.junction_id}", Tag.SIDEWALK, pose)
        s, width = corner_widths(junction, k, STEP_M / 2.0)
        _, _, heading = corner.at(s)
        inward = np.column_stack([-np.sin(heading), np.cos(heading)])
        lay_sidewalk(scenery, corner.beside(s, 0.0), inward, width, walk)


def corner_widths(junction: Junction, k: int, step_m: float) -> tuple[Array, Array]:
    """Stations along corner k, and how wide the sidewalk is at each: from one street's width to the other's."""
    corner = junction.corners[k]
    first = junction.arms[(k + 1) % len(junction.arms)].street.section.sidewalk_m
    last = junction.arms[k].street.section.sidewalk_m
    ends = [*CROSSWALK_M, corner.length_m - CROSSWALK_M[0], corner.length_m - CROSSWALK_M[1]]
    s = corner.stations(step_m, ends)
    return s, first + (last - first) * s / corner.length_m


def _paint_junction(scenery: Scenery, junction: Junction, crossed: list[int], zebra: bool) -> None:
    pose = Pose(*junction.centre, 0.0, 0.0, junction.arms[0].edge.yaw_deg, 0.0)
    scenery.open(f"RoadLine_{junction.junction_id}", Tag.ROAD_LINE, pose)
    flat: list[Array] = []
    for k, arm in enumerate(junction.arms):
        section = arm.street.section
        if arm.lanes_in and (junction.rule in ("lights", "all_stop") or k == junction.stem):
            left = arm.street.left_edge_m(1)
            end = left + arm.lanes_in * section.lane_m - 0.12
            flat.extend(_stop_line(arm, left + 0.3, end, dashed=junction.rule == "yield"))
        if k in crossed:
            flat.extend(_crosswalk(arm, zebra))
    if junction.ring is not None:
        _paint_ring(scenery, junction.ring)
        for arm in junction.arms:
            flat.extend(_yield_line(arm, junction.ring))
    corners = np.array(flat).reshape(-1, 4, 2)
    solid = np.concatenate([corners, np.full((*corners.shape[:2], 1), PAINT_M)], -1)
    quads(scenery.builder, solid, Tag.ROAD_LINE, Material.MARKING, WHITE)


def _paint_ring(scenery: Scenery, ring: Ring) -> None:
    """A line along the island, and dashes between two lanes."""
    inner = ring.circle(ring.left_m(1))
    _ribbon(scenery, inner, 0.0, inner.length_m, 0.0, WHITE)
    for lane in range(2, ring.lanes + 1):
        between = ring.circle(ring.left_m(lane))
        count = round(between.length_m / (DASH_M + GAP_M))
        starts = np.arange(count) * between.length_m / count
        _dashed(scenery, between, np.column_stack([starts, starts + DASH_M]), 0.0, WHITE)


def _yield_line(arm: Arm, ring: Ring) -> list[Array]:
    """Blocks along the outer kerb's circle, across the lanes that lead in."""
    if not arm.lanes_in:
        return []
    # Headings grow to the right: seen from the centre, those who come in keep to the left of the street's middle.
    last = ring.mouth_rad(arm.street.section.kerb_m)
    count = int((last * ring.outer_m - 1.0) // (2.0 * _BLOCK_M))
    turns = arm.edge.heading_rad - last + (0.5 + 2.0 * _BLOCK_M * np.arange(count)) / ring.outer_m
    centre = Place(ring.x_m, ring.y_m, 0.0)
    blocks = []
    for turn in turns.tolist():
        middle = centre.turned(turn).moved(ring.outer_m)
        around = ((0.0, 0.0), (_YIELD_M, 0.0), (_YIELD_M, _BLOCK_M), (0.0, _BLOCK_M))
        blocks.append(np.array([middle.moved(out, beside)[:2] for out, beside in around]))
    return blocks


def _patch(arm: Arm, ahead_m: tuple[float, float], right_m: tuple[float, float]) -> Array:
    """(4, 2) corners of a rectangle in the axes of the traffic that comes in by this arm, seen from above."""
    inbound = arm.inbound
    around = ((ahead_m[0], right_m[0]), (ahead_m[1], right_m[0]), (ahead_m[1], right_m[1]), (ahead_m[0], right_m[1]))
    return np.array([inbound.moved(a, r)[:2] for a, r in around])


def _stop_line(arm: Arm, start_m: float, end_m: float, dashed: bool) -> list[Array]:
    ahead = (-STOP_LINE_M[1], -STOP_LINE_M[0])
    count = 4 if dashed else math.ceil((end_m - start_m) / STEP_M)
    step = (end_m - start_m) / count
    used = 0.6 * step if dashed else step
    return [_patch(arm, ahead, (start_m + k * step, start_m + k * step + used)) for k in range(count)]


def _crosswalk(arm: Arm, zebra: bool) -> list[Array]:
    half = arm.street.section.kerb_m - 0.3
    if zebra:
        count = int((2.0 * half + 0.5) // 1.0)
        first = -(count - 0.5) / 2.0
        return [_patch(arm, CROSSWALK_M, (first + k, first + k + 0.5)) for k in range(count)]
    pieces = math.ceil(2.0 * half / STEP_M)
    edges = np.linspace(-half, half, pieces + 1)
    lines = ((CROSSWALK_M[0], CROSSWALK_M[0] + 0.25), (CROSSWALK_M[1] - 0.25, CROSSWALK_M[1]))
    return [_patch(arm, line, (edges[k], edges[k + 1])) for line in lines for k in range(pieces)]
