"""Cuts a byte stream into msgpack objects without letting any of them cost more memory than its own bytes are worth."""

from __future__ import annotations

from typing import Any

import msgpack

from sim_agent.embedded.wire.codec import WireError

MAX_MESSAGE = 64 << 20
"""Bytes of one message: an OpenDRIVE text of a whole city is half of that."""
LARGE_MESSAGE = 1 << 20
MAX_ELEMENTS_OF_LARGE = 1 << 16
"""Elements of a message above LARGE_MESSAGE bytes. Large messages are long texts; 64 MiB of empty lists would become 4
GiB of Python objects.
"""
NOTHING = object()
"""What `MessageReader.next` returns when it needs more bytes."""

_SIZE = [1] * 256
"""Bytes of an object by its first byte, without its content (https://github.com/msgpack/msgpack/blob/master/spec.md)."""
_LENGTH = [0] * 256
"""Bytes of the length that follows the first byte of strings, binaries, extensions, arrays and maps."""
for _first, _bytes in (
    (0xCA, 5),
    (0xCB, 9),
    (0xCC, 2),
    (0xCD, 3),
    (0xCE, 5),
    (0xCF, 9),
    (0xD0, 2),
    (0xD1, 3),
    (0xD2, 5),
    (0xD3, 9),
):
    _SIZE[_first] = _bytes
for _power in range(5):
    _SIZE[0xD4 + _power] = 2 + (1 << _power)
for _short in range(0xA0, 0xC0):
    _SIZE[_short] = 1 + (_short & 31)
for _first, _bytes in (
    *((0xC4, 1), (0xC5, 2), (0xC6, 4), (0xC7, 1), (0xC8, 2), (0xC9, 4)),
    *((0xD9, 1), (0xDA, 2), (0xDB, 4), (0xDC, 2), (0xDD, 4), (0xDE, 2), (0xDF, 4)),
):
    _LENGTH[_first] = _bytes
    _SIZE[_first] = 1 + _bytes


def count_elements(message: bytes | bytearray, limit: int) -> int:
    """How many objects a whole msgpack message holds, itself included; stops counting above `limit`."""
    position, missing, count = 0, 1, 0
    while missing and count <= limit:
        first = message[position]
        length = int.from_bytes(message[position + 1 : position + 1 + _LENGTH[first]], "big")
        position += _SIZE[first]
        missing -= 1
        count += 1
        if 0x90 <= first <= 0x9F:
            missing += first & 15
        elif 0x80 <= first <= 0x8F:
            missing += 2 * (first & 15)
        elif first in (0xDC, 0xDD):
            missing += length
        elif first in (0xDE, 0xDF):
            missing += 2 * length
        elif first in (0xC7, 0xC8, 0xC9):
            position += length + 1
        else:
            position += length
    return count


class MessageReader:
    """Bytes in, objects out. Nothing is built before it has arrived whole, so a header that promises much gets nothing."""

    def __init__(self, max_message: int = MAX_MESSAGE):
        self._max_message = max_message
        self._held = bytearray()
        self.size = 0
        """Bytes of the object that `next` returned last."""
        self._restart()

    def _restart(self) -> None:
        # `skip` reads on where it stopped and builds no objects: it finds the end of a message in one pass, at C speed.
        self._scanner = msgpack.Unpacker(max_buffer_size=self._max_message + LARGE_MESSAGE, read_size=1 << 12)
        self._scanner.feed(self._held)
        self._consumed = 0

    @property
    def held(self) -> int:
        """Bytes that wait for the rest of their message."""
        return len(self._held)

    def feed(self, data: bytes) -> None:
        """Takes at most LARGE_MESSAGE bytes; raises WireError when a message grows above the limit."""
        if len(self._held) + len(data) > self._max_message:
            raise WireError(
                f"is longer than {self._max_message} bytes, which is the limit; send less at once", "the message"
            )
        self._held += data
        self._scanner.feed(data)

    def next(self) -> Any:
        """The next object, or NOTHING; raises WireError for bytes that are no msgpack, maps, extensions, deep nesting
        and too many elements.
        """
        if not self._held:
            return NOTHING
        try:
            self._scanner.skip()
        except msgpack.OutOfData:
            return NOTHING
        except (ValueError, RecursionError) as error:
            raise WireError(
                f"is no msgpack ({str(error) or type(error).__name__}); speak CARLA's RPC protocol on this port",
                "the message",
            ) from None
        end = self._scanner.tell() - self._consumed
        message = self._held[:end]
        self.size = end
        del self._held[:end]
        self._consumed += end
        if end > LARGE_MESSAGE:
            self._restart()
            if count_elements(message, MAX_ELEMENTS_OF_LARGE) > MAX_ELEMENTS_OF_LARGE:
                raise WireError(
                    f"has {end} bytes and more than {MAX_ELEMENTS_OF_LARGE} elements, which is the limit for"
                    " a message of that length; send less at once",
                    "the message",
                )
        try:
            # No call of CARLA has a map or an extension: a limit of 0 refuses maps with keys that collide as well.
            return msgpack.unpackb(message, max_map_len=0, max_ext_len=0, unicode_errors="surrogateescape")
        except (ValueError, RecursionError) as error:
            raise WireError(
                f"holds what no call has ({str(error) or type(error).__name__}); send arrays, numbers, strings and BIN",
                "the message",
            ) from None
