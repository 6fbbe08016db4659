"""The server's side of every RPC: what the client asks, done to the world."""

from __future__ import annotations

import logging
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np

from sim_agent.embedded import blueprints, recorder_queries
from sim_agent.embedded.actors import Actor, Attachment, Body, Vehicle, Walker
from sim_agent.embedded.physics import AckermannSettings, Gear, PhysicsControl, Wheel
from sim_agent.embedded.pose import ORIGIN, Pose
from sim_agent.embedded.recorder_file import RecorderReader, recorder_path
from sim_agent.embedded.scene import Weather
from sim_agent.embedded.simulation import OPENDRIVE_MAP, STATE_STREAM, Simulation
from sim_agent.embedded.town import TOWNS
from sim_agent.embedded.traffic_lights import LightState
from sim_agent.embedded.wire import commands, structs
from sim_agent.embedded.wire.rpc import Call
from sim_agent.embedded.world import WorldError

VERSION = "0.9.16"
ANY_TAG = 255
NAVMESH_FOLDER = "Carla/Maps/Nav"
_log = logging.getLogger(__name__)


class Service:
    """One method for each RPC that is served, named as it is; arguments are those of wire/methods.py."""

    def __init__(self, simulation: Simulation):
        self.simulation = simulation
        self.traffic_managers: dict[int, structs.TrafficManagerInfo] = {}
        self.draw: list[structs.DebugShape] = []

    def handle(self, call: Call) -> None:
        """Do what a call asks and answer it. A failure is the caller's; it never ends the server."""
        method: Callable[..., Any] | None = getattr(self, call.name, None)
        if method is None:
            call.fail(f"{call.name} is not served by the embedded simulator; use a CARLA server for it")
            return
        try:
            result = method(*call.args)
        except (WorldError, ValueError) as error:
            call.fail(str(error))
        except Exception:
            # A fault of ours must not take the other clients' world down.
            _log.exception("%s failed", call.name)
            call.fail(f"{call.name} failed inside the embedded simulator; its log tells why")
        else:
            call.reply(result)

    @property
    def _world(self) -> Any:
        return self.simulation.world

    # server and episode

    def version(self) -> str:
        return VERSION

    def tick_cue(self) -> int:
        if not self.simulation.settings.synchronous_mode:
            return self.simulation.frame
        return self.simulation.tick()

    def get_available_maps(self) -> tuple[str, ...]:
        return tuple(f"/Game/Carla/Maps/{name}" for name in TOWNS)

    def get_episode_info(self) -> structs.EpisodeInfo:
        return structs.EpisodeInfo(self._world.episode_id, self.simulation.streams.token(STATE_STREAM))

    def get_map_info(self) -> structs.MapInfo:
        return structs.MapInfo(self.simulation.map_name, self._world.town.spawn_points)

    def get_map_data(self) -> str:
        return str(self._world.town.opendrive)

    def get_navigation_mesh(self) -> bytes:
        return bytes(self._world.town.navmesh)

    def get_required_files(self, folder: str) -> tuple[str, ...]:
        if folder.startswith("Nav") or not folder:
            return (self._navmesh_name(),) if self._world.town.navmesh else ()
        return ()

    def request_file(self, name: str) -> bytes:
        if name != self._navmesh_name():
            raise WorldError(f"there is no file {name!r}; get_required_files lists them")
        return bytes(self._world.town.navmesh)

    def _navmesh_name(self) -> str:
        # Clients keep files by name for ever: another content needs another name.
        town = self._world.town
        return f"{NAVMESH_FOLDER}/{town.name}_{zlib.crc32(town.navmesh):08x}.bin"

    def get_episode_settings(self) -> structs.EpisodeSettings:
        return self.simulation.settings

    def set_episode_settings(self, settings: structs.EpisodeSettings) -> int:
        self.simulation.apply_settings(settings)
        return self.simulation.frame

    def load_new_episode(self, map_name: str, reset_settings: bool, map_layers: int) -> None:
        self.simulation.load(map_name, reset_settings)
        self.draw.clear()

    def load_map_layer(self, map_layers: int) -> None:
        """Our towns have one layer, which is always there."""

    def unload_map_layer(self, map_layers: int) -> None:
        """As `load_map_layer`."""

    def copy_opendrive_to_file(self, opendrive: str, parameters: structs.OpendriveGenerationParameters) -> None:
        self.simulation.opendrive = opendrive

    # traffic managers

    def is_traffic_manager_running(self, port: int) -> bool:
        return port in self.traffic_managers

    def get_traffic_manager_running(self, port: int) -> structs.TrafficManagerInfo:
        return self.traffic_managers.get(port, structs.TrafficManagerInfo("", 0))

    def add_traffic_manager_running(self, info: structs.TrafficManagerInfo) -> bool:
        return self.traffic_managers.setdefault(info.port, info) is info

    def destroy_traffic_manager(self, port: int) -> bool:
        return self.traffic_managers.pop(port, None) is not None

    # weather and light

    def get_weather_parameters(self) -> Weather:
        return Weather(*self._world.weather)

    def set_weather_parameters(self, weather: Weather) -> None:
        self._world.weather = weather

    def query_lights_state(self, client: str) -> tuple[structs.LightState, ...]:
        return tuple(
            structs.LightState(
                lamp.object_id,
                lamp.position,
                1000.0,
                2,
                structs.Color(*(round(255 * c) for c in lamp.colour)),
                lamp.object_id not in self._world.lamps_off,
            )
            for lamp in self._world.town.lamps
        )

    def update_lights_state(self, client: str, lights: tuple[structs.LightState, ...], discard_client: bool) -> None:
        known = {lamp.object_id for lamp in self._world.town.lamps}
        for light in lights:
            if light.id in known:
                (self._world.lamps_off.discard if light.active else self._world.lamps_off.add)(light.id)
        self.simulation.show_objects()
        self.simulation.lights_changed()

    def update_day_night_cycle(self, client: str, active: bool) -> None:
        """Our lamps always follow the sun."""

    def get_imui_gravity(self) -> float:
        return self.simulation.gravity_mps2

    def set_imui_gravity(self, gravity: float) -> None:
        self.simulation.gravity_mps2 = gravity

    # actors

    def get_actor_definitions(self) -> tuple[structs.ActorDefinition, ...]:
        return tuple(
            structs.ActorDefinition(
                d.uid,
                d.id,
                d.tags,
                tuple(
                    structs.ActorAttribute(a.id, int(a.type), a.value, a.recommended, a.modifiable, a.restrict)
                    for a in d.attributes
                ),
            )
            for d in blueprints.catalogue()
        )

    def get_spectator(self) -> structs.Actor:
        return self.simulation.as_actor(self._world.spectator)

    def get_actors_by_id(self, ids: tuple[int, ...]) -> tuple[structs.Actor, ...]:
        actors = self._world.actors
        return tuple(self.simulation.as_actor(actors[i]) for i in ids if i in actors)

    def spawn_actor(self, description: structs.ActorDescription, pose: Pose) -> structs.Actor:
        return self.simulation.as_actor(self._world.spawn(description, pose))

    def spawn_actor_with_parent(
        self, description: structs.ActorDescription, pose: Pose, parent: int, attachment: int, socket: str
    ) -> structs.Actor:
        return self.simulation.as_actor(self._world.spawn(description, pose, parent, attachment))

    def destroy_actor(self, actor: int) -> bool:
        return bool(self._world.destroy(actor))

    def set_actor_location(self, actor: int, location: structs.Vector3) -> None:
        found = self._world.actor(actor)
        pose = found.own_pose if found.parent else found.pose()
        self._world.set_pose(found, Pose(*location, *pose.rotation))

    def set_actor_transform(self, actor: int, pose: Pose) -> None:
        self._world.set_pose(self._world.actor(actor), pose)

    def set_walker_state(self, actor: int, pose: Pose, speed: float) -> None:
        walker = self._world.walker(actor)
        self._world.dynamics.set_walker_state(walker.id, pose, speed)

    def set_actor_target_velocity(self, actor: int, velocity: structs.Vector3) -> None:
        self._world.dynamics.set_velocity(self._world.body(actor).id, velocity)

    def set_actor_target_angular_velocity(self, actor: int, angular_velocity: structs.Vector3) -> None:
        self._world.dynamics.set_angular_velocity(self._world.body(actor).id, angular_velocity)

    def enable_actor_constant_velocity(self, actor: int, velocity: structs.Vector3) -> None:
        self._world.dynamics.set_constant_velocity(self._world.body(actor).id, velocity)

    def disable_actor_constant_velocity(self, actor: int) -> None:
        self._world.dynamics.set_constant_velocity(self._world.body(actor).id, None)

    def set_actor_dead(self, actor: int) -> None:
        body = self._world.body(actor)
        if isinstance(body, Walker):
            self._world.dynamics.set_dead(body.id)

    def add_actor_impulse(self, actor: int, impulse: structs.Vector3) -> None:
        self._world.dynamics.add_impulse(self._world.body(actor).id, impulse)

    def add_actor_impulse_at_location(self, actor: int, impulse: structs.Vector3, location: structs.Vector3) -> None:
        body = self._world.body(actor)
        lever = np.subtract(location, body.pose().location)
        self._world.dynamics.add_impulse(body.id, impulse)
        self._world.dynamics.add_angular_impulse(body.id, tuple(np.cross(lever, impulse).tolist()))

    def add_actor_force(self, actor: int, force: structs.Vector3) -> None:
        self._world.dynamics.add_force(self._world.body(actor).id, force)

    def add_actor_force_at_location(self, actor: int, force: structs.Vector3, location: structs.Vector3) -> None:
        body = self._world.body(actor)
        lever = np.subtract(location, body.pose().location)
        self._world.dynamics.add_force(body.id, force)
        self._world.dynamics.add_torque(body.id, tuple(np.cross(lever, force).tolist()))

    def add_actor_angular_impulse(self, actor: int, impulse: structs.Vector3) -> None:
        self._world.dynamics.add_angular_impulse(self._world.body(actor).id, impulse)

    def add_actor_torque(self, actor: int, torque: structs.Vector3) -> None:
        self._world.dynamics.add_torque(self._world.body(actor).id, torque)

    def set_actor_simulate_physics(self, actor: int, enabled: bool) -> None:
        found = self._world.actor(actor)
        if isinstance(found, Body):
            self._world.set_simulated(found, enabled)

    def set_actor_collisions(self, actor: int, enabled: bool) -> None:
        found = self._world.actor(actor)
        if isinstance(found, Body):
            self._world.dynamics.set_collisions(found.id, enabled)

    def set_actor_enable_gravity(self, actor: int, enabled: bool) -> None:
        found = self._world.actor(actor)
        if isinstance(found, Body):
            self._world.dynamics.set_gravity(found.id, enabled)

    def set_actor_autopilot(self, actor: int, enabled: bool) -> None:
        """The Traffic Manager runs in the client; here is nothing to switch."""
        self._world.vehicle(actor)

    def get_actor_bounding_box(self, actor: int) -> structs.BoundingBox:
        """An empty box for an actor that is gone, as in CARLA: an error would end the client's Traffic Manager, and with
        it the client, whenever somebody destroys a vehicle that it drives.
        """
        found = self._world.actors.get(actor)
        return structs.BoundingBox(*found.bounding_box) if found is not None else structs.BoundingBox()

    def get_actor_component_names(self, actor: int) -> tuple[str, ...]:
        return tuple(_components_of(self._world.actor(actor)))

    def get_actor_component_world_transform(self, actor: int, component: str) -> Pose:
        return self._world.actor(actor).pose().compose(self._component(actor, component))

    def get_actor_component_relative_transform(self, actor: int, component: str) -> Pose:
        return self._component(actor, component)

    def _component(self, actor_id: int, component: str) -> Pose:
        actor: Actor = self._world.actor(actor_id)
        components = _components_of(actor)
        if component not in components:
            raise WorldError(f"{actor.type_id} has no component {component!r}; it has {', '.join(components)}")
        return components[component]

    def get_actor_bone_names(self, actor: int) -> tuple[str, ...]:
        found = self._world.actor(actor)
        return tuple(name for name, _ in _bones_of(found))

    def get_actor_bone_relative_transforms(self, actor: int) -> tuple[Pose, ...]:
        return tuple(pose for _, pose in _bones_of(self._world.actor(actor)))

    def get_actor_bone_world_transforms(self, actor: int) -> tuple[Pose, ...]:
        found = self._world.actor(actor)
        return tuple(found.pose().compose(pose) for _, pose in _bones_of(found))

    def get_vehicle_bone_world_transforms(self, actor: int) -> tuple[Pose, ...]:
        return self.get_actor_bone_world_transforms(self._world.vehicle(actor).id)

    def get_actor_socket_names(self, actor: int) -> tuple[str, ...]:
        self._world.actor(actor)
        return ()

    def get_actor_socket_relative_transforms(self, actor: int) -> tuple[Pose, ...]:
        self._world.actor(actor)
        return ()

    def get_actor_socket_world_transforms(self, actor: int) -> tuple[Pose, ...]:
        self._world.actor(actor)
        return ()

    # vehicles

    def apply_control_to_vehicle(self, actor: int, control: structs.VehicleControl) -> None:
        self._world.set_control(self._world.vehicle(actor), control)

    def apply_ackermann_control_to_vehicle(self, actor: int, control: structs.AckermannControl) -> None:
        self._world.dynamics.set_ackermann(self._world.vehicle(actor).id, *control)

    def get_ackermann_controller_settings(self, actor: int) -> structs.AckermannControllerSettings:
        settings = self._world.dynamics.ackermann_settings(self._world.vehicle(actor).id)
        return structs.AckermannControllerSettings(*settings)

    def apply_ackermann_controller_settings(self, actor: int, settings: structs.AckermannControllerSettings) -> None:
        gains = AckermannSettings(*settings)
        self._world.dynamics.set_ackermann_settings(self._world.vehicle(actor).id, gains)

    def get_physics_control(self, actor: int) -> structs.VehiclePhysicsControl:
        control: structs.VehiclePhysicsControl = self._world.physics_control(self._world.vehicle(actor))
        return control

    def apply_physics_control(self, actor: int, physics_control: structs.VehiclePhysicsControl) -> None:
        values: dict[str, Any] = physics_control._asdict()
        values["center_of_mass_m"] = values.pop("center_of_mass")
        values["wheels"] = tuple(Wheel(*wheel) for wheel in physics_control.wheels)
        values["forward_gears"] = tuple(Gear(*gear) for gear in physics_control.forward_gears)
        self._world.dynamics.set_physics_control(self._world.vehicle(actor).id, PhysicsControl(**values))

    def get_vehicle_light_state(self, actor: int) -> int:
        return int(self._world.vehicle(actor).lights)

    def set_vehicle_light_state(self, actor: int, lights: int) -> None:
        self._world.vehicle(actor).lights = lights

    def get_vehicle_light_states(self) -> tuple[structs.VehicleLights, ...]:
        return tuple(structs.VehicleLights(v.id, v.lights) for v in self._world.vehicles.values())

    def open_vehicle_door(self, actor: int, door: int) -> None:
        self._world.vehicle(actor).doors_open.add(door)

    def close_vehicle_door(self, actor: int, door: int) -> None:
        self._world.vehicle(actor).doors_open.discard(door)

    def get_wheel_steer_angle(self, actor: int, wheel: int) -> float:
        return float(self._world.dynamics.wheel_steer_deg(self._world.vehicle(actor).id, wheel))

    def get_telemetry_data(self, actor: int) -> structs.VehicleTelemetryData:
        told = self._world.dynamics.telemetry(self._world.vehicle(actor).id)
        wheels = tuple(structs.WheelTelemetryData(*wheel) for wheel in told.wheels)
        return structs.VehicleTelemetryData(*told)._replace(wheels=wheels)

    def show_vehicle_debug_telemetry(self, actor: int, enabled: bool) -> None:
        """There is no window to show it in."""
        self._world.vehicle(actor)

    def restore_physx_physics(self, actor: int) -> None:
        """It never had another."""
        self._world.vehicle(actor)

    # walkers

    def apply_control_to_walker(self, actor: int, control: structs.WalkerControl) -> None:
        walker = self._world.walker(actor)
        walker.control = control
        self._world.dynamics.set_walker_control(walker.id, *control)

    # traffic lights

    def set_traffic_light_state(self, actor: int, state: int) -> None:
        light = self._world.traffic_light(actor)
        try:
            wanted = LightState(state)
        except ValueError:
            raise WorldError(f"{state} is no traffic light state; 0 red, 1 yellow, 2 green, 3 off, 4 unknown") from None
        self._world.signals.group(light).set_state(light.light, wanted)

    def set_traffic_light_green_time(self, actor: int, time_s: float) -> None:
        self._world.traffic_light(actor).light.green_s = time_s

    def set_traffic_light_yellow_time(self, actor: int, time_s: float) -> None:
        self._world.traffic_light(actor).light.yellow_s = time_s

    def set_traffic_light_red_time(self, actor: int, time_s: float) -> None:
        self._world.traffic_light(actor).light.red_s = time_s

    def freeze_traffic_light(self, actor: int, frozen: bool) -> None:
        self._world.signals.group(self._world.traffic_light(actor)).frozen = frozen

    def freeze_all_traffic_lights(self, frozen: bool) -> None:
        for group in self._world.signals.groups.values():
            group.frozen = frozen

    def reset_traffic_light_group(self, actor: int) -> None:
        self._world.signals.group(self._world.traffic_light(actor)).reset()

    def reset_all_traffic_lights(self) -> None:
        for group in self._world.signals.groups.values():
            group.reset()

    def get_group_traffic_lights(self, actor: int) -> tuple[int, ...]:
        group = self._world.signals.group(self._world.traffic_light(actor))
        return tuple(light.actor_id for light in group.lights)

    def get_light_boxes(self, actor: int) -> tuple[structs.BoundingBox, ...]:
        return tuple(self._world.signals.head_boxes(self._world.traffic_light(actor)))

    # sensors

    def get_sensor_token(self, stream_id: int) -> bytes:
        if stream_id != STATE_STREAM:
            self.simulation.streams.expect(stream_id)
        return self.simulation.streams.token(stream_id)

    def is_sensor_enabled_for_ros(self, stream_id: int) -> bool:
        return False

    def are_gbuffers_enabled(self, actor: int) -> bool:
        self._world.actor(actor)
        return False

    # the map's things

    def get_all_level_BBs(self, tag: int) -> tuple[structs.BoundingBox, ...]:
        return tuple(
            structs.BoundingBox(o.box.pose.location, o.box.extent_m, o.box.pose.rotation, 0)
            for o in self._world.town.objects
            if tag in (ANY_TAG, o.tag)
        )

    def get_environment_objects(self, tag: int) -> tuple[structs.EnvironmentObject, ...]:
        return tuple(
            structs.EnvironmentObject(
                o.pose,
                structs.BoundingBox(o.box.pose.location, o.box.extent_m, o.box.pose.rotation, 0),
                o.object_id,
                o.name,
                int(o.tag),
            )
            for o in self._world.town.objects
            if tag in (ANY_TAG, o.tag)
        )

    def enable_environment_objects(self, ids: tuple[int, ...], enabled: bool) -> None:
        known = set(ids) & self._world.static_objects.keys()
        if enabled:
            self._world.hidden_objects -= known
        else:
            self._world.hidden_objects |= known
        self.simulation.show_objects()

    def project_point(
        self, location: structs.Vector3, direction: structs.Vector3, search_distance: float
    ) -> structs.Projection:
        hits = self._world.first_hit(location, direction, search_distance)
        return structs.Projection(hits is not None, hits or structs.LabelledPoint())

    def cast_ray(self, start: structs.Vector3, end: structs.Vector3) -> tuple[structs.LabelledPoint, ...]:
        return tuple(self._world.all_hits(start, end))

    def get_names_of_all_objects(self) -> tuple[str, ...]:
        return tuple(o.name for o in self._world.town.objects)

    def draw_debug_shape(self, shape: structs.DebugShape) -> None:
        self.draw.append(shape)

    def clear_debug_shape(self) -> None:
        self.draw.clear()

    def clear_debug_string(self) -> None:
        self.draw[:] = [shape for shape in self.draw if not isinstance(shape.primitive, structs.DebugString)]

    # recorder

    def start_recorder(self, name: str, additional_data: bool) -> str:
        simulation = self.simulation
        simulation.replayer.stop(keep_actors=False)
        is_sent = simulation.map_name.endswith(OPENDRIVE_MAP)
        opendrive = self._world.town.opendrive if is_sent else ""
        return simulation.recorder.start(name, self._world, simulation.map_name, opendrive, additional_data)

    def stop_recorder(self) -> None:
        self.simulation.recorder.stop()

    def show_recorder_file_info(self, name: str, show_all: bool) -> str:
        return self._query(name, lambda reader: recorder_queries.file_info(reader, show_all))

    def show_recorder_collisions(self, name: str, type1: int, type2: int) -> str:
        # They are a char each.
        one, two = chr(type1 & 0xFF), chr(type2 & 0xFF)
        return self._query(name, lambda reader: recorder_queries.collisions(reader, one, two))

    def show_recorder_actors_blocked(self, name: str, min_time_s: float, min_distance_cm: float) -> str:
        return self._query(name, lambda reader: recorder_queries.blocked_actors(reader, min_time_s, min_distance_cm))

    def replay_file(
        self, name: str, start_s: float, duration_s: float, follow_id: int, replay_sensors: bool, offset: Pose
    ) -> str:
        replayer = self.simulation.replayer
        try:
            return replayer.start(self.simulation, name, start_s, duration_s, follow_id, replay_sensors, offset)
        except FileNotFoundError:
            return self._not_found(name)

    def stop_replayer(self, keep_actors: bool) -> None:
        self.simulation.replayer.stop(keep_actors)

    def set_replayer_time_factor(self, factor: float) -> None:
        self.simulation.replayer.set_time_factor(factor)

    def set_replayer_ignore_hero(self, ignore: bool) -> None:
        self.simulation.replayer.settings.ignore_hero = ignore

    def set_replayer_ignore_spectator(self, ignore: bool) -> None:
        self.simulation.replayer.settings.ignore_spectator = ignore

    def _query(self, name: str, ask: Callable[[RecorderReader], str]) -> str:
        try:
            with RecorderReader(recorder_path(self.simulation.recorder.folder, name)) as reader:
                return ask(reader)
        except FileNotFoundError:
            return self._not_found(name)

    def _not_found(self, name: str) -> str:
        # CARLA's answer to it is a text and not an error; its own example scripts go on after it.
        return f"File {recorder_path(self.simulation.recorder.folder, name)} not found on server\n"

    # batches

    def apply_batch(self, batch: tuple[Any, ...], do_tick: bool) -> list[int | str]:
        answers = [self._apply(command) for command in batch]
        if do_tick and self.simulation.settings.synchronous_mode:
            self.simulation.tick()
        return answers

    def _apply(self, command: Any) -> int | str:
        try:
            if isinstance(command, commands.SpawnActor):
                return self._spawn_by_command(command)
            if isinstance(command, commands.ConsoleCommand):
                return 0
            _COMMANDS[type(command)](self, *command)
        except (WorldError, ValueError) as error:
            return str(error)
        return int(command.actor)

    def _spawn_by_command(self, command: commands.SpawnActor) -> int:
        # In a batch, the client leaves whatever was in memory there unless its user named a kind of attachment.
        attachment = command.attachment if command.attachment in tuple(Attachment) else Attachment.RIGID
        actor = self._world.spawn(command.description, command.pose, command.parent, attachment)
        for after in command.do_after:
            # FutureActor is 0 in the command: it stands for what was just spawned.
            if isinstance(after, commands.SpawnActor):
                self._apply(after if after.parent else after._replace(parent=actor.id))
            elif not isinstance(after, commands.ConsoleCommand):
                self._apply(after if after.actor else after._replace(actor=actor.id))
        return int(actor.id)


