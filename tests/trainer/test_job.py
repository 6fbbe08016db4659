"""The job on a real local Ray: golden curve, resume, refusals, and a loss that is not a number."""

import contextlib
import dataclasses
import json
import os
import shutil
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file

from tests.processes import CommandLine, wait_for
from trainer import checkpoint
from trainer.attempt import STARTS
from trainer.config import build, configs_dir, load_yaml
from trainer.dataset.drawn import draw_recording
from trainer.dataset.source import open_source
from trainer.errors import TrainingError
from trainer.hardware import available_cpus
from trainer.job import run_training as run_training_on
from trainer.manifest import sha256_of
from trainer.model_dir import load_info, load_model
from trainer.recipe import TrainConfig
from trainer.request import TrainRequest

CONFIG = dataclasses.replace(
    build(TrainConfig, load_yaml(configs_dir() / "train.yaml"), "train.yaml"),
    size="xs", picture=(48, 80), crop=(32, 64), batch=4, steps=24, validations=2, precision="fp32", learning_rate=4e-3,
)  # fmt: skip

GOLDEN = (3.91507, 3.83022, 3.0837)
"""Loss of the first and second step, and the mean of the last four."""


@pytest.fixture(scope="session")
def run_training(shared_ray):
    return lambda request: run_training_on(request, shared_ray)


@pytest.fixture(scope="session")
def request_for(recording, tmp_path_factory):
    """A TrainRequest on the drawn recording; each storage is a new folder."""
    storage = tmp_path_factory.mktemp("runs")

    def make(run="first", **changes):
        config = dataclasses.replace(CONFIG, **changes.pop("config", {}))
        values = {"sources": (open_source(recording),), "run": run, "storage": storage, "config": config, "workers": 1}
        return TrainRequest(**values | changes)

    return make


@pytest.fixture(scope="session")
def first(run_training, request_for):
    """One finished run: its summary and its folder."""
    request = request_for()
    return run_training(request), request.storage / "first"


def lines_of(run):
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def test_golden_curve(first):
    """The same picture order, augmentation, initial weights and arithmetic as ever; a change here is a change of results.

    Tolerance: processors differ in the order of sums, and 24 steps at a high rate spread that.
    """
    _, run = first
    losses = [line["loss"] for line in lines_of(run) if line["kind"] == "train"]
    assert len(losses) == 24
    got = [losses[0], losses[1], float(np.mean(losses[-4:]))]
    assert got == [pytest.approx(golden, rel=rel) for golden, rel in zip(GOLDEN, (1e-4, 1e-3, 5e-2), strict=True)]
    assert np.mean(losses[-4:]) < 0.9 * np.mean(losses[:4])


def test_a_run_leaves_what_the_house_promises(first):
    summary, run = first
    assert summary == json.loads((run / "summary.json").read_text())
    assert summary["state"] == "finished" and summary["steps"] == 24
    assert set(summary) == {"state", "steps", "best", "pictures_per_s", "first_step_s", "model"}
    net, info = load_model(run / "model")
    assert net.config.classes == 17 and info.preprocessing.size == (48, 80)
    assert info.metrics["miou"] == summary["best"]["miou"]
    assert info.data["train_frames"] + info.data["val_frames"] == 24
    steps = [(line["kind"], line["step"]) for line in lines_of(run)]
    assert steps == [("train", s) for s in range(1, 13)] + [("val", 12)] + [("train", s) for s in range(13, 25)] + [
        ("val", 24)
    ]
    assert list((run / "tensorboard").glob("events*"))


def test_a_finished_run_says_so_and_is_left_alone(run_training, first, request_for, capsys):
    _, run = first
    before = sha256_of(run / "model" / "model.safetensors")
    assert run_training(request_for()) == first[0]
    assert "is finished" in capsys.readouterr().out
    assert sha256_of(run / "model" / "model.safetensors") == before


