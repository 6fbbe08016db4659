from __future__ import annotations

import math

import pytest

from sim_agent.embedded.pose import Pose
from sim_agent.embedded.scene import Box, StaticObject, Tag
from tests.sim_agent.embedded.physics.yard import Yard, wall

MASS_KG = 1600.0


def momentum(yard: Yard, actors: dict[int, float]) -> tuple[float, float]:
    states = {actor_id: yard.world.state(actor_id) for actor_id in actors}
    return tuple(sum(actors[k] * states[k].velocity_mps[axis] for k in actors) for axis in (0, 1))


def energy(yard: Yard, actors: dict[int, tuple[float, float]]) -> float:
    total = 0.0
    for actor_id, (mass, inertia) in actors.items():
        state = yard.world.state(actor_id)
        total += 0.5 * mass * (state.velocity_mps[0] ** 2 + state.velocity_mps[1] ** 2)
        total += 0.5 * inertia * math.radians(state.angular_velocity_degps[2]) ** 2
    return total


def test_car_stops_at_a_wall_and_tells_it_each_step():
    yard = Yard([wall(20.0)])
    yard.car()
    yard.drive(throttle=0.6)
    contacts = yard.run(6.0)
    assert contacts
    assert {(c.actor_id, c.other_id, c.object_id) for c in contacts} == {(1, 0, 77)}
    first = contacts[0]
    assert first.normal_impulse[0] < -MASS_KG * 3.0
    assert abs(first.normal_impulse[1]) < 1e-6 * abs(first.normal_impulse[0])
    assert first.point[0] == pytest.approx(19.5, abs=0.3)
    assert 0.0 < first.point[2] < 1.5
    assert yard.pose().x_m == pytest.approx(19.5 - 2.4, abs=0.03)
    assert abs(yard.pose().y_m) < 0.01
    pressed = yard.run(2.0)
    assert len(pressed) == 40
    # It leans on the wall with what its engine gives: an impulse each step, the same each time.
    pushes = [c.normal_impulse[0] for c in pressed]
    assert max(pushes) < 0.0
    assert max(pushes) - min(pushes) < 0.2 * abs(min(pushes))


def test_leaning_on_a_wall_does_not_jitter():
    yard = Yard([wall(6.0)])
    yard.car()
    yard.drive(throttle=0.8)
    yard.run(4.0)
    places = []
    yard.run(3.0, lambda: places.append(yard.pose()))
    assert max(p.x_m for p in places) - min(p.x_m for p in places) < 1e-3
    assert max(p.yaw_deg for p in places) - min(p.yaw_deg for p in places) < 1e-2


def test_impulse_at_a_wall_is_the_change_of_momentum():
    yard = Yard([wall(10.0)])
    yard.car(friction=0.0, drag_coefficient=0.0)
    yard.world.set_velocity(1, (12.0, 0.0, 0.0))
    contacts = yard.run(1.0)
    assert sum(c.normal_impulse[0] for c in contacts) == pytest.approx(-MASS_KG * 12.0 * 1.1, rel=1e-6)
    assert yard.world.state(1).velocity_mps[0] == pytest.approx(-1.2, rel=1e-6)


@pytest.mark.parametrize(("other_mass", "offset_m", "yaw_deg"), [(1600, 0, 180), (4000, 0.7, 90), (900, -0.9, 35)])
def test_momentum_is_kept_between_cars_and_no_energy_is_made(yard, other_mass, offset_m, yaw_deg):
    loose = {"friction": 0.0, "drag_coefficient": 0.0}
    yard.car(1, **loose)
    yard.car(2, Pose(9.0, offset_m, 0.0, 0.0, yaw_deg), mass=other_mass, **loose)
    yard.world.set_velocity(1, (15.0, 0.0, 0.0))
    yard.world.set_velocity(2, (-3.0, 1.0, 0.0))
    masses = {1: MASS_KG, 2: float(other_mass)}
    inertia = 0.95 * (1.44 - 0.072) * (1.44 + 0.072)
    bodies = {k: (mass, mass * inertia) for k, mass in masses.items()}
    before, stored = momentum(yard, masses), [energy(yard, bodies)]
    contacts = yard.run(3.0, lambda: stored.append(energy(yard, bodies)))
    assert contacts
    assert momentum(yard, masses) == pytest.approx(before, rel=1e-9)
    assert all(b <= a * (1.0 + 1e-9) for a, b in zip(stored, stored[1:], strict=False))
    assert stored[-1] < 0.9 * stored[0]


