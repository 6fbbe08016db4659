"""The table of everything that moves: one record a body, in slots that are given out and taken back."""

from __future__ import annotations

import heapq
from typing import Any

import numpy as np
import numpy.typing as npt

FREE, VEHICLE, WALKER, PROP = 0, 1, 2, 3
"""What a slot holds."""
CURVE_SAMPLES = 129
STEERING_CURVE_TOP_KMH = 250.0

_BODY_FLOATS = """
x y z yaw vx vy vz yaw_rate
pitch roll pitch_rate roll_rate
ax ay az
mass inertia
extent_x extent_y extent_z
box_x box_y box_z
origin_x origin_y
force_x force_y force_z torque_z
hold_x hold_y hold_z
walk_x walk_y walk_speed
ground slope_x slope_y
"""
_BODY_INTEGERS = "kind actor simulated gravity collides fixed held posed knocked dead touching jumps"
_VEHICLE_FLOATS = """
throttle steer brake
steer_now wheel_angle
switch_left_s since_shift_s throttle_slow rpm
lean_x lean_x_rate lean_y lean_y_rate
front_x rear_x centre_height half_track
friction_front friction_rear zone_friction
stiffness_front stiffness_rear stiff_load_front stiff_load_rear
radius brake_front brake_rear hand_front hand_rear wheel_drag
max_steer front_drive air_drag
max_omega engine_inertia damping_full damping_zero damping_free final_ratio switch_time_s
pitch_gain roll_gain
rolled_m seen_x seen_y
load_front load_rear push_front push_rear side_front side_rear slip_front slip_rear
"""
_VEHICLE_INTEGERS = "hand_brake reverse manual gear_asked gear gear_target gears autobox cycle"


def _record(floats: str, integers: str) -> np.dtype[np.void]:
    fields = [(name, np.float64) for name in floats.split()] + [(name, np.int64) for name in integers.split()]
    return np.dtype(fields, align=True)


BODY = _record(_BODY_FLOATS, _BODY_INTEGERS)
"""Metres, m/s, rad, rad/s, kg. x and y are the centre of mass, z the origin's height; `origin_*` and `box_*` are where
the actor's origin and its box's centre are seen from the centre of mass, in the body's frame (box_z: from the origin).
`ground` is the height of the ground below, and `slope_*` how it climbs (m/m) under a vehicle: all 0 on flat land."""
DRIVE = _record(_VEHICLE_FLOATS, _VEHICLE_INTEGERS)
"""What only vehicles have: the driver's wishes, the state of gearbox and springs, and the numbers of PhysicsControl."""

Records = npt.NDArray[np.void]
_FLOATS = len(_BODY_FLOATS.split())


def _columns(names: str) -> npt.NDArray[np.int64]:
    return np.array([_BODY_FLOATS.split().index(name) for name in names.split()], np.int64)


MOTION_COLUMNS = _columns("x y z pitch yaw roll vx vy vz roll_rate pitch_rate yaw_rate ax ay az")
"""Where a body's motion is in a row of `BodyTable.floats`; x and y are those of the centre of mass."""
ORIGIN_COLUMNS = _columns("origin_x origin_y")
CONTROLS = ("throttle", "steer", "brake", "hand_brake", "reverse", "manual", "gear_asked")


class BodyTable:
    """Slots for bodies. A slot given back is wiped, and the lowest free one is given out first."""

    def __init__(self, capacity: int = 64) -> None:
        self.bodies: Records = np.zeros(0, BODY)
        self.drives: Records = np.zeros(0, DRIVE)
        self.torque = np.zeros((0, CURVE_SAMPLES))
        """Full-throttle torque, N m, over engine speed from 0 to `max_omega`."""
        self.steering = np.zeros((0, CURVE_SAMPLES))
        """Share of the steer over speed from 0 to `STEERING_CURVE_TOP_KMH`."""
        self.gears = np.zeros((0, 16, 3))
        """Ratio, down and up share of each forward gear."""
        self.order = np.zeros(0, np.int64)
        """Slots in the order of their actors' ids: what comes out never depends on which slot a body got."""
        self.controls: tuple[npt.NDArray[Any], ...] = ()
        """The columns `CONTROLS` of `drives`: writing by name and slot costs five times as much."""
        self._slots: dict[int, int] = {}
        self._free: list[int] = []
        self._grow(capacity)

    def __contains__(self, actor_id: int) -> bool:
        return actor_id in self._slots

    def __len__(self) -> int:
        return len(self._slots)

    def floats(self) -> npt.NDArray[np.float64]:
        """(N, F) copies of what bodies have in floats, in the order of their ids: they come first in `BODY`."""
        width = BODY.itemsize // 8
        return self.bodies.view(np.float64).reshape(-1, width)[self.order, :_FLOATS]

    @property
    def ids(self) -> list[int]:
        """The actors' ids, rising."""
        return sorted(self._slots)

    def slot(self, actor_id: int) -> int:
        """Where an actor's record is. Raises ValueError if there is none."""
        try:
            return self._slots[actor_id]
        except KeyError:
            raise ValueError(f"The physics has no actor {actor_id}; add it first.") from None

    def take(self, actor_id: int, kind: int) -> int:
        """A wiped slot for a new actor. Raises ValueError if the id is not positive or is there already."""
        if actor_id <= 0:
            raise ValueError(f"An actor's id is {actor_id}; it must be positive, as 0 is the static world.")
        if actor_id in self._slots:
            raise ValueError(f"The physics has an actor {actor_id} already; remove it first.")
        if not self._free:
            self._grow(2 * len(self.bodies))
        slot = heapq.heappop(self._free)
        self._slots[actor_id] = slot
        body = self.bodies[slot]
        body["kind"], body["actor"] = kind, actor_id
        body["simulated"] = body["gravity"] = body["collides"] = 1
        self._sort()
        return slot

    def give_back(self, actor_id: int) -> None:
        """Wipe an actor's slot. Raises ValueError if there is no such actor."""
        slot = self.slot(actor_id)
        del self._slots[actor_id]
        for table in (self.bodies, self.drives, self.torque, self.steering, self.gears):
            table[slot] = np.zeros((), table.dtype)
        heapq.heappush(self._free, slot)
        self._sort()

    def _sort(self) -> None:
        self.order = np.array([self._slots[actor_id] for actor_id in self.ids], np.int64)

    def _grow(self, capacity: int) -> None:
        before = len(self.bodies)
        for name in ("bodies", "drives", "torque", "steering", "gears"):
            old = getattr(self, name)
            new = np.zeros((capacity, *old.shape[1:]), old.dtype)
            new[:before] = old
            setattr(self, name, new)
        self.controls = tuple(self.drives[name] for name in CONTROLS)
        for slot in range(before, capacity):
            heapq.heappush(self._free, slot)
