"""Records the world: every tick becomes a frame of a recorder file, until it is stopped."""

from __future__ import annotations

import logging
import time
import zlib
from pathlib import Path

from sim_agent.embedded.actors import Actor, Body, Sensor, TrafficLight, TrafficSign, Vehicle, Walker
from sim_agent.embedded.pose import ORIGIN, Pose
from sim_agent.embedded.recorder_file import (
    NS_PER_S,
    VERSION,
    Added,
    Collision,
    Driven,
    Events,
    Frame,
    Header,
    LightTimes,
    Moment,
    Mounted,
    Moved,
    Phase,
    RecorderWriter,
    Shown,
    States,
    Walked,
    pack_states,
    recorder_path,
)
from sim_agent.embedded.scene import Weather
from sim_agent.embedded.wire import structs
from sim_agent.embedded.world import World, WorldError

KINDS: tuple[tuple[type[Actor], int], ...] = (
    (Vehicle, 1),
    (Walker, 2),
    (TrafficLight, 3),
    (TrafficSign, 4),
    (Sensor, 5),
)
"""CARLA's numbers of actor types (Carla/Actor/CarlaActor.h); 0 is any other."""
_log = logging.getLogger(__name__)


class Recorder:
    """Writes at most one recorder file at a time (CARLA docs, Recorder)."""

    def __init__(self, folder: Path):
        """`folder` is where names that are not absolute lead to; it is made when it is needed."""
        self.folder = folder.absolute()
        self._tape: _Tape | None = None
        self._failure = ""

    @property
    def recording(self) -> bool:
        """Whether the next tick is recorded."""
        return self._tape is not None

    def start(self, name: str, world: World, map_name: str, opendrive: str = "", additional: bool = False) -> str:
        """Record from the next tick on, and return the file's path.

        `opendrive` is the text of a map that a client sent. `additional` adds what CARLA calls additional data: bounding
        boxes, physics of vehicles and platform times. Another recording ends first.

        Raises WorldError if there is no such place, or if what is there is no recorder file.
        """
        self._end()
        self._failure = ""
        path = recorder_path(self.folder, name)
        crc = zlib.crc32(world.town.opendrive.encode())
        header = Header(VERSION, map_name, crc, opendrive, int(time.time()), additional)
        self._tape = _Tape(RecorderWriter(path, header), additional)
        return str(path)

    def stop(self) -> None:
        """End the recording, if there is one; raises WorldError, once, if it had to end by itself."""
        self._end()
        failure, self._failure = self._failure, ""
        if failure:
            raise WorldError(failure)

    def close(self) -> None:
        """End the recording for good; what failed is in the log already."""
        self._end()
        self._failure = ""

    def record(self, world: World, step_s: float) -> None:
        """Write the frame that a tick has made of the world.

        A disk that is full ends the recording and not the tick.
        """
        if self._tape is None:
            return
        try:
            self._tape.record(world, step_s)
        except (OSError, ValueError) as error:
            self._failure = (
                f"the recording {self._tape.writer.path} ended early ({getattr(error, 'strerror', None) or error});"
                " what it has can be replayed"
            )
            _log.error(self._failure)
            self._end()

    def _end(self) -> None:
        if self._tape is not None:
            self._tape.writer.close()
            self._tape = None


