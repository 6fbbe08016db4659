"""Fills a road network with a town: buildings along the blocks, things along the kerbs, trees where there is room."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sim_agent.embedded.pose import Pose
from sim_agent.embedded.scene import Material, Tag
from sim_agent.embedded.town.beyond import lay_backdrop
from sim_agent.embedded.town.blocks import Block, Ground
from sim_agent.embedded.town.channel import BESIDE_WATER_M
from sim_agent.embedded.town.dials import TownPlan
from sim_agent.embedded.town.frontage import Frontage
from sim_agent.embedded.town.furniture import PROPS, hang_cables, set_bus_stop, set_lamp, set_pole, set_prop
from sim_agent.embedded.town.island import lay_roundabout
from sim_agent.embedded.town.model import Lamp
from sim_agent.embedded.town.network import Network, Street
from sim_agent.embedded.town.plants import Plant, grow_bushes, grow_thickets, grow_trees, set_plant
from sim_agent.embedded.town.scenery import Scenery
from sim_agent.embedded.town.shapes import quads
from sim_agent.embedded.town.surface import KERB_SIDE_M, SIDEWALK_M
from sim_agent.embedded.town.terrain import GRASS, GRAVEL, GROUND_M, YARD
from sim_agent.embedded.town.tram import behind_track, find_track, lay_tramway
from sim_agent.embedded.town.works import AHEAD_M, LEAST_PARKING_M, WORKS_M, set_roadworks

POLE_STEP_M = 28.0
CLEAR_OF_JUNCTION_M = 7.0


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
    trees, bushes = _chosen(plan, rng), grow_bushes(rng)
    kerb_trees = [tree for tree in trees if tree.name != "Conifer"]
    lamps: list[Lamp] = []
    style = int(rng.choice(plan.lamp_styles))
    for street in network.streets:
        cabled = int(rng.choice((1, -1))) if rng.random() < plan.cables else 0
        for sign in (1, -1):
            lamps += _kerb_side(scenery, ground, street, sign, kerb_trees, plan, style, sign == cabled, rng)
            if plan.roadworks and (sign > 0 or not street.one_way) and rng.random() < plan.roadworks:
                _dig_up(scenery, ground, street, sign, rng)
    for junction in network.junctions:
        if junction.ring is not None:
            lamps += lay_roundabout(scenery, junction, junction.ring, trees, bushes, style, rng)
    track = next((find_track(block, ground) for block in blocks if block.outer), None) if plan.tram else None
    if track is not None:
        lay_tramway(scenery, track, rng)
    frontage = Frontage(scenery, ground, plan, trees, bushes, grow_thickets(rng), rng)
    for block in blocks:
        if block.number not in parks:
            frontage.line(block if track is None or not block.outer else behind_track(block, track))
    planted = 0
    for block in sorted(blocks, key=lambda b: b.number not in parks):
        planted += _plant_block(scenery, ground, block, block.number in parks, trees, bushes, plan.trees - planted, rng)
    lay_backdrop(scenery, ground, plan.skyline, plan.shore, rng)
    return tuple(lamps)


def _chosen(plan: TownPlan, rng: np.random.Generator) -> list[Plant]:
    """Trees of the town's species, each as often as it should occur: the first most."""
    grown = grow_trees(rng)
    chosen: list[Plant] = []
    for rank, species in enumerate(plan.species):
        chosen += grown[species] * max(1, 4 - rank)
    return chosen


