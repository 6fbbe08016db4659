"""Props of parks and playgrounds: swings, slides, fountains, pergolas."""

from __future__ import annotations

import numpy as np

from sim_agent.embedded.blueprints import PropSpec
from sim_agent.embedded.models.garden import STONE, WATER, WOOD, Random
from sim_agent.embedded.models.surface import (
    BLACK,
    STEEL,
    TRIM,
    Look,
    Sculptor,
    rings,
)
from sim_agent.embedded.scene import Material


def _pergola(sculptor: Sculptor, spec: PropSpec, random: Random) -> None:
    x, y, z = spec.extent_m
    for sx in (-0.82, 0.82):
        for sy in (-0.82, 0.82):
            sculptor.block((sx * x - 0.08, sy * y - 0.08, 0.0), (sx * x + 0.08, sy * y + 0.08, 1.84 * z), WOOD)
        sculptor.block((sx * x - 0.05, -y, 1.84 * z), (sx * x + 0.05, y, 1.93 * z), WOOD)
    for share in np.linspace(-0.9, 0.9, 10):
        sculptor.block((-x, share * y - 0.04, 1.93 * z), (x, share * y + 0.04, 2 * z), WOOD)
    for sy in (-0.82, 0.82):
        sculptor.block((-0.8 * x, sy * y - 0.04, 0.42), (-0.2 * x, sy * y + 0.04, 0.50), WOOD)


def _swing(sculptor: Sculptor, spec: PropSpec, random: Random) -> None:
    x, y, z = spec.extent_m
    for end in (-0.95, 0.95):
        for side in (-1.0, 1.0):
            sculptor.rod(
                (end * x, side * y * 0.97, 0.0),
                (0.85 * end * x, 0.0, 2 * z - 0.04),
                0.045,
                Look(Material.METAL, (0.75, 0.15, 0.12)),
            )
    sculptor.rod((-x, 0.0, 2 * z - 0.05), (x, 0.0, 2 * z - 0.05), 0.05, Look(Material.METAL, (0.15, 0.30, 0.60)), 8)
    for seat in (-0.36, 0.36):
        for side in (-0.22, 0.22):
            sculptor.rod((seat * x + side, 0.0, 0.48), (seat * x + side, 0.0, 2 * z - 0.05), 0.012, STEEL, 4)
        sculptor.block((seat * x - 0.26, -0.10, 0.45), (seat * x + 0.26, 0.10, 0.49), BLACK)


def _swing_couch(sculptor: Sculptor, spec: PropSpec, random: Random) -> None:
    x, y, z = spec.extent_m
    cloth = Look(Material.CLOTH, (0.25, 0.42, 0.30))
    for side in (-0.93, 0.93):
        sculptor.pipe(
            [(x, side * y, 0.03), (0.1 * x, side * y, 1.75 * z), (-0.1 * x, side * y, 1.75 * z), (-x, side * y, 0.03)],
            0.03,
            TRIM,
        )
    canopy = [
        [(-x, -y, 1.80 * z), (0.0, -y, 2 * z), (x, -y, 1.80 * z)],
        [(-x, y, 1.80 * z), (0.0, y, 2 * z), (x, y, 1.80 * z)],
    ]
    sculptor.grid(canopy, cloth)
    sculptor.grid(np.array(canopy) - [0, 0, 0.01], cloth, flip=True)
    sculptor.block((-0.35 * x, -0.82 * y, 0.44 * z), (0.55 * x, 0.82 * y, 0.56 * z), cloth)
    back = [(-0.35 * x, 0.5 * z), (-0.22 * x, 0.5 * z), (-0.55 * x, 1.12 * z), (-0.68 * x, 1.10 * z)]
    sculptor.prism(back, -0.82 * y, 0.82 * y, cloth)
    for side in (-0.84, 0.84):
        sculptor.rod((0.1 * x, side * y, 0.5 * z), (0.0, side * y, 1.75 * z), 0.015, STEEL, 4)


