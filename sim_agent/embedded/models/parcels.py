"""Props that people carry, wear or throw away: bags, boxes, cases, trolleys, cans."""

from __future__ import annotations

import numpy as np

from sim_agent.embedded.blueprints import PropSpec
from sim_agent.embedded.models.surface import BLACK, CHROME, GLASS, STEEL, TRIM, Look, Sculptor, rings
from sim_agent.embedded.scene import Material

CARDBOARD = Look(Material.WOOD, (0.72, 0.54, 0.34))
TAPE = Look(Material.SIGN, (0.80, 0.70, 0.50))
PAPER = Look(Material.SIGN, (0.90, 0.89, 0.85))
LEATHER = Look(Material.CLOTH, (0.24, 0.14, 0.09))

Random = np.random.Generator


def _bright(random: Random) -> tuple[float, float, float]:
    """A strong colour."""
    return ((0.78, 0.12, 0.12), (0.12, 0.28, 0.62), (0.12, 0.45, 0.22), (0.88, 0.66, 0.10), (0.45, 0.15, 0.45))[
        int(random.integers(5))
    ]


def _cardboard_box(sculptor: Sculptor, spec: PropSpec, random: Random) -> None:
    """A taped box, one of its flaps ajar."""
    x, y, z = spec.extent_m
    sculptor.block((-0.98 * x, -0.98 * y, 0.0), (0.98 * x, 0.98 * y, 1.9 * z), CARDBOARD)
    sculptor.block((-0.985 * x, -0.08 * y, 1.5 * z), (0.985 * x, 0.08 * y, 1.905 * z), TAPE)
    sculptor.sheet([(-x, 0.0, 1.91 * z), (x, 0.0, 1.91 * z), (x, 0.9 * y, 2 * z), (-x, 0.9 * y, 2 * z)], CARDBOARD)
    sculptor.sheet([(-x, -y, 1.905 * z), (x, -y, 1.905 * z), (x, 0.0, 1.92 * z), (-x, 0.0, 1.92 * z)], CARDBOARD)
    sculptor.block((0.5 * x, -y, 0.8 * z), (0.85 * x, -0.97 * y, 1.3 * z), PAPER)
    sculptor.block((0.5 * x, 0.97 * y, 0.8 * z), (0.85 * x, y, 1.3 * z), PAPER)


def _flat_cardboard(sculptor: Sculptor, spec: PropSpec, random: Random) -> None:
    """A box unfolded on the ground, its flaps bent up a little."""
    x, y, z = spec.extent_m
    lines = np.array([-1.0, -0.55, -0.1, 0.45, 1.0])
    heights = z * random.uniform(0.1, 1.0, (5, 5))
    heights[1:4, 1:4] *= 0.4
    heights[0, 0] = 2 * z
    points = np.stack(np.broadcast_arrays(lines[None, :] * x, lines[:, None] * y, heights), -1)
    sculptor.grid(points, CARDBOARD)
    sculptor.grid(points * [1, 1, 0], CARDBOARD, flip=True)
    sculptor.sheet([(-x, -y, 0.0), (x, -y, 0.0), (x, -y, float(heights[0, -1])), (-x, -y, 2 * z)], CARDBOARD)


def _case(sculptor: Sculptor, x: float, y: float, z0: float, z1: float, look: Look) -> None:
    """A box with rounded edges that stands along x."""
    corner = 0.16 * (z1 - z0)
    outline = [
        (-x + corner, z0),
        (x - corner, z0),
        (x, z0 + corner),
        (x, z1 - corner),
        (x - corner, z1),
        (-x + corner, z1),
        (-x, z1 - corner),
        (-x, z0 + corner),
    ]
    sculptor.prism(outline, -y, y, look)


def _briefcase(sculptor: Sculptor, spec: PropSpec, random: Random) -> None:
    x, y, z = spec.extent_m
    _case(sculptor, x, y, 0.0, 1.7 * z, LEATHER)
    sculptor.pipe(
        [(-0.3 * x, 0.0, 1.68 * z), (-0.26 * x, 0.0, 1.95 * z), (0.26 * x, 0.0, 1.95 * z), (0.3 * x, 0.0, 1.68 * z)],
        0.05 * z,
        BLACK,
    )
    for side in (-0.55, 0.55):
        sculptor.block((side * x - 0.03, -y * 1.02, 1.3 * z), (side * x + 0.03, y * 1.02, 1.5 * z), CHROME)


