"""How bodies move in one substep: engine, gears, tyres and springs of vehicles, steps of walkers, props that slide.

A vehicle is a dynamic bicycle (Rajamani, Vehicle Dynamics and Control, ch. 2) with tyres as in PhysX 3.4's vehicle SDK,
tanh in place of its polynomial, inside a friction circle. Everything that takes energy is solved implicitly, as damping
of the velocities (forward, sideways, yaw) at the end of the substep: the solution is a symmetric positive 3x3 system, so
that it holds for any substep, comes to rest without jitter and rolls along Ackermann's circle at walking pace.
"""

from __future__ import annotations

import math

import numba
import numpy as np
import numpy.typing as npt

from sim_agent.embedded.physics.bodies import PROP, STEERING_CURVE_TOP_KMH, VEHICLE, WALKER, Records
from sim_agent.embedded.pose import Array

GRAVITY_MPS2 = 9.81
SPRING = 20.0
"""rad/s, with 0.8 of critical damping: a car dropped from 0.5 m rests half a second later."""
SPRING_DAMPING = 0.8
BUMP_STOP_M = 0.12
LEAN = 12.0
"""rad/s: how fast load moves between the axles and the body leans."""
STEER_RATE = 5.0
"""Full steer a second at the wheels, as Unreal's input rate when it falls."""
ANTILOCK = 0.95
"""Share of the grip that brakes and engine may use, so that the wheels go on steering."""
FRONT_SIDE_GRIP = 0.9
"""The outer front tyre of a car is overloaded first (its springs carry more of the roll): at the limit it runs wide
instead of spinning, as cars are made to."""
ROLLING = 0.012
STANDING = 0.06
"""Share of the weight that holds a standing car that nobody drives: nobody pushes it away with bare hands."""
EFFICIENCY = 0.9
IDLE, LAUNCH = 0.1, 0.33
"""Shares of the greatest engine speed: at rest, and where the clutch holds it until the wheels have caught up."""
SHIFT_PAUSE_S = 1.0
KICK_DOWN = 0.95
WALKER_PUSH_MPS2 = 6.0
"""450 N of a person of 75 kg against what is in the way."""
WALKER_TURN = 4.0 * math.pi
JUMP_MPS = 4.2
"""JumpZVelocity of Unreal's characters."""
SLIDING = 0.6
"""Friction of props, and of people who fell, on the ground."""
CREEP = 1e-6
"""m/s below which a brake holds like a very stiff damper."""

_jit = numba.njit(cache=True, nogil=True, fastmath=False, error_model="numpy", no_cfunc_wrapper=True)


@_jit
def _lookup(table: Array, share: float) -> float:
    last = len(table) - 1
    place = min(max(share, 0.0), 1.0) * last
    k = min(int(place), last - 1)
    return table[k] + (place - k) * (table[k + 1] - table[k])


@_jit
def _towards(value: float, target: float, step: float) -> float:
    return value + min(max(target - value, -step), step)


@_jit
def _shift(car: np.void, gears: Array, wheel_omega: float, h: float) -> None:
    """Which gear is in: the driver's, or the one whose engine speed suits the throttle."""
    car["since_shift_s"] += h
    car["throttle_slow"] += (car["throttle"] - car["throttle_slow"]) * min(1.0, h)
    if car["switch_left_s"] > 0.0:
        car["switch_left_s"] -= h
        if car["switch_left_s"] > 1e-9:
            return
        car["switch_left_s"] = 0.0
        car["gear"] = car["gear_target"]
        car["since_shift_s"] = 0.0
    most = car["gears"]
    wanted = car["gear"]
    if car["manual"] != 0:
        wanted = min(max(car["gear_asked"], -1), most)
    elif car["reverse"] != 0:
        wanted = -1
    elif wanted < 1:
        wanted = 1
    elif car["autobox"] != 0:
        load = car["throttle_slow"]
        per_ratio = wheel_omega * car["final_ratio"] / car["max_omega"]
        over = per_ratio * gears[wanted - 1, 0] > 1.0
        if over or car["since_shift_s"] >= SHIFT_PAUSE_S:
            while wanted < most:
                top = gears[wanted - 1, 2]
                if per_ratio * gears[wanted - 1, 0] <= top + max(KICK_DOWN - top, 0.0) * load:
                    break
                wanted += 1
            while wanted > 1 and wanted <= car["gear"]:
                bottom = gears[wanted - 1, 1] + 0.2 * load
                top = gears[wanted - 2, 2]
                after = per_ratio * gears[wanted - 2, 0]
                # A lower gear in which it would shift up again at once is none.
                if per_ratio * gears[wanted - 1, 0] >= bottom or after > 0.9 * (top + max(KICK_DOWN - top, 0.0) * load):
                    break
                wanted -= 1
    if wanted == car["gear"]:
        return
    turned = (wanted < 0) != (car["gear"] < 0)
    if turned or car["switch_time_s"] <= 0.0:
        car["gear"] = wanted
        car["since_shift_s"] = 0.0
    else:
        car["gear_target"] = wanted
        car["switch_left_s"] = car["switch_time_s"]


