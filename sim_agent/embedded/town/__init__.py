"""Towns: from a seed to a map, meshes, spawn points, signals and walkways that agree with each other."""

from __future__ import annotations

from sim_agent.embedded.town.dials import TownPlan
from sim_agent.embedded.town.from_map import town_from_opendrive
from sim_agent.embedded.town.kept import build_town
from sim_agent.embedded.town.model import Bounds, Lamp, Signal, Town
from sim_agent.embedded.town.plan import TOWNS

__all__ = [
    "TOWNS",
    "Bounds",
    "Lamp",
    "Signal",
    "Town",
    "TownPlan",
    "build_town",
    "town_from_opendrive",
]