class _Tape:
    """One recording, and what its last frame told."""

    def __init__(self, writer: RecorderWriter, additional: bool):
        self.writer, self._additional = writer, additional
        self._frames = 0
        self._begin_s = 0.0
        self._begin_clock_ns = time.monotonic_ns()
        self._actors: dict[int, Actor] = {}
        self._mounts: dict[int, tuple[int, Pose]] = {}
        self._times: dict[int, LightTimes] = {}
        self._weather: Weather | None = None
        self._lamps: tuple[structs.LightState, ...] | None = None

    def record(self, world: World, step_s: float) -> None:
        if not self._frames:
            self._begin_s = world.time_s
        self._frames += 1
        moment = Moment(
            self._frames,
            round((world.time_s - self._begin_s) * NS_PER_S),
            round(step_s * NS_PER_S),
            time.monotonic_ns() - self._begin_clock_ns if self._additional else 0,
        )
        self.writer.write(Frame(moment, self._events(world), pack_states(_states(world))))

    def _events(self, world: World) -> Events:
        fresh = [actor for key, actor in world.actors.items() if self._actors.get(key) is not actor]
        removed = tuple(key for key, actor in self._actors.items() if world.actors.get(key) is not actor)
        if fresh or removed:
            self._actors = dict(world.actors)
        for key in removed:
            self._mounts.pop(key, None)
        added = tuple(self._added(world, actor) for actor in fresh)
        weather, lamps = Weather(*world.weather), world.lamps.changed()
        events = Events(
            added,
            removed,
            self._mounted(world),
            tuple(_collisions(world)),
            self._light_times(world),
            None if weather == self._weather else weather,
            () if lamps == self._lamps else (lamps,),
        )
        self._weather, self._lamps = weather, lamps
        return events

    def _added(self, world: World, actor: Actor) -> Added:
        parent, mount = _mount(actor)
        if parent:
            self._mounts[actor.id] = (parent, mount)
        physics = None
        if self._additional and isinstance(actor, Vehicle):
            physics = world.physics_control(actor)
        return Added(
            actor.id,
            next((number for cls, number in KINDS if isinstance(actor, cls)), 0),
            actor.description,
            actor.pose(),
            parent,
            int(actor.attachment),
            mount,
            actor.bounding_box if self._additional else None,
            physics,
        )

    def _mounted(self, world: World) -> tuple[Mounted, ...]:
        changed = []
        for key, before in list(self._mounts.items()):
            now = _mount(world.actors[key])
            if now != before:
                changed.append(Mounted(key, *now))
                self._mounts[key] = now
                if not now[0]:
                    del self._mounts[key]
        return tuple(changed)

    def _light_times(self, world: World) -> tuple[LightTimes, ...]:
        changed = []
        for key, actor in world.signals.lights.items():
            times = LightTimes(key, actor.light.green_s, actor.light.yellow_s, actor.light.red_s)
            if self._times.get(key) != times:
                self._times[key] = times
                changed.append(times)
        return tuple(changed)


def _mount(actor: Actor) -> tuple[int, Pose]:
    return (actor.parent.id, actor.own_pose) if actor.parent is not None else (0, ORIGIN)


def _collisions(world: World) -> list[Collision]:
    """Each pair once, the lower id first; the physics tells both sides of it."""
    found = []
    for contact in world.contacts:
        if contact.other_id and contact.other_id < contact.actor_id:
            continue
        name = ""
        if not contact.other_id and contact.object_id in world.static_objects:
            name = f"static.{world.static_objects[contact.object_id].tag.name.lower().replace('_', '')}"
        found.append(Collision(contact.actor_id, contact.other_id, name, contact.normal_impulse))
    return found


def _states(world: World) -> States:
    moved = []
    for actor in world.actors.values():
        if actor.parent is not None or isinstance(actor, (TrafficLight, TrafficSign)):
            continue
        if isinstance(actor, Body):
            motion = world.motion(actor)
            moved.append(Moved(actor.id, motion.pose, motion.velocity, motion.angular_velocity_deg))
        else:
            moved.append(Moved(actor.id, actor.own_pose, (0.0, 0.0, 0.0), (0.0, 0.0, 0.0)))
    return States(
        tuple(moved),
        tuple(
            Driven(v.id, v.control._replace(gear=world.gear(v)), v.lights, tuple(sorted(v.doors_open)))
            for v in world.vehicles.values()
        ),
        tuple(Walked(w.id, w.control, w.walked_m) for w in world.walkers.values()),
        tuple(Shown(key, int(actor.light.state)) for key, actor in world.signals.lights.items()),
        tuple(Phase(group.lights[0].actor_id, *group.place(), group.frozen) for group in world.signals.groups.values()),
    )
