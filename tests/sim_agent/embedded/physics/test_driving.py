from __future__ import annotations

import math

import pytest

from sim_agent.embedded.pose import Pose


def test_handbrake_stops_and_slides_in_a_bend(yard):
    yard.car(1)
    yard.car(2, Pose(0.0, 50.0))
    for actor_id in (1, 2):
        yard.world.set_velocity(actor_id, (20.0, 0.0, 0.0))
    yard.drive(1, hand_brake=1, steer=0.05)
    yard.drive(2, steer=0.05)
    slides = []
    yard.run(1.0, lambda: slides.append(tuple(abs(_slide_deg(yard, actor_id)) for actor_id in (1, 2))))
    assert max(with_hand for with_hand, _ in slides) > 3.0 * max(without for _, without in slides)
    yard.run(7.0)
    assert yard.speed(1) == 0.0
    assert yard.speed(2) > 10.0


def _slide_deg(yard, actor_id: int) -> float:
    state = yard.world.state(actor_id)
    course = math.degrees(math.atan2(state.velocity_mps[1], state.velocity_mps[0]))
    return (course - state.pose.yaw_deg + 180.0) % 360.0 - 180.0


def test_reverse(yard):
    yard.car()
    yard.drive(throttle=0.5, reverse=1)
    yard.run(3.0)
    assert yard.pose().x_m < -2.0
    assert yard.world.state(1).control.gear == -1
    yard.drive(throttle=0.5)
    yard.run(6.0)
    assert yard.world.state(1).velocity_mps[0] > 2.0
    assert yard.world.state(1).control.gear >= 1


def test_automatic_gears_rise_one_after_the_other_and_fall_again(yard):
    yard.car()
    yard.drive(throttle=1.0)
    gears, speeds = [], []
    yard.run(25.0, lambda: (gears.append(yard.world.state(1).control.gear), speeds.append(yard.speed())))
    assert gears[0] == 1
    assert gears == sorted(gears)
    assert gears[-1] >= 4
    assert yard.world.telemetry(1).engine_rpm < 6500.0 * 1.05
    yard.drive(brake=1.0)
    yard.run(12.0)
    assert yard.world.state(1).control.gear == 1


def test_automatic_gears_do_not_hunt(yard):
    yard.car()
    gears = []
    for k in range(60):
        yard.drive(throttle=0.85 if k % 2 else 0.0)
        yard.run(0.3, lambda: gears.append(yard.world.state(1).control.gear))
    falls = sum(b < a for a, b in zip(gears, gears[1:], strict=False))
    assert falls <= 2


def test_manual_gears(yard):
    yard.car()
    yard.drive(throttle=1.0, gear=1)
    yard.run(12.0)
    ratio = 3.6 * 3.9
    rpm_1 = yard.speed() / 0.34 * ratio * 30.0 / math.pi
    assert yard.world.state(1).control.gear == 1
    assert rpm_1 == pytest.approx(6500.0, rel=0.03)
    yard.drive(throttle=1.0, gear=0)
    before = yard.speed()
    yard.run(2.0)
    assert yard.speed() < before
    yard.drive(throttle=1.0, gear=3)
    yard.run(5.0)
    assert yard.speed() > before
    assert yard.world.state(1).control.gear == 3


def test_gear_switch_takes_its_time_without_pull(yard):
    yard.car(gear_switch_time_s=1.0)
    yard.drive(throttle=1.0, gear=2)
    yard.run(0.9)
    assert yard.world.state(1).control.gear == 1
    assert yard.speed() == 0.0
    yard.run(1.0)
    assert yard.world.state(1).control.gear == 2
    assert yard.speed() > 1.0


def test_engine_brakes_more_in_a_low_gear(yard):
    ends = {}
    for gear in (2, 6):
        yard.car(gear, Pose(0.0, 10.0 * gear), gear_switch_time_s=0.0)
        yard.world.set_velocity(gear, (15.0, 0.0, 0.0))
        yard.drive(gear, gear=gear)
    yard.run(4.0)
    ends = {gear: yard.speed(gear) for gear in (2, 6)}
    assert ends[2] < ends[6] - 1.0


