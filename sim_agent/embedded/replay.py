"""One replay: the actors of a recorder file in this world, and where they are at each of its moments."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sim_agent.embedded.actors import Actor, Body, TrafficLight, TrafficSign, Vehicle, Walker
from sim_agent.embedded.pose import Pose, wrap_deg
from sim_agent.embedded.recorder_file import Added, Events, Frame, Mounted, Moved, RecorderReader, States
from sim_agent.embedded.recorder_queries import is_hero
from sim_agent.embedded.wire import structs
from sim_agent.embedded.wire.state import Motion, SignalState
from sim_agent.embedded.world import WorldError

if TYPE_CHECKING:
    from sim_agent.embedded.simulation import Simulation

SAME_TIME_S = 1e-6
"""A frame that is due within this is due: steps do not add up to the last digit."""
SAME_PLACE_M = 0.1
"""An actor of the same kind this near to where the file has one is taken over."""
_HIGH_ABOVE_M = 1000.0
"""Where actors are made before they are put in their places, as in CARLA: nothing is in the way there."""
_STOPPED = structs.VehicleControl(gear=1)
_log = logging.getLogger(__name__)


@dataclass
class Settings:
    """What a client may change while it replays."""

    ignore_hero: bool = False
    """Leave out whoever has the role name `hero`."""
    ignore_spectator: bool = True
    time_factor: float = 1.0
    """Recorded seconds that pass in a simulated one."""


@dataclass
class _Replayed:
    """An actor of the file in this world."""

    actor: Actor
    made: bool
    """By the replay."""
    simulated: bool = True
    """Whether it had its physics before."""
    velocity: tuple[float, float, float] | None = None
    """At the last tick."""


class Replay:
    """One replay, from its first frame to its last."""

    def __init__(
        self,
        settings: Settings,
        simulation: Simulation,
        reader: RecorderReader,
        begin_s: float,
        end_s: float,
        follow_id: int,
        sensors: bool,
        offset: Pose,
    ):
        """From `begin_s` to `end_s` of the file; nothing has happened before the first `advance`."""
        self._settings, self._simulation, self.reader = settings, simulation, reader
        self._world = simulation.world
        self._now_s, self._end_s = begin_s, end_s
        self._follow_id, self._sensors, self._offset = follow_id, sensors, offset
        self._actors: dict[int, _Replayed] = {}
        """By recorded id."""
        self._taken: set[int] = set()
        """Ids, in this world, of the actors that stand for recorded ones."""
        self._motions: dict[int, Motion] = {}
        self._frames: Iterator[Frame] = reader.frames()
        self._next: tuple[float, Frame, States] | None = None
        self._at_s, self._states = 0.0, States()
        """Of the last frame that is due."""
        self._read()

    @property
    def ended(self) -> bool:
        """Whether the last frame has been shown."""
        return self._now_s >= self._end_s - SAME_TIME_S

    def advance(self, recorded_s: float) -> None:
        """Go on by so many recorded seconds: actors come and go, and bodies are put in their places."""
        self._now_s = min(self._now_s + recorded_s, self._end_s)
        while self._next is not None and self._next[0] <= self._now_s + SAME_TIME_S:
            self._at_s, frame, self._states = self._next
            self._happen(frame.events)
            self._read()
        self._motions = self._motions_now()
        self._carry(0.0)

    def show(self, step_s: float) -> None:
        """Put everything as the file has it now."""
        self._carry(step_s)
        for driven in self._states.driven:
            vehicle = self._actor(driven.id)
            if isinstance(vehicle, Vehicle):
                self._world.set_control(vehicle, driven.control)
                vehicle.lights = driven.lights
                vehicle.doors_open = set(driven.doors_open)
        for walked in self._states.walked:
            walker = self._actor(walked.id)
            if isinstance(walker, Walker):
                walker.control, walker.walked_m = walked.control, walked.walked_m
        self._show_lights()
        followed = self._actor(self._follow_id)
        if followed is not None:
            self._world.set_pose(self._world.spectator, followed.pose().compose(self._offset))

    def release(self, keep_actors: bool) -> None:
        """Let go of all actors: vehicles and walkers stop and have their physics again, what was made may go."""
        self.reader.close()
        for replayed in reversed(self._actors.values()):
            actor = replayed.actor
            if self._world.actors.get(actor.id) is not actor:
                continue
            if replayed.made and not keep_actors:
                self._world.destroy(actor.id)
                continue
            if isinstance(actor, Body):
                # Turned off once more, it stands still.
                self._world.set_simulated(actor, False)
                self._world.set_simulated(actor, replayed.simulated or isinstance(actor, (Vehicle, Walker)))
            if isinstance(actor, Vehicle):
                self._world.set_control(actor, _STOPPED)
            elif isinstance(actor, Walker):
                actor.control = actor.control._replace(speed=0.0, jump=False)
                self._world.dynamics.set_walker_control(actor.id, *actor.control)

    def _read(self) -> None:
        frame = next(self._frames, None)
        self._next = None
        if frame is not None:
            self._next = (frame.moment.elapsed_s, frame, self.reader.states(frame))

    def _actor(self, recorded_id: int) -> Actor | None:
        replayed = self._actors.get(recorded_id)
        if replayed is None or self._world.actors.get(replayed.actor.id) is not replayed.actor:
            return None
        return replayed.actor

    # what happened

    def _happen(self, events: Events) -> None:
        for gone in events.removed:
            actor = self._actor(gone)
            if actor is not None and not isinstance(actor, (TrafficLight, TrafficSign)):
                if actor is not self._world.spectator:
                    self._world.destroy(actor.id)
            replayed = self._actors.pop(gone, None)
            if replayed is not None:
                self._taken.discard(replayed.actor.id)
        for added in events.added:
            self._add(added)
        for mounted in events.mounted:
            self._mount(mounted)
        for times in events.light_times:
            light = self._actor(times.id)
            if isinstance(light, TrafficLight):
                light.light.green_s, light.light.yellow_s, light.light.red_s = times[1:]
        if events.weather is not None:
            self._world.weather = events.weather
        if events.lamps:
            self._world.lamps.replace(events.lamps[-1])
            self._simulation.show_objects()
            self._simulation.lights_changed()

    def _add(self, added: Added) -> None:
        kind = added.description.id
        if added.id in self._actors:
            raise WorldError(f"{self.reader.path} adds actor {added.id} twice; record it anew")
        if self._settings.ignore_hero and is_hero(added):
            return
        if self._settings.ignore_spectator and kind == "spectator":
            return
        if kind.startswith("sensor.") and not self._sensors:
            return
        actor = self._found(added)
        made = actor is None
        if actor is None:
            if kind == "spectator" or kind.startswith("traffic."):
                return
            actor = self._made(added)
            if actor is None:
                return
        replayed = _Replayed(actor, made)
        if isinstance(actor, Body):
            replayed.simulated = actor.simulated
            self._world.set_simulated(actor, False)
        self._actors[added.id] = replayed
        self._taken.add(actor.id)

    def _found(self, added: Added) -> Actor | None:
        """The actor of this world that stands for a recorded one: by id, else by place."""
        actors = self._world.actors
        same = actors.get(added.id)
        if same is not None and self._fits(same, added) and not isinstance(same, (TrafficLight, TrafficSign)):
            return same
        for actor in actors.values():
            if self._fits(actor, added) and math.dist(actor.pose().location, added.pose.location) <= SAME_PLACE_M:
                return actor
        return None

    def _fits(self, actor: Actor, added: Added) -> bool:
        return (
            actor.type_id == added.description.id
            and actor.id not in self._taken
            and (actor.parent is not None) == bool(added.parent)
        )

    def _made(self, added: Added) -> Actor | None:
        description, parent_id = added.description, None
        if added.parent:
            parent = self._actor(added.parent)
            if parent is None:
                return None
            parent_id = parent.id
        place = added.mount if added.parent else Pose(*added.pose)._replace(z_m=added.pose.z_m + _HIGH_ABOVE_M)
        # A sensor's stream is another one, which clients that remember the id would not ask for.
        wanted_id = None if description.id.startswith("sensor.") else added.id
        actor = None
        try:
            actor = self._world.spawn(description, place, parent_id, added.attachment, wanted_id)
            if not added.parent:
                self._world.set_pose(actor, added.pose)
        except (WorldError, ValueError) as error:
            _log.warning("the replay goes on without actor %d, %s: %s", added.id, description.id, error)
            if actor is not None:
                self._world.destroy(actor.id)
            return None
        return actor

    def _mount(self, mounted: Mounted) -> None:
        actor = self._actor(mounted.id)
        if actor is None or actor.parent is None:
            return
        if not mounted.parent:
            actor.detach()
        elif actor.parent is self._actor(mounted.parent):
            self._world.set_pose(actor, mounted.mount)

    # where everything is

    def _motions_now(self) -> dict[int, Motion]:
        """By recorded id, in the order of the file."""
        after: dict[int, Moved] = {}
        share = 0.0
        if self._next is not None and self._now_s > self._at_s + SAME_TIME_S:
            next_s, _, states = self._next
            share = (self._now_s - self._at_s) / (next_s - self._at_s)
            after = {row.id: row for row in states.moved}
        return {row.id: _between(row, after.get(row.id, row), share) for row in self._states.moved}

    def _carry(self, step_s: float) -> None:
        """Put bodies in their places; with a step, accelerations are what led to their velocities in it."""
        factor = self._settings.time_factor
        bodies: list[tuple[Body, Motion]] = []
        for recorded_id, motion in self._motions.items():
            actor = self._actor(recorded_id)
            if actor is None or actor.parent is not None:
                continue
            if not isinstance(actor, Body):
                actor.set_pose(motion.pose)
                continue
            replayed = self._actors[recorded_id]
            velocity = _scaled(motion.velocity, factor)
            acceleration = (0.0, 0.0, 0.0)
            if step_s > 0.0:
                before = replayed.velocity or velocity
                dx, dy, dz = (now - then for now, then in zip(velocity, before, strict=True))
                acceleration = (dx / step_s, dy / step_s, dz / step_s)
                replayed.velocity = velocity
            turning = _scaled(motion.angular_velocity_deg, factor)
            bodies.append((actor, Motion(motion.pose, velocity, turning, acceleration)))
        try:
            self._world.carry(bodies)
        except ValueError as error:
            raise WorldError(f"{self.reader.path} moves an actor out of the world: {error}") from None

    def _show_lights(self) -> None:
        for phase in self._states.phases:
            light = self._actor(phase.light)
            if isinstance(light, TrafficLight):
                group = self._world.signals.group(light)
                group.restore(phase.turn, _light_state(phase.stage), phase.elapsed_s)
                group.frozen = phase.frozen
        for shown in self._states.shown:
            light = self._actor(shown.id)
            if isinstance(light, TrafficLight):
                light.light.state = _light_state(shown.state)


def _between(before: Moved, after: Moved, share: float) -> Motion:
    """Linear in everything, angles the short way round."""
    if share <= 0.0:
        return Motion(before.pose, before.velocity, before.angular_velocity_deg)
    one, two = before.pose, after.pose
    x, y, z = _mixed(one.location, two.location, share)
    pitch, yaw, roll = (a + share * wrap_deg(b - a) for a, b in zip(one.rotation, two.rotation, strict=True))
    return Motion(
        Pose(x, y, z, pitch, wrap_deg(yaw), roll),
        _mixed(before.velocity, after.velocity, share),
        _mixed(before.angular_velocity_deg, after.angular_velocity_deg, share),
    )


def _mixed(
    one: tuple[float, float, float], two: tuple[float, float, float], share: float
) -> tuple[float, float, float]:
    x, y, z = (a + share * (b - a) for a, b in zip(one, two, strict=True))
    return x, y, z


def _scaled(vector: tuple[float, float, float], factor: float) -> tuple[float, float, float]:
    x, y, z = vector
    return x * factor, y * factor, z * factor


def _light_state(number: int) -> SignalState:
    return SignalState(number) if number in SignalState._value2member_map_ else SignalState.UNKNOWN
