"""What the physics tells of its bodies: pose and motion of one or all, the controls applied, a vehicle's telemetry."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from sim_agent.embedded.physics.bodies import MOTION_COLUMNS, ORIGIN_COLUMNS, VEHICLE, WALKER, BodyTable
from sim_agent.embedded.physics.control import PhysicsControl, axles
from sim_agent.embedded.physics.motion import GRAVITY_MPS2
from sim_agent.embedded.pose import Array, Pose

Vector = tuple[float, float, float]


class VehicleControl(NamedTuple):
    """`carla.VehicleControl`; as a state, `gear` is the gear that is in."""

    throttle: float = 0.0
    steer: float = 0.0
    brake: float = 0.0
    hand_brake: bool = False
    reverse: bool = False
    manual_gear_shift: bool = False
    gear: int = 0


class WalkerControl(NamedTuple):
    """`carla.WalkerControl`."""

    direction: Vector = (1.0, 0.0, 0.0)
    speed: float = 0.0
    jump: bool = False


class BodyState(NamedTuple):
    """One body after the last step, in the world's axes."""

    pose: Pose
    velocity_mps: Vector
    """Of the centre of mass."""
    angular_velocity_degps: Vector
    """About x, y, z as Unreal counts: a growing pitch is a negative y, a growing roll a negative x."""
    acceleration_mps2: Vector
    """Mean of the last step."""
    control: VehicleControl | WalkerControl | None
    """What was applied; None of a prop."""


class BodyStates(NamedTuple):
    """All bodies in the order of their ids."""

    ids: npt.NDArray[np.int64]
    """(N,)"""
    motions: Array
    """(N, 15) as `Dynamics.carry` takes them: x, y, z in m, pitch, yaw, roll in degrees, then velocity, angular velocity
    and acceleration as in `BodyState`."""
    gears: npt.NDArray[np.int64]
    """(N,) the gear that is in; 0 of what has none."""


class WheelTelemetry(NamedTuple):
    """`carla.WheelTelemetryData`: rad, rad/s, N, N m; normalised by the load at rest."""

    tire_friction: float
    lat_slip: float
    long_slip: float
    omega: float
    tire_load: float
    normalized_tire_load: float
    torque: float
    long_force: float
    lat_force: float
    normalized_long_force: float
    normalized_lat_force: float


class Telemetry(NamedTuple):
    """`carla.VehicleTelemetryData`: m/s, rpm, and the drag of the air in N."""

    speed: float
    steer: float
    throttle: float
    brake: float
    engine_rpm: float
    gear: int
    drag: float
    wheels: tuple[WheelTelemetry, ...]


def states(table: BodyTable) -> BodyStates:
    """All bodies at once."""
    floats = table.floats()
    motions = floats[:, MOTION_COLUMNS]
    cos, sin = np.cos(motions[:, 4]), np.sin(motions[:, 4])
    along, across = floats[:, ORIGIN_COLUMNS].T
    motions[:, 0] += cos * along - sin * across
    motions[:, 1] += sin * along + cos * across
    motions[:, 3:6] *= 180.0 / math.pi
    motions[:, 9:12] *= 180.0 / math.pi
    about_x, about_y = -motions[:, 9], -motions[:, 10]
    motions[:, 9] = cos * about_x - sin * about_y
    motions[:, 10] = sin * about_x + cos * about_y
    return BodyStates(table.bodies["actor"][table.order], motions, table.drives["gear"][table.order])


def state(table: BodyTable, slot: int) -> BodyState:
    """The body in one slot."""
    body = table.bodies[slot]
    yaw = float(body["yaw"])
    cos, sin = math.cos(yaw), math.sin(yaw)
    about_x, about_y = -math.degrees(body["roll_rate"]), -math.degrees(body["pitch_rate"])
    return BodyState(
        pose=pose_of(body),
        velocity_mps=(float(body["vx"]), float(body["vy"]), float(body["vz"])),
        angular_velocity_degps=(
            cos * about_x - sin * about_y,
            sin * about_x + cos * about_y,
            math.degrees(body["yaw_rate"]),
        ),
        acceleration_mps2=(float(body["ax"]), float(body["ay"]), float(body["az"])),
        control=_control(table, slot),
    )


