"""A whole simulator under fire: it answers everybody else all the while, and nothing of it grows."""

from __future__ import annotations

import contextlib
import random
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgpack
import pytest

from sim_agent.embedded.wire import codec, framing, methods
from tests.faults.fuzz import Fuzzer, distort, lines_of
from tests.faults.tap import Tap
from tests.processes import wait_for
from tests.sim_agent.embedded.simulator import Simulator
from tests.sim_agent.embedded.wire.client import RpcClient, Subscriber
from tests.sim_agent.embedded.wire.test_hostile import requests

LOADS = {"load_new_episode", "copy_opendrive_to_file", "set_replayer_time_factor"}
"""Whoever may call at all may load a town, which takes its time: that is no attack."""
TEXT = {"unicode_errors": "surrogateescape"}


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    started = Simulator(tmp_path_factory.mktemp("hostile"))
    try:
        yield started
    finally:
        assert started.end() == 0, started.log.read_text()[-3000:]


@pytest.fixture(scope="module")
def conversation(simulator: Simulator) -> list[list]:
    """What the real client says in a drive with cameras, walkers and weather."""
    with Tap(simulator.port) as tap:
        behind, simulator.port = simulator.port, tap.port
        try:
            simulator.run("cameras")
            simulator.run("drive")
        finally:
            simulator.port = behind
        messages = [message for message in tap.messages() if message[2] not in LOADS]
    assert len({message[2] for message in messages}) > 15
    return messages


class Bystander:
    """A good client beside the attack: each of its calls is answered; `slowest_s` is the longest that it waited."""

    def __init__(self, port: int):
        self.calls, self.slowest_s, self.failed = 0, 0.0, ""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._talk, args=(port,), daemon=True)
        self._thread.start()

    def _talk(self, port: int) -> None:
        try:
            with RpcClient(port) as client:
                while not self._stop.is_set():
                    # the first is answered by the connection's thread, the second by the simulation
                    for name in ("version", "get_weather_parameters"):
                        started_s = time.perf_counter()
                        answer = client.call(name)
                        self.slowest_s = max(self.slowest_s, time.perf_counter() - started_s)
                        assert isinstance(answer, list), answer
                        self.calls += 1
                    self._stop.wait(0.01)
        except Exception as error:  # told where the test looks
            self.failed = repr(error)

    def __enter__(self) -> Bystander:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(60)
        assert not self.failed and self.calls > 10, (self.failed, self.calls)