def _guitar_case(sculptor: Sculptor, spec: PropSpec, random: Random) -> None:
    """Lying on its edge along x: a wide belly, a waist, a neck."""
    x, y, z = spec.extent_m
    along = np.array([-1.0, -0.92, -0.70, -0.42, -0.22, 0.0, 0.16, 0.30, 0.94, 1.0])
    half = np.array([0.40, 0.80, 1.0, 0.80, 0.62, 0.72, 0.60, 0.26, 0.26, 0.20])
    upper = np.column_stack([along * x, z + half * z])
    lower = np.column_stack([along * x, z - half * z])
    for side in (-1.0, 1.0):
        face = np.stack(
            [
                np.column_stack([lower[:, 0], np.full(10, side * y), lower[:, 1]]),
                np.column_stack([upper[:, 0], np.full(10, side * y), upper[:, 1]]),
            ]
        )
        sculptor.grid(face, BLACK, flip=side > 0)
    loop = np.vstack([upper, lower[::-1], upper[:1]])
    ring = np.stack([np.column_stack([loop[:, 0], np.full(len(loop), side * y), loop[:, 1]]) for side in (-1.0, 1.0)])
    sculptor.grid(ring, TRIM)
    sculptor.cuboid((-0.1 * x, 0.0, 1.78 * z), (0.16, 0.03, 0.03), LEATHER)


def _trolley_case(sculptor: Sculptor, spec: PropSpec, random: Random) -> None:
    x, y, z = spec.extent_m
    top = 1.25 * z
    _case(sculptor, x, y, 0.06, top, Look(Material.METAL, _bright(random)))
    for share in (-0.6, -0.3, 0.0, 0.3, 0.6):
        sculptor.block((share * x - 0.01, -y * 1.01, 0.2), (share * x + 0.01, y * 1.01, top - 0.1), TRIM)
    path = [
        (-0.4 * x, -0.5 * y, top),
        (-0.4 * x, -0.5 * y, 2 * z - 0.03),
        (0.4 * x, -0.5 * y, 2 * z - 0.03),
        (0.4 * x, -0.5 * y, top),
    ]
    sculptor.pipe(path, 0.012, STEEL)
    for sx in (-0.75, 0.75):
        for sy in (-0.6, 0.6):
            sculptor.ball((sx * x, sy * y, 0.035), (0.035, 0.02, 0.035), BLACK, 8, 4)
    sculptor.cuboid((0.0, -0.5 * y, 2 * z - 0.015), (0.8 * x, 0.03, 0.03), BLACK)


def _helmet(sculptor: Sculptor, spec: PropSpec, random: Random) -> None:
    x, y, z = spec.extent_m
    look = Look(Material.METAL, _bright(random))
    scale = (x, y, z)
    if "motor" in spec.id:
        sculptor.lathe(
            [(0.0, 0.02), (0.72, 0.0), (0.95, 0.5), (1.0, 1.0), (0.86, 1.55), (0.5, 1.9), (0.0, 2.0)],
            look,
            segments=14,
            scale=scale,
        )
        visor = rings([(0.99, 0.75), (1.02, 1.05), (0.94, 1.38)], 8, start=-0.16, turn=0.32)
        sculptor.grid(visor * scale, GLASS)
        return
    sculptor.lathe([(0.9, 0.1), (1.0, 0.5), (0.92, 1.1), (0.6, 1.75), (0.0, 2.0)], look, segments=14, scale=scale)
    sculptor.lathe([(0.0, 0.0), (0.88, 0.0), (0.9, 0.1)], BLACK, segments=14, scale=scale)
    for share in (-0.45, 0.0, 0.45):
        sculptor.cuboid((0.0, share * y, 1.72 * z - 0.25 * abs(share) * z), (1.2 * x, 0.14 * y, 0.25 * z), BLACK)


def _can(sculptor: Sculptor, spec: PropSpec, random: Random) -> None:
    look = Look(Material.METAL, _bright(random))
    profile = [(0.0, 0.0), (0.78, 0.0), (1.0, 0.12), (1.0, 1.78), (0.82, 1.97), (0.82, 2.0), (0.76, 1.94), (0.0, 1.94)]
    looks = [STEEL, STEEL, look, STEEL, STEEL, STEEL, STEEL]
    sculptor.lathe(profile, looks, segments=12, scale=spec.extent_m)


