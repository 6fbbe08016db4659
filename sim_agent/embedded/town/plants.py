"""Trees, bushes, thickets and hedges: a few variants of each, made once and set many times."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sim_agent.embedded.pose import Pose
from sim_agent.embedded.scene import Box, Material, Mesh, MeshBuilder, Tag
from sim_agent.embedded.town.geometry import Array
from sim_agent.embedded.town.scenery import Scenery
from sim_agent.embedded.town.shapes import quads, tube


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
    (0.37, 0.48, 0.38),
    (0.31, 0.42, 0.36),
    (0.43, 0.49, 0.38),
    (0.27, 0.38, 0.34),
    (0.46, 0.44, 0.33),
    (0.48, 0.34, 0.28),
)
BARKS = ((0.4, 0.34, 0.3), (0.3, 0.28, 0.27), (0.62, 0.6, 0.57))


def grow_trees(rng: np.random.Generator) -> dict[str, tuple[Plant, ...]]:
    """The variants of each species, made once for a town."""
    return {
        "broad": tuple(_broadleaf(rng, k, scale, 1.0) for k, scale in enumerate((1.15, 1.35, 1.0, 1.25))),
        "spreading": tuple(_broadleaf(rng, k + 1, scale, 1.5) for k, scale in enumerate((1.2, 1.4, 1.1))),
        "young": tuple(_broadleaf(rng, k + 3, scale, 0.9) for k, scale in enumerate((0.6, 0.75))),
        "autumn": tuple(_broadleaf(rng, k + 4, scale, 1.1) for k, scale in enumerate((1.0, 1.2))),
        "poplar": tuple(_poplar(rng, k) for k in range(2)),
        "conifer": tuple(_conifer(rng, k) for k in range(3)),
        "pine": tuple(_pine(rng, k) for k in range(2)),
        "palm": tuple(_palm(rng, k) for k in range(2)),
    }


def grow_bushes(rng: np.random.Generator) -> tuple[Plant, ...]:
    """Six bushes."""
    bushes = []
    for k in range(6):
        builder = MeshBuilder()
        size = rng.uniform((0.55, 0.55, 0.45), (1.0, 1.0, 0.9))
        centre = np.array([0.0, 0.0, size[2] * 0.8])
        _core(builder, rng, centre, 0.8 * size, GREENS[k], 3, 6)
        leaf_sprays(builder, rng, centre, size, GREENS[k], 16, 0.42)
        bushes.append(Plant("Bush", builder.build(), 0.0, float(2.0 * size[2]), float(size[:2].max())))
    return tuple(bushes)


THICKET_M = 6.0
"""Length of a thicket along its x axis."""


def grow_thickets(rng: np.random.Generator) -> tuple[Plant, ...]:
    """Six stretches of dense growth beside a road, 2 to 6 m high, dark within, ragged above."""
    thickets = []
    for k, height in enumerate((2.0, 2.6, 3.3, 4.2, 5.2, 6.2)):
        builder = MeshBuilder()
        green = GREENS[k % 4]
        for x in np.arange(0.9, THICKET_M, 1.4):
            tall = height * float(rng.uniform(0.7, 1.1))
            centre = np.array([x, float(rng.uniform(-0.3, 0.3)), 0.45 * tall])
            radii = np.array([float(rng.uniform(0.9, 1.4)), float(rng.uniform(0.9, 1.3)), 0.55 * tall])
            _core(builder, rng, centre, radii * [0.9, 0.85, 0.9], green, 3, 6)
            leaf_sprays(builder, rng, centre, radii, green, 11 + int(2 * height), 0.52 + 0.06 * height)
        thickets.append(Plant("Thicket", builder.build(), 0.0, 1.15 * height, 1.6))
    return tuple(thickets)


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


def _core(
    builder: MeshBuilder,
    rng: np.random.Generator,
    centre: Array,
    radii: Array,
    colour: tuple[float, float, float],
    rings: int,
    sides: int,
) -> None:
    """The dark inside of a crown: a lumpy ellipsoid."""
    theta = np.linspace(0.0, np.pi, rings + 1)
    phi = np.linspace(0.0, 2.0 * np.pi, sides + 1)
    t, p = np.meshgrid(theta, phi, indexing="ij")
    normal = np.stack([np.sin(t) * np.cos(p), np.sin(t) * np.sin(p), np.cos(t)], -1)
    lump = 1.0 + 0.45 * (rng.random(t.shape) - 0.5)
    lump[:, -1] = lump[:, 0]
    lump[0], lump[-1] = lump[0, 0], lump[-1, 0]
    points = centre + normal * lump[..., None] * radii
    shade = (0.35 + 0.3 * (normal[..., 2:] + 1.0) / 2.0) * rng.uniform(0.8, 1.1, (*t.shape, 1))
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
        normal.reshape(-1, 3),
        uvs.reshape(-1, 2),
    )


def leaf_sprays(
    builder: MeshBuilder,
    rng: np.random.Generator,
    centre: Array,
    radii: Array,
    colour: tuple[float, float, float],
    count: int,
    size_m: float,
) -> None:
    """Sprays of leaves all over an ellipsoid: stars of three pointed triangles, lighter above and outside."""
    way = rng.normal(size=(count, 3))
    way /= np.linalg.norm(way, axis=1, keepdims=True)
    out = rng.uniform(0.78, 1.12, (count, 1))
    at = centre + way * radii * out
    u = rng.normal(size=(count, 3))
    u -= 0.6 * way * (u * way).sum(1, keepdims=True)
    u /= np.linalg.norm(u, axis=1, keepdims=True)
    v = np.cross(u, way + 0.5 * rng.normal(size=(count, 3)))
    v /= np.maximum(np.linalg.norm(v, axis=1, keepdims=True), 1e-6)
    turn = rng.uniform(0.0, 2.0 * np.pi, (count, 1)) + np.arange(3) * np.pi / 1.5 + rng.uniform(-0.5, 0.5, (count, 3))
    length = size_m * rng.uniform(0.6, 1.35, (count, 3))
    tips = []
    for side in (-0.42, 0.42):
        angle = turn + side * rng.uniform(0.7, 1.3, (count, 3))
        ray = np.cos(angle)[..., None] * u[:, None] + np.sin(angle)[..., None] * v[:, None]
        tips.append(at[:, None] + length[..., None] * ray)
    root = at[:, None] - 0.25 * size_m * way[:, None] + 0.0 * tips[0]
    corners = np.stack([root, tips[0], tips[1]], 2)
    shade = (0.5 + 0.3 * (way[:, 2:] + 1.0) / 2.0 + 0.35 * (out - 0.7)) * rng.uniform(0.75, 1.3, (count, 1))
    tint = np.clip(shade * np.asarray(colour) * rng.uniform(0.92, 1.08, (count, 3)), 0.0, 1.0)
    normal = way + [0.0, 0.0, 0.35]
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    builder.add(
        corners.reshape(-1, 3),
        np.arange(9 * count).reshape(-1, 3),
        Tag.VEGETATION,
        Material.LEAF,
        np.repeat(tint, 9, 0),
        np.repeat(normal, 9, 0),
    )


def _trunk(builder: MeshBuilder, points: Array, radii: Array, bark: tuple[float, float, float], sides: int = 6) -> None:
    tube(builder, points, radii, sides, Tag.VEGETATION, Material.BARK, bark, False)


def _broadleaf(rng: np.random.Generator, kind: int, scale: float, spread: float) -> Plant:
    """A trunk that divides into limbs, each of which carries a part of the crown."""
    builder = MeshBuilder()
    trunk = float(rng.uniform(2.3, 3.0)) * scale
    thick = 0.17 * scale
    lean = rng.uniform(-0.2, 0.2, 2) * scale
    bark = BARKS[kind % len(BARKS)]
    stem = np.array([(0.0, 0.0, 0.0), (*lean * 0.5, trunk * 0.6), (*lean, trunk * 1.5)])
    _trunk(builder, stem, np.array([thick * 1.35, thick, thick * 0.5]), bark)
    green = GREENS[kind % len(GREENS)]
    reach = 0.0
    for k in range(5):
        top = k == 4
        angle = 2.0 * np.pi * (k + rng.uniform(-0.3, 0.3)) / 4.0
        out = 0.0 if top else float(rng.uniform(0.9, 1.5)) * scale * spread
        height = trunk + (2.6 if top else float(rng.uniform(0.5, 2.0))) * scale
        spot = np.array([lean[0] + out * np.cos(angle), lean[1] + out * np.sin(angle), height])
        radii = rng.uniform((1.0, 1.0, 0.8), (1.5, 1.5, 1.25)) * scale
        _core(builder, rng, spot, 0.76 * radii, green, 3, 5)
        leaf_sprays(builder, rng, spot, radii, green, 21, 0.5 * scale**0.5)
        reach = max(reach, out + float(radii[:2].max()) * 1.15)
        if not top:
            limb = np.array([(*lean * 0.7, trunk * 0.8), spot])
            _trunk(builder, limb, np.array([thick * 0.6, thick * 0.25]), bark, 4)
    return Plant("Tree", builder.build(), thick * 1.3, trunk + 4.0 * scale, reach)


def _poplar(rng: np.random.Generator, kind: int) -> Plant:
    builder = MeshBuilder()
    _trunk(builder, np.array([(0, 0, 0), (0, 0, 2.0), (0, 0, 5.0)]), np.array([0.2, 0.17, 0.1]), BARKS[1])
    green = GREENS[(kind + 1) % 4]
    for k in range(5):
        radius = (0.9, 1.1, 1.0, 0.8, 0.5)[k]
        centre = np.array([*rng.uniform(-0.15, 0.15, 2), 2.4 + 1.7 * k])
        _core(builder, rng, centre, np.array([0.75 * radius, 0.75 * radius, 1.4]), green, 3, 5)
        leaf_sprays(builder, rng, centre, np.array([radius, radius, 1.4]), green, 16, 0.5)
    return Plant("Tree", builder.build(), 0.2, 10.4, 1.3)


def _conifer(rng: np.random.Generator, kind: int) -> Plant:
    """Whorls of drooping twigs around a dark cone."""
    builder = MeshBuilder()
    tall = (7.5, 9.5, 11.5)[kind % 3]
    _trunk(builder, np.array([(0, 0, 0), (0, 0, 1.4), (0, 0, tall - 0.6)]), np.array([0.2, 0.17, 0.03]), BARKS[0])
    green = ((0.17, 0.26, 0.2), (0.21, 0.3, 0.26), (0.15, 0.23, 0.2))[kind % 3]
    wide = 0.24 * tall
    for k in range(7):
        share = k / 7.0
        height = 1.2 + (tall - 1.4) * share
        radius = wide * (1.0 - share) + 0.15
        centre = np.array([0.0, 0.0, height + 0.2])
        flat = np.array([radius, radius, 0.55])
        _core(builder, rng, centre, flat * [0.6, 0.6, 1.5], green, 2, 6)
        leaf_sprays(builder, rng, centre, flat, green, 5 + int(6 * radius), 0.52 + 0.14 * radius)
    return Plant("Conifer", builder.build(), 0.19, tall, wide)


def _pine(rng: np.random.Generator, kind: int) -> Plant:
    """A long bare trunk with flat clouds of needles on top."""
    builder = MeshBuilder()
    tall = float(rng.uniform(8.0, 10.0))
    bend = rng.uniform(-0.5, 0.5, 2)
    stem = np.array([(0.0, 0.0, 0.0), (*bend * 0.4, tall * 0.5), (*bend, tall)])
    _trunk(builder, stem, np.array([0.24, 0.18, 0.08]), BARKS[0])
    for _ in range(5):
        angle, out = float(rng.uniform(0.0, 6.28)), float(rng.uniform(0.3, 1.5))
        height = tall * float(rng.uniform(0.62, 1.0))
        spot = np.array([bend[0] + out * np.cos(angle), bend[1] + out * np.sin(angle), height])
        radii = rng.uniform((0.9, 0.9, 0.4), (1.5, 1.5, 0.7))
        _core(builder, rng, spot, 0.6 * radii, GREENS[3], 2, 5)
        leaf_sprays(builder, rng, spot, radii, GREENS[3], 18, 0.5)
        limb = np.array([(bend[0] * 0.6, bend[1] * 0.6, height - 0.5), spot])
        _trunk(builder, limb, np.array([0.08, 0.04]), BARKS[0], 4)
    return Plant("Tree", builder.build(), 0.24, tall + 0.6, 2.6)


def _palm(rng: np.random.Generator, kind: int) -> Plant:
    """A thin trunk with a head of long, hanging leaves."""
    builder = MeshBuilder()
    tall = (5.5, 7.5)[kind % 2]
    bend = rng.uniform(-0.4, 0.4, 2)
    stem = np.array([(0.0, 0.0, 0.0), (*bend * 0.3, tall * 0.5), (*bend, tall)])
    _trunk(builder, stem, np.array([0.19, 0.14, 0.12]), BARKS[0])
    head, corners = np.array([*bend, tall]), []
    for k in range(14):
        angle = 2.0 * np.pi * (k + float(rng.uniform(-0.3, 0.3))) / 14.0
        ahead = np.array([np.cos(angle), np.sin(angle), 0.0])
        aside = np.array([-ahead[1], ahead[0], 0.0])
        rise, length = float(rng.uniform(-0.2, 0.9)), float(rng.uniform(1.4, 2.1))
        share = np.linspace(0.0, 1.0, 5)[:, None]
        spine = head + ahead * length * share + [0.0, 0.0, 1.0] * (rise * share - 1.5 * share**2)
        half = 0.24 * np.sin(np.pi * (0.12 + 0.86 * share)) * aside
        droop = np.array([0.0, 0.0, -0.12])
        for side in (1.0, -1.0):
            edge = spine + side * half + droop
            corners += [(spine[j], edge[j], edge[j + 1], spine[j + 1]) for j in range(4)]
    green = np.array((0.34, 0.42, 0.26)) * rng.uniform(0.7, 1.1, (len(corners), 1))
    quads(builder, np.array(corners), Tag.VEGETATION, Material.LEAF, np.clip(green, 0.0, 1.0))
    return Plant("Palm", builder.build(), 0.19, tall + 0.6, 2.0)
