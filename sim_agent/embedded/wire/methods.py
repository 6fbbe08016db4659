"""Every call of CARLA 0.9.16's RPC server: the names and types of its arguments, its result, and the form of its answer.

Sources: the names and the instantiated templates `Client::Pimpl::CallAndWait<T, Args...>` and
`rpc::client::async_call<Args...>` in the client's own symbol table, and the server's bindings
(Unreal/CarlaUE4/Plugins/Carla/Source/Carla/Server/CarlaServer.cpp). Where the client calls asynchronously it never
reads the answer.
"""

from __future__ import annotations

import collections
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Annotated, Any, NamedTuple

from sim_agent.embedded.pose import Pose
from sim_agent.embedded.scene import Weather
from sim_agent.embedded.wire import structs as s
from sim_agent.embedded.wire.codec import U32, WireError, WireType, boxed, list_of, shown, struct, wire_type
from sim_agent.embedded.wire.commands import COMMAND
from sim_agent.embedded.wire.structs import U8, U16, U64, ActorId, Double, Vector3

MAX_COMMANDS = 1 << 16
"""Commands of one batch."""
Strings = tuple[str, ...]
Ids = tuple[ActorId, ...]
Poses = tuple[Pose, ...]
Boxes = tuple[s.BoundingBox, ...]


class Kind(Enum):
    """The form of a method's answer (LibCarla/source/carla/rpc/Response.h)."""

    VALUE = "Response<T>"
    """[[1, value]], or [[0, ["message"]]]."""
    VOID = "Response<void>"
    """[[false]], or [[true, ["message"]]]."""
    BATCH = "std::vector<Response<ActorId>>"
    """The only bare one: a list with a Response for each command."""


@dataclass(frozen=True)
class Method:
    """One call: `decode` makes a NamedTuple of its arguments, `encode_result` and `encode_error` the last element of
    the answer.
    """

    name: str
    kind: Kind
    parameters: tuple[str, ...]
    required: int
    arguments: WireType
    result: WireType | None

    def decode(self, values: Sequence[Any]) -> Any:
        """The arguments behind the metadata, by name; raises WireError, whose text begins with the method's name."""
        if not self.required <= len(values) <= len(self.parameters):
            expected = (
                f"{self.required} to {len(self.parameters)}"
                if self.required < len(self.parameters)
                else f"{self.required}"
            )
            raise WireError(
                f"has {len(values)} arguments, but {expected} are expected; send {', '.join(self.parameters) or 'none'}",
                self.name,
            )
        try:
            return self.arguments.decode(values)
        except WireError as error:
            raise WireError(f"refuses its arguments: {error}", self.name) from None

    def encode_result(self, value: Any) -> Any:
        """The answer for success; raises WireError if `value` is not of the result's type.

        Void methods take None. A batch takes for each command the id of its actor, or a sentence about what is wrong.
        """
        if self.kind is Kind.VALUE and self.result is not None:
            try:
                return [[1, self.result.encode(value)]]
            except WireError as error:
                raise WireError(f"cannot answer: {error.within('result')}", self.name) from None
        if self.kind is Kind.BATCH:
            return [[[0, [clean(entry)]]] if isinstance(entry, str) else [[1, U32.encode(entry)]] for entry in value]
        if value is not None:
            raise WireError(f"cannot answer {shown(value)}, but it returns nothing; give None", self.name)
        return [[False]]

    def encode_error(self, message: str, commands: int = 0) -> Any:
        """The answer for failure: `message` becomes the text of the client's RuntimeError. A batch fails in each of its
        `commands`.
        """
        if self.kind is Kind.VOID:
            return [[True, [clean(message)]]]
        if self.kind is Kind.BATCH:
            return [[[0, [clean(message)]]]] * commands
        return [[0, [clean(message)]]]


class Request(NamedTuple):
    """A request of the wire, taken apart; `message_id` is None for what wants no answer."""

    message_id: int | None
    name: str
    is_async: bool
    arguments: Sequence[Any]


def clean(message: str) -> str:
    """The same text with every lone surrogate written out, so that it can always be sent."""
    return message.encode("utf-8", "backslashreplace").decode("utf-8")


