"""A drive whose camera is taken away, whose engine is far too slow, whose window is closed in mid-frame."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from tests.sim_agent.embedded.simulator import Simulator
from tests.sim_agent.jobs import Jobs
from tests.sim_agent.test_drive import INFO, NETWORK, SMALL
from trainer.model_dir import save_model
from trainer.unet import UNet

pytestmark = pytest.mark.slow
MEDDLER = Path(__file__).parent / "clients" / "meddler.py"


@pytest.fixture(scope="module")
def simulator(tmp_path_factory):
    pytest.importorskip("carla")
    started = Simulator(tmp_path_factory.mktemp("driving"), "--quality", "low")
    try:
        yield started
    finally:
        assert started.end() == 0, started.log.read_text()[-3000:]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    torch.manual_seed(0)
    return save_model(tmp_path_factory.mktemp("model") / "model", UNet(NETWORK).state_dict(), INFO)


@pytest.fixture
def jobs(tmp_path):
    runner = Jobs(tmp_path)
    yield runner
    runner.end_all()


def left(jobs, simulator):
    seen = jobs.run("look", simulator.port)
    return seen["synchronous"], [kind for kind in seen["actors"] if kind.startswith(("vehicle", "sensor"))]


def test_a_camera_that_another_program_destroys_is_put_on_again(simulator, jobs, model, tmp_path):
    job = jobs.start(
        "verb", "--model", model, "--host", "127.0.0.1", "--port", simulator.port, "--headless", "--frames", 250,
        "--json", "result.json", *SMALL,
    )  # fmt: skip
    subprocess.run([sys.executable, str(MEDDLER), str(simulator.port), "blind"], check=True, timeout=200)
    assert job.ended() == 0, job.log()
    assert job.log().count("another program destroyed sensor.camera.rgb; the cameras are put on again") == 1
    result = json.loads((tmp_path / "result.json").read_text())
    assert result["frames"] >= 250 and result["masks"] + result["dropped"] > 200, "pictures come again"
    assert left(jobs, simulator) == (False, [])


def test_a_slow_engine_holds_no_steering_up_and_no_end(simulator, jobs, model):
    """The engine takes ten steps of the simulator; then the window is closed while it computes."""
    job = jobs.start("closing", simulator.port, model)
    assert job.ended() == 0, job.log()
    told = job.told[-1]
    assert "error" not in told, told
    assert told["was_computing"], "the end came in mid-frame"
    engine_ms = told["engine_ms"]["p50"]
    assert engine_ms > 400.0 and told["age_ms"] > 400.0 and told["dropped"] > told["masks"]
    # Whoever waited for masks would take as long as they do.
    assert told["steer_ms"]["p50"] < engine_ms / 2.0 and statistics.median(told["key_ms"]) < engine_ms / 2.0
    assert left(jobs, simulator) == (False, [])
