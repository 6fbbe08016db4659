"""Keys and gamepad: what the table says is what happens, and the vehicle is moved smoothly."""

import pygame
import pytest

from sim_agent.controls import BINDINGS, Action, Command, Controls, Hold, Wheel, changed_opacity, help_rows

STEP_S = 0.05


@pytest.fixture
def controls():
    return Controls(Wheel())


def press(controls, key, mod=0):
    return controls.handle(pygame.event.Event(pygame.KEYDOWN, key=key, mod=mod))


def release(controls, key):
    return controls.handle(pygame.event.Event(pygame.KEYUP, key=key, mod=0))


def drive(wheel, seconds, speed_kmh=0.0):
    commands = [wheel.turn(STEP_S, speed_kmh) for _ in range(round(seconds / STEP_S))]
    return commands[-1]


def test_everything_has_a_key_and_no_key_does_two_things():
    assert {binding.does for binding in BINDINGS} == {*Action, *Hold}
    pressed = [(key, binding.shift) for binding in BINDINGS for key in binding.keys]
    assert len(pressed) == len(set(pressed))
    buttons = [binding.button for binding in BINDINGS if binding.button is not None]
    assert len(buttons) == len(set(buttons))


def test_the_help_is_the_table():
    rows = help_rows()
    assert len(rows) == len(BINDINGS) and all(caps and text for caps, text in rows)
    assert ("R", "record this drive") in rows


@pytest.mark.parametrize("binding", [b for b in BINDINGS if isinstance(b.does, Action)], ids=lambda b: b.caps)
def test_each_key_does_what_its_row_says(controls, binding):
    for key in binding.keys:
        assert press(controls, key, pygame.KMOD_LSHIFT if binding.shift else 0) == (binding.does, False)
        assert release(controls, key) == (None, False)
    if binding.button is not None:
        event = pygame.event.Event(pygame.CONTROLLERBUTTONDOWN, button=binding.button, instance_id=0)
        assert controls.handle(event) == (binding.does, False)


def test_shift_does_not_switch_other_keys_off(controls):
    assert press(controls, pygame.K_m, pygame.KMOD_SHIFT)[0] is Action.NEXT_VIEW
    assert press(controls, pygame.K_EQUALS, pygame.KMOD_SHIFT)[0] is Action.MORE_OPAQUE


def test_unknown_keys_and_events_do_nothing(controls):
    assert press(controls, pygame.K_F9) == (None, False)
    assert controls.handle(pygame.event.Event(pygame.MOUSEMOTION, pos=(1, 1), rel=(0, 0), buttons=(0, 0, 0))) == (
        None,
        False,
    )
    assert controls.handle(pygame.event.Event(pygame.QUIT)) == (Action.END, False)


@pytest.mark.parametrize(("key", "sign"), [(pygame.K_a, -1), (pygame.K_LEFT, -1), (pygame.K_d, 1), (pygame.K_RIGHT, 1)])
def test_steering_answers_at_once_then_ramps_and_comes_back(controls, key, sign):
    assert press(controls, key) == (None, True)
    first = controls.wheel.turn(0.0, 0.0).steer
    assert 0.0 < first * sign < 0.1
    steers = [controls.wheel.turn(STEP_S, 0.0).steer * sign for _ in range(20)]
    assert all(b >= a for a, b in zip(steers, steers[1:], strict=False)) and steers[-1] == 1.0
    assert max(b - a for a, b in zip(steers, steers[1:], strict=False)) < 0.15
    release(controls, key)
    assert drive(controls.wheel, 0.5).steer == 0.0


def test_the_other_direction_begins_in_the_middle(controls):
    press(controls, pygame.K_a)
    assert drive(controls.wheel, 1.0).steer == -1.0
    release(controls, pygame.K_a)
    press(controls, pygame.K_d)
    assert 0.0 < controls.wheel.turn(0.0, 0.0).steer < 0.1


def test_fast_vehicles_are_steered_less(controls):
    press(controls, pygame.K_d)
    assert drive(controls.wheel, 2.0, 10.0).steer == 1.0
    assert drive(controls.wheel, 2.0, 60.0).steer == pytest.approx(0.5)
    assert drive(controls.wheel, 2.0, 400.0).steer == pytest.approx(0.25)


