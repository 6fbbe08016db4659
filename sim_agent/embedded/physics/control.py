"""What a vehicle is made of: CARLA's VehiclePhysicsControl, plausible numbers for each kind, and what is refused."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

MOST_GEARS = 16


class Wheel(NamedTuple):
    """`carla.WheelPhysicsControl`."""

    tire_friction: float = 1.1
    """Coefficient of friction between tyre and road."""
    damping_rate: float = 0.25
    """Torque that slows the wheel for each rad/s of its turning, N m s."""
    max_steer_angle_deg: float = 0.0
    """What a steer of 1 turns the wheel by; 0: it does not steer."""
    radius_cm: float = 34.0
    max_brake_torque: float = 1500.0
    """N m at a brake of 1."""
    max_handbrake_torque: float = 3000.0
    """N m."""
    lat_stiff_max_load: float = 2.0
    """Multiple of the load at rest from which the lateral stiffness stays as it is (PhysX)."""
    lat_stiff_value: float = 17.0
    """Lateral force for each rad of slip, as a multiple of the load at rest (PhysX)."""
    long_stiff_value: float = 1000.0
    """Kept for the client; the model has no longitudinal slip."""
    position_cm: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """In the vehicle's frame when a vehicle is added, in the world when it is read, as CARLA; ignored when set."""


class Gear(NamedTuple):
    """`carla.GearPhysicsControl`; ratios of engine speed to the most that it may have."""

    ratio: float
    down_ratio: float = 0.25
    up_ratio: float = 0.55


class PhysicsControl(NamedTuple):
    """`carla.VehiclePhysicsControl`."""

    torque_curve: tuple[tuple[float, float], ...]
    """(rpm, N m) at full throttle."""
    max_rpm: float
    moi: float
    """Moment of inertia of the engine, kg m2."""
    damping_rate_full_throttle: float
    """N m s; the same for the next two."""
    damping_rate_zero_throttle_clutch_engaged: float
    damping_rate_zero_throttle_clutch_disengaged: float
    use_gear_autobox: bool
    gear_switch_time_s: float
    clutch_strength: float
    """Kept for the client; the model's clutch slips below a third of `max_rpm`."""
    final_ratio: float
    forward_gears: tuple[Gear, ...]
    mass_kg: float
    drag_coefficient: float
    """Cw; the area is that of the box's front."""
    center_of_mass_m: tuple[float, float, float]
    """Seen from the centre of the vehicle's box."""
    steering_curve: tuple[tuple[float, float], ...]
    """(km/h, share of the steer that reaches the wheels)."""
    wheels: tuple[Wheel, ...]
    """Front left, front right, rear left, rear right; or front, rear."""
    use_sweep_wheel_collision: bool = False
    """Kept for the client; the ground is flat."""


class _Kind(NamedTuple):
    """What the vehicles of one kind have in common."""

    curve: tuple[tuple[float, float], ...]
    """(share of max_rpm, share of the greatest torque)."""
    torque_per_kg: float
    max_rpm: float
    moi: float
    engine_brake: float
    final_ratio: float
    gears: tuple[float, ...]
    switch_s: float
    drag: float
    friction: float
    brake_mps2: float
    """What the brakes alone can do: as Unreal's cars, nearly what the tyres can."""
    radius_m: float
    max_steer_deg: float


_PETROL = ((0.0, 0.55), (0.15, 0.75), (0.35, 1.0), (0.7, 1.0), (0.9, 0.88), (1.0, 0.75))
_DIESEL = ((0.0, 0.6), (0.25, 0.85), (0.4, 1.0), (0.7, 1.0), (0.85, 0.85), (1.0, 0.6))
_LEGS = ((0.0, 1.0), (0.3, 1.0), (0.8, 0.28), (1.0, 0.0))

# Torque over mass gives a car 0 to 100 km/h in 6 to 7 s, a bus in half a minute; the steering angle is that of CARLA's
# cars, on which its Traffic Manager and agents are tuned; friction and drag are textbook figures (Gillespie, 1992).
_KINDS = {
    "car": _Kind(
        _PETROL, 0.20, 6500, 0.15, 0.20, 3.9, (3.6, 2.1, 1.42, 1.08, 0.85, 0.68), 0.2, 0.32, 1.1, 9.2, 0.34, 70
    ),
    "van": _Kind(_DIESEL, 0.16, 4800, 0.25, 0.35, 3.9, (4.0, 2.3, 1.5, 1.1, 0.85, 0.70), 0.3, 0.38, 1.0, 8.6, 0.36, 65),
    "truck": _Kind(
        _DIESEL, 0.12, 2600, 1.5, 1.5, 3.7, (4.6, 3.4, 2.5, 1.9, 1.4, 1.1, 0.95), 0.4, 0.6, 0.85, 7.6, 0.5, 60
    ),
    "bus": _Kind(
        _DIESEL, 0.13, 2600, 1.2, 1.2, 3.7, (4.4, 3.2, 2.3, 1.7, 1.3, 1.05, 0.95), 0.4, 0.6, 0.85, 7.6, 0.5, 60
    ),
    "motorcycle": _Kind(
        _PETROL, 0.22, 11000, 0.02, 0.02, 5.3, (2.7, 1.9, 1.5, 1.25, 1.08, 0.95), 0.15, 0.6, 1.15, 9.2, 0.31, 40
    ),
    "bicycle": _Kind(_LEGS, 1.3, 130, 0.0, 0.0, 1.0, (0.42,), 0.1, 0.9, 0.9, 7.0, 0.34, 45),
}
KINDS = tuple(_KINDS)
CYCLES = ("motorcycle", "bicycle")

