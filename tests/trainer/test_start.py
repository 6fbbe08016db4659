"""`--start-from`: a run begins with a finished model's network and weights, and says so."""

import dataclasses
import shutil

import pytest
import torch
from safetensors.torch import load_file

from trainer import checkpoint
from trainer.cli import main
from trainer.config import build, configs_dir, load_yaml
from trainer.dataset.source import open_source
from trainer.errors import ConfigError, ModelError, TrainingError
from trainer.job import Driver
from trainer.loop import Worker
from trainer.manifest import sha256_of
from trainer.model_dir import load_info, load_model, save_model
from trainer.recipe import TrainConfig
from trainer.request import TrainRequest, Workers

CONFIG = dataclasses.replace(
    build(TrainConfig, load_yaml(configs_dir() / "train.yaml"), "train.yaml"),
    size="xs", picture=(48, 80), crop=(32, 64), batch=4, steps=24, precision="fp32",
)  # fmt: skip


@pytest.fixture
def driver_of(recording, tmp_path):
    """A driver whose run begins with a model, up to the workers."""

    def make(start_from, **config):
        config = dataclasses.replace(CONFIG, **config)
        request = TrainRequest((open_source(recording),), "tuned", tmp_path, config, workers=1, start_from=start_from)
        (tmp_path / "tuned").mkdir(exist_ok=True)
        return Driver(request, tmp_path / "tuned", Workers(1, 1), local_ray=None)

    return make


@pytest.fixture
def other_weights(fitted, tmp_path):
    """The same network with another number in it."""
    net, info = load_model(fitted)
    weights = dict(net.state_dict())
    name = next(iter(weights))
    return save_model(tmp_path / "other", weights | {name: weights[name] + 1.0}, info)


def test_a_worker_begins_with_the_models_network_and_weights(driver_of, fitted):
    driver = driver_of(fitted)
    job = driver.make_job(driver.pack(driver.split.train), driver.pack(driver.split.val))
    driver.start.commit(job, None)
    worker = Worker(job, 0, 1, torch.device("cpu"))
    weights = load_file(fitted / "model.safetensors")
    assert worker.step == 0 and worker.net.config == load_info(fitted).network
    for held in (worker.net.state_dict(), worker.average):
        assert held.keys() == weights.keys() and all(torch.equal(held[name], weights[name]) for name in weights)
    with worker.batches() as batches:
        assert worker.train_step(next(batches)) is not None
    assert not torch.equal(next(iter(worker.net.state_dict().values())), next(iter(weights.values())))


def test_a_run_killed_before_its_first_checkpoint_goes_on_from_the_model(driver_of, fitted):
    driver = driver_of(fitted)
    job = driver.make_job(driver.pack(driver.split.train), driver.pack(driver.split.val))
    driver.start.commit(job, None)
    found, skipped = driver_of(fitted).newest()
    assert (found.step, skipped) == (0, [])
    state = checkpoint.load(found)
    assert state.identity["start_from"] == sha256_of(fitted / "model.safetensors") and not state.best


def test_other_weights_are_another_run(driver_of, fitted, other_weights):
    driver = driver_of(fitted)
    job = driver.make_job(driver.pack(driver.split.train), driver.pack(driver.split.val))
    driver.start.commit(job, None)
    for other in (other_weights, None):
        with pytest.raises(TrainingError, match="was started differently: (recipe.*)?start_from was"):
            driver_of(other).train()


def test_what_cannot_be_started_from_is_refused_in_a_sentence(driver_of, fitted, tmp_path):
    with pytest.raises(TrainingError, match="predicts the 17 classes of 'street17', this run is to learn the 23 of"):
        driver_of(fitted, classes="carla23")
    with pytest.raises(ConfigError, match="width: a run that starts from a model has the model's network"):
        driver_of(fitted, width=2.0)
    with pytest.raises(ModelError, match="there is no such model artifact folder"):
        driver_of(tmp_path / "none")
    damaged = shutil.copytree(fitted, tmp_path / "damaged")
    with (damaged / "model.safetensors").open("r+b") as file:
        file.truncate(1000)
    with pytest.raises(ModelError, match=r"differs from what manifest.json says"):
        driver_of(damaged)


def test_a_chain_of_models_is_told_whole(driver_of, fitted, tmp_path):
    net, info = load_model(fitted)
    before = {"model": "first", "sha256": "0", "sources": ["Town01"]}
    again = save_model(tmp_path / "again", net.state_dict(), dataclasses.replace(info, training={"start_from": before}))
    assert driver_of(again).start.to_dict()["start_from"] == before
    assert "before that, as `first`: Town01" in (again / "card.md").read_text()


def test_a_network_beside_the_models_own_is_a_wrong_argument(recording, fitted, capsys):
    arguments = ["train", "--data", str(recording), "--run", "x", "--start-from", str(fitted), "--network", "paper"]
    assert main(arguments) == 2
    assert "leave out --network" in capsys.readouterr().err
