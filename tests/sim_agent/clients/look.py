"""What a server's world looks like to somebody else: `look.py PORT`."""

import json
import os
import sys

import carla

client = carla.Client("127.0.0.1", int(sys.argv[1]))
client.set_timeout(30.0)
world = client.get_world()
settings = world.get_settings()
# In asynchronous mode the next frame comes by itself, and with it all actors that are there now.
moves = True
try:
    world.wait_for_tick(3.0)
except RuntimeError:
    moves = False
seen = {
    "synchronous": settings.synchronous_mode,
    "step_s": settings.fixed_delta_seconds or 0.0,
    "town": world.get_map().name.rsplit("/", 1)[-1],
    "clouds": world.get_weather().cloudiness,
    "moves": moves,
    "actors": sorted(
        actor.type_id for actor in world.get_actors() if not actor.type_id.startswith(("traffic.", "spectator"))
    ),
}
print(json.dumps(seen), flush=True)
os._exit(0)
