"""Facts about hills: what climbs, rolls, holds and flies."""

import math

import numpy as np
import pytest

from sim_agent.embedded.physics import Dynamics, HeightField, default_control
from sim_agent.embedded.physics.height_field import CELL_M
from sim_agent.embedded.pose import Pose

EXTENT_M = (2.4, 0.95, 0.75)
GRADE = 0.1


def plane(grade_x=0.0, grade_y=0.0, half_m=150.0, z_m=0.0):
    """Two triangles that slope evenly."""
    corners = np.array([(x, y, z_m + grade_x * x + grade_y * y) for x in (-half_m, half_m) for y in (-half_m, half_m)])
    return corners.astype(np.float32), np.array([[0, 2, 3], [0, 3, 1]], np.int32)


def world_on(*surface, roads=2):
    world = Dynamics([], HeightField(*surface, roads))
    return world


def add_car(world, pose, actor_id=1):
    world.add_vehicle(actor_id, "car", EXTENT_M, (0.0, 0.0, 0.75), default_control("car", EXTENT_M, 1600.0), pose)


def drive(world, actor_id=1, throttle=0.0, brake=0.0, seconds=1.0, manual=False):
    world.set_vehicle_control(actor_id, throttle, 0.0, brake, False, False, manual, 0)
    for _ in range(round(seconds / 0.05)):
        world.step(0.05, 5)


@pytest.mark.parametrize("yaw_deg", [0.0, 90.0, 180.0, 37.0])
def test_a_parked_car_lies_on_the_slope(yaw_deg):
    world = world_on(*plane(GRADE))
    add_car(world, Pose(20.0, 5.0, 3.0, 0.0, yaw_deg))
    drive(world, brake=1.0, seconds=3.0)
    pose = world.state(1).pose
    assert pose.z_m == pytest.approx(GRADE * pose.x_m, abs=0.03)
    yaw = math.radians(yaw_deg)
    assert pose.pitch_deg == pytest.approx(math.degrees(math.atan(GRADE * math.cos(yaw))), abs=0.4)
    # Up is on the right of a car that looks to the left.
    assert pose.roll_deg == pytest.approx(math.degrees(math.atan(GRADE * math.sin(yaw))), abs=0.4)
    assert math.hypot(pose.x_m - 20.0, pose.y_m - 5.0) < 0.2


def test_brakes_hold_it():
    world = world_on(*plane(0.2))
    add_car(world, Pose(0.0, 0.0, 0.3))
    drive(world, brake=1.0, seconds=2.0)
    before = world.state(1).pose
    drive(world, brake=1.0, seconds=20.0)
    assert world.state(1).pose.x_m == pytest.approx(before.x_m, abs=0.01)


def test_without_brakes_it_rolls_down():
    world = world_on(*plane(GRADE))
    add_car(world, Pose(100.0, 0.0, 10.3))
    drive(world, brake=1.0, seconds=1.0)
    drive(world, seconds=4.0, manual=True)
    speed = world.state(1).velocity_mps[0]
    # g sin, less what rolls and turns with it.
    assert -9.81 * GRADE * 4.0 < speed < -0.5 * 9.81 * GRADE * 4.0
    assert world.state(1).velocity_mps[2] == pytest.approx(GRADE * speed, abs=0.05)


def test_climbing_takes_speed():
    speeds = {}
    for grade in (-GRADE, 0.0, GRADE):
        world = world_on(*plane(grade))
        add_car(world, Pose(-100.0, 0.0, -100.0 * grade + 0.3))
        drive(world, throttle=0.5, seconds=6.0)
        speeds[grade] = world.state(1).velocity_mps[0]
    assert speeds[-GRADE] > speeds[0.0] + 3.0 > speeds[GRADE] + 6.0


