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
from trainer.manifest import write_json

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

    names: tyro.conf.Positional[tuple[str, ...]]
    """train-step, train-job, data, infer, live, record, sim, scale, or all (an hour); gap has arguments of its own:
    `bench gap --help`."""
    json: Path | None = None
    """Write hardware, ceilings and all rows to this file too, after each benchmark. What it holds of others, measured on
    this machine with the same versions, stays."""


def bench(argv: list[str]) -> int:
    """`bench`: see BenchArguments. A missed mark is a result, not a failure: the exit code is 0."""
    if argv[:1] == [GAP]:
        _check_checkout()
        from benchmarks.gap import gap

        return gap(argv[1:])
    arguments = tyro.cli(BenchArguments, args=argv, prog="carla-unet bench", description=BenchArguments.__doc__)
    names = list(BENCHMARKS) if "all" in arguments.names else list(dict.fromkeys(arguments.names))
    for name in names:
        if name not in BENCHMARKS:
            raise UsageError(f"there is no benchmark {name!r}; {_choice(name)}")
    if not names:
        raise UsageError(f"name a benchmark: there are {', '.join(BENCHMARKS)}, {GAP} and all.")
    _check_checkout()
    from benchmarks.rows import print_results

    values, failed = run_benchmarks(names, arguments.json)
    print_results(values)
    if arguments.json is not None:
        print(f"written: {arguments.json}")
    if failed:
        raise UserError(f"{', '.join(failed)}: failed; the reason stands above.")
    return 0


def run_benchmarks(names: Sequence[str], keep: Path | None = None) -> tuple[dict[str, Any], list[str]]:
    """All rows as `bench --json` holds them, and the names of the benchmarks that failed; one at a time.

    keep: file that holds the result as far as it is there; what it has of other benchmarks on the same machine stays.

    Raises UserError: that file holds something else, or can't be written.
    """
    from benchmarks.rows import hardware, result

    values = result([], {}, hardware())
    if keep is not None:
        values = _kept(keep, values)
        _write(keep, values)
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
            rows = [row for row in values["benchmarks"] if row["name"] != name] + [
                row | {"date": measured["date"]} for row in measured["benchmarks"]
            ]
            order = list(BENCHMARKS)
            values["benchmarks"] = sorted(rows, key=lambda row: order.index(row["name"]))
            values["ceilings"].pop(name, None)
            values["ceilings"] |= measured["ceilings"]
            if keep is not None:
                _write(keep, values)
    return values, failed


def _kept(file: Path, fresh: dict[str, Any]) -> dict[str, Any]:
    """`fresh` with the rows and ceilings that a file holds of the same machine."""
    try:
        before = json.loads(file.read_text(encoding="utf-8"))
        there, here = (
            [values["hardware"][key] for key in ("cpu", "cores", "gpu", "versions")] for values in (before, fresh)
        )
        if there != here:
            raise UserError(f"--json {file}: holds figures of another machine or of other versions; name another file.")
        rows = [row | {"date": row.get("date", before["date"])} for row in before["benchmarks"]]
        rows = [row for row in rows if row["name"] in BENCHMARKS]
        return fresh | {"benchmarks": rows, "ceilings": dict(before["ceilings"])}
    except FileNotFoundError:
        return fresh
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise UserError(
            f"--json {file}: is no result of `bench`; name another file, this one stays as it is."
        ) from None


def _write(file: Path, values: dict[str, Any]) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_json(file, values)
    except OSError as error:
        raise UserError(f"--json {file}: can't be written ({error.strerror}); name another file.") from None


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
