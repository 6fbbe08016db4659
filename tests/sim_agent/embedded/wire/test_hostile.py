"""Bytes that no client sends: each may cost its own connection, and nothing else."""

from __future__ import annotations

import random
import socket
import struct
import tracemalloc
from typing import Any

import msgpack
import pytest

from sim_agent.embedded.wire import framing, rpc
from sim_agent.embedded.wire.methods import METHODS
from sim_agent.embedded.wire.streams import StreamServer
from tests.sim_agent.embedded.wire.client import RpcClient, Subscriber
from tests.sim_agent.embedded.wire.conftest import Echo
from tests.sim_agent.embedded.wire.test_rpc import until

VERSION = msgpack.packb([0, 1, "version", [[False]]])
BOMBS = {
    "not msgpack": b"\xc1" * 10,
    "nothing of the kind": b"GET / HTTP/1.1\r\n\r\n",
    "a number": b"\x05",
    "an empty array": b"\x90",
    "an answer": msgpack.packb([1, 1, None, 5]),
    "an unknown kind": msgpack.packb([7, 1, "version", [[False]]]),
    "no metadata": msgpack.packb([0, 1, "version", []]),
    "metadata of another kind": msgpack.packb([0, 1, "version", [False]]),
    "a negative id": msgpack.packb([0, -1, "version", [[False]]]),
    "an id of 64 bits": msgpack.packb([0, 1 << 40, "version", [[False]]]),
    "a name of bytes": msgpack.packb([0, 1, b"version", [[False]]]),
    "a map": msgpack.packb([0, 1, "version", [[False], {"a": 1}]]),
    "a map for a message": b"\x81\x01\x02",
    "an extension": msgpack.packb([0, 1, "version", [[False], msgpack.ExtType(5, b"x")]]),
    "a timestamp": msgpack.packb([0, 1, "version", [[False], msgpack.Timestamp(1)]]),
    "deep": b"\x91" * 5000,
    "deep in a call": b"\x94\x00\x01\xa7version\x92\x91\xc2" + b"\x91" * 5000,
}
PROMISES = {
    "array": b"\x94\x00\x01\xa7version\xdd\xff\xff\xff\xff",
    "nested arrays": b"\xdd\xff\xff\xff\xff" * 500,
    "map": b"\x94\x00\x01\xa7version\xdf\xff\xff\xff\xff",
    "string": b"\x94\x00\x01\xdb\xff\xff\xff\xff",
    "binary": b"\xc6\xff\xff\xff\xff",
    "extension": b"\xc9\xff\xff\xff\xff\x01",
}


@pytest.mark.parametrize("what", sorted(BOMBS))
def test_a_bomb_costs_its_connection_which_is_told_why(echo: Echo, what: str) -> None:
    with RpcClient(echo.server.port) as other, RpcClient(echo.server.port) as client:
        client.send(BOMBS[what])
        kind, _, error, result = client.receive()
        assert (kind, result) == (1, None)
        assert isinstance(error, str) and ";" in error
        assert client.is_cut_off()
        assert other.call("version") == [[1, "0.9.16"]]


@pytest.mark.parametrize("what", sorted(PROMISES))
def test_a_promise_costs_no_memory(echo: Echo, what: str) -> None:
    tracemalloc.start()
    try:
        with RpcClient(echo.server.port) as client, RpcClient(echo.server.port) as other:
            client.send(PROMISES[what])
            assert other.call("version") == [[1, "0.9.16"]]
            assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()


def test_good_calls_before_a_bomb_are_answered(echo: Echo) -> None:
    with RpcClient(echo.server.port) as client:
        assert client.call("version") == [[1, "0.9.16"]]
        client.send(b"\xc1")
        assert client.receive()[2].startswith("the message is no msgpack")
        assert client.is_cut_off()