def test_pedals(controls):
    press(controls, pygame.K_w)
    assert 0.0 < drive(controls.wheel, STEP_S).throttle < 0.2
    full = drive(controls.wheel, 1.0)
    assert full.throttle == pytest.approx(0.85) and full.brake == 0.0
    release(controls, pygame.K_w)
    press(controls, pygame.K_s)
    braking = controls.wheel.turn(0.0, 50.0)
    assert braking.throttle == 0.0 and braking.brake >= 0.3
    assert drive(controls.wheel, 0.5).brake == 1.0
    release(controls, pygame.K_s)
    press(controls, pygame.K_SPACE)
    assert controls.wheel.turn(STEP_S, 0.0) == Command(hand_brake=True)


def test_what_is_held_is_told_once(controls):
    assert press(controls, pygame.K_w) == (None, True)
    assert press(controls, pygame.K_w) == (None, False)
    assert release(controls, pygame.K_w) == (None, True)
    assert release(controls, pygame.K_w) == (None, False)


def test_a_window_that_loses_the_keyboard_lets_go(controls):
    press(controls, pygame.K_w)
    press(controls, pygame.K_d)
    drive(controls.wheel, 1.0)
    assert controls.handle(pygame.event.Event(pygame.WINDOWFOCUSLOST)) == (None, True)
    assert drive(controls.wheel, 1.0) == Command()


def test_reverse_and_a_new_start():
    wheel = Wheel()
    assert wheel.toggle_reverse() is True
    assert wheel.turn(STEP_S, 0.0).reverse
    wheel.let_go()
    assert wheel.turn(STEP_S, 0.0) == Command()


def test_a_stick_is_fine_in_the_middle_and_full_at_its_end():
    wheel = Wheel()
    wheel.move_stick(0.05, 0.0, 0.0)
    assert wheel.turn(STEP_S, 0.0).steer == 0.0
    wheel.move_stick(-0.5, 0.6, 0.0)
    half = wheel.turn(STEP_S, 0.0)
    assert -0.3 < half.steer < -0.1 and half.throttle == 0.6
    wheel.move_stick(1.0, 0.0, 1.0)
    assert wheel.turn(STEP_S, 0.0).steer == pytest.approx(1.0)
    wheel.move_stick(0.0, 0.0, 0.0)
    wheel.hold(Hold.THROTTLE, True)
    assert drive(wheel, 1.0).throttle == pytest.approx(0.85)


def test_opacity_stays_within_its_bounds():
    opacity = 0.95
    for _ in range(3):
        opacity = changed_opacity(opacity, Action.MORE_OPAQUE)
    assert opacity == 1.0
    for _ in range(12):
        opacity = changed_opacity(opacity, Action.LESS_OPAQUE)
    assert opacity == 0.0


class Pad:
    """A gamepad as SDL's game controllers are."""

    def __init__(self, **axes):
        self.axes = axes

    def get_axis(self, number):
        names = {
            pygame.CONTROLLER_AXIS_LEFTX: "stick",
            pygame.CONTROLLER_AXIS_TRIGGERRIGHT: "right",
            pygame.CONTROLLER_AXIS_TRIGGERLEFT: "left",
        }
        return self.axes.get(names[number], 0)

    def attached(self):
        return False


def test_a_gamepad_drives_until_it_is_pulled_out(controls):
    moved = pygame.event.Event(pygame.CONTROLLERAXISMOTION, axis=0, value=0, instance_id=0)
    assert controls.handle(moved) == (None, False)
    controls._pad = Pad(stick=-32767, right=32767)
    assert controls.handle(moved) == (None, True)
    assert controls.wheel.turn(STEP_S, 0.0) == Command(throttle=1.0, steer=-1.0)
    pulled = pygame.event.Event(pygame.CONTROLLERDEVICEREMOVED, instance_id=0)
    assert controls.handle(pulled) == (None, True)
    assert controls._pad is None and drive(controls.wheel, 1.0) == Command()
