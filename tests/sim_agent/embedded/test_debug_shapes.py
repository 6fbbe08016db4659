"""How long debug shapes live, and of what lines they are made."""

import numpy as np
import pytest

from sim_agent.embedded.debug_shapes import MOST_SHAPES, DebugShapes
from sim_agent.embedded.wire import structs

POINT = structs.DebugPoint((1.0, 2.0, 3.0), 0.1)
TEXT = structs.DebugString((1.0, 2.0, 3.0), "here", False)
STEP_S = 0.05


def count(shapes, now_s):
    strokes = shapes.strokes(now_s)
    return 0 if strokes is None else len(strokes.lines) + len(strokes.points) + len(strokes.words)


def drawn(primitive, life_s=0.0):
    shapes = DebugShapes()
    shapes.draw(structs.DebugShape(primitive, structs.Color(1, 2, 3), life_s), 0.0, STEP_S)
    return shapes


@pytest.mark.parametrize("life_s", [0.0, -1.0])
def test_a_shape_without_a_life_time_stays(life_s):
    assert count(drawn(POINT, life_s), 1e6) == 1


@pytest.mark.parametrize(("life_s", "frames"), [(0.001, 1), (0.05, 1), (0.1, 2), (0.12, 2), (1.0, 20)])
def test_a_shape_is_seen_for_its_time_and_once_at_least(life_s, frames):
    shapes = drawn(POINT, life_s)
    assert [count(shapes, k * STEP_S) for k in range(1, 31)] == [1] * frames + [0] * (30 - frames)


@pytest.mark.parametrize("life_s", [0.0, -1.0])
def test_a_text_without_a_life_time_is_seen_once(life_s):
    shapes = drawn(TEXT, life_s)
    assert [count(shapes, k * STEP_S) for k in (1, 2)] == [1, 0]


def test_shapes_and_texts_are_cleared_each_by_itself():
    shapes = drawn(POINT)
    shapes.draw(structs.DebugShape(TEXT, life_time_s=100.0), 0.0, STEP_S)
    assert count(shapes, 0.05) == 2
    shapes.clear()
    assert len(shapes.strokes(0.05).words) == 1 and count(shapes, 0.05) == 1
    shapes.clear_texts()
    assert count(shapes, 0.05) == 0


def test_a_box_has_twelve_edges_of_its_size():
    box = structs.BoundingBox((10.0, 0.0, 1.0), (2.0, 1.0, 0.5), (0.0, 77.0, 0.0))
    lines = drawn(structs.DebugBox(box, (0.0, 90.0, 0.0), 0.1)).strokes(0.05).lines
    assert len(lines) == 12
    lengths = np.linalg.norm(lines[:, 3:6] - lines[:, :3], axis=1)
    assert sorted(lengths.round(6).tolist()) == [1.0] * 4 + [2.0] * 4 + [4.0] * 4
    corners = np.concatenate([lines[:, :3], lines[:, 3:6]])
    np.testing.assert_allclose(corners.min(0), (9.0, -2.0, 0.5), atol=1e-9)
    np.testing.assert_allclose(corners.max(0), (11.0, 2.0, 1.5), atol=1e-9)


def test_an_arrow_has_a_head_at_its_end():
    arrow = structs.DebugArrow(structs.DebugLine((0.0, 0.0, 0.0), (10.0, 0.0, 0.0), 0.1), 0.5)
    lines = drawn(arrow).strokes(0.05).lines
    assert len(lines) == 5
    np.testing.assert_allclose(lines[:, 3:6], [(10.0, 0.0, 0.0)] * 5)
    np.testing.assert_allclose(np.abs(lines[1:, :3]), [(9.5, 0.5, 0.5)] * 4, atol=1e-9)


def test_colours_and_sizes_arrive():
    strokes = drawn(POINT).strokes(0.05)
    assert strokes.points.tolist() == [[1.0, 2.0, 3.0, 10.0, 1.0, 2.0, 3.0, 0.0]]
    hud = drawn(structs.HudPoint((1.0, 2.0, 3.0), 7.0)).strokes(0.05)
    assert hud.points.tolist() == [[1.0, 2.0, 3.0, 7.0, 1.0, 2.0, 3.0, 1.0]]


@pytest.mark.parametrize("number", [float("nan"), float("inf"), 1e30])
def test_numbers_out_of_the_world_are_refused(number):
    shapes = DebugShapes()
    for shape in (
        structs.DebugShape(structs.DebugPoint((number, 0.0, 0.0), 0.1)),
        structs.DebugShape(structs.DebugLine((0.0, 0.0, 0.0), (1.0, 0.0, 0.0), number)),
        structs.DebugShape(structs.DebugString((0.0, number, 0.0), "", False)),
        structs.DebugShape(POINT, life_time_s=number),
    ):
        with pytest.raises(ValueError, match="not finite"):
            shapes.draw(shape, 0.0, STEP_S)
    assert shapes.strokes(0.0) is None


def test_those_who_draw_for_ever_do_not_fill_the_memory():
    shapes = DebugShapes()
    for k in range(2 * MOST_SHAPES + 10):
        shapes.draw(structs.DebugShape(structs.DebugPoint((float(k), 0.0, 0.0), 0.1)), 0.0, STEP_S)
    points = shapes.strokes(0.05).points
    assert len(points) == MOST_SHAPES
    assert points[-1, 0] == 2 * MOST_SHAPES + 9
    for k in range(10_000):
        shapes.draw(structs.DebugShape(POINT, life_time_s=0.05), STEP_S * k, STEP_S)
    assert len(shapes._shapes) <= 2 * MOST_SHAPES + 1024
