"""A long drive with traffic, walkers and two cameras: `soak.py PORT TM_PORT TICKS`; every picture is of its frame."""

import queue
import sys

import carla
from session import client, fresh_world, keep_the_traffic_manager_from_hanging, leave

tm_port, ticks = int(sys.argv[2]), int(sys.argv[3])
keep_the_traffic_manager_from_hanging()
world = fresh_world()
manager = client.get_trafficmanager(tm_port)
manager.set_synchronous_mode(True)
library = world.get_blueprint_library()
points = world.get_map().get_spawn_points()
kinds = [b for b in library.filter("vehicle.*") if int(b.get_attribute("number_of_wheels")) == 4]
cars = [world.spawn_actor(kinds[k % len(kinds)], points[k * len(points) // 20]) for k in range(20)]
for car in cars:
    car.set_autopilot(True, tm_port)
walkers = []
for k in range(10):
    place = world.get_random_location_from_navigation()
    walker = world.try_spawn_actor(library.filter("walker.*")[k], carla.Transform(place + carla.Location(z=1.0)))
    if walker is not None:
        controller = world.spawn_actor(library.find("controller.ai.walker"), carla.Transform(), attach_to=walker)
        walkers.append((walker, controller))
world.tick()
for _, controller in walkers:
    controller.start()
    controller.go_to_location(world.get_random_location_from_navigation())
cameras, boxes = [], []
for kind in ("rgb", "semantic_segmentation"):
    blueprint = library.find(f"sensor.camera.{kind}")
    blueprint.set_attribute("image_size_x", "640")
    blueprint.set_attribute("image_size_y", "360")
    cameras.append(world.spawn_actor(blueprint, carla.Transform(carla.Location(x=1.2, z=1.6)), attach_to=cars[0]))
    boxes.append(queue.Queue())
    cameras[-1].listen(boxes[-1].put)
wrong = pictures = 0
for _ in range(ticks):
    frame = world.tick()
    for box in boxes:
        wrong += box.get(timeout=120).frame != frame
        pictures += 1
for camera in cameras:
    camera.stop()
    camera.destroy()
for _, controller in walkers:
    controller.stop()
world.tick()
manager.set_synchronous_mode(False)
leave(world, {"wrong": wrong, "pictures": pictures, "walkers": len(walkers), "cars": len(cars)})