@_jit
def _engine(car: np.void, mass: float, torque: Array, gears: Array, forward_mps: float, h: float) -> float:
    """Force on the road along the vehicle, N: of the engine at this throttle, through the gears; sets rpm."""
    top = car["max_omega"]
    wheel_omega = forward_mps / car["radius"]
    _shift(car, gears, wheel_omega, h)
    gear = car["gear"]
    throttle = car["throttle"]
    idle = IDLE * top
    force = 0.0
    if gear == 0 or car["switch_left_s"] > 0.0:
        omega = idle + throttle * (top - idle) / (1.0 + 0.1 * car["damping_free"] / max(car["engine_inertia"], 1e-3))
    else:
        ratio = -gears[0, 0] if gear < 0 else gears[gear - 1, 0]
        ratio *= car["final_ratio"]
        geared = wheel_omega * ratio
        omega = max(geared, idle + throttle * (LAUNCH - IDLE) * top)
        pull = throttle * _lookup(torque, omega / top) * min(1.0, max(0.0, 1.0 - 50.0 * (geared / top - 1.0)))
        damping = car["damping_zero"] + (car["damping_full"] - car["damping_zero"]) * throttle
        pull -= damping * max(0.0, geared - idle)
        # What turns with the engine has to be sped up as well.
        turning = mass + car["engine_inertia"] * (ratio / car["radius"]) ** 2
        force = pull * EFFICIENCY * ratio / car["radius"] * mass / turning
    car["rpm"] += (omega * 30.0 / math.pi - car["rpm"]) * min(1.0, 10.0 * h)
    return force


@_jit
def _stiffness(value: float, rest_load: float, load: float, stiff_load: float) -> float:
    """Lateral force for each rad of slip, N/rad: PhysX's smooth rise with the load up to `stiff_load` times that at rest."""
    k = 3.0 * load / max(rest_load * stiff_load, 1e-9)
    rise = 1.0 if k >= 3.0 else k * (1.0 - k / 3.0 + k * k / 27.0)
    return value * rest_load * rise


@_jit
def _axle(
    grip: float,
    side_share: float,
    stiffness: float,
    drive: float,
    brake: float,
    hand: float,
    drag: float,
    rolling_mps: float,
    sliding_mps: float,
    ahead_mps: float,
    mobility: float,
) -> tuple[float, float, float]:
    """Drive force N, and damping along and across the wheels N s/m, of both wheels of an axle with `grip` N of friction.

    Across, only `side_share` of what the friction circle leaves is there. `ahead_mps` is the rolling speed at the end of the
    substep if nothing braked, `mobility` the speed that each N of brake takes from it, both axles at work.
    """
    if grip <= 0.0:
        return 0.0, 0.0, 0.0
    if hand > 0.0 and hand + brake >= grip:
        locked = grip / max(math.hypot(rolling_mps, sliding_mps), CREEP)
        return 0.0, locked, locked
    most = ANTILOCK * grip
    pushed = min(max(drive, -most), most)
    held = min(brake + hand, most - abs(pushed))
    rolling = abs(rolling_mps)
    # Damping that, solved implicitly, takes a constant force: dry friction, which stops and holds.
    along = held / max(abs(ahead_mps) - held * mobility, CREEP) + min(drag, most / max(rolling, CREEP))
    used = min(abs(pushed) + (held if rolling > 0.01 else 0.0), most)
    across = side_share * math.sqrt(grip * grip - used * used)
    # Slip is the tangent of the slip angle; a little speed under it keeps the damping finite at rest.
    rigid = stiffness / (rolling + 0.05)
    wanted = rigid * abs(sliding_mps)
    damping = rigid if wanted < 1e-6 * across else across * math.tanh(wanted / across) / abs(sliding_mps)
    return pushed, along, damping


