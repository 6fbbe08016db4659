"""Which light is green: every junction's phases in turn, and which vehicle stands before which light or sign."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from sim_agent.embedded.scene import Box
from sim_agent.embedded.wire.state import SignalState

GREEN_S, YELLOW_S, RED_S = 10.0, 3.0, 2.0
"""CARLA's defaults (TrafficLightController.h); red is the time in which all arms are red between two phases."""
_CELL_M = 16.0
_Footprint = tuple[int, float, float, float, float, float, float]
"""Id, centre, cosine and sine of the yaw, half length and width."""


@dataclass
class Light:
    """One traffic light of a junction."""

    actor_id: int
    opendrive_id: str
    phase: int
    pole: int
    state: SignalState = SignalState.RED
    green_s: float = GREEN_S
    yellow_s: float = YELLOW_S
    red_s: float = RED_S


@dataclass
class LightGroup:
    """The lights of one junction. One phase is green, then yellow, then all are red, then the next phase is green."""

    lights: list[Light]
    frozen: bool = False
    elapsed_s: float = 0.0
    _turn: int = 0
    """Position in `_phases` of the phase whose turn it is."""
    _stage: SignalState = SignalState.GREEN
    _phases: list[int] = field(default_factory=list)
    _lead: Light = field(init=False)
    """The first light of that phase: its times count."""

    def __post_init__(self) -> None:
        self._phases = sorted({light.phase for light in self.lights})
        self._show()

    def tick(self, dt_s: float) -> None:
        """Let time pass; at most one change of stage a tick, as in CARLA."""
        if self.frozen:
            return
        self.elapsed_s += dt_s
        stage, lead = self._stage, self._lead
        green, yellow = stage == SignalState.GREEN, stage == SignalState.YELLOW
        limit_s = lead.green_s if green else lead.yellow_s if yellow else lead.red_s
        if self.elapsed_s + 1e-9 < limit_s:
            return
        self.elapsed_s = 0.0
        if green:
            self._stage = SignalState.YELLOW
        elif yellow:
            self._stage = SignalState.RED
        else:
            self._stage = SignalState.GREEN
            self._turn = (self._turn + 1) % len(self._phases)
        self._show()

    def set_state(self, light: Light, state: SignalState) -> None:
        """What `TrafficLight.set_state` does: this light's phase takes that stage now and the others are red.

        OFF and UNKNOWN, and red while another phase has its turn, only change the light itself.
        """
        if state in (SignalState.OFF, SignalState.UNKNOWN):
            light.state = state
            return
        phase = self._phases.index(light.phase)
        if state == SignalState.RED and phase != self._turn:
            light.state = state
            return
        self._turn, self._stage, self.elapsed_s = phase, state, 0.0
        self._show()
        light.state = state

    def reset(self) -> None:
        """The first phase is green, from now on."""
        self._turn, self._stage, self.elapsed_s = 0, SignalState.GREEN, 0.0
        self._show()

    def place(self) -> tuple[int, SignalState, float]:
        """How far it is: whose turn, at what stage, and for how many seconds."""
        return self._turn, self._stage, self.elapsed_s

    def restore(self, turn: int, stage: SignalState, elapsed_s: float) -> None:
        """Go on from a `place`."""
        self._turn, self._stage, self.elapsed_s = turn % len(self._phases), stage, elapsed_s
        self._show()

    def _show(self) -> None:
        phase = self._phases[self._turn]
        self._lead = next(light for light in self.lights if light.phase == phase)
        for light in self.lights:
            light.state = self._stage if light.phase == phase else SignalState.RED


class TriggerBoxes:
    """Boxes on the ground with an id each; says in which of them a point is."""

    def __init__(self, boxes: Mapping[int, Box]):
        """Boxes by id; their yaw counts, pitch and roll do not."""
        self._cells: dict[tuple[int, int], list[_Footprint]] = {}
        """What reaches into each square of the ground: nearly everywhere nothing does."""
        for key, box in boxes.items():
            x, y, yaw = box.pose.x_m, box.pose.y_m, math.radians(box.pose.yaw_deg)
            footprint = (key, x, y, math.cos(yaw), math.sin(yaw), box.extent_m[0], box.extent_m[1])
            reach = math.hypot(*box.extent_m[:2])
            for column in range(_cell(x - reach), _cell(x + reach) + 1):
                for line in range(_cell(y - reach), _cell(y + reach) + 1):
                    self._cells.setdefault((column, line), []).append(footprint)

    def containing(self, x_m: float, y_m: float) -> int:
        """The id of the box around a point, the one with the nearest centre of several, or 0."""
        footprints = self._cells.get((int(x_m // _CELL_M), int(y_m // _CELL_M)))
        if footprints is None:
            return 0
        found, nearest = 0, math.inf
        for key, x, y, cos, sin, half_length, half_width in footprints:
            dx, dy = x_m - x, y_m - y
            if abs(dx * cos + dy * sin) <= half_length and abs(dy * cos - dx * sin) <= half_width:
                distance = dx * dx + dy * dy
                if distance < nearest:
                    found, nearest = key, distance
        return found


def _cell(place_m: float) -> int:
    return int(place_m // _CELL_M)


def faces(yaw_deg: float, other_deg: float, tolerance_deg: float = 60.0) -> bool:
    """Whether two directions agree within a tolerance."""
    return math.cos(math.radians(yaw_deg - other_deg)) > math.cos(math.radians(tolerance_deg))
