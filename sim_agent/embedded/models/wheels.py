"""Wheels of cars and trucks: a tyre with a rim and spokes, standing on the ground."""

from __future__ import annotations

import numpy as np

from sim_agent.embedded.models.surface import BLACK, STEEL, TYRE, Look, Sculptor, rings

SEGMENTS = 15


def wheel(
    sculptor: Sculptor,
    centre: tuple[float, float, float],
    radius_m: float,
    width_m: float,
    spokes: int = 5,
    rim: Look = STEEL,
    rim_share: float = 0.68,
) -> None:
    """One wheel whose axle lies along y; its outside looks away from the vehicle's middle.

    The rim's sectors take turns between its look and black, which reads as spokes; 0 spokes makes a full disc.
    """
    half = width_m / 2
    shoulder, lip = 0.95 * radius_m, rim_share * radius_m
    # (radius, distance along the axle), from the inside over the tread to the hub
    profile = [
        (0.0, -half),
        (shoulder, -half),
        (radius_m, -0.7 * half),
        (radius_m, 0.7 * half),
        (shoulder, half),
        (lip, 0.94 * half),
        (0.93 * lip, 0.62 * half),
        (0.30 * lip, 0.80 * half),
        (0.0, 0.86 * half),
    ]
    turned = rings(profile, SEGMENTS)
    outward = 1.0 if centre[1] > 0 else -1.0
    points = np.stack([turned[..., 0], outward * turned[..., 2], turned[..., 1]], -1) + np.asarray(centre)
    flip = outward > 0
    period = SEGMENTS // spokes if spokes else SEGMENTS
    sectors = [rim if not spokes or k % period < period - 1 else BLACK for k in range(SEGMENTS)]
    with sculptor.part():
        sculptor.grid(points[0:2], BLACK, flip)
        sculptor.grid(points[1:6], TYRE, flip)
        sculptor.grid(points[5:7], rim, flip)
        sculptor.grid(points[6:8], [sectors], flip)
        sculptor.grid(points[7:9], rim, flip)
