from __future__ import annotations

import hashlib
import math
import os
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from sim_agent.embedded.physics import KINDS, AckermannSettings, Dynamics, default_control
from sim_agent.embedded.pose import Pose
from sim_agent.embedded.scene import Box, StaticObject, Tag
from tests.sim_agent.embedded.physics.yard import EXTENT_M, Yard, wall

ROOT = Path(__file__).parents[4]


def busy_town(cars: int = 20, walkers: int = 10, side_m: float = 60.0) -> Dynamics:
    """A crowd that drives and walks into everything."""
    rng = random.Random(5)
    poles = []
    for k in range(60):
        pose = Pose(rng.uniform(-side_m, side_m), rng.uniform(-side_m, side_m), 2.0)
        poles.append(StaticObject(k + 1, "pole", Tag.POLE, pose, Box(pose, (0.2, 0.2, 2.0)), True))
    world = Dynamics(poles)
    actor_id = 0
    while actor_id < cars:
        pose = Pose(rng.uniform(-side_m, side_m), rng.uniform(-side_m, side_m), 0.75, 0.0, rng.uniform(-180, 180))
        if world.overlaps(pose, EXTENT_M) is not None:
            continue
        actor_id += 1
        kind = KINDS[actor_id % len(KINDS)]
        control = default_control(kind, EXTENT_M, 1500.0)
        world.add_vehicle(actor_id, kind, EXTENT_M, (0.0, 0.0, 0.75), control, pose._replace(z_m=0.3))
        world.set_vehicle_control(
            actor_id, rng.uniform(0.2, 1.0), rng.uniform(-0.4, 0.4), 0.0, False, actor_id % 5 == 0, False, 0
        )
    for k in range(walkers):
        pose = Pose(rng.uniform(-side_m, side_m), rng.uniform(-side_m, side_m), 0.93)
        world.add_walker(1000 + k, (0.2, 0.2, 0.93), pose)
        world.set_walker_control(1000 + k, (rng.uniform(-1, 1), rng.uniform(-1, 1), 0.0), 1.5, False)
        world.add_prop(2000 + k, (0.3, 0.2, 0.4), 20.0, pose._replace(x_m=-pose.x_m, z_m=0.5), k % 2 == 0)
    return world


def digest(world: Dynamics, ticks: int) -> str:
    """SHA-256 of everything that comes out of some ticks."""
    sha = hashlib.sha256()
    for _ in range(ticks):
        sha.update(repr(world.step(0.05, 10)).encode())
        for column in world.states():
            sha.update(np.ascontiguousarray(column).tobytes())
    return sha.hexdigest()


def test_two_processes_give_the_same_bytes():
    code = "from tests.sim_agent.embedded.physics.test_world import busy_town, digest; print(digest(busy_town(), 150))"
    runs = [
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=ROOT,
            check=True,
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    ]
    assert runs[0] == runs[1]
    assert runs[0].strip() == digest(busy_town(), 150)


def test_unrelated_bodies_and_slots_change_nothing():
    def drive(world: Dynamics, crowd: bool) -> str:
        if crowd:
            for k in range(40):
                world.add_walker(500 + k, (0.2, 0.2, 0.9), Pose(900.0 + 3.0 * k, 900.0, 0.9))
            world.remove(517)
            world.remove(503)
        for actor_id in (3, 900):
            control = default_control("car", EXTENT_M, 1500.0)
            world.add_vehicle(actor_id, "car", EXTENT_M, (0.0, 0.0, 0.75), control, Pose(0.02 * actor_id, 0.5))
            world.set_vehicle_control(actor_id, 0.7, 0.05, 0.0, False, actor_id == 900, False, 0)
        contacts = [world.step(0.05, 10) for _ in range(100)]
        return repr([contacts, world.state(3), world.state(900)])

    plain, crowded = drive(Dynamics([wall(60.0)]), False), drive(Dynamics([wall(60.0)]), True)
    assert plain == crowded
    assert "Contact(actor_id=3, other_id=900" in plain


def test_bodies_come_out_in_the_order_of_their_ids():
    world = Dynamics([])
    for actor_id in (9, 2, 30, 5):
        world.add_walker(actor_id, (0.2, 0.2, 0.9), Pose(float(actor_id), 0.0, 0.9))
    states = world.states()
    assert states.ids.tolist() == [2, 5, 9, 30]
    assert states.motions[:, 0].tolist() == [2.0, 5.0, 9.0, 30.0]


