"""Compiles the renderer's inner loops, once, into a cache of their own."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numba
import numpy as np

Function = TypeVar("Function", bound=Callable[..., Any])

f4 = np.float32

Rgb = tuple[np.float32, np.float32, np.float32]
"""Linear red, green and blue."""

_OPTIONS = {"nogil": True, "fastmath": True, "error_model": "numpy"}


def _writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def _sources_digest() -> str:
    digest = hashlib.sha256(numba.__version__.encode())
    for source in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(source.name.encode() + b"\0" + source.read_bytes())
    return digest.hexdigest()[:12]


def _cache_folder() -> Path:
    # One folder for each state of the sources: numba notices a change of a kernel's own file, not of a file it calls into.
    name = f"kernels-{_sources_digest()}"
    user_cache = Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"))
    for parent in (os.environ.get("NUMBA_CACHE_DIR"), user_cache / "carla-unet"):
        if parent and _writable(Path(parent) / name):
            return Path(parent) / name
    user_id = os.getuid() if hasattr(os, "getuid") else 0
    return Path(tempfile.gettempdir()) / f"carla-unet-{user_id}" / name


CACHE_FOLDER = _cache_folder()
"""Where compiled kernels are kept: below `NUMBA_CACHE_DIR` if set, else the user's cache folder, else the temporary one."""


def kernel(function: Function) -> Function:
    """Compiles `function` at its first call, or loads it from `CACHE_FOLDER`; it runs without the GIL.

    Arithmetic is in float32 as long as literals are wrapped in `f4`: a bare literal makes numba compute in float64.
    """
    before = numba.config.CACHE_DIR
    numba.config.CACHE_DIR = str(CACHE_FOLDER)
    try:
        return numba.njit(cache=True, **_OPTIONS)(function)
    finally:
        numba.config.CACHE_DIR = before


def inline(function: Function) -> Function:
    """A part of kernels that is copied into each place that calls it, for what runs once or more a pixel."""
    return numba.njit(inline="always", **_OPTIONS)(function)
