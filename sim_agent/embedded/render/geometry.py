"""Town and models made ready to draw: small clusters to cull, and a row of shading facts for each triangle."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from sim_agent.embedded.render.foliage import COARSE_LEVELS, FEWER, areas_of, coarsen, find_leaves, find_shells, select
from sim_agent.embedded.render.kernel import f4, kernel
from sim_agent.embedded.scene import Bytes, Floats, Ints, Material, Mesh

CELL_M = 16.0
"""Side of the squares that the town is cut into; measured best on 150,000 triangles among 8, 16 and 32 m."""

FEW, DOUBLINGS = 128, 5
"""Squares with at most so many triangles in all are one, up to a side of CELL_M * 2^DOUBLINGS."""

# Columns of a row of surfaces: a corner; duals of its two edges, whose dot products with a point give the point's
# barycentric coordinates; then texture coordinates, normal and colour at the corner and how they change to the others.
CORNER, DUAL_1, DUAL_2, UV, UV_1, UV_2, NORMAL, COLOUR = 0, 3, 6, 9, 11, 13, 15, 18
DENSITY = 21
"""Metres of texture for a metre of surface."""
CHANCE = 22
"""A number in [0, 1) that the triangles of one quad share."""
VARIES = 23
"""0 where normal and colour are the same all over, and the columns from here on need not be read."""
NORMAL_1, NORMAL_2, COLOUR_1, COLOUR_2 = 24, 27, 30, 33
COLUMNS = 36

LEVEL_PX = (2.2, 1.3, 0.75)
"""Sizes of the whole foliage's leaves in the picture below which each coarser level does."""

HIDDEN, LAMP_OFF, SHELL = 1, 2, 4
"""Bits of `Geometry.states`."""


class Part(NamedTuple):
    """What the rasteriser takes at a time: a range of triangles that own a range of vertices."""

    first_triangle: int
    end_triangle: int
    first_vertex: int
    end_vertex: int


@kernel
def _fill_surfaces(
    vertices: Floats, normals: Floats, uvs: Floats, colours: Floats, triangles: Ints, surfaces: Floats
) -> None:
    for t in range(triangles.shape[0]):
        i, j, k = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        row = surfaces[t]
        d11 = d12 = d22 = f4(0)
        for c in range(3):
            e1 = vertices[j, c] - vertices[i, c]
            e2 = vertices[k, c] - vertices[i, c]
            d11 += e1 * e1
            d12 += e1 * e2
            d22 += e2 * e2
        determinant = max(d11 * d22 - d12 * d12, f4(1e-20))
        for c in range(3):
            e1 = vertices[j, c] - vertices[i, c]
            e2 = vertices[k, c] - vertices[i, c]
            row[CORNER + c] = vertices[i, c]
            row[DUAL_1 + c] = (d22 * e1 - d12 * e2) / determinant
            row[DUAL_2 + c] = (d11 * e2 - d12 * e1) / determinant
            row[NORMAL + c] = normals[i, c]
            row[NORMAL_1 + c] = normals[j, c] - normals[i, c]
            row[NORMAL_2 + c] = normals[k, c] - normals[i, c]
            row[COLOUR + c] = colours[i, c]
            row[COLOUR_1 + c] = colours[j, c] - colours[i, c]
            row[COLOUR_2 + c] = colours[k, c] - colours[i, c]
        row[VARIES] = f4(0)
        for c in range(NORMAL_1, COLUMNS):
            if abs(row[c]) > f4(1e-4):
                row[VARIES] = f4(1)
        for c in range(2):
            row[UV + c] = uvs[i, c]
            row[UV_1 + c] = uvs[j, c] - uvs[i, c]
            row[UV_2 + c] = uvs[k, c] - uvs[i, c]
        texture_area = abs(row[UV_1] * row[UV_2 + 1] - row[UV_1 + 1] * row[UV_2])
        row[DENSITY] = min(np.sqrt(texture_area / np.sqrt(determinant)), f4(8))
        # The first corner decides: both halves of a quad have it in common.
        mixed = 0
        for c in range(3):
            mixed = (mixed * 31 + int(np.floor(vertices[i, c] * f4(100) + f4(0.5)))) * 2654435761 % 4294967291
        row[CHANCE] = f4((mixed >> 8) & 65535) * f4(1 / 65536)


