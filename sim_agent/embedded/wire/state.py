"""The bytes of the world's state: what every client gets at every frame, with 119 bytes for each actor.

Layout: LibCarla/source/carla/sensor/s11n/EpisodeStateSerializer.h and sensor/data/ActorDynamicState.h, as 0.9.16's
debug information has them.
"""

from __future__ import annotations

import math
import struct
from enum import IntEnum
from typing import Any, NamedTuple

from sim_agent.embedded.pose import Pose
from sim_agent.embedded.wire.codec import FLOAT, U64, WireError, shown
from sim_agent.embedded.wire.records import Frame, Sensor, Stamp, Vector, header
from sim_agent.embedded.wire.structs import VehicleControl, WalkerControl

_STATE = struct.Struct("<Qdf3iI")
_MOTION = "<IB15f"
ACTOR_BYTES = 119
_VEHICLE = struct.Struct(_MOTION + "3f3?ifB?IB24x")
_WALKER = struct.Struct(_MOTION + "4f?37x")
_POST = struct.Struct(_MOTION + "32s")
_LIGHT = struct.Struct("<4fI?B")
_SIGN = struct.Struct(_MOTION + "32s22x")
_PLAIN = struct.Struct(_MOTION + "54x")


class SimulationState(IntEnum):
    """Bits of the state's last field."""

    NONE = 0
    MAP_CHANGE = 1
    """The client reads the map anew."""
    PENDING_LIGHT_UPDATE = 2
    """The client reads the lamps anew."""


class ActorState(IntEnum):
    """What an actor is doing."""

    INVALID = 0
    ACTIVE = 1
    DORMANT = 2
    PENDING_KILL = 3


class Motion(NamedTuple):
    """Where an actor is and how it moves: m/s, deg/s, m/s2, all in the world's axes."""

    pose: Pose
    velocity: Vector = (0.0, 0.0, 0.0)
    angular_velocity_deg: Vector = (0.0, 0.0, 0.0)
    acceleration: Vector = (0.0, 0.0, 0.0)


class SignalState(IntEnum):
    """`rpc::TrafficLightState`."""

    RED = 0
    YELLOW = 1
    GREEN = 2
    OFF = 3
    UNKNOWN = 4


