"""What grows with more recorders and more workers: measured as far as this machine's cores go, modelled past it.

    python -m benchmarks.scale [--frames 200] [--steps 40] [--rounds 1] [--json FILE]

Recorders: `record` with one simulator, then two, timed by how the recording grows on disk, so that starts and ends are out
of it. The model: N recorders give N times the frames of one, until all cores compute, and
one process writes them all,

    frames/s(N) = min(N / t, C / c, 1 / w)      t: seconds of a frame at one recorder; c: its CPU seconds;
                                                w: seconds of writing it; C: cores

Workers: `train` with one, then two; the model is that of docs/scaling.md, a ring of gradients that nothing hides,

    s(W) = s(1) / W + 2 (W - 1) / W * G / L     s: seconds of a step; G: bytes of gradients; L: bytes/s between workers

with L measured here, of an all-reduce of so many bytes between two processes. Whatever is modelled is in a row that says so.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from benchmarks import rows
from benchmarks.rows import ROOT, Row
from trainer.hardware import available_cpus

MEASURED = (1, 2)
MODELLED = (4, 8, 16)
LINKS_GB_S = {"10 Gbit/s": 1.2, "1 Gbit/s": 0.12}
MODEL_ONLY = "modelled, not measured"
BEGUN = 0.25
"""Share of a recording's bytes after which all recorders are at work."""
LOOK_S = 0.5
"""How often is looked how far it is; each look takes some milliseconds."""
WRITTEN = 200
"""Frames whose writing is timed."""
PLAN = """
episodes: {recorders}
frames: {frames}
towns: [Town01]
weathers: [ClearNoon]
mixed_share: 0.0
vehicles: [10]
walkers: [0]
rate_hz: 20
gates: {{exposure_s: 0.0, standing_share: 1.0, duplicate_level: 0.0, stuck_s: 1000000}}
cameras:
  - {{name: front, width: {width}, height: {height}, fov_deg: 90, pose: [1.3, 0.0, 1.6, 0.0, 0.0, 0.0]}}
"""
ALL_REDUCE = """
import sys, time, statistics, torch
import torch.distributed as dist
torch.set_num_threads(1)
dist.init_process_group("gloo")
gradients = torch.zeros(int(sys.argv[1]) // 4)
times = []
for _ in range(20):
    dist.barrier()
    started = time.perf_counter()
    dist.all_reduce(gradients)
    times.append(time.perf_counter() - started)
if dist.get_rank() == 0:
    print(statistics.median(times[3:]))
dist.destroy_process_group()
"""


@dataclass(frozen=True)
class RecorderModel:
    """Frames a second of N recorders on C cores, from what one costs: t, c and w of the module's docstring, seconds."""

    frame_s: float
    cpu_s: float
    write_s: float

    def frames_per_s(self, recorders: int, cores: int) -> float:
        """The least of what recorders, cores and the writer allow."""
        return min(recorders / self.frame_s, cores / self.cpu_s, 1.0 / self.write_s)

    def limit(self, recorders: int, cores: int) -> str:
        """Which of them it is."""
        allowed = {
            "recorders": recorders / self.frame_s,
            "cores": cores / self.cpu_s,
            "the process that writes": 1.0 / self.write_s,
        }
        return min(allowed, key=lambda what: allowed[what])


@dataclass(frozen=True)
class WorkerModel:
    """Seconds of a step of W workers, from that of one, bytes of gradients and bytes/s between workers."""

    step_s: float
    gradient_bytes: float
    link_bytes_s: float

    def step_of(self, workers: int) -> float:
        """Compute shared out, and a ring."""
        return self.step_s / workers + 2 * (workers - 1) / workers * self.gradient_bytes / self.link_bytes_s


class Sample(NamedTuple):
    """A recording while it grows: bytes on disk, the clock, and CPU seconds of what records it (without Ray's)."""

    size: int
    at_s: float
    cpu_s: float


