"""What stands at a roundabout: an island with a kerb, grass, bushes, trees and a monument; lamps outside."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from sim_agent.embedded.pose import Pose
from sim_agent.embedded.scene import Box, Material, Mesh, Tag
from sim_agent.embedded.town.furniture import Maker, set_lamp
from sim_agent.embedded.town.geometry import Array
from sim_agent.embedded.town.model import Lamp
from sim_agent.embedded.town.network import Junction
from sim_agent.embedded.town.plants import Plant, set_plant
from sim_agent.embedded.town.roundabout import Ring
from sim_agent.embedded.town.scenery import Scenery
from sim_agent.embedded.town.shapes import sheet
from sim_agent.embedded.town.surface import KERB_SIDE_M, SIDEWALK_M, STEP_M, lay_sidewalk, walk_look
from sim_agent.embedded.town.terrain import GRASS_TINT

_APRON_M = 1.6
"""Paving between the island's kerb and its grass."""
_MOUND_M = 0.7
"""How much higher the grass is in the middle."""
_STONE = (0.62, 0.59, 0.53)
_BRONZE = (0.24, 0.3, 0.26)


def lay_roundabout(
    scenery: Scenery,
    junction: Junction,
    ring: Ring,
    trees: Sequence[Plant],
    bushes: Sequence[Plant],
    style: int,
    rng: np.random.Generator,
) -> list[Lamp]:
    """The island, and a lamp between each two streets."""
    rng = rng.spawn(1)[0]
    pose = Pose(ring.x_m, ring.y_m, 0.0)
    circle = ring.circle(ring.island_m).reversed()
    s = circle.stations(STEP_M / 2.0)
    kerb = circle.beside(s, 0.0)
    inward = (np.array([ring.x_m, ring.y_m]) - kerb) / ring.island_m
    scenery.open(f"Sidewalk_{junction.junction_id}", Tag.SIDEWALK, pose)
    lay_sidewalk(scenery, kerb, inward, np.full(len(s), _APRON_M), walk_look(rng))
    _lay_grass(scenery, ring, kerb, inward)
    scenery.open("Static_Monument", Tag.STATIC, pose, True, Box(Pose(ring.x_m, ring.y_m, 3.5), (1.6, 1.6, 3.5)))
    scenery.builder.add_mesh(_monument(), pose)
    _plant_island(scenery, ring, trees, bushes, rng)
    lamps = []
    for corner in junction.corners:
        place = corner.place(corner.length_m / 2.0, KERB_SIDE_M)
        foot = Pose(place.x_m, place.y_m, 0.0, 0.0, place.yaw_deg - 90.0, 0.0)
        lamps.append(set_lamp(scenery, foot, style))
    return lamps


def _height(ring: Ring, out_m: Array) -> Array:
    """Of the grass, so far from the island's middle."""
    share = np.clip(out_m / (ring.island_m - _APRON_M), 0.0, 1.0)
    return SIDEWALK_M + _MOUND_M * np.cos(share * math.pi / 2.0) ** 2


def _lay_grass(scenery: Scenery, ring: Ring, kerb: Array, inward: Array) -> None:
    radius = ring.island_m - _APRON_M
    # The monument hides the middle.
    outs = np.linspace(radius, 1.0, 1 + math.ceil(radius / (STEP_M / 2.0)))
    scenery.open("Terrain", Tag.TERRAIN, Pose(ring.x_m, ring.y_m, SIDEWALK_M))
    heights = _height(ring, outs)
    for k in range(len(outs) - 1):
        # `sheet` has one height a station: each ring of grass is laid across, from outside in.
        lines = np.stack([kerb + inward * (ring.island_m - out) for out in outs[k : k + 2]])[:, ::-1]
        sheet(scenery.builder, lines, heights[k : k + 2], Tag.TERRAIN, Material.GRASS, GRASS_TINT)


def _plant_island(
    scenery: Scenery, ring: Ring, trees: Sequence[Plant], bushes: Sequence[Plant], rng: np.random.Generator
) -> None:
    """Trees around the monument, bushes around the trees."""
    first = float(rng.uniform(0.0, 2.0 * math.pi))
    tree = trees[int(rng.integers(len(trees)))]
    count = int(rng.integers(4, 7))
    wide = ring.island_m - _APRON_M
    for k in range(count):
        scale = min(1.1, 4.0 / tree.reach_m) * float(rng.uniform(0.85, 1.0))
        set_plant(scenery, tree, _spot(ring, 0.58 * wide, first + 2.0 * math.pi * k / count, rng), scale)
    bush = bushes[int(rng.integers(len(bushes)))]
    around = 4 * count
    for k in range(around):
        # Gaps let one see through to the other side.
        if k % 4 != 3:
            turn = first + 2.0 * math.pi * (k + 0.5) / around
            set_plant(scenery, bush, _spot(ring, 0.82 * wide, turn, rng), float(rng.uniform(0.7, 1.0)))


def _spot(ring: Ring, out_m: float, turn_rad: float, rng: np.random.Generator) -> Pose:
    height = float(_height(ring, np.array(out_m))) - 0.04
    x, y = ring.x_m + out_m * math.cos(turn_rad), ring.y_m + out_m * math.sin(turn_rad)
    return Pose(x, y, height, 0.0, float(rng.uniform(-180.0, 180.0)), 0.0)


@lru_cache(maxsize=1)
def _monument() -> Mesh:
    """A column on steps, with a bronze figure on top."""
    maker = Maker(Tag.STATIC)
    low = SIDEWALK_M
    for half, top in ((2.6, low + _MOUND_M + 0.05), (2.1, 1.15), (1.6, 1.4)):
        maker.block((-half, -half, low), (half, half, top), Material.CONCRETE, _STONE)
    maker.block((-0.9, -0.9, 1.4), (0.9, 0.9, 2.9), Material.CONCRETE, _STONE)
    maker.block((-1.05, -1.05, 2.9), (1.05, 1.05, 3.1), Material.CONCRETE, _STONE)
    maker.bar([(0, 0, 3.1), (0, 0, 5.2)], [0.5, 0.42], Material.CONCRETE, _STONE, 10)
    maker.bar([(0, 0, 5.2), (0, 0, 5.45)], [0.65, 0.65], Material.CONCRETE, _STONE, 10)
    for side in (-0.14, 0.14):
        maker.bar([(0, side, 5.45), (0, side * 0.8, 6.3)], [0.11, 0.14], Material.METAL, _BRONZE)
    maker.bar([(0, 0, 6.25), (0, 0, 6.95)], [0.24, 0.28], Material.METAL, _BRONZE, 8)
    maker.bar(
        [(0, 0, 6.95), (0, 0, 7.02), (0, 0, 7.25), (0, 0, 7.3)], [0.08, 0.12, 0.12, 0.05], Material.METAL, _BRONZE
    )
    maker.bar([(0, 0.28, 6.85), (0.35, 0.5, 7.2)], [0.09, 0.06], Material.METAL, _BRONZE)
    maker.bar([(0, -0.28, 6.85), (0.1, -0.4, 6.3)], [0.09, 0.07], Material.METAL, _BRONZE)
    return maker.builder.build()
