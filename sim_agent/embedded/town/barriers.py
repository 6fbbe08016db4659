"""What divides a street from what lies behind it: walls, fences of several kinds, guard rails, concrete barriers."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from sim_agent.embedded.pose import Pose
from sim_agent.embedded.scene import Box, Material, Mesh, Tag
from sim_agent.embedded.town.furniture import METALS, Colour, Maker
from sim_agent.embedded.town.geometry import Array
from sim_agent.embedded.town.scenery import Scenery
from sim_agent.embedded.town.shapes import quads
from sim_agent.embedded.town.terrain import GROUND_M

_KINDS = {
    "wall": ("Wall", Tag.WALL),
    "high_wall": ("Wall", Tag.WALL),
    "barrier": ("Wall", Tag.WALL),
    "fence": ("Fence", Tag.FENCE),
    "railing": ("Fence", Tag.FENCE),
    "mesh": ("Fence", Tag.FENCE),
    "guardrail": ("GuardRail", Tag.GUARD_RAIL),
    "parapet": ("Bridge_Parapet", Tag.BRIDGE),
}
STONE = (0.52, 0.49, 0.44)
_VARIANTS = 6
_STRETCH_M = 5.0
"""Length at which a stretch is made before it is scaled to fit."""


def set_barrier(scenery: Scenery, kind: str, line: Array, rng: np.random.Generator) -> None:
    """A barrier along (N, 2) points; one object for each straight stretch of a few metres."""
    name, tag = _KINDS[kind]
    mesh = _stretch(kind, int(rng.integers(_VARIANTS)))
    height = float(mesh.vertices[:, 2].max())
    for (x0, y0), (x1, y1) in zip(line[:-1].tolist(), line[1:].tolist(), strict=True):
        length = math.hypot(x1 - x0, y1 - y0)
        start = Pose(x0, y0, GROUND_M - 0.02, 0.0, math.degrees(math.atan2(y1 - y0, x1 - x0)), 0.0)
        box = Box(start.compose(Pose(length / 2.0, 0.0, height / 2.0)), (length / 2.0, 0.13, height / 2.0))
        scenery.open(name, tag, start, True, box)
        scenery.builder.add_mesh(mesh, start, (length / _STRETCH_M, 1.0, 1.0))


@lru_cache(maxsize=64)
def _stretch(kind: str, variant: int) -> Mesh:
    """Along x, 5 m; what faces the street is at negative y."""
    if kind in ("wall", "high_wall", "barrier"):
        maker = Maker(Tag.WALL)
        _wall(maker, kind, variant)
    elif kind == "parapet":
        maker = Maker(Tag.BRIDGE)
        maker.block((0.0, -0.13, 0.0), (_STRETCH_M, 0.13, 0.82), Material.BRICK, STONE)
        maker.block((0.0, -0.17, 0.82), (_STRETCH_M, 0.17, 0.94), Material.CONCRETE, (0.5, 0.49, 0.46))
    elif kind == "guardrail":
        maker = Maker(Tag.GUARD_RAIL)
        _guard_rail(maker)
    else:
        maker = Maker(Tag.FENCE)
        {"fence": _pickets, "railing": _railing, "mesh": _mesh}[kind](maker, variant)
    return maker.builder.build()


def _wall(maker: Maker, kind: str, variant: int) -> None:
    length = _STRETCH_M
    if kind == "barrier":
        grey = (0.62, 0.52, 0.42)[variant % 3]
        faces = []
        outline = (
            (-0.3, 0.0),
            (-0.3, 0.1),
            (-0.15, 0.35),
            (-0.1, 0.82),
            (0.1, 0.82),
            (0.15, 0.35),
            (0.3, 0.1),
            (0.3, 0.0),
        )
        for (ya, za), (yb, zb) in zip(outline[:-1], outline[1:], strict=True):
            faces.append([(0.0, ya, za), (length, ya, za), (length, yb, zb), (0.0, yb, zb)])
        quads(maker.builder, faces, Tag.WALL, Material.CONCRETE, (grey, grey, 0.98 * grey))
        return
    height = (1.9, 2.4, 3.0)[variant % 3] if kind == "high_wall" else (0.9, 1.2, 1.7)[variant % 3]
    looks: tuple[tuple[Material, Colour], ...] = (
        (Material.BRICK, (0.5, 0.38, 0.33)),
        (Material.PLASTER, (0.55, 0.54, 0.5)),
        (Material.CONCRETE, (0.58, 0.58, 0.57)),
    )
    material, colour = looks[variant // 2]
    maker.block((0.0, -0.11, 0.0), (length, 0.11, height - 0.08), material, colour)
    maker.block((0.0, -0.15, height - 0.08), (length, 0.15, height), Material.CONCRETE, (0.5, 0.5, 0.49))
    if kind == "high_wall":
        for x in (0.0, length / 2.0):
            maker.block((x, -0.19, 0.0), (x + 0.35, 0.19, height + 0.05), material, colour)


def _pickets(maker: Maker, variant: int) -> None:
    length = _STRETCH_M
    height = (0.95, 1.3)[variant % 2]
    look, colour = (
        (Material.WOOD, (0.74, 0.74, 0.72)),
        (Material.WOOD, (0.4, 0.31, 0.24)),
        (Material.METAL, (0.2, 0.21, 0.22)),
    )[variant // 2]
    wide, gap = (0.08, 0.4) if look == Material.WOOD else (0.016, 0.42)
    for k in np.arange(gap / 2.0, length, gap).tolist():
        maker.block((k - wide, -0.012, 0.04), (k + wide, 0.012, height), look, colour)
    for z in (0.25 * height, 0.78 * height):
        maker.block((0.0, 0.013, z), (length, 0.05, z + 0.07), look, colour)


def _railing(maker: Maker, variant: int) -> None:
    """Tubes at the height of one's hip."""
    length, grey = _STRETCH_M, METALS[variant % len(METALS)]
    for x in (0.05, length / 2.0):
        maker.block((x - 0.03, -0.03, 0.0), (x + 0.03, 0.03, 1.05), Material.METAL, grey)
    for z in (0.5, 1.0) if variant < 3 else (0.35, 0.68, 1.0):
        maker.block((0.0, -0.028, z), (length, 0.028, z + 0.06), Material.METAL, grey)