def record(folder: Path, recorders: int, frames: int, size: str, quality: str) -> tuple[float, float]:
    """(wall, CPU) seconds of a frame of a recording of so many frames by each recorder, without starts and ends."""
    width, height = map(int, size.split("x"))
    place = Path(tempfile.mkdtemp(dir=folder))
    plan, out = place / "plan.yaml", place / "out"
    plan.write_text(PLAN.format(recorders=recorders, frames=frames, width=width, height=height))
    command = [sys.executable, str(ROOT / "launch.py"), "record", "--config", str(plan), "--out", str(out)]
    command += ["--simulators", str(recorders), "--quality", quality, "--json", str(place / "told.json")]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=rows.own_ray())
    samples, code = [], None
    while code is None:
        total = sum(shard.stat().st_size for shard in out.glob("episodes/*/*.tar"))
        samples.append(Sample(total, time.perf_counter(), rows.tree_cpu_s(process.pid)))
        with contextlib.suppress(subprocess.TimeoutExpired):
            code = process.wait(LOOK_S)
    if code:
        raise SystemExit(f"`record` with {recorders} simulators failed; the reason stands above")
    told = json.loads((place / "told.json").read_text())
    if told["frames"] != recorders * frames:
        raise SystemExit(f"{recorders} recorders gave {told['frames']} frames of {recorders * frames}")
    return frame_s(samples, recorders * frames)


def frame_s(samples: Sequence[Sample], frames: int) -> tuple[float, float]:
    """(wall, CPU) seconds of a frame between BEGUN of a recording and its last byte."""
    final = samples[-1].size
    first = next(sample for sample in samples if sample.size >= BEGUN * final)
    last = next(sample for sample in samples if sample.size == final)
    if final == 0 or first.size == last.size:
        raise SystemExit(f"a recording of {frames} frames is over too soon to be timed; --frames must be more")
    between = frames * (last.size - first.size) / final
    return (last.at_s - first.at_s) / between, (last.cpu_s - first.cpu_s) / between


def write_s(folder: Path, size: str) -> float:
    """Seconds in which the one process that writes appends a frame of the size that it has in a recording."""
    from sim_agent.record_config import label_table_of, load_record_config
    from trainer.dataset.drawn import draw_recording
    from trainer.dataset.recording import RecordingSource
    from trainer.dataset.writer import RecordingWriter, encode_frame

    width, height = map(int, size.split("x"))
    camera = {"name": "front", "width": width, "height": height, "pose": [1.3, 0.0, 1.6, 0.0, 0.0, 0.0]}
    config = load_record_config(cameras=[camera])
    draw_recording(folder / "drawn", count=1, width=width, height=height, seed=0)
    drawn = RecordingSource(folder / "drawn")
    pictures = {"rgb": drawn.read_rgb(drawn.frames[0]), "semantic": drawn.read_tags(drawn.frames[0])}
    named = {"name": "none", "version": "0"}
    with RecordingWriter.create(
        folder / "written", label_table_of("0.9.16"), config.cameras, named, config.step_s
    ) as writer:
        entry = writer.begin_episode("all", "Town01")
        encoded = [encode_frame(writer.info, frame, {"front": pictures}) for frame in range(WRITTEN)]
        started_s = time.perf_counter()
        for frame in encoded:
            entry.append(frame)
        entry.close()
        return (time.perf_counter() - started_s) / WRITTEN


def recorder_rows(model: RecorderModel, measured: dict[int, float], cores: int) -> list[Row]:
    """Measured against one recorder and against the model, then what the model says of more. measured: N -> frames/s."""
    one = measured[1]
    times_ms = [1000 * seconds for seconds in (model.frame_s, model.cpu_s, model.write_s)]
    note = "{:.1f} ms a frame, {:.1f} CPU ms; writing it {:.2f} ms".format(*times_ms)
    found = [Row("scale", "1 recorder", one, "frames/s", note=note)]
    for count in sorted(set(measured) - {1}):
        case, rate = f"{count} recorders", measured[count]
        found.append(Row("scale", case, rate, "frames/s", one, "1 recorder"))
        found.append(Row("scale", f"{case}, the model", rate, "frames/s", model.frames_per_s(count, cores), "modelled"))
    for count in MODELLED:
        for there in (cores, 4 * count):
            rate = model.frames_per_s(count, there)
            case, note = f"{count} recorders on {there} cores", f"{MODEL_ONLY}; limited by {model.limit(count, there)}"
            found.append(Row("scale", case, rate, "frames/s", one, "1 recorder", note=note))
    return found