def test_a_message_above_the_limit() -> None:
    echo = Echo(max_message=2 << 20)
    try:
        with RpcClient(echo.server.port) as client:
            client.send(VERSION)
            assert client.receive()[3] == [[1, "0.9.16"]]
            piece = b"x" * (1 << 16)
            with pytest.raises((OSError, AssertionError)):
                client.send(b"\xdb\x7f\xff\xff\xff")
                for _ in range(200):
                    client.send(piece)
                raise AssertionError("13 MiB were taken")
        with RpcClient(echo.server.port) as client:
            assert client.call("version") == [[1, "0.9.16"]]
        until(lambda: echo.server._buffered == 0)
    finally:
        echo.close()


def test_a_long_message_of_many_elements_is_refused(echo: Echo) -> None:
    many = msgpack.packb([0, 1, "get_actors_by_id", [[False], [[]] * (2 << 20)]])
    with RpcClient(echo.server.port) as client:
        client.send(many)
        assert "elements, which is the limit" in client.receive()[2]
        assert client.is_cut_off()


def test_many_half_messages_stay_within_the_servers_budget(monkeypatch: pytest.MonkeyPatch, echo: Echo) -> None:
    monkeypatch.setattr(rpc, "MAX_BUFFERED", 8 << 20)
    half = b"\xc6\x02\x00\x00\x00" + b"x" * (1 << 20)
    clients = [RpcClient(echo.server.port) for _ in range(12)]
    try:
        cut = 0
        for client in clients:
            try:
                client.send(half)
            except OSError:
                cut += 1
        with RpcClient(echo.server.port) as other:
            assert other.call("version") == [[1, "0.9.16"]]
            until(lambda: echo.server.clients < 13)
            assert echo.server._buffered <= 9 << 20
    finally:
        for client in clients:
            client.sock.close()
    until(lambda: echo.server._buffered == 0)


def test_idle_connections_make_room(monkeypatch: pytest.MonkeyPatch, echo: Echo) -> None:
    monkeypatch.setattr(rpc, "MAX_CLIENTS", 4)
    with RpcClient(echo.server.port) as first:
        assert first.call("version") == [[1, "0.9.16"]]
        idle = [RpcClient(echo.server.port) for _ in range(10)]
        with RpcClient(echo.server.port) as last:
            assert last.call("version") == [[1, "0.9.16"]]
            assert first.call("version") == [[1, "0.9.16"]]
            assert echo.server.clients <= 4
        for client in idle:
            client.sock.close()


def test_a_message_in_single_bytes(echo: Echo) -> None:
    with RpcClient(echo.server.port) as client:
        for byte in VERSION:
            client.send(bytes([byte]))
        assert client.receive() == [1, 1, None, [[1, "0.9.16"]]]


@pytest.mark.parametrize(
    "value", [None, True, -1, 1 << 63, 0.5, float("nan"), "x", b"x", [], [[]], [[[[]]]], [False], [1, 2, 3] * 9]
)
def test_every_method_refuses_nonsense_or_takes_it(echo: Echo, value: Any) -> None:
    with RpcClient(echo.server.port) as client:
        for name, method in METHODS.items():
            answer = client.call(name, *[value] * len(method.parameters))
            assert isinstance(answer, (list, str))


def test_counting_elements_agrees_with_msgpack() -> None:
    rng = random.Random(0)

    def anything(levels: int) -> Any:
        if levels and rng.random() < 0.5:
            if rng.random() < 0.3:
                return {rng.randrange(1 << 40): anything(levels - 1) for _ in range(rng.choice((0, 3, 20)))}
            return [anything(levels - 1) for _ in range(rng.choice((0, 3, 20)))]
        size = rng.choice((0, 5, 40, 300, 70_000))
        choices = (None, True, 5, -5, -100, 200, -40_000, 70_000, -(1 << 40), 1 << 63, 0.5, "x" * size, b"x" * size)
        return rng.choice((*choices, msgpack.ExtType(4, b"x" * rng.choice((1, 2, 3, 4, 8, 16, 300, 70_000)))))

    def count(value: Any) -> int:
        if isinstance(value, dict):
            return 1 + sum(1 + count(entry) for entry in value.values())
        return 1 + (sum(map(count, value)) if isinstance(value, list) else 0)

    for _ in range(300):
        value = anything(3)
        expected = count(value)
        assert framing.count_elements(msgpack.packb(value), 1 << 30) == expected
        assert framing.count_elements(msgpack.packb(value), 5) <= 6


