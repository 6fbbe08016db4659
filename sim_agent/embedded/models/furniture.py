"""Props that stand in streets: benches, bins, shelters, machines, containers."""

from __future__ import annotations

import numpy as np

from sim_agent.embedded.blueprints import PropSpec
from sim_agent.embedded.models.surface import BLACK, GLASS, STEEL, TRIM, Look, Sculptor
from sim_agent.embedded.models.wheels import wheel
from sim_agent.embedded.pose import Pose
from sim_agent.embedded.scene import Material

WOOD = Look(Material.WOOD, (0.52, 0.36, 0.22))
IRON = Look(Material.METAL, (0.12, 0.14, 0.13))
CONCRETE = Look(Material.CONCRETE, (0.72, 0.71, 0.68))
GREEN = Look(Material.METAL, (0.10, 0.30, 0.16))
BLUE = Look(Material.METAL, (0.10, 0.22, 0.48))
YELLOW = Look(Material.METAL, (0.88, 0.70, 0.10))
RED = Look(Material.METAL, (0.70, 0.10, 0.09))
WHITE = Look(Material.METAL, (0.88, 0.88, 0.87))
POSTER = (
    Look(Material.SIGN, (0.85, 0.30, 0.22)),
    Look(Material.SIGN, (0.20, 0.45, 0.70)),
    Look(Material.SIGN, (0.90, 0.72, 0.20)),
    Look(Material.SIGN, (0.30, 0.60, 0.42)),
)
SCREEN = Look(Material.WINDOW, (0.35, 0.50, 0.60))

Random = np.random.Generator


def _poster(sculptor: Sculptor, x: float, y0: float, y1: float, z0: float, z1: float, random: Random) -> None:
    """A coloured poster on both faces of a wall at x that stands along y: a picture, a heading, lines."""
    for side in (-1.0, 1.0):
        face = x + side * 0.004
        ground, picture, words = (POSTER[int(k)] for k in random.permutation(4)[:3])
        for depth, (a, b, c, d), look in (
            (0.000, (y0, y1, z0, z1), ground),
            (
                0.003,
                (y0 + 0.1 * (y1 - y0), y0 + 0.9 * (y1 - y0), z0 + 0.42 * (z1 - z0), z0 + 0.92 * (z1 - z0)),
                picture,
            ),
            (0.003, (y0 + 0.1 * (y1 - y0), y0 + 0.75 * (y1 - y0), z0 + 0.22 * (z1 - z0), z0 + 0.34 * (z1 - z0)), words),
            (0.003, (y0 + 0.1 * (y1 - y0), y0 + 0.60 * (y1 - y0), z0 + 0.08 * (z1 - z0), z0 + 0.16 * (z1 - z0)), words),
        ):
            at = face + side * depth
            corners = [(at, a, c), (at, b, c), (at, b, d), (at, a, d)]
            sculptor.flat(corners if side > 0 else corners[::-1], look)


def _poster_stand(sculptor: Sculptor, spec: PropSpec, random: Random) -> None:
    x, y, z = spec.extent_m
    turned = Sculptor(tag=sculptor.tag)
    turned.block((-y, -x, 0.30), (y, x, 2 * z), TRIM)
    turned.block((-0.9 * y, -0.8 * x, 0.0), (0.9 * y, 0.8 * x, 0.30), IRON)
    _poster(turned, y, -0.88 * x, 0.88 * x, 0.42, 2 * z - 0.12, random)
    _poster(turned, -y, -0.88 * x, 0.88 * x, 0.42, 2 * z - 0.12, random)
    sculptor.add_mesh(turned.build(), Pose(yaw_deg=90.0))


def _cash_machine(sculptor: Sculptor, spec: PropSpec, random: Random) -> None:
    x, y, z = spec.extent_m
    sculptor.block((-x, -y, 0.0), (0.8 * x, y, 2 * z), BLUE)
    sculptor.block((0.8 * x, -y, 1.75 * z), (x, y, 2 * z), Look(Material.SIGN, (0.95, 0.80, 0.15)))
    sculptor.block((0.8 * x, -0.6 * y, 1.15 * z), (0.84 * x, 0.6 * y, 1.6 * z), SCREEN)
    outline = [(0.8 * x, 0.85 * z), (x, 0.85 * z), (x, 0.90 * z), (0.8 * x, 1.02 * z)]
    sculptor.prism(outline, -0.8 * y, 0.8 * y, STEEL)
    sculptor.block((0.8 * x, -0.5 * y, 0.45 * z), (0.82 * x, 0.5 * y, 0.50 * z), BLACK)


