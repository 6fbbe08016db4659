from __future__ import annotations

import socket
import threading
import time
from typing import Any

import msgpack
import pytest

from sim_agent.embedded.wire import rpc, structs
from sim_agent.embedded.wire.codec import WireError
from sim_agent.embedded.wire.rpc import RpcServer
from tests.sim_agent.embedded.wire.client import DEADLINE_S, RpcClient
from tests.sim_agent.embedded.wire.conftest import Echo

CONTROL = [0.5, 0.0, 0.0, False, False, False, 0]


@pytest.fixture
def server():
    server = RpcServer()
    yield server
    server.close()


def test_a_call_and_its_answer(echo: Echo) -> None:
    with RpcClient(echo.server.port) as client:
        assert client.call("tick_cue") == [[1, 1]]
        assert client.call("tick_cue") == [[1, 2]]
        assert client.call("apply_batch", [[[1, [7]]]], False) == [[[1, 1]]]


def test_bytes_of_an_answer(server: RpcServer) -> None:
    with RpcClient(server.port) as client:
        client.send(bytes.fromhex("94 00 05 a8") + b"tick_cue" + bytes.fromhex("91 91 c2"))
        call = server.next_call(DEADLINE_S)
        assert call is not None and (call.name, call.args, call.is_async) == ("tick_cue", (), False)
        call.reply(300)
        assert client.sock.recv(100) == bytes.fromhex("94 01 05 c0 91 92 01 cd012c")


@pytest.mark.parametrize(
    ("name", "arguments", "answer"),
    [
        (
            "fly",
            [],
            [[0, ["fly is no method of CARLA 0.9.16's server, so it cannot be called; use a client of that version"]]],
        ),
        ("tick_cue", [1], [[0, ["tick_cue has 1 arguments, but 0 are expected; send none"]]]),
        ("set_actor_dead", ["x"], "set_actor_dead refuses its arguments: actor is 'x'"),
        (
            "apply_batch",
            [[[[1, ["x"]]], [[1, [2]]]], False],
            "apply_batch refuses its arguments: commands[0].actor is 'x'",
        ),
        ("apply_batch", [[], 1], "apply_batch refuses its arguments: do_tick is 1"),
        ("version", ["x"], "version has 1 arguments"),
    ],
)
def test_a_refusal_has_the_form_of_its_method_and_costs_nothing(
    echo: Echo, name: str, arguments: list[Any], answer: Any
) -> None:
    with RpcClient(echo.server.port) as client:
        got = client.call(name, *arguments)
        assert got == answer or answer in str(got)
        forms = {"set_actor_dead": True, "version": 0, "tick_cue": 0, "fly": 0}
        if name in forms:
            assert got[0][0] is forms[name] or got[0][0] == forms[name]
        elif arguments[0]:
            assert [entry[0][0] for entry in got] == [0, 0]
        assert client.call("tick_cue") == [[1, 1]]


def test_an_asynchronous_call_is_not_answered(server: RpcServer) -> None:
    with RpcClient(server.port) as client:
        client.request("apply_control_to_vehicle", 7, CONTROL, is_async=True)
        client.request("apply_control_to_vehicle", 7, ["bad"], is_async=True)
        client.send(msgpack.packb([2, "apply_control_to_vehicle", [[False], 8, CONTROL]]))
        client.request("version")
        names = []
        while len(names) < 3:
            call = server.next_call(DEADLINE_S)
            assert call is not None
            names.append((call.name, call.args[:1]))
            if call.name == "version":
                call.reply("0.9.16")
            else:
                assert call.is_async
                assert call.args.control == structs.VehicleControl(0.5)
        assert names == [("apply_control_to_vehicle", (7,)), ("apply_control_to_vehicle", (8,)), ("version", ())]
        assert client.receive() == [1, 3, None, [[1, "0.9.16"]]]


def test_requests_keep_their_order(server: RpcServer) -> None:
    with RpcClient(server.port) as client:
        client.send(b"".join(msgpack.packb([0, n, "set_actor_dead", [[n % 2 == 0], n]]) for n in range(3000)))
        seen = []
        while len(seen) < 3000:
            call = server.next_call(DEADLINE_S)
            assert call is not None
            seen.append(call.args.actor)
            if not call.is_async:
                call.reply()
        assert seen == list(range(3000))


def test_a_call_is_answered_once_and_with_the_right_type(server: RpcServer) -> None:
    with RpcClient(server.port) as client:
        client.request("version")
        call = server.next_call(DEADLINE_S)
        assert call is not None
        with pytest.raises(WireError, match="version cannot answer"):
            call.reply(5)
        call.fail("not today \ud800")
        with pytest.raises(RuntimeError, match="answered already"):
            call.reply("0.9.16")
        assert client.receive() == [1, 1, None, [[0, ["not today \\ud800"]]]]


def test_next_call_waits_as_long_as_told(server: RpcServer) -> None:
    assert server.next_call(0) is None
    began = time.monotonic()
    assert server.next_call(0.05) is None
    assert 0.04 < time.monotonic() - began < DEADLINE_S


