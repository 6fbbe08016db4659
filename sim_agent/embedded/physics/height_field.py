"""The ground where it is not flat: heights on a raster, on two levels where a road crosses over another."""

from __future__ import annotations

import math

import numba
import numpy as np
import numpy.typing as npt

from sim_agent.embedded.physics.bodies import VEHICLE, Records
from sim_agent.embedded.pose import Array

CELL_M = 1.0
MOST_CELLS = 2048
"""Along each side; a larger world gets larger cells."""
LEVEL_M = 1.0
"""Surfaces that lie closer over each other are one: the upper."""
CYCLE_TRACK_M = 0.3

Heights = npt.NDArray[np.float32]
_jit = numba.njit(cache=True, nogil=True, fastmath=False, error_model="numpy", no_cfunc_wrapper=True)


class HeightField:
    """Made of triangles that face up; what has none below or above it lies as high as the lowest of them."""

    def __init__(self, vertices: npt.NDArray[np.float32], triangles: npt.NDArray[np.int32], roads: int):
        """The first `roads` triangles are roads: their level goes on for a cell beyond their edges."""
        low, high = vertices[:, :2].min(0).astype(np.float64), vertices[:, :2].max(0).astype(np.float64)
        cell_m = max(CELL_M, float((high - low).max()) / MOST_CELLS)
        columns, rows = (int(n) + 2 for n in (high - low) / cell_m)
        self.frame = np.array([low[0], low[1], cell_m])
        """(3,) x and y of the first node, and the distance of nodes."""
        self.heights: Heights = np.full((rows, columns, 2), np.nan, np.float32)
        """(rows, columns, 2) the lower and the upper level; NaN where there is none."""
        _lay(vertices, triangles, roads, self.frame, self.heights)
        self.heights[np.isnan(self.heights[..., 0]), 0] = np.nanmin(self.heights[..., 0])

    def at(self, x_m: float, y_m: float, z_m: float) -> float:
        """The height of the level at a place that is nearest to z."""
        return float(_height(self.heights, self.frame, x_m, y_m, z_m))


@_jit
def _lay(
    vertices: npt.NDArray[np.float32],
    triangles: npt.NDArray[np.int32],
    roads: int,
    frame: Array,
    heights: Heights,
) -> None:
    cell = frame[2]
    rows, columns = heights.shape[0], heights.shape[1]
    for t in range(len(triangles)):
        a, b, c = vertices[triangles[t, 0]], vertices[triangles[t, 1]], vertices[triangles[t, 2]]
        ax, ay = (a[0] - frame[0]) / cell, (a[1] - frame[1]) / cell
        bx, by = (b[0] - frame[0]) / cell, (b[1] - frame[1]) / cell
        cx, cy = (c[0] - frame[0]) / cell, (c[1] - frame[1]) / cell
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        if abs(area) < 1e-9:
            continue
        # How far a node may lie outside of each edge, as a share of the triangle's height over it.
        margin = 1.0 + 1e-6 if t < roads else 1e-6
        slack_a = margin * math.hypot(cx - bx, cy - by) / abs(area)
        slack_b = margin * math.hypot(ax - cx, ay - cy) / abs(area)
        slack_c = margin * math.hypot(bx - ax, by - ay) / abs(area)
        first_row, last_row = math.ceil(min(ay, by, cy) - margin), math.floor(max(ay, by, cy) + margin)
        first, last = math.ceil(min(ax, bx, cx) - margin), math.floor(max(ax, bx, cx) + margin)
        for row in range(max(first_row, 0), min(last_row, rows - 1) + 1):
            for column in range(max(first, 0), min(last, columns - 1) + 1):
                share_b = ((column - ax) * (cy - ay) - (row - ay) * (cx - ax)) / area
                share_c = ((bx - ax) * (row - ay) - (by - ay) * (column - ax)) / area
                share_a = 1.0 - share_b - share_c
                if share_a >= -slack_a and share_b >= -slack_b and share_c >= -slack_c:
                    _put(heights[row, column], share_a * a[2] + share_b * b[2] + share_c * c[2])


@_jit
def _put(levels: Heights, height: float) -> None:
    if np.isnan(levels[0]):
        levels[0] = height
    elif abs(height - levels[0]) < LEVEL_M:
        levels[0] = max(levels[0], height)
    elif np.isnan(levels[1]):
        levels[0], levels[1] = min(levels[0], height), max(levels[0], height)
    elif abs(height - levels[1]) < LEVEL_M:
        levels[1] = max(levels[1], height)


@_jit
def _level(levels: Heights, z_m: float) -> float:
    if np.isnan(levels[1]) or abs(levels[0] - z_m) <= abs(levels[1] - z_m):
        return levels[0]
    return levels[1]


@_jit
def _height(heights: Heights, frame: Array, x_m: float, y_m: float, z_m: float) -> float:
    rows, columns = heights.shape[0], heights.shape[1]
    x = min(max((x_m - frame[0]) / frame[2], 0.0), columns - 1.001)
    y = min(max((y_m - frame[1]) / frame[2], 0.0), rows - 1.001)
    column, row = int(x), int(y)
    across, down = x - column, y - row
    upper = _level(heights[row, column], z_m) * (1.0 - across) + _level(heights[row, column + 1], z_m) * across
    lower = _level(heights[row + 1, column], z_m) * (1.0 - across) + _level(heights[row + 1, column + 1], z_m) * across
    return upper * (1.0 - down) + lower * down


@_jit
def feel_ground(bodies: Records, drives: Records, order: npt.NDArray[np.int64], heights: Heights, frame: Array) -> None:
    """Tell every body how high the ground below it is and how it slopes: vehicles between their wheels, others where
    they are.
    """
    for slot in order:
        body = bodies[slot]
        x, y, z = body["x"], body["y"], body["z"]
        if body["kind"] != VEHICLE:
            body["ground"] = _height(heights, frame, x, y, z + body["box_z"] - body["extent_z"])
            continue
        car = drives[slot]
        cos, sin = math.cos(body["yaw"]), math.sin(body["yaw"])
        front, rear = car["front_x"], car["rear_x"]
        beside = max(car["half_track"], CYCLE_TRACK_M)
        ahead = _height(heights, frame, x + front * cos, y + front * sin, z)
        behind = _height(heights, frame, x + rear * cos, y + rear * sin, z)
        right = _height(heights, frame, x - beside * sin, y + beside * cos, z)
        left = _height(heights, frame, x + beside * sin, y - beside * cos, z)
        climb, bank = (ahead - behind) / (front - rear), (right - left) / (2.0 * beside)
        body["ground"] = (ahead * -rear + behind * front) / (front - rear)
        body["slope_x"], body["slope_y"] = cos * climb - sin * bank, sin * climb + cos * bank
