"""Facts about wheels: they roll as far as the vehicle comes, and steer as it does."""

import math

import pytest

from sim_agent.embedded.physics import Dynamics, default_control
from sim_agent.embedded.pose import Pose

EXTENT_M = (2.4, 0.95, 0.75)


@pytest.fixture
def world():
    world = Dynamics([])
    control = default_control("car", EXTENT_M, 1600.0)
    world.add_vehicle(1, "car", EXTENT_M, (0.0, 0.0, 0.75), control, Pose(50.0, 20.0, 0.0, 0.0, 30.0))
    world.step(0.05, 5)
    return world


def radius_m(world):
    return world.physics_control(1).wheels[0].radius_cm / 100.0


def turned_deg(before, after):
    return [(b.pitch_deg - a.pitch_deg + 180.0) % 360.0 - 180.0 for a, b in zip(before, after, strict=True)]


def drive(world, seconds, throttle=0.5, steer=0.0, reverse=False):
    world.set_vehicle_control(1, throttle, steer, 0.0, False, reverse, False, 0)
    for _ in range(round(seconds / 0.05)):
        world.step(0.05, 5)


def test_a_car_at_rest_has_its_wheels_straight(world):
    assert all(turn == (0.0, 0.0) for turn in world.wheel_turns(1))


@pytest.mark.parametrize("reverse", [False, True])
def test_wheels_roll_with_the_road(world, reverse):
    drive(world, 2.0, reverse=reverse)
    for _ in range(5):
        before, start = world.wheel_turns(1), world.state(1).pose
        world.step(0.05, 5)
        here = world.state(1).pose
        ahead = math.hypot(here.x_m - start.x_m, here.y_m - start.y_m) * (-1.0 if reverse else 1.0)
        assert turned_deg(before, world.wheel_turns(1)) == pytest.approx(
            [-math.degrees(ahead / radius_m(world))] * 4, abs=0.5
        )


def test_front_wheels_steer_round_one_centre(world):
    drive(world, 1.0, throttle=0.3, steer=0.5)
    left, right, *rear = (turn.steer_deg for turn in world.wheel_turns(1))
    assert 5.0 < left < right < 80.0
    assert rear == [0.0, 0.0]
    assert world.wheel_steer_deg(1, 0) == left


def test_wheels_roll_when_others_move_the_car_but_not_when_it_is_put_elsewhere(world):
    world.set_simulate_physics(1, False)
    before, pose = world.wheel_turns(1), world.state(1).pose
    eighth_m = 2.0 * math.pi * radius_m(world) / 8.0
    heading = math.radians(pose.yaw_deg)
    for k in range(1, 11):
        way = eighth_m * k / 10
        place = pose._replace(x_m=pose.x_m + way * math.cos(heading), y_m=pose.y_m + way * math.sin(heading))
        world.set_pose(1, place)
        world.step(0.05, 5)
    rolled = world.wheel_turns(1)
    assert turned_deg(before, rolled) == pytest.approx([-45.0] * 4, abs=0.1)
    world.set_pose(1, place._replace(x_m=place.x_m + 30.0))
    world.step(0.05, 5)
    assert turned_deg(rolled, world.wheel_turns(1)) == pytest.approx([0.0] * 4, abs=1e-6)


def test_a_cycle_has_two_wheels():
    world = Dynamics([])
    extent = (0.9, 0.3, 0.8)
    world.add_vehicle(1, "bicycle", extent, (0.0, 0.0, 0.8), default_control("bicycle", extent, 80.0), Pose())
    assert len(world.wheel_turns(1)) == 2
