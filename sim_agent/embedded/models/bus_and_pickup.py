"""The bus, and the pick-up of flat steel."""

from __future__ import annotations

import numpy as np

from sim_agent.embedded.blueprints import VehicleSpec
from sim_agent.embedded.models.car_families import WHITE
from sim_agent.embedded.models.panels import GREY, both_sides, front_panel, hull, rear_panel, side_panel, tail_lamps
from sim_agent.embedded.models.surface import (
    BLACK,
    GLASS,
    HEAD_LAMP,
    LEFT_BLINKER,
    PAINT,
    PLATE,
    REVERSE_LAMP,
    RIGHT_BLINKER,
    TAIL_LAMP,
    TRIM,
    Look,
    Sculptor,
)
from sim_agent.embedded.models.wheels import wheel
from sim_agent.embedded.scene import Material, Mesh


def bus(spec: VehicleSpec) -> Mesh:
    """A coach: one hull with a band of windows, doors on the right, mirrors on arms."""
    sculptor = Sculptor(tag=spec.tag)
    length, top = spec.extent_m[0], 2 * spec.extent_m[2]
    half = spec.wheel_positions_m[1][1] + 0.24
    floor = 0.085 * top
    lean = 0.045 * top
    hull(sculptor, (-length, -half, floor), (length, half, 0.965 * top), PAINT, 0.20, lean)
    glass = (0.46 * top, 0.80 * top)

    def face(z: float) -> float:
        return length - lean * (z - floor) / (0.965 * top - floor) + 0.008

    edge = half - 0.17
    for low, high, look in ((0.36 * top, 0.80 * top, GLASS), (0.83 * top, 0.90 * top, BLACK)):
        sculptor.flat(
            [(face(low), -edge, low), (face(low), edge, low), (face(high), edge, high), (face(high), -edge, high)], look
        )
    front_panel(sculptor, face(0.865 * top) + 0.004, -0.5 * half, 0.5 * half, 0.845 * top, 0.885 * top,
                 Look(Material.SIGN, (0.95, 0.65, 0.10)))  # fmt: skip
    windows = np.linspace(-length + 0.35, length - 0.55, 9)
    for x0, x1 in zip(windows[:-1], windows[1:], strict=True):
        side_panel(sculptor, x0 + 0.05, x1 - 0.05, *glass, half + 0.006, GLASS)
    side_panel(sculptor, windows[0], windows[-1], glass[0] - 0.05, glass[1] + 0.05, half + 0.003, BLACK)
    for x0, x1 in ((length - 1.75, length - 0.62), (-0.55, 0.65)):
        sculptor.flat(
            [
                (x1, half + 0.012, 1.4 * floor),
                (x0, half + 0.012, 1.4 * floor),
                (x0, half + 0.012, glass[1]),
                (x1, half + 0.012, glass[1]),
            ],
            GLASS,
        )
        middle = (x0 + x1) / 2
        for x in (x0, middle, x1):
            sculptor.cuboid((x, half + 0.012, (1.4 * floor + glass[1]) / 2), (0.05, 0.02, glass[1] - 1.4 * floor), TRIM)
    stripe = Look(Material.METAL, (0.12, 0.28, 0.55))
    side_panel(sculptor, -length + 0.25, length - 0.30, 0.30 * top, 0.37 * top, half + 0.004, stripe)
    rear_panel(sculptor, -length - 0.006, -edge, edge, 0.50 * top, 0.80 * top, GLASS)
    rear_panel(sculptor, -length - 0.005, -edge, edge, 0.30 * top, 0.37 * top, stripe)
    for side, blinker in ((-1.0, LEFT_BLINKER), (1.0, RIGHT_BLINKER)):
        sculptor.ball((length - 0.03, side * 0.74 * half, 0.25 * top), (0.07, 0.20, 0.12), HEAD_LAMP, 10, 6)
        sculptor.ball((length - 0.05, side * 0.90 * half, 0.25 * top), (0.07, 0.09, 0.10), blinker, 8, 4)
        outer = spec.extent_m[1]
        arm = [(length - 0.3, side * (half - 0.1), 0.86 * top), (length + 0.0, side * (half + 0.2), 0.84 * top)]
        arm += [(length - 0.02, side * (outer - 0.13), 0.76 * top)]
        sculptor.pipe(arm, 0.035, BLACK, 5)
        sculptor.cuboid((length - 0.10, side * (outer - 0.13), 0.68 * top), (0.14, 0.26, 0.60), BLACK)
    tail_lamps(sculptor, -length, half, 0.24 * top)
    sculptor.block((length - 0.12, -half + 0.12, floor - 0.04), (length + 0.0, half - 0.12, floor + 0.20), TRIM)
    sculptor.cuboid((length + 0.0, 0.0, floor + 0.12), (0.03, 0.52, 0.12), PLATE)
    sculptor.block((-length + 0.8, -0.6 * half, 0.965 * top), (0.3 * length, 0.6 * half, top), WHITE)
    for place in spec.wheel_positions_m:
        radius = spec.wheel_radius_m
        wheel(sculptor, (place[0], float(np.copysign(half - 0.13, place[1])), radius), radius, 0.30, 0, GREY, 0.62)
        side = float(np.copysign(1.0, place[1]))
        angles = np.radians(np.linspace(0, 180, 9))
        inner, rim = 1.0 * radius, 1.22 * radius
        ring = np.array(
            [
                [(place[0] + r * np.cos(a), side * (half + 0.008), max(radius + r * np.sin(a), floor)) for a in angles]
                for r in (0.0 * inner, rim)
            ]
        )
        sculptor.grid(ring, BLACK, flip=side < 0)
    return sculptor.build()


