"""Drives a vehicle by speed and steering angle: CARLA's Ackermann controller, two PID loops one in the other."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import NamedTuple

MOST_ACCELERATION_MPS2, MOST_DECELERATION_MPS2 = 3.0, 8.0
FULL_STOP_MPS = 0.1


class AckermannSettings(NamedTuple):
    """`carla.AckermannControllerSettings`, with CARLA's defaults."""

    speed_kp: float = 0.15
    speed_ki: float = 0.0
    speed_kd: float = 0.25
    accel_kp: float = 0.01
    accel_ki: float = 0.0
    accel_kd: float = 0.01


@dataclass
class _Pid:
    integral: float = 0.0
    last: float = 0.0

    def run(self, gains: tuple[float, float, float], target: float, measured: float, dt_s: float) -> float:
        """The derivative is that of the measurement, so that a new target does not kick; all within -1 and 1."""
        kp, ki, kd = gains
        self.integral = _clip(self.integral + ki * (target - measured) * dt_s, 1.0)
        slope = (measured - self.last) / dt_s
        self.last = measured
        return _clip(kp * (target - measured) + self.integral - kd * slope, 1.0)


def _clip(value: float, limit: float) -> float:
    return min(max(value, -limit), limit)


class Pedals(NamedTuple):
    """What the controller does: steer -1 to 1, throttle and brake 0 to 1."""

    steer: float
    throttle: float
    brake: float
    reverse: bool


@dataclass
class AckermannController:
    """One vehicle's controller (CARLA's AckermannController, read for its constants and the order of its loops).

    The outer loop moves the wanted acceleration, the inner one the pedal; both outputs are changes, added up each step.
    """

    settings: AckermannSettings = AckermannSettings()
    steer_rad: float = 0.0
    steer_speed_radps: float = 0.0
    """0: at once."""
    speed_mps: float = 0.0
    acceleration_mps2: float = 0.0
    """0: as much as 3 m/s2 of acceleration and 8 of deceleration."""
    _speed_loop: _Pid = field(default_factory=_Pid)
    _pedal_loop: _Pid = field(default_factory=_Pid)
    _wanted_mps2: float = 0.0
    _pedal: float = 0.0
    _speed_before: float | None = None
    _measured_mps2: float = 0.0
    _steer: float = 0.0
    _reverse: bool = False

    def run(self, speed_mps: float, max_steer_rad: float, dt_s: float) -> Pedals:
        """The pedals for the next `dt_s` seconds of a vehicle that drives at `speed_mps` (backwards: negative)."""
        before = speed_mps if self._speed_before is None else self._speed_before
        self._speed_before = speed_mps
        self._measured_mps2 = 0.8 * self._measured_mps2 + 0.2 * (speed_mps - before) / dt_s
        target = _clip(self.steer_rad, max_steer_rad)
        if self.steer_speed_radps < 1e-3:
            self._steer = target
        else:
            self._steer += _clip(target - self._steer, self.steer_speed_radps * dt_s)
        steer = self._steer / max_steer_rad if max_steer_rad > 0.0 else 0.0
        if abs(speed_mps) < FULL_STOP_MPS and abs(self.speed_mps) < FULL_STOP_MPS:
            self._wanted_mps2 = self._pedal = 0.0
            return Pedals(steer, 0.0, 1.0, self._reverse)
        wanted_speed = self.speed_mps
        if abs(speed_mps) < FULL_STOP_MPS:
            self._reverse = wanted_speed < 0.0
        elif math.copysign(1.0, speed_mps) != math.copysign(1.0, wanted_speed):
            wanted_speed = 0.0
        s = self.settings
        change = self._speed_loop.run((s.speed_kp, s.speed_ki, s.speed_kd), wanted_speed, speed_mps, dt_s)
        most = self.acceleration_mps2 if self.acceleration_mps2 >= 1e-4 else MOST_ACCELERATION_MPS2
        least = self.acceleration_mps2 if self.acceleration_mps2 >= 1e-4 else MOST_DECELERATION_MPS2
        self._wanted_mps2 = min(max(self._wanted_mps2 + change, -least), most)
        gains = (s.accel_kp, s.accel_ki, s.accel_kd)
        self._pedal = _clip(
            self._pedal + self._pedal_loop.run(gains, self._wanted_mps2, self._measured_mps2, dt_s), 1.0
        )
        forward = -self._pedal if self._reverse else self._pedal
        return Pedals(steer, max(forward, 0.0), max(-forward, 0.0), self._reverse)
