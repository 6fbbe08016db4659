"""OpenDRIVE 1.4 text as roads, lanes and signals; whatever CARLA's client would die of is an error here."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from sim_agent.embedded.town.geometry import Array
from sim_agent.embedded.town.reference_line import SHAPES, Geometry, Polynomial, evaluate, slope

Element = ElementTree.Element
_STEP_M, _CHORD_M = 2.0, 0.01


class ReadMark(NamedTuple):
    """A roadMark, from `s_m` of the road on."""

    s_m: float
    kind: str
    colour: str
    width_m: float


class ReadLane(NamedTuple):
    """A lane of one section."""

    lane_id: int
    kind: str
    widths: tuple[Polynomial, ...]
    """With s from the road's start."""
    marks: tuple[ReadMark, ...]


class ReadSection(NamedTuple):
    """A lane section."""

    start_m: float
    end_m: float
    lanes: tuple[ReadLane, ...]

    def side(self, sign: int) -> list[ReadLane]:
        """Lanes with ids of this sign from the middle outwards."""
        return sorted((lane for lane in self.lanes if lane.lane_id * sign > 0), key=lambda lane: abs(lane.lane_id))


class ReadSignal(NamedTuple):
    """A signal on its road."""

    signal_id: str
    type_id: str
    value: str
    s_m: float
    t_m: float
    orientation: str
    turn_rad: float
    lanes: tuple[tuple[int, int], ...]
    """First and last lane id of each validity; empty for all."""


@dataclass(frozen=True)
class ReadRoad:
    """A road with its reference line, in OpenDRIVE's axes."""

    road_id: int
    length_m: float
    junction: int
    next_junctions: tuple[int, int]
    """Junction at the start and at the end, -1 for none."""
    geometries: tuple[Geometry, ...]
    offsets: tuple[Polynomial, ...]
    elevations: tuple[Polynomial, ...]
    sections: tuple[ReadSection, ...]
    signals: tuple[ReadSignal, ...]
    references: tuple[ReadSignal, ...]
    limit_kmh: float
    crosswalks: tuple[Array, ...]
    """(N, 3) outlines in CARLA's axes."""

    def height(self, s_m: Array) -> Array:
        """Height of the reference line in metres; all lanes are level with it."""
        return evaluate(self.elevations, s_m)

    def grade(self, s_m: Array) -> Array:
        """How much the road climbs, in metres per metre of s."""
        return slope(self.elevations, s_m)

    def line(self, s_m: Array) -> tuple[Array, Array, Array]:
        """x, y and heading of the reference line; laneOffset is not in it."""
        starts = np.array([geometry.s_m for geometry in self.geometries])
        which = np.clip(np.searchsorted(starts, s_m, side="right") - 1, 0, None)
        x, y, heading = np.empty_like(s_m), np.empty_like(s_m), np.empty_like(s_m)
        for k in np.unique(which):
            here = which == k
            x[here], y[here], heading[here] = self.geometries[k].at(s_m[here] - starts[k])
        return x, y, heading

    def beside(self, s_m: Array, t_m: Array) -> Array:
        """(N, 2) points in CARLA's axes, `t_m` to the left of the reference line."""
        x, y, heading = self.line(s_m)
        return np.column_stack([x - t_m * np.sin(heading), -(y + t_m * np.cos(heading))])

    def borders(self, section: ReadSection, sign: int, s_m: Array) -> Iterator[tuple[ReadLane, Array, Array]]:
        """Each lane of a side with the t of its inner and its outer border."""
        inner = evaluate(self.offsets, s_m)
        for lane in section.side(sign):
            outer = inner + sign * np.maximum(evaluate(lane.widths, s_m), 0.0)
            yield lane, inner, outer
            inner = outer

    def stations(self, start_m: float, end_m: float) -> Array:
        """Distances whose chords follow the line within a centimetre."""
        count = max(1, math.ceil((end_m - start_m) / _STEP_M))
        coarse = start_m + (end_m - start_m) * np.arange(count + 1) / count
        _, _, heading = self.line(coarse)
        turn = np.abs(np.diff(heading))
        step = np.diff(coarse)
        pieces = np.maximum(1, np.ceil(np.sqrt(np.minimum(turn, 3.0) * step / (8.0 * _CHORD_M))).astype(int))
        fine = [a + (b - a) * np.arange(n) / n for a, b, n in zip(coarse[:-1], coarse[1:], pieces, strict=True)]
        return np.concatenate([*fine, [end_m]])


