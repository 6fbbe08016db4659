from __future__ import annotations

import math

import pytest

from sim_agent.embedded.physics import GRAVITY_MPS2, KINDS, Gear
from sim_agent.embedded.pose import Pose
from sim_agent.embedded.scene import Box
from tests.sim_agent.embedded.physics.yard import Yard

SIZES = {
    "car": ((2.4, 1.0, 0.75), 1600.0),
    "van": ((2.96, 0.99, 1.28), 2600.0),
    "truck": ((4.2, 1.45, 1.9), 14000.0),
    "bus": ((5.1, 1.97, 2.1), 7500.0),
    "motorcycle": ((1.1, 0.4, 0.8), 300.0),
    "bicycle": ((0.8, 0.3, 0.8), 95.0),
}


def test_falls_freely(yard):
    yard.car(pose=Pose(z_m=100.0))
    yard.run(1.0)
    state = yard.world.state(1)
    assert state.velocity_mps[2] == pytest.approx(-GRAVITY_MPS2, rel=1e-9)
    assert state.pose.z_m == pytest.approx(100.0 - GRAVITY_MPS2 / 2.0, abs=0.05)
    assert state.acceleration_mps2[2] == pytest.approx(-GRAVITY_MPS2)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("height_m", [0.3, 0.6])
def test_settles_on_its_springs(yard, kind, height_m):
    extent, mass = SIZES[kind]
    yard.car(kind=kind, extent=extent, mass=mass, pose=Pose(z_m=height_m))
    lowest = []
    yard.run(0.6, lambda: lowest.append(yard.pose().z_m))
    assert abs(yard.pose().z_m) < 0.02
    assert abs(yard.world.state(1).velocity_mps[2]) < 0.15
    yard.run(0.5)
    assert abs(yard.pose().z_m) < 1e-3
    assert min(lowest) > -0.13


@pytest.mark.parametrize("kind", KINDS)
def test_stands_still(yard, kind):
    extent, mass = SIZES[kind]
    yard.car(kind=kind, extent=extent, mass=mass, pose=Pose(3.0, 4.0, 0.3, 0.0, 30.0))
    yard.run(2.0)
    before = yard.pose()
    yard.run(50.0)
    after = yard.pose()
    assert math.dist(after.location, before.location) < 1e-9
    assert after.yaw_deg == before.yaw_deg
    assert yard.speed() == 0.0


def test_standing_car_holds_with_wheels_turned_and_brake_against_engine(yard):
    yard.car()
    yard.drive(steer=1.0)
    yard.run(5.0)
    assert (yard.pose().x_m, yard.pose().y_m, yard.pose().yaw_deg) == (0.0, 0.0, 0.0)
    yard.drive(throttle=0.5, brake=1.0)
    yard.run(5.0)
    assert math.hypot(yard.pose().x_m, yard.pose().y_m) < 1e-3


@pytest.mark.parametrize(
    ("kind", "fastest_s", "slowest_s"), [("car", 4, 9), ("van", 8, 15), ("truck", 20, 45), ("motorcycle", 3, 6)]
)
def test_from_0_to_100(yard, kind, fastest_s, slowest_s):
    extent, mass = SIZES[kind]
    yard.car(kind=kind, extent=extent, mass=mass)
    yard.drive(throttle=1.0)
    seconds = 0.0
    while yard.speed() < 100.0 / 3.6:
        yard.run(0.05)
        seconds += 0.05
        assert seconds < slowest_s
    assert seconds > fastest_s


@pytest.mark.parametrize(
    ("kind", "least_kmh", "most_kmh"), [("bicycle", 27, 33), ("truck", 90, 140), ("car", 180, 260)]
)
def test_top_speed(yard, kind, least_kmh, most_kmh):
    extent, mass = SIZES[kind]
    yard.car(kind=kind, extent=extent, mass=mass)
    yard.drive(throttle=1.0)
    yard.run(100.0)
    assert least_kmh < yard.speed() * 3.6 < most_kmh


