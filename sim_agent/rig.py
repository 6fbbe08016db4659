"""Cameras on a vehicle: switched on once an episode, and their pictures put together by frame number."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from sim_agent.errors import SimulatorError, SimulatorGone
from sim_agent.session import Session
from trainer.dataset.recording import Camera
from trainer.errors import ConfigError

KINDS = {
    "rgb": "sensor.camera.rgb",
    "semantic": "sensor.camera.semantic_segmentation",
    "depth": "sensor.camera.depth",
    "instance": "sensor.camera.instance_segmentation",
}
"""What a camera may give, and CARLA's sensor for it."""
DEADLINE_S = 30.0
"""How long a picture may take after its tick: real seconds, so a machine that swaps is not given up at once."""
_LOOK_S = 1.0
_FAR_M, _DEPTH_STEPS = 1000.0, 2**24 - 1
Bytes = npt.NDArray[np.uint8]


class Picture(Protocol):
    """What we read of a carla.Image."""

    frame: int
    width: int
    height: int
    raw_data: Any


class SensorSilent(SimulatorGone):
    """A sensor sent nothing for the whole of its deadline."""


class FrameMissing(Exception):
    """A sensor passed over a frame: it sent a later one. sensor: its name."""

    def __init__(self, sensor: str, frame: int, later: int):
        super().__init__(f"{sensor} has no frame {frame}; it sent {later}")
        self.sensor = sensor


class FrameMatch:
    """Pictures of several sensors, put together by frame number and by nothing else."""

    def __init__(self, sensors: Sequence[str]):
        self._pictures: dict[str, dict[int, Picture]] = {sensor: {} for sensor in sensors}
        self._last = dict.fromkeys(sensors, -1)
        self._arrived = threading.Condition()

    def put(self, sensor: str, picture: Picture) -> None:
        """A picture has arrived; from any thread."""
        with self._arrived:
            self._pictures[sensor][picture.frame] = picture
            self._last[sensor] = max(self._last[sensor], picture.frame)
            self._arrived.notify()

    def take(
        self, frame: int, deadline_s: float = DEADLINE_S, look: Callable[[], None] = lambda: None
    ) -> dict[str, Picture]:
        """The pictures of one frame, of every sensor; what is older is forgotten.

        look: called about once a second of waiting; what it raises ends the wait.

        Raises:
            FrameMissing: a sensor has sent a later frame, so this one will not come.
            SensorSilent: nothing newer came within `deadline_s`.
        """
        with self._arrived:
            end_s = time.monotonic() + deadline_s
            while not self._arrived.wait_for(
                lambda: all(last >= frame for last in self._last.values()), min(_LOOK_S, end_s - time.monotonic())
            ):
                look()
                if time.monotonic() >= end_s:
                    break
            for sensor, last in self._last.items():
                if last < frame:
                    seen = f"the last one was {last}" if last >= 0 else "it never sent one"
                    raise SensorSilent(
                        f"{sensor}: frame {frame} did not come within {deadline_s:g} s, {seen}; the simulator hangs or is "
                        "overloaded: give it fewer or smaller cameras or less traffic, and start this command again."
                    )
            taken = {}
            missing: FrameMissing | None = None
            for sensor, pictures in self._pictures.items():
                if frame in pictures:
                    taken[sensor] = pictures[frame]
                else:
                    missing = missing or FrameMissing(sensor, frame, self._last[sensor])
                for old in [number for number in pictures if number <= frame]:
                    del pictures[old]
        if missing is not None:
            raise missing
        return taken


@dataclass(frozen=True)
class Bundle:
    """All pictures of one frame: {camera: {kind: picture}}, as they came."""

    frame: int
    pictures: Mapping[str, Mapping[str, Picture]]

    def first_rgb(self) -> Bytes:
        """(H, W, 4) uint8 BGRA of the rig's first camera, not copied."""
        return bgra(next(iter(self.pictures.values()))["rgb"])

    def arrays(self) -> dict[str, dict[str, npt.NDArray[Any]]]:
        """What trainer.dataset.writer takes: {camera: {'rgb': ..., 'semantic': ..., ...}}."""
        return {
            camera: {kind: _DECODERS[kind](bgra(picture)) for kind, picture in kinds.items()}
            for camera, kinds in self.pictures.items()
        }


