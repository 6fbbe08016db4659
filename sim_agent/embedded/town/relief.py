"""The lie of the land between roads that climb: known along them, spread smoothly over everything else."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sim_agent.embedded.town.geometry import Array

CELL_M = 6.0
MARGIN_M = 60.0
MOST_CELLS = 2048
"""Along each side; a larger map gets larger cells."""
_SMOOTHINGS = 30
_STEP_M = 1.5
"""Roads in neighbouring cells that differ by more are on two levels."""


class Relief:
    """Heights on a raster. Where roads cross over each other, the land follows the lower one."""

    def __init__(self, points: Array):
        """points: (N, 3) of the roads' surfaces, closer together than a cell."""
        self._low = points[:, :2].min(0) - MARGIN_M
        span = float((points[:, :2].max(0) + MARGIN_M - self._low).max())
        self._cell_m = max(CELL_M, span / MOST_CELLS)
        size = np.ceil((points[:, :2].max(0) + MARGIN_M - self._low) / self._cell_m).astype(int) + 1
        known = np.full((size[1], size[0]), np.inf)
        columns, rows = np.rint((points[:, :2] - self._low) / self._cell_m).astype(int).T
        np.minimum.at(known, (rows, columns), points[:, 2])
        # Room beside a road that passes under another.
        lowest = _lowest_around(known)
        known = np.where(lowest < known - _STEP_M, lowest, known)
        fixed = np.isfinite(known)
        heights = _filled(np.where(fixed, known, 0.0), fixed)
        for _ in range(_SMOOTHINGS):
            heights = np.where(fixed, known, _blurred(heights))
        self._heights = heights

    def at(self, points: npt.ArrayLike) -> Array:
        """(N,) heights at (N, 2) places, in metres; beyond the raster that of its edge."""
        rows, columns = self._heights.shape
        x, y = ((np.asarray(points, np.float64) - self._low) / self._cell_m).T
        x, y = np.clip(x, 0.0, columns - 1.001), np.clip(y, 0.0, rows - 1.001)
        column, row = x.astype(int), y.astype(int)
        across, down = x - column, y - row
        h = self._heights
        upper = h[row, column] * (1.0 - across) + h[row, column + 1] * across
        lower = h[row + 1, column] * (1.0 - across) + h[row + 1, column + 1] * across
        return upper * (1.0 - down) + lower * down


def _filled(heights: Array, known: npt.NDArray[np.bool_]) -> Array:
    """Unknown cells get the mean of what is known around them, from ever coarser rasters."""
    if known.all() or heights.size == 1:
        return heights
    rows, columns = (n + n % 2 for n in heights.shape)
    sums, counts = np.zeros((rows, columns)), np.zeros((rows, columns))
    sums[: heights.shape[0], : heights.shape[1]] = heights * known
    counts[: heights.shape[0], : heights.shape[1]] = known
    quarters = sums.reshape(rows // 2, 2, columns // 2, 2).sum((1, 3))
    members = counts.reshape(rows // 2, 2, columns // 2, 2).sum((1, 3))
    coarse = _filled(quarters / np.maximum(members, 1.0), members > 0)
    spread = np.repeat(np.repeat(coarse, 2, 0), 2, 1)[: heights.shape[0], : heights.shape[1]]
    return np.where(known, heights, spread)


def _lowest_around(heights: Array) -> Array:
    """The lowest of a cell and its eight neighbours; of unknown cells, which are infinite, nothing is known after it."""
    padded = np.pad(heights, 1, constant_values=np.inf)
    rows, columns = heights.shape
    views = [padded[i : i + rows, j : j + columns] for i in range(3) for j in range(3)]
    return np.where(np.isfinite(heights), np.minimum.reduce(views), heights)


def _blurred(heights: Array) -> Array:
    padded = np.pad(heights, 1, mode="edge")
    return (padded[:-2, 1:-1] + padded[2:, 1:-1] + padded[1:-1, :-2] + padded[1:-1, 2:]) / 4.0
