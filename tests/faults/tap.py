"""Listens in on a client that talks to the simulator: what it said becomes what others say wrongly."""

from __future__ import annotations

import contextlib
import socket
import threading

import msgpack


class Tap:
    """A port that hands all on to another one, and keeps what was said; use it as a context."""

    def __init__(self, port: int):
        self._to = port
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        self._said: list[bytearray] = []
        self._sockets: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def __enter__(self) -> Tap:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._threads[0].join()  # no more come
        for each in self._sockets:
            with contextlib.suppress(OSError):  # the other side may have ended it
                each.shutdown(socket.SHUT_RDWR)
        for thread in self._threads[1:]:
            thread.join()
        for each in (self._server, *self._sockets):
            each.close()

    def messages(self) -> list[list]:
        """All requests so far, as lists."""
        found = []
        for said in self._said:
            unpacker = msgpack.Unpacker(unicode_errors="surrogateescape")
            unpacker.feed(bytes(said))
            found += [message for message in unpacker if isinstance(message, list)]
        return found

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:  # shut down
                return
            server = socket.create_connection(("127.0.0.1", self._to))
            said = bytearray()
            self._said.append(said)
            self._sockets += [client, server]
            for source, target, kept in ((client, server, said), (server, client, None)):
                thread = threading.Thread(target=self._pass_on, args=(source, target, kept))
                self._threads.append(thread)
                thread.start()

    def _pass_on(self, source: socket.socket, target: socket.socket, kept: bytearray | None) -> None:
        with contextlib.suppress(OSError):  # either side is gone, so this way has nothing more to carry
            while data := source.recv(1 << 16):
                if kept is not None:
                    kept += data
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
