"""Another program takes the port just before the Traffic Manager does: `port_taken.py PORT`."""

import socket
import sys

from telling import tell

from sim_agent.traffic_process import TrafficWorker

taker = socket.create_server(("", 0))
taken = [taker.getsockname()[1]]
look = TrafficWorker._free_port
TrafficWorker._free_port = lambda self: taken.pop() if taken else look(self)
worker = TrafficWorker("127.0.0.1", int(sys.argv[1]), True)
tell(port=worker.port, taken=taker.getsockname()[1])
worker.close()