class Rig:
    """The cameras on one vehicle: `with Rig(session, vehicle, cameras) as rig:` they are there until its end.

    Never make one a picture: CARLA's server dies of sensors that come and go (carla #7987).
    """

    def __init__(
        self,
        session: Session,
        vehicle: Any,
        cameras: Sequence[Camera],
        kinds: Sequence[str] = ("rgb", "semantic"),
        every: int = 1,
        deadline_s: float = DEADLINE_S,
        attributes: Mapping[str, float] | None = None,
    ):
        """every: ticks from one wanted frame to the next, the first of them being the next tick.

        attributes: CARLA's, of the RGB cameras; one that a simulator's camera has not is left out.

        Raises SimulatorError: the simulator refuses a camera.
        """
        self._attributes = dict(attributes or {})
        self._session, self._deadline_s = session, deadline_s
        self._names = {camera.name: {kind: f"camera {camera.name} ({kind})" for kind in kinds} for camera in cameras}
        self._match = FrameMatch([name for names in self._names.values() for name in names.values()])
        self._sensors: list[Any] = []
        library = session.world.get_blueprint_library()
        try:
            for camera in cameras:
                for kind in kinds:
                    self._switch_on(library, vehicle, camera, kind, every)
        except BaseException:
            self.close()
            raise

    def _switch_on(self, library: Any, vehicle: Any, camera: Camera, kind: str, every: int) -> None:
        carla = self._session.carla
        try:
            blueprint = library.find(KINDS[kind])
        except (IndexError, RuntimeError):
            raise SimulatorError(
                f"{self._session.simulator.name}: it has no {KINDS[kind]}; record without it."
            ) from None
        attributes: dict[str, float] = {
            "image_size_x": camera.width,
            "image_size_y": camera.height,
            "fov": camera.fov_deg,
        }
        if every > 1 and self._session.embedded:
            # A CARLA server misses frames by this attribute in synchronous mode (carla #3653), so there all are drawn and
            # most thrown away; ours counts steps, and a frame that is not drawn costs nothing.
            attributes["sensor_tick"] = every * self._session.step_s
        if kind == "rgb":
            # Servers of other versions lack some: that camera then differs less, and labels are right all the same.
            attributes |= {name: value for name, value in self._attributes.items() if blueprint.has_attribute(name)}
        for name, value in attributes.items():
            blueprint.set_attribute(name, str(value))
        x, y, z, roll, pitch, yaw = camera.pose
        pose = carla.Transform(carla.Location(x, y, z), carla.Rotation(pitch=pitch, yaw=yaw, roll=roll))
        sensor = self._session.spawn(blueprint, pose, attach_to=vehicle)
        self._sensors.append(sensor)
        name, put = self._names[camera.name][kind], self._match.put
        self._session.listen(sensor, lambda picture: put(name, picture))

    def bundle(self, frame: int) -> Bundle:
        """All pictures of one frame; raises as FrameMatch.take and Session.check_world."""
        taken = self._match.take(frame, self._deadline_s, self._session.check_world)
        pictures = {c: {kind: taken[name] for kind, name in names.items()} for c, names in self._names.items()}
        return Bundle(frame, pictures)

    def close(self) -> None:
        """Stop the cameras, then destroy them."""
        sensors, self._sensors = self._sensors, []
        self._session.destroy(sensors)

    def __enter__(self) -> Rig:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def ticks_between(step_s: float, rate_hz: float) -> int:
    """Ticks from one recorded frame to the next.

    Raises ConfigError unless `rate_hz` divides the tick rate; the message names rates that do.
    """
    every = 1.0 / (step_s * rate_hz)
    if every < 0.999 or abs(every - round(every)) > 1e-3:
        nearest = sorted({max(1, int(every)), int(every) + 1})
        rates = " or ".join(f"{1.0 / (step_s * n):.4g}" for n in nearest)
        raise ConfigError(
            f"rate_hz: {rate_hz:g} pictures a second do not divide {1.0 / step_s:.4g} ticks a second (step_s {step_s:g}); "
            f"choose {rates}."
        )
    return round(every)


def bgra(picture: Picture) -> Bytes:
    """(H, W, 4) uint8, not copied."""
    return np.frombuffer(picture.raw_data, np.uint8).reshape(picture.height, picture.width, 4)


def _rgb(raw: Bytes) -> Bytes:
    rgb = np.empty((*raw.shape[:2], 3), np.uint8)
    for channel in range(3):  # one strided copy of all three takes five times as long
        rgb[..., channel] = raw[..., 2 - channel]
    return rgb


def _tags(raw: Bytes) -> Bytes:
    """The tag is in red, which is third in memory (carla #3696)."""
    return np.ascontiguousarray(raw[..., 2])


def _depth_m(raw: Bytes) -> npt.NDArray[np.float32]:
    """(R + 256 G + 65536 B) / (2^24 - 1) km (CARLA docs, ref_sensors, depth camera)."""
    steps = (raw.view("<u4")[..., 0] & 0xFFFFFF).byteswap() >> 8
    return steps.astype(np.float32) * np.float32(_FAR_M / _DEPTH_STEPS)


def _instances(raw: Bytes) -> npt.NDArray[np.uint16]:
    """The id's low byte is in green, the high one in blue (CARLA docs, ref_sensors, instance segmentation camera)."""
    return np.ascontiguousarray(raw[..., :2]).view(">u2")[..., 0].astype(np.uint16)


_DECODERS: dict[str, Callable[[Bytes], npt.NDArray[Any]]] = {
    "rgb": _rgb,
    "semantic": _tags,
    "depth": _depth_m,
    "instance": _instances,
}
