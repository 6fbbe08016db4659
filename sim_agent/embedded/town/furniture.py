"""Street furniture: lamps, benches, bins, bus stops, cabinets, planters, bollards, fences, walls and guard rails.

Each look is made once, at the origin, and set many times.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from sim_agent.embedded.pose import Pose
from sim_agent.embedded.scene import Box, Material, Mesh, MeshBuilder, Tag
from sim_agent.embedded.town.geometry import Array
from sim_agent.embedded.town.model import Lamp
from sim_agent.embedded.town.scenery import Scenery
from sim_agent.embedded.town.shapes import boxes, quads, tube
from sim_agent.embedded.town.signposts import post_box
from sim_agent.embedded.town.surface import SIDEWALK_M
from sim_agent.embedded.town.terrain import GROUND_M

Colour = tuple[float, float, float]
Point = tuple[float, float, float]

METALS: tuple[Colour, ...] = ((0.42, 0.44, 0.45), (0.2, 0.24, 0.22), (0.6, 0.6, 0.58), (0.3, 0.32, 0.36))
PAINTS: tuple[Colour, ...] = (
    (0.16, 0.3, 0.22),
    (0.55, 0.14, 0.12),
    (0.14, 0.22, 0.42),
    (0.7, 0.58, 0.16),
    (0.5, 0.5, 0.5),
)
WOOD: Colour = (0.62, 0.48, 0.34)
WARM, COOL = (1.0, 0.84, 0.6), (0.92, 0.95, 1.0)
LAMP_SIZES_M = ((7.5, 1.9), (6.2, 1.3), (4.3, 0.0))
"""Height of the post and reach of the arm, for each style of lamp."""
PROPS = ("bench", "bin", "cabinet", "planter", "bollards", "hydrant", "mailbox", "boxes", "rack")
_VARIANTS = 5
_STRETCH_M = 5.0
"""Length at which a stretch of wall or fence is made before it is scaled to fit."""


class _Maker:
    """Shapes of one tag, in the axes of the thing that they make up."""

    def __init__(self, tag: Tag) -> None:
        self.tag = tag
        self.builder = MeshBuilder()

    def block(self, low: Point, high: Point, material: Material, colour: Colour) -> None:
        boxes(self.builder, [low], [high], self.tag, material, colour, bottom=low[2] > 0.05)

    def bar(self, points: list[Point], radii: list[float], material: Material, colour: Colour, sides: int = 6) -> None:
        tube(self.builder, np.array(points), np.array(radii), sides, self.tag, material, colour)


def set_lamp(scenery: Scenery, foot: Pose, style: int) -> Lamp:
    """A street lamp; the pose's x axis points over the road."""
    height, arm = LAMP_SIZES_M[style % 3]
    number = scenery.open("StreetLamp", Tag.POLE, foot, True, post_box(foot, height, 0.1))
    scenery.builder.add_mesh(_lamp(style % 3), foot)
    lens = foot.compose(Pose(arm + 0.25, 0.0, height + 0.15) if arm else Pose(0.0, 0.0, height + 0.28))
    return Lamp(number, lens.location, WARM if style % 2 else COOL)


@lru_cache(maxsize=8)
def _lamp(style: int) -> Mesh:
    colour = METALS[style]
    light = WARM if style % 2 else COOL
    height, arm = LAMP_SIZES_M[style]
    maker = _Maker(Tag.POLE)
    low = SIDEWALK_M - 0.05
    maker.bar(
        [(0, 0, low), (0, 0, 0.9), (0, 0, 0.95), (0, 0, height)], [0.12, 0.11, 0.08, 0.055], Material.METAL, colour
    )
    if arm:
        bend: list[Point] = [(0, 0, height - 0.1), (arm * 0.45, 0, height + 0.22), (arm, 0, height + 0.3)]
        maker.bar(bend, [0.05, 0.045, 0.04], Material.METAL, colour, 5)
        maker.block((arm - 0.15, -0.16, height + 0.22), (arm + 0.65, 0.16, height + 0.36), Material.METAL, colour)
        ends = ((arm + 0.6, -0.13), (arm - 0.1, -0.13), (arm - 0.1, 0.13), (arm + 0.6, 0.13))
        lens = [[(x, y, height + 0.21) for x, y in ends]]
        quads(maker.builder, lens, Tag.POLE, Material.STREET_LAMP, light)
    else:
        globe: list[Point] = [(0, 0, height + z) for z in (0.0, 0.08, 0.28, 0.46, 0.52)]
        maker.bar(globe, [0.08, 0.2, 0.26, 0.16, 0.02], Material.STREET_LAMP, light)
    return maker.builder.build()