@_jit
def _fall(body: np.void, h: float) -> float:
    """Vertical motion of a vehicle on its springs; returns the load on its wheels, N."""
    pull = GRAVITY_MPS2 if body["gravity"] != 0 else 0.0
    before = body["vz"]
    free = before - h * pull
    above = body["z"] - body["ground"]
    climb = body["slope_x"] * body["vx"] + body["slope_y"] * body["vy"]
    held = 2.0 * SPRING_DAMPING * SPRING * h + SPRING * SPRING * h * h
    sprung = (before - h * SPRING * SPRING * above + held * climb) / (1.0 + held)
    # The springs push only: above the droop that its weight takes out of them the vehicle falls freely.
    after = max(free, sprung) if above < pull / (SPRING * SPRING) else free
    body["vz"] = after
    body["z"] += h * after
    lowest = body["ground"] + h * climb - BUMP_STOP_M
    if body["z"] < lowest:
        body["z"] = lowest
        body["vz"] = max(after, climb)
    return body["mass"] * max((after - before) / h + pull, 0.0)


@_jit
def _lean(car: np.void, ahead: float, right: float, h: float) -> None:
    """The body follows its acceleration as a critically damped pendulum."""
    scale = 1.0 / (1.0 + 2.0 * LEAN * h + LEAN * LEAN * h * h)
    car["lean_x_rate"] = (car["lean_x_rate"] + h * LEAN * LEAN * (ahead - car["lean_x"])) * scale
    car["lean_x"] += h * car["lean_x_rate"]
    car["lean_y_rate"] = (car["lean_y_rate"] + h * LEAN * LEAN * (right - car["lean_y"])) * scale
    car["lean_y"] += h * car["lean_y_rate"]