class _Clusters(NamedTuple):
    """A mesh cut into pieces that lie together."""

    members: npt.NDArray[np.int64]
    """(T,) triangle numbers, cluster after cluster."""
    first_triangles: npt.NDArray[np.int64]
    """(C,) where each cluster begins in `members`."""
    used: npt.NDArray[np.int64]
    """(V,) vertex numbers, cluster after cluster; a vertex of two clusters is there twice."""
    first_vertices: npt.NDArray[np.int64]
    """(C,) where each cluster begins in `used`."""
    triangles: Ints
    """(T, 3) the members' corners, counted in `used`."""


def _cut(mesh: Mesh, leaves: npt.NDArray[np.bool_]) -> _Clusters:
    """Squares of CELL_M, or of as many of them as have FEW triangles: the open land around a town is large and empty.

    The leaves of a square are a cluster of their own.
    """
    centres = mesh.vertices[mesh.triangles, :2].mean(axis=1)
    cells = np.floor(centres / CELL_M).astype(np.int64)
    squares = np.column_stack([cells, np.zeros(len(cells), np.int64), leaves])
    for doublings in range(1, DOUBLINGS + 1):
        wider = cells >> doublings
        # Cells are within a million metres of the origin.
        _, square, counts = np.unique(wider[:, 0] * 2**20 + wider[:, 1], return_inverse=True, return_counts=True)
        few = counts[square] <= FEW
        squares[few, :3] = np.column_stack([wider, np.full(len(wider), doublings)])[few]
    order = np.lexsort((mesh.objects, *squares.T[::-1]))
    begins = np.ones(len(order), bool)
    begins[1:] = np.any(squares[order[1:]] != squares[order[:-1]], axis=1)
    cluster = np.cumsum(begins, dtype=np.int64) - 1
    numbers = (cluster[:, None] * len(mesh.vertices) + mesh.triangles[order]).astype(np.int64)
    used, corners = np.unique(numbers, return_inverse=True)
    starts = np.searchsorted(used, np.arange(cluster[-1] + 1 if len(cluster) else 0) * len(mesh.vertices))
    return _Clusters(
        order,
        np.flatnonzero(begins),
        used % max(len(mesh.vertices), 1),
        starts,
        corners.reshape(-1, 3).astype(np.int32),
    )


def _shading_keys(surfaces: Floats, materials: Bytes, objects: Ints) -> Ints:
    facing = np.rint(surfaces[:, NORMAL : NORMAL + 3] * 2.0) + 2
    colour = np.rint(surfaces[:, COLOUR : COLOUR + 3] * 12.0)
    # Leaves point everywhere: one of them stands for all of its tree.
    facing[materials == Material.LEAF] = 0
    colour[materials == Material.LEAF] = 0
    key = objects.astype(np.int64)
    for column in (materials, *facing.T, *colour.T):
        key = (key * 131 + column.astype(np.int64)) % 2147483629
    return key.astype(np.int32)


