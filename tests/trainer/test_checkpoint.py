"""Checkpoints are whole or passed over; nothing is lost by a fault and nothing resumes another job."""

import dataclasses
import json
import shutil

import pytest
import torch

from trainer import checkpoint
from trainer.errors import TrainingError
from trainer.labels import load_class_list
from trainer.model_dir import ModelInfo, Preprocessing
from trainer.unet import UNet, UNetConfig

NETWORK = UNetConfig(preset="test", widths=(4, 4), classes=17, norm="batch")


@pytest.fixture
def make(tmp_path):
    """Write a checkpoint of `step` into RUN/attempt-001."""
    metrics = tmp_path / "metrics.jsonl"
    metrics.write_text('{"step": 1}\n')
    info = ModelInfo(NETWORK, load_class_list("street17"), Preprocessing((32, 32)))

    def write(step, attempt="attempt-001", start=1):
        torch.manual_seed(step)
        net = UNet(NETWORK)
        optimizer = torch.optim.AdamW(net.parameters(), lr=0.1)
        net(torch.rand(2, 3, 8, 8)).sum().backward()
        optimizer.step()
        state = checkpoint.TrainingState(
            step, {"recipe": {"seed": 0}}, net.state_dict(), net.state_dict(), {}, {}, optimizer.state_dict()
        )
        folder = tmp_path / "run" / attempt / checkpoint.directory_name(step, start)
        folder.mkdir(parents=True)
        checkpoint.save(folder, state, info, metrics)
        return folder, state

    return write


def test_round_trip_is_exact(make, tmp_path):
    _, state = make(40)
    found, skipped = checkpoint.newest(tmp_path / "run")
    assert found.step == 40 and not skipped
    got = checkpoint.load(found)
    assert dataclasses.replace(got, weights={}, average={}, optimizer={}) == dataclasses.replace(
        state, weights={}, average={}, optimizer={}
    )
    for name, tensor in state.weights.items():
        assert torch.equal(tensor, got.weights[name])
    other = torch.optim.AdamW(UNet(NETWORK).parameters(), lr=0.7)
    other.load_state_dict(got.optimizer)
    for key, values in state.optimizer["state"].items():
        for name, tensor in values.items():
            assert torch.equal(tensor, other.state_dict()["state"][key][name]), name
    assert other.param_groups[0]["lr"] == 0.1


@pytest.mark.parametrize("name", [checkpoint.STATE_TENSORS, checkpoint.STATE, "manifest.json", "model.safetensors"])
@pytest.mark.parametrize("damage", ["truncated", "missing"])
def test_the_newest_whole_one_counts_and_the_damaged_stays(make, tmp_path, name, damage):
    make(20)
    broken, _ = make(40, "attempt-002")
    path = broken / name
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    found, skipped = checkpoint.newest(tmp_path / "run")
    assert found.step == 20
    assert len(skipped) == 1 and str(broken) in skipped[0]
    assert broken.is_dir()


@pytest.mark.parametrize("name", [checkpoint.STATE_TENSORS, checkpoint.STATE, "model.safetensors", checkpoint.METRICS])
def test_one_flipped_bit_is_enough_to_be_passed_over(make, tmp_path, name):
    make(20)
    broken, _ = make(40)
    path = broken / name
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    found, skipped = checkpoint.newest(tmp_path / "run")
    assert found.step == 20
    assert len(skipped) == 1 and str(path) in skipped[0] and "changed or damaged" in skipped[0]


def test_a_deleted_newest_one_leaves_the_one_before(make, tmp_path):
    make(20)
    gone, _ = make(40)
    shutil.rmtree(gone)
    found, _ = checkpoint.newest(tmp_path / "run")
    assert found.step == 20


def test_with_no_whole_one_left_a_run_does_not_start_again_from_zero(make, tmp_path):
    assert checkpoint.newest(tmp_path / "run") == (None, [])
    for step in (20, 40):
        broken, _ = make(step)
        (broken / "manifest.json").unlink()
    with pytest.raises(TrainingError, match=r"none of its 2 checkpoint\(s\) is whole.*step_00000040-1.*manifest.json"):
        checkpoint.newest(tmp_path / "run")


def test_of_one_step_the_latest_start_counts(make, tmp_path):
    for attempt, start in (("attempt-001", 10), ("attempt-001", 9), ("attempt-002", 1)):
        make(40, attempt, start)
    assert [str(c.path.relative_to(tmp_path / "run")) for c in checkpoint.every(tmp_path / "run")] == [
        "attempt-002/step_00000040-1",
        "attempt-001/step_00000040-10",
        "attempt-001/step_00000040-9",
    ]


def test_older_ones_are_pruned_only_when_newer_ones_are_safe(make, tmp_path):
    run = tmp_path / "run"
    make(10)
    torn, _ = make(20)
    (torn / "manifest.json").unlink()
    written = [make(30, "attempt-002")[0]]
    checkpoint.prune(run, written, keep=2)
    assert [c.step for c in checkpoint.every(run)] == [30, 20, 10]
    written.append(make(40, "attempt-002")[0])
    checkpoint.prune(run, written, keep=2)
    assert [c.step for c in checkpoint.every(run)] == [40, 30]


def test_metrics_are_rewound_to_the_checkpoint(make, tmp_path):
    make(40)
    metrics = tmp_path / "run" / "metrics.jsonl"
    metrics.write_text('{"step": 1}\n{"step": 41}\n{"st')
    found, _ = checkpoint.newest(tmp_path / "run")
    checkpoint.rewind_metrics(found, metrics)
    assert [json.loads(line)["step"] for line in metrics.read_text().splitlines()] == [1]
    checkpoint.rewind_metrics(None, metrics)
    assert metrics.read_text() == ""


def test_another_job_is_refused_by_its_keys(tmp_path):
    saved = {"data": {"a": "123"}, "recipe": {"seed": 0, "crop": [1, 2]}}
    checkpoint.refuse_other(saved, {"data": {"a": "123"}, "recipe": {"seed": 0, "crop": (1, 2)}}, tmp_path)
    with pytest.raises(TrainingError) as caught:
        checkpoint.refuse_other(saved, {"data": {"a": "124"}, "recipe": {"seed": 1, "crop": (1, 2)}}, tmp_path)
    assert 'data.a was "123", now "124"; recipe.seed was 0, now 1' in str(caught.value)