def take_apart(message: Any) -> Request:
    """[0, id, name, [[is_async], ...]] or rpclib's notification [2, name, [...]]; raises WireError for anything else."""
    if type(message) is list and len(message) == 4 and message[0] == 0 and type(message[0]) is int:
        message_id = U32.decode(message[1])
        name, arguments = message[2], message[3]
    elif type(message) is list and len(message) == 3 and message[0] == 2 and type(message[0]) is int:
        message_id, (name, arguments) = None, message[1:]
    else:
        raise WireError(
            f"is {shown(message)}, but [0, id, name, arguments] is expected; speak CARLA's RPC protocol on this port",
            "the message",
        )
    if type(name) is not str:
        raise WireError(f"is {shown(name)}, but a string is expected; send a method's name", "the method")
    if (
        type(arguments) is not list
        or not arguments
        or type(arguments[0]) is not list
        or not arguments[0]
        or type(arguments[0][0]) is not bool
    ):
        raise WireError(
            f"gets {shown(arguments)}, but [[is_async], ...] is expected; send CARLA's metadata first", shown(name)
        )
    return Request(message_id, name, arguments[0][0], arguments[1:])


def error_without_method(message: str) -> Any:
    """The answer to a name that is in no table: the form of Response<T>, which most callers can read."""
    return [[0, [clean(message)]]]


_REPLAY_OFFSET = Pose(-10.0, 0.0, 5.0, -25.0)
"""Where the spectator follows an actor in a replay: what the client sends by itself (measured)."""

METHODS: dict[str, Method] = {}
"""All methods by name."""


def _method(name: str, kind: Kind, result: Any, parameters: dict[str, Any], /) -> None:
    types: dict[str, WireType] = {}
    defaults: list[Any] = []
    for parameter, hint in parameters.items():
        if isinstance(hint, _Default):
            defaults.append(hint.value)
            hint = hint.hint
        elif defaults:
            raise TypeError(f"{name}: {parameter} has no default, but a parameter before it has one")
        types[parameter] = wire_type(hint)
    arguments = collections.namedtuple(name, tuple(types), defaults=defaults)  # type: ignore[misc]
    METHODS[name] = Method(
        name,
        kind,
        tuple(types),
        len(types) - len(defaults),
        struct(arguments, **types),
        None if result is None else wire_type(result),
    )


class _Default(NamedTuple):
    """An argument that older clients leave out."""

    hint: Any
    value: Any


def _value(name: str, result: Any, /, **parameters: Any) -> None:
    _method(name, Kind.VALUE, result, parameters)


def _void(name: str, /, **parameters: Any) -> None:
    _method(name, Kind.VOID, None, parameters)


def _each(define: Callable[..., None], names: str, /, *result: Any, **parameters: Any) -> None:
    for name in names.split():
        define(name, *result, **parameters)


# Server and episode
_value("version", str)
_value("tick_cue", U64)
_value("get_available_maps", Strings)
_value("get_episode_info", s.EpisodeInfo)
_value("get_map_info", s.MapInfo)
_value("get_map_data", str)
_value("get_navigation_mesh", bytes)
_value("get_required_files", Strings, folder=_Default(str, ""))
_value("request_file", bytes, name=str)
_value("get_episode_settings", s.EpisodeSettings)
_value("set_episode_settings", U64, settings=s.EpisodeSettings)
_void("load_new_episode", map_name=str, reset_settings=_Default(bool, True), map_layers=_Default(U16, 0xFFFF))
_each(_void, "load_map_layer unload_map_layer", map_layers=U16)
_void("copy_opendrive_to_file", opendrive=str, parameters=s.OpendriveGenerationParameters)
_value("console_command", bool, command=str)

# Traffic Managers: they run in clients, the server only knows where
_each(_value, "is_traffic_manager_running destroy_traffic_manager", bool, port=U16)
_value("get_traffic_manager_running", s.TrafficManagerInfo, port=U16)
_value("add_traffic_manager_running", bool, info=s.TrafficManagerInfo)