def set_prop(scenery: Scenery, kind: str, foot: Pose, rng: np.random.Generator) -> None:
    """A small thing on the sidewalk, `kind` of `PROPS`; the pose's x axis runs along the street, y away from the kerb."""
    scenery.open(f"Static_{kind.capitalize()}", Tag.STATIC, foot, True)
    scenery.builder.add_mesh(_prop(kind, int(rng.integers(_VARIANTS))), foot._replace(z_m=foot.z_m + SIDEWALK_M - 0.02))


@lru_cache(maxsize=64)
def _prop(kind: str, variant: int) -> Mesh:
    paint, grey = PAINTS[variant], METALS[variant % len(METALS)]
    maker = _Maker(Tag.STATIC)
    block, bar = maker.block, maker.bar
    metal = Material.METAL
    if kind == "bench":
        for x in (-0.7, 0.62):
            block((x, -0.22, 0.0), (x + 0.08, 0.24, 0.42), metal, grey)
        for k in range(3):
            block((-0.85, -0.22 + 0.16 * k, 0.42), (0.85, -0.1 + 0.16 * k, 0.47), Material.WOOD, WOOD)
        for k in range(2):
            block((-0.85, 0.22, 0.6 + 0.17 * k), (0.85, 0.27, 0.72 + 0.17 * k), Material.WOOD, WOOD)
    elif kind == "bin":
        bar([(0, 0, 0), (0, 0, 0.1), (0, 0, 0.85)], [0.2, 0.24, 0.26], metal, paint)
        bar([(0, 0, 0.85), (0, 0, 0.92)], [0.28, 0.22], metal, grey)
    elif kind == "cabinet":
        wide = 0.35 + 0.08 * variant
        block((-wide, -0.2, 0.0), (wide, 0.2, 1.4 - 0.1 * variant), Material.PAINT, (0.62, 0.64, 0.6))
    elif kind == "planter":
        block((-0.6, -0.3, 0.0), (0.6, 0.3, 0.5), Material.CONCRETE, (0.7, 0.69, 0.66))
        block((-0.54, -0.24, 0.5), (0.54, 0.24, 0.54), Material.SOIL, (0.5, 0.42, 0.36))
        for x in (-0.36, 0.0, 0.36):
            bar([(x, 0.0, 0.5), (x, 0.02, 0.72), (x, 0.0, 0.95)], [0.12, 0.26, 0.05], Material.LEAF, (0.46, 0.62, 0.3))
    elif kind == "bollards":
        for x in (-1.2, 0.0, 1.2):
            bar([(x, 0, 0), (x, 0, 0.8), (x, 0, 0.86)], [0.07, 0.06, 0.03], metal, grey)
    elif kind == "hydrant":
        red = (0.72, 0.16, 0.1)
        stem: list[Point] = [(0, 0, z) for z in (0.0, 0.08, 0.1, 0.55, 0.68)]
        bar(stem, [0.17, 0.17, 0.11, 0.11, 0.04], Material.PAINT, red)
        bar([(-0.2, 0, 0.42), (0.2, 0, 0.42)], [0.06, 0.06], Material.PAINT, red)
    elif kind == "mailbox":
        block((-0.25, -0.22, 0.3), (0.25, 0.22, 1.15), Material.PAINT, paint)
        block((-0.2, -0.18, 0.0), (0.2, 0.18, 0.3), metal, grey)
    elif kind == "boxes":
        for x, low, size, high in ((-0.4, 0.0, 0.45, 0.5), (0.15, 0.0, 0.4, 0.35), (-0.3, 0.5, 0.3, 0.8)):
            block((x, -0.2, low), (x + size, -0.2 + size, high), Material.WOOD, (0.72, 0.6, 0.44))
    else:
        for x in (-0.8, 0.0, 0.8):
            for y in (-0.3, 0.26):
                block((x, y, 0.0), (x + 0.04, y + 0.04, 0.75), metal, grey)
            block((x, -0.3, 0.75), (x + 0.04, 0.3, 0.79), metal, grey)
    return maker.builder.build()


def set_bus_stop(scenery: Scenery, foot: Pose, rng: np.random.Generator) -> None:
    """A shelter; the pose's x axis runs along the street, y away from the kerb."""
    scenery.open("Static_BusStop", Tag.STATIC, foot, True)
    mesh = _bus_stop(int(rng.integers(_VARIANTS)))
    scenery.builder.add_mesh(mesh, foot._replace(z_m=foot.z_m + SIDEWALK_M - 0.02))