@pytest.mark.parametrize("kind", ["car", "van"])
def test_stops_from_100_in_35_to_50_m(yard, kind):
    extent, mass = SIZES[kind]
    yard.car(kind=kind, extent=extent, mass=mass)
    yard.world.set_velocity(1, (100.0 / 3.6, 0.0, 0.0))
    yard.drive(brake=1.0)
    yard.run(10.0)
    assert 35.0 < yard.pose().x_m < 50.0
    assert yard.speed() == 0.0


@pytest.mark.parametrize("friction", [0.3, 0.5, 0.7])
def test_braking_distance_is_v2_over_2_mu_g(yard, friction):
    yard.car(friction=friction, drag_coefficient=0.0)
    yard.world.set_velocity(1, (20.0, 0.0, 0.0))
    yard.drive(brake=1.0)
    yard.run(15.0)
    assert yard.pose().x_m == pytest.approx(20.0**2 / (2.0 * friction * GRAVITY_MPS2), rel=0.15)
    assert abs(yard.pose().y_m) < 1e-6


def test_coasts_to_a_stop_without_gaining_speed(yard):
    yard.car()
    yard.world.set_velocity(1, (15.0, 0.0, 0.0))
    speeds = [15.0]
    yard.run(60.0, lambda: speeds.append(yard.speed()))
    assert all(b <= a for a, b in zip(speeds, speeds[1:], strict=False))
    assert speeds[20] > 14.0
    assert speeds[-1] == 0.0


def test_air_drag_slows_by_its_law(yard):
    """Far from the ground only the air acts: 1/v grows evenly with time."""
    yard.car(drag_coefficient=2.0, pose=Pose(z_m=500.0))
    yard.world.set_gravity(1, False)
    yard.world.set_velocity(1, (40.0, 0.0, 0.0))
    yard.run(4.0)
    area = 4.0 * 1.0 * 0.75 * 0.85
    per_metre = 0.5 * 1.2 * 2.0 * area / 1600.0
    assert yard.speed() == pytest.approx(1.0 / (1.0 / 40.0 + per_metre * 4.0), rel=2e-3)


@pytest.mark.parametrize("friction", [0.3, 0.6])
def test_cornering_limit_is_mu_g(yard, friction):
    """However far the wheel is turned, v times the rate of the course comes near mu g and never above it."""
    yard.car(friction=friction)
    courses = []

    def hold_speed() -> None:
        yard.drive(throttle=min(0.3, max(0.0, 0.3 * (15.0 - yard.speed()))), steer=0.3)
        velocity = yard.world.state(1).velocity_mps
        courses.append((math.atan2(velocity[1], velocity[0]), yard.speed()))

    yard.world.set_velocity(1, (15.0, 0.0, 0.0))
    yard.run(8.0, hold_speed)
    pulls = []
    for (before, _), (after, speed) in zip(courses[40:], courses[41:], strict=False):
        pulls.append(speed * ((after - before + math.pi) % (2.0 * math.pi) - math.pi) / 0.05)
    assert max(pulls) <= friction * GRAVITY_MPS2 * 1.001
    assert sum(pulls) / len(pulls) == pytest.approx(friction * GRAVITY_MPS2, rel=0.15)


