"""What a session may and may not do to a world with others in it: `others.py PORT`."""

import sys

import carla
from telling import tell

from sim_agent.errors import SimulatorError, SpawnRefused
from sim_agent.session import Where, join_session, open_session

where = Where("127.0.0.1", int(sys.argv[1]))
client = carla.Client(where.host, where.port)
client.set_timeout(60.0)
world = client.get_world()
kind = world.get_blueprint_library().find("vehicle.audi.tt")
points = world.get_map().get_spawn_points()
theirs = world.spawn_actor(kind, points[0])
world.wait_for_tick(30.0)


def there():
    world.wait_for_tick(30.0)
    return [actor.id for actor in world.get_actors().filter("vehicle.*")]


def mode():
    settings = world.get_settings()
    return [settings.synchronous_mode, settings.fixed_delta_seconds or 0.0]


told = {"before": mode()}
with open_session(where, step_s=0.1) as session:
    told["in"] = mode()
    try:
        session.spawn(kind, points[0])
    except SpawnRefused as refused:
        told["refused"] = str(refused)
    ours = session.spawn(kind, points[5])
    session.tick()
    session.destroy([theirs, ours])
    session.tick()
    told["after_destroy"] = [actor.id for actor in session.world.get_actors().filter("vehicle.*")] == [theirs.id]
    another = session.spawn(kind, points[6])
    try:
        session.load("Town77")
    except SimulatorError as error:
        told["no_town"] = str(error)
told |= {"after": mode(), "theirs_only": there() == [theirs.id]}

with open_session(where, step_s=0.05) as ticking:
    ticking.tick()
    frames = []
    with join_session(where) as joined:
        import threading

        ended = threading.Event()

        def tick_on():
            while not ended.is_set():
                ticking.tick()

        ticker = threading.Thread(target=tick_on)
        ticker.start()
        frames = [joined.next_frame() for _ in range(5)]
        try:
            with open_session(where):
                pass
        except SimulatorError as error:
            told["ticked"] = str(error)
        mine = joined.spawn(kind, points[7])
        joined.next_frame()
        told["joined"] = mode()
    joined_left = mine.id
    frames.append(ticking.world.wait_for_tick(30.0).frame)
    told["still_ticks"] = frames == sorted(set(frames))
    ended.set()
    ticker.join()
    ticking.tick()
    told["joined_is_gone"] = joined_left not in [a.id for a in ticking.world.get_actors()]
theirs.destroy()
tell(**told)
