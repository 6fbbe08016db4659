"""CARLA's stream server: sensor data and world state to whoever subscribes, in order, without copies and without
waiting for the slow.
"""

from __future__ import annotations

import collections
import contextlib
import logging
import socket
import struct
import threading
import time
from collections.abc import Sequence
from typing import Any

import numpy.typing as npt

from sim_agent.embedded.wire.reactor import READ, Reactor

MAX_SUBSCRIBERS = 256
"""Open connections, subscribed or not."""
QUEUE_FRAMES = 4
"""Frames that wait for one subscriber, besides the one that is being sent."""
BLOCK_S = 2.0
"""How long a synchronous `send` waits for a subscriber that does not keep up."""
HANDSHAKE_S = 5.0
REST_S = 0.5
"""How long a subscription to no stream is left unanswered. LibCarla's client connects again at once when it is closed,
for ever.
"""
_SMALL = 64 << 10
_MAX_PARTS = 64
"""Buffers of one gathering system call; the system's own limit is 1024 (IOV_MAX)."""
_TOKEN = struct.Struct("<IHBB16x")
_SIZE = struct.Struct("<I")
_TCP = 1
_ADDRESS_OF_RPC_HOST = 0
_DONT_WAIT = getattr(socket, "MSG_DONTWAIT", 0)
_CAN_GATHER = hasattr(socket.socket, "sendmsg")
"""Not so on Windows, which lacks MSG_DONTWAIT as well."""
_log = logging.getLogger(__name__)


Buffer = bytes | bytearray | memoryview | npt.NDArray[Any]
"""What a frame is made of; an array must be C-contiguous."""


