"""Buildings: storeys with rows of windows, doors, shop fronts, balconies, flat and gabled roofs."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from sim_agent.embedded.pose import Pose
from sim_agent.embedded.scene import Box, Material, Mesh, Tag
from sim_agent.embedded.town.geometry import Array
from sim_agent.embedded.town.scenery import Scenery
from sim_agent.embedded.town.shapes import BOX_FACES, quad_mesh

Colour = tuple[float, float, float]
Span = Array | float

WALLS: tuple[tuple[Material, Colour], ...] = (
    (Material.BRICK, (0.62, 0.36, 0.3)),
    (Material.BRICK, (0.5, 0.34, 0.28)),
    (Material.BRICK, (0.74, 0.62, 0.52)),
    (Material.BRICK, (0.5, 0.48, 0.47)),
    (Material.PLASTER, (0.86, 0.84, 0.78)),
    (Material.PLASTER, (0.72, 0.64, 0.53)),
    (Material.PLASTER, (0.58, 0.62, 0.64)),
    (Material.PLASTER, (0.66, 0.3, 0.3)),
    (Material.PLASTER, (0.6, 0.62, 0.55)),
    (Material.CONCRETE, (0.72, 0.72, 0.71)),
    (Material.CONCRETE, (0.5, 0.51, 0.53)),
    (Material.CONCRETE, (0.62, 0.59, 0.53)),
    (Material.WOOD, (0.56, 0.47, 0.38)),
    (Material.WOOD, (0.5, 0.53, 0.55)),
    (Material.TILES, (0.52, 0.51, 0.52)),
)
"""The same greys and browns occur on roads, walls and trunks: the colour alone must not give the tag away."""
TRIMS: tuple[Colour, ...] = ((0.8, 0.79, 0.77), (0.45, 0.43, 0.4), (0.2, 0.21, 0.23), (0.6, 0.56, 0.49))
ROOFS: tuple[Colour, ...] = ((0.52, 0.27, 0.22), (0.32, 0.31, 0.31), (0.3, 0.24, 0.22), (0.42, 0.39, 0.35))
SIGNS: tuple[Colour, ...] = (
    (0.75, 0.12, 0.12),
    (0.1, 0.32, 0.6),
    (0.1, 0.45, 0.25),
    (0.85, 0.6, 0.1),
    (0.2, 0.2, 0.22),
    (0.32, 0.22, 0.32),
    (0.9, 0.9, 0.88),
)


CURTAIN = 4
"""Style of windows: glass all over. The others are 0 and 1 with sills, 2 with balconies, 3 ribbons."""


class Lot(NamedTuple):
    """A building's place and measures; x runs along the street, y into the block, the origin is its front corner."""

    pose: Pose
    width_m: float
    depth_m: float
    storeys: int
    gabled: bool
    shop: bool
    form: str = "house"
    """As `TownPlan.form`."""
    walls: tuple[Material, ...] = ()
    """What it may be made of; empty for everything."""


class Side(NamedTuple):
    """A facade: its left end as seen from outside, the unit vector to its right end, and its length."""

    x_m: float
    y_m: float
    ahead_x: float
    ahead_y: float
    length_m: float


