"""Surfaces that actors are made of: grids with smooth normals, lathes, tubes, balls, and the fit to a size."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from sim_agent.embedded.pose import ORIGIN, Pose
from sim_agent.embedded.scene import Material, Mesh, Tag

Array = npt.NDArray[np.float64]
Vector = Sequence[float] | npt.NDArray[np.float64]


class Look(NamedTuple):
    """What a surface is made of. Colours are sRGB, 0 to 1; PAINT is multiplied by the actor's colour."""

    material: Material
    colour: tuple[float, float, float] = (1.0, 1.0, 1.0)


PAINT = Look(Material.PAINT)
GLASS = Look(Material.CAR_GLASS, (0.10, 0.12, 0.14))
BLACK = Look(Material.RUBBER, (0.07, 0.07, 0.075))
TRIM = Look(Material.RUBBER, (0.11, 0.11, 0.12))
STEEL = Look(Material.METAL, (0.62, 0.63, 0.65))
CHROME = Look(Material.METAL, (0.80, 0.81, 0.83))
TYRE = Look(Material.RUBBER, (0.06, 0.06, 0.06))
HEAD_LAMP = Look(Material.HEAD_LAMP, (0.92, 0.94, 0.96))
TAIL_LAMP = Look(Material.TAIL_LAMP, (0.55, 0.03, 0.03))
LEFT_BLINKER = Look(Material.LEFT_BLINKER, (0.85, 0.42, 0.05))
RIGHT_BLINKER = Look(Material.RIGHT_BLINKER, (0.85, 0.42, 0.05))
REVERSE_LAMP = Look(Material.REVERSE_LAMP, (0.88, 0.88, 0.88))
PLATE = Look(Material.SIGN, (0.90, 0.90, 0.86))

_MIRROR = {LEFT_BLINKER: RIGHT_BLINKER, RIGHT_BLINKER: LEFT_BLINKER}


def mirrored(look: Look) -> Look:
    """The look of the same part on the other side of a vehicle."""
    return _MIRROR.get(look, look)


def cross(a: Array, b: Array) -> Array:
    """The cross product over the last axis; `np.cross` takes several times as long on small arrays."""
    ax, ay, az = a[..., 0], a[..., 1], a[..., 2]
    bx, by, bz = b[..., 0], b[..., 1], b[..., 2]
    return np.stack([ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx], -1)


def grid_normals(points: Array) -> Array:
    """Unit vertex normals, (..., M, N, 3), of grids of (..., M, N, 3) points; the mean of the faces, by their area.

    Edges that coincide (closed tubes) share their normals, so that no seam shows.
    """
    across = points[..., 1:, :] - points[..., :-1, :]
    along = points[..., 1:, :, :] - points[..., :-1, :, :]
    faces = cross(
        across[..., 1:, :, :] + across[..., :-1, :, :],
        along[..., :, 1:, :] + along[..., :, :-1, :],
    )
    normals = np.zeros_like(points)
    normals[..., :-1, :-1, :] += faces
    normals[..., 1:, :-1, :] += faces
    normals[..., :-1, 1:, :] += faces
    normals[..., 1:, 1:, :] += faces
    if _same(points[..., :, 0, :], points[..., :, -1, :]):
        seam = normals[..., :, 0, :] + normals[..., :, -1, :]
        normals[..., :, 0, :] = normals[..., :, -1, :] = seam
    for row in (0, -1):
        if _same(points[..., row, :, :], points[..., row, :1, :]):
            normals[..., row, :, :] = normals[..., row, :, :].sum(-2, keepdims=True)
    return normals / np.maximum(np.sqrt((normals**2).sum(-1, keepdims=True)), 1e-12)


def _same(a: Array, b: Array) -> bool:
    return float(np.abs(a - b).max()) < 1e-9


@lru_cache(maxsize=256)
def grid_triangles(rows: int, columns: int) -> npt.NDArray[np.int32]:
    """(2 (rows - 1)(columns - 1), 3): two triangles a cell, cell by cell in row order. Shared: do not write."""
    first = (np.arange(rows - 1)[:, None] * columns + np.arange(columns - 1)).ravel()
    corners = np.stack([first, first + 1, first + columns + 1, first + columns], -1)
    return corners[:, [0, 1, 2, 0, 2, 3]].reshape(-1, 3).astype(np.int32)


