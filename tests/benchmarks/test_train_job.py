"""`train-job` runs the command itself, in a Ray of its own."""

import json
import subprocess

import pytest

from benchmarks import train_job


def test_the_run_is_in_no_ray_of_somebody_else(tmp_path, monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.5:6379")
    seen = {}

    class clock:
        now_s = 0.0

    monkeypatch.setattr(train_job.time, "monotonic", lambda: clock.now_s)

    def run(command, env, **_):
        seen.update(command=command, env=env)
        (tmp_path / "one").mkdir()
        lines = [{"kind": "train", "pictures_per_s": rate} for rate in (1.0, 1.0, 1.0, 20.0, 30.0, 40.0)]
        (tmp_path / "one" / "metrics.jsonl").write_text("\n".join(map(json.dumps, lines)))
        (tmp_path / "one" / "summary.json").write_text(json.dumps({"first_step_s": 9.0}))
        (tmp_path / "one" / "config.json").write_text(json.dumps({"choices": [["batch", 5, "given"]]}))
        clock.now_s += 21.0
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(train_job.subprocess, "run", run)
    # 6 steps of 5 pictures at 30 a second are one of the 21 s.
    assert train_job.ours(tmp_path, tmp_path, "one", 1, 6) == (pytest.approx(30.0), 9.0, pytest.approx(20.0), 5)
    # `train` takes the address of a cluster only; where none is named, it starts a Ray of its own.
    assert "RAY_ADDRESS" not in seen["env"] and "PATH" in seen["env"]
    assert seen["command"][2] == "train"
