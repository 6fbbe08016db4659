"""The commands of `apply_batch`: one NamedTuple for each `carla.command`, and the variant of them all.

Source: LibCarla/source/carla/rpc/Command.h; the order of the fields of SpawnActor in 0.9.16 is from its client's debug
information.
"""

from __future__ import annotations

from typing import Annotated, Any, NamedTuple

from sim_agent.embedded.pose import Pose
from sim_agent.embedded.wire.codec import BOOL, WireType, boxed, list_of, struct, variant, wire_type
from sim_agent.embedded.wire.structs import (
    U8,
    U32,
    AckermannControl,
    ActorDescription,
    ActorId,
    Vector3,
    VehicleControl,
    VehiclePhysicsControl,
    WalkerControl,
)


class SpawnActor(NamedTuple):
    """Batch command 0; attachment 0 rigid, 1 spring arm, 2 ghost. `do_after` are commands whose actor id 0 is the new
    actor.
    """

    description: ActorDescription
    pose: Pose
    parent: ActorId | None = None
    attachment: U8 = 0
    socket: str = ""
    do_after: Annotated[tuple[Any, ...], list_of(BOOL, 0)] = ()


class DestroyActor(NamedTuple):
    """Batch command 1."""

    actor: ActorId


class ApplyVehicleControl(NamedTuple):
    """Batch command 2."""

    actor: ActorId
    control: VehicleControl


class ApplyVehicleAckermannControl(NamedTuple):
    """Batch command 3."""

    actor: ActorId
    control: AckermannControl


class ApplyWalkerControl(NamedTuple):
    """Batch command 4."""

    actor: ActorId
    control: WalkerControl


class ApplyVehiclePhysicsControl(NamedTuple):
    """Batch command 5."""

    actor: ActorId
    physics_control: VehiclePhysicsControl


class ApplyTransform(NamedTuple):
    """Batch command 6."""

    actor: ActorId
    pose: Pose


class ApplyWalkerState(NamedTuple):
    """Batch command 7; speed in m/s."""

    actor: ActorId
    pose: Pose
    speed: float


class ApplyTargetVelocity(NamedTuple):
    """Batch command 8; m/s."""

    actor: ActorId
    velocity: Vector3


class ApplyTargetAngularVelocity(NamedTuple):
    """Batch command 9; deg/s."""

    actor: ActorId
    angular_velocity: Vector3


class ApplyImpulse(NamedTuple):
    """Batch command 10; N s."""

    actor: ActorId
    impulse: Vector3


class ApplyForce(NamedTuple):
    """Batch command 11; N."""

    actor: ActorId
    force: Vector3


class ApplyAngularImpulse(NamedTuple):
    """Batch command 12."""

    actor: ActorId
    impulse: Vector3


class ApplyTorque(NamedTuple):
    """Batch command 13; N m."""

    actor: ActorId
    torque: Vector3


class SetSimulatePhysics(NamedTuple):
    """Batch command 14."""

    actor: ActorId
    enabled: bool


class SetEnableGravity(NamedTuple):
    """Batch command 15."""

    actor: ActorId
    enabled: bool


class SetAutopilot(NamedTuple):
    """Batch command 16; the client keeps the Traffic Manager's port to itself."""

    actor: ActorId
    enabled: bool


class ShowDebugTelemetry(NamedTuple):
    """Batch command 17."""

    actor: ActorId
    enabled: bool


class SetVehicleLightState(NamedTuple):
    """Batch command 18: bits of `scene.Light`, here without the class around them."""

    actor: ActorId
    lights: U32


class ApplyLocation(NamedTuple):
    """Batch command 19."""

    actor: ActorId
    location: Vector3


class ConsoleCommand(NamedTuple):
    """Batch command 20."""

    text: str


class SetTrafficLightState(NamedTuple):
    """Batch command 21; 0 red, 1 yellow, 2 green, 3 off, 4 unknown."""

    actor: ActorId
    state: U8


COMMANDS: tuple[type, ...] = (
    SpawnActor,
    DestroyActor,
    ApplyVehicleControl,
    ApplyVehicleAckermannControl,
    ApplyWalkerControl,
    ApplyVehiclePhysicsControl,
    ApplyTransform,
    ApplyWalkerState,
    ApplyTargetVelocity,
    ApplyTargetAngularVelocity,
    ApplyImpulse,
    ApplyForce,
    ApplyAngularImpulse,
    ApplyTorque,
    SetSimulatePhysics,
    SetEnableGravity,
    SetAutopilot,
    ShowDebugTelemetry,
    SetVehicleLightState,
    ApplyLocation,
    ConsoleCommand,
    SetTrafficLightState,
)
"""The batch commands in the order of their variant index."""

_AFTER_LEVELS = 4
"""How deep `then` may nest. A type of finite depth needs no guard against a message that recurses."""


def _command(levels: int, others: tuple[WireType, ...]) -> WireType:
    if levels == 0:
        return boxed(variant(struct(SpawnActor), *others))
    return boxed(variant(struct(SpawnActor, do_after=list_of(_command(levels - 1, others))), *others))


COMMAND = _command(_AFTER_LEVELS, tuple([wire_type(cls) for cls in COMMANDS[1:]]))
"""`carla.command`: any of COMMANDS."""