def _crushed_can(sculptor: Sculptor, spec: PropSpec, random: Random) -> None:
    x, y, z = spec.extent_m
    sculptor.lump((0.0, 0.0, z), (x, y, z), Look(Material.METAL, _bright(random)), int(random.integers(1 << 30)), 0.6)


def _lid(sculptor: Sculptor, spec: PropSpec, random: Random) -> None:
    sculptor.lathe(
        [(0.0, 0.0), (1.0, 0.0), (1.0, 1.6), (0.9, 2.0), (0.0, 2.0)], STEEL, segments=12, scale=spec.extent_m
    )


def _paper_cup(sculptor: Sculptor, spec: PropSpec, random: Random) -> None:
    profile = [(0.0, 0.0), (0.70, 0.0), (0.80, 0.6), (0.92, 1.3), (1.0, 1.9), (1.0, 2.0), (0.92, 1.9), (0.0, 1.7)]
    band = Look(Material.SIGN, _bright(random))
    sculptor.lathe(profile, [PAPER, PAPER, band, PAPER, PAPER, PAPER, PAPER], segments=12, scale=spec.extent_m)


def _paper_plate(sculptor: Sculptor, spec: PropSpec, random: Random) -> None:
    x, y, z = spec.extent_m
    profile = [(0.0, 0.0), (0.6, 0.0), (1.0, 0.6), (0.98, 0.7), (0.58, 0.12), (0.0, 0.1)]
    sculptor.lathe(profile, [PAPER] * 5, segments=16, scale=(x, y, z))
    sculptor.lump(
        (0.1 * x, 0.0, 0.9 * z),
        (0.5 * x, 0.45 * y, 1.1 * z),
        Look(Material.CLOTH, (0.62, 0.40, 0.18)),
        int(random.integers(1 << 30)),
        0.6,
    )


def _food_tray(sculptor: Sculptor, spec: PropSpec, random: Random) -> None:
    x, y, z = spec.extent_m
    sculptor.block((-x, -y, 0.0), (x, y, 0.7 * z), PAPER)
    sculptor.block((-0.9 * x, -0.85 * y, 0.7 * z), (0.9 * x, 0.85 * y, 0.75 * z), Look(Material.SIGN, _bright(random)))
    for k in range(5):
        place = (float(random.uniform(-0.6, 0.6)) * x, float(random.uniform(-0.5, 0.5)) * y, 1.2 * z)
        sculptor.lump(place, (0.3 * x, 0.3 * y, 0.8 * z), Look(Material.CLOTH, (0.75, 0.55, 0.22)), 17 * k + 3, 0.6)


def _bag(sculptor: Sculptor, spec: PropSpec, random: Random) -> None:
    """A full bag, tied on top."""
    x, y, z = spec.extent_m
    dark = "trash" in spec.id
    look = Look(Material.CLOTH, (0.09, 0.09, 0.10)) if dark else Look(Material.CLOTH, (0.85, 0.86, 0.85))
    sculptor.lump((0.0, 0.0, 0.75 * z), (x, y, z), look, int(random.integers(1 << 30)), 0.30)
    sculptor.lathe(
        [(0.34, 1.45), (0.10, 1.70), (0.09, 1.76), (0.26, 2.0), (0.0, 1.86)], [look] * 4, segments=9, scale=(x, y, z)
    )


def _rubbish_heap(sculptor: Sculptor, spec: PropSpec, random: Random) -> None:
    """A pallet-high spread of bags, boxes and boards."""
    x, y, z = spec.extent_m
    for k in range(14):
        place = (float(random.uniform(-0.85, 0.85)) * x, float(random.uniform(-0.8, 0.8)) * y)
        size = float(random.uniform(0.15, 0.32))
        shade = float(random.uniform(0.08, 0.20))
        if k % 3 == 0:
            sculptor.cuboid(
                (*place, 0.5 * z), (2 * size, 1.4 * size, z), CARDBOARD, yaw_deg=float(random.uniform(0, 90))
            )
        elif k % 3 == 1:
            sculptor.lump(
                (*place, 0.7 * z),
                (1.2 * size, size, 0.95 * z),
                Look(Material.CLOTH, (shade, shade, shade)),
                31 * k,
                0.4,
            )
        else:
            sculptor.cuboid(
                (*place, 0.12 * z),
                (4 * size, 0.12, 0.03),
                Look(Material.WOOD, (0.5, 0.38, 0.25)),
                yaw_deg=float(random.uniform(0, 180)),
            )
    sculptor.lump((0.2 * x, 0.0, 0.8 * z), (0.4, 0.35, 1.2 * z), Look(Material.CLOTH, (0.10, 0.10, 0.11)), 5, 0.4)


