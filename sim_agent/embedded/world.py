"""The simulated world: a town, what was spawned in it, and what a tick does to them all."""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import TYPE_CHECKING, Any

import numpy as np

from sim_agent.embedded import blueprints
from sim_agent.embedded.actors import Actor, Attachment, Body, Prop, Sensor, TrafficLight, TrafficSign, Vehicle, Walker
from sim_agent.embedded.debug_shapes import DebugShapes
from sim_agent.embedded.eyes import make_ray_caster
from sim_agent.embedded.models import PHASES, stride_m, walker_model_key
from sim_agent.embedded.physics import Contact, Dynamics, HeightField, default_control
from sim_agent.embedded.pose import Pose
from sim_agent.embedded.posed_walkers import posed_movers
from sim_agent.embedded.scene import Box, Mover, Tag, Weather
from sim_agent.embedded.signals import Signals
from sim_agent.embedded.street_lamps import StreetLamps
from sim_agent.embedded.town import Town
from sim_agent.embedded.wire import structs
from sim_agent.embedded.wire.state import Motion

if TYPE_CHECKING:
    from sim_agent.embedded.render import RayCaster

SPECTATOR_START = Pose(0.0, 0.0, 30.0, -60.0, 0.0, 0.0)
MAX_ACTORS = 10_000
MOST_WANTED_ID = 1 << 30
"""Ids are 32 bits wide; what a recording asks for must not use them up."""
MAX_RAY_HITS = 64
RAY_STEP_M = 0.01
"""How far behind a hit the next one is looked for."""
WALKING_MPS = 0.1


class WorldError(Exception):
    """What a client asked for cannot be done; its text is the client's RuntimeError."""


