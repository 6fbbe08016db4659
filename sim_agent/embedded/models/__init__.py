"""The meshes of everything that can be spawned, and of traffic lights."""

from __future__ import annotations

from functools import lru_cache

from sim_agent.embedded.blueprints import VEHICLES, vehicle_spec
from sim_agent.embedded.models.car_families import car
from sim_agent.embedded.models.cycles import CYCLES, cycle
from sim_agent.embedded.models.gait import PHASES
from sim_agent.embedded.models.people import people_models, stride_m, walker_model_key
from sim_agent.embedded.models.props import prop_models
from sim_agent.embedded.models.signals import signal_models
from sim_agent.embedded.models.surface import fit
from sim_agent.embedded.models.trucks import TRUCKS, truck
from sim_agent.embedded.scene import Mesh

__all__ = ["PHASES", "actor_models", "stride_m", "walker_model_key"]


@lru_cache(maxsize=1)
def actor_models() -> dict[str, Mesh]:
    """Key to mesh; object ids are 0, x is forward; built once a process, the same bytes in every process.

    Vehicles (`VehicleSpec.model`) and props (`PropSpec.model`) stand on the ground under the middle of their box and
    fill it exactly. Walkers (`walker_model_key`) have their origin at the middle of their height. Traffic light heads
    (`traffic_light/red`, `/yellow`, `/green`, `/off`) have theirs in the middle of the housing and look along +x.
    """
    return {**_vehicles(), **people_models(), **prop_models(), **signal_models()}


def _vehicles() -> dict[str, Mesh]:
    models = {}
    for vehicle_id in VEHICLES:
        build = cycle if vehicle_id in CYCLES else truck if vehicle_id in TRUCKS else car
        spec = vehicle_spec(vehicle_id)
        models[spec.model] = fit(build(vehicle_id), spec.box_centre_m, spec.extent_m)
    return models
