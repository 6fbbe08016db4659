from __future__ import annotations

import math

import pytest

from sim_agent.embedded.physics import Dynamics
from sim_agent.embedded.pose import Pose
from tests.sim_agent.embedded.physics.yard import Yard, wall

ADULT = (0.188, 0.188, 0.93)


def person(world: Dynamics, actor_id: int = 1, pose: Pose = Pose(0.0, 0.0, 0.93)) -> None:  # noqa: B008
    world.add_walker(actor_id, ADULT, pose)


def test_walks_speed_times_time(yard):
    person(yard.world)
    yard.world.set_walker_control(1, (3.0, 4.0, 0.0), 1.5, False)
    yard.run(0.05)
    assert yard.world.state(1).velocity_mps == pytest.approx((0.9, 1.2, 0.0))
    yard.run(9.95)
    assert yard.pose(1).location == pytest.approx((9.0, 12.0, 0.93), abs=1e-9)
    assert yard.pose(1).yaw_deg == pytest.approx(math.degrees(math.atan2(4.0, 3.0)))
    yard.world.set_walker_control(1, (3.0, 4.0, 0.0), 0.0, False)
    yard.run(1.0)
    assert yard.pose(1).location == pytest.approx((9.0, 12.0, 0.93), abs=1e-9)
    assert yard.world.state(1).control.speed == 0.0


def test_falls_to_the_ground_and_jumps(yard):
    person(yard.world, pose=Pose(0.0, 0.0, 1.93))
    yard.run(1.0)
    assert yard.pose(1).z_m == 0.93
    yard.world.set_walker_control(1, (1.0, 0.0, 0.0), 1.0, True)
    heights = []
    yard.run(1.5, lambda: heights.append(yard.pose(1).z_m - 0.93))
    assert max(heights) == pytest.approx(4.2**2 / (2.0 * 9.81), rel=0.05)
    assert heights[-1] == 0.0
    yard.run(1.0)
    assert yard.pose(1).z_m == 0.93


def test_wall_blocks_and_is_told():
    yard = Yard([wall(5.0)])
    person(yard.world)
    yard.world.set_walker_control(1, (1.0, 0.2, 0.0), 1.5, False)
    contacts = yard.run(6.0)
    assert yard.pose(1).x_m == pytest.approx(4.5 - 0.188, abs=0.03)
    assert {(c.actor_id, c.other_id, c.object_id) for c in contacts} == {(1, 0, 77)}


def test_walker_does_not_push_a_parked_car_away(yard):
    person(yard.world)
    yard.car(2, Pose(4.0))
    yard.world.set_walker_control(1, (1.0, 0.0, 0.0), 2.0, False)
    yard.run(3.0)
    shoved = yard.pose(2).x_m
    assert shoved == pytest.approx(4.0, abs=0.05)
    yard.run(20.0)
    assert yard.pose(2).x_m == pytest.approx(shoved, abs=0.005)
    assert yard.pose(1).x_m == pytest.approx(4.0 - 2.4 - 0.188, abs=0.1)


def test_walkers_block_each_other(yard):
    person(yard.world, 1)
    person(yard.world, 2, Pose(3.0, 0.0, 0.93))
    yard.world.set_walker_control(1, (1.0, 0.0, 0.0), 1.5, False)
    yard.world.set_walker_control(2, (-1.0, 0.0, 0.0), 1.5, False)
    contacts = yard.run(3.0)
    assert {(c.actor_id, c.other_id) for c in contacts} == {(1, 2), (2, 1)}
    assert yard.pose(2).x_m - yard.pose(1).x_m > 0.35


def test_car_hits_a_walker_both_are_told_and_the_walker_flies(yard):
    person(yard.world, 1, Pose(15.0, 0.0, 0.93))
    yard.car(2)
    yard.world.set_velocity(2, (12.0, 0.0, 0.0))
    contacts = yard.run(1.2)
    assert {(c.actor_id, c.other_id) for c in contacts} == {(1, 2), (2, 1)}
    assert sum(c.normal_impulse[0] for c in contacts if c.actor_id == 1) > 75.0 * 8.0
    assert 10.0 < yard.speed(2) < 12.0
    yard.world.set_walker_control(1, (0.0, 1.0, 0.0), 1.0, False)
    aside = yard.pose(1).y_m
    yard.run(0.3)
    assert yard.pose(1).y_m == pytest.approx(aside, abs=0.2)
    yard.drive(2, brake=1.0)
    yard.run(8.0)
    assert yard.pose(1).x_m > 20.0
    assert yard.pose(1).y_m > 2.0


def test_state_puts_it_there_for_one_step(yard):
    person(yard.world)
    yard.world.set_walker_state(1, Pose(2.0, 3.0, 0.93, 0.0, 90.0), 1.4)
    yard.run(0.05)
    state = yard.world.state(1)
    assert state.pose == Pose(2.0, 3.0, 0.93, 0.0, 90.0)
    assert state.velocity_mps == pytest.approx((0.0, 1.4, 0.0))
    yard.run(1.0)
    assert yard.speed(1) == 0.0
    assert math.dist(yard.pose(1).location, (2.0, 3.0, 0.93)) < 0.1


def test_posed_walker_is_hit_as_a_person(yard):
    person(yard.world, 1, Pose(5.0, 0.0, 0.93))
    yard.world.set_simulate_physics(1, False)
    yard.car(2)
    yard.world.set_velocity(2, (10.0, 0.0, 0.0))
    told = []
    for k in range(20):
        yard.world.set_walker_state(1, Pose(5.0, 0.05 * k, 0.93, 0.0, 90.0), 1.0)
        told += yard.world.step(0.05, 10)
    assert (1, 2) in {(c.actor_id, c.other_id) for c in told}
    assert yard.pose(1).location == pytest.approx((5.0, 0.95, 0.93))


def test_dead_walker_walks_no_more(yard):
    person(yard.world)
    yard.world.set_walker_control(1, (1.0, 0.0, 0.0), 1.5, False)
    yard.run(1.0)
    yard.world.set_dead(1)
    yard.world.set_walker_control(1, (1.0, 0.0, 0.0), 1.5, True)
    yard.run(1.0)
    where = yard.pose(1)
    yard.run(1.0)
    assert yard.pose(1) == where
    assert where.z_m == 0.93


def test_child_weighs_less(yard):
    person(yard.world, 1, Pose(0.0, 0.0, 0.93))
    yard.world.add_walker(2, (0.25, 0.25, 0.55), Pose(0.0, 5.0, 0.55))
    for actor_id in (1, 2):
        yard.world.add_impulse(actor_id, (75.0, 0.0, 0.0))
    assert yard.speed(1) == pytest.approx(1.0)
    assert yard.speed(2) > 2.0
