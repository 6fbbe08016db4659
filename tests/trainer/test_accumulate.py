"""A batch in parts, one after another, is the batch: the same weights within rounding."""

import dataclasses

import pytest
import torch

from trainer import checkpoint, loop
from trainer.config import build, configs_dir, load_yaml
from trainer.dataset.source import open_source
from trainer.errors import ConfigError, TrainingError
from trainer.hardware import available_cpus
from trainer.job import Driver, run_training
from trainer.loop import Worker
from trainer.recipe import TrainConfig
from trainer.request import TrainRequest, Workers

CONFIG = dataclasses.replace(
    build(TrainConfig, load_yaml(configs_dir() / "train.yaml"), "train.yaml"),
    size="xs", picture=(48, 80), crop=(32, 64), batch=8, steps=3, precision="fp32", warmup=0.0, clip_norm=0.0,
)  # fmt: skip


@pytest.fixture
def trained(recording, tmp_path, monkeypatch):
    """Weights after three steps on one worker, with a loss that is a mean over pictures and a network without norm."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    monkeypatch.setattr(loop, "segmentation_loss", lambda logits, *_: (logits.square().mean(), logits.detach().mean()))

    def train(accumulate):

        config = dataclasses.replace(CONFIG, accumulate=accumulate)
        run = tmp_path / f"in-{accumulate}"
        run.mkdir()
        request = TrainRequest((open_source(recording),), run.name, tmp_path, config)
        driver = Driver(request, run, Workers(1, 1), local_ray=None)
        job = driver.make_job(driver.pack(driver.split.train), driver.pack(driver.split.val))
        network = dataclasses.replace(job.recipe.network, norm="none", instance_levels=0, dropout=0.0)
        worker = Worker(
            dataclasses.replace(job, recipe=dataclasses.replace(job.recipe, network=network)), 0, 1, torch.device("cpu")
        )
        figures, seen = [], []
        with worker.batches() as batches:
            for parts in batches:
                seen.append([len(part[0]) for part in parts])
                figures.append(worker.train_step(parts))
                worker.step += 1
        return worker.net.state_dict(), torch.stack(figures), seen

    yield train
    torch.set_num_threads(threads)


def test_parts_of_a_batch_give_the_weights_of_the_batch(trained):
    whole, figures, seen = trained(1)
    assert seen == [[8]] * 3
    for accumulate, sizes in ((4, [2, 2, 2, 2]), (3, [2, 3, 3])):
        weights, told, seen = trained(accumulate)
        assert seen == [sizes] * 3
        assert torch.allclose(told, figures, rtol=1e-4)
        for name, value in whole.items():
            # Adam divides by the gradient's own size: rounding of a tiny gradient may move a weight by a part of a step.
            assert torch.allclose(weights[name], value, atol=2e-4), name


def test_what_does_not_go_together_is_refused(recording, tmp_path):
    config = dataclasses.replace(CONFIG, accumulate=5)
    with pytest.raises(TrainingError, match="8 pictures are fewer than 2 workers in 5 parts each"):
        Driver(TrainRequest((open_source(recording),), "x", tmp_path, config), tmp_path, Workers(2, 2), local_ray=None)
    values = {"deterministic": True, "accumulate": 2}
    with pytest.raises(ConfigError, match="set `shards` instead"):
        build(TrainConfig, values, "x")
    identity = Driver(
        TrainRequest((open_source(recording),), "x", tmp_path, CONFIG), tmp_path, Workers(1, 1), None
    ).identity
    assert "accumulate" not in identity["recipe"]  # a run of before is resumed as it was


@pytest.mark.slow
@pytest.mark.skipif(available_cpus() < 2, reason="needs two cores")
def test_two_workers_with_two_parts_each_are_one_with_four(recording, tmp_path, shared_ray):
    """Batch norm and all: the same four parts; DDP adds them up in another order."""
    weights = []
    for workers, accumulate in ((1, 4), (2, 2)):
        config = dataclasses.replace(CONFIG, accumulate=accumulate, learning_rate=1e-4, validations=1, ema=0.0)
        request = TrainRequest((open_source(recording),), f"{workers}x{accumulate}", tmp_path, config, workers=workers)
        run_training(request, shared_ray)
        state = checkpoint.load(checkpoint.newest(tmp_path / request.run)[0])
        weights.append({k: v for k, v in state.weights.items() if "running" not in k and "num_batches" not in k})
    most = max(float((value - weights[1][name]).abs().max()) for name, value in weights[0].items())
    assert most < 6.5e-4  # three steps of Adam move a weight by 3e-4 at most, either way
    close = [torch.isclose(value, weights[1][name], atol=2e-5).float().mean() for name, value in weights[0].items()]
    assert float(torch.stack(close).mean()) > 0.98