def _slide(sculptor: Sculptor, spec: PropSpec, random: Random) -> None:
    x, y, z = spec.extent_m
    red, yellow = Look(Material.METAL, (0.80, 0.15, 0.12)), Look(Material.METAL, (0.92, 0.75, 0.12))
    line = [(-0.45 * x, 1.45 * z), (-0.15 * x, 1.40 * z), (0.70 * x, 0.22 * z), (x, 0.16 * z)]
    section = np.array([(-0.75, 0.16), (-0.70, 0.0), (0.70, 0.0), (0.75, 0.16)])
    rows = [[(px, s * y, pz + up) for s, up in section] for px, pz in line]
    sculptor.grid(rows, yellow, flip=True)
    sculptor.grid(np.array(rows) - [0, 0, 0.02], yellow)
    for side in (-0.85, 0.85):
        sculptor.pipe(
            [
                (-x, side * y, 0.0),
                (-0.55 * x, side * y, 1.45 * z),
                (-0.5 * x, side * y, 2 * z - 0.03),
                (-0.25 * x, side * y, 1.9 * z),
                (-0.2 * x, side * y, 1.4 * z),
            ],
            0.03,
            red,
        )
        sculptor.rod((-0.2 * x, side * y, 0.0), (-0.2 * x, side * y, 1.4 * z), 0.03, red)
        sculptor.rod((0.75 * x, 0.6 * side * y, 0.0), (0.75 * x, 0.6 * side * y, 0.2 * z), 0.03, red)
    for share in np.linspace(0.12, 0.92, 6):
        sculptor.rod(
            ((-1 + 0.45 * share) * x, -0.85 * y, 1.45 * z * share),
            ((-1 + 0.45 * share) * x, 0.85 * y, 1.45 * z * share),
            0.02,
            STEEL,
        )
    sculptor.rod((-0.5 * x, -y, 1.45 * z), (-0.5 * x, y, 1.45 * z), 0.02, red)


def _trampoline(sculptor: Sculptor, spec: PropSpec, random: Random) -> None:
    x, y, z = spec.extent_m
    blue, net = Look(Material.CLOTH, (0.10, 0.25, 0.60)), (0.12, 0.12, 0.13)
    sculptor.lathe([(0.0, 0.78), (0.82, 0.78)], BLACK, segments=24, scale=(x, y, 1.0))
    sculptor.grid(rings([(0.80, 0.80), (0.98, 0.80)], 24)[::-1] * [x, y, 1.0], blue)
    sculptor.lathe([(0.97, 0.70), (1.0, 0.75), (0.97, 0.81)], STEEL, segments=24, scale=(x, y, 1.0))
    sculptor.flat(rings([(0.82, 0.79)], 24)[0, :-1] * [x, y, 1.0], BLACK)
    for k in range(6):
        angle = 2 * np.pi * k / 6
        c, s = float(np.cos(angle)), float(np.sin(angle))
        sculptor.rod((0.97 * x * c, 0.97 * y * s, 0.0), (0.97 * x * c, 0.97 * y * s, 2 * z), 0.03, STEEL, 5)
    for k in range(24):
        first, second = 2 * np.pi * k / 24, 2 * np.pi * (k + 1) / 24
        a, b = ((0.94 * x * float(np.cos(t)), 0.94 * y * float(np.sin(t))) for t in (first, second))
        for height in (1.05, 1.5, 2 * z - 0.06):
            sculptor.leaf((*a, height), (*b, height), (*b, height + 0.05), (*a, height + 0.05), net)


def _fountain(sculptor: Sculptor, spec: PropSpec, random: Random) -> None:
    """A basin, two bowls on a stem, and water in all three."""
    x, y, z = spec.extent_m
    scale = (x, y, z)
    sculptor.lathe(
        [(1.0, 0.0), (1.0, 0.14), (0.98, 0.18), (0.90, 0.18), (0.88, 0.10), (0.0, 0.10)],
        STONE,
        segments=32,
        scale=scale,
    )
    sculptor.lathe([(0.885, 0.145), (0.0, 0.145)], WATER, segments=32, scale=scale)
    stem = [(0.22, 0.10), (0.18, 0.22), (0.10, 0.34), (0.09, 0.62), (0.14, 0.70)]
    sculptor.lathe(stem, STONE, segments=16, scale=scale)
    for low, radius in ((0.70, 0.52), (1.22, 0.30)):
        sculptor.lathe(
            [
                (0.10, low),
                (0.7 * radius, low + 0.05),
                (radius, low + 0.17),
                (radius, low + 0.21),
                (0.92 * radius, low + 0.20),
                (0.86 * radius, low + 0.16),
            ],
            STONE,
            segments=24,
            scale=scale,
        )
        sculptor.lathe([(0.9 * radius, low + 0.18), (0.0, low + 0.18)], WATER, segments=24, scale=scale)
    sculptor.lathe([(0.08, 0.86), (0.06, 1.24)], STONE, segments=12, scale=scale)
    sculptor.lathe(
        [(0.06, 1.38), (0.05, 1.60), (0.10, 1.68), (0.09, 1.84), (0.03, 1.93), (0.0, 2.0)],
        STONE,
        segments=12,
        scale=scale,
    )


KINDS = {
    "pergola": _pergola,
    "swing": _swing,
    "swing couch": _swing_couch,
    "slide": _slide,
    "trampoline": _trampoline,
    "fountain": _fountain,
}