@lru_cache(maxsize=8)
def _bus_stop(variant: int) -> Mesh:
    maker = _Maker(Tag.STATIC)
    grey = METALS[variant % len(METALS)]
    for x in (-1.7, 1.7):
        for y in (-0.25, 0.45):
            maker.block((x - 0.04, y - 0.04, 0.0), (x + 0.04, y + 0.04, 2.4), Material.METAL, grey)
    maker.block((-1.9, -0.5, 2.4), (1.9, 0.6, 2.52), Material.METAL, grey)
    maker.block((-1.2, 0.1, 0.42), (1.2, 0.4, 0.48), Material.WOOD, WOOD)
    pane = [(-1.64, 0.45, 0.25), (1.64, 0.45, 0.25), (1.64, 0.45, 2.2), (-1.64, 0.45, 2.2)]
    behind = [(x, y + 0.01, z) for x, y, z in pane[::-1]]
    quads(maker.builder, [pane, behind], Tag.STATIC, Material.WINDOW, (0.7, 0.76, 0.78))
    maker.block((1.72, -0.2, 0.5), (1.82, 0.4, 2.0), Material.PAINT, PAINTS[variant])
    return maker.builder.build()


def set_barrier(scenery: Scenery, kind: str, line: Array, rng: np.random.Generator) -> None:
    """A wall, fence or guardrail along (N, 2) points; one object for each straight stretch of a few metres."""
    name, tag = {"wall": ("Wall", Tag.WALL), "fence": ("Fence", Tag.FENCE), "guardrail": ("GuardRail", Tag.GUARD_RAIL)}[
        kind
    ]
    variant = int(rng.integers(6))
    mesh = _stretch(kind, variant)
    height = float(mesh.vertices[:, 2].max())
    for (x0, y0), (x1, y1) in zip(line[:-1].tolist(), line[1:].tolist(), strict=True):
        length = math.hypot(x1 - x0, y1 - y0)
        start = Pose(x0, y0, GROUND_M - 0.02, 0.0, math.degrees(math.atan2(y1 - y0, x1 - x0)), 0.0)
        box = Box(start.compose(Pose(length / 2.0, 0.0, height / 2.0)), (length / 2.0, 0.13, height / 2.0))
        scenery.open(name, tag, start, True, box)
        scenery.builder.add_mesh(mesh, start, (length / _STRETCH_M, 1.0, 1.0))


@lru_cache(maxsize=32)
def _stretch(kind: str, variant: int) -> Mesh:
    length = _STRETCH_M
    if kind == "wall":
        height = (0.9, 1.2, 1.7)[variant % 3]
        looks: tuple[tuple[Material, Colour], ...] = (
            (Material.BRICK, (0.72, 0.56, 0.48)),
            (Material.PLASTER, (0.82, 0.79, 0.7)),
            (Material.CONCRETE, (0.66, 0.66, 0.63)),
        )
        material, colour = looks[variant // 2]
        maker = _Maker(Tag.WALL)
        maker.block((0.0, -0.11, 0.0), (length, 0.11, height - 0.08), material, colour)
        maker.block((0.0, -0.15, height - 0.08), (length, 0.15, height), Material.CONCRETE, (0.7, 0.69, 0.66))
        return maker.builder.build()
    if kind == "fence":
        height = (0.95, 1.3)[variant % 2]
        look, colour = (
            (Material.WOOD, (0.9, 0.9, 0.87)),
            (Material.WOOD, (0.5, 0.38, 0.28)),
            (Material.METAL, (0.24, 0.25, 0.26)),
        )[variant // 2]
        wide, gap = (0.08, 0.4) if look == Material.WOOD else (0.016, 0.42)
        maker = _Maker(Tag.FENCE)
        x = np.arange(gap / 2.0, length, gap)
        for k in x.tolist():
            maker.block((k - wide, -0.012, 0.04), (k + wide, 0.012, height), look, colour)
        for z in (0.25 * height, 0.78 * height):
            maker.block((0.0, 0.013, z), (length, 0.05, z + 0.07), look, colour)
        return maker.builder.build()
    maker = _Maker(Tag.GUARD_RAIL)
    for x0 in (0.3, 2.7):
        maker.block((x0, 0.02, 0.0), (x0 + 0.1, 0.12, 0.65), Material.METAL, METALS[2])
    beam = [(0.42, 0.0), (0.5, -0.08), (0.58, -0.02), (0.66, -0.08), (0.74, 0.0)]
    faces = []
    for (za, ya), (zb, yb) in zip(beam[:-1], beam[1:], strict=True):
        front = [(0.0, ya, za), (length, ya, za), (length, yb, zb), (0.0, yb, zb)]
        faces += [front, [(a, b + 0.01, c) for a, b, c in front[::-1]]]
    quads(maker.builder, faces, Tag.GUARD_RAIL, Material.METAL, (0.66, 0.67, 0.68))
    return maker.builder.build()
