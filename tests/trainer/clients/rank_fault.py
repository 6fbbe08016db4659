"""A job whose rank 1 alone has a fault, in a process and a Ray of its own: `rank_fault.py raise|nan RECORDING STORAGE`.

`raise`: an exception at its third step, at every start. `nan`: a loss that is no number at its third step.
"""

import dataclasses
import sys
from pathlib import Path

from trainer import loop, ray_job
from trainer.config import build, configs_dir, load_yaml
from trainer.dataset.source import open_source
from trainer.errors import TrainingError
from trainer.job import run_training
from trainer.local_ray import LocalRay
from trainer.recipe import TrainConfig
from trainer.request import TrainRequest

CONFIG = dataclasses.replace(
    build(TrainConfig, load_yaml(configs_dir() / "train.yaml"), "train.yaml"),
    size="xs", picture=(48, 80), crop=(32, 64), batch=4, steps=200, precision="fp32", validations=1,
)  # fmt: skip
STEP = 3


def with_fault(kind):
    """`train_worker` with a fault in rank 1. Ray pickles it by value, as all of a program's main module."""

    def train_worker(config):
        from trainer import loop

        healthy = loop.Worker.train_step

        def train_step(worker, parts):
            if worker.rank == 1 and worker.step == STEP:
                if kind == "raise":
                    raise RuntimeError("the sensor of rank 1 is on fire")
                worker.class_weights.fill_(float("nan"))
            return healthy(worker, parts)

        loop.Worker.train_step = train_step
        loop.train_worker(config)

    return train_worker


def main(kind, recording, storage):
    ray_job.MAX_FAILURES = 1  # each start takes as long as any other
    loop_train_worker = loop.train_worker
    loop.train_worker = with_fault(kind)
    request = TrainRequest((open_source(Path(recording)),), "fault", Path(storage), CONFIG, workers=2)
    try:
        with LocalRay(2) as local_ray:
            run_training(request, local_ray)
    except TrainingError as error:
        print(f"ended: {error}")
    finally:
        loop.train_worker = loop_train_worker


if __name__ == "__main__":
    main(*sys.argv[1:])
