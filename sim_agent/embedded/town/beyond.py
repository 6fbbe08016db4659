"""What is seen beyond a town: woods all around it, hills or towers behind them, open water."""

from __future__ import annotations

import math

import numpy as np

from sim_agent.embedded.pose import Pose
from sim_agent.embedded.scene import Material, Mesh, MeshBuilder, Tag
from sim_agent.embedded.town.blocks import Ground
from sim_agent.embedded.town.geometry import Array
from sim_agent.embedded.town.plants import GREENS, leaf_sprays
from sim_agent.embedded.town.scenery import Scenery
from sim_agent.embedded.town.shapes import boxes, grid_triangles

_STEP_M = 24.0
"""Longest side of a triangle far away."""


def lay_backdrop(scenery: Scenery, ground: Ground, skyline: str, shore: bool, rng: np.random.Generator) -> None:
    """Woods around the town, so that streets do not end in an empty plain, and the skyline behind them.

    skyline: woods, hills or towers. shore: nothing where x is largest: there lies the water.
    """
    high = ground.high
    centre, half = (ground.low + high) / 2.0, (high - ground.low) / 2.0
    count = int(2.0 * (half[0] + half[1]) * 2.0 / 15.0)
    for k in range(count):
        angle = 2.0 * math.pi * (k + float(rng.uniform(-0.3, 0.3))) / count
        c, s = math.cos(angle), math.sin(angle)
        # A rounded rectangle around the raster.
        reach = (abs(c / half[0]) ** 4 + abs(s / half[1]) ** 4) ** -0.25
        x, y = centre + np.array([c, s]) * reach * float(rng.uniform(0.96, 1.1))
        radius, height = float(rng.uniform(8.0, 13.0)), float(rng.uniform(7.0, 17.0))
        if (shore and x > centre[0] + 0.8 * half[0]) or ground.is_wet([(x, y)], radius)[0]:
            continue
        pose = Pose(float(x), float(y), 0.0, 0.0, float(rng.uniform(-180.0, 180.0)), 0.0)
        scenery.open("Woods", Tag.VEGETATION, pose)
        scenery.builder.add_mesh(_wood(rng, radius, height, GREENS[int(rng.integers(4))]), pose)
    far = float(half.max()) + 60.0
    if skyline == "hills":
        _hills(scenery, centre, far, shore, rng)
    elif skyline == "towers":
        _towers(scenery, centre, far, shore, rng)


def _wood(rng: np.random.Generator, radius: float, height: float, green: tuple[float, float, float]) -> Mesh:
    builder = MeshBuilder()
    sides, rings = 10, 3
    phi = np.linspace(0.0, 2.0 * np.pi, sides + 1)
    level = np.array([0.0, 0.45, 0.85, 1.0])
    wide = np.array([1.0, 0.95, 0.6, 0.02])
    lump = rng.uniform(0.75, 1.2, (rings + 1, sides + 1))
    lump[:, -1] = lump[:, 0]
    r = 0.85 * radius * wide[:, None] * lump
    z = 0.85 * height * level[:, None] * (0.6 + 0.4 * lump)
    points = np.stack([r * np.cos(phi), r * np.sin(phi), z], -1)
    triangles = grid_triangles(rings + 1, sides + 1)
    shade = np.clip(rng.uniform(0.4, 0.75, (points.size // 3, 1)) * np.asarray(green), 0.0, 1.0)
    uvs = np.stack([np.broadcast_to(phi * radius, r.shape), z], -1)
    builder.add(points.reshape(-1, 3), triangles, Tag.VEGETATION, Material.LEAF, shade, uvs=uvs.reshape(-1, 2))
    # Tree tops that stand out.
    centre, radii = np.array([0.0, 0.0, 0.35 * height]), np.array([0.9 * radius, 0.9 * radius, 0.62 * height])
    leaf_sprays(builder, rng, centre, radii, green, 36, 2.0)
    return builder.build()


def _hills(scenery: Scenery, centre: Array, far_m: float, shore: bool, rng: np.random.Generator) -> None:
    """A ring of wooded hills."""
    for k in range(14):
        angle = 2.0 * math.pi * (k + float(rng.uniform(-0.4, 0.4))) / 14.0
        if shore and math.cos(angle) > 0.6:
            continue
        away = far_m * float(rng.uniform(1.15, 1.5))
        x, y = centre + away * np.array([math.cos(angle), math.sin(angle)])
        half = 5
        grid = np.arange(-half, half + 1) * (_STEP_M - 1.0)
        gx, gy = np.meshgrid(grid, grid)
        fall = np.clip(1.0 - np.hypot(gx, gy) / (half * (_STEP_M - 1.0)), 0.0, 1.0)
        rough = 1.0 + 0.25 * rng.normal(size=fall.shape)
        z = float(rng.uniform(28.0, 60.0)) * (fall * fall * (3.0 - 2.0 * fall)) * rough - 0.3
        size = 2 * half + 1
        triangles = grid_triangles(size, size)
        pose = Pose(float(x), float(y), 0.0)
        scenery.open("Hill", Tag.TERRAIN, pose)
        points = np.stack([gx + x, gy + y, z], -1).reshape(-1, 3)
        tint = np.clip(rng.uniform(0.7, 1.1, (size * size, 1)) * np.asarray(GREENS[int(rng.integers(4))]), 0.0, 1.0)
        scenery.builder.add(points, triangles, Tag.TERRAIN, Material.LEAF, tint, uvs=points[:, :2])


def _towers(scenery: Scenery, centre: Array, far_m: float, shore: bool, rng: np.random.Generator) -> None:
    """High houses of the next quarter, in groups, grey in the haze."""
    for k in range(34):
        angle = float(rng.normal(0.0, 0.35)) + (0.6, 2.4, 3.9, 5.3)[k % 4]
        if shore and math.cos(angle) > 0.6:
            continue
        away = far_m * float(rng.uniform(1.05, 1.5))
        x, y = centre + away * np.array([math.cos(angle), math.sin(angle)])
        wide, deep, tall = rng.uniform((9.0, 9.0, 22.0), (16.5, 16.5, 90.0)).tolist()
        pose = Pose(float(x), float(y), 0.0, 0.0, float(rng.uniform(-180.0, 180.0)), 0.0)
        scenery.open("Building", Tag.BUILDING, pose)
        grey = float(rng.uniform(0.2, 0.5))
        low, high = (-wide / 2.0, -deep / 2.0, 0.0), (wide / 2.0, deep / 2.0, tall)
        material = Material.WINDOW if rng.random() < 0.3 else Material.CONCRETE
        boxes(scenery.builder, [low], [high], Tag.BUILDING, material, (grey, grey, 1.05 * grey), pose)
        floors = np.arange(3.0, tall - 2.0, 6.0)
        bands = np.column_stack([np.full(len(floors), low[0] - 0.05), np.full(len(floors), low[1] - 0.05), floors])
        tops = np.column_stack(
            [np.full(len(floors), high[0] + 0.05), np.full(len(floors), high[1] + 0.05), floors + 2.6]
        )
        if material == Material.CONCRETE:
            boxes(scenery.builder, bands, tops, Tag.BUILDING, Material.WINDOW, (0.4, 0.44, 0.48), pose)
