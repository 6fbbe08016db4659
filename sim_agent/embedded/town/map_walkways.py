"""Where people walk in a world from any OpenDRIVE text: along its sidewalk lanes, round corners and over its crosswalks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from sim_agent.embedded.town.geometry import Array
from sim_agent.embedded.town.navmesh import MAX_VERTICES, write_navmesh
from sim_agent.embedded.town.opendrive_reader import ReadMap, ReadRoad, ReadSection
from sim_agent.embedded.town.reference_line import evaluate
from sim_agent.embedded.town.surface import SIDEWALK_M
from sim_agent.embedded.town.walkways import CROSSWALK, ROAD, SIDEWALK, STEP_M, Walkways

_WALKED = "sidewalk"
_CROSSED = ("driving", "bidirectional", "parking", "shoulder", "stop", "biking", "border", "restricted")
_VERGE_M = 1.5
"""Beside the roads of a map without any sidewalk, so much of the ground is one."""
_ERROR_M = 0.12
_WELD_M = 0.05
"""Ends of lanes that follow each other lie this close in well-made maps."""
_REACH_M = 5.0
"""From the end of a crosswalk to the sidewalk that it leads to, at the most."""
_NARROWEST_M = 0.6
_FINE_M = 0.5


@dataclass
class _Band:
    """Lanes side by side, or a corner: borders from left to right at stations that are close together."""

    s_m: Array
    """(S,)."""
    places: Array
    """(B, S, 3) of each border, metres."""
    areas: list[int | None]
    """(B - 1,) between each border and the next; None: nobody walks there."""
    ends: tuple[int, int] = (-1, -1)
    """Junctions at the first and at the last station, -1 for none."""
    road_id: int = -1
    wanted_m: set[float] = field(default_factory=set)
    """Stations where crosswalks begin and end."""
    kept_m: Array = field(default_factory=lambda: np.zeros(0))
    rails: list[list[int]] = field(default_factory=list)
    """Vertices of each border at the stations that were kept."""


class _End(NamedTuple):
    """A side of a crosswalk, and the stretch of a border that it leads to."""

    corners: tuple[int, int]
    """Of the outline."""
    band: _Band
    border: int
    s_m: tuple[float, float]


class _Welded(Walkways):
    """Walkways whose vertices are one if they are within `_WELD_M`, and on one level."""

    def __init__(self) -> None:
        super().__init__()
        self._cells: dict[tuple[int, int], list[int]] = {}

    def vertex(self, x: float, y: float, z: float) -> int:
        """The vertex there, or nearly there."""
        column, row = round(x / _WELD_M), round(y / _WELD_M)
        for cell in ((column + i, row + j) for i in (-1, 0, 1) for j in (-1, 0, 1)):
            for number in self._cells.get(cell, ()):
                other = self.vertices[number]
                if np.hypot(other[0] - x, other[1] - y) <= _WELD_M and abs(other[2] - z) < 1.0:
                    return number
        self._cells.setdefault((column, row), []).append(len(self.vertices))
        self.vertices.append((x, y, z))
        return len(self.vertices) - 1


def navmesh_of(read: ReadMap) -> bytes:
    """The map's navigation mesh; empty for one that is too large for one tile, in which people then stand still."""
    for areas in ((SIDEWALK, ROAD), (SIDEWALK,)):
        ways = lay_map_walkways(read, areas)
        if not ways.polygons:
            return b""
        if len(ways.vertices) <= MAX_VERTICES:
            return write_navmesh(ways)
    return b""


