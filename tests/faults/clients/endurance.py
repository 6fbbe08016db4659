"""Much of one thing: `endurance.py PORT WHAT COUNT CLIENTS PID`, WHAT one of ticks, pictures, loads, actors.

Prints what it saw: `rates` are those of the parts of the run, in order, in things a second of the CPU time of the
simulator (process PID), which other work on the machine does not change.
"""

import os
import queue
import sys
from pathlib import Path

import carla

sys.path.insert(0, sys.argv[4])
from session import client, fresh_world, leave

PARTS = 10


def cpu_s():
    """Seconds of CPU that the simulator has used."""
    after_name = Path(f"/proc/{sys.argv[5]}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(after_name[11]) + int(after_name[12])) / os.sysconf("SC_CLK_TCK")


def parts(count, do):
    """`do` as often, in ten parts; the rate of each."""
    rates = []
    for _ in range(PARTS):
        started_s = cpu_s()
        for _ in range(count // PARTS):
            do()
        rates.append(count // PARTS / max(0.01, cpu_s() - started_s))
    return rates


def cars(world, number):
    """Cars under constant throttle and steering: they go in circles, with physics and no Traffic Manager."""
    library = world.get_blueprint_library()
    points = world.get_map().get_spawn_points()
    spawned = [world.spawn_actor(library.find("vehicle.audi.tt"), points[k * 7 % len(points)]) for k in range(number)]
    for car in spawned:
        car.apply_control(carla.VehicleControl(throttle=0.4, steer=0.9))
    return spawned


what, count = sys.argv[2], int(sys.argv[3])
world = fresh_world()
world.cast_ray(carla.Location(z=5), carla.Location(z=-5))  # waits for what is made beside the first answers
seen = {}
if what == "ticks":
    cars(world, 10)
    seen["rates"] = parts(count, world.tick)
elif what == "pictures":
    boxes, cameras = [], []
    (car,) = cars(world, 1)
    for kind in ("rgb", "semantic_segmentation"):
        blueprint = world.get_blueprint_library().find(f"sensor.camera.{kind}")
        blueprint.set_attribute("image_size_x", "256")
        blueprint.set_attribute("image_size_y", "144")
        cameras.append(world.spawn_actor(blueprint, carla.Transform(carla.Location(z=1.6)), attach_to=car))
        boxes.append(queue.Queue())
        cameras[-1].listen(boxes[-1].put)
    wrong = 0

    def tick():
        global wrong
        frame = world.tick()
        wrong += sum(box.get(timeout=120).frame != frame for box in boxes)

    seen["rates"] = parts(count, tick)
    seen["wrong"] = wrong
    for camera in cameras:
        camera.stop()
        camera.destroy()
elif what == "loads":
    towns = ["Town01", "Town03"]

    def load():
        towns.append(towns.pop(0))
        client.load_world(towns[0])

    seen["rates"] = parts(count, load)
elif what == "actors":
    library = world.get_blueprint_library()
    kinds = [library.find("vehicle.audi.tt"), library.find("static.prop.trafficcone01")]
    points = world.get_map().get_spawn_points()[:50]

    def batch():
        commands = [carla.command.SpawnActor(kinds[k % 2], point) for k, point in enumerate(points)]
        ids = [answer.actor_id for answer in client.apply_batch_sync(commands, True) if not answer.error]
        assert len(ids) == len(points), len(ids)
        client.apply_batch_sync([carla.command.DestroyActor(each) for each in ids], True)

    rates = parts(count // len(points), batch)
    seen["rates"] = [rate * len(points) for rate in rates]
    seen["left"] = len(world.get_actors().filter("vehicle.*"))
world = client.get_world()
leave(world, seen)
