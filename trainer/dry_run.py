"""`train --dry-run`: the job set up in a temporary folder, calibrated, and its plan told."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from trainer import checkpoint
from trainer.dataset.packed import is_packed
from trainer.hardware import available_cpus
from trainer.job import Driver
from trainer.plan import Plan, calibrate, make_plan
from trainer.progress import ProgressView
from trainer.request import TrainRequest, check_workers

_PICTURES = 16
"""To calibrate on, of each kind."""


def plan_training(request: TrainRequest) -> Plan:
    """What this training will take, printed and returned; measured on a few of its pictures, nothing is kept.

    Raises:
        UserError: what would keep the training itself from being started.
    """
    workers = check_workers(request)
    kept = (request.storage / request.run).absolute()
    with tempfile.TemporaryDirectory(prefix="carla-unet-plan-") as folder:
        run = Path(folder).absolute() / request.run
        run.mkdir()
        driver = Driver(replace(request, cache=run / "cache"), run, workers, local_ray=None)
        store, place = driver.store, driver.place if request.bucket else kept
        found, skipped = store.newest(Path(folder) / "kept") if store else checkpoint.newest(kept)
        if found is not None:
            saved = json.loads((found.path / checkpoint.STATE).read_text(encoding="utf-8"))
            checkpoint.refuse_other(saved["identity"], driver.identity, kept)
        recipe, split = driver.recipe, driver.split
        view = ProgressView(request.run, recipe.steps, recipe.batch, quiet=request.quiet)
        driver.introduce(view, found, skipped, place)
        # The calibration works on this machine's disk alone.
        driver.request, driver.store = replace(driver.request, bucket=None), None
        view.phase("calibrating: some steps of a few pictures")

        started = time.monotonic()
        some = _spread(split.train), _spread(split.val)
        train, val = (driver.pack(pairs) for pairs in some)
        packing_s = (time.monotonic() - started) / sum(map(len, some)) * (len(split.train) + len(split.val))
        cache = (request.cache or request.storage / "cache").absolute()
        if all(
            is_packed(p, recipe.stored, driver.classes, cache, recipe.config.resize) for p in (split.train, split.val)
        ):
            packing_s = 0.0
        # Elastic: the forecast is for what there is room for now.
        count = min(workers.most, _room(request))
        measured = calibrate(driver.make_job(train, val), count, request.use_gpu, request.worker_env())
    plan = make_plan(
        recipe,
        measured,
        count,
        done_steps=found.step if found else 0,
        pictures=len(split.train),
        held_out=len(split.val),
        calibrated_on=len(val.keys),
        packing_s=packing_s,
    )
    for sentence in plan.sentences("of the GPU" if request.use_gpu else "resident"):
        view.say(sentence)
    view.say("dry run: nothing was started, nothing is kept; the same command without --dry-run trains.")
    return plan


def _spread(pairs: Sequence[Any]) -> list[Any]:
    """At most _PICTURES of them, evenly over all."""
    count = min(_PICTURES, len(pairs))
    return [pairs[i * len(pairs) // count] for i in range(count)]


def _room(request: TrainRequest) -> int:
    """Workers that fit this machine at once."""
    if request.use_gpu:
        import torch

        return torch.cuda.device_count()
    return available_cpus() // request.threads
