"""Version, maps, settings, snapshots, the map and its things."""

import carla
from session import client, fresh_world, leave

result = {"version": client.get_server_version(), "maps": client.get_available_maps()}
world = fresh_world()
town = world.get_map()
result["map"] = town.name
points = town.get_spawn_points()
result["spawn_points"] = len(points)
off = 0
for point in points:
    waypoint = town.get_waypoint(point.location, project_to_road=False, lane_type=carla.LaneType.Driving)
    if waypoint is None:
        off += 1
        continue
    turn = (waypoint.transform.rotation.yaw - point.rotation.yaw + 180) % 360 - 180
    off += abs(turn) > 2
result["spawn_points_off_lane"] = off
result["waypoints"] = len(town.generate_waypoints(5.0))
result["topology"] = len(town.get_topology())
frames = [world.tick() for _ in range(5)]
result["frames"] = [b - a for a, b in zip(frames, frames[1:], strict=False)]
snapshot = world.get_snapshot()
result["snapshot"] = snapshot.frame - frames[-1]
result["elapsed"] = round(snapshot.timestamp.delta_seconds, 6)
result["blueprints"] = len(world.get_blueprint_library())
result["vehicles"] = len(world.get_blueprint_library().filter("vehicle.*"))
lights = world.get_actors().filter("traffic.traffic_light")
result["lights"] = len(lights)
light = lights[0]
result["group"] = [other.id for other in light.get_group_traffic_lights()].count(light.id)
light.set_state(carla.TrafficLightState.Green)
world.tick()
result["state"] = str(light.get_state())
light.set_green_time(2.0)
light.set_yellow_time(1.0)
world.tick()
result["times"] = [light.get_green_time(), light.get_yellow_time()]
states = []
for _ in range(80):
    world.tick()
    if not states or states[-1] != str(light.get_state()):
        states.append(str(light.get_state()))
result["states"] = states
result["by_opendrive"] = world.get_traffic_light_from_opendrive_id(light.get_opendrive_id()).id == light.id
result["stop_waypoints"] = len(light.get_stop_waypoints())
result["affected"] = len(light.get_affected_lane_waypoints())
result["buildings"] = len(world.get_environment_objects(carla.CityObjectLabel.Buildings))
result["boxes"] = len(world.get_level_bbs(carla.CityObjectLabel.Buildings))
hit = world.ground_projection(carla.Location(points[0].location.x, points[0].location.y, 5.0), 20.0)
result["ground"] = [round(hit.location.z, 2), str(hit.label)]
ray = world.cast_ray(points[0].location + carla.Location(z=3), points[0].location + carla.Location(z=-3))
result["ray"] = [str(point.label) for point in ray]
world.set_weather(carla.WeatherParameters.HardRainSunset)
result["weather"] = world.get_weather() == carla.WeatherParameters.HardRainSunset
result["lamps"] = len(world.get_lightmanager().get_all_lights())
result["crosswalks"] = len(town.get_crosswalks())
try:
    world.spawn_actor(world.get_blueprint_library().find("vehicle.tesla.model3"), carla.Transform(points[0].location))
    world.spawn_actor(world.get_blueprint_library().find("vehicle.tesla.model3"), carla.Transform(points[0].location))
    result["collision"] = ""
except RuntimeError as error:
    result["collision"] = str(error)
spectator = world.get_spectator()
spectator.set_transform(carla.Transform(carla.Location(1, 2, 3), carla.Rotation(-10, 20, 0)))
world.tick()
result["spectator"] = [round(spectator.get_transform().location.y, 3), round(spectator.get_transform().rotation.yaw, 3)]
leave(world, result)