def lay_map_walkways(read: ReadMap, areas: tuple[int, ...] = (SIDEWALK, ROAD)) -> Walkways:
    """Sidewalks with the crosswalks between them, and, for those who cross anywhere, the roads between junctions."""
    has_sidewalks = any(lane.kind == _WALKED for r in read.roads for section in r.sections for lane in section.lanes)
    bands = [
        band
        for road in read.roads
        for section in road.sections
        if has_sidewalks or road.junction == -1
        for band in _bands(road, section, has_sidewalks, areas)
    ]
    bands += _corners(read, bands)
    crosswalks = [_quad(outline) for road in read.roads for outline in road.crosswalks]
    ends = _ends(crosswalks, bands)
    ways = _Welded()
    for band in bands:
        _lay(ways, band)
    for quad, sides in zip(crosswalks, ends, strict=True):
        _cross(ways, quad, sides)
    return ways


def _bands(road: ReadRoad, section: ReadSection, has_sidewalks: bool, wanted: tuple[int, ...]) -> Iterator[_Band]:
    s = np.linspace(section.start_m, section.end_m, max(2, round((section.end_m - section.start_m) / _FINE_M) + 1))
    sides: list[list[tuple[Array, int | None]]] = []
    for sign in (1, -1):
        lanes: list[tuple[Array, int | None]] = []
        outer = None
        for lane, _, outer in road.borders(section, sign, s):
            on_street = lane.kind in _CROSSED and road.junction == -1
            lanes.append((outer, SIDEWALK if lane.kind == _WALKED else ROAD if on_street else None))
        if not has_sidewalks and outer is not None:
            lanes.append((outer + sign * _VERGE_M, SIDEWALK))
        sides.append([(t, area if area in wanted else None) for t, area in lanes])
    left, right = sides
    # An area belongs to the lane inside of its outer border.
    areas = [area for _, area in left[::-1]] + [area for _, area in right]
    if not any(areas):
        return
    lines = [t for t, _ in left[::-1]] + [evaluate(road.offsets, s)] + [t for t, _ in right]
    z = road.height(s)
    places = []
    for k, t in enumerate(lines):
        is_raised = has_sidewalks and SIDEWALK in areas[max(k - 1, 0) : k + 1]
        places.append(np.column_stack([road.beside(s, t), z + (SIDEWALK_M if is_raised else 0.0)]))
    ends = (
        road.next_junctions[0] if s[0] <= 1e-6 else -1,
        road.next_junctions[1] if s[-1] >= road.length_m - 1e-6 else -1,
    )
    yield _Band(s, np.stack(places), areas, ends, road.road_id)


class _Stop(NamedTuple):
    """Where a sidewalk ends at a junction: two places (2, 3), and the road that it came along."""

    places: Array
    road_id: int

    @property
    def middle(self) -> Array:
        """(2,)."""
        return np.asarray(self.places[:, :2].mean(0))


def _corners(read: ReadMap, bands: list[_Band]) -> list[_Band]:
    """Many maps end their sidewalks at a junction: joins each to the next one around it, if no traffic runs between."""
    goes_on: dict[tuple[int, ...], int] = {}
    stops: dict[int, list[_Stop]] = {}
    for band in bands:
        for at, junction in ((0, band.ends[0]), (-1, band.ends[1])):
            for k, area in enumerate(band.areas):
                if area == SIDEWALK:
                    stop = _Stop(band.places[k : k + 2, at], band.road_id)
                    key = tuple(np.rint(stop.middle / (4.0 * _WELD_M)).astype(int).tolist())
                    goes_on[key] = goes_on.get(key, 0) + 1
                    if junction != -1:
                        stops.setdefault(junction, []).append(stop)
    traffic: dict[int, list[Array]] = {}
    for road in read.roads:
        if road.junction in stops:
            s = np.linspace(0.0, road.length_m, max(2, round(road.length_m)))
            traffic.setdefault(road.junction, []).append(road.beside(s, evaluate(road.offsets, s)))
    corners = []
    for junction, all_stops in stops.items():
        loose = [s for s in all_stops if goes_on[tuple(np.rint(s.middle / (4.0 * _WELD_M)).astype(int).tolist())] == 1]
        if len(loose) < 2:
            continue
        spokes = np.array([stop.middle for stop in loose])
        spokes -= spokes.mean(0)
        around = [loose[k] for k in np.argsort(np.arctan2(spokes[:, 1], spokes[:, 0]), kind="stable")]
        for here, there in zip(around, around[1:] + around[:1], strict=True):
            lines = traffic.get(junction, [])
            if here.road_id != there.road_id and not any(_crosses(here.middle, there.middle, line) for line in lines):
                corners.append(_corner(here.places, there.places))
    return corners