def test_contact_is_told_to_both_with_opposite_impulses(yard):
    yard.car(1)
    yard.car(2, Pose(8.0))
    yard.world.set_velocity(1, (10.0, 0.0, 0.0))
    contacts = yard.run(1.0)
    mine = [c for c in contacts if c.actor_id == 1]
    theirs = [c for c in contacts if c.actor_id == 2]
    assert mine and len(mine) == len(theirs)
    for a, b in zip(mine, theirs, strict=True):
        assert (a.other_id, b.other_id) == (2, 1)
        assert a.normal_impulse == tuple(-part for part in b.normal_impulse)
        assert a.point == b.point
    assert sum(c.normal_impulse[0] for c in mine) < -MASS_KG * 3.0
    assert sum(c.normal_impulse[0] for c in theirs) > MASS_KG * 3.0


def test_parked_cars_side_by_side_stay(yard):
    for k in range(6):
        yard.car(k + 1, Pose(0.0, 2.005 * k, 0.3))
    yard.run(3.0)
    before = [yard.pose(k + 1) for k in range(6)]
    yard.run(20.0)
    assert all(math.dist(yard.pose(k + 1).location, before[k].location) < 1e-6 for k in range(6))


def test_overlap_is_pushed_out_gently(yard):
    yard.car(1)
    yard.car(2, Pose(1.0, 1.2, 0.0, 0.0, 10.0))
    speeds = []
    yard.run(4.0, lambda: speeds.append(max(yard.speed(1), yard.speed(2))))
    assert yard.world.overlaps(yard.pose(2)._replace(z_m=0.75), (2.39, 0.99, 0.75), ignore=(2,)) is None
    assert max(speeds) < 0.5


@pytest.mark.parametrize("speed", [5.0, 40.0, 80.0])
@pytest.mark.parametrize("half_m", [0.1, 0.5])
def test_nothing_gets_through_a_pole_or_a_wall(speed, half_m):
    pole = wall(30.0, half_m=(half_m, half_m, 2.0))
    yard = Yard([pole, wall(60.0, 78)])
    yard.car(1)
    yard.car(2, Pose(0.0, 6.0))
    for actor_id in (1, 2):
        yard.world.set_velocity(actor_id, (speed, 0.0, 0.0))
        yard.drive(actor_id, throttle=0.5)
    for _ in range(200):
        yard.world.step(0.05, 1)
    assert yard.pose(1).x_m < 30.0
    assert yard.pose(2).x_m < 60.0
    assert abs(yard.pose(1).y_m) < 3.0


def test_corner_of_a_turned_box_is_met_where_it_is():
    pose = Pose(12.0, 0.0, 1.0, 0.0, 45.0)
    yard = Yard([StaticObject(5, "crate", Tag.STATIC, pose, Box(pose, (1.0, 1.0, 1.0)), True)])
    yard.car()
    yard.drive(throttle=0.3)
    yard.run(8.0)
    assert yard.pose().x_m == pytest.approx(12.0 - math.sqrt(2.0) - 2.4, abs=0.05)


def test_what_is_not_solid_or_not_at_its_height_is_no_obstacle():
    low = wall(10.0)._replace(solid=False)
    beam = StaticObject(8, "gantry", Tag.STATIC, Pose(20.0, 0.0, 6.0), Box(Pose(20.0, 0.0, 6.0), (0.5, 9.0, 0.5)), True)
    yard = Yard([low, beam])
    yard.car()
    yard.drive(throttle=0.5)
    assert yard.run(6.0) == []
    assert yard.pose().x_m > 25.0


def test_without_collisions_it_goes_through():
    yard = Yard([wall(10.0)])
    yard.car()
    yard.world.set_collisions(1, False)
    yard.drive(throttle=0.5)
    assert yard.run(6.0) == []
    assert yard.pose().x_m > 20.0


