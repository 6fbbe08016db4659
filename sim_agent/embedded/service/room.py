"""What every part of the service has: the simulation that it serves."""

from __future__ import annotations

from sim_agent.embedded.simulation import Simulation
from sim_agent.embedded.wire import structs
from sim_agent.embedded.world import World


class Room:
    """One method for each RPC that is served, named as it is; arguments are those of wire/methods.py."""

    def __init__(self, simulation: Simulation):
        self.simulation = simulation
        self.traffic_managers: dict[int, structs.TrafficManagerInfo] = {}

    @property
    def _world(self) -> World:
        return self.simulation.world
