"""What outlives an episode: settings, frame numbers, streams, the renderer; and the tick that makes a frame of it all."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sim_agent.embedded import sensors
from sim_agent.embedded.actors import Actor, Sensor
from sim_agent.embedded.eyes import Eyes
from sim_agent.embedded.motion_cameras import EVENTS, FLOW, motion_records
from sim_agent.embedded.observer import state_of
from sim_agent.embedded.pose import Pose
from sim_agent.embedded.recorder import Recorder
from sim_agent.embedded.replayer import Replayer
from sim_agent.embedded.scene import Mover
from sim_agent.embedded.town import TOWNS, Town, build_town, town_from_opendrive
from sim_agent.embedded.turning_wheels import with_wheels
from sim_agent.embedded.wire import structs
from sim_agent.embedded.wire.records import Frame
from sim_agent.embedded.wire.state import SimulationState
from sim_agent.embedded.wire.streams import StreamServer
from sim_agent.embedded.world import World, WorldError

if TYPE_CHECKING:
    from sim_agent.embedded.render import Pictures, Renderer

CameraKey = tuple[tuple[int, int, float, Pose], Any]
"""Size, field of view and pose, and the Development of a camera with colours (render/development.py) or None."""
STATE_STREAM = 1
FIRST_FRAME = 1
ASYNC_STEP_S = 1.0 / 30.0
"""Step where the client fixes none: CARLA's own frame rate without a limit is whatever the GPU gives."""
GATE_S = 1.0
OPENDRIVE_MAP = "OpenDriveMap"
RECORDINGS = Path("carla_recordings")
"""Where recorder files with names that are not absolute are, under the current folder."""
DEFAULT_SETTINGS = structs.EpisodeSettings()


