"""Arrays that are written anew for each picture and kept for the next."""

from __future__ import annotations

import numpy as np

from sim_agent.embedded.render import raster
from sim_agent.embedded.scene import Floats, Ints


class Records:
    """Where projection writes; grows to the largest view so far."""

    def __init__(self) -> None:
        self._allocate(0)

    def _allocate(self, count: int) -> None:
        self.lines = np.empty((count, raster.LINES))
        self.planes = np.empty((count, raster.PLANE))
        self.bounds = np.empty((count, raster.BOUNDS), np.int32)
        self.sources = np.empty((count, 2), np.int32)
        self.members = np.empty(count, np.int32)

    def sort(self, chunks: Ints, bands: int, band_rows: int) -> Ints:
        """(bands + 1,) where each band's records begin in `members`."""
        starts = np.empty(bands + 1, np.int32)
        count = raster.sort_into_bands(self.bounds, chunks, band_rows, starts, self.members)
        if count > len(self.members):
            self.members = np.empty(count + count // 4, np.int32)
            raster.sort_into_bands(self.bounds, chunks, band_rows, starts, self.members)
        return starts

    def reserve(self, count: int) -> None:
        """Makes room for `count` records; what was there is lost."""
        if count > len(self.lines):
            self._allocate(count + count // 4)


class Samples:
    """The samples of a whole picture; grows to the largest so far."""

    def __init__(self) -> None:
        self._inverse_depth, self._records = np.empty(0, np.float32), np.empty(0, np.int32)

    def reserve(self, rows: int, width: int) -> None:
        """Makes room for a picture of `rows` sample rows; what was there is lost."""
        if len(self._records) < rows * width:
            self._inverse_depth, self._records = np.empty(rows * width, np.float32), np.empty(rows * width, np.int32)
        self._width = width

    def band(self, first: int, end: int) -> tuple[Floats, Ints]:
        """(rows, width) inverse depths and records of some rows, to be written into."""
        places = slice(first * self._width, end * self._width)
        shape = (end - first, self._width)
        return self._inverse_depth[places].reshape(shape), self._records[places].reshape(shape)


class Workplace:
    """One thread's buffer."""

    def __init__(self) -> None:
        self._light = np.empty(0, np.float32)

    def light(self, rows: int, width: int) -> Floats:
        """(rows, width, 3)."""
        count = rows * width * 3
        if len(self._light) < count:
            self._light = np.empty(count, np.float32)
        return self._light[:count].reshape(rows, width, 3)
