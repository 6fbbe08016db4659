"""What the real client sees of a tiny world; in a process of its own: bad stream data would kill it. Prints JSON."""

import json
import math
import os
import queue
import sys

import carla


def floats(*values):
    return [round(value, 5) for value in values]


def vector(v):
    return floats(v.x, v.y, v.z)


def transform(t):
    return [*vector(t.location), *floats(t.rotation.pitch, t.rotation.yaw, t.rotation.roll)]


client = carla.Client("127.0.0.1", int(sys.argv[1]), worker_threads=1)
client.set_timeout(60.0)
seen = {"version": client.get_server_version(), "maps": client.get_available_maps()}
world = client.get_world()
seen["id"] = world.id
settings = world.get_settings()
settings.synchronous_mode = True
settings.fixed_delta_seconds = 0.05
world.apply_settings(settings)
seen["settings"] = [
    world.get_settings().synchronous_mode,
    world.get_settings().fixed_delta_seconds,
    world.get_settings().max_substeps,
]
town = world.get_map()
seen["map"] = [town.name, transform(town.get_spawn_points()[0]), len(town.generate_waypoints(10.0))]
seen["weather"] = floats(world.get_weather().cloudiness, world.get_weather().dust_storm)
world.set_weather(carla.WeatherParameters(fog_density=33.0, dust_storm=5.0))
library = world.get_blueprint_library()
seen["blueprints"] = len(library)
frame = world.tick()
snapshot = world.get_snapshot()
seen["snapshot"] = [snapshot.frame == frame, *floats(snapshot.timestamp.delta_seconds), len(snapshot) >= 5]
car, light, walker, sign = world.get_actors([10, 11, 12, 13])
seen["car"] = [
    car.type_id,
    transform(car.get_transform()),
    vector(car.get_velocity()),
    vector(car.get_angular_velocity()),
]
seen["car_more"] = [
    vector(car.get_acceleration()),
    car.get_speed_limit(),
    str(car.get_traffic_light_state()),
    car.is_at_traffic_light(),
]
control = car.get_control()
seen["control"] = [
    control.throttle,
    control.steer,
    control.brake,
    control.hand_brake,
    control.reverse,
    control.manual_gear_shift,
    control.gear,
]
seen["failure"] = [str(car.get_failure_state()), car.semantic_tags, car.attributes, car.get_traffic_light().id]
seen["light"] = [
    str(light.state),
    light.get_green_time(),
    light.get_yellow_time(),
    light.get_red_time(),
    light.get_elapsed_time(),
]
seen["light_more"] = [light.get_pole_index(), light.is_frozen(), light.get_opendrive_id()]
seen["walker"] = [
    vector(walker.get_control().direction),
    walker.get_control().speed,
    walker.get_control().jump,
    str(walker.actor_state),
]
seen["lamps"] = [
    (lamp.id, lamp.intensity, lamp.color.r, lamp.is_on) for lamp in world.get_lightmanager().get_all_lights()
]

