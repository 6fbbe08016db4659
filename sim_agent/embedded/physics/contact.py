"""Who touches whom: candidate pairs once a step, overlaps and impulses between boxes each substep.

Boxes stand upright and turn about the vertical only. Overlap is found by separating axes, the touching corners by
clipping (Ericson, Real-Time Collision Detection, 4.4.1), impulses by projected Gauss-Seidel with accumulated impulses
(Catto, Iterative Dynamics with Temporal Coherence, 2005). Overlap is moved out of places, never turned into speed.
"""

from __future__ import annotations

import math

import numba
import numpy as np
import numpy.typing as npt

from sim_agent.embedded.physics.bodies import VEHICLE, WALKER, Records
from sim_agent.embedded.pose import Array

Integers = npt.NDArray[np.int64]

RESTITUTION = 0.1
BOUNCE_MPS = 1.0
"""Slower impacts do not bounce, so that what leans on a wall comes to rest."""
FRICTION = 0.3
TOUCH_M = 0.01
"""Gap below which two boxes count as touching; what closes it within a substep is stopped at the surface."""
SLOP_M = 0.004
CORRECTION = 0.3
MOST_CORRECTION_MPS = 2.0
HEAVIER = 5.0
LEAST_HEIGHT_M = 0.02
"""Boxes that overlap less in height pass over each other."""
ITERATIONS = 8
KNOCK_MPS = 1.0
"""A vehicle that comes at a walker faster than this knocks it over."""
WORST_MARGIN_M = 3.0

FREE_PLACE, STATIC_WORLD = -1, -2

_jit = numba.njit(cache=True, nogil=True, fastmath=False, error_model="numpy", no_cfunc_wrapper=True)


@_jit
def _footprint(body: np.void) -> tuple[float, float, float, float, float, float, float, float]:
    cos, sin = math.cos(body["yaw"]), math.sin(body["yaw"])
    return (
        body["x"] + cos * body["box_x"] - sin * body["box_y"],
        body["y"] + sin * body["box_x"] + cos * body["box_y"],
        body["z"] + body["box_z"],
        cos,
        sin,
        body["extent_x"],
        body["extent_y"],
        body["extent_z"],
    )


@_jit
def _gap(a: Array, b: Array) -> tuple[float, float, float, int]:
    """Greatest separation over the four axes (negative: overlap), its direction from a to b, and whose axis it is."""
    dx, dy = b[0] - a[0], b[1] - a[1]
    c = a[3] * b[3] + a[4] * b[4]
    s = a[3] * b[4] - a[4] * b[3]
    c_, s_ = abs(c), abs(s)
    best, nx, ny, owner = -1e30, 1.0, 0.0, 0
    for axis in range(4):
        if axis == 0:
            ux, uy, reach = a[3], a[4], a[5] + c_ * b[5] + s_ * b[6]
        elif axis == 1:
            ux, uy, reach = -a[4], a[3], a[6] + s_ * b[5] + c_ * b[6]
        elif axis == 2:
            ux, uy, reach = b[3], b[4], b[5] + c_ * a[5] + s_ * a[6]
        else:
            ux, uy, reach = -b[4], b[3], b[6] + s_ * a[5] + c_ * a[6]
        along = dx * ux + dy * uy
        gap = abs(along) - reach
        # A little better does not count: the direction must not flicker between parallel faces.
        if gap > best + 1e-4:
            sign = 1.0 if along >= 0.0 else -1.0
            best, nx, ny, owner = gap, sign * ux, sign * uy, 0 if axis < 2 else 1
    return best, nx, ny, owner


