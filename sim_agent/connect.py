"""What answers on a port, said in the user's words, before CARLA's own client makes its first call."""

from __future__ import annotations

import enum
import importlib.metadata
import platform
import re
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import msgpack

from sim_agent.errors import SimulatorError

_PROBE_S = 3.0
_RETRY_S = 0.5
_SAY_EVERY_S = 5.0
_MAX_REPLY = 16 << 20


class State(enum.Enum):
    """What was found on a port."""

    UNKNOWN_HOST = "no such host"
    NOTHING = "nothing listens"
    SILENT = "listens, but does not answer"
    LOADING = "listens, still loading"
    FOREIGN = "speaks something else"
    READY = "ready"


@dataclass(frozen=True)
class Found:
    """What answers on a port; `version` where it is a CARLA server."""

    state: State
    version: str | None = None


class Rpc:
    """CARLA's RPC with nothing but a socket: for questions that must not hang or kill the process.

    Raises:
        OSError: nobody there, or silent for `timeout_s`.
        ValueError: the answer is not in CARLA's protocol.
    """

    def __init__(self, host: str, port: int, timeout_s: float = _PROBE_S):
        self._sock = socket.create_connection((host, port), timeout_s)
        self._unpacker = msgpack.Unpacker(max_buffer_size=_MAX_REPLY, unicode_errors="surrogateescape")
        self._last_id = 0

    def wait_for(self, timeout_s: float) -> None:
        """From now on, an answer may take `timeout_s`."""
        self._sock.settimeout(timeout_s)

    def call(self, name: str, *args: Any) -> Any:
        """The value of CARLA's Response, or of a bare answer."""
        self.send(name, [False], *args)
        return _value(self.reply())

    def send(self, name: str, *args: Any) -> None:
        """Ask, as plain msgpack-RPC."""
        self._last_id += 1
        self._sock.sendall(msgpack.packb([0, self._last_id, name, args]))

    def reply(self) -> Any:
        """The answer to what was asked last."""
        while True:
            try:
                message = self._unpacker.unpack()
            except msgpack.OutOfData:
                self._receive()
                continue
            except Exception as error:  # msgpack has a dozen of kinds for bytes that are none of its
                raise ValueError("no msgpack") from error
            if not isinstance(message, list) or len(message) != 4 or message[0] != 1:
                raise ValueError("no msgpack-RPC")
            if message[1] == self._last_id:
                if message[2] is not None:
                    raise ValueError(str(message[2]))
                return message[3]

    def _receive(self) -> None:
        data = self._sock.recv(65536)
        if not data:
            raise ConnectionError("it hung up")
        try:
            self._unpacker.feed(data)
        except msgpack.BufferFull:
            raise ValueError("an answer without an end") from None

    def __enter__(self) -> Rpc:
        return self

    def __exit__(self, *_: object) -> None:
        self._sock.close()


def _value(result: Any) -> Any:
    if isinstance(result, list) and len(result) == 1 and isinstance(result[0], list) and len(result[0]) == 2:
        good, value = result[0]
        if good == 0:
            raise ValueError(str(value))
        return value
    return result


def probe(host: str, port: int, timeout_s: float = _PROBE_S) -> Found:
    """Ask once what is on a port; takes at most about three times `timeout_s`."""
    try:
        rpc = Rpc(host, port, timeout_s)
    except socket.gaierror:
        return Found(State.UNKNOWN_HOST)
    except OSError:
        return Found(State.NOTHING)
    with rpc:
        try:
            version = rpc.call("version")
        except ValueError:
            return Found(State.FOREIGN)
        except OSError:
            return Found(State.SILENT)
        if not isinstance(version, str):
            return Found(State.FOREIGN)
        try:
            rpc.call("get_episode_info")  # unlike the version, the game's own thread answers this
        except (ValueError, OSError):
            return Found(State.LOADING, version)
    return Found(State.READY, version)


def wait_for_server(host: str, port: int, within_s: float, say: Callable[[str], None]) -> str:
    """Wait until a CARLA server of the client's version answers, telling what it waits for; its version.

    Raises:
        SimulatorError: there is none within `within_s`, or it is of another version, or no CARLA server.
    """
    where = f"{host}:{port}"
    deadline = time.monotonic() + within_s
    said: tuple[State, float] | None = None
    while True:
        found = probe(host, port, _PROBE_S)
        if found.version is not None:
            compare_versions(where, found.version)
        if found.state is State.READY:
            assert found.version is not None
            return found.version
        if found.state is State.UNKNOWN_HOST:
            raise SimulatorError(f"{host}: there is no such host; check --host.")
        if found.state is State.FOREIGN:
            raise SimulatorError(
                f"{where}: what listens there is not a CARLA server; --port is the server's RPC port, 2000 by default."
            )
        left_s = deadline - time.monotonic()
        if left_s <= 0.0:
            raise SimulatorError(f"{where}: {_GIVEN_UP[found.state]}")
        if said is None or said[0] is not found.state or said[1] - left_s >= _SAY_EVERY_S:
            say(f"{where}: {_WAITING[found.state]}; waiting for {left_s:.0f} s more")
            said = (found.state, left_s)
        time.sleep(min(_RETRY_S, left_s))


_WAITING = {
    State.NOTHING: "nothing listens there yet",
    State.SILENT: "something listens there but does not answer yet",
    State.LOADING: "a CARLA server listens there and is still loading",
}
_GIVEN_UP = {
    State.NOTHING: "nothing listens there; start the CARLA server, or leave --host and --port out for the embedded one.",
    State.SILENT: "something listens there but does not answer; is that the CARLA server's RPC port (2000 by default), and "
    "is the server past its start?",
    State.LOADING: "the CARLA server there is still loading; wait until its window shows the town, then start again.",
}


def client_version() -> str:
    """Version of the installed `carla` wheel."""
    return importlib.metadata.version("carla")


def compare_versions(where: str, server: str) -> None:
    """Raises SimulatorError if the server is of another release than the client.

    Builds of one release fit each other (0.9.16 and 0.9.16-2-gabc); a build that has no number can't be compared.
    """
    client = client_version()
    numbers = re.match(r"\d+(\.\d+)+", server)
    if numbers is not None and numbers[0] != client.split("-")[0]:
        raise SimulatorError(
            f"{where}: the server is CARLA {server} and the installed client {client}, which don't understand each other; "
            f"start a server of {client}, or leave --host and --port out for the embedded one."
        )


def import_carla() -> ModuleType:
    """CARLA's client.

    Raises:
        SimulatorError: it is not installed; the message says where it can be.
    """
    try:
        import carla
    except ModuleNotFoundError:
        raise SimulatorError(
            f"the `carla` client is not installed here ({platform.system()} {platform.machine()}, Python "
            f"{platform.python_version()}); its wheels exist for Linux x86-64 and Windows with CPython 3.10 to 3.12: "
            f"there, pip install carla==0.9.16."
        ) from None
    return carla