@dataclass(frozen=True)
class ReadMap:
    """A map: roads, and which signals of a junction change together."""

    name: str
    roads: tuple[ReadRoad, ...]
    groups: dict[str, int]
    """Signal id to the number of its controller within its junction."""


def read_opendrive(text: str) -> ReadMap:
    """The map in a text.

    Raises:
        ValueError: when the text is no OpenDRIVE, has no road, a road without length or geometry, a shape that OpenDRIVE
            1.4 does not know, a number that is none, or a controller of a signal that is missing (CARLA's client ends with
            a segmentation fault then).
    """
    try:
        root = ElementTree.fromstring(text.encode() if isinstance(text, str) else text)
    except ElementTree.ParseError as error:
        raise ValueError(f"the text is not OpenDRIVE: {error}; give the whole content of an .xodr file") from error
    if root.tag != "OpenDRIVE":
        raise ValueError(
            f"the text's first element is <{root.tag}>, expected <OpenDRIVE>; give the content of an .xodr file"
        )
    roads = tuple(_road(element) for element in root.iter("road"))
    if not roads:
        raise ValueError("the map has no <road>: there is nothing to build a world from")
    known = {signal.signal_id for road in roads for signal in road.signals}
    members: dict[str, list[str]] = {}
    for controller in root.iter("controller"):
        if controller.find("control") is None:
            continue
        number = controller.get("id", "")
        members[number] = [control.get("signalId", "") for control in controller.iter("control")]
        for signal_id in members[number]:
            if signal_id not in known:
                raise ValueError(
                    f"controller {number} refers to signal {signal_id!r}, which no road has; "
                    "remove the <control> or add the signal"
                )
    groups: dict[str, int] = {}
    for junction in root.iter("junction"):
        for k, reference in enumerate(junction.findall("controller")):
            groups.update(dict.fromkeys(members.get(reference.get("id", ""), ()), k))
    header = root.find("header")
    return ReadMap((header.get("name") if header is not None else None) or "OpenDriveMap", roads, groups)


def _float(element: Element, key: str, default: float | None = None) -> float:
    text = element.get(key)
    if text is None and default is not None:
        return default
    try:
        value = float(text or "")
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError(f"<{element.tag}> has {key}={text!r}, expected a finite number")
    return value


def _polynomials(elements: list[Element], start_m: float, key: str) -> tuple[Polynomial, ...]:
    pieces = (Polynomial(start_m + _float(e, key), *(_float(e, k) for k in "abcd")) for e in elements)
    return tuple(sorted(pieces))


def _road(road: Element) -> ReadRoad:
    name = road.get("id", "?")
    length = _float(road, "length")
    if length <= 0.0:
        raise ValueError(f"road {name} is {length} m long, expected more than 0")
    geometries = tuple(
        sorted(_geometry(g, name) for g in road.iterfind("planView/geometry") if _float(g, "length") > 0.0)
    )
    if not geometries:
        raise ValueError(f"road {name} has no geometry with a length in its planView")
    junctions = []
    for end in ("predecessor", "successor"):
        link = road.find(f"link/{end}")
        to_junction = link is not None and link.get("elementType") == "junction"
        junctions.append(int(link.get("elementId", "-1")) if link is not None and to_junction else -1)
    speed = road.find("type/speed")
    factor = {"mph": 1.609344, "m/s": 3.6}.get(speed.get("unit", "") if speed is not None else "", 1.0)
    try:
        limit = _float(speed, "max") * factor if speed is not None else 40.0
    except ValueError:
        limit = 40.0
    starts = [_float(section, "s") for section in road.iterfind("lanes/laneSection")]
    if not starts:
        raise ValueError(f"road {name} has no laneSection: it has no lanes to drive on")
    ends = [*starts[1:], length]
    sections = tuple(
        ReadSection(start, end, tuple(_lane(lane, start) for side in section for lane in side.findall("lane")))
        for section, start, end in zip(road.iterfind("lanes/laneSection"), starts, ends, strict=True)
        if end - start > 1e-6
    )
    read = ReadRoad(
        int(name) if name.lstrip("-").isdigit() else -1,
        length,
        int(road.get("junction", "-1")),
        (junctions[0], junctions[1]),
        geometries,
        _polynomials(road.findall("lanes/laneOffset"), 0.0, "s"),
        _polynomials(road.findall("elevationProfile/elevation"), 0.0, "s"),
        sections,
        tuple(_signal(signal) for signal in road.iterfind("signals/signal")),
        tuple(_signal(signal) for signal in road.iterfind("signals/signalReference")),
        limit,
        (),
    )
    objects = [e for e in road.iterfind("objects/object") if (e.get("type") or "").lower() == "crosswalk"]
    outlines = [_outline(element, read) for element in objects]
    return replace(read, crosswalks=tuple(outline for outline in outlines if len(outline) >= 3))


