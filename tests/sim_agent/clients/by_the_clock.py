"""Traffic in a world that runs by the clock, and a vehicle that is taken from it: `by_the_clock.py PORT`."""

import sys

from telling import tell

from sim_agent.session import Where, open_session


def until(world, condition):
    """How many frames it took, 2000 at most."""
    for frames in range(2000):
        if condition():
            return frames
        world.wait_for_tick(30.0)
    return None


with open_session(Where("127.0.0.1", int(sys.argv[1])), synchronous=False) as session:
    world = session.world
    kind = world.get_blueprint_library().find("vehicle.tesla.model3")
    ego = session.spawn(kind, session.map.get_spawn_points()[0])
    session.traffic.drive(ego)
    session.traffic.tune("vehicle_percentage_speed_difference", ego, 20.0)
    session.traffic.populate(2, 3, seed=2)
    walkers = world.get_actors(session.traffic.walkers)
    began = {walker.id: walker.get_location() for walker in walkers}
    drives = until(world, lambda: ego.get_velocity().length() > 3.0)
    walks = until(world, lambda: any(w.get_location().distance(began[w.id]) > 1.0 for w in walkers))
    session.traffic.release(ego)
    ego.apply_control(session.carla.VehicleControl(brake=1.0))
    stands = until(world, lambda: ego.get_velocity().length() < 0.01)
    for _ in range(60):
        world.wait_for_tick(30.0)
    tell(drives=drives, walks=walks, stands=stands, still_ms=ego.get_velocity().length())