def test_states_are_those_of_each():
    world = busy_town()
    for _ in range(30):
        world.step(0.05, 10)
    states = world.states()
    for k, actor_id in enumerate(states.ids.tolist()):
        one = world.state(actor_id)
        assert states.motions[k, :6] == pytest.approx(one.pose)
        assert states.motions[k, 6:9] == pytest.approx(one.velocity_mps)
        assert states.motions[k, 9:12] == pytest.approx(one.angular_velocity_degps)
        assert states.motions[k, 12:] == pytest.approx(one.acceleration_mps2)


def test_a_slot_is_clean_for_the_next_body():
    fresh, used = Yard(), Yard()
    used.car(1, friction=3.0)
    used.world.set_constant_velocity(1, (9.0, 0.0, 0.0))
    used.world.set_gravity(1, False)
    used.world.set_ackermann(1, 0.3, 0.0, 5.0, 0.0, 0.0)
    used.world.set_ackermann_settings(1, AckermannSettings(speed_kp=9.0))
    used.world.add_force(1, (1e4, 0.0, 0.0))
    used.run(2.0)
    used.world.add_force(1, (1e4, 0.0, 0.0))
    used.world.remove(1)
    for yard in (fresh, used):
        yard.car(1, Pose(5.0, 0.0, 0.3))
        yard.drive(throttle=0.5, steer=0.1)
        yard.run(3.0)
    assert used.world.state(1) == fresh.world.state(1)
    assert used.world.telemetry(1) == fresh.world.telemetry(1)
    assert used.world.ackermann_settings(1) == AckermannSettings()


def test_thousands_of_spawns_use_few_slots():
    world = Dynamics([])
    control = default_control("car", EXTENT_M, 1500.0)
    for k in range(1, 2001):
        world.add_vehicle(k, "car", EXTENT_M, (0.0, 0.0, 0.75), control, Pose())
        if k > 100:
            world.remove(k - 100)
    assert len(world._table) == 100
    assert len(world._table.bodies) == 128
    assert world.states().ids.tolist() == list(range(1901, 2001))


def test_crowd_stays_finite_and_on_the_ground():
    world = busy_town()
    for _ in range(400):
        world.step(0.05, 10)
    states = world.states()
    for column in states[1:]:
        assert np.isfinite(column).all()
    assert np.abs(states.motions[:, 6:9]).max() < 70.0
    assert states.motions[:, 2].min() > -0.13


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_numbers_that_are_none_are_refused_before_they_get_in(bad):
    yard = Yard()
    yard.car(1, Pose(z_m=0.3))
    yard.world.add_walker(2, (0.2, 0.2, 0.9), Pose(5.0, 5.0, 0.9))
    world = yard.world
    control = world.physics_control(1)
    calls = [
        lambda: world.set_vehicle_control(1, bad, 0.0, 0.0, False, False, False, 0),
        lambda: world.set_vehicle_control(1, 0.0, bad, 0.0, False, False, False, 0),
        lambda: world.set_ackermann(1, 0.0, 0.0, bad, 0.0, 0.0),
        lambda: world.set_ackermann_settings(1, AckermannSettings(bad)),
        lambda: world.set_walker_control(2, (bad, 0.0, 0.0), 1.0, False),
        lambda: world.set_walker_control(2, (1.0, 0.0, 0.0), bad, False),
        lambda: world.set_walker_state(2, Pose(bad), 1.0),
        lambda: world.set_pose(1, Pose(yaw_deg=bad)),
        lambda: world.set_velocity(1, (0.0, bad, 0.0)),
        lambda: world.set_angular_velocity(1, (0.0, 0.0, bad)),
        lambda: world.add_impulse(1, (bad, 0.0, 0.0)),
        lambda: world.add_force(1, (bad, 0.0, 0.0)),
        lambda: world.add_angular_impulse(1, (0.0, 0.0, bad)),
        lambda: world.add_torque(1, (0.0, 0.0, bad)),
        lambda: world.set_constant_velocity(1, (bad, 0.0, 0.0)),
        lambda: world.set_physics_control(1, control._replace(mass_kg=bad)),
        lambda: world.set_physics_control(1, control._replace(torque_curve=((0.0, bad),))),
        lambda: world.set_friction_zones([(Box(Pose(), (1.0, 1.0, bad)), 1.0)]),
        lambda: world.set_friction_zones([(Box(Pose(), (1.0, 1.0, 1.0)), bad)]),
        lambda: world.add_vehicle(3, "car", EXTENT_M, (0.0, 0.0, 0.75), control, Pose(bad)),
        lambda: world.add_walker(3, (0.2, bad, 0.9), Pose()),
        lambda: world.add_prop(3, (0.2, 0.2, 0.9), bad, Pose(), False),
        lambda: world.overlaps(Pose(bad), EXTENT_M),
        lambda: world.step(bad, 10),
        lambda: Dynamics([wall(bad)]),
    ]
    before = digest(busy_town(2, 1), 1), repr((world.state(1), world.state(2), world.physics_control(1)))
    for call in calls:
        with pytest.raises(ValueError, match=r"is |has "):
            call()
    assert repr((world.state(1), world.state(2), world.physics_control(1))) == before[1]
    world.step(0.05, 10)
    assert world.states().ids.tolist() == [1, 2]
    assert np.isfinite(world.states().motions).all()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("mass_kg", -5.0),
        ("mass_kg", 0.0),
        ("max_rpm", 0.0),
        ("forward_gears", ()),
        ("torque_curve", ()),
        ("torque_curve", ((100.0, 1.0), (50.0, 2.0))),
        ("drag_coefficient", -1.0),
        ("wheels", ()),
    ],
)
def test_absurd_physics_is_refused_by_name(yard, field, value):
    yard.car()
    control = yard.world.physics_control(1)
    with pytest.raises(ValueError, match=field):
        yard.world.set_physics_control(1, control._replace(**{field: value}))
    assert yard.world.physics_control(1) == control


