"""A world with a vehicle that another program drives: `ticker.py PORT`; asked by the files `respawn` and `end`."""

import sys
import time
from pathlib import Path

from telling import tell

from sim_agent.session import Where, open_session

with open_session(Where("127.0.0.1", int(sys.argv[1])), step_s=0.05) as session:
    kind = session.world.get_blueprint_library().find("vehicle.audi.tt")
    kind.set_attribute("role_name", "hero")
    points = session.map.get_spawn_points()
    hero = session.spawn(kind, points[3])
    session.traffic.drive(hero)
    frames = [session.tick()]
    tell(ticking=True)
    while not Path("end").exists():
        frames.append(session.tick())
        time.sleep(0.02)  # as a world that keeps to the clock
        if Path("respawn").exists():
            Path("respawn").unlink()
            session.destroy([hero])
            frames.append(session.tick())
            hero = session.spawn(kind, points[9])
            session.traffic.drive(hero)
            tell(respawned=True)
    settings = session.world.get_settings()
    sensors = [actor.type_id for actor in session.world.get_actors().filter("sensor.*")]
tell(
    only_we_ticked=frames == list(range(frames[0], frames[0] + len(frames))),
    synchronous=settings.synchronous_mode,
    step_s=settings.fixed_delta_seconds,
    sensors=sensors,
)
