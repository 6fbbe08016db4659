"""What a town is to the world that loads it: its map, its meshes, its signals and where to start."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from sim_agent.embedded.pose import Pose
from sim_agent.embedded.scene import Box, Floats, Ints, Mesh, StaticObject


class Signal(NamedTuple):
    """A traffic light or a sign of the map, on its post."""

    opendrive_id: str
    """As in the map, and as CARLA's actor state carries it."""
    kind: str
    """light, stop, yield or speed_30, speed_40 ... (km/h)."""
    pose: Pose
    """Foot of the post. As CARLA's actors it is turned by +90 degrees from the traffic: x runs across the lanes."""
    head_poses: tuple[Pose, ...]
    """Centres of the light heads; x points at the oncoming traffic. Empty for signs, which are part of the town's mesh."""
    trigger: Box
    """Over the lanes before the stop line (for speed limits: beside the sign), turned as `pose`."""
    stop_waypoints: tuple[Pose, ...]
    """One for each lane: the middle of the lane at the stop line, along the traffic. Empty for speed limits."""
    junction: int
    """OpenDRIVE id of the junction, -1 for speed limits."""
    phase: int
    """Lights of one junction with an equal phase are green together; 0 for signs."""
    lanes: tuple[tuple[int, int], ...]
    """OpenDRIVE road and lane id of every lane that it is for."""


class Lamp(NamedTuple):
    """A street lamp: what shines at night."""

    object_id: int
    position: tuple[float, float, float]
    """Middle of the lens, metres."""
    colour: tuple[float, float, float]
    """sRGB, 0 to 1."""


class Bounds(NamedTuple):
    """The box around everything that can be seen, metres."""

    low: tuple[float, float, float]
    high: tuple[float, float, float]


class Slopes(NamedTuple):
    """A surface: roads, and the land around them. Sidewalks are as high as the road, as they are on level ground."""

    vertices: Floats
    """(V, 3) metres."""
    triangles: Ints
    """(T, 3) vertex indices; those of roads first."""
    roads: int
    """How many triangles are roads."""


@dataclass(frozen=True)
class Town:
    """A town, whole. Arrays are read-only; the road's surface is z = 0, unless `slopes` says otherwise, and sidewalks lie
    0.15 m higher.
    """

    name: str
    opendrive: str
    """OpenDRIVE 1.4, for `carla.Map`."""
    spawn_points: tuple[Pose, ...]
    """On driving lanes along the traffic, z 0.3 m, more than 8 m apart, none in a junction."""
    navmesh: bytes
    """For CARLA's AI walkers: the file that the client asks for; empty if there is none."""
    mesh: Mesh
    objects: tuple[StaticObject, ...]
    """Everything in `mesh`, in the order of the object ids. The box of a solid object is what vehicles bump into:
    of a tree its trunk, of a lamp its post; other boxes hold the whole object."""
    signals: tuple[Signal, ...]
    lamps: tuple[Lamp, ...]
    bounds: Bounds
    slopes: Slopes | None = None
    """What vehicles and people stand on, where it is not the plane z = 0."""
