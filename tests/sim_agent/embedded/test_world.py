"""The world without a server: spawning, attachments, what a tick does."""

import math

import pytest

from sim_agent.embedded import blueprints
from sim_agent.embedded.observer import state_of
from sim_agent.embedded.pose import Pose
from sim_agent.embedded.town import build_town
from sim_agent.embedded.wire import structs
from sim_agent.embedded.wire.state import ACTOR_BYTES
from sim_agent.embedded.world import World, WorldError

CAR = "vehicle.tesla.model3"


@pytest.fixture(scope="module")
def town():
    return build_town("Town01")


@pytest.fixture
def streams():
    return []


@pytest.fixture
def world(town, streams):
    return World(town, 1, lambda: streams.append(len(streams) + 2) or streams[-1], streams.remove)


def described(name, **attributes):
    uid = next((d.uid for d in blueprints.catalogue() if d.id == name), 0)
    values = tuple(structs.ActorAttributeValue(key, 4, value) for key, value in attributes.items())
    return structs.ActorDescription(uid, name, values)


def spawn(world, name=CAR, pose=None, **more):
    return world.spawn(described(name), pose or world.town.spawn_points[0], **more)


def test_the_map_brings_its_lights_and_signs(world):
    lights = [a for a in world.actors.values() if a.type_id == "traffic.traffic_light"]
    assert len(lights) == sum(signal.kind == "light" for signal in world.town.signals) > 0
    assert {a.type_id for a in world.actors.values()} >= {"spectator", "traffic.traffic_light"}


def test_a_place_that_is_taken_is_refused(world):
    spawn(world)
    count = len(world.actors)
    with pytest.raises(WorldError, match="collision at spawn position"):
        spawn(world)
    assert len(world.actors) == count


@pytest.mark.parametrize(
    ("name", "attributes", "message"),
    [
        ("vehicle.tesla.model4", {}, "no blueprint 'vehicle.tesla.model4'"),
        ("sensor.camera.rgb", {"fov": "wide"}, "'fov' of 'sensor.camera.rgb' is 'wide'"),
        ("sensor.camera.rgb", {"image_size_x": "0"}, "image_size_x"),
        ("sensor.camera.rgb", {"image_size_xx": "3"}, "did you mean 'image_size_x'"),
    ],
)
def test_bad_descriptions_are_refused(world, name, attributes, message):
    with pytest.raises(WorldError, match=message):
        world.spawn(described(name, **attributes), Pose())


def test_an_unknown_parent_is_refused(world):
    with pytest.raises(WorldError, match="parent actor 4711 not found"):
        spawn(world, "sensor.camera.rgb", Pose(), parent_id=4711)


def test_what_is_attached_goes_along_and_stays_when_its_parent_goes(world, streams):
    car = spawn(world)
    camera = spawn(world, "sensor.camera.rgb", Pose(1.0, 0.0, 2.0, pitch_deg=-10.0), parent_id=car.id)
    world.set_control(car, structs.VehicleControl(throttle=1.0))
    for _ in range(40):
        world.step(0.05, 10)
    pose, seat = camera.pose(), car.pose()
    assert math.dist(pose.location, seat.location) == pytest.approx(math.sqrt(5.0), abs=0.01)
    assert pose.pitch_deg == pytest.approx(seat.pitch_deg - 10.0, abs=0.01)
    assert math.dist(seat.location[:2], world.town.spawn_points[0].location[:2]) > 1.0
    world.destroy(car.id)
    assert camera.pose() == pose
    assert camera.parent is None
    world.destroy(camera.id)
    assert streams == []


def test_a_spring_arm_keeps_level(world):
    car = spawn(world)
    arm = Pose(-5.0, 0.0, 3.0, pitch_deg=-8.0)
    camera = spawn(world, "sensor.camera.rgb", arm, parent_id=car.id, attachment=1)
    world.set_pose(car, Pose(0.0, 0.0, 0.0, pitch_deg=20.0, yaw_deg=90.0, roll_deg=30.0))
    world.dynamics.set_simulate_physics(car.id, False)
    assert camera.pose() == pytest.approx(Pose(0.0, -5.0, 3.0, -8.0, 90.0, 0.0), abs=1e-6)


def test_what_belongs_to_the_world_cannot_be_destroyed(world):
    light = next(iter(world.signals.lights))
    for actor_id in (world.spectator.id, light):
        with pytest.raises(WorldError, match="belongs to the world"):
            world.destroy(actor_id)
    with pytest.raises(WorldError, match="not found"):
        world.destroy(987654)


def test_a_car_before_a_light_is_told(world):
    signal = next(s for s in world.town.signals if s.kind == "light")
    stop = signal.stop_waypoints[0]
    back_m = 2.6  # its nose is just before the line
    yaw = math.radians(stop.yaw_deg)
    pose = Pose(stop.x_m - back_m * math.cos(yaw), stop.y_m - back_m * math.sin(yaw), 0.3, yaw_deg=stop.yaw_deg)
    car = spawn(world, pose=pose)
    world.step(0.05, 10)
    assert car.light is not None
    assert car.light.opendrive_id == signal.opendrive_id
    world.set_pose(car, pose._replace(yaw_deg=pose.yaw_deg + 180.0))
    world.step(0.05, 10)
    assert car.light is None or car.light.opendrive_id != signal.opendrive_id


def test_the_state_has_a_record_for_each_actor(world):
    spawn(world)
    spawn(world, "walker.pedestrian.0003", world.town.spawn_points[9]._replace(z_m=1.0))
    spawn(world, "static.prop.trafficcone01", world.town.spawn_points[8])
    world.step(0.05, 10)
    frame = state_of(world, 7, 0.0, 0.05)
    assert sum(map(len, frame)) == 48 + 36 + ACTOR_BYTES * len(world.actors)


def test_the_same_commands_make_the_same_bytes(town):
    def run():
        world = World(town, 1, lambda: 2, lambda _: None)
        cars = [spawn(world, pose=pose) for pose in town.spawn_points[:12]]
        record = []
        for tick in range(60):
            for k, car in enumerate(cars):
                world.set_control(
                    car, structs.VehicleControl(throttle=0.5 + 0.04 * k, steer=math.sin(tick / 9 + k) / 3)
                )
            world.step(0.05, 10)
            record.append(b"".join(state_of(world, tick, 0.0, 0.05)))
        return record

    assert run() == run()


def test_objects_and_actors_never_share_an_instance_id(world):
    car = spawn(world)
    key = world.object_id(car.id)
    assert key not in world.static_objects
    assert world.actor_of_object(key) is car
    assert world.actor_of_object(next(iter(world.static_objects))) is None


def test_without_sticky_control_a_control_lasts_one_tick(world):
    car = world.spawn(described(CAR, sticky_control="false"), world.town.spawn_points[3])
    world.set_control(car, structs.VehicleControl(throttle=1.0))
    world.step(0.05, 10)
    assert car.control == structs.VehicleControl()


def test_rays_tell_what_they_hit_in_order(world):
    car = spawn(world)
    world.step(0.05, 10)
    x, y, _ = car.pose().location
    hits = world.all_hits((x, y, 10.0), (x, y, -1.0))
    assert [hit.label for hit in hits][0] == 14
    assert [hit.location[2] for hit in hits] == sorted((hit.location[2] for hit in hits), reverse=True)
    ground = world.first_hit((x + 50_000.0, y, 10.0), (0.0, 0.0, 1.0), 100.0)
    assert ground is None