def _bench_with_back(sculptor: Sculptor, spec: PropSpec, random: Random) -> None:
    """Slats on two cast ends; one sits looking along +y."""
    x, y, z = spec.extent_m
    seat = 0.92 * z
    for share in np.linspace(-0.45, 0.85, 5):
        sculptor.block((-x, share * y, seat - 0.02), (x, share * y + 0.20 * y, seat + 0.02), WOOD)
    for share in (0.25, 0.55, 0.85):
        height = seat + share * (2 * z - seat)
        back = -0.62 * y - 0.30 * y * share
        sculptor.block((-x, back - 0.02, height - 0.06), (x, back + 0.02, height + 0.05), WOOD)
    for side in (-0.82, 0.82):
        path = [
            (side * x, 0.85 * y, 0.0),
            (side * x, 0.80 * y, seat - 0.03),
            (side * x, -0.55 * y, seat - 0.04),
            (side * x, -0.95 * y, 2 * z),
        ]
        sculptor.pipe(path, 0.028, IRON, 6)
        sculptor.pipe(
            [(side * x, -0.98 * y, 0.0), (side * x, -0.6 * y, 0.5 * seat), (side * x, -0.55 * y, seat)], 0.028, IRON, 6
        )
        sculptor.pipe(
            [(side * x, 0.80 * y, seat), (side * x, 0.75 * y, seat + 0.2), (side * x, -0.65 * y, seat + 0.22)],
            0.022,
            IRON,
            6,
        )


def _bench(sculptor: Sculptor, spec: PropSpec, random: Random) -> None:
    x, y, z = spec.extent_m
    for share in np.linspace(-1.0, 0.62, 5):
        sculptor.block((-x, share * y, 2 * z - 0.05), (x, share * y + 0.30 * y, 2 * z), WOOD)
    for side in (-0.75, 0.75):
        sculptor.block((side * x - 0.05, -0.9 * y, 0.0), (side * x + 0.05, 0.9 * y, 2 * z - 0.05), CONCRETE)


def _stone_bench(sculptor: Sculptor, spec: PropSpec, random: Random) -> None:
    x, y, z = spec.extent_m
    sculptor.block((-x, -y, 1.55 * z), (x, y, 2 * z), CONCRETE)
    for side in (-0.65, 0.65):
        sculptor.block((side * x - 0.16, -0.8 * y, 0.0), (side * x + 0.16, 0.8 * y, 1.55 * z), CONCRETE)


def _bus_stop(sculptor: Sculptor, spec: PropSpec, random: Random) -> None:
    """A shelter that opens to +x: back wall and one side of glass, roof, bench, poster, timetable."""
    x, y, z = spec.extent_m
    for sx in (-0.92, 0.55):
        for sy in (-0.97, 0.97):
            sculptor.rod((sx * x, sy * y, 0.0), (sx * x, sy * y, 1.9 * z), 0.05, IRON, 8)
    outline = [(-x, 1.86 * z), (x, 1.94 * z), (x, 2 * z), (-x, 1.93 * z)]
    sculptor.prism(outline, -y, y, TRIM)
    back = -0.92 * x
    for k in range(3):
        low, high = -0.93 * y + k * 0.62 * y, -0.93 * y + (k + 1) * 0.62 * y - 0.06
        sculptor.block((back - 0.015, low, 0.25), (back + 0.015, high, 1.80 * z), GLASS)
        sculptor.block((back - 0.03, high, 0.0), (back + 0.03, high + 0.06, 1.86 * z), IRON)
    sculptor.block((-0.85 * x, -0.985 * y, 0.25), (0.50 * x, -0.955 * y, 1.80 * z), GLASS)
    sculptor.block((-0.78 * x, -0.7 * y, 0.44), (-0.40 * x, 0.45 * y, 0.49), WOOD)
    for sy in (-0.55, 0.3):
        sculptor.block((-0.66 * x, sy * y - 0.03, 0.0), (-0.52 * x, sy * y + 0.03, 0.44), IRON)
    wall = Sculptor(tag=sculptor.tag)
    wall.block((-0.06, -0.72 * x, 0.25), (0.06, 0.55 * x, 1.78 * z), TRIM)
    for face in (-0.06, 0.06):
        _poster(wall, face, -0.62 * x, 0.45 * x, 0.40, 1.66 * z, random)
    sculptor.add_mesh(wall.build(), Pose(-0.05 * x, 0.965 * y, yaw_deg=90.0))
    sculptor.block((0.9 * x, -0.5 * y, 1.78 * z), (0.94 * x, 0.5 * y, 1.94 * z), YELLOW)