def grid_uvs(points: Array) -> Array:
    """(M, N, 2): metres along the columns and along the rows."""
    uvs = np.zeros((*points.shape[:2], 2))
    along, across = np.diff(points, axis=1), np.diff(points, axis=0)
    uvs[:, 1:, 0] = np.cumsum(np.sqrt((along**2).sum(-1)), axis=1)
    uvs[1:, :, 1] = np.cumsum(np.sqrt((across**2).sum(-1)), axis=0)
    return uvs


def rings(profile: Sequence[tuple[float, float]], segments: int, start: float = 0.0, turn: float = 1.0) -> Array:
    """(len(profile), segments + 1, 3): a profile of (radius, z) turned round the z axis."""
    angles = 2 * np.pi * (start + turn * np.arange(segments + 1) / segments)
    radius, height = np.asarray(profile, np.float64).T
    return np.stack(
        [
            radius[:, None] * np.cos(angles),
            radius[:, None] * np.sin(angles),
            np.broadcast_to(height[:, None], (len(radius), segments + 1)),
        ],
        -1,
    )


# corners of a unit cube, four a face: +x -x +y -y +z -z
_CUBE = np.array(
    [
        *((1, 0, 0), (1, 1, 0), (1, 1, 1), (1, 0, 1)),
        *((0, 1, 0), (0, 0, 0), (0, 0, 1), (0, 1, 1)),
        *((1, 1, 0), (0, 1, 0), (0, 1, 1), (1, 1, 1)),
        *((0, 0, 0), (1, 0, 0), (1, 0, 1), (0, 0, 1)),
        *((0, 0, 1), (1, 0, 1), (1, 1, 1), (0, 1, 1)),
        *((0, 1, 0), (1, 1, 0), (1, 0, 0), (0, 0, 0)),
    ],
    np.float64,
)
_CUBE_AXES = np.array([(1, 2), (1, 2), (0, 2), (0, 2), (0, 1), (0, 1)])
_CUBE_NORMALS = np.array([(1, 0, 0), (-1, 0, 0), (0, 1, 0), (0, -1, 0), (0, 0, 1), (0, 0, -1)], np.float64)
_CUBE_FACES = (4 * np.arange(6)[:, None, None] + np.array([[0, 1, 2], [0, 2, 3]])).reshape(-1, 3).astype(np.int32)


