"""`train-job` runs the command itself, in a Ray of its own."""

import json
import subprocess

import pytest

from benchmarks import train_job


def test_the_run_is_in_no_ray_of_somebody_else(tmp_path, monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.5:6379")
    seen = {}

    def run(command, env, **_):
        seen.update(command=command, env=env)
        (tmp_path / "one").mkdir()
        lines = [{"kind": "train", "pictures_per_s": rate} for rate in (1.0, 1.0, 1.0, 20.0, 30.0, 40.0)]
        (tmp_path / "one" / "metrics.jsonl").write_text("\n".join(map(json.dumps, lines)))
        (tmp_path / "one" / "summary.json").write_text(json.dumps({"first_step_s": 9.0}))
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(train_job.subprocess, "run", run)
    assert train_job.ours(tmp_path, tmp_path, "one", 1, 6) == (pytest.approx(30.0), 9.0)
    # `train` takes the address of a cluster only; where none is named, it starts a Ray of its own.
    assert "RAY_ADDRESS" not in seen["env"] and "PATH" in seen["env"]
    assert seen["command"][2] == "train"