def _vending_machine(sculptor: Sculptor, spec: PropSpec, random: Random) -> None:
    """A machine whose window, full of cans, looks along +x."""
    x, y, z = spec.extent_m
    body = (RED, BLUE, WHITE)[int(random.integers(3))]
    sculptor.block((-x, -y, 0.05), (0.94 * x, y, 2 * z), body)
    sculptor.block((-0.9 * x, -0.92 * y, 0.0), (0.85 * x, 0.92 * y, 0.05), BLACK)
    face = 0.94 * x
    sculptor.block((face, -0.88 * y, 0.55 * z), (face + 0.004, 0.45 * y, 1.86 * z), GLASS)
    for row in range(5):
        for column in range(6):
            look = POSTER[int(random.integers(4))]
            low = -0.82 * y + column * 0.205 * y
            sculptor.block((face, low, (0.62 + 0.24 * row) * z), (x, low + 0.13 * y, (0.76 + 0.24 * row) * z), look)
    sculptor.block((face, 0.55 * y, 0.9 * z), (x, 0.90 * y, 1.5 * z), TRIM)
    sculptor.block((face, 0.62 * y, 1.32 * z), (x + 0.002, 0.83 * y, 1.42 * z), SCREEN)
    sculptor.block((face, -0.6 * y, 0.18 * z), (x, 0.3 * y, 0.40 * z), BLACK)


def _mailbox(sculptor: Sculptor, spec: PropSpec, random: Random) -> None:
    x, y, z = spec.extent_m
    look = (BLUE, RED, YELLOW)[int(random.integers(3))]
    for sx in (-0.75, 0.75):
        for sy in (-0.75, 0.75):
            sculptor.cuboid((sx * x, sy * y, 0.15 * z), (0.05, 0.05, 0.3 * z), look)
    rows = []
    for y_end in (-y, y):
        arc = [(x * float(np.cos(a)), y_end, 1.45 * z + 0.55 * z * float(np.sin(a))) for a in np.linspace(0, np.pi, 11)]
        rows.append([(x, y_end, 0.3 * z), *arc, (-x, y_end, 0.3 * z)])
    sculptor.grid(rows, look, flip=True)
    sculptor.flat(rows[0], look)
    sculptor.flat(rows[1][::-1], look)
    sculptor.flat([(x, -y, 0.3 * z), (-x, -y, 0.3 * z), (-x, y, 0.3 * z), (x, y, 0.3 * z)], look)
    sculptor.block((0.93 * x, -0.7 * y, 1.50 * z), (0.99 * x, 0.7 * y, 1.58 * z), BLACK)
    sculptor.block((x - 0.005, -0.5 * y, 0.9 * z), (x + 0.002, 0.5 * y, 1.2 * z), WHITE)


def _donation_container(sculptor: Sculptor, spec: PropSpec, random: Random) -> None:
    x, y, z = spec.extent_m
    sculptor.block((-x, -y, 0.1), (x, y, 1.7 * z), YELLOW)
    sculptor.prism([(-x, 1.7 * z), (x, 1.7 * z), (0.5 * x, 2 * z), (-0.5 * x, 2 * z)], -y, y, YELLOW)
    sculptor.block((0.9 * x, -0.6 * y, 1.25 * z), (1.01 * x, 0.6 * y, 1.6 * z), STEEL)
    _poster(sculptor, x, -0.8 * y, 0.8 * y, 0.3 * z, 1.1 * z, random)
    for side in (-0.8, 0.8):
        sculptor.block((-x, side * y - 0.08, 0.0), (x, side * y + 0.08, 0.1), IRON)


def _kiosk(sculptor: Sculptor, spec: PropSpec, random: Random) -> None:
    """An advertising column with a hat, as tall as a floor."""
    x, y, z = spec.extent_m
    sculptor.lathe(
        [(0.0, 0.0), (0.92, 0.0), (0.92, 0.25), (0.80, 0.30), (0.80, 1.55 * z)], GREEN, segments=20, scale=(x, y, 1.0)
    )
    profile = [
        (0.80, 1.55 * z),
        (1.0, 1.58 * z),
        (1.0, 1.66 * z),
        (0.80, 1.72 * z),
        (0.55, 1.84 * z),
        (0.12, 1.90 * z),
        (0.05, 2 * z),
        (0.0, 2 * z),
    ]
    sculptor.lathe(profile, GREEN, segments=20, scale=(x, y, 1.0))
    for k in range(5):
        angles = 2 * np.pi * (k + np.linspace(0.08, 0.92, 4)) / 5
        rows = [
            [(0.815 * x * float(np.cos(a)), 0.815 * y * float(np.sin(a)), height) for a in angles]
            for height in (0.5, 1.1 * z, 1.48 * z)
        ]
        first, second = (POSTER[int(j)] for j in random.permutation(4)[:2])
        sculptor.grid(rows, [[first] * 3, [second] * 3])


