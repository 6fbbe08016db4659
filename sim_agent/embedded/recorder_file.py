"""The recorder's file: what a server writes at every tick, and how it is read back, to the last whole frame of it.

Layout, version 1. A magic of 20 bytes, then records, only ever appended:

    length u32 | crc32 u32 | payload of `length` bytes          both numbers little-endian

The first payload is a `Header`, every other one a `Frame`, as msgpack arrays of their fields in the order of the classes
below. A structure is an array, a pose [[x, y, z], [pitch, yaw, roll]], an optional value [false] or [true, value].
`Frame.states` is a BIN that holds `States`, packed with 32-bit floats, which is what CARLA's own state stream has, and
deflated (zlib): less than half the size, and a reader that looks for events need not unpack it. Metres, seconds,
degrees and m/s throughout, where a name says no other.

A frame is written with one call and no buffer. Whatever ends the server, the file holds all frames before that moment;
a record cut short at the end is no frame and is passed over. A record whose checksum is wrong is an error.
`Header.date_s` and, with additional data, `Moment.platform_ns` are the only bytes that a clock decides.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import msgpack

from sim_agent.embedded.pose import Pose
from sim_agent.embedded.scene import Weather
from sim_agent.embedded.wire import codec, structs
from sim_agent.embedded.wire.structs import U8, U16, U32, U64, Vector3
from sim_agent.embedded.world import WorldError

MAGIC = b"CARLA-UNET RECORDER\n"
VERSION = 1
MOST_BYTES = 1 << 26
"""Of a record."""
NS_PER_S = 1_000_000_000
_PREFIX = struct.Struct("<II")


class Header(NamedTuple):
    """What was recorded and when."""

    version: U32
    town: str
    """As `Map.name` has it: Carla/Maps/Town01."""
    town_crc: U32
    """crc32 of the map's OpenDRIVE text: another draw of a town has another one."""
    opendrive: str
    """The text itself, of a map that a client sent; else empty."""
    date_s: U64
    """Seconds since 1970."""
    additional: bool
    """Whether the client asked for additional data: boxes, physics and platform times."""


class Moment(NamedTuple):
    """When a frame was, in nanoseconds since the first one."""

    frame: U64
    elapsed_ns: U64
    delta_ns: U64
    platform_ns: U64

    @property
    def elapsed_s(self) -> float:
        """Simulated seconds since the first frame."""
        return self.elapsed_ns / NS_PER_S


class Added(NamedTuple):
    """An actor that was not in the frame before, or in the first frame."""

    id: U32
    kind: U8
    """CARLA's number: 0 other, 1 vehicle, 2 walker, 3 traffic light, 4 traffic sign, 5 sensor."""
    description: structs.ActorDescription
    pose: Pose
    parent: U32
    attachment: U8
    mount: Pose
    """Where on its parent."""
    box: structs.BoundingBox | None
    physics: structs.VehiclePhysicsControl | None


class Mounted(NamedTuple):
    """An attached actor that was moved on its parent, or taken off it (0)."""

    id: U32
    parent: U32
    mount: Pose


class Collision(NamedTuple):
    """Two things touched; once for each pair. `other` 0 is a thing of the map, whose type is `name`."""

    actor: U32
    other: U32
    name: str
    impulse: Vector3


class LightTimes(NamedTuple):
    """How long a traffic light shows what, in seconds."""

    id: U32
    green_s: float
    yellow_s: float
    red_s: float


class Events(NamedTuple):
    """What changed since the frame before."""

    added: tuple[Added, ...] = ()
    removed: tuple[U32, ...] = ()
    mounted: tuple[Mounted, ...] = ()
    collisions: tuple[Collision, ...] = ()
    light_times: tuple[LightTimes, ...] = ()
    weather: Weather | None = None
    lamps: tuple[tuple[structs.LightState, ...], ...] = ()
    """Nothing, or one list: all street lamps that from now on are not as they were made."""