# calls whose answers the test chose
physics = car.get_physics_control()
seen["physics"] = [
    physics.max_rpm,
    physics.mass,
    physics.final_ratio,
    physics.forward_gears[0].up_ratio,
    physics.wheels[1].radius,
]
seen["physics_more"] = [
    physics.torque_curve[1].y,
    physics.use_sweep_wheel_collision,
    vector(physics.wheels[0].position),
]
physics.mass = 1234.0
car.apply_physics_control(physics)
telemetry = car.get_telemetry_data()
seen["telemetry"] = [telemetry.engine_rpm, telemetry.gear, telemetry.drag, telemetry.wheels[0].normalized_lat_force]
seen["bones"] = [
    (bone.name, bone.world.location.x, bone.relative.rotation.yaw) for bone in walker.get_bones().bone_transforms
]
bones_in = carla.WalkerBoneControlIn()
bones_in.bone_transforms = [("crl_root", carla.Transform(carla.Location(x=1.0)))]
walker.set_bones(bones_in)
seen["box"] = [vector(car.bounding_box.extent), car.bounding_box.actor_id]
seen["ackermann"] = car.get_ackermann_controller_settings().accel_kd
seen["lights"] = [int(car.get_light_state()), {str(k): int(v) for k, v in world.get_vehicles_light_states().items()}]
seen["wheel"] = [
    car.get_wheel_steer_angle(carla.VehicleWheelLocation.FR_Wheel),
    car.get_wheel_pitch_angle(carla.VehicleWheelLocation.FR_Wheel),
]
seen["names"] = [list(walker.get_bone_names()), list(walker.get_socket_names()), list(walker.get_component_names())]
seen["component"] = transform(walker.get_component_world_transform("nose"))
seen["bone_worlds"] = [transform(t) for t in car.get_vehicle_bone_world_transforms()]
seen["group"] = [actor.id for actor in light.get_group_traffic_lights()]
seen["light_boxes"] = [vector(box.extent) for box in light.get_light_boxes()]
seen["gravity"] = floats(world.get_imui_sensor_gravity())
things = world.get_environment_objects(carla.CityObjectLabel.Any)
seen["things"] = [(thing.id, thing.name, str(thing.type), vector(thing.bounding_box.extent)) for thing in things]
seen["boxes"] = [vector(box.location) for box in world.get_level_bbs(carla.CityObjectLabel.Car)]
seen["ray"] = [
    (vector(point.location), str(point.label)) for point in world.cast_ray(carla.Location(), carla.Location(x=1.0))
]
point = world.project_point(carla.Location(z=5.0), carla.Vector3D(z=-1.0), 10.0)
seen["project"] = vector(point.location)
seen["objects"] = world.get_names_of_all_objects()
seen["recorder"] = [
    client.start_recorder("a.log", True),
    client.show_recorder_collisions("a.log", "v", "w"),
    client.replay_file("a.log", 1.0, 2.0, 3),
]
seen["recorder"] += [
    client.show_recorder_file_info("a.log", True),
    client.show_recorder_actors_blocked("a.log", 1.0, 2.0),
]

# calls that want no answer: each as the client sends it
car.apply_control(carla.VehicleControl(throttle=0.5, steer=0.125, gear=2))
car.apply_ackermann_control(carla.VehicleAckermannControl(steer=0.1, speed=2.0))
car.apply_ackermann_controller_settings(carla.AckermannControllerSettings(speed_kp=0.5))
walker.apply_control(carla.WalkerControl(carla.Vector3D(0.0, 1.0, 0.0), 1.25, True))
walker.blend_pose(0.5)
walker.get_pose_from_animation()
car.set_location(carla.Location(1.0, 2.0, 3.0))
car.set_transform(carla.Transform(carla.Location(1.0, 2.0, 3.0), carla.Rotation(4.0, 5.0, 6.0)))
for method in (car.set_target_velocity, car.set_target_angular_velocity, car.enable_constant_velocity, car.add_impulse):
    method(carla.Vector3D(1.0, 2.0, 3.0))
for method in (car.add_force, car.add_torque, car.add_angular_impulse):
    method(carla.Vector3D(1.0, 2.0, 3.0))