def _corner(here: Array, there: Array) -> _Band:
    """A straight way from one (2, 3) stop to another."""
    straight = np.linalg.norm(here - there, axis=1).sum()
    target = there if straight <= np.linalg.norm(here - there[::-1], axis=1).sum() else there[::-1]
    length = float(np.linalg.norm(target - here, axis=1).max())
    share = np.linspace(0.0, 1.0, max(2, round(length / _FINE_M) + 1))
    places = here[:, None] + share[None, :, None] * (target - here)[:, None]
    return _Band(share * length, places, [SIDEWALK])


def _crosses(start: Array, end: Array, line: Array) -> bool:
    """Whether a stretch crosses a (N, 2) line."""
    way, steps, apart = end - start, np.diff(line, axis=0), line[:-1] - start
    turn = way[0] * steps[:, 1] - way[1] * steps[:, 0]
    turn = np.where(np.abs(turn) < 1e-12, np.inf, turn)
    along = (apart[:, 0] * steps[:, 1] - apart[:, 1] * steps[:, 0]) / turn
    across = (apart[:, 0] * way[1] - apart[:, 1] * way[0]) / turn
    return bool(((along > 0.0) & (along < 1.0) & (across >= 0.0) & (across <= 1.0)).any())


def _quad(outline: Array) -> Array:
    """(4, 3) the outline, or the rectangle along its longest way if it has more or fewer corners."""
    if len(outline) == 4:
        return outline
    middle = outline.mean(0)
    _, _, axes = np.linalg.svd((outline - middle)[:, :2], full_matrices=True)
    local = (outline - middle)[:, :2] @ axes.T
    (u0, v0), (u1, v1) = local.min(0), local.max(0)
    corners = np.array([(u0, v0), (u1, v0), (u1, v1), (u0, v1)]) @ axes
    return np.column_stack([corners + middle[:2], np.full(4, middle[2])])


def _ends(crosswalks: list[Array], bands: list[_Band]) -> list[list[_End]]:
    """For each crosswalk the ends that lead to a sidewalk; the bands learn which stations that takes."""
    owners, samples = [], []
    for number, band in enumerate(bands):
        for border, line in enumerate(band.places):
            if SIDEWALK in band.areas[max(border - 1, 0) : border + 1]:
                owners.append(np.broadcast_to(np.array([number, border]), (len(line), 2)))
                samples.append(np.column_stack([line[:, :2], band.s_m]))
    if not samples:
        return [[] for _ in crosswalks]
    owner, sample = np.concatenate(owners), np.concatenate(samples)

    def nearest(point: Array, among: Array) -> tuple[int, float]:
        apart = np.hypot(*(among[:, :2] - point[:2]).T)
        return int(apart.argmin()), float(apart.min())

    found: list[list[_End]] = []
    for quad in crosswalks:
        pairs = [((0, 1), (2, 3)), ((1, 2), (3, 0))]
        middles = [[(quad[a] + quad[b]) / 2.0 for a, b in pair] for pair in pairs]
        costs = [sum(nearest(middle, sample)[1] for middle in two) for two in middles]
        best = int(np.argmin(costs))
        ends = []
        for (a, b), middle in zip(pairs[best], middles[best], strict=True):
            at, apart = nearest(middle, sample)
            if apart > _REACH_M:
                continue
            number, border = owner[at].tolist()
            same = sample[(owner == owner[at]).all(1)]
            first, last = (float(same[nearest(quad[k], same)[0], 2]) for k in (a, b))
            stretch = _apart(first, last, bands[number].s_m)
            bands[number].wanted_m |= set(stretch)
            ends.append(_End((a, b), bands[number], border, stretch))
        found.append(ends)
    return found


