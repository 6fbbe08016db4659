import dataclasses

import numpy as np
import pytest

from sim_agent.gates import DuplicateGate, GateConfig, Gates, MotionGate, Scene, SpawnGate, StuckWatch, thumb_of
from trainer.dataset.check import SAME_LEVEL, STANDING_M_S

STEP_S = 0.05


def scene(frame=0, speed=5.0, x=0.0, vz=0.0, light=None):
    return Scene(frame, frame * STEP_S, (x, 0.0, 0.0), (0.0, 0.0, 0.0), (speed, 0.0, vz), {}, light)


def thumb(level):
    return np.full((18, 32), level, np.float32)


def test_the_first_frames_are_dropped_until_the_exposure_has_settled():
    gate = SpawnGate(cameras_on_s=0.0, exposure_s=1.0)
    assert [gate.drops(scene(frame)) for frame in range(1, 23)] == [True] * 19 + [False] * 3


def test_frames_of_a_vehicle_that_still_falls_are_dropped_and_a_hill_drops_none():
    gate = SpawnGate(0.0, 0.0)
    assert gate.drops(scene(1, vz=-3.0)) and gate.drops(scene(2, vz=-0.9))
    assert not gate.drops(scene(3, vz=-0.1))
    assert not gate.drops(scene(4, vz=-2.0))


def test_a_share_of_the_standing_frames_is_kept():
    gate, kept = MotionGate(0.3, 0.25), []
    for frame in range(400):
        speed = 5.0 if frame % 4 == 0 else 0.0
        if not gate.drops(speed):
            gate.kept(speed)
            kept.append(speed)
    standing = kept.count(0.0)
    assert kept.count(5.0) == 100
    assert standing / len(kept) == pytest.approx(0.25, abs=0.01) and standing <= 0.25 * len(kept)


def test_a_vehicle_that_never_moved_gives_nothing():
    gate = MotionGate(0.3, 0.5)
    assert all(gate.drops(0.0) for _ in range(100))


def test_share_0_keeps_no_standing_frame_and_share_1_all():
    none, every = MotionGate(0.3, 0.0), MotionGate(0.3, 1.0)
    for _ in range(20):
        none.kept(5.0)
        assert none.drops(0.1) and not every.drops(0.1)
        every.kept(0.1)


def test_a_picture_that_repeats_the_last_one_kept_is_dropped():
    gate = DuplicateGate(1.5)
    assert not gate.drops(thumb(50))
    gate.kept(thumb(50))
    assert gate.drops(thumb(51)) and not gate.drops(thumb(52))
    # compared is what was kept, not what came last: a slow change is not lost
    assert gate.drops(thumb(51.4)) and not gate.drops(thumb(51.6))
    off = DuplicateGate(0.0)
    off.kept(thumb(1))
    assert not off.drops(thumb(1))


def test_the_gates_agree_with_data_check():
    config = GateConfig()
    assert config.standing_m_s == STANDING_M_S
    assert config.duplicate_level >= 2 * SAME_LEVEL, "what data check calls frozen must not pass"


def test_reasons_come_in_the_order_of_what_is_wrong_first():
    gates = Gates(GateConfig(exposure_s=0.5, standing_share=0.5), cameras_on_s=0.0)
    assert gates.reason_to_drop(scene(1, speed=0.0), thumb(9)) == "spawn"
    assert gates.reason_to_drop(scene(10, speed=0.0), thumb(9)) == "standing"
    assert gates.reason_to_drop(scene(11), thumb(9)) is None
    assert gates.reason_to_drop(scene(12), thumb(9)) == "duplicate"
    assert gates.reason_to_drop(scene(13, speed=0.0), thumb(90)) is None
    assert gates.reason_to_drop(scene(14, speed=0.0), thumb(200)) == "standing"


def test_a_dropped_frame_leaves_no_trace_in_the_gates():
    gates = Gates(GateConfig(exposure_s=0.0, standing_share=0.5), 0.0)
    assert gates.reason_to_drop(scene(1), thumb(0)) is None
    for frame in range(2, 50):
        assert gates.reason_to_drop(scene(frame), thumb(0)) == "duplicate"
    assert gates.reason_to_drop(scene(50, speed=0.0), thumb(99)) is None  # 1 of 2: the duplicates did not count as kept


def test_the_watch_notices_a_vehicle_that_gets_nowhere():
    watch = StuckWatch(10.0)
    stuck = [watch.stuck(scene(frame, x=min(frame * 0.2, 5.0))) for frame in range(400)]
    moved_last = stuck.index(True) * STEP_S
    assert 10.0 < moved_last < 12.0


def test_spinning_wheels_and_a_rocking_car_are_stuck_too():
    watch = StuckWatch(10.0)
    assert any(watch.stuck(scene(frame, speed=3.0, x=(frame % 10) * 0.1)) for frame in range(202))


def test_a_red_light_is_a_cause_to_stand():
    watch = StuckWatch(10.0)
    assert not any(watch.stuck(scene(frame, light="Red")) for frame in range(1000))
    assert not watch.stuck(scene(1000, light="Green"))
    assert any(watch.stuck(scene(frame, light="Green")) for frame in range(1001, 1210))


@pytest.mark.parametrize("size", [(360, 640), (144, 256), (600, 800), (1080, 1920), (18, 32), (10, 20), (97, 333)])
def test_a_thumb_is_the_mean_of_blocks_of_any_picture(size):
    picture = np.zeros((*size, 4), np.uint8)
    picture[..., 1] = np.linspace(0, 200, size[1]).astype(np.uint8)
    small = thumb_of(picture)
    assert small.shape == (18, 32) and small.dtype == np.float32
    np.testing.assert_allclose(small, small[:1].repeat(18, 0))
    assert (np.diff(small[0]) >= 0).all() and small[0, 0] < 12 and 180 < small[0, -1] <= 200


def test_grain_does_not_hide_that_a_picture_repeats():
    draw = np.random.default_rng(0)
    street = draw.integers(0, 256, (360, 640, 4)).astype(np.int16)
    grainy = [np.clip(street + draw.normal(0, 6, street.shape), 0, 255).astype(np.uint8) for _ in range(2)]
    gate = DuplicateGate(1.5)
    gate.kept(thumb_of(grainy[0]))
    assert gate.drops(thumb_of(grainy[1]))
    assert not gate.drops(thumb_of(np.roll(grainy[1], 20, axis=1)))


@pytest.mark.parametrize(
    ("key", "value"), [("standing_share", 1.5), ("exposure_s", -1.0), ("duplicate_level", -1.0), ("stuck_s", 0.0)]
)
def test_limits_that_make_no_sense_are_refused(key, value):
    with pytest.raises(ValueError, match=key):
        dataclasses.replace(GateConfig(), **{key: value})
