"""What a world is populated with: one class for each kind of actor, and how things hang on each other."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING

from sim_agent.embedded.blueprints import PropSpec, VehicleSpec, WalkerSpec
from sim_agent.embedded.pose import ORIGIN, Pose
from sim_agent.embedded.traffic_lights import Light
from sim_agent.embedded.wire import structs

if TYPE_CHECKING:
    from sim_agent.embedded.motion_cameras import EventSight, LastSight

SPEED_LIMIT_KMH = 30.0
"""What CARLA gives a vehicle that has not passed a sign yet."""


class Attachment(IntEnum):
    """`carla.AttachmentType`."""

    RIGID = 0
    SPRING_ARM = 1
    SPRING_ARM_GHOST = 2


@dataclass(eq=False)
class Actor:
    """Anything with an id. `own_pose` is in the world or, on a parent, relative to it."""

    id: int
    description: structs.ActorDescription
    attributes: dict[str, str]
    own_pose: Pose = ORIGIN
    bounding_box: structs.BoundingBox = field(default_factory=structs.BoundingBox)
    tags: bytes = b""
    parent: Actor | None = None
    attachment: Attachment = Attachment.RIGID
    children: dict[int, Actor] = field(default_factory=dict)
    stream_id: int = 0

    @property
    def type_id(self) -> str:
        """The blueprint's id, such as vehicle.tesla.model3."""
        return self.description.id

    def pose(self) -> Pose:
        """Where it is in the world now."""
        if self.parent is None:
            return self.own_pose
        if self.attachment is Attachment.RIGID:
            return self.parent.pose().compose(self.own_pose)
        return _on_spring_arm(self.parent.pose(), self.own_pose)

    def set_pose(self, pose: Pose) -> None:
        """Move it; on a parent the pose is relative, as CARLA's `set_transform` has it."""
        self.own_pose = pose

    def detach(self) -> None:
        """Stay where it is, without a parent."""
        if self.parent is not None:
            pose = self.pose()
            self.parent.children.pop(self.id, None)
            self.parent = None
            self.own_pose = pose


@dataclass(eq=False)
class Body(Actor):
    """An actor that the physics moves."""

    where: Callable[[Body], Pose] = lambda _: ORIGIN
    """Asks the physics."""
    simulated: bool = True

    def pose(self) -> Pose:
        """Where the physics has it."""
        return self.where(self) if self.parent is None else super().pose()


@dataclass(eq=False)
class Vehicle(Body):
    """A vehicle with what its driver set."""

    spec: VehicleSpec | None = None
    control: structs.VehicleControl = field(default_factory=structs.VehicleControl)
    lights: int = 0
    speed_limit_kmh: float = SPEED_LIMIT_KMH
    light: Light | None = None
    """The traffic light in whose trigger box it stands."""
    doors_open: set[int] = field(default_factory=set)
    wheel_steer_deg: dict[int, float] = field(default_factory=dict)
    wheel_pitch_deg: dict[int, float] = field(default_factory=dict)
    """How clients have set wheels; it shows while there is no physics."""


@dataclass(eq=False)
class Walker(Body):
    """A pedestrian; the gait follows the way walked."""

    spec: WalkerSpec | None = None
    control: structs.WalkerControl = field(default_factory=structs.WalkerControl)
    walked_m: float = 0.0
    own_bones: dict[str, Pose] = field(default_factory=dict)
    """The pose that a client made: each bone in its parent bone."""
    blend: float = 0.0
    """How much of it shows: 0 none, 1 nothing else."""


@dataclass(eq=False)
class Prop(Body):
    """A thing of the catalogue's static.prop family."""

    spec: PropSpec | None = None


@dataclass(eq=False)
class Sensor(Actor):
    """A sensor; `due_s` is when it senses next."""

    due_s: float = 0.0
    period_s: float = 0.0
    angle_rad: float = 0.0
    """Where a turning lidar points."""
    readings: int = 0
    """How often it has sensed."""
    sight: LastSight | EventSight | None = None
    """What a camera that sees change saw last."""


@dataclass(eq=False)
class TrafficLight(Actor):
    """A traffic light of the map."""

    light: Light = field(default_factory=lambda: Light(0, "", 0, 0))
    junction: int = -1


@dataclass(eq=False)
class TrafficSign(Actor):
    """A stop, yield or speed limit sign of the map."""

    opendrive_id: str = ""
    speed_limit_kmh: float | None = None


def _on_spring_arm(parent: Pose, arm: Pose) -> Pose:
    """A camera on CARLA's spring arm: the arm turns with its parent's heading only, and the camera keeps level.

    CARLA's component also lags and shortens the arm at obstacles; here it is stiff, so that the same commands give the
    same pictures.
    """
    yaw = math.radians(parent.yaw_deg)
    x, y, z = arm.location
    return Pose(
        parent.x_m + x * math.cos(yaw) - y * math.sin(yaw),
        parent.y_m + x * math.sin(yaw) + y * math.cos(yaw),
        parent.z_m + z,
        arm.pitch_deg,
        parent.yaw_deg + arm.yaw_deg,
        arm.roll_deg,
    )
