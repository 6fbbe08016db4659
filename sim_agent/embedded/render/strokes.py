"""Lines, points and words over a finished colour picture: CARLA's debug drawing, behind what stands before it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from sim_agent.embedded.pose import Array
from sim_agent.embedded.render.camera import Camera, View
from sim_agent.embedded.render.kernel import inline, kernel
from sim_agent.embedded.render.letters import dots_of
from sim_agent.embedded.scene import Bytes, Floats

LINE_COLUMNS = 11
"""Of a line: both ends in the world, m; thickness; red, green, blue, 0 to 255; 1 if it is over everything, else 0."""
POINT_COLUMNS = 8
"""Of a point: its place, m; its side in pixels at a field of view of 90 degrees; colour; 1 if it is over everything."""
WORDS_PX = 360
"""A picture of at least twice this height gets letters of twice their size, and so on."""

_NEAR_M = 0.1
_OVER = 1e9
"""Inverse depth of what is over everything."""
_EPSILON_M, _SHARE = 0.02, 0.003
"""How far a stroke may be inside a surface and still be before it: part constant, part of the distance."""


class Words(NamedTuple):
    """A text whose upper left corner is at a place in the world; nothing hides it."""

    place_m: tuple[float, float, float]
    text: str
    colour: tuple[int, ...]
    """Red, green, blue, 0 to 255."""
    shadow: bool


class Strokes(NamedTuple):
    """Everything to draw. Lines that are over everything have their thickness in pixels, others in metres."""

    lines: Array
    """(N, LINE_COLUMNS) float64."""
    points: Array
    """(M, POINT_COLUMNS) float64."""
    words: tuple[Words, ...]


def draw_strokes(strokes: Strokes, camera: Camera, depth_m: Floats, bgra: Bytes) -> None:
    """Draw into `bgra`, (H, W, 4); `depth_m`, (H, W), says what is hidden. The same arguments draw the same bytes.

    Lines are as thick as their thickness in the world is seen, and never thinner than a pixel. Points and words keep
    their size at any distance, as CARLA's do. Nothing is lit: a colour is drawn as it was given.
    """
    view = View.of(camera)
    if len(strokes.lines):
        _draw_lines(_seen_lines(strokes.lines, camera, view), depth_m, bgra)
    if len(strokes.points):
        _draw_points(_seen_points(strokes.points, camera, view), depth_m, bgra)
    for words in strokes.words:
        _write(words, camera, view, bgra)


def _projected(camera: Camera, view: View, places_m: Array) -> tuple[Array, Array]:
    """(N, 3) depth, right and up of places as the camera sees them, and (N, 2) where in the picture those before it are."""
    local = (places_m - view.eye_m) @ view.rotation
    ahead = np.maximum(local[:, 0], _NEAR_M)
    x = (1.0 + local[:, 1] / (ahead * view.tan_x)) * camera.width / 2
    y = (1.0 - local[:, 2] / (ahead * view.tan_y)) * camera.height / 2
    return local, np.stack([x, y], 1)


def _seen_lines(lines: Array, camera: Camera, view: View) -> Array:
    """(N, 11) what `_draw_lines` wants of those before the camera, far ones first."""
    begin = (lines[:, 0:3] - view.eye_m) @ view.rotation
    end = (lines[:, 3:6] - view.eye_m) @ view.rotation
    before = np.maximum(begin[:, 0], end[:, 0]) > _NEAR_M
    lines, begin, end = lines[before], begin[before], end[before]
    along = end - begin
    steep = np.where(np.abs(along[:, 0]) > 1e-12, along[:, 0], 1.0)
    cut = np.clip((_NEAR_M - begin[:, 0]) / steep, 0.0, 1.0)[:, None]
    behind, beyond = begin[:, :1] < _NEAR_M, end[:, :1] < _NEAR_M
    at_near = begin + cut * along
    begin, end = np.where(behind, at_near, begin), np.where(beyond, at_near, end)
    focal = camera.width / 2 / view.tan_x
    over = lines[:, 10] > 0.0
    seen = np.empty((len(lines), 11))
    for columns, place in ((slice(0, 4), begin), (slice(4, 8), end)):
        ahead = np.maximum(place[:, 0], _NEAR_M)
        half_px = np.where(over, lines[:, 6], lines[:, 6] * focal / ahead) / 2
        inverse = np.where(over, _OVER, 1.0 / ahead)
        x = (1.0 + place[:, 1] / (ahead * view.tan_x)) * camera.width / 2
        y = (1.0 - place[:, 2] / (ahead * view.tan_y)) * camera.height / 2
        seen[:, columns] = np.stack([x, y, inverse, np.maximum(half_px, 0.5)], 1)
    seen[:, 8:11] = lines[:, 7:10]
    order = np.argsort(-np.minimum(begin[:, 0], end[:, 0]), kind="stable")
    return np.ascontiguousarray(seen[np.concatenate([order[~over[order]], order[over[order]]])])


def _seen_points(points: Array, camera: Camera, view: View) -> Array:
    """(N, 7) what `_draw_points` wants of those before the camera, far ones first."""
    local, place = _projected(camera, view, points[:, 0:3])
    half_px = np.maximum(points[:, 3] / view.tan_x / 2, 0.5)
    inverse = np.where(points[:, 7] > 0.0, _OVER, 1.0 / np.maximum(local[:, 0], _NEAR_M))
    seen = np.column_stack([place, inverse, half_px, points[:, 4:7]])
    order = np.argsort(inverse, kind="stable")
    return np.ascontiguousarray(seen[order[local[order, 0] > _NEAR_M]])


@inline
def _before(inverse: float, depth_m: Floats, y: int, x: int) -> bool:
    """Whether what has this inverse depth is before the picture's surface there.

    A pixel's depth is that of its centre: of half the way to the next one, by the smoother side, it may be off. Inverse
    depth is even over a plane, so that this is exact there.
    """
    tall, wide = depth_m.shape
    here = 1.0 / depth_m[y, x]
    up, down = 1.0 / depth_m[max(y - 1, 0), x] - here, 1.0 / depth_m[min(y + 1, tall - 1), x] - here
    left, right = 1.0 / depth_m[y, max(x - 1, 0)] - here, 1.0 / depth_m[y, min(x + 1, wide - 1)] - here
    slack = 0.6 * (min(abs(up), abs(down)) + min(abs(left), abs(right)))
    return inverse >= (here - slack) * (1.0 - _SHARE) - _EPSILON_M * here * here


@inline
def _mix(bgra: Bytes, y: int, x: int, share: float, red: float, green: float, blue: float) -> None:
    bgra[y, x, 0] = np.uint8(bgra[y, x, 0] + (blue - bgra[y, x, 0]) * share + 0.5)
    bgra[y, x, 1] = np.uint8(bgra[y, x, 1] + (green - bgra[y, x, 1]) * share + 0.5)
    bgra[y, x, 2] = np.uint8(bgra[y, x, 2] + (red - bgra[y, x, 2]) * share + 0.5)


@kernel
def _draw_lines(lines: Array, depth_m: Floats, bgra: Bytes) -> None:
    """lines: (N, 11) x, y, inverse depth and half thickness in pixels of both ends; colour."""
    tall, wide = depth_m.shape
    for k in range(lines.shape[0]):
        x_0, y_0, inverse_0, half_0 = lines[k, 0], lines[k, 1], lines[k, 2], lines[k, 3]
        x_1, y_1, inverse_1, half_1 = lines[k, 4], lines[k, 5], lines[k, 6], lines[k, 7]
        most = max(half_0, half_1) + 1.0
        dx, dy = x_1 - x_0, y_1 - y_0
        squared = dx * dx + dy * dy
        length = np.sqrt(squared)
        low_x, high_x = min(x_0, x_1) - most, max(x_0, x_1) + most
        first, last = max(min(y_0, y_1) - most, 0.0), min(max(y_0, y_1) + most, float(tall))
        if high_x < 0.0 or low_x > wide or first >= last:
            continue
        for y in range(int(first), min(int(last) + 1, tall)):
            from_x, to_x = low_x, high_x
            if abs(dy) > 1e-6 * length:
                # Where the row crosses the line, and as far beside as the line is thick.
                middle, reach = x_0 + (y + 0.5 - y_0) * dx / dy, most * length / abs(dy)
                from_x, to_x = max(from_x, middle - reach), min(to_x, middle + reach)
            for x in range(int(max(from_x, 0.0)), int(min(to_x + 1.0, float(wide)))):
                px, py = x + 0.5 - x_0, y + 0.5 - y_0
                along = min(max((px * dx + py * dy) / squared, 0.0), 1.0) if squared > 0.0 else 0.0
                beside = np.sqrt((px - along * dx) ** 2 + (py - along * dy) ** 2)
                share = min(half_0 + (half_1 - half_0) * along + 0.5 - beside, 1.0)
                if share > 0.0 and _before(inverse_0 + (inverse_1 - inverse_0) * along, depth_m, y, x):
                    _mix(bgra, y, x, share, lines[k, 8], lines[k, 9], lines[k, 10])


@kernel
def _draw_points(points: Array, depth_m: Floats, bgra: Bytes) -> None:
    """points: (N, 7) x, y, inverse depth, half side in pixels, colour."""
    tall, wide = depth_m.shape
    for k in range(points.shape[0]):
        middle_x, middle_y, half = points[k, 0], points[k, 1], points[k, 3]
        if not (-half < middle_x < wide + half and -half < middle_y < tall + half):
            continue
        for y in range(max(int(middle_y - half), 0), min(int(middle_y + half) + 1, tall)):
            down = min(middle_y + half, y + 1.0) - max(middle_y - half, float(y))
            for x in range(max(int(middle_x - half), 0), min(int(middle_x + half) + 1, wide)):
                share = down * (min(middle_x + half, x + 1.0) - max(middle_x - half, float(x)))
                if share > 0.0 and _before(points[k, 2], depth_m, y, x):
                    _mix(bgra, y, x, share, points[k, 4], points[k, 5], points[k, 6])


def _write(words: Words, camera: Camera, view: View, bgra: Bytes) -> None:
    local, place = _projected(camera, view, np.array([words.place_m]))
    if local[0, 0] <= _NEAR_M:
        return
    size = max(1, round(camera.height / WORDS_PX))
    left, top = np.rint(place[0]).clip(-1e6, 1e6).astype(int).tolist()
    dots = dots_of(words.text, size)
    if words.shadow:
        _ink(dots, left + size, top + size, (0, 0, 0), bgra)
    _ink(dots, left, top, words.colour, bgra)


def _ink(dots: npt.NDArray[np.bool_], left: int, top: int, colour: tuple[int, ...], bgra: Bytes) -> None:
    """Colour the pixels of a (H, W) stencil with its upper left corner at a pixel."""
    tall, wide = bgra.shape[:2]
    within = dots[max(-top, 0) : max(tall - top, 0), max(-left, 0) : max(wide - left, 0)]
    if within.size:
        rows, columns = (
            slice(max(top, 0), max(top, 0) + within.shape[0]),
            slice(max(left, 0), max(left, 0) + within.shape[1]),
        )
        bgra[rows, columns, :3][within] = colour[::-1]
