"""Another program at the same server: `meddler.py PORT WHAT`, WHAT one of destroy, tick, load, settings."""

import os
import sys
import time

import carla

client = carla.Client("127.0.0.1", int(sys.argv[1]))
client.set_timeout(60.0)
what = sys.argv[2]
world = client.get_world()
if what == "destroy":
    while not (vehicles := world.get_actors().filter("vehicle.lincoln.mkz_2020")):
        world.wait_for_tick()  # the list is empty until the first snapshot has come
    for vehicle in vehicles:
        (answer,) = client.apply_batch_sync([carla.command.DestroyActor(vehicle.id)], False)
        assert not answer.error, answer.error
elif what == "tick":
    end_s = time.monotonic() + 5.0
    while time.monotonic() < end_s:
        world.tick()
elif what == "load":
    client.load_world("Town03")
elif what == "settings":
    settings = world.get_settings()
    settings.synchronous_mode = False
    world.apply_settings(settings)
print("done", flush=True)
os._exit(0)  # libcarla can abort while it is torn down