class Geometry:
    """Everything that can be drawn: the static clusters first, then the models in use, each in its own axes.

    Arrays are longer than what is in them, so that a model that is seen for the first time finds room.
    """

    vertices: Floats
    """(3, V) metres."""
    triangles: Ints
    """(T, 3) vertex indices."""
    surfaces: Floats
    """(T, COLUMNS)."""
    tags: Bytes
    """(T,)."""
    materials: Bytes
    """(T,)."""
    objects: Ints
    """(T,) object ids; 0 in models."""
    keys: Ints
    """(T,) equal where two triangles may be shaded as one: the same object, material, colour and, roughly, direction."""
    states: Bytes
    """(T,) bits HIDDEN, LAMP_OFF and, of foliage that is seen from its front only, SHELL."""
    parts: Ints
    """(C, 4) the columns of `Part`, one row a static cluster."""
    levels: Ints
    """(1 + COARSE_LEVELS, C, 4) the same from near to far: `parts`, then with ever coarser leaves."""
    leaf_m: Floats
    """(C,) side of the square that a leaf of each cluster would fill; infinite where there are none."""
    low_m: Floats
    """(C, 3) corner of each cluster's axis-aligned box."""
    high_m: Floats
    """(C, 3)."""
    model_parts: Ints
    """(M, 4) the same of each model in use, by its number."""
    model_low_m: Floats
    """(M, 3) corner of each model's box in its own axes."""
    model_high_m: Floats
    """(M, 3)."""

    def __init__(self, static: Mesh, models: Mapping[str, Mesh]) -> None:
        self.model_meshes = models
        self._models: dict[str, int] = {}
        self.model_parts = np.empty((0, 4), np.int32)
        self.model_low_m, self.model_high_m = np.empty((0, 3), np.float32), np.empty((0, 3), np.float32)
        self._own_lenses: tuple[npt.NDArray[np.int64], Floats] | None = None
        """Triangles of the town's street lamp lenses, and their rows of surfaces as they were made."""
        self._triangle_count = self._vertex_count = 0
        self.vertices, self.triangles = np.empty((3, 0), np.float32), np.empty((0, 3), np.int32)
        self.surfaces = np.empty((0, COLUMNS), np.float32)
        self.tags, self.materials, self.states = (np.empty(0, np.uint8) for _ in range(3))
        self.objects, self.keys = np.empty(0, np.int32), np.empty(0, np.int32)
        leaves = find_leaves(static)
        cut = _cut(static, leaves)
        coarse = int(leaves.sum()) // (FEWER - 1) + COARSE_LEVELS * len(cut.first_triangles)
        self._reserve(len(cut.members) + coarse, len(cut.used) + 3 * coarse)
        self._append(static, cut.members, cut.used, cut.triangles)
        self.states[: len(cut.members)] = np.where(find_shells(static, leaves)[cut.members], SHELL, 0)
        triangle_ends = np.append(cut.first_triangles, len(cut.members))
        vertex_ends = np.append(cut.first_vertices, len(cut.used))
        ranges = [triangle_ends[:-1], triangle_ends[1:], vertex_ends[:-1], vertex_ends[1:]]
        self.parts = np.stack(ranges, axis=1).astype(np.int32)
        places = static.vertices[cut.used]
        self.low_m = self.high_m = np.zeros((0, 3), np.float32)
        if len(places):
            self.low_m = np.minimum.reduceat(places, cut.first_vertices)
            self.high_m = np.maximum.reduceat(places, cut.first_vertices)
        self._add_levels(static, cut, leaves)

    def _add_levels(self, static: Mesh, cut: _Clusters, leaves: npt.NDArray[np.bool_]) -> None:
        self.levels = np.repeat(self.parts[None], 1 + COARSE_LEVELS, axis=0)
        self.leaf_m = np.full(len(self.parts), np.inf, np.float32)
        leafy = np.flatnonzero(leaves[cut.members[cut.first_triangles]])
        if not len(leafy):
            return
        ordered = cut.members[leaves[cut.members]]
        ends = np.cumsum(self.parts[leafy, 1] - self.parts[leafy, 0])
        mesh, firsts = select(static, ordered), np.append(0, ends[:-1]).astype(np.int64)
        self.leaf_m[leafy] = np.sqrt(np.add.reduceat(areas_of(mesh), firsts) / np.diff(np.append(firsts, len(ordered))))
        for level in range(1, 1 + COARSE_LEVELS):
            mesh, firsts = coarsen(mesh, firsts)
            count = len(mesh.triangles)
            part = self._append(mesh, np.arange(count), np.arange(3 * count), mesh.triangles)
            begins, ends = firsts, np.append(firsts[1:], count)
            ranges = [begins, ends, 3 * begins, 3 * ends]
            own = np.stack(ranges, axis=1) + np.array(part)[[0, 0, 2, 2]]
            self.levels[level, leafy] = own

    def parts_for(self, eye_m: npt.NDArray[np.float64], focal_px: float) -> Ints:
        """(C, 4) each cluster at the level that is enough for a camera there, however it is turned."""
        low, high = self.low_m - eye_m, self.high_m - eye_m
        apart = np.maximum(np.maximum(low, -high), 0.0)
        leaf_px = self.leaf_m * focal_px / np.maximum(np.sqrt((apart**2).sum(axis=1)), 1e-3)
        level = (leaf_px[:, None] < LEVEL_PX).sum(axis=1)
        return self.levels[level, np.arange(len(level))]

    def model(self, name: str) -> int:
        """The number of a model; put here at its first use. Raises KeyError for one that was not given."""
        if name not in self._models:
            mesh = self.model_meshes[name]
            part = self._append(mesh, np.arange(len(mesh.triangles)), np.arange(len(mesh.vertices)), mesh.triangles)
            corners = mesh.vertices if len(mesh.vertices) else np.zeros((1, 3), np.float32)
            self.model_parts = np.vstack([self.model_parts, np.array([part], np.int32)])
            self.model_low_m = np.vstack([self.model_low_m, corners.min(axis=0)])
            self.model_high_m = np.vstack([self.model_high_m, corners.max(axis=0)])
            self._models[name] = len(self._models)
        return self._models[name]

    def set_state(self, object_ids: Iterable[int], bit: int) -> None:
        """Gives `bit` to the triangles of exactly these objects."""
        chosen = np.isin(self.objects, np.array(sorted(object_ids), np.int32)) & (self.objects > 0)
        self.states[:] = np.where(chosen, self.states | bit, self.states & (255 ^ bit))

    def set_lens_colours(self, colours: Mapping[int, tuple[float, float, float]]) -> None:
        """Gives the street lamp lenses of exactly these objects another colour, sRGB; all others have their own."""
        if self._own_lenses is None:
            rows = np.flatnonzero((self.materials == Material.STREET_LAMP) & (self.objects > 0))
            self._own_lenses = rows, self.surfaces[rows]
        rows, own = self._own_lenses
        self.surfaces[rows] = own
        for object_id, colour in colours.items():
            chosen = rows[self.objects[rows] == object_id]
            self.surfaces[chosen, COLOUR : COLOUR + 3] = colour
            self.surfaces[chosen, COLOUR_1 : COLOUR_2 + 3] = 0.0

    def _reserve(self, triangles: int, vertices: int) -> None:
        if self._triangle_count + triangles > len(self.triangles):
            length = (self._triangle_count + triangles) * 6 // 5
            for name in ("triangles", "surfaces", "tags", "materials", "states", "objects", "keys"):
                setattr(self, name, _longer(getattr(self, name), length))
        if self._vertex_count + vertices > self.vertices.shape[1]:
            longer = _longer(self.vertices.T, (self._vertex_count + vertices) * 6 // 5)
            self.vertices = np.ascontiguousarray(longer.T)

    def _append(
        self, mesh: Mesh, members: npt.NDArray[np.int64], used: npt.NDArray[np.int64], renumbered: Ints
    ) -> Part:
        self._reserve(len(members), len(used))
        part = Part(
            self._triangle_count,
            self._triangle_count + len(members),
            self._vertex_count,
            self._vertex_count + len(used),
        )
        self._triangle_count, self._vertex_count = part.end_triangle, part.end_vertex
        ours, theirs = slice(part[0], part[1]), slice(part[2], part[3])
        vertices = mesh.vertices[used]
        self.vertices[:, theirs] = vertices.T
        self.triangles[ours] = renumbered + part.first_vertex
        self.tags[ours], self.materials[ours] = mesh.tags[members], mesh.materials[members]
        self.objects[ours] = mesh.objects[members]
        _fill_surfaces(
            vertices, mesh.normals[used], mesh.uvs[used], mesh.colours[used], renumbered, self.surfaces[ours]
        )
        self.keys[ours] = _shading_keys(self.surfaces[ours], self.materials[ours], self.objects[ours])
        return part


_Array = TypeVar("_Array", bound=npt.NDArray[Any])


def _longer(array: _Array, length: int) -> _Array:
    longer = np.zeros((length, *array.shape[1:]), array.dtype)
    longer[: len(array)] = array
    return longer  # type: ignore[return-value]
