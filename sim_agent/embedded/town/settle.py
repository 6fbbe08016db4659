"""Fills a road network with a town: buildings along the blocks, things along the kerbs, trees where there is room."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from sim_agent.embedded.pose import Pose
from sim_agent.embedded.scene import Material, Mesh, MeshBuilder, Tag
from sim_agent.embedded.town.blocks import Block, Ground
from sim_agent.embedded.town.buildings import Lot, build_building
from sim_agent.embedded.town.furniture import PROPS, set_barrier, set_bus_stop, set_lamp, set_prop
from sim_agent.embedded.town.geometry import Array
from sim_agent.embedded.town.model import Lamp
from sim_agent.embedded.town.network import Network, Street
from sim_agent.embedded.town.plan import TownPlan
from sim_agent.embedded.town.plants import GREENS, Plant, grow_bushes, grow_trees, set_hedge, set_plant
from sim_agent.embedded.town.scenery import Scenery
from sim_agent.embedded.town.shapes import quads
from sim_agent.embedded.town.surface import SIDEWALK_M
from sim_agent.embedded.town.terrain import GRASS, GRAVEL, GROUND_M, YARD

KERB_SIDE_M = 0.55
"""From the kerb to the middle of what stands along it; people walk further in."""
LAMP_STEP_M = 26.0
CLEAR_OF_JUNCTION_M = 7.0
MOST_TREES = 110
"""In the blocks and around the town, street trees apart: what the renderer's budget allows."""


def block_kinds(blocks: Sequence[Block], plan: TownPlan, rng: np.random.Generator) -> tuple[dict[int, str], set[int]]:
    """The ground of each block by its number in `Ground.face`, and which blocks are parks."""
    inner = [block.number for block in blocks if not block.outer]
    count = max(1, round(plan.park * len(inner)))
    parks = {inner[int(k)] for k in rng.permutation(len(inner))[:count]}
    dense = plan.setback_m[1] < 2.0
    kinds = {}
    for number in inner:
        bare = YARD if dense or rng.random() < 0.2 else GRASS
        kinds[2 + number] = GRASS if number in parks else GRAVEL if rng.random() < 0.12 else bare
    return kinds, parks


def settle(
    scenery: Scenery,
    network: Network,
    blocks: Sequence[Block],
    ground: Ground,
    parks: set[int],
    plan: TownPlan,
    rng: np.random.Generator,
) -> tuple[Lamp, ...]:
    """Everything that stands in the town but for its signals; the street lamps."""
    trees, bushes = grow_trees(rng), grow_bushes(rng)
    kerb_trees = [tree for tree in trees if tree.name != "Conifer"]
    lamps: list[Lamp] = []
    style = int(rng.integers(3))
    for street in network.streets:
        for sign in (1, -1):
            lamps += _kerb_side(scenery, ground, street, sign, kerb_trees, plan, style, rng)
    for block in blocks:
        if block.number not in parks:
            _frontage(scenery, ground, block, plan, bushes, rng)
    planted = 0
    for block in sorted(blocks, key=lambda b: b.number not in parks):
        planted += _plant_block(scenery, ground, block, block.number in parks, trees, bushes, MOST_TREES - planted, rng)
    _backdrop(scenery, ground, rng)
    return tuple(lamps)


