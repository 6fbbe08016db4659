"""The bytes of every record that a sensor streams, checked: CARLA's client dies of bad stream data.

Layouts: LibCarla/source/carla/sensor/s11n/*.h, and for 0.9.16 the registry order in the client's symbol
`CompositeSerializer<...>`. All little-endian, packed. A function returns the buffers of one frame for
`streams.StreamServer.send`; pictures and points are not copied.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from enum import IntEnum
from typing import Any, NamedTuple

import msgpack
import numpy as np
import numpy.typing as npt

from sim_agent.embedded.pose import Pose
from sim_agent.embedded.wire.codec import FLOAT, U32, U64, VECTOR3, WireError, shown, wire_type
from sim_agent.embedded.wire.structs import Actor

Vector = tuple[float, float, float]
Frame = tuple[Any, ...]
"""Buffers, to be sent one after the other."""


class Sensor(IntEnum):
    """What the first eight bytes of a record say: the place in 0.9.16's sensor registry."""

    COLLISION = 0
    DEPTH = 1
    NORMALS = 2
    DVS = 3
    GNSS = 4
    IMU = 5
    LANE_INVASION = 6
    OBSTACLE = 7
    OPTICAL_FLOW = 8
    RADAR = 9
    SEMANTIC_LIDAR = 10
    LIDAR = 11
    RSS = 12
    RGB = 13
    SEMANTIC_SEGMENTATION = 14
    INSTANCE_SEGMENTATION = 15
    COSMOS = 16
    WORLD_OBSERVER = 17
    GBUFFER_UINT8 = 18
    GBUFFER_FLOAT = 19
    V2X = 20
    CUSTOM_V2X = 21


PICTURES = frozenset(
    (
        Sensor.DEPTH,
        Sensor.NORMALS,
        Sensor.RGB,
        Sensor.SEMANTIC_SEGMENTATION,
        Sensor.INSTANCE_SEGMENTATION,
        Sensor.COSMOS,
        Sensor.GBUFFER_UINT8,
    )
)
"""Sensors whose records are BGRA pictures."""

_HEADER = struct.Struct("<QQd6f")
_PICTURE = struct.Struct("<IIf")
_ACTOR = wire_type(Actor)

DVS_EVENT = np.dtype([("x", "<u2"), ("y", "<u2"), ("t_ns", "<i8"), ("polarity", "?")])
"""An event of the dynamic vision sensor, 13 bytes."""
SEMANTIC_POINT = np.dtype(
    [("x", "<f4"), ("y", "<f4"), ("z", "<f4"), ("cos_angle", "<f4"), ("object", "<u4"), ("tag", "<u4")]
)
"""A detection of the semantic lidar: metres in the sensor's frame, cosine of the angle of incidence, object id,
`scene.Tag`.
"""


class Stamp(NamedTuple):
    """When and where a sensor measured: frame number, simulated seconds, the sensor's pose in the world."""

    frame: int
    time_s: float
    pose: Pose


def header(sensor: Sensor, stamp: Stamp) -> bytes:
    """48 bytes before every body. Raises WireError for a frame number, time or pose that is none."""
    if not math.isfinite(stamp.time_s):
        raise WireError(f"is {stamp.time_s}, but a finite number of seconds is expected; send simulated time", "time_s")
    try:
        pose = [FLOAT.encode(number) for number in stamp.pose]
    except WireError as error:
        raise error.within("pose") from None
    return _HEADER.pack(int(sensor), U64.encode(stamp.frame), stamp.time_s, *pose)


def picture(sensor: Sensor, stamp: Stamp, fov_deg: float, bgra: npt.NDArray[np.uint8]) -> Frame:
    """A camera's picture: (H, W, 4) uint8, blue first. Depth, tags and instances are encoded into the channels as CARLA
    documents.

    Raises WireError for another shape or type, or a sensor that makes no such pictures.
    """
    if sensor not in PICTURES:
        raise WireError(
            f"is {sensor!r}, which makes no BGRA pictures; take one of {sorted(sensor.name for sensor in PICTURES)}",
            "sensor",
        )
    _expect_array(bgra, (None, None, 4), np.dtype(np.uint8), "bgra")
    height, width = bgra.shape[:2]
    return header(sensor, stamp) + _PICTURE.pack(width, height, _fov(fov_deg)), bgra


def optical_flow(stamp: Stamp, fov_deg: float, flow: npt.NDArray[np.float32]) -> Frame:
    """(H, W, 2) float32: motion of each pixel since the last frame, x and y, as a share of the picture's size."""
    _expect_array(flow, (None, None, 2), np.dtype(np.float32), "flow")
    _expect_finite(flow, "flow")
    height, width = flow.shape[:2]
    return header(Sensor.OPTICAL_FLOW, stamp) + _PICTURE.pack(width, height, _fov(fov_deg)), flow


def dvs(stamp: Stamp, width: int, height: int, fov_deg: float, events: npt.NDArray[np.void]) -> Frame:
    """(N,) DVS_EVENT, within the picture. The real sensor sends nothing for a frame without events, and so must its user."""
    _expect_array(events, (None,), DVS_EVENT, "events")
    if not len(events) or (events["x"] >= width).any() or (events["y"] >= height).any():
        raise WireError(
            f"has {len(events)} events, but at least one is expected and all within {width} x {height}; send what is seen",
            "events",
        )
    return header(Sensor.DVS, stamp) + _PICTURE.pack(U32.encode(width), U32.encode(height), _fov(fov_deg)), events