@dataclass
class Sculptor:
    """Collects the pieces of one actor. Pieces carry looks, and nothing is converted before `build`."""

    tag: Tag = Tag.CAR
    """Of all pieces, but those of whole meshes that are added."""
    _points: list[Array] = field(default_factory=list)
    _normals: list[Array] = field(default_factory=list)
    _uvs: list[Array] = field(default_factory=list)
    _faces: list[npt.NDArray[np.int32]] = field(default_factory=list)
    _looks: list[Look] = field(default_factory=list)
    _meshes: list[tuple[Mesh, Pose]] = field(default_factory=list)
    _count: int = 0
    _parts: list[int] = field(default_factory=list)
    _part: int = 0
    _parts_made: int = 0

    def piece(self, points: Array, faces: npt.NDArray[np.int32], look: Look, normals: Array, uvs: Array) -> None:
        """Triangles over (V, 3) points with their (V, 3) normals and (V, 2) texture coordinates in metres."""
        self._points.append(points)
        self._normals.append(normals)
        self._uvs.append(uvs)
        self._faces.append(faces + self._count)
        self._looks.append(look)
        self._parts.append(self._part)
        self._count += len(points)

    @contextmanager
    def part(self) -> Iterator[None]:
        """Pieces added meanwhile are a part of their own, such as a wheel: the next number, from 1."""
        self._parts_made += 1
        self._part = self._parts_made
        yield
        self._part = 0

    def add_mesh(self, mesh: Mesh, pose: Pose = ORIGIN) -> None:
        """A whole mesh at a pose, with its own tags."""
        self._meshes.append((mesh, pose))

    def build(self) -> Mesh:
        """The mesh of everything added so far, without triangles that have no area; object ids are the numbers of parts."""
        points = np.concatenate([np.zeros((0, 3)), *self._points])
        faces = np.concatenate([np.zeros((0, 3), np.int32), *self._faces])
        a, b, c = points[faces[:, 0]], points[faces[:, 1]], points[faces[:, 2]]
        kept = np.abs(cross(b - a, c - a)).max(-1) > 1e-9
        sizes = np.array([len(piece) for piece in self._points], int)
        sides = np.array([len(piece) for piece in self._faces], int)
        colours = np.repeat(np.array([look.colour for look in self._looks]).reshape(-1, 3), sizes, axis=0)
        materials = np.repeat(np.array([look.material for look in self._looks], np.uint8), sides)[kept]
        columns = [
            [points],
            [np.concatenate([np.zeros((0, 3)), *self._normals])],
            [np.concatenate([np.zeros((0, 2)), *self._uvs])],
            [colours],
            [faces[kept]],
            [np.full(len(materials), self.tag, np.uint8)],
            [materials],
        ]
        count = self._count
        for mesh, pose in self._meshes:
            rotation = pose.matrix()[:3, :3]
            parts = (
                mesh.vertices @ rotation.T + np.asarray(pose.location),
                mesh.normals @ rotation.T,
                mesh.uvs,
                mesh.colours,
                mesh.triangles + count,
                mesh.tags,
                mesh.materials,
            )
            for column, part in zip(columns, parts, strict=True):
                column.append(part)
            count += len(mesh.vertices)
        kinds = (np.float32, np.float32, np.float32, np.float32, np.int32, np.uint8, np.uint8)
        arrays = [
            np.ascontiguousarray(np.concatenate(column), kind) for column, kind in zip(columns, kinds, strict=True)
        ]
        numbers = np.zeros(len(arrays[4]), np.int32)
        numbers[: len(materials)] = np.repeat(np.array(self._parts, np.int32), sides)[kept]
        arrays.append(numbers)
        return Mesh(*arrays)

    def grid(self, points: npt.ArrayLike, looks: Look | Sequence[Sequence[Look]], flip: bool = False) -> None:
        """A smooth surface through (M, N, 3) points; a look, or one for each of the (M - 1) x (N - 1) cells.

        Its front is where cross(along the columns, along the rows) points; `flip` turns it over.
        """
        points = np.asarray(points, np.float64)
        if flip:
            points = points[:, ::-1]
            if not isinstance(looks, Look):
                looks = [list(row)[::-1] for row in looks]
        rows, columns = points.shape[:2]
        faces = grid_triangles(rows, columns)
        flat, normals, uvs = points.reshape(-1, 3), grid_normals(points).reshape(-1, 3), grid_uvs(points).reshape(-1, 2)
        if isinstance(looks, Look):
            self.piece(flat, faces, looks, normals, uvs)
            return
        numbers: dict[Look, int] = {}
        labels = np.array([numbers.setdefault(look, len(numbers)) for row in looks for look in row])
        for look, number in numbers.items():
            part = faces[np.repeat(labels == number, 2)]
            used = np.zeros(len(flat), bool)
            used[part] = True
            renumbered = (np.cumsum(used) - 1).astype(np.int32)
            self.piece(flat[used], renumbered[part], look, normals[used], uvs[used])

    def bands(self, points: npt.ArrayLike, looks: Sequence[Look | None], flip: bool = False) -> None:
        """A surface with hard edges between its rows: a look for each of them, None leaves it out."""
        points = np.asarray(points, np.float64)
        for row, look in enumerate(looks):
            if look is not None:
                self.grid(points[row : row + 2], look, flip)

    def block(self, low: Vector, high: Vector, look: Look, pose: Pose = ORIGIN) -> None:
        """A box from corner to corner, moved to a pose; its texture lies as on `MeshBuilder.box`."""
        start, size = np.asarray(low, np.float64), np.asarray(high, np.float64) - np.asarray(low, np.float64)
        rotation = pose.matrix()[:3, :3]
        points = (start + _CUBE * size) @ rotation.T + pose.location
        sides = np.stack([size[_CUBE_AXES[:, 0]], size[_CUBE_AXES[:, 1]]], -1)
        uvs = (np.array([(0, 0), (1, 0), (1, 1), (0, 1)])[None] * sides[:, None]).reshape(-1, 2)
        normals = np.repeat(_CUBE_NORMALS @ rotation.T, 4, axis=0)
        self.piece(points, _CUBE_FACES, look, normals, uvs)

    def cuboid(self, centre: Vector, size: Vector, look: Look, yaw_deg: float = 0.0, pitch_deg: float = 0.0) -> None:
        """A box by its centre and its size."""
        half = np.asarray(size) / 2
        x, y, z = (float(part) for part in centre)
        self.block(-half, half, look, Pose(x, y, z, pitch_deg, yaw_deg))

    def flat(self, points: npt.ArrayLike, look: Look) -> None:
        """A convex flat polygon, its corners in the order in which a front face winds."""
        points = np.asarray(points, np.float64)
        fan = np.array([[0, k, k + 1] for k in range(1, len(points) - 1)], np.int32)
        # Newell's sum: right for any flat polygon, whichever of its corners lie on one line
        normal = cross(points, np.roll(points, -1, axis=0)).sum(0)
        normal /= max(float(np.sqrt(normal @ normal)), 1e-12)
        along = points[1] - points[0]
        along = along / max(float(np.sqrt(along @ along)), 1e-12)
        up = cross(normal, along)
        uvs = np.stack([(points - points[0]) @ along, (points - points[0]) @ up], -1)
        self.piece(points, fan, look, np.broadcast_to(normal, points.shape), uvs)

    def leaf(self, root: Vector, left: Vector, tip: Vector, right: Vector, colour: tuple[float, float, float]) -> None:
        """A blade of four corners, of LEAF: seen from both sides."""
        self.flat(np.array([root, left, tip, right], np.float64), Look(Material.LEAF, colour))

    def sheet(self, points: npt.ArrayLike, look: Look) -> None:
        """A convex flat polygon that is seen from both sides."""
        points = np.asarray(points, np.float64)
        self.flat(points, look)
        self.flat(points[::-1], look)

    def prism(self, outline: npt.ArrayLike, a: float, b: float, look: Look, axis: int = 1) -> None:
        """A convex outline, extruded between two places on an axis (0 x, 1 y, 2 z), in any order; flat shaded.

        The outline is given in the other two axes, in their order in x, y, z.
        """
        outline = np.asarray(outline, np.float64)
        others = [k for k in range(3) if k != axis]
        ends = []
        for level in (min(a, b), max(a, b)):
            end = np.full((len(outline), 3), level)
            end[:, others] = outline
            ends.append(end)
        x, y = outline.T
        turns_left = float(x @ np.roll(y, -1) - y @ np.roll(x, -1)) > 0
        if turns_left == (axis == 1):
            ends = [end[::-1] for end in ends]
        bottom, top = ends
        self.flat(top, look)
        self.flat(bottom[::-1], look)
        for k in range(len(bottom)):
            after = (k + 1) % len(bottom)
            self.flat([bottom[k], bottom[after], top[after], top[k]], look)

    def lathe(
        self,
        profile: Sequence[tuple[float, float]],
        look: Look | Sequence[Look | None],
        place: Pose | Vector = (0.0, 0.0, 0.0),
        segments: int = 12,
        scale: Vector = (1.0, 1.0, 1.0),
    ) -> None:
        """A profile of (radius, z), listed upwards, turned round the z axis of a pose; one look, or one a band.

        A profile that begins and ends at radius 0 is closed. With one look it is smooth, else its bands are hard.
        """
        points = rings(profile, segments) * np.asarray(scale)
        pose = place if isinstance(place, Pose) else Pose(*(float(part) for part in place))
        points = points @ pose.matrix()[:3, :3].T + pose.location
        if isinstance(look, Look):
            self.grid(points, look)
        else:
            self.bands(points, look)

    def rod(
        self, a: Vector, b: Vector, radius: float, look: Look, segments: int = 6, end_radius: float | None = None
    ) -> None:
        """A round rod between two points, with flat ends."""
        start, end = np.asarray(a, np.float64), np.asarray(b, np.float64)
        points = sweep(np.stack([start, end]), [radius, radius if end_radius is None else end_radius], segments)
        self.grid(points, look)
        self.flat(points[0, :-1][::-1], look)
        self.flat(points[-1, :-1], look)

    def pipe(self, path: npt.ArrayLike, radius: float, look: Look, segments: int = 6) -> None:
        """A bent round bar along a path of (K, 3) points, with flat ends."""
        path = np.asarray(path, np.float64)
        points = sweep(path, [radius] * len(path), segments)
        self.grid(points, look)
        self.flat(points[0, :-1][::-1], look)
        self.flat(points[-1, :-1], look)

    def ball(self, centre: Vector, radii: Vector, look: Look, segments: int = 10, bands: int = 6) -> None:
        """An ellipsoid."""
        angles = np.linspace(-np.pi / 2, np.pi / 2, bands + 1)
        profile = [(float(np.cos(angle)), float(np.sin(angle))) for angle in angles]
        self.grid(rings(profile, segments) * np.asarray(radii) + np.asarray(centre), look)

    def lump(self, centre: Vector, radii: Vector, look: Look, seed: int, roughness: float = 0.35) -> None:
        """An uneven ball on a foot that is cut off and open: bags, heaps, stones on the ground."""
        random = np.random.default_rng(seed)
        profile = [(0.75, -0.75), (0.97, -0.35), (1.0, 0.10), (0.80, 0.58), (0.42, 0.90), (0.0, 1.0)]
        points = rings(profile, 10)
        bumps = 1 + roughness * (random.random((len(profile), 11)) - 0.5)
        bumps[:, -1] = bumps[:, 0]
        bumps[0] = bumps[-1] = 1
        points *= bumps[..., None]
        self.grid(points * np.asarray(radii) + np.asarray(centre), look)