def _handbag(sculptor: Sculptor, spec: PropSpec, random: Random) -> None:
    x, y, z = spec.extent_m
    outline = [
        (-0.85 * y, 0.0),
        (0.85 * y, 0.0),
        (y, 0.15 * z),
        (0.8 * y, 1.1 * z),
        (-0.8 * y, 1.1 * z),
        (-y, 0.15 * z),
    ]
    sculptor.prism(outline, -0.85 * x, 0.85 * x, Look(Material.CLOTH, _bright(random)), axis=0)
    for face in (-1.0, 1.0):
        path = [
            (face * 0.7 * x, -0.6 * y, 1.05 * z),
            (face * 0.7 * x, -0.4 * y, 1.8 * z),
            (face * 0.7 * x, 0.0, 1.96 * z),
            (face * 0.7 * x, 0.4 * y, 1.8 * z),
            (face * 0.7 * x, 0.6 * y, 1.05 * z),
        ]
        sculptor.pipe(path, 0.012, LEATHER, 5)
    sculptor.block((-x, -0.12 * y, 0.75 * z), (x, 0.12 * y, 0.95 * z), CHROME)


def _shopping_bag(sculptor: Sculptor, spec: PropSpec, random: Random) -> None:
    x, y, z = spec.extent_m
    look = Look(Material.SIGN, _bright(random))
    for outline in ([(-0.9 * x, 0.0), (0.9 * x, 0.0), (x, 1.4 * z), (-x, 1.4 * z)],):
        sculptor.prism(outline, -y, y, look)
    sculptor.block((-0.6 * x, -y * 1.01, 0.6 * z), (0.6 * x, y * 1.01, 1.0 * z), PAPER)
    sculptor.block((-0.92 * x, -0.85 * y, 1.4 * z), (0.92 * x, 0.85 * y, 1.41 * z), BLACK)
    for face in (-0.9, 0.9):
        path = [
            (-0.5 * x, face * y, 1.38 * z),
            (-0.3 * x, face * y, 1.9 * z),
            (0.0, face * y, 1.98 * z),
            (0.3 * x, face * y, 1.9 * z),
            (0.5 * x, face * y, 1.38 * z),
        ]
        sculptor.pipe(path, 0.008, BLACK, 4)


def _shopping_cart(sculptor: Sculptor, spec: PropSpec, random: Random) -> None:
    """A basket of wire on wheels; one pushes it along -y."""
    x, y, z = spec.extent_m
    loops = {}
    for name, (half, back, front, height_back, height_front) in {
        "low": (0.62, 0.55, -0.80, 0.95, 0.80),
        "high": (0.88, 0.75, -0.98, 1.70, 1.55),
    }.items():
        loops[name] = [
            (-half * x, back * y, height_back * z),
            (half * x, back * y, height_back * z),
            (0.8 * half * x, front * y, height_front * z),
            (-0.8 * half * x, front * y, height_front * z),
        ]
    for loop in loops.values():
        for k in range(4):
            sculptor.rod(loop[k], loop[(k + 1) % 4], 0.010, CHROME, 4)
    low, high = np.array(loops["low"]), np.array(loops["high"])
    for k in range(4):
        for share in np.linspace(0.0, 1.0, 7)[:-1]:
            a = low[k] + share * (low[(k + 1) % 4] - low[k])
            b = high[k] + share * (high[(k + 1) % 4] - high[k])
            sculptor.rod(a, b, 0.005, STEEL, 3)
        middle = [(low[j] + high[j]) / 2 for j in (k, (k + 1) % 4)]
        sculptor.rod(middle[0], middle[1], 0.005, STEEL, 3)
    for share in np.linspace(0.1, 0.9, 6):
        sculptor.rod(low[0] + share * (low[3] - low[0]), low[1] + share * (low[2] - low[1]), 0.005, STEEL, 3)
    for side in (-1.0, 1.0):
        sculptor.pipe(
            [(side * 0.8 * x, -0.85 * y, 0.14), (side * 0.85 * x, 0.5 * y, 0.20), (side * 0.9 * x, 0.85 * y, 1.88 * z)],
            0.014,
            CHROME,
        )
        for end in (-0.8, 0.6):
            sculptor.rod((side * 0.78 * x, end * y, 0.06), (side * 0.86 * x, end * y, 0.06), 0.06, BLACK, 8)
    sculptor.rod((-x, y * 0.95, 1.94 * z), (x, y * 0.95, 1.94 * z), 0.022, Look(Material.METAL, (0.80, 0.12, 0.10)))


