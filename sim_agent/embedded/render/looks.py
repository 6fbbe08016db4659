"""How each material answers light: size of its texture, mirror, sheen, and what rain does to it."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np

from sim_agent.embedded.scene import Floats, Material


class Look(NamedTuple):
    """One material."""

    tile_m: float = 2.0
    """Side of the texture."""
    mirror: float = 0.0
    """Share of light mirrored head-on; at a grazing angle it grows to `graze`."""
    graze: float = 0.0
    sheen: float = 0.0
    """Strength of the sun's highlight."""
    porous: float = 0.45
    """Share of its brightness that it loses when wet."""
    stains: float = 0.0
    """How much large, soft patches vary its brightness."""
    wrap: float = 0.0
    """Share of light that comes through or around: leaves and cloth are never quite dark on the far side."""


LOOKS: dict[Material, Look] = {
    Material.ASPHALT: Look(3.0, 0.0, 0.10, 0.0, 0.60, 0.34),
    Material.CONCRETE: Look(3.5, 0.0, 0.06, 0.02, 0.40, 0.34),
    Material.PAVING: Look(2.4, 0.0, 0.08, 0.03, 0.62, 0.24),
    Material.BRICK: Look(2.05, 0.0, 0.02, 0.0, 0.30, 0.30),
    Material.PLASTER: Look(5.0, 0.0, 0.02, 0.0, 0.22, 0.34),
    Material.WINDOW: Look(3.0, 0.16, 0.75, 0.9, 0.0, 0.0),
    Material.GRASS: Look(3.1, 0.0, 0.02, 0.0, 0.25, 0.42, 0.20),
    Material.SOIL: Look(3.3, 0.0, 0.0, 0.0, 0.45, 0.35),
    Material.BARK: Look(1.2, 0.0, 0.0, 0.0, 0.40, 0.0),
    Material.LEAF: Look(1.7, 0.0, 0.03, 0.05, 0.15, 0.10, 0.40),
    Material.PAINT: Look(4.0, 0.045, 0.60, 1.0, 0.0, 0.0),
    Material.METAL: Look(1.5, 0.08, 0.35, 0.5, 0.05, 0.0),
    Material.MARKING: Look(2.3, 0.0, 0.10, 0.04, 0.45, 0.10),
    Material.RUBBER: Look(0.8, 0.0, 0.05, 0.06, 0.10, 0.0),
    Material.CLOTH: Look(0.7, 0.0, 0.02, 0.0, 0.30, 0.0, 0.15),
    Material.SKIN: Look(0.6, 0.0, 0.04, 0.06, 0.05, 0.0, 0.20),
    Material.CAR_GLASS: Look(4.0, 0.12, 0.85, 1.2, 0.0, 0.0),
    Material.WOOD: Look(1.6, 0.0, 0.03, 0.02, 0.35, 0.12),
    Material.TILES: Look(2.6, 0.0, 0.06, 0.03, 0.30, 0.18),
    Material.SIGN: Look(1.0, 0.02, 0.15, 0.15, 0.0, 0.0),
}

_LAMP = Look(0.6, 0.05, 0.5, 0.6, 0.0, 0.0)

PER_M, MIRROR, GRAZE, SHEEN, POROUS, STAINS, WRAP = range(7)
"""Columns of `look_table`."""


@cache
def look_table() -> Floats:
    """(materials, 7) float32, one row a `Material`."""
    rows = [LOOKS.get(material, _LAMP) for material in Material]
    return np.array([(1.0 / row.tile_m, *row[1:]) for row in rows], np.float32)