class Moved(NamedTuple):
    """Where an actor without a parent is, in the world's axes."""

    id: U32
    pose: Pose
    velocity: Vector3
    angular_velocity_deg: Vector3


class Driven(NamedTuple):
    """A vehicle's driver; the gear is the one that is in."""

    id: U32
    control: structs.VehicleControl
    lights: U32
    doors_open: tuple[U8, ...]


class Walked(NamedTuple):
    """A walker's will, and the way walked, which its gait follows."""

    id: U32
    control: structs.WalkerControl
    walked_m: float


class Shown(NamedTuple):
    """A traffic light's state (`carla.TrafficLightState`)."""

    id: U32
    state: U8


class Phase(NamedTuple):
    """What a group of traffic lights is about to do; `light` is its first."""

    light: U32
    turn: U16
    stage: U8
    elapsed_s: float
    frozen: bool


class States(NamedTuple):
    """All that a frame tells whether it has changed or not."""

    moved: tuple[Moved, ...] = ()
    driven: tuple[Driven, ...] = ()
    walked: tuple[Walked, ...] = ()
    shown: tuple[Shown, ...] = ()
    phases: tuple[Phase, ...] = ()


class Frame(NamedTuple):
    """One tick."""

    moment: Moment
    events: Events
    states: bytes


_HEADER, _FRAME, _STATES = (codec.wire_type(cls) for cls in (Header, Frame, States))


def pack_states(states: States) -> bytes:
    """States as `Frame.states` holds them."""
    packed = msgpack.packb(_STATES.encode(states), use_single_float=True, unicode_errors="surrogateescape")
    return zlib.compress(packed, 1)


def recorder_path(folder: Path, name: str) -> Path:
    """Where a recorder file of that name is: in `folder`, or where an absolute name says.

    Raises WorldError for a name that is none or that leads out of the folder.
    """
    if not name or "\0" in name:
        raise WorldError(f"{name!r} is no file name; give one, such as recording01.log")
    if Path(name).is_absolute():
        return Path(name)
    try:
        inside = (folder / name).resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError, UnicodeEncodeError) as error:
        raise WorldError(f"{name!r} is no file name ({error}); give one, such as recording01.log") from None
    if not inside:
        raise WorldError(f"{name!r} leads out of the folder {folder}; give a plain name, or an absolute one")
    return folder / name


class RecorderWriter:
    """A recorder file that is being written."""

    def __init__(self, path: Path, header: Header):
        """Begins the file; one that is there already is only replaced if it is a recorder file as well.

        Raises WorldError, and leaves what is there alone, if it cannot be.
        """
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            _refuse_foreign(path)
            self._file = path.open("wb", buffering=0)
        except (OSError, ValueError) as error:
            raise WorldError(f"{path} cannot be written ({_reason(error)}); choose another name") from None
        try:
            self._write(MAGIC + _record(_HEADER.encode(header)))
        except OSError as error:
            self._file.close()
            raise WorldError(f"{path} cannot be written ({_reason(error)}); choose another name") from None

    def write(self, frame: Frame) -> None:
        """Append a frame; raises OSError if it finds no room."""
        self._write(_record(_FRAME.encode(frame)))

    def close(self) -> None:
        """End the file; a second call does nothing."""
        self._file.close()

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            # An unbuffered file takes as much as it likes, and None of it stands for none.
            view = view[self._file.write(view) or 0 :]