def standing(simulator: Simulator) -> tuple[float, int, int]:
    """Memory (MB), threads and open files of the simulator."""
    proc = Path(f"/proc/{simulator.process.pid}")
    resident = next(line for line in (proc / "status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(resident.split()[1]) / 1024, len(list((proc / "task").iterdir())), len(list((proc / "fd").iterdir()))


def wrong(rng: random.Random, message: list) -> bytes:
    """A request of the real client with something wrong in it."""
    data = bytearray(msgpack.packb(distort(rng, message), unicode_errors="surrogateescape"))
    if rng.random() < 0.2:
        data[rng.randrange(len(data))] = rng.randrange(256)
    return bytes(data)


def assault(simulator: Simulator, conversation: list[list], count: int, seed: int) -> None:
    """That many messages, twenty a connection, each connection read to its end."""
    rng = random.Random(seed)
    answered = 0
    for _ in range(count // 20):
        messages = [wrong(rng, rng.choice(conversation)) if rng.random() < 0.8 else requests(rng) for _ in range(20)]
        if any(name.encode() in message for message in messages for name in LOADS):
            continue
        with RpcClient(simulator.port) as client, contextlib.suppress(ConnectionError):
            client.send(b"".join(messages))
            client.sock.shutdown(socket.SHUT_WR)
            while data := client.sock.recv(1 << 16):
                answered += len(data)
        if rng.random() < 0.1:
            stream = rng.choice((struct.pack("<I", rng.randrange(20)), rng.randbytes(rng.randrange(40))))
            Subscriber(simulator.stream_port, stream).close()
    assert answered > count


def bombard(simulator: Simulator, conversation: list[list], count: int, capsys: pytest.CaptureFixture) -> None:
    assault(simulator, conversation, 400, seed=0)  # what is made once is made now
    before = standing(simulator)
    with Bystander(simulator.port) as bystander:
        assault(simulator, conversation, count, seed=1)
    wait_for(lambda: standing(simulator)[1:] <= before[1:], "threads and files are given back", 60.0)
    after = standing(simulator)
    with capsys.disabled():
        print(f"\n{count} messages: slowest answer {bystander.slowest_s * 1e3:.0f} ms; {before} -> {after}")
    assert after[0] < before[0] + 100  # some of the calls are right, and what they spawn stays
    assert simulator.process.poll() is None


@pytest.mark.slow
def test_10_000_wrong_messages(simulator: Simulator, conversation: list[list], capsys: pytest.CaptureFixture) -> None:
    bombard(simulator, conversation, 10_000, capsys)


@pytest.mark.soak
def test_100_000_wrong_messages(simulator: Simulator, conversation: list[list], capsys: pytest.CaptureFixture) -> None:
    bombard(simulator, conversation, 100_000, capsys)


def decode(data: bytes) -> None:
    """What the server does with a client's bytes before a call is in its queue; a WireError is an answer as good."""
    reader = framing.MessageReader()
    with contextlib.suppress(codec.WireError):
        reader.feed(data)
        while (message := reader.next()) is not framing.NOTHING:
            request = methods.take_apart(message)
            if (method := methods.METHODS.get(request.name)) is not None:
                try:
                    repr(method.decode(request.arguments))
                except codec.WireError as error:
                    method.encode_error(str(error), 1)


def fuzz(conversation: list[list], capsys: pytest.CaptureFixture, enough: Callable[[Fuzzer], bool]) -> None:
    """What the real client says, and every method's bare name, mutated by what reaches new lines of the decoders."""
    seeds = [*conversation, *([0, 1, name, [[False]]] for name in methods.METHODS)]
    fuzzer = Fuzzer(decode, Path(codec.__file__).parent, [msgpack.packb(seed, **TEXT) for seed in seeds])
    begun = fuzzer.inputs, fuzzer.lines
    while not enough(fuzzer):
        fuzzer.run(fuzzer.mutate())
    files = sorted({file for file, _, _ in fuzzer.reached})
    with capsys.disabled():
        total = sum(lines_of(Path(file)) for file in files)
        print(
            f"\n{fuzzer.inputs} inputs (at first {begun[0]}) reach {fuzzer.lines} lines (at first {begun[1]}) of {total}"
        )
        print(f"in {', '.join(Path(file).name for file in files)}; the slowest {fuzzer.slowest_s * 1e3:.0f} ms")
        print(f"{len(fuzzer.corpus)} reached something new, {len(fuzzer.reached)} pairs of lines in all")
    assert fuzzer.lines > begun[1] and fuzzer.slowest_s < 5.0


@pytest.mark.slow
def test_5_000_inputs_that_coverage_guides(conversation: list[list], capsys: pytest.CaptureFixture) -> None:
    fuzz(conversation, capsys, lambda fuzzer: fuzzer.inputs >= 5000)


@pytest.mark.soak
def test_ten_minutes_of_inputs_that_coverage_guides(conversation: list[list], capsys: pytest.CaptureFixture) -> None:
    end_s = time.monotonic() + 600.0
    fuzz(conversation, capsys, lambda fuzzer: time.monotonic() > end_s)


@pytest.mark.slow
def test_clients_that_hold_on_to_everything(simulator: Simulator, capsys: pytest.CaptureFixture) -> None:
    """Connections that say nothing, one byte at a time, that promise 4 GB, never read, or vanish without a word."""
    before = standing(simulator)
    held: list[socket.socket] = []
    with Bystander(simulator.port) as bystander:
        for number in range(200):
            kind = number % 5
            client = socket.create_connection(
                ("127.0.0.1", simulator.stream_port if kind == 4 and number % 2 else simulator.port), timeout=30
            )
            held.append(client)
            with contextlib.suppress(ConnectionError):
                if kind == 0:
                    client.sendall(b"\x94\x00\x01\xdb\xff\xff\xff\xff" + b"x" * 1000)
                elif kind == 1:
                    client.sendall(b"\x94\x00\x01\xa7version\xdd\xff\xff\xff\xff")
                elif kind == 2:
                    # asks for a megabyte ten times and reads none of it
                    client.sendall(msgpack.packb([0, 1, "get_map_data", [[False]]]) * 10)
                elif kind == 3:
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    client.sendall(b"\x94\x00")
                    client.close()
        slow = msgpack.packb([0, 1, "version", [[False]]])
        for byte in slow:  # slow-loris: all that are left, a byte each in turn
            for client in held:
                with contextlib.suppress(OSError):
                    client.sendall(bytes([byte]))
        calls = bystander.calls
        wait_for(lambda: bystander.calls > calls + 100 or bystander.failed, "the bystander is answered", 60.0)
        full = standing(simulator)
    for client in held:
        client.close()
    wait_for(lambda: standing(simulator)[1:] <= before[1:], "threads and files are given back", 60.0)
    after = standing(simulator)
    with capsys.disabled():
        print(f"\n200 connections: slowest answer {bystander.slowest_s * 1e3:.0f} ms; {before} -> {full} -> {after}")
    assert full[0] < before[0] + 300 and after[0] < before[0] + 100