class Simulation:
    """The server's state; for one thread."""

    def __init__(
        self,
        streams: StreamServer,
        town: str = "Town01",
        seed: int = 0,
        quality: str = "medium",
        threads: int = 2,
        say: Callable[[str], None] = lambda line: None,
        recordings: Path = RECORDINGS,
    ):
        self.streams, self.seed = streams, seed
        self.recorder = Recorder(recordings)
        self.replayer = Replayer()
        self.settings = DEFAULT_SETTINGS
        self._tell_settings: Callable[[structs.EpisodeSettings], None] = lambda settings: None
        self.frame = FIRST_FRAME
        self.gravity_mps2 = sensors.GRAVITY_MPS2
        self.opendrive: str | None = None
        """What a client sent for the next episode to be made of."""
        self.opendrive_walkable = True
        """Whether people shall find their way in it."""
        self._next_stream = STATE_STREAM + 1
        self._bits = 0
        self._shown = False
        """Whether the renderer knows what is hidden."""
        self.eyes = Eyes(quality, threads, say)
        self._episode = 0
        streams.open(STATE_STREAM)
        self.world = self._begin(build_town(_town_name(town), seed))
        self.map_name = f"Carla/Maps/{self.world.town.name}"

    # episodes

    def load(self, name: str, reset_settings: bool) -> None:
        """Begin a new episode; an empty name loads the same town again.

        Raises WorldError for a town that is not there.
        """
        short = name.rsplit("/", 1)[-1] or self.map_name.rsplit("/", 1)[-1]
        if short == OPENDRIVE_MAP:
            if self.opendrive is None:
                raise WorldError(f"there is no {OPENDRIVE_MAP}: send a map with generate_opendrive_world first")
            town = self._opendrive_town(self.opendrive)
        else:
            town = self._named_town(short)
        self.replayer.forget()
        self.recorder.close()
        self.world.close()
        if reset_settings:
            self.apply_settings(DEFAULT_SETTINGS)
        self.world = self._begin(town)
        self.show_objects()
        self.map_name = f"Carla/Maps/{short}"

    def _begin(self, town: Town) -> World:
        self._episode += 1
        self._bits |= SimulationState.MAP_CHANGE
        self.eyes.open_on(town)
        return World(town, self._episode, self._open_stream, self.streams.close, self.eyes.ray_caster)

    def _named_town(self, name: str) -> Town:
        known = _town_name(name)
        return self.world.town if self.world.town.name == known else build_town(known, self.seed)

    def _opendrive_town(self, text: str) -> Town:
        try:
            return town_from_opendrive(text, self.opendrive_walkable)
        except ValueError as error:
            raise WorldError(str(error)) from None

    def _open_stream(self) -> int:
        stream_id = self._next_stream
        self._next_stream += 1
        self.streams.open(stream_id)
        return stream_id

    # settings

    def apply_settings(self, settings: structs.EpisodeSettings) -> None:
        """Raises WorldError for a step that is none."""
        fixed = settings.fixed_delta_s
        if fixed is not None and not 0.0 <= fixed <= 10.0:
            raise WorldError(f"fixed_delta_seconds {fixed}: expected more than 0 and at most 10 seconds")
        if fixed == 0.0:
            settings = settings._replace(fixed_delta_s=None)
        self.settings = settings
        self.streams.synchronous = settings.synchronous_mode
        self._tell_settings(settings)

    def on_settings(self, tell: Callable[[structs.EpisodeSettings], None]) -> None:
        """Have settings told: those of now, and later those that change."""
        self._tell_settings = tell
        tell(self.settings)

    @property
    def step_s(self) -> float:
        """Simulated seconds of a tick."""
        return self.settings.fixed_delta_s or ASYNC_STEP_S

    # time

    def tick(self) -> int:
        """Let one step pass, send what the world and its sensors then are, and return the frame's number."""
        if self.settings.synchronous_mode:
            # listen() returns in the client before its subscription is there; without the gate its first frame is lost
            self.streams.wait_for_expected(GATE_S)
        step_s = self.step_s
        self.frame += 1
        self.replayer.before_step(step_s)
        self.world.step(step_s, self.world.substeps_of(self.settings, step_s))
        self.replayer.after_step(step_s)
        self.recorder.record(self.world, step_s)
        if self.streams.has_subscribers(STATE_STREAM):
            frame = state_of(self.world, self.frame, time.time(), step_s, self._bits)
            self.streams.send(STATE_STREAM, *frame)
        self._bits = 0
        self._sense(step_s)
        return self.frame

    def lights_changed(self) -> None:
        """Tell the clients to ask for the lamps again."""
        self._bits |= SimulationState.PENDING_LIGHT_UPDATE

    def as_actor(self, actor: Actor) -> structs.Actor:
        """An actor as the wire has it."""
        token = self.streams.token(actor.stream_id) if actor.stream_id else b""
        parent = actor.parent.id if actor.parent else 0
        return structs.Actor(actor.id, parent, actor.description, actor.bounding_box, actor.tags, token)

    def _sense(self, step_s: float) -> None:
        due = [sensor for sensor in self.world.sensors.values() if self._is_due(sensor)]
        if not due:
            return
        pictures: dict[CameraKey, Pictures] = {}
        movers: list[Mover] | None = None
        eyes = self.eyes
        for sensor in due:
            if not self.streams.has_subscribers(sensor.stream_id):
                continue
            kind = sensor.type_id
            looks = kind.startswith("sensor.camera.")
            casts = kind.startswith(("sensor.lidar.", "sensor.other.obstacle", "sensor.other.radar"))
            if not self.settings.synchronous_mode and (looks and not eyes.can_draw or casts and not eyes.can_cast):
                continue  # frames that nobody waits for are not worth a stop of the whole server
            if movers is None and (looks or casts):
                movers = self.world.movers()
            for frame in self._records(sensor, movers or [], pictures, due, step_s):
                self.streams.send(sensor.stream_id, *frame)

    def _records(
        self,
        sensor: Sensor,
        movers: list[Mover],
        pictures: dict[CameraKey, Pictures],
        due: list[Sensor],
        step_s: float,
    ) -> list[Frame]:
        world, kind = self.world, sensor.type_id
        sensor.readings += 1
        at = sensors.stamp(world, sensor, self.frame)
        elapsed_s = max(step_s, sensor.period_s)
        if kind in sensors.CAMERAS:
            if self.settings.no_rendering_mode:
                return []
            return [sensors.camera_picture(sensor, at, self._pictures(sensor, movers, pictures, due))]
        if kind in (FLOW, EVENTS):
            if self.settings.no_rendering_mode:
                return []
            return motion_records(sensor, at, movers, self._pictures(sensor, movers, pictures, due))
        if kind == "sensor.other.collision":
            return list(sensors.collisions(world, sensor, at, self.as_actor))
        if kind == "sensor.other.gnss":
            return [sensors.gnss(sensor, at)]
        if kind == "sensor.other.imu":
            return [sensors.imu(world, sensor, at, self.gravity_mps2)]
        if kind == "sensor.other.obstacle":
            seen = sensors.obstacle(world, sensor, at, movers, self.as_actor)
            return [seen] if seen is not None else []
        if kind.startswith("sensor.lidar."):
            return [sensors.lidar(world, sensor, at, movers, elapsed_s)]
        if kind == "sensor.other.radar":
            return [sensors.radar(world, sensor, at, movers, elapsed_s)]
        return []  # the client makes lane invasions itself, and rss is a computation of its own

    def _is_due(self, sensor: Sensor) -> bool:
        now_s = self.world.time_s
        if sensor.period_s <= 0.0:
            return True
        if now_s + 1e-6 < sensor.due_s:
            return False
        late = now_s - sensor.due_s >= sensor.period_s
        sensor.due_s = (now_s if late else sensor.due_s) + sensor.period_s
        return True

    def _pictures(
        self, sensor: Sensor, movers: list[Mover], done: dict[CameraKey, Pictures], due: list[Sensor]
    ) -> Pictures:
        """One pass for all cameras of a pose, size and field of view: pictures and labels agree by construction.

        Only a second film in the same place takes a pass of its own.
        """
        from sim_agent.embedded.render import Camera, Development, draw_strokes

        place = _camera_place(sensor)
        films = [s for s in (sensor, *due) if s.type_id in ("sensor.camera.rgb", EVENTS) and _camera_place(s) == place]
        film = sensors.film_of(films[0]) if films else None
        key = (place, film)
        if key not in done:
            width, height, fov_deg, pose = place
            camera = Camera(width, height, fov_deg, pose, film or Development())
            renderer = self.eyes.renderer()
            self._show_objects(renderer)
            # Grain that is another in every picture, and the same in every run.
            parts = with_wheels(self.world, movers, pose)
            done[key] = pictures = renderer.render(
                camera, parts, self.world.weather, seed=sensor.readings, rgb=film is not None
            )
            strokes = self.world.debug.strokes(self.world.time_s)
            if strokes is not None and pictures.bgra is not None:
                draw_strokes(strokes, camera, pictures.depth_m, pictures.bgra)
        return done[key]

    def show_objects(self) -> None:
        """What is hidden or switched off has changed."""
        self._shown = False

    def _show_objects(self, renderer: Renderer) -> None:
        if not self._shown:
            renderer.set_hidden(self.world.hidden_objects)
            renderer.set_lamps(self.world.lamps.settings())
            self._shown = True


def _camera_place(sensor: Sensor) -> tuple[int, int, float, Pose]:
    get = sensor.attributes
    return int(get["image_size_x"]), int(get["image_size_y"]), float(get["fov"]), sensor.pose()


def _town_name(name: str) -> str:
    short = name.rsplit("/", 1)[-1]
    for known in TOWNS:
        if short in (known, known.removesuffix("_Opt"), f"{known}_Opt"):
            return known
    if re.fullmatch("Seed[0-9]{1,18}", short):
        return short
    raise WorldError(f"map {name!r} not found; there are {', '.join(TOWNS)} and Seed1, Seed2 and so on")