_COMMANDS: dict[type, Callable[..., Any]] = {
    commands.DestroyActor: Service.destroy_actor,
    commands.ApplyVehicleControl: Service.apply_control_to_vehicle,
    commands.ApplyVehicleAckermannControl: Service.apply_ackermann_control_to_vehicle,
    commands.ApplyWalkerControl: Service.apply_control_to_walker,
    commands.ApplyVehiclePhysicsControl: Service.apply_physics_control,
    commands.ApplyTransform: Service.set_actor_transform,
    commands.ApplyWalkerState: Service.set_walker_state,
    commands.ApplyTargetVelocity: Service.set_actor_target_velocity,
    commands.ApplyTargetAngularVelocity: Service.set_actor_target_angular_velocity,
    commands.ApplyImpulse: Service.add_actor_impulse,
    commands.ApplyForce: Service.add_actor_force,
    commands.ApplyAngularImpulse: Service.add_actor_angular_impulse,
    commands.ApplyTorque: Service.add_actor_torque,
    commands.SetSimulatePhysics: Service.set_actor_simulate_physics,
    commands.SetEnableGravity: Service.set_actor_enable_gravity,
    commands.SetAutopilot: Service.set_actor_autopilot,
    commands.ShowDebugTelemetry: Service.show_vehicle_debug_telemetry,
    commands.SetVehicleLightState: Service.set_vehicle_light_state,
    commands.ApplyLocation: Service.set_actor_location,
    commands.SetTrafficLightState: Service.set_traffic_light_state,
}


