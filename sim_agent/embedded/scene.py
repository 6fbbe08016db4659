"""What there is to see: triangles with a tag, an object and a material, and the things that move.

Towns and models make meshes, the renderer draws them, the ray caster hits them; this is the vocabulary they share.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from sim_agent.embedded.pose import ORIGIN, Pose

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int32]
Bytes = npt.NDArray[np.uint8]


class Tag(IntEnum):
    """CARLA 0.9.14 to 0.9.16's semantic ids (ObjectLabel.h; configs/labels/carla-0.9.14.yaml)."""

    NONE = 0
    ROAD = 1
    SIDEWALK = 2
    BUILDING = 3
    WALL = 4
    FENCE = 5
    POLE = 6
    TRAFFIC_LIGHT = 7
    TRAFFIC_SIGN = 8
    VEGETATION = 9
    TERRAIN = 10
    SKY = 11
    PEDESTRIAN = 12
    RIDER = 13
    CAR = 14
    TRUCK = 15
    BUS = 16
    TRAIN = 17
    MOTORCYCLE = 18
    BICYCLE = 19
    STATIC = 20
    DYNAMIC = 21
    OTHER = 22
    WATER = 23
    ROAD_LINE = 24
    GROUND = 25
    BRIDGE = 26
    RAIL_TRACK = 27
    GUARD_RAIL = 28


class Material(IntEnum):
    """How a surface is shaded; its texture is the renderer's, its tint the mesh's colour."""

    ASPHALT = 0
    CONCRETE = 1
    PAVING = 2
    BRICK = 3
    PLASTER = 4
    WINDOW = 5
    GRASS = 6
    SOIL = 7
    BARK = 8
    LEAF = 9
    PAINT = 10
    METAL = 11
    MARKING = 12
    RUBBER = 13
    CLOTH = 14
    SKIN = 15
    CAR_GLASS = 16
    WOOD = 17
    TILES = 18
    SIGN = 19
    STREET_LAMP = 20
    SIGNAL_LAMP = 21
    HEAD_LAMP = 22
    TAIL_LAMP = 23
    LEFT_BLINKER = 24
    RIGHT_BLINKER = 25
    REVERSE_LAMP = 26


class Light(IntEnum):
    """`carla.VehicleLightState`: bits of a vehicle's lights."""

    POSITION = 0x1
    LOW_BEAM = 0x2
    HIGH_BEAM = 0x4
    BRAKE = 0x8
    RIGHT_BLINKER = 0x10
    LEFT_BLINKER = 0x20
    REVERSE = 0x40
    FOG = 0x80
    INTERIOR = 0x100


@dataclass(frozen=True)
class Mesh:
    """Triangles. A front face winds so that cross(b - a, c - a) points out of the surface in CARLA's axes' numbers.

    LEAF is seen from both sides, every other material from its front only.
    """

    vertices: Floats
    """(V, 3) metres."""
    normals: Floats
    """(V, 3) unit."""
    uvs: Floats
    """(V, 2) metres along the surface, so that textures have their true size."""
    colours: Floats
    """(V, 3) tint, 0 to 1, that multiplies the texture; sRGB."""
    triangles: Ints
    """(T, 3) vertex indices."""
    tags: Bytes
    """(T,) `Tag`."""
    materials: Bytes
    """(T,) `Material`."""
    objects: Ints
    """(T,) object id, 1 to 65535; a mover's mesh has 0 and gets the mover's."""


class Box(NamedTuple):
    """An oriented box: the pose of its centre and half its size in metres."""

    pose: Pose
    extent_m: tuple[float, float, float]


class StaticObject(NamedTuple):
    """A thing of the town: what `get_environment_objects` lists, what vehicles bump into, what rays report."""

    object_id: int
    name: str
    tag: Tag
    pose: Pose
    box: Box
    solid: bool
    """Whether vehicles collide with it."""


class Mover(NamedTuple):
    """One thing that moves or changes, for one frame."""

    model: str
    """Key of the models that the renderer was given."""
    object_id: int
    pose: Pose
    tint: tuple[float, float, float] = (1.0, 1.0, 1.0)
    """Multiplies the colour of PAINT, sRGB 0 to 1."""
    lights: int = 0
    """Bits of `Light`: which lamps glow."""


class LampSetting(NamedTuple):
    """What a client has made of a street lamp."""

    on: bool = True
    power: float = 1.0
    """How much light it sends, against an untouched lamp."""
    colour: tuple[float, float, float] | None = None
    """sRGB of its light, 0 to 1; None: its own."""


class Weather(NamedTuple):
    """`carla.WeatherParameters`, in the order of the wire; percent, degrees, metres."""

    cloudiness: float = 5.0
    precipitation: float = 0.0
    precipitation_deposits: float = 0.0
    wind_intensity: float = 10.0
    sun_azimuth_deg: float = -1.0
    sun_altitude_deg: float = 45.0
    fog_density: float = 2.0
    fog_distance_m: float = 0.75
    fog_falloff: float = 0.1
    wetness: float = 0.0
    scattering_intensity: float = 1.0
    mie_scattering_scale: float = 0.03
    rayleigh_scattering_scale: float = 0.0331
    dust_storm: float = 0.0


