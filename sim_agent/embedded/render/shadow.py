"""Where the sun does not reach: height maps along the sun's rays, the town's part of which is kept.

The map lies on the ground and every point falls on it along the sun's rays, so its resolution on the road does not depend
on how low the sun stands; it holds the height of the highest point that falls on each texel.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from sim_agent.embedded.render.geometry import HIDDEN, Geometry
from sim_agent.embedded.render.kernel import f4, kernel
from sim_agent.embedded.scene import Bytes, Floats, Ints

Heights = npt.NDArray[np.uint16]

SNAP_M = 16.0
"""The map's centre moves in such steps, so that a drive seldom needs the town drawn anew and texels do not crawl."""

LOWEST_SUN = math.sin(math.radians(5.0))
"""A sun below 5 degrees casts the shadows of one at 5: longer ones leave the map."""

KEPT = 4
"""Places whose town shadows are kept: the cameras of one rig look at two or three."""


class MapPlace(NamedTuple):
    """Where a map lies: x_texel = (x - x_slope z - x_0) scale, likewise y; height = 1 + (z - low) per_m."""

    x_slope: np.float32
    y_slope: np.float32
    x_0: np.float32
    y_0: np.float32
    scale: np.float32
    """Texels for a metre."""
    low: np.float32
    per_m: np.float32
    """Height steps for a metre."""


class ShadowMap(NamedTuple):
    """Heights along the sun's rays."""

    heights: Heights
    """(N, N); 0 is nothing."""
    place: MapPlace


class SunMaps(NamedTuple):
    """What shading looks up: both maps in one array, since a kernel that chooses between arrays counts references."""

    heights: Heights
    """(N,) the near map's rows, then the far map's."""
    near: MapPlace
    far: MapPlace
    near_side: int
    far_side: int


@kernel
def cast(
    items: Ints,
    frames: Floats,
    vertices: Floats,
    triangles: Ints,
    states: Bytes,
    placement: Floats,
    facing_only: bool,
    scratch: Floats,
    heights: Heights,
    first_row: int,
    end_row: int,
) -> None:
    """Draws items into rows of a height map.

    items: (N, 5) as of `raster.project`. frames: (instances, 12) 3x4 local to world.
    placement: (7,) x_slope, y_slope, x_0, y_0, scale, low, per_m of `MapPlace`. scratch: (vertices of an item, 3).
    facing_only: leave out triangles that turn away from the sun, for meshes that are closed.
    """
    x_slope, y_slope, x_0, y_0 = placement[0], placement[1], placement[2], placement[3]
    scale, low, per_m = placement[4], placement[5], placement[6]
    width = heights.shape[1]
    for k in range(items.shape[0]):
        base = items[k, 2]
        frame = items[k, 4]
        m0, m1, m2, m3 = frames[frame, 0], frames[frame, 1], frames[frame, 2], frames[frame, 3]
        m4, m5, m6, m7 = frames[frame, 4], frames[frame, 5], frames[frame, 6], frames[frame, 7]
        m8, m9, m10, m11 = frames[frame, 8], frames[frame, 9], frames[frame, 10], frames[frame, 11]
        for v in range(items[k, 3] - base):
            px, py, pz = vertices[0, base + v], vertices[1, base + v], vertices[2, base + v]
            x = m0 * px + m1 * py + m2 * pz + m3
            y = m4 * px + m5 * py + m6 * pz + m7
            z = m8 * px + m9 * py + m10 * pz + m11
            scratch[v, 0] = (x - x_slope * z - x_0) * scale
            scratch[v, 1] = (y - y_slope * z - y_0) * scale
            scratch[v, 2] = (z - low) * per_m + f4(1)
        for t in range(items[k, 0], items[k, 1]):
            if states[t] & HIDDEN:
                continue
            a, b, c = triangles[t, 0] - base, triangles[t, 1] - base, triangles[t, 2] - base
            ax, ay, az = scratch[a, 0], scratch[a, 1], scratch[a, 2]
            bx, by, bz = scratch[b, 0], scratch[b, 1], scratch[b, 2]
            cx, cy, cz = scratch[c, 0], scratch[c, 1], scratch[c, 2]
            area = (bx - ax) * (cy - ay) - (cx - ax) * (by - ay)
            # Looked at along the sun's rays, x and y keep their sense: a face that sees the sun has a positive area.
            if area == f4(0) or (facing_only and area < f4(0)):
                continue
            top = max(first_row, int(math.ceil(max(min(ay, by, cy), f4(0)) - f4(0.5))))
            bottom = min(end_row - 1, int(math.floor(min(max(ay, by, cy), f4(65535)) - f4(0.5))))
            if top > bottom:
                continue
            left_most, right_most = min(ax, bx, cx), max(ax, bx, cx)
            if right_most < f4(0) or left_most > f4(width):
                continue
            gx = ((bz - az) * (cy - ay) - (cz - az) * (by - ay)) / area
            gy = ((cz - az) * (bx - ax) - (bz - az) * (cx - ax)) / area
            highest = max(az, bz, cz)
            lowest = min(az, bz, cz)
            for row in range(top, bottom + 1):
                y = f4(row) + f4(0.5)
                start, end = f4(1e9), f4(-1e9)
                for edge in range(3):
                    if edge == 0:
                        px, py, qx, qy = ax, ay, bx, by
                    elif edge == 1:
                        px, py, qx, qy = bx, by, cx, cy
                    else:
                        px, py, qx, qy = cx, cy, ax, ay
                    if (py <= y) != (qy <= y):
                        crossing = px + (y - py) / (qy - py) * (qx - px)
                        start = min(start, crossing)
                        end = max(end, crossing)
                if end < f4(0) or start > f4(width):
                    continue
                first = max(0, int(math.ceil(max(start, f4(0)) - f4(0.5))))
                last = min(width - 1, int(math.floor(min(end, f4(width)) - f4(0.5))))
                line = heights[row]
                for x in range(first, last + 1):
                    value = az + gx * (f4(x) + f4(0.5) - ax) + gy * (y - ay)
                    # Seen edge-on, a triangle's gradient is steep and would overshoot its corners.
                    step = int(min(max(value, lowest, f4(1)), highest, f4(65535)))
                    if step > line[x]:
                        line[x] = step


