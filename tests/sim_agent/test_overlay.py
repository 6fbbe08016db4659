"""What the window shows of a picture and its labels, against the same done slowly."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim_agent.overlay import (
    NOT_COUNTED,
    RIGHT,
    WRONG,
    View,
    compose,
    make_tint,
    paint,
    paint_errors,
    split,
    verdicts,
)
from trainer.labels import VOID, load_class_list

COLOURS = load_class_list("street17").colours()


def scene(height=24, width=40, seed=0):
    """A picture, a mask in patches, and a truth that is wrong in places and void in others."""
    rng = np.random.default_rng(seed)
    picture = rng.integers(0, 256, (height, width, 4), np.uint8)
    picture[..., 3] = 255
    mask = np.kron(rng.integers(0, 17, (height // 4, width // 4), np.uint8), np.ones((4, 4), np.uint8))
    truth = mask.copy()
    truth[:8, :8] = (mask[:8, :8] + 1) % 17
    truth[-4:] = VOID
    return picture, mask, truth


def bgr(labels):
    return COLOURS[labels][..., ::-1].astype(float)


@given(opacity=st.floats(0.0, 1.0), seed=st.integers(0, 20))
def test_an_overlay_is_the_mixture_of_picture_and_colours(opacity, seed):
    picture, mask, _ = scene(seed=seed)
    shown = paint(picture, mask, make_tint(COLOURS, opacity, borders=False))
    expected = picture[..., :3] * (1.0 - opacity) + bgr(mask) * opacity
    assert shown.shape == picture.shape and shown.dtype == np.uint8
    assert np.abs(shown[..., :3] - expected).max() < 2.6
    assert (shown[..., 3] == 255).all()


def test_at_the_ends_there_is_only_one_of_the_two():
    picture, mask, _ = scene()
    np.testing.assert_array_equal(paint(picture, mask, make_tint(COLOURS, 0.0)), picture)
    solid = paint(picture, mask, make_tint(COLOURS, 1.0, borders=False))
    np.testing.assert_array_equal(solid[..., :3], bgr(mask))


def test_borders_are_lighter_and_nothing_else_changes():
    picture, mask, _ = scene()
    plain = paint(picture, mask, make_tint(COLOURS, 1.0, borders=False)).astype(int)
    lined = paint(picture, mask, make_tint(COLOURS, 1.0)).astype(int)
    border = np.zeros(mask.shape, bool)
    border[:, :-1] |= mask[:, 1:] != mask[:, :-1]
    border[:-1] |= mask[1:] != mask[:-1]
    assert (lined[border] >= plain[border]).all() and (lined[border] > plain[border]).any(axis=-1).all()
    np.testing.assert_array_equal(lined[~border], plain[~border])


def test_a_picture_that_can_not_be_written_to_is_only_read():
    picture, mask, _ = scene()
    kept = picture.copy()
    picture.flags.writeable = False
    paint(picture, mask, make_tint(COLOURS, 0.5))
    paint_errors(picture, mask, mask)
    np.testing.assert_array_equal(picture, kept)
    flipped = picture[:, ::-1]
    np.testing.assert_array_equal(paint(flipped, mask, make_tint(COLOURS, 0.0)), flipped)


def test_verdicts_leave_void_out():
    _, mask, truth = scene()
    said = verdicts(mask, truth)
    assert (said[-4:] == NOT_COUNTED).all()
    assert (said[:8, :8] == WRONG).all()
    assert (said[8:-4] == RIGHT).all()


def test_errors_are_red_and_the_rest_is_grey_and_darker():
    picture, mask, truth = scene()
    shown = paint_errors(picture, mask, truth).astype(int)
    said = verdicts(mask, truth)
    blue, green, red = shown[..., 0], shown[..., 1], shown[..., 2]
    assert (red - np.maximum(blue, green))[said == WRONG].min() > 60
    assert np.abs(red - blue)[said == RIGHT].max() < 30
    assert shown[said == NOT_COUNTED][:, :3].mean() < shown[said == RIGHT][:, :3].mean()


@pytest.mark.parametrize(("at", "column"), [(0.0, 0), (0.5, 20), (1.0, 40), (-3.0, 0), (7.0, 40)])
def test_a_wipe_has_one_picture_at_each_side(at, column):
    left, right = np.zeros((6, 40, 4), np.uint8), np.full((6, 40, 4), 9, np.uint8)
    shown = split(left, right, at)
    line = (shown == 255).all(axis=(0, 2))
    assert (shown[:, :column][:, ~line[:column]] == 0).all()
    assert (shown[:, column:][:, ~line[column:]] == 9).all()
    assert 1 <= line.sum() <= 2 and abs(np.flatnonzero(line).mean() - column) <= 1.5
    assert (left == 0).all() and (right == 9).all()


def test_each_view_shows_what_it_says():
    picture, mask, truth = scene()
    over, solid = make_tint(COLOURS, 0.5), make_tint(COLOURS, 1.0)
    shown = {view: compose(view, picture, mask, truth, over, solid, 0.5) for view in View}
    np.testing.assert_array_equal(shown[View.CAMERA], picture)
    np.testing.assert_array_equal(shown[View.MASK], paint(picture, mask, over))
    np.testing.assert_array_equal(shown[View.TRUTH], paint(picture, truth, over))
    np.testing.assert_array_equal(shown[View.MASK_ONLY], paint(picture, mask, solid))
    np.testing.assert_array_equal(shown[View.ERRORS], paint_errors(picture, mask, truth))
    np.testing.assert_array_equal(shown[View.SPLIT][:, :18], shown[View.TRUTH][:, :18])
    np.testing.assert_array_equal(shown[View.SPLIT][:, 22:], shown[View.MASK][:, 22:])


@pytest.mark.parametrize("view", View)
def test_what_is_not_there_yet_is_left_out(view):
    picture, mask, truth = scene()
    over, solid = make_tint(COLOURS, 0.5), make_tint(COLOURS, 1.0)
    np.testing.assert_array_equal(compose(view, picture, None, None, over, solid), picture)
    without_truth = compose(view, picture, mask, None, over, solid)
    if view.needs_truth:
        np.testing.assert_array_equal(without_truth, picture)
    if view is View.TRUTH:
        np.testing.assert_array_equal(compose(view, picture, None, truth, over, solid), paint(picture, truth, over))