class StreamServer:
    """Streams by id, each with any number of subscribers: `open` it, give its `token` to clients, `send` to it.

    A client connects, sends the id as u32 and from then on reads `u32 size | payload`. All methods may be called from
    any thread.
    """

    def __init__(self, host: str = "127.0.0.1", port: int = 0):
        """Listens at once; port 0 takes a free one. Raises OSError if the port is not to be had."""
        self.synchronous = False
        """Whether `send` waits for subscribers whose queue is full (at most BLOCK_S), or drops the frame for them at
        once.
        """
        self.dropped: collections.Counter[int] = collections.Counter()
        """Frames that a subscriber did not get, by stream."""
        self._streams: dict[int, list[_Subscriber]] = {}
        self._expected: dict[int, list[float]] = {}
        self._changed = threading.Condition()
        self._connections: set[_Subscriber] = set()
        self.reactor = Reactor(host, port, "carla-streams", self._accepted)
        self.port = self.reactor.port
        self.reactor.start(self._close_connections)

    def token(self, stream_id: int) -> bytes:
        """24 bytes that tell a client where a stream is (LibCarla/source/carla/streaming/detail/Token.h), for
        `structs.Token`.

        Its address type is 0: the client then takes the host it reached the RPC server by, so that a forwarded port works.
        """
        return _TOKEN.pack(stream_id, self.port, _TCP, _ADDRESS_OF_RPC_HOST)

    def open(self, stream_id: int) -> None:
        """From now on clients may subscribe. Raises ValueError for an id that is open already, or outside 1 to 2**32 - 1."""
        if not 0 < stream_id < 1 << 32:
            raise ValueError(f"stream id {stream_id} is none; take one from 1 to {(1 << 32) - 1}")
        with self._changed:
            if stream_id in self._streams:
                raise ValueError(f"stream {stream_id} is open already; take another id")
            self._streams[stream_id] = []

    def close(self, stream_id: int) -> None:
        """Ends a stream and its subscribers, without what still waits for them; does nothing if it is not open."""
        with self._changed:
            subscribers = self._streams.pop(stream_id, [])
            self._expected.pop(stream_id, None)
            self._changed.notify_all()
        for subscriber in subscribers:
            subscriber.end()

    def expect(self, stream_id: int) -> None:
        """A client has asked for the token of a stream: it is about to subscribe. Call this before it gets the token."""
        with self._changed:
            if stream_id in self._streams:
                self._expected.setdefault(stream_id, []).append(time.monotonic())

    def wait_for_expected(self, timeout_s: float = 1.0) -> bool:
        """Waits until all expected subscriptions are there; each is given up `timeout_s` after it was announced. False
        if one was.

        `sensor.listen` returns in the client before its subscription exists: a synchronous tick that did not wait would
        lose that frame.
        """
        complete = True
        with self._changed:
            while self._expected:
                now = time.monotonic()
                for stream_id, times in list(self._expected.items()):
                    alive = [announced for announced in times if announced + timeout_s > now]
                    if len(alive) < len(times):
                        _log.info("%d subscriptions to stream %d did not come", len(times) - len(alive), stream_id)
                        complete = False
                    if alive:
                        self._expected[stream_id] = alive
                    else:
                        del self._expected[stream_id]
                if self._expected:
                    self._changed.wait(max(times[-1] for times in self._expected.values()) + timeout_s - now)
        return complete

    def has_subscribers(self, stream_id: int) -> bool:
        """Whether a frame of this stream would reach somebody."""
        return bool(self._streams.get(stream_id))

    def send(self, stream_id: int, *buffers: Buffer) -> None:
        """Sends one frame, the concatenation of `buffers`, to each subscriber; does nothing for a stream without.

        The buffers are not copied: large ones must not change after this. Raises ValueError for an empty frame or one
        of 4 GiB.
        """
        subscribers = self._streams.get(stream_id)
        if not subscribers:
            return
        # an empty view cannot be cast
        views = [view.cast("B") for view in map(_view, buffers) if view.nbytes]
        size = sum([len(view) for view in views])
        if not 0 < size < 1 << 32:
            raise ValueError(
                f"a frame of stream {stream_id} has {size} bytes, but 1 to {(1 << 32) - 1} are expected; send it in parts"
            )
        frame = [memoryview(_SIZE.pack(size)), *views]
        if size <= _SMALL or len(frame) > _MAX_PARTS:
            # One small copy is cheaper than a gathering system call, and frees the caller's buffer.
            frame = [memoryview(b"".join(frame))]
        wait_s = BLOCK_S if self.synchronous else 0.0
        for subscriber in list(subscribers):
            if not subscriber.put(frame, wait_s):
                self.dropped[stream_id] += 1

    def shutdown(self) -> None:
        """Closes every connection and ends all threads at once."""
        self.reactor.close()

    def _accepted(self, sock: socket.socket) -> None:
        if len(self._connections) >= MAX_SUBSCRIBERS:
            # Whoever has not subscribed makes room, the oldest first.
            waiting = [connection for connection in self._connections if connection.stream_id is None]
            if waiting:
                self.forget(min(waiting, key=lambda connection: connection.number))
            else:
                _log.warning(
                    "port %d has %d subscribers, which is the limit: a further one was turned away",
                    self.port,
                    MAX_SUBSCRIBERS,
                )
                sock.close()
                return
        self._connections.add(_Subscriber(self, sock))

    def _close_connections(self) -> None:
        with self._changed:
            self._streams.clear()
            self._expected.clear()
            self._changed.notify_all()
        connections = list(self._connections)
        for connection in connections:
            self.forget(connection)
        for connection in connections:
            connection.join()

    def subscribe(self, subscriber: _Subscriber, stream_id: int) -> bool:
        """A connection has said what it wants; in the reactor's thread. False if there is no such stream."""
        with self._changed:
            subscribers = self._streams.get(stream_id)
            if subscribers is None:
                return False
            subscriber.start(stream_id)
            self._streams[stream_id] = [*subscribers, subscriber]
            expected = self._expected.get(stream_id)
            if expected:
                expected.pop(0)
                if not expected:
                    del self._expected[stream_id]
                self._changed.notify_all()
        return True

    def forget(self, subscriber: _Subscriber) -> None:
        """A connection has ended; in the reactor's thread."""
        self._connections.discard(subscriber)
        with self._changed:
            stream_id = subscriber.stream_id
            if stream_id is not None and subscriber in self._streams.get(stream_id, ()):
                self._streams[stream_id] = [other for other in self._streams[stream_id] if other is not subscriber]
        subscriber.end()
        subscriber.release()


def _view(buffer: Any) -> memoryview:
    return memoryview(buffer)


