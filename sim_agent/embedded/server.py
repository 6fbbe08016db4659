"""The server's loop: calls in, ticks, frames out; in synchronous mode when a client says so, otherwise by the clock."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from sim_agent.embedded.service import Service
from sim_agent.embedded.simulation import RECORDINGS, Simulation
from sim_agent.embedded.wire.rpc import RpcServer
from sim_agent.embedded.wire.streams import StreamServer

_log = logging.getLogger(__name__)
_POLL_S = 0.2
"""How long a wait for a call is, at most, before the end is looked for."""
_LATE_S = 0.5
"""A clock this far behind is not caught up with."""


class EmbeddedServer:
    """A CARLA server on two ports: RPC, and streams on the next."""

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 0,
        town: str = "Town01",
        seed: int = 0,
        quality: str = "medium",
        threads: int = 2,
        say: Callable[[str], None] = lambda line: None,
        recordings: Path = RECORDINGS,
    ):
        """Listens when it returns; port 0 takes free ones.

        Raises:
            OSError: a port is taken.
            WorldError: no such town.
        """
        self.streams = StreamServer(host, port + 1 if port else 0)
        try:
            self.simulation = Simulation(self.streams, town, seed, quality, threads, say, recordings)
            self.rpc = RpcServer(host, port)
        except BaseException:
            self.streams.shutdown()
            raise
        self.service = Service(self.simulation)
        self.port = self.rpc.port
        self._ended = False
        self._failing = False
        # The Traffic Manager asks for nothing more often: some 4,500 times a second in asynchronous mode.
        self.simulation.on_settings(partial(self.rpc.set_constant, "get_episode_settings"))

    def run(self) -> None:
        """Serve until `end` is called, from another thread or a signal handler."""
        due_s = time.monotonic()
        while not self._ended:
            if self.simulation.settings.synchronous_mode:
                call = self.rpc.next_call(_POLL_S)
                due_s = time.monotonic()
            else:
                call = self.rpc.next_call(max(0.0, due_s - time.monotonic()))
            if call is not None:
                self.service.handle(call)
                continue
            now_s = time.monotonic()
            if not self.simulation.settings.synchronous_mode and now_s >= due_s:
                self._tick()
                due_s = max(due_s + self.simulation.step_s, now_s - _LATE_S)

    def _tick(self) -> None:
        """A tick that nobody waits for: a fault in it must not end the server."""
        try:
            self.simulation.tick()
        except Exception:
            if not self._failing:
                _log.exception("a tick failed, and maybe the next ones, which are not told")
            self._failing = True
        else:
            self._failing = False

    def end(self) -> None:
        """Make `run` return."""
        self._ended = True

    def close(self) -> None:
        """End all connections and threads."""
        self.rpc.close()
        self.simulation.replayer.forget()
        self.simulation.recorder.close()
        self.streams.shutdown()
        self.simulation.eyes.close()

    def __enter__(self) -> EmbeddedServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
