"""How much of the sky a place sees: less between houses, under trees and beside cars. The ambient light's shape."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from sim_agent.embedded.render.geometry import Geometry
from sim_agent.embedded.render.kernel import f4, kernel
from sim_agent.embedded.render.shadow import IDENTITY, MapPlace, ShadowMap, draw_heights
from sim_agent.embedded.scene import Bytes, Floats, Ints

Cells = npt.NDArray[np.uint32]

CELL_M, MOST_CELLS = 1.0, 700
UPPER_M = 7.0
"""Height above the ground of the grid's second layer; what is higher sees as much sky as that."""

CONTACT_TEXELS, CONTACT_M = 384, 0.25
CONTACT_REACH_M = 0.7
"""How far from a car's side the ground is darker."""


class GridPlace(NamedTuple):
    """Where a grid lies."""

    x_0: np.float32
    y_0: np.float32
    per_m: np.float32
    """Cells for a metre."""


class Openness(NamedTuple):
    """Shares of the sky over a grid."""

    grid: Cells
    """(rows * columns,): byte 0 the share seen from the ground, byte 2 from UPPER_M above it, the rest 0."""
    ground_m: Floats
    """(rows * columns,) height of the ground."""
    rows: int
    columns: int
    place: GridPlace


class Contacts(NamedTuple):
    """Where movers stand on the ground around the camera."""

    shade: Bytes
    """(CONTACT_TEXELS, CONTACT_TEXELS): 0 none to 255."""
    place: GridPlace


def _lowest_around(heights: Floats, reach: int) -> Floats:
    """(rows, columns) the lowest within `reach` cells along both axes."""
    for axis in (0, 1):
        margin = [(reach, reach) if axis == k else (0, 0) for k in (0, 1)]
        lowest, done = np.pad(heights, margin, constant_values=np.inf), 1
        while done <= 2 * reach:
            more = min(done, 2 * reach + 1 - done)
            length = lowest.shape[axis] - more
            lowest = np.minimum(lowest.take(range(length), axis), lowest.take(range(more, more + length), axis))
            done += more
        heights = lowest
    return heights


@kernel
def _look_up(heights: Floats, ground: Floats, offsets: Ints, distances: Floats, out: Floats) -> None:
    """Horizons along directions; open sky over a flat surface counts cos^2 of its horizon.

    offsets: (directions, steps, 2) rows and columns to go. distances: (steps,) metres that is.
    """
    rows, columns = heights.shape
    directions, steps = offsets.shape[0], offsets.shape[1]
    for y in range(rows):
        for x in range(columns):
            eye = ground[y, x] + f4(0.4)
            above = f4(0)
            beside = f4(0)
            for direction in range(directions):
                low_tangent = f4(0)
                top_tangent = f4(0)
                for k in range(steps):
                    row, column = y + offsets[direction, k, 0], x + offsets[direction, k, 1]
                    if 0 <= row < rows and 0 <= column < columns:
                        higher = heights[row, column] - eye
                        low_tangent = max(low_tangent, higher / distances[k])
                        top_tangent = max(top_tangent, (higher - f4(UPPER_M)) / distances[k])
                beside += f4(1) / (f4(1) + low_tangent * low_tangent)
                above += f4(1) / (f4(1) + top_tangent * top_tangent)
            share = f4(1) / f4(directions)
            roofed = f4(0.8) if heights[y, x] > eye + f4(2) else f4(1)
            out[y, x, 0] = beside * share * roofed
            out[y, x, 1] = above * share


def bake_openness(geometry: Geometry) -> Openness:
    """From the town's height field, 1 m cells, or as large as MOST_CELLS a side need."""
    if not len(geometry.parts):
        return Openness(
            np.full(4, 0xFF00FF, np.uint32), np.zeros(4, np.float32), 2, 2, GridPlace(f4(0), f4(0), f4(1e-3))
        )
    low, high = geometry.low_m.min(axis=0) - 2.0, geometry.high_m.max(axis=0) + 2.0
    span = float(max(high[0] - low[0], high[1] - low[1]))
    cells = max(2, min(MOST_CELLS, math.ceil(span / CELL_M)))
    per_m = cells / span
    height_map = ShadowMap(
        np.zeros((cells, cells), np.uint16),
        MapPlace(f4(0), f4(0), f4(low[0]), f4(low[1]), f4(per_m), f4(low[2]), f4(100)),
    )
    items = np.zeros((len(geometry.parts), 5), np.int32)
    items[:, :4] = geometry.parts
    draw_heights(geometry, items, IDENTITY, height_map, facing_only=False)
    drawn = height_map.heights > 0
    heights = np.where(drawn, height_map.heights / np.float32(100) + low[2], high[2]).astype(np.float32)
    ground = _lowest_around(heights, max(1, round(12 * per_m)))
    heights = np.where(drawn, heights, ground).astype(np.float32)
    out = np.empty((cells, cells, 2), np.float32)
    distances = np.array([1.4, 2.4, 4.0, 6.5, 10.5, 17.0, 28.0], np.float32)
    angles = np.arange(10) * (2 * math.pi / 10) + 0.2
    reach = np.stack([np.sin(angles), np.cos(angles)], axis=1)[:, None, :] * distances[None, :, None] * per_m
    _look_up(heights, ground, np.rint(reach).astype(np.int32), distances, out)
    shares = (out * 255).astype(np.uint32)
    grid: Cells = shares[..., 0] | (shares[..., 1] << np.uint32(16))
    return Openness(grid.reshape(-1), ground.reshape(-1), cells, cells, GridPlace(f4(low[0]), f4(low[1]), f4(per_m)))