_STEERING_CURVE = ((0.0, 1.0), (20.0, 0.9), (60.0, 0.8), (120.0, 0.7))
_FRONT_BRAKE_SHARE = 0.6
_BASE_OF_FULL_STEER_M = 2.2
# Slightly more grip at the rear, as Unreal's wheels: the car understeers, so that it never swings by itself.
_FRONT_STIFFNESS, _REAR_STIFFNESS = 17.0, 20.0


def default_control(
    kind: str,
    extent_m: tuple[float, float, float],
    mass_kg: float,
    wheel_positions_m: Sequence[tuple[float, float, float]] | None = None,
    wheel_radius_m: float | None = None,
) -> PhysicsControl:
    """Plausible physics of a vehicle with a box of half size `extent_m`.

    Cycles have four wheels as well, in pairs, as CARLA's own have. Wheel positions (m, in the vehicle's frame) are
    front left, front right, rear left, rear right or front, rear; without them the axles stand at 0.6 of the half length.
    Raises ValueError for a kind that is not one of `KINDS` or a size or mass that is not positive.
    """
    if kind not in _KINDS:
        raise ValueError(f"There is no vehicle kind {kind!r}; use one of {', '.join(KINDS)}.")
    look = _KINDS[kind]
    for name, value in (("mass_kg", mass_kg), *((f"extent_m[{k}]", extent_m[k]) for k in range(3))):
        _need(name, value, 1e-3, 1e6)
    radius_m = look.radius_m if wheel_radius_m is None else wheel_radius_m
    places = _wheel_places(kind, extent_m, radius_m, wheel_positions_m)
    greatest_torque = look.torque_per_kg * mass_kg
    whole_brake = look.brake_mps2 * mass_kg * radius_m
    grip_torque = look.friction * mass_kg * 9.81 / 4.0 * radius_m
    # On a short wheelbase the same angle turns faster: a small car would answer its driver twice as hard.
    steer_deg = look.max_steer_deg * min(1.0, (places[0][0] - places[-1][0]) / _BASE_OF_FULL_STEER_M)
    if kind in CYCLES:
        steer_deg = look.max_steer_deg
    wheels = tuple(
        Wheel(
            tire_friction=look.friction,
            damping_rate=0.25 * min(1.0, mass_kg / 1500.0),
            max_steer_angle_deg=steer_deg if front else 0.0,
            radius_cm=radius_m * 100.0,
            max_brake_torque=whole_brake * (_FRONT_BRAKE_SHARE if front else 1.0 - _FRONT_BRAKE_SHARE) / 2.0,
            max_handbrake_torque=0.0 if front else 2.0 * grip_torque,
            lat_stiff_value=_FRONT_STIFFNESS if front else _REAR_STIFFNESS,
            position_cm=(place[0] * 100.0, place[1] * 100.0, place[2] * 100.0),
        )
        for front, place in zip((True, True, False, False), places, strict=True)
    )
    return PhysicsControl(
        torque_curve=tuple((share * look.max_rpm, part * greatest_torque) for share, part in look.curve),
        max_rpm=look.max_rpm,
        moi=look.moi,
        damping_rate_full_throttle=look.engine_brake * 0.2,
        damping_rate_zero_throttle_clutch_engaged=look.engine_brake,
        damping_rate_zero_throttle_clutch_disengaged=look.engine_brake * 0.2,
        use_gear_autobox=True,
        gear_switch_time_s=look.switch_s,
        clutch_strength=10.0,
        final_ratio=look.final_ratio,
        forward_gears=tuple(Gear(ratio) for ratio in look.gears),
        mass_kg=float(mass_kg),
        drag_coefficient=look.drag,
        center_of_mass_m=(0.03 * extent_m[0], 0.0, -0.35 * extent_m[2]),
        steering_curve=_STEERING_CURVE,
        wheels=wheels,
    )