def _map_table(sculptor: Sculptor, spec: PropSpec, random: Random) -> None:
    x, y, z = spec.extent_m
    for side in (-0.7, 0.7):
        sculptor.block((side * x - 0.05, -0.25 * y, 0.0), (side * x + 0.05, 0.25 * y, 1.4 * z), WOOD)
    board = [(-y, 1.24 * z), (y, 1.92 * z), (y, 2 * z), (-y, 1.32 * z)]
    sculptor.prism(board, -x, x, WOOD, axis=0)
    chart = [[(-0.9 * x, side * 0.85 * y, (1.66 + 0.34 * 0.85 * side) * z + 0.006) for side in (-1.0, 1.0)]]
    chart.append([(-px, py, pz) for px, py, pz in chart[0]])
    sculptor.grid(chart, Look(Material.SIGN, (0.80, 0.86, 0.72)), flip=True)


def _food_cart(sculptor: Sculptor, spec: PropSpec, random: Random) -> None:
    """A trailer with a counter that opens to +x under a striped awning."""
    x, y, z = spec.extent_m
    floor = 0.45
    sculptor.block((-x, -0.95 * y, floor), (0.45 * x, 0.95 * y, 1.75 * z), RED)
    sculptor.block((-x, -0.95 * y, 1.75 * z), (0.5 * x, 0.95 * y, 1.82 * z), WHITE)
    sculptor.block((0.45 * x, -0.75 * y, floor + 0.75), (0.46 * x, 0.75 * y, 1.45 * z), BLACK)
    sculptor.block((0.45 * x, -0.8 * y, floor + 0.68), (0.72 * x, 0.8 * y, floor + 0.75), STEEL)
    stripes = 10
    for k in range(stripes):
        low, high = (-0.85 + 1.7 * k / stripes) * y, (-0.85 + 1.7 * (k + 1) / stripes) * y
        corners = [(0.45 * x, low, 1.62 * z), (x, low, 1.38 * z), (x, high, 1.38 * z), (0.45 * x, high, 1.62 * z)]
        sculptor.sheet(corners, Look(Material.CLOTH, (0.85, 0.15, 0.12) if k % 2 else (0.92, 0.90, 0.86)))
    sculptor.block((-0.1 * x, -0.5 * y, 1.82 * z), (-0.05 * x, 0.5 * y, 2 * z), Look(Material.SIGN, (0.95, 0.80, 0.20)))
    for side in (-0.45, 0.45):
        for end in (-0.9, 0.35):
            wheel(sculptor, (end * x + (0.15 if end < 0 else -0.15), side * y, 0.3), 0.3, 0.16, 0)
    sculptor.rod((-0.3 * x, 0.95 * y, floor + 0.1), (-0.3 * x, y, floor + 0.1), 0.05, IRON)
    sculptor.rod((-0.3 * x, -y, floor + 0.1), (-0.3 * x, -0.95 * y, floor + 0.1), 0.05, IRON)


def _drinking_fountain(sculptor: Sculptor, spec: PropSpec, random: Random) -> None:
    x, y, z = spec.extent_m
    sculptor.block((-x, -0.35 * y, 0.0), (x, 0.35 * y, 1.6 * z), CONCRETE)
    sculptor.lathe(
        [(0.3, 1.4 * z), (0.9, 1.6 * z), (1.0, 1.72 * z), (0.9, 1.72 * z), (0.6, 1.62 * z), (0.0, 1.60 * z)],
        STEEL,
        (0.0, 0.45 * y, 0.0),
        14,
        (x, 0.55 * y, 1.0),
    )
    sculptor.lathe(
        [(0.3, 0.9 * z), (0.9, 1.1 * z), (1.0, 1.2 * z), (0.0, 1.12 * z)],
        STEEL,
        (0.0, -0.45 * y, 0.0),
        14,
        (x, 0.55 * y, 1.0),
    )
    sculptor.pipe([(0.0, 0.0, 1.6 * z), (0.0, 0.05, 1.96 * z), (0.0, 0.3 * y, 2 * z - 0.02)], 0.02, STEEL)


KINDS = {
    "poster stand": _poster_stand,
    "cash machine": _cash_machine,
    "bench with back": _bench_with_back,
    "bench": _bench,
    "stone bench": _stone_bench,
    "bus stop": _bus_stop,
    "vending machine": _vending_machine,
    "mailbox": _mailbox,
    "donation container": _donation_container,
    "kiosk": _kiosk,
    "map table": _map_table,
    "food cart": _food_cart,
    "drinking fountain": _drinking_fountain,
}
