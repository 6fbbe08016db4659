"""What a drive knows of its vehicle, whoever drives it: a thread that follows the simulator's frames."""

from __future__ import annotations

import contextlib
import queue
import re
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any

from sim_agent.controls import Action
from sim_agent.drive_config import DriveConfig
from sim_agent.errors import SimulatorGone
from sim_agent.feed import Feed
from sim_agent.gates import Scene
from sim_agent.ledger import Header
from sim_agent.plan import PRESETS
from sim_agent.record_config import label_table_of
from sim_agent.scores import Rate, Timings
from sim_agent.session import Session
from sim_agent.tape import Begin, Tape

_M_S_TO_KMH = 3.6
_LOOK_S = 0.2
_SHOWN_S = 1.0
"""A camera is in the world's snapshots so long after it was put there, at the latest."""
SILENT_S = 30.0
"""How long a camera may send nothing: real seconds, so that a machine that swaps is not given up at once."""


@dataclass(frozen=True)
class Telemetry:
    """The vehicle at the newest frame. driver: who drives, as the window says it."""

    frame: int = 0
    speed_kmh: float = 0.0
    gear: str = "N"
    throttle: float = 0.0
    steer: float = 0.0
    brake: float = 0.0
    hand_brake: bool = False
    driver: str = ""
    weather: str = ""
    camera: str = ""


