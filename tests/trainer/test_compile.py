"""`compile: true`: the same weights and the same names in a checkpoint; with a compiler that leaves the arithmetic alone."""

import dataclasses

import pytest
import torch
from torch._dynamo.testing import CompileCounterWithBackend

from trainer import loop
from trainer.config import build, configs_dir, load_yaml
from trainer.dataset.source import open_source
from trainer.job import Driver
from trainer.loop import Worker
from trainer.recipe import TrainConfig
from trainer.request import TrainRequest, Workers

CONFIG = dataclasses.replace(
    build(TrainConfig, load_yaml(configs_dir() / "train.yaml"), "train.yaml"),
    size="xs", picture=(48, 80), crop=(32, 64), batch=8, steps=2, precision="fp32",
)  # fmt: skip


@pytest.mark.parametrize("deterministic", [False, True])
def test_a_compiled_network_learns_the_same_under_the_same_names(recording, tmp_path, monkeypatch, deterministic):
    compiler = CompileCounterWithBackend("eager")
    monkeypatch.setattr(loop, "COMPILER", compiler)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        states = {}
        for compiled in (False, True):
            config = dataclasses.replace(CONFIG, compile=compiled, deterministic=deterministic)
            run = tmp_path / str(compiled)
            run.mkdir()
            driver = Driver(
                TrainRequest((open_source(recording),), run.name, tmp_path, config), run, Workers(1, 1), local_ray=None
            )
            job = driver.make_job(driver.pack(driver.split.train), driver.pack(driver.split.val))
            worker = Worker(job, 0, 1, torch.device("cpu"))
            with worker.batches() as batches:
                for parts in batches:
                    worker.train_step(parts)
                    worker.step += 1
            states[compiled] = worker.net.state_dict() | {f"average.{k}": v for k, v in worker.average.items()}
    finally:
        torch.set_num_threads(threads)
        torch._dynamo.reset()
    assert compiler.frame_count > 0
    assert states[True].keys() == states[False].keys()
    assert all(torch.equal(states[True][name], states[False][name]) for name in states[False])


def test_only_a_compiled_run_is_another_run():
    from trainer.recipe import resolve
    from trainer.unet import load_preset

    plain, compiled = (
        resolve(dataclasses.replace(CONFIG, compile=c), load_preset("live"), 20, (48, 80), 5).identity()
        for c in (False, True)
    )
    assert "compile" not in plain and compiled == plain | {"compile": True}
