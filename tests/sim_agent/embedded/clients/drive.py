"""Driving: throttle, steering, brakes, batches, what attached things do, and how the sensors of motion see it."""

import math
import queue

import carla
from session import client, fresh_world, leave

world = fresh_world()
library = world.get_blueprint_library()
points = world.get_map().get_spawn_points()
car = world.spawn_actor(library.find("vehicle.tesla.model3"), points[0])
result = {"id": car.id > 0, "wheels": car.attributes["number_of_wheels"], "box": round(car.bounding_box.extent.x, 2)}
events, fixes, turns = queue.Queue(), queue.Queue(), queue.Queue()
collision = world.spawn_actor(library.find("sensor.other.collision"), carla.Transform(), attach_to=car)
collision.listen(events.put)
gnss = world.spawn_actor(library.find("sensor.other.gnss"), carla.Transform(), attach_to=car)
gnss.listen(fixes.put)
imu = world.spawn_actor(library.find("sensor.other.imu"), carla.Transform(), attach_to=car)
imu.listen(turns.put)
for _ in range(20):
    world.tick()
result["settled"] = [round(car.get_transform().location.z, 2), round(car.get_velocity().length(), 2)]
result["gravity"] = round([turns.get(timeout=30) for _ in range(20)][-1].accelerometer.z, 1)
car.apply_control(carla.VehicleControl(throttle=0.6))
for _ in range(40):
    world.tick()
result["speed"] = car.get_velocity().length()
result["throttle"] = round(car.get_control().throttle, 2)
car.apply_control(carla.VehicleControl(brake=1.0))
for _ in range(60):
    world.tick()
result["stopped"] = car.get_velocity().length()
first, last = None, None
while not fixes.empty():
    last = fixes.get()
    first = first or last
moved = car.get_transform().location.distance(points[0].location)
north_m = math.radians(last.latitude - first.latitude) * 6378137.0
east_m = math.radians(last.longitude - first.longitude) * 6378137.0 * math.cos(math.radians(last.latitude))
result["gnss"] = abs(math.hypot(north_m, east_m) - moved) < 0.5
# into what stands in the way
wall = points[0].location + points[0].get_forward_vector() * (moved + 15.0)
obstacle = world.try_spawn_actor(
    library.find("vehicle.carlamotors.firetruck"), carla.Transform(wall, points[0].rotation)
)
result["obstacle"] = obstacle is not None
if obstacle:
    obstacle.apply_control(carla.VehicleControl(hand_brake=True))
car.apply_control(carla.VehicleControl(throttle=1.0))
for _ in range(120):
    world.tick()
    if not events.empty():
        break
hit = events.get(timeout=30)
result["hit"] = [hit.other_actor.type_id, hit.normal_impulse.length() > 100.0]
# batches
blueprint = library.find("vehicle.mini.cooper_s")
spawn = carla.command.SpawnActor(blueprint, points[5]).then(
    carla.command.ApplyVehicleControl(carla.command.FutureActor, carla.VehicleControl(throttle=0.5))
)
answers = client.apply_batch_sync(
    [spawn, carla.command.SpawnActor(blueprint, points[5]), carla.command.DestroyActor(999999)]
)
result["batch"] = [answers[0].error == "", "collision" in answers[1].error, "not found" in answers[2].error]
result["errors"] = [answer.error for answer in answers]
for _ in range(20):
    world.tick()
second = world.get_actor(answers[0].actor_id)
result["then"] = second.get_velocity().length() > 1.0
second.set_transform(points[7])
world.tick()
result["moved"] = round(second.get_transform().location.distance(points[7].location), 1)
second.set_simulate_physics(False)
second.destroy()
world.tick()
result["gone"] = world.get_actors().find(answers[0].actor_id) is None
physics = car.get_physics_control()
physics.mass = 2000.0
car.apply_physics_control(physics)
world.tick()
result["mass"] = car.get_physics_control().mass
car.set_light_state(carla.VehicleLightState(carla.VehicleLightState.LowBeam | carla.VehicleLightState.Brake))
world.tick()
result["lights"] = int(car.get_light_state())
car.enable_constant_velocity(carla.Vector3D(5.0, 0.0, 0.0))
car.set_transform(points[9])
for _ in range(20):
    world.tick()
result["constant"] = round(car.get_velocity().length(), 1)
for sensor in (collision, gnss, imu):
    sensor.stop()
    sensor.destroy()
world.tick()
leave(world, result)