@_jit
def _corners(a: Array, b: Array, nx: float, ny: float, owner: int, points: Array) -> int:
    """Where the boxes touch: rows (x, y, gap) of `points`, at most two; n points from a to b."""
    if owner == 0:
        ref, other, rx, ry = a, b, nx, ny
    else:
        ref, other, rx, ry = b, a, -nx, -ny
    # The face of the other box that looks back the most.
    along_0 = rx * other[3] + ry * other[4]
    along_1 = -rx * other[4] + ry * other[3]
    if abs(along_0) > abs(along_1):
        sign = -1.0 if along_0 > 0.0 else 1.0
        mx, my = other[0] + sign * other[5] * other[3], other[1] + sign * other[5] * other[4]
        ex, ey = -other[4] * other[6], other[3] * other[6]
    else:
        sign = -1.0 if along_1 > 0.0 else 1.0
        mx, my = other[0] - sign * other[6] * other[4], other[1] + sign * other[6] * other[3]
        ex, ey = other[3] * other[5], other[4] * other[5]
    ahead = abs(rx * ref[3] + ry * ref[4]) > abs(-rx * ref[4] + ry * ref[3])
    reach, width = (ref[5], ref[6]) if ahead else (ref[6], ref[5])
    tx, ty = -ry, rx
    middle = (mx - ref[0]) * tx + (my - ref[1]) * ty
    slope = ex * tx + ey * ty
    low, high = -1.0, 1.0
    if abs(slope) > 1e-12:
        one, two = (-width - middle) / slope, (width - middle) / slope
        low, high = max(low, min(one, two)), min(high, max(one, two))
    elif abs(middle) > width:
        return 0
    n = 0
    if low > high:
        return 0
    for k in range(2):
        at = low if k == 0 else high
        x, y = mx + at * ex, my + at * ey
        gap = (x - ref[0]) * rx + (y - ref[1]) * ry - reach
        if gap < TOUCH_M and (k == 0 or high - low > 1e-9):
            points[n, 0], points[n, 1], points[n, 2] = x, y, gap
            n += 1
    return n


@_jit
def _fill(row: Array, body: np.void) -> None:
    x, y, z, cos, sin, ex, ey, ez = _footprint(body)
    row[0], row[1], row[2], row[3], row[4], row[5], row[6], row[7] = x, y, z, cos, sin, ex, ey, ez


@_jit
def _moves(body: np.void) -> bool:
    # A walker that somebody else poses is still hit as a person, not as a post.
    return body["fixed"] == 0 and (body["simulated"] != 0 or body["kind"] == WALKER)


@_jit
def find_pairs(
    bodies: Records,
    order: Integers,
    dt: float,
    boxes: Array,
    frame: Array,
    first: Integers,
    starts: Integers,
    items: Integers,
    pairs: Integers,
) -> int:
    """Fill `pairs` (P, 2) with who may touch within `dt`: two slots, or a slot and -1 - static; in the order of ids.

    Returns how many there are; if that is more than fit, give a longer array and call again.
    """
    fastest = 0.0
    for slot in order:
        fastest = max(fastest, math.hypot(bodies[slot]["vx"], bodies[slot]["vy"]))
    margin = 0.2 + 2.0 * fastest * dt
    rows = np.empty((len(order), 8))
    radii = np.empty(len(order))
    for k in range(len(order)):
        body = bodies[order[k]]
        _fill(rows[k], body)
        radii[k] = math.hypot(body["extent_x"], body["extent_y"]) if body["collides"] != 0 else -1.0
    count = 0
    for i in range(len(order)):
        radius = radii[i]
        if radius < 0.0:
            continue
        one = bodies[order[i]]
        moves = _moves(one)
        for j in range(i + 1, len(order)):
            apart = radius + radii[j] + margin
            dx, dy = rows[j, 0] - rows[i, 0], rows[j, 1] - rows[i, 1]
            if radii[j] >= 0.0 and dx * dx + dy * dy < apart * apart and (moves or _moves(bodies[order[j]])):
                if count < len(pairs):
                    pairs[count, 0], pairs[count, 1] = order[i], order[j]
                count += 1
        if not moves or len(boxes) == 0:
            continue
        reach = radius + 0.2 + math.hypot(one["vx"], one["vy"]) * dt * 1.5 + 0.5 * min(fastest * dt, WORST_MARGIN_M)
        columns, lines = int(frame[3]), int(frame[4])
        left = max(int(math.floor((rows[i, 0] - reach - frame[0]) / frame[2])), 0)
        right = min(int(math.floor((rows[i, 0] + reach - frame[0]) / frame[2])), columns - 1)
        top = max(int(math.floor((rows[i, 1] - reach - frame[1]) / frame[2])), 0)
        bottom = min(int(math.floor((rows[i, 1] + reach - frame[1]) / frame[2])), lines - 1)
        for line in range(top, bottom + 1):
            for column in range(left, right + 1):
                cell = line * columns + column
                for n in range(starts[cell], starts[cell + 1]):
                    k = items[n]
                    # A box in several cells counts in the first of them that is looked at.
                    if column != max(first[k, 0], left) or line != max(first[k, 1], top):
                        continue
                    if abs(boxes[k, 2] - rows[i, 2]) > boxes[k, 7] + rows[i, 7] + 1.0:
                        continue
                    dx, dy = boxes[k, 0] - rows[i, 0], boxes[k, 1] - rows[i, 1]
                    ahead = abs(dx * boxes[k, 3] + dy * boxes[k, 4])
                    aside = abs(dy * boxes[k, 3] - dx * boxes[k, 4])
                    if ahead < boxes[k, 5] + reach and aside < boxes[k, 6] + reach:
                        if count < len(pairs):
                            pairs[count, 0], pairs[count, 1] = order[i], -1 - k
                        count += 1
    return count