class World:
    """One episode: it begins with a town and ends when another is loaded.

    Everything in it follows from the town, the commands and the times of the ticks; nothing reads a clock.
    """

    def __init__(
        self,
        town: Town,
        episode_id: int,
        open_stream: Callable[[], int],
        close_stream: Callable[[int], None],
        ray_caster: Callable[[], RayCaster] | None = None,
    ):
        """`open_stream` makes a stream for a sensor and tells its id; `close_stream` ends it.

        `ray_caster` gives one that is made already; without it, the first ray makes one.
        """
        self.town, self.episode_id = town, episode_id
        self._open_stream, self._close_stream = open_stream, close_stream
        self.weather = Weather()
        self.time_s = 0.0
        self.actors: dict[int, Actor] = {}
        self.sensors: dict[int, Sensor] = {}
        self.vehicles: dict[int, Vehicle] = {}
        self.walkers: dict[int, Walker] = {}
        self.packed_signs: dict[int, bytes] = {}
        """What never changes in the state records of lights and signs (observer)."""
        self.hidden_objects: set[int] = set()
        self.lamps = StreetLamps(town.lamps)
        self.debug = DebugShapes()
        self.contacts: Sequence[Contact] = ()
        ground = HeightField(*town.slopes) if town.slopes is not None else None
        self._dynamics = Dynamics([o for o in town.objects if o.solid], ground)
        self._motions: dict[int, Motion] = {}
        self._gears: dict[int, int] = {}
        self._next_id = 1
        self._described: dict[int, int] = {}
        """A checksum of what each id has ever stood for: clients keep what they once heard of an id."""
        self.static_objects = {o.object_id: o for o in town.objects}
        self.first_object_id = 1 + max(self.static_objects, default=0)
        """Object ids from here on are actors."""
        self._ray_caster = ray_caster or cache(partial(make_ray_caster, town))
        self.spectator = self._add(
            Actor(self._take_id(), structs.ActorDescription(0, "spectator"), {}, SPECTATOR_START)
        )
        self.signals = Signals(town.signals, self._take_id)
        for actor in self.signals.actors():
            self._add(actor)

    # what there is

    @property
    def dynamics(self) -> Dynamics:
        """The physics. Whoever asks for it may move things: what is known of motions is asked anew."""
        self._motions.clear()
        return self._dynamics

    def motion(self, actor: Body) -> Motion:
        """Where a body is and how it moves."""
        if not self._motions:
            states = self._dynamics.states()
            ids = states.ids.tolist()
            for actor_id, row in zip(ids, states.motions.tolist(), strict=True):
                self._motions[actor_id] = Motion(
                    Pose._make(row[:6]), tuple(row[6:9]), tuple(row[9:12]), tuple(row[12:])
                )
            self._gears = dict(zip(ids, states.gears.tolist(), strict=True))
        motion = self._motions[actor.id]
        return motion if actor.parent is None else motion._replace(pose=actor.pose())

    def gear(self, vehicle: Vehicle) -> int:
        """The gear that is in; without physics, the one that its driver asked for."""
        if not vehicle.simulated:
            return vehicle.control.gear
        self.motion(vehicle)
        return self._gears[vehicle.id]

    def actor(self, actor_id: int) -> Actor:
        """The actor of an id; raises WorldError."""
        actor = self.actors.get(actor_id)
        if actor is None:
            raise WorldError(f"actor {actor_id} is not there: it was never spawned or has been destroyed")
        return actor

    def vehicle(self, actor_id: int) -> Vehicle:
        """The vehicle of an id; raises WorldError."""
        actor = self.actor(actor_id)
        if not isinstance(actor, Vehicle):
            raise WorldError(f"actor {actor_id} is {actor.type_id}, not a vehicle")
        return actor

    def walker(self, actor_id: int) -> Walker:
        """The walker of an id; raises WorldError."""
        actor = self.actor(actor_id)
        if not isinstance(actor, Walker):
            raise WorldError(f"actor {actor_id} is {actor.type_id}, not a walker")
        return actor

    def traffic_light(self, actor_id: int) -> TrafficLight:
        """The traffic light of an id; raises WorldError."""
        actor = self.actor(actor_id)
        if not isinstance(actor, TrafficLight):
            raise WorldError(f"actor {actor_id} is {actor.type_id}, not a traffic light")
        return actor

    def body(self, actor_id: int) -> Body:
        """The vehicle, walker or prop of an id; raises WorldError."""
        actor = self.actor(actor_id)
        if not isinstance(actor, Body):
            raise WorldError(f"actor {actor_id} is {actor.type_id}, which has no physics")
        return actor

    # spawning

    def spawn(
        self,
        description: structs.ActorDescription,
        pose: Pose,
        parent_id: int | None = None,
        attachment: int = Attachment.RIGID,
        wanted_id: int | None = None,
    ) -> Actor:
        """A new actor at a pose, which is relative to its parent if it has one.

        It gets `wanted_id` if that is free and never stood for anything else in this episode.

        Raises:
            WorldError: unknown blueprint or attribute, something stands there already, no such parent.
        """
        try:
            definition = blueprints.definition(description.id)
        except KeyError as error:
            raise WorldError(error.args[0]) from None
        if len(self.actors) >= MAX_ACTORS:
            raise WorldError(f"there are {MAX_ACTORS} actors already, which is the limit; destroy some")
        try:
            attributes = blueprints.check_attributes(definition, {a.id: a.value for a in description.attributes})
            attached = Attachment(attachment)
        except ValueError as error:
            raise WorldError(str(error)) from None
        parent = None
        if parent_id is not None:
            parent = self.actors.get(parent_id)
            if parent is None:
                raise WorldError(f"unable to attach actor: parent actor {parent_id} not found")
        # The client looks its attributes up in what it gets back: all of them, not only those it gave.
        full = structs.ActorDescription(
            description.uid,
            description.id,
            tuple(structs.ActorAttributeValue(a.id, a.type, attributes[a.id]) for a in definition.attributes),
        )
        described = zlib.crc32(repr(full[1:]).encode("utf-8", "surrogateescape"))
        usual_id = self._next_id
        if wanted_id is not None and self._is_free(wanted_id, described):
            self._next_id = wanted_id
        try:
            actor = self._make(full, attributes, pose, parent)
        except BaseException:
            self._next_id = usual_id
            raise
        self._next_id = max(usual_id, self._next_id)
        self._described[actor.id] = described
        if parent is not None:
            actor.parent, actor.attachment = parent, attached
            parent.children[actor.id] = actor
        return self._add(actor)

    def destroy(self, actor_id: int) -> bool:
        """Take an actor out of the world. What is attached to it stays where it is, as in CARLA.

        Raises WorldError for an id that is not there, for the spectator and for what belongs to the map.
        """
        actor = self.actors.get(actor_id)
        if actor is None:
            raise WorldError(f"unable to destroy actor: actor {actor_id} not found")
        if actor is self.spectator or isinstance(actor, (TrafficLight, TrafficSign)):
            raise WorldError(f"unable to destroy actor {actor_id}: {actor.type_id} belongs to the world")
        for child in list(actor.children.values()):
            child.detach()
        actor.detach()
        del self.actors[actor_id]
        if isinstance(actor, Body):
            self.dynamics.remove(actor_id)
        if isinstance(actor, Sensor) and actor.stream_id:
            self._close_stream(actor.stream_id)
        for index in (self.sensors, self.vehicles, self.walkers):
            index.pop(actor_id, None)
        if actor.type_id == "static.trigger.friction":
            self._update_friction()
        return True

    def close(self) -> None:
        """End the streams of all sensors."""
        for sensor in self.sensors.values():
            if sensor.stream_id:
                self._close_stream(sensor.stream_id)

    def _make(
        self, description: structs.ActorDescription, attributes: dict[str, str], pose: Pose, parent: Actor | None
    ) -> Actor:
        kind = description.id.split(".", 1)[0]
        if kind == "vehicle":
            return self._make_vehicle(description, attributes, pose)
        if kind == "walker":
            return self._make_walker(description, attributes, pose)
        if description.id.startswith("static.prop.") and description.id != "static.prop.mesh":
            return self._make_prop(description, attributes, pose, parent)
        actor_id = self._take_id()
        if kind == "sensor":
            sensor = Sensor(actor_id, description, attributes, pose)
            sensor.period_s = float(attributes.get("sensor_tick") or 0.0)
            sensor.stream_id = self._open_stream()
            self.sensors[actor_id] = sensor
            return sensor
        actor = Actor(actor_id, description, attributes, pose)
        if description.id == "static.trigger.friction":
            # CARLA gives a trigger's extent in centimetres.
            x, y, z = (float(attributes[f"extent_{axis}"]) / 100.0 for axis in "xyz")
            actor.bounding_box = structs.BoundingBox((0.0, 0.0, 0.0), (x, y, z), (0.0, 0.0, 0.0), actor_id)
            self.actors[actor_id] = actor
            self._update_friction()
        return actor

    def _make_vehicle(self, description: structs.ActorDescription, attributes: dict[str, str], pose: Pose) -> Vehicle:
        spec = blueprints.vehicle_spec(description.id)
        self._refuse_overlap(pose, spec.extent_m, spec.box_centre_m)
        actor_id = self._take_id()
        control = default_control(spec.kind, spec.extent_m, spec.mass_kg)
        self.dynamics.add_vehicle(actor_id, spec.kind, spec.extent_m, spec.box_centre_m, control, pose)
        box = structs.BoundingBox(spec.box_centre_m, spec.extent_m, (0.0, 0.0, 0.0), actor_id)
        tags = bytes([spec.tag] + ([Tag.RIDER] if spec.kind in ("motorcycle", "bicycle") else []))
        vehicle = Vehicle(actor_id, description, attributes, pose, box, tags, where=self._where, spec=spec)
        self.vehicles[actor_id] = vehicle
        return vehicle

    def _make_walker(self, description: structs.ActorDescription, attributes: dict[str, str], pose: Pose) -> Walker:
        spec = blueprints.walker_spec(description.id)
        self._refuse_overlap(pose, spec.extent_m, (0.0, 0.0, 0.0))
        actor_id = self._take_id()
        self.dynamics.add_walker(actor_id, spec.extent_m, pose)
        box = structs.BoundingBox((0.0, 0.0, 0.0), spec.extent_m, (0.0, 0.0, 0.0), actor_id)
        walker = Walker(
            actor_id, description, attributes, pose, box, bytes([Tag.PEDESTRIAN]), where=self._where, spec=spec
        )
        self.walkers[actor_id] = walker
        return walker

    def _make_prop(
        self, description: structs.ActorDescription, attributes: dict[str, str], pose: Pose, parent: Actor | None
    ) -> Prop:
        spec = blueprints.prop_spec(description.id)
        actor_id = self._take_id()
        prop = Prop(actor_id, description, attributes, pose, tags=bytes([spec.tag]), where=self._where, spec=spec)
        prop.bounding_box = structs.BoundingBox(spec.box_centre_m, spec.extent_m, (0.0, 0.0, 0.0), actor_id)
        # CARLA's props have no physics until a client turns it on; on a parent they are part of it.
        self.dynamics.add_prop(actor_id, spec.extent_m, spec.mass_kg, pose, fixed=True)
        if parent is not None:
            self.dynamics.set_collisions(actor_id, False)
        return prop

    def _refuse_overlap(
        self, pose: Pose, extent_m: tuple[float, float, float], centre_m: tuple[float, float, float]
    ) -> None:
        middle = pose.compose(Pose(*centre_m))
        if self._dynamics.overlaps(middle, extent_m) is not None:
            raise WorldError("Spawn failed because of collision at spawn position")

    def _add(self, actor: Any) -> Any:
        self.actors[actor.id] = actor
        return actor

    def _is_free(self, actor_id: int, described: int) -> bool:
        if not 0 < actor_id <= MOST_WANTED_ID or actor_id in self.actors:
            return False
        return self._described.get(actor_id, described) == described

    def _take_id(self) -> int:
        taken = self._next_id
        self._next_id += 1
        return taken

    def _where(self, actor: Body) -> Pose:
        return self.motion(actor).pose

    # time

    def step(self, dt_s: float, substeps: int) -> None:
        """Let `dt_s` pass."""
        self.time_s += dt_s
        self.contacts = self.dynamics.step(dt_s, substeps)
        for walker in self.walkers.values():
            walker.walked_m += math.hypot(*self.motion(walker).velocity[:2]) * dt_s
        self.signals.tick(dt_s, self.vehicles.values())
        self._forget_controls()

    def _forget_controls(self) -> None:
        """CARLA's vehicles without sticky_control are driven for one tick by one control."""
        for vehicle in self.vehicles.values():
            if vehicle.attributes.get("sticky_control") == "false" and vehicle.control != structs.VehicleControl():
                self.set_control(vehicle, structs.VehicleControl())

    # what clients change

    def set_control(self, vehicle: Vehicle, control: structs.VehicleControl) -> None:
        """Drive."""
        vehicle.control = control
        self.dynamics.set_vehicle_control(vehicle.id, *control)

    def set_pose(self, actor: Actor, pose: Pose) -> None:
        """Put it there; on a parent, relative to it."""
        actor.set_pose(pose)
        self.packed_signs.pop(actor.id, None)
        if isinstance(actor, Body) and actor.parent is None:
            self.dynamics.set_pose(actor.id, pose)

    def carry(self, motions: Sequence[tuple[Body, Motion]]) -> None:
        """Have bodies without physics exactly there, and moving so, whatever the physics thinks of it.

        Raises ValueError for numbers that are out of the world.
        """
        rows = [(*m.pose, *m.velocity, *m.angular_velocity_deg, *m.acceleration) for _, m in motions]
        self.dynamics.carry([body.id for body, _ in motions], np.array(rows, np.float64))
        for body, motion in motions:
            body.set_pose(motion.pose)

    def set_simulated(self, actor: Body, enabled: bool) -> None:
        """Turn the physics of a body on or off."""
        actor.simulated = enabled
        self.dynamics.set_simulate_physics(actor.id, enabled)

    def physics_control(self, vehicle: Vehicle) -> structs.VehiclePhysicsControl:
        """The numbers of a vehicle's physics, as the wire has them."""
        control: Any = self._dynamics.physics_control(vehicle.id)
        wheels = tuple(structs.WheelPhysicsControl(*wheel) for wheel in control.wheels)
        gears = tuple(structs.GearPhysicsControl(*gear) for gear in control.forward_gears)
        return structs.VehiclePhysicsControl(*control)._replace(wheels=wheels, forward_gears=gears)

    def _update_friction(self) -> None:
        zones = [
            (Box(actor.pose(), actor.bounding_box.extent), float(actor.attributes["friction"]))
            for actor in self.actors.values()
            if actor.type_id == "static.trigger.friction"
        ]
        self.dynamics.set_friction_zones(zones)

    # what is seen

    def object_id(self, actor_id: int) -> int:
        """The object of an actor in instance pictures, 1 to 65535; above those of the town."""
        return (self.first_object_id + actor_id - 1) % 65535 + 1

    def actor_id_of_object(self, object_id: int) -> int:
        """The actor whose object that is, or 0 for the town's own."""
        actor_id = (object_id - self.first_object_id) % 65535
        return actor_id if object_id >= self.first_object_id and actor_id in self.actors else 0

    def actor_of_object(self, object_id: int) -> Actor | None:
        """As `actor_id_of_object`."""
        return self.actors.get(self.actor_id_of_object(object_id))

    def velocity(self, actor: Actor | None) -> tuple[float, float, float]:
        """m/s in the world's axes; what has no physics of its own moves with what it is attached to."""
        while actor is not None and not isinstance(actor, Body):
            actor = actor.parent
        return self.motion(actor).velocity if actor is not None else (0.0, 0.0, 0.0)

    @property
    def ray_caster(self) -> RayCaster:
        """Made at the first ray, if nobody has made it before."""
        return self._ray_caster()

    def first_hit(
        self, start: tuple[float, float, float], direction: tuple[float, float, float], reach_m: float
    ) -> structs.LabelledPoint | None:
        """What a ray hits first, or None."""
        hits = self._hits(np.array(start), np.array(direction), reach_m, first_only=True)
        return hits[0] if hits else None

    def all_hits(
        self, start: tuple[float, float, float], end: tuple[float, float, float]
    ) -> list[structs.LabelledPoint]:
        """Everything on a line, near to far."""
        along = np.subtract(end, start)
        return self._hits(np.array(start), along, float(np.linalg.norm(along)), first_only=False)

    def _hits(self, start: Any, direction: Any, reach_m: float, first_only: bool) -> list[structs.LabelledPoint]:
        length = float(np.linalg.norm(direction))
        if not length > 0.0 or not math.isfinite(reach_m):
            return []
        ray, movers = direction / length, self.movers()
        points: list[structs.LabelledPoint] = []
        passed_m = 0.0
        while passed_m < reach_m and len(points) < MAX_RAY_HITS:
            hits = self.ray_caster.cast((start + ray * passed_m)[None], ray[None], reach_m - passed_m, movers)
            distance = float(hits.distance_m[0])
            if not math.isfinite(distance) or distance > reach_m - passed_m:
                break
            x, y, z = (start + ray * (passed_m + distance)).tolist()
            points.append(structs.LabelledPoint((x, y, z), int(hits.tag[0])))
            if first_only:
                break
            passed_m += distance + RAY_STEP_M
        return points

    def movers(self) -> list[Mover]:
        """Everything that is not part of the town's own mesh."""
        result = [
            Mover(v.spec.model, self.object_id(v.id), v.pose(), _tint(v.attributes.get("color", "")), v.lights)
            for v in self.vehicles.values()
            if v.spec is not None
        ]
        for walker in self.walkers.values():
            phase, object_id, pose = self.gait_phase(walker), self.object_id(walker.id), walker.pose()
            if walker.blend > 0.0:
                result += posed_movers(walker, phase, object_id, pose)
            else:
                result.append(Mover(walker_model_key(walker.type_id, phase), object_id, pose))
        for prop in self.actors.values():
            if isinstance(prop, Prop) and prop.spec is not None:
                result.append(Mover(prop.spec.model, self.object_id(prop.id), prop.pose()))
        return result + self.signals.heads(self.object_id)

    def gait_phase(self, walker: Walker) -> int | None:
        """Where in its gait a walker is; None if it stands."""
        if math.hypot(*self.motion(walker).velocity[:2]) <= WALKING_MPS:
            return None
        return int(walker.walked_m / stride_m(walker.type_id) * PHASES) % PHASES

    def substeps_of(self, settings: structs.EpisodeSettings, dt_s: float) -> int:
        """Physics substeps of a tick, by the settings' limits."""
        if not settings.substepping or settings.max_substep_delta_s <= 0.0:
            return 1
        return max(1, min(settings.max_substeps, math.ceil(dt_s / settings.max_substep_delta_s - 1e-9)))


def _tint(colour: str) -> tuple[float, float, float]:
    """A colour attribute, "r,g,b", as sRGB 0 to 1; white where there is none."""
    if not colour:
        return (1.0, 1.0, 1.0)
    red, green, blue = (int(part) / 255.0 for part in colour.split(","))
    return (red, green, blue)