class EpisodeState:
    """The state of all actors at one frame, collected one actor after the other. Each method raises WireError for what
    is not finite or too large.
    """

    def __init__(
        self, frame: int, time_s: float, episode_id: int, platform_time_s: float, delta_s: float, bits: int = 0
    ):
        """`platform_time_s` is the machine's own clock, `bits` of SimulationState, `delta_s` the simulated time since
        the last frame.
        """
        if not math.isfinite(platform_time_s + delta_s):
            raise WireError(
                f"are {platform_time_s} and {delta_s}, but finite seconds are expected; send real ones",
                "platform_time_s and delta_s",
            )
        start = header(Sensor.WORLD_OBSERVER, Stamp(frame, time_s, Pose()))
        self._parts = [
            start,
            _STATE.pack(U64.encode(episode_id), platform_time_s, FLOAT.encode(delta_s), 0, 0, 0, bits & 3),
        ]

    def vehicle(
        self,
        actor_id: int,
        motion: Motion,
        control: VehicleControl,
        speed_limit_kmh: float,
        signal: SignalState = SignalState.GREEN,
        signal_id: int = 0,
        failure: int = 0,
        state: ActorState = ActorState.ACTIVE,
    ) -> None:
        """A vehicle; `signal_id` is the traffic light in whose trigger box it is (0: none), `failure` 0 none, 1
        rollover, 2 engine, 3 tyre puncture.
        """
        throttle, steer, brake, hand_brake, reverse, manual, gear = control
        self._add(
            _VEHICLE,
            actor_id,
            state,
            motion,
            throttle + steer + brake + speed_limit_kmh,
            (
                throttle,
                steer,
                brake,
                hand_brake,
                reverse,
                manual,
                gear,
                speed_limit_kmh,
                signal,
                signal_id != 0,
                signal_id,
                failure,
            ),
        )

    def walker(
        self, actor_id: int, motion: Motion, control: WalkerControl, state: ActorState = ActorState.ACTIVE
    ) -> None:
        """A walker and what it was told."""
        self._add(
            _WALKER,
            actor_id,
            state,
            motion,
            sum(control.direction) + control.speed,
            (*control.direction, control.speed, control.jump),
        )

    def traffic_light(
        self, post: bytes, signal: SignalState, times_s: tuple[float, float, float, float], pole: int, frozen: bool
    ) -> None:
        """A traffic light: its `post`, its colour, how long green, yellow and red last and how long it has been so."""
        if not math.isfinite(sum(times_s)):
            raise WireError(f"are {shown(times_s)}, but finite seconds are expected; set real ones", "a light's times")
        try:
            self._parts.append(post + _LIGHT.pack(*times_s, pole, frozen, signal))
        except (struct.error, OverflowError) as error:
            raise WireError(
                f"cannot be sent ({error}); set smaller ones", f"a light's times {shown(times_s)}"
            ) from None

    def sign(self, actor_id: int, motion: Motion, sign_id: str, state: ActorState = ActorState.ACTIVE) -> None:
        """A traffic sign: OpenDRIVE's signal id (at most 31 bytes)."""
        self._add(_SIGN, actor_id, state, motion, 0.0, (_sign_id(sign_id),))

    def other(self, actor_id: int, motion: Motion, state: ActorState = ActorState.ACTIVE) -> None:
        """Any other actor: a sensor, a prop, the spectator."""
        self._add(_PLAIN, actor_id, state, motion, 0.0, ())

    def last(self) -> bytes:
        """The record that was added last, for `repeat`."""
        return self._parts[-1]

    def repeat(self, record: bytes) -> None:
        """A record of an earlier frame, of an actor that has not changed since."""
        self._parts.append(record)

    def buffers(self) -> Frame:
        """The frame: the header, the state's header and 119 bytes for each actor."""
        return tuple(self._parts[:2]) + (b"".join(self._parts[2:]),)

    def _add(
        self, layout: struct.Struct, actor_id: int, state: int, motion: Motion, check: float, more: tuple[Any, ...]
    ) -> None:
        self._parts.append(_packed(layout, actor_id, state, motion, check, more))


def light_post(actor_id: int, motion: Motion, sign_id: str, state: ActorState = ActorState.ACTIVE) -> bytes:
    """What stays of a traffic light from frame to frame, for `EpisodeState.traffic_light`: where it is, and OpenDRIVE's
    signal id (at most 31 bytes).
    """
    return _packed(_POST, actor_id, state, motion, 0.0, (_sign_id(sign_id),))


def _packed(
    layout: struct.Struct, actor_id: int, state: int, motion: Motion, check: float, more: tuple[Any, ...]
) -> bytes:
    pose, velocity, angular_velocity, acceleration = motion
    # A sum is finite only if all of its parts are, and one addition a number is a tenth of asking for each.
    if not math.isfinite(sum(pose) + sum(velocity) + sum(angular_velocity) + sum(acceleration) + check):
        raise WireError(
            f"is {shown(motion)} with {shown(more)}, but finite numbers are expected; stop it before it flies off",
            f"actor {actor_id}",
        )
    try:
        return layout.pack(actor_id, state, *pose, *velocity, *angular_velocity, *acceleration, *more)
    except (struct.error, OverflowError, TypeError) as error:
        raise WireError(
            f"is {shown(motion)} with {shown(more)}, which the record cannot hold ({error}); send less",
            f"actor {actor_id}",
        ) from None


def _sign_id(sign_id: str) -> bytes:
    encoded = sign_id.encode()
    # The client reads up to a zero byte, which must be within the 32.
    if len(encoded) > 31 or b"\0" in encoded:
        raise WireError(
            f"is {shown(sign_id)}, but at most 31 bytes without a zero are expected; shorten the signal's id", "sign_id"
        )
    return encoded
