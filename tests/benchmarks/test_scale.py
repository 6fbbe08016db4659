"""The models of `scale`, their rows, and the recordings that it asks for."""

import json
import subprocess

import pytest

from benchmarks import scale
from benchmarks.scale import RecorderModel, WorkerModel, recorder_rows, worker_rows
from trainer.config import load_yaml

RECORDERS = RecorderModel(frame_s=0.05, cpu_s=0.075, write_s=0.001)


@pytest.mark.parametrize(
    ("recorders", "cores", "rate", "limit"),
    [
        (1, 2, 20.0, "recorders"),
        (2, 2, 2 / 0.075, "cores"),
        (4, 64, 80.0, "recorders"),
        (100, 1000, 1000.0, "the process that writes"),
    ],
)
def test_recorders_are_limited_by_one_of_three(recorders, cores, rate, limit):
    assert RECORDERS.frames_per_s(recorders, cores) == pytest.approx(rate)
    assert RECORDERS.limit(recorders, cores) == limit


def test_workers_share_the_batch_and_exchange_gradients_in_a_ring():
    model = WorkerModel(step_s=0.871, gradient_bytes=15.2e6, link_bytes_s=0.96e9)
    assert model.step_of(1) == 0.871
    assert model.step_of(2) == pytest.approx(0.4355 + 0.0158, abs=1e-4)  # as in docs/scaling.md
    assert model.step_of(1000) == pytest.approx(2 * 15.2e6 / 0.96e9, rel=0.04)


def test_rows_hold_the_model_against_what_was_measured():
    one, two, checked, *modelled = recorder_rows(RECORDERS, {1: 20.0, 2: 24.0}, cores=2)
    assert (one.ours, two.ratio) == (20.0, pytest.approx(1.2))
    assert (checked.against, checked.ratio) == ("modelled", pytest.approx(24.0 * 0.075 / 2))
    assert [row.case for row in modelled[:2]] == ["4 recorders on 2 cores", "4 recorders on 16 cores"]
    assert all(row.note.startswith("modelled, not measured; limited by ") for row in modelled)

    one, two, checked, *modelled = worker_rows(WorkerModel(1.0, 10e6, 1e9), 16, {1: 16.0, 2: 30.0})
    assert (two.ratio, checked.ratio) == (pytest.approx(1.875), pytest.approx(30.0 * 0.51 / 16))
    assert len(modelled) == 6 and all(row.note == "modelled, not measured" for row in modelled)
    fast = next(row for row in modelled if row.case == "8 workers, 10 Gbit/s")
    slow = next(row for row in modelled if row.case == "8 workers, 1 Gbit/s")
    assert fast.ours > slow.ours > one.ours


@pytest.fixture
def recorded(monkeypatch):
    """What `record` was asked for; it gives `frames` of each plan's frames."""
    asked = []

    def run(command, **_):
        if "record" in command:
            plan = load_yaml(scale.Path(command[command.index("--config") + 1]))
            told = {"frames": plan["episodes"] * plan["frames"] - len(recorded_less)}
            scale.Path(command[command.index("--json") + 1]).write_text(json.dumps(told))
            asked.append((plan, command[command.index("--simulators") + 1]))
        return subprocess.CompletedProcess(command, 0)

    recorded_less = []
    monkeypatch.setattr(scale.subprocess, "run", run)
    return asked, recorded_less


def test_every_recorder_has_an_episode_of_its_own(recorded, tmp_path):
    from sim_agent.record_config import load_record_config

    asked, less = recorded
    wall_s, cpu_s = scale.record(tmp_path, 2, 30, "320x180", "low")
    plan, simulators = asked[0]
    assert (plan["episodes"], plan["frames"], simulators) == (2, 30, "2") and wall_s >= 0.0 and cpu_s >= 0.0
    assert load_record_config(**plan).cameras[0].width == 320
    less.append(1)
    with pytest.raises(SystemExit, match="2 recorders gave 59 frames of 60"):
        scale.record(tmp_path, 2, 30, "320x180", "low")


def test_only_what_the_longer_recording_has_more_counts(tmp_path, monkeypatch):
    arguments = scale.argparse.Namespace(frames=40, size="320x180", quality="low")
    monkeypatch.setattr(
        scale, "record", lambda folder, recorders, frames, *_: (30.0 + 0.1 * frames, 9.0 + 0.2 * frames)
    )
    assert scale.frame_s(tmp_path, 1, arguments) == pytest.approx((0.1, 0.2))
    assert scale.frame_s(tmp_path, 2, arguments) == pytest.approx((0.05, 0.1))
    monkeypatch.setattr(scale, "record", lambda *_: (30.0, 9.0))
    with pytest.raises(SystemExit, match="took no longer; the machine is too busy"):
        scale.frame_s(tmp_path, 1, arguments)
