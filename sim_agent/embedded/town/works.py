"""Where something is being built: roadworks on parking lanes, and fenced lots with the skeleton of a house."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from sim_agent.embedded.blueprints import prop_spec
from sim_agent.embedded.models.props import prop_makers
from sim_agent.embedded.pose import Pose
from sim_agent.embedded.scene import Box, Material, Mesh, MeshBuilder, Tag
from sim_agent.embedded.town.barriers import set_barrier
from sim_agent.embedded.town.furniture import Maker
from sim_agent.embedded.town.geometry import Array
from sim_agent.embedded.town.network import Street
from sim_agent.embedded.town.scenery import Scenery
from sim_agent.embedded.town.shapes import boxes, grid_triangles, quads
from sim_agent.embedded.town.terrain import GROUND_M

LEAST_PARKING_M = 2.1
"""Narrower parking lanes are not dug up: no site reaches into a driving lane."""
WORKS_M = (9.0, 17.0)
"""Length of roadworks."""
AHEAD_M = 9.0
"""From the warning sign to the works, and behind them."""
CLEAR_OF_LANE_M = 0.75
"""From the driving lane to the middle of the barriers: a bus with its mirrors is wider than its lane."""
_CONCRETE = (0.6, 0.6, 0.58)
_STOREY_M = 3.1
_CRANE = (0.8, 0.6, 0.1)


@lru_cache(maxsize=32)
def _prop(name: str) -> Mesh:
    return prop_makers()[prop_spec(f"static.prop.{name}").model]()


def put_prop(scenery: Scenery, name: str, foot: Pose, solid: bool = True) -> None:
    """One of CARLA's props, `name` without static.prop; its box is the catalogue's."""
    spec = prop_spec(f"static.prop.{name}")
    box = Box(foot.compose(Pose(*spec.box_centre_m)), spec.extent_m)
    scenery.open(f"Prop_{name.capitalize()}", spec.tag, foot, solid, box)
    scenery.builder.add_mesh(_prop(name), foot)


def set_roadworks(scenery: Scenery, street: Street, sign: int, start_m: float, rng: np.random.Generator) -> None:
    """A stretch of a parking lane behind cones and barriers, with a warning ahead of it.

    start_m: along the traffic of that side, from where it enters the street; `sign` is 1 on the right of the path.
    """
    section, path = street.section, street.path
    border, width = section.lanes * section.lane_m, section.parking_m
    length = float(rng.uniform(*WORKS_M))

    def at(ahead_m: float, right_m: float, turned_deg: float = 0.0) -> Pose:
        """In the axes of the traffic, from the start of the works and the lane's border."""
        s = start_m + ahead_m if sign > 0 else path.length_m - start_m - ahead_m
        place = path.place(s, sign * (border + right_m))
        return Pose(place.x_m, place.y_m, 0.0, 0.0, place.yaw_deg + (0.0 if sign > 0 else 180.0) + turned_deg, 0.0)

    put_prop(scenery, "warningconstruction", at(-AHEAD_M + 1.0, width / 2.0))
    cone = "constructioncone" if rng.random() < 0.6 else "trafficcone02"
    for k, y in enumerate(np.linspace(CLEAR_OF_LANE_M, width - 0.4, 4).tolist()):
        put_prop(scenery, cone, at(-1.6 * k - 0.2, y))
        put_prop(scenery, cone, at(length + 1.0 * k + 0.2, y))
    count = int((length - 1.0) // 1.7)
    for k in range(count):
        if rng.random() < 0.85:
            turn = float(rng.uniform(-4.0, 4.0))
            put_prop(scenery, "streetbarrier", at(1.2 + (length - 2.4) * k / max(1, count - 1), CLEAR_OF_LANE_M, turn))
    for ahead in (0.6, length - 0.6):
        put_prop(scenery, "streetbarrier", at(ahead, width / 2.0 + 0.2, 90.0))
    scenery.open("Ground", Tag.GROUND, at(length / 2.0, width / 2.0))
    edges = np.linspace(1.3, length - 1.3, 4 + int(length // 3.0))
    for a, b in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True):
        corners = [at(x, y)[:2] for x, y in ((a, 1.1), (b, 1.1), (b, width - 0.15), (a, width - 0.15))]
        solid = [(x, y, 0.012) for x, y in corners]
        quads(scenery.builder, [solid], Tag.GROUND, Material.SOIL, (0.4, 0.34, 0.28))
    for ahead in (0.3 * length, 0.65 * length)[: 1 + int(rng.integers(2))]:
        _set_heap(scenery, at(ahead, width - 0.75, 90.0 * float(rng.integers(4))), 0.65, rng)
    if rng.random() < 0.6:
        put_prop(scenery, "barrel", at(0.5 * length, width - 0.6))


def build_site(scenery: Scenery, corner: Pose, width_m: float, depth_m: float, rng: np.random.Generator) -> None:
    """A lot: x of the pose along the street, y into the block; a house's skeleton behind a fence, sand, pipes, a crane."""

    def place(x: float, y: float, turned_deg: float = 0.0) -> Pose:
        return corner.compose(Pose(x, y, 0.0, 0.0, turned_deg, 0.0))

    def fence(ends: tuple[tuple[float, float], tuple[float, float]]) -> None:
        (x0, y0), (x1, y1) = ends
        count = max(1, math.ceil(math.hypot(x1 - x0, y1 - y0) / 5.0))
        line = np.array([place(x0 + (x1 - x0) * t, y0 + (y1 - y0) * t)[:2] for t in np.linspace(0, 1, count + 1)])
        set_barrier(scenery, "mesh", line, rng)

    gate = float(rng.uniform(0.2, 0.6)) * width_m
    inset = 0.3
    for ends in (
        ((inset, inset), (gate, inset)),
        ((gate + 4.0, inset), (width_m - inset, inset)),
        ((width_m - inset, inset), (width_m - inset, depth_m - inset)),
        ((inset, depth_m - inset), (inset, inset)),
    ):
        fence(ends)
    put_prop(scenery, "streetbarrier", place(gate + 1.1, 0.4, float(rng.uniform(-20.0, 20.0))))
    put_prop(scenery, "constructioncone", place(gate + 2.6, 0.5))
    put_prop(scenery, "constructioncone", place(gate + 3.5, 0.4))
    scenery.open("Ground", Tag.GROUND, place(width_m / 2.0, depth_m / 2.0))
    xs, ys = (np.linspace(inset, end - inset, 3) for end in (width_m, depth_m))
    for x0, x1 in zip(xs[:-1].tolist(), xs[1:].tolist(), strict=True):
        for y0, y1 in zip(ys[:-1].tolist(), ys[1:].tolist(), strict=True):
            solid = [
                place(x, y).location[:2] + (GROUND_M + 0.025,) for x, y in ((x0, y0), (x1, y0), (x1, y1), (x0, y1))
            ]
            quads(scenery.builder, [solid], Tag.GROUND, Material.SOIL, (0.48, 0.42, 0.35))
    house = place(width_m * 0.12, 5.0)
    _skeleton(scenery, house, width_m * 0.76, depth_m - 6.5, int(rng.integers(1, 5)), rng)
    for x, y in ((1.6, 1.8), (width_m - 2.0, 2.0), (0.45 * width_m, 2.6)):
        if rng.random() < 0.8 and abs(x - gate - 2.0) > 2.4:
            kind = str(rng.choice(["heap", "heap", "barrel", "ironplank", "box01"]))
            foot = place(x, y, float(rng.uniform(-90.0, 90.0)))._replace(z_m=GROUND_M)
            if kind == "heap":
                _set_heap(scenery, foot, float(rng.uniform(0.9, 1.4)), rng)
            else:
                put_prop(scenery, kind, foot)
    if rng.random() < 0.5:
        _set_crane(scenery, place(width_m * 0.06 + 0.4, depth_m - 1.6, float(rng.uniform(-180.0, 180.0))))


def _set_heap(scenery: Scenery, foot: Pose, radius_m: float, rng: np.random.Generator) -> None:
    """Sand, gravel or earth."""
    scenery.open("Heap", Tag.DYNAMIC, foot, True)
    scenery.builder.add_mesh(_heap(int(rng.integers(4))), foot, (radius_m, radius_m, radius_m))


@lru_cache(maxsize=4)
def _heap(variant: int) -> Mesh:
    """One metre in radius."""
    rng = np.random.default_rng(variant)
    around = np.linspace(0.0, 2.0 * np.pi, 13)
    shares = np.array([1.0, 0.72, 0.4, 0.02])
    lump = rng.uniform(0.85, 1.0, (4, 13))
    lump[:, -1] = lump[:, 0]
    wide = shares[:, None] * lump
    points = np.stack([wide * np.cos(around), wide * np.sin(around), (1.0 - shares[:, None]) * 0.62 * lump], -1)
    colour = ((0.72, 0.62, 0.44), (0.5, 0.42, 0.33), (0.6, 0.58, 0.55), (0.42, 0.33, 0.25))[variant]
    builder = MeshBuilder()
    flat = points.reshape(-1, 3)
    builder.add(flat, grid_triangles(4, 13), Tag.DYNAMIC, Material.SOIL, colour, None, flat[:, :2])
    return builder.build()


def _skeleton(
    scenery: Scenery, corner: Pose, width_m: float, depth_m: float, storeys: int, rng: np.random.Generator
) -> None:
    """Columns and floors; above the last floor the columns of the next stand already."""
    middle = corner.compose(Pose(width_m / 2.0, depth_m / 2.0))
    scenery.open("Building_Skeleton", Tag.BUILDING, middle, True)
    xs = np.linspace(0.0, width_m - 0.4, max(2, round(width_m / 5.0) + 1))
    ys = np.linspace(0.0, depth_m - 0.4, max(2, round(depth_m / 5.0) + 1))
    lows, highs = [], []
    for floor in range(storeys + 1):
        z = floor * _STOREY_M
        top = z + (_STOREY_M if floor < storeys else 1.1)
        for x in xs.tolist():
            for y in ys.tolist():
                if floor < storeys or rng.random() < 0.7:
                    lows.append((x, y, z))
                    highs.append((x + 0.4, y + 0.4, top))
        if floor:
            lows.append((-0.2, -0.2, z - 0.28))
            highs.append((width_m + 0.2, depth_m + 0.2, z))
    grey = float(rng.uniform(0.8, 1.1)) * np.array(_CONCRETE)
    builder = scenery.builder
    boxes(builder, lows, highs, Tag.BUILDING, Material.CONCRETE, grey, corner, bottom=True)
    # Brick between some columns, from the ground up.
    infill = [k for k in range(len(xs) - 1) if rng.random() < 0.5]
    for k in infill:
        for floor in range(int(rng.integers(1, storeys + 1))):
            low = (float(xs[k]) + 0.4, 0.1, floor * _STOREY_M)
            high = (float(xs[k + 1]), 0.3, floor * _STOREY_M + float(rng.choice([1.0, _STOREY_M - 0.28])))
            boxes(builder, [low], [high], Tag.BUILDING, Material.BRICK, (0.62, 0.4, 0.32), corner)


def _set_crane(scenery: Scenery, foot: Pose) -> None:
    mesh = _crane()
    scenery.open("Static_Crane", Tag.STATIC, foot, True, Box(foot._replace(z_m=4.0), (0.8, 0.8, 4.0)))
    scenery.builder.add_mesh(mesh, foot)


@lru_cache(maxsize=1)
def _crane() -> Mesh:
    """A tower crane, its jib along x."""
    maker = Maker(Tag.STATIC)
    height, half, reach = 26.0, 0.6, 22.0
    paint = Material.PAINT
    maker.block((-1.6, -1.6, 0.0), (1.6, 1.6, 0.5), Material.CONCRETE, _CONCRETE)
    for x in (-half, half):
        for y in (-half, half):
            maker.bar([(x, y, 0.4), (x, y, height)], [0.09, 0.09], paint, _CRANE, 4)
    for k in range(12):
        z, up = 0.5 + 2.1 * k, 2.1
        a, b = (-half, half) if k % 2 else (half, -half)
        for y in (-half, half):
            maker.bar([(a, y, z), (b, y, z + up)], [0.05, 0.05], paint, _CRANE, 4)
            maker.bar([(y, a, z), (y, b, z + up)], [0.05, 0.05], paint, _CRANE, 4)
    maker.block((-0.8, -0.8, height - 1.2), (0.8, 0.8, height + 0.6), paint, _CRANE)
    maker.block((0.2, 0.8, height - 2.2), (1.6, 2.0, height - 0.2), Material.WINDOW, (0.6, 0.66, 0.7))
    maker.block((-8.0, -0.5, height - 0.9), (-6.0, 0.5, height + 0.4), Material.CONCRETE, _CONCRETE)
    for y in (-half, half):
        maker.bar([(-8.0, y, height), (7.0, y, height), (reach, y, height)], [0.09] * 3, paint, _CRANE, 4)
    maker.bar([(0.0, 0.0, height), (0.0, 0.0, height + 5.0)], [0.2, 0.1], paint, _CRANE, 4)
    maker.bar([(0.0, 0.0, height + 1.4), (reach, 0.0, height + 1.0)], [0.08, 0.08], paint, _CRANE, 4)
    steps = np.arange(0.0, reach - 1.0, 2.0)
    for k, x in enumerate(steps.tolist()):
        side = half if k % 2 else -half
        maker.bar([(x, side, height), (x + 1.0, 0.0, height + 1.3)], [0.05, 0.05], paint, _CRANE, 4)
        maker.bar([(x + 1.0, 0.0, height + 1.3), (x + 2.0, -side, height)], [0.05, 0.05], paint, _CRANE, 4)
    for end in (-7.0, 0.7 * reach):
        maker.bar([(0.0, 0.0, height + 5.0), (end, 0.0, height + 0.2)], [0.03, 0.03], paint, _CRANE, 3)
    maker.bar([(0.6 * reach, 0.0, height), (0.6 * reach, 0.0, 9.0)], [0.03, 0.03], Material.METAL, (0.2, 0.2, 0.2), 3)
    return maker.builder.build()


def set_terrace(scenery: Scenery, edge: tuple[Array, Array, Array], rng: np.random.Generator) -> None:
    """Tables and chairs before a shop front.

    edge: a corner of the strip, its side along the street and its side into the block, (2,) metres each.
    """
    corner, along, inward = edge
    length, depth = float(np.hypot(*along)), float(np.hypot(*inward))
    ahead, across = along / length, inward / depth
    yaw = math.degrees(math.atan2(ahead[1], ahead[0]))
    shaded = rng.random() < 0.65
    step = 3.1 if shaded else 2.7

    def foot(x: float, y: float, turned_deg: float) -> Pose:
        spot = corner + ahead * x + across * y
        return Pose(float(spot[0]), float(spot[1]), GROUND_M, 0.0, yaw + turned_deg, 0.0)

    scenery.open("Ground", Tag.GROUND, foot(length / 2.0, depth / 2.0, 0.0))
    near = corner - across * 0.7
    corners = [near, near + along, corner + along + inward, corner + inward]
    material = Material.WOOD if rng.random() < 0.4 else Material.PAVING
    solid = [(float(x), float(y), GROUND_M + 0.03) for x, y in corners]
    quads(scenery.builder, [solid], Tag.GROUND, material, (0.5, 0.46, 0.4))
    count = int((length - 0.6) // step)
    for k in range(count):
        if rng.random() < 0.15:
            continue
        x, y = (k + 0.5) * length / count, depth / 2.0
        if shaded:
            put_prop(scenery, "plastictable", foot(x, y, float(rng.uniform(-10.0, 10.0))))
        else:
            put_prop(scenery, "table", foot(x, y, 0.0))
        for dx, dy, turn in ((-0.95, 0.0, 0.0), (0.95, 0.0, 180.0), (0.0, 0.85, -90.0)):
            if rng.random() < 0.75:
                wide = 0.35 if not shaded and dx else 0.0
                spin = turn + float(rng.uniform(-25.0, 25.0))
                put_prop(scenery, "plasticchair", foot(x + dx + math.copysign(wide, dx), y + dy, spin), solid=False)
