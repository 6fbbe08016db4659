"""The verb `bench`: runs the benchmarks of a checkout, each in a process of its own, and shows all rows as one table."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tyro

from trainer.config import nearest
from trainer.errors import UsageError, UserError

ROOT = Path(__file__).resolve().parent.parent
BENCHMARKS = {
    "train-step": "benchmarks.train_step",
    "train-job": "benchmarks.train_job",
    "data": "benchmarks.data",
    "infer": "benchmarks.infer",
    "live": "benchmarks.live",
    "record": "benchmarks.record",
    "sim": "benchmarks.sim",
    "scale": "benchmarks.scale",
}
"""Name -> module. Each is a program too: `python -m benchmarks.infer --help` shows what can be set."""

GAP = "gap"
"""Not among them: it needs real pictures, and arguments of its own."""


@dataclass(frozen=True)
class BenchArguments:
    """Measure this machine: each benchmark against a named reference in one run, with the mark that it must reach."""

    name: tyro.conf.Positional[str]
    """train-step, train-job, data, infer, live, record, sim, scale, or all (an hour); gap has arguments of its own:
    `bench gap --help`."""
    json: Path | None = None
    """Write hardware, ceilings and all rows to this file too."""


def bench(argv: list[str]) -> int:
    """`bench`: see BenchArguments. A missed mark is a result, not a failure: the exit code is 0."""
    if argv[:1] == [GAP]:
        _check_checkout()
        from benchmarks.gap import gap

        return gap(argv[1:])
    arguments = tyro.cli(BenchArguments, args=argv, prog="carla-unet bench", description=BenchArguments.__doc__)
    if arguments.name != "all" and arguments.name not in BENCHMARKS:
        raise UsageError(f"there is no benchmark {arguments.name!r}; {_choice(arguments.name)}")
    _check_checkout()
    values, failed = run_benchmarks(list(BENCHMARKS) if arguments.name == "all" else [arguments.name])

    from benchmarks.rows import print_results

    print_results(values)
    if arguments.json is not None:
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        arguments.json.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")
        print(f"written: {arguments.json}")
    if failed:
        raise UserError(f"{', '.join(failed)}: failed; the reason stands above.")
    return 0


def run_benchmarks(names: Sequence[str]) -> tuple[dict[str, Any], list[str]]:
    """All rows as `bench --json` holds them, and the names of the benchmarks that failed; one at a time."""
    from benchmarks.rows import hardware, result

    seen = hardware()
    rows: list[dict[str, Any]] = []
    ceilings: dict[str, Any] = {}
    failed = []
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    with tempfile.TemporaryDirectory() as folder:
        for number, name in enumerate(names, 1):
            print(f"bench {name} ({number} of {len(names)})", file=sys.stderr, flush=True)
            file = Path(folder) / f"{name}.json"
            command = [sys.executable, "-m", BENCHMARKS[name], "--json", str(file)]
            # Its own table is not shown: all rows stand in one at the end.
            done = subprocess.run(
                command, check=False, stdout=subprocess.DEVNULL, env=os.environ | {"PYTHONPATH": path}
            )
            if done.returncode or not file.is_file():
                failed.append(name)
                continue
            measured = json.loads(file.read_text(encoding="utf-8"))
            rows += measured["benchmarks"]
            ceilings |= measured["ceilings"]
    return result([], ceilings, seen) | {"benchmarks": rows}, failed


def _check_checkout() -> None:
    if not (ROOT / "benchmarks" / "rows.py").is_file():
        raise UserError(
            "the benchmarks are not installed with the package; clone the repository and run "
            "`python launch.py bench` in it."
        )


def _choice(name: str) -> str:
    hint = nearest(name, [*BENCHMARKS, GAP])
    there = f"there are {', '.join(BENCHMARKS)}, {GAP} and all."
    return there if hint.startswith("choose") else f"{hint} {there[0].upper()}{there[1:]}"