def worker_rows(model: WorkerModel, batch: int, measured: dict[int, float]) -> list[Row]:
    """The same of workers. measured: W -> pictures/s."""
    one = measured[1]
    note = f"{1000 * model.step_s:.0f} ms a step, {model.gradient_bytes / 1e6:.1f} MB of gradients"
    found = [Row("scale", "1 worker", one, "pictures/s", note=note)]
    for count in sorted(set(measured) - {1}):
        case, rate = f"{count} workers", measured[count]
        found.append(Row("scale", case, rate, "pictures/s", one, "1 worker"))
        link = f"all-reduce at {model.link_bytes_s / 1e9:.2f} GB/s"
        modelled = (batch / model.step_of(count), "modelled")
        found.append(Row("scale", f"{case}, the model", rate, "pictures/s", *modelled, note=link))
    for name, gb_s in LINKS_GB_S.items():
        linked = WorkerModel(model.step_s, model.gradient_bytes, gb_s * 1e9)
        for count in MODELLED:
            rate = batch / linked.step_of(count)
            case = f"{count} workers, {name}"
            found.append(Row("scale", case, rate, "pictures/s", one, "1 worker", note=MODEL_ONLY))
    return found


def recorders(arguments: argparse.Namespace, folder: Path) -> list[Row]:
    took: dict[int, list[tuple[float, float]]] = {count: [] for count in MEASURED}
    for number in range(arguments.rounds):
        for count in MEASURED:
            took[count].append(record(folder, count, arguments.frames, arguments.size, arguments.quality))
            rows.say(f"{count} recorders, round {number + 1}: {1.0 / took[count][-1][0]:.1f} frames/s")
    wall_s = {count: statistics.median(wall for wall, _ in times) for count, times in took.items()}
    cpu_s = statistics.median(cpu for _, cpu in took[1])
    model = RecorderModel(wall_s[1], cpu_s, write_s(folder, arguments.size))
    return recorder_rows(model, {count: 1.0 / seconds for count, seconds in wall_s.items()}, available_cpus())


def workers(arguments: argparse.Namespace, folder: Path) -> list[Row]:
    from benchmarks.train_job import Trained, ours
    from trainer.dataset.drawn import draw_recording
    from trainer.model_dir import load_model

    draw_recording(folder / "data")
    runs: dict[int, list[Trained]] = {count: [] for count in MEASURED}
    for number in range(arguments.rounds):
        for count in MEASURED:
            runs[count].append(ours(folder / "data", folder, f"w{count}-{number}", count, arguments.steps))
            rows.say(f"{count} workers, round {number + 1}: {runs[count][-1].pictures_per_s:.1f} pictures/s")
    measured = {count: statistics.median(run.pictures_per_s for run in some) for count, some in runs.items()}
    batch = runs[1][0].batch
    net, _ = load_model(folder / "w1-0" / "model")
    gradient_bytes = 4 * sum(p.numel() for p in net.parameters())
    script = folder / "all_reduce.py"
    script.write_text(ALL_REDUCE)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", str(script)]
    done = subprocess.run([*command, str(gradient_bytes)], check=True, stdout=subprocess.PIPE, text=True)
    # Of two, each sends and gets the whole once: the ring's 2 (W - 1) / W is 1.
    link = gradient_bytes / float(done.stdout.split()[-1])
    return worker_rows(WorkerModel(batch / measured[1], gradient_bytes, link), batch, measured)


def measure(arguments: argparse.Namespace) -> rows.Measured:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        return recorders(arguments, folder) + workers(arguments, folder), {}


def main() -> None:
    parser = rows.arguments_of(__doc__)
    parser.add_argument("--frames", type=int, default=200, help="of each recorder")
    parser.add_argument("--size", default="640x360")
    parser.add_argument("--quality", default="medium", choices=("low", "medium", "high"))
    parser.add_argument("--steps", type=int, default=40, help="optimizer steps of each training run")
    parser.add_argument("--rounds", type=int, default=1, help="turns of all")
    rows.run("scale", measure, parser)


if __name__ == "__main__":
    main()
