"""Programs of others that the benchmarks compare ours with, each in an environment of its own.

    python -m benchmarks.references [DIR] [--only keras]

makes them, below DIR or where `folder()` says; a benchmark that does not find one says so in one line and goes on. What
stands in an environment is pinned in requirements/NAME.txt, whole: pip resolves nothing. Standard library only.
"""

from __future__ import annotations

import os
from pathlib import Path

HERE = Path(__file__).resolve().parent
VARIABLE = "CARLA_UNET_REFERENCES"
NAMES = ("keras", "smp", "webdataset", "moderngl")
WITH_OUR_TORCH = ("smp",)
"""Run on the PyTorch of this project: another build of it would be what is compared, not the network."""
PINS = "carla-unet-reference.txt"
"""In each environment that was made by the command above: a copy of its pins once it is whole, empty before."""


def folder() -> Path:
    """Where the environments are: CARLA_UNET_REFERENCES, else `references` in the cache folder of this project."""
    if named := os.environ.get(VARIABLE):
        return Path(named)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "carla-unet" / "references"


def requirements(name: str) -> Path:
    """The file with the pins of a reference."""
    return HERE / "requirements" / f"{name}.txt"


def python_of(environment: Path) -> Path:
    """The interpreter of a virtual environment."""
    return environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def find(name: str) -> str | None:
    """The interpreter that has this reference as it is pinned now; None where there is none."""
    environment = folder() / name
    try:
        whole = (environment / PINS).read_text(encoding="utf-8") == requirements(name).read_text(encoding="utf-8")
    except OSError:
        return None
    return str(python_of(environment)) if whole else None


def absent(name: str) -> str:
    """What to say where it is not there."""
    return f"{name} is not in {folder()}: `python -m benchmarks.references --only {name}` installs it there"
