"""Four cameras over many ticks: `four_cameras.py PORT TICKS`. Tells what did not fit together."""

import sys

from telling import tell

from sim_agent.rig import FrameMissing, Rig
from sim_agent.session import Where, open_session
from trainer.dataset.recording import Camera

port, ticks = int(sys.argv[1]), int(sys.argv[2])
cameras = [
    Camera("front", 64, 36, 90.0, (1.3, 0.0, 1.6, 0.0, 0.0, 0.0)),
    Camera("left", 48, 32, 70.0, (0.0, -0.8, 1.6, 0.0, 0.0, -90.0)),
    Camera("right", 48, 32, 70.0, (0.0, 0.8, 1.6, 0.0, 0.0, 90.0)),
    Camera("roof", 32, 32, 110.0, (-0.5, 0.0, 2.4, 0.0, -10.0, 180.0)),
]
missing = misnumbered = misplaced = ragged = 0
moved_m = 0.0
with open_session(Where("127.0.0.1", port), town="Town03", step_s=0.05, say=print) as session:
    library = session.world.get_blueprint_library()
    ego = session.spawn(library.find("vehicle.tesla.model3"), session.map.get_spawn_points()[3])
    session.traffic.drive(ego)
    session.traffic.populate(8, 0, seed=2)
    with Rig(session, ego, cameras) as rig:
        poses, frames, last = {}, [], None
        for tick in range(ticks + 1):
            if tick < ticks:
                frames.append(session.tick())
                at = ego.get_transform()
                poses[frames[-1]] = at
                if last is not None:
                    moved_m += at.location.distance(last)
                last = at.location
            if tick == 0:
                continue  # the next frame is always made while this one is looked at, as the recorder does
            frame = frames[tick - 1]
            try:
                bundle = rig.bundle(frame)
            except FrameMissing:
                missing += 1
                continue
            ragged += set(bundle.pictures) != {camera.name for camera in cameras}
            for camera in cameras:
                x, y, z, *_ = camera.pose
                place = poses[frame].transform(session.carla.Location(x, y, z))
                for picture in bundle.pictures[camera.name].values():
                    misnumbered += picture.frame != frame
                    misplaced += picture.transform.location.distance(place) > 0.01
                    ragged += (picture.width, picture.height) != (camera.width, camera.height)
tell(ticks=ticks, missing=missing, misnumbered=misnumbered, misplaced=misplaced, ragged=ragged, moved_m=moved_m)
