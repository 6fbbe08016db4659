"""What keys, mouse and gamepad mean: one table, from which both the handling and the help are made."""

from __future__ import annotations

import enum
import math
import threading
from dataclasses import dataclass

import pygame
from pygame._sdl2 import controller as gamepads

_STEER_RATE = 1.6
"""Full lock from the middle takes 1 / 1.6 s while a key is held; the way back is taken at _CENTRE_RATE."""
_CENTRE_RATE = 4.0
_FIRST_STEER = 0.04
"""What a key gives at once: an answer that is felt before the ramp is."""
_FULL_LOCK_KMH, _LEAST_LOCK = 30.0, 0.25
"""Up to this speed keys turn the wheels fully; above it the share falls with the speed, to no less than this."""
_THROTTLE_RATE, _KEY_THROTTLE = 1.8, 0.85
_BRAKE_RATE, _FIRST_BRAKE = 3.5, 0.3
_DEAD_ZONE = 0.08
_AXIS_MAX = 32767.0
_OPACITY_STEP = 0.1


class Action(enum.Enum):
    """What a press does once; pedals and steering are held, not pressed."""

    REVERSE = enum.auto()
    AUTOPILOT = enum.auto()
    NEXT_WEATHER = enum.auto()
    PREVIOUS_WEATHER = enum.auto()
    CAMERA = enum.auto()
    RECORD = enum.auto()
    RESPAWN = enum.auto()
    NEXT_VIEW = enum.auto()
    NEWEST = enum.auto()
    MORE_OPAQUE = enum.auto()
    LESS_OPAQUE = enum.auto()
    LAG = enum.auto()
    NOISE = enum.auto()
    BLUR = enum.auto()
    DEAD_CAMERA = enum.auto()
    HUD = enum.auto()
    HELP = enum.auto()
    SNAPSHOT = enum.auto()
    END = enum.auto()


class Hold(enum.Enum):
    """What lasts as long as a key is down."""

    THROTTLE = enum.auto()
    BRAKE = enum.auto()
    LEFT = enum.auto()
    RIGHT = enum.auto()
    HAND_BRAKE = enum.auto()


@dataclass(frozen=True)
class Binding:
    """A row of the table: keys that do the same, how the help writes them, and what they do."""

    keys: tuple[int, ...]
    caps: str
    does: Action | Hold
    help: str
    shift: bool = False
    button: int | None = None
    """Button of a gamepad, as SDL's game controller names them."""


BINDINGS: tuple[Binding, ...] = (
    Binding((pygame.K_w, pygame.K_UP), "W up", Hold.THROTTLE, "throttle"),
    Binding((pygame.K_s, pygame.K_DOWN), "S down", Hold.BRAKE, "brake"),
    Binding((pygame.K_a, pygame.K_LEFT), "A left", Hold.LEFT, "steer left"),
    Binding((pygame.K_d, pygame.K_RIGHT), "D right", Hold.RIGHT, "steer right"),
    Binding((pygame.K_SPACE,), "space", Hold.HAND_BRAKE, "hand brake", button=pygame.CONTROLLER_BUTTON_A),
    Binding((pygame.K_q,), "Q", Action.REVERSE, "reverse gear", button=pygame.CONTROLLER_BUTTON_B),
    Binding((pygame.K_p,), "P", Action.AUTOPILOT, "autopilot on or off", button=pygame.CONTROLLER_BUTTON_X),
    Binding(
        (pygame.K_BACKSPACE,), "backspace", Action.RESPAWN, "start elsewhere", button=pygame.CONTROLLER_BUTTON_BACK
    ),
    Binding((pygame.K_TAB,), "tab", Action.CAMERA, "next camera", button=pygame.CONTROLLER_BUTTON_LEFTSHOULDER),
    Binding((pygame.K_c,), "C", Action.NEXT_WEATHER, "next weather"),
    Binding((pygame.K_c,), "shift C", Action.PREVIOUS_WEATHER, "weather before", shift=True),
    Binding((pygame.K_r,), "R", Action.RECORD, "record this drive", button=pygame.CONTROLLER_BUTTON_START),
    Binding((pygame.K_m,), "M", Action.NEXT_VIEW, "next view of the mask", button=pygame.CONTROLLER_BUTTON_Y),
    Binding((pygame.K_n,), "N", Action.NEWEST, "mask on the newest picture"),
    Binding((pygame.K_PLUS, pygame.K_EQUALS, pygame.K_KP_PLUS), "+", Action.MORE_OPAQUE, "mask stronger"),
    Binding((pygame.K_MINUS, pygame.K_KP_MINUS), "-", Action.LESS_OPAQUE, "mask weaker"),
    Binding((pygame.K_1,), "1", Action.LAG, "trouble: lag"),
    Binding((pygame.K_2,), "2", Action.NOISE, "trouble: noise"),
    Binding((pygame.K_3,), "3", Action.BLUR, "trouble: blur"),
    Binding((pygame.K_4,), "4", Action.DEAD_CAMERA, "trouble: dead camera"),
    Binding((pygame.K_F1,), "F1", Action.HUD, "panels on or off"),
    Binding((pygame.K_F12,), "F12", Action.SNAPSHOT, "save this picture"),
    Binding((pygame.K_h, pygame.K_QUESTION), "H", Action.HELP, "this help"),
    Binding((pygame.K_ESCAPE,), "esc", Action.END, "end"),
)


