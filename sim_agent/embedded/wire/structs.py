"""The one table of fields: every structure that crosses CARLA's RPC wire, in the order of the wire.

An annotation is a field's wire type (`codec.wire_type`), a default is LibCarla's (LibCarla/source/carla/rpc/*.h of
0.9.15; what 0.9.16 changed was read from the debug information of its client). Angles are degrees, lengths metres,
times seconds where a name does not say otherwise.
"""

from __future__ import annotations

from typing import Annotated, NamedTuple

from sim_agent.embedded.pose import ORIGIN, Pose
from sim_agent.embedded.wire import codec
from sim_agent.embedded.wire.codec import boxed

Double = Annotated[float, codec.DOUBLE]
U8 = Annotated[int, codec.U8]
U16 = Annotated[int, codec.U16]
U32 = Annotated[int, codec.U32]
U64 = Annotated[int, codec.U64]
I8 = Annotated[int, codec.I8]
I32 = Annotated[int, codec.I32]
ActorId = U32
Vector2 = Annotated[tuple[float, float], codec.VECTOR2]
Vector3 = Annotated[tuple[float, float, float], codec.VECTOR3]
Rotation = Annotated[tuple[float, float, float], codec.ROTATION]
"""Pitch, yaw, roll."""
Token = Annotated[bytes, boxed(codec.binary(24))]
"""Where a stream is: 24 bytes, as `streams.StreamServer.token` makes them."""
LightBits = Annotated[int, boxed(codec.U32)]
"""Bits of `scene.Light`: `rpc::VehicleLightState` is a class of one field."""

ZERO = (0.0, 0.0, 0.0)


class ActorAttributeValue(NamedTuple):
    """An attribute as a client chose it; type 1 bool, 2 int, 3 float, 4 string, 5 colour as "r,g,b"."""

    id: str
    type: U8
    value: str


class ActorDescription(NamedTuple):
    """What to spawn: a blueprint with its attributes."""

    uid: U32
    id: str
    attributes: tuple[ActorAttributeValue, ...] = ()


class BoundingBox(NamedTuple):
    """A box: centre, half its size, rotation; since 0.9.16 also whose it is."""

    location: Vector3 = ZERO
    extent: Vector3 = ZERO
    rotation: Rotation = ZERO
    actor_id: ActorId = 0


class Actor(NamedTuple):
    """An actor as the client first hears of it; `stream_token` is b"" for what is no sensor."""

    id: ActorId
    parent_id: ActorId
    description: ActorDescription
    bounding_box: BoundingBox
    semantic_tags: bytes = b""
    stream_token: bytes = b""


class ActorAttribute(NamedTuple):
    """An attribute of a blueprint. The client wants at least one recommended value."""

    id: str
    type: U8
    value: str
    recommended_values: tuple[str, ...]
    is_modifiable: bool = True
    restrict_to_recommended: bool = False


class ActorDefinition(NamedTuple):
    """A blueprint; tags are comma-separated."""

    uid: U32
    id: str
    tags: str
    attributes: tuple[ActorAttribute, ...] = ()


class EpisodeInfo(NamedTuple):
    """Which episode it is and where its state streams."""

    id: U64
    token: Token


class EpisodeSettings(NamedTuple):
    """`carla.WorldSettings`."""

    synchronous_mode: bool = False
    no_rendering_mode: bool = False
    fixed_delta_s: Double | None = None
    substepping: bool = True
    max_substep_delta_s: Double = 0.01
    max_substeps: I32 = 10
    max_culling_distance_m: float = 0.0
    deterministic_ragdolls: bool = True
    tile_stream_distance_m: float = 3000.0
    actor_active_distance_m: float = 2000.0
    spectator_as_ego: bool = True


class MapInfo(NamedTuple):
    """A map's name and its recommended spawn points."""

    name: str
    spawn_points: tuple[Pose, ...] = ()


