"""What `record` is told: configs/record.yaml as a frozen dataclass, and CARLA's label table for a simulator's version."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sim_agent.gates import GateConfig
from sim_agent.plan import Episode, check_presets, make_plan
from sim_agent.rig import ticks_between
from sim_agent.variety import Setup, VaryConfig, draw_setup
from trainer.config import build, configs_dir, load_yaml
from trainer.dataset.recording import Camera, Codecs
from trainer.labels import LabelTable, load_label_table


@dataclass(frozen=True)
class RecordConfig:
    """The keys of configs/record.yaml, which says what each means and in which unit."""

    episodes: int
    frames: int
    seed: int
    towns: tuple[str, ...]
    weathers: tuple[str, ...]
    mixed_share: float
    vehicles: tuple[int, ...]
    walkers: tuple[int, ...]
    ego: str
    step_s: float
    rate_hz: float
    settle_s: float
    cameras: tuple[Camera, ...]
    depth: bool
    instance: bool
    codecs: Codecs = field(default_factory=Codecs)
    gates: GateConfig = field(default_factory=GateConfig)
    varied_share: float = 0.0
    vary: VaryConfig = field(default_factory=VaryConfig)
    restart_every: int = 0
    restart_above_mb: int = 3000

    def __post_init__(self) -> None:
        for name in ("episodes", "frames"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: 1 or more, not {getattr(self, name)}")
        for name in ("towns", "weathers", "vehicles", "walkers", "cameras"):
            if not getattr(self, name):
                raise ValueError(f"{name}: the list is empty; name one or more")
        for name in ("vehicles", "walkers"):
            if min(getattr(self, name)) < 0:
                raise ValueError(f"{name}: 0 or more, not {min(getattr(self, name))}")
        check_presets(self.weathers)
        names = [camera.name for camera in self.cameras]
        if twice := {name for name in names if names.count(name) > 1}:
            raise ValueError(f"cameras: the name {min(twice)!r} stands there twice; give each camera its own")
        for name in ("mixed_share", "varied_share"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"{name}: 0 to 1, not {getattr(self, name)}")
        if not 0.0 < self.step_s <= 0.1:
            raise ValueError(f"step_s: more than 0 and at most 0.1 (CARLA's physics takes no more), not {self.step_s}")
        if self.rate_hz <= 0.0:
            raise ValueError(f"rate_hz: more than 0, not {self.rate_hz}")
        for name in ("settle_s", "restart_every", "restart_above_mb"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name}: 0 or more, not {getattr(self, name)}")
        ticks_between(self.step_s, self.rate_hz)

    @property
    def every(self) -> int:
        """Ticks from one recorded frame to the next."""
        return ticks_between(self.step_s, self.rate_hz)

    @property
    def kinds(self) -> tuple[str, ...]:
        """What each camera gives."""
        return ("rgb", "semantic", *(["depth"] if self.depth else []), *(["instance"] if self.instance else []))

    def plan(self) -> tuple[Episode, ...]:
        """The episodes; see sim_agent/plan.py."""
        return make_plan(
            self.episodes,
            self.frames,
            self.towns,
            self.weathers,
            self.mixed_share,
            self.vehicles,
            self.walkers,
            self.seed,
        )

    def setup(self, seed: int) -> Setup:
        """Ego and cameras of the drive with this seed; see sim_agent/variety.py."""
        return draw_setup(self.vary, self.varied_share, self.ego, self.cameras, seed)

    def to_dict(self) -> dict[str, Any]:
        """As recording.json holds it."""
        return dataclasses.asdict(self)


def load_record_config(path: Path | None = None, **changes: Any) -> RecordConfig:
    """configs/record.yaml, or another file of its keys, with `changes` on top; what a file leaves out is as there.

    Raises ConfigError: no such file, an unknown key (names the nearest), a value of a wrong type or out of range.
    """
    default = configs_dir() / "record.yaml"
    values = load_yaml(default)
    where = str(default)
    if path is not None:
        own = load_yaml(path)
        for key in ("codecs", "gates", "vary"):
            if isinstance(own.get(key), dict):
                own[key] = values[key] | own[key]
        values, where = values | own, str(path)
    config = build(RecordConfig, values, where)
    return build(RecordConfig, values | changes, "the command line") if changes else config


def label_table_of(version: str) -> LabelTable:
    """The tags that a CARLA server of this version writes: 13 before 0.9.10, 23 before 0.9.14, 29 since."""
    numbers = tuple(int(part) for part in version.split("-")[0].split(".")[:3])
    if numbers < (0, 9, 10):
        return load_label_table("carla-0.8")
    return load_label_table("carla-0.9.10" if numbers < (0, 9, 14) else "carla-0.9.14")