class Pile:
    """A building's quads in its own axes, with their materials and colours; turned into a mesh in one go."""

    def __init__(self) -> None:
        self._rectangles: list[Array] = []
        self._corners: list[Array] = []
        self._looks: tuple[list[tuple[int, Material, Colour]], ...] = ([], [])

    def wall(
        self, side: Side, material: Material, colour: Colour, u0: Span, u1: Span, z0: Span, z1: Span, out_m: float
    ) -> None:
        """Upright rectangles on a facade from u0 to u1 along it and z0 to z1, `out_m` before it."""
        spans = np.broadcast_arrays(u0, u1, z0, z1)
        rows = np.empty((spans[0].size, 9))
        for k, span in enumerate(spans):
            rows[:, k] = span.ravel()
        rows[:, 4] = out_m
        rows[:, 5:] = side[:4]
        self._rectangles.append(rows)
        self._looks[0].append((len(rows), material, colour))

    def put(self, material: Material, colour: Colour, corners: npt.ArrayLike) -> None:
        """Quads of any attitude."""
        many = np.asarray(corners, np.float64).reshape(-1, 4, 3)
        self._corners.append(many)
        self._looks[1].append((len(many), material, colour))

    def box(self, material: Material, colour: Colour, low: npt.ArrayLike, high: npt.ArrayLike) -> None:
        """Boxes without a bottom from (N, 3) corners."""
        lows, highs = np.atleast_2d(low), np.atleast_2d(high)
        self.put(material, colour, lows[:, None, None] + BOX_FACES[:5] * (highs - lows)[:, None, None])

    def mesh(self) -> Mesh:
        """Everything that was put on it."""
        rows = np.concatenate(self._rectangles)
        along, high = rows[:, [0, 1, 1, 0]], rows[:, [2, 2, 3, 3]]
        out, x, y, ahead_x, ahead_y = (rows[:, k, None] for k in range(4, 9))
        upright = np.stack([x + along * ahead_x + out * ahead_y, y + along * ahead_y - out * ahead_x, high], -1)
        looks = [*self._looks[0], *self._looks[1]]
        counts = [count for count, _, _ in looks]
        materials = np.repeat(np.array([material for _, material, _ in looks], np.uint8), counts)
        colours = np.repeat(np.array([colour for _, _, colour in looks]), counts, 0)
        return quad_mesh(np.concatenate([upright, *self._corners]), Tag.BUILDING, materials, colours)


def draw_wall(materials: tuple[Material, ...], rng: np.random.Generator) -> tuple[Material, Colour]:
    """A material, one of these if there are any, and its colour: from nearly black to nearly white."""
    looks = [look for look in WALLS if not materials or look[0] in materials]
    material, colour = looks[int(rng.integers(len(looks)))]
    dark = float(rng.uniform(0.3, 0.95))
    tint = np.clip(np.array(colour) * dark * rng.uniform(0.92, 1.08, 3), 0.0, 1.0)
    return material, (float(tint[0]), float(tint[1]), float(tint[2]))


def build_building(scenery: Scenery, lot: Lot, rng: np.random.Generator) -> None:
    """One building as one solid object."""
    wall, hue = draw_wall(lot.walls, rng)
    trim = TRIMS[int(rng.integers(len(TRIMS)))]
    storey = float(rng.uniform(2.8, 3.3))
    ground = storey + (0.8 if lot.shop else 0.2)
    top = ground + storey * (lot.storeys - 1)
    w, d = lot.width_m, lot.depth_m
    height = top + (0.5 * d * 0.8 if lot.gabled else 0.9)
    centre = lot.pose.compose(Pose(w / 2.0, d / 2.0, height / 2.0))
    box = Box(centre._replace(yaw_deg=lot.pose.yaw_deg), (w / 2.0, d / 2.0, height / 2.0))
    foot = lot.pose.compose(Pose(w / 2.0, d / 2.0, 0.0))
    scenery.open("Building", Tag.BUILDING, foot, solid=True, box=box)
    pile = Pile()
    front, right = Side(0.0, 0.0, 1.0, 0.0, w), Side(w, 0.0, 0.0, 1.0, d)
    back, left = Side(w, d, -1.0, 0.0, w), Side(0.0, d, 0.0, -1.0, d)
    floors = np.concatenate([[0.0], ground + storey * np.arange(lot.storeys)])
    style = CURTAIN if lot.form == "tower" and lot.storeys >= 5 and rng.random() < 0.45 else int(rng.integers(4))
    if lot.form == "slab" and rng.random() < 0.6:
        style = 2
    window = (float(rng.uniform(1.0, 1.5)), float(rng.uniform(1.3, 1.8)))
    bay = float(rng.uniform(2.7, 3.6))
    for side in (front, right, back, left):
        framed = side is front or (side is not back and lot.storeys <= 4)
        _walls(pile, side, floors, wall, hue)
        _windows(pile, side, floors, lot, style, window, bay, trim, side is front, framed)
    _ground_floor(pile, front, ground, lot, trim, rng)
    if lot.storeys <= 5 and rng.random() < 0.5:
        _bands(pile, (front, right, left), floors, trim)
    if lot.form == "house" and lot.storeys <= 2 and not lot.shop and rng.random() < 0.5:
        _porch(pile, lot, trim, ROOFS[int(rng.integers(len(ROOFS)))], rng)
    if lot.form == "terrace" and not lot.shop and rng.random() < 0.6:
        _bay(pile, lot, floors, wall, hue, trim, rng)
    if lot.gabled:
        _gabled_roof(pile, lot, top, wall, hue, ROOFS[int(rng.integers(len(ROOFS)))])
    else:
        _flat_roof(pile, lot, top, wall, hue, trim, rng)
    scenery.builder.add_mesh(pile.mesh(), lot.pose)


