"""Where things are: CARLA's left-handed axes, x forward, y right, z up; metres, and degrees of pitch, yaw and roll."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


class Pose(NamedTuple):
    """A place and a direction. Positive pitch looks up, positive yaw turns right, positive roll leans right."""

    x_m: float = 0.0
    y_m: float = 0.0
    z_m: float = 0.0
    pitch_deg: float = 0.0
    yaw_deg: float = 0.0
    roll_deg: float = 0.0

    @property
    def location(self) -> tuple[float, float, float]:
        """x, y, z in metres."""
        return self.x_m, self.y_m, self.z_m

    @property
    def rotation(self) -> tuple[float, float, float]:
        """Pitch, yaw, roll in degrees: the order of CARLA's wire and of `carla.Rotation`."""
        return self.pitch_deg, self.yaw_deg, self.roll_deg

    def matrix(self) -> Array:
        """(4, 4) float64: local to world, as `carla.Transform.get_matrix`."""
        matrix = np.eye(4)
        matrix[:3, :3] = rotation_matrix(*self.rotation)
        matrix[:3, 3] = self.location
        return matrix

    def compose(self, local: Pose) -> Pose:
        """The world pose of something that is rigidly at `local` on this pose."""
        if not any(self.rotation):
            x, y, z = local.location
            return Pose(self.x_m + x, self.y_m + y, self.z_m + z, *local.rotation)
        rotation = rotation_matrix(*self.rotation)
        x, y, z = rotation @ local.location
        if not any(local.rotation):
            return Pose(self.x_m + float(x), self.y_m + float(y), self.z_m + float(z), *self.rotation)
        angles = angles_of(rotation @ rotation_matrix(*local.rotation))
        return Pose(self.x_m + float(x), self.y_m + float(y), self.z_m + float(z), *angles)


ORIGIN = Pose()


def rotation_matrix(pitch_deg: float, yaw_deg: float, roll_deg: float) -> Array:
    """(3, 3) float64; the columns are where forward, right and up point (LibCarla, geom/Math.h, RotatePointVec)."""
    cp, sp = math.cos(math.radians(pitch_deg)), math.sin(math.radians(pitch_deg))
    cy, sy = math.cos(math.radians(yaw_deg)), math.sin(math.radians(yaw_deg))
    cr, sr = math.cos(math.radians(roll_deg)), math.sin(math.radians(roll_deg))
    return np.array(
        [
            [cp * cy, cy * sp * sr - sy * cr, -cy * sp * cr - sy * sr],
            [cp * sy, sy * sp * sr + cy * cr, -sy * sp * cr + cy * sr],
            [sp, -cp * sr, cp * cr],
        ]
    )


def angles_of(rotation: Array) -> tuple[float, float, float]:
    """Pitch, yaw, roll in degrees of a (3, 3) rotation matrix; the inverse of `rotation_matrix` for |pitch| < 90."""
    pitch = math.degrees(math.asin(min(1.0, max(-1.0, rotation[2, 0]))))
    yaw = math.degrees(math.atan2(rotation[1, 0], rotation[0, 0]))
    roll = math.degrees(math.atan2(-rotation[2, 1], rotation[2, 2]))
    return pitch, yaw, roll


def wrap_deg(angle: float) -> float:
    """The same angle in [-180, 180)."""
    return (angle + 180.0) % 360.0 - 180.0
