"""Compiles the renderer's inner loops, once, into a cache of their own."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numba
import numpy as np
from llvmlite import binding  # type: ignore[import-untyped]

from sim_agent.embedded.cache import cache_folder, digest_of

Function = TypeVar("Function", bound=Callable[..., Any])

f4 = np.float32

Rgb = tuple[np.float32, np.float32, np.float32]
"""Linear red, green and blue."""

_OPTIONS = {"nogil": True, "fastmath": True, "error_model": "numpy", "no_cfunc_wrapper": True}


def _state() -> str:
    # numba notices a change of a kernel's own file, not of a file it calls into; nor does the mark that all is compiled.
    sources = Path(__file__).parent.glob("*.py")
    return digest_of(sources, numba.__version__, str(sys.implementation.cache_tag), binding.get_host_cpu_name())


CACHE_FOLDER = cache_folder(f"kernels-{_state()}")
"""Where compiled kernels are kept: one folder for each state of the sources."""


def load_numba() -> None:
    """Loads what numba loads at its first kernel, except for SciPy, in which it looks for nothing but matrix products.

    No kernel has any, and finding them takes a quarter of a second.
    """
    is_hidden = "scipy" not in sys.modules
    if is_hidden:
        sys.modules["scipy"] = None  # type: ignore[assignment]
    try:
        importlib.import_module("numba.np.arraymath")
    finally:
        if is_hidden:
            del sys.modules["scipy"]


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
    """A part of kernels that is copied into each place that calls it, for what runs once or more a pixel.

    By LLVM, not by numba's `inline="always"`: types are found once for each part, not once for each copy, in a time that
    grows faster than a function's length.
    """
    return numba.njit(forceinline=True, no_cpython_wrapper=True, **_OPTIONS)(function)
