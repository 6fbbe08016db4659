"""Props of roads: cones, barriers, warning signs, sign boards, rubble."""

from __future__ import annotations

import numpy as np

from sim_agent.embedded.blueprints import PropSpec
from sim_agent.embedded.models.surface import BLACK, STEEL, TRIM, Look, Sculptor, rings
from sim_agent.embedded.models.wheels import wheel
from sim_agent.embedded.scene import Material

ORANGE = Look(Material.CLOTH, (0.92, 0.33, 0.06))
WHITE_BAND = Look(Material.SIGN, (0.92, 0.92, 0.90))
RED_BAND = Look(Material.SIGN, (0.80, 0.08, 0.07))
YELLOW_BAND = Look(Material.SIGN, (0.95, 0.78, 0.10))
BLUE_BOARD = Look(Material.SIGN, (0.08, 0.25, 0.60))
GREEN_BOARD = Look(Material.SIGN, (0.06, 0.38, 0.22))
CONCRETE = Look(Material.CONCRETE, (0.72, 0.71, 0.68))
LAMP = Look(Material.SIGNAL_LAMP, (1.0, 0.62, 0.08))

Random = np.random.Generator


def _cone(sculptor: Sculptor, spec: PropSpec, random: Random) -> None:
    x, y, z = spec.extent_m
    base = 0.09 * z
    sculptor.block((-x, -y, 0.0), (x, y, base), ORANGE if "traffic" in spec.id else BLACK)
    radius, top = 0.74 * x, 0.14 * x
    heights = [base, 0.5 * z, 0.86 * z, 1.12 * z, 1.42 * z, 2 * z]
    profile = [(radius + (top - radius) * (h - base) / (2 * z - base), h) for h in heights]
    sculptor.lathe([*profile, (0.0, 2 * z)], [ORANGE, WHITE_BAND, ORANGE, WHITE_BAND, ORANGE, BLACK], segments=16)


def _delineator(sculptor: Sculptor, spec: PropSpec, random: Random) -> None:
    x, y, z = spec.extent_m
    sculptor.lathe([(0.0, 0.0), (x, 0.0), (x, 0.05), (0.5 * x, 0.09), (0.0, 0.09)], BLACK, segments=12)
    profile = [
        (0.05, 0.08),
        (0.05, 0.55 * z),
        (0.05, 0.95 * z),
        (0.05, 1.15 * z),
        (0.05, 1.55 * z),
        (0.045, 2 * z),
        (0.0, 2 * z),
    ]
    sculptor.lathe(profile, [ORANGE, WHITE_BAND, ORANGE, WHITE_BAND, ORANGE, ORANGE], segments=12)


def _barrier(sculptor: Sculptor, spec: PropSpec, random: Random) -> None:
    """Two striped boards on two feet."""
    x, y, z = spec.extent_m
    for side in (-0.8, 0.8):
        sculptor.block((side * x - 0.03, -0.03, 0.0), (side * x + 0.03, 0.03, 2 * z), STEEL)
        sculptor.block((side * x - 0.05, -y, 0.0), (side * x + 0.05, y, 0.06), BLACK)
    for low, high in ((1.45 * z, 1.95 * z), (0.75 * z, 1.10 * z)):
        sculptor.block((-x, -0.02, low), (x, 0.02, high), WHITE_BAND)
        _slanted_stripes(sculptor, x, low, high, 0.024)


def _slanted_stripes(sculptor: Sculptor, half: float, low: float, high: float, y: float, look: Look = RED_BAND) -> None:
    """Slanted stripes on both faces of a board that stands along x."""
    count = max(3, round(2 * half / 0.35))
    step = 2 * half / count
    slant = min(0.5 * step, high - low)
    for k in range(count):
        left = -half + k * step
        quad = [
            (left, y, low),
            (left + 0.5 * step, y, low),
            (left + 0.5 * step + slant, y, high),
            (left + slant, y, high),
        ]
        points = np.clip(np.array(quad), [-half, -9, -9], [half, 9, 9])
        sculptor.flat(points[::-1], look)
        sculptor.flat(points * [1.0, -1.0, 1.0], look)