@_jit
def _kick(body: np.void, lever_x: float, lever_y: float, jx: float, jy: float, w_mass: float, w_turn: float) -> None:
    body["vx"] += w_mass * jx
    body["vy"] += w_mass * jy
    body["yaw_rate"] += w_turn * (lever_x * jy - lever_y * jx)


@_jit
def _closing(one: np.void, two: np.void, lever: Array, alone: bool, ux: float, uy: float) -> float:
    """Speed along u with which the points of contact of two bodies, or of one and the world, come together."""
    speed = (one["vx"] - one["yaw_rate"] * lever[1]) * ux + (one["vy"] + one["yaw_rate"] * lever[0]) * uy
    if not alone:
        speed -= (two["vx"] - two["yaw_rate"] * lever[3]) * ux + (two["vy"] + two["yaw_rate"] * lever[2]) * uy
    return speed


@_jit
def _knock(walker: np.void, vehicle: np.void, at_x: float, at_y: float, nx: float, ny: float) -> None:
    """A walker falls if the vehicle itself comes at it; n points from the vehicle to the walker."""
    if walker["kind"] == WALKER and vehicle["kind"] == VEHICLE:
        vx = vehicle["vx"] - vehicle["yaw_rate"] * (at_y - vehicle["y"])
        vy = vehicle["vy"] + vehicle["yaw_rate"] * (at_x - vehicle["x"])
        if vx * nx + vy * ny > KNOCK_MPS:
            walker["knocked"] = 1


@_jit
def _press(old: Array, k_11: float, k_12: float, k_22: float, b_1: float, b_2: float) -> tuple[float, float]:
    """Both normal impulses of two boxes face to face at once (Catto's block solver): K x = b where x is not negative.

    One after the other they would turn the boxes for a moment, and friction would keep some of that.
    """
    b_1 += k_11 * old[0] + k_12 * old[1]
    b_2 += k_12 * old[0] + k_22 * old[1]
    whole = k_11 * k_22 - k_12 * k_12
    if whole > 1e-9 * k_11 * k_22:
        x_1, x_2 = (k_22 * b_1 - k_12 * b_2) / whole, (k_11 * b_2 - k_12 * b_1) / whole
        if x_1 >= 0.0 and x_2 >= 0.0:
            return x_1, x_2
    x_1, x_2 = b_1 / k_11, b_2 / k_22
    if x_1 >= 0.0 and k_12 * x_1 >= b_2:
        return x_1, 0.0
    if x_2 >= 0.0 and k_12 * x_2 >= b_1:
        return 0.0, x_2
    return 0.0, 0.0


