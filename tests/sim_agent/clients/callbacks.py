"""Ends as any program does, right after a session with listening cameras: `callbacks.py PORT`."""

import sys
import weakref

from telling import tell

from sim_agent.session import Where, open_session

came = []
kept = []
with open_session(Where("127.0.0.1", int(sys.argv[1]))) as session:
    camera = session.world.get_blueprint_library().find("sensor.camera.depth")
    camera.set_attribute("image_size_x", "32")
    camera.set_attribute("image_size_y", "18")
    for _ in range(4):
        eye = session.spawn(camera, session.carla.Transform(session.carla.Location(z=20.0)))

        def callback(picture):
            came.append(picture.frame)

        kept.append(weakref.ref(callback))
        session.listen(eye, callback)
        del callback
    for _ in range(3):
        session.tick()
tell(pictures=len(came) > 0, held=sum(reference() is not None for reference in kept))
