"""The physics of one world: bodies come and go, are driven and pushed, and a step moves them all and tells who touched."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np

from sim_agent.embedded.physics import state as report
from sim_agent.embedded.physics.ackermann import AckermannController, AckermannSettings
from sim_agent.embedded.physics.bodies import PROP, VEHICLE, WALKER, BodyTable
from sim_agent.embedded.physics.contact import (
    FREE_PLACE,
    STATIC_WORLD,
    apply_zones,
    find_pairs,
    first_overlap,
    resolve,
)
from sim_agent.embedded.physics.control import CYCLES, KINDS, PhysicsControl, check_control, default_control
from sim_agent.embedded.physics.height_field import HeightField, feel_ground
from sim_agent.embedded.physics.install import axle_places_m, install, put, put_all
from sim_agent.embedded.physics.motion import advance
from sim_agent.embedded.physics.obstacles import StaticGrid, upright
from sim_agent.embedded.physics.state import BodyState, BodyStates, Telemetry
from sim_agent.embedded.physics.wheels import WheelTurn, roll, turns
from sim_agent.embedded.pose import Pose
from sim_agent.embedded.scene import Box, StaticObject, Tag

Vector = tuple[float, float, float]

LONGEST_SUBSTEP_S = 0.01
"""A step is cut finer than asked if need be: a car at 40 m/s then moves 0.4 m between looks at what is in its way."""
MOST_STEP_S = 10.0
FARTHEST_M = 1e7
WALKER_KG, WALKER_HALF_HEIGHT_M = 75.0, 0.93
FRONT_DRIVE = 0.45
"""Share of the engine's force at the front wheels of a car (Unreal's default differential of four wheels)."""


class Contact(NamedTuple):
    """Two things touched during a step, as one of them felt it."""

    actor_id: int
    other_id: int
    """0: the static world."""
    object_id: int
    """Of the `StaticObject`; 0 if the other is an actor."""
    normal_impulse: Vector
    """On `actor_id`, N s, sum over the step; zero while they only touch."""
    point: Vector
    """In the world, m."""


def _finite(what: str, values: Sequence[float], limit: float = FARTHEST_M) -> tuple[float, ...]:
    numbers = tuple(float(value) for value in values)
    if not all(math.isfinite(value) and abs(value) <= limit for value in numbers):
        raise ValueError(f"{what} is {numbers}; every number must be finite and within {limit:g}.")
    return numbers


def _sizes(what: str, values: Sequence[float]) -> tuple[float, ...]:
    numbers = _finite(what, values)
    if not all(1e-3 <= value <= 1e5 for value in numbers):
        raise ValueError(f"{what} is {numbers}; every number must be from 0.001 to 100000.")
    return numbers


class Dynamics:
    """Vehicles, walkers and props on the plane z = 0, or on `ground`, among the solid ones of `obstacles`.

    Metres, seconds, kilograms, CARLA's axes. Every method raises ValueError, before anything has changed, for an actor
    that is not there and for numbers that are not finite or make no sense. The same calls give the same bytes: bodies are
    worked through in the order of their ids, and no result depends on the slot that a body was given.
    """

    def __init__(self, obstacles: Sequence[StaticObject], ground: HeightField | None = None) -> None:
        self._ground = ground
        self._statics = StaticGrid(obstacles)
        self._table = BodyTable()
        self._controls: dict[int, PhysicsControl] = {}
        self._ackermann: dict[int, AckermannController] = {}
        self._settings: dict[int, AckermannSettings] = {}
        self._zones = np.zeros((0, 8))
        self._zone_friction = np.zeros(0)
        self._pairs = np.zeros((256, 2), np.int64)

    def add_vehicle(
        self,
        actor_id: int,
        kind: str,
        extent_m: Vector,
        box_centre_m: Vector,
        control: PhysicsControl,
        pose: Pose,
    ) -> None:
        """A vehicle whose origin is on the ground at `pose`; the wheels' positions of `control` are in its frame, cm."""
        if kind not in KINDS:
            raise ValueError(f"There is no vehicle kind {kind!r}; use one of {', '.join(KINDS)}.")
        check_control(control)
        extent, box = _sizes("extent_m", extent_m), _finite("box_centre_m", box_centre_m)
        axle_places_m(control)
        place = _finite("pose", pose)
        slot = self._table.take(actor_id, VEHICLE)
        body, car = self._table.bodies[slot], self._table.drives[slot]
        body["extent_x"], body["extent_y"], body["extent_z"] = extent
        body["box_x"], body["box_y"], body["box_z"] = box
        put(body, place)
        body["pitch"] = body["roll"] = 0.0
        car["zone_friction"] = -1.0
        car["gear"] = 1
        car["since_shift_s"] = 10.0
        car["cycle"] = kind in CYCLES
        car["front_drive"] = 0.0 if kind in CYCLES else FRONT_DRIVE
        self._install(actor_id, control)

    def add_walker(self, actor_id: int, extent_m: Vector, pose: Pose, box_centre_m: Vector = (0.0, 0.0, 0.0)) -> None:
        """A person; `pose` is, as CARLA has it, the centre of the body. Children weigh less, by their height squared."""
        extent = _sizes("extent_m", extent_m)
        mass_kg = WALKER_KG * (extent[2] / WALKER_HALF_HEIGHT_M) ** 2
        slot = self._add_plain(actor_id, WALKER, extent, box_centre_m, mass_kg, pose)
        body = self._table.bodies[slot]
        body["pitch"] = body["roll"] = 0.0
        body["walk_x"] = 1.0

    def add_prop(
        self,
        actor_id: int,
        extent_m: Vector,
        mass_kg: float,
        pose: Pose,
        fixed: bool,
        box_centre_m: Vector | None = None,
    ) -> None:
        """A box that slides when pushed, or, `fixed`, never moves. Without `box_centre_m` it stands on its pose."""
        extent = _sizes("extent_m", extent_m)
        (mass,) = _sizes("mass_kg", (mass_kg,))
        centre = (0.0, 0.0, extent[2]) if box_centre_m is None else box_centre_m
        slot = self._add_plain(actor_id, PROP, extent, centre, mass, pose)
        self._table.bodies[slot]["fixed"] = bool(fixed)

    def remove(self, actor_id: int) -> None:
        """Take a body out of the world."""
        self._table.give_back(actor_id)
        for known in (self._controls, self._ackermann, self._settings):
            known.pop(actor_id, None)

    def overlaps(self, pose: Pose, extent_m: Vector, ignore: Collection[int] = ()) -> int | None:
        """What a box with its centre at `pose` would overlap: an actor's id, 0 for the static world, None for nothing.

        Actors named in `ignore` do not count, nor does the ground.
        """
        _finite("pose", pose)
        sizes = _sizes("extent_m", extent_m)
        place = np.array(upright(Box(pose, (sizes[0], sizes[1], sizes[2]))), np.float64)
        ignored = np.array(sorted(ignore), np.int64)
        found = int(first_overlap(place, self._table.bodies, self._table.order, self._statics.boxes, ignored))
        if found == FREE_PLACE:
            return None
        return 0 if found == STATIC_WORLD else int(self._table.bodies[found]["actor"])

    def set_vehicle_control(
        self,
        actor_id: int,
        throttle: float,
        steer: float,
        brake: float,
        hand_brake: bool,
        reverse: bool,
        manual_gear_shift: bool,
        gear: int,
    ) -> None:
        """What the driver does from now on; throttle and brake are cut to 0..1, steer to -1..1. Ends Ackermann control."""
        slot = self._vehicle_slot(actor_id)
        if not math.isfinite(throttle + steer + brake):
            _finite("(throttle, steer, brake)", (throttle, steer, brake))
        self._ackermann.pop(actor_id, None)
        throttles, steers, brakes, hand_brakes, reverses, manuals, gears = self._table.controls
        throttles[slot], brakes[slot] = min(max(throttle, 0.0), 1.0), min(max(brake, 0.0), 1.0)
        steers[slot] = min(max(steer, -1.0), 1.0)
        hand_brakes[slot], reverses[slot], manuals[slot] = bool(hand_brake), bool(reverse), bool(manual_gear_shift)
        gears[slot] = min(max(int(gear), -1), 99)

    def set_ackermann(
        self, actor_id: int, steer_rad: float, steer_speed: float, speed: float, acceleration: float, jerk: float
    ) -> None:
        """Drive at a speed (m/s) and steering angle (right positive) from now on, until `set_vehicle_control`.

        `steer_speed` (rad/s) and `acceleration` (m/s2) limit, 0 leaves them free; CARLA ignores `jerk`, and so does this.
        """
        car = self._vehicle(actor_id)
        _finite("(steer, steer_speed, speed, acceleration, jerk)", (steer_rad, steer_speed, speed, acceleration, jerk))
        if actor_id not in self._ackermann:
            self._ackermann[actor_id] = AckermannController(self.ackermann_settings(actor_id))
            car["manual"] = car["hand_brake"] = 0
        controller = self._ackermann[actor_id]
        controller.steer_rad, controller.steer_speed_radps = float(steer_rad), abs(float(steer_speed))
        controller.speed_mps, controller.acceleration_mps2 = float(speed), abs(float(acceleration))

    def ackermann_settings(self, actor_id: int) -> AckermannSettings:
        """The gains of a vehicle's Ackermann controller."""
        self._vehicle(actor_id)
        return self._settings.get(actor_id, AckermannSettings())

    def set_ackermann_settings(self, actor_id: int, settings: AckermannSettings) -> None:
        """Change the gains; they stay when other controls are set."""
        self._vehicle(actor_id)
        self._settings[actor_id] = AckermannSettings(*_finite("settings", settings))
        if actor_id in self._ackermann:
            self._ackermann[actor_id].settings = self._settings[actor_id]

    def set_walker_control(self, actor_id: int, direction: Vector, speed: float, jump: bool) -> None:
        """Walk at `speed` m/s along `direction` (its height does not count), and jump once if on the ground."""
        body = self._walker(actor_id)
        x, y, z = _finite("direction", direction)
        (speed,) = _finite("speed", (speed,), 1e3)
        length = math.hypot(x, y, z)
        body["walk_x"], body["walk_y"] = (x / length, y / length) if length > 0.0 else (0.0, 0.0)
        body["walk_speed"] = speed
        body["jumps"] = bool(jump)

    def set_walker_state(self, actor_id: int, pose: Pose, speed: float) -> None:
        """Put a walker at `pose` for the next step, which then leaves it there; `speed` along it is what others see."""
        body = self._walker(actor_id)
        place = _finite("pose", pose)
        (speed,) = _finite("speed", (speed,), 1e3)
        put(body, place)
        body["pitch"] = body["roll"] = 0.0
        body["walk_x"], body["walk_y"], body["walk_speed"] = math.cos(body["yaw"]), math.sin(body["yaw"]), 0.0
        body["vx"], body["vy"], body["vz"] = body["walk_x"] * speed, body["walk_y"] * speed, 0.0
        body["yaw_rate"] = 0.0
        body["posed"] = 1

    def set_pose(self, actor_id: int, pose: Pose) -> None:
        """Put an actor somewhere; it keeps its velocity. Vehicles and walkers stay upright."""
        body = self._table.bodies[self._table.slot(actor_id)]
        put(body, _finite("pose", pose))
        if body["kind"] != PROP:
            body["pitch"] = body["roll"] = 0.0

    def carry(self, actor_ids: Sequence[int], motions: np.ndarray) -> None:
        """Have bodies without physics exactly there, tilt and all; others see and feel them move as told.

        They stay until they are carried on: nothing pushes them away, walkers neither.

        Args:
            actor_ids: N of them.
            motions: (N, 15) float64: x, y, z (m), pitch, yaw, roll (degrees), velocity (m/s), angular velocity (deg/s) and
                acceleration (m/s2) in the world's axes.
        """
        motions = np.asarray(motions, np.float64).reshape(-1, 15)
        slots = np.array([self._table.slot(actor_id) for actor_id in actor_ids], np.int64)
        if not (np.abs(motions) <= FARTHEST_M).all():
            bad = int(np.flatnonzero(~(np.abs(motions) <= FARTHEST_M).all(1))[0])
            raise ValueError(
                f"The motion of actor {actor_ids[bad]} is {motions[bad].tolist()}; every number must be finite and"
                f" within {FARTHEST_M:g}."
            )
        put_all(self._table.bodies, slots, motions)

    def set_velocity(self, actor_id: int, velocity_mps: Vector) -> None:
        """Velocity of the centre of mass in the world; a body that is fixed or not simulated stays where it is."""
        body = self._table.bodies[self._table.slot(actor_id)]
        velocity = _finite("velocity_mps", velocity_mps, 1e3)
        if body["simulated"] and not body["fixed"]:
            body["vx"], body["vy"], body["vz"] = velocity

    def set_angular_velocity(self, actor_id: int, angular_velocity_degps: Vector) -> None:
        """Angular velocity in the world; only the part about the vertical has an effect, bodies stay upright."""
        body = self._table.bodies[self._table.slot(actor_id)]
        velocity = _finite("angular_velocity_degps", angular_velocity_degps)
        if body["simulated"] and not body["fixed"]:
            body["yaw_rate"] = math.radians(velocity[2])

    def add_impulse(self, actor_id: int, impulse_ns: Vector) -> None:
        """Change the velocity at once by impulse (N s, world) over mass."""
        body = self._table.bodies[self._table.slot(actor_id)]
        impulse = _finite("impulse_ns", impulse_ns, 1e9)
        if body["simulated"] and not body["fixed"]:
            for name, part in zip(("vx", "vy", "vz"), impulse, strict=True):
                body[name] += part / body["mass"]
            if body["kind"] == WALKER:
                body["knocked"] = 1

    def add_force(self, actor_id: int, force_n: Vector) -> None:
        """Push with a force (N, world) at the centre of mass during the next step."""
        body = self._table.bodies[self._table.slot(actor_id)]
        force = _finite("force_n", force_n, 1e9)
        for name, part in zip(("force_x", "force_y", "force_z"), force, strict=True):
            body[name] += part

    def add_angular_impulse(self, actor_id: int, impulse: Vector) -> None:
        """Change the yaw rate at once by impulse (kg m2 deg/s, world; only z counts) over the moment of inertia."""
        body = self._table.bodies[self._table.slot(actor_id)]
        numbers = _finite("impulse", impulse, 1e12)
        if body["simulated"] and not body["fixed"]:
            body["yaw_rate"] += math.radians(numbers[2]) / body["inertia"]

    def add_torque(self, actor_id: int, torque: Vector) -> None:
        """Turn with a torque (kg m2 deg/s2, world; only z counts) during the next step."""
        body = self._table.bodies[self._table.slot(actor_id)]
        numbers = _finite("torque", torque, 1e12)
        body["torque_z"] += math.radians(numbers[2])

    def set_constant_velocity(self, actor_id: int, velocity_mps: Vector | None) -> None:
        """Hold a velocity in the body's own axes, whatever brakes or hits it; None gives it back to its driver.

        A vertical part of 0 leaves falling alone.
        """
        body = self._table.bodies[self._table.slot(actor_id)]
        velocity = (0.0, 0.0, 0.0) if velocity_mps is None else _finite("velocity_mps", velocity_mps, 1e3)
        body["held"] = velocity_mps is not None
        body["hold_x"], body["hold_y"], body["hold_z"] = velocity

    def set_simulate_physics(self, actor_id: int, enabled: bool) -> None:
        """Without physics an actor stays where it is put; others still bump into it."""
        body = self._table.bodies[self._table.slot(actor_id)]
        body["simulated"] = bool(enabled)
        if enabled:
            body["posed"] = 0
        else:
            for name in ("vx", "vy", "vz", "yaw_rate", "pitch_rate", "roll_rate"):
                body[name] = 0.0

    def set_gravity(self, actor_id: int, enabled: bool) -> None:
        """Without gravity an actor floats, and its tyres carry no load."""
        self._table.bodies[self._table.slot(actor_id)]["gravity"] = bool(enabled)

    def set_collisions(self, actor_id: int, enabled: bool) -> None:
        """Without collisions everything passes through an actor; the ground still carries it."""
        self._table.bodies[self._table.slot(actor_id)]["collides"] = bool(enabled)

    def set_dead(self, actor_id: int) -> None:
        """A walker that walks no more."""
        self._walker(actor_id)["dead"] = 1

    def physics_control(self, actor_id: int) -> PhysicsControl:
        """The numbers of a vehicle, wheels in the world (cm), with the friction of the zone that it is in."""
        car = self._vehicle(actor_id)
        control = self._controls[actor_id]
        place = report.pose_of(self._table.bodies[self._table.slot(actor_id)])
        zone = float(car["zone_friction"])
        wheels = []
        for wheel in control.wheels:
            x, y, z = (part / 100.0 for part in wheel.position_cm)
            at = place.compose(Pose(x, y, z))
            friction = wheel.tire_friction if zone < 0.0 else zone
            centre = (at.x_m * 100.0, at.y_m * 100.0, at.z_m * 100.0)
            wheels.append(wheel._replace(tire_friction=friction, position_cm=centre))
        return control._replace(wheels=tuple(wheels))

    def set_physics_control(self, actor_id: int, control: PhysicsControl) -> None:
        """Change the numbers of a vehicle; as in CARLA, wheels stay where they are."""
        self._vehicle(actor_id)
        check_control(control)
        before = self._controls[actor_id]
        if len(control.wheels) != len(before.wheels):
            raise ValueError(f"wheels has {len(control.wheels)} wheels; the vehicle has {len(before.wheels)}.")
        wheels = tuple(
            new._replace(position_cm=old.position_cm) for new, old in zip(control.wheels, before.wheels, strict=True)
        )
        self._install(actor_id, control._replace(wheels=wheels))

    def set_friction_zones(self, zones: Sequence[tuple[Box, float]]) -> None:
        """Boxes within which every tyre has another friction (`static.trigger.friction`); the last one counts."""
        for box, friction in zones:
            _finite("zone", (*box.pose, *box.extent_m))
            if not (math.isfinite(friction) and 0.0 <= friction <= 1e3):
                raise ValueError(f"A zone's friction is {friction!r}; it must be a finite number from 0 to 1000.")
        self._zones = np.array([upright(box) for box, _ in zones], np.float64).reshape(-1, 8)
        self._zone_friction = np.array([friction for _, friction in zones], np.float64)

    def wheel_steer_deg(self, actor_id: int, wheel: int) -> float:
        """Angle of a wheel (`carla.VehicleWheelLocation`), right positive."""
        car = self._vehicle(actor_id)
        return report.wheel_steer_deg(car, wheel)

    def wheel_turns(self, actor_id: int) -> tuple[WheelTurn, ...]:
        """How each wheel of a vehicle stands."""
        return turns(self._vehicle(actor_id), self._controls[actor_id])

    def telemetry(self, actor_id: int) -> Telemetry:
        """`carla.VehicleTelemetryData` of the last substep."""
        car = self._vehicle(actor_id)
        return report.telemetry(self._table.bodies[self._table.slot(actor_id)], car, self._controls[actor_id])

    def state(self, actor_id: int) -> BodyState:
        """One body as it is now."""
        return report.state(self._table, self._table.slot(actor_id))

    def states(self) -> BodyStates:
        """All bodies as they are now, in the order of their ids."""
        return report.states(self._table)

    def step(self, dt_s: float, substeps: int) -> list[Contact]:
        """Move the world by `dt_s` in `substeps` equal parts (more, if they were longer than 10 ms).

        Returns who touched whom, once a pair and side, in the order of ids, statics after actors.
        """
        if not (math.isfinite(dt_s) and 0.0 < dt_s <= MOST_STEP_S):
            raise ValueError(f"dt_s is {dt_s!r}; it must be above 0 and at most {MOST_STEP_S:g} s.")
        if not 1 <= substeps <= 10_000:
            raise ValueError(f"substeps is {substeps!r}; it must be from 1 to 10000.")
        for actor_id in sorted(self._ackermann):
            self._drive_ackermann(actor_id, dt_s)
        table, statics = self._table, self._statics
        order = table.order
        apply_zones(table.bodies, table.drives, order, self._zones, self._zone_friction)
        velocity = [table.bodies[name].copy() for name in ("vx", "vy", "vz")]
        count = self._find_pairs(dt_s)
        hits = np.zeros((count, 6))
        parts = max(substeps, math.ceil(dt_s / LONGEST_SUBSTEP_S - 1e-9))
        h = dt_s / parts
        for _ in range(parts):
            if self._ground is not None:
                feel_ground(table.bodies, table.drives, order, self._ground.heights, self._ground.frame)
            advance(table.bodies, table.drives, table.torque, table.steering, table.gears, order, h)
            if count:
                resolve(table.bodies, statics.boxes, self._pairs, count, h, hits)
        roll(table.bodies, table.drives, order)
        for name, before, after in zip(("ax", "ay", "az"), velocity, ("vx", "vy", "vz"), strict=True):
            table.bodies[name] = (table.bodies[after] - before) / dt_s
        for name in ("force_x", "force_y", "force_z", "torque_z", "posed"):
            table.bodies[name] = 0
        return self._contacts(count, hits)

    def _find_pairs(self, dt_s: float) -> int:
        table, statics = self._table, self._statics
        while True:
            count = int(
                find_pairs(
                    table.bodies,
                    table.order,
                    dt_s,
                    statics.boxes,
                    statics.frame,
                    statics.first,
                    statics.starts,
                    statics.items,
                    self._pairs,
                )
            )
            if count <= len(self._pairs):
                return count
            self._pairs = np.zeros((2 * count, 2), np.int64)

    def _contacts(self, count: int, hits: np.ndarray) -> list[Contact]:
        contacts: list[Contact] = []
        touched = np.flatnonzero(hits[:, 0])
        if not len(touched):
            return contacts
        pairs = self._pairs[touched]
        firsts = self._table.bodies["actor"][pairs[:, 0]].tolist()
        others = self._table.bodies["actor"][np.maximum(pairs[:, 1], 0)].tolist()
        seconds = pairs[:, 1].tolist()
        for first, other, second, hit in zip(firsts, others, seconds, hits[touched].tolist(), strict=True):
            _, jx, jy, x, y, z = hit
            if second < 0:
                contacts.append(Contact(first, 0, self._statics.object_ids[-1 - second], (jx, jy, 0.0), (x, y, z)))
                continue
            contacts.append(Contact(first, other, 0, (jx, jy, 0.0), (x, y, z)))
            contacts.append(Contact(other, first, 0, (-jx, -jy, 0.0), (x, y, z)))
        contacts.sort(key=lambda contact: contact.actor_id)
        return contacts

    def _drive_ackermann(self, actor_id: int, dt_s: float) -> None:
        slot = self._table.slot(actor_id)
        car = self._table.drives[slot]
        speed = report.forward_speed(self._table.bodies[slot])
        pedals = self._ackermann[actor_id].run(speed, float(car["max_steer"]), dt_s)
        car["steer"], car["throttle"], car["brake"], car["reverse"] = pedals

    def _vehicle_slot(self, actor_id: int) -> int:
        if actor_id not in self._controls:
            self._table.slot(actor_id)
            raise ValueError(f"Actor {actor_id} is not a vehicle; give a vehicle's id.")
        return self._table.slot(actor_id)

    def _vehicle(self, actor_id: int) -> np.void:
        return self._table.drives[self._vehicle_slot(actor_id)]

    def _walker(self, actor_id: int) -> np.void:
        body = self._table.bodies[self._table.slot(actor_id)]
        if body["kind"] != WALKER:
            raise ValueError(f"Actor {actor_id} is not a walker; give a walker's id.")
        return body

    def _add_plain(
        self, actor_id: int, kind: int, extent: tuple[float, ...], box_centre_m: Vector, mass_kg: float, pose: Pose
    ) -> int:
        box, place = _finite("box_centre_m", box_centre_m), _finite("pose", pose)
        slot = self._table.take(actor_id, kind)
        body = self._table.bodies[slot]
        body["extent_x"], body["extent_y"], body["extent_z"] = extent
        body["box_x"], body["box_y"], body["box_z"] = box
        body["mass"] = mass_kg
        body["inertia"] = mass_kg * (extent[0] ** 2 + extent[1] ** 2) / 3.0
        put(body, place)
        return slot

    def _install(self, actor_id: int, control: PhysicsControl) -> None:
        install(self._table, self._table.slot(actor_id), control)
        self._controls[actor_id] = control


def warm_up() -> None:
    """Compile the kernels, or load them from numba's cache: seconds the first time ever, else a fraction of one."""
    tree = StaticObject(1, "tree", Tag.VEGETATION, Pose(), Box(Pose(0.0, 0.0, 2.0), (0.3, 0.3, 2.0)), True)
    world = Dynamics([tree])
    extent = (2.0, 1.0, 0.7)
    world.add_vehicle(1, "car", extent, (0.0, 0.0, 0.7), default_control("car", extent, 1500.0), Pose(-2.5))
    world.add_walker(2, (0.3, 0.3, 0.9), Pose(5.0, 0.0, 0.9))
    world.add_prop(3, (0.3, 0.3, 0.3), 10.0, Pose(8.0), False)
    world.set_friction_zones([(Box(Pose(), (1.0, 1.0, 1.0)), 0.5)])
    world.overlaps(Pose(), extent)
    world.step(0.05, 1)
