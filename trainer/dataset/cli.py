"""`data check|stats|repair|export|sample`: the command line of labelled data."""

from __future__ import annotations

import json
import shlex
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Annotated, Any, Literal

import tyro
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from trainer.dataset.source import Source, open_source
from trainer.errors import DataError, UsageError

# Nothing is said about work that ends sooner; plain lines then come at this distance.
QUIET_S = 2.0

Folder = Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="DIR")]
JsonFile = Annotated[Path | None, tyro.conf.arg(metavar="FILE", name="json")]


@dataclass(frozen=True)
class _Reading:
    """How to read the data."""

    dir: Folder
    """A recording, or a folder with CameraRGB/ beside CameraSeg/ or CameraMask/."""
    table: str | None = None
    """Label table of a folder without labels.yaml: carla-0.8, carla-0.9.10, carla-0.9.14, idda-24, or a YAML file."""
    encoding: str | None = None
    """How a folder's labels hold their ids: grey, red, palette or max."""
    camera: str | None = None
    """Camera of a recording; the first of its rig by default."""
    json_file: JsonFile = None
    """Write the result as JSON."""

    def open(self, strict: bool = True) -> Source:
        """Open the data. DataError when it is not there or of no known layout."""
        return open_source(self.dir, self.table, self.encoding, self.camera, strict)


@dataclass(frozen=True)
class Check(_Reading):
    """Find what would spoil a training: broken pairs, unknown ids, repeats, leaks. A problem gives exit code 1."""

    leak_gap: int | None = None
    """Frames nearer than this are too alike for train and val; by default 5 s, or at most 100 frames."""
    show: int = 10
    """Findings shown of each kind; the JSON has all."""


@dataclass(frozen=True)
class Stats(_Reading):
    """Count frames, towns, weathers, sizes and tags."""


@dataclass(frozen=True)
class Repair:
    """Mend a recording after a kill. Torn tails go into files beside their shards; nothing is deleted."""

    dir: Folder
    """The recording."""
    json_file: JsonFile = None
    """Write what was mended as JSON."""


@dataclass(frozen=True)
class Export(_Reading):
    """Write the data in another layout, into a new folder."""

    out: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None
    """The new folder (required)."""
    to: Literal["folders", "kitti", "coco"] = "folders"
    """folders: CameraRGB/ and CameraSeg/; kitti: training/image_2 and semantic; coco: images/ and annotations.json."""


@dataclass(frozen=True)
class Sample:
    """Draw a small set of street pictures with labels, as a recording: something to train on at once."""

    dir: Folder
    """The new folder."""
    count: int = 160
    """Pictures in all, in episodes of 20."""
    width: int = 320
    """Picture width in pixels."""
    height: int = 180
    """Picture height in pixels."""
    seed: int = 0
    """Equal seeds give equal pictures."""
    json_file: JsonFile = None
    """Write the result as JSON."""


class ProgressLine:
    """A line of progress above QUIET_S: a bar on a terminal, plain lines elsewhere. Call it with (done, total)."""

    def __init__(self, what: str) -> None:
        self.what = what
        self._started = self._said = time.monotonic()
        console = Console(stderr=True)
        self._bar: Progress | None = None
        if console.is_terminal:
            columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
            self._bar = Progress(*columns, console=console, transient=True)
            self._task = self._bar.add_task(what, total=None)
        self._running = False

    def __enter__(self) -> Callable[[int, int], None]:
        return self._update

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None and self._running:
            self._bar.stop()

    def _update(self, done: int, total: int) -> None:
        now = time.monotonic()
        if now - self._started < QUIET_S:
            return
        if self._bar is not None:
            if not self._running:
                self._bar.start()
                self._running = True
            self._bar.update(self._task, completed=done, total=total)
        elif now - self._said >= QUIET_S:
            self._said = now
            left_s = (now - self._started) / done * (total - done)
            print(f"{self.what}: {done} of {total}, {left_s:.0f} s left", file=sys.stderr, flush=True)


def data(argv: list[str]) -> int:
    """Run `data VERB ...`. Exit code 0 good, 1 when `check` found a problem; UserErrors are the caller's to print."""
    verbs: dict[str, Callable[..., Any]] = {
        "check": Check, "stats": Stats, "repair": Repair, "export": Export, "sample": Sample,
    }  # fmt: skip
    job = tyro.extras.subcommand_cli_from_dict(
        verbs, prog="carla-unet data", description="Labelled data: its doctor, its numbers, other layouts.", args=argv
    )
    run: dict[type, Callable[[Any], int]] = {
        Check: _check, Stats: _stats, Repair: _repair, Export: _export, Sample: _sample,
    }  # fmt: skip
    return run[type(job)](job)


def _write(file: Path | None, result: dict[str, Any]) -> None:
    if file is None:
        return
    try:
        file.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    except OSError as error:
        raise DataError(f"{file}: the result cannot be written ({error.strerror})") from error


