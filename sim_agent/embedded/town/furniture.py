"""Street furniture: lamps, benches, bins, bus stops, cabinets, planters, bollards, billboards.

Each look is made once, at the origin, and set many times.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from sim_agent.embedded.pose import Pose
from sim_agent.embedded.scene import Material, Mesh, MeshBuilder, Tag
from sim_agent.embedded.town.model import Lamp
from sim_agent.embedded.town.scenery import Scenery
from sim_agent.embedded.town.shapes import boxes, quads, tube
from sim_agent.embedded.town.signposts import post_box
from sim_agent.embedded.town.surface import SIDEWALK_M

Colour = tuple[float, float, float]
Point = tuple[float, float, float]

METALS: tuple[Colour, ...] = ((0.42, 0.44, 0.45), (0.22, 0.24, 0.24), (0.55, 0.56, 0.56), (0.3, 0.32, 0.36))
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


class Maker:
    """Shapes of one tag, in the axes of the thing that they make up."""

    def __init__(self, tag: Tag) -> None:
        self.tag = tag
        self.builder = MeshBuilder()

    def block(self, low: Point, high: Point, material: Material, colour: Colour) -> None:
        """A box from corner to corner."""
        boxes(self.builder, [low], [high], self.tag, material, colour, bottom=low[2] > 0.05)

    def bar(self, points: list[Point], radii: list[float], material: Material, colour: Colour, sides: int = 6) -> None:
        """A round bar."""
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
    maker = Maker(Tag.POLE)
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
    maker = Maker(Tag.STATIC)
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
    maker = Maker(Tag.STATIC)
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


def set_billboard(scenery: Scenery, foot: Pose, rng: np.random.Generator) -> None:
    """A hoarding on two posts; the pose's x axis points where its face looks."""
    scenery.open("Billboard", Tag.OTHER, foot, True)
    scenery.builder.add_mesh(_billboard(int(rng.integers(_VARIANTS))), foot)


@lru_cache(maxsize=8)
def _billboard(variant: int) -> Mesh:
    maker = Maker(Tag.OTHER)
    wide, low, high = (1.9, 1.2, 2.5, 1.5, 2.2)[variant], (1.6, 1.0, 2.8, 1.4, 2.2)[variant], 0.0
    high = low + 0.62 * wide + 0.6
    grey = METALS[variant % len(METALS)]
    for y in (-0.6 * wide, 0.6 * wide):
        maker.block((-0.14, y - 0.07, 0.0), (-0.02, y + 0.07, low + 0.4), Material.METAL, grey)
    maker.block((-0.1, -wide, low), (0.06, wide, high), Material.METAL, (0.16, 0.16, 0.17))
    ground, bar = PAINTS[variant], PAINTS[(variant + 2) % len(PAINTS)]
    maker.block((0.05, 0.08 - wide, low + 0.08), (0.08, wide - 0.08, high - 0.08), Material.SIGN, ground)
    maker.block((0.07, 0.2 - wide, low + 0.2), (0.09, 0.1 * wide, high - 0.5), Material.SIGN, bar)
    for k in range(3):
        top = high - 0.3 - 0.28 * k
        maker.block((0.07, 0.25 * wide, top - 0.14), (0.09, (0.9 - 0.15 * k) * wide, top), Material.SIGN, (0.85,) * 3)
    return maker.builder.build()


def set_pole(scenery: Scenery, foot: Pose) -> tuple[Point, ...]:
    """A wooden pole for cables, x along the street; where its three cables hang."""
    scenery.open("Pole_Cables", Tag.POLE, foot, True, post_box(foot, 8.6, 0.14))
    scenery.builder.add_mesh(_cable_pole(), foot)
    return tuple(foot.compose(Pose(0.0, y, z)).location for y, z in ((-0.75, 8.0), (0.0, 8.65), (0.75, 8.0)))


@lru_cache(maxsize=1)
def _cable_pole() -> Mesh:
    maker = Maker(Tag.POLE)
    maker.bar(
        [(0, 0, SIDEWALK_M - 0.05), (0, 0, 4.0), (0, 0, 8.6)], [0.15, 0.13, 0.1], Material.BARK, (0.36, 0.3, 0.25)
    )
    maker.block((-0.06, -0.9, 7.85), (0.06, 0.9, 7.98), Material.WOOD, (0.34, 0.28, 0.23))
    return maker.builder.build()


def hang_cables(scenery: Scenery, poles: list[tuple[Point, ...]]) -> None:
    """The cables from pole to pole; each hangs through by a fiftieth of its span."""
    for here, there in zip(poles[:-1], poles[1:], strict=True):
        middle = Pose(*((a + b) / 2.0 for a, b in zip(here[1], there[1], strict=True)))
        scenery.open("Cables", Tag.OTHER, middle)
        for start, end in zip(here, there, strict=True):
            share = np.linspace(0.0, 1.0, 9)[:, None]
            line = np.array(start) + share * (np.array(end) - np.array(start))
            line[:, 2:] -= 0.02 * float(np.linalg.norm(np.subtract(end, start))) * 4.0 * share * (1.0 - share)
            tube(scenery.builder, line, np.full(9, 0.025), 3, Tag.OTHER, Material.RUBBER, (0.06, 0.06, 0.06), False)