@_jit
def resolve(bodies: Records, boxes: Array, pairs: Integers, count: int, h: float, hits: Array) -> None:
    """Impulses and corrections for the first `count` of `pairs`; adds to `hits` (P, 6): touches, N s on the first, point.

    The last three columns are the point of contact of the last substep.
    """
    a, b = np.empty(8), np.empty(8)
    found = np.empty((2, 3))
    of_pair = np.empty(count, np.int64)
    points = np.empty(count, np.int64)
    normal = np.empty((count, 2))
    weights = np.empty((count, 4))
    depth = np.empty(count)
    levers = np.empty((count, 2, 4))
    goals = np.empty((count, 2))
    pressed = np.zeros((count, 2))
    rubbed = np.zeros((count, 2))
    touching = 0
    for p in range(count):
        alone = pairs[p, 1] < 0
        one = bodies[pairs[p, 0]]
        two = one if alone else bodies[pairs[p, 1]]
        _fill(a, one)
        if alone:
            for column in range(8):
                b[column] = boxes[-1 - pairs[p, 1], column]
        else:
            _fill(b, two)
        top, bottom = min(a[2] + a[7], b[2] + b[7]), max(a[2] - a[7], b[2] - b[7])
        if top - bottom < LEAST_HEIGHT_M:
            continue
        gap, nx, ny, owner = _gap(a, b)
        if gap >= TOUCH_M:
            continue
        n = _corners(a, b, nx, ny, owner, found)
        if n == 0:
            continue
        m = touching
        touching += 1
        of_pair[m], points[m] = p, n
        normal[m, 0], normal[m, 1] = nx, ny
        moves_one, moves_two = _moves(one), not alone and _moves(two)
        weights[m, 0] = 1.0 / one["mass"] if moves_one else 0.0
        weights[m, 1] = 1.0 / one["inertia"] if moves_one else 0.0
        weights[m, 2] = 1.0 / two["mass"] if moves_two else 0.0
        weights[m, 3] = 1.0 / two["inertia"] if moves_two else 0.0
        depth[m] = 0.0
        # People do not bounce; one who walks against a car would knock at it for ever.
        bounce = 0.0 if one["kind"] == WALKER or two["kind"] == WALKER else RESTITUTION
        hits[p, 0] += 1.0
        hits[p, 3], hits[p, 4], hits[p, 5] = 0.0, 0.0, 0.5 * (top + bottom)
        for k in range(n):
            x, y = found[k, 0], found[k, 1]
            lever = levers[m, k]
            lever[0], lever[1] = x - one["x"], y - one["y"]
            lever[2], lever[3] = x - two["x"], y - two["y"]
            closing = _closing(one, two, lever, alone, nx, ny)
            # The closing speed that is left after the substep: a bounce, or as much as just closes the gap.
            ahead = max(found[k, 2], 0.0) / h
            goals[m, k] = -bounce * closing if closing > max(BOUNCE_MPS, ahead) else ahead
            depth[m] = max(depth[m], -found[k, 2])
            hits[p, 3] += x / n
            hits[p, 4] += y / n
            if not alone:
                _knock(one, two, x, y, -nx, -ny)
                _knock(two, one, x, y, nx, ny)
        one["touching"] = two["touching"] = 1
    for _ in range(ITERATIONS if touching > 0 else 0):
        for m in range(touching):
            alone = pairs[of_pair[m], 1] < 0
            one = bodies[pairs[of_pair[m], 0]]
            two = one if alone else bodies[pairs[of_pair[m], 1]]
            nx, ny = normal[m, 0], normal[m, 1]
            w_one, t_one, w_two, t_two = weights[m, 0], weights[m, 1], weights[m, 2], weights[m, 3]
            if w_one + w_two <= 0.0:
                continue
            # First along the faces, then across them: that nothing enters anything must hold at the end.
            for k in range(points[m]):
                lever = levers[m, k]
                arm_one, arm_two = lever[0] * nx + lever[1] * ny, lever[2] * nx + lever[3] * ny
                weight = w_one + w_two + t_one * arm_one * arm_one + t_two * arm_two * arm_two
                limit = FRICTION * pressed[m, k]
                after = rubbed[m, k] + _closing(one, two, lever, alone, -ny, nx) / weight
                after = min(max(after, -limit), limit)
                change = after - rubbed[m, k]
                rubbed[m, k] = after
                _kick(one, lever[0], lever[1], ny * change, -nx * change, w_one, t_one)
                if not alone:
                    _kick(two, lever[2], lever[3], -ny * change, nx * change, w_two, t_two)
            first, second = levers[m, 0], levers[m, 1]
            one_1, two_1 = first[0] * ny - first[1] * nx, first[2] * ny - first[3] * nx
            k_11 = w_one + w_two + t_one * one_1 * one_1 + t_two * two_1 * two_1
            left_1 = _closing(one, two, first, alone, nx, ny) - goals[m, 0]
            if points[m] == 2:
                one_2, two_2 = second[0] * ny - second[1] * nx, second[2] * ny - second[3] * nx
                k_22 = w_one + w_two + t_one * one_2 * one_2 + t_two * two_2 * two_2
                k_12 = w_one + w_two + t_one * one_1 * one_2 + t_two * two_1 * two_2
                left_2 = _closing(one, two, second, alone, nx, ny) - goals[m, 1]
                press_1, press_2 = _press(pressed[m], k_11, k_12, k_22, left_1, left_2)
            else:
                press_1, press_2 = max(pressed[m, 0] + left_1 / k_11, 0.0), 0.0
            for k in range(points[m]):
                lever = levers[m, k]
                after = press_1 if k == 0 else press_2
                change = after - pressed[m, k]
                pressed[m, k] = after
                _kick(one, lever[0], lever[1], -nx * change, -ny * change, w_one, t_one)
                if not alone:
                    _kick(two, lever[2], lever[3], nx * change, ny * change, w_two, t_two)
    for m in range(touching):
        p = of_pair[m]
        hits[p, 1] -= (pressed[m, 0] + pressed[m, 1]) * normal[m, 0]
        hits[p, 2] -= (pressed[m, 0] + pressed[m, 1]) * normal[m, 1]
        w_one, w_two = weights[m, 0], weights[m, 2]
        # What is much lighter gives way alone: a walker does not shove a parked car away, one overlap after the other.
        if HEAVIER * w_one < w_two:
            w_one = 0.0
        elif HEAVIER * w_two < w_one:
            w_two = 0.0
        if depth[m] <= SLOP_M or w_one + w_two <= 0.0:
            continue
        out = min(CORRECTION * (depth[m] - SLOP_M), MOST_CORRECTION_MPS * h) / (w_one + w_two)
        one = bodies[pairs[p, 0]]
        if one["posed"] == 0:
            one["x"] -= out * w_one * normal[m, 0]
            one["y"] -= out * w_one * normal[m, 1]
        if pairs[p, 1] >= 0 and bodies[pairs[p, 1]]["posed"] == 0:
            two = bodies[pairs[p, 1]]
            two["x"] += out * w_two * normal[m, 0]
            two["y"] += out * w_two * normal[m, 1]