def _kerb_side(
    scenery: Scenery,
    ground: Ground,
    street: Street,
    sign: int,
    trees: Sequence[Plant],
    plan: TownPlan,
    style: int,
    rng: np.random.Generator,
) -> list[Lamp]:
    """Lamps at even distances, trees and small things between them. x of every pose runs along the street."""
    section, length = street.section, street.path.length_m
    lamps: list[Lamp] = []
    used: list[float] = [10.0 if sign > 0 else length - 10.0]

    def spot(s: float, behind: float = KERB_SIDE_M) -> Pose:
        place = street.path.place(s, sign * (section.kerb_m + behind))
        yaw = place.yaw_deg + (0.0 if sign > 0 else 180.0)
        return Pose(place.x_m, place.y_m, 0.0, 0.0, yaw, 0.0)

    count = max(1, round((length - 2.0 * CLEAR_OF_JUNCTION_M) / LAMP_STEP_M))
    shift = 0.25 if sign > 0 else 0.75
    for k in range(count):
        s = CLEAR_OF_JUNCTION_M + (length - 2.0 * CLEAR_OF_JUNCTION_M) * (k + shift) / count
        if min(abs(s - other) for other in used) < 1.5:
            s += 2.5
        used.append(s)
        pose = spot(s)
        lamps.append(set_lamp(scenery, pose._replace(yaw_deg=pose.yaw_deg - 90.0), style))
        ground.claim(pose.x_m, pose.y_m, 0.3)
    species = int(rng.integers(len(trees)))
    leafy = rng.random() < 0.75
    s = CLEAR_OF_JUNCTION_M + float(rng.uniform(1.0, 6.0))
    if length > 45.0 and rng.random() < 0.3:
        stop = length * 0.5 + float(rng.uniform(-6.0, 6.0))
        if min(abs(stop - other) for other in used) > 3.2 and section.sidewalk_m >= 3.4:
            set_bus_stop(scenery, spot(stop, 0.75), rng)
            used += [stop - 1.2, stop + 1.2]
    while s < length - CLEAR_OF_JUNCTION_M:
        if min(abs(s - other) for other in used) > 2.6:
            if leafy and rng.random() < 0.75:
                scale = float(rng.uniform(0.75, 1.0))
                plant = trees[species if rng.random() < 0.7 else int(rng.integers(len(trees)))]
                pose = spot(s)
                turned = pose._replace(z_m=SIDEWALK_M - 0.03, yaw_deg=float(rng.uniform(-180.0, 180.0)))
                set_plant(scenery, plant, turned, scale * min(1.0, 2.6 / plant.reach_m))
                _tree_pit(scenery, pose)
            elif rng.random() < 0.65:
                set_prop(scenery, PROPS[int(rng.integers(len(PROPS)))], spot(s), rng)
            used.append(s)
        s += plan.street_trees_m * float(rng.uniform(0.7, 1.2))
    return lamps


def _tree_pit(scenery: Scenery, pose: Pose) -> None:
    scenery.open("Terrain_TreePit", Tag.TERRAIN, pose)
    around = [(-0.45, -0.35), (0.45, -0.35), (0.45, 0.42), (-0.45, 0.42)]
    corners = [pose.compose(Pose(x, y, SIDEWALK_M + 0.012)).location for x, y in around]
    quads(scenery.builder, [corners], Tag.TERRAIN, Material.SOIL, (0.5, 0.44, 0.38))