@pytest.mark.parametrize(
    ("field", "value"), [("radius_cm", 0.0), ("tire_friction", -1.0), ("max_steer_angle_deg", 90.0)]
)
def test_absurd_wheel_is_refused_by_name(yard, field, value):
    yard.car()
    control = yard.world.physics_control(1)
    wheels = (*control.wheels[:3], control.wheels[3]._replace(**{field: value}))
    with pytest.raises(ValueError, match=rf"wheels\[3\]\.{field}"):
        yard.world.set_physics_control(1, control._replace(wheels=wheels))


def test_who_is_not_there_is_told(yard):
    yard.car(1)
    yard.world.add_walker(2, (0.2, 0.2, 0.9), Pose(5.0))
    with pytest.raises(ValueError, match="no actor 9"):
        yard.world.state(9)
    with pytest.raises(ValueError, match="no actor 9"):
        yard.world.remove(9)
    with pytest.raises(ValueError, match="2 is not a vehicle"):
        yard.drive(2, throttle=1.0)
    with pytest.raises(ValueError, match="1 is not a walker"):
        yard.world.set_walker_control(1, (1.0, 0.0, 0.0), 1.0, False)
    with pytest.raises(ValueError, match="actor 1 already"):
        yard.car(1)
    with pytest.raises(ValueError, match="must be positive"):
        yard.car(0)
    with pytest.raises(ValueError, match="spaceship"):
        default_control("spaceship", EXTENT_M, 1.0)
    with pytest.raises(ValueError, match="no wheel 7"):
        yard.world.wheel_steer_deg(1, 7)


def test_vehicle_with_six_and_with_two_wheels(yard):
    control = default_control("truck", (4.0, 1.4, 1.7), 9000.0)
    six = control._replace(wheels=(*control.wheels, *control.wheels[2:]))
    yard.world.add_vehicle(1, "truck", (4.0, 1.4, 1.7), (0.0, 0.0, 1.7), six, Pose())
    bike = default_control("bicycle", (0.8, 0.3, 0.8), 95.0)
    two = bike._replace(wheels=(bike.wheels[0], bike.wheels[2]))
    yard.world.add_vehicle(2, "bicycle", (0.8, 0.3, 0.8), (0.0, 0.0, 0.8), two, Pose(0.0, 10.0))
    for actor_id in (1, 2):
        yard.drive(actor_id, throttle=0.5)
    yard.run(3.0)
    assert yard.speed(1) > 1.0
    assert yard.speed(2) > 1.0
    assert len(yard.world.telemetry(1).wheels) == 6
    assert len(yard.world.telemetry(2).wheels) == 2