def _warning_sign(sculptor: Sculptor, spec: PropSpec, random: Random) -> None:
    """A triangle on a folding tripod, seen from x and from -x."""
    x, y, z = spec.extent_m
    apex = (0.0, 0.0, 0.95 * z)
    for foot in ((x, 0.0), (-x, y), (-x, -y)):
        sculptor.rod((foot[0], foot[1], 0.0), apex, 0.018, STEEL, 5)
    side = min(0.9 * y, 0.55 * z)
    sculptor.rod((0.0, 0.0, 0.9 * z), (0.0, 0.0, 1.2 * z), 0.02, STEEL)
    for depth, scale, look in (
        (0.02, 1.0, RED_BAND),
        (0.026, 0.74, WHITE_BAND if "accident" in spec.id else YELLOW_BAND),
    ):
        low, high = 1.12 * z + (1 - scale) * 0.35 * z, 2 * z - (1 - scale) * 0.62 * z
        outline = [(-side * scale, low), (side * scale, low), (0.0, high)]
        sculptor.prism(outline, -depth, depth, look, axis=0)
    symbol = [(-0.10 * side, 1.28 * z), (0.10 * side, 1.28 * z), (0.07 * side, 1.66 * z), (-0.07 * side, 1.66 * z)]
    sculptor.prism(symbol, -0.03, 0.03, BLACK, axis=0)


def _arrow_trailer(sculptor: Sculptor, spec: PropSpec, random: Random) -> None:
    """A trailer with a board of lamps in the shape of an arrow."""
    x, y, z = spec.extent_m
    sculptor.block((-0.8 * x, -0.42 * y, 0.45), (0.6 * x, 0.42 * y, 0.62), YELLOW_BAND)
    sculptor.block((0.6 * x, -0.05, 0.48), (x, 0.05, 0.58), TRIM)
    for side in (-1.0, 1.0):
        wheel(sculptor, (-0.1 * x, side * 0.55 * y, 0.34), 0.34, 0.20, 0)
    for side in (-0.5, 0.5):
        sculptor.rod((-0.3 * x, side * y, 0.6), (-0.3 * x, side * y, 2 * z - 0.1), 0.05, STEEL)
    board = -0.3 * x
    sculptor.block((board - 0.06, -y, 1.02 * z), (board + 0.06, y, 2 * z), BLACK)
    sculptor.block((board - 0.055, -y, 0.62 * z), (board + 0.055, y, 0.98 * z), WHITE_BAND)
    for k in range(-2, 3):
        low, high = sorted((0.36 * k * y, (0.36 * k + 0.18) * y))
        sculptor.block((board - 0.062, low, 0.62 * z), (board + 0.062, high, 0.98 * z), RED_BAND)
    places = [(t, 0.0) for t in np.linspace(-0.7, 0.7, 6)] + [(0.45, 0.22), (0.45, -0.22), (0.2, 0.42), (0.2, -0.42)]
    for across, up in places:
        for face in (-1.0, 1.0):
            centre = (board + face * 0.07, across * y, 1.5 * z + up * 0.8 * z)
            sculptor.ball(centre, (0.04, 0.09, 0.09), LAMP, 8, 4)


def _board_sign(sculptor: Sculptor, spec: PropSpec, random: Random) -> None:
    """A board on two posts, with lines of writing on it."""
    x, y, z = spec.extent_m
    for side in (-0.75, 0.75):
        sculptor.rod((side * x, 0.0, 0.0), (side * x, 0.0, 2 * z - 0.02), 0.4 * y, STEEL)
    board = BLUE_BOARD if random.random() < 0.5 else GREEN_BOARD
    low = 2 * z - 1.1 * x
    sculptor.block((-x, -y, low), (x, y, 2 * z), WHITE_BAND)
    sculptor.block((-0.95 * x, -y - 0.004, low + 0.05 * x), (0.95 * x, y + 0.004, 2 * z - 0.05 * x), board)
    for k in range(3):
        width = x * (0.4 + 0.4 * float(random.random()))
        height = low + (0.24 + 0.26 * k) * 1.1 * x
        sculptor.block((-0.8 * x, -y - 0.008, height), (-0.8 * x + width, y + 0.008, height + 0.10 * x), WHITE_BAND)


def _direction_sign(sculptor: Sculptor, spec: PropSpec, random: Random) -> None:
    """A board held out from a single post."""
    x, y, z = spec.extent_m
    sculptor.rod((-0.85 * x, 0.0, 0.0), (-0.85 * x, 0.0, 2 * z), 0.09, STEEL, 10)
    for low, look in ((1.55 * z, GREEN_BOARD), (1.16 * z, BLUE_BOARD)):
        outline = [
            (-0.8 * x, low),
            (0.80 * x, low),
            (x, low + 0.18 * z),
            (0.80 * x, low + 0.36 * z),
            (-0.8 * x, low + 0.36 * z),
        ]
        sculptor.prism(outline, -0.05, 0.05, look)
        for row in (0.08, 0.21):
            width = x * (0.7 + 0.6 * float(random.random()))
            sculptor.block(
                (-0.7 * x, -0.056, low + row * z), (-0.7 * x + width, 0.056, low + (row + 0.07) * z), WHITE_BAND
            )
    sculptor.lathe([(0.0, 0.0), (y, 0.0), (y, 0.10), (0.09, 0.14)], STEEL, (-0.85 * x, 0.0, 0.0), 10)


