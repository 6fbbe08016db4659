"""How fast `train` is: two workers against one, and both against a bare torchrun loop of the same network.

    python benchmarks/train_speed.py --data DIR [--steps 60] [--rounds 3] [--json FILE]

Variants take turns, so that a drifting machine slows all alike; a ratio is the median over rounds. What the machine
itself allows is measured too: two bare loops side by side that never talk, each with half of the batch, against one.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MARKS = {"two workers : one worker": 1.85, "two workers : bare torchrun": 0.97}
MALLOC = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": "17179869184", "MALLOC_TOP_PAD_": "268435456"}


def ours(data: Path, storage: Path, name: str, workers: int, steps: int, *more: str) -> tuple[float, float]:
    """(pictures/s, seconds from the command to the first step) of one training run."""
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
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    lines = [json.loads(line) for line in (storage / name / "metrics.jsonl").read_text().splitlines()]
    rates = [line["pictures_per_s"] for line in lines if line["kind"] == "train"]
    summary = json.loads((storage / name / "summary.json").read_text())
    return statistics.median(rates[max(3, len(rates) // 10) :]), summary["first_step_s"]


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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="recording or folder of pictures")
    parser.add_argument("--steps", type=int, default=60, help="optimizer steps of each run")
    parser.add_argument("--rounds", type=int, default=3, help="turns of all variants")
    parser.add_argument("--json", type=Path, help="write the result here")
    arguments = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for index in range(arguments.rounds):
            two, first_step_s = ours(arguments.data, folder, f"two-{index}", 2, arguments.steps)
            config = json.loads((folder / f"two-{index}" / "config.json").read_text())
            frames = config["data"]["train_frames"]
            batch = int(next(value for key, value, _ in config["choices"] if key == "batch"))
            caches = [p.parent for p in (folder / "cache").glob("*/manifest.json")]
            cache = max(caches, key=lambda p: (p / "images.npy").stat().st_size)
            row = {
                "two": two,
                "bare two": bare(cache, folder, 2, arguments.steps),
                "one": ours(arguments.data, folder, f"one-{index}", 1, arguments.steps)[0],
                "one, half the batch": ours(
                    arguments.data, folder, f"half-{index}", 1, arguments.steps, f"batch={batch // 2}"
                )[0],
                "bare one": bare(cache, folder, 1, arguments.steps),
                "bare side by side": side_by_side(cache, folder, arguments.steps, batch // 2),
                "bare two, no augmentation": bare(cache, folder, 2, arguments.steps, "--plain"),
                "first_step_s": first_step_s,
                "frames": frames,
            }
            print(json.dumps(row), flush=True)
            rows.append(row)
    ratios = {
        "two workers : one worker": statistics.median(r["two"] / r["one"] for r in rows),
        "two workers : one worker with half the batch": statistics.median(
            r["two"] / r["one, half the batch"] for r in rows
        ),
        "two bare loops side by side : one": statistics.median(r["bare side by side"] / r["bare one"] for r in rows),
        "two workers : bare torchrun": statistics.median(r["two"] / r["bare two"] for r in rows),
        "two workers : bare torchrun without augmentation": statistics.median(
            r["two"] / r["bare two, no augmentation"] for r in rows
        ),
    }
    for case, ratio in ratios.items():
        mark = MARKS.get(case)
        verdict = "" if mark is None else f"  mark {mark}: {'met' if ratio >= mark else 'MISSED'}"
        print(f"{case}: {ratio:.3f}{verdict}")
    if arguments.json:
        arguments.json.write_text(json.dumps({"rows": rows, "ratios": ratios}, indent=1))


if __name__ == "__main__":
    main()