@kernel
def _press(boxes: Floats, shade: Bytes, x_0: np.float32, y_0: np.float32, per_m: np.float32, reach: np.float32) -> None:
    size = shade.shape[0]
    for y in range(size):
        for x in range(size):
            shade[y, x] = 0
    for k in range(boxes.shape[0]):
        cx, cy, fx, fy, half_x, half_y = boxes[k, 0], boxes[k, 1], boxes[k, 2], boxes[k, 3], boxes[k, 4], boxes[k, 5]
        radius = half_x + half_y + reach
        left, right = int((cx - radius - x_0) * per_m), int((cx + radius - x_0) * per_m) + 1
        top, bottom = int((cy - radius - y_0) * per_m), int((cy + radius - y_0) * per_m) + 1
        for y in range(max(top, 0), min(bottom, size)):
            for x in range(max(left, 0), min(right, size)):
                dx = (f4(x) + f4(0.5)) / per_m + x_0 - cx
                dy = (f4(y) + f4(0.5)) / per_m + y_0 - cy
                along, across = abs(dx * fx + dy * fy) - half_x, abs(dy * fx - dx * fy) - half_y
                outside_x, outside_y = max(along, f4(0)), max(across, f4(0))
                distance = math.sqrt(outside_x * outside_x + outside_y * outside_y)
                if distance < reach:
                    edge = f4(1) - distance / reach
                    dark = int(f4(215) * edge * edge)
                    if dark > shade[y, x]:
                        shade[y, x] = dark


def press_contacts(boxes: Floats, centre: tuple[float, float], shade: Bytes) -> Contacts:
    """Darkens the ground under and beside boxes: (N, 6) x, y of the centre, cos and sin of the yaw, half sizes in metres."""
    half = CONTACT_TEXELS * CONTACT_M / 2
    # Whole texels: what stands still must not flicker when the camera moves.
    x_0 = f4(math.floor((centre[0] - half) / CONTACT_M) * CONTACT_M)
    y_0 = f4(math.floor((centre[1] - half) / CONTACT_M) * CONTACT_M)
    _press(boxes, shade, x_0, y_0, f4(1 / CONTACT_M), f4(CONTACT_REACH_M))
    return Contacts(shade, GridPlace(x_0, y_0, f4(1 / CONTACT_M)))


def flat_boxes(low_m: Floats, high_m: Floats, matrices: Floats) -> Floats:
    """(N, 6) what `press_contacts` takes, from models' boxes (N, 3) and their 3x4 local-to-world rows (N, 12)."""
    m = matrices.reshape(-1, 3, 4)
    middle = (low_m + high_m) / 2
    centres = np.einsum("nij,nj->ni", m[:, :, :3], middle) + m[:, :, 3]
    forward = m[:, :2, 0] / np.maximum(np.linalg.norm(m[:, :2, 0], axis=1, keepdims=True), 1e-6)
    half = (high_m - low_m)[:, :2] / 2
    return np.concatenate([centres[:, :2], forward, half], axis=1).astype(np.float32)


def ground_below(sky: Openness, low_m: Floats, high_m: Floats) -> Floats:
    """(N,) height of the ground under boxes of the world, from their (N, 3) corners."""
    middle = (low_m + high_m)[:, :2] / 2
    cells = ((middle - (sky.place.x_0, sky.place.y_0)) * sky.place.per_m).astype(np.int64)
    rows = np.clip(cells[:, 1], 0, sky.rows - 1)
    columns = np.clip(cells[:, 0], 0, sky.columns - 1)
    return sky.ground_m[rows * sky.columns + columns]


def items_of(parts: Ints, instances: Ints) -> Ints:
    """(N, 5) int32 items of `raster.project` and `shadow.cast`: the parts, each with its instance."""
    items = np.empty((len(parts), 5), np.int32)
    items[:, :4] = parts
    items[:, 4] = instances
    return items
