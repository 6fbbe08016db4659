import math

import pytest

from sim_agent.embedded.town.geometry import signed_turn
from sim_agent.embedded.town.network import draw_network
from sim_agent.embedded.town.plan import TOWNS, plan_of
from sim_agent.embedded.town.signals import place_signals

SEEDS = [(name, 0) for name in TOWNS] + [("Town03", 5), ("Seed123", 0), ("Seed7", 0)]


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
        for lane in range(1, street.section.lanes + 1)
    }
    assert after == lanes
    # An inner lane that no street of two lanes leads to is entered by changing lanes; outer lanes must be reached.
    assert {lane for lane in lanes if abs(lane[1]) == 1} <= reached


def test_connecting_lanes_meet_the_lanes_that_they_join(network):
    for junction in network.junctions:
        for turn in junction.turns:
            arm_in, arm_out = junction.arms[turn.arm_in], junction.arms[turn.arm_out]
            for place, wanted, lane, width in (
                (turn.path.place(0.0), arm_in.inbound, turn.lane_in, arm_in.street.section.lane_m),
                (turn.path.place(turn.path.length_m), arm_out.edge, turn.lane_out, arm_out.street.section.lane_m),
            ):
                edge = wanted.moved(0.0, (lane - 1) * width)
                assert math.hypot(place.x_m - edge.x_m, place.y_m - edge.y_m) < 1e-3
                assert abs(math.degrees(signed_turn(place.heading_rad, edge.heading_rad))) < 0.01


def test_left_turns_leave_from_the_innermost_lane_and_right_turns_from_the_outermost(network):
    for junction in network.junctions:
        for turn in junction.turns:
            lanes = junction.arms[turn.arm_in].street.section.lanes
            if turn.kind == "left":
                assert (turn.lane_in, turn.lane_out) == (1, 1)
            if turn.kind == "right":
                assert turn.lane_in == lanes
                assert turn.lane_out == junction.arms[turn.arm_out].street.section.lanes


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
                for lane in range(1, arm.street.section.lanes + 1):
                    assert (arm.street.road_id, arm.lane_id(lane, True)) in covered
    for site in sites:
        street = next(s for s in network.streets if s.road_id == site.road_id)
        assert abs(site.right_m) > street.section.kerb_m + 0.5
        assert 0.0 < site.s_m < street.path.length_m


def test_eight_named_towns_one_for_testing_only():
    assert list(TOWNS) == [*(f"Town0{number}" for number in range(1, 8)), "Town10HD_Opt"]
    assert [name for name, plan in TOWNS.items() if plan.testing_only] == ["Town02"]


def test_an_unknown_town_is_refused_with_the_names_that_there_are():
    with pytest.raises(ValueError, match="Town42.*Town01.*Seed"):
        plan_of("Town42", 0)
