"""The models of `scale`, their rows, and the recordings that it asks for."""

import json
import subprocess
from pathlib import Path

import pytest

from benchmarks import scale
from benchmarks.scale import RecorderModel, Sample, WorkerModel, recorder_rows, worker_rows
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


class Recording:
    """A `record` that writes what its plan asks for, less some frames, or fails."""

    pid = 0

    def __init__(self, asked, less=0, code=0):
        self._asked, self._less, self._code = asked, less, code

    def __call__(self, command, **_):
        plan = load_yaml(Path(command[command.index("--config") + 1]))
        self._asked.append((plan, command[command.index("--simulators") + 1]))
        told = {"frames": plan["episodes"] * plan["frames"] - self._less}
        Path(command[command.index("--json") + 1]).write_text(json.dumps(told))
        self._shard = Path(command[command.index("--out") + 1]) / "episodes" / "e" / "shard-00000.tar"
        self._shard.parent.mkdir(parents=True)
        self._bytes = 0
        return self

    def wait(self, timeout):
        self._bytes += 100
        self._shard.write_bytes(bytes(min(self._bytes, 400)))
        if self._bytes <= 500:
            raise subprocess.TimeoutExpired("record", timeout)
        return self._code


def test_every_recorder_has_an_episode_of_its_own(tmp_path, monkeypatch):
    from sim_agent.record_config import load_record_config

    asked = []
    monkeypatch.setattr(scale.subprocess, "Popen", Recording(asked))
    wall_s, cpu_s = scale.record(tmp_path, 2, 30, "320x180", "low")
    plan, simulators = asked[0]
    assert (plan["episodes"], plan["frames"], simulators) == (2, 30, "2") and wall_s > 0.0 and cpu_s >= 0.0
    assert load_record_config(**plan).cameras[0].width == 320


@pytest.mark.parametrize(
    ("less", "code", "words"), [(1, 0, "2 recorders gave 59 frames of 60"), (0, 1, "`record` with 2 simulators failed")]
)
def test_a_recording_that_is_not_whole_is_no_measurement(less, code, words, tmp_path, monkeypatch):
    monkeypatch.setattr(scale.subprocess, "Popen", Recording([], less, code))
    with pytest.raises(SystemExit, match=words):
        scale.record(tmp_path, 2, 30, "320x180", "low")


def test_only_the_time_in_which_it_grows_counts():
    sizes = [0, 0, 10, 30, 60, 100, 100, 100]
    samples = [Sample(size, 100.0 + k, 7.0 + 2 * k) for k, size in enumerate(sizes)]
    # From 30 to 100 bytes of 100: 70 % of the frames in 2 s.
    assert scale.frame_s(samples, 40) == pytest.approx((2 / 28, 4 / 28))
    with pytest.raises(SystemExit, match="is over too soon to be timed"):
        scale.frame_s([samples[0], samples[-1]], 40)
    with pytest.raises(SystemExit, match="is over too soon to be timed"):
        scale.frame_s(samples[:2], 40)
