"""A parametric car: a shell lofted round the car, bonnet and boot, and a greenhouse of windows and pillars on top."""

from __future__ import annotations

import numpy as np

from sim_agent.embedded.blueprints import VehicleSpec
from sim_agent.embedded.models.car_lines import FRONT_SHARES, ROWS, Body, CarShape, whole, whole_looks
from sim_agent.embedded.models.surface import (
    BLACK,
    CHROME,
    GLASS,
    HEAD_LAMP,
    LEFT_BLINKER,
    PAINT,
    PLATE,
    REVERSE_LAMP,
    RIGHT_BLINKER,
    STEEL,
    TAIL_LAMP,
    TRIM,
    Array,
    Look,
    Sculptor,
)
from sim_agent.embedded.models.wheels import wheel


def build_car(sculptor: Sculptor, spec: VehicleSpec, shape: CarShape) -> Body:
    """All of a car but what is special to one model."""
    body = Body(spec, shape)
    half = body.half_shell()
    sculptor.grid(whole(half), whole_looks(_shell_looks(body, half)))
    _bonnet_and_boot(sculptor, body, half[-1])
    _underside(sculptor, body, half[0])
    greenhouse(sculptor, body)
    _details(sculptor, body, half)
    for place in spec.wheel_positions_m:
        width = min(0.30, 0.62 * body.radius)
        outer = body.half_width - 0.012
        centre = (place[0], float(np.copysign(outer - width / 2, place[1])), body.radius)
        wheel(sculptor, centre, body.radius, width, shape.spokes)
    return body


def _shell_looks(body: Body, half: Array) -> list[list[Look]]:
    shape = body.shape
    count, columns = len(FRONT_SHARES), half.shape[1] - 1
    looks = [[PAINT] * columns for _ in range(len(ROWS) - 1)]
    for row in (0, 1, 2):
        if shape.lower_look is not PAINT:
            looks[row] = [shape.lower_look] * columns
    front = range(count - 1)
    stern = range(columns - count + 1, columns)
    for column in range(columns):
        if shape.cladding:
            looks[0][column] = looks[1][column] = BLACK
        else:
            looks[0][column] = TRIM
    bumper = BLACK if shape.bumper_black else shape.lower_look
    for column in (*front, *stern):
        looks[0][column] = BLACK
        looks[1][column] = looks[2][column] = bumper
    for column in front[:3]:
        looks[1][column] = BLACK
    grilles = {"wide": (range(3, 5), 3), "bar": (range(4, 5), 4), "slots": (range(3, 6), 3), "big": (range(2, 6), 3)}
    if shape.grille in grilles:
        rows, wide = grilles[shape.grille]
        for row in rows:
            for column in front[:wide]:
                looks[row][column] = TRIM
    lamp_rows, lamp_columns = {
        "slim": ((5,), (3, 4, 5)),
        "tall": ((4, 5), (3, 4, 5)),
        "round": ((), ()),
    }[shape.lamps]
    for row in lamp_rows:
        for column in lamp_columns:
            looks[row][column] = HEAD_LAMP
        looks[row][count] = RIGHT_BLINKER
    last = columns - 1
    if shape.tail_lamps == "band":
        for column in range(last - 5, columns):
            looks[5][column] = TAIL_LAMP
        looks[4][last - 4] = RIGHT_BLINKER
        looks[4][last - 3] = REVERSE_LAMP
    elif shape.tail_lamps == "tall":
        for row in (3, 4, 5, 6):
            looks[row][last - 5] = looks[row][last - 4] = TAIL_LAMP
        looks[4][last - 4] = RIGHT_BLINKER
        looks[3][last - 4] = REVERSE_LAMP
    else:
        for column in (last - 5, last - 4, last - 3):
            looks[5][column] = TAIL_LAMP
            looks[4][column] = TAIL_LAMP
        looks[4][last - 4] = RIGHT_BLINKER
        looks[4][last - 3] = REVERSE_LAMP
    return looks


def _bonnet_and_boot(sculptor: Sculptor, body: Body, edge: Array) -> None:
    """Lines from the left to the right edge, arched, over the bonnet, under the windows and over the boot."""
    across = np.array([-1.0, -0.9, -0.62, -0.3, 0.0, 0.3, 0.62, 0.9, 1.0])
    crown = np.sqrt(np.maximum(1 - np.abs(across) ** 2.4, 0))
    lines = np.zeros((len(edge), len(across), 3))
    lines[..., 0] = edge[:, None, 0]
    lines[..., 1] = edge[:, None, 1] * across
    rise = 0.024 * body.height * np.minimum(edge[:, None, 1] / body.half_width, 1.0)
    lines[..., 2] = edge[:, None, 2] + rise * crown
    sculptor.grid(lines, PAINT)