def _walls(pile: Pile, side: Side, floors: Array, wall: Material, hue: Colour) -> None:
    count = max(1, math.ceil(side.length_m / 7.0))
    edges = np.linspace(0.0, side.length_m, count + 1)
    # Two storeys a piece: still below 8 m.
    levels = np.append(floors[:-1:2], floors[-1])
    pile.wall(side, wall, hue, edges[:-1], edges[1:], levels[:-1, None], levels[1:, None], 0.0)
    pile.wall(side, Material.CONCRETE, (0.5, 0.5, 0.48), edges[:-1], edges[1:], 0.0, 0.45, 0.03)


def _windows(
    pile: Pile,
    side: Side,
    floors: Array,
    lot: Lot,
    style: int,
    size: tuple[float, float],
    bay: float,
    trim: Colour,
    front: bool,
    framed: bool,
) -> None:
    """Rows of windows; the front's ground floor has its own."""
    low = floors[1 if front else 0 : -1, None]
    if not len(low):
        return
    length = side.length_m
    if style == CURTAIN:
        # Glass from floor to floor, of a building's own tint.
        edges = np.linspace(0.25, length - 0.25, max(2, round(length / 1.7)) + 1)
        tall = low[1] - low[0] if len(low) > 1 else 3.0
        glass = (edges[:-1] + 0.04, edges[1:] - 0.04, low + 0.1, low + tall - 0.22)
        pile.wall(
            side, Material.WINDOW, (0.28 + 0.2 * (size[0] - 1.0), 0.42, 0.54 - 0.25 * (size[1] - 1.3)), *glass, 0.03
        )
        return
    if style == 3 and lot.storeys >= 4:
        # Ribbon windows: one band a storey, divided by mullions.
        edges = np.linspace(0.5, length - 0.5, max(2, round(length / 2.2)) + 1)
        glass = (edges[:-1] + 0.05, edges[1:] - 0.05, low + 0.9, low + 2.5)
        pile.wall(side, Material.WINDOW, (0.5, 0.56, 0.62), *glass, 0.03)
        pile.wall(side, Material.METAL, trim, 0.4, length - 0.4, low + 0.84, low + 2.56, 0.015)
        return
    count = max(1, int((length - 0.8) // bay))
    u = (np.arange(count) + 0.5) * length / count
    half, tall = size[0] / 2.0, size[1]
    sill = low + (0.95 if tall < 1.6 else 0.75)
    pile.wall(side, Material.WINDOW, (0.5, 0.56, 0.6), u - half, u + half, sill, sill + tall, 0.04)
    if framed:
        edge = half + 0.09
        pile.wall(side, Material.PLASTER, trim, u - edge, u + edge, sill - 0.09, sill + tall + 0.09, 0.02)
    if front and (lot.storeys <= 4 or style == 2):
        pile.wall(side, Material.PLASTER, trim, u - 0.03, u + 0.03, sill, sill + tall, 0.055)
        every_u, every_low = (a.ravel() for a in np.broadcast_arrays(u, low))
        if style != 2 and lot.storeys <= 3:
            _ledges(pile, every_u, np.broadcast_to(sill, (len(low), count)).ravel(), half + 0.14, trim)
        elif style == 2:
            _balconies(pile, every_u[::2], every_low[::2], half + 0.5, trim)


def _bands(pile: Pile, sides: tuple[Side, ...], floors: Array, trim: Colour) -> None:
    """A course that stands out between the storeys."""
    for side in sides:
        edges = np.linspace(0.0, side.length_m, max(1, math.ceil(side.length_m / 7.0)) + 1)
        low = floors[1:, None] - 0.16
        pile.wall(side, Material.CONCRETE, trim, edges[:-1], edges[1:], low, low + 0.22, 0.05)


def _porch(pile: Pile, lot: Lot, trim: Colour, roof: Colour, rng: np.random.Generator) -> None:
    """A roof on posts before a part of the front."""
    wide = float(rng.uniform(0.4, 0.9)) * lot.width_m
    x0 = float(rng.uniform(0.0, lot.width_m - wide))
    x1, out, low, high = x0 + wide, 1.7, 2.45, 3.0
    slope = [(x0, -out, low), (x1, -out, low), (x1, 0.0, high), (x0, 0.0, high)]
    pile.put(Material.TILES, roof, np.array([slope]))
    pile.put(Material.WOOD, trim, np.array([slope[::-1]]) - [0.0, 0.0, 0.08])
    posts = np.linspace(x0 + 0.1, x1 - 0.25, max(2, round(wide / 2.6) + 1))
    corner = np.column_stack([posts, np.full(len(posts), -out + 0.08), np.zeros(len(posts))])
    pile.box(Material.WOOD, trim, corner, corner + [0.15, 0.15, low - 0.02])
    pile.box(Material.WOOD, trim, np.array([[x0, -out, low - 0.16]]), np.array([[x1, -out + 0.12, low]]))
    floor = np.array([[x0, -out, 0.0]])
    pile.box(Material.CONCRETE, (0.42, 0.42, 0.4), floor, np.array([[x1, 0.0, 0.18]]))


def _bay(
    pile: Pile, lot: Lot, floors: Array, wall: Material, hue: Colour, trim: Colour, rng: np.random.Generator
) -> None:
    """A part of the front that stands out from the first floor to the last, with windows of its own."""
    wide = min(2.8, 0.45 * lot.width_m)
    x0 = float(rng.uniform(0.4, max(0.41, lot.width_m - wide - 0.4)))
    out, low, top = 0.75, float(floors[1]) if len(floors) > 2 else float(floors[0]), float(floors[-1]) - 0.2
    pile.box(wall, hue, np.array([[x0, -out, low]]), np.array([[x0 + wide, 0.0, top]]))
    pile.put(wall, hue, _underside(np.array([x0]), np.array([x0 + wide]), -out, 0.0, np.array([low])))
    pile.box(
        Material.CONCRETE, trim, np.array([[x0 - 0.1, -out - 0.1, top]]), np.array([[x0 + wide + 0.1, 0.0, top + 0.2]])
    )
    storeys = floors[(floors >= low - 0.1) & (floors < top - 1.0)]
    front = Side(x0, -out, 1.0, 0.0, wide)
    middles = np.array([0.28, 0.72]) * wide
    pile.wall(
        front,
        Material.WINDOW,
        (0.48, 0.53, 0.57),
        middles - 0.45,
        middles + 0.45,
        storeys[:, None] + 0.8,
        storeys[:, None] + 2.3,
        0.03,
    )


def _ledges(pile: Pile, u: Array, z: Array, half: float, trim: Colour) -> None:
    """Window sills of the front, whose axes are the building's own."""
    low = np.column_stack([u - half, np.full(len(u), -0.14), z - 0.14])
    pile.box(Material.CONCRETE, trim, low, low + [2.0 * half, 0.14, 0.09])


def _balconies(pile: Pile, x: Array, z: Array, half: float, trim: Colour) -> None:
    low = np.column_stack([x - half, np.full(len(x), -1.0), z - 0.02])
    pile.box(Material.CONCRETE, (0.7, 0.69, 0.66), low, low + [2.0 * half, 1.0, 0.14])
    pile.put(Material.CONCRETE, (0.55, 0.54, 0.52), _underside(x - half, x + half, -1.0, 0.0, z - 0.02))
    rails = np.concatenate([low + [0.0, 0.0, height] for height in (0.37, 0.67, 0.97)])
    pile.box(Material.METAL, trim, rails, rails + [2.0 * half, 0.05, 0.07])


def _underside(x0: Array, x1: Array, y0: float, y1: float, z: Array) -> Array:
    a, b = np.full(len(x0), y0), np.full(len(x0), y1)
    return np.stack([np.column_stack(c) for c in ((x0, b, z), (x1, b, z), (x1, a, z), (x0, a, z))], 1)


def _ground_floor(pile: Pile, side: Side, ground: float, lot: Lot, trim: Colour, rng: np.random.Generator) -> None:
    length = lot.width_m
    door = float(rng.uniform(1.4, length - 1.4)) if not lot.shop else float(rng.choice([1.2, length - 1.2]))
    door_colour = SIGNS[int(rng.integers(len(SIGNS)))]
    pile.wall(side, Material.PLASTER, trim, door - 0.65, door + 0.65, 0.05, 2.35, 0.035)
    pile.wall(side, Material.WOOD, door_colour, door - 0.5, door + 0.5, 0.1, 2.2, 0.055)
    if lot.storeys <= 2 and not lot.shop:
        step = np.array([[door - 0.8, -0.7, 0.0]])
        pile.box(Material.CONCRETE, (0.6, 0.6, 0.58), step, np.array([[door + 0.8, 0.0, 0.2]]))
    if lot.shop:
        start, end = (2.2, length - 0.5) if door < length / 2.0 else (0.5, length - 2.2)
        count = max(1, round((end - start) / 2.4))
        edges = np.linspace(start, end, count + 1)
        pile.wall(side, Material.METAL, trim, start - 0.1, end + 0.1, 0.5, ground - 0.75, 0.04)
        glass = (edges[:-1] + 0.06, edges[1:] - 0.06, 0.6, ground - 0.85)
        pile.wall(side, Material.WINDOW, (0.55, 0.58, 0.6), *glass, 0.06)
        colour = SIGNS[int(rng.integers(len(SIGNS)))]
        pile.box(
            Material.PAINT,
            colour,
            np.array([[0.3, -0.16, ground - 0.62]]),
            np.array([[length - 0.3, 0.0, ground - 0.08]]),
        )
        letters = np.arange(int(rng.integers(4, 9)))
        middle = np.asarray(length / 2.0 + (letters - len(letters) / 2.0) * 0.5, np.float64)
        ink: Colour = (0.95, 0.95, 0.92) if sum(colour) < 1.8 else (0.12, 0.12, 0.12)
        tall = 0.2 + 0.1 * rng.random(len(letters))
        wide = 0.2 + 0.18 * rng.random(len(letters))
        pile.wall(side, Material.PAINT, ink, middle, middle + wide, ground - 0.5, ground - 0.5 + tall, 0.17)
        if rng.random() < 0.45:
            _awning(pile, start, end, ground - 0.72, SIGNS[int(rng.integers(len(SIGNS)))])
    else:
        count = max(1, int((length - 1.0) // 3.2))
        centres = (np.arange(count) + 0.5) * length / count
        centres = centres[np.abs(centres - door) > 1.5]
        pile.wall(side, Material.PLASTER, trim, centres - 0.74, centres + 0.74, 0.86, 2.34, 0.02)
        pile.wall(side, Material.WINDOW, (0.5, 0.56, 0.6), centres - 0.65, centres + 0.65, 0.95, 2.25, 0.04)
        pile.wall(side, Material.PLASTER, trim, centres - 0.03, centres + 0.03, 0.95, 2.25, 0.055)
        if len(centres):
            _ledges(pile, centres, np.full(len(centres), 0.95), 0.8, trim)


def _awning(pile: Pile, start: float, end: float, z: float, colour: Colour) -> None:
    strips = np.linspace(start, end, max(2, round((end - start) / 0.6)) + 1)
    for k in range(len(strips) - 1):
        x0, x1 = strips[k], strips[k + 1]
        tint: Colour = colour if k % 2 else (0.9, 0.89, 0.85)
        slope = [(x0, -1.1, z - 0.45), (x1, -1.1, z - 0.45), (x1, -0.05, z), (x0, -0.05, z)]
        pile.put(Material.CLOTH, tint, np.array([slope, slope[::-1]]))


def _flat_roof(
    pile: Pile, lot: Lot, top: float, wall: Material, hue: Colour, trim: Colour, rng: np.random.Generator
) -> None:
    w, d = lot.width_m, lot.depth_m
    nx, ny = int(np.ceil(w / 8.0)), int(np.ceil(d / 8.0))
    x, y = np.meshgrid(np.linspace(0.0, w, nx + 1), np.linspace(0.0, d, ny + 1))
    z = np.full((ny, nx), top)
    roof = np.stack(
        [
            np.stack([x[:-1, :-1], y[:-1, :-1], z], -1),
            np.stack([x[:-1, 1:], y[:-1, 1:], z], -1),
            np.stack([x[1:, 1:], y[1:, 1:], z], -1),
            np.stack([x[1:, :-1], y[1:, :-1], z], -1),
        ],
        2,
    )
    pile.put(Material.CONCRETE, (0.45, 0.44, 0.43), roof)
    t = 0.25
    lows = np.array(
        [(-0.06, -0.06, top - 0.3), (-0.06, d - t, top - 0.3), (-0.06, t, top - 0.3), (w - t, t, top - 0.3)]
    )
    highs = np.array(
        [(w + 0.06, t, top + 0.6), (w + 0.06, d + 0.06, top + 0.6), (t, d - t, top + 0.6), (w + 0.06, d - t, top + 0.6)]
    )
    pile.box(wall, hue, lows, highs)
    # A cornice that stands out from the front.
    pile.box(Material.CONCRETE, trim, np.array([[-0.2, -0.3, top + 0.45]]), np.array([[w + 0.2, 0.3, top + 0.68]]))
    pile.put(
        Material.CONCRETE, trim, _underside(np.array([-0.2]), np.array([w + 0.2]), -0.3, -0.06, np.array([top + 0.45]))
    )
    for _ in range(int(rng.integers(1, 4))):
        size = rng.uniform((0.8, 0.8, 0.8), (1.8, 1.8, 2.2))
        cx, cy = 0.8 + float(rng.random()) * (w - 1.6 - size[0]), 0.8 + float(rng.random()) * (d - 1.6 - size[1])
        pile.box(
            Material.METAL,
            (0.62, 0.63, 0.64),
            np.array([[cx, cy, top]]),
            np.array([[cx + size[0], cy + size[1], top + size[2]]]),
        )


def _gabled_roof(pile: Pile, lot: Lot, top: float, wall: Material, hue: Colour, roof: Colour) -> None:
    w, d = lot.width_m, lot.depth_m
    rise, eave = 0.4 * d, 0.45
    ridge, drop = top + rise, eave * 0.8
    x0, x1 = -0.35, w + 0.35
    pieces = max(1, int(np.ceil((x1 - x0) / 7.0)))
    x = np.linspace(x0, x1, pieces + 1)
    for a, b in zip(x[:-1], x[1:], strict=True):
        front = [(a, -eave, top - drop), (b, -eave, top - drop), (b, d / 2.0, ridge), (a, d / 2.0, ridge)]
        back = [(b, d + eave, top - drop), (a, d + eave, top - drop), (a, d / 2.0, ridge), (b, d / 2.0, ridge)]
        pile.put(Material.TILES, roof, np.array([front, back]))
        under = np.array([front[::-1], back[::-1]]) - [0.0, 0.0, 0.12]
        pile.put(Material.WOOD, (0.6, 0.55, 0.48), under)
        edge = np.array(
            [
                (a, -eave, top - drop - 0.12),
                (b, -eave, top - drop - 0.12),
                (b, -eave, top - drop),
                (a, -eave, top - drop),
            ]
        )
        pile.put(Material.WOOD, (0.85, 0.84, 0.8), edge)
    # A gable is a quad with two corners in the ridge.
    left = [(0.0, d, top), (0.0, 0.0, top), (0.0, d / 2.0 - 0.01, ridge), (0.0, d / 2.0 + 0.01, ridge)]
    right = [(w, 0.0, top), (w, d, top), (w, d / 2.0 + 0.01, ridge), (w, d / 2.0 - 0.01, ridge)]
    pile.put(wall, hue, np.array([left, right]))
    for x_edge, order in ((x0, 1), (x1, -1)):
        for y0, y1, z0, z1 in ((-eave, d / 2.0, top - drop, ridge), (d / 2.0, d + eave, ridge, top - drop)):
            barge = np.array([(x_edge, y1, z1 - 0.12), (x_edge, y0, z0 - 0.12), (x_edge, y0, z0), (x_edge, y1, z1)])
            pile.put(Material.WOOD, (0.85, 0.84, 0.8), barge[::order])
    cx = 0.3 * w
    pile.box(
        Material.BRICK,
        (0.7, 0.5, 0.42),
        np.array([[cx, d * 0.6, ridge - rise * 0.4]]),
        np.array([[cx + 0.7, d * 0.6 + 0.7, ridge + 0.7]]),
    )
