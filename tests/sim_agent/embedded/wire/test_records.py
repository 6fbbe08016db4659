from __future__ import annotations

import math
import struct

import msgpack
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim_agent.embedded.pose import Pose
from sim_agent.embedded.wire import records, structs
from sim_agent.embedded.wire.codec import WireError
from sim_agent.embedded.wire.records import Sensor, Stamp
from sim_agent.embedded.wire.state import ACTOR_BYTES, ActorState, EpisodeState, Motion, SignalState, light_post

STAMP = Stamp(258, 0.5, Pose(1.0, 2.0, 3.0, 4.0, 5.0, 6.0))
HEADER = "02010000 00000000 00000000 0000e03f 0000803f 00000040 00004040 00008040 0000a040 0000c040"
MOTION = Motion(STAMP.pose, (7.0, 8.0, 9.0), (10.0, 11.0, 12.0), (13.0, 14.0, 15.0))
MOVED = "".join(struct.pack("<f", number).hex() for number in range(1, 16))
ACTOR = structs.Actor(7, 0, structs.ActorDescription(1, "a", ()), structs.BoundingBox((1.0, 2.0, 3.0)), b"\x0e", b"")


def golden(frame: records.Frame) -> str:
    return b"".join(bytes(memoryview(part).cast("B")) if len(part) else b"" for part in frame).hex()


def expect(sensor: int, body: str) -> str:
    return struct.pack("<Q", sensor).hex() + (HEADER + body).replace(" ", "")


def test_header_is_48_bytes() -> None:
    assert records.header(Sensor.RGB, STAMP).hex() == expect(13, "")
    assert len(records.header(Sensor.RGB, STAMP)) == 48


@pytest.mark.parametrize("sensor", sorted(records.PICTURES))
def test_picture(sensor: Sensor) -> None:
    bgra = np.arange(16, dtype=np.uint8).reshape(2, 2, 4)
    frame = records.picture(sensor, STAMP, 90.0, bgra)
    assert golden(frame) == expect(sensor, "02000000 02000000 0000b442 000102030405060708090a0b0c0d0e0f")
    assert frame[1] is bgra


def test_optical_flow_and_dvs() -> None:
    flow = np.array([[[1.0, 2.0]]], np.float32)
    assert golden(records.optical_flow(STAMP, 90.0, flow)) == expect(8, "01000000 01000000 0000b442 0000803f 00000040")
    events = np.array([(2, 1, -2, True)], records.DVS_EVENT)
    assert golden(records.dvs(STAMP, 3, 2, 90.0, events)) == expect(
        3, "03000000 02000000 0000b442 0200 0100 feffffffffffffff 01"
    )


def test_gnss_imu_radar() -> None:
    assert golden(records.gnss(STAMP, 1.0, 2.0, 3.0)) == expect(4, msgpack.packb([1.0, 2.0, 3.0]).hex())
    imu = records.imu(STAMP, (1.0, 2.0, 3.0), (4.0, 5.0, 6.0), 7.0)
    assert golden(imu) == expect(5, msgpack.packb([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], 7.0]).hex())
    radar = records.radar(STAMP, np.array([[1.0, 2.0, 3.0, 4.0]], np.float32))
    assert golden(radar) == expect(9, "0000803f 00000040 00004040 00008040")
    assert golden(records.radar(STAMP, np.zeros((0, 4), np.float32))) == expect(9, "")


def test_collision_and_obstacle() -> None:
    actor = [7, 0, [1, "a", []], [[1.0, 2.0, 3.0], [0.0] * 3, [0.0] * 3, 0], b"\x0e", b""]
    collision = records.collision(STAMP, ACTOR, ACTOR, (1.0, 2.0, 3.0))
    assert golden(collision) == expect(0, msgpack.packb([actor, actor, [1.0, 2.0, 3.0]]).hex())
    assert golden(records.obstacle(STAMP, ACTOR, ACTOR, 4.5)) == expect(7, msgpack.packb([actor, actor, 4.5]).hex())


def test_lidars() -> None:
    points = np.array([[1.0, 2.0, 3.0, 4.0]], np.float32)
    assert golden(records.lidar(STAMP, 1.0, [0, 1], points)) == expect(
        11, "0000803f 02000000 00000000 01000000 0000803f 00000040 00004040 00008040"
    )
    semantic = np.array([(1.0, 2.0, 3.0, 4.0, 5, 6)], records.SEMANTIC_POINT)
    assert golden(records.semantic_lidar(STAMP, 1.0, [1], semantic)) == expect(
        10, "0000803f 01000000 01000000 0000803f 00000040 00004040 00008040 05000000 06000000"
    )
    empty = records.semantic_lidar(STAMP, 1.0, [0], np.zeros(0, records.SEMANTIC_POINT))
    assert golden(empty) == expect(10, "0000803f 01000000 00000000")


def state() -> EpisodeState:
    return EpisodeState(258, 0.5, 3, 1.0, 0.5, bits=1)


def actors(made: EpisodeState) -> str:
    frame = made.buffers()
    assert len(frame[2]) % ACTOR_BYTES == 0
    return frame[2].hex()


def test_state_header() -> None:
    made = state()
    start = struct.pack("<QQd6f", 17, 258, 0.5, *[0.0] * 6).hex()
    assert (
        golden(made.buffers()) == start + "0300000000000000" + "000000000000f03f" + "0000003f" + "00" * 12 + "01000000"
    )
    assert len(golden(made.buffers())) == 2 * (48 + 36)