class RecorderReader:
    """A recorder file that is being read; close it."""

    def __init__(self, path: Path):
        """Raises FileNotFoundError if there is no such file, and WorldError if it is no recorder file."""
        self.path = path
        try:
            if path.exists() and not path.is_file():
                raise WorldError(f"{path} is not a file; give the name of a recorder file")
            self._file: BinaryIO = path.open("rb")
        except FileNotFoundError:
            raise
        except (OSError, ValueError) as error:
            raise WorldError(f"{path} cannot be read ({_reason(error)}); give the name of a recorder file") from None
        try:
            self.header = self._read_header()
        except BaseException:
            self.close()
            raise

    def frames(self) -> Iterator[Frame]:
        """All whole frames, from the first, in the order of their times.

        Raises WorldError at a frame that is damaged.
        """
        self._file.seek(self._begin)
        last_ns = 0
        while (payload := self._next()) is not None:
            frame: Frame = self._decoded(_FRAME, payload)
            if frame.moment.elapsed_ns < last_ns:
                raise self._damaged("its times run backwards")
            last_ns = frame.moment.elapsed_ns
            yield frame

    def states(self, frame: Frame) -> States:
        """What a frame of this file tells of all actors; raises WorldError if that is damaged."""
        inflater = zlib.decompressobj()
        try:
            packed = inflater.decompress(frame.states, MOST_BYTES)
        except zlib.error as error:
            raise self._damaged(f"States: {error}") from None
        if not inflater.eof:
            raise self._damaged(f"States: cut short, or longer than {MOST_BYTES} bytes")
        states: States = self._decoded(_STATES, packed)
        return states

    def close(self) -> None:
        """A second call does nothing."""
        self._file.close()

    def __enter__(self) -> RecorderReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _read_header(self) -> Header:
        if self._read(len(MAGIC)) != MAGIC:
            raise WorldError(f"{self.path} is not a recorder file of this simulator; record it with start_recorder")
        payload = self._next()
        if payload is None:
            raise WorldError(f"{self.path} ends before its header; record it anew")
        values = self._unpacked(payload)
        if isinstance(values, list) and values and isinstance(values[0], int) and values[0] != VERSION:
            raise WorldError(f"{self.path} has version {values[0]}, but this simulator reads version {VERSION}")
        self._begin = self._file.tell()
        header: Header = self._decoded(_HEADER, payload)
        return header

    def _next(self) -> bytes | None:
        """The payload of the next whole record, or None."""
        prefix = self._read(_PREFIX.size)
        if len(prefix) < _PREFIX.size:
            return None
        length, checksum = _PREFIX.unpack(prefix)
        if length > MOST_BYTES:
            raise self._damaged(f"a record of {length} bytes is longer than the {MOST_BYTES} that one may have")
        payload = self._read(length)
        if len(payload) < length:
            return None
        if zlib.crc32(payload) != checksum:
            raise self._damaged("a checksum is wrong")
        return payload

    def _read(self, count: int) -> bytes:
        try:
            return self._file.read(count)
        except OSError as error:
            raise WorldError(f"{self.path} cannot be read ({_reason(error)})") from None

    def _decoded(self, wire: codec.WireType, payload: bytes) -> Any:
        try:
            return wire.decode(self._unpacked(payload))
        except codec.WireError as error:
            raise self._damaged(f"{wire.name}: {error}") from None

    def _unpacked(self, payload: bytes) -> Any:
        try:
            return msgpack.unpackb(payload, max_map_len=0, max_ext_len=0, unicode_errors="surrogateescape")
        except (ValueError, RecursionError, msgpack.UnpackException) as error:
            raise self._damaged(f"{str(error) or type(error).__name__}") from None

    def _damaged(self, why: str) -> WorldError:
        return WorldError(f"{self.path} is damaged before byte {self._file.tell()} ({why}); record it anew")


def _record(value: Any) -> bytes:
    payload = msgpack.packb(value, unicode_errors="surrogateescape")
    return _PREFIX.pack(len(payload), zlib.crc32(payload)) + payload


def _refuse_foreign(path: Path) -> None:
    if not path.exists():
        return
    if not path.is_file():
        raise WorldError(f"{path} is there and is not a file; choose another name")
    with path.open("rb") as file:
        # A server that was killed at the first byte leaves less than the magic.
        if not MAGIC.startswith(file.read(len(MAGIC))):
            raise WorldError(f"{path} is there and is not a recorder file, so it stays; choose another name")


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