def _chain_post(sculptor: Sculptor, x: float, spec: PropSpec) -> None:
    radius, top = spec.extent_m[1], 2 * spec.extent_m[2]
    profile = [
        (0.0, 0.0),
        (radius, 0.0),
        (radius, 0.04),
        (0.38 * radius, 0.10),
        (0.36 * radius, 0.8 * top),
        (0.55 * radius, 0.84 * top),
    ]
    profile += [(0.60 * radius, 0.92 * top), (0.36 * radius, 0.99 * top), (0.0, top)]
    sculptor.lathe(profile, TRIM, (x, 0.0, 0.0), 10)


def _bollard(sculptor: Sculptor, spec: PropSpec, random: Random) -> None:
    _chain_post(sculptor, 0.0, spec)


def _chain_barrier(sculptor: Sculptor, spec: PropSpec, random: Random) -> None:
    """A post, and a chain that hangs to where the next one stands."""
    x, y, z = spec.extent_m
    _chain_post(sculptor, -x + y, spec)
    ends = np.linspace(-x + y, x, 12)
    sag = 0.25 * z * (1 - (2 * np.linspace(0, 1, 12) - 1) ** 2)
    sculptor.pipe(np.column_stack([ends, np.zeros(12), 1.6 * z - sag]), 0.016, STEEL, 5)


def _iron_plate(sculptor: Sculptor, spec: PropSpec, random: Random) -> None:
    x, y, z = spec.extent_m
    sculptor.block((-x, -y, 0.0), (x, y, 2 * z), Look(Material.METAL, (0.36, 0.33, 0.31)))


def _debris(sculptor: Sculptor, spec: PropSpec, random: Random) -> None:
    """Clods and broken stones on a flat heap."""
    x, y, z = spec.extent_m
    soil = Look(Material.SOIL, (0.42, 0.34, 0.26))
    heap = rings([(1.0, 0.0), (0.85, 0.45), (0.55, 0.75), (0.25, 0.85), (0.0, 0.9)], 14) * (x, y, z)
    heap[1:4, :-1, 2] *= random.uniform(0.7, 1.2, (3, 14))
    heap[:, -1] = heap[:, 0]
    sculptor.grid(heap, soil)
    for _ in range(16):
        angle, share = 2 * np.pi * random.random(), float(random.random()) ** 0.6
        size = z * (0.4 + 0.7 * float(random.random()))
        place = (0.8 * x * share * float(np.cos(angle)), 0.8 * y * share * float(np.sin(angle)), 0.55 * size)
        sculptor.lump(
            place,
            (size, 0.8 * size, 0.75 * size),
            CONCRETE if random.random() < 0.4 else soil,
            int(random.integers(1 << 30)),
            0.7,
        )


def _shard(sculptor: Sculptor, spec: PropSpec, random: Random) -> None:
    """A broken tile."""
    x, y, z = spec.extent_m
    angles = np.sort(2 * np.pi * (np.arange(6) + 0.7 * random.random(6)) / 6)
    outline = np.column_stack([x * np.cos(angles), y * np.sin(angles)])
    sculptor.prism(outline, 0.0, 2 * z, Look(Material.TILES, (0.66, 0.42, 0.32)), axis=2)


def _calibration_board(sculptor: Sculptor, spec: PropSpec, random: Random) -> None:
    """A sloping chequered board on a black foot."""
    x, y, z = spec.extent_m
    sculptor.block((-x, -y, 0.0), (x, y, 0.5 * z), BLACK)
    columns, rows = 10, 5
    xs, ys = np.linspace(-x, x, columns + 1), np.linspace(-y, y, rows + 1)
    grid = np.stack(np.broadcast_arrays(xs[None, :], ys[:, None], (0.5 + 1.5 * (ys[:, None] + y) / (2 * y)) * z), -1)
    looks = [[WHITE_BAND if (row + column) % 2 else BLACK for column in range(columns)] for row in range(rows)]
    sculptor.grid(grid, looks)
    for end in (-x, x):
        outline = [(-y, 0.0), (y, 0.0), (y, 2 * z), (-y, 0.5 * z)]
        sculptor.prism(outline, end, 0.98 * end, BLACK, axis=0)


KINDS = {
    "cone": _cone,
    "delineator": _delineator,
    "barrier": _barrier,
    "warning sign": _warning_sign,
    "arrow trailer": _arrow_trailer,
    "board sign": _board_sign,
    "direction sign": _direction_sign,
    "bollard": _bollard,
    "chain barrier": _chain_barrier,
    "iron plate": _iron_plate,
    "debris": _debris,
    "shard": _shard,
    "calibration board": _calibration_board,
}
