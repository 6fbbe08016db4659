"""Physics of the embedded simulator: vehicles, walkers and props on flat ground, and what they bump into."""

from sim_agent.embedded.physics.ackermann import AckermannSettings
from sim_agent.embedded.physics.control import KINDS, Gear, PhysicsControl, Wheel, check_control, default_control
from sim_agent.embedded.physics.dynamics import Contact, Dynamics, warm_up
from sim_agent.embedded.physics.motion import GRAVITY_MPS2
from sim_agent.embedded.physics.state import (
    BodyState,
    BodyStates,
    Telemetry,
    VehicleControl,
    WalkerControl,
    WheelTelemetry,
)

__all__ = [
    "GRAVITY_MPS2",
    "KINDS",
    "AckermannSettings",
    "BodyState",
    "BodyStates",
    "Contact",
    "Dynamics",
    "Gear",
    "PhysicsControl",
    "Telemetry",
    "VehicleControl",
    "WalkerControl",
    "Wheel",
    "WheelTelemetry",
    "check_control",
    "default_control",
    "warm_up",
]