@_jit
def _move_vehicle(body: np.void, car: np.void, torque: Array, steering: Array, gears: Array, h: float) -> None:
    mass, inertia = body["mass"], body["inertia"]
    cos, sin = math.cos(body["yaw"]), math.sin(body["yaw"])
    u = cos * body["vx"] + sin * body["vy"]
    v = cos * body["vy"] - sin * body["vx"]
    r = body["yaw_rate"]
    front, rear = car["front_x"], car["rear_x"]
    load = _fall(body, h)

    car["steer_now"] = _towards(car["steer_now"], car["steer"], STEER_RATE * h)
    share = _lookup(steering, abs(u) * 3.6 / STEERING_CURVE_TOP_KMH)
    angle = car["steer_now"] * car["max_steer"] * share
    car["wheel_angle"] = angle
    cos_d, sin_d = math.cos(angle), math.sin(angle)

    drive = _engine(car, mass, torque, gears, u, h)
    base = front - rear
    rest_front = -rear / base
    front_share = rest_front - car["centre_height"] * car["lean_x"] / (GRAVITY_MPS2 * base)
    front_share = min(max(front_share, 0.02), 0.98)
    load_front, load_rear = load * front_share, load * (1.0 - front_share)
    zone = car["zone_friction"]
    grip_front = load_front * (car["friction_front"] if zone < 0.0 else zone)
    grip_rear = load_rear * (car["friction_rear"] if zone < 0.0 else zone)
    weight = mass * GRAVITY_MPS2
    resisting = ROLLING
    if car["throttle"] <= 0.0 and abs(u) < 0.1:
        resisting = STANDING
    if car["hand_brake"] != 0:
        hand_front, hand_rear = car["hand_front"], car["hand_rear"]
    else:
        hand_front, hand_rear = 0.0, 0.0

    # What pulls it down a slope; in the air nothing does.
    downhill = GRAVITY_MPS2 * mass if load > 0.0 and body["gravity"] != 0 else 0.0
    steep = 1.0 + body["slope_x"] * body["slope_x"] + body["slope_y"] * body["slope_y"]
    outer_x = body["force_x"] - downhill * body["slope_x"] / steep
    outer_y = body["force_y"] - downhill * body["slope_y"] / steep
    outside_x = cos * outer_x + sin * outer_y
    outside_y = cos * outer_y - sin * outer_x
    most = ANTILOCK * (grip_front + grip_rear)
    gained = h / mass * (min(max(drive, -most), most) + outside_x)
    rolling_f = u * cos_d + (v + front * r) * sin_d
    sliding_f = (v + front * r) * cos_d - u * sin_d
    sliding_r = v + rear * r
    push_f, along_f, across_f = _axle(
        grip_front,
        FRONT_SIDE_GRIP,
        _stiffness(car["stiffness_front"], weight * rest_front, load_front, car["stiff_load_front"]),
        drive * car["front_drive"],
        car["brake"] * car["brake_front"] + resisting * load_front,
        hand_front,
        0.5 * car["wheel_drag"],
        rolling_f,
        sliding_f,
        rolling_f + gained,
        2.0 * h / mass,
    )
    push_r, along_r, across_r = _axle(
        grip_rear,
        1.0,
        _stiffness(car["stiffness_rear"], weight * (1.0 - rest_front), load_rear, car["stiff_load_rear"]),
        drive * (1.0 - car["front_drive"]),
        car["brake"] * car["brake_rear"] + resisting * load_rear,
        hand_rear,
        0.5 * car["wheel_drag"],
        u,
        sliding_r,
        u + gained,
        2.0 * h / mass,
    )

    # (M + h K) q = M q0 + h F with q = (u, v, r); K sums damping times the outer product of each tyre's direction in q.
    air = car["air_drag"] * math.hypot(u, v)
    lever_b, lever_a = front * sin_d, front * cos_d
    k_uu = mass + h * (air + along_f * cos_d * cos_d + across_f * sin_d * sin_d + along_r)
    k_uv = h * (along_f - across_f) * cos_d * sin_d
    k_ur = h * (along_f * cos_d * lever_b - across_f * sin_d * lever_a)
    k_vv = mass + h * (air + along_f * sin_d * sin_d + across_f * cos_d * cos_d + across_r)
    k_vr = h * (along_f * sin_d * lever_b + across_f * cos_d * lever_a + across_r * rear)
    k_rr = inertia + h * (along_f * lever_b * lever_b + across_f * lever_a * lever_a + across_r * rear * rear)
    b_u = mass * u + h * (push_f * cos_d + push_r + outside_x)
    b_v = mass * v + h * (push_f * sin_d + outside_y)
    b_r = inertia * r + h * (push_f * lever_b + body["torque_z"])
    # Cholesky without roots, L D L'.
    l_uv, l_ur = k_uv / k_uu, k_ur / k_uu
    d_v = k_vv - l_uv * k_uv
    l_vr = (k_vr - l_uv * k_ur) / d_v
    d_r = k_rr - l_ur * k_ur - l_vr * l_vr * d_v
    y_v = b_v - l_uv * b_u
    r_new = (b_r - l_ur * b_u - l_vr * y_v) / d_r
    v_new = y_v / d_v - l_vr * r_new
    u_new = b_u / k_uu - l_uv * v_new - l_ur * r_new

    rolling_f = u_new * cos_d + (v_new + front * r_new) * sin_d
    sliding_f = (v_new + front * r_new) * cos_d - u_new * sin_d
    sliding_r = v_new + rear * r_new
    car["load_front"], car["load_rear"] = load_front, load_rear
    car["push_front"], car["push_rear"] = push_f - along_f * rolling_f, push_r - along_r * u_new
    car["side_front"], car["side_rear"] = -across_f * sliding_f, -across_r * sliding_r
    car["slip_front"] = math.atan2(sliding_f, abs(rolling_f) + 0.05)
    car["slip_rear"] = math.atan2(sliding_r, abs(u_new) + 0.05)

    _lean(car, (u_new - u) / h if load > 0.0 else 0.0, (v_new - v) / h if load > 0.0 else 0.0, h)
    body["pitch"], body["pitch_rate"] = car["pitch_gain"] * car["lean_x"], car["pitch_gain"] * car["lean_x_rate"]
    body["roll"], body["roll_rate"] = car["roll_gain"] * car["lean_y"], car["roll_gain"] * car["lean_y_rate"]
    body["pitch"] += math.atan(cos * body["slope_x"] + sin * body["slope_y"])
    body["roll"] -= math.atan(cos * body["slope_y"] - sin * body["slope_x"])

    if body["held"] != 0:
        u_new, v_new = body["hold_x"], body["hold_y"]
    body["vx"] = cos * u_new - sin * v_new
    body["vy"] = sin * u_new + cos * v_new
    body["yaw_rate"] = r_new