def _frontage(
    scenery: Scenery, ground: Ground, block: Block, plan: TownPlan, bushes: Sequence[Plant], rng: np.random.Generator
) -> None:
    """Buildings side by side along the back of the sidewalk, with their front yards."""
    loop = block.frontage
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(loop, axis=0).T))])

    def at(s: float) -> Array:
        return np.array([np.interp(s, along, loop[:, 0]), np.interp(s, along, loop[:, 1])])

    s = float(rng.uniform(0.0, 4.0))
    dense = plan.setback_m[1] < 2.0
    while s < along[-1] - 6.0:
        if block.outer and rng.random() < 0.12:
            stretch = float(rng.uniform(12.0, 26.0))
            _barrier_along(scenery, "guardrail", at, s, min(s + stretch, along[-1]), 0.35, rng)
            s += stretch + 2.0
            continue
        width, depth = float(rng.uniform(9.0, 20.0)), float(rng.uniform(8.5, 15.0))
        setback = float(rng.uniform(*plan.setback_m))
        built = 0.0
        for shrink in (1.0, 0.75, 0.55):
            w, d = width * shrink, depth * shrink
            start, end = at(s), at(min(s + w, float(along[-1])))
            chord = end - start
            reach = float(np.hypot(*chord))
            if reach < 0.9 * w:
                continue
            ahead = chord / reach
            inward = np.array([-ahead[1], ahead[0]])
            corner = start + inward * setback
            if ground.take(corner, ahead * w, inward * d):
                yaw = math.degrees(math.atan2(ahead[1], ahead[0]))
                storeys = int(rng.integers(plan.storeys[0], plan.storeys[1] + 1))
                if shrink < 0.7:
                    storeys = min(storeys, 3)
                gabled = storeys <= 3 and bool(rng.random() < plan.gabled)
                shop = bool(rng.random() < plan.shops) and setback < 2.5
                build_building(
                    scenery, Lot(Pose(corner[0], corner[1], 0.05, 0.0, yaw, 0.0), w, d, storeys, gabled, shop), rng
                )
                built = w
                break
        if not built:
            s += 3.0
            continue
        if setback > 1.6 and rng.random() < plan.fenced:
            kind = ("wall", "fence", "hedge")[int(rng.integers(3))]
            gap = float(rng.uniform(0.2, 0.7)) * built
            for a, b in ((s, s + gap - 0.8), (s + gap + 0.8, s + built)):
                if b - a > 1.5:
                    _barrier_along(scenery, kind, at, a, b, 0.4, rng)
        if setback > 2.4:
            for _ in range(int(rng.integers(0, 3))):
                spot = at(s + float(rng.uniform(0.5, built - 0.5))) + inward * float(rng.uniform(1.1, setback - 0.8))
                if ground.free(spot[0], spot[1], 0.5):
                    bush = bushes[int(rng.integers(len(bushes)))]
                    set_plant(
                        scenery,
                        bush,
                        Pose(spot[0], spot[1], GROUND_M, 0.0, float(rng.uniform(-180.0, 180.0)), 0.0),
                        1.0,
                    )
                    ground.claim(spot[0], spot[1], 0.5)
        s += built + (float(rng.choice([0.6, 0.6, 4.0])) if dense else float(rng.uniform(1.0, 6.0)))


def _barrier_along(
    scenery: Scenery,
    kind: str,
    at: Callable[[float], Array],
    start: float,
    end: float,
    behind: float,
    rng: np.random.Generator,
) -> None:
    """Along the frontage, this far behind the sidewalk."""
    count = max(1, math.ceil((end - start) / 5.0))
    points = np.array([at(s) for s in np.linspace(start, end, count + 1)])
    ahead = np.gradient(points, axis=0)
    ahead /= np.maximum(np.linalg.norm(ahead, axis=1, keepdims=True), 1e-9)
    line = points + behind * np.column_stack([-ahead[:, 1], ahead[:, 0]])
    if kind != "hedge":
        set_barrier(scenery, kind, line, rng)
        return
    for (x0, y0), (x1, y1) in zip(line[:-1].tolist(), line[1:].tolist(), strict=True):
        yaw = math.degrees(math.atan2(y1 - y0, x1 - x0))
        set_hedge(scenery, Pose(x0, y0, GROUND_M - 0.05, 0.0, yaw, 0.0), math.hypot(x1 - x0, y1 - y0), rng)


