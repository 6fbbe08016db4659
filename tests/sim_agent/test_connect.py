"""What is said of each thing that may be on a port; the servers here are threads that answer as they are told."""

import contextlib
import socket
import sys
import threading

import msgpack
import pytest

from sim_agent.connect import Rpc, State, client_version, compare_versions, import_carla, probe, wait_for_server
from sim_agent.errors import SimulatorError

pytest.importorskip("carla")


@contextlib.contextmanager
def listening(answer, port=0):
    """A server whose connections are handled by `answer(connection)`, one after the other; its port."""
    with socket.create_server(("127.0.0.1", port)) as server:
        connections = []

        def serve():
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    connections.append(connection)
                    with contextlib.suppress(OSError):
                        answer(connection)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        with contextlib.suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)
        for connection in connections:
            connection.close()
        thread.join(10)


def carla_server(version, loading=0):
    """Answers as CARLA does; the first `loading` calls of the game's own thread get no answer."""
    left = [loading]

    def answer(connection):
        unpacker = msgpack.Unpacker()
        while data := connection.recv(4096):
            unpacker.feed(data)
            for _, number, name, _ in unpacker:
                if name == "version":
                    value = version
                elif left[0] > 0:
                    left[0] -= 1
                    continue
                else:
                    value = [1, [b""]]
                connection.sendall(msgpack.packb([1, number, None, [[1, value]]]))

    return answer


def silent(connection):
    connection.recv(4096)


def hangs_up(connection):
    connection.recv(1)
    connection.close()


def web_server(connection):
    connection.recv(4096)
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")


def other_rpc(connection):
    unpacker = msgpack.Unpacker()
    unpacker.feed(connection.recv(4096))
    for _, number, _, _ in unpacker:
        connection.sendall(msgpack.packb([1, number, "no such function", None]))


def unused_port():
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        return closed.getsockname()[1]


@pytest.mark.parametrize(
    ("answer", "state", "version"),
    [
        (silent, State.SILENT, None),
        (hangs_up, State.SILENT, None),
        (web_server, State.FOREIGN, None),
        (other_rpc, State.FOREIGN, None),
        (carla_server("0.9.16", loading=1), State.LOADING, "0.9.16"),
        (carla_server("0.9.15"), State.READY, "0.9.15"),
    ],
)
def test_what_is_there_is_told_apart(answer, state, version):
    with listening(answer) as port:
        found = probe("127.0.0.1", port, timeout_s=0.5)
    assert (found.state, found.version) == (state, version)


def test_nothing_and_nowhere_are_told_apart():
    assert probe("127.0.0.1", unused_port()).state is State.NOTHING
    assert probe("no-such-host.invalid", 2000).state is State.UNKNOWN_HOST


def test_it_waits_for_nothing_then_silence_then_a_town_that_loads(monkeypatch):
    monkeypatch.setattr("sim_agent.connect._PROBE_S", 0.3)
    monkeypatch.setattr("sim_agent.connect._RETRY_S", 0.05)
    said, port, started, version = [], unused_port(), threading.Event(), []

    def say(line):
        said.append(line)
        started.set()

    waiter = threading.Thread(target=lambda: version.append(wait_for_server("127.0.0.1", port, 60, say)))
    waiter.start()
    assert started.wait(30)
    answers = iter([silent])
    loads = carla_server(client_version(), loading=2)
    with listening(lambda connection: next(answers, loads)(connection), port):
        waiter.join(30)
    assert version == [client_version()]
    assert [line.split(": ")[1].split(";")[0] for line in said] == [
        "nothing listens there yet",
        "something listens there but does not answer yet",
        "a CARLA server listens there and is still loading",
    ]
    assert all("waiting for " in line and line.endswith(" s more") for line in said)


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (None, "nothing listens there; start the CARLA server, or leave --host and --port out"),
        (silent, "something listens there but does not answer; is that the CARLA server's RPC port"),
        (carla_server("0.9.16", loading=99), "still loading; wait until"),
        (web_server, "is not a CARLA server; --port is the server's RPC port, 2000 by default"),
        (carla_server("0.9.13"), "the server is CARLA 0.9.13 and the installed client 0.9.16"),
    ],
)
def test_it_gives_up_with_one_sentence(answer, sentence, monkeypatch):
    monkeypatch.setattr("sim_agent.connect._PROBE_S", 0.2)
    with contextlib.ExitStack() as stack:
        port = stack.enter_context(listening(answer)) if answer else unused_port()
        with pytest.raises(SimulatorError) as error:
            wait_for_server("127.0.0.1", port, 0.5, lambda line: None)
    assert f"127.0.0.1:{port}" in str(error.value) and sentence in str(error.value)
    assert "\n" not in str(error.value)


def test_builds_of_one_release_fit():
    compare_versions("here", client_version())
    compare_versions("here", f"{client_version()}-2-gd7b45c1")
    compare_versions("here", "d7b45c1")
    for other in ("0.9.1", "0.9.161", "0.10.0"):
        with pytest.raises(SimulatorError, match="don't understand each other"):
            compare_versions("here", other)


def test_a_machine_without_the_client_hears_where_it_exists(monkeypatch):
    monkeypatch.setitem(sys.modules, "carla", None)
    with pytest.raises(SimulatorError, match="wheels exist for Linux x86-64 and Windows with CPython 3.10 to 3.12"):
        import_carla()


def test_an_endless_answer_costs_no_more_than_its_limit():
    def endless(connection):
        connection.recv(4096)
        while True:
            connection.sendall(b"\xc6\x7f\xff\xff\xff" + bytes(1 << 20))

    with listening(endless) as port, Rpc("127.0.0.1", port, 5.0) as rpc, pytest.raises(ValueError):
        rpc.call("version")