def _components_of(actor: Actor) -> dict[str, Pose]:
    """The parts that have names, relative to their actor: its body and, on vehicles of four wheels, the blinkers."""
    if not isinstance(actor, Vehicle):
        return {"CharacterMesh0" if isinstance(actor, Walker) else "Root": ORIGIN}
    components = {"VehicleMesh": ORIGIN}
    if actor.spec is not None and len(actor.spec.wheel_positions_m) == 4:
        (x, y, z), (half_x, half_y, half_z) = actor.spec.box_centre_m, actor.spec.extent_m
        for end, along in (("front", 1.0), ("back", -1.0)):
            for side, across in (("l", -1.0), ("r", 1.0)):
                place = (x + along * half_x, y + across * 0.8 * half_y, z - 0.1 * half_z)
                components[f"{end}-blinker-{side}-1"] = Pose(*place, yaw_deg=0.0 if along > 0.0 else 180.0)
    return components


def _bones_of(actor: Actor) -> list[tuple[str, Pose]]:
    """The bones that our models have: a vehicle's wheels."""
    if isinstance(actor, Vehicle) and actor.spec is not None:
        names = ("Wheel_Front_Left", "Wheel_Front_Right", "Wheel_Rear_Left", "Wheel_Rear_Right")
        if len(actor.spec.wheel_positions_m) == 2:
            names = ("Wheel_Front", "Wheel_Rear")  # type: ignore[assignment]
        return [("Vehicle_Base", ORIGIN)] + [
            (name, Pose(*place)) for name, place in zip(names, actor.spec.wheel_positions_m, strict=True)
        ]
    return [("Root", ORIGIN)]