def draw_heights(
    geometry: Geometry,
    items: Ints,
    frames: Floats,
    into: ShadowMap,
    facing_only: bool,
    first_row: int = 0,
    end_row: int | None = None,
) -> None:
    """`cast` with its scratch, into some rows of the map."""
    if len(items):
        most = int((items[:, 3] - items[:, 2]).max())
        cast(
            items,
            frames,
            geometry.vertices,
            geometry.triangles,
            geometry.states,
            np.array(into.place, np.float32),
            facing_only,
            np.empty((most, 3), np.float32),
            into.heights,
            first_row,
            len(into.heights) if end_row is None else end_row,
        )


IDENTITY = np.eye(4, dtype=np.float32)[:3].reshape(1, 12)


class SunShadows:
    """The shadows of one town: a fine map around where a camera looks, and a coarse one of everything."""

    def __init__(self, geometry: Geometry, texels: int, radius_m: float, coarse_texels: int) -> None:
        self.geometry = geometry
        self.texels, self.radius_m, self.coarse_texels = texels, radius_m, coarse_texels
        low, high = geometry.low_m, geometry.high_m
        self._low = low.min(axis=0) if len(low) else np.zeros(3, np.float32)
        self._high = high.max(axis=0) if len(high) else np.ones(3, np.float32)
        self._kept: OrderedDict[tuple[float, ...], ShadowMap] = OrderedDict()
        self._coarse: tuple[tuple[float, float], ShadowMap] | None = None
        self._both = np.zeros(texels**2 + coarse_texels**2, np.uint16)
        self._scratch = self._both[: texels**2].reshape(texels, texels)
        self._drawn: tuple[tuple[float, ...], list[tuple[int, int, int, int]]] | None = None

    def forget(self) -> None:
        """Drops what is kept, for when objects were hidden or shown."""
        self._kept.clear()
        self._coarse = None
        self._drawn = None

    def _place(
        self, slopes: tuple[float, float], centre: tuple[float, float], radius: float, heights: Heights
    ) -> ShadowMap:
        ground = float(self._low[2])
        low = ground - 2.0
        steps = 65000.0 / max(float(self._high[2]) + 8.0 - low, 1.0)
        scale = len(heights) / (2 * radius)
        return ShadowMap(
            heights,
            MapPlace(
                f4(slopes[0]),
                f4(slopes[1]),
                f4(centre[0] - radius),
                f4(centre[1] - radius),
                f4(scale),
                f4(low),
                f4(steps),
            ),
        )

    def _draw_town(self, into: ShadowMap) -> None:
        low, high, parts = self.geometry.low_m, self.geometry.high_m, self.geometry.parts
        seen = np.ones(len(parts), bool)
        place = into.place
        for axis, slope, start in ((0, place.x_slope, place.x_0), (1, place.y_slope, place.y_0)):
            shifts = np.stack([low[:, 2] * slope, high[:, 2] * slope])
            seen &= (high[:, axis] - shifts.min(axis=0) - start) * place.scale >= 0
            seen &= (low[:, axis] - shifts.max(axis=0) - start) * place.scale <= len(into.heights)
        items = np.zeros((int(seen.sum()), 5), np.int32)
        items[:, :4] = parts[seen]
        draw_heights(self.geometry, items, IDENTITY, into, facing_only=False)

    def _town_map(self, slopes: tuple[float, float]) -> ShadowMap:
        """The whole town, without movers."""
        if self._coarse is None or self._coarse[0] != slopes:
            middle, half = (self._low + self._high) / 2, (self._high - self._low) / 2
            radius = float(max(half[0], half[1], 1.0)) + 8.0
            here = (float(middle[0]), float(middle[1]))
            heights = self._both[self.texels**2 :].reshape(self.coarse_texels, self.coarse_texels)
            heights[:] = 0
            into = self._place(slopes, here, radius, heights)
            self._draw_town(into)
            self._coarse = slopes, into
        return self._coarse[1]

    def _near_map(self, slopes: tuple[float, float], towards: tuple[float, float]) -> ShadowMap:
        """The town around a place; to be copied, not drawn into."""
        centre = (round(towards[0] / SNAP_M) * SNAP_M, round(towards[1] / SNAP_M) * SNAP_M)
        key = (*slopes, *centre)
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        into = self._place(slopes, centre, self.radius_m, np.zeros((self.texels, self.texels), np.uint16))
        self._draw_town(into)
        self._kept[key] = into
        if len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return into

    def _with_movers(self, town: ShadowMap, items: Ints, frames: Floats, reach_m: Floats) -> ShadowMap:
        """The town's map with movers on it."""
        key = tuple(float(value) for value in town.place)
        ours = town._replace(heights=self._scratch)
        if self._drawn is not None and self._drawn[0] == key:
            for top, bottom, left, right in self._drawn[1]:
                self._scratch[top:bottom, left:right] = town.heights[top:bottom, left:right]
        else:
            np.copyto(self._scratch, town.heights)
        slopes = np.array([town.place.x_slope, town.place.y_slope])
        start = np.array([town.place.x_0, town.place.y_0])
        shifts = reach_m[:, :, 2, None] * slopes
        first = np.floor((reach_m[:, 0, :2] - shifts.max(axis=1) - start) * town.place.scale - 1)
        last = np.ceil((reach_m[:, 1, :2] - shifts.min(axis=1) - start) * town.place.scale + 2)
        spans = np.stack([np.maximum(first, 0), np.minimum(last, self.texels)], axis=1).astype(int)
        chosen = np.flatnonzero(np.all(spans[:, 0] < spans[:, 1], axis=1))
        draw_heights(self.geometry, items[chosen], frames, ours, facing_only=True)
        rectangles = [(top, bottom, left, right) for (left, top), (right, bottom) in spans[chosen].tolist()]
        self._drawn = key, rectangles
        return ours

    def maps(
        self, slopes: tuple[float, float], towards: tuple[float, float], items: Ints, frames: Floats, reach_m: Floats
    ) -> SunMaps:
        """The town's shadows and those of movers around a place; valid until the next call.

        items, frames: as of `cast`, one item a mover. reach_m: (N, 2, 3) the world box of each item.
        """
        near = self._with_movers(self._near_map(slopes, towards), items, frames, reach_m)
        far = self._town_map(slopes)
        return SunMaps(self._both, near.place, far.place, self.texels, self.coarse_texels)


def sun_slopes(direction: Floats) -> tuple[float, float]:
    """Metres that a shadow moves for each metre of height, along x and y; direction: (3,) towards the sun."""
    height = max(float(direction[2]), LOWEST_SUN)
    return float(direction[0]) / height, float(direction[1]) / height