def test_vehicle_record() -> None:
    made = state()
    made.vehicle(9, MOTION, structs.VehicleControl(1.0, 2.0, 3.0, True, False, True, -1), 4.0, SignalState.YELLOW, 5, 2)
    union = "0000803f 00000040 00004040 01 00 01 ffffffff 00008040 01 01 05000000 02".replace(" ", "")
    assert actors(made) == "09000000" + "01" + MOVED + union + "00" * 24


def test_traffic_light_walker_sign_and_other_records() -> None:
    made = state()
    made.traffic_light(light_post(9, MOTION, "ab"), SignalState.OFF, (1.0, 2.0, 3.0, 4.0), 5, True)
    made.walker(9, MOTION, structs.WalkerControl((1.0, 2.0, 3.0), 4.0, True), ActorState.DORMANT)
    made.sign(9, MOTION, "ab")
    made.other(9, MOTION)
    four = "0000803f 00000040 00004040 00008040".replace(" ", "")
    assert actors(made) == "".join(
        (
            "09000000" + "01" + MOVED + "6162" + "00" * 30 + four + "05000000" + "01" + "03",
            "09000000" + "02" + MOVED + four + "01" + "00" * 37,
            "09000000" + "01" + MOVED + "6162" + "00" * 52,
            "09000000" + "01" + MOVED + "00" * 54,
        )
    )


@given(st.lists(st.floats(), min_size=15, max_size=15), st.integers(-5, 1 << 33), st.floats())
def test_a_state_is_whole_or_refused(numbers: list[float], actor_id: int, speed: float) -> None:
    made = state()
    motion = Motion(Pose(*numbers[:6]), tuple(numbers[6:9]), tuple(numbers[9:12]), tuple(numbers[12:]))
    fits = all(math.isfinite(number) for number in numbers) and 0 <= actor_id < 1 << 32 and math.isfinite(speed)
    try:
        made.walker(actor_id, motion, structs.WalkerControl((0.0, 0.0, 0.0), speed))
    except WireError:
        assert not made.buffers()[2]
    else:
        assert fits
        record = made.buffers()[2]
        assert len(record) == ACTOR_BYTES
        assert np.isfinite(np.frombuffer(record, "<f4", 15, 5)).all()


@pytest.mark.parametrize(
    "make",
    [
        lambda: records.header(Sensor.RGB, Stamp(-1, 0.0, Pose())),
        lambda: records.header(Sensor.RGB, Stamp(1, math.nan, Pose())),
        lambda: records.header(Sensor.RGB, Stamp(1, 0.0, Pose(math.inf))),
        lambda: records.picture(Sensor.GNSS, STAMP, 90.0, np.zeros((2, 2, 4), np.uint8)),
        lambda: records.picture(Sensor.RGB, STAMP, 90.0, np.zeros((2, 2, 3), np.uint8)),
        lambda: records.picture(Sensor.RGB, STAMP, 90.0, np.zeros((0, 2, 4), np.uint8)),
        lambda: records.picture(Sensor.RGB, STAMP, 90.0, np.zeros((2, 2, 4), np.float32)),
        lambda: records.picture(Sensor.RGB, STAMP, 90.0, np.zeros((4, 4, 4), np.uint8)[:, ::2]),
        lambda: records.picture(Sensor.RGB, STAMP, 180.0, np.zeros((2, 2, 4), np.uint8)),
        lambda: records.optical_flow(STAMP, 90.0, np.full((1, 1, 2), np.nan, np.float32)),
        lambda: records.dvs(STAMP, 2, 2, 90.0, np.zeros(0, records.DVS_EVENT)),
        lambda: records.dvs(STAMP, 2, 2, 90.0, np.array([(2, 0, 0, True)], records.DVS_EVENT)),
        lambda: records.lidar(STAMP, 0.0, [2], np.zeros((1, 4), np.float32)),
        lambda: records.lidar(STAMP, 0.0, [], np.zeros((0, 4), np.float32)),
        lambda: records.lidar(STAMP, 0.0, [2, -1], np.zeros((1, 4), np.float32)),
        lambda: records.lidar(STAMP, 0.0, [1], np.full((1, 4), np.inf, np.float32)),
        lambda: records.semantic_lidar(STAMP, 0.0, [1], np.array([(np.nan, 0, 0, 0, 0, 0)], records.SEMANTIC_POINT)),
        lambda: records.radar(STAMP, np.zeros(4, np.float32)),
        lambda: records.gnss(STAMP, math.nan, 0.0, 0.0),
        lambda: records.imu(STAMP, (0.0, 0.0), (0.0, 0.0, 0.0), 0.0),
        lambda: records.collision(STAMP, ACTOR, ACTOR._replace(id=-1), (0.0, 0.0, 0.0)),
        lambda: records.obstacle(STAMP, ACTOR, None, 0.0),
        lambda: EpisodeState(1, 0.0, 1, math.inf, 0.05),
        lambda: EpisodeState(1, 0.0, -1, 0.0, 0.05),
        lambda: state().sign(1, MOTION, "x" * 32),
        lambda: state().sign(1, MOTION, "x\0"),
        lambda: state().vehicle(1, MOTION, structs.VehicleControl(math.nan), 0.0),
        lambda: state().vehicle(1, MOTION, structs.VehicleControl(gear=1 << 31), 0.0),
        lambda: state().other(1, Motion(Pose(x_m=1e300))),
        lambda: state().traffic_light(light_post(1, MOTION, "a"), SignalState.RED, (1.0, 1.0, 1.0, math.inf), 0, False),
    ],
)
def test_what_would_kill_the_client_is_refused(make) -> None:
    with pytest.raises(WireError):
        make()
