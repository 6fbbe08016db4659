"""Servers to talk to: a tiny world, one that only counts, and one of streams."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from sim_agent.embedded.wire.rpc import Call, RpcServer
from sim_agent.embedded.wire.streams import StreamServer
from tests.sim_agent.embedded.wire.tiny_world import TinyWorld


@pytest.fixture
def tiny_world() -> Iterator[TinyWorld]:
    world = TinyWorld()
    yield world
    world.close()


class Echo:
    """An RpcServer whose simulation answers frame numbers and nothing else, until it is told to `hold`."""

    def __init__(self, **options: Any):
        self.server = RpcServer(**options)
        self.seen: queue.SimpleQueue[Call] = queue.SimpleQueue()
        self.released = threading.Event()
        self.released.set()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        count = 0
        while (call := self.server.next_call()) is not None:
            self.seen.put(call)
            self.released.wait()
            count += 1
            if call.name == "tick_cue":
                call.reply(count)
            elif call.name == "get_map_data":
                call.reply("x" * (1 << 20))
            elif call.name == "apply_batch":
                call.reply([1] * len(call.args.commands))
            elif call.name == "version":
                call.reply("0.9.16")
            else:
                call.fail(f"{call.name} is not served")

    def close(self) -> None:
        self.released.set()
        self.server.close()
        self._thread.join()


@pytest.fixture
def echo() -> Iterator[Echo]:
    server = Echo()
    yield server
    server.close()


@pytest.fixture
def streams() -> Iterator[StreamServer]:
    server = StreamServer()
    yield server
    server.shutdown()
