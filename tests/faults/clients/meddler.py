"""Another program at the same server: `meddler.py PORT WHAT`, WHAT one of destroy, blind, tick, load, look, settings."""

import json
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
elif what == "blind":
    while not (cameras := world.get_actors().filter("sensor.camera.rgb")):
        world.wait_for_tick()
    for _ in range(40):  # by then the drive has begun
        world.wait_for_tick()
    (answer,) = client.apply_batch_sync([carla.command.DestroyActor(cameras[0].id)], False)
    assert not answer.error, answer.error
elif what == "tick":
    end_s = time.monotonic() + 5.0
    while time.monotonic() < end_s:
        world.tick()
elif what == "load":
    loaded = client.load_world("Town03")
    kind = loaded.get_blueprint_library().find("vehicle.audi.tt")
    # as many as get the ids that a recording's own actors had in the world before
    for point in loaded.get_map().get_spawn_points()[:30]:
        loaded.spawn_actor(kind, point)
elif what == "look":
    world.wait_for_tick()  # the list is empty until the first snapshot has come
    print(json.dumps({"town": world.get_map().name, "vehicles": len(world.get_actors().filter("vehicle.*"))}))
elif what == "settings":
    settings = world.get_settings()
    settings.synchronous_mode = False
    world.apply_settings(settings)
print("done", flush=True)
os._exit(0)  # libcarla can abort while it is torn down
