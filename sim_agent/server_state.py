"""What state a server was left in, and how it is set free: over bare sockets, which cannot hang or abort as a client can.

The layouts are those of CARLA 0.9.16's protocol: settings are a list that begins with synchronous_mode,
no_rendering_mode and the optional fixed_delta_seconds; an actor is [id, parent, [uid, type, attributes], ...].
"""

from __future__ import annotations

import contextlib
import socket
import struct
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from sim_agent.connect import Rpc

_CALL_S = 10.0
STILL_S = 3.0
"""A synchronous world without a tick for so long has nobody who ticks it."""
_CHUNK = 256
_EMPTY_CHUNKS = 8
_FAMILIES = ("sensor", "controller", "walker", "vehicle")
"""What programs spawn, in the order in which it may be destroyed; lights, signs and the spectator are the town's."""
_TOKEN = struct.Struct("<IH")
_FRAME = struct.Struct("<QQ")


@dataclass(frozen=True)
class Leftover:
    """An actor that is no part of the town."""

    id: int
    type_id: str
    role: str = ""

    @property
    def family(self) -> str:
        """sensor, controller, walker or vehicle."""
        return self.type_id.split(".", 1)[0]


@dataclass(frozen=True)
class ServerState:
    """Settings, what was spawned, and whether time passes."""

    synchronous: bool
    step_s: float | None
    no_rendering: bool
    moves: bool
    """Whether frames come, which in synchronous mode means that somebody ticks."""
    actors: tuple[Leftover, ...]
    raw_settings: list[Any] = field(repr=False)

    @property
    def deserted(self) -> bool:
        """Whether a program that is gone left it in synchronous mode, in which it does nothing for anybody else."""
        return self.synchronous and not self.moves

    def changes(self) -> list[str]:
        """What `set_free` would change."""
        changes = []
        if self.synchronous:
            changes.append("synchronous_mode: on -> off")
        if self.step_s is not None:
            changes.append(f"fixed_delta_seconds: {self.step_s:g} -> none")
        if self.no_rendering:
            changes.append("no_rendering_mode: on -> off")
        return changes

    def tally(self) -> str:
        """As in `2 sensors, 1 vehicle`; empty where nothing is left."""
        counts = {family: sum(actor.family == family for actor in self.actors) for family in _FAMILIES}
        return ", ".join(f"{n} {family}{'s' if n > 1 else ''}" for family, n in counts.items() if n)


def look(host: str, port: int) -> ServerState:
    """Ask for all of it; changes nothing.

    Raises:
        OSError, ValueError: the server does not answer, or not as CARLA does.
    """
    with Rpc(host, port, _CALL_S) as rpc:
        settings = rpc.call("get_episode_settings")
        (token,) = rpc.call("get_episode_info")[1]
        actors = _actors(rpc)
    synchronous, no_rendering, step = settings[:3]
    stream, stream_port = _TOKEN.unpack_from(token)
    return ServerState(
        synchronous=bool(synchronous),
        step_s=float(step[1]) if step[0] else None,
        no_rendering=bool(no_rendering),
        moves=_frames_come(host, stream_port, stream),
        actors=tuple(actors),
        raw_settings=settings,
    )


def set_free(host: str, port: int, state: ServerState) -> None:
    """Asynchronous mode, a step of the server's own, and rendering; other settings stay. Raises as `look`."""
    with Rpc(host, port, _CALL_S) as rpc:
        rpc.call("set_episode_settings", [False, False, [False], *state.raw_settings[3:]])


def destroy(host: str, port: int, actors: Iterable[Leftover]) -> None:
    """Destroy them, sensors first and vehicles last; those that are gone already are no error. Raises as `look`."""
    with Rpc(host, port, _CALL_S) as rpc:
        for actor in sorted(actors, key=lambda actor: _FAMILIES.index(actor.family)):
            with contextlib.suppress(ValueError):
                rpc.call("destroy_actor", actor.id)


def _actors(rpc: Rpc) -> list[Leftover]:
    """Ids are given from 1 upwards, so whatever is there can be asked for; the list of them comes with a tick only."""
    found: list[Leftover] = []
    first, empty = 1, 0
    while empty < _EMPTY_CHUNKS:
        chunk = rpc.call("get_actors_by_id", list(range(first, first + _CHUNK)))
        first += _CHUNK
        empty = 0 if chunk else empty + 1
        for number, _parent, (_uid, type_id, attributes), *_rest in chunk:
            if type_id.split(".", 1)[0] in _FAMILIES:
                role = next((value for name, _kind, value in attributes if name == "role_name"), "")
                found.append(Leftover(number, type_id, role))
    return found


def _frames_come(host: str, port: int, stream: int) -> bool:
    """Whether the world's state comes for two frames within `STILL_S`: a server may repeat its last one to a newcomer."""
    deadline = time.monotonic() + STILL_S
    frames: set[int] = set()
    with socket.create_connection((host, port), STILL_S) as sock, sock.makefile("rb") as stream_file:
        sock.sendall(struct.pack("<I", stream))
        while len(frames) < 2:
            left_s = deadline - time.monotonic()
            if left_s <= 0.0:
                return False
            sock.settimeout(left_s)
            try:
                (size,) = struct.unpack("<I", stream_file.read(4))
                frames.add(_FRAME.unpack_from(stream_file.read(size))[1])
            except TimeoutError:
                return False
            except struct.error:
                raise ValueError("the stream of the world's state broke off") from None
    return True
