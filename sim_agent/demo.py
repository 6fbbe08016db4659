"""The verb `demo`: everything once, without CARLA, GPU or data: record, train, evaluate in an unseen town, drive."""

from __future__ import annotations

import importlib.util
import json
import shlex
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro
import yaml
from rich.console import Console

from sim_agent.demo_page import write_page
from trainer.dataset.source import open_source
from trainer.errors import UserError
from trainer.hardware import available_cpus

UNSEEN = "Town02"
_REFERENCE_S = 0.20
"""What `_machine_s` takes on the two cores whose step times stand below."""


@dataclass(frozen=True)
class DemoArguments:
    """Record, train, evaluate and drive, on this machine alone: no CARLA, no GPU, no data. The same command goes on."""

    out: Path | None = None
    """Folder of all that is made. Default: demo, with --quick demo-quick."""
    quick: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Three minutes instead of eleven: to see that it works; the masks are poor."""


@dataclass(frozen=True)
class Scale:
    """How much of everything."""

    episodes: int
    frames: int
    unseen_frames: int
    train: tuple[str, ...]
    drive_frames: int
    seconds: tuple[float, float, float, float, float]
    """Of each stage on two cores at 2.5 GHz, measured."""


FULL = Scale(16, 60, 40, ("--size", "s", "--set", "steps=900"), 400, (205.0, 20.0, 335.0, 15.0, 55.0))
QUICK = Scale(3, 24, 12, ("--size", "xs", "--set", "steps=90"), 120, (50.0, 20.0, 45.0, 10.0, 30.0))
_PICTURE = (448, 252)
"""Width and height recorded: what the network sees of it is smaller still."""


@dataclass(frozen=True)
class Stage:
    """One verb of the command line, with what it leaves behind."""

    title: str
    command: tuple[str, ...]
    done: Path
    """There when the stage is over."""
    seconds: float

    @property
    def shown(self) -> str:
        """What a user would type."""
        return "python launch.py " + shlex.join(self.command)


def demo(argv: list[str]) -> int:
    """`demo`: see DemoArguments."""
    arguments = tyro.cli(DemoArguments, args=argv, prog="carla-unet demo", description=DemoArguments.__doc__)
    scale = QUICK if arguments.quick else FULL
    console = Console(highlight=False, soft_wrap=True)
    out = arguments.out or Path("demo-quick" if arguments.quick else "demo")
    stages = plan(out, scale, _machine_s() / _REFERENCE_S)
    left_s = sum(stage.seconds for stage in stages)
    console.print(f"[bold]demo[/] in {out}: about {_minutes(left_s)} on this machine ({available_cpus()} cores)")
    out.mkdir(parents=True, exist_ok=True)
    _write_rig(out)
    started = time.monotonic()
    for number, stage in enumerate(stages, 1):
        console.print(
            f"\n[bold]{number}/{len(stages)} {stage.title}[/] (about {_minutes(left_s)} to go)\n$ {stage.shown}"
        )
        if stage.done.exists():
            console.print(f"there already: {stage.done}")
        else:
            _run(stage)
        left_s -= stage.seconds
    metrics, frames = out / "runs" / "demo" / "metrics.jsonl", len(open_source(out / "recording").frames)
    page = write_page(out, [stage.shown for stage in stages], _video(out), metrics, frames)
    score = json.loads((out / "score.json").read_text(encoding="utf-8"))
    drive = json.loads((out / "drive.json").read_text(encoding="utf-8"))
    console.print(
        f"\n[bold]done[/] in {_minutes(time.monotonic() - started)}: mIoU {score['miou']:.3f} in {UNSEEN}, which it never "
        f"saw; {drive['masks_per_s']:.1f} masks/s, median mask age {drive['mask_age_ms']['p50']:.0f} ms\n"
        f"page:  {page}\nvideo: {_video(out)}\n"
        f"drive it yourself:     python launch.py drive --model {_model(out)}\n"
        f"with a CARLA server:   python launch.py record --out recording --host localhost --port 2000\n"
        f"                       python launch.py train --data recording --run town\n"
        f"                       python launch.py drive --model runs/town/model --host localhost"
    )
    return 0


def plan(out: Path, scale: Scale, slowness: float) -> list[Stage]:
    """The stages in their order; slowness: this machine's, 1 for that of the measured times."""
    rig = str(out / "rig.yaml")
    train, unseen = str(out / "recording"), str(out / "unseen")
    stages = [
        Stage(
            "record: three towns, many weathers, two simulators side by side",
            (
                "record",
                "--out",
                train,
                "--cameras",
                rig,
                "--episodes",
                str(scale.episodes),
                "--frames",
                str(scale.frames),
                "--simulators",
                "2",
                "--json",
                str(out / "record.json"),
            ),
            out / "record.json",
            scale.seconds[0],
        ),
        Stage(
            f"record: {UNSEEN}, which training never sees",
            (
                "record",
                "--out",
                unseen,
                "--cameras",
                rig,
                "--towns",
                UNSEEN,
                "--episodes",
                "3",
                "--frames",
                str(scale.unseen_frames),
                "--seed",
                "1",
                "--json",
                str(out / "unseen.json"),
            ),
            out / "unseen.json",
            scale.seconds[1],
        ),
        Stage(
            "train: a U-Net, two workers of a Ray Train job",
            ("train", "--data", train, "--run", "demo", "--storage", str(out / "runs"), "--workers", "2", *scale.train),
            out / "runs" / "demo" / "summary.json",
            scale.seconds[2],
        ),
        Stage(
            f"evaluate: in {UNSEEN}",
            (
                "evaluate",
                "--model",
                str(_model(out)),
                "--data",
                unseen,
                "--json",
                str(out / "score.json"),
                "--report",
                str(out / "report"),
            ),
            out / "score.json",
            scale.seconds[3],
        ),
        Stage(
            f"drive: {UNSEEN} with live masks",
            (
                "drive",
                "--model",
                str(_model(out)),
                "--autopilot",
                "--headless",
                "--frames",
                str(scale.drive_frames),
                "--video",
                str(_video(out)),
                "--json",
                str(out / "drive.json"),
            ),
            out / "drive.json",
            scale.seconds[4],
        ),
    ]
    return [replace(stage, seconds=stage.seconds * slowness) for stage in stages]


