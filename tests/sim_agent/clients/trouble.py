"""A simulator that stops, for a while or for ever: `trouble.py slow|hung|killed TRAFFIC`; an embedded one of its own."""

import os
import signal
import sys
import threading
import time

from telling import tell

from sim_agent import session as module
from sim_agent.errors import SimulatorGone
from sim_agent.session import Where, open_session

what, traffic = sys.argv[1:]
module.CALL_S, module.TICK_S = 1.0, 60.0 if what == "slow" else 3.0
said = []
began = None
try:
    with open_session(Where(quality="low"), say=said.append) as session:
        pid = session._own_server.pid
        kind = session.world.get_blueprint_library().find("vehicle.audi.tt")
        car = session.spawn(kind, session.map.get_spawn_points()[0])
        if traffic == "traffic":
            session.traffic.drive(car)
        frames = [session.tick() for _ in range(3)]
        if what == "killed":
            os.kill(pid, signal.SIGKILL)
        else:
            os.kill(pid, signal.SIGSTOP)
        if what == "slow":
            threading.Timer(3.5, os.kill, (pid, signal.SIGCONT)).start()
        began = time.monotonic()
        frames += [session.tick() for _ in range(3)]
        tell(frames=[frame - frames[0] for frame in frames])
except SimulatorGone as gone:
    tell(error=str(gone), within_s=time.monotonic() - began)