def sweep(path: Array, radii: Sequence[float], segments: int) -> Array:
    """(K, segments + 1, 3): circles round a path of (K, 3) points, each in the plane that halves its bend."""
    tangents = np.gradient(path, axis=0)
    tangents /= np.linalg.norm(tangents, axis=1, keepdims=True)
    main = tangents.mean(0)
    helper = np.eye(3)[int(np.abs(main).argmin())]
    sides = cross(np.broadcast_to(helper, tangents.shape), tangents)
    sides /= np.maximum(np.linalg.norm(sides, axis=1, keepdims=True), 1e-12)
    ups = cross(tangents, sides)
    angles = 2 * np.pi * np.arange(segments + 1) / segments
    ring = np.cos(angles)[None, :, None] * sides[:, None] + np.sin(angles)[None, :, None] * ups[:, None]
    return path[:, None] + np.asarray(radii, np.float64)[:, None, None] * ring


def bounds(mesh: Mesh) -> tuple[Array, Array]:
    """The lowest and the highest corner of a mesh's bounding box."""
    return mesh.vertices.min(0).astype(np.float64), mesh.vertices.max(0).astype(np.float64)


def fit(mesh: Mesh, centre: Vector, extent: Vector) -> Mesh:
    """The mesh, moved and stretched into the box with that centre and those half sizes; its parts are one."""
    low, high = bounds(mesh)
    half = np.asarray(extent, np.float64)
    scale = 2 * half / np.maximum(high - low, 1e-9)
    offset = np.asarray(centre, np.float64) - half - low * scale
    normals = mesh.normals / scale
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    return replace(
        mesh,
        vertices=np.ascontiguousarray(mesh.vertices * scale + offset, np.float32),
        normals=np.ascontiguousarray(normals, np.float32),
        objects=np.zeros_like(mesh.objects),
    )