def test_double_mass_halves_acceleration(yard):
    yard.car(1, moi=0.0)
    control = yard.world.physics_control(1)
    yard.world.add_vehicle(2, "car", (2.4, 1.0, 0.75), (0.0, 0.0, 0.75), control, Pose(0.0, 20.0))
    yard.world.set_physics_control(2, control._replace(mass_kg=3200.0))
    for actor_id in (1, 2):
        yard.drive(actor_id, throttle=0.6)
    yard.run(1.5)
    assert yard.speed(2) == pytest.approx(yard.speed(1) / 2.0, rel=0.06)


def test_steering_curve_takes_angle_away_at_speed(yard):
    yard.car(steering_curve=((0.0, 1.0), (50.0, 0.5), (100.0, 0.2)))
    angles = {}
    for speed_kmh in (0.0, 50.0, 100.0):
        yard.world.set_constant_velocity(1, (speed_kmh / 3.6, 0.0, 0.0))
        yard.drive(steer=0.2)
        yard.run(0.5)
        angles[speed_kmh] = yard.world.telemetry(1).steer * yard.world.wheel_steer_deg(1, 0)
    assert angles[50.0] < 0.6 * angles[0.0]
    assert angles[100.0] < 0.5 * angles[50.0]


def test_ackermann_reaches_its_speed_and_angle(yard):
    yard.car()
    yard.world.set_ackermann(1, 0.0, 0.0, 10.0, 0.0, 0.0)
    yard.run(40.0)
    assert yard.speed() == pytest.approx(10.0, rel=0.05)
    yard.world.set_ackermann(1, 0.1, 0.0, 10.0, 0.0, 0.0)
    yard.run(5.0)
    curve = 0.9 - (36.0 - 20.0) / 40.0 * 0.1
    assert yard.world.state(1).control.steer * math.radians(70.0) == pytest.approx(0.1, rel=1e-6)
    angle = 0.5 * (yard.world.wheel_steer_deg(1, 0) + yard.world.wheel_steer_deg(1, 1))
    assert math.radians(angle) == pytest.approx(0.1 * curve, rel=0.05)
    yard.world.set_ackermann(1, 0.0, 0.0, 0.0, 0.0, 0.0)
    yard.run(40.0)
    assert yard.speed() < 0.05


def test_ackermann_drives_backwards_and_is_ended_by_a_control(yard):
    yard.car()
    yard.world.set_ackermann(1, 0.0, 0.0, -3.0, 0.0, 0.0)
    yard.run(40.0)
    assert yard.world.state(1).velocity_mps[0] == pytest.approx(-3.0, abs=0.4)
    yard.drive(brake=1.0)
    yard.run(3.0)
    assert yard.speed() == 0.0


def test_ackermann_settings_are_kept(yard):
    yard.car()
    assert yard.world.ackermann_settings(1).speed_kp == 0.15
    changed = yard.world.ackermann_settings(1)._replace(speed_kp=0.5)
    yard.world.set_ackermann_settings(1, changed)
    assert yard.world.ackermann_settings(1) == changed


def test_constant_velocity_holds_against_brake_and_turns_with_the_car(yard):
    yard.car(pose=Pose(yaw_deg=90.0))
    yard.world.set_constant_velocity(1, (8.0, 0.0, 0.0))
    yard.drive(brake=1.0)
    yard.run(2.0)
    assert yard.world.state(1).velocity_mps == pytest.approx((0.0, 8.0, 0.0), abs=1e-9)
    assert yard.pose().y_m == pytest.approx(16.0, abs=1e-6)
    yard.drive(steer=0.2)
    yard.run(1.0)
    assert yard.speed() == pytest.approx(8.0)
    assert yard.pose().yaw_deg > 100.0
    yard.world.set_constant_velocity(1, None)
    yard.drive(brake=1.0)
    yard.run(3.0)
    assert yard.speed() == 0.0


def test_without_physics_it_stays_put(yard):
    yard.car(pose=Pose(0.0, 0.0, 5.0))
    yard.world.set_simulate_physics(1, False)
    yard.world.set_velocity(1, (10.0, 0.0, 0.0))
    yard.drive(throttle=1.0)
    yard.run(2.0)
    assert yard.pose() == Pose(0.0, 0.0, 5.0)
    yard.world.set_pose(1, Pose(7.0, 8.0, 0.0, 0.0, 45.0))
    yard.run(1.0)
    assert yard.pose() == Pose(7.0, 8.0, 0.0, 0.0, 45.0)
    yard.world.set_simulate_physics(1, True)
    yard.run(2.0)
    assert yard.pose().x_m > 8.0
