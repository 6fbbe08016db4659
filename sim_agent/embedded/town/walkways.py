"""Where people walk: sidewalks, crosswalks and roads as convex polygons that share their edges."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from sim_agent.embedded.town.geometry import Array, Path
from sim_agent.embedded.town.marks import CROSSWALK_M, crossed_arms
from sim_agent.embedded.town.network import Junction, Network, Street
from sim_agent.embedded.town.roundabout import Ring
from sim_agent.embedded.town.surface import SIDEWALK_M

SIDEWALK, CROSSWALK, ROAD = 1, 2, 3
"""Areas of LibCarla's Navigation (nav/Navigation.h); an area's flag is 1 shifted left by its number."""

KERB_CLEAR_M = 1.0
"""People keep off the strip along the kerb: posts, trees and benches stand there."""
BACK_CLEAR_M = 0.25
STEP_M, CHORD_ERROR_M = 24.0, 0.12
"""Polygons as large as the curve allows: the client's path search holds 2,048 nodes and paths of 256 polygons."""
# From the kerb, to the block: the sidewalk's far side, its near side, the top of the ramp, its foot.
_RAILS = ((None, SIDEWALK_M), (KERB_CLEAR_M, SIDEWALK_M), (0.1, SIDEWALK_M), (-0.3, 0.0))


@dataclass
class Walkways:
    """Vertices (x, y, z) and polygons; a polygon's vertices turn to the left in CARLA's axes, as Detour wants them."""

    vertices: list[tuple[float, float, float]] = field(default_factory=list)
    polygons: list[tuple[int, ...]] = field(default_factory=list)
    areas: list[int] = field(default_factory=list)
    _known: dict[tuple[int, int], int] = field(default_factory=dict)

    def vertex(self, x: float, y: float, z: float) -> int:
        """The vertex at this place; places within a millimetre are one."""
        key = (round(x * 1000.0), round(y * 1000.0))
        if key not in self._known:
            self._known[key] = len(self.vertices)
            self.vertices.append((x, y, z))
        return self._known[key]

    def polygon(self, points: list[int], area: int) -> None:
        """A convex polygon; repeated vertices are dropped."""
        loop = [p for k, p in enumerate(points) if p != points[k - 1]]
        if len(loop) < 3:
            return
        x0, y0, _ = self.vertices[loop[0]]
        spokes = [(x - x0, y - y0) for x, y, _ in (self.vertices[p] for p in loop)]
        twice_area = sum(xa * yb - ya * xb for (xa, ya), (xb, yb) in zip(spokes[1:-1], spokes[2:], strict=True))
        if abs(twice_area) < 1e-4:
            return
        self.polygons.append(tuple(loop if twice_area < 0.0 else loop[::-1]))
        self.areas.append(area)

    def neighbours(self) -> list[list[int]]:
        """For each polygon, the polygon across each edge (from vertex k to k + 1), or -1."""
        owner = {}
        for number, loop in enumerate(self.polygons):
            for k, first in enumerate(loop):
                owner[first, loop[(k + 1) % len(loop)]] = number
        return [
            [owner.get((loop[(k + 1) % len(loop)], first), -1) for k, first in enumerate(loop)]
            for loop in self.polygons
        ]


def lay_walkways(network: Network) -> Walkways:
    """The walkways of a network: round every block, and over the streets on crosswalks."""
    ways = Walkways()
    for street in network.streets:
        _street(ways, street)
    crossed = set(crossed_arms(network))
    for number, junction in enumerate(network.junctions):
        _junction(ways, junction, {arm for n, arm in crossed if n == number})
    return ways


def _stations(path: Path, more: tuple[float, ...] = ()) -> Array:
    parts = [np.array(more)]
    for piece, start in zip(path.pieces, path.starts[:-1], strict=True):
        step = STEP_M if not piece.curvature else min(STEP_M, math.sqrt(8.0 * CHORD_ERROR_M / abs(piece.curvature)))
        count = max(1, math.ceil(piece.length_m / step))
        parts.append(start + piece.length_m * np.arange(count + 1) / count)
    s = np.sort(np.concatenate(parts))
    # Slivers help nobody: stations closer than half a metre merge, save those that were asked for.
    kept: list[float] = []
    wanted = {0.0, path.length_m, *more}
    for value in s.tolist():
        near = bool(kept) and value - kept[-1] < 0.5
        if near and min(abs(value - w) for w in wanted) > 1e-9:
            continue
        if near and value - kept[-1] > 1e-9 and min(abs(kept[-1] - w) for w in wanted) > 1e-9:
            kept.pop()
        if not kept or value - kept[-1] > 1e-9:
            kept.append(value)
    return np.array(kept)


