"""What the recorder varies from drive to drive beside town, weather and traffic: the ego, its cameras' place, their colours.

Everything is said by attributes that CARLA's own `sensor.camera.rgb` has, is drawn from the drive's seed, and stands in
its episode.json. Labels follow, as they are drawn from the same place.
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from trainer.dataset.recording import Camera

Range = tuple[float, float]
_NONE: Range = (0.0, 0.0)
_LIMITS = {
    "exposure_stops": (-8.0, 8.0),
    "gamma": (0.5, 5.0),
    "slope": (0.0, 2.0),
    "temp_k": (1700.0, 25000.0),
    "tint": (-1.0, 1.0),
    "fringe": (0.0, 5.0),
    "fov_deg": (-60.0, 60.0),
}
_ATTRIBUTES = {
    "exposure_stops": "exposure_compensation",
    "gamma": "gamma",
    "slope": "slope",
    "temp_k": "temp",
    "tint": "tint",
    "fringe": "chromatic_aberration_intensity",
}
"""Key -> CARLA's attribute."""


@dataclass(frozen=True)
class VaryConfig:
    """The key `vary` of configs/record.yaml, which says what each range means; all cameras of a rig change alike.

    Shifts and turns are added to each camera's own; the rest are values of the attributes.
    """

    egos: tuple[str, ...] = ()
    ahead_m: Range = _NONE
    right_m: Range = _NONE
    up_m: Range = _NONE
    roll_deg: Range = _NONE
    pitch_deg: Range = _NONE
    yaw_deg: Range = _NONE
    fov_deg: Range = _NONE
    exposure_stops: Range = _NONE
    gamma: Range = (2.2, 2.2)
    slope: Range = (0.88, 0.88)
    temp_k: Range = (6500.0, 6500.0)
    tint: Range = _NONE
    fringe: Range = _NONE

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            if field.name == "egos":
                continue
            low, high = getattr(self, field.name)
            if low > high:
                raise ValueError(f"{field.name}: [{low:g}, {high:g}] falls; write the smaller number first")
            least, most = _LIMITS.get(field.name, (-180.0, 180.0))
            if low < least or high > most:
                raise ValueError(f"{field.name}: [{low:g}, {high:g}] must lie within {least:g} and {most:g}")


@dataclass(frozen=True)
class Setup:
    """The ego and the cameras of one drive.

    attributes: CARLA's, of its RGB cameras; empty where nothing is varied. paint: which of the ego's recommended colours,
    0 to 1 of their number; None for its own.
    """

    ego: str
    cameras: tuple[Camera, ...]
    attributes: dict[str, float]
    paint: float | None = None

    def said(self) -> dict[str, Any]:
        """As episode.json holds it; {} where all is as recording.json says."""
        if not self.attributes:
            return {}
        places = {camera.name: {"fov_deg": camera.fov_deg, "pose": list(camera.pose)} for camera in self.cameras}
        return {"rig": places, "attributes": self.attributes}


def draw_setup(vary: VaryConfig, share: float, ego: str, cameras: Sequence[Camera], seed: int) -> Setup:
    """The setup of a drive: the same seed draws the same, and one range changes nothing of what another draws.

    share: of all drives that are varied; the others have `ego` and `cameras` as they are.
    """
    if random.Random(f"{seed}/varied").random() >= share:
        return Setup(ego, tuple(cameras), {})

    def draw(key: str) -> float:
        return random.Random(f"{seed}/{key}").uniform(*getattr(vary, key))

    shift = [draw(key) for key in ("ahead_m", "right_m", "up_m", "roll_deg", "pitch_deg", "yaw_deg")]
    wider_deg = draw("fov_deg")
    moved = tuple(
        dataclasses.replace(
            camera,
            fov_deg=round(min(max(camera.fov_deg + wider_deg, 5.0), 170.0), 3),
            pose=(*(round(at + by, 4) for at, by in zip(camera.pose, shift, strict=True)),),  # type: ignore[arg-type]
        )
        for camera in cameras
    )
    attributes = {name: round(draw(key), 4) for key, name in _ATTRIBUTES.items()}
    # White balance is felt by its reciprocal: drawn evenly in kelvin, most pictures would be warm.
    low, high = vary.temp_k
    attributes["temp"] = round(1.0 / random.Random(f"{seed}/temp_k").uniform(1.0 / high, 1.0 / low), 1)
    chosen = random.Random(f"{seed}/ego").choice(vary.egos) if vary.egos else ego
    return Setup(chosen, moved, attributes, random.Random(f"{seed}/paint").random())