def _run(stage: Stage) -> None:
    """Run a stage as a process of its own, in view. Raises UserError when it fails."""
    process = subprocess.Popen([sys.executable, "-m", "sim_agent", *stage.command])
    try:
        code = process.wait()
    except KeyboardInterrupt:
        # The terminal has interrupted the stage as well: it gives everything back, and then both end.
        process.wait()
        raise
    if code == 130:
        raise KeyboardInterrupt
    if code:
        raise UserError(f"{stage.title}: failed, as it says above; mend that, and the same command goes on from there.")


def _write_rig(out: Path) -> None:
    width, height = _PICTURE
    camera = {"name": "front", "width": width, "height": height, "fov_deg": 90, "pose": [1.3, 0.0, 1.6, 0.0, 0.0, 0.0]}
    (out / "rig.yaml").write_text(yaml.safe_dump({"cameras": [camera]}, sort_keys=False), encoding="utf-8")


def _model(out: Path) -> Path:
    return out / "runs" / "demo" / "model"


def _video(out: Path) -> Path:
    return out / ("drive.webm" if importlib.util.find_spec("cv2") else "drive.gif")


def _machine_s() -> float:
    """Seconds that a fixed piece of arithmetic takes here: what the forecast is scaled by."""
    matrix = np.ones((1024, 1024), np.float32)
    best = float("inf")
    for _ in range(3):
        started = time.perf_counter()
        for _ in range(4):
            matrix @ matrix
        best = min(best, time.perf_counter() - started)
    return best


def _minutes(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
