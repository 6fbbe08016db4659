"""Workers that never come, and a node that is lost and replaced, on real raylets."""

import json
from pathlib import Path

import pytest

from trainer import checkpoint
from trainer.hardware import available_cpus

CLIENT = Path(__file__).parent / "clients" / "nodes.py"


def on_nodes(command_line, mode, recording):
    """What the client told, and the run's folder."""
    done = command_line.run(mode, recording, command_line.folder / "runs", timeout_s=420, program=CLIENT)
    assert done.returncode == 0, (done.stdout, done.stderr)
    told = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    return {line.pop("what"): line for line in told}, command_line.folder / "runs" / "nodes"


@pytest.mark.slow
def test_a_run_whose_workers_never_come_ends_with_a_sentence(command_line, recording):
    told, run = on_nodes(command_line, "starved", recording)
    sentence = told["error"]["sentence"]
    assert sentence.startswith("no worker was running for ")
    assert "1 worker(s) x 1 CPU needed, Ray has 0 CPU (0 free) on 1 node(s)" in sentence
    assert "--wait" in sentence and "The same command resumes" in sentence
    assert not (run / "summary.json").exists()


@pytest.mark.slow
@pytest.mark.skipif(available_cpus() < 2, reason="needs two cores")
def test_an_elastic_run_goes_on_alone_and_takes_a_new_node_in(command_line, recording):
    told, run = on_nodes(command_line, "elastic", recording)
    assert "stopped" in told and "error" not in told, told
    assert told["alone"]["after_s"] < 120  # the wait that was asked for
    found, skipped = checkpoint.newest(run)
    assert not skipped and found.path.name.endswith("-3")
    # Every line once, over all three starts.
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    steps = [line["step"] for line in lines if line["kind"] == "train"]
    assert steps == list(range(20, found.step + 1, 20))
    starts = [json.loads(line) for line in (run / "attempt-001" / "starts.jsonl").read_text().splitlines()]
    assert [start["workers"] for start in starts] == [2, 1, 2]
    assert 0 == starts[0]["step"] < starts[1]["step"] < starts[2]["step"] <= found.step