def _mesh(maker: Maker, variant: int) -> None:
    """Wire netting, wide enough to be seen through, between posts."""
    length, height = _STRETCH_M, (1.8, 2.3, 2.8)[variant % 3]
    grey = (METALS[0], METALS[2], (0.14, 0.2, 0.17))[variant // 2]
    for x in (0.05, length / 2.0):
        maker.block((x - 0.035, -0.035, 0.0), (x + 0.035, 0.035, height + 0.12), Material.METAL, grey)
    for z in (0.08, height - 0.05):
        maker.block((0.0, -0.02, z), (length, 0.02, z + 0.045), Material.METAL, grey)
    wires, half = [], 0.014
    for way in (1.0, -1.0):
        for x in np.arange(-height, length, 0.42).tolist():
            # Slanted wires, cut at the ends of the stretch.
            low, high = max(0.0, -x), min(height, length - x)
            if high - low < 0.2:
                continue
            a, b = x + low, x + high
            if way < 0:
                a, b = length - a, length - b
            front = [
                (a - half, 0.0, low + 0.1),
                (a + half, 0.0, low + 0.1),
                (b + half, 0.0, high),
                (b - half, 0.0, high),
            ]
            wires += [front, front[::-1]]
    quads(maker.builder, wires, Tag.FENCE, Material.METAL, grey)


def _guard_rail(maker: Maker) -> None:
    length = _STRETCH_M
    for x0 in (0.3, 2.7):
        maker.block((x0, 0.02, 0.0), (x0 + 0.1, 0.12, 0.65), Material.METAL, METALS[2])
    beam = [(0.42, 0.0), (0.5, -0.08), (0.58, -0.02), (0.66, -0.08), (0.74, 0.0)]
    faces = []
    for (za, ya), (zb, yb) in zip(beam[:-1], beam[1:], strict=True):
        front = [(0.0, ya, za), (length, ya, za), (length, yb, zb), (0.0, yb, zb)]
        faces += [front, [(a, b + 0.01, c) for a, b, c in front[::-1]]]
    quads(maker.builder, faces, Tag.GUARD_RAIL, Material.METAL, (0.5, 0.51, 0.52))