@_jit
def _drop(body: np.void, floor_m: float, h: float) -> bool:
    """Vertical motion of what has no springs and stands `floor_m` above the ground; whether it does."""
    if body["gravity"] != 0:
        body["vz"] -= h * GRAVITY_MPS2
    body["vz"] += h * body["force_z"] / body["mass"]
    body["z"] += h * body["vz"]
    floor = floor_m + body["ground"]
    if body["z"] <= floor and body["vz"] <= 0.0:
        body["z"], body["vz"] = floor, 0.0
    return body["z"] <= floor + 1e-6


@_jit
def _rub(body: np.void, h: float) -> None:
    """Friction on the ground of what slides: takes speed and turning away at a constant rate."""
    rate = SLIDING * GRAVITY_MPS2 * h
    speed = math.hypot(body["vx"], body["vy"])
    left = max(0.0, 1.0 - rate / speed) if speed > 0.0 else 0.0
    body["vx"] *= left
    body["vy"] *= left
    body["yaw_rate"] = _towards(body["yaw_rate"], 0.0, 2.0 * rate / max(body["extent_x"] + body["extent_y"], 0.05))


@_jit
def _move_walker(body: np.void, h: float) -> None:
    standing = _drop(body, body["extent_z"] - body["box_z"], h)
    if body["jumps"] != 0 and standing and body["dead"] == 0:
        body["vz"] = JUMP_MPS
    body["jumps"] = 0
    body["vx"] += h * body["force_x"] / body["mass"]
    body["vy"] += h * body["force_y"] / body["mass"]
    if body["knocked"] != 0 or body["dead"] != 0:
        if standing:
            _rub(body, h)
            if math.hypot(body["vx"], body["vy"]) < 0.1:
                body["knocked"] = 0
        return
    ahead, across = body["walk_x"] * body["walk_speed"], body["walk_y"] * body["walk_speed"]
    change = math.hypot(ahead - body["vx"], across - body["vy"])
    limit = WALKER_PUSH_MPS2 * h if body["touching"] != 0 else change
    share = min(1.0, limit / change) if change > 0.0 else 1.0
    body["vx"] += share * (ahead - body["vx"])
    body["vy"] += share * (across - body["vy"])
    body["yaw_rate"] = 0.0
    if math.hypot(ahead, across) > 1e-3:
        aside = math.atan2(across, ahead) - body["yaw"]
        aside -= 2.0 * math.pi * math.floor(aside / (2.0 * math.pi) + 0.5)
        body["yaw_rate"] = min(max(aside / h, -WALKER_TURN), WALKER_TURN)


@_jit
def _move_prop(body: np.void, h: float) -> None:
    body["vx"] += h * body["force_x"] / body["mass"]
    body["vy"] += h * body["force_y"] / body["mass"]
    body["yaw_rate"] += h * body["torque_z"] / body["inertia"]
    if _drop(body, body["extent_z"] - body["box_z"], h):
        _rub(body, h)


@_jit
def advance(
    bodies: Records,
    drives: Records,
    torque: Array,
    steering: Array,
    gears: Array,
    order: npt.NDArray[np.int64],
    h: float,
) -> None:
    """Move every body of `order` by `h` seconds, as if it were alone."""
    for slot in order:
        body = bodies[slot]
        if body["simulated"] == 0 or body["fixed"] != 0 or body["posed"] != 0:
            continue
        kind = body["kind"]
        if kind == VEHICLE:
            body["vz"] += h * body["force_z"] / body["mass"]
            _move_vehicle(body, drives[slot], torque[slot], steering[slot], gears[slot], h)
        elif kind == WALKER:
            _move_walker(body, h)
            # Set again by whoever still stands in its way.
            body["touching"] = 0
        elif kind == PROP:
            _move_prop(body, h)
        if body["held"] != 0:
            if kind != VEHICLE:
                cos, sin = math.cos(body["yaw"]), math.sin(body["yaw"])
                body["vx"] = cos * body["hold_x"] - sin * body["hold_y"]
                body["vy"] = sin * body["hold_x"] + cos * body["hold_y"]
            if body["hold_z"] != 0.0:
                body["z"] += h * (body["hold_z"] - body["vz"])
                body["vz"] = body["hold_z"]
        body["x"] += h * body["vx"]
        body["y"] += h * body["vy"]
        yaw = body["yaw"] + h * body["yaw_rate"]
        body["yaw"] = yaw - 2.0 * math.pi * math.floor(yaw / (2.0 * math.pi) + 0.5)