@_jit
def first_overlap(place: Array, bodies: Records, order: Integers, boxes: Array, ignored: Integers) -> int:
    """The slot of the first body that an upright box overlaps, else STATIC_WORLD or FREE_PLACE."""
    other = np.empty(8)
    for slot in order:
        if bodies[slot]["collides"] == 0:
            continue
        skip = False
        for actor in ignored:
            skip = skip or bodies[slot]["actor"] == actor
        if skip:
            continue
        _fill(other, bodies[slot])
        if abs(other[2] - place[2]) < other[7] + place[7] and _gap(place, other)[0] < 0.0:
            return slot
    for k in range(len(boxes)):
        if abs(boxes[k, 2] - place[2]) < boxes[k, 7] + place[7] and _gap(place, boxes[k])[0] < 0.0:
            return STATIC_WORLD
    return FREE_PLACE


@_jit
def apply_zones(bodies: Records, drives: Records, order: Integers, zones: Array, friction: Array) -> None:
    """Set each vehicle's `zone_friction`: that of the last zone (Z, 8) that its box reaches into, else -1."""
    other = np.empty(8)
    for slot in order:
        if bodies[slot]["kind"] != VEHICLE:
            continue
        drives[slot]["zone_friction"] = -1.0
        if len(zones) == 0:
            continue
        _fill(other, bodies[slot])
        for k in range(len(zones)):
            if abs(other[2] - zones[k, 2]) < other[7] + zones[k, 7] and _gap(other, zones[k])[0] < 0.0:
                drives[slot]["zone_friction"] = friction[k]