# Weather and light
_value("get_weather_parameters", Weather)
_void("set_weather_parameters", weather=Weather)
_value("query_lights_state", tuple[s.LightState, ...], client=str)
_void("update_lights_state", client=str, lights=tuple[s.LightState, ...], discard_client=_Default(bool, False))
_void("update_day_night_cycle", client=str, active=bool)
_value("get_imui_gravity", float)
_void("set_imui_gravity", gravity=float)

# Blueprints and actors
_value("get_actor_definitions", tuple[s.ActorDefinition, ...])
_value("get_spectator", s.Actor)
_value("get_actors_by_id", tuple[s.Actor, ...], ids=Ids)
_value("spawn_actor", s.Actor, description=s.ActorDescription, pose=Pose)
_value(
    "spawn_actor_with_parent",
    s.Actor,
    description=s.ActorDescription,
    pose=Pose,
    parent=ActorId,
    attachment=_Default(U8, 0),
    socket=_Default(str, ""),
)
_value("destroy_actor", bool, actor=ActorId)
_void("set_actor_location", actor=ActorId, location=Vector3)
_void("set_actor_transform", actor=ActorId, pose=Pose)
_void("set_walker_state", actor=ActorId, pose=Pose, speed=float)
_each(_void, "set_actor_target_velocity enable_actor_constant_velocity", actor=ActorId, velocity=Vector3)
_void("set_actor_target_angular_velocity", actor=ActorId, angular_velocity=Vector3)
_each(_void, "disable_actor_constant_velocity set_actor_dead", actor=ActorId)
_each(_void, "add_actor_impulse add_actor_angular_impulse", actor=ActorId, impulse=Vector3)
_void("add_actor_impulse_at_location", actor=ActorId, impulse=Vector3, location=Vector3)
_void("add_actor_force", actor=ActorId, force=Vector3)
_void("add_actor_force_at_location", actor=ActorId, force=Vector3, location=Vector3)
_void("add_actor_torque", actor=ActorId, torque=Vector3)
_each(
    _void,
    "set_actor_simulate_physics set_actor_collisions set_actor_enable_gravity set_actor_autopilot",
    actor=ActorId,
    enabled=bool,
)
_value("get_actor_bounding_box", s.BoundingBox, actor=ActorId)
_each(
    _value,
    "get_actor_component_world_transform get_actor_component_relative_transform",
    Pose,
    actor=ActorId,
    component=str,
)
_each(_value, "get_actor_component_names get_actor_bone_names get_actor_socket_names", Strings, actor=ActorId)
_each(
    _value,
    "get_actor_bone_world_transforms get_actor_bone_relative_transforms get_actor_socket_world_transforms"
    " get_actor_socket_relative_transforms get_vehicle_bone_world_transforms",
    Poses,
    actor=ActorId,
)

# Vehicles
_void("apply_control_to_vehicle", actor=ActorId, control=s.VehicleControl)
_void("apply_ackermann_control_to_vehicle", actor=ActorId, control=s.AckermannControl)
_value("get_ackermann_controller_settings", s.AckermannControllerSettings, actor=ActorId)
_void("apply_ackermann_controller_settings", actor=ActorId, settings=s.AckermannControllerSettings)
_value("get_physics_control", s.VehiclePhysicsControl, actor=ActorId)
_void("apply_physics_control", actor=ActorId, physics_control=s.VehiclePhysicsControl)
_value("get_vehicle_light_state", s.LightBits, actor=ActorId)
_void("set_vehicle_light_state", actor=ActorId, lights=s.LightBits)
_value("get_vehicle_light_states", tuple[s.VehicleLights, ...])
_each(_void, "open_vehicle_door close_vehicle_door", actor=ActorId, door=U8)
_each(_void, "set_wheel_steer_direction set_wheel_pitch_angle", actor=ActorId, wheel=U8, angle_deg=float)
_each(_value, "get_wheel_steer_angle get_wheel_pitch_angle", float, actor=ActorId, wheel=U8)
_value("get_telemetry_data", s.VehicleTelemetryData, actor=ActorId)
_void("show_vehicle_debug_telemetry", actor=ActorId, enabled=bool)
_void("enable_carsim", actor=ActorId, simfile_path=str)
_void("use_carsim_road", actor=ActorId, enabled=bool)
_void(
    "enable_chrono_physics",
    actor=ActorId,
    max_substeps=U64,
    max_substep_delta_s=float,
    vehicle_json=str,
    powertrain_json=str,
    tire_json=str,
    base_json_path=str,
)
_void("restore_physx_physics", actor=ActorId)

