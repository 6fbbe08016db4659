import threading
from types import SimpleNamespace

import numpy as np
import pytest

from sim_agent.embedded.render.encodings import depth_bgra, instance_bgra, semantic_bgra
from sim_agent.errors import WorldReplaced
from sim_agent.rig import Bundle, FrameMatch, FrameMissing, SensorSilent, ticks_between
from trainer.errors import ConfigError


def picture(frame, raw=None):
    raw = np.zeros((2, 2, 4), np.uint8) if raw is None else raw
    return SimpleNamespace(frame=frame, width=raw.shape[1], height=raw.shape[0], raw_data=raw.tobytes())


def test_pictures_are_matched_by_number_whatever_the_order_of_arrival():
    match = FrameMatch(["a", "b"])
    for sensor, frame in (("a", 7), ("a", 8), ("b", 7), ("a", 9), ("b", 8), ("b", 9)):
        match.put(sensor, picture(frame))
    for frame in (7, 8, 9):
        assert {s: p.frame for s, p in match.take(frame, 1.0).items()} == {"a": frame, "b": frame}


def test_frames_between_the_wanted_ones_are_forgotten():
    match = FrameMatch(["a"])
    for frame in range(10):
        match.put("a", picture(frame))
    match.take(8, 1.0)
    assert sum(map(len, match._pictures.values())) == 1


def test_a_bundle_waits_for_its_last_picture():
    match = FrameMatch(["a", "b"])
    match.put("a", picture(1))
    late = threading.Timer(0.05, match.put, ("b", picture(1)))
    late.start()
    assert set(match.take(1, 30.0)) == {"a", "b"}
    late.join()


def test_a_frame_that_a_sensor_passed_over_is_missing_at_once_and_the_next_is_whole():
    match = FrameMatch(["a", "camera front (semantic)"])
    for frame in (1, 2):
        match.put("a", picture(frame))
    match.put("camera front (semantic)", picture(2))
    with pytest.raises(FrameMissing) as caught:
        match.take(1, 30.0)
    assert caught.value.sensor == "camera front (semantic)"
    assert {p.frame for p in match.take(2, 1.0).values()} == {2}


def test_a_wait_ends_by_what_is_seen_meanwhile(monkeypatch):
    monkeypatch.setattr("sim_agent.rig._LOOK_S", 0.01)
    match = FrameMatch(["a"])
    looks = []

    def look():
        looks.append(len(looks))
        if len(looks) == 3:
            raise WorldReplaced("another program loaded a town")

    with pytest.raises(WorldReplaced):
        match.take(1, 300.0, look)
    match.put("a", picture(1))
    assert set(match.take(1, 300.0, look)) == {"a"} and looks == [0, 1, 2]


@pytest.mark.parametrize(("sent", "words"), [([5, 6], "the last one was 6"), ([], "it never sent one")])
def test_the_deadline_names_sensor_wanted_frame_and_last_frame(sent, words):
    match = FrameMatch(["camera front (rgb)", "camera front (semantic)"])
    match.put("camera front (rgb)", picture(7))
    for frame in sent:
        match.put("camera front (semantic)", picture(frame))
    with pytest.raises(SensorSilent, match=rf"camera front \(semantic\): frame 7 did not come within 0.01 s, {words}"):
        match.take(7, 0.01)


def test_arrays_are_what_the_simulator_drew():
    draw = np.random.default_rng(0)
    tag = draw.integers(0, 29, (6, 8)).astype(np.uint8)
    instance = draw.integers(0, 65536, (6, 8))
    depth_m = draw.uniform(0.0, 1000.0, (6, 8)).astype(np.float32)
    bgra = draw.integers(0, 256, (6, 8, 4)).astype(np.uint8)
    raw = {
        "rgb": bgra,
        "semantic": semantic_bgra(tag),
        "depth": depth_bgra(depth_m),
        "instance": instance_bgra(tag, instance),
    }
    bundle = Bundle(3, {"front": {kind: picture(3, pixels) for kind, pixels in raw.items()}})
    arrays = bundle.arrays()["front"]
    np.testing.assert_array_equal(arrays["rgb"], bgra[..., [2, 1, 0]])
    np.testing.assert_array_equal(arrays["semantic"], tag)
    np.testing.assert_array_equal(arrays["instance"], instance)
    np.testing.assert_allclose(arrays["depth"], depth_m, atol=1e-3)
    assert arrays["rgb"].flags.c_contiguous and arrays["semantic"].flags.c_contiguous
    np.testing.assert_array_equal(bundle.first_rgb(), bgra)


@pytest.mark.parametrize(
    ("step_s", "rate_hz", "ticks"), [(0.05, 20, 1), (0.05, 5, 4), (0.1, 10, 1), (1 / 30, 10, 3), (0.025, 0.5, 80)]
)
def test_rates_that_divide_the_step_are_taken(step_s, rate_hz, ticks):
    assert ticks_between(step_s, rate_hz) == ticks


@pytest.mark.parametrize(
    ("step_s", "rate_hz", "words"),
    [(0.05, 8, "choose 10 or 6.667"), (0.05, 40, "choose 20"), (0.05, 3, "choose 3.333 or 2.857")],
)
def test_other_rates_are_refused_and_the_nearest_named(step_s, rate_hz, words):
    with pytest.raises(ConfigError, match=words):
        ticks_between(step_s, rate_hz)
