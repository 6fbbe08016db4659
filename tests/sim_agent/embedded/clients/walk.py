"""AI walkers find their way on the navigation mesh."""

import carla
from session import fresh_world, leave

world = fresh_world()
library = world.get_blueprint_library()
walkers = []
for k in range(8):
    place = world.get_random_location_from_navigation()
    if place is None:
        continue
    walker = world.try_spawn_actor(
        library.filter("walker.pedestrian.*")[k], carla.Transform(place + carla.Location(z=1.0))
    )
    if walker is None:
        continue
    controller = world.spawn_actor(library.find("controller.ai.walker"), carla.Transform(), attach_to=walker)
    walkers.append((walker, controller))
world.tick()
for _, controller in walkers:
    controller.start()
    controller.go_to_location(world.get_random_location_from_navigation())
    controller.set_max_speed(1.5)
starts = [walker.get_location() for walker, _ in walkers]
walked = [0.0] * len(walkers)
for _ in range(300):
    world.tick()
    for k, (walker, _) in enumerate(walkers):
        here = walker.get_location()
        walked[k] += here.distance(starts[k])
        starts[k] = here
feet_m = [round(walker.get_location().z - walker.bounding_box.extent.z, 3) for walker, _ in walkers]
result = {"walkers": len(walkers), "walked_m": [round(m, 1) for m in walked], "feet_m": feet_m}
for walker, controller in walkers:
    controller.stop()
    controller.destroy()
    walker.destroy()
world.tick()
leave(world, result)