def _plant_block(
    scenery: Scenery,
    ground: Ground,
    block: Block,
    park: bool,
    trees: Sequence[Plant],
    bushes: Sequence[Plant],
    room: int,
    rng: np.random.Generator,
) -> int:
    """Trees and bushes where nothing else stands, near the streets first; how many trees."""
    low, high = block.frontage.min(0), block.frontage.max(0)
    if block.outer:
        low, high = low - 36.0, high + 36.0
    wanted = 45 if block.outer else int(block.area_m2 / (260.0 if park else 520.0)) + 1
    planted = 0
    for _ in range(wanted * 6):
        if planted >= min(wanted, room):
            break
        x, y = rng.uniform(low, high)
        row, column = ground.cells([x, y])
        if int(ground.face[row, column]) != (1 if block.outer else 2 + block.number):
            continue
        turn = float(rng.uniform(-180.0, 180.0))
        if rng.random() < 0.3:
            if ground.free(x, y, 0.9):
                set_plant(
                    scenery,
                    bushes[int(rng.integers(len(bushes)))],
                    Pose(x, y, GROUND_M, 0.0, turn, 0.0),
                    float(rng.uniform(0.8, 1.5)),
                )
                ground.claim(x, y, 0.9)
            continue
        plant = trees[int(rng.integers(len(trees)))]
        scale = float(rng.uniform(0.9, 1.35))
        if ground.free(x, y, plant.reach_m * scale * 0.8):
            set_plant(scenery, plant, Pose(x, y, GROUND_M - 0.03, 0.0, turn, 0.0), scale)
            ground.claim(x, y, plant.reach_m * scale * 0.8)
            planted += 1
        elif park and ground.free(x, y, 1.3):
            set_prop(scenery, "bench", Pose(x, y, 0.0, 0.0, turn, 0.0), rng)
            ground.claim(x, y, 1.2)
    return planted


def _backdrop(scenery: Scenery, ground: Ground, rng: np.random.Generator) -> None:
    """Woods around the town, so that streets do not end in an empty plain."""
    high = ground.high
    centre, half = (ground.low + high) / 2.0, (high - ground.low) / 2.0
    count = int(2.0 * (half[0] + half[1]) * 2.0 / 15.0)
    for k in range(count):
        angle = 2.0 * math.pi * (k + float(rng.uniform(-0.3, 0.3))) / count
        c, s = math.cos(angle), math.sin(angle)
        # A rounded rectangle around the raster.
        reach = (abs(c / half[0]) ** 4 + abs(s / half[1]) ** 4) ** -0.25
        x, y = centre + np.array([c, s]) * reach * float(rng.uniform(0.96, 1.1))
        radius, height = float(rng.uniform(9.0, 15.0)), float(rng.uniform(7.0, 16.0))
        pose = Pose(float(x), float(y), 0.0, 0.0, float(rng.uniform(-180.0, 180.0)), 0.0)
        scenery.open("Woods", Tag.VEGETATION, pose)
        scenery.builder.add_mesh(_wood(rng, radius, height, GREENS[int(rng.integers(4))]), pose)


def _wood(rng: np.random.Generator, radius: float, height: float, green: tuple[float, float, float]) -> Mesh:
    builder = MeshBuilder()
    sides, rings = 12, 4
    phi = np.linspace(0.0, 2.0 * np.pi, sides + 1)
    level = np.array([0.0, 0.35, 0.7, 0.92, 1.0])
    wide = np.array([1.0, 0.98, 0.75, 0.4, 0.02])
    lump = rng.uniform(0.75, 1.2, (rings + 1, sides + 1))
    lump[:, -1] = lump[:, 0]
    r = radius * wide[:, None] * lump
    z = height * level[:, None] * (0.6 + 0.4 * lump)
    points = np.stack([r * np.cos(phi), r * np.sin(phi), z], -1)
    k, ring = np.meshgrid(np.arange(sides), np.arange(rings))
    a = (ring * (sides + 1) + k).ravel()
    triangles = np.stack([a, a + 1, a + sides + 2, a, a + sides + 2, a + sides + 1], -1).reshape(-1, 3)
    shade = np.clip(rng.uniform(0.6, 0.95, (points.size // 3, 1)) * np.asarray(green), 0.0, 1.0)
    uvs = np.stack([np.broadcast_to(phi * radius, r.shape), z], -1)
    builder.add(points.reshape(-1, 3), triangles, Tag.VEGETATION, Material.LEAF, shade, uvs=uvs.reshape(-1, 2))
    return builder.build()