@pytest.mark.parametrize("steer", [-0.6, -0.2, 0.1, 0.3])
def test_turning_radius_is_wheelbase_over_tan_of_the_angle(yard, steer):
    yard.car()

    def crawl() -> None:
        yard.drive(throttle=max(0.0, 1.5 - yard.speed()), steer=steer)

    yard.run(8.0, crawl)
    places = []
    yard.run(3.0, lambda: (crawl(), places.append(yard.pose())))
    rate = math.radians(places[-1].yaw_deg - places[-2].yaw_deg) / 0.05
    rate = (rate + math.pi / 0.05) % (2 * math.pi / 0.05) - math.pi / 0.05
    # The rear axle's speed is along the car: that of the centre of mass less what turning adds to it.
    speed = yard.speed()
    angle = math.radians(0.5 * (yard.world.wheel_steer_deg(1, 0) + yard.world.wheel_steer_deg(1, 1)))
    base = 2.0 * 0.6 * 2.4
    rear_m = 0.6 * 2.4 + 0.03 * 2.4
    along = math.sqrt(speed**2 - (rate * rear_m) ** 2)
    assert math.copysign(1.0, rate) == math.copysign(1.0, steer)
    assert along / abs(rate) == pytest.approx(base / math.tan(abs(angle)), rel=0.05)


def test_inner_wheel_turns_more(yard):
    yard.car()
    yard.drive(steer=0.5)
    yard.run(1.0)
    left, right = (yard.world.wheel_steer_deg(1, wheel) for wheel in (0, 1))
    assert right > left > 0.0
    middle = 2.0 / (1.0 / math.tan(math.radians(left)) + 1.0 / math.tan(math.radians(right)))
    assert math.degrees(math.atan(middle)) == pytest.approx(35.0, abs=1e-6)
    assert yard.world.wheel_steer_deg(1, 2) == yard.world.wheel_steer_deg(1, 3) == 0.0
    yard.drive(steer=1.0)
    yard.run(1.0)
    assert yard.world.wheel_steer_deg(1, 1) > yard.world.wheel_steer_deg(1, 0) > 45.0


@pytest.mark.parametrize("speed_kmh", [30.0, 50.0, 90.0])
def test_steering_answers_fast_and_without_swinging(yard, speed_kmh):
    """After a step of the wheel the yaw rate gets to 90 % within 0.4 s and goes beyond its end by less than a tenth."""
    yard.car()
    speed = speed_kmh / 3.6
    yard.world.set_velocity(1, (speed, 0.0, 0.0))
    rates = []

    def note() -> None:
        yard.drive(throttle=min(1.0, max(0.0, speed - yard.speed())), steer=0.04)
        rates.append(yard.world.state(1).angular_velocity_degps[2])

    yard.run(3.0, note)
    end = rates[-1]
    assert end > 1.0
    assert rates[8] > 0.9 * end
    assert max(rates) < 1.1 * end
    late = rates[20:]
    assert max(late) - min(late) < 0.05 * end


def test_zero_friction_neither_drives_nor_brakes_nor_steers(yard):
    """CARLA's smoke test test_vehicle_zero_friction."""
    yard.car(friction=0.0, drag_coefficient=0.0)
    yard.drive(throttle=1.0, steer=0.5)
    yard.run(3.0)
    assert yard.speed() == 0.0
    yard.world.set_velocity(1, (0.0, 100.0 / 3.6, 0.0))
    yard.drive(brake=1.0, hand_brake=1)
    yard.run(5.0)
    assert yard.world.state(1).velocity_mps[:2] == pytest.approx((0.0, 100.0 / 3.6), abs=1e-12)
    assert yard.pose().yaw_deg == 0.0


def test_floating_without_gravity_nothing_slows_it(yard):
    yard.car(drag_coefficient=0.0, pose=Pose(z_m=0.7))
    yard.world.set_gravity(1, False)
    yard.world.set_velocity(1, (27.0, 0.0, 0.0))
    yard.run(5.0)
    assert yard.world.state(1).velocity_mps == (27.0, 0.0, 0.0)
    assert yard.pose().z_m == 0.7


