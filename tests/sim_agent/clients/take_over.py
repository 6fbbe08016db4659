"""A session on a server that somebody may have left: `take_over.py PORT`."""

import sys

from telling import tell

from sim_agent.session import Where, open_session

said = []
with open_session(Where("127.0.0.1", int(sys.argv[1])), say=said.append) as session:
    frames = [session.tick() for _ in range(3)]
tell(said=said, steps=frames[-1] - frames[0])
