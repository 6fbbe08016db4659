"""Where all traffic is after each of 200 ticks, as a hash: `same_drive.py PORT SEED [lose]`; lose: its process is killed."""

import hashlib
import os
import signal
import struct
import sys

from telling import tell

from sim_agent.session import Where, open_session

seed, lose = int(sys.argv[2]), "lose" in sys.argv
said = []
with open_session(Where("127.0.0.1", int(sys.argv[1])), say=said.append) as session:
    session.load("Town01")
    kind = session.world.get_blueprint_library().find("vehicle.tesla.model3")
    ego = session.spawn(kind, session.map.get_spawn_points()[7])
    session.traffic.drive(ego)
    vehicles, walkers = session.traffic.populate(8, 6, seed)
    ids = [ego.id, *session.traffic.vehicles, *session.traffic.walkers]
    hashed, moved_m, last = hashlib.sha256(), dict.fromkeys(ids, 0.0), {}
    for tick in range(200):
        if lose and tick == 100:
            os.kill(session.traffic._process.pid, signal.SIGKILL)
            moved_m = dict.fromkeys(ids, 0.0)
        session.tick()
        snapshot = session.world.get_snapshot()
        for number in ids:
            pose = snapshot.find(number).get_transform()
            if number in last:
                moved_m[number] += pose.location.distance(last[number])
            last[number] = pose.location
            hashed.update(struct.pack("4d", pose.location.x, pose.location.y, pose.location.z, pose.rotation.yaw))
    session.traffic.clear()
    session.tick()
    left = [actor.type_id for actor in session.world.get_actors() if actor.type_id.startswith(("veh", "walk", "contr"))]
    tell(
        sha256=hashed.hexdigest(),
        vehicles=vehicles,
        walkers=walkers,
        drove_m=[round(moved_m[number], 1) for number in ids[: 1 + vehicles]],
        walked_m=[round(moved_m[number], 1) for number in ids[1 + vehicles :]],
        left=left,
        said=[line for line in said if "Traffic Manager" in line],
    )
