"""The meshes of everything that can be spawned, and of traffic lights."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache, partial

from sim_agent.embedded.blueprints import VEHICLES, vehicle_spec
from sim_agent.embedded.models.car_families import car
from sim_agent.embedded.models.cycles import CYCLES, cycle
from sim_agent.embedded.models.gait import PHASES
from sim_agent.embedded.models.people import people_makers, stride_m, walker_model_key
from sim_agent.embedded.models.props import prop_makers
from sim_agent.embedded.models.signals import signal_makers
from sim_agent.embedded.models.skeleton import bone_makers
from sim_agent.embedded.models.trucks import TRUCKS, truck
from sim_agent.embedded.models.turning import TurningVehicle, turning_vehicle
from sim_agent.embedded.scene import Mesh

__all__ = ["PHASES", "ActorModels", "actor_models", "stride_m", "walker_model_key", "wheel_hubs_m"]


class ActorModels(Mapping[str, Mesh]):
    """Key to mesh, each made when it is first asked for: a world shows a few of the hundreds."""

    def __init__(self, makers: Mapping[str, Callable[[], Mesh]]) -> None:
        self._makers = makers
        self._made: dict[str, Mesh] = {}

    def __getitem__(self, key: str) -> Mesh:
        if key not in self._made:
            self._made[key] = self._makers[key]()
        return self._made[key]

    def __contains__(self, key: object) -> bool:
        return key in self._makers

    def __iter__(self) -> Iterator[str]:
        return iter(self._makers)

    def __len__(self) -> int:
        return len(self._makers)


@lru_cache(maxsize=1)
def actor_models() -> ActorModels:
    """Key to mesh; object ids are 0, x is forward; the same bytes in every process, whatever was asked for before.

    Vehicles (`VehicleSpec.model`) and props (`PropSpec.model`) stand on the ground under the middle of their box and
    fill it exactly; with `/body`, `/wheel0` and so on behind the key there are their parts, the wheels about their hubs
    (`wheel_hubs_m`). Walkers (`walker_model_key`) have their origin at the middle of their height; with `/bone/` and a
    bone's name there is what that bone carries. Traffic light heads (`traffic_light/red`, `/yellow`, `/green`, `/off`)
    have theirs in the middle of the housing and look along +x.
    """
    return ActorModels({**_vehicle_makers(), **people_makers(), **bone_makers(), **prop_makers(), **signal_makers()})


def _vehicle_makers() -> dict[str, Callable[[], Mesh]]:
    makers: dict[str, Callable[[], Mesh]] = {}
    for vehicle_id in VEHICLES:
        spec = vehicle_spec(vehicle_id)
        makers[spec.model] = partial(_part, vehicle_id, "whole")
        makers[f"{spec.model}/body"] = partial(_part, vehicle_id, "body")
        for number in range(len(spec.wheel_positions_m)):
            makers[f"{spec.model}/wheel{number}"] = partial(_part, vehicle_id, number)
    return makers


def _part(vehicle_id: str, part: str | int) -> Mesh:
    vehicle = _vehicle(vehicle_id)
    return vehicle.wheels[part] if isinstance(part, int) else vehicle.whole if part == "whole" else vehicle.body


def _vehicle(vehicle_id: str) -> TurningVehicle:
    build = cycle if vehicle_id in CYCLES else truck if vehicle_id in TRUCKS else car
    return turning_vehicle(build, vehicle_id)


def wheel_hubs_m(vehicle_id: str) -> tuple[tuple[float, float, float], ...]:
    """Where the wheels of a vehicle's model turn, in its axes."""
    return _vehicle(vehicle_id).hubs_m