def _underside(sculptor: Sculptor, body: Body, edge: Array) -> None:
    """The wheel wells, and a dark floor and inside, so that nobody looks through the arches."""
    inner = edge.copy()
    inner[:, 1] = np.maximum(edge[:, 1] - 0.30, 0.3 * edge[:, 1])
    strip = np.stack([inner, edge])
    both = (strip, strip * np.array([1.0, -1.0, 1.0]))
    sculptor.grid(both[0], BLACK)
    sculptor.grid(both[1], BLACK, flip=True)
    width, reach = body.half_width - 0.31, 0.84 * body.half_length
    sculptor.block((-reach, -width, body.sill + 0.01), (reach, width, 0.78 * body.height * body.shape.nose_z), BLACK)


_CABIN_PLAN = 4.5
_CABIN_SHARES = np.array([0.0, 0.35, 0.66, 0.86])
_CABIN_CORNER = 0.84
"""Where the greenhouse's side begins, a little behind the corner that the last front station stands at."""


def _on_cabin_plan(share: Array) -> Array:
    """The other coordinate of the greenhouse's unit outline, a superellipse."""
    return (1 - np.abs(share) ** _CABIN_PLAN) ** (1 / _CABIN_PLAN)


def greenhouse(sculptor: Sculptor, body: Body) -> None:
    """Windscreen, side windows with pillars, rear window, and the roof."""
    shape, height = body.shape, body.height
    segments = _side_segments(shape.sides)
    # stations on the side stand at the pillars' edges
    edges = _CABIN_CORNER * (1 - 2 * np.array([share for share, _ in segments]))
    side_x = np.unique(np.concatenate([[_CABIN_CORNER], edges, np.linspace(_CABIN_CORNER, -_CABIN_CORNER, 6)]).round(4))
    side_x = side_x[::-1]
    side_x = side_x[np.concatenate([[True], np.diff(side_x) < -0.012])]
    ends = _on_cabin_plan(_CABIN_SHARES)
    along = np.concatenate([ends, side_x, -ends[::-1]])
    across = np.concatenate([_CABIN_SHARES, _on_cabin_plan(side_x), _CABIN_SHARES[::-1]])

    foot = body.at(shape.cowl) + 0.02, body.at(shape.tail) - 0.02
    roof = body.at(shape.roof_front), body.at(shape.roof_rear)
    belt_half = shape.belt_width * body.half_width
    roof_half = shape.roof_width * body.half_width
    roof_z = height * 0.965
    rows = np.array([0.0, 0.07, 0.36, 0.66, 0.90, 1.0])
    bulge = 0.022 * np.sin(np.pi * rows) * height
    loops: list[Array] = []
    for share, out in zip(rows, bulge, strict=True):
        middle = (1 - share) * sum(foot) / 2 + share * sum(roof) / 2
        reach = (1 - share) * (foot[0] - foot[1]) / 2 + share * (roof[0] - roof[1]) / 2
        half = (1 - share) * belt_half + share * roof_half + out * 0.8
        x = middle + (reach + out) * along
        low = body.top_z(np.clip(x if share == 0 else loops[0][:, 0], foot[1], foot[0])) - 0.012
        loops.append(np.stack([x, half * across, (1 - share) * low + share * roof_z], -1))
    for inset, rise in ((0.07, 0.45), (0.25, 0.75), (0.6, 0.95), (1.0, 1.0)):
        last = loops[5]
        centre, reach = sum(roof) / 2, (roof[0] - roof[1]) / 2
        x = centre + (last[:, 0] - centre) * (1 - inset * min(1.0, roof_half / reach) * 0.9)
        loops.append(np.stack([x, last[:, 1] * (1 - inset), np.full(len(x), roof_z + rise * (height - roof_z))], -1))
    half = np.array(loops)
    sculptor.grid(whole(half), whole_looks(_cabin_looks(shape, side_x, segments)))


def _side_segments(text: str) -> list[tuple[float, str]]:
    """(end, kind) of the side's pieces, ends as shares of the whole."""
    pieces = [(piece[0], float(piece[1:])) for piece in text.split()]
    ends = np.cumsum([size for _, size in pieces]) / sum(size for _, size in pieces)
    return [(float(end), kind) for end, (kind, _) in zip(ends, pieces, strict=True)]


def _cabin_looks(shape: CarShape, side_x: Array, segments: list[tuple[float, str]]) -> list[list[Look]]:
    kinds = {"A": PAINT, "B": TRIM, "C": PAINT, "P": PAINT, "G": GLASS}
    side: list[Look] = []
    for middle in (side_x[:-1] + side_x[1:]) / 2:
        share = (1 - middle / _CABIN_CORNER) / 2
        kind = next((kind for end, kind in segments if share < end), segments[-1][1])
        side.append(kinds[kind])
    rear = GLASS if shape.rear_glass else PAINT
    glass_row = [GLASS] * 3 + [PAINT] + side + [PAINT] + [rear] * 3
    frame_row = [BLACK] * 3 + [PAINT] + [TRIM if look is not PAINT else PAINT for look in side]
    frame_row += [PAINT] + [BLACK if shape.rear_glass else PAINT] * 3
    columns = len(glass_row)
    rail = [shape.roof_look] * columns
    return [frame_row, glass_row, glass_row, glass_row, rail, *([[shape.roof_look] * columns] * 4)]