@dataclass
class MeshBuilder:
    """Collects pieces of one object after another into a `Mesh`."""

    object_id: int = 0
    """Object of the pieces added from now on."""
    _parts: list[tuple[Floats, Floats, Floats, Floats, Ints, Bytes, Bytes, Ints]] = field(default_factory=list)
    _count: int = 0

    def add(
        self,
        vertices: npt.ArrayLike,
        triangles: npt.ArrayLike,
        tag: Tag,
        material: Material,
        colour: npt.ArrayLike = (1.0, 1.0, 1.0),
        normals: npt.ArrayLike | None = None,
        uvs: npt.ArrayLike | None = None,
    ) -> None:
        """Triangles over vertices. Without normals, faces are flat: give each face its own vertices.

        Without uvs, the two axes that the piece's mean normal does not point along serve, in metres.
        """
        points = np.ascontiguousarray(np.asarray(vertices, np.float32).reshape(-1, 3))
        faces = np.asarray(triangles, np.int32).reshape(-1, 3)
        if normals is None:
            a, b, c = points[faces[:, 0]], points[faces[:, 1]], points[faces[:, 2]]
            face_normals = np.cross(b - a, c - a)
            summed = np.zeros_like(points)
            for corner in range(3):
                np.add.at(summed, faces[:, corner], face_normals)
            shading = summed / np.maximum(np.linalg.norm(summed, axis=1, keepdims=True), 1e-12)
        else:
            shading = np.broadcast_to(np.asarray(normals, np.float32), points.shape)
        if uvs is None:
            axis = int(np.abs(shading.mean(0)).argmax())
            across = [k for k in range(3) if k != axis]
            texture = points[:, across]
        else:
            texture = np.broadcast_to(np.asarray(uvs, np.float32), (len(points), 2))
        self._parts.append(
            (
                points,
                shading.astype(np.float32),
                texture.astype(np.float32),
                np.broadcast_to(np.asarray(colour, np.float32), points.shape).astype(np.float32),
                faces + self._count,
                np.full(len(faces), tag, np.uint8),
                np.full(len(faces), material, np.uint8),
                np.full(len(faces), self.object_id, np.int32),
            )
        )
        self._count += len(points)

    def add_mesh(self, mesh: Mesh, pose: Pose = ORIGIN, scale: Sequence[float] = (1.0, 1.0, 1.0)) -> None:
        """A whole mesh at a pose, as part of the present object."""
        matrix = pose.matrix().astype(np.float32)
        stretch = np.asarray(scale, np.float32)
        normals = (mesh.normals / stretch) @ matrix[:3, :3].T
        normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
        self._parts.append(
            (
                (mesh.vertices * stretch) @ matrix[:3, :3].T + matrix[:3, 3],
                normals,
                mesh.uvs,
                mesh.colours,
                mesh.triangles + np.int32(self._count),
                mesh.tags,
                mesh.materials,
                np.full(len(mesh.triangles), self.object_id, np.int32),
            )
        )
        self._count += len(mesh.vertices)

    def quad(
        self,
        a: Sequence[float],
        b: Sequence[float],
        c: Sequence[float],
        d: Sequence[float],
        *look: object,
        **more: object,
    ) -> None:
        """Four corners, in the order in which a front face winds; then as `add`."""
        self.add([a, b, c, d], [[0, 1, 2], [0, 2, 3]], *look, **more)  # type: ignore[arg-type]

    def box(
        self,
        low: Sequence[float],
        high: Sequence[float],
        tag: Tag,
        material: Material,
        colour: npt.ArrayLike = (1.0, 1.0, 1.0),
        pose: Pose = ORIGIN,
    ) -> None:
        """An axis-aligned box from corner to corner, then moved to `pose`; six flat faces."""
        (x0, y0, z0), (x1, y1, z1) = low, high
        corners = [
            [(x1, y0, z0), (x1, y1, z0), (x1, y1, z1), (x1, y0, z1)],
            [(x0, y1, z0), (x0, y0, z0), (x0, y0, z1), (x0, y1, z1)],
            [(x1, y1, z0), (x0, y1, z0), (x0, y1, z1), (x1, y1, z1)],
            [(x0, y0, z0), (x1, y0, z0), (x1, y0, z1), (x0, y0, z1)],
            [(x0, y0, z1), (x1, y0, z1), (x1, y1, z1), (x0, y1, z1)],
            [(x0, y1, z0), (x1, y1, z0), (x1, y0, z0), (x0, y0, z0)],
        ]
        matrix = pose.matrix()
        for face in corners:
            a, b, c, d = np.array(face, np.float64)
            width, height = float(np.linalg.norm(b - a)), float(np.linalg.norm(d - a))
            uvs = [(0.0, 0.0), (width, 0.0), (width, height), (0.0, height)]
            points = np.array(face) @ matrix[:3, :3].T + matrix[:3, 3]
            self.add(points, [[0, 1, 2], [0, 2, 3]], tag, material, colour, uvs=uvs)

    def build(self) -> Mesh:
        """The mesh of everything added so far."""
        if not self._parts:
            empty = np.zeros((0, 3), np.float32)
            no = np.zeros(0, np.uint8)
            return Mesh(empty, empty, empty[:, :2], empty, np.zeros((0, 3), np.int32), no, no, np.zeros(0, np.int32))
        columns = [np.ascontiguousarray(np.concatenate(column)) for column in zip(*self._parts, strict=True)]
        return Mesh(*columns)