def test_friction_zone_brakes_within_it_only(yard):
    """CARLA's smoke test test_vehicle_friction_volume."""
    yard.car(friction=0.0, drag_coefficient=0.0)
    yard.world.set_friction_zones([(Box(Pose(60.0, 0.0, 1.0), (20.0, 3.0, 7.0)), 5.0)])
    yard.world.set_velocity(1, (14.0, 0.0, 0.0))
    yard.run(1.5)
    assert yard.speed() == pytest.approx(14.0, abs=1e-9)
    assert yard.world.physics_control(1).wheels[0].tire_friction == 0.0
    yard.run(1.5)
    assert yard.world.physics_control(1).wheels[0].tire_friction == 5.0
    assert yard.speed() < 14.0
    yard.run(4.0)
    after = yard.speed()
    assert 10.0 < after < 14.0
    assert yard.world.physics_control(1).wheels[3].tire_friction == 0.0
    yard.run(2.0)
    assert yard.speed() == pytest.approx(after, abs=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_more_friction_stops_sooner(yard, kind):
    """CARLA's smoke test test_vehicle_friction_values: each time by a quarter at the least, for each kind."""
    extent, mass = SIZES[kind]
    ways = []
    for actor_id, friction in ((1, 0.0), (2, 0.5), (3, 3.0)):
        pose = Pose(0.0, 10.0 * actor_id)
        yard.car(actor_id, pose, kind=kind, extent=extent, mass=mass, friction=friction, drag_coefficient=0.0)
        yard.world.set_velocity(actor_id, (100.0 / 3.6, 0.0, 0.0))
    yard.run(2.5)
    for actor_id in (1, 2, 3):
        ways.append(-yard.pose(actor_id).x_m)
        yard.drive(actor_id, brake=1.0)
    yard.run(7.5)
    ways = [way + yard.pose(actor_id).x_m for actor_id, way in zip((1, 2, 3), ways, strict=True)]
    assert ways[1] < 0.75 * ways[0]
    assert ways[2] < 0.75 * ways[1]


def test_impulse_force_and_torque_obey_newton(yard):
    yard.car(friction=0.0, drag_coefficient=0.0)
    yard.world.add_impulse(1, (1600.0, 3200.0, 0.0))
    assert yard.world.state(1).velocity_mps == pytest.approx((1.0, 2.0, 0.0))
    yard.world.add_force(1, (16000.0, 0.0, 0.0))
    yard.run(0.05)
    assert yard.world.state(1).velocity_mps[0] == pytest.approx(1.0 + 10.0 * 0.05)
    yard.run(0.05)
    assert yard.world.state(1).velocity_mps[0] == pytest.approx(1.5)
    yard.world.set_angular_velocity(1, (0.0, 0.0, 30.0))
    yard.run(1.0)
    assert yard.pose().yaw_deg == pytest.approx(30.0)
    yard.world.add_angular_impulse(1, (0.0, 0.0, 1000.0))
    faster = yard.world.state(1).angular_velocity_degps[2] - 30.0
    yard.world.add_torque(1, (0.0, 0.0, 1000.0 / 0.05))
    yard.run(0.05)
    assert yard.world.state(1).angular_velocity_degps[2] == pytest.approx(30.0 + 2.0 * faster)


def test_nose_rises_and_body_leans_out_of_the_bend(yard):
    yard.car()
    yard.drive(throttle=1.0)
    yard.run(1.0)
    assert 0.3 < yard.pose().pitch_deg < 5.0
    yard.drive(steer=0.1)
    yard.run(1.0)
    assert yard.pose().roll_deg < -0.3
    yard.drive(brake=1.0)
    yard.run(0.5)
    assert yard.pose().pitch_deg < -0.3
    yard.run(8.0)
    assert yard.pose().pitch_deg == pytest.approx(0.0, abs=1e-6)


def test_motorcycle_leans_into_the_bend_as_its_speed_asks(yard):
    extent, mass = SIZES["motorcycle"]
    yard.car(kind="motorcycle", extent=extent, mass=mass)
    yard.world.set_constant_velocity(1, (10.0, 0.0, 0.0))
    yard.drive(steer=0.05)
    yard.run(2.0)
    rate = math.radians(yard.world.state(1).angular_velocity_degps[2])
    assert yard.pose().roll_deg == pytest.approx(math.degrees(math.atan(10.0 * rate / GRAVITY_MPS2)), rel=0.2)


def test_telemetry_adds_up(yard):
    yard.car()
    yard.run(1.0)
    tell = yard.world.telemetry(1)
    assert sum(wheel.tire_load for wheel in tell.wheels) == pytest.approx(1600.0 * GRAVITY_MPS2, rel=1e-6)
    yard.drive(throttle=0.6)
    yard.run(1.0)
    tell = yard.world.telemetry(1)
    pushed = sum(wheel.long_force for wheel in tell.wheels) - tell.drag
    assert pushed == pytest.approx(1600.0 * yard.world.state(1).acceleration_mps2[0], rel=0.05)
    assert tell.speed == pytest.approx(yard.speed())
    assert tell.wheels[0].omega == pytest.approx(tell.speed / 0.34)


def test_physics_control_comes_back_as_set_with_wheels_in_the_world(yard):
    yard.car(pose=Pose(100.0, 50.0, 0.0, 0.0, 90.0))
    control = yard.world.physics_control(1)
    assert control.wheels[0].position_cm[:2] == pytest.approx((10000.0 + 80.0, 5000.0 + 144.0))
    changed = control._replace(drag_coefficient=5.0, forward_gears=(Gear(3.0), Gear(1.5)))
    changed = changed._replace(
        wheels=tuple(w._replace(tire_friction=5.0, long_stiff_value=987.0) for w in changed.wheels)
    )
    yard.world.set_physics_control(1, changed)
    yard.run(0.1)
    again = yard.world.physics_control(1)
    assert again._replace(wheels=()) == changed._replace(wheels=())
    for was, now in zip(changed.wheels, again.wheels, strict=True):
        assert now._replace(position_cm=()) == was._replace(position_cm=())
        assert now.position_cm == pytest.approx(was.position_cm, abs=0.1)


def test_result_hardly_depends_on_the_step():
    ends = []
    for dt_s, substeps in [(0.001, 1), (0.005, 1), (0.05, 1), (0.1, 10)]:
        yard = Yard()
        yard.car()
        yard.drive(throttle=0.6, steer=0.03)
        for _ in range(round(5.0 / dt_s)):
            yard.world.step(dt_s, substeps)
        ends.append(yard.pose())
    for end in ends[1:]:
        assert math.dist(end.location, ends[0].location) < 0.01 * math.hypot(*ends[0].location)
        assert end.yaw_deg == pytest.approx(ends[0].yaw_deg, abs=1.0)
    assert ends[0].yaw_deg > 10.0


def test_energy_never_grows_by_itself(yard):
    """Sliding sideways and spinning on any tyre, no substep adds kinetic energy."""
    for actor_id, (friction, yaw, rate) in enumerate([(0.2, 60.0, 90.0), (1.1, 90.0, -200.0), (3.0, 170.0, 20.0)], 1):
        yard.car(actor_id, Pose(0.0, 100.0 * actor_id, 0.0, 0.0, yaw), friction=friction)
        yard.world.set_velocity(actor_id, (25.0, 0.0, 0.0))
        yard.world.set_angular_velocity(actor_id, (0.0, 0.0, rate))
        yard.drive(actor_id, steer=0.7, gear=0)
    base = 0.95 * (1.44 - 0.072) * (1.44 + 0.072)

    def energy(actor_id: int) -> float:
        state = yard.world.state(actor_id)
        return yard.speed(actor_id) ** 2 + base * math.radians(state.angular_velocity_degps[2]) ** 2

    before = [energy(actor_id) for actor_id in (1, 2, 3)]
    for _ in range(600):
        yard.world.step(0.01, 1)
        now = [energy(actor_id) for actor_id in (1, 2, 3)]
        assert all(b <= a * (1.0 + 1e-12) for a, b in zip(before, now, strict=True))
        before = now
    assert all(end < 0.1 * 25.0**2 for end in before[1:])