def _details(sculptor: Sculptor, body: Body, half: Array) -> None:
    shape, length = body.shape, body.length
    _door_gaps(sculptor, body, half)
    _mirrors(sculptor, body)
    _plates(sculptor, body)
    if shape.lamps == "round":
        on_plan = (1 - 0.66**body.plan_front) ** (1 / body.plan_front)
        x = on_plan * (body.half_length - 0.012 * length)
        radius = 0.075 * body.height
        for side in (-1.0, 1.0):
            y, z = side * 0.66 * body.half_width, body.height * shape.nose_z * 0.86
            sculptor.ball((x - 0.01, y, z), (0.05, 1.18 * radius, 1.18 * radius), CHROME, 10, 4)
            sculptor.ball((x + 0.01, y, z), (0.05, radius, radius), HEAD_LAMP, 10, 4)
            blinker = RIGHT_BLINKER if side > 0 else LEFT_BLINKER
            sculptor.ball((x + 0.01, y, z - 1.9 * radius), (0.04, 0.6 * radius, 0.4 * radius), blinker, 8, 4)
    if shape.grille == "slots":
        for k in range(-3, 4):
            y = 0.085 * k * body.half_width * 1.15
            x = body.half_length - 0.004 * length
            z = body.height * shape.nose_z * 0.80
            sculptor.cuboid((x, y, z), (0.02, 0.035, 0.13 * body.height), STEEL)
    if shape.roof_rails:
        for side in (-1.0, 1.0):
            y = side * 0.93 * shape.roof_width * body.half_width
            front, rear = body.at(shape.roof_front + 0.04), body.at(shape.roof_rear - 0.03)
            z = 0.992 * body.height
            path = [(front, y, z - 0.05), (front - 0.08, y, z), (rear + 0.08, y, z), (rear, y, z - 0.05)]
            sculptor.pipe(path, 0.018, STEEL, 5)


def _door_gaps(sculptor: Sculptor, body: Body, half: Array) -> None:
    """Thin dark lines down the side, a handle behind each door's front gap, and a sill moulding."""
    shape = body.shape
    rows = slice(1, 8)
    for index, share in enumerate(shape.doors):
        x = body.at(share)
        line = np.stack([np.array([np.interp(-x, -row[:, 0], row[:, k]) for row in half[rows]]) for k in (1, 2)], -1)
        arch = max(
            (
                body.radius + np.sqrt(max(body.arch**2 - (x - axle) ** 2, 0.0))
                for axle in body.axles
                if abs(x - axle) < body.arch
            ),
            default=0.0,
        )
        line = line[line[:, 1] > arch]
        if len(line) < 2:
            continue
        for side in (1.0, -1.0):
            strip = np.zeros((2, len(line), 3))
            strip[0, :, 0], strip[1, :, 0] = x + 0.007, x - 0.007
            strip[:, :, 1] = side * (line[:, 0] + 0.005)
            strip[:, :, 2] = line[:, 1]
            sculptor.grid(strip, BLACK, flip=side > 0)
            if index + 1 < len(shape.doors):
                handle_x = body.at(shape.doors[index + 1]) + 0.14
                z = float(np.interp(0.80, [0, 1], [body.sill, float(body.top_z(np.array([handle_x]))[0])]))
                y = float(np.interp(z, half[:, half.shape[1] // 2, 2], half[:, half.shape[1] // 2, 1]))
                sculptor.cuboid((handle_x, side * (y + 0.008), z), (0.17, 0.025, 0.028), TRIM)


def _mirrors(sculptor: Sculptor, body: Body) -> None:
    shape = body.shape
    x = body.at(shape.cowl + 0.055)
    z = float(body.top_z(np.array([x]))[0]) + 0.075 * body.height
    outer = body.spec.extent_m[1]
    inner = outer - 0.17
    for side in (1.0, -1.0):
        middle, half = side * (outer + inner) / 2, (outer - inner) / 2
        sculptor.ball((x, middle, z), (0.075, half, 0.058 * body.height), PAINT, 8, 5)
        sculptor.cuboid((x + 0.02, side * (inner - 0.03), z - 0.03), (0.06, 0.16, 0.035), TRIM)
        glass = [(x - 0.078, middle + s * 0.78 * half, z + t * 0.040 * body.height) for s, t in _SQUARE]
        sculptor.flat(glass, CHROME)


_SQUARE = ((1, -1), (-1, -1), (-1, 1), (1, 1))


def _plates(sculptor: Sculptor, body: Body) -> None:
    """Number plates front and rear, 52 by 11 cm."""
    front = body.half_length - 0.001
    low = body.sill + 0.18 * (body.height * body.shape.nose_z - body.sill)
    sculptor.cuboid((front - 0.005, 0.0, low + 0.06), (0.022, 0.50, 0.11), PLATE)
    high = body.sill + 0.50 * (body.height * body.shape.tail_z - body.sill)
    sculptor.cuboid((-front + 0.010, 0.0, high), (0.030, 0.50, 0.11), PLATE)