def test_it_follows_a_crest_and_flies_over_a_sharp_one():
    def ridge(height_m, half_m):
        rows = [
            (x, y, height_m * max(0.0, 1.0 - abs(x) / half_m))
            for x in (-90.0, -half_m, 0.0, half_m, 90.0)
            for y in (-20, 20)
        ]
        triangles = [(k, k + 2, k + 3) for k in range(0, 8, 2)] + [(k, k + 3, k + 1) for k in range(0, 8, 2)]
        return np.array(rows, np.float32), np.array(triangles, np.int32)

    above = {}
    for speed in (6.0, 28.0):
        world = world_on(*ridge(4.0, 20.0), roads=8)
        field = HeightField(*ridge(4.0, 20.0), 8)
        add_car(world, Pose(-60.0, 0.0, 0.1))
        drive(world, seconds=1.0)
        world.set_velocity(1, (speed, 0.0, 0.0))
        most = 0.0
        for _ in range(800):
            world.set_vehicle_control(
                1, 0.8 if world.state(1).velocity_mps[0] < speed else 0.0, 0, 0, False, False, False, 0
            )
            world.step(0.02, 2)
            pose = world.state(1).pose
            most = max(most, pose.z_m - field.at(pose.x_m, pose.y_m, pose.z_m))
        above[speed] = most
        assert world.state(1).pose.x_m > 20.0
    assert above[6.0] < 0.25
    assert above[28.0] > 0.8


def test_over_and_under_a_bridge():
    low, deck = plane(0.0, 0.0, 60.0), plane(0.0, 0.0, 10.0, z_m=6.0)
    surface = np.concatenate([deck[0], low[0]]), np.concatenate([deck[1], low[1] + 4])
    world = world_on(*surface)
    add_car(world, Pose(0.0, 0.0, 6.4))
    add_car(world, Pose(-30.0, 5.0, 0.3), 2)
    drive(world, brake=1.0, seconds=1.0)
    drive(world, 2, throttle=0.5, seconds=8.0)
    assert world.state(1).pose.z_m == pytest.approx(6.0, abs=0.02)
    assert world.state(2).pose.x_m > 5.0 and world.state(2).pose.z_m == pytest.approx(0.0, abs=0.02)


def test_people_and_props_stand_on_it():
    world = world_on(*plane(GRADE))
    world.add_walker(1, (0.3, 0.3, 0.93), Pose(10.0, 0.0, 4.0))
    world.add_prop(2, (0.5, 0.5, 0.5), 10.0, Pose(30.0, 0.0, 5.0), False)
    world.set_walker_control(1, (1.0, 0.0, 0.0), 1.5, False)
    for _ in range(100):
        world.step(0.05, 2)
    walker, prop = world.state(1).pose, world.state(2).pose
    assert walker.x_m > 14.0 and walker.z_m - 0.93 == pytest.approx(GRADE * walker.x_m, abs=0.02)
    assert prop.z_m == pytest.approx(GRADE * prop.x_m, abs=0.02)


def test_levels_are_kept_apart_and_roads_go_on_for_a_cell():
    low, deck = plane(0.0, 0.0, 60.0), plane(0.05, 0.0, 10.0, z_m=6.0)
    field = HeightField(np.concatenate([deck[0], low[0]]), np.concatenate([deck[1], low[1] + 4]), 2)
    assert field.at(3.0, 2.0, 6.5) == pytest.approx(6.15, abs=1e-3)
    assert field.at(3.0, 2.0, 0.5) == pytest.approx(0.0, abs=1e-3)
    assert field.at(10.0 + 0.9 * CELL_M, 0.0, 6.5) > 3.0
    assert field.at(14.0, 0.0, 6.5) == pytest.approx(0.0, abs=1e-3)
    assert field.at(1e6, -1e6, 0.0) == pytest.approx(0.0, abs=1e-3)


def test_a_flat_field_changes_nothing():
    flat, hilly = Dynamics([]), world_on(*plane())
    for world in (flat, hilly):
        add_car(world, Pose(0.0, 0.0, 0.3))
        drive(world, throttle=0.7, seconds=4.0)
    np.testing.assert_array_equal(flat.states().motions, hilly.states().motions)
