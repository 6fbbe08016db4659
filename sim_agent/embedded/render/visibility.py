"""Fills the visibility buffer of a picture: the nearest things first, then only what they do not hide.

Most of a town stands behind its next houses. Things are drawn in stretches from near to far, and what lies wholly behind
the stretches so far is left out of the next one, as it could not win a single sample (Greene, Kass and Miller, SIGGRAPH
1993, with one level of tiles instead of a pyramid).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from sim_agent.embedded.pose import Array
from sim_agent.embedded.render import raster
from sim_agent.embedded.render.buffers import Records, Samples
from sim_agent.embedded.render.camera import View
from sim_agent.embedded.render.geometry import Geometry
from sim_agent.embedded.render.workers import Workers
from sim_agent.embedded.scene import Floats, Ints

CHUNKS = 4
"""Parts of a stretch that are projected side by side; a fixed number, or the order of triangles would depend on threads."""

BAND_BYTES = 400_000
"""Of samples that a band of rows may have: what stays in a core's second-level cache."""

FIRST_TRIANGLES, GROWTH = 8_000, 2
"""Of the first stretch, and how many times as many the next may have; measured best in three towns."""


class Things(NamedTuple):
    """What may be seen: clusters of the town and movers."""

    items: Ints
    """(N, 5) as of `raster.project`."""
    low_m: Floats
    """(N, 3) corners of their boxes in the world."""
    high_m: Floats

    def take(self, which: slice | npt.NDArray[np.int64] | npt.NDArray[np.bool_]) -> Things:
        """Some of them, in the order that is asked for."""
        return Things(self.items[which], self.low_m[which], self.high_m[which])

    def in_view(self, view: View) -> Things:
        """Those whose boxes reach into the pyramid of sight, the nearest first."""
        middle, half = (self.low_m + self.high_m) / 2 - view.eye_m, (self.high_m - self.low_m) / 2
        forward, right, up = view.rotation.T
        seen = middle @ forward + half @ np.abs(forward) >= raster.NEAR_M
        for plane in (
            forward * view.tan_x - right,
            forward * view.tan_x + right,
            forward * view.tan_y - up,
            forward * view.tan_y + up,
        ):
            seen &= middle @ plane + half @ np.abs(plane) >= -1e-3
        outside = np.maximum(np.abs(middle[seen]) - half[seen], 0.0)
        return self.take(np.flatnonzero(seen)[np.argsort((outside**2).sum(axis=1), kind="stable")])


class VisibilityBuffer:
    """What each sample of a picture shows; for one picture at a time, its arrays are kept for the next."""

    rows: int
    """Of pixels in a band."""
    bands: int

    def __init__(self, geometry: Geometry, workers: Workers) -> None:
        self._geometry, self._workers = geometry, workers
        self.records = Records()
        self._samples = Samples()

    def fill(self, things: Things, frames: Array, size: tuple[int, int], offsets: Array) -> None:
        """Draws all but the last stretch, which `band` adds.

        things: in view, the nearest first. frames: as of `raster.project`. size: width and height in pixels.
        offsets: (S, 2) x and y of each sample in its pixel.
        """
        (width, self._height), self._offsets, samples = size, offsets, len(offsets)
        self.rows = max(1, min(BAND_BYTES // (samples * width * 8), math.ceil(self._height / 4)))
        self.bands = math.ceil(self._height / self.rows)
        self._samples.reserve(self._height * samples, width)
        # A triangle that the near plane cuts leaves two.
        self.records.reserve(2 * int((things.items[:, 1] - things.items[:, 0]).sum()))
        self._next, self._blank = 0, True
        tiles = np.empty((self.bands, -(-self.rows // raster.TILE_PX), -(-width // raster.TILE_PX)), np.float32)
        most = FIRST_TRIANGLES
        while True:
            triangles = np.cumsum(things.items[:, 1] - things.items[:, 0])
            count = int(np.searchsorted(triangles, most)) + 1
            if not len(triangles) or triangles[-1] - triangles[min(count, len(triangles)) - 1] < most // 4:
                self._project(things.items, frames, size)
                return
            self._project(things.items[:count], frames, size)
            self._workers.share(self.bands, lambda number, worker: self._scan(number, tiles[number]))
            self._blank = False
            rest = things.take(slice(count, None))
            sides, seen = np.array([width, self._height, self.rows], np.int32), np.empty(len(rest.items), np.bool_)
            raster.find_unhidden(rest.low_m, rest.high_m, frames[0], sides, tiles, seen)
            things = rest.take(seen)
            most *= GROWTH

    def band(self, number: int) -> tuple[Floats, Ints]:
        """(rows * S, W) inverse depths and records of a band, complete; each band is to be asked for once."""
        self._scan(number, None)
        return self._samples.band(self._first_sample(number), self._first_sample(number + 1))

    def _first_sample(self, number: int) -> int:
        return min(number * self.rows, self._height) * len(self._offsets)

    def _project(self, items: Ints, frames: Array, size: tuple[int, int]) -> None:
        geometry, records = self._geometry, self.records
        parts = [np.ascontiguousarray(items[start::CHUNKS]) for start in range(CHUNKS)]
        space = [2 * int((part[:, 1] - part[:, 0]).sum()) for part in parts]
        starts = self._next + np.concatenate([[0], np.cumsum(space)])
        self._next = int(starts[-1])
        most = int((items[:, 3] - items[:, 2]).max(initial=0)) + 8
        sides = np.array([*size, len(self._offsets)], np.int32)
        chunks = np.zeros((CHUNKS, 2), np.int32)

        def task(number: int, worker: int) -> None:
            end = raster.project(
                parts[number],
                frames,
                geometry.vertices,
                geometry.triangles,
                geometry.materials,
                geometry.states,
                sides,
                self._offsets,
                np.empty((3, most)),
                np.empty(most, np.uint8),
                np.empty((3, most)),
                records.lines,
                records.planes,
                records.bounds,
                records.sources,
                int(starts[number]),
            )
            chunks[number] = starts[number], end

        self._workers.share(CHUNKS, task)
        self._starts = records.sort(chunks, self.bands, self.rows * len(self._offsets))

    def _scan(self, number: int, tiles: Floats | None) -> None:
        """Adds the latest stretch to a band; then fills its tiles."""
        records = self.records
        first, end = self._first_sample(number), self._first_sample(number + 1)
        inverse_depth, seen = self._samples.band(first, end)
        if self._blank:
            inverse_depth[:], seen[:] = 0.0, -1
        members = records.members[self._starts[number] : self._starts[number + 1]]
        raster.scan(
            records.lines, records.planes, records.bounds, members, self._offsets, first, end, inverse_depth, seen
        )
        if tiles is not None:
            raster.farthest(inverse_depth, len(self._offsets), tiles)