# Walkers
_void("apply_control_to_walker", actor=ActorId, control=s.WalkerControl)
_value(
    "get_bones_transform",
    Annotated[tuple[s.BoneTransforms, ...], boxed(wire_type(tuple[s.BoneTransforms, ...]))],
    actor=ActorId,
)
_void(
    "set_bones_transform",
    actor=ActorId,
    bones=Annotated[tuple[s.BoneTransform, ...], boxed(wire_type(tuple[s.BoneTransform, ...]))],
)
_void("blend_pose", actor=ActorId, blend=float)
_void("get_pose_from_animation", actor=ActorId)

# Traffic lights
_void("set_traffic_light_state", actor=ActorId, state=U8)
_each(
    _void,
    "set_traffic_light_green_time set_traffic_light_yellow_time set_traffic_light_red_time",
    actor=ActorId,
    time_s=float,
)
_void("freeze_traffic_light", actor=ActorId, frozen=bool)
_void("reset_traffic_light_group", actor=ActorId)
_void("reset_all_traffic_lights")
_void("freeze_all_traffic_lights", frozen=bool)
_value("get_group_traffic_lights", Ids, actor=ActorId)
_value("get_light_boxes", Boxes, actor=ActorId)

# Sensors
_value("get_sensor_token", s.Token, stream_id=s.U32)
_each(_void, "enable_sensor_for_ros disable_sensor_for_ros", stream_id=s.U32)
_value("is_sensor_enabled_for_ros", bool, stream_id=s.U32)
_value("get_gbuffer_token", bytes, actor=ActorId, gbuffer_id=s.U32)
_void("enable_gbuffers", actor=ActorId, enabled=bool)
_value("are_gbuffers_enabled", bool, actor=ActorId)
_void("set_ignored_vehicles", actor=ActorId, vehicles=Ids)
_void("send", actor=ActorId, message=str)
_void("set_annotations_traverse_translucency", enabled=bool)

# The map's things
_value("get_all_level_BBs", Boxes, tag=U8)
_value("get_environment_objects", tuple[s.EnvironmentObject, ...], tag=U8)
_void("enable_environment_objects", ids=tuple[U64, ...], enabled=bool)
_value("project_point", s.Projection, location=Vector3, direction=Vector3, search_distance=float)
_value("cast_ray", tuple[s.LabelledPoint, ...], start=Vector3, end=Vector3)
_value("get_names_of_all_objects", Strings)
_void("apply_color_texture_to_objects", names=Strings, parameter=U32, texture=s.Texture)
_void("apply_float_color_texture_to_objects", names=Strings, parameter=U32, texture=s.FloatTexture)
_void("draw_debug_shape", shape=s.DebugShape)
_each(_void, "clear_debug_shape clear_debug_string")

# Recorder
_value("start_recorder", str, name=str, additional_data=_Default(bool, False))
_void("stop_recorder")
_value("show_recorder_file_info", str, name=str, show_all=bool)
_value("show_recorder_collisions", str, name=str, type1=s.I8, type2=s.I8)
_value("show_recorder_actors_blocked", str, name=str, min_time_s=Double, min_distance_cm=Double)
_value(
    "replay_file",
    str,
    name=str,
    start_s=Double,
    duration_s=Double,
    follow_id=ActorId,
    replay_sensors=_Default(bool, False),
    offset=_Default(Pose, _REPLAY_OFFSET),
)
_void("stop_replayer", keep_actors=bool)
_void("set_replayer_time_factor", factor=Double)
_each(_void, "set_replayer_ignore_hero set_replayer_ignore_spectator", ignore=bool)

_method("apply_batch", Kind.BATCH, None, {"commands": list_of(COMMAND, MAX_COMMANDS), "do_tick": _Default(bool, False)})
