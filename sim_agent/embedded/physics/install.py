"""Turns what a client says of a vehicle (PhysicsControl, a pose) into the numbers that the kernels compute with."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from sim_agent.embedded.physics.bodies import CURVE_SAMPLES, STEERING_CURVE_TOP_KMH, BodyTable, Records
from sim_agent.embedded.physics.control import PhysicsControl, axles
from sim_agent.embedded.physics.state import pose_of

AIR_KGPM3 = 1.2
FRONT_FILL = 0.85
"""Share of the front rectangle of the box that a vehicle fills."""
YAW_RADIUS = 0.95
"""Square of the radius of gyration over the product of the axles' distances from the centre of mass: about 1 of cars."""
PITCH_RAD_PER_MPS2, ROLL_RAD_PER_MPS2 = 0.0035, -0.006
"""Nose up when it gathers speed, out of the bend: 2 and 3.4 degrees at 1 g."""
CYCLE_ROLL_RAD_PER_MPS2 = 0.09
"""Into the bend, so that the tilt balances the pull."""
SHORTEST_BASE_M = 0.2


def put(body: np.void, place: Sequence[float]) -> None:
    """Set where an actor's origin is: x, y, z in metres, pitch, yaw, roll in degrees."""
    x, y, z, pitch, yaw, roll = place
    turn = math.radians((yaw + 180.0) % 360.0 - 180.0)
    cos, sin = math.cos(turn), math.sin(turn)
    body["x"] = x - cos * body["origin_x"] + sin * body["origin_y"]
    body["y"] = y - sin * body["origin_x"] - cos * body["origin_y"]
    body["z"], body["yaw"] = z, turn
    body["pitch"], body["roll"] = math.radians(pitch), math.radians(roll)


def put_all(bodies: Records, slots: np.ndarray, motions: np.ndarray) -> None:
    """Set how the bodies of (N,) slots move: rows of (N, 15) as `Dynamics.carry` has them."""
    x, y, z, pitch, yaw, roll, vx, vy, vz, about_x, about_y, about_z, ax, ay, az = motions.T
    turn = np.radians((yaw + 180.0) % 360.0 - 180.0)
    cos, sin = np.cos(turn), np.sin(turn)
    origin_x, origin_y = bodies["origin_x"][slots], bodies["origin_y"][slots]
    values = {
        "x": x - cos * origin_x + sin * origin_y,
        "y": y - sin * origin_x - cos * origin_y,
        "z": z,
        "pitch": np.radians(pitch),
        "yaw": turn,
        "roll": np.radians(roll),
        "roll_rate": -np.radians(cos * about_x + sin * about_y),
        "pitch_rate": -np.radians(cos * about_y - sin * about_x),
        "yaw_rate": np.radians(about_z),
        "posed": 1,
        "knocked": 0,
    }
    values.update({"vx": vx, "vy": vy, "vz": vz, "ax": ax, "ay": ay, "az": az})
    for name, value in values.items():
        bodies[name][slots] = value


def axle_places_m(control: PhysicsControl) -> tuple[float, float]:
    """Where the front and the rear axle are along the vehicle. Raises ValueError if the front one is not in front."""
    front, rear = (sum(wheel.position_cm[0] for wheel in axle) / len(axle) / 100.0 for axle in axles(control.wheels))
    if front - rear < SHORTEST_BASE_M:
        raise ValueError(
            f"The front axle is at {front:g} m and the rear one at {rear:g} m; put the front wheels first, "
            f"at least {SHORTEST_BASE_M:g} m ahead of the others, in centimetres."
        )
    return front, rear


