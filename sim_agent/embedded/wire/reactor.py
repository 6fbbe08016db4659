"""A listening TCP socket and the one thread that waits on it, on its connections and on timers."""

from __future__ import annotations

import collections
import heapq
import itertools
import logging
import selectors
import socket
import threading
import time
from collections.abc import Callable

READ = selectors.EVENT_READ
WRITE = selectors.EVENT_WRITE
_ACCEPT_PAUSE_S = 0.1
_log = logging.getLogger(__name__)


class Reactor:
    """Runs callbacks when sockets are ready. All of its methods but `call` and `close` belong to its own thread.

    `accepted` gets every new connection, which then is the caller's to register and to close.
    """

    def __init__(self, host: str, port: int, name: str, accepted: Callable[[socket.socket], None]):
        """Listens at once; port 0 takes a free one. Raises OSError if the port is not to be had."""
        self._accepted = accepted
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.create_server((host, port), family=family, backlog=128)
        self._listener.setblocking(False)
        self.port: int = self._listener.getsockname()[1]
        self._selector = selectors.DefaultSelector()
        # A socket pair wakes a selector on every system; a pipe does not on Windows.
        self._wake_end, self._wait_end = socket.socketpair()
        self._wake_end.setblocking(False)
        self._wait_end.setblocking(False)
        self._awake = False
        self._tasks: collections.deque[Callable[[], None]] = collections.deque()
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._closing = False
        self._at_end: Callable[[], None] | None = None
        self._selector.register(self._listener, READ, self._accept)
        self._selector.register(self._wait_end, READ, self._drain)
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self, at_end: Callable[[], None]) -> None:
        """Starts the thread; `at_end` runs in it last, to close what is still open."""
        self._at_end = at_end
        self._thread.start()

    def watch(self, sock: socket.socket, events: int, ready: Callable[[int], None]) -> None:
        """From now on `ready(events)` runs when the socket is; events 0 stops that."""
        known = sock in self._selector.get_map()
        if events == 0:
            if known:
                self._selector.unregister(sock)
        elif known:
            self._selector.modify(sock, events, ready)
        else:
            self._selector.register(sock, events, ready)

    def after(self, delay_s: float, task: Callable[[], None]) -> None:
        """Runs `task` once, `delay_s` from now."""
        heapq.heappush(self._timers, (time.monotonic() + delay_s, next(self._order), task))

    def call(self, task: Callable[[], None]) -> None:
        """Runs `task` in the reactor's thread soon; from any thread."""
        self._tasks.append(task)
        self._wake()

    def close(self) -> None:
        """Ends the thread, closes everything and returns when that is done; from any other thread, as often as you like."""
        self._closing = True
        self._wake()
        if self._thread.ident is None:
            self._finish()
        elif threading.current_thread() is not self._thread:
            self._thread.join()

    def _wake(self) -> None:
        if not self._awake:
            self._awake = True
            try:
                self._wake_end.send(b"\0")
            except OSError:
                # full: it wakes anyway; closed: there is nobody to wake
                self._awake = False

    def _drain(self, _events: int) -> None:
        # In this order: whoever finds the flag set has put its task where this turn of the loop still sees it.
        self._wait_end.recv(4096)
        self._awake = False

    def _accept(self, _events: int) -> None:
        try:
            sock, _ = self._listener.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return
        except OSError as error:
            # No file descriptors left, as a rule. The connection stays in the backlog: without a pause this would spin.
            _log.warning("cannot accept a connection on port %d: %s", self.port, error)
            self._selector.unregister(self._listener)
            self.after(_ACCEPT_PAUSE_S, lambda: self.watch(self._listener, READ, self._accept))
            return
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            self._accepted(sock)
        except OSError:
            sock.close()

    def _run(self) -> None:
        try:
            while not self._closing:
                timeout = max(0.0, self._timers[0][0] - time.monotonic()) if self._timers else None
                for key, events in self._selector.select(timeout):
                    self._safely(key.data, events)
                while self._tasks:
                    self._safely(self._tasks.popleft())
                while self._timers and self._timers[0][0] <= time.monotonic():
                    self._safely(heapq.heappop(self._timers)[2])
        finally:
            self._finish()

    def _safely(self, task: Callable[..., None], *arguments: int) -> None:
        # One connection's fault must not end the thread that serves all the others.
        try:
            task(*arguments)
        except Exception:
            _log.exception("a callback of the server on port %d failed", self.port)

    def _finish(self) -> None:
        if self._at_end is not None:
            self._safely(self._at_end)
        for sock in (self._listener, self._wait_end, self._wake_end):
            sock.close()
        self._selector.close()
