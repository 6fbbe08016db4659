import numpy as np
import pytest

from sim_agent.embedded.pose import rotation_matrix
from sim_agent.embedded.scene import Tag
from sim_agent.embedded.town.blocks import find_blocks, ground_of
from sim_agent.embedded.town.network import draw_network
from sim_agent.embedded.town.plan import TOWNS, plan_of
from sim_agent.embedded.town.scenery import Scenery
from sim_agent.embedded.town.works import LEAST_PARKING_M, set_roadworks


def named(town, *names):
    return [thing for thing in town.objects if thing.name.startswith(tuple(f"Prop_{name}_" for name in names))]


def corners(thing):
    pose, (x, y, _) = thing.box
    around = np.array([(-x, -y), (x, -y), (x, y), (-x, y)])
    return around @ rotation_matrix(*pose.rotation)[:2, :2].T + pose[:2]


@pytest.mark.parametrize("sign", [1, -1])
def test_roadworks_keep_to_their_parking_lane(sign):
    network = draw_network(*plan_of("Town03", 0))
    street = max(
        (s for s in network.streets if s.section.parking_m >= LEAST_PARKING_M), key=lambda street: street.path.length_m
    )
    scenery = Scenery()
    set_roadworks(scenery, street, sign, 40.0, np.random.default_rng(2))
    mesh, objects = scenery.finish()
    assert {Tag.DYNAMIC, Tag.TRAFFIC_SIGN, Tag.GROUND} == {thing.tag for thing in objects}
    assert sum("barrier" in thing.name for thing in objects) >= 4 and mesh.vertices[:, 2].min() > -1e-6
    s = np.arange(0.0, street.path.length_m, 0.05)
    middle = street.path.beside(s, np.zeros_like(s))
    border = street.section.lanes * street.section.lane_m
    for thing in objects:
        for corner in corners(thing):
            nearest = int(np.hypot(*(middle - corner).T).argmin())
            heading = street.path.at(s[nearest : nearest + 1])[2][0]
            right = float((corner - middle[nearest]) @ (-np.sin(heading), np.cos(heading))) * sign
            assert border + 0.4 < right < street.section.kerb_m + 0.01, thing.name
            ahead = s[nearest] if sign > 0 else street.path.length_m - s[nearest]
            assert 30.0 < ahead < 65.0


def test_something_is_being_built_in_the_city_and_people_sit_before_its_cafes(town_of):
    town = town_of("Town03")
    assert len(named(town, "Warningconstruction")) >= 1 and len(named(town, "Streetbarrier")) >= 6
    assert any(thing.name.startswith("Building_Skeleton") for thing in town.objects)
    chairs = named(town, "Plasticchair")
    assert len(chairs) >= 20 and len(named(town, "Plastictable")) >= 5
    plan, rng = plan_of("Town03", 0)
    network = draw_network(plan, rng)
    ground = ground_of(network, find_blocks(network))
    # On the blocks, so that nobody walks through them.
    for thing in chairs + named(town, "Plastictable", "Table"):
        assert not ground.street[ground.cells(thing.pose[:2])], thing.name


def test_the_town_for_testing_stays_as_it_was():
    plan = TOWNS["Town02"]
    assert not plan.channel and not plan.roadworks and not plan.cafes and "site" not in dict(plan.frontage)