def steel_pickup(spec: VehicleSpec) -> Mesh:
    """Flat sheets of bare steel: a wedge with one bar of light in front and one behind."""
    sculptor = Sculptor(tag=spec.tag)
    length, half, top = spec.extent_m[0], spec.extent_m[1] - 0.05, 2 * spec.extent_m[2]
    sill, waist = 0.26 * top, 0.60 * top
    apex = 0.10 * length
    nose_z, tail_z = 0.52 * top, 0.64 * top
    inner = 0.82 * half
    # the side's two planes, cut by the wheel arches
    lower = _arched_edge(spec, sill, length)
    waist_line = [(x, half, float(np.interp(x, [-length, length], [waist, 0.52 * top]))) for x, _ in lower]
    edge = [(x, half - 0.04, z) for x, z in lower]
    sculptor.grid([edge, waist_line], BODY_STEEL)
    sculptor.grid(np.array([edge, waist_line]) * [1.0, -1.0, 1.0], BODY_STEEL, flip=True)
    wells = np.array([edge, [(x, half - 0.45, z) for x, _, z in edge]])
    sculptor.grid(wells, BLACK, flip=True)
    sculptor.grid(wells * [1.0, -1.0, 1.0], BLACK)
    front_low, rear_low = waist_line[0], waist_line[-1]
    cowl, rear_roof = (0.62 * length, inner + 0.06, 0.66 * top), (-0.98 * length, inner + 0.08, tail_z)
    peak = (apex, inner * 0.92, top)
    # windows between the waist and the roof line
    both_sides(sculptor, [front_low, rear_low, rear_roof, cowl], BODY_STEEL)
    both_sides(
        sculptor,
        [cowl, (-0.28 * length, inner + 0.07, 0.66 * top), (-0.24 * length, inner * 0.95, 0.91 * top), peak],
        GLASS,
    )
    both_sides(
        sculptor,
        [(-0.28 * length, inner + 0.07, 0.66 * top), rear_roof, (-0.24 * length, inner * 0.95, 0.91 * top)],
        BODY_STEEL,
    )
    left = [(x, -y, z) for x, y, z in (cowl, peak)]
    nose = (0.99 * length, inner, nose_z)
    sculptor.flat([left[0], cowl, peak, left[1]], GLASS)
    sculptor.flat([(nose[0], -nose[1], nose[2]), nose, cowl, left[0]], BODY_STEEL)
    both_sides(sculptor, [nose, front_low, cowl], BODY_STEEL)
    roof_end = (-0.24 * length, inner * 0.95, 0.91 * top)
    sculptor.flat([(peak[0], -peak[1], peak[2]), peak, roof_end, (roof_end[0], -roof_end[1], roof_end[2])], GLASS)
    sculptor.flat(
        [(roof_end[0], -roof_end[1], roof_end[2]), roof_end, rear_roof, (rear_roof[0], -rear_roof[1], rear_roof[2])],
        TRIM,
    )
    # ends
    for end, high, look in ((1.0, nose_z, HEAD_LAMP), (-1.0, tail_z, TAIL_LAMP)):
        x = end * length
        panel = front_panel if end > 0 else rear_panel
        panel(sculptor, x * 0.99, -half + 0.02, half - 0.02, sill, 0.42 * top, BLACK)
        panel(sculptor, x * 0.99, -half + 0.02, half - 0.02, 0.42 * top, high, BODY_STEEL)
        panel(sculptor, x * 0.992, -0.92 * half, 0.92 * half, high - 0.07, high - 0.015, look)
        for side, blinker in ((-1.0, LEFT_BLINKER), (1.0, RIGHT_BLINKER)):
            sculptor.cuboid((x * 0.988, side * 0.93 * half, high - 0.12), (0.06, 0.10, 0.05), blinker)
        sculptor.cuboid((x * 0.99, 0.0, 0.36 * top), (0.05, 0.52, 0.12), PLATE)
        if end < 0:
            sculptor.cuboid((x * 0.99, 0.5 * half, 0.36 * top), (0.05, 0.20, 0.06), REVERSE_LAMP)
        sculptor.block(*(sorted_block(x * 0.9, x, half - 0.05, sill - 0.03, sill + 0.12)), BLACK)
    sculptor.block((-0.95 * length, -half + 0.40, sill - 0.02), (0.95 * length, half - 0.40, 0.5 * top), BLACK)
    for x in (0.34 * length, -0.04 * length, -0.28 * length):
        side_panel(sculptor, x - 0.008, x + 0.008, sill + 0.05, 0.62 * top, half + 0.004, BLACK)
    for side in (-1.0, 1.0):
        sculptor.prism(
            [(0.52 * length, 0.69 * top), (0.46 * length, 0.69 * top), (0.47 * length, 0.76 * top)],
            side * inner, side * spec.extent_m[1], TRIM,
        )  # fmt: skip
    for place in spec.wheel_positions_m:
        centre = (place[0], float(np.copysign(half - 0.17, place[1])), spec.wheel_radius_m)
        wheel(sculptor, centre, spec.wheel_radius_m, 0.29, 5, TRIM, 0.70)
    return sculptor.build()


def sorted_block(
    x0: float, x1: float, half: float, z0: float, z1: float
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The corners of a block over the whole width between two x in any order."""
    return (min(x0, x1), -half, z0), (max(x0, x1), half, z1)


def _arched_edge(spec: VehicleSpec, sill: float, length: float) -> list[tuple[float, float]]:
    """(x, z) of a side's lower edge, front to rear, with trapezoid arches round the wheels."""
    radius = spec.wheel_radius_m
    edge = [(0.99 * length, sill)]
    for axle in sorted({place[0] for place in spec.wheel_positions_m}, reverse=True):
        edge += [(axle + 1.30 * radius, sill), (axle + 0.85 * radius, 2.12 * radius)]
        edge += [(axle - 0.85 * radius, 2.12 * radius), (axle - 1.30 * radius, sill)]
    return [*edge, (-0.99 * length, sill)]


BODY_STEEL = Look(Material.METAL, (0.60, 0.61, 0.62))
