"""Physics of the embedded simulator: vehicles, walkers and props on the ground, and what they bump into."""

from sim_agent.embedded.physics.ackermann import AckermannSettings
from sim_agent.embedded.physics.control import KINDS, Gear, PhysicsControl, Wheel, check_control, default_control
from sim_agent.embedded.physics.dynamics import Contact, Dynamics, warm_up
from sim_agent.embedded.physics.height_field import HeightField
from sim_agent.embedded.physics.motion import GRAVITY_MPS2
from sim_agent.embedded.physics.state import (
    BodyState,
    BodyStates,
    Telemetry,
    VehicleControl,
    WalkerControl,
    WheelTelemetry,
)
from sim_agent.embedded.physics.wheels import WheelTurn

__all__ = [
    "GRAVITY_MPS2",
    "KINDS",
    "AckermannSettings",
    "BodyState",
    "BodyStates",
    "Contact",
    "Dynamics",
    "Gear",
    "HeightField",
    "PhysicsControl",
    "Telemetry",
    "VehicleControl",
    "WalkerControl",
    "Wheel",
    "WheelTelemetry",
    "WheelTurn",
    "check_control",
    "default_control",
    "warm_up",
]
