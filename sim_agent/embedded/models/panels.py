"""Parts of vehicles made of sheets: hulls with rounded edges, panels, lamps, lorry wheels."""

from __future__ import annotations

import numpy as np

from sim_agent.embedded.blueprints import VehicleSpec
from sim_agent.embedded.models.surface import (
    LEFT_BLINKER,
    PLATE,
    REVERSE_LAMP,
    RIGHT_BLINKER,
    TAIL_LAMP,
    Look,
    Sculptor,
)
from sim_agent.embedded.models.wheels import wheel
from sim_agent.embedded.scene import Material


def hull(
    sculptor: Sculptor,
    low: tuple[float, float, float],
    high: tuple[float, float, float],
    look: Look,
    radius_m: float = 0.08,
    lean_m: float = 0.0,
) -> None:
    """A box with rounded corners seen from above and a rounded roof edge; its front leans back by `lean_m` on top."""
    x0, y0, z0 = low
    x1, y1, z1 = high
    corners = ((x1, y1, 0.0), (x0, y1, 90.0), (x0, y0, 180.0), (x1, y0, 270.0))
    middle = np.array([(x0 + x1) / 2, (y0 + y1) / 2])
    plan = []
    for x, y, start in corners:
        centre = np.array([x, y]) - radius_m * np.sign(np.array([x, y]) - middle)
        for angle in np.radians([start, start + 45.0, start + 90.0]):
            plan.append(centre + radius_m * np.array([np.cos(angle), np.sin(angle)]))
    outline = np.array([*plan, plan[0]])
    loops = []
    for z, inset in ((z0, 0.0), (z1 - radius_m, 0.0), (z1 - 0.3 * radius_m, 0.3), (z1, 1.0)):
        pull = inset * radius_m * 0.9
        ring = outline - np.sign(outline - middle) * pull
        share = (z - z0) / (z1 - z0)
        ring = ring - np.outer((outline[:, 0] > middle[0]) * lean_m * share, [1.0, 0.0])
        loops.append(np.column_stack([ring, np.full(len(ring), z)]))
    sculptor.grid(np.array(loops), look)
    sculptor.flat(loops[-1][:-1], look)


def both_sides(sculptor: Sculptor, points: list[tuple[float, float, float]], look: Look) -> None:
    """A flat polygon on the right side, and its mirror image on the left."""
    corners = np.array(points)
    sculptor.flat(corners, look)
    sculptor.flat((corners * [1.0, -1.0, 1.0])[::-1], look)


def side_panel(sculptor: Sculptor, x0: float, x1: float, z0: float, z1: float, y: float, look: Look) -> None:
    """An upright rectangle on both sides, at y and -y."""
    both_sides(sculptor, [(x1, y, z0), (x0, y, z0), (x0, y, z1), (x1, y, z1)], look)


def front_panel(sculptor: Sculptor, x: float, y0: float, y1: float, z0: float, z1: float, look: Look) -> None:
    """An upright rectangle across the vehicle, seen from its front."""
    sculptor.flat([(x, y0, z0), (x, y1, z0), (x, y1, z1), (x, y0, z1)], look)


def rear_panel(sculptor: Sculptor, x: float, y0: float, y1: float, z0: float, z1: float, look: Look) -> None:
    """An upright rectangle across the vehicle, seen from its rear."""
    sculptor.flat([(x, y1, z0), (x, y0, z0), (x, y0, z1), (x, y1, z1)], look)


def tail_lamps(sculptor: Sculptor, x: float, half_width: float, z: float) -> None:
    """Brake, blinker and reversing lamps on both sides, and the plate between them."""
    for side, blinker in ((-1.0, LEFT_BLINKER), (1.0, RIGHT_BLINKER)):
        y = side * (half_width - 0.20)
        sculptor.cuboid((x, y, z), (0.05, 0.22, 0.12), TAIL_LAMP)
        sculptor.cuboid((x, y, z + 0.13), (0.05, 0.22, 0.10), blinker)
        sculptor.cuboid((x, y - side * 0.20, z), (0.05, 0.12, 0.12), REVERSE_LAMP)
    sculptor.cuboid((x, 0.0, z - 0.02), (0.03, 0.50, 0.12), PLATE)


def lorry_wheels(sculptor: Sculptor, spec: VehicleSpec, outer: float, twin: bool = True) -> None:
    """Wheels with full discs, their outsides at `outer`; twin tyres on the rear axle."""
    radius = spec.wheel_radius_m
    for x, y, _ in spec.wheel_positions_m:
        width = 0.52 * radius * (1.7 if twin and x < 0 else 1.0)
        wheel(sculptor, (x, float(np.copysign(outer - width / 2, y)), radius), radius, width, 0, GREY, 0.62)


GREY = Look(Material.METAL, (0.45, 0.46, 0.48))
