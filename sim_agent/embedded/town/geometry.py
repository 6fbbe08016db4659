"""Plane curves of lines and arcs: OpenDRIVE's planView in CARLA's axes, where right of a heading is 90 degrees more."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

CHORD_ERROR_M = 0.008
"""How far a chord of a mesh may lie from the curve of the map: well below the 2 cm that lane markings must keep."""


class Piece(NamedTuple):
    """A line (curvature 0) or an arc: where it starts, how long it is, and its curvature in 1/m, positive to the right."""

    x_m: float
    y_m: float
    heading_rad: float
    length_m: float
    curvature: float

    def at(self, s_m: Array) -> tuple[Array, Array, Array]:
        """x, y and heading at the distances `s_m` along the piece; beyond its ends the curve goes on."""
        heading = self.heading_rad + self.curvature * s_m
        if self.curvature == 0.0:
            return self.x_m + s_m * math.cos(heading[0]), self.y_m + s_m * math.sin(heading[0]), heading
        x = self.x_m + (np.sin(heading) - math.sin(self.heading_rad)) / self.curvature
        y = self.y_m - (np.cos(heading) - math.cos(self.heading_rad)) / self.curvature
        return x, y, heading


class Place(NamedTuple):
    """A point with a heading."""

    x_m: float
    y_m: float
    heading_rad: float

    @property
    def yaw_deg(self) -> float:
        """The heading as CARLA's yaw, in [-180, 180)."""
        return (math.degrees(self.heading_rad) + 180.0) % 360.0 - 180.0

    def moved(self, ahead_m: float, right_m: float = 0.0) -> Place:
        """The same heading, this far ahead and to the right."""
        c, s = math.cos(self.heading_rad), math.sin(self.heading_rad)
        return Place(self.x_m + ahead_m * c - right_m * s, self.y_m + ahead_m * s + right_m * c, self.heading_rad)

    def turned(self, by_rad: float) -> Place:
        """The same point with another heading."""
        return Place(self.x_m, self.y_m, self.heading_rad + by_rad)


@dataclass(frozen=True)
class Path:
    """Pieces end to end, continuous in position and heading."""

    pieces: tuple[Piece, ...]

    @cached_property
    def starts(self) -> Array:
        """(n + 1,) distance at which each piece starts, and the whole length."""
        return np.concatenate([[0.0], np.cumsum([piece.length_m for piece in self.pieces])])

    @property
    def length_m(self) -> float:
        """Metres from end to end."""
        return float(self.starts[-1])

    def at(self, s_m: npt.ArrayLike) -> tuple[Array, Array, Array]:
        """x, y and heading, each of the shape (N,), at N distances along the path."""
        s = np.atleast_1d(np.asarray(s_m, np.float64))
        which = np.clip(np.searchsorted(self.starts, s, side="right") - 1, 0, len(self.pieces) - 1)
        x, y, heading = np.empty_like(s), np.empty_like(s), np.empty_like(s)
        for k in np.unique(which):
            here = which == k
            x[here], y[here], heading[here] = self.pieces[k].at(s[here] - self.starts[k])
        return x, y, heading

    def place(self, s_m: float, right_m: float = 0.0) -> Place:
        """The point this far along, and this far to the right of the path."""
        x, y, heading = self.at(s_m)
        return Place(float(x[0]), float(y[0]), float(heading[0])).moved(0.0, right_m)

    def beside(self, s_m: npt.ArrayLike, right_m: npt.ArrayLike) -> Array:
        """(N, 2) points of the parallel curve that runs `right_m` metres to the right."""
        x, y, heading = self.at(s_m)
        right = np.asarray(right_m, np.float64)
        return np.stack([x - right * np.sin(heading), y + right * np.cos(heading)], -1)

    def stations(self, step_m: float, more: Iterable[float] = ()) -> Array:
        """Distances whose chords are at most `step_m` long and lie within `CHORD_ERROR_M`; every piece's ends; `more`."""
        parts = [np.asarray(list(more), np.float64)]
        for piece, start in zip(self.pieces, self.starts[:-1], strict=True):
            step = step_m
            if piece.curvature:
                step = min(step, math.sqrt(8.0 * CHORD_ERROR_M / abs(piece.curvature)))
            count = max(1, math.ceil(piece.length_m / step - 1e-9))
            parts.append(start + piece.length_m * np.arange(count + 1) / count)
        s = np.sort(np.concatenate(parts))
        s = s[(s >= 0.0) & (s <= self.length_m)]
        keep = np.concatenate([[True], np.diff(s) > 1e-6])
        keep[-1] = True
        s = s[keep]
        if len(s) > 2 and s[-1] - s[-2] < 1e-6:
            s = np.delete(s, -2)
        return s

    def reversed(self) -> Path:
        """The same curve, driven the other way."""
        back = []
        for piece in self.pieces[::-1]:
            x, y, heading = piece.at(np.array([piece.length_m]))
            back.append(Piece(float(x[0]), float(y[0]), float(heading[0]) + math.pi, piece.length_m, -piece.curvature))
        return Path(tuple(back))

    def sharpest_radius_m(self) -> float:
        """The smallest radius; infinite for lines."""
        sharpest = max(abs(piece.curvature) for piece in self.pieces)
        return math.inf if sharpest == 0.0 else 1.0 / sharpest


