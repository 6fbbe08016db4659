"""What the window's panels say: figures of a drive, and each panel's part of them in words."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, NamedTuple

_REAL_TIME = 0.9
"""Below this share of real time the figure is marked."""
_WITHOUT_OPACITY = ("camera", "errors", "mask only")
Tone = Literal["plain", "soft", "warning", "alarm"]


class PlacePanel(NamedTuple):
    """Where one drives, and how fast all goes."""

    town: str
    weather: str
    simulator: str
    ticks_per_s: str
    drawn_per_s: str
    real_time: str
    slow: bool


class DrivePanel(NamedTuple):
    """The vehicle; pedals and wheel in percent."""

    speed: str
    gear: str
    throttle: int
    steer: int
    brake: int
    hand_brake: bool
    driver: str


class MaskPanel(NamedTuple):
    """What makes the masks, how old they are and what they are worth."""

    engine: str
    checkpoint: str
    per_s: str
    age_ms: str
    engine_ms: str
    miou: str
    later: str
    dropped: str
    ages_ms: tuple[int, ...]


class Chip(NamedTuple):
    """Something that is switched on; lamp: a dot stands before it."""

    text: str
    tone: Tone
    lamp: bool = False


@dataclass(frozen=True)
class Readings:
    """All figures of a drive. Those that there are none of yet are None."""

    town: str = ""
    weather: str = ""
    simulator: str = ""
    ticks_per_s: float | None = None
    drawn_per_s: float | None = None
    real_time_factor: float | None = None
    """Simulated seconds a second."""

    speed_kmh: float = 0.0
    gear: str = "N"
    throttle: float = 0.0
    steer: float = 0.0
    """-1 left to 1 right."""
    brake: float = 0.0
    hand_brake: bool = False
    driver: str = "manual"
    """Who drives: manual, autopilot, or another program."""

    engine: str = ""
    masks_per_s: float | None = None
    engine_ms: float | None = None
    mask_age_ms: float | None = None
    ages_ms: tuple[float, ...] = ()
    """Age of each of the last masks."""
    miou: float | None = None
    miou_after_latency: float | None = None
    dropped: int = 0
    """Pictures that no mask was made of."""
    iou: tuple[float, ...] = ()
    """By class, NaN where none is in sight."""
    checkpoint: str = ""
    """What of a training under way is shown."""

    view: str = "mask"
    opacity: float = 0.5
    behind_ms: float | None = None
    """By how much a mask is older than the picture that it lies on; None where it lies on its own."""
    camera: str = ""
    recorded: int | None = None
    """Frames of this drive on the disk; None while it is not recorded."""
    troubles: tuple[str, ...] = ()

    @property
    def place(self) -> PlacePanel:
        """The panel at the top left."""
        return PlacePanel(
            self.town,
            self.weather,
            self.simulator,
            _figure(self.ticks_per_s, ".1f"),
            _figure(self.drawn_per_s, ".1f"),
            _figure(self.real_time_factor, ".2f"),
            self.real_time_factor is not None and self.real_time_factor < _REAL_TIME,
        )

    @property
    def drive(self) -> DrivePanel:
        """The panel at the bottom left."""
        throttle, steer, brake = (round(100 * value) for value in (self.throttle, self.steer, self.brake))
        speed = f"{abs(self.speed_kmh):.0f}"
        return DrivePanel(speed, self.gear, throttle, steer, brake, self.hand_brake, self.driver)

    @property
    def masks(self) -> MaskPanel:
        """The panel at the bottom right."""
        return MaskPanel(
            self.engine,
            self.checkpoint,
            _figure(self.masks_per_s, ".1f"),
            _figure(self.mask_age_ms, ".0f"),
            _figure(self.engine_ms, ".1f"),
            _figure(self.miou, ".3f"),
            _figure(self.miou_after_latency, ".3f"),
            str(self.dropped),
            tuple(round(age) for age in self.ages_ms),
        )

    @property
    def shares(self) -> tuple[int | None, ...]:
        """IoU by class in percent, for the legend."""
        return tuple(None if math.isnan(value) else round(100 * value) for value in self.iou)

    @property
    def chips(self) -> tuple[Chip, ...]:
        """The chips at the top, the view first."""
        shown = self.view if self.view in _WITHOUT_OPACITY else f"{self.view}  {round(100 * self.opacity)} %"
        chips = [Chip(shown, "plain")]
        if self.behind_ms is not None:
            chips.append(Chip(f"on the newest picture, {self.behind_ms:.0f} ms behind", "warning"))
        if self.camera:
            chips.append(Chip(self.camera, "soft"))
        if self.recorded is not None:
            chips.append(Chip(f"REC {self.recorded}", "alarm", lamp=True))
        return (*chips, *(Chip(trouble, "warning", lamp=True) for trouble in self.troubles))


def _figure(value: float | None, form: str) -> str:
    return "-" if value is None or math.isnan(value) else format(value, form)
