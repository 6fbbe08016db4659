"""`train --dry-run`: what a training will take, measured by some of its own steps, before anything is started or kept.

The calibration is the job in small: as many worker processes, the same steps on a few of the same pictures, the same
sums between the workers, validation and a checkpoint; in a temporary folder, without Ray.
"""

from __future__ import annotations

import contextlib
import dataclasses
import multiprocessing
import os
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.distributed as dist

from trainer.attempt import Job
from trainer.errors import TrainingError
from trainer.hardware import peak_memory_bytes
from trainer.loop import Worker
from trainer.recipe import Recipe

CALIBRATION_S = 4.0
RAY_START_S = 12.0
"""Ray's own start and end, beside what its workers import, which is measured. (Two cores: 11 to 15 s.)"""
_MOST_STEPS = 30
_KEPT_CHECKPOINTS = 3  # two, and one that is being written


@dataclass(frozen=True)
class Calibration:
    """What some steps of one worker told; the slowest or largest of all workers."""

    start_s: float
    """From the start of the process to its first step: imports, network, first allocation."""
    step_s: float
    validation_s: float
    """Of a calibration's held-out pictures, all workers together."""
    memory_bytes: int
    """Peak: resident memory of a worker, on a GPU what it took of the GPU's."""
    checkpoint_bytes: int


@dataclass(frozen=True)
class Plan:
    """A training before it is started; times in seconds."""

    workers: int
    batch: int
    steps: int
    """That are still to do."""
    epochs: float
    packing_s: float
    start_s: float
    step_s: float
    pictures_per_s: float
    epoch_s: float
    validation_s: float
    """Of all validations together."""
    total_s: float
    memory_bytes: int
    """Of one worker."""
    cache_bytes: int
    checkpoint_bytes: int
    """Of all that are kept at a time."""

    def sentences(self, device: str) -> list[str]:
        """The plan as `train --dry-run` prints it."""
        each = self.batch // self.workers
        return [
            f"workers: {self.workers}, {each} pictures each in a batch of {self.batch}",
            f"memory: {_size(self.memory_bytes)} {device} a worker (measured)",
            f"disk: packed pictures {_size(self.cache_bytes)}, checkpoints {_size(self.checkpoint_bytes)}",
            f"step: {self.step_s * 1000:.0f} ms, {self.pictures_per_s:.1f} pictures/s (measured)",
            f"epoch: {_time(self.epoch_s)}; {self.steps} steps to do, {self.epochs:.1f} epochs",
            f"in all: {_time(self.total_s)} = packing {_time(self.packing_s)} + start {_time(self.start_s)} + steps "
            f"{_time(self.steps * self.step_s)} + validations {_time(self.validation_s)}",
        ]


def calibrate(job: Job, workers: int, use_gpu: bool, environment: Mapping[str, str]) -> Calibration:
    """Run some steps of a job whose `run` is a temporary folder, on this machine, as its workers would.

    Raises:
        TrainingError: a worker has no room.
    """
    # Steps enough for the calibration, whatever the recipe has: they say nothing about the rate.
    short = dataclasses.replace(job, recipe=dataclasses.replace(job.recipe, steps=10 * _MOST_STEPS))
    height, width = job.recipe.crop or job.recipe.picture
    too_small = TrainingError(
        f"a worker has no room for its {job.recipe.batch // workers} pictures of {height}x{width} a step; lower `batch`, "
        "`crop` or `width`, or take more workers with memory of their own."
    )
    context = multiprocessing.get_context("spawn")
    with _environment(environment), ProcessPoolExecutor(workers, mp_context=context) as pool:
        meeting = job.run / "meeting"
        started = time.time()
        running = [pool.submit(_measure, short, rank, workers, use_gpu, meeting, started) for rank in range(workers)]
        try:
            measured = [one.result() for one in running]
        except (BrokenProcessPool, torch.OutOfMemoryError, MemoryError):
            raise too_small from None
    return Calibration(
        start_s=max(m.start_s for m in measured),
        step_s=max(m.step_s for m in measured),
        validation_s=max(m.validation_s for m in measured),
        memory_bytes=max(m.memory_bytes for m in measured),
        checkpoint_bytes=max(m.checkpoint_bytes for m in measured),
    )


def make_plan(
    recipe: Recipe,
    measured: Calibration,
    workers: int,
    done_steps: int,
    pictures: int,
    held_out: int,
    calibrated_on: int,
    packing_s: float,
) -> Plan:
    """Scale a calibration up to the whole training.

    Args:
        done_steps: of a run that would be resumed.
        pictures: to train on; held_out: to validate on, of which the calibration scored `calibrated_on`.
        packing_s: of all pictures; 0 where they are packed already.
    """
    steps = max(0, recipe.steps - done_steps)
    rate = recipe.batch / measured.step_s
    validations = -(-recipe.steps // recipe.validate_every) - done_steps // recipe.validate_every
    validation_s = validations * measured.validation_s * held_out / calibrated_on
    start_s = RAY_START_S + measured.start_s
    height, width = recipe.stored
    return Plan(
        workers=workers,
        batch=recipe.batch,
        steps=steps,
        epochs=steps * recipe.batch / pictures,
        packing_s=packing_s,
        start_s=start_s,
        step_s=measured.step_s,
        pictures_per_s=rate,
        epoch_s=pictures / rate,
        validation_s=validation_s,
        total_s=packing_s + start_s + steps * measured.step_s + validation_s,
        memory_bytes=measured.memory_bytes,
        cache_bytes=(pictures + held_out) * height * width * 4,
        checkpoint_bytes=_KEPT_CHECKPOINTS * measured.checkpoint_bytes,
    )


def _measure(job: Job, rank: int, workers: int, use_gpu: bool, meeting: Path, started: float) -> Calibration:
    torch.set_num_threads(job.threads)
    device = torch.device("cuda", rank) if use_gpu else torch.device("cpu")
    if use_gpu:
        torch.cuda.set_device(device)
    if workers > 1:
        dist.init_process_group("nccl" if use_gpu else "gloo", f"file://{meeting}", rank=rank, world_size=workers)
    try:
        worker = Worker(job, rank, workers, device)
        begun = time.monotonic()
        with worker.batches() as batches:

            def steps(count: int) -> None:
                for _ in range(count):
                    worker.train_step(next(batches))
                    worker.step += 1

            steps(2)  # the first ones allocate, and choose kernels
            start_s = time.time() - started
            first_s = (time.monotonic() - begun) / 2
            count = worker.agree(max(3, min(_MOST_STEPS, round(CALIBRATION_S / first_s))))
            begun = time.monotonic()
            steps(count)
            step_s = (time.monotonic() - begun) / count
        begun = time.monotonic()
        worker.validate()
        validation_s = time.monotonic() - begun
        saved = worker.committer.finish(worker.state(), job.info, worker.metrics) if worker.committer else None
    finally:
        if workers > 1:
            dist.destroy_process_group()
    memory = peak_memory_bytes(device)
    return Calibration(start_s, step_s, validation_s, memory, _folder_bytes(saved.path) if saved else 0)


def _folder_bytes(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.iterdir())


@contextlib.contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    """These variables in processes that are started meanwhile."""
    before = {key: os.environ.get(key) for key in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for key, value in before.items():
            if value is None:
                del os.environ[key]
            else:
                os.environ[key] = value


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"


def _time(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"
