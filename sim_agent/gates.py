"""Which frames are worth keeping: rules over what the vehicle does and what the first camera sees, one frame at a time."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Thumb = npt.NDArray[np.float32]
_THUMB = (18, 32)
"""Rows and columns: as `data check` compares pictures."""
_SAMPLES = 8
"""Pixels a row and a column of a block that its mean is taken over, or up to twice as many: more find nothing more."""


@dataclass(frozen=True)
class GateConfig:
    """The limits of all gates; simulated seconds."""

    exposure_s: float = 1.0
    """Frames dropped after the cameras were switched on: exposure settles, textures stream in."""
    standing_m_s: float = 0.3
    """A vehicle slower than this stands."""
    standing_share: float = 0.1
    """Frames of a standing vehicle, at most, of all that are kept."""
    duplicate_level: float = 1.5
    """Two pictures are alike whose grey 32x18 thumbnails differ by less, of 255 (root mean square). 0: never."""
    stuck_s: float = 60.0
    """A vehicle that stood for so long, and not at a red light, is given up."""

    def __post_init__(self) -> None:
        if not 0.0 <= self.standing_share <= 1.0:
            raise ValueError(f"standing_share: 0 to 1, not {self.standing_share}")
        for name in ("exposure_s", "standing_m_s", "duplicate_level"):
            if getattr(self, name) < 0.0:
                raise ValueError(f"{name}: 0 or more, not {getattr(self, name)}")
        if self.stuck_s <= 0.0:
            raise ValueError(f"stuck_s: more than 0, not {self.stuck_s}")


@dataclass(frozen=True)
class Scene:
    """The ego vehicle at one frame. Positions in metres in CARLA's world axes, angles in degrees, velocity in m/s."""

    frame: int
    time_s: float
    location_m: tuple[float, float, float]
    rotation_deg: tuple[float, float, float]
    """Roll, pitch, yaw."""
    velocity_m_s: tuple[float, float, float]
    control: dict[str, Any]
    traffic_light: str | None = None
    """Red, Yellow or Green where one counts for the vehicle."""

    @property
    def speed_m_s(self) -> float:
        """Of the whole velocity."""
        return math.hypot(*self.velocity_m_s)

    def meta(self) -> dict[str, Any]:
        """What FRAME.json says of it."""
        names = ("x_m", "y_m", "z_m", "roll_deg", "pitch_deg", "yaw_deg")
        pose = dict(zip(names, (round(v, 4) for v in (*self.location_m, *self.rotation_deg)), strict=True))
        return {
            "sim_time_s": round(self.time_s, 6),
            "ego": pose,
            "velocity": [round(v, 4) for v in self.velocity_m_s],
            "control": self.control,
            "traffic_light": self.traffic_light,
        }


class Gates:
    """All gates of one episode: `reason_to_drop`, in the order of the frames, then `kept` for those that are."""

    def __init__(self, config: GateConfig, cameras_on_s: float):
        """cameras_on_s: simulated time at which the cameras were switched on."""
        self.config = config
        self._spawn = SpawnGate(cameras_on_s, config.exposure_s)
        self._motion = MotionGate(config.standing_m_s, config.standing_share)
        self._duplicate = DuplicateGate(config.duplicate_level)

    def reason_to_drop(self, scene: Scene, thumb: Thumb) -> str | None:
        """Why the frame is dropped: `spawn`, `standing` or `duplicate`; None: keep it."""
        if self._spawn.drops(scene):
            return "spawn"
        if self._motion.drops(scene.speed_m_s):
            return "standing"
        if self._duplicate.drops(thumb):
            return "duplicate"
        self._motion.kept(scene.speed_m_s)
        self._duplicate.kept(thumb)
        return None


class SpawnGate:
    """Drops the first frames: until the exposure has settled, and until the vehicle has come down on its wheels."""

    FALLING_M_S = 0.5

    def __init__(self, cameras_on_s: float, exposure_s: float):
        self._until_s = cameras_on_s + exposure_s
        self._landed = False

    def drops(self, scene: Scene) -> bool:
        """Whether a frame is too early."""
        self._landed = self._landed or abs(scene.velocity_m_s[2]) < self.FALLING_M_S
        # Frames come in steps: half a millisecond decides no frame by rounding.
        return not self._landed or scene.time_s < self._until_s - 5e-4


class MotionGate:
    """Keeps a share of frames of a standing vehicle: they look alike, but a model must know red lights and queues."""

    def __init__(self, standing_m_s: float, share: float):
        self._standing_m_s, self._share = standing_m_s, share
        self._all = self._standing = 0

    def drops(self, speed_m_s: float) -> bool:
        """Whether the share would be more with this frame."""
        return speed_m_s < self._standing_m_s and self._standing + 1 > self._share * (self._all + 1)

    def kept(self, speed_m_s: float) -> None:
        """The frame was kept."""
        self._all += 1
        self._standing += speed_m_s < self._standing_m_s


class DuplicateGate:
    """Drops pictures that repeat the last one that was kept."""

    def __init__(self, level: float):
        self._level = level
        self._last: Thumb | None = None

    def drops(self, thumb: Thumb) -> bool:
        """Whether this picture differs by less than the level."""
        return self._last is not None and float(np.sqrt(np.mean((thumb - self._last) ** 2))) < self._level

    def kept(self, thumb: Thumb) -> None:
        """The picture was kept."""
        self._last = thumb


class StuckWatch:
    """Notices a vehicle that gets nowhere, on its roof or in front of something that never moves."""

    MOVED_M = 2.0

    def __init__(self, stuck_s: float):
        self._stuck_s = stuck_s
        self._place_m: tuple[float, float, float] | None = None
        self._since_s = 0.0

    def stuck(self, scene: Scene) -> bool:
        """Whether it is within 2 m of where it was `stuck_s` ago; time at a red light does not count."""
        moved = self._place_m is None or math.dist(scene.location_m, self._place_m) > self.MOVED_M
        if moved or scene.traffic_light == "Red":
            self._place_m, self._since_s = scene.location_m, scene.time_s
        return scene.time_s - self._since_s >= self._stuck_s


def thumb_of(bgra: npt.NDArray[np.uint8]) -> Thumb:
    """(18, 32) float32: the green of a (H, W, 4) picture, means over blocks, of 8x8 or some more of its pixels each."""
    rows, columns = _THUMB
    height, width = bgra.shape[:2]
    if height < rows or width < columns:
        y, x = np.arange(rows) * height // rows, np.arange(columns) * width // columns
        return bgra[y[:, None], x[None, :], 1].astype(np.float32)
    down, across = max(1, height // (rows * _SAMPLES)), max(1, width // (columns * _SAMPLES))
    green = bgra[::down, ::across, 1]
    block_rows, block_columns = green.shape[0] // rows, green.shape[1] // columns
    blocks = green[: block_rows * rows, : block_columns * columns].reshape(rows, block_rows, columns, block_columns)
    return blocks.mean(axis=(1, 3), dtype=np.float32)