class OpendriveGenerationParameters(NamedTuple):
    """How to make a world of an OpenDRIVE text."""

    vertex_distance_m: Double = 2.0
    max_road_length_m: Double = 50.0
    wall_height_m: Double = 1.0
    additional_width_m: Double = 0.6
    smooth_junctions: bool = True
    enable_mesh_visibility: bool = True
    enable_pedestrian_navigation: bool = True


class VehicleControl(NamedTuple):
    """Throttle and brake 0 to 1, steer -1 to 1."""

    throttle: float = 0.0
    steer: float = 0.0
    brake: float = 0.0
    hand_brake: bool = False
    reverse: bool = False
    manual_gear_shift: bool = False
    gear: I32 = 0


class AckermannControl(NamedTuple):
    """Steer in rad (right positive), rad/s, m/s, m/s2, m/s3."""

    steer: float = 0.0
    steer_speed: float = 0.0
    speed: float = 0.0
    acceleration: float = 0.0
    jerk: float = 0.0


class AckermannControllerSettings(NamedTuple):
    """Gains of the two PID controllers."""

    speed_kp: float = 0.0
    speed_ki: float = 0.0
    speed_kd: float = 0.0
    accel_kp: float = 0.0
    accel_ki: float = 0.0
    accel_kd: float = 0.0


class WalkerControl(NamedTuple):
    """A direction and a speed in m/s."""

    direction: Vector3 = (1.0, 0.0, 0.0)
    speed: float = 0.0
    jump: bool = False


class GearPhysicsControl(NamedTuple):
    """Ratio, and the share of the maximal engine speed at which the gearbox shifts down and up."""

    ratio: float = 1.0
    down_ratio: float = 0.5
    up_ratio: float = 0.65


class WheelPhysicsControl(NamedTuple):
    """One wheel. Radius and position are centimetres, torques N m, the angle degrees."""

    tire_friction: float = 2.0
    damping_rate: float = 0.25
    max_steer_angle_deg: float = 70.0
    radius_cm: float = 30.0
    max_brake_torque: float = 1500.0
    max_handbrake_torque: float = 3000.0
    lat_stiff_max_load: float = 2.0
    lat_stiff_value: float = 17.0
    long_stiff_value: float = 1000.0
    position_cm: Vector3 = ZERO


class VehiclePhysicsControl(NamedTuple):
    """Engine (rpm, N m), gearbox (s), body (kg, m) and wheels of a vehicle."""

    torque_curve: tuple[Vector2, ...] = ()
    max_rpm: float = 0.0
    moi: float = 0.0
    damping_rate_full_throttle: float = 0.0
    damping_rate_zero_throttle_clutch_engaged: float = 0.0
    damping_rate_zero_throttle_clutch_disengaged: float = 0.0
    use_gear_autobox: bool = True
    gear_switch_time_s: float = 0.0
    clutch_strength: float = 0.0
    final_ratio: float = 1.0
    forward_gears: tuple[GearPhysicsControl, ...] = ()
    mass_kg: float = 0.0
    drag_coefficient: float = 0.0
    center_of_mass: Vector3 = ZERO
    steering_curve: tuple[Vector2, ...] = ()
    wheels: tuple[WheelPhysicsControl, ...] = ()
    use_sweep_wheel_collision: bool = False


class WheelTelemetryData(NamedTuple):
    """One wheel as `get_telemetry_data` tells it."""

    tire_friction: float = 0.0
    lat_slip: float = 0.0
    long_slip: float = 0.0
    omega: float = 0.0
    tire_load: float = 0.0
    normalized_tire_load: float = 0.0
    torque: float = 0.0
    long_force: float = 0.0
    lat_force: float = 0.0
    normalized_long_force: float = 0.0
    normalized_lat_force: float = 0.0


class VehicleTelemetryData(NamedTuple):
    """Speed in m/s, engine speed in rpm, and the wheels."""

    speed: float = 0.0
    steer: float = 0.0
    throttle: float = 0.0
    brake: float = 0.0
    engine_rpm: float = 0.0
    gear: I32 = 0
    drag: float = 0.0
    wheels: tuple[WheelTelemetryData, ...] = ()


