"""A small town of our own for the renderer's tests: two crossing streets, houses, trees, lamps, a car and a walker."""

import math

import numpy as np

from sim_agent.embedded.pose import Pose
from sim_agent.embedded.scene import Light, Material, Mesh, MeshBuilder, Mover, Tag


def _upright_cylinder(builder, x, y, low, high, radius, tag, material, colour, sides=8):
    angles = np.arange(sides + 1) * (2 * math.pi / sides)
    ring = np.stack([np.cos(angles), np.sin(angles), 0 * angles], axis=1)
    base, top = ring * radius + (x, y, low), ring * radius + (x, y, high)
    k = np.arange(sides)
    around = angles[:, None] * radius
    uvs = np.concatenate([np.hstack([around, 0 * around + low]), np.hstack([around, 0 * around + high])])
    faces = np.concatenate([np.stack([k, k + 1, k + sides + 2], 1), np.stack([k, k + sides + 2, k + sides + 1], 1)])
    builder.add(np.concatenate([base, top]), faces, tag, material, colour, np.concatenate([ring, ring]), uvs)
    centre = np.concatenate([top[:-1], [[x, y, high]]])
    builder.add(centre, np.stack([k, (k + 1) % sides, k * 0 + sides], 1), tag, material, colour, (0, 0, 1))