def help_rows() -> list[tuple[str, str]]:
    """(caps, what they do) of every row of the table."""
    return [(binding.caps, binding.help) for binding in BINDINGS]


@dataclass(frozen=True)
class Command:
    """What goes to the vehicle; as carla.VehicleControl. steer: -1 left to 1 right."""

    throttle: float = 0.0
    steer: float = 0.0
    brake: float = 0.0
    hand_brake: bool = False
    reverse: bool = False


class Wheel:
    """Pedals and steering wheel: keys are on or off, what the vehicle gets moves smoothly. For any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: set[Hold] = set()
        self._stick: tuple[float, float, float] | None = None
        self._reverse = False
        self._steer = self._throttle = self._brake = 0.0

    def hold(self, what: Hold, down: bool) -> bool:
        """A key went down or up; whether that changes anything."""
        with self._lock:
            if down == (what in self._held):
                return False
            (self._held.add if down else self._held.discard)(what)
            if down and what in (Hold.LEFT, Hold.RIGHT):
                sign = -1.0 if what is Hold.LEFT else 1.0
                # Against the present direction a key starts from the middle, as hands do.
                self._steer = sign * _FIRST_STEER if self._steer * sign <= 0.0 else self._steer + sign * _FIRST_STEER
            if down and what is Hold.BRAKE:
                self._brake = max(self._brake, _FIRST_BRAKE)
            return True

    def move_stick(self, steer: float, throttle: float, brake: float) -> None:
        """A gamepad's stick (-1 to 1) and triggers (0 to 1); at rest it leaves the keys alone."""
        with self._lock:
            beyond = max(0.0, abs(steer) - _DEAD_ZONE) / (1.0 - _DEAD_ZONE)
            # Squared: fine near the middle, full at the end.
            curved = math.copysign(beyond**2, steer)
            rest = beyond == 0.0 and throttle < _DEAD_ZONE and brake < _DEAD_ZONE
            self._stick = None if rest else (curved, throttle, brake)

    def toggle_reverse(self) -> bool:
        """Whether it is the reverse gear now."""
        with self._lock:
            self._reverse = not self._reverse
            return self._reverse

    def let_go(self) -> None:
        """Feet off, wheel straight, forward gear: after a respawn."""
        with self._lock:
            self._reverse = False
            self._steer = self._throttle = self._brake = 0.0

    def turn(self, passed_s: float, speed_kmh: float) -> Command:
        """What the vehicle gets, `passed_s` after the last call."""
        with self._lock:
            held = self._held
            if self._stick is not None:
                self._steer, self._throttle, self._brake = self._stick
            else:
                lock = max(_LEAST_LOCK, min(1.0, _FULL_LOCK_KMH / max(speed_kmh, 1.0)))
                way = (Hold.RIGHT in held) - (Hold.LEFT in held)
                rate = _STEER_RATE if way and self._steer * way >= 0.0 else _CENTRE_RATE
                self._steer = _towards(self._steer, way * lock, rate * passed_s)
                throttle = _KEY_THROTTLE if Hold.THROTTLE in held else 0.0
                self._throttle = _towards(self._throttle, throttle, _THROTTLE_RATE * passed_s) if throttle else 0.0
                self._brake = _towards(self._brake, 1.0, _BRAKE_RATE * passed_s) if Hold.BRAKE in held else 0.0
            return Command(self._throttle, self._steer, self._brake, Hold.HAND_BRAKE in held, self._reverse)