def gnss(stamp: Stamp, latitude_deg: float, longitude_deg: float, altitude_m: float) -> Frame:
    """Where the antenna is."""
    values = [
        _finite(latitude_deg, "latitude_deg"),
        _finite(longitude_deg, "longitude_deg"),
        _finite(altitude_m, "altitude_m"),
    ]
    return header(Sensor.GNSS, stamp), _pack(values)


def imu(stamp: Stamp, accelerometer: Vector, gyroscope: Vector, compass_rad: float) -> Frame:
    """m/s2 and rad/s in the sensor's axes, and the angle from north."""
    return header(Sensor.IMU, stamp), _pack(
        [_vector(accelerometer, "accelerometer"), _vector(gyroscope, "gyroscope"), _finite(compass_rad, "compass_rad")]
    )


def collision(stamp: Stamp, actor: Actor, other: Actor, normal_impulse: Vector) -> Frame:
    """Two actors that met, and the impulse in N s. What is no actor has id 0 and a type id such as static.building."""
    return header(Sensor.COLLISION, stamp), _pack(
        [_actor(actor, "actor"), _actor(other, "other"), _vector(normal_impulse, "normal_impulse")]
    )


def obstacle(stamp: Stamp, actor: Actor, other: Actor, distance_m: float) -> Frame:
    """What stands before an actor, and how far."""
    return header(Sensor.OBSTACLE, stamp), _pack(
        [_actor(actor, "actor"), _actor(other, "other"), _finite(distance_m, "distance_m")]
    )


def lidar(stamp: Stamp, horizontal_angle_rad: float, counts: Sequence[int], points: npt.NDArray[np.float32]) -> Frame:
    """(N, 4) float32: x, y, z in metres in the sensor's axes, intensity 0 to 1; channel after channel, `counts` of each."""
    _expect_array(points, (None, 4), np.dtype(np.float32), "points")
    _expect_finite(points, "points")
    return header(Sensor.LIDAR, stamp) + _lidar_header(horizontal_angle_rad, counts, len(points)), points


def semantic_lidar(
    stamp: Stamp, horizontal_angle_rad: float, counts: Sequence[int], points: npt.NDArray[np.void]
) -> Frame:
    """(N,) SEMANTIC_POINT; channel after channel, `counts` of each."""
    _expect_array(points, (None,), SEMANTIC_POINT, "points")
    _expect_finite(points.view(np.float32).reshape(-1, 6)[:, :4], "points")
    return header(Sensor.SEMANTIC_LIDAR, stamp) + _lidar_header(horizontal_angle_rad, counts, len(points)), points


def radar(stamp: Stamp, detections: npt.NDArray[np.float32]) -> Frame:
    """(N, 4) float32: velocity towards the sensor in m/s, azimuth and altitude in rad, depth in m."""
    _expect_array(detections, (None, 4), np.dtype(np.float32), "detections")
    _expect_finite(detections, "detections")
    return header(Sensor.RADAR, stamp), detections


def _pack(value: Any) -> bytes:
    packed: bytes = msgpack.packb(value, unicode_errors="surrogateescape")
    return packed


def _finite(value: float, name: str) -> float:
    try:
        number: float = FLOAT.encode(value)
    except WireError as error:
        raise error.within(name) from None
    return number


def _fov(value: float) -> float:
    if not 0.0 < _finite(value, "fov_deg") < 180.0:
        raise WireError(
            f"is {value}, but more than 0 and less than 180 degrees are expected; choose another field of view",
            "fov_deg",
        )
    return value


def _vector(value: Vector, name: str) -> list[float]:
    try:
        vector: list[float] = VECTOR3.encode(value)
    except WireError as error:
        raise error.within(name) from None
    return vector


def _actor(value: Actor, name: str) -> Any:
    try:
        return _ACTOR.encode(value)
    except WireError as error:
        raise error.within(name) from None


def _lidar_header(horizontal_angle_rad: float, counts: Sequence[int], points: int) -> bytes:
    channels = len(counts)
    total = sum(counts)
    if not channels or total != points or min(counts) < 0:
        raise WireError(
            f"are {shown(list(counts))}, {total} in all, but {points} points are there; count the points of each channel",
            "counts",
        )
    return struct.pack(f"<fI{channels}I", _finite(horizontal_angle_rad, "horizontal_angle_rad"), channels, *counts)


def _expect_array(array: npt.NDArray[Any], shape: tuple[int | None, ...], dtype: np.dtype[Any], name: str) -> None:
    fits = isinstance(array, np.ndarray) and array.dtype == dtype and len(array.shape) == len(shape)
    fits = (
        fits
        and all(want in (None, have) for want, have in zip(shape, array.shape, strict=True))
        and array.flags.c_contiguous
    )
    if fits and len(shape) == 3:
        fits = array.size > 0
    if not fits:
        have = f"{array.shape} {array.dtype}" if isinstance(array, np.ndarray) else shown(array)
        wanted = ", ".join("N" if want is None else str(want) for want in shape)
        raise WireError(
            f"is {have}, but ({wanted}) {dtype}, C-contiguous, is expected; convert it with numpy.ascontiguousarray",
            name,
        )


def _expect_finite(array: npt.NDArray[Any], name: str) -> None:
    # min and max need no array of booleans
    if array.size and not (math.isfinite(array.min()) and math.isfinite(array.max())):
        raise WireError(
            "has numbers that are not finite, but only finite ones are expected; leave such points out", name
        )
