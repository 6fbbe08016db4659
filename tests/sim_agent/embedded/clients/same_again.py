"""What sensors with noise tell in an episode and in the same one loaded again: `same_again.py PORT`."""

import queue
import zlib

import carla
from session import client, fresh_world, leave

SENSORS = {
    "sensor.lidar.ray_cast": {"noise_seed": "7", "noise_stddev": "0.05"},
    "sensor.other.radar": {"noise_seed": "8"},
    "sensor.camera.rgb": {"image_size_x": "96", "image_size_y": "64"},
}
TICKS = 6


def episode(world):
    """The bytes of each sensor's readings, as sums."""
    library = world.get_blueprint_library()
    point = world.get_map().get_spawn_points()[3]
    car = world.spawn_actor(library.find("vehicle.audi.tt"), point)
    car.set_target_velocity(10.0 * point.get_forward_vector())
    queues, listening = [], []
    for name, attributes in SENSORS.items():
        blueprint = library.find(name)
        for key, value in attributes.items():
            blueprint.set_attribute(key, value)
        sensor = world.spawn_actor(blueprint, carla.Transform(carla.Location(x=0.5, z=2.5)), attach_to=car)
        queues.append(queue.Queue())
        sensor.listen(queues[-1].put)
        listening.append(sensor)  # a sensor that nobody holds falls silent
    sums = [[] for _ in SENSORS]
    for _ in range(TICKS):
        frame = world.tick()
        for number, readings in enumerate(queues):
            reading = readings.get(timeout=60.0)
            assert reading.frame == frame
            sums[number].append(zlib.crc32(bytes(reading.raw_data)))
    return sums


world = fresh_world("Town01")
runs = []
for _ in range(2):
    client.reload_world(False)
    world = client.get_world()
    runs.append(episode(world))
leave(world, {"same": [a == b for a, b in zip(*runs, strict=True)], "different": [len(set(s)) for s in runs[0]]})
