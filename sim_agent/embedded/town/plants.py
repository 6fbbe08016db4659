"""Trees, bushes and hedges: a few variants of each, made once and set many times."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sim_agent.embedded.pose import Pose
from sim_agent.embedded.scene import Box, Material, Mesh, MeshBuilder, Tag
from sim_agent.embedded.town.geometry import Array
from sim_agent.embedded.town.scenery import Scenery
from sim_agent.embedded.town.shapes import tube


class Plant(NamedTuple):
    """A variant: its mesh, and the box that vehicles bump into (a tree's trunk), or none."""

    name: str
    mesh: Mesh
    trunk_m: float
    """Radius of the trunk; 0 for a plant that gives way."""
    height_m: float
    reach_m: float
    """Radius of the whole."""


GREENS = (
    (0.5, 0.66, 0.3),
    (0.42, 0.58, 0.28),
    (0.6, 0.68, 0.32),
    (0.36, 0.5, 0.3),
    (0.68, 0.62, 0.28),
    (0.72, 0.5, 0.24),
)
BARKS = ((0.62, 0.52, 0.44), (0.5, 0.44, 0.4), (0.8, 0.78, 0.74))


def grow_trees(rng: np.random.Generator) -> tuple[Plant, ...]:
    """Twelve trees: six broad, two slim, two conifers, two young ones."""
    trees = [_broadleaf(rng, k, scale) for k, scale in enumerate((1.0, 1.15, 0.9, 1.05, 1.2, 0.8))]
    trees += [_poplar(rng, k) for k in range(2)]
    trees += [_conifer(rng, k) for k in range(2)]
    trees += [_broadleaf(rng, k + 3, 0.55) for k in range(2)]
    return tuple(trees)


def grow_bushes(rng: np.random.Generator) -> tuple[Plant, ...]:
    """Four bushes."""
    bushes = []
    for k in range(4):
        builder = MeshBuilder()
        size = rng.uniform((0.5, 0.5, 0.45), (0.85, 0.85, 0.8))
        _crown(builder, rng, np.array([0.0, 0.0, size[2] * 0.8]), size, GREENS[k % len(GREENS)], 4, 6, 14)
        bushes.append(Plant("Bush", builder.build(), 0.0, float(2.0 * size[2]), float(size[:2].max())))
    return tuple(bushes)


def set_plant(scenery: Scenery, plant: Plant, pose: Pose, scale: float) -> int:
    """A plant at its foot's pose, as one object."""
    box = None
    if plant.trunk_m:
        half = plant.height_m * scale / 2.0
        box = Box(pose._replace(z_m=pose.z_m + half), (plant.trunk_m * scale, plant.trunk_m * scale, half))
    number = scenery.open(plant.name, Tag.VEGETATION, pose, solid=plant.trunk_m > 0.0, box=box)
    scenery.builder.add_mesh(plant.mesh, pose, (scale, scale, scale))
    return number


def set_hedge(scenery: Scenery, pose: Pose, length_m: float, rng: np.random.Generator) -> None:
    """A clipped hedge along the pose's x axis, ragged on top."""
    height, half = float(rng.uniform(0.9, 1.5)), 0.32
    centre = pose.compose(Pose(length_m / 2.0, 0.0, height / 2.0))
    scenery.open("Hedge", Tag.VEGETATION, pose, True, Box(centre, (length_m / 2.0, half, height / 2.0)))
    count = max(2, round(length_m / 0.7)) + 1
    x = np.linspace(0.0, length_m, count)
    profile = np.array(
        [
            (-half, 0.0),
            (-half * 1.1, 0.5 * height),
            (-half * 0.8, height),
            (half * 0.8, height),
            (half * 1.1, 0.5 * height),
            (half, 0.0),
        ]
    )
    points = np.concatenate(
        [np.broadcast_to(x[:, None, None], (count, 6, 1)), np.broadcast_to(profile, (count, 6, 2))], -1
    )
    points = points + rng.uniform(-0.09, 0.09, points.shape) * [0.0, 1.0, 1.0]
    k, s = np.meshgrid(np.arange(5), np.arange(count - 1))
    a = (s * 6 + k).ravel()
    triangles = np.stack([a, a + 7, a + 6, a, a + 1, a + 7], -1).reshape(-1, 3)
    builder = MeshBuilder()
    shade = rng.uniform(0.8, 1.1, (count * 6, 1)) * np.array(GREENS[int(rng.integers(4))])
    builder.add(points.reshape(-1, 3), triangles, Tag.VEGETATION, Material.LEAF, np.clip(shade, 0.0, 1.0))
    scenery.builder.add_mesh(builder.build(), pose)


def _crown(
    builder: MeshBuilder,
    rng: np.random.Generator,
    centre: Array,
    radii: Array,
    colour: tuple[float, float, float],
    rings: int,
    sides: int,
    leaves: int,
) -> None:
    """A lumpy ellipsoid, darker below, with loose leaves that break its outline."""
    theta = np.linspace(0.0, np.pi, rings + 1)
    phi = np.linspace(0.0, 2.0 * np.pi, sides + 1)
    t, p = np.meshgrid(theta, phi, indexing="ij")
    normal = np.stack([np.sin(t) * np.cos(p), np.sin(t) * np.sin(p), np.cos(t)], -1)
    lump = 1.0 + 0.45 * (rng.random(t.shape) - 0.5)
    lump[:, -1] = lump[:, 0]
    lump[0], lump[-1] = lump[0, 0], lump[-1, 0]
    points = centre + normal * lump[..., None] * radii
    bent = normal + 0.5 * (rng.random(normal.shape) - 0.5)
    bent[:, -1] = bent[:, 0]
    bent /= np.linalg.norm(bent, axis=-1, keepdims=True)
    shade = (0.62 + 0.38 * (normal[..., 2:] + 1.0) / 2.0) * rng.uniform(0.85, 1.1, (*t.shape, 1))
    tint = np.clip(shade * np.asarray(colour), 0.0, 1.0)
    tint[:, -1] = tint[:, 0]
    k, s = np.meshgrid(np.arange(sides), np.arange(rings))
    a = (s * (sides + 1) + k).ravel()
    first = np.stack([a, a + sides + 1, a + sides + 2], -1)[s.ravel() < rings - 1]
    second = np.stack([a, a + sides + 2, a + 1], -1)[s.ravel() > 0]
    uvs = np.stack([p * radii[0], t * radii[2]], -1)
    builder.add(
        points.reshape(-1, 3),
        np.concatenate([first, second]),
        Tag.VEGETATION,
        Material.LEAF,
        tint.reshape(-1, 3),
        bent.reshape(-1, 3),
        uvs.reshape(-1, 2),
    )
    if not leaves:
        return
    way = rng.normal(size=(leaves, 3))
    way /= np.linalg.norm(way, axis=1, keepdims=True)
    at = centre + way * radii * rng.uniform(0.85, 1.22, (leaves, 1))
    u, v = rng.normal(size=(2, leaves, 3))
    size = rng.uniform(0.2, 0.4, (leaves, 1)) * float(radii.max()) ** 0.5
    corners = np.stack(
        [
            at - size * u / np.linalg.norm(u, axis=1, keepdims=True),
            at + size * v / np.linalg.norm(v, axis=1, keepdims=True),
            at + size * way,
        ],
        1,
    )
    light = np.clip(rng.uniform(0.75, 1.2, (leaves, 1, 1)) * np.asarray(colour), 0.0, 1.0)
    builder.add(
        corners.reshape(-1, 3),
        np.arange(3 * leaves).reshape(-1, 3),
        Tag.VEGETATION,
        Material.LEAF,
        np.repeat(light, 3, 1).reshape(-1, 3),
        np.repeat(way, 3, 0),
    )


def _broadleaf(rng: np.random.Generator, kind: int, scale: float) -> Plant:
    builder = MeshBuilder()
    trunk = float(rng.uniform(2.4, 3.2)) * scale
    thick = 0.2 * scale
    lean = rng.uniform(-0.15, 0.15, 2) * scale
    bark = BARKS[kind % len(BARKS)]
    stem = np.array([(0.0, 0.0, 0.0), (*lean * 0.5, trunk * 0.6), (*lean, trunk * 1.35)])
    tube(builder, stem, np.array([thick * 1.25, thick, thick * 0.5]), 7, Tag.VEGETATION, Material.BARK, bark, False)
    green = GREENS[kind % len(GREENS)]
    reach = 0.0
    for k in range(4):
        angle = 2.0 * np.pi * (k + rng.uniform(-0.3, 0.3)) / 3.0
        out = 0.0 if k == 3 else float(rng.uniform(0.8, 1.2)) * scale
        spot = np.array(
            [out * np.cos(angle), out * np.sin(angle), trunk + (2.2 if k == 3 else rng.uniform(0.7, 1.6)) * scale]
        )
        radii = rng.uniform((1.25, 1.25, 1.0), (1.7, 1.7, 1.45)) * scale
        _crown(builder, rng, spot, radii, green, 4, 6, 10)
        reach = max(reach, out + float(radii[:2].max()) * 1.22)
        if k < 2:
            branch = np.array([(*lean * 0.6, trunk * 0.75), spot])
            tube(builder, branch, np.array([thick * 0.6, thick * 0.3]), 5, Tag.VEGETATION, Material.BARK, bark, False)
    return Plant("Tree", builder.build(), thick * 1.25, trunk + 3.6 * scale, reach)


def _poplar(rng: np.random.Generator, kind: int) -> Plant:
    builder = MeshBuilder()
    tube(
        builder,
        np.array([(0, 0, 0), (0, 0, 2.0), (0, 0, 5.0)]),
        np.array([0.2, 0.17, 0.1]),
        7,
        Tag.VEGETATION,
        Material.BARK,
        BARKS[1],
        False,
    )
    for k in range(4):
        radius = (1.0, 1.15, 0.95, 0.6)[k]
        _crown(
            builder,
            rng,
            np.array([*rng.uniform(-0.15, 0.15, 2), 2.6 + 1.9 * k]),
            np.array([radius, radius, 1.5]),
            GREENS[(kind + 1) % 4],
            4,
            7,
            14,
        )
    return Plant("Tree", builder.build(), 0.2, 9.8, 1.4)


def _conifer(rng: np.random.Generator, kind: int) -> Plant:
    builder = MeshBuilder()
    tube(
        builder,
        np.array([(0, 0, 0), (0, 0, 1.4), (0, 0, 6.5)]),
        np.array([0.19, 0.16, 0.05]),
        7,
        Tag.VEGETATION,
        Material.BARK,
        BARKS[0],
        False,
    )
    green = np.array(((0.3, 0.44, 0.3), (0.34, 0.46, 0.36))[kind % 2])
    sides = 11
    for k in range(6):
        low, high = 1.0 + 1.05 * k, 2.9 + 1.05 * k
        radius = 2.0 * (1.0 - k / 7.0)
        angle = np.linspace(0.0, 2.0 * np.pi, sides + 1)
        ragged = radius * (1.0 + 0.35 * (rng.random(sides + 1) - 0.5))
        ragged[-1] = ragged[0]
        rim = np.column_stack(
            [ragged * np.cos(angle), ragged * np.sin(angle), low + 0.5 * (rng.random(sides + 1) - 0.5)]
        )
        rim[-1] = rim[0]
        tip = np.broadcast_to([0.0, 0.0, high], (sides + 1, 3))
        points = np.concatenate([rim, tip])
        normal = np.column_stack([np.cos(angle), np.sin(angle), np.full(sides + 1, 0.6)])
        normal /= np.linalg.norm(normal, axis=1, keepdims=True)
        tint = np.concatenate([np.tile(green * 0.75, (sides + 1, 1)), np.tile(green * 1.2, (sides + 1, 1))])
        i = np.arange(sides)
        uvs = np.column_stack([np.tile(angle, 2), np.repeat([0.0, 2.0], sides + 1)])
        builder.add(
            points,
            np.stack([i, i + 1, i + sides + 2], -1),
            Tag.VEGETATION,
            Material.LEAF,
            tint,
            np.tile(normal, (2, 1)),
            uvs,
        )
    return Plant("Conifer", builder.build(), 0.19, 8.3, 2.4)
