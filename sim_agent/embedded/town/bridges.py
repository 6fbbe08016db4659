"""Water between its banks, and the bridges over it: decks on piers, with railings."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from sim_agent.embedded.pose import Pose
from sim_agent.embedded.scene import Material, Tag
from sim_agent.embedded.town.barriers import STONE, set_barrier
from sim_agent.embedded.town.blocks import Ground
from sim_agent.embedded.town.channel import VERGE_M, Bridge, Channel
from sim_agent.embedded.town.geometry import Array, Path
from sim_agent.embedded.town.model import Slopes
from sim_agent.embedded.town.scenery import Scenery
from sim_agent.embedded.town.shapes import boxes, grid_triangles, quads, sheet, wall_band
from sim_agent.embedded.town.terrain import GRASS_TINT, GROUND_M, dry_squares

_STEP_M = 3.0
_VERGE_Z_M = GROUND_M + 0.025
_UNDER_DECK_M = -0.32
"""No bank is higher below a deck."""
_TUCKED_M = 1.0
"""So far in under the sidewalks the banks are still as high as in the open."""
_BEAM_M = 0.3
"""Width of the beams along a deck's edges, that carry the railings."""
_BEAM_TOP_M = 0.22
_THICK_M = 0.42
"""A deck in the middle of its spans."""
_PIER_M = 0.9
_CONCRETE = (0.56, 0.56, 0.54)
_WATER = (0.1, 0.17, 0.2)

Colour = tuple[float, float, float]
Flags = npt.NDArray[np.bool_]


def lay_channel(scenery: Scenery, channel: Channel, rng: np.random.Generator) -> None:
    """Water, banks, the walls at both ends, bridges, and railings along a canal."""
    path, bank = channel.path, channel.bank
    middle = path.place(path.length_m / 2.0)
    pose = Pose(middle.x_m, middle.y_m, bank.level_m, 0.0, middle.yaw_deg, 0.0)
    s, below = _stations(channel)
    scenery.open("Water", Tag.WATER, pose)
    edges = np.linspace(-bank.water_m, bank.water_m, 4)
    lines = np.stack([path.beside(np.unique(s), edge) for edge in edges], 1)
    shade = 1.0 + 0.12 * (rng.random(lines.shape[:2]) - 0.5)
    sheet(scenery.builder, lines, bank.level_m, Tag.WATER, Material.CAR_GLASS, shade[..., None] * np.array(_WATER))
    if channel.kind == "river":
        foot = (bank.water_m + 0.9, bank.level_m + 0.5)
        look: list[tuple[tuple[float, float], tuple[float, float], Tag, Material, Colour]] = [
            ((bank.water_m - 0.1, bank.level_m - 0.1), foot, Tag.TERRAIN, Material.SOIL, (0.4, 0.36, 0.3)),
            (foot, (bank.top_m, _VERGE_Z_M), Tag.TERRAIN, Material.GRASS, GRASS_TINT),
            (
                (bank.top_m, _VERGE_Z_M),
                (bank.top_m + VERGE_M, _VERGE_Z_M),
                Tag.TERRAIN,
                Material.GRASS,
                GRASS_TINT,
            ),
        ]
    else:
        wall = Material.BRICK if rng.random() < 0.5 else Material.CONCRETE
        rim = _VERGE_Z_M + 0.05
        look = [
            ((bank.top_m, bank.level_m - 0.1), (bank.top_m, rim - 0.3), Tag.WALL, wall, (0.45, 0.43, 0.4)),
            ((bank.top_m, rim - 0.3), (bank.top_m, rim), Tag.WALL, Material.CONCRETE, _CONCRETE),
            ((bank.top_m, rim), (bank.top_m + VERGE_M, rim), Tag.GROUND, Material.PAVING, (0.5, 0.49, 0.47)),
        ]
    for tag in dict.fromkeys(part[2] for part in look):
        scenery.open({Tag.WALL: "Wall", Tag.GROUND: "Ground"}.get(tag, "Terrain"), tag, pose)
        for (near, low), (far, high), its_tag, material, colour in look:
            if its_tag == tag:
                for side in (-1, 1):
                    _strip(scenery, path, s, below, side, (near, far), (low, high), tag, material, colour)
    for at in (0.0, path.length_m):
        _end_wall(scenery, channel, at)
    for bridge in channel.bridges:
        _bridge(scenery, channel, bridge, rng)
    if channel.kind == "canal":
        for start, end in _open_stretches(channel):
            count = max(1, math.ceil((end - start) / 5.0))
            along = np.linspace(start, end, count + 1)
            for side in (1, -1):
                set_barrier(scenery, "railing", path.beside(along, side * (bank.top_m + 0.4)), rng)