def _check(job: Check) -> int:
    from trainer.dataset.check import KINDS, NOTES, advice, check_source

    if job.leak_gap is not None and job.leak_gap < 0:
        raise UsageError(f"--leak-gap must be 0 frames or more, not {job.leak_gap}")
    source = job.open(strict=False)
    with ProgressLine("checking") as progress:
        report = check_source(source, progress, job.leak_gap)
    _write(job.json_file, report.to_dict())
    print(
        f"{job.dir}: {report.frames} labelled pictures in {report.episodes} episodes, label table {source.table.name}"
    )
    for kind, meaning in KINDS.items():
        of_kind = [finding for finding in report.findings if finding.kind == kind]
        if not of_kind:
            continue
        print(f"\n{len(of_kind)} {meaning}{' (a note, no problem)' if kind in NOTES else ''}:")
        for finding in of_kind[: job.show]:
            print(f"  {finding.where}: {finding.what}")
        if len(of_kind) > job.show:
            print(f"  ... and {len(of_kind) - job.show} more (--show, --json)")
    if report.tag_share:
        shares = ", ".join(f"{name} {share:.2%}" for name, share in report.tag_share.items())
        print(f"\nshare of pixels: {shares}")
    if not source.lists:
        print("no train.txt and val.txt: training splits by town or episode, which cannot leak neighbours")
    if report.worst:
        print("\nworst episodes:")
        for name, count, frames in report.worst[:5]:
            print(f"  {name}: {count} findings in {frames} frames")
        print("to leave them out (nothing is deleted unless you do):")
        for line in advice(report, source):
            print(f"  {line}")
    problems = len(report.problems)
    print(f"\n{problems} problems" if problems else "\nno problems")
    return 1 if problems else 0


def _stats(job: Stats) -> int:
    from trainer.dataset.stats import source_stats

    source = job.open()
    with ProgressLine("counting") as progress:
        result = source_stats(source, progress)
    _write(job.json_file, result)
    print(f"{job.dir}: {result['frames']} labelled pictures ({result['layout']}, label table {result['label_table']})")
    print(f"sizes: {', '.join(f'{size} ({count})' for size, count in result['sizes'].items())}")
    size = result["bytes_per_frame"]
    print(f"bytes a frame: picture {size['picture']:.0f}, label {size['label']:.0f}")
    for name in ("town", "weather", "episode"):
        groups = result[f"by_{name}"]
        shown = ", ".join(f"{group} {count}" for group, count in list(groups.items())[:12])
        print(f"by {name}: {shown}{' ...' if len(groups) > 12 else ''}")
    if result["lists"]:
        print(f"lists: train {result['lists']['train']}, val {result['lists']['val']}")
    print(f"{'tag':>16} {'id':>4} {'share':>9} {'frames':>7}")
    for name, tag in sorted(result["tags"].items(), key=lambda item: -item[1]["pixels"]):
        if tag["pixels"]:
            print(f"{name:>16} {tag['id']:>4} {tag['share']:>9.3%} {tag['frames']:>7}")
    absent = [name for name, tag in result["tags"].items() if not tag["pixels"]]
    if absent:
        print(f"never seen: {', '.join(absent)}")
    return 0


def _repair(job: Repair) -> int:
    from trainer.dataset.repair import mend_recording

    if not job.dir.is_dir():
        raise DataError(f"{job.dir}: no such folder; name a recording")
    mends = mend_recording(job.dir)
    _write(job.json_file, {"path": str(job.dir), "mended": [asdict(mend) for mend in mends]})
    for mend in mends:
        print(f"{mend.file}: {mend.what}")
    print(f"{len(mends)} things mended" if mends else "nothing to mend")
    return 0


def _export(job: Export) -> int:
    from trainer.dataset.export import export_source

    if job.out is None:
        raise UsageError("export needs a new folder to write into: --out DIR")
    source = job.open()
    with ProgressLine("exporting") as progress:
        frames = export_source(source, job.out, job.to, progress)
    _write(job.json_file, {"path": str(job.dir), "out": str(job.out), "layout": job.to, "frames": frames})
    print(f"{frames} labelled pictures written to {job.out} ({job.to})")
    return 0


def _sample(job: Sample) -> int:
    from trainer.dataset.drawn import draw_recording

    started = time.monotonic()
    with ProgressLine("drawing") as progress:
        draw_recording(job.dir, job.count, job.width, job.height, job.seed, progress=progress)
    result = {"path": str(job.dir), "frames": job.count, "seed": job.seed, "seconds": time.monotonic() - started}
    _write(job.json_file, result)
    print(f"{job.count} pictures of {job.width}x{job.height} in {job.dir} after {result['seconds']:.1f} s")
    program = "python launch.py" if Path(sys.argv[0]).name == "launch.py" else "carla-unet"
    print(f"train on them: {program} train --data {shlex.quote(str(job.dir))} --run sample")
    return 0