car.disable_constant_velocity()
car.set_simulate_physics(False)
car.set_collisions(False)
car.set_enable_gravity(False)
car.set_light_state(carla.VehicleLightState(5))
car.open_door(carla.VehicleDoor.All)
car.close_door(carla.VehicleDoor.FL)
car.set_wheel_steer_direction(carla.VehicleWheelLocation.FL_Wheel, 10.0)
car.show_debug_telemetry(True)
car.enable_carsim("file.sim")
car.use_carsim_road(True)
car.enable_chrono_physics(5, 0.5, "a", "b", "c", "d")
car.restore_physx_physics()
light.set_state(carla.TrafficLightState.Green)
light.set_green_time(1.0)
light.set_yellow_time(2.0)
light.set_red_time(3.0)
light.freeze(True)
light.reset_group()
world.reset_all_traffic_lights()
world.freeze_all_traffic_lights(False)
world.set_imui_sensor_gravity(9.5)
world.enable_environment_objects({5, 6}, False)
world.load_map_layer(carla.MapLayer.Buildings)
world.unload_map_layer(carla.MapLayer.All)
world.set_annotations_traverse_translucency(True)
texture = carla.TextureColor(1, 1)
texture.set(0, 0, carla.Color(1, 2, 3, 4))
world.apply_color_texture_to_object("wall", carla.MaterialParameter.Diffuse, texture)
float_texture = carla.TextureFloatColor(1, 1)
float_texture.set(0, 0, carla.FloatColor(0.25, 0.5, 0.75, 1.0))
world.apply_float_color_texture_to_object("wall", carla.MaterialParameter.Normal, float_texture)
manager = world.get_lightmanager()
manager.get_all_lights()[0].set_intensity(17.0)
manager.set_day_night_cycle(False)
client.stop_recorder()
client.stop_replayer(True)
client.set_replayer_time_factor(2.0)
client.set_replayer_ignore_hero(True)
client.set_replayer_ignore_spectator(False)
here, there, red = carla.Location(1.0, 2.0, 3.0), carla.Location(4.0, 5.0, 6.0), carla.Color(255, 0, 0)
debug = world.debug
box = carla.BoundingBox(here, carla.Vector3D(1.0, 1.0, 1.0))
debug.draw_point(here, 0.5, red, 2.0)
debug.draw_line(here, there, 0.5, red, 2.0)
debug.draw_arrow(here, there, 0.5, 0.25, red, 2.0)
debug.draw_box(box, carla.Rotation(yaw=5.0), 0.5, red, 2.0)
debug.draw_string(here, "hello", True, red, 2.0)
debug.draw_hud_point(here, 0.5, red, 2.0)
debug.draw_hud_line(here, there, 0.5, red, 2.0)
debug.draw_hud_arrow(here, there, 0.5, 0.25, red, 2.0)
debug.draw_hud_box(box, carla.Rotation(yaw=5.0), 0.5, red, 2.0)

# every batch command
command = carla.command
blueprint = library.find("vehicle.tiny.car")
commands = [
    command.SpawnActor(blueprint, carla.Transform()).then(command.SetSimulatePhysics(command.FutureActor, False)),
    command.SpawnActor(blueprint, carla.Transform(), car),
    command.DestroyActor(car),
    command.ApplyVehicleControl(car, carla.VehicleControl(throttle=1.0)),
    command.ApplyVehicleAckermannControl(car, carla.VehicleAckermannControl(speed=1.0)),
    command.ApplyWalkerControl(walker, carla.WalkerControl()),
    command.ApplyVehiclePhysicsControl(car, physics),
    command.ApplyTransform(car, carla.Transform(carla.Location(x=1.0))),
    command.ApplyWalkerState(walker, carla.Transform(), 1.5),
    command.ApplyTargetVelocity(car, carla.Vector3D(x=1.0)),
    command.ApplyTargetAngularVelocity(car, carla.Vector3D(x=1.0)),
    command.ApplyImpulse(car, carla.Vector3D(x=1.0)),
    command.ApplyForce(car, carla.Vector3D(x=1.0)),
    command.ApplyAngularImpulse(car, carla.Vector3D(x=1.0)),
    command.ApplyTorque(car, carla.Vector3D(x=1.0)),
    command.SetSimulatePhysics(car, True),
    command.SetEnableGravity(car, True),
    command.SetVehicleLightState(car, carla.VehicleLightState(7)),
]
# Not here: ShowDebugTelemetry, which 0.9.16 cannot put into a batch (no converter), and SetAutopilot, which starts
# a Traffic Manager.
if hasattr(command, "ApplyLocation"):
    commands.append(command.ApplyLocation(car, here))