def _shopping_trolley(sculptor: Sculptor, spec: PropSpec, random: Random) -> None:
    """A bag on two wheels with a handle; it is pulled along -x."""
    x, y, z = spec.extent_m
    look = Look(Material.CLOTH, _bright(random))
    outline = [
        (-0.55 * x, 0.12),
        (0.55 * x, 0.12),
        (0.75 * x, 0.5 * z),
        (0.6 * x, 1.35 * z),
        (-0.5 * x, 1.42 * z),
        (-0.6 * x, 1.0 * z),
    ]
    sculptor.prism(outline, -0.85 * y, 0.85 * y, look)
    sculptor.prism(
        [(-0.55 * x, 1.40 * z), (0.68 * x, 1.30 * z), (0.62 * x, 1.42 * z), (-0.45 * x, 1.52 * z)],
        -0.9 * y,
        0.9 * y,
        TRIM,
    )
    for side in (-1.0, 1.0):
        sculptor.rod((-0.45 * x, side * 0.86 * y, 0.1), (-0.45 * x, side * y, 0.1), 0.1, BLACK, 12)
        sculptor.pipe(
            [(-0.6 * x, side * 0.6 * y, 0.1), (-0.65 * x, side * 0.6 * y, 1.5 * z), (-x, side * 0.5 * y, 1.96 * z)],
            0.012,
            STEEL,
        )
    sculptor.rod((-0.98 * x, -0.55 * y, 1.97 * z), (-0.98 * x, 0.55 * y, 1.97 * z), 0.018, BLACK)
    sculptor.block((0.5 * x, -0.5 * y, 0.0), (x, 0.5 * y, 0.04), STEEL)


def _telephone(sculptor: Sculptor, spec: PropSpec, random: Random) -> None:
    x, y, z = spec.extent_m
    sculptor.block((-x, -y, 0.0), (x, 0.9 * y, 2 * z), BLACK)
    sculptor.block((-0.92 * x, 0.9 * y, 0.08 * z), (0.92 * x, y, 1.92 * z), Look(Material.WINDOW, (0.30, 0.42, 0.55)))


def _watering_can(sculptor: Sculptor, spec: PropSpec, random: Random) -> None:
    """Its spout points along +x."""
    x, y, z = spec.extent_m
    look = Look(Material.METAL, (0.15, 0.45, 0.28))
    sculptor.lathe(
        [(0.0, 0.0), (0.95, 0.0), (1.0, 0.1), (0.95, 1.2), (0.7, 1.3), (0.0, 1.3)],
        look,
        (-0.25 * x, 0.0, 0.0),
        14,
        (0.55 * x, y, z),
    )
    sculptor.rod((0.15 * x, 0.0, 0.3 * z), (0.85 * x, 0.0, 1.5 * z), 0.10 * x, look, 8, 0.06 * x)
    sculptor.rod((0.82 * x, 0.0, 1.46 * z), (0.96 * x, 0.0, 1.62 * z), 0.07 * x, STEEL, 8, 0.16 * x)
    sculptor.pipe(
        [(-0.7 * x, 0.0, 0.4 * z), (-0.97 * x, 0.0, 1.1 * z), (-0.5 * x, 0.0, 1.97 * z), (0.05 * x, 0.0, 1.25 * z)],
        0.05 * x,
        look,
    )


KINDS = {
    "helmet": _helmet,
    "cardboard box": _cardboard_box,
    "flat cardboard": _flat_cardboard,
    "briefcase": _briefcase,
    "guitar case": _guitar_case,
    "trolley case": _trolley_case,
    "can": _can,
    "crushed can": _crushed_can,
    "lid": _lid,
    "paper cup": _paper_cup,
    "paper plate": _paper_plate,
    "food tray": _food_tray,
    "bag": _bag,
    "rubbish heap": _rubbish_heap,
    "handbag": _handbag,
    "shopping bag": _shopping_bag,
    "shopping cart": _shopping_cart,
    "shopping trolley": _shopping_trolley,
    "telephone": _telephone,
    "watering can": _watering_can,
}
