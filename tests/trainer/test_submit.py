"""`train --submit`: what goes to a cluster and what does not, its lines and exit code here, and how Ctrl-C ends it."""

import importlib.util
import io
import os
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import tyro

from tests.processes import wait_for
from tests.trainer.jobs import JobsOfOneMachine
from trainer import submit as submit_module
from trainer.errors import TrainingError, UsageError
from trainer.submit import JobServer, follow, make_package, packed_command, read_token, submit
from trainer.train_cli import TrainArguments

BASIC = ["--data", "/shared/a", "s3://b/c", "--run", "town", "--workers", "1:4"]


def parsed(*arguments):
    return tyro.cli(TrainArguments, args=[*BASIC, *map(str, arguments)])


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    for key in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        monkeypatch.delenv(key, raising=False)
    return tmp_path


@pytest.fixture
def cluster(tmp_path, home):
    folder = tmp_path / "cluster"
    folder.mkdir()
    with JobsOfOneMachine(folder) as server:
        yield server


def test_the_command_there_is_the_command_here(tmp_path, monkeypatch):
    mine = tmp_path / "my.yaml"
    mine.write_text("size: xs\n")
    given = parsed(
        "--submit",
        "http://h:8265",
        "--gpu",
        "--config",
        mine,
        "--set",
        "steps=7",
        "batch=4",
        "--storage",
        "s3://b/runs",
    )
    files, argv = packed_command(given)
    again = tyro.cli(TrainArguments, args=argv)
    assert again.submit is None and again.config == "given/config.yaml" and files[again.config] == mine
    for name in ("data", "run", "workers", "gpu", "set", "storage", "classes"):
        assert getattr(again, name) == getattr(given, name), name
    with pytest.raises(UsageError, match="--classes .*no.yaml: there is no such file"):
        packed_command(parsed("--classes", tmp_path / "no.yaml"))


