"""Workers that never come; nodes that are lost, replaced, or taken away with a warning, on real raylets."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from trainer import checkpoint
from trainer.hardware import available_cpus
from trainer.job import Driver
from trainer.loop import Worker
from trainer.request import Workers

CLIENT = Path(__file__).parent / "clients" / "nodes.py"
TWO_CORES = pytest.mark.skipif(available_cpus() < 2, reason="needs two cores")


def on_nodes(command_line, mode, recording):
    """What the client told, and the run's folder."""
    done = command_line.run(mode, recording, command_line.folder / "runs", timeout_s=420, program=CLIENT)
    assert done.returncode == 0, (done.stdout, done.stderr)
    told = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    return {line.pop("what"): line for line in told}, command_line.folder / "runs" / "nodes"


def starts_of(run):
    return [json.loads(line) for line in (run / "attempt-001" / "starts.jsonl").read_text().splitlines()]


@pytest.mark.slow
def test_a_run_whose_workers_never_come_ends_with_a_sentence(command_line, recording):
    told, run = on_nodes(command_line, "starved", recording)
    sentence = told["error"]["sentence"]
    assert sentence.startswith("no worker was running for ")
    assert "1 worker(s) x 1 CPU needed, Ray has 0 CPU (0 free) on 1 node(s)" in sentence
    assert "--wait" in sentence and "The same command resumes" in sentence
    assert not (run / "summary.json").exists()


@pytest.mark.slow
@TWO_CORES
def test_a_fixed_run_waits_for_another_node_and_not_for_ever(command_line, recording, recovery):
    from tests.trainer.clients.nodes import WAIT_S  # with Ray

    told, run = on_nodes(command_line, "fixed", recording)
    recovery("a node lost, another one there", at_work_again_s=told["replaced"]["after_s"])
    recovery("a node lost for good", error_s=told["given up"]["after_s"])
    starts = starts_of(run)
    assert [start["workers"] for start in starts] == [2, 2] and 0 == starts[0]["step"] < starts[1]["step"]
    assert "2 worker(s) x 1 CPU needed, Ray has 1 CPU" in told["error"]["sentence"]
    assert told["given up"]["after_s"] < WAIT_S["fixed"] + 30
    found, _ = checkpoint.newest(run)
    assert found.step >= starts[1]["step"]


@pytest.mark.slow
@TWO_CORES
def test_an_elastic_run_loses_a_node_gets_another_and_is_warned_before_that_goes(
    command_line, recording, recovery, tmp_path
):
    from tests.trainer.clients.nodes import DEADLINE_S, request_on_nodes  # with Ray

    told, run = on_nodes(command_line, "elastic", recording)
    assert "stopped" in told and "error" not in told, told
    for what in ("alone", "together", "preempted"):
        recovery(f"2 -> 1 -> 2 -> 1 workers, {what}", at_work_again_s=told[what]["after_s"])
    recovery("the warning", saved_s=told["saved"]["after_s"])
    assert told["alone"]["after_s"] < 75  # Ray's own waits make it 79
    assert told["saved"]["after_s"] < DEADLINE_S
    found, skipped = checkpoint.newest(run)
    assert not skipped and found.path.name.endswith("-4")
    # Every line once, over all four starts.
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    steps = [line["step"] for line in lines if line["kind"] == "train"]
    assert steps == list(range(20, found.step + 1, 20))
    starts = starts_of(run)
    assert [start["workers"] for start in starts] == [2, 1, 2, 1]
    assert 0 == starts[0]["step"] < starts[1]["step"] < starts[2]["step"] < starts[3]["step"] <= found.step
    saved = re.search(r"step (\d+) is saved", (run / "attempt-001" / "notes.txt").read_text())
    assert starts[3]["step"] >= int(saved[1])
    # One worker that nothing happens to has the same bits: from where two were at work again. (All of a run: test_job.py.)
    kept = shutil.copytree(run.with_name("kept"), tmp_path / "alone" / "nodes")
    assert checkpoint.newest(kept)[0].path.name.endswith("-3")
    alone = one_worker(request_on_nodes("elastic", recording, tmp_path / "alone"), found.step)
    state = checkpoint.load(found)
    for kept, own in ((state.weights, alone.net.state_dict()), (state.average, alone.average)):
        assert all(torch.equal(value, own[name]) for name, value in kept.items())


def one_worker(request, steps):
    """The state of a run after so many steps, the last of them by one worker without Ray."""
    run = request.storage / request.run
    driver = Driver(replace(request, workers=1, min_workers=None), run, Workers(1, 1), local_ray=None)
    job = driver.make_job(driver.pack(driver.split.train), driver.pack(driver.split.val))
    threads = torch.get_num_threads()
    torch.set_num_threads(job.threads)
    try:
        worker = Worker(job, 0, 1, torch.device("cpu"))
        assert 0 < worker.step < steps
        with worker.batches() as batches:
            while worker.step < steps:
                worker.train_step(next(batches))
                worker.step += 1
    finally:
        torch.set_num_threads(threads)
    return worker
