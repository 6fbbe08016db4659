"""Many poses as matrices at once: a frame has a hundred of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sim_agent.embedded.pose import Array, Pose


def matrices_of(poses: Sequence[Pose]) -> Array:
    """(N, 3, 4) float64 local to world: the rows of `Pose.matrix`, for all poses in one go."""
    table = np.array(poses, np.float64).reshape(-1, 6)
    pitch, yaw, roll = np.radians(table[:, 3:]).T
    cp, sp, cy, sy, cr, sr = np.cos(pitch), np.sin(pitch), np.cos(yaw), np.sin(yaw), np.cos(roll), np.sin(roll)
    out = np.empty((len(table), 3, 4))
    out[:, 0, :3] = np.stack([cp * cy, cy * sp * sr - sy * cr, -cy * sp * cr - sy * sr], axis=1)
    out[:, 1, :3] = np.stack([cp * sy, sy * sp * sr + cy * cr, -sy * sp * cr + cy * sr], axis=1)
    out[:, 2, :3] = np.stack([sp, -cp * sr, cp * cr], axis=1)
    out[:, :, 3] = table[:, :3]
    return out
