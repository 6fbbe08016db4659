import pytest

from sim_agent.embedded.pose import Pose
from sim_agent.embedded.scene import Box
from sim_agent.embedded.traffic_lights import Light, LightGroup, TriggerBoxes, faces
from sim_agent.embedded.wire.state import SignalState

GREEN, YELLOW, RED = SignalState.GREEN, SignalState.YELLOW, SignalState.RED


@pytest.fixture
def group():
    """Two opposite arms, and two one after the other."""
    return LightGroup([Light(1, "a", 0, 0), Light(2, "b", 0, 1), Light(3, "c", 1, 2), Light(4, "d", 2, 3)])


def shown(group):
    return [light.state for light in group.lights]


def test_phases_come_in_turn_and_never_two_at_once(group):
    seen = []
    for _ in range(20 * 45):
        states = shown(group)
        if not seen or seen[-1] != states:
            seen.append(states)
        green = {light.phase for light in group.lights if light.state != RED}
        assert len(green) <= 1
        group.tick(0.05)
    assert seen[:7] == [
        [GREEN, GREEN, RED, RED],
        [YELLOW, YELLOW, RED, RED],
        [RED, RED, RED, RED],
        [RED, RED, GREEN, RED],
        [RED, RED, YELLOW, RED],
        [RED, RED, RED, RED],
        [RED, RED, RED, GREEN],
    ]


@pytest.mark.parametrize(("stage", "seconds"), [(GREEN, 10.0), (YELLOW, 3.0), (RED, 2.0)])
def test_stages_last_as_long_as_carlas(group, stage, seconds):
    while shown(group)[0] != stage:
        group.tick(0.05)
    assert group.elapsed_s == 0.0
    ticks = 0
    while shown(group)[0] == stage and shown(group) != [RED, RED, GREEN, RED]:
        group.tick(0.05)
        ticks += 1
    assert ticks * 0.05 == pytest.approx(seconds)


def test_times_can_be_set(group):
    group.lights[0].green_s = 1.0
    for _ in range(20):
        group.tick(0.05)
    assert shown(group)[:2] == [YELLOW, YELLOW]


def test_a_state_that_is_set_takes_the_turn(group):
    group.tick(4.0)
    group.set_state(group.lights[3], GREEN)
    assert shown(group) == [RED, RED, RED, GREEN]
    assert group.elapsed_s == 0.0
    group.set_state(group.lights[0], RED)
    assert shown(group) == [RED, RED, RED, GREEN]
    group.set_state(group.lights[0], SignalState.OFF)
    assert shown(group) == [SignalState.OFF, RED, RED, GREEN]


def test_frozen_lights_stay(group):
    group.frozen = True
    group.tick(100.0)
    assert shown(group) == [GREEN, GREEN, RED, RED]
    assert group.elapsed_s == 0.0


def test_reset_begins_anew(group):
    for _ in range(200):
        group.tick(0.1)
    group.reset()
    assert shown(group) == [GREEN, GREEN, RED, RED]


def test_points_are_found_in_turned_boxes():
    boxes = TriggerBoxes(
        {7: Box(Pose(10.0, 0.0, yaw_deg=90.0), (4.0, 1.0, 2.0)), 9: Box(Pose(0.0, 0.0), (1.0, 1.0, 1.0))}
    )
    points = [(10.0, 3.9), (10.0, 4.1), (11.1, 0.0), (0.5, -0.5), (100.0, 100.0)]
    assert [boxes.containing(*point) for point in points] == [7, 0, 0, 9, 0]
    assert TriggerBoxes({}).containing(0.0, 0.0) == 0


def test_of_two_boxes_around_a_point_the_nearer_counts():
    boxes = TriggerBoxes({k: Box(Pose(8.0 * k, 15.0), (20.0, 20.0, 2.0)) for k in range(1, 9)})
    for x in (-30.0, -11.9, 9.0, 11.9, 12.1, 40.0, 83.9, 84.1):
        for y in (-6.0, -4.0, 34.0, 36.0):
            around = [k for k in range(1, 9) if abs(x - 8.0 * k) <= 20.0 and abs(y - 15.0) <= 20.0]
            assert boxes.containing(x, y) == min(around, key=lambda k: abs(x - 8.0 * k), default=0)


def test_directions_agree_across_the_turn():
    assert faces(179.0, -179.0)
    assert not faces(0.0, 90.0)
