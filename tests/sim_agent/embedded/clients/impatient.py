"""A client that does not wait for ever asks for a camera in a town that has just been loaded: `impatient.py PORT TOWN`."""

import sys
import time

import carla
from session import client, leave

client.set_timeout(60.0)
client.load_world("Town02")
world = client.load_world(sys.argv[2])
client.set_timeout(20.0)
library = world.get_blueprint_library()
pictures = []
camera = world.spawn_actor(library.find("sensor.camera.rgb"), carla.Transform(carla.Location(z=20.0)))
camera.listen(pictures.append)
slowest_s, deadline = 0.0, time.monotonic() + 120.0
while not pictures and time.monotonic() < deadline:
    before = time.monotonic()
    world.wait_for_tick(60.0)
    world.get_weather()
    slowest_s = max(slowest_s, time.monotonic() - before)
camera.stop()
client.set_timeout(60.0)
leave(world, {"pictures": len(pictures) > 0, "slowest_s": slowest_s})
