"""The plan before a training: its arithmetic, what it leaves, and its forecast beside a true run."""

import dataclasses
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool

import pytest
import torch

from trainer import checkpoint, plan
from trainer.attempt import Job
from trainer.config import build, configs_dir, load_yaml
from trainer.dataset.source import open_source
from trainer.dry_run import plan_training
from trainer.errors import TrainingError
from trainer.hardware import available_cpus
from trainer.job import run_training
from trainer.plan import Calibration, calibrate, make_plan
from trainer.recipe import TrainConfig, resolve
from trainer.request import TrainRequest
from trainer.unet import load_preset

CONFIG = dataclasses.replace(
    build(TrainConfig, load_yaml(configs_dir() / "train.yaml"), "train.yaml"),
    size="xs", picture=(48, 80), detail=1.0, crop=(32, 64), batch=8, steps=40, validations=2, precision="fp32",
)  # fmt: skip
RECIPE = resolve(CONFIG, load_preset("live"), frames=100, frame_size=(96, 160), classes=17)
MEASURED = Calibration(start_s=5.0, step_s=0.5, validation_s=2.0, memory_bytes=600_000_000, checkpoint_bytes=10_000_000)


def planned(**changes):
    values = {
        "workers": 2, "done_steps": 0, "pictures": 100, "held_out": 32, "calibrated_on": 16, "packing_s": 3.0,
    }  # fmt: skip
    return make_plan(RECIPE, MEASURED, **values | changes)


def test_a_calibration_is_scaled_up_to_the_whole_training():
    made = planned()
    assert made.steps == 40 and made.pictures_per_s == 16.0
    assert made.epoch_s == 100 / 16 and made.epochs == 40 * 8 / 100
    assert made.validation_s == 2 * 2.0 * 2  # two of them, over twice as many pictures
    assert made.total_s == 3.0 + (plan.RAY_START_S + 5.0) + 40 * 0.5 + 8.0
    assert made.cache_bytes == 132 * 48 * 80 * 4
    assert made.checkpoint_bytes == 30_000_000
    text = "\n".join(made.sentences("resident"))
    for part in (
        "2, 4 pictures each in a batch of 8",
        "600 MB resident",
        "500 ms, 16.0 pictures/s",
        "epoch: 6.2 s",
        "48 s",
    ):
        assert part in text


def test_a_run_that_would_be_resumed_has_less_to_do():
    made = planned(done_steps=30, packing_s=0.0)
    assert made.steps == 10 and made.validation_s == 4.0 and made.total_s == plan.RAY_START_S + 5.0 + 10 * 0.5 + 4.0
    assert planned(done_steps=40).steps == 0


@pytest.mark.parametrize("end", [BrokenProcessPool(), torch.OutOfMemoryError()])
def test_a_worker_without_room_is_a_sentence(monkeypatch, tmp_path, end):
    class NoRoom:
        def __init__(self, *args, **kwargs):
            pass

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def submit(self, *args):
            ended = Future()
            ended.set_exception(end)
            return ended

    monkeypatch.setattr(plan, "ProcessPoolExecutor", NoRoom)
    job = Job(tmp_path, "attempt-001", RECIPE, tmp_path, tmp_path, (), None, {}, 1, 0.0)
    with pytest.raises(TrainingError, match="no room for its 4 pictures of 32x64 a step; lower `batch`"):
        calibrate(job, 2, False, {})


@pytest.mark.slow
@pytest.mark.skipif(available_cpus() < 2, reason="needs two cores")
def test_the_forecast_beside_a_true_run(recording, tmp_path, shared_ray, capsys):
    request = TrainRequest((open_source(recording),), "run", tmp_path / "runs", CONFIG, workers=2)
    made = plan_training(request)
    out = capsys.readouterr().out
    assert "dry run: nothing was started, nothing is kept" in out and str(tmp_path / "runs" / "run") in out
    assert not (tmp_path / "runs").exists()
    assert made.workers == 2 and made.steps == 40 and made.memory_bytes > 100e6 and made.step_s > 0

    summary = run_training(request, shared_ray)
    run = tmp_path / "runs" / "run"
    print(f"pictures/s: {made.pictures_per_s:.1f} planned, {summary['pictures_per_s']} true")
    saved = sum(file.stat().st_size for file in checkpoint.newest(run)[0].path.iterdir())
    assert made.checkpoint_bytes == pytest.approx(3 * saved, rel=0.1)
    packed = sum(file.stat().st_size for file in (tmp_path / "runs" / "cache").rglob("*.npy"))
    assert made.cache_bytes == pytest.approx(packed, rel=0.01)

    with pytest.raises(TrainingError, match="recipe.batch was 8, now 4"):
        plan_training(dataclasses.replace(request, config=dataclasses.replace(CONFIG, batch=4)))
