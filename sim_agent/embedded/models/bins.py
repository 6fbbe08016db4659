"""Props that hold what nobody wants: bins, drums, containers, skips."""

from __future__ import annotations

import numpy as np

from sim_agent.embedded.blueprints import PropSpec
from sim_agent.embedded.models.furniture import BLUE, CONCRETE, GREEN, IRON, RED, WHITE, YELLOW, Random
from sim_agent.embedded.models.surface import (
    BLACK,
    STEEL,
    TRIM,
    Look,
    Sculptor,
)
from sim_agent.embedded.models.wheels import wheel
from sim_agent.embedded.scene import Material


def _bin_colour(random: Random) -> Look:
    return (GREEN, BLUE, Look(Material.METAL, (0.24, 0.25, 0.26)), YELLOW)[int(random.integers(4))]


def _tapered(
    sculptor: Sculptor, low: tuple[float, float], high: tuple[float, float], z0: float, z1: float, look: Look
) -> None:
    """A box whose half sizes in x and y change from the bottom to the top; flat, without lids."""
    loops = []
    for (x, y), z in ((low, z0), (high, z1)):
        loops.append([(x, -y, z), (x, y, z), (-x, y, z), (-x, -y, z)])
    for k in range(4):
        after = (k + 1) % 4
        sculptor.flat([loops[0][k], loops[0][after], loops[1][after], loops[1][k]], look)
    sculptor.flat(loops[1], look)


def _wheeled_bin(sculptor: Sculptor, spec: PropSpec, random: Random) -> None:
    x, y, z = spec.extent_m
    look = _bin_colour(random)
    _tapered(sculptor, (0.72 * x, 0.74 * y), (0.95 * x, 0.95 * y), 0.06, 1.80 * z, look)
    lid = [(-x, 1.80 * z), (x, 1.80 * z), (0.98 * x, 1.88 * z), (-0.6 * x, 2 * z), (-x, 1.96 * z)]
    sculptor.prism(lid, -y, y, look)
    for side in (-1.0, 1.0):
        sculptor.rod((-0.72 * x, side * 0.78 * y, 0.1), (-0.72 * x, side * 0.95 * y, 0.1), 0.1, BLACK, 10)
    sculptor.rod((-x, -0.7 * y, 1.84 * z), (-x, 0.7 * y, 1.84 * z), 0.016, BLACK)


def _wheeled_container(sculptor: Sculptor, spec: PropSpec, random: Random) -> None:
    x, y, z = spec.extent_m
    look = _bin_colour(random)
    _tapered(sculptor, (0.84 * x, 0.80 * y), (0.96 * x, 0.94 * y), 0.18, 1.62 * z, look)
    rows = [
        [
            (-x + 2 * x * t, y * float(np.cos(np.pi * s)), 1.62 * z + 0.38 * z * float(np.sin(np.pi * s)))
            for s in np.linspace(0, 1, 8)
        ]
        for t in (0.0, 1.0)
    ]
    sculptor.grid(rows, TRIM, flip=False)
    for end, row in ((-1, rows[0]), (1, rows[1])):
        sculptor.flat(row if end > 0 else row[::-1], TRIM)
    for sx in (-0.7, 0.7):
        for sy in (-0.62, 0.62):
            wheel(sculptor, (sx * x, sy * y, 0.1), 0.1, 0.05, 0)


def _post_bin(sculptor: Sculptor, spec: PropSpec, random: Random) -> None:
    x, y, z = spec.extent_m
    look = (GREEN, IRON, RED)[int(random.integers(3))]
    sculptor.rod((-0.8 * x, 0.0, 0.0), (-0.8 * x, 0.0, 2 * z), 0.04, STEEL, 8)
    sculptor.lathe(
        [
            (0.0, 0.7 * z),
            (0.80 * y, 0.7 * z),
            (y, 0.8 * z),
            (y, 1.6 * z),
            (0.9 * y, 1.62 * z),
            (0.82 * y, 1.3 * z),
            (0.0, 1.28 * z),
        ],
        [look] * 6,
        (0.2 * x, 0.0, 0.0),
        14,
        (0.8 * x / y, 1.0, 1.0),
    )
    sculptor.lathe(
        [(y, 1.86 * z), (0.6 * y, 1.97 * z), (0.0, 2 * z)], look, (0.2 * x, 0.0, 0.0), 14, (0.8 * x / y, 1.0, 1.0)
    )
    sculptor.cuboid((-0.45 * x, 0.0, 1.1 * z), (0.6 * x, 0.04, 0.05), STEEL)


