"""What all benchmarks share: a row of figures with its mark, the hardware it was measured on, one table and one JSON."""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

from trainer.hardware import available_cpus, bf16_pays

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("torch", "ray", "numpy", "numba", "carla", "pillow", "openvino", "onnxruntime", "keras")


@dataclass(frozen=True)
class Mark:
    """The figure that must be reached, at least or (`most`) at most.

    of: which figure of the row it is about. Shares and ratios are plain numbers, not per cent.
    """

    value: float
    of: Literal["ours", "ratio", "share"] = "ratio"
    most: bool = False

    def met(self, value: float | None) -> bool:
        """Whether a figure reaches it; one that was not measured does not."""
        return value is not None and (value <= self.value if self.most else value >= self.value)

    def text(self, unit: str) -> str:
        """As the table shows it."""
        sign = "<=" if self.most else ">="
        shown = {"ours": f"{self.value:,g} {unit}", "ratio": f"{self.value:g} x", "share": f"{self.value:.0%}"}
        return f"{sign} {shown[self.of]}" + (" of the ceiling" if self.of == "share" else "")


@dataclass(frozen=True)
class Row:
    """One case of a benchmark: ours and the reference in one unit, medians of one run in which they took turns.

    ours is None where it could not be measured; note then says why. share: of the ceiling that `ceiling` names.
    """

    name: str
    case: str
    ours: float | None
    unit: str
    reference: float | None = None
    against: str = ""
    mark: Mark | None = None
    share: float | None = None
    ceiling: str = ""
    note: str = ""

    @property
    def ratio(self) -> float | None:
        """Ours : reference."""
        return self.ours / self.reference if self.ours is not None and self.reference else None

    @property
    def met(self) -> bool | None:
        """Whether the mark is met; None without one, or where nothing was measured."""
        if self.mark is None or self.ours is None:
            return None
        return self.mark.met({"ours": self.ours, "ratio": self.ratio, "share": self.share}[self.mark.of])

    def to_dict(self) -> dict[str, Any]:
        """As JSON holds it: `mark` is the number, `mark_of` and `mark_most` say what about."""
        mark: dict[str, Any] = {"mark": None, "mark_of": None, "mark_most": None}
        if self.mark is not None:
            mark = {"mark": self.mark.value, "mark_of": self.mark.of, "mark_most": self.mark.most}
        return asdict(self) | {"ratio": self.ratio} | mark | {"met": self.met}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Row:
        """The row that `to_dict` gave."""
        fields = {k: values[k] for k in cls.__dataclass_fields__ if k != "mark"}
        has_mark = values["mark"] is not None
        mark = Mark(values["mark"], values["mark_of"], values["mark_most"]) if has_mark else None
        return cls(**fields, mark=mark)


def hardware() -> dict[str, Any]:
    """What the figures were measured on."""
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return {
        "cpu": line_of("/proc/cpuinfo", "model name") or platform.processor() or platform.machine(),
        "cores": available_cpus(),
        "bf16_in_cpu": bf16_pays("cpu"),
        "memory_gb": round(int((line_of("/proc/meminfo", "MemTotal") or "0 kB").split()[0]) / 1e6, 1),
        "gpu": _gpu(),
        "load": round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None,
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
        "versions": versions,
    }


