"""Which engine makes the masks: the one that is asked for, or the fastest of those that are there, timed here and now."""

from __future__ import annotations

import importlib.util
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from trainer.errors import UserError
from trainer.hardware import available_cpus
from trainer.segmenter import ENGINES_FOLDER, Segmenter, open_segmenter

EngineName = Literal["auto", "torch", "openvino-bf16", "openvino-int8"]
OPENVINO = ("openvino-int8", "openvino-bf16")
_RUNS, _TIME_S = 7, 1.0


@dataclass(frozen=True)
class Choice:
    """An open engine and the sentence that says why it is this one."""

    segmenter: Segmenter
    said: str


def threads_for(embedded: bool, cpus: int | None = None) -> int:
    """Threads of an engine on a CPU: an embedded simulator keeps half of the cores busy, a window alone takes one."""
    cpus = available_cpus() if cpus is None else cpus
    return max(1, cpus // 2 if embedded else cpus - 1)


def choose_engine(
    model: Path,
    engine: EngineName,
    size: tuple[int, int],
    threads: int,
    say: Callable[[str], None] = lambda line: None,
) -> Choice:
    """Open a model for pictures of `size` (height, width).

    `auto` runs each engine that the model has and this machine can run, for a second at most, and takes the fastest.

    Raises:
        ModelError, UsageError: as `open_segmenter`.
    """
    on_cpu = f"{threads} thread{'s' if threads > 1 else ''}"
    if engine != "auto":
        segmenter = open_segmenter(model, engine, threads=threads, device="auto" if engine == "torch" else "cpu")
        return Choice(segmenter, f"engine: {segmenter.engine}, {on_cpu}, {time_ms(segmenter, size):.0f} ms a picture")
    timed: dict[str, tuple[float, Segmenter]] = {}
    left_out: list[str] = []
    for name in ("torch", *OPENVINO):
        if name != "torch" and not (model / ENGINES_FOLDER / name).is_dir():
            continue
        if name != "torch" and importlib.util.find_spec("openvino") is None:
            left_out.append(f"{name}: openvino is not installed")
            continue
        try:
            segmenter = open_segmenter(model, name, threads=threads, device="auto" if name == "torch" else "cpu")
        except UserError as error:
            if name == "torch":
                raise
            left_out.append(f"{name}: {error}")
            continue
        timed[name] = (time_ms(segmenter, size), segmenter)
    best = min(timed, key=lambda name: timed[name][0])
    ms, segmenter = timed[best]
    # Opening an exported engine sets torch to one thread.
    torch.set_num_threads(threads if best == "torch" else 1)
    others = [f"{other.engine} {other_ms:.0f} ms" for n, (other_ms, other) in timed.items() if n != best]
    why = f"the fastest of {len(timed)} ({', '.join(others)})" if others else "the only one this model has"
    for reason in left_out:
        say(f"left out: {reason}")
    return Choice(segmenter, f"engine: {segmenter.engine}, {on_cpu}, {ms:.0f} ms a picture: {why}")


def time_ms(segmenter: Segmenter, size: tuple[int, int]) -> float:
    """Median milliseconds of a picture of noise (height, width), after a first one that compiles."""
    picture = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    segmenter.segment(picture)
    times: list[float] = []
    begun_s = time.perf_counter()
    while len(times) < _RUNS and time.perf_counter() - begun_s < _TIME_S:
        started_s = time.perf_counter()
        segmenter.segment(picture)
        times.append(1000.0 * (time.perf_counter() - started_s))
    return statistics.median(times)
