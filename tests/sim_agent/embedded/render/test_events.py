"""Events of a dynamic vision sensor against brightness that is known."""

import numpy as np
import pytest

from sim_agent.embedded.render import EventCamera, Retina
from sim_agent.embedded.render.events import MOST_EVENTS

MS = 1_000_000
PLAIN = EventCamera(positive_threshold=10.0, negative_threshold=10.0, use_log=False)


def grey(level, height=2, width=3):
    return np.full((height, width, 4), level, np.uint8)


def noise():
    return np.random.default_rng(1)


def see(camera, *pictures):
    retina = Retina(camera)
    return [retina.see(picture, 50 * MS * k, noise()) for k, picture in enumerate(pictures)]


def test_the_first_picture_and_one_like_the_last_have_none():
    first, second = see(PLAIN, grey(100), grey(100))
    assert len(first) == len(second) == 0


def test_brightness_passes_a_level_every_threshold():
    _, events = see(PLAIN, grey(100), grey(135))
    assert len(events) == 6 * 3
    at_ms = sorted(set((events[:, 2] / MS).round(2).tolist()))
    assert at_ms == pytest.approx([50 * 10 / 35, 50 * 20 / 35, 50 * 30 / 35], abs=0.05)
    assert (events[:, 3] == 1).all()
    assert (np.diff(events[:, 2]) >= 0).all()


def test_the_next_picture_goes_on_from_the_last_level():
    _, up, more, down = see(PLAIN, grey(100), grey(105), grey(112), grey(98))
    assert len(up) == 0
    assert len(more) == 6 and (more[:, 3] == 1).all()
    # From the level of 110 that was passed, 100 is one threshold down; 90 is not reached.
    assert len(down) == 6 and (down[:, 3] == 0).all()
    assert down[0, 2] == pytest.approx(100 * MS + 50 * MS * 12 / 14, abs=MS / 10)


def test_columns_and_rows():
    picture = grey(100)
    picture[1, 2] = 131
    _, events = see(PLAIN, grey(100), picture)
    assert events[:, :2].tolist() == [[2, 1]] * 3


def test_up_and_down_have_thresholds_of_their_own():
    camera = PLAIN._replace(positive_threshold=5.0, negative_threshold=50.0)
    _, up, down = see(camera, grey(100), grey(121), grey(100))
    assert (len(up), len(down)) == (6 * 4, 0)


def test_log_brightness_sees_contrast():
    camera = EventCamera(positive_threshold=0.3, negative_threshold=0.3)
    for dark, bright in ((20, 40), (100, 200)):
        _, events = see(camera, grey(dark), grey(bright))
        assert len(events) == 6 * int(np.log(2) / 0.3)


def test_a_pixel_rests_after_an_event():
    camera = PLAIN._replace(refractory_ns=20 * MS)
    _, events = see(camera, grey(100), grey(151))
    # At 9.8, 19.6, 29.4, 39.2 and 49 ms: the first, and those 20 ms after the last one that was sent.
    assert len(events) == 6 * 2


def test_noise_moves_the_thresholds_and_can_be_repeated():
    camera = PLAIN._replace(positive_deviation=5.0)
    one, two = (see(camera, grey(100, 40, 40), grey(135, 40, 40))[1] for _ in range(2))
    np.testing.assert_array_equal(one, two)
    each = np.bincount(one[:, 1] * 40 + one[:, 0], minlength=1600)
    assert each.min() < 3 < each.max()


def test_a_threshold_of_nothing_does_not_fill_the_memory():
    camera = EventCamera(positive_threshold=0.0, negative_threshold=0.0)
    _, events = see(camera, grey(0, 300, 400), grey(255, 300, 400))
    assert len(events) <= MOST_EVENTS
    assert len(events) == 300 * 400 * (MOST_EVENTS // (300 * 400))
