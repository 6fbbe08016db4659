"""Props of gardens and playgrounds: plants, tables and chairs, swings, slides, fountains."""

from __future__ import annotations

import numpy as np

from sim_agent.embedded.blueprints import PropSpec
from sim_agent.embedded.models.surface import BLACK, STEEL, TRIM, Look, Sculptor, rings
from sim_agent.embedded.scene import Material

WOOD = Look(Material.WOOD, (0.55, 0.38, 0.23))
STONE = Look(Material.CONCRETE, (0.76, 0.74, 0.70))
CLAY = Look(Material.TILES, (0.70, 0.38, 0.25))
SOIL = Look(Material.SOIL, (0.30, 0.22, 0.16))
PLASTIC = Look(Material.METAL, (0.90, 0.90, 0.88))
WATER = Look(Material.WINDOW, (0.45, 0.60, 0.66))
STRAW = Look(Material.CLOTH, (0.80, 0.68, 0.36))

Random = np.random.Generator


def _leaves(
    sculptor: Sculptor, centre: tuple[float, float, float], size: tuple[float, float, float], count: int, random: Random
) -> None:
    """A bush of leaves: slanted blades from the middle outward, some of them with a flower."""
    green = np.array([0.22, 0.42, 0.16])
    flower = ((0.85, 0.25, 0.35), (0.95, 0.80, 0.25), (0.80, 0.55, 0.85), (0.95, 0.95, 0.92))[int(random.integers(4))]
    for _ in range(count):
        angle, rise = 2 * np.pi * float(random.random()), float(random.uniform(0.15, 1.0))
        out = (
            np.array([np.cos(angle) * size[0], np.sin(angle) * size[1], 0.0])
            * float(random.uniform(0.5, 1.0))
            * (1.15 - 0.75 * rise)
        )
        side = np.array([-np.sin(angle), np.cos(angle), 0.0]) * 0.20 * (size[0] + size[1]) / 2
        root = np.array(centre) + 0.15 * out
        tip = np.array(centre) + out + np.array([0.0, 0.0, rise * size[2]])
        middle = (root + tip) / 2 + np.array([0.0, 0.0, 0.18 * size[2]])
        red, middle_green, blue = (float(c) for c in green * float(random.uniform(0.75, 1.35)))
        shade = (red, middle_green, blue)
        sculptor.leaf(root, middle - side, tip, middle + side, shade)
        if random.random() < 0.22:
            sculptor.ball(tuple(tip), (0.05 * size[2] + 0.012,) * 3, Look(Material.CLOTH, flower), 5, 3)
    top = np.array(centre) + [0.0, 0.0, size[2]]
    fall = np.array([0.0, 0.0, 0.1 * size[2]])
    sculptor.leaf(centre, top - [0.05, 0.0, 0.0] - fall, top, top + [0.05, 0.0, 0.0] - fall, (0.25, 0.45, 0.18))


def _plant_box(sculptor: Sculptor, spec: PropSpec, random: Random) -> None:
    x, y, z = spec.extent_m
    look = (WOOD, STONE, CLAY)[int(random.integers(3))]
    sculptor.block((-x, -y, 0.0), (x, y, 0.95 * z), look)
    sculptor.block((-0.9 * x, -0.85 * y, 0.95 * z), (0.9 * x, 0.85 * y, 0.97 * z), SOIL)
    for share in np.linspace(-0.65, 0.65, 4):
        _leaves(sculptor, (share * x, 0.0, 0.95 * z), (0.30 * x, 0.95 * y, 1.05 * z), 16, random)


def _plant_bed(sculptor: Sculptor, spec: PropSpec, random: Random) -> None:
    x, y, z = spec.extent_m
    sculptor.block((-x, -y, 0.0), (x, y, 0.40 * z), STONE)
    sculptor.block((-0.97 * x, -0.85 * y, 0.40 * z), (0.97 * x, 0.85 * y, 0.43 * z), SOIL)
    for share in np.linspace(-0.9, 0.9, 10):
        _leaves(sculptor, (share * x, 0.0, 0.4 * z), (0.10 * x, 0.9 * y, 1.6 * z), 12, random)