def _tree(builder, x, y, random, leaves):
    _upright_cylinder(builder, x, y, 0.1, 3.4, 0.16, Tag.VEGETATION, Material.BARK, (0.45, 0.36, 0.28))
    direction = random.normal(size=(leaves, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    place = direction * random.uniform(0.6, 1.0, (leaves, 1)) ** 0.5 * (1.9, 1.9, 1.6) + (x, y, 4.4)
    across = np.cross(direction, random.normal(size=(leaves, 3)))
    across /= np.linalg.norm(across, axis=1, keepdims=True)
    other = np.cross(across, random.normal(size=(leaves, 3)))
    other /= np.linalg.norm(other, axis=1, keepdims=True)
    size = random.uniform(0.14, 0.30, (leaves, 1))
    corners = np.stack([place - across * size, place - other * size, place + across * size, place + other * size], 1)
    normal = direction + random.normal(size=direction.shape) * 0.3
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    low = np.arange(leaves)[:, None] * 4
    faces = np.concatenate([low + (0, 1, 2), low + (0, 2, 3)])
    colour = np.array([0.30, 0.42, 0.18]) * random.uniform(0.7, 1.2, (leaves, 1))
    uvs = np.tile([(0, 0), (0.4, 0), (0.4, 0.4), (0, 0.4)], (leaves, 1)) + np.repeat(random.random((leaves, 2)), 4, 0)
    builder.add(
        corners.reshape(-1, 3),
        faces,
        Tag.VEGETATION,
        Material.LEAF,
        np.repeat(np.clip(colour, 0, 1), 4, 0),
        np.repeat(normal, 4, 0),
        uvs,
    )


def _house(builder, x0, y0, x1, y1, height, material, colour):
    builder.box((x0, y0, 0), (x1, y1, height), Tag.BUILDING, material, colour)
    for z in np.arange(1.0, height - 1.8, 3.0):
        for x in np.arange(x0 + 1.2, x1 - 1.4, 2.4):
            for y, out in ((y0, -1), (y1, 1)):
                a, b = (x, x + 1.3) if out < 0 else (x + 1.3, x)
                y_out = y + 0.03 * out
                glass = ((a, y_out, z), (b, y_out, z), (b, y_out, z + 1.6), (a, y_out, z + 1.6))
                builder.quad(*glass, Tag.BUILDING, Material.WINDOW, (0.20, 0.24, 0.28))
                builder.box(
                    (x - 0.1, min(y, y + 0.15 * out), z - 0.12),
                    (x + 1.4, max(y, y + 0.15 * out), z),
                    Tag.BUILDING,
                    Material.CONCRETE,
                    (0.9, 0.9, 0.88),
                )


def street_town(blocks=1, leaves=150) -> Mesh:
    """Crossing streets every 60 m; `blocks` to each side of the origin."""
    random = np.random.default_rng(5)
    builder = MeshBuilder(object_id=1)
    lines = [60.0 * k for k in range(-blocks, blocks + 1)]
    edge = lines[-1] + 40
    builder.object_id = 2
    builder.quad(
        *((-edge, -edge, -0.05), (edge, -edge, -0.05), (edge, edge, -0.05), (-edge, edge, -0.05)),
        *(Tag.TERRAIN, Material.GRASS, (0.42, 0.50, 0.26)),
    )
    next_id = 10
    for line in lines:
        builder.object_id = 1
        asphalt = (Tag.ROAD, Material.ASPHALT, (1, 1, 1))
        builder.quad(
            (-edge, line - 3.5, 0), (edge, line - 3.5, 0), (edge, line + 3.5, 0), (-edge, line + 3.5, 0), *asphalt
        )
        builder.quad(
            *((line - 3.5, -edge, 0.003), (line + 3.5, -edge, 0.003), (line + 3.5, edge, 0.003)),
            (line - 3.5, edge, 0.003),
            *asphalt,
        )
        for along in np.arange(-edge, edge, 6.0):
            if min(abs(along + 1.5 - other) for other in lines) > 7:
                builder.object_id = 3
                mark = (Tag.ROAD_LINE, Material.MARKING, (0.95, 0.93, 0.85))
                x, y = along, line
                builder.quad(
                    *((x, y - 0.07, 0.01), (x + 3, y - 0.07, 0.01), (x + 3, y + 0.07, 0.01), (x, y + 0.07, 0.01)), *mark
                )
                builder.quad(
                    *((y - 0.07, x, 0.01), (y + 0.07, x, 0.01), (y + 0.07, x + 3, 0.01), (y - 0.07, x + 3, 0.01)), *mark
                )
    starts = [-edge, *(line + 3.5 for line in lines)]
    ends = [*(line - 3.5 for line in lines), edge]
    for x0, x1 in zip(starts, ends, strict=True):
        for y0, y1 in zip(starts, ends, strict=True):
            builder.object_id = 4
            for a, b, c, d in (
                (x0, y0, x1, y0 + 3),
                (x0, y1 - 3, x1, y1),
                (x0, y0 + 3, x0 + 3, y1 - 3),
                (x1 - 3, y0 + 3, x1, y1 - 3),
            ):
                builder.box((a, b, -0.1), (c, d, 0.15), Tag.SIDEWALK, Material.PAVING)
            for side in (y0 + 5, y1 - 5):
                for start in np.arange(x0 + 5, x1 - 17, 15.0):
                    builder.object_id, next_id = next_id, next_id + 1
                    deep = (side, side + 9) if side == y0 + 5 else (side - 9, side)
                    material = (Material.BRICK, Material.PLASTER, Material.CONCRETE)[int(random.integers(3))]
                    brick = np.array([0.62, 0.36, 0.28]) if material == Material.BRICK else np.array([0.85, 0.80, 0.70])
                    colour = np.clip(brick * random.uniform(0.75, 1.15, 3), 0, 1)
                    height = float(random.choice([7, 10, 13, 16]))
                    _house(builder, start, deep[0], start + 12.5, deep[1], height, material, colour)
            for start in np.arange(x0 + 8, x1 - 4, 12.0):
                builder.object_id, next_id = next_id, next_id + 1
                _tree(builder, start, y0 + 1.0, random, leaves)
                builder.object_id, next_id = next_id, next_id + 1
                lamp_x, lamp_y = start + 6, y1 - 0.6
                _upright_cylinder(builder, lamp_x, lamp_y, 0.1, 6, 0.07, Tag.POLE, Material.METAL, (0.5, 0.5, 0.52))
                builder.box(
                    (lamp_x - 0.1, lamp_y, 5.9), (lamp_x + 0.1, lamp_y + 1.2, 6.0), Tag.POLE, Material.METAL, (0.4,) * 3
                )
                builder.box(
                    (lamp_x - 0.1, lamp_y + 0.6, 5.8), (lamp_x + 0.1, lamp_y + 1.2, 5.9), Tag.POLE, Material.STREET_LAMP
                )
            builder.object_id, next_id = next_id, next_id + 1
            _upright_cylinder(builder, x1 - 0.6, y1 - 0.6, 0, 4.4, 0.07, Tag.POLE, Material.METAL, (0.3,) * 3)
            builder.box(
                (x1 - 0.8, y1 - 0.8, 3.4), (x1 - 0.4, y1 - 0.4, 4.4), Tag.TRAFFIC_LIGHT, Material.METAL, (0.1,) * 3
            )
            builder.box(
                (x1 - 0.86, y1 - 0.7, 4.05),
                (x1 - 0.8, y1 - 0.5, 4.25),
                Tag.TRAFFIC_LIGHT,
                Material.SIGNAL_LAMP,
                (0.95, 0.1, 0.08),
            )
    return builder.build()


def car_model() -> Mesh:
    builder = MeshBuilder()
    builder.box((-2.2, -0.88, 0.3), (2.2, 0.88, 0.85), Tag.CAR, Material.PAINT)
    glass = (0.10, 0.12, 0.14)
    low, high = (
        [(-1.6, -0.8), (1.0, -0.8), (1.0, 0.8), (-1.6, 0.8)],
        [(-1.1, -0.6), (0.3, -0.6), (0.3, 0.6), (-1.1, 0.6)],
    )
    for k in range(4):
        (a, b), (c, d) = (low[k], low[(k + 1) % 4]), (high[(k + 1) % 4], high[k])
        builder.quad((*a, 0.85), (*b, 0.85), (*c, 1.42), (*d, 1.42), Tag.CAR, Material.CAR_GLASS, glass)
    builder.quad(*((*corner, 1.42) for corner in high), Tag.CAR, Material.PAINT)
    for x in (-1.4, 1.4):
        for y in (-0.9, 0.72):
            builder.box((x - 0.32, y, 0.0), (x + 0.32, y + 0.18, 0.64), Tag.CAR, Material.RUBBER, (0.06,) * 3)
    for y in (-0.75, 0.5):
        builder.box((2.2, y, 0.6), (2.22, y + 0.25, 0.75), Tag.CAR, Material.HEAD_LAMP, (0.95,) * 3)
        builder.box((-2.22, y, 0.62), (-2.2, y + 0.25, 0.76), Tag.CAR, Material.TAIL_LAMP, (0.55, 0.03, 0.03))
    return builder.build()


def walker_model() -> Mesh:
    builder = MeshBuilder()
    _upright_cylinder(builder, 0, 0, 0, 0.9, 0.16, Tag.PEDESTRIAN, Material.CLOTH, (0.2, 0.22, 0.4))
    _upright_cylinder(builder, 0, 0, 0.9, 1.5, 0.22, Tag.PEDESTRIAN, Material.CLOTH, (0.7, 0.3, 0.25))
    _upright_cylinder(builder, 0, 0, 1.5, 1.75, 0.11, Tag.PEDESTRIAN, Material.SKIN, (0.75, 0.58, 0.48))
    return builder.build()


MODELS = {"car": car_model(), "walker": walker_model()}


def traffic(count=6) -> list[Mover]:
    """Cars on both lanes of the street along the x axis, and walkers beside it."""
    random = np.random.default_rng(9)
    movers = []
    for k in range(count):
        right = k % 2 == 0
        tint = tuple(random.uniform(0.1, 1.0, 3))
        lights = Light.POSITION | Light.LOW_BEAM | (Light.BRAKE if k % 3 == 0 else 0)
        pose = Pose(-22.0 + 14.0 * k, 1.75 if right else -1.75, 0.0, 0.0, 0.0 if right else 180.0)
        movers.append(Mover("car", 5000 + k, pose, tint, int(lights)))
        movers.append(Mover("walker", 6000 + k, Pose(-20.0 + 9.0 * k, 4.6 if right else -4.6, 0.15), tint))
    return movers


EGO = Pose(-30.0, 1.75, 1.6, -2.0, 1.0, 0.0)