def _rails(ways: Walkways, path: Path, s: Array, kerb_m: float, side: int, width_m: Array) -> list[list[int]]:
    """Vertices of the four rails, each with one vertex a station."""
    rails = []
    for offset, z in _RAILS:
        behind = width_m - BACK_CLEAR_M if offset is None else np.full(len(s), offset)
        points = path.beside(s, side * (kerb_m + behind))
        rails.append([ways.vertex(float(x), float(y), z) for x, y in points])
    return rails


def _strip(ways: Walkways, first: list[int], second: list[int], k: int, area: int) -> None:
    ways.polygon([first[k], first[k + 1], second[k + 1], second[k]], area)


def _street(ways: Walkways, street: Street) -> None:
    section = street.section
    s = _stations(street.path)
    width = np.full(len(s), section.sidewalk_m)
    left, right = (_rails(ways, street.path, s, section.kerb_m, side, width) for side in (-1, 1))
    for k in range(len(s) - 1):
        for rails in (left, right):
            _strip(ways, rails[0], rails[1], k, SIDEWALK)
            _strip(ways, rails[1], rails[2], k, ROAD)
            _strip(ways, rails[2], rails[3], k, ROAD)
        _strip(ways, left[3], right[3], k, ROAD)


def _junction(ways: Walkways, junction: Junction, crossed: set[int]) -> None:
    near, far = CROSSWALK_M
    count = len(junction.arms)
    feet: list[dict[float, int]] = []
    middle: list[list[int]] = []
    for k, corner in enumerate(junction.corners):
        length = corner.length_m
        last = junction.arms[k].street.section.sidewalk_m
        first = junction.arms[(k + 1) % count].street.section.sidewalk_m
        s = _stations(corner, (near, far, length - far, length - near))
        rails = _rails(ways, corner, s, 0.0, 1, first + (last - first) * s / length)
        for i in range(len(s) - 1):
            here = (s[i] + s[i + 1]) / 2.0
            on_first = near < here < far and (k + 1) % count in crossed
            on_last = near < length - here < far and k in crossed
            area = CROSSWALK if on_first or on_last else ROAD
            _strip(ways, rails[0], rails[1], i, SIDEWALK)
            _strip(ways, rails[1], rails[2], i, area)
            _strip(ways, rails[2], rails[3], i, area)
        feet.append({float(value): foot for value, foot in zip(s.tolist(), rails[3], strict=True)})
        middle.append(
            [
                foot
                for value, foot in zip(s.tolist(), rails[3], strict=True)
                if far - 1e-9 <= value <= length - far + 1e-9
            ]
        )
    for k in range(count):
        # Arm k has corner k on its right and corner k - 1 on its left, seen away from the junction.
        length = junction.corners[k].length_m
        right = {d: _at(feet[k], length - d) for d in (0.0, near, far)}
        left = {d: _at(feet[k - 1], d) for d in (0.0, near, far)}
        ways.polygon([left[0.0], right[0.0], right[near], left[near]], ROAD)
        ways.polygon([left[near], right[near], right[far], left[far]], CROSSWALK if k in crossed else ROAD)
    outline = [foot for feet_of_corner in middle for foot in reversed(feet_of_corner)]
    if junction.ring is not None:
        _ring(ways, junction.ring, outline)
        return
    hub = ways.vertex(*junction.centre, 0.0)
    for k, foot in enumerate(outline):
        ways.polygon([hub, outline[k - 1], foot], ROAD)


def _ring(ways: Walkways, ring: Ring, outline: list[int]) -> None:
    """From the kerbs around a roundabout to its island, on which nobody walks."""
    inner = []
    for foot in outline:
        x, y, _ = ways.vertices[foot]
        share = ring.island_m / math.hypot(x - ring.x_m, y - ring.y_m)
        inner.append(ways.vertex(ring.x_m + (x - ring.x_m) * share, ring.y_m + (y - ring.y_m) * share, 0.0))
    for k in range(len(outline)):
        ways.polygon([inner[k - 1], outline[k - 1], outline[k], inner[k]], ROAD)


def _at(feet: dict[float, int], s_m: float) -> int:
    nearest = min(feet, key=lambda value: abs(value - s_m))
    return feet[nearest]
