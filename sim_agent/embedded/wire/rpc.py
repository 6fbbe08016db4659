"""CARLA's RPC server: many clients on one port, their calls in one queue for the simulation's thread."""

from __future__ import annotations

import collections
import logging
import queue
import socket
import threading
import time
from typing import Any

import msgpack

from sim_agent.embedded.wire.codec import WireError
from sim_agent.embedded.wire.framing import LARGE_MESSAGE, MAX_MESSAGE, NOTHING, MessageReader
from sim_agent.embedded.wire.methods import METHODS, Kind, Method, Request, clean, error_without_method, take_apart
from sim_agent.embedded.wire.reactor import READ, WRITE, Reactor

MAX_CLIENTS = 256
MAX_PENDING = 1024
"""Calls of one client that wait for the simulation, a long one counting as one each 4 KiB; above it the client's next
ones stay in its socket.
"""
MAX_BACKLOG = 32 << 20
"""Bytes of answers that a client may leave unread, beyond one answer of any length."""
MAX_BUFFERED = 256 << 20
"""Bytes of requests that wait and of answers left unread, of all clients together."""
_PYTHON_PER_BYTE = 16
"""What a byte of msgpack becomes at worst, once it is a Python object (short integers in a tuple), in bytes of memory."""
_PAUSE_BACKLOG = 256 << 10
_CHUNK = 64 << 10
_FAREWELL_S = 1.0
_MAX_REFUSED_COMMANDS = 1024
"""A batch with more commands is refused by one error and not by one each: the answer to nonsense shall not be longer
than it.
"""
_log = logging.getLogger(__name__)
_threads = threading.local()


def _pack(value: Any) -> bytes:
    packer = getattr(_threads, "packer", None)
    if packer is None:
        packer = _threads.packer = msgpack.Packer(unicode_errors="surrogateescape", buf_size=4096)
    packed: bytes = packer.pack(value)
    return packed


def _answer(message_id: int, packed_result: bytes) -> bytes:
    return b"".join((b"\x94\x01", _pack(message_id), b"\xc0", packed_result))


class Call:
    """A client's call. `args` is a NamedTuple with the method's parameters; `reply` or `fail` it once, from any thread.

    An `is_async` call gets no response: `reply` and `fail` then send nothing, and may be left out.
    """

    __slots__ = ("_connection", "_done", "_message_id", "_method", "_size", "args", "client", "is_async", "name")

    def __init__(self, connection: _Connection, method: Method, request: Request, args: Any, size: int):
        self.name = request.name
        self.args = args
        self.is_async = request.is_async or request.message_id is None
        self.client = connection.number
        """Number of the connection, from 1: the same for all calls of one `carla.Client`."""
        self._connection = connection
        self._method = method
        self._message_id = request.message_id
        self._size = size
        self._done = False

    def __repr__(self) -> str:
        return f"Call({self.name!r}, client {self.client})"

    def reply(self, value: Any = None) -> None:
        """Answers with success.

        Raises WireError, with nothing sent, if `value` is not of the method's result type; RuntimeError if the call has
        been answered.
        """
        self._finish(b"" if self.is_async else _pack(self._method.encode_result(value)))

    def fail(self, message: str) -> None:
        """Answers with an error: `message` is the text of the client's RuntimeError. Raises RuntimeError if the call
        has been answered.
        """
        if self.is_async:
            _log.info("%s, which wants no answer, failed: %s", self.name, message)
        commands = len(self.args.commands) if self._method.kind is Kind.BATCH else 0
        self._finish(b"" if self.is_async else _pack(self._method.encode_error(message, commands)))

    def _finish(self, packed_result: bytes) -> None:
        if self._done:
            raise RuntimeError(f"{self.name} of client {self.client} has been answered already; answer each call once")
        self._done = True
        if packed_result and self._message_id is not None:
            self._connection.send(_answer(self._message_id, packed_result))
        self._connection.finished(self._size)

    def _forget(self) -> None:
        if not self._done:
            self._finish(b"")