def test_a_driver_that_died_after_the_last_checkpoint_is_made_up_for(run_training, first, request_for):
    summary, run = first
    late = shutil.copytree(run, run.with_name("late"))
    (late / "summary.json").unlink()
    shutil.rmtree(late / "model")
    assert run_training(request_for("late")) == summary | {"model": str(late / "model")}
    assert sha256_of(late / "model" / "model.safetensors") == sha256_of(run / "model" / "model.safetensors")
    assert lines_of(late) == lines_of(run)


def test_another_seed_data_or_batch_on_resume_is_refused_by_name(run_training, first, request_for, tmp_path):
    with pytest.raises(TrainingError, match=r"recipe.batch was 4, now 8.*recipe.seed was 0, now 5"):
        run_training(request_for(config={"seed": 5, "batch": 8}))
    other = tmp_path / "drawn"  # of the same name, with other pictures
    draw_recording(other, count=24, width=160, height=96, seed=1, frames_per_episode=6)
    with pytest.raises(TrainingError, match=r"data.drawn was \"[0-9a-f]+.*now \"[0-9a-f]+"):
        run_training(request_for(sources=(open_source(other),)))
    with pytest.raises(TrainingError, match="--fresh wants a new run"):
        run_training(request_for(fresh=True))


def test_a_run_starts_from_a_model_and_the_new_model_says_so(run_training, request_for, fitted, capsys):
    request = request_for("tuned", start_from=fitted, config={"steps": 8, "picture": None, "crop": None})
    fresh = request_for("fresh", config={"steps": 8, "picture": None, "crop": None})
    for each in (request, fresh):
        run_training(each)
    run = request.storage / "tuned"
    info = load_info(run / "model")
    sha256 = sha256_of(fitted / "model.safetensors")
    assert info.network == load_info(fitted).network
    assert info.training["start_from"] == {"model": fitted.name, "sha256": sha256, "sources": ["street"]}
    assert f"before that, as `{fitted.name}`: street" in (run / "model" / "card.md").read_text()
    assert f"fresh run, from the weights of {fitted}" in capsys.readouterr().out
    config = json.loads((run / "config.json").read_text())
    pixels = load_info(fitted).preprocessing.size[0] * load_info(fitted).preprocessing.size[1]
    chosen = {key: why for key, _, why in config["choices"]}
    assert chosen["picture"] == f"the data's own shape, the model's {pixels} pixels"
    first = {name: lines_of(request.storage / name)[0]["loss"] for name in ("tuned", "fresh")}
    assert first["tuned"] != first["fresh"]
    # Given again it is found finished, and from other weights it would be another run.
    assert run_training(request)["state"] == "finished"


def test_more_workers_than_cores_are_refused_with_both_numbers(run_training, request_for):
    cpus = available_cpus()
    with pytest.raises(TrainingError, match=rf"{cpus + 1} workers .* need {cpus + 1} cores, this machine has {cpus}"):
        run_training(request_for("many", workers=cpus + 1))


@pytest.mark.skipif(available_cpus() < 2, reason="needs two cores")
def test_a_batch_that_workers_cannot_share_is_refused(run_training, request_for):
    with pytest.raises(TrainingError, match="5 pictures can't be shared equally by 2 workers"):
        run_training(request_for("odd", workers=2, config={"batch": 5}))


