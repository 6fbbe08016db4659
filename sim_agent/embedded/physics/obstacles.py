"""The solid boxes of a town, stood upright and sorted into the cells of a grid."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from sim_agent.embedded.pose import Array, rotation_matrix
from sim_agent.embedded.scene import Box, StaticObject

CELL_M = 8.0
MOST_CELLS = 512
"""Along each side of the grid; a larger town gets larger cells."""


class Upright(NamedTuple):
    """A box on its footprint: x, y, z of its centre, cosine and sine of its yaw, half sizes; metres."""

    x: float
    y: float
    z: float
    cos: float
    sin: float
    extent_x: float
    extent_y: float
    extent_z: float


def upright(box: Box) -> Upright:
    """The upright box, with the yaw of `box`, that holds it whole."""
    pose = box.pose
    cos, sin = math.cos(math.radians(pose.yaw_deg)), math.sin(math.radians(pose.yaw_deg))
    tilt = rotation_matrix(pose.pitch_deg, 0.0, pose.roll_deg)
    extent = np.abs(tilt) @ np.asarray(box.extent_m, np.float64)
    return Upright(pose.x_m, pose.y_m, pose.z_m, cos, sin, float(extent[0]), float(extent[1]), float(extent[2]))


class StaticGrid:
    """The solid boxes of a town, found by place."""

    def __init__(self, obstacles: Sequence[StaticObject]) -> None:
        solid = [obstacle for obstacle in obstacles if obstacle.solid]
        self.object_ids = [obstacle.object_id for obstacle in solid]
        self.boxes = np.array([upright(obstacle.box) for obstacle in solid], np.float64).reshape(-1, 8)
        """(S, 8): the columns of `Upright`."""
        if not np.isfinite(self.boxes).all():
            bad = int(np.flatnonzero(~np.isfinite(self.boxes).all(1))[0])
            raise ValueError(
                f"Obstacle {self.object_ids[bad]} has a box that is not finite; give it a place and a size."
            )
        reach = _reach(self.boxes)
        low = (self.boxes[:, :2] - reach).min(0) if len(solid) else np.zeros(2)
        high = (self.boxes[:, :2] + reach).max(0) if len(solid) else np.ones(2)
        cell_m = max(CELL_M, float((high - low).max()) / MOST_CELLS)
        columns, rows = (int(n) for n in np.floor((high - low) / cell_m) + 1)
        self.frame = np.array([low[0], low[1], cell_m, columns, rows], np.float64)
        first = np.floor((self.boxes[:, :2] - reach - low) / cell_m).astype(np.int64)
        last = np.floor((self.boxes[:, :2] + reach - low) / cell_m).astype(np.int64)
        self.first = np.ascontiguousarray(first)
        members: list[list[int]] = [[] for _ in range(columns * rows)]
        for k in range(len(solid)):
            for row in range(first[k, 1], last[k, 1] + 1):
                for column in range(first[k, 0], last[k, 0] + 1):
                    members[row * columns + column].append(k)
        self.starts = np.concatenate([[0], np.cumsum([len(cell) for cell in members])]).astype(np.int64)
        self.items = np.array([k for cell in members for k in cell], np.int64)


def _reach(boxes: Array) -> Array:
    """(S, 2) half sizes of the axis-aligned rectangles around upright boxes."""
    cos, sin = np.abs(boxes[:, 3]), np.abs(boxes[:, 4])
    return np.stack([cos * boxes[:, 5] + sin * boxes[:, 6], sin * boxes[:, 5] + cos * boxes[:, 6]], 1)