def install(table: BodyTable, slot: int, control: PhysicsControl) -> None:
    """Set mass, axles, tyres, brakes, engine and gears of the vehicle in a slot; its origin stays where it is."""
    body, car = table.bodies[slot], table.drives[slot]
    where = pose_of(body)
    box_x, box_y = float(body["box_x"] - body["origin_x"]), float(body["box_y"] - body["origin_y"])
    front_m, rear_m = axle_places_m(control)
    base = front_m - rear_m
    # Tyres that had to pull up would be needed for a centre of mass outside of the axles.
    centre = min(max(box_x + control.center_of_mass_m[0], rear_m + 0.05 * base), front_m - 0.05 * base)
    body["origin_x"], body["origin_y"] = -centre, -box_y
    body["box_x"], body["box_y"] = box_x - centre, 0.0
    put(body, where)
    car["front_x"], car["rear_x"] = front_m - centre, rear_m - centre
    body["mass"] = control.mass_kg
    body["inertia"] = YAW_RADIUS * control.mass_kg * (front_m - centre) * (centre - rear_m)
    car["centre_height"] = max(float(body["box_z"]) + control.center_of_mass_m[2], 0.05)
    car["half_track"] = abs(control.wheels[1].position_cm[1] - control.wheels[0].position_cm[1]) / 200.0
    area = 4.0 * float(body["extent_y"]) * float(body["extent_z"]) * FRONT_FILL
    car["air_drag"] = 0.5 * AIR_KGPM3 * control.drag_coefficient * area
    cycle = bool(car["cycle"])
    car["pitch_gain"] = 0.0 if cycle else PITCH_RAD_PER_MPS2
    car["roll_gain"] = CYCLE_ROLL_RAD_PER_MPS2 if cycle else ROLL_RAD_PER_MPS2

    for name, axle in zip(("front", "rear"), axles(control.wheels), strict=True):
        count = len(axle)
        car[f"friction_{name}"] = sum(wheel.tire_friction for wheel in axle) / count
        car[f"stiffness_{name}"] = sum(wheel.lat_stiff_value for wheel in axle) / count
        car[f"stiff_load_{name}"] = sum(wheel.lat_stiff_max_load for wheel in axle) / count
        car[f"brake_{name}"] = sum(wheel.max_brake_torque / (wheel.radius_cm / 100.0) for wheel in axle)
        car[f"hand_{name}"] = sum(wheel.max_handbrake_torque / (wheel.radius_cm / 100.0) for wheel in axle)
    car["radius"] = sum(wheel.radius_cm for wheel in control.wheels) / len(control.wheels) / 100.0
    car["wheel_drag"] = sum(wheel.damping_rate / (wheel.radius_cm / 100.0) ** 2 for wheel in control.wheels)
    front_wheels, _ = axles(control.wheels)
    car["max_steer"] = math.radians(max(wheel.max_steer_angle_deg for wheel in front_wheels))

    car["max_omega"] = control.max_rpm * math.pi / 30.0
    car["engine_inertia"] = control.moi
    car["damping_full"] = control.damping_rate_full_throttle
    car["damping_zero"] = control.damping_rate_zero_throttle_clutch_engaged
    car["damping_free"] = control.damping_rate_zero_throttle_clutch_disengaged
    car["final_ratio"] = control.final_ratio
    car["switch_time_s"] = control.gear_switch_time_s
    car["autobox"] = control.use_gear_autobox
    car["gears"] = len(control.forward_gears)
    car["gear"] = min(int(car["gear"]), len(control.forward_gears))
    car["gear_target"] = min(int(car["gear_target"]), len(control.forward_gears))
    table.gears[slot] = 0.0
    for k, gear in enumerate(control.forward_gears):
        table.gears[slot, k] = gear.ratio, gear.down_ratio, gear.up_ratio
    table.torque[slot] = _sampled(control.torque_curve, control.max_rpm)
    table.steering[slot] = _sampled(control.steering_curve, STEERING_CURVE_TOP_KMH)


def _sampled(curve: Sequence[tuple[float, float]], top: float) -> np.ndarray:
    at = np.linspace(0.0, top, CURVE_SAMPLES)
    return np.interp(at, [x for x, _ in curve], [y for _, y in curve])