def _wheel_places(
    kind: str,
    extent_m: tuple[float, float, float],
    radius_m: float,
    given: Sequence[tuple[float, float, float]] | None,
) -> tuple[tuple[float, float, float], ...]:
    narrow = 0.03 if kind in CYCLES else 0.0
    if given is None:
        axle, side = 0.6 * extent_m[0], narrow or 0.8 * extent_m[1]
        given = ((axle, 0.0, radius_m), (-axle, 0.0, radius_m))
    elif len(given) == 4:
        return tuple(given)
    elif len(given) == 2:
        side = narrow or 0.8 * extent_m[1]
    else:
        raise ValueError(f"wheel_positions_m has {len(given)} places; give 4, or 2 of a cycle.")
    (front_x, _, front_z), (rear_x, _, rear_z) = given
    return (front_x, -side, front_z), (front_x, side, front_z), (rear_x, -side, rear_z), (rear_x, side, rear_z)


def _need(name: str, value: float, low: float, high: float) -> None:
    if not (isinstance(value, (int, float)) and math.isfinite(value) and low <= value <= high):
        raise ValueError(f"{name} is {value!r}; it must be a finite number from {low:g} to {high:g}.")


def _check_curve(name: str, curve: Sequence[tuple[float, float]]) -> None:
    if not curve:
        raise ValueError(f"{name} has no points; give at least one.")
    before = -math.inf
    for k, (x, y) in enumerate(curve):
        _need(f"{name}[{k}].x", x, 0.0, 1e6)
        _need(f"{name}[{k}].y", y, 0.0, 1e6)
        if x < before:
            raise ValueError(f"{name}[{k}].x is {x:g} after {before:g}; put the points in rising order.")
        before = x


_NEEDS = {
    "max_rpm": (1.0, 1e6),
    "moi": (0.0, 1e4),
    "damping_rate_full_throttle": (0.0, 1e4),
    "damping_rate_zero_throttle_clutch_engaged": (0.0, 1e4),
    "damping_rate_zero_throttle_clutch_disengaged": (0.0, 1e4),
    "gear_switch_time_s": (0.0, 60.0),
    "clutch_strength": (0.0, 1e6),
    "final_ratio": (1e-3, 1e3),
    "mass_kg": (1e-3, 1e6),
    "drag_coefficient": (0.0, 1e4),
}
_WHEEL_NEEDS = {
    "tire_friction": (0.0, 1e3),
    "damping_rate": (0.0, 1e4),
    "max_steer_angle_deg": (0.0, 85.0),
    "radius_cm": (1.0, 1e3),
    "max_brake_torque": (0.0, 1e7),
    "max_handbrake_torque": (0.0, 1e7),
    "lat_stiff_max_load": (1e-3, 1e3),
    "lat_stiff_value": (0.0, 1e4),
    "long_stiff_value": (0.0, 1e6),
}


def check_control(control: PhysicsControl) -> None:
    """Raise ValueError, with the field's name, for anything that the model could not compute with."""
    for name, (low, high) in _NEEDS.items():
        _need(name, getattr(control, name), low, high)
    _check_curve("torque_curve", control.torque_curve)
    _check_curve("steering_curve", control.steering_curve)
    if not 1 <= len(control.forward_gears) <= MOST_GEARS:
        raise ValueError(f"forward_gears has {len(control.forward_gears)} gears; give 1 to {MOST_GEARS}.")
    for k, gear in enumerate(control.forward_gears):
        _need(f"forward_gears[{k}].ratio", gear.ratio, 1e-3, 1e3)
        _need(f"forward_gears[{k}].down_ratio", gear.down_ratio, 0.0, 1e3)
        _need(f"forward_gears[{k}].up_ratio", gear.up_ratio, 0.0, 1e3)
    for k in range(3):
        _need(f"center_of_mass_m[{k}]", control.center_of_mass_m[k], -100.0, 100.0)
    if len(control.wheels) < 2 or len(control.wheels) % 2:
        raise ValueError(f"wheels has {len(control.wheels)} wheels; give an even number, at least 2.")
    for k, wheel in enumerate(control.wheels):
        for name, (low, high) in _WHEEL_NEEDS.items():
            _need(f"wheels[{k}].{name}", getattr(wheel, name), low, high)
        for axis in range(3):
            _need(f"wheels[{k}].position_cm[{axis}]", wheel.position_cm[axis], -1e9, 1e9)


def axles(wheels: Sequence[Wheel]) -> tuple[Sequence[Wheel], Sequence[Wheel]]:
    """The front wheels and the others: one and one of two, else the first two and the rest."""
    front = 1 if len(wheels) == 2 else 2
    return wheels[:front], wheels[front:]