def _litter_drum(sculptor: Sculptor, spec: PropSpec, random: Random) -> None:
    x, y, z = spec.extent_m
    look = (IRON, GREEN, Look(Material.METAL, (0.40, 0.41, 0.42)))[int(random.integers(3))]
    sculptor.lathe([(0.0, 0.0), (0.85, 0.0), (0.88, 0.06)], BLACK, segments=16, scale=(x, y, 1.0))
    for k in range(16):
        angle = 2 * np.pi * (k + 0.5) / 16
        c, s = float(np.cos(angle)), float(np.sin(angle))
        sculptor.cuboid(
            (0.90 * x * c, 0.90 * y * s, 0.85 * z), (0.03, 0.30 * x, 1.6 * z), look, yaw_deg=float(np.degrees(angle))
        )
    sculptor.lathe([(0.80, 0.08), (0.80, 1.6 * z)], BLACK, segments=16, scale=(x, y, 1.0))
    profile = [(1.0, 1.60 * z), (1.0, 1.74 * z), (0.55, 1.94 * z), (0.30, 2 * z), (0.26, 1.90 * z), (0.0, 1.88 * z)]
    sculptor.lathe(profile, TRIM, segments=16, scale=(x, y, 1.0))


def _barrel(sculptor: Sculptor, spec: PropSpec, random: Random) -> None:
    x, y, z = spec.extent_m
    heights = [0.0, 0.04, 0.62 * z, 0.66 * z, 0.70 * z, 1.30 * z, 1.34 * z, 1.38 * z, 2 * z - 0.03, 2 * z, 2 * z - 0.02]
    radii = [0.96, 1.0, 0.94, 1.0, 0.94, 0.94, 1.0, 0.94, 1.0, 0.95, 0.88]
    look = Look(Material.METAL, (0.16, 0.30, 0.52))
    sculptor.lathe(
        [(0.0, 0.0), *zip(radii, heights, strict=True), (0.0, 2 * z - 0.02)], look, segments=18, scale=(x, y, 1.0)
    )


def _skip(sculptor: Sculptor, spec: PropSpec, random: Random) -> None:
    """An open steel trough, half full of rubble."""
    x, y, z = spec.extent_m
    look = Look(Material.METAL, (0.78, 0.55, 0.10))
    outer = [(-0.78 * x, 0.0), (0.78 * x, 0.0), (x, 1.9 * z), (-x, 1.9 * z)]
    for side in (-1.0, 1.0):
        sculptor.prism(outer, side * 0.95 * y, side * 0.90 * y, look)
        for k in range(-3, 4):
            low, high = sorted((side * 0.95 * y, side * y))
            sculptor.block((k * 0.22 * x - 0.05, low, 0.05), (k * 0.22 * x + 0.05, high, 1.85 * z), look)
    for end in (-1.0, 1.0):
        slope = [
            (end * 0.78 * x, -0.95 * y, 0.0),
            (end * 0.78 * x, 0.95 * y, 0.0),
            (end * x, 0.95 * y, 1.9 * z),
            (end * x, -0.95 * y, 1.9 * z),
        ]
        sculptor.sheet(slope, look)
    sculptor.flat(
        [
            (0.9 * x, -0.9 * y, 1.3 * z),
            (0.9 * x, 0.9 * y, 1.3 * z),
            (-0.9 * x, 0.9 * y, 1.3 * z),
            (-0.9 * x, -0.9 * y, 1.3 * z),
        ],
        Look(Material.SOIL, (0.45, 0.38, 0.30)),
    )
    for edge in (-0.94, 0.94):
        sculptor.block((-x, (edge - 0.06) * y, 1.88 * z), (x, (edge + 0.06) * y, 2 * z), look)
    for _ in range(10):
        place = (float(random.uniform(-0.7, 0.7)) * x, float(random.uniform(-0.6, 0.6)) * y, 1.35 * z)
        size = float(random.uniform(0.12, 0.34))
        sculptor.lump(place, (size, 0.8 * size, 0.6 * size), CONCRETE, int(random.integers(1 << 30)), 0.7)


def _bottle_bank(sculptor: Sculptor, spec: PropSpec, random: Random) -> None:
    x, y, z = spec.extent_m
    profile = [
        (0.80, 0.0),
        (0.98, 0.25 * z),
        (1.0, 0.8 * z),
        (0.92, 1.3 * z),
        (0.68, 1.7 * z),
        (0.25, 1.9 * z),
        (0.0, 1.9 * z),
    ]
    sculptor.lathe(profile, GREEN, segments=16, scale=(x, y, 1.0))
    for angle in range(0, 360, 90):
        c, s = float(np.cos(np.radians(angle))), float(np.sin(np.radians(angle)))
        sculptor.ball(
            (0.88 * x * c, 0.88 * y * s, 1.22 * z), (0.10 + 0.06 * abs(s), 0.10 + 0.06 * abs(c), 0.13), BLACK, 8, 6
        )
        sculptor.cuboid(
            (0.985 * x * c, 0.985 * y * s, 0.7 * z), (0.06, 0.45 * x, 0.35 * z), WHITE, yaw_deg=float(angle)
        )
    sculptor.pipe(
        [(-0.15, 0.0, 1.86 * z), (-0.12, 0.0, 1.98 * z), (0.12, 0.0, 1.98 * z), (0.15, 0.0, 1.86 * z)], 0.025, STEEL
    )


KINDS = {
    "wheeled bin": _wheeled_bin,
    "wheeled container": _wheeled_container,
    "post bin": _post_bin,
    "litter drum": _litter_drum,
    "barrel": _barrel,
    "skip": _skip,
    "bottle bank": _bottle_bank,
}
