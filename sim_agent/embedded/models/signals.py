"""Traffic light heads with their lamp lit, and the model of a light that is off."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from sim_agent.embedded.models.surface import BLACK, Look, Sculptor, rings
from sim_agent.embedded.pose import Pose
from sim_agent.embedded.scene import Material, Mesh, Tag

HOUSING = Look(Material.METAL, (0.09, 0.10, 0.09))
BORDER = Look(Material.SIGN, (0.88, 0.88, 0.86))
LENS_RADIUS_M = 0.105
"""Lenses of 210 mm: EN 12368."""
SPACING_M = 0.29
HALF_SIZE_M = (0.09, 0.17, 0.46)
"""Of the housing; its backboard is a hand's breadth wider, its visors reach 0.29 m before its middle."""

_LAMPS = (
    ("red", 1.0, (1.0, 0.10, 0.06), (0.16, 0.03, 0.03)),
    ("yellow", 0.0, (1.0, 0.68, 0.08), (0.16, 0.11, 0.03)),
    ("green", -1.0, (0.10, 1.0, 0.45), (0.03, 0.14, 0.08)),
)


def signal_makers() -> dict[str, Callable[[], Mesh]]:
    """What makes `traffic_light/red`, `/yellow`, `/green` and `/off`: heads of three lenses, tagged TRAFFIC_LIGHT.

    The origin is the middle of the housing, the lenses look along +x: give the head the yaw of the traffic it serves
    plus 180 degrees. The lit lens is SIGNAL_LAMP in its colour; the other two are dark METAL.
    """
    return {f"traffic_light/{state}": partial(_head, state) for state in ("red", "yellow", "green", "off")}


def _head(state: str) -> Mesh:
    sculptor = Sculptor(tag=Tag.TRAFFIC_LIGHT)
    depth, half, tall = HALF_SIZE_M
    sculptor.block((-depth, -half, -tall), (depth, half, tall), HOUSING)
    sculptor.block((-depth - 0.012, -half - 0.10, -tall - 0.10), (-depth, half + 0.10, tall + 0.10), BLACK)
    # the light edge of the backboard
    x = -depth + 0.002
    for side in (-1.0, 1.0):
        low, high = sorted((side * (half + 0.08), side * (half + 0.10)))
        sculptor.flat(
            [(x, low, -tall - 0.1), (x, high, -tall - 0.1), (x, high, tall + 0.1), (x, low, tall + 0.1)], BORDER
        )
        low, high = sorted((side * (tall + 0.08), side * (tall + 0.10)))
        sculptor.flat(
            [(x, -half - 0.1, low), (x, half + 0.1, low), (x, half + 0.1, high), (x, -half - 0.1, high)], BORDER
        )
    for name, place, lit, dark in _LAMPS:
        z = place * SPACING_M
        lens = Look(Material.SIGNAL_LAMP, lit) if name == state else Look(Material.METAL, dark)
        forward = Pose(depth, 0.0, z, pitch_deg=-90.0)
        sculptor.lathe([(LENS_RADIUS_M, 0.0), (0.8 * LENS_RADIUS_M, 0.014), (0.0, 0.022)], lens, forward, 16)
        # a visor over the upper two thirds, seen from outside and from inside
        outer = rings([(1.12 * LENS_RADIUS_M, 0.0), (1.10 * LENS_RADIUS_M, 0.20)], 12, start=-0.34, turn=0.68)
        points = outer[..., [2, 1, 0]] + [depth, 0.0, z]
        sculptor.grid(points, HOUSING, flip=True)
        sculptor.grid(points, BLACK)
    return sculptor.build()
