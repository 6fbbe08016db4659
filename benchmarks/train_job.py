"""How fast `train` is: two workers against one, and both against a bare torchrun loop of the same network.

    python -m benchmarks.train_job [--data DIR] [--steps 24] [--rounds 1] [--json FILE]

Variants take turns, so that a drifting machine slows all alike; figures are medians over rounds. What the machine
itself allows is measured too: two bare loops side by side that never talk, each with half of the batch, against one.
Without --data it trains on 160 drawn pictures.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from benchmarks import rows
from benchmarks.rows import ROOT, Mark, Row

FIRST_STEP_MARK_S = 10.0
OVERHEAD_MARK_S = 15.0
COMPARED = (
    ("two workers", "two", "one worker", "one", Mark(1.9)),
    ("two workers", "two", "one worker, half the batch", "one, half the batch", None),
    ("two bare loops side by side", "bare side by side", "one", "bare one", None),
    ("two workers", "two", "bare torchrun", "bare two", Mark(0.98)),
    ("two workers", "two", "bare, no augmentation", "bare two, no augmentation", None),
)
"""Case, its variant, the reference's name, its variant, mark."""
# As `train` sets them for its workers.
MALLOC = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": "17179869184", "MALLOC_TOP_PAD_": "268435456"}


class Trained(NamedTuple):
    """One run of the command. overhead_s: the whole command without what its steps take at the steady rate."""

    pictures_per_s: float
    first_step_s: float
    overhead_s: float
    batch: int


def ours(data: Path, storage: Path, name: str, workers: int, steps: int, *more: str) -> Trained:
    """Train by the command, from its start to its end."""
    command = [sys.executable, str(ROOT / "launch.py"), "train", "--data", str(data), "--storage", str(storage)]
    command += [
        "--run",
        name,
        "--workers",
        str(workers),
        "--set",
        f"steps={steps}",
        "validations=1",
        "checkpoint_s=600",
        *more,
    ]
    began_s = time.monotonic()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=rows.own_ray())
    whole_s = time.monotonic() - began_s
    lines = [json.loads(line) for line in (storage / name / "metrics.jsonl").read_text().splitlines()]
    rates = [line["pictures_per_s"] for line in lines if line["kind"] == "train"]
    summary = json.loads((storage / name / "summary.json").read_text())
    choices = json.loads((storage / name / "config.json").read_text())["choices"]
    batch = int(next(value for key, value, _ in choices if key == "batch"))
    rate = statistics.median(rates[max(3, len(rates) // 10) :])
    return Trained(rate, summary["first_step_s"], whole_s - steps * batch / rate, batch)


def side_by_side(cache: Path, folder: Path, steps: int, batch: int) -> float:
    """Pictures/s of two bare loops at once, one core each, together."""
    with ThreadPoolExecutor(2) as pool:
        loops = [
            pool.submit(bare, cache, folder, 1, steps, "--batch", str(batch), out=folder / f"side-{k}.json")
            for k in (0, 1)
        ]
        return sum(loop.result() for loop in loops)


def bare(cache: Path, folder: Path, workers: int, steps: int, *flags: str, out: Path | None = None) -> float:
    """Pictures/s of the bare loop under torchrun, with the same allocator settings."""
    out = out or folder / "bare.json"
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(workers)]
    command += [str(ROOT / "benchmarks" / "bare_loop.py"), str(cache), str(steps), str(out), *flags]
    env = os.environ | MALLOC | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    subprocess.run(command, check=True, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return float(json.loads(out.read_text())["pictures_per_s"])


def one_round(data: Path, folder: Path, index: int, steps: int) -> dict[str, float]:
    """Pictures/s of every variant; `first_step_s` and `overhead_s` of the one with two workers."""
    two = ours(data, folder, f"two-{index}", 2, steps)
    caches = [p.parent for p in (folder / "cache").glob("*/manifest.json")]
    cache = max(caches, key=lambda p: (p / "images.npy").stat().st_size)
    return {
        "two": two.pictures_per_s,
        "bare two": bare(cache, folder, 2, steps),
        "one": ours(data, folder, f"one-{index}", 1, steps).pictures_per_s,
        "one, half the batch": ours(data, folder, f"half-{index}", 1, steps, f"batch={two.batch // 2}").pictures_per_s,
        "bare one": bare(cache, folder, 1, steps),
        "bare side by side": side_by_side(cache, folder, steps, two.batch // 2),
        "bare two, no augmentation": bare(cache, folder, 2, steps, "--plain"),
        "first_step_s": two.first_step_s,
        "overhead_s": two.overhead_s,
    }


def measure(arguments: argparse.Namespace) -> rows.Measured:
    rounds = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data = arguments.data
        if data is None:
            from trainer.dataset.drawn import draw_recording

            data = folder / "drawn"
            draw_recording(data)
        for index in range(arguments.rounds):
            rounds.append(one_round(data, folder, index, arguments.steps))
            rows.say(json.dumps(rounds[-1]))

    def median(variant: str) -> float:
        return statistics.median(values[variant] for values in rounds)

    found = [
        Row("train-job", case, median(variant), "pictures/s", median(against), name, mark)
        for case, variant, name, against, mark in COMPARED
    ]
    first, whole = (Mark(s, of="ours", most=True) for s in (FIRST_STEP_MARK_S, OVERHEAD_MARK_S))
    found.append(Row("train-job", "command to first step", median("first_step_s"), "s", mark=first))
    found.append(Row("train-job", "the whole command without its steps", median("overhead_s"), "s", mark=whole))
    return found, {}


def main() -> None:
    parser = rows.arguments_of(__doc__)
    parser.add_argument("--data", type=Path, help="recording or folder of pictures")
    parser.add_argument("--steps", type=int, default=24, help="optimizer steps of each run")
    parser.add_argument("--rounds", type=int, default=1, help="turns of all variants")
    rows.run("train-job", measure, parser)


if __name__ == "__main__":
    main()