if hasattr(command, "ConsoleCommand"):
    commands.append(command.ConsoleCommand("stat fps"))
if hasattr(command, "SetTrafficLightState"):
    commands.append(command.SetTrafficLightState(light, carla.TrafficLightState.Red))
commands.append(command.DestroyActor(404))
replies = client.apply_batch_sync(commands, False)
seen["batch"] = [len(replies) - len(commands), replies[-1].error, replies[0].actor_id, replies[0].has_error()]

# errors
try:
    world.spawn_actor(library.find("vehicle.tiny.car"), carla.Transform(carla.Location(x=float("nan"))))
except RuntimeError as error:
    seen["nan"] = str(error)

# one sensor of each kind, listening from the next tick on
measured = queue.Queue()
sensors = []
for kind in sorted(json.loads(sys.argv[2])):
    sensor = world.spawn_actor(library.find(kind), carla.Transform(), attach_to=car)
    sensor.listen(lambda data, kind=kind: measured.put((kind, data)))
    sensors.append(sensor)
frame = world.tick()
data = dict(measured.get(timeout=60) for _ in sensors)
seen["frames"] = sorted({entry.frame - frame for entry in data.values()})
image = data["sensor.camera.rgb"]
seen["image"] = [
    image.width,
    image.height,
    image.fov,
    list(bytes(image.raw_data)),
    transform(image.transform),
    floats(image.timestamp),
]
for kind in ("depth", "semantic_segmentation", "instance_segmentation"):
    assert bytes(data[f"sensor.camera.{kind}"].raw_data) == bytes(image.raw_data), kind
seen["normals"] = list(bytes(data["sensor.camera.normals"].raw_data))
seen["flow"] = [(pixel.x, pixel.y) for pixel in data["sensor.camera.optical_flow"]]
seen["dvs"] = [(event.x, event.y, event.t, event.pol) for event in data["sensor.camera.dvs"]]
gnss = data["sensor.other.gnss"]
seen["gnss"] = [gnss.latitude, gnss.longitude, gnss.altitude]
imu = data["sensor.other.imu"]
seen["imu"] = [vector(imu.accelerometer), vector(imu.gyroscope), imu.compass]
hit = data["sensor.other.collision"]
seen["collision"] = [hit.actor.id, hit.other_actor.id, vector(hit.normal_impulse)]
seen["obstacle"] = [data["sensor.other.obstacle"].other_actor.id, data["sensor.other.obstacle"].distance]
seen["radar"] = [(hit.velocity, hit.azimuth, hit.altitude, hit.depth) for hit in data["sensor.other.radar"]]
lidar = data["sensor.lidar.ray_cast"]
seen["lidar"] = [
    lidar.channels,
    lidar.horizontal_angle,
    [lidar.get_point_count(c) for c in range(2)],
    [(*vector(p.point), p.intensity) for p in lidar],
]
semantic = data["sensor.lidar.ray_cast_semantic"]
seen["semantic"] = [
    semantic.channels,
    [(*vector(p.point), p.cos_inc_angle, p.object_idx, p.object_tag) for p in semantic],
]
for _ in range(5):
    frame = world.tick()
    assert {measured.get(timeout=60)[1].frame for _ in sensors} == {frame}
sensors[0].set_ignored_vehicles([10]) if hasattr(sensors[0], "set_ignored_vehicles") else None
rgb = sensors[sorted(json.loads(sys.argv[2])).index("sensor.camera.rgb")]
if hasattr(rgb, "enable_gbuffers"):
    rgb.enable_gbuffers(True)
rgb.enable_for_ros()
rgb.disable_for_ros()
for sensor in sensors:
    sensor.stop()
seen["alive"] = math.isfinite(world.tick())
print(json.dumps(seen), flush=True)
os._exit(0)
