"""What grows with more recorders and more workers: measured as far as this machine's cores go, modelled past it.

    python -m benchmarks.scale [--frames 200] [--steps 40] [--rounds 1] [--json FILE]

Recorders: `record` with one simulator, then two. Each is run at two lengths, and only what the longer one has more counts,
so that starts and ends are out of it. The model: N recorders give N times the frames of one, until all cores compute, and
one process writes them all,

    frames/s(N) = min(N / t, C / c, 1 / w)      t: seconds of a frame at one recorder; c: its CPU seconds;
                                                w: seconds of writing it; C: cores

Workers: `train` with one, then two; the model is that of docs/scaling.md, a ring of gradients that nothing hides,

    s(W) = s(1) / W + 2 (W - 1) / W * G / L     s: seconds of a step; G: bytes of gradients; L: bytes/s between workers

with L measured here, of an all-reduce of so many bytes between two processes. Whatever is modelled is in a row that says so.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks import rows
from benchmarks.rows import ROOT, Row
from trainer.hardware import available_cpus

MEASURED = (1, 2)
MODELLED = (4, 8, 16)
LINKS_GB_S = {"10 Gbit/s": 1.2, "1 Gbit/s": 0.12}
MODEL_ONLY = "modelled, not measured"
SHORT = 0.25
"""Of the longer run's frames the shorter one has."""
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


def record(folder: Path, recorders: int, frames: int, size: str, quality: str) -> tuple[float, float]:
    """(wall, CPU) seconds of a recording of so many frames by each recorder. CPU: without what Ray starts."""
    width, height = map(int, size.split("x"))
    place = Path(tempfile.mkdtemp(dir=folder))
    plan = place / "plan.yaml"
    plan.write_text(PLAN.format(recorders=recorders, frames=frames, width=width, height=height))
    command = [sys.executable, str(ROOT / "launch.py"), "record", "--config", str(plan), "--out", str(place / "out")]
    command += ["--simulators", str(recorders), "--quality", quality, "--json", str(place / "told.json")]
    before, started_s = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    wall_s, after = time.perf_counter() - started_s, resource.getrusage(resource.RUSAGE_CHILDREN)
    told = json.loads((place / "told.json").read_text())
    if told["frames"] != recorders * frames:
        raise SystemExit(f"{recorders} recorders gave {told['frames']} frames of {recorders * frames}")
    return wall_s, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def frame_s(folder: Path, recorders: int, arguments: argparse.Namespace) -> tuple[float, float]:
    """(wall, CPU) seconds of a frame at so many recorders, without starts and ends."""
    short = max(1, int(SHORT * arguments.frames))
    less, more = (record(folder, recorders, n, arguments.size, arguments.quality) for n in (short, arguments.frames))
    frames = recorders * (arguments.frames - short)
    wall_s, cpu_s = (more[k] - less[k] for k in (0, 1))
    if wall_s <= 0.0 or cpu_s <= 0.0:
        raise SystemExit("a longer recording took no longer; the machine is too busy, or --frames too small")
    return wall_s / frames, cpu_s / frames


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
    # What a first start compiles is kept for the others.
    record(folder, 1, 1, arguments.size, arguments.quality)
    took: dict[int, list[tuple[float, float]]] = {count: [] for count in MEASURED}
    for number in range(arguments.rounds):
        for count in MEASURED:
            took[count].append(frame_s(folder, count, arguments))
            rows.say(f"{count} recorders, round {number + 1}: {1.0 / took[count][-1][0]:.1f} frames/s")
    wall_s = {count: statistics.median(wall for wall, _ in times) for count, times in took.items()}
    cpu_s = statistics.median(cpu for _, cpu in took[1])
    model = RecorderModel(wall_s[1], cpu_s, write_s(folder, arguments.size))
    return recorder_rows(model, {count: 1.0 / seconds for count, seconds in wall_s.items()}, available_cpus())


def workers(arguments: argparse.Namespace, folder: Path) -> list[Row]:
    from benchmarks.train_job import ours
    from trainer.dataset.drawn import draw_recording
    from trainer.model_dir import load_model

    draw_recording(folder / "data")
    rates: dict[int, list[float]] = {count: [] for count in MEASURED}
    for number in range(arguments.rounds):
        for count in MEASURED:
            rates[count].append(ours(folder / "data", folder, f"w{count}-{number}", count, arguments.steps)[0])
            rows.say(f"{count} workers, round {number + 1}: {rates[count][-1]:.1f} pictures/s")
    measured = {count: statistics.median(some) for count, some in rates.items()}
    choices = json.loads((folder / "w1-0" / "config.json").read_text())["choices"]
    batch = int(next(value for key, value, _ in choices if key == "batch"))
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
    parser.add_argument("--frames", type=int, default=200, help="of each recorder, in the longer recording")
    parser.add_argument("--size", default="640x360")
    parser.add_argument("--quality", default="medium", choices=("low", "medium", "high"))
    parser.add_argument("--steps", type=int, default=40, help="optimizer steps of each training run")
    parser.add_argument("--rounds", type=int, default=1, help="turns of all")
    rows.run("scale", measure, parser)


if __name__ == "__main__":
    main()