def _plant_pot(sculptor: Sculptor, spec: PropSpec, random: Random) -> None:
    x, y, z = spec.extent_m
    rim = min(1.1 * z, 0.9 * x * 1.2)
    profile = [
        (0.0, 0.0),
        (0.58, 0.0),
        (0.80, 0.8 * rim),
        (0.90, 0.82 * rim),
        (0.90, rim),
        (0.78, rim),
        (0.76, 0.88 * rim),
    ]
    sculptor.lathe(profile, (CLAY, STONE)[int(random.integers(2))], segments=14, scale=(x, y, 1.0))
    sculptor.lathe([(0.77, 0.9 * rim), (0.0, 0.92 * rim)], SOIL, segments=14, scale=(x, y, 1.0))
    _leaves(sculptor, (0.0, 0.0, 0.88 * rim), (x, y, 2 * z - 0.88 * rim), 34, random)


def _large_plant_pot(sculptor: Sculptor, spec: PropSpec, random: Random) -> None:
    x, y, z = spec.extent_m
    profile = [
        (0.0, 0.0),
        (0.50, 0.0),
        (0.55, 0.12 * z),
        (0.90, 0.8 * z),
        (1.0, 0.95 * z),
        (1.0, 1.1 * z),
        (0.90, 1.1 * z),
        (0.88, 1.0 * z),
    ]
    sculptor.lathe(profile, STONE, segments=20, scale=(x, y, 1.0))
    sculptor.lathe([(0.9, 1.02 * z), (0.0, 1.04 * z)], SOIL, segments=20, scale=(x, y, 1.0))
    for angle in np.linspace(0, 2 * np.pi, 6)[:-1]:
        centre = (0.45 * x * float(np.cos(angle)), 0.45 * y * float(np.sin(angle)), z)
        _leaves(sculptor, centre, (0.45 * x, 0.45 * y, z), 14, random)


def _table(sculptor: Sculptor, spec: PropSpec, random: Random) -> None:
    x, y, z = spec.extent_m
    for k in range(5):
        low = -y + 0.4 * y * k
        sculptor.block((-x, low, 2 * z - 0.04), (x, low + 0.38 * y, 2 * z), WOOD)
    for sx in (-0.85, 0.85):
        for sy in (-0.75, 0.75):
            sculptor.cuboid((sx * x, sy * y, z - 0.02), (0.07, 0.07, 2 * z - 0.04), WOOD)
    sculptor.block((-0.85 * x, -0.04, 2 * z - 0.14), (0.85 * x, 0.04, 2 * z - 0.04), WOOD)


def _chair(sculptor: Sculptor, spec: PropSpec, random: Random) -> None:
    """A moulded chair with arms; one sits looking along +x."""
    x, y, z = spec.extent_m
    seat = 0.86 * z
    sculptor.block((-0.75 * x, -0.8 * y, seat - 0.03), (0.85 * x, 0.8 * y, seat + 0.02), PLASTIC)
    back = []
    for share, lean in ((0.0, -0.72), (0.5, -0.85), (0.9, -0.97), (1.0, -1.0)):
        half = y * (0.82 - 0.25 * share**3)
        height = seat + share * (2 * z - seat)
        back.append([(lean * x + 0.12 * x * (t / half) ** 2, t, height) for t in np.linspace(-half, half, 7)])
    sculptor.grid(back, PLASTIC)
    sculptor.grid(np.array(back) - [0.03, 0, 0], PLASTIC, flip=True)
    for side in (-1.0, 1.0):
        sculptor.rod((0.75 * x, side * 0.75 * y, seat), (0.95 * x, side * 0.9 * y, 0.0), 0.03, PLASTIC)
        sculptor.rod((-0.6 * x, side * 0.75 * y, seat), (-0.85 * x, side * 0.95 * y, 0.0), 0.03, PLASTIC)
        sculptor.pipe(
            [
                (0.7 * x, side * 0.85 * y, seat),
                (0.75 * x, side * 0.97 * y, 1.28 * z),
                (-0.8 * x, side * 0.95 * y, 1.32 * z),
            ],
            0.028,
            PLASTIC,
        )


