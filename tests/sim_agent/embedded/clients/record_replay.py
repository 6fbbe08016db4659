"""The recorder as CARLA's own scripts use it: `record_replay.py PORT ABSOLUTE_NAME`."""

import sys

import carla
from session import client, fresh_world, leave

world = fresh_world()
library, points = world.get_blueprint_library(), world.get_map().get_spawn_points()
hero = library.find("vehicle.tesla.model3")
hero.set_attribute("role_name", "hero")
car = world.spawn_actor(hero, points[0])
still = world.spawn_actor(library.find("vehicle.mini.cooper_s"), points[6])
place = world.get_random_location_from_navigation()
walker = world.spawn_actor(library.filter("walker.pedestrian.*")[0], carla.Transform(place + carla.Location(z=1.0)))
cone = library.find("static.prop.streetbarrier")
barrier = world.spawn_actor(cone, carla.Transform(points[0].transform(carla.Location(x=8.0)), points[0].rotation))
walker.apply_control(carla.WalkerControl(carla.Vector3D(1.0, 0.0, 0.0), 1.2))
car.apply_control(carla.VehicleControl(throttle=0.8))
light = world.get_actors().filter("traffic.traffic_light")[0]
for _ in range(5):
    world.tick()
result = {"path": client.start_recorder("client.log", True)}
ids, truth = [car.id, still.id, walker.id, barrier.id], []


def seen():
    """What this frame's snapshot tells of all actors, and the light and the weather."""
    snapshot = world.get_snapshot()
    actors = {key: snapshot.find(key) for key in ids}
    actors = {key: (a.get_transform(), a.get_velocity()) for key, a in actors.items() if a is not None}
    return actors, light.get_state(), world.get_weather().cloudiness


for k in range(60):
    if k == 20:
        world.set_weather(carla.WeatherParameters(cloudiness=70.0))
        light.set_state(carla.TrafficLightState.Yellow)
    world.tick()
    truth.append(seen())
client.stop_recorder()
info = client.show_recorder_file_info("client.log", False).strip().splitlines()
result["info"] = info
rows = client.show_recorder_collisions("client.log", "h", "a").splitlines()[5:-3]
result["collisions"] = [" ".join(row.split()[1:3]) for row in rows if row.split()[3] == str(car.id)]
blocked = client.show_recorder_actors_blocked("client.log", 2.0, 50.0).splitlines()[5:-3]
result["blocked"] = sum(row.split()[1] == str(still.id) for row in blocked)
result["everything"] = len(client.show_recorder_file_info("client.log", True))

# in another world, the others gone: the same again
world = fresh_world("Town02")
result["replay"] = client.replay_file("client.log", 0.0, 0.0, car.id)
world = client.get_world()
result["map"] = world.get_map().name
light = world.get_actor(light.id)
spectator = world.get_spectator()
worst_m = worst_deg = worst_mps = follow_m = 0.0
lights = weather = replayed = 0
for actors, state, cloudiness in truth[1:]:
    world.tick()
    now = seen()
    replayed += now[0].keys() == actors.keys()
    for key, (pose, velocity) in actors.items():
        pose_now, velocity_now = now[0][key]
        worst_m = max(worst_m, pose_now.location.distance(pose.location))
        turns = [getattr(pose_now.rotation, a) - getattr(pose.rotation, a) for a in ("pitch", "yaw", "roll")]
        worst_deg = max(worst_deg, *(abs((turn + 180.0) % 360.0 - 180.0) for turn in turns))
        if replayed < 59:  # all stop at the last frame
            worst_mps = max(worst_mps, (velocity_now - velocity).length())
    behind = actors[car.id][0].transform(carla.Location(x=-10.0, z=5.0))
    follow_m = max(follow_m, spectator.get_transform().location.distance(behind))
    lights += now[1] != state
    weather += abs(now[2] - cloudiness) > 1e-3
result |= {"worst_m": worst_m, "worst_deg": worst_deg, "worst_mps": worst_mps, "follow_m": follow_m}
result |= {"replayed": replayed, "lights": lights, "weather": weather}
# the car is ours again
again = world.get_actor(car.id)
place = again.get_location()
again.apply_control(carla.VehicleControl(throttle=1.0, reverse=True))
for _ in range(60):
    world.tick()
result["after_m"] = again.get_location().distance(place)

# twice as fast, over what is there already; then stopped
client.set_replayer_time_factor(2.0)
client.replay_file("client.log", 1.0, 0.0, 0)
twice_m = 0.0
for k in range(22, 40, 2):
    world.tick()
    twice_m = max(twice_m, seen()[0][car.id][0].location.distance(truth[k][0][car.id][0].location))
result["twice_m"] = twice_m
client.stop_replayer(True)
world.tick()
result["kept"] = world.get_actor(car.id).is_alive
client.set_replayer_time_factor(1.0)
for key in ids:
    world.get_actor(key).destroy()
world.tick()
client.set_replayer_ignore_hero(True)
client.replay_file("client.log", -1.0, 0.5, 0)
world.tick()
alive = {actor.id for actor in world.get_actors()}
result["gone"] = car.id not in alive and still.id in alive
client.stop_replayer(False)
world.tick()
result["gone"] &= still.id not in {actor.id for actor in world.get_actors()}
client.set_replayer_ignore_hero(False)

client.start_recorder(sys.argv[2])
world.tick()
client.stop_recorder()
result["missing"] = client.replay_file("nowhere.log", 0.0, 0.0, 0)
try:
    result["escape"] = client.start_recorder("../../escape.log")
except RuntimeError as error:
    result["escape"] = str(error)
leave(world, result)
