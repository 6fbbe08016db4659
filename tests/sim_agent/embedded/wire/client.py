"""A client of our own: as little of CARLA's protocol as a test needs, and everything that it forbids."""

from __future__ import annotations

import socket
import struct
from typing import Any

import msgpack

DEADLINE_S = 30.0


class RpcClient:
    """One connection; `call` waits for its answer, `send` sends any bytes."""

    def __init__(self, port: int):
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=DEADLINE_S)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._unpacker = msgpack.Unpacker(max_buffer_size=1 << 30)
        self._last = 0

    def __enter__(self) -> RpcClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def request(self, name: str, *arguments: Any, is_async: bool = False) -> int:
        self._last += 1
        self.send(msgpack.packb([0, self._last, name, [[is_async], *arguments]]))
        return self._last

    def receive(self) -> list[Any]:
        """The next answer; raises EOFError at the end of the connection."""
        while True:
            for answer in self._unpacker:
                return answer
            data = self.sock.recv(1 << 16)
            if not data:
                raise EOFError
            self._unpacker.feed(data)

    def call(self, name: str, *arguments: Any) -> Any:
        number = self.request(name, *arguments)
        kind, answered, error, result = self.receive()
        assert (kind, answered) == (1, number)
        return error if error is not None else result

    def is_cut_off(self) -> bool:
        """Reads to the end: whether it comes. An answer before it may have been on its way."""
        try:
            while self.sock.recv(1 << 16):
                pass
        except ConnectionError:
            pass
        except TimeoutError:
            return False
        return True


class Subscriber:
    """A subscription to one stream."""

    def __init__(self, port: int, first_bytes: bytes):
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=DEADLINE_S)
        self.sock.sendall(first_bytes)

    @classmethod
    def to(cls, port: int, stream_id: int) -> Subscriber:
        return cls(port, struct.pack("<I", stream_id))

    def frame(self) -> bytes:
        """The next frame; raises EOFError at the end of the connection."""
        return self._exactly(struct.unpack("<I", self._exactly(4))[0])

    def is_cut_off(self) -> bool:
        return RpcClient.is_cut_off(self)  # type: ignore[arg-type]

    def close(self) -> None:
        self.sock.close()

    def _exactly(self, count: int) -> bytes:
        data = bytearray()
        while len(data) < count:
            piece = self.sock.recv(count - len(data))
            if not piece:
                raise EOFError
            data += piece
        return bytes(data)
