"""The embedded simulator as a process of ours: its progress, its end, and what is said when it ends by itself."""

import os
import signal
import threading
from types import SimpleNamespace

import pytest

from sim_agent.connect import State, probe
from sim_agent.errors import SimulatorError
from sim_agent.server_process import ServerProcess, start_module
from tests.processes import wait_for
from tests.sim_agent.jobs import is_running


def test_it_starts_on_a_free_port_with_progress_and_ends():
    said = []
    with ServerProcess("Town02", quality="low", say=said.append) as server:
        assert probe(server.host, server.port).state is State.READY
        assert server.crash() is None
        pid = server.pid
        assert said[0] == "embedded simulator: Town02, quality low ..."
    assert not is_running(pid)
    assert probe(server.host, server.port).state is State.NOTHING


def test_a_town_that_is_not_there_is_one_sentence():
    with pytest.raises(SimulatorError) as error:
        ServerProcess("Town77")
    assert str(error.value).startswith(
        "the embedded simulator did not start: --town: map 'Town77' not found; there are "
    )
    assert "\n" not in str(error.value)


def test_its_death_is_told_with_the_end_of_its_log(server):
    with ServerProcess(quality="low") as other:
        os.kill(other.pid, signal.SIGKILL)
        said = wait_for(other.crash, "the end of the simulator")
        assert said.startswith("the embedded simulator was killed by signal 9 (Killed) in the middle of the job; start")
        assert said.splitlines()[-1] == f"  ready: carla.Client('127.0.0.1', {other.port}); Ctrl-C ends it"
    assert server.crash() is None


def test_it_ends_when_its_start_is_interrupted(monkeypatch):
    started = []

    class Interrupted(threading.Event):
        def wait(self, timeout=None):
            raise KeyboardInterrupt

    def start(*arguments):
        started.append(start_module(*arguments))
        return started[0]

    monkeypatch.setattr("sim_agent.server_process.start_module", start)
    monkeypatch.setattr(
        "sim_agent.server_process.threading", SimpleNamespace(Event=Interrupted, Thread=threading.Thread)
    )
    with pytest.raises(KeyboardInterrupt):
        ServerProcess(quality="low")
    assert started[0].returncode is not None