def test_storage_that_cannot_be_written_is_named(run_training, request_for, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(TrainingError, match="can't be written"):
        run_training(request_for(storage=tmp_path / "file"))


def test_a_loss_that_is_no_number_stops_the_run_and_saves_the_batch(run_training, request_for):
    request = request_for("nan", config={"learning_rate": 1e30, "warmup": 0.0, "clip_norm": 0.0})
    with pytest.raises(TrainingError, match="no longer a number at step") as caught:
        run_training(request)
    saved = next((request.storage / "nan" / "nonfinite").glob("*.safetensors"))
    assert str(saved) in str(caught.value)
    batch = load_file(saved)
    assert batch["pictures"].shape == (4, 3, 32, 64)
    assert len(json.loads(saved.with_suffix(".json").read_text())["keys"]) == 4


def final_weights(run):
    found, _ = checkpoint.newest(run)
    return found.step, sha256_of(found.path / "model.safetensors")


DISTURBED = [
    "--size", "xs", "--workers", 2, "--set", "picture=[48,80]", "crop=[32,64]", "batch=4", "steps=300", "validations=3",
    "checkpoint_s=1", "precision=fp32",
]  # fmt: skip


@pytest.fixture(scope="session")
def calm(recording, tmp_path_factory):
    """The folder of a run that nothing disturbed."""
    command_line = CommandLine(tmp_path_factory.mktemp("calm"))
    try:
        done = command_line.run("train", "--data", recording, "--run", "calm", *DISTURBED)
        assert done.returncode == 0, done.stderr
    finally:
        command_line.end_all()
    return command_line.folder / "runs" / "calm"


def same_as_calm(storm, calm):
    """The same weights, and every line once, whatever happened in between."""
    assert final_weights(storm) == final_weights(calm)
    shown = [[(x["kind"], x["step"], x["loss"]) for x in lines_of(run)] for run in (calm, storm)]
    assert shown[0] == shown[1]


@pytest.mark.slow
@pytest.mark.skipif(available_cpus() < 2, reason="needs two cores")
def test_a_run_whose_driver_is_killed_interrupted_and_terminated_ends_with_the_same_weights(
    calm, command_line, recording, recovery
):
    arguments = ["train", "--data", recording, "--run", "storm", *DISTURBED]
    storm = command_line.folder / "runs" / "storm"
    process = command_line.start(*arguments)
    for number, fault in enumerate((signal.SIGKILL, signal.SIGINT, signal.SIGTERM), 1):

        def committed(number=number):
            return [c for c in checkpoint.every(storm) if c.path.parent.name == f"attempt-{number:03d}"]

        saved = wait_for(committed, f"a checkpoint of attempt {number}", process=process)[0]
        begun = time.monotonic()
        process.send_signal(fault)
        out, err = process.communicate(timeout=300)
        ended_s = time.monotonic() - begun
        if fault != signal.SIGKILL:
            assert process.returncode == 130, (out, err)
            assert "saved; the same command goes on" in out
        assert not (storm / "summary.json").exists()
        wait_for(lambda: not command_line.processes(), "the end of what the driver had started")
        gone_s, again_at = time.monotonic() - begun, time.monotonic()
        process = command_line.start(*arguments)
        attempt = f"attempt-{number + 1:03d}"
        started = wait_for(lambda a=attempt: starts_of(storm, a), f"workers of {attempt}", process=process)
        recovery(fault.name, exit_s=ended_s, all_gone_s=gone_s, at_work_again_s=time.monotonic() - again_at)
        assert started[0]["step"] >= saved.step > 0
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, (out, err)
    assert f"resuming from step {started[0]['step']} of" in out
    same_as_calm(storm, calm)


@pytest.mark.slow
@pytest.mark.skipif(available_cpus() < 2, reason="needs two cores")
def test_workers_that_are_killed_or_stand_still_cost_less_than_a_checkpoint_interval(
    calm, command_line, recording, recovery
):
    """Each fault right after a checkpoint is there: that one is resumed, though Ray was not told of it yet."""
    command_line.env["RAY_TRAIN_WORKER_HEALTH_CHECK_TIMEOUT_S"] = "8"
    storm = command_line.folder / "runs" / "storm"
    process = command_line.start("train", "--data", recording, "--run", "storm", *DISTURBED)
    stopped = None
    for number, fault in enumerate(("rank 1 killed", "rank 0 killed", "rank 1 stopped"), 1):

        def committed(number=number):
            return [c for c in checkpoint.every(storm) if c.path.name.endswith(f"-{number}")]

        saved = wait_for(committed, f"a checkpoint of start {number}", process=process)[0]
        first = starts_of(storm)[-1]["pid"]
        victims = train_workers(command_line)
        assert len(victims) == 2 and first in victims
        victim = first if fault == "rank 0 killed" else (set(victims) - {first}).pop()
        seen = lines_of(storm)[-1]["step"]
        begun = time.monotonic()
        os.kill(victim, signal.SIGSTOP if fault == "rank 1 stopped" else signal.SIGKILL)
        stopped = victim
        start = wait_for(lambda n=number: starts_of(storm)[n:], f"start {number + 1}", process=process)[0]
        recovery(fault, at_work_again_s=time.monotonic() - begun, redone=max(0, seen - start["step"]))
        assert start["step"] >= saved.step and start["workers"] == 2
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, (out, err)
    assert not Path(f"/proc/{stopped}").exists()
    same_as_calm(storm, calm)


@pytest.mark.slow
@pytest.mark.skipif(available_cpus() < 2, reason="needs two cores")
def test_deterministic_weights_depend_on_no_workers_kill_or_damage(
    run_training, request_for, command_line, recording, capsys
):
    request = request_for("alone", config={"batch": 8, "steps": 100, "deterministic": True})
    run_training(request)
    assert "on any number of workers from 1 to 4" in capsys.readouterr().out
    alone, mixed = request.storage / "alone", command_line.folder / "runs" / "mixed"

    def arguments(workers):
        return [
            "train", "--data", recording, "--run", "mixed", "--workers", workers, "--deterministic", "--size", "xs", "--set",
            "picture=[48,80]", "crop=[32,64]", "batch=8", "steps=100", "validations=2", "precision=fp32", "checkpoint_s=0.5",
        ]  # fmt: skip

    process = command_line.start(*arguments(1))
    wait_for(lambda: len(checkpoint.every(mixed)) >= 2, "two checkpoints of one worker", process=process)
    process.kill()
    process.communicate(timeout=300)
    wait_for(lambda: not train_workers(command_line), "the end of its workers")  # who would go on writing
    damaged, before = damage_store(mixed)

    process = command_line.start(*arguments(2))
    wait_for(lambda: "-002" in str(checkpoint.every(mixed)[1].path), "checkpoints of two workers", process=process)
    victims = train_workers(command_line)
    assert len(victims) == 2
    command_line.kill(victims[1])
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, (out, err)
    passed_over = [line for line in out.splitlines() if line.startswith("passed over")]
    assert passed_over and all(str(damaged.path) in line for line in passed_over)
    assert f"resuming from step {before.step} of" in out

    assert final_weights(mixed) == final_weights(alone)
    shown = [[(x["kind"], x["step"], x["loss"], x.get("miou")) for x in lines_of(run)] for run in (alone, mixed)]
    assert shown[0] == shown[1]


def damage_store(run):
    """Cut Ray's own record in the middle, and flip a bit of the newest checkpoint; that one, and the one before."""
    records = list(run.glob("attempt-*/checkpoint_manager_snapshot.json"))
    assert records
    for record in records:
        record.write_bytes(record.read_bytes()[: record.stat().st_size // 2])
    newest, before = checkpoint.every(run)[:2]
    assert newest.step > before.step
    weights = newest.path / checkpoint.STATE_TENSORS
    data = bytearray(weights.read_bytes())
    data[len(data) // 2] ^= 1
    weights.write_bytes(data)
    return newest, before


def starts_of(run, attempt="attempt-001"):
    """The starts of its workers that an attempt has noted."""
    file = run / attempt / STARTS
    return [json.loads(line) for line in file.read_text().splitlines()] if file.is_file() else []


def train_workers(command_line):
    """Ids of its processes in which Ray Train runs the workers."""
    found = []
    for pid in command_line.processes():
        with contextlib.suppress(OSError):  # it ended meanwhile
            if b"TrainWorker" in Path(f"/proc/{pid}/cmdline").read_bytes():
                found.append(pid)
    return found
