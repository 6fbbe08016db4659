import math

import numpy as np
import pytest

from sim_agent.embedded.town.geometry import signed_turn
from sim_agent.embedded.town.network import draw_network
from sim_agent.embedded.town.plan import TOWNS, plan_of
from sim_agent.embedded.town.signals import place_signals
from sim_agent.embedded.town.spawn import spawn_points

SEEDS = [(name, 0) for name in TOWNS] + [("Town03", 5), ("Seed123", 0), ("Seed7", 0), ("Seed21", 0)]


@pytest.fixture(params=SEEDS, ids=lambda p: f"{p[0]}-{p[1]}", scope="module")
def network(request):
    plan, rng = plan_of(*request.param)
    return draw_network(plan, rng)


def test_every_lane_leads_on_and_every_lane_is_reached(network):
    after, reached = set(), set()
    for junction in network.junctions:
        for turn in junction.turns:
            arm_in, arm_out = junction.arms[turn.arm_in], junction.arms[turn.arm_out]
            after.add((arm_in.street.road_id, arm_in.lane_id(turn.lane_in, True)))
            reached.add((arm_out.street.road_id, arm_out.lane_id(turn.lane_out, False)))
    lanes = {
        (street.road_id, sign * lane)
        for street in network.streets
        for sign in (1, -1)
        for lane in range(1, street.lanes_towards(sign < 0) + 1)
    }
    assert after == lanes
    # An inner lane that no street of two lanes leads to is entered by changing lanes; outer lanes must be reached.
    assert {lane for lane in lanes if abs(lane[1]) == 1} <= reached


def test_connecting_lanes_meet_the_lanes_that_they_join(network):
    for junction in network.junctions:
        for turn in junction.turns:
            arm_in, arm_out = junction.arms[turn.arm_in], junction.arms[turn.arm_out]
            for place, wanted, lane, street in (
                (turn.path.place(0.0), arm_in.inbound, turn.lane_in, arm_in.street),
                (turn.path.place(turn.path.length_m), arm_out.edge, turn.lane_out, arm_out.street),
            ):
                edge = wanted.moved(0.0, street.left_edge_m(lane))
                assert math.hypot(place.x_m - edge.x_m, place.y_m - edge.y_m) < 1e-3
                assert abs(math.degrees(signed_turn(place.heading_rad, edge.heading_rad))) < 0.01


def test_left_turns_leave_from_the_innermost_lane_and_right_turns_from_the_outermost(network):
    for junction in network.junctions:
        for turn in junction.turns:
            if turn.kind == "left":
                assert (turn.lane_in, turn.lane_out) == (1, 1)
            if turn.kind == "right":
                assert turn.lane_in == junction.arms[turn.arm_in].lanes_in
                assert turn.lane_out == junction.arms[turn.arm_out].lanes_out


def test_kerbs_bend_with_six_metres_or_more(network):
    assert min(corner.sharpest_radius_m() for j in network.junctions for corner in j.corners) >= 6.0


def _crosses(first, second) -> bool:
    """Whether two turns' lanes cross or merge at places that cars of both can be in."""
    a = first.path.beside(first.path.stations(1.0), first.widths_m[0] / 2.0)
    b = second.path.beside(second.path.stations(1.0), second.widths_m[0] / 2.0)
    return bool((((a[:, None] - b[None]) ** 2).sum(-1) < 1.5**2).any())


def test_arms_that_are_green_together_do_not_cross_save_left_turns_against_oncoming_traffic(network):
    lit = 0
    for junction in network.junctions:
        if junction.rule != "lights":
            continue
        lit += 1
        for first in junction.turns:
            for second in junction.turns:
                if first.arm_in >= second.arm_in or junction.phases[first.arm_in] != junction.phases[second.arm_in]:
                    continue
                facing = signed_turn(
                    junction.arms[first.arm_in].edge.heading_rad, junction.arms[second.arm_in].edge.heading_rad
                )
                assert abs(facing) > math.radians(135.0)
                if _crosses(first, second):
                    assert "left" in (first.kind, second.kind)
    assert lit >= 3


def test_signals_stand_beside_the_road_and_every_inbound_lane_of_a_lit_junction_has_one(network):
    sites = place_signals(network)
    assert len({site.signal.opendrive_id for site in sites}) == len(sites)
    covered = {lane for site in sites for lane in site.signal.lanes if site.signal.kind == "light"}
    for junction in network.junctions:
        if junction.rule == "lights":
            for arm in junction.arms:
                for lane in range(1, arm.lanes_in + 1):
                    assert (arm.street.road_id, arm.lane_id(lane, True)) in covered
    for site in sites:
        street = next(s for s in network.streets if s.road_id == site.road_id)
        assert abs(site.right_m) > street.section.kerb_m + 0.5
        assert 0.0 < site.s_m < street.path.length_m


def test_one_way_streets_are_reached_and_left_by_their_lanes_only():
    network = draw_network(*plan_of("Town01", 0))
    one_way = {street.road_id: street for street in network.streets if street.one_way}
    assert len(one_way) >= 3
    for junction in network.junctions:
        assert sum(arm.street.road_id in one_way for arm in junction.arms) <= 1
        for arm_index, arm in enumerate(junction.arms):
            if arm.street.road_id not in one_way:
                continue
            lanes_in = {turn.lane_in for turn in junction.turns if turn.arm_in == arm_index}
            lanes_out = {turn.lane_out for turn in junction.turns if turn.arm_out == arm_index}
            assert (lanes_in, lanes_out) == (({1, 2}, set()) if arm.at_end else (set(), {1, 2}))
    # Every lane is reached from every other by turns and by changing lanes.
    ends = {}
    for junction in network.junctions:
        for turn in junction.turns:
            arm_in, arm_out = junction.arms[turn.arm_in], junction.arms[turn.arm_out]
            way_out = arm_out.street.road_id, arm_out.lane_id(1, False) < 0
            ends.setdefault((arm_in.street.road_id, arm_in.lane_id(1, True) < 0), set()).add(way_out)
    for first in ends:
        seen, todo = {first}, [first]
        while todo:
            new = ends[todo.pop()] - seen
            seen |= new
            todo += new
        assert seen == set(ends)
    sites = [site for site in place_signals(network) if site.road_id in one_way]
    assert sites and all(site.along for site in sites)
    for pose in spawn_points(network):
        for street in one_way.values():
            s = np.arange(0.0, street.path.length_m, 0.5)
            gap = np.hypot(*(street.path.beside(s, np.zeros_like(s)) - pose[:2]).T)
            if gap.min() < street.section.kerb_m:
                heading = float(street.path.at(s[gap.argmin()])[2][0])
                assert abs(signed_turn(heading, math.radians(pose.yaw_deg))) < 0.1


def test_eight_named_towns_one_for_testing_only():
    assert list(TOWNS) == [*(f"Town0{number}" for number in range(1, 8)), "Town10HD_Opt"]
    assert [name for name, plan in TOWNS.items() if plan.testing_only] == ["Town02"]


def test_an_unknown_town_is_refused_with_the_names_that_there_are():
    with pytest.raises(ValueError, match="Town42.*Town01.*Seed"):
        plan_of("Town42", 0)