def requests(rng: random.Random) -> bytes:
    """A request, good or mutated, or noise."""

    def value(levels: int = 3) -> Any:
        if levels and rng.random() < 0.5:
            return [value(levels - 1) for _ in range(rng.randrange(6))]
        return rng.choice((0, 1, 7, -1, 1 << 40, 0.5, float("inf"), True, False, None, "", "x", b"", b"xy"))

    kind = rng.randrange(10)
    if kind == 0:
        return rng.randbytes(rng.randrange(1, 200))
    name, method = rng.choice(sorted(METHODS.items()))
    data = msgpack.packb(
        [0, rng.randrange(1 << 32), name, [[rng.random() < 0.2], *[value() for _ in method.parameters]]]
    )
    if kind < 5:
        return data
    mutated = bytearray(data)
    for _ in range(rng.randrange(1, 4)):
        place = rng.randrange(len(mutated))
        change = rng.randrange(4)
        if change == 0:
            mutated[place] = rng.randrange(256)
        elif change == 1:
            del mutated[place : place + rng.randrange(1, 5)]
        elif change == 2:
            mutated[place:place] = rng.randbytes(rng.randrange(1, 5))
        else:
            mutated = mutated[: place + 1]
        if not mutated:
            break
    return bytes(mutated)


def assault_rpc(echo: Echo, count: int, seed: int) -> None:
    """Sends that many messages, up to four a connection, and reads each connection to its end: so each was looked at."""
    rng = random.Random(seed)
    served, answers, sent = echo.seen.qsize(), 0, 0
    while sent < count:
        messages = [requests(rng) for _ in range(rng.randrange(1, 5))]
        with RpcClient(echo.server.port) as client:
            try:
                client.send(b"".join(messages))
                client.sock.shutdown(socket.SHUT_WR)
                while client.sock.recv(1 << 16):
                    answers += 1
            except ConnectionError:
                # the server was quicker: it closed while we still talked
                pass
        sent += len(messages)
        if rng.random() < 0.02:
            with RpcClient(echo.server.port) as good:
                assert good.call("version") == [[1, "0.9.16"]]
    # neither all refused nor none looked at
    assert echo.seen.qsize() - served > count / 50
    assert answers > count / 5
    until(lambda: echo.server.clients == 0 and echo.server._buffered == 0, 20.0)


def assault_streams(streams: StreamServer, count: int, seed: int) -> None:
    """As many connections that say something: ids that exist and do not, pieces, noise, and more than they may."""
    rng = random.Random(seed)
    streams.open(7)
    good = Subscriber.to(streams.port, 7)
    until(lambda: streams.has_subscribers(7))
    for number in range(count):
        stream_id = rng.choice((7, 7, 0, 8, rng.randrange(1 << 32)))
        said = rng.choice(
            (
                struct.pack("<I", stream_id),
                struct.pack("<I", stream_id) + rng.randbytes(3),
                rng.randbytes(rng.randrange(0, 40)),
            )
        )
        bad = Subscriber(streams.port, said)
        streams.send(7, struct.pack("<I", number), b"x" * rng.choice((1, 100_000)))
        bad.close()
        assert struct.unpack("<I", good.frame()[:4]) == (number,)
    good.close()
    until(lambda: not streams.has_subscribers(7), 20.0)


def test_hostile_calls(echo: Echo) -> None:
    assault_rpc(echo, 500, seed=1)


def test_hostile_subscribers(streams: StreamServer) -> None:
    assault_streams(streams, 200, seed=1)
    until(lambda: not streams._connections)


@pytest.mark.slow
def test_20_000_hostile_calls(echo: Echo) -> None:
    assault_rpc(echo, 20_000, seed=2)


@pytest.mark.slow
def test_20_000_hostile_subscribers(streams: StreamServer) -> None:
    assault_streams(streams, 20_000, seed=2)
    until(lambda: not streams._connections, 20.0)