def _outline(element: Element, road: ReadRoad) -> Array:
    """(N, 3) corners of an object in CARLA's axes, as high as the road, the first not repeated."""
    s, t = np.array([_float(element, "s")]), np.array([_float(element, "t", 0.0)])
    if element.find("outline/cornerRoad") is not None:
        found = element.findall("outline/cornerRoad")
        places = np.array([(_float(corner, "s"), _float(corner, "t")) for corner in found])
        points = road.beside(places[:, 0], places[:, 1])
    else:
        local = [(_float(c, "u"), _float(c, "v")) for c in element.findall("outline/cornerLocal")]
        _, _, heading = road.line(s)
        turn = -float(heading[0]) - _float(element, "hdg", 0.0)
        u, v = np.array(local).reshape(-1, 2).T
        along, across = np.array([math.cos(turn), math.sin(turn)]), np.array([math.sin(turn), -math.cos(turn)])
        points = road.beside(s, t) + u[:, None] * along + v[:, None] * across
    closed = len(points) > 1 and float(np.abs(points[0] - points[-1]).max()) < 1e-6
    corners = points[:-1] if closed else points
    return np.column_stack([corners, np.full(len(corners), float(road.height(s)[0]))])


def _geometry(element: Element, road: str) -> Geometry:
    shape = next((child for child in element if child.tag in SHAPES), None)
    if shape is None:
        tags = ", ".join(child.tag for child in element) or "nothing"
        raise ValueError(f"a geometry of road {road} holds {tags}, expected one of {', '.join(SHAPES)}")
    length = _float(element, "length")
    keys = {
        "line": (),
        "arc": ("curvature",),
        "spiral": ("curvStart", "curvEnd"),
        "poly3": tuple("abcd"),
        "paramPoly3": ("aU", "bU", "cU", "dU", "aV", "bV", "cV", "dV"),
    }[shape.tag]
    numbers = tuple(_float(shape, key) for key in keys)
    if shape.tag == "paramPoly3":
        numbers += (length if shape.get("pRange") == "arcLength" else 1.0,)
    s, x, y, heading = (_float(element, key) for key in ("s", "x", "y", "hdg"))
    return Geometry(s, x, y, heading, length, shape.tag, numbers)


def _lane(lane: Element, start_m: float) -> ReadLane:
    marks = tuple(
        ReadMark(
            start_m + _float(mark, "sOffset", 0.0),
            mark.get("type", "none"),
            mark.get("color", "standard"),
            _float(mark, "width", 0.15) or 0.15,
        )
        for mark in lane.findall("roadMark")
    )
    widths = _polynomials(lane.findall("width"), start_m, "sOffset")
    return ReadLane(int(lane.get("id", "0")), lane.get("type", "none"), widths, tuple(sorted(marks)))


def _signal(signal: Element) -> ReadSignal:
    lanes = tuple((int(_float(v, "fromLane")), int(_float(v, "toLane"))) for v in signal.findall("validity"))
    return ReadSignal(
        signal.get("id", ""),
        signal.get("type", ""),
        signal.get("value", ""),
        _float(signal, "s"),
        _float(signal, "t", 0.0),
        signal.get("orientation", "+"),
        _float(signal, "hOffset", 0.0),
        lanes,
    )
