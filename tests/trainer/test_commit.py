"""A commit is one rename, beside the training; what fails is counted, and what a dead writer left is cleared."""

import threading

import pytest
import torch
from safetensors import SafetensorError

from trainer import checkpoint
from trainer.commit import MOST_FAILURES, Committer, next_start
from trainer.labels import load_class_list
from trainer.model_dir import ModelInfo, Preprocessing
from trainer.unet import UNet, UNetConfig

NETWORK = UNetConfig(preset="test", widths=(4, 4), classes=17, norm="batch")
INFO = ModelInfo(NETWORK, load_class_list("street17"), Preprocessing((32, 32)))


class Training:
    """A network in training, and what it tells."""

    def __init__(self, run):
        (run / "attempt-001").mkdir(parents=True)
        self.run, self.notes, self.metrics = run, [], run / "metrics.jsonl"
        self.net = UNet(NETWORK)
        self.optimizer = torch.optim.AdamW(self.net.parameters(), lr=0.1)
        self.metrics.write_text("")
        self.committer = self.workers_start()

    def workers_start(self):
        return Committer(
            self.run, "attempt-001", next_start(self.run / "attempt-001" / "starts.jsonl", 1, 0), self.notes.append
        )

    def state(self, step):
        self.net(torch.rand(2, 3, 8, 8)).sum().backward()
        self.optimizer.step()
        with self.metrics.open("a") as file:
            file.write(f'{{"step": {step}}}\n')
        now = self.net.state_dict()
        return checkpoint.TrainingState(step, {}, now, now, {}, {}, self.optimizer.state_dict())

    def submit(self, step):
        return self.committer.submit(self.state(step), INFO, self.metrics)

    def finish(self, step):
        return self.committer.finish(self.state(step), INFO, self.metrics)

    def names(self):
        return sorted(p.name for p in (self.run / "attempt-001").iterdir() if p.is_dir())


@pytest.fixture
def training(tmp_path):
    return Training(tmp_path / "run")


def hold_writes(monkeypatch):
    """Commits begin, and go no further before the returned event is set; the other one says that one has begun."""
    go, begun, save = threading.Event(), threading.Event(), checkpoint.save

    def held(*args, **kwargs):
        begun.set()
        assert go.wait(60)
        save(*args, **kwargs)

    monkeypatch.setattr(checkpoint, "save", held)
    return go, begun


def test_a_commit_holds_the_state_of_its_step_though_training_went_on(training, monkeypatch):
    go, begun = hold_writes(monkeypatch)
    training.submit(1)
    assert begun.wait(60)
    then = {k: v.clone() for k, v in training.net.state_dict().items()}
    moment = training.optimizer.state_dict()["state"][0]["exp_avg"].clone()
    training.state(2)
    assert training.names() == [".step_00000001-1.tmp"]  # nothing by a checkpoint's name before it is whole
    assert checkpoint.newest(training.run) == (None, [])
    go.set()
    training.committer.wait()
    found, _ = checkpoint.newest(training.run)
    got = checkpoint.load(found)
    assert found.step == 1 and all(torch.equal(v, got.weights[k]) for k, v in then.items())
    assert torch.equal(got.optimizer["state"][0]["exp_avg"], moment)
    assert not torch.equal(training.net.state_dict()["head.weight"], then["head.weight"])
    assert (found.path / checkpoint.METRICS).read_text() == '{"step": 1}\n'


def test_at_most_one_is_in_flight_and_ray_is_told_of_whole_ones_only(training, monkeypatch):
    go, begun = hold_writes(monkeypatch)
    assert training.submit(1) is None
    assert begun.wait(60)
    second = threading.Thread(target=lambda: told.append(training.submit(2)))
    told = []
    second.start()
    second.join(0.2)
    assert second.is_alive() and not told
    go.set()
    second.join(60)
    assert [c.step for c in told] == [1] and (told[0].path / "manifest.json").is_file()
    assert training.finish(3).step == 3
    assert training.names() == ["step_00000002-1", "step_00000003-1"]


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), SafetensorError("IoError: full")])
def test_a_failed_write_is_told_and_borne(training, monkeypatch, error):
    training.submit(1)
    training.committer.wait()
    save, left = checkpoint.save, [error]

    def failing(folder, *args, **kwargs):
        (folder / "half").write_text("x")
        if left:
            raise left.pop()
        save(folder, *args, **kwargs)

    monkeypatch.setattr(checkpoint, "save", failing)
    training.submit(2)
    assert training.submit(3) is None  # the commit of step 2 came to nothing
    assert training.committer.wait().step == 3
    assert len(training.notes) == 1 and "step 2 could not be written" in training.notes[0]
    assert f"failure 1 of {MOST_FAILURES} in a row" in training.notes[0]
    assert training.committer.exhausted is None


def test_failures_are_finite_and_the_whole_ones_stay(training, monkeypatch):
    training.submit(1)
    training.committer.wait()

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint, "save", full)
    training.submit(2)
    assert training.finish(3) is None
    assert len(training.notes) == MOST_FAILURES
    assert "No space left on device" in training.committer.exhausted and "--storage" in training.committer.exhausted
    assert checkpoint.newest(training.run)[0].step == 1


def test_an_old_one_that_cannot_be_removed_costs_nothing(training, monkeypatch):
    def busy(*args):
        raise OSError(16, "Device or resource busy")

    monkeypatch.setattr(checkpoint, "prune", busy)
    assert training.finish(4).step == 4
    assert training.committer.exhausted is None and "could not be removed" in training.notes[0]


def test_the_last_state_is_tried_again(training, monkeypatch):
    save, left = checkpoint.save, [OSError(5, "Input/output error")]

    def failing(*args, **kwargs):
        if left:
            raise left.pop()
        save(*args, **kwargs)

    monkeypatch.setattr(checkpoint, "save", failing)
    assert training.finish(7).step == 7


def test_workers_that_start_again_write_under_names_of_their_own(training):
    training.finish(5)
    torn = training.run / "attempt-001" / ".step_00000006-1.tmp"
    torn.mkdir()
    training.committer = training.workers_start()
    assert training.names() == ["step_00000005-1"]  # a dead writer's half is cleared, its whole ones are not
    training.finish(5)
    assert training.names() == ["step_00000005-1", "step_00000005-2"]
    assert checkpoint.newest(training.run)[0].path.name == "step_00000005-2"
