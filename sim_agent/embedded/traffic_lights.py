"""Which light is green: every junction's phases in turn, and which vehicle stands before which light or sign."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from sim_agent.embedded.scene import Box
from sim_agent.embedded.wire.state import SignalState

GREEN_S, YELLOW_S, RED_S = 10.0, 3.0, 2.0
"""CARLA's defaults (TrafficLightController.h); red is the time in which all arms are red between two phases."""


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

    def __post_init__(self) -> None:
        self._phases = sorted({light.phase for light in self.lights})
        self._show()

    def tick(self, dt_s: float) -> None:
        """Let time pass; at most one change of stage a tick, as in CARLA."""
        if self.frozen:
            return
        self.elapsed_s += dt_s
        if self.elapsed_s + 1e-9 < self._limit_s():
            return
        self.elapsed_s = 0.0
        if self._stage == SignalState.GREEN:
            self._stage = SignalState.YELLOW
        elif self._stage == SignalState.YELLOW:
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

    def _current(self) -> list[Light]:
        phase = self._phases[self._turn]
        return [light for light in self.lights if light.phase == phase]

    def _limit_s(self) -> float:
        lead = self._current()[0]
        return {SignalState.GREEN: lead.green_s, SignalState.YELLOW: lead.yellow_s}.get(self._stage, lead.red_s)

    def _show(self) -> None:
        phase = self._phases[self._turn]
        for light in self.lights:
            light.state = self._stage if light.phase == phase else SignalState.RED


@dataclass(frozen=True)
class TriggerBoxes:
    """Boxes on the ground with an id each; says in which of them a point is."""

    ids: npt.NDArray[np.int64]
    _centres: npt.NDArray[np.float64]
    _axes: npt.NDArray[np.float64]
    _extents: npt.NDArray[np.float64]

    @classmethod
    def of(cls, boxes: Mapping[int, Box]) -> TriggerBoxes:
        """Boxes by id; their yaw counts, pitch and roll do not."""
        items = list(boxes.items())
        yaw = np.radians([box.pose.yaw_deg for _, box in items]) if items else np.zeros(0)
        return cls(
            np.array([key for key, _ in items], np.int64),
            np.array([box.pose.location[:2] for _, box in items], np.float64).reshape(-1, 2),
            np.stack([np.cos(yaw), np.sin(yaw)], -1),
            np.array([box.extent_m[:2] for _, box in items], np.float64).reshape(-1, 2),
        )

    def containing(self, points: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
        """For (N, 2) points in metres, (N,) the id of the nearest box around each, or 0."""
        if not len(self.ids) or not len(points):
            return np.zeros(len(points), np.int64)
        offset = points[:, None] - self._centres
        along = np.abs(offset[..., 0] * self._axes[:, 0] + offset[..., 1] * self._axes[:, 1])
        across = np.abs(offset[..., 1] * self._axes[:, 0] - offset[..., 0] * self._axes[:, 1])
        inside = (along <= self._extents[:, 0]) & (across <= self._extents[:, 1])
        distance = np.where(inside, offset[..., 0] ** 2 + offset[..., 1] ** 2, np.inf)
        nearest = distance.argmin(1)
        return np.where(np.isfinite(distance[np.arange(len(points)), nearest]), self.ids[nearest], 0)


def faces(yaw_deg: float, other_deg: float, tolerance_deg: float = 60.0) -> bool:
    """Whether two directions agree within a tolerance."""
    return math.cos(math.radians(yaw_deg - other_deg)) > math.cos(math.radians(tolerance_deg))
