"""What `drive` is told: configs/drive.yaml as a frozen dataclass."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from sim_agent.plan import check_presets
from sim_agent.rig import ticks_between
from trainer.config import build, configs_dir, load_yaml
from trainer.dataset.recording import Camera

Pose = tuple[float, float, float, float, float, float]


@dataclass(frozen=True)
class Seat:
    """A place of the camera on the vehicle. pose: x_m, y_m, z_m, roll_deg, pitch_deg, yaw_deg."""

    name: str
    pose: Pose


@dataclass(frozen=True)
class DriveConfig:
    """The keys of configs/drive.yaml, which says what each means and in which unit."""

    town: str
    weather: str
    vehicle: str
    vehicles: int
    walkers: int
    seed: int
    quality: Literal["low", "medium", "high"]
    step_s: float
    width: int
    height: int
    fov_deg: float
    cameras: tuple[Seat, ...]
    window: tuple[int, int]
    opacity: float
    lag_ms: float
    noise: float
    blur_px: float
    record: str
    rate_hz: float

    def __post_init__(self) -> None:
        check_presets([self.weather])
        for name in ("vehicles", "walkers", "lag_ms", "noise", "blur_px"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name}: 0 or more, not {getattr(self, name)}")
        if self.width < 32 or self.height < 32:
            raise ValueError(f"width, height: 32 pixels or more, not {self.width}x{self.height}")
        if min(self.window) < 240:
            raise ValueError(f"window: 240 pixels or more each way, not {self.window[0]}x{self.window[1]}")
        if not 0.0 < self.step_s <= 0.1:
            raise ValueError(f"step_s: more than 0 and at most 0.1 (CARLA's physics takes no more), not {self.step_s}")
        if not 0.0 <= self.opacity <= 1.0:
            raise ValueError(f"opacity: 0 to 1, not {self.opacity}")
        if not self.cameras:
            raise ValueError("cameras: the list is empty; name one or more")
        ticks_between(self.step_s, self.rate_hz)

    @property
    def record_every(self) -> int:
        """Ticks from one recorded frame to the next."""
        return ticks_between(self.step_s, self.rate_hz)

    def camera(self, index: int) -> Camera:
        """The camera at one of the seats."""
        seat = self.cameras[index % len(self.cameras)]
        return Camera(seat.name, self.width, self.height, self.fov_deg, seat.pose)


def load_drive_config(path: Path | None = None, **changes: Any) -> DriveConfig:
    """configs/drive.yaml, or another file of its keys, with `changes` on top; what a file leaves out is as there.

    Raises ConfigError: no such file, an unknown key (names the nearest), a value of a wrong type or out of range.
    """
    default = configs_dir() / "drive.yaml"
    values, where = load_yaml(default), str(default)
    if path is not None:
        values, where = values | load_yaml(path), str(path)
    config = build(DriveConfig, values, where)
    return build(DriveConfig, values | changes, "the command line") if changes else config