def _covered(channel: Channel) -> list[tuple[float, float]]:
    """Stretches of the channel that lie under the streets, sidewalks included."""
    return [
        (bridge.crossing_m - bridge.street.section.back_m, bridge.crossing_m + bridge.street.section.back_m)
        for bridge in channel.bridges
    ]


def _open_stretches(channel: Channel) -> list[tuple[float, float]]:
    """The others, clear of the decks' railings."""
    covered = _covered(channel)
    starts = [0.5, *(end + _BEAM_M + 0.3 for _, end in covered)]
    ends = [*(start - _BEAM_M - 0.3 for start, _ in covered), channel.path.length_m - 0.5]
    return list(zip(starts, ends, strict=True))


def _stations(channel: Channel) -> tuple[Array, Flags]:
    """Distances along the channel, two at each place where a deck's shade begins, and (N,) whether a deck is above."""
    cuts = np.array([(start + _TUCKED_M, end - _TUCKED_M) for start, end in _covered(channel)])
    s = channel.path.stations(_STEP_M, cuts.ravel())
    below = ((s[:, None] > cuts[:, 0] - 1e-6) & (s[:, None] < cuts[:, 1] + 1e-6)).any(1)
    edges = np.isin(s, cuts.ravel())
    first = edges & ~np.roll(below, 1)
    s = np.concatenate([s, s[edges]])
    below = np.concatenate([below, np.zeros(edges.sum(), bool)])
    # In the open first where a deck begins, last where it ends.
    begins = np.concatenate([first, first[edges]])
    order = np.lexsort((np.where(begins, below, ~below), s))
    return s[order], below[order]


def _strip(
    scenery: Scenery,
    path: Path,
    s: Array,
    below: Flags,
    side: int,
    offsets_m: tuple[float, float],
    heights_m: tuple[float, float],
    tag: Tag,
    material: Material,
    colour: Colour,
) -> None:
    """A piece of a bank, from its lower edge to its upper, along the whole channel."""
    edges = []
    for offset, z in zip(offsets_m, heights_m, strict=True):
        height = np.where(below, min(z, _UNDER_DECK_M), z)
        edges.append(np.column_stack([path.beside(s, side * offset), height]))
    rows = np.stack(edges if side > 0 else edges[::-1], 1)
    points = rows.reshape(-1, 3)
    k = 2 * np.arange(len(s) - 1)[:, None]
    triangles = (k + np.array([[0, 2, 3, 0, 3, 1]])).reshape(-1, 3)
    corners = points[triangles].astype(np.float32).astype(np.float64)
    size = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    # A face of its own for each triangle: where a deck begins, the bank is bent.
    kept = triangles[size > 1e-4].ravel()
    along = np.repeat(s, 2)
    up = np.tile([0.0, math.dist((offsets_m[0], heights_m[0]), (offsets_m[1], heights_m[1]))], len(s))
    faces = np.arange(len(kept)).reshape(-1, 3)
    scenery.builder.add(points[kept], faces, tag, material, colour, None, np.column_stack([along, up])[kept])


def _end_wall(scenery: Scenery, channel: Channel, at_m: float) -> None:
    """Across the channel, with the mouth of a pipe in it."""
    place = channel.path.place(at_m)
    facing = Pose(place.x_m, place.y_m, 0.0, 0.0, place.yaw_deg + (0.0 if at_m == 0.0 else 180.0), 0.0)
    bank = channel.bank
    half = bank.top_m + VERGE_M
    scenery.open("Wall", Tag.WALL, facing, True)
    low, high = (-0.5, -half, bank.bed_m), (0.05, half, 0.9)
    boxes(scenery.builder, [low], [high], Tag.WALL, Material.CONCRETE, _CONCRETE, facing)
    mouth = [(0.07, y, z) for y, z in ((-2.2, bank.level_m), (2.2, bank.level_m), (2.2, -0.4), (-2.2, -0.4))]
    corners = [facing.compose(Pose(*corner)).location for corner in mouth]
    quads(scenery.builder, [corners], Tag.WALL, Material.CONCRETE, (0.03, 0.03, 0.03))


