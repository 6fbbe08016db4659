"""Everything that sensors and snapshots say of a fixed drive, as one hash: the same on every run."""

import hashlib
import queue

import carla
from session import fresh_world, leave

world = fresh_world()
library = world.get_blueprint_library()
points = world.get_map().get_spawn_points()
cars = [world.spawn_actor(library.filter("vehicle.*")[k * 5], points[k * 9]) for k in range(5)]
walker = world.spawn_actor(
    library.find("walker.pedestrian.0007"), carla.Transform(points[50].location + carla.Location(z=1))
)
kinds = (
    "sensor.camera.rgb", "sensor.camera.semantic_segmentation", "sensor.camera.depth", "sensor.lidar.ray_cast",
    "sensor.lidar.ray_cast_semantic", "sensor.other.radar", "sensor.other.imu", "sensor.other.gnss",
)  # fmt: skip
boxes = []
for kind in kinds:
    blueprint = library.find(kind)
    if "camera" in kind:
        blueprint.set_attribute("image_size_x", "200")
        blueprint.set_attribute("image_size_y", "120")
    sensor = world.spawn_actor(blueprint, carla.Transform(carla.Location(x=0.5, z=2.2)), attach_to=cars[0])
    box = queue.Queue()
    sensor.listen(box.put)
    boxes.append((sensor, box))
world.set_weather(carla.WeatherParameters.WetCloudySunset)
digest = hashlib.sha256()
for tick in range(40):
    for k, car in enumerate(cars):
        car.apply_control(carla.VehicleControl(throttle=0.5 + 0.08 * k, steer=0.1 * (k - 2) * (tick > 20)))
    walker.apply_control(carla.WalkerControl(carla.Vector3D(1, 0.5, 0), 1.4))
    frame = world.tick()
    snapshot = world.get_snapshot()
    for state in snapshot:
        digest.update(f"{state.id} {state.get_transform()} {state.get_velocity()} {state.get_acceleration()}".encode())
    for sensor, box in boxes:
        data = box.get(timeout=60)
        assert data.frame == frame
        if hasattr(data, "raw_data"):
            digest.update(bytes(data.raw_data))
        elif "imu" in sensor.type_id:
            digest.update(f"{data.accelerometer} {data.gyroscope} {data.compass}".encode())
        else:
            digest.update(f"{data.latitude:.12f} {data.longitude:.12f}".encode())
for sensor, _ in boxes:
    sensor.stop()
    sensor.destroy()
world.tick()
leave(world, {"sha256": digest.hexdigest()})
