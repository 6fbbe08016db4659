"""A session with a bit of everything, until it is ended: `stay.py PORT HOW`; PORT 0 is an embedded simulator of its own.

HOW: end (the block ends), raise (an exception), wait (ticks until a signal comes).
"""

import sys

from telling import tell

from sim_agent.errors import SimulatorError
from sim_agent.session import Where, open_session

port, how = int(sys.argv[1]), sys.argv[2]
where = Where("127.0.0.1", port) if port else Where(quality="low")
pictures = []
try:
    with open_session(where, town="Town01", step_s=0.05, say=print) as session:
        library = session.world.get_blueprint_library()
        session.world.set_weather(session.carla.WeatherParameters.HardRainSunset)
        ego = session.spawn(library.find("vehicle.tesla.model3"), session.map.get_spawn_points()[0])
        camera = library.find("sensor.camera.semantic_segmentation")
        camera.set_attribute("image_size_x", "64")
        camera.set_attribute("image_size_y", "36")
        for _ in range(2):
            eye = session.spawn(camera, session.carla.Transform(session.carla.Location(z=1.6)), attach_to=ego)
            session.listen(eye, pictures.append)
        session.traffic.drive(ego)
        vehicles, walkers = session.traffic.populate(4, 3, seed=1)
        for _ in range(10):
            session.tick()
        tell(
            vehicles=vehicles,
            walkers=walkers,
            pids=[process.pid for process in (session.traffic._process, session._own_server) if process],
        )
        if how == "raise":
            raise RuntimeError("as the user's own code may")
        while how == "wait":
            session.tick()
except SimulatorError as error:
    tell(error=str(error))
    sys.exit(1)
