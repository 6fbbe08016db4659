"""A world of a map with a hill and a bridge: cars follow the road up and down, people walk: `hills.py PORT XODR`."""

import sys

import carla
from session import client, leave

with open(sys.argv[2]) as text:
    world = client.generate_opendrive_world(text.read(), carla.OpendriveGenerationParameters())
settings = world.get_settings()
settings.synchronous_mode, settings.fixed_delta_seconds = True, 0.05
world.apply_settings(settings)
library, town = world.get_blueprint_library(), world.get_map()
result = {}


def start(x, y, z, yaw):
    blueprint = library.find("vehicle.tesla.model3")
    return world.spawn_actor(blueprint, carla.Transform(carla.Location(x, y, z), carla.Rotation(yaw=yaw)))


points = town.get_spawn_points()
result["spawn_points_off"] = max(
    abs(p.location.z - 0.3 - town.get_waypoint(p.location).transform.location.z) for p in points
)
result["spawn_heights"] = [min(p.location.z for p in points), max(p.location.z for p in points)]
over, under, parked = start(5.0, 1.75, 0.4, 0.0), start(78.25, 27.0, 0.4, -90.0), start(45.0, -1.75, 8.0, 180.0)
parked.apply_control(carla.VehicleControl(brake=1.0))
for _ in range(20):
    world.tick()
result["settled"] = [round(car.get_transform().location.z, 3) for car in (over, under, parked)]
result["parked"] = [round(parked.get_transform().rotation.pitch, 2), round(parked.get_transform().rotation.roll, 2)]
rest = parked.get_location()
apart, ways, speeds = [], [], []
steer = carla.VehicleControl(throttle=0.55)
for _ in range(340):
    for car in (over, under):
        way = car.get_transform().location
        control = carla.VehicleControl(throttle=0.45 if car.get_velocity().length() < 8.0 else 0.0)
        if car is over:
            control.steer = max(-0.2, min(0.2, (1.75 - way.y) * 0.05 - car.get_transform().rotation.yaw * 0.02))
        if car is over and way.x > 135.0 or car is under and way.y < -20.0:
            control = carla.VehicleControl(brake=1.0)
        car.apply_control(control)
    world.tick()
    place = over.get_transform()
    if 5.0 < place.location.x < 130.0:
        waypoint = town.get_waypoint(place.location).transform
        apart.append(abs(place.location.z - waypoint.location.z))
        ways.append([place.location.x, place.location.z, place.rotation.pitch, waypoint.rotation.pitch])
result["apart"] = max(apart)
result["top"] = max(z for _, z, _, _ in ways)
pitches = [
    (pitch, (expected + 180) % 360 - 180) for x, _, pitch, expected in ways if 10.0 < x < 50.0 or 110.0 < x < 125.0
]
result["pitch_error"] = max(abs(pitch - expected) for pitch, expected in pitches)
result["pitches"] = [round(max(p for p, _ in pitches), 1), round(min(p for p, _ in pitches), 1)]
result["end"] = [round(over.get_location().x), round(over.get_location().z, 2)]
result["under"] = [round(under.get_location().y), round(under.get_location().z, 2)]
result["rolled_away"] = parked.get_location().distance(rest)
parked.apply_control(carla.VehicleControl(manual_gear_shift=True, gear=0))
for _ in range(100):
    world.tick()
result["rolled_down"] = [round(parked.get_location().x - rest.x, 1), round(parked.get_velocity().length(), 1)]
for car in (over, under, parked):
    car.destroy()
walkers = []
for number in range(8):
    place = world.get_random_location_from_navigation()
    if place is None:
        break
    walker = world.try_spawn_actor(
        library.filter("walker.pedestrian.*")[number], carla.Transform(place + carla.Location(z=1.0))
    )
    if walker is not None:
        controller = world.spawn_actor(library.find("controller.ai.walker"), carla.Transform(), attach_to=walker)
        walkers.append((walker, controller))
world.tick()
for _, controller in walkers:
    controller.start()
    controller.go_to_location(world.get_random_location_from_navigation())
    controller.set_max_speed(1.5)
starts, walked, feet = [walker.get_location() for walker, _ in walkers], [0.0] * len(walkers), []
for tick in range(400):
    world.tick()
    for k, (walker, _) in enumerate(walkers):
        here = walker.get_location()
        walked[k] += here.distance(starts[k])
        starts[k] = here
        lane = town.get_waypoint(here, lane_type=carla.LaneType.Sidewalk).transform.location
        if tick > 40:
            feet.append(abs(here.z - walker.bounding_box.extent.z - lane.z))
result["walked_m"], result["feet"] = [round(m, 1) for m in walked], round(max(feet, default=0.0), 2)
result["crosswalks"] = len(town.get_crosswalks())
for walker, controller in walkers:
    controller.stop()
    controller.destroy()
    walker.destroy()
world.tick()
client.load_world("Town01")
leave(world, result)