class Ride(ABC):
    """`with` a ride, its thread runs; `prepare` it first, on the thread that opened the session."""

    def __init__(self, session: Session, config: DriveConfig, feed: Feed, record_to: Path, say: Callable[[str], None]):
        """say: gets lines of progress until the window shows them."""
        self.session, self.config, self.feed = session, config, feed
        self.telemetry = Telemetry(camera=config.cameras[0].name)
        self.town = ""
        self.frames = 0
        """Of the simulator, since the ride began."""
        self.sim_s = 0.0
        """Simulated seconds since then."""
        self.notes: queue.SimpleQueue[str] = queue.SimpleQueue()
        """Sentences for the window."""
        self.ticks, self.sim_time = Rate(), Rate()
        self.steer_ms = Timings()
        """From when a command is due, by its tick or by its key, until the client has it on the way."""
        self.tape: Tape | None = None
        self.last_frame_s = time.monotonic()
        self.vehicle: Any = None
        self.on_frame: Callable[[], None] = lambda: None
        """Called after each of the simulator's frames, and when something is to be said."""
        self._record_to, self._say = record_to, say
        self._sensors: list[Any] = []
        self._seat = 0
        self._mounted_s = 0.0
        self._weather: tuple[str, dict[str, float]] = ("", {})
        self._sim_time_s: float | None = None
        self._error: BaseException | None = None
        self._asked: queue.SimpleQueue[Action] = queue.SimpleQueue()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ride", daemon=True)

    @abstractmethod
    def prepare(self, autopilot: bool) -> None:
        """Everything until the first picture is there."""

    @abstractmethod
    def _step(self) -> None:
        """Follow or make one frame."""

    def serve(self, action: Action) -> None:
        """Do what a key asks for, between two frames."""
        if action is Action.CAMERA:
            self._seat += 1
            self._mount(self._seat)
            if self.tape is not None:
                self._stop_recording("another camera")
        elif action is Action.RECORD:
            if self.tape is None:
                self._start_recording()
            else:
                self._stop_recording()

    def ask(self, action: Action) -> None:
        """Have `serve` do it soon."""
        self._asked.put(action)

    @abstractmethod
    def steer_now(self, born_s: float) -> None:
        """Pedals or wheel moved at `born_s` (time.monotonic())."""

    def check(self) -> None:
        """Raise what ended the thread."""
        if self._error is not None:
            raise self._error

    def __enter__(self) -> Ride:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()
        self.feed.close()
        self._thread.join()
        if self.tape is not None:
            self.tape.close()

    def _run(self) -> None:
        try:
            while not self._stopped.is_set():
                self._step()
        except BaseException as error:  # raised again by `check`, in the window's thread
            self._error = error
        finally:
            self.on_frame()

    def _serve_all(self) -> None:
        with contextlib.suppress(queue.Empty):
            while True:
                self.serve(self._asked.get_nowait())

    # cameras

    def _mount(self, seat: int) -> None:
        """The camera pair at a seat: RGB and semantic of one pose, which the embedded simulator draws in one pass."""
        self._unmount()
        camera = self.config.camera(seat)
        carla, library = self.session.carla, self.session.world.get_blueprint_library()
        x, y, z, roll, pitch, yaw = camera.pose
        pose = carla.Transform(carla.Location(x, y, z), carla.Rotation(pitch=pitch, yaw=yaw, roll=roll))
        kinds = (("semantic_segmentation", self.feed.put_tags), ("rgb", self.feed.put_picture))
        for kind, put in kinds:
            blueprint = library.find(f"sensor.camera.{kind}")
            values = {"image_size_x": camera.width, "image_size_y": camera.height, "fov": camera.fov_deg}
            for name, value in values.items():
                blueprint.set_attribute(name, str(value))
            sensor = self.session.spawn(blueprint, pose, attach_to=self.vehicle)
            self._sensors.append(sensor)
            self.session.listen(sensor, put)
        self._mounted_s = time.monotonic()
        self.telemetry = replace(self.telemetry, camera=camera.name)

    def _mend_cameras(self) -> bool:
        """Put the cameras on again where another program has destroyed one; whether that was so."""
        snapshot = self.session.world.get_snapshot()
        gone = [sensor.type_id for sensor in self._sensors if snapshot.find(sensor.id) is None]
        if not gone or time.monotonic() < self._mounted_s + _SHOWN_S:
            return False
        sentence = f"another program destroyed {' and '.join(gone)}; the cameras are put on again"
        self._say(sentence)  # a headless drive has no window to show it
        self.notes.put(sentence)
        self._mount(self._seat)
        return True

    def _unmount(self) -> None:
        sensors, self._sensors = self._sensors, []
        self.session.destroy(sensors)
        self.feed.clear()

    def _wait_for_pictures(self, frame: int) -> None:
        """Wait until the cameras have sent `frame`: pictures must not pile up between the simulator and us.

        Raises:
            SimulatorGone: they don't.
            WorldReplaced: another program loaded a town.
        """
        deadline_s = time.monotonic() + SILENT_S
        while not self.feed.wait_for(frame, _LOOK_S):
            if self._stopped.is_set():
                return
            self.session.check_world()
            if self._mend_cameras():
                return  # their first picture is the next tick's
            if time.monotonic() > deadline_s:
                raise SimulatorGone(
                    f"{self.feed.missing(frame)} within {SILENT_S:g} s; the simulator hangs or is overloaded: give it "
                    "a smaller camera (--width, --height) or less traffic, and start this command again."
                )

    # frames

    def _seen(self, scene: Scene, driver: str) -> None:
        """A frame has come."""
        now_s = time.monotonic()
        self.frames += 1
        self.ticks.add(now_s)
        if self._sim_time_s is not None:
            self.sim_time.add(now_s, scene.time_s - self._sim_time_s)
            self.sim_s += scene.time_s - self._sim_time_s
        self._sim_time_s, self.last_frame_s = scene.time_s, now_s
        control = scene.control
        gear = int(control["gear"])
        self.telemetry = Telemetry(
            scene.frame,
            scene.speed_m_s * _M_S_TO_KMH,
            "R" if gear < 0 or control["reverse"] else "N" if gear == 0 else str(gear),
            control["throttle"],
            control["steer"],
            control["brake"],
            control["hand_brake"],
            driver,
            spoken(self._weather[0]),
            self.telemetry.camera,
        )
        if self.tape is not None:
            if self.tape.error is not None:
                self._stop_recording(self.tape.error)
            elif self.frames % self.config.record_every == 0:
                self.tape.add(scene)
            else:
                self.tape.look()
        self.on_frame()

    def note(self, sentence: str) -> None:
        """Say something in the window, or before there is one."""
        if self._thread.is_alive():
            self.notes.put(sentence)
            self.on_frame()
        else:
            self._say(sentence)

    # recording

    def _start_recording(self) -> None:
        session = self.session
        simulator = {"name": session.simulator.name, "version": session.simulator.version}
        camera = self.config.camera(self._seat)
        table = label_table_of(session.simulator.version)
        self.tape = Tape(
            self._record_to, self.feed, camera, table, simulator, self._step_s(), {"made_by": "drive", "key": "R"}
        )
        self._begin_episode()
        self.note(f"recording into {self._record_to}")

    def _stop_recording(self, why: str = "") -> None:
        assert self.tape is not None
        tape, self.tape = self.tape, None
        # Its end waits for the disk, which the steering must not.
        threading.Thread(target=tape.close, name="tape's end").start()
        said = f"{tape.frames} frames recorded in {tape.folder}"
        self.note(f"recording stopped: {why}" if why else said)

    def _begin_episode(self) -> None:
        """What a recording's episode shares has changed."""
        if self.tape is not None:
            name, numbers = self._weather
            header = Header({"name": name, **numbers}, {"drive": self.config.seed}, self._traffic(), {})
            self.tape.begin(Begin(self.town, header, self._sim_time_s or 0.0))

    def _traffic(self) -> dict[str, Any]:
        return {}

    def _step_s(self) -> float:
        return self.config.step_s


def weather_numbers(weather: Any) -> dict[str, float]:
    """CARLA's weather parameters by name; units as in carla.WeatherParameters."""
    names = [n for n in dir(weather) if not n.startswith("_") and isinstance(getattr(weather, n), float)]
    return {name: round(getattr(weather, name), 4) for name in names}


def name_of_weather(carla: Any, weather: Any) -> str:
    """The preset that a weather is; 'Mixed' when it is none."""
    numbers = weather_numbers(weather)
    for name in PRESETS:
        preset = getattr(carla.WeatherParameters, name, None)
        if preset is not None and weather_numbers(preset) == numbers:
            return name
    return "Mixed"


def spoken(preset: str) -> str:
    """`Hard rain, noon` for HardRainNoon."""
    words = re.findall(r"[A-Z][a-z]*", preset)
    if len(words) < 2 or words[-1] not in ("Noon", "Sunset", "Night"):
        return " ".join(words).capitalize()
    return f"{' '.join(words[:-1]).capitalize()}, {words[-1].lower()}"
