"""Other programs at the same simulator and at the same folder while a recording goes on."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.processes import wait_for
from tests.sim_agent.recording import RecordCommand, frames_on_disk
from trainer.dataset.recording import RecordingSource

pytestmark = pytest.mark.slow
MEDDLER = Path(__file__).parent / "clients" / "meddler.py"
FRAMES = 150
PLAN = ("--episodes", 1, "--frames", FRAMES, "--towns", "Town01", "--vehicles", 3, "--walkers", 0)


@pytest.fixture
def command(tmp_path):
    pytest.importorskip("carla")
    runner = RecordCommand(tmp_path)
    yield runner
    runner.end_all()


def test_a_vehicle_that_is_destroyed_is_noticed_and_its_episode_taken_again(command):
    ready = command.folder / "ready"
    server = command.start("sim", "--port", 0, "--quality", "low", "--ready-file", ready)
    wait_for(ready.exists, "the simulator", process=server)
    port = ready.read_text().split()[0]
    process = command.record(*PLAN, "--host", "127.0.0.1", "--port", port)
    wait_for(lambda: len(frames_on_disk(command.out)) > 3, "frames", process=process)
    subprocess.run([sys.executable, str(MEDDLER), port, "destroy"], check=True, timeout=120)
    # the same command elsewhere at the same folder is refused while this one writes
    code, out, err = command.finish(command.record(*PLAN, "--host", "127.0.0.1", "--port", port))
    assert code == 1 and "another process is writing this recording" in err and "Traceback" not in err
    code, out, err = command.finish(process)
    assert code == 0, out + err
    episodes = RecordingSource(command.out).episodes
    assert [info.ended for info in episodes.values()] == ["vehicle gone", "done"]
    assert sum(info.frames for info in episodes.values()) == FRAMES == len(frames_on_disk(command.out))
    code, out, err = command.finish(command.start("data", "check", command.out))
    assert code == 0, out + err
    server.send_signal(signal.SIGINT)
    assert command.finish(server)[0] == 0
