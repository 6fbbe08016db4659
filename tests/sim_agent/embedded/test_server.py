"""The server's loop: what it answers by itself, and that a fault does not end it."""

import logging
import subprocess
import sys
import threading

import pytest

from sim_agent.embedded.server import EmbeddedServer
from sim_agent.embedded.wire import structs
from sim_agent.embedded.wire.codec import wire_type
from sim_agent.embedded.wire.methods import METHODS
from tests.sim_agent.embedded.simulator import ROOT
from tests.sim_agent.embedded.wire.client import RpcClient


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with EmbeddedServer(quality="low", threads=1, recordings=tmp_path_factory.mktemp("recordings")) as server:
        yield server


@pytest.fixture
def running(server):
    server._ended = False
    thread = threading.Thread(target=server.run)
    thread.start()
    yield server
    server.end()
    thread.join(60.0)
    assert not thread.is_alive()


def settings_of(client):
    return client.call("get_episode_settings")


def encoded(settings):
    return METHODS["get_episode_settings"].encode_result(settings)


def test_the_settings_are_told_without_the_simulation(server):
    """Nobody runs it here: what is asked thousands of times a second does not wait for a tick."""
    with RpcClient(server.port) as client:
        for settings in (
            structs.EpisodeSettings(),
            structs.EpisodeSettings(synchronous_mode=True, fixed_delta_s=0.05),
            structs.EpisodeSettings(no_rendering_mode=True),
            structs.EpisodeSettings(),
        ):
            server.simulation.apply_settings(settings)
            assert settings_of(client) == encoded(settings)


def test_a_client_that_sets_them_gets_them_back(running):
    wanted = structs.EpisodeSettings(synchronous_mode=True, fixed_delta_s=0.1)
    with RpcClient(running.port) as client:
        client.call("set_episode_settings", wire_type(structs.EpisodeSettings).encode(wanted))
        assert settings_of(client) == encoded(wanted)
        client.call("load_new_episode", "", True, 0xFFFF)
        assert settings_of(client) == encoded(structs.EpisodeSettings())


def test_a_tick_that_fails_does_not_end_the_server(running, monkeypatch, caplog):
    passed, again, failures = threading.Event(), threading.Event(), []
    tick = running.simulation.tick

    def failing():
        failures.append(None)
        if len(failures) <= 3:
            raise RuntimeError("broken on purpose")
        passed.set()
        if len(failures) == 5:
            raise RuntimeError("broken again")
        if len(failures) > 5:
            again.set()
        return tick()

    with caplog.at_level(logging.ERROR):
        monkeypatch.setattr(running.simulation, "tick", failing)
        assert passed.wait(60.0) and again.wait(60.0)
        with RpcClient(running.port) as client:
            assert client.call("version") == [[1, "0.9.16"]]
        monkeypatch.undo()
    told = [record for record in caplog.records if "tick failed" in record.message]
    assert len(told) == 2
    assert "broken on purpose" in str(told[0].exc_info[1])


def test_as_a_module_it_is_the_verb():
    done = subprocess.run(
        [sys.executable, "-m", "sim_agent.embedded", "--port", "70000"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("carla-unet sim: --port 70000: expected 0 to 65534")
    assert done.stderr.count("\n") == 1
