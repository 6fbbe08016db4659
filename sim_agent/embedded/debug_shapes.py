"""What clients draw into the world with `world.debug`, and for how long it is there."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from sim_agent.embedded.pose import Pose, rotation_matrix
from sim_agent.embedded.wire import structs

if TYPE_CHECKING:
    from sim_agent.embedded.render import Strokes

MOST_SHAPES = 20_000
"""Beyond it the oldest go: shapes that are there for ever are drawn again and again by those who forget that."""
MOST_LETTERS = 1000
FARTHEST_M = 1e7
_SLACK_S = 1e-6

Row = tuple[float, ...]


class _Shape(NamedTuple):
    until_s: float
    lines: tuple[Row, ...] = ()
    points: tuple[Row, ...] = ()
    words: structs.DebugString | None = None
    colour: structs.Color = structs.Color()


class DebugShapes:
    """The shapes of one episode. Times are simulated ones.

    As in CARLA (DebugShapeDrawer.cpp, CarlaHUD.cpp): a shape without a positive life time stays for ever, a text without
    one is seen once, and whether lines are `persistent` changes nothing. What lives shorter than a tick is seen in one.
    Unlike CARLA, which writes texts and the hud shapes into the server's window only, cameras see them: there is no window.
    """

    def __init__(self) -> None:
        self._shapes: list[_Shape] = []
        self._sweep_at = 1024
        self._packed: tuple[tuple[int, int], Strokes] | None = None
        self._changes = 0

    def draw(self, shape: structs.DebugShape, now_s: float, step_s: float) -> None:
        """Draw a shape after the tick at `now_s`; the next one comes `step_s` later.

        Raises ValueError for numbers that are out of the world.
        """
        primitive, life_s = shape.primitive, shape.life_time_s
        lasting = life_s <= 0.0 and not isinstance(primitive, structs.DebugString)
        until_s = math.inf if lasting else now_s + max(life_s, step_s) + _SLACK_S
        made = _shape(primitive, shape.color, until_s)
        numbers = [life_s, *(number for row in (*made.lines, *made.points) for number in row)]
        if made.words is not None:
            numbers += made.words.location
        if not all(abs(number) <= FARTHEST_M for number in numbers):
            raise ValueError(f"a debug shape has a number that is not finite or beyond {FARTHEST_M:g}; give metres")
        self._shapes.append(made)
        self._changes += 1
        if len(self._shapes) >= self._sweep_at:
            self._shapes = [s for s in self._shapes if s.until_s >= now_s][-MOST_SHAPES:]
            self._sweep_at = max(1024, 2 * len(self._shapes))

    def clear(self) -> None:
        """Take all shapes away; texts stay."""
        self._shapes = [s for s in self._shapes if s.words is not None]
        self._changes += 1

    def clear_texts(self) -> None:
        """Take all texts away; shapes stay."""
        self._shapes = [s for s in self._shapes if s.words is None]
        self._changes += 1

    def strokes(self, now_s: float) -> Strokes | None:
        """What cameras see at the tick of `now_s`; None if that is nothing."""
        if not self._shapes:
            return None
        from sim_agent.embedded.render import Strokes, Words

        alive = [s for s in self._shapes if s.until_s >= now_s][-MOST_SHAPES:]
        if self._packed is not None and self._packed[0] == (self._changes, len(alive)):
            return self._packed[1]
        strokes = Strokes(
            np.array([row for s in alive for row in s.lines], np.float64).reshape(-1, 11),
            np.array([row for s in alive for row in s.points], np.float64).reshape(-1, 8),
            tuple(
                Words(s.words.location, s.words.text[:MOST_LETTERS], tuple(s.colour), s.words.draw_shadow)
                for s in alive
                if s.words is not None
            ),
        )
        self._packed = (self._changes, len(alive)), strokes
        return strokes


def _shape(primitive: object, colour: structs.Color, until_s: float) -> _Shape:
    over = isinstance(primitive, (structs.HudPoint, structs.HudLine, structs.HudArrow, structs.HudBox))
    look = (*(float(channel) for channel in colour), float(over))
    if isinstance(primitive, structs.DebugString):
        return _Shape(until_s, words=primitive, colour=colour)
    if isinstance(primitive, structs.DebugPoint):
        # Unreal keeps points as large on the screen as they are in centimetres.
        return _Shape(until_s, points=((*primitive.location, 100.0 * primitive.size, *look),))
    if isinstance(primitive, structs.HudPoint):
        return _Shape(until_s, points=((*primitive.location, primitive.size, *look),))
    ends: list[tuple[Row, Row]]
    if isinstance(primitive, (structs.DebugLine, structs.HudLine)):
        ends, thickness = [(primitive.begin, primitive.end)], primitive.thickness
    elif isinstance(primitive, (structs.DebugArrow, structs.HudArrow)):
        line = primitive.line
        # A hud arrow's size is in Unreal's centimetres: DebugShapeDrawer.cpp forgets to convert it.
        size_m = primitive.arrow_size * (0.01 if over else 1.0)
        ends, thickness = _arrow(line.begin, line.end, size_m), line.thickness
    elif isinstance(primitive, (structs.DebugBox, structs.HudBox)):
        ends, thickness = _edges(primitive.box, primitive.rotation), primitive.thickness
    else:
        raise ValueError(f"{type(primitive).__name__} is no debug shape")
    return _Shape(until_s, tuple((*begin, *end, thickness, *look) for begin, end in ends))


def _arrow(begin: structs.Vector3, end: structs.Vector3, size_m: float) -> list[tuple[Row, Row]]:
    """A line, and four short ones that make its head."""
    ahead = np.subtract(end, begin)
    length = float(np.linalg.norm(ahead))
    if length == 0.0:
        return [(begin, end)]
    pitch = math.degrees(math.atan2(ahead[2], math.hypot(ahead[0], ahead[1])))
    axes = rotation_matrix(pitch, math.degrees(math.atan2(ahead[1], ahead[0])), 0.0)
    barbs = [(length - size_m, y * size_m, z * size_m) for y in (1.0, -1.0) for z in (1.0, -1.0)]
    tips = (np.asarray(begin) + np.array(barbs) @ axes.T).tolist()
    return [(begin, end), *((tuple(tip), end) for tip in tips)]


def _edges(box: structs.BoundingBox, rotation: structs.Rotation) -> list[tuple[Row, Row]]:
    """The twelve edges of a box: its own rotation does not count, as in CARLA."""
    matrix = Pose(*box.location, *rotation).matrix()
    signs = np.array([(x, y, z) for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], np.float64)
    corners = (signs * box.extent) @ matrix[:3, :3].T + matrix[:3, 3]
    pairs = [(a, b) for a in range(8) for b in range(a + 1, 8) if np.abs(signs[a] - signs[b]).sum() == 2.0]
    return [(tuple(corners[a].tolist()), tuple(corners[b].tolist())) for a, b in pairs]