def chain(start: Place, lengths_and_curvatures: Sequence[tuple[float, float]]) -> Path:
    """A path from `start` through pieces of a length and a curvature; lengths below a micrometre are left out."""
    pieces = []
    place = start
    for length, curvature in lengths_and_curvatures:
        if length < 1e-6:
            continue
        piece = Piece(place.x_m, place.y_m, place.heading_rad, length, curvature)
        x, y, heading = piece.at(np.array([length]))
        place = Place(float(x[0]), float(y[0]), float(heading[0]))
        pieces.append(piece)
    return Path(tuple(pieces))


def signed_turn(from_rad: float, to_rad: float) -> float:
    """The turn between two headings in [-pi, pi), positive to the right."""
    return (to_rad - from_rad + math.pi) % (2.0 * math.pi) - math.pi


def join(start: Place, end: Place, lead_m: float = 0.0, radius_m: float = math.inf) -> Path:
    """From place to place: line, arc, line where the tangents meet, otherwise line and two arcs and line (an S-bend).

    The arc is as wide as `lead_m` metres of straight line at both ends and `radius_m` allow.
    """
    turn = signed_turn(start.heading_rad, end.heading_rad)
    c0, s0 = math.cos(start.heading_rad), math.sin(start.heading_rad)
    c1, s1 = math.cos(end.heading_rad), math.sin(end.heading_rad)
    dx, dy = end.x_m - start.x_m, end.y_m - start.y_m
    if abs(turn) < 1e-9 and abs(c0 * dy - s0 * dx) < 1e-9:
        return chain(start, [(math.hypot(dx, dy), 0.0)])
    cross = c0 * s1 - s0 * c1
    if abs(turn) > math.radians(4.0) and abs(cross) > 1e-6:
        before = (dx * s1 - dy * c1) / cross
        after = (c0 * dy - s0 * dx) / cross
        half = math.tan(abs(turn) / 2.0)
        tangent = min(before - lead_m, after - lead_m, radius_m * half)
        if tangent > 0.5:
            radius = tangent / half
            curvature = math.copysign(1.0 / radius, turn)
            return chain(start, [(before - tangent, 0.0), (abs(turn) * radius, curvature), (after - tangent, 0.0)])
    inner = _two_arcs(start.moved(lead_m), end.moved(-lead_m))
    return chain(start, [(lead_m, 0.0), *inner, (lead_m, 0.0)])


def _two_arcs(start: Place, end: Place) -> list[tuple[float, float]]:
    """The biarc with equal control lengths (Bolton 1975, "Biarc curves"): length and curvature of both arcs."""
    t0 = np.array([math.cos(start.heading_rad), math.sin(start.heading_rad)])
    t1 = np.array([math.cos(end.heading_rad), math.sin(end.heading_rad)])
    v = np.array([end.x_m - start.x_m, end.y_m - start.y_m])
    along, square, apart = float(v @ (t0 + t1)), float(v @ v), 2.0 * (1.0 - float(t0 @ t1))
    if apart < 1e-12:
        control = square / (2.0 * along)
    else:
        control = (-along + math.sqrt(along * along + apart * square)) / apart
    middle = ((np.array(start[:2]) + control * t0) + (np.array(end[:2]) - control * t1)) / 2.0
    first = _arc_to(t0, middle - np.array(start[:2]))
    length, curvature = _arc_to(-t1, middle - np.array(end[:2]))
    return [first, (length, -curvature)]


def _arc_to(tangent: Array, chord: Array) -> tuple[float, float]:
    sine = float(tangent[0] * chord[1] - tangent[1] * chord[0])
    cosine = float(tangent @ chord)
    reach = math.hypot(sine, cosine)
    if abs(sine) < 1e-9 * reach:
        return reach, 0.0
    curvature = 2.0 * sine / reach**2
    return 2.0 * math.atan2(sine, cosine) / curvature, curvature


def offset(line: Array, right_m: float) -> Array:
    """A line of points (N, 2), so far to the right of it; of a polyline, where no curve of lines and arcs is known."""
    ahead = np.gradient(line, axis=0)
    ahead /= np.maximum(np.linalg.norm(ahead, axis=1, keepdims=True), 1e-9)
    return line + right_m * np.column_stack([-ahead[:, 1], ahead[:, 0]])