class RpcServer:
    """Speaks carla-rpc with any number of clients in a thread of its own; one simulation thread reads `next_call`.

    Requests of one connection keep their order. A message that is malformed, too long, too deep or too many costs its
    connection, which gets an error first; a bad argument or unknown method is answered with a CARLA error and costs
    nothing.
    """

    def __init__(self, host: str = "127.0.0.1", port: int = 0, *, max_message: int = MAX_MESSAGE):
        """Listens at once; port 0 takes a free one. Raises OSError if the port is not to be had."""
        self.max_message = max_message
        self._calls: queue.SimpleQueue[Call | None] = queue.SimpleQueue()
        self._handed_out: Call | None = None
        self._constants: dict[str, bytes] = {}
        self._connections: dict[int, _Connection] = {}
        self._numbers = 0
        self._buffered = 0
        self._buffer_lock = threading.Lock()
        self._closed = False
        self.reactor = Reactor(host, port, "carla-rpc", self._accepted)
        self.port = self.reactor.port
        self.reactor.start(self._close_connections)

    def next_call(self, timeout_s: float | None = None) -> Call | None:
        """The next call, None after `timeout_s` (None waits, 0 does not) or once the server is closed. For one thread only.

        Asking for the next one ends an asynchronous call that was handed out before.
        """
        if self._handed_out is not None and self._handed_out.is_async:
            self._handed_out._forget()
        self._handed_out = None
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        while not self._closed:
            try:
                if timeout_s == 0:
                    call = self._calls.get_nowait()
                else:
                    call = self._calls.get(timeout=None if deadline is None else max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                return None
            if call is None:
                break
            constant = self._constants.get(call.name)
            if constant is None:
                self._handed_out = call
                return call
            call._finish(b"" if call.is_async else constant)
        return None

    def set_constant(self, name: str, value: Any) -> None:
        """From now on the server itself answers `name` with `value`, whatever the arguments, after the client's earlier
        calls. From any thread.

        The Traffic Manager polls get_episode_settings some 4500 times a second in asynchronous mode: that need not wait
        for a tick. Raises KeyError for a name that is no method, WireError for a value that is not its result.
        """
        self._constants[name] = _pack(METHODS[name].encode_result(value))

    def remove_constant(self, name: str) -> None:
        """The simulation answers `name` again; from any thread."""
        self._constants.pop(name, None)

    @property
    def clients(self) -> int:
        """Connections that are open."""
        return len(self._connections)

    def close(self) -> None:
        """Closes every connection and ends the thread at once; a waiting `next_call` returns None."""
        self._closed = True
        self._calls.put(None)
        self.reactor.close()

    def buffer(self, count: int) -> bool:
        """Notes `count` more (or fewer) buffered bytes; false if that is above what all clients together may have."""
        with self._buffer_lock:
            self._buffered += count
            return self._buffered <= MAX_BUFFERED

    def _accepted(self, sock: socket.socket) -> None:
        if len(self._connections) >= MAX_CLIENTS:
            # Whoever has never said a word makes room, the oldest first.
            silent = next((connection for connection in self._connections.values() if not connection.has_spoken), None)
            if silent is not None:
                silent.close()
        if len(self._connections) >= MAX_CLIENTS:
            _log.warning(
                "port %d has %d clients, which is the limit: a further one was turned away", self.port, MAX_CLIENTS
            )
            sock.close()
            return
        sock.setblocking(False)
        self._numbers += 1
        connection = _Connection(self, sock, self._numbers)
        self._connections[connection.number] = connection
        connection.update()

    def _close_connections(self) -> None:
        for connection in list(self._connections.values()):
            connection.close()

    def forget(self, connection: _Connection) -> None:
        """A connection has closed; in the reactor's thread."""
        self._connections.pop(connection.number, None)

    def dispatch(self, connection: _Connection, message: Any, size: int) -> None:
        """Answers a message or puts its call in the queue; raises WireError for one that is no request."""
        request = take_apart(message)
        quiet = request.is_async or request.message_id is None
        method = METHODS.get(request.name)
        if method is None:
            name = clean(request.name[:80])
            text = f"{name} is no method of CARLA 0.9.16's server, so it cannot be called; use a client of that version"
            self._refuse(connection, request, quiet, text, _pack(error_without_method(text)))
            return
        try:
            args = method.decode(request.arguments)
        except WireError as error:
            first = request.arguments[0] if request.arguments else None
            commands = len(first) if isinstance(first, list) and len(first) <= _MAX_REFUSED_COMMANDS else 0
            self._refuse(connection, request, quiet, str(error), _pack(method.encode_error(str(error), commands)))
            return
        constant = self._constants.get(request.name)
        if constant is not None and not connection.pending:
            if not quiet and request.message_id is not None:
                connection.send(_answer(request.message_id, constant))
            return
        connection.started(size)
        self._calls.put(Call(connection, method, request, args, size))

    def _refuse(self, connection: _Connection, request: Request, quiet: bool, text: str, packed_result: bytes) -> None:
        if quiet or request.message_id is None:
            _log.info("a call that wants no answer was refused: %s", text)
        elif packed_result == b"\x90":
            # A batch without commands has no place for an error: rpclib's own has.
            connection.send(_pack([1, request.message_id, clean(text), None]))
        else:
            connection.send(_answer(request.message_id, packed_result))


def _weight(size: int) -> int:
    return 1 + (size >> 12)


def _charge(size: int) -> int:
    # Short calls are counted by their number, long texts stay as long as they are.
    return 0 if size < 4096 else size if size > LARGE_MESSAGE else size * _PYTHON_PER_BYTE


class _Connection:
    """One client. Reading and closing are the reactor's; `send` and `finished` come from any thread."""

    def __init__(self, server: RpcServer, sock: socket.socket, number: int):
        self.number = number
        self.pending = 0
        self.has_spoken = False
        self._server = server
        self._sock = sock
        self._reader = MessageReader(server.max_message)
        self._lock = threading.Lock()
        self._backlog: collections.deque[memoryview] = collections.deque()
        self._backlog_bytes = 0
        self._charged = 0
        self._paused = False
        self._leaving = False
        self._closed = False
        self._events = 0

    def started(self, size: int) -> None:
        """A call of `size` bytes goes into the queue; raises WireError if that is too much for the server."""
        with self._lock:
            self.pending += _weight(size)
        if not self._server.buffer(_charge(size)):
            self.finished(size)
            raise WireError("finds the server with too many long calls that wait; send less at once", "the message")

    def finished(self, size: int) -> None:
        """A call of `size` bytes needs no more attention."""
        self._server.buffer(-_charge(size))
        with self._lock:
            self.pending -= _weight(size)
            resume = self._paused and self.pending <= MAX_PENDING // 2
        if resume:
            self._server.reactor.call(self._resume)

    def send(self, data: bytes) -> None:
        """Sends now what the socket takes, and keeps the rest for the reactor; a client that leaves too much unread is
        dropped.
        """
        with self._lock:
            if self._closed:
                return
            rest = memoryview(data)
            if not self._backlog:
                try:
                    rest = rest[self._sock.send(rest) :]
                except (BlockingIOError, InterruptedError):
                    pass
                except OSError:
                    self._server.reactor.call(self.close)
                    return
                if not rest:
                    return
            too_much = bool(self._backlog) and self._backlog_bytes + len(rest) > MAX_BACKLOG
            if too_much or not self._server.buffer(len(rest)):
                _log.warning(
                    "client %d does not read its answers: %d bytes wait, so it is dropped",
                    self.number,
                    self._backlog_bytes + len(rest),
                )
                self._server.buffer(0 if too_much else -len(rest))
                self._closed = True
                self._server.reactor.call(self.close)
                return
            self._backlog.append(rest)
            self._backlog_bytes += len(rest)
        self._server.reactor.call(self.update)

    def update(self) -> None:
        """Tells the reactor what to wait for."""
        with self._lock:
            if self._closed:
                return
            self._paused = self.pending >= MAX_PENDING or self._backlog_bytes > _PAUSE_BACKLOG
            events = (0 if self._paused and not self._leaving else READ) | (WRITE if self._backlog else 0)
        if events != self._events:
            self._events = events
            self._server.reactor.watch(self._sock, events, self._ready)

    def close(self) -> None:
        """Ends the connection; whatever waits is dropped."""
        with self._lock:
            self._closed = True
            self._server.buffer(-self._backlog_bytes - self._charged)
            self._backlog.clear()
            self._backlog_bytes = self._charged = 0
        if self._sock.fileno() >= 0:
            self._server.reactor.watch(self._sock, 0, self._ready)
            self._sock.close()
        self._server.forget(self)

    def _ready(self, events: int) -> None:
        try:
            if events & WRITE:
                self._flush()
            if events & READ and not self._closed:
                self._read()
        except OSError:
            self.close()

    def _flush(self) -> None:
        with self._lock:
            while self._backlog:
                try:
                    sent = self._sock.send(self._backlog[0])
                except (BlockingIOError, InterruptedError):
                    break
                self._backlog_bytes -= sent
                self._server.buffer(-sent)
                rest = self._backlog.popleft()[sent:]
                if rest:
                    self._backlog.appendleft(rest)
                    break
            empty = not self._backlog
        if self._leaving:
            if empty:
                self._say_goodbye()
        else:
            self._process()

    def _read(self) -> None:
        try:
            data = self._sock.recv(_CHUNK)
        except (BlockingIOError, InterruptedError):
            return
        if not data:
            self.close()
        elif not self._leaving:
            try:
                self._reader.feed(data)
            except WireError as error:
                self._expel(str(error))
                return
            self._process()

    def _resume(self) -> None:
        if not self._closed and not self._leaving:
            self._process()

    def _process(self) -> None:
        """Takes messages as long as the client may have more of them waiting."""
        try:
            while True:
                while self.pending < MAX_PENDING and self._backlog_bytes <= _PAUSE_BACKLOG:
                    message = self._reader.next()
                    if message is NOTHING:
                        self._note_held()
                        self.update()
                        return
                    self.has_spoken = True
                    self._server.dispatch(self, message, self._reader.size)
                self.update()
                if self._paused:
                    return
        except WireError as error:
            self._expel(str(error))

    def _note_held(self) -> None:
        held = self._reader.held
        if held or self._charged:
            # the scanner holds a copy of what is held here
            within = self._server.buffer(2 * held - self._charged)
            self._charged = 2 * held
            if not within and held > _CHUNK:
                raise WireError("finds the server with too many half messages; send less at once", "the message")

    def _expel(self, text: str) -> None:
        """Tells the client why, then closes."""
        _log.info("client %d is sent away: %s", self.number, text)
        self._leaving = True
        self.send(_pack([1, 0, clean(text), None]))
        self._server.buffer(-self._charged)
        self._charged = 0
        self._reader = MessageReader(self._server.max_message)
        self._server.reactor.after(_FAREWELL_S, self.close)
        if self._backlog_bytes:
            self.update()
        else:
            self._say_goodbye()

    def _say_goodbye(self) -> None:
        # Closing with unread bytes in the socket would reset the connection, and the error with it: read them away first.
        try:
            self._sock.shutdown(socket.SHUT_WR)
        except OSError:
            self.close()
            return
        self.update()