def _parasol_table(sculptor: Sculptor, spec: PropSpec, random: Random) -> None:
    x, y, z = spec.extent_m
    sculptor.lathe([(0.0, 0.0), (0.30, 0.0), (0.28, 0.08), (0.03, 0.10)], PLASTIC, segments=12)
    sculptor.rod((0.0, 0.0, 0.0), (0.0, 0.0, 2 * z), 0.025, STEEL)
    sculptor.lathe(
        [(0.0, 0.70), (0.50 * x, 0.70), (0.52 * x, 0.72), (0.50 * x, 0.74), (0.0, 0.74)], PLASTIC, segments=16
    )
    colours = ((0.86, 0.16, 0.14), (0.92, 0.91, 0.86))
    canopy = rings([(1.0, 1.66 * z), (0.97, 1.72 * z), (0.5, 1.90 * z), (0.02, 1.98 * z)], 16) * [x, y, 1.0]
    looks = [[Look(Material.CLOTH, colours[(column // 2) % 2]) for column in range(16)] for _ in range(3)]
    sculptor.grid(canopy, looks)
    sculptor.grid(canopy - [0, 0, 0.01], Look(Material.CLOTH, (0.55, 0.45, 0.42)), flip=True)


def _hay_bale(sculptor: Sculptor, spec: PropSpec, random: Random) -> None:
    """A round bale that lies along x."""
    x, y, z = spec.extent_m
    profile = rings(
        [(0.0, -1.0), (0.60, -1.0), (0.96, -0.97), (1.0, -0.9), (1.0, 0.9), (0.96, 0.97), (0.60, 1.0), (0.0, 1.0)], 20
    )
    points = np.stack([profile[..., 2] * x, profile[..., 0] * y, z + profile[..., 1] * z], -1)
    sculptor.grid(points, STRAW)
    for share in (-0.5, 0.0, 0.5):
        band = rings([(1.012, share - 0.03), (1.012, share + 0.03)], 20)
        sculptor.grid(
            np.stack([band[..., 2] * x, band[..., 0] * y, z + band[..., 1] * z], -1),
            Look(Material.CLOTH, (0.55, 0.45, 0.22)),
        )


def _dog_house(sculptor: Sculptor, spec: PropSpec, random: Random) -> None:
    x, y, z = spec.extent_m
    sculptor.block((-0.88 * x, -0.85 * y, 0.06), (0.88 * x, 0.85 * y, 1.15 * z), WOOD)
    gable = [(-0.85 * y, 1.15 * z), (0.85 * y, 1.15 * z), (0.0, 1.85 * z)]
    sculptor.prism(gable, -0.88 * x, 0.88 * x, WOOD, axis=0)
    roof = Look(Material.TILES, (0.60, 0.22, 0.16))
    for side in (-1.0, 1.0):
        outline = [(0.0, 2 * z), (0.0, 1.85 * z), (side * y, 1.02 * z), (side * y, 1.15 * z)]
        sculptor.prism(outline, -x, x, roof, axis=0)
    sculptor.block((0.88 * x, -0.35 * y, 0.12), (0.90 * x, 0.35 * y, 0.85 * z), BLACK)
    sculptor.block((-0.92 * x, -0.9 * y, 0.0), (0.92 * x, 0.9 * y, 0.06), WOOD)


def _garden_lamp(sculptor: Sculptor, spec: PropSpec, random: Random) -> None:
    x, y, z = spec.extent_m
    scale = (x, y, z)
    sculptor.lathe(
        [(0.0, 0.0), (0.7, 0.0), (0.6, 0.08), (0.16, 0.14), (0.16, 1.05), (0.5, 1.12), (0.6, 1.2)],
        TRIM,
        segments=10,
        scale=scale,
    )
    sculptor.lathe([(0.55, 1.2), (0.68, 1.66)], Look(Material.STREET_LAMP, (1.0, 0.95, 0.80)), segments=10, scale=scale)
    sculptor.lathe([(1.0, 1.64), (0.8, 1.76), (0.15, 1.94), (0.0, 2.0)], TRIM, segments=10, scale=scale)


def _barbecue(sculptor: Sculptor, spec: PropSpec, random: Random) -> None:
    x, y, z = spec.extent_m
    sculptor.ball((0.0, 0.0, 1.35 * z), (0.62 * x, 0.98 * y, 0.38 * z), BLACK, 14, 8)
    sculptor.ball((0.0, 0.0, 1.50 * z), (0.58 * x, 0.92 * y, 0.42 * z), Look(Material.METAL, (0.55, 0.10, 0.08)), 14, 8)
    for angle in (90.0, 210.0, 330.0):
        c, s = float(np.cos(np.radians(angle))), float(np.sin(np.radians(angle)))
        sculptor.rod((0.3 * x * c, 0.5 * y * s, 1.1 * z), (0.55 * x * c, 0.95 * y * s, 0.0), 0.02, STEEL)
    sculptor.block((0.55 * x, -0.6 * y, 1.34 * z), (x, 0.6 * y, 1.40 * z), WOOD)
    sculptor.block((-x, -0.3 * y, 1.34 * z), (-0.55 * x, 0.3 * y, 1.40 * z), WOOD)
    sculptor.rod((0.0, 0.0, 1.9 * z), (0.0, 0.0, 2 * z), 0.03, WOOD)


def _clothes_line(sculptor: Sculptor, spec: PropSpec, random: Random) -> None:
    """Two posts, two lines, washing."""
    x, y, z = spec.extent_m
    for end in (-0.98, 0.98):
        sculptor.rod((end * x, 0.0, 0.0), (end * x, 0.0, 2 * z - 0.02), 0.035, STEEL)
        sculptor.rod((end * x, -y, 2 * z - 0.05), (end * x, y, 2 * z - 0.05), 0.025, STEEL)
    for side in (-0.9, 0.9):
        sculptor.rod((-0.98 * x, side * y, 2 * z - 0.05), (0.98 * x, side * y, 2 * z - 0.05), 0.006, STEEL, 3)
        place = -0.85 * x
        while place < 0.7 * x:
            width, drop = float(random.uniform(0.2, 0.5)), float(random.uniform(0.4, 0.9))
            colour = tuple(float(c) for c in random.uniform(0.25, 0.95, 3))
            corners = [
                (place, side * y, 2 * z - 0.05 - drop),
                (place + width, side * y, 2 * z - 0.05 - drop),
                (place + width, side * y, 2 * z - 0.05),
                (place, side * y, 2 * z - 0.05),
            ]
            sculptor.sheet(corners, Look(Material.CLOTH, colour))  # type: ignore[arg-type]
            place += width + float(random.uniform(0.08, 0.3))


def _gnome(sculptor: Sculptor, spec: PropSpec, random: Random) -> None:
    x, y, z = spec.extent_m
    scale = (x, y, z)
    sculptor.lathe(
        [(0.0, 0.0), (0.95, 0.0), (1.0, 0.12), (0.85, 0.5), (0.62, 0.95), (0.3, 1.02)],
        Look(Material.CLOTH, (0.15, 0.30, 0.60)),
        segments=12,
        scale=scale,
    )
    sculptor.ball(
        (0.05 * x, 0.0, 1.12 * z), (0.42 * x, 0.42 * y, 0.24 * z), Look(Material.SKIN, (0.90, 0.66, 0.55)), 10, 6
    )
    sculptor.ball(
        (0.22 * x, 0.0, 0.92 * z), (0.40 * x, 0.40 * y, 0.30 * z), Look(Material.CLOTH, (0.93, 0.92, 0.90)), 10, 6
    )
    sculptor.ball(
        (0.5 * x, 0.0, 1.14 * z), (0.12 * x, 0.12 * y, 0.07 * z), Look(Material.SKIN, (0.90, 0.52, 0.45)), 6, 4
    )
    sculptor.lathe(
        [(0.52, 1.22), (0.40, 1.40), (0.15, 1.8), (0.0, 2.0)],
        Look(Material.CLOTH, (0.80, 0.10, 0.10)),
        segments=12,
        scale=scale,
    )


KINDS = {
    "plant box": _plant_box,
    "plant bed": _plant_bed,
    "plant pot": _plant_pot,
    "large plant pot": _large_plant_pot,
    "table": _table,
    "chair": _chair,
    "parasol table": _parasol_table,
    "hay bale": _hay_bale,
    "dog house": _dog_house,
    "garden lamp": _garden_lamp,
    "barbecue": _barbecue,
    "clothes line": _clothes_line,
    "gnome": _gnome,
}
