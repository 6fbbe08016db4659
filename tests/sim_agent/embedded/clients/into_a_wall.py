"""A car, a bus and a motorcycle roll into the house before (30, -6) in Town03: `into_a_wall.py PORT`."""

import carla
from session import fresh_world, leave

world = fresh_world("Town03")
library = world.get_blueprint_library()
start = carla.Transform(carla.Location(30.0, -6.0, 1.0), carla.Rotation(yaw=-90.0))
result = {}
for name in ("vehicle.tesla.model3", "vehicle.mitsubishi.fusorosa", "vehicle.vespa.zx125"):
    vehicle = world.spawn_actor(library.find(name), start)
    sensor = world.spawn_actor(library.find("sensor.other.collision"), carla.Transform(), attach_to=vehicle)
    events = []
    sensor.listen(events.append)
    for _ in range(20):
        world.tick()
    vehicle.set_target_velocity(10.0 * start.get_forward_vector())
    for _ in range(60):
        world.tick()
    sensor.destroy()
    result[name] = sorted({event.other_actor.type_id for event in events})
    vehicle.destroy()
    world.tick()
leave(world, result)