def _kerb_side(
    scenery: Scenery,
    ground: Ground,
    street: Street,
    sign: int,
    trees: Sequence[Plant],
    plan: TownPlan,
    style: int,
    cabled: bool,
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

    count = max(1, round((length - 2.0 * CLEAR_OF_JUNCTION_M) / plan.lamp_step_m))
    shift = 0.25 if sign > 0 else 0.75
    for k in range(count):
        s = CLEAR_OF_JUNCTION_M + (length - 2.0 * CLEAR_OF_JUNCTION_M) * (k + shift) / count
        if min(abs(s - other) for other in used) < 1.5:
            s += 2.5
        used.append(s)
        pose = spot(s)
        lamps.append(set_lamp(scenery, pose._replace(yaw_deg=pose.yaw_deg - 90.0), style))
        ground.claim(pose.x_m, pose.y_m, 0.3)
    if cabled and length > 40.0:
        spans = max(1, round((length - 2.0 * CLEAR_OF_JUNCTION_M) / POLE_STEP_M))
        poles = []
        for k in range(spans + 1):
            s = CLEAR_OF_JUNCTION_M + 1.0 + (length - 2.0 * CLEAR_OF_JUNCTION_M - 2.0) * k / spans
            while min(abs(s - other) for other in used) < 1.0:
                s += 0.5
            used.append(s)
            pose = spot(s, KERB_SIDE_M + 0.1)
            poles.append(set_pole(scenery, pose))
            ground.claim(pose.x_m, pose.y_m, 0.3)
        hang_cables(scenery, poles)
    species = int(rng.integers(len(trees)))
    leafy = rng.random() < plan.leafy
    s = CLEAR_OF_JUNCTION_M + float(rng.uniform(1.0, 6.0))
    if length > 45.0 and rng.random() < 0.3:
        stop = length * 0.5 + float(rng.uniform(-6.0, 6.0))
        on_deck = bool(ground.is_wet([spot(stop)[:2]], BESIDE_WATER_M)[0])
        if not on_deck and min(abs(stop - other) for other in used) > 3.2 and section.sidewalk_m >= 3.4:
            set_bus_stop(scenery, spot(stop, 0.75), rng)
            used += [stop - 1.2, stop + 1.2]
    while s < length - CLEAR_OF_JUNCTION_M:
        if ground.is_wet([spot(s)[:2]], BESIDE_WATER_M)[0]:
            s += 3.0
            continue
        if min(abs(s - other) for other in used) > 2.6:
            if leafy and rng.random() < 0.75:
                scale = float(rng.uniform(0.75, 1.0))
                plant = trees[species if rng.random() < 0.7 else int(rng.integers(len(trees)))]
                pose = spot(s)
                turned = pose._replace(z_m=SIDEWALK_M - 0.03, yaw_deg=float(rng.uniform(-180.0, 180.0)))
                set_plant(scenery, plant, turned, scale * min(1.0, 3.4 / plant.reach_m))
                _tree_pit(scenery, pose)
            elif rng.random() < plan.furnished:
                set_prop(scenery, PROPS[int(rng.integers(len(PROPS)))], spot(s), rng)
            used.append(s)
        s += plan.street_trees_m * float(rng.uniform(0.7, 1.2))
    return lamps


def _dig_up(scenery: Scenery, ground: Ground, street: Street, sign: int, rng: np.random.Generator) -> None:
    """Roadworks on the parking lane of one side, where there is one, clear of junctions and bridges."""
    section, length = street.section, street.path.length_m
    reach = AHEAD_M + CLEAR_OF_JUNCTION_M + 4.0
    last = length - reach - WORKS_M[1]
    if section.parking_m < LEAST_PARKING_M or last < reach:
        return
    start = float(rng.uniform(reach, last))
    along = np.arange(start - AHEAD_M, start + WORKS_M[1] + AHEAD_M, 2.0)
    places = street.path.beside(along if sign > 0 else length - along, sign * section.kerb_m)
    if not ground.is_wet(places, BESIDE_WATER_M).any():
        set_roadworks(scenery, street, sign, start, rng)


def _tree_pit(scenery: Scenery, pose: Pose) -> None:
    scenery.open("Terrain_TreePit", Tag.TERRAIN, pose)
    around = [(-0.45, -0.35), (0.45, -0.35), (0.45, 0.42), (-0.45, 0.42)]
    corners = [pose.compose(Pose(x, y, SIDEWALK_M + 0.012)).location for x, y in around]
    quads(scenery.builder, [corners], Tag.TERRAIN, Material.SOIL, (0.5, 0.44, 0.38))


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
        scale = float(rng.uniform(0.9, 1.5))
        if ground.free(x, y, plant.reach_m * scale * 0.8):
            set_plant(scenery, plant, Pose(x, y, GROUND_M - 0.03, 0.0, turn, 0.0), scale)
            ground.claim(x, y, plant.reach_m * scale * 0.8)
            planted += 1
        elif park and ground.free(x, y, 1.3):
            set_prop(scenery, "bench", Pose(x, y, 0.0, 0.0, turn, 0.0), rng)
            ground.claim(x, y, 1.2)
    return planted