def line_of(path: str, key: str) -> str | None:
    """The value of the first line `key: value`; None where there is no such file (outside Linux)."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return next((line.partition(":")[2].strip() for line in file if line.startswith(key)), None)
    except OSError:
        return None


def _gpu() -> str | None:
    if shutil.which("nvidia-smi") is None:
        return None
    command = ["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader"]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    return "; ".join(found.stdout.split("\n")).strip("; ") or None


def print_results(values: Mapping[str, Any]) -> None:
    """Hardware, ceilings and the table of a result as JSON holds it."""
    from rich.console import Console
    from rich.table import Table

    console = Console(width=None if sys.stdout.isatty() else 160, highlight=False)
    seen = values["hardware"]
    bf16 = "bf16" if seen["bf16_in_cpu"] else "no bf16"
    console.print(
        f"{values['date']}  {seen['cpu']}, {seen['cores']} cores ({bf16}), {seen['memory_gb']:g} GB, "
        f"GPU: {seen['gpu'] or 'none'}; load {seen['load']} at the start; Python {seen['python']}, "
        + ", ".join(f"{k} {v}" for k, v in seen["versions"].items())
    )
    for name, ceilings in values["ceilings"].items():
        console.print(f"ceilings beside {name}: " + ", ".join(f"{k} {v:,.4g}" for k, v in ceilings.items()))
    if not values["benchmarks"]:
        return
    table = Table("benchmark", "case", "ours", "reference", "ratio", "of ceiling", "mark", "")
    for heading in ("ours", "reference", "ratio", "of ceiling"):
        next(c for c in table.columns if c.header == heading).justify = "right"
    notes = []
    for row in map(Row.from_dict, values["benchmarks"]):
        if row.note:
            notes.append(f"{row.name}, {row.case}: {row.note}")
        table.add_row(
            row.name,
            row.case,
            "-" if row.ours is None else f"{number(row.ours)} {row.unit}",
            "" if row.reference is None else f"{number(row.reference)} {row.against}".strip(),
            "" if row.ratio is None else f"{row.ratio:.3g} x",
            "" if row.share is None else f"{row.share:.0%} {row.ceiling}".strip(),
            "" if row.mark is None else row.mark.text(row.unit),
            {None: "", True: "met", False: "missed"}[row.met],
        )
    console.print(table)
    for note in notes:
        console.print(note)


def number(value: float) -> str:
    """A figure as tables show it."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def result(rows: Sequence[Row], ceilings: Mapping[str, Mapping[str, float]], seen: Mapping[str, Any]) -> dict[str, Any]:
    """What `bench --json` writes."""
    return {
        "date": time.strftime("%Y-%m-%d %H:%M"),
        "hardware": dict(seen),
        "ceilings": {name: dict(values) for name, values in ceilings.items()},
        "benchmarks": [row.to_dict() for row in rows],
    }


Measured = tuple[list[Row], dict[str, float]]
"""Rows, and the machine's ceilings that were measured beside them ({} where none was)."""


def run(name: str, measure: Callable[[argparse.Namespace], Measured], parser: argparse.ArgumentParser) -> None:
    """The main function of a benchmark: its arguments and `--json`, then the table."""
    parser.add_argument("--json", type=Path, help="write the result here")
    arguments = parser.parse_args()
    seen = hardware()
    rows, ceilings = measure(arguments)
    values = result(rows, {name: ceilings} if ceilings else {}, seen)
    print_results(values)
    if arguments.json:
        arguments.json.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")


def arguments_of(doc: str | None) -> argparse.ArgumentParser:
    """A parser whose help is the module's docstring."""
    return argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)


def say(line: str) -> None:
    """Progress; on stderr, as the table is the result."""
    print(line, file=sys.stderr, flush=True)


def take_turns(calls: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, float]:
    """Medians of what the calls return, each called once a round: a drifting machine slows all alike.

    A first round warms up and is not counted.
    """
    figures: dict[str, list[float]] = {name: [] for name in calls}
    for index in range(rounds + 1):
        for name, call in calls.items():
            figure = call()
            if index:
                figures[name].append(figure)
    return {name: statistics.median(values) for name, values in figures.items()}


def cpu_s(call: Callable[[], object]) -> float:
    """CPU seconds of this process in a call: what other programs on the machine do is not in it."""
    started_s = time.process_time()
    call()
    return time.process_time() - started_s


def own_ray() -> dict[str, str]:
    """The environment of a command that is to start a Ray of its own: not somebody else's is to be measured."""
    return {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}


def tree_cpu_s(root: int | None = None) -> float:
    """CPU seconds of a process (this one) and of all below it, those that have ended included; Linux only."""
    ticks: dict[int, int] = {}
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").iterdir():
        try:
            # After the name, which may hold anything, parentheses too: state, parent, ...; utime is field 14 of proc(5).
            fields = (folder / "stat").read_text().rpartition(")")[2].split() if folder.name.isdigit() else []
        except OSError:
            continue  # it ended meanwhile
        if fields:
            children.setdefault(int(fields[1]), []).append(int(folder.name))
            ticks[int(folder.name)] = sum(map(int, fields[11:15]))
    below, waiting = 0, [root or os.getpid()]
    while waiting:
        process = waiting.pop()
        below += ticks.get(process, 0)
        waiting += children.get(process, [])
    return below / os.sysconf("SC_CLK_TCK")
