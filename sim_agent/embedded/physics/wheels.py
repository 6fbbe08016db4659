"""How far a vehicle's wheels have rolled and how they are turned: what its pictures and its bones show."""

from __future__ import annotations

import math
from typing import NamedTuple

import numba
import numpy as np
import numpy.typing as npt

from sim_agent.embedded.physics.bodies import VEHICLE, Records
from sim_agent.embedded.physics.control import PhysicsControl
from sim_agent.embedded.physics.state import wheel_steer_deg

TELEPORT_M = 5.0
"""What comes farther than this in one step was put there and has not rolled."""

_jit = numba.njit(cache=True, nogil=True, fastmath=False, error_model="numpy", no_cfunc_wrapper=True)


class WheelTurn(NamedTuple):
    """One wheel, in degrees."""

    steer_deg: float
    """Right positive."""
    pitch_deg: float
    """Within a turn; rolling ahead, the top goes forward and the pitch falls."""


@_jit
def roll(bodies: Records, drives: Records, order: npt.NDArray[np.int64]) -> None:
    """Let the wheels of all vehicles, simulated or moved by others, roll as far as they have come along their heading."""
    for slot in order:
        body = bodies[slot]
        if body["kind"] != VEHICLE:
            continue
        car = drives[slot]
        dx, dy = body["x"] - car["seen_x"], body["y"] - car["seen_y"]
        car["seen_x"], car["seen_y"] = body["x"], body["y"]
        ahead = math.cos(body["yaw"]) * dx + math.sin(body["yaw"]) * dy
        if dx * dx + dy * dy < TELEPORT_M * TELEPORT_M:
            car["rolled_m"] += ahead


def turns(car: np.void, control: PhysicsControl) -> tuple[WheelTurn, ...]:
    """Each wheel of a vehicle: front left first, or of a cycle the front one."""
    rolled_m = float(car["rolled_m"])
    # A cycle has the physics of four wheels, as CARLA's have.
    wheels = (control.wheels[0], control.wheels[-1]) if car["cycle"] else control.wheels
    found = []
    for number, wheel in enumerate(wheels):
        angle = -math.degrees(rolled_m / (wheel.radius_cm / 100.0))
        found.append(WheelTurn(wheel_steer_deg(car, number), math.fmod(angle, 360.0) + 0.0))
    return tuple(found)
