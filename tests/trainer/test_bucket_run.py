"""A whole run in S3, by the command line: killed amid an upload, resumed on another disk, busy storage, small cache."""

import json
import shutil
import time

import pytest

from tests.processes import wait_for
from tests.trainer.buckets import S3Server
from trainer.hardware import available_cpus

ARGUMENTS = [
    "--run", "town", "--workers", 2, "--size", "xs", "--cache-gb", 0.0003, "--set", "picture=[48,80]", "detail=1",
    "crop=[32,64]", "batch=4", "steps=100", "validations=2", "checkpoint_s=1", "precision=fp32",
]  # fmt: skip


@pytest.fixture(scope="module")
def server():
    with S3Server() as running:
        yield running


def manifests(server, run):
    return [name for name in server.names(f"runs/{run}/attempt-") if name.endswith("/manifest.json")]


def weights(server):
    return json.loads(server.read("runs/town/model/manifest.json"))["files"]["model.safetensors"]["sha256"]


@pytest.mark.slow
@pytest.mark.skipif(available_cpus() < 2, reason="needs two cores")
def test_a_run_in_a_bucket_survives_a_kill_amid_an_upload_and_a_busy_storage(server, command_line, recording, recovery):
    command_line.env |= server.env | {"XDG_CACHE_HOME": str(command_line.folder / "disk")}
    where = ["--data", recording, "--storage"]
    calm = command_line.run("train", *where, "s3://bkt/calm", *ARGUMENTS)
    assert calm.returncode == 0, (calm.stdout, calm.stderr)
    assert "model: s3://bkt/calm/town/model" in calm.stdout
    assert server.names("calm/cache/parts/") and not list((command_line.folder / "disk").rglob("train*.npy"))

    arguments = ["train", *where, "s3://bkt/runs", *ARGUMENTS]
    process = command_line.start(*arguments)
    wait_for(lambda: manifests(server, "town"), "a first checkpoint", process=process)
    # The next checkpoint's state takes its time; amid it the driver dies, and its workers with it.
    server.slow_s["state.safetensors"] = 8.0
    server.slowed.clear()
    assert server.slowed.wait(120)
    before = len(manifests(server, "town"))
    for pid in command_line.processes():
        command_line.kill(pid)
    process.communicate(timeout=300)
    wait_for(lambda: not command_line.processes(), "the end of what the driver had started")
    server.slow_s.clear()
    assert len(manifests(server, "town")) == before and not server.names("runs/town/model")

    # As on another machine: nothing is on its disk.
    shutil.rmtree(command_line.folder / "disk")
    begun = time.monotonic()
    process = command_line.start(*arguments)
    wait_for(lambda: [n for n in manifests(server, "town") if "attempt-002" in n], "a next checkpoint", process=process)
    recovery("the driver killed amid an upload to S3", checkpoint_s=time.monotonic() - begun)
    refused, server.busy = server.refused, 2
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, (out, err)
    assert server.refused == refused + 2
    assert "resuming from step" in out and "fresh run" not in out
    calm_model = json.loads(server.read("calm/town/model/manifest.json"))["files"]["model.safetensors"]["sha256"]
    assert weights(server) == calm_model
    lines = [json.loads(line) for line in server.read("runs/town/metrics.jsonl").splitlines()]
    assert [line["step"] for line in lines if line["kind"] == "train"] == list(range(1, 101))
    assert lines_without_times(lines) == lines_without_times(
        [json.loads(line) for line in server.read("calm/town/metrics.jsonl").splitlines()]
    )
    assert len([p for p in (command_line.folder / "disk").rglob("images.npy")]) <= 2

    # Finished, and known to be so on any machine; another seed is refused there too.
    shutil.rmtree(command_line.folder / "disk")
    again = command_line.run(*arguments)
    assert again.returncode == 0 and "is finished: 100 steps, model in s3://bkt/runs/town/model" in again.stdout
    other = command_line.run(*arguments, "seed=5")
    assert other.returncode == 1 and "recipe.seed was 0, now 5" in other.stderr


def lines_without_times(lines):
    return [{k: v for k, v in line.items() if k not in ("time_s", "pictures_per_s", "memory_mb")} for line in lines]


@pytest.mark.slow
def test_a_bucket_that_is_not_there_or_closed_is_a_sentence_at_once(server, command_line, recording):
    command_line.env |= server.env | {"XDG_CACHE_HOME": str(command_line.folder / "disk")}
    begun = time.monotonic()
    gone = command_line.run("train", "--data", recording, "--storage", "s3://gone/runs", *ARGUMENTS)
    assert gone.returncode == 1 and "s3://gone/runs/town: can't be used (there is no such bucket" in gone.stderr
    server.want_keys(True)
    try:
        closed = command_line.run("train", "--data", recording, "--storage", "s3://bkt/other", *ARGUMENTS)
    finally:
        server.want_keys(False)
    assert closed.returncode == 1 and "does not know this AWS_ACCESS_KEY_ID" in closed.stderr
    assert time.monotonic() - begun < 120 and "Traceback" not in gone.stderr + closed.stderr


@pytest.mark.slow
def test_a_dry_run_leaves_nothing_in_the_bucket(server, command_line, recording):
    command_line.env |= server.env | {"XDG_CACHE_HOME": str(command_line.folder / "disk")}
    done = command_line.run("train", "--data", recording, "--storage", "s3://bkt/dry", "--dry-run", *ARGUMENTS)
    assert done.returncode == 0, (done.stdout, done.stderr)
    assert "run folder s3://bkt/dry/town" in done.stdout and "nothing is kept" in done.stdout
    assert not server.names("dry")