class _Subscriber:
    """One connection: first the reactor reads what it wants, then a thread of its own sends. Its socket blocks, in that
    thread only.
    """

    _count = 0

    def __init__(self, server: StreamServer, sock: socket.socket):
        _Subscriber._count += 1
        self.number = _Subscriber._count
        self.stream_id: int | None = None
        self._server = server
        self._sock = sock
        self._handshake = b""
        self._resting = False
        self._ready = threading.Condition()
        self._frames: collections.deque[Sequence[memoryview]] = collections.deque()
        self._sending = False
        self._stalled = False
        self._ended = False
        self._thread: threading.Thread | None = None
        sock.setblocking(True)
        server.reactor.watch(sock, READ, self._read)
        server.reactor.after(HANDSHAKE_S, self._expire)

    def start(self, stream_id: int) -> None:
        """Begins to send."""
        self.stream_id = stream_id
        self._thread = threading.Thread(target=self._run, name=f"carla-stream-{stream_id}", daemon=True)
        self._thread.start()

    def put(self, frame: Sequence[memoryview], wait_s: float) -> bool:
        """Takes a frame, if need be after a wait; false if it was dropped."""
        with self._ready:
            if self._ended:
                return True
            if not self._frames and not self._sending and len(frame) == 1 and _DONT_WAIT:
                # Small and nothing before it: without a change of threads it is there 30 us earlier.
                try:
                    sent = self._sock.send(frame[0], _DONT_WAIT)
                except (BlockingIOError, InterruptedError):
                    sent = 0
                except OSError:
                    self._fail()
                    return True
                if sent == len(frame[0]):
                    return True
                frame = [frame[0][sent:]]
            # After one wait in vain it is not waited for again until it has taken something: one dead client costs one
            # wait, not one a frame.
            if len(self._frames) >= QUEUE_FRAMES and wait_s and not self._stalled:
                self._stalled = not self._ready.wait_for(
                    lambda: len(self._frames) < QUEUE_FRAMES or self._ended, wait_s
                )
            if len(self._frames) >= QUEUE_FRAMES:
                return self._ended
            self._frames.append(frame)
            self._ready.notify_all()
        return True

    def end(self) -> None:
        """Stops sending, also in the middle of a frame; from any thread."""
        with self._ready:
            self._fail()

    def join(self) -> None:
        """Waits for the thread, which has been told to end."""
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()

    def release(self) -> None:
        """Gives the socket back; in the reactor's thread, after `end`."""
        if self._sock.fileno() >= 0:
            self._server.reactor.watch(self._sock, 0, self._read)
            if self._thread is not None:
                # The thread may still be inside a system call on this descriptor, which the shutdown has made return.
                self._thread.join()
            self._sock.close()

    def _fail(self) -> None:
        self._ended = True
        self._frames.clear()
        # This also wakes a send that blocks, and the reactor, which then releases the socket. It fails if the peer was
        # first.
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)
        self._ready.notify_all()

    def _read(self, _events: int) -> None:
        try:
            data = self._sock.recv(4 - len(self._handshake) if self.stream_id is None and not self._resting else 1)
        except OSError:
            data = b""
        if not data or self.stream_id is not None or self._resting:
            # End of the connection, or something where a client says nothing.
            self._server.forget(self)
            return
        self._handshake += data
        if len(self._handshake) == 4:
            (stream_id,) = _SIZE.unpack(self._handshake)
            if not self._server.subscribe(self, stream_id):
                _log.info("somebody wants stream %d, which does not exist", stream_id)
                self._resting = True
                self._server.reactor.after(REST_S, self._expire)

    def _expire(self) -> None:
        if self.stream_id is None:
            self._server.forget(self)

    def _run(self) -> None:
        while True:
            with self._ready:
                self._sending = False
                self._ready.wait_for(lambda: bool(self._frames) or self._ended)
                if self._ended:
                    return
                frame = self._frames.popleft()
                self._sending = True
                self._stalled = False
                self._ready.notify_all()
            try:
                _send_all(self._sock, frame)
            except OSError:
                self.end()


def _send_all(sock: socket.socket, buffers: Sequence[memoryview]) -> None:
    """Blocks until all of it is on its way; raises OSError if the connection ends."""
    if not _CAN_GATHER:
        for buffer in buffers:
            sock.sendall(buffer)
        return
    rest = collections.deque(buffers)
    while rest:
        sent = sock.sendmsg(rest)
        while rest and sent >= len(rest[0]):
            sent -= len(rest.popleft())
        if sent:
            rest[0] = rest[0][sent:]