def pose_of(body: np.void) -> Pose:
    """Where the actor's origin is."""
    yaw = float(body["yaw"])
    cos, sin = math.cos(yaw), math.sin(yaw)
    return Pose(
        float(body["x"]) + cos * float(body["origin_x"]) - sin * float(body["origin_y"]),
        float(body["y"]) + sin * float(body["origin_x"]) + cos * float(body["origin_y"]),
        float(body["z"]),
        math.degrees(body["pitch"]),
        math.degrees(yaw),
        math.degrees(body["roll"]),
    )


def _control(table: BodyTable, slot: int) -> VehicleControl | WalkerControl | None:
    body = table.bodies[slot]
    if body["kind"] == WALKER:
        direction = (float(body["walk_x"]), float(body["walk_y"]), 0.0)
        return WalkerControl(direction, float(body["walk_speed"]), bool(body["jumps"]))
    if body["kind"] != VEHICLE:
        return None
    car = table.drives[slot]
    return VehicleControl(
        float(car["throttle"]),
        float(car["steer"]),
        float(car["brake"]),
        bool(car["hand_brake"]),
        bool(car["reverse"]),
        bool(car["manual"]),
        int(car["gear"]),
    )


def forward_speed(body: np.void) -> float:
    """Along the body's own x, m/s; backwards is negative."""
    return float(math.cos(body["yaw"]) * body["vx"] + math.sin(body["yaw"]) * body["vy"])


def wheel_steer_deg(car: np.void, wheel: int) -> float:
    """Angle of a wheel, right positive, so that all wheels of a car roll about one centre (Ackermann)."""
    if wheel not in ((0, 1) if car["cycle"] else (0, 1, 2, 3)):
        raise ValueError(f"There is no wheel {wheel}; a car has 0 to 3 (front left first), a cycle 0 and 1.")
    angle = float(car["wheel_angle"])
    if wheel > 1 or (car["cycle"] and wheel == 1):
        return 0.0
    if car["cycle"] or abs(angle) < 1e-9:
        return math.degrees(angle)
    base = float(car["front_x"] - car["rear_x"])
    radius = base / math.tan(angle) + (float(car["half_track"]) if wheel == 0 else -float(car["half_track"]))
    # Beyond a right angle for the inner wheel when the centre of the turn lies within the track.
    return math.degrees(math.atan2(base * math.copysign(1.0, angle), radius * math.copysign(1.0, angle)))


def telemetry(body: np.void, car: np.void, control: PhysicsControl) -> Telemetry:
    """What the tyres and the engine do; an axle's forces are shared evenly by its wheels."""
    speed = forward_speed(body)
    weight = float(body["mass"]) * GRAVITY_MPS2
    base = float(car["front_x"] - car["rear_x"])
    rest = (-float(car["rear_x"]) / base, float(car["front_x"]) / base)
    zone = float(car["zone_friction"])
    wheels = []
    for axle, name, rest_share in zip(axles(control.wheels), ("front", "rear"), rest, strict=True):
        for wheel in axle:
            count = len(axle)
            load, push, side = (float(car[f"{part}_{name}"]) / count for part in ("load", "push", "side"))
            normal = max(weight * rest_share / count, 1e-9)
            wheels.append(
                WheelTelemetry(
                    tire_friction=wheel.tire_friction if zone < 0.0 else zone,
                    lat_slip=float(car[f"slip_{name}"]),
                    long_slip=0.0,
                    omega=speed / (wheel.radius_cm / 100.0),
                    tire_load=load,
                    normalized_tire_load=load / normal,
                    torque=push * wheel.radius_cm / 100.0,
                    long_force=push,
                    lat_force=side,
                    normalized_long_force=push / normal,
                    normalized_lat_force=side / normal,
                )
            )
    return Telemetry(
        speed=speed,
        steer=float(car["steer"]),
        throttle=float(car["throttle"]),
        brake=float(car["brake"]),
        engine_rpm=float(car["rpm"]),
        gear=int(car["gear"]),
        drag=float(car["air_drag"]) * speed * abs(speed),
        wheels=tuple(wheels),
    )
