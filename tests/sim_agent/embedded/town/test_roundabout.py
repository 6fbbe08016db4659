import math
from dataclasses import replace

import numpy as np
import pytest

from sim_agent.embedded.scene import Tag
from sim_agent.embedded.town.marks import crossed_arms
from sim_agent.embedded.town.network import draw_network
from sim_agent.embedded.town.plan import TOWNS, plan_of
from sim_agent.embedded.town.roundabout import Ring
from sim_agent.embedded.town.signals import place_signals
from sim_agent.embedded.town.surface import junction_outline
from sim_agent.embedded.town.walkways import lay_walkways


@pytest.fixture(scope="module")
def network():
    return draw_network(*plan_of("Town03", 0))


def roundabout_of(network):
    (found,) = [junction for junction in network.junctions if junction.ring is not None]
    return found


@pytest.fixture(scope="module")
def junction(network):
    return roundabout_of(network)


@pytest.fixture(params=[1, 2])
def any_junction(request, junction):
    """With one lane and with two."""
    if request.param == 2:
        assert junction.ring.lanes == 2
        return junction
    plan, rng = plan_of("Town03", 0)
    narrow = tuple(section for section in plan.streets if section.lanes == 1)
    found = roundabout_of(draw_network(replace(plan, streets=narrow, avenue_lines=0), rng))
    assert found.ring.lanes == 1
    return found


def out_m(ring: Ring, points):
    return np.hypot(*(np.asarray(points, np.float64)[:, :2] - [ring.x_m, ring.y_m]).T)


def test_the_traffic_goes_round_the_island_on_its_left(any_junction):
    ring = any_junction.ring
    for turn in any_junction.turns:
        for piece in turn.path.pieces:
            if piece.curvature < 0.0:
                radius = -1.0 / piece.curvature
                assert radius > ring.island_m
                x, y, heading = piece.at(np.array([piece.length_m / 2.0]))
                left = x + radius * np.sin(heading), y - radius * np.cos(heading)
                assert (left[0][0], left[1][0]) == pytest.approx((ring.x_m, ring.y_m), abs=1e-6)


def test_lanes_keep_between_the_island_and_the_kerb(any_junction):
    ring = any_junction.ring
    kerb = np.concatenate([corner.beside(corner.stations(0.25), 0.0) for corner in any_junction.corners])
    for turn in any_junction.turns:
        s = turn.path.stations(0.5)
        share = s / turn.path.length_m
        # As the map widens it.
        lane_m = turn.widths_m[0] + (turn.widths_m[1] - turn.widths_m[0]) * (3.0 * share**2 - 2.0 * share**3)
        left, right = turn.path.beside(s, 0.0), turn.path.beside(s, lane_m)
        assert out_m(ring, left).min() > ring.island_m + 0.2
        gap = np.sqrt(((right[:, None] - kerb[None]) ** 2).sum(-1)).min(1)
        middle = turn.path.beside(s, lane_m / 2.0)
        # On the street's side of the kerb: the middle of the lane is further from it than the lane's edge.
        inwards = np.sqrt(((middle[:, None] - kerb[None]) ** 2).sum(-1)).min(1)
        assert (inwards > gap).all() and (inwards > lane_m / 2.0 - 0.01).all()


def test_one_can_leave_by_every_street_and_go_all_the_way_round(junction):
    count = len(junction.arms)
    assert {(turn.arm_in, turn.arm_out) for turn in junction.turns} == {
        (a, b) for a in range(count) for b in range(count)
    }
    rounds = [turn for turn in junction.turns if turn.kind == "round"]
    assert all(turn.path.length_m > 1.5 * math.pi * junction.ring.left_m(1) for turn in rounds)


def test_all_who_come_in_yield_and_people_cross_the_streets_only(network, junction):
    number = network.junctions.index(junction)
    assert {arm for n, arm in crossed_arms(network) if n == number} == set(range(len(junction.arms)))
    signals = [site.signal for site in place_signals(network)]
    assert [s.kind for s in signals if s.junction == junction.junction_id] == ["yield"] * len(junction.arms)
    for arm in junction.arms:
        lane = arm.street.road_id, arm.lane_id(1, True)
        limits = [signal.kind for signal in signals if lane in signal.lanes and signal.kind != "yield"]
        assert "speed_30" in limits
    walked = np.array(lay_walkways(network).vertices)
    assert out_m(junction.ring, walked).min() > junction.ring.island_m - 0.01


def test_the_island_is_green_and_the_carriageway_free(junction, town_of):
    town, ring = town_of("Town03"), junction.ring
    mesh = town.mesh
    middles = mesh.vertices[mesh.triangles].mean(1)
    out = out_m(ring, middles)
    low = (middles[:, 2] > 0.05) & (middles[:, 2] < 2.0)
    inside = out_m(ring, junction_outline(junction, 1.0)).min()
    between = (out > ring.island_m + 0.05) & (out < inside - 0.05)
    assert not (low & between).any()
    here = set(mesh.tags[out < ring.island_m].tolist())
    assert {Tag.TERRAIN, Tag.VEGETATION, Tag.STATIC, Tag.SIDEWALK} <= here
    assert not (out[mesh.tags == Tag.ROAD] < ring.island_m - 0.01).any()


def test_some_seeds_of_its_kind_have_one_and_no_other_town_does():
    assert [name for name, plan in TOWNS.items() if plan.roundabout] == ["Town03"]
    having = [any(j.ring for j in draw_network(*plan_of(f"Seed{seed}", 0)).junctions) for seed in (20, 21, 3)]
    assert having == [False, True, False]