def test_a_constant_needs_no_simulation(server: RpcServer) -> None:
    server.set_constant("get_episode_settings", structs.EpisodeSettings(max_substeps=5))
    with RpcClient(server.port) as client:
        assert client.call("get_episode_settings")[0][1][5] == 5
        server.set_constant("get_episode_settings", structs.EpisodeSettings(max_substeps=6))
        assert client.call("get_episode_settings")[0][1][5] == 6
        server.remove_constant("get_episode_settings")
        client.request("get_episode_settings")
        call = server.next_call(DEADLINE_S)
        assert call is not None and call.name == "get_episode_settings"
    with pytest.raises(WireError):
        server.set_constant("get_episode_settings", 3)
    with pytest.raises(KeyError):
        server.set_constant("fly", 3)


@pytest.mark.parametrize("is_async", [False, True])
def test_a_constant_does_not_overtake_an_earlier_call(server: RpcServer, is_async: bool) -> None:
    server.set_constant("version", "old")
    with RpcClient(server.port) as client:
        client.request("set_actor_dead", 7, is_async=is_async)
        client.request("version")
        call = server.next_call(DEADLINE_S)
        assert call is not None and call.name == "set_actor_dead"
        server.set_constant("version", "new")
        call.reply()
        assert server.next_call(0.2) is None
        if not is_async:
            assert client.receive()[1] == 1
        assert client.receive() == [1, 2, None, [[1, "new"]]]


def test_two_clients(server: RpcServer) -> None:
    with RpcClient(server.port) as one, RpcClient(server.port) as two:
        one.request("version")
        first = server.next_call(DEADLINE_S)
        two.request("version")
        second = server.next_call(DEADLINE_S)
        assert first is not None and second is not None and first.client != second.client
        second.reply("two")
        first.reply("one")
        assert (one.receive()[3], two.receive()[3]) == ([[1, "one"]], [[1, "two"]])


def test_a_client_that_has_gone_is_forgotten(server: RpcServer) -> None:
    with RpcClient(server.port) as client:
        client.request("version")
        call = server.next_call(DEADLINE_S)
    with RpcClient(server.port) as other:
        other.request("version")
        later = server.next_call(DEADLINE_S)
        assert call is not None and later is not None
        call.reply("to nobody")
        later.reply("0.9.16")
        assert other.receive()[3] == [[1, "0.9.16"]]
        until(lambda: server.clients == 1)


def until(condition: Any, timeout_s: float = DEADLINE_S) -> None:
    """Other threads' doings have no event to wait for from outside."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def test_close_ends_everything_at_once() -> None:
    server = RpcServer()
    ended = threading.Event()
    thread = threading.Thread(target=lambda: (server.next_call(), ended.set()))
    thread.start()
    with RpcClient(server.port) as client:
        client.request("version")
        assert ended.wait(DEADLINE_S)
        thread.join()
        waiter = threading.Thread(target=server.next_call)
        waiter.start()
        began = time.monotonic()
        server.close()
        waiter.join(DEADLINE_S)
        assert not waiter.is_alive()
        assert client.is_cut_off()
        assert time.monotonic() - began < DEADLINE_S
    assert server.next_call() is None
    server.close()
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", server.port), timeout=DEADLINE_S)


def test_a_client_that_does_not_read_is_dropped_and_hurts_nobody(echo: Echo) -> None:
    with RpcClient(echo.server.port) as greedy, RpcClient(echo.server.port) as other:
        greedy.sock.settimeout(0.5)
        try:
            for _ in range(200):
                # each is answered with a MiB
                greedy.request("get_map_data")
        except OSError:
            pass
        greedy.sock.settimeout(DEADLINE_S)
        assert other.call("version") == [[1, "0.9.16"]]
        assert echo.server._buffered <= rpc.MAX_BACKLOG + (2 << 20)
    until(lambda: echo.server.clients == 0 and echo.server._buffered == 0)


def test_calls_that_wait_are_bounded(echo: Echo) -> None:
    echo.released.clear()
    with RpcClient(echo.server.port) as client:
        count = 20 * rpc.MAX_PENDING
        data = b"".join(msgpack.packb([0, n, "tick_cue", [[False]]]) for n in range(count))
        sender = threading.Thread(target=client.send, args=(data,))
        sender.start()
        until(
            lambda: (
                echo.server._connections
                and max(c.pending for c in echo.server._connections.values()) >= rpc.MAX_PENDING
            )
        )
        assert echo.server._calls.qsize() <= rpc.MAX_PENDING
        echo.released.set()
        assert [client.receive()[1] for _ in range(count)] == list(range(count))
        sender.join()


def test_an_opendrive_text_of_megabytes_comes_through(server: RpcServer) -> None:
    with RpcClient(server.port) as client:
        text = "<x/>" * (2 << 20)
        sender = threading.Thread(target=client.request, args=("copy_opendrive_to_file", text, [2.0]))
        sender.start()
        call = server.next_call(20.0)
        sender.join()
        assert call is not None and call.args.opendrive == text
        call.reply()
        assert client.receive()[3] == [[False]]
        until(lambda: server._buffered == 0)


def test_round_trip_is_quick(echo: Echo) -> None:
    with RpcClient(echo.server.port) as client:
        times = []
        for _ in range(300):
            began = time.perf_counter()
            client.call("tick_cue")
            times.append(time.perf_counter() - began)
    # 0.1 ms on an idle machine, of which this client is the larger part; ten times that says that something waits
    assert sorted(times)[len(times) // 2] < 0.001
