import re

import numpy as np
import pytest

from sim_agent.embedded.physics.height_field import HeightField
from sim_agent.embedded.scene import Tag
from sim_agent.embedded.town.blocks import find_blocks, ground_of
from sim_agent.embedded.town.bridges import channel_slopes
from sim_agent.embedded.town.channel import dig_channel
from sim_agent.embedded.town.network import draw_network
from sim_agent.embedded.town.plan import plan_of
from sim_agent.embedded.town.walkways import lay_walkways


@pytest.fixture(scope="module", params=[("Town01", "river"), ("Town10HD_Opt", "canal")], ids=lambda p: p[1])
def dug(request):
    name, kind = request.param
    plan, rng = plan_of(name, 0)
    assert plan.channel == kind
    network = draw_network(plan, rng)
    ground = ground_of(network, find_blocks(network))
    return network, ground, dig_channel(kind, network, ground, np.random.default_rng(0))


def middles(channel, right_m=0.0):
    s = np.arange(2.0, channel.path.length_m - 2.0, 1.0)
    return s, channel.path.beside(s, np.full(len(s), right_m))


def under_decks(channel, s, more_m=0.0):
    reach = [(b.crossing_m, b.street.section.back_m + more_m) for b in channel.bridges]
    return np.any([np.abs(s - at) < half for at, half in reach], axis=0)


def test_a_channel_meets_streets_on_bridges_only(dug):
    network, ground, channel = dug
    assert len(channel.bridges) >= 3
    s, middle = middles(channel)
    assert ground.is_wet(middle).all() and ground.taken[ground.cells(middle)].all()
    on_street = ground.street[ground.cells(middle)]
    assert on_street[under_decks(channel, s, -0.8)].all()
    assert not on_street[~under_decks(channel, s, 0.8)].any()
    for bridge in channel.bridges:
        assert 12.0 < bridge.start_m < bridge.end_m < bridge.street.path.length_m - 12.0


def test_vehicles_stand_on_decks_and_on_land_and_deep_in_the_channel(dug):
    network, ground, channel = dug
    field = HeightField(*channel_slopes(channel, ground))
    for street in network.streets:
        for right in (-1.0, 0.0, 1.0):
            along = np.arange(0.0, street.path.length_m, 0.7)
            lane = street.path.beside(along, np.full(len(along), right * street.section.kerb_m))
            assert max(abs(field.at(x, y, 0.0)) for x, y in lane.tolist()) < 1e-6
    for right in (-1.0, 0.0, 1.0):
        s, middle = middles(channel, right)
        deep = [field.at(x, y, -2.0) for x, y in middle.tolist()]
        assert np.abs(np.array(deep) - channel.bank.bed_m).max() < 1e-3
        open_water = middle[~under_decks(channel, s, 2.5)]
        assert np.abs([field.at(x, y, 0.3) - channel.bank.bed_m for x, y in open_water.tolist()]).max() < 1e-3
    rng = np.random.default_rng(1)
    land = rng.uniform(ground.low + 2.0, ground.high - 2.0, (4000, 2))
    land = land[~ground.is_wet(land, 2.0)]
    assert len(land) > 3000 and max(abs(field.at(x, y, 0.0)) for x, y in land.tolist()) < 1e-6


def test_people_walk_on_land_and_on_decks(dug):
    network, ground, channel = dug
    places = np.array(lay_walkways(network).vertices)[:, :2]
    wet = places[ground.is_wet(places)]
    assert ground.street[ground.cells(wet)].all()


def test_a_town_without_room_has_no_channel():
    plan, rng = plan_of("Town02", 0)
    network = draw_network(plan, rng)
    ground = ground_of(network, find_blocks(network))
    assert dig_channel("river", network, ground, rng) is None and not ground.wet.any()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["Town01", "Town10HD_Opt", "Seed3"])
def test_nothing_stands_in_the_water(name, town_of):
    town = town_of(name)
    mesh = town.mesh
    assert {Tag.WATER, Tag.BRIDGE} <= set(np.unique(mesh.tags).tolist())
    plan, rng = plan_of(name, 0)
    network = draw_network(plan, rng)
    water = next(thing for thing in town.objects if thing.tag == Tag.WATER and thing.pose.z_m < -1.0)
    mine = mesh.triangles[mesh.objects == water.object_id]
    level = mesh.vertices[mine.ravel(), 2]
    assert level.max() == level.min() == pytest.approx(water.pose.z_m)
    middle = mesh.vertices[mine].astype(np.float64).mean(1)[:, :2]
    streets = [street.path.beside(street.path.stations(1.0), 0.0) for street in network.streets]
    widths = np.concatenate([np.full(len(p), s.section.back_m) for p, s in zip(streets, network.streets, strict=True)])
    away = np.hypot(*(middle[:, None] - np.concatenate(streets)[None]).transpose(2, 0, 1)) - widths
    open_water = middle[away.min(1) > 2.0]
    assert len(open_water) > 100
    # From there nothing stands within three metres, but for the channel's own walls and banks.
    own = (Tag.WATER, Tag.TERRAIN, Tag.WALL, Tag.GROUND)
    standing = [t for t in town.objects if t.tag not in own and not t.name.startswith(("Bridge", "Cables"))]
    for thing in standing:
        mine = np.unique(mesh.triangles[mesh.objects == thing.object_id])
        points = mesh.vertices[mine].astype(np.float64)
        low = points[points[:, 2] < 1.0][:, :2]
        if len(low):
            gap = np.hypot(*(low[:, None] - open_water[None]).transpose(2, 0, 1)).min()
            assert gap > 1.5, thing.name


@pytest.mark.slow
def test_the_map_names_its_bridges_and_decks_are_seen_from_below(town_of):
    town = town_of("Town01")
    bridges = re.findall(r'<bridge id="\d+" name="[^"]+" s="([^"]+)" length="([^"]+)"', town.opendrive)
    assert len(bridges) >= 3 and all(12.0 < float(length) < 20.0 for _, length in bridges)
    mesh = town.mesh
    down = (mesh.tags == Tag.BRIDGE) & (mesh.normals[mesh.triangles].mean(1)[:, 2] < -0.5)
    corners = mesh.vertices[mesh.triangles[down]]
    corners = corners[corners[..., 2].max(1) < 0.0]
    assert len(corners) > 50 * len(bridges) and corners[..., 2].min() > -1.7 and corners[..., 2].max() < -0.3