class EnvironmentObject(NamedTuple):
    """A thing of the map; type is a `scene.Tag`."""

    pose: Pose
    bounding_box: BoundingBox
    id: U64
    name: str
    type: U8


class LabelledPoint(NamedTuple):
    """Where a ray hit, and the `scene.Tag` of what."""

    location: Vector3 = ZERO
    label: U8 = 0


class Projection(NamedTuple):
    """The answer to `project_point`."""

    hit: bool
    point: LabelledPoint


class Color(NamedTuple):
    """Red, green, blue, 0 to 255."""

    r: U8 = 0
    g: U8 = 0
    b: U8 = 0


class LightState(NamedTuple):
    """A lamp of the light manager; group 0 none, 1 vehicle, 2 street, 3 building, 4 other."""

    id: U32
    location: Vector3 = ZERO
    intensity: float = 0.0
    group: U8 = 0
    color: Color = Color()
    active: bool = False


class VehicleLights(NamedTuple):
    """One vehicle of `get_vehicle_light_states`: bits of `scene.Light`."""

    id: ActorId
    lights: U32


class TrafficManagerInfo(NamedTuple):
    """Where a Traffic Manager listens; ("", 0) is none."""

    host: str
    port: U16


class BoneTransform(NamedTuple):
    """A bone and where to put it."""

    name: str
    pose: Pose = ORIGIN


class BoneTransforms(NamedTuple):
    """A bone and where it is: in the world, in its actor, in its parent bone."""

    name: str
    world: Pose = ORIGIN
    component: Pose = ORIGIN
    relative: Pose = ORIGIN


class TextureColor(NamedTuple):
    """One byte-valued pixel."""

    r: U8 = 0
    g: U8 = 0
    b: U8 = 0
    a: U8 = 0


class TextureFloatColor(NamedTuple):
    """One float-valued pixel."""

    r: float = 0.0
    g: float = 0.0
    b: float = 0.0
    a: float = 1.0


class Texture(NamedTuple):
    """A picture to paint objects with, row by row."""

    width: U32 = 0
    height: U32 = 0
    pixels: tuple[TextureColor, ...] = ()


class FloatTexture(NamedTuple):
    """As `Texture`, with floats."""

    width: U32 = 0
    height: U32 = 0
    pixels: tuple[TextureFloatColor, ...] = ()


class DebugPoint(NamedTuple):
    """A point of the debug drawing."""

    location: Vector3
    size: float


class DebugLine(NamedTuple):
    """A line of the debug drawing."""

    begin: Vector3
    end: Vector3
    thickness: float


class DebugArrow(NamedTuple):
    """A line with a head."""

    line: DebugLine
    arrow_size: float


class DebugBox(NamedTuple):
    """A box, turned."""

    box: BoundingBox
    rotation: Rotation
    thickness: float


class DebugString(NamedTuple):
    """A text at a place."""

    location: Vector3
    text: str
    draw_shadow: bool


class HudPoint(NamedTuple):
    """As `DebugPoint`, drawn over the picture."""

    location: Vector3
    size: float


class HudLine(NamedTuple):
    """As `DebugLine`, drawn over the picture."""

    begin: Vector3
    end: Vector3
    thickness: float


class HudArrow(NamedTuple):
    """As `DebugArrow`, drawn over the picture."""

    line: HudLine
    arrow_size: float


class HudBox(NamedTuple):
    """As `DebugBox`, drawn over the picture."""

    box: BoundingBox
    rotation: Rotation
    thickness: float


class DebugShape(NamedTuple):
    """Something to draw; a negative life time is for ever, 0 one frame."""

    primitive: DebugPoint | DebugLine | DebugArrow | DebugBox | DebugString | HudPoint | HudLine | HudArrow | HudBox
    color: Color = Color(255, 0, 0)
    life_time_s: float = -1.0
    persistent_lines: bool = True
