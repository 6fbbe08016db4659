"""Wheels that steer and roll: in pictures of what is near, in the bones of vehicles, and as clients set them."""

from __future__ import annotations

from sim_agent.embedded.actors import Vehicle
from sim_agent.embedded.models import wheel_hubs_m
from sim_agent.embedded.physics import WheelTurn
from sim_agent.embedded.pose import Pose
from sim_agent.embedded.scene import Mover
from sim_agent.embedded.world import World, WorldError

NEAR_M = 40.0
"""Farther from a camera, a wheel is a few pixels, and vehicles are drawn in one piece."""


def wheel_turns(world: World, vehicle: Vehicle) -> tuple[WheelTurn, ...]:
    """How each wheel stands. What a client has set counts while the vehicle has no physics, as in CARLA."""
    turns = world.dynamics.wheel_turns(vehicle.id)
    if vehicle.simulated:
        return turns
    return tuple(
        WheelTurn(vehicle.wheel_steer_deg.get(k, 0.0), vehicle.wheel_pitch_deg.get(k, turn.pitch_deg))
        for k, turn in enumerate(turns)
    )


def wheel_turn(world: World, vehicle: Vehicle, wheel: int) -> WheelTurn:
    """One wheel (`carla.VehicleWheelLocation`); raises WorldError if there is no such wheel."""
    turns = wheel_turns(world, vehicle)
    if not 0 <= wheel < len(turns):
        raise WorldError(f"{vehicle.type_id} has no wheel {wheel}; it has 0 to {len(turns) - 1}, front left first")
    return turns[wheel]


def with_wheels(world: World, movers: list[Mover], eye: Pose) -> list[Mover]:
    """The same movers, with vehicles near the eye in parts: a body, and wheels as they stand."""
    vehicles = {world.object_id(vehicle.id): vehicle for vehicle in world.vehicles.values()}
    found = []
    for mover in movers:
        vehicle = vehicles.get(mover.object_id)
        if vehicle is None or not _is_near(mover.pose, eye):
            found.append(mover)
            continue
        turns = wheel_turns(world, vehicle)
        if not any(any(turn) for turn in turns):
            found.append(mover)
            continue
        found.append(mover._replace(model=f"{mover.model}/body"))
        for k, (turn, hub) in enumerate(zip(turns, wheel_hubs_m(vehicle.type_id), strict=True)):
            pose = mover.pose.compose(Pose(*hub, turn.pitch_deg, turn.steer_deg))
            found.append(Mover(f"{mover.model}/wheel{k}", mover.object_id, pose, mover.tint))
    return found


def _is_near(pose: Pose, eye: Pose) -> bool:
    return abs(pose.x_m - eye.x_m) < NEAR_M and abs(pose.y_m - eye.y_m) < NEAR_M