def test_prop_is_pushed_a_fixed_one_is_not(yard):
    yard.car()
    yard.world.add_prop(2, (0.3, 0.3, 0.4), 15.0, Pose(8.0, 0.0), False)
    yard.car(3, Pose(0.0, 10.0))
    yard.world.add_prop(4, (0.3, 0.3, 0.4), 15.0, Pose(8.0, 10.0), True)
    for actor_id in (1, 3):
        yard.drive(actor_id, throttle=0.4)
    contacts = yard.run(4.0)
    assert {(c.actor_id, c.other_id) for c in contacts} >= {(1, 2), (2, 1), (3, 4), (4, 3)}
    assert yard.pose(2).x_m > 9.0
    assert yard.pose(4) == Pose(8.0, 10.0)
    assert yard.pose(3).x_m == pytest.approx(8.0 - 0.3 - 2.4, abs=0.05)


def test_prop_falls_slides_and_rests(yard):
    yard.world.add_prop(1, (0.2, 0.2, 0.2), 5.0, Pose(0.0, 0.0, 3.0), False)
    yard.world.set_velocity(1, (6.0, 0.0, 0.0))
    yard.run(0.5)
    assert yard.world.state(1).velocity_mps == pytest.approx((6.0, 0.0, -9.81 * 0.5))
    yard.run(3.0)
    assert yard.pose(1).z_m == 0.0
    assert yard.speed(1) == 0.0
    falling_s = math.sqrt(2.0 * 3.0 / 9.81)
    assert yard.pose(1).x_m == pytest.approx(6.0 * falling_s + 36.0 / (2.0 * 0.6 * 9.81), rel=0.03)


def test_body_without_physics_is_an_obstacle(yard):
    yard.car(1)
    yard.car(2, Pose(15.0))
    yard.world.set_simulate_physics(2, False)
    yard.drive(1, throttle=0.5)
    contacts = yard.run(5.0)
    assert (2, 1) in {(c.actor_id, c.other_id) for c in contacts}
    assert yard.pose(2) == Pose(15.0)
    assert yard.pose(1).x_m < 15.0 - 4.7


def test_overlaps_names_who_is_there():
    yard = Yard([wall(20.0)])
    yard.car(7, Pose(0.0, 0.0, 0.0, 0.0, 45.0))
    extent = (2.4, 1.0, 0.75)
    assert yard.world.overlaps(Pose(1.0, 1.0, 0.75), extent) == 7
    assert yard.world.overlaps(Pose(1.0, 1.0, 0.75), extent, ignore=[7]) is None
    assert yard.world.overlaps(Pose(1.0, 1.0, 9.0), extent) is None
    assert yard.world.overlaps(Pose(18.0, 3.0, 0.75), extent) == 0
    # Beside a car at 45 degrees, where only its axis-aligned bounds reach.
    assert yard.world.overlaps(Pose(1.9, -1.9, 0.75), (0.5, 0.5, 0.75)) is None
    yard.world.remove(7)
    assert yard.world.overlaps(Pose(1.0, 1.0, 0.75), extent) is None


def test_many_obstacles_are_found_by_place():
    """The grid finds the same walls as looking at each would."""
    obstacles = []
    for k in range(400):
        pose = Pose(13.7 * (k % 20), 11.3 * (k // 20), 2.0, 0.0, 37.0 * k)
        obstacles.append(StaticObject(k + 1, "post", Tag.POLE, pose, Box(pose, (0.3 + 0.02 * (k % 7), 0.3, 2.0)), True))
    yard = Yard(obstacles)
    for actor_id, target in enumerate((0, 19, 137, 380, 399), 1):
        place = obstacles[target].pose
        yard.car(actor_id, Pose(place.x_m - 4.0, place.y_m), extent=(1.5, 0.7, 0.7))
        yard.drive(actor_id, throttle=0.3)
    contacts = yard.run(3.0)
    assert {(c.actor_id, c.object_id - 1) for c in contacts} == {(1, 0), (2, 19), (3, 137), (4, 380), (5, 399)}
