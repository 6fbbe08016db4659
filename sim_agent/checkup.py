"""What is installed and what the machine has, as findings; each library is tried in a process of its own."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from trainer.hardware import available_cpus

_IMPORT_S = 180.0
_LITTLE_DISK_GB = 5.0
_LITTLE_SHM_GB = 0.2
_GB = 1e9


@dataclass(frozen=True)
class Finding:
    """One line of the doctor's; `mend` is the command or act that changes it."""

    name: str
    state: Literal["good", "note", "bad"]
    says: str
    mend: str | None = None


def check_machine() -> Iterator[Finding]:
    """Python, the libraries, GPU, display, Ray and disk, as each is known."""
    started = {name: _start(code) for name, code in _PROBES.items()}
    yield from _guarded("python", _python)
    yield from _guarded("machine", _machine)
    for name, process in started.items():
        yield from _guarded(name, lambda name=name, process=process: _library(name, process))  # type: ignore[misc]
    yield from _guarded("disk", _disk)
    yield from _guarded("shared memory", _shared_memory)


def _guarded(name: str, check: Callable[[], list[Finding]]) -> list[Finding]:
    try:
        return check()
    except Exception as error:  # whatever is wrong here is what the user came to hear
        return [Finding(name, "bad", f"could not be looked at: {type(error).__name__}: {error}")]


def _python() -> list[Finding]:
    version, where = platform.python_version(), f"{platform.system()} {platform.machine()}"
    if (3, 10) <= sys.version_info < (3, 13):
        return [Finding("python", "good", f"{version} on {where}")]
    return [
        Finding("python", "bad", f"{version} on {where}: expected 3.10 to 3.12", "install Python 3.11 and start anew")
    ]


def _machine() -> list[Finding]:
    says = f"{available_cpus()} cores"
    if hasattr(os, "sysconf"):
        says += f", {os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / _GB:.1f} GB memory"
    return [Finding("machine", "good", says)]


# Printed as JSON by a process of its own: a library that is half installed may end its process.
_PROBES = {
    "torch": """
import torch
gpus = [torch.cuda.get_device_properties(k) for k in range(torch.cuda.device_count())]
found = {"version": torch.__version__, "gpus": [f"{g.name}, {g.total_memory / 1e9:.0f} GB" for g in gpus]}
""",
    "ray": """
import ray
found = {"version": ray.__version__}
""",
    "carla": """
import carla, importlib.metadata
found = {"version": importlib.metadata.version("carla")}
""",
    "pygame": """
import pygame
found = {"version": pygame.__version__, "display": None}
try:
    pygame.display.init()
    found["display"] = pygame.display.get_driver()
except pygame.error as error:
    found["why"] = str(error)
""",
}


def _start(code: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", f"{code}\nimport json\nprint(json.dumps(found))"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYGAME_HIDE_SUPPORT_PROMPT": "1", "RAY_USAGE_STATS_ENABLED": "0"},
    )


def _library(name: str, process: subprocess.Popen[str]) -> list[Finding]:
    try:
        out, err = process.communicate(timeout=_IMPORT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return [Finding(name, "bad", f"is not imported within {_IMPORT_S:.0f} s", _reinstall(name))]
    if process.returncode != 0:
        lines = err.strip().splitlines() or [f"exit code {process.returncode}"]
        if lines[-1].startswith("ModuleNotFoundError") and f"'{name}'" in lines[-1]:
            return [_missing(name)]
        return [Finding(name, "bad", f"can't be imported: {lines[-1]}", _reinstall(name))]
    found: dict[str, Any] = json.loads(out.splitlines()[-1])
    return [Finding(name, "good", found["version"]), *_MORE.get(name, lambda found: [])(found)]


def _missing(name: str) -> Finding:
    if name == "carla" and not has_carla_wheel():
        says = (
            "has no wheel for this machine: training and evaluation work, recording and driving need Linux x86-64 or "
            "Windows, with CPython 3.10 to 3.12"
        )
        return Finding(name, "note", says)
    return Finding(name, "bad", "is not installed", f"{_pip()} install {'carla==0.9.16' if name == 'carla' else name}")


def has_carla_wheel() -> bool:
    """Whether the `carla` client exists for this machine, as pyproject.toml has it."""
    machine = (sys.platform, platform.machine())
    return machine in (("linux", "x86_64"), ("win32", "AMD64")) and (3, 10) <= sys.version_info < (3, 13)


def _gpu(found: dict[str, Any]) -> list[Finding]:
    if found["gpus"]:
        return [Finding("gpu", "good", "; ".join(found["gpus"]))]
    if shutil.which("nvidia-smi") is None:
        return [Finding("gpu", "note", "none; everything runs on the processor")]
    return [
        Finding(
            "gpu",
            "bad",
            f"there is an NVIDIA driver, but torch {found['version']} finds no GPU",
            "install a CUDA build of torch (https://pytorch.org/get-started/locally), or see why nvidia-smi fails",
        )
    ]


def _display(found: dict[str, Any]) -> list[Finding]:
    if found["display"] not in (None, "dummy", "offscreen"):
        return [Finding("display", "good", found["display"])]
    why = found["why"].rstrip(".") if "why" in found else f"driver {found['display']}"
    mend = "start drive on a desktop, or without a window: carla-unet drive --headless --frames 600 --video drive.mp4"
    return [Finding("display", "note", f"none ({why})", mend)]


def _ray_address(found: dict[str, Any]) -> list[Finding]:
    address = os.environ.get("RAY_ADDRESS")
    return [Finding("cluster", "note", f"RAY_ADDRESS={address}: training runs there")] if address else []


_MORE: dict[str, Callable[[dict[str, Any]], list[Finding]]] = {
    "torch": _gpu,
    "pygame": _display,
    "ray": _ray_address,
}


def _disk() -> list[Finding]:
    here = Path.cwd()
    free_gb = shutil.disk_usage(here).free / _GB
    if free_gb >= _LITTLE_DISK_GB:
        return [Finding("disk", "good", f"{free_gb:.0f} GB free in {here}")]
    return [Finding("disk", "note", f"{free_gb:.1f} GB free in {here}", "record to another disk: --out DIR")]


def _shared_memory() -> list[Finding]:
    shared = Path("/dev/shm")
    if not shared.is_dir():
        return []
    size_gb = shutil.disk_usage(shared).total / _GB
    if size_gb >= _LITTLE_SHM_GB:
        return [Finding("shared memory", "good", f"{size_gb:.1f} GB for Ray in /dev/shm")]
    says = f"{size_gb:.2f} GB in /dev/shm: Ray falls back on files, which is slow"
    return [Finding("shared memory", "note", says, "docker run --shm-size=1g")]


def _reinstall(name: str) -> str:
    return f"{_pip()} install --force-reinstall --no-deps {'carla==0.9.16' if name == 'carla' else name}"


def _pip() -> str:
    return f"{sys.executable} -m pip"