class Controls:
    """Turns pygame's events into actions, and moves the wheel."""

    def __init__(self, wheel: Wheel):
        self.wheel = wheel
        self.pad_name = ""
        self._pad: gamepads.Controller | None = None
        self._pressed = {(key, b.shift): b.does for b in BINDINGS for key in b.keys}
        self._buttons = {b.button: b.does for b in BINDINGS if b.button is not None}

    def open_gamepads(self) -> None:
        """Take the first gamepad that SDL knows; none is fine."""
        gamepads.init()
        for index in range(gamepads.get_count()):
            if self._take_pad(index):
                return

    def handle(self, event: pygame.event.Event) -> tuple[Action | None, bool]:
        """The action of an event, if it has one, and whether pedals or wheel moved."""
        if event.type == pygame.QUIT:
            return Action.END, False
        if event.type in (pygame.KEYDOWN, pygame.KEYUP):
            return self._key(event)
        if event.type in (pygame.CONTROLLERBUTTONDOWN, pygame.CONTROLLERBUTTONUP):
            return self._do(self._buttons.get(event.button), event.type == pygame.CONTROLLERBUTTONDOWN)
        if event.type == pygame.CONTROLLERAXISMOTION and self._pad is not None:
            self._read_pad(self._pad)
            return None, True
        if event.type == pygame.CONTROLLERDEVICEADDED and self._pad is None:
            self._take_pad(event.device_index)
        elif event.type == pygame.CONTROLLERDEVICEREMOVED and self._pad is not None and not self._pad.attached():
            self._pad, self.pad_name = None, ""
            self.wheel.move_stick(0.0, 0.0, 0.0)
            return None, True
        elif event.type == pygame.WINDOWFOCUSLOST:
            # The keys that are down now will come up in another window.
            return None, any([self.wheel.hold(what, False) for what in Hold])
        return None, False

    def _key(self, event: pygame.event.Event) -> tuple[Action | None, bool]:
        down = event.type == pygame.KEYDOWN
        shifted = bool(getattr(event, "mod", 0) & pygame.KMOD_SHIFT)
        does = self._pressed.get((event.key, shifted)) or self._pressed.get((event.key, False))
        return self._do(does, down)

    def _do(self, does: Action | Hold | None, down: bool) -> tuple[Action | None, bool]:
        if isinstance(does, Hold):
            return None, self.wheel.hold(does, down)
        return (does, False) if down else (None, False)

    def _take_pad(self, index: int) -> bool:
        if not gamepads.is_controller(index):
            return False
        self._pad = gamepads.Controller(index)
        self.pad_name = str(self._pad.name)
        return True

    def _read_pad(self, pad: gamepads.Controller) -> None:
        def axis(number: int) -> float:
            return float(pad.get_axis(number)) / _AXIS_MAX

        self.wheel.move_stick(
            axis(pygame.CONTROLLER_AXIS_LEFTX),
            axis(pygame.CONTROLLER_AXIS_TRIGGERRIGHT),
            axis(pygame.CONTROLLER_AXIS_TRIGGERLEFT),
        )


def changed_opacity(opacity: float, action: Action) -> float:
    """The opacity after `+` or `-`, 0 to 1."""
    step = _OPACITY_STEP if action is Action.MORE_OPAQUE else -_OPACITY_STEP
    return round(min(1.0, max(0.0, opacity + step)), 2)


def _towards(value: float, target: float, most: float) -> float:
    return min(target, value + most) if target > value else max(target, value - most)