def _apart(first: float, last: float, s_m: Array) -> tuple[float, float]:
    """The stretch from first to last, made wide enough to walk through, on the band."""
    lack = max(0.0, _NARROWEST_M - abs(last - first)) / 2.0 + 1e-9
    sign = 1.0 if last >= first else -1.0
    wide = np.clip([first - sign * lack, last + sign * lack], s_m[0], s_m[-1])
    near = s_m[np.abs(s_m[:, None] - wide).argmin(0)]
    return float(near[0]), float(near[1])


def _lay(ways: _Welded, band: _Band) -> None:
    """Polygons between the borders, as long as the curves allow."""
    kept = _kept(band)
    band.kept_m = band.s_m[kept]
    band.rails = [[ways.vertex(*place) for place in rail] for rail in band.places[:, kept].tolist()]
    for k, area in enumerate(band.areas):
        if area is None:
            continue
        one, two = band.rails[k], band.rails[k + 1]
        for n in range(len(kept) - 1):
            _fill(ways, [one[n], one[n + 1], two[n + 1], two[n]], area)


def _kept(band: _Band) -> list[int]:
    """Numbers of the stations at which polygons end: where crosswalks do, and as few others as there can be."""
    most = len(band.s_m) - 1
    wanted = set(np.flatnonzero(np.isin(band.s_m, list(band.wanted_m))).tolist()) | {most}
    kept = [0]
    while kept[-1] < most:
        start = kept[-1]
        limit = min(number for number in wanted if number > start)
        end, step = start + 1, 1
        # The farthest that is straight enough, by doubling and then halving the step.
        while step:
            farther = min(end + step, limit)
            if farther > end and _is_straight(band.places[:, start : farther + 1]):
                end, step = farther, step * 2
            else:
                step //= 2
        kept.append(end)
    return kept


def _is_straight(places: Array) -> bool:
    """Whether (B, S, 3) stretches of borders are as good as straight, and no longer than a polygon may be."""
    first, last = places[:, :1], places[:, -1:]
    if float(np.linalg.norm(last - first, axis=-1).max()) > STEP_M:
        return False
    share = np.linspace(0.0, 1.0, places.shape[1])[:, None]
    return float(np.abs(places - first - share * (last - first)).max()) <= _ERROR_M


def _fill(ways: _Welded, loop: list[int], area: int) -> None:
    """A quad, or two triangles if it is not convex."""
    corners = np.array([ways.vertices[p][:2] for p in loop])
    edges = np.roll(corners, -1, 0) - corners
    turns = edges[:, 0] * np.roll(edges[:, 1], -1) - edges[:, 1] * np.roll(edges[:, 0], -1)
    if (turns >= -1e-6).all() or (turns <= 1e-6).all():
        ways.polygon(loop, area)
    else:
        ways.polygon(loop[:3], area)
        ways.polygon([loop[0], loop[2], loop[3]], area)


def _cross(ways: _Welded, quad: Array, ends: list[_End]) -> None:
    """A crosswalk that leads to at least one sidewalk, and what joins it to them."""
    if not ends:
        return
    corners = [ways.vertex(*corner) for corner in quad.tolist()]
    _fill(ways, corners, CROSSWALK)
    for end in ends:
        low, high = sorted(end.s_m)
        kept = np.flatnonzero((end.band.kept_m >= low - 1e-6) & (end.band.kept_m <= high + 1e-6)).tolist()
        rail = [end.band.rails[end.border][k] for k in kept]
        if end.s_m[0] > end.s_m[1]:
            rail.reverse()
        a, b = (corners[k] for k in end.corners)
        for one, two in zip(rail[:-1], rail[1:], strict=True):
            ways.polygon([a, one, two], CROSSWALK)
        ways.polygon([a, rail[-1], b], CROSSWALK)