def test_only_code_and_configurations_are_sent(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in (".env", "secret.pem", "data.tar", ".git/config", "runs/x/model.safetensors"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("secret")
    package = make_package(packed_command(parsed())[0])
    names = zipfile.ZipFile(io.BytesIO(package)).namelist()
    assert {"trainer/loop.py", "trainer/dataset/packed.py", "configs/train.yaml", "configs/models/live.yaml"} <= set(
        names
    )
    assert {name.partition("/")[0] for name in names} == {"trainer", "configs"}
    assert {Path(name).suffix for name in names} == {".py", ".yaml"}
    assert package == make_package(packed_command(parsed())[0])  # so the cluster has it already


def test_a_job_runs_there_and_its_exit_code_comes_back(cluster, monkeypatch, capfd):
    monkeypatch.setattr(submit_module, "_POLL_S", 0.05)
    missing = parsed("--config", "corsera")  # the training's own refusal: code 1
    assert submit(cluster.url, missing, {"AWS_REGION": "x"}) == 1
    out, err = capfd.readouterr()
    assert "did you mean 'coursera'?" in out or "/shared/a: no such folder" in out, out
    assert "failed: Job entrypoint command failed with exit code 1" in err
    wanted = next(iter(cluster.submitted.values()))
    assert wanted["submission_id"].startswith("carla-unet-town-")
    assert wanted["runtime_env"]["env_vars"] == {
        "AWS_REGION": "x",
        "RAY_JOB_STOP_WAIT_TIME_S": "60",
        "PYTHONUNBUFFERED": "1",
    }
    assert submit(cluster.url, missing, {}) == 1 and len(cluster.packages) == 1


def test_a_cluster_that_is_not_there_or_wants_a_token_is_a_sentence(cluster, home, monkeypatch):
    with pytest.raises(UsageError, match="expected the URL of a Ray dashboard"):
        JobServer("10.0.0.5:8265", None)
    with pytest.raises(TrainingError, match="nothing answers there"):
        JobServer("http://127.0.0.1:9", None).version()
    with pytest.raises(UsageError, match="say how many --workers"):
        submit(cluster.url, tyro.cli(TrainArguments, args=BASIC[:5]), {})
    cluster.token = "t" * 64
    with pytest.raises(TrainingError, match=r"wants a token \(401\).*RAY_AUTH_TOKEN or ~/.ray/auth_token"):
        submit(cluster.url, parsed(), {})
    monkeypatch.setenv("RAY_AUTH_TOKEN", "wrong")
    with pytest.raises(TrainingError, match=r"refuses this token \(401\)"):
        submit(cluster.url, parsed(), {})
    assert not cluster.packages and not cluster.submitted
    monkeypatch.setenv("RAY_AUTH_TOKEN", cluster.token)
    assert JobServer(cluster.url, read_token()).version() == "2.60.0"


def test_a_token_that_others_may_read_is_refused(home):
    assert read_token() is None
    file = home / ".ray" / "auth_token"
    file.parent.mkdir()
    file.write_text("secret\n")
    file.chmod(0o644)
    with pytest.raises(TrainingError, match="chmod 600"):
        read_token()
    file.chmod(0o600)
    assert read_token() == "secret"


def test_a_package_that_is_too_large_is_not_sent(cluster, monkeypatch, tmp_path):
    big = tmp_path / "big.yaml"
    big.write_bytes(os.urandom(2 << 20))
    monkeypatch.setattr(submit_module, "MOST_BYTES", 1 << 20)
    with pytest.raises(TrainingError, match=r"more than 1 MiB: .*big.yaml 2 MiB"):
        submit(cluster.url, parsed("--config", big), {})
    assert not cluster.packages


class OneJob:
    """A job that is interrupted at certain polls, and stops some polls after it was asked to."""

    url = "http://h:8265"

    def __init__(self, *events):
        self.events, self.asked = list(events), 0

    def details(self, job):
        event = self.events.pop(0) if self.events else "STOPPED" if self.asked else "SUCCEEDED"
        if isinstance(event, BaseException):
            raise event
        return {"status": event}

    def logs(self, job):
        return "a line\n"

    def stop(self, job):
        self.asked += 1


def test_ctrl_c_asks_whether_to_stop_or_to_leave(monkeypatch, capsys):
    monkeypatch.setattr(submit_module, "_POLL_S", 0.0)
    leaves = OneJob("RUNNING", KeyboardInterrupt(), "RUNNING")
    with pytest.raises(KeyboardInterrupt):
        follow(leaves, "j", lambda question: "leave" if "[stop/leave]" in question else "?")
    assert leaves.asked == 0 and "job j goes on" in capsys.readouterr().out
    stops = OneJob("RUNNING", KeyboardInterrupt(), "RUNNING")
    with pytest.raises(KeyboardInterrupt):
        follow(stops, "j", lambda _: "stop")
    assert stops.asked == 1
    unasked = OneJob(KeyboardInterrupt(), "RUNNING", "RUNNING")
    with pytest.raises(KeyboardInterrupt):
        follow(unasked, "j", None)
    assert unasked.asked == 1 and capsys.readouterr().out.count("a line") == 2  # of each once


def test_a_cluster_that_is_away_for_a_moment_is_waited_for(monkeypatch, capsys):
    monkeypatch.setattr(submit_module, "_POLL_S", 0.0)
    assert follow(OneJob("RUNNING", submit_module.Away("x"), "RUNNING"), "j", None) == 0
    assert capsys.readouterr().out == "a line\n"
    monkeypatch.setattr(submit_module, "_AWAY_S", 0.0)
    with pytest.raises(TrainingError):
        follow(OneJob(*[submit_module.Away("x")] * 1000), "j", None)


SMALL = [
    "--size", "xs", "--workers", 1, "--set", "picture=[48,80]", "crop=[32,64]", "batch=4", "validations=1", "precision=fp32",
]  # fmt: skip


@pytest.mark.slow
def test_a_training_runs_from_its_package_alone_and_stops_by_ctrl_c(command_line, recording, cluster):
    """The package and the command are enough; the cluster is a process of this machine."""
    arguments = ["train", "--submit", cluster.url, "--data", recording, "--storage", command_line.folder / "runs"]
    cluster.env |= command_line.env
    good = command_line.run(*arguments, "--run", "good", *SMALL, "steps=10")
    assert good.returncode == 0 and "finished: 10 steps" in good.stdout, (good.stdout, good.stderr)
    process = command_line.start(*arguments, "--run", "long", *SMALL, "steps=100000", "checkpoint_s=1")
    run = command_line.folder / "runs" / "long"
    wait_for(lambda: list(run.glob("attempt-*/step_*")), "a checkpoint", process=process)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 130 and "saved; the same command goes on" in out, (out, err)
    assert not (run / "summary.json").exists()


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("aiohttp") is None, reason="Ray's dashboard needs ray[default]")
def test_a_training_runs_on_a_real_head_with_its_token_and_not_without(command_line, recording, tmp_path):
    home = tmp_path / "home"
    (home / ".ray").mkdir(parents=True)
    token = home / ".ray" / "auth_token"
    token.write_text("5" * 64)
    token.chmod(0o600)
    command_line.env |= {"HOME": str(home), "RAY_AUTH_MODE": "token"}
    for key in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        command_line.env.pop(key, None)
    head = subprocess.Popen(
        [sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block", "--num-cpus=2", "--port=6391",
         "--dashboard-port=8271", "--disable-usage-stats"],
        env=command_line.env, cwd=tmp_path, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        server = JobServer("http://127.0.0.1:8271", "5" * 64)

        def up():
            try:
                return server.version()
            except TrainingError:
                return None

        wait_for(up, "the dashboard", timeout_s=120)
        arguments = ["train", "--submit", server.url, "--data", recording, "--storage", command_line.folder / "runs"]
        done = command_line.run(*arguments, "--run", "good", *SMALL, "steps=10")
        assert done.returncode == 0 and "finished: 10 steps" in done.stdout, (done.stdout, done.stderr)
        bad = command_line.run(*arguments, "--run", "bad", *SMALL, "steps=10", "crop=[33,64]")
        assert bad.returncode == 1 and "multiples of" in bad.stdout, (bad.stdout, bad.stderr)
        token.unlink()
        none = command_line.run(*arguments, "--run", "none", *SMALL, "steps=10")
        assert none.returncode == 1 and "wants a token (401)" in none.stderr
    finally:
        head.terminate()
        head.wait(60)