def _bridge(scenery: Scenery, channel: Channel, bridge: Bridge, rng: np.random.Generator) -> None:
    """Arches or a flat deck, beams along its edges, piers, railings."""
    path, section, bank = bridge.street.path, bridge.street.section, channel.bank
    middle, half = (bridge.start_m + bridge.end_m) / 2.0, (bridge.end_m - bridge.start_m) / 2.0
    is_arched = channel.kind == "river"
    material, colour = (Material.BRICK, STONE) if is_arched else (Material.CONCRETE, _CONCRETE)
    place = path.place(middle)
    scenery.open("Bridge", Tag.BRIDGE, Pose(place.x_m, place.y_m, 0.0, 0.0, place.yaw_deg, 0.0))
    s = np.linspace(bridge.start_m, bridge.end_m, 2 * math.ceil(half / 0.6) + 1)
    # Two spans; their arches spring from the pier and the banks.
    into = 1.0 - np.abs(np.abs(s - middle) / half - 0.5) * 2.0
    low = -_THICK_M - (1.15 * (1.0 - np.sqrt(np.clip(into * (2.0 - into), 0.0, 1.0))) if is_arched else 0.3)
    low = np.broadcast_to(low, s.shape)
    outer = section.back_m + _BEAM_M
    soffit = np.stack([path.beside(s, y) for y in np.linspace(outer, -outer, 2 + int(outer // 2.0))], 1)
    _underside(scenery, soffit, low, material, colour)
    for side in (1, -1):
        edge = path.beside(s, side * outer)[::-side]
        wall_band(scenery.builder, edge, low[::-side], _BEAM_TOP_M, Tag.BRIDGE, material, colour)
        inner = path.beside(s, side * section.back_m)[::side]
        wall_band(scenery.builder, inner, 0.1, _BEAM_TOP_M, Tag.BRIDGE, Material.CONCRETE, _CONCRETE)
        top = [inner[::side], path.beside(s, side * outer)]
        sheet(
            scenery.builder,
            np.stack(top[::side], 1),
            _BEAM_TOP_M,
            Tag.BRIDGE,
            Material.CONCRETE,
            _CONCRETE,
        )
    across = path.place(middle)
    pier = Pose(across.x_m, across.y_m, 0.0, 0.0, across.yaw_deg, 0.0)
    reach = section.back_m if is_arched else section.back_m - 0.4
    top_m = float(low[np.argmin(np.abs(s - middle))]) + 0.02
    foot, head = (-_PIER_M / 2.0, -reach, bank.bed_m), (_PIER_M / 2.0, reach, top_m)
    boxes(scenery.builder, [foot], [head], Tag.BRIDGE, material, colour, pier)
    along = np.linspace(bridge.start_m - 1.0, bridge.end_m + 1.0, max(2, math.ceil((2.0 * half + 2.0) / 4.0) + 1))
    for side in (1, -1):
        line = path.beside(along, side * (section.back_m + _BEAM_M / 2.0))[::side]
        set_barrier(scenery, "parapet" if is_arched else "railing", line, rng)


def _underside(scenery: Scenery, lines: Array, low: Array, material: Material, colour: Colour) -> None:
    stations, columns = lines.shape[:2]
    points = np.concatenate([lines, np.broadcast_to(low[:, None, None], (stations, columns, 1))], -1)
    k = grid_triangles(stations, columns)
    # From right to left: `grid_triangles` winds for a surface seen from below then.
    scenery.builder.add(
        points.reshape(-1, 3), k[:, [0, 2, 1]], Tag.BRIDGE, material, colour, None, lines.reshape(-1, 2)
    )


def channel_slopes(channel: Channel, ground: Ground) -> Slopes:
    """What vehicles stand on: the level land and decks, at z = 0, and the channel below."""
    path, bank = channel.path, channel.bank
    vertices: list[Array] = []
    triangles: list[npt.NDArray[np.intp]] = []
    count = 0

    def lay(rows: Array) -> None:
        """(S, C, 3) a grid of points."""
        nonlocal count
        vertices.append(rows.reshape(-1, 3))
        triangles.append(grid_triangles(rows.shape[0], rows.shape[1]) + count)
        count += rows.shape[0] * rows.shape[1]

    for bridge in channel.bridges:
        along = np.linspace(bridge.start_m, bridge.end_m, 9)
        half = bridge.street.section.back_m + _BEAM_M
        deck = np.stack([bridge.street.path.beside(along, side * half) for side in (-1, 1)], 1)
        lay(np.concatenate([deck, np.zeros((*deck.shape[:2], 1))], -1))
    roads = sum(map(len, triangles))
    s = path.stations(2.0)
    profile = [(bank.water_m - 0.5, bank.bed_m), (bank.top_m, 0.0), (bank.top_m + VERGE_M, 0.0)]
    columns = [(-y, z) for y, z in profile[::-1]] + profile
    lay(np.stack([np.column_stack([path.beside(s, y), np.full(len(s), z)]) for y, z in columns], 1))
    squares = dry_squares(ground)
    unit = np.array([(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)])
    corners = squares[:, None, :2] + unit * squares[:, None, 2:]
    vertices.append(np.concatenate([corners, np.zeros((*corners.shape[:2], 1))], -1).reshape(-1, 3))
    first = 4 * np.arange(len(squares))[:, None] + count
    triangles.append((first + np.array([[0, 1, 2, 0, 2, 3]])).reshape(-1, 3))
    return Slopes(np.concatenate(vertices).astype(np.float32), np.concatenate(triangles).astype(np.int32), roads)
