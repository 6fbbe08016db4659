"""The verb `sim`: the embedded simulator on a port until Ctrl-C."""

from __future__ import annotations

import ipaddress
import os
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Literal

import tyro

from trainer.errors import UsageError, UserError

_SWITCH_S = 5e-4
"""So long a thread that computes keeps Python's lock from one that waits for it. Python's own 5 ms are longer than a call
takes, and the thread that reads calls waited that long for the one that answers them."""


@dataclass(frozen=True)
class SimArguments:
    """A CARLA 0.9.16 server without CARLA: no GPU, no display. The `carla` client from PyPI drives it."""

    port: int = 2000
    """RPC port; streams are on the next one. 0 takes free ones, which the first line tells."""
    host: str = "127.0.0.1"
    """Address to listen on. The protocol has no password: leave it local, or behind a tunnel."""
    town: str = "Town01"
    """Town01 to Town07 (Town02 is for testing only), Town10HD_Opt, or Seed7 and so on for a town of your own."""
    seed: int = 0
    """Another draw of the same kind of town."""
    quality: Literal["low", "medium", "high"] = "medium"
    """Look against speed of the cameras."""
    threads: int = 0
    """Threads that draw; 0: one a core, at most 4."""
    recordings: Path = Path("carla_recordings")
    """Folder of the recorder: files that `start_recorder` and `replay_file` name without an absolute path."""
    ready_file: Path | None = None
    """Written with the ports when clients may connect, for scripts that start it."""
    end_with_stdin: bool = False
    """End when standard input closes, as it does when the program that holds its other end is gone, however it ended."""


def sim(argv: list[str]) -> int:
    """`sim`: see SimArguments."""
    arguments = tyro.cli(SimArguments, args=argv, prog="carla-unet sim", description=SimArguments.__doc__)
    if not 0 <= arguments.port <= 65534:
        raise UsageError(f"--port {arguments.port}: expected 0 to 65534; the next port is taken for streams.")
    # A program that starts this one may be killed while kernels still compile.
    parent = _Parent() if arguments.end_with_stdin else None
    from sim_agent.embedded.physics import warm_up as warm_up_physics
    from sim_agent.embedded.render import compilation
    from sim_agent.embedded.render.kernel import load_numba
    from sim_agent.embedded.server import EmbeddedServer
    from sim_agent.embedded.world import WorldError

    _say(f"embedded simulator: {arguments.town}, quality {arguments.quality} ...")
    compilation.start(_say)
    load_numba()
    warm_up_physics()
    threads = arguments.threads or min(4, os.cpu_count() or 1)
    try:
        server = EmbeddedServer(
            arguments.host,
            arguments.port,
            arguments.town,
            arguments.seed,
            arguments.quality,
            threads,
            _say,
            arguments.recordings,
        )
    except WorldError as error:
        raise UserError(f"--town: {error}.") from None
    except OSError as error:
        raise UserError(
            f"{arguments.host}:{arguments.port}: {error.strerror}; choose another --port, or end what listens there."
        ) from None
    with server:
        _end_on_signals(server.end)
        if parent is not None:
            parent.when_gone(server.end)
        if arguments.ready_file is not None:
            partial = arguments.ready_file.with_name(arguments.ready_file.name + ".partial")
            partial.write_text(f"{server.port} {server.streams.port}\n", encoding="ascii")
            partial.replace(arguments.ready_file)
        if not _is_loopback(arguments.host):
            _say(f"--host {arguments.host}: whoever reaches these ports may use it; there is no password")
        sys.setswitchinterval(_SWITCH_S)
        _say(f"ready: carla.Client('{arguments.host}', {server.port}); Ctrl-C ends it")
        server.run()
    _say("ended")
    return 0


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class _Parent:
    """Notices that the process at the other end of standard input has closed it or is gone."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._end: Callable[[], None] = lambda: os._exit(0)  # nothing is open yet that would want to be closed
        threading.Thread(target=self._wait, name="parent", daemon=True).start()

    def when_gone(self, end: Callable[[], None]) -> None:
        """Call `end` then, from a thread of its own."""
        with self._lock:
            self._end = end

    def _wait(self) -> None:
        # Not sys.stdin: a reader that still holds its lock when the interpreter ends is a fatal error.
        while os.read(0, 4096):
            pass
        with self._lock:
            self._end()


def _end_on_signals(end: Callable[[], None]) -> None:
    def handler(number: int, frame: FrameType | None) -> None:
        end()

    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, handler)
        signal.signal(signal.SIGTERM, handler)


def _say(line: str) -> None:
    print(line, flush=True)
