"""Vectorised primitives for meshes: many quads, boxes, tubes, discs and bands in one call."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sim_agent.embedded.pose import Pose
from sim_agent.embedded.scene import Material, Mesh, MeshBuilder, Tag
from sim_agent.embedded.town.geometry import Array

BOX_FACES = np.array(
    [
        [(1, 0, 0), (1, 1, 0), (1, 1, 1), (1, 0, 1)],
        [(0, 1, 0), (0, 0, 0), (0, 0, 1), (0, 1, 1)],
        [(1, 1, 0), (0, 1, 0), (0, 1, 1), (1, 1, 1)],
        [(0, 0, 0), (1, 0, 0), (1, 0, 1), (0, 0, 1)],
        [(0, 0, 1), (1, 0, 1), (1, 1, 1), (0, 1, 1)],
        [(0, 1, 0), (1, 1, 0), (1, 0, 0), (0, 0, 0)],
    ],
    np.float64,
)
"""(6, 4, 3) corners of a unit box's faces, the bottom last."""


def _cross(a: Array, b: Array) -> Array:
    """As `np.cross`, which spends more time on its arguments than on (N, 3) products."""
    return np.stack(
        [
            a[..., 1] * b[..., 2] - a[..., 2] * b[..., 1],
            a[..., 2] * b[..., 0] - a[..., 0] * b[..., 2],
            a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0],
        ],
        -1,
    )


def _unit(vectors: Array) -> Array:
    return vectors / np.sqrt(np.maximum((vectors * vectors).sum(-1, keepdims=True), 1e-24))


def quads(
    builder: MeshBuilder,
    corners: npt.ArrayLike,
    tag: Tag,
    material: Material,
    colour: npt.ArrayLike = (1.0, 1.0, 1.0),
) -> None:
    """Flat quads.

    Args:
        corners: (N, 4, 3) metres, each in the order in which a front face winds; the first edge is the texture's u.
        colour: one colour or (N, 3).
    """
    points = np.asarray(corners, np.float64).reshape(-1, 4, 3)
    if not len(points):
        return
    normal, uvs = _flat_quads(points)
    tint = np.broadcast_to(np.asarray(colour, np.float64).reshape(-1, 1, 3), points.shape)
    builder.add(
        points.reshape(-1, 3),
        _quad_triangles(len(points)),
        tag,
        material,
        tint.reshape(-1, 3),
        np.repeat(normal, 4, 0),
        uvs.reshape(-1, 2),
    )


def quad_mesh(corners: Array, tag: Tag, materials: npt.NDArray[np.uint8], colours: Array) -> Mesh:
    """(N, 4, 3) flat quads, each with its own material (N,) and colour (N, 3), as one mesh."""
    normal, uvs = _flat_quads(corners)
    count = len(corners)
    return Mesh(
        corners.reshape(-1, 3).astype(np.float32),
        np.repeat(normal, 4, 0).astype(np.float32),
        uvs.reshape(-1, 2).astype(np.float32),
        np.repeat(colours, 4, 0).astype(np.float32),
        _quad_triangles(count),
        np.full(2 * count, tag, np.uint8),
        np.repeat(materials, 2),
        np.zeros(2 * count, np.int32),
    )


def _flat_quads(points: Array) -> tuple[Array, Array]:
    """(N, 3) normals, and (N, 4, 2) texture coordinates with u along the first edge."""
    u_axis = points[:, 1] - points[:, 0]
    normal = _unit(_cross(u_axis, points[:, 2] - points[:, 0]))
    u_axis = _unit(u_axis)
    offset = points - points[:, :1]
    uvs = np.einsum("nik,njk->nij", offset, np.stack([u_axis, _cross(normal, u_axis)], 1))
    return normal, uvs


def _quad_triangles(count: int) -> npt.NDArray[np.int32]:
    first = 4 * np.arange(count, dtype=np.int32)[:, None]
    return (first + np.array([[0, 1, 2, 0, 2, 3]], np.int32)).reshape(-1, 3)


def placed(pose: Pose, points: npt.ArrayLike) -> Array:
    """Points (..., 3) of a pose's own axes in the world; for poses that are only turned by a yaw this is exact and quick."""
    matrix = pose.matrix()
    return np.asarray(points, np.float64) @ matrix[:3, :3].T + matrix[:3, 3]


def boxes(
    builder: MeshBuilder,
    lows: npt.ArrayLike,
    highs: npt.ArrayLike,
    tag: Tag,
    material: Material,
    colour: npt.ArrayLike = (1.0, 1.0, 1.0),
    pose: Pose | None = None,
    bottom: bool = False,
) -> None:
    """Boxes from (N, 3) low to (N, 3) high corners in the axes of `pose`; faces below only where `bottom` says so."""
    low, high = np.asarray(lows, np.float64).reshape(-1, 3), np.asarray(highs, np.float64).reshape(-1, 3)
    if not len(low):
        return
    faces = BOX_FACES if bottom else BOX_FACES[:5]
    corners = low[:, None, None] + faces[None] * (high - low)[:, None, None]
    tint = np.repeat(np.broadcast_to(np.asarray(colour, np.float64), (len(low), 3)), len(faces), 0)
    if pose is not None:
        corners = placed(pose, corners)
    quads(builder, corners.reshape(-1, 4, 3), tag, material, tint)


def grid_triangles(rows: int, columns: int) -> npt.NDArray[np.intp]:
    """(T, 3) vertex indices of two triangles for each cell of a grid of points that are numbered row after row."""
    column, row = np.meshgrid(np.arange(columns - 1), np.arange(rows - 1))
    a = (row * columns + column).ravel()
    return np.stack([a, a + 1, a + columns + 1, a, a + columns + 1, a + columns], -1).reshape(-1, 3)


def tube(
    builder: MeshBuilder,
    centres: npt.ArrayLike,
    radii: npt.ArrayLike,
    sides: int,
    tag: Tag,
    material: Material,
    colour: npt.ArrayLike = (1.0, 1.0, 1.0),
    capped: bool = True,
) -> None:
    """A round bar through (N, 3) centres with N radii; its end gets a cap unless `capped` is false."""
    middle, radius = np.asarray(centres, np.float64), np.asarray(radii, np.float64)
    steps = middle[1:] - middle[:-1]
    axis = _unit(np.concatenate([steps[:1], steps[1:] + steps[:-1], steps[-1:]]))
    helper = np.where(np.abs(axis[:, 2:]) > 0.9, [[1.0, 0.0, 0.0]], [[0.0, 0.0, 1.0]])
    first = _unit(_cross(helper, axis))
    second = _cross(axis, first)
    angle = np.linspace(0.0, 2.0 * np.pi, sides + 1)
    normal = first[:, None] * np.cos(angle)[None, :, None] + second[:, None] * np.sin(angle)[None, :, None]
    points = middle[:, None] + normal * radius[:, None, None]
    along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(middle, axis=0), axis=1))])
    uvs = np.stack(np.broadcast_arrays(angle[None] * radius.max(), along[:, None]), -1)
    triangles = grid_triangles(len(middle), sides + 1)
    builder.add(points.reshape(-1, 3), triangles, tag, material, colour, normal.reshape(-1, 3), uvs.reshape(-1, 2))
    if capped and radius[-1] > 0.0:
        fan = np.stack([np.zeros(sides - 2, int), np.arange(1, sides - 1), np.arange(2, sides)], -1)
        builder.add(points[-1, :-1], fan, tag, material, colour, axis[-1])


def disc(
    builder: MeshBuilder,
    pose: Pose,
    outline: npt.ArrayLike,
    tag: Tag,
    material: Material,
    colour: npt.ArrayLike = (1.0, 1.0, 1.0),
) -> None:
    """A convex plate seen along the pose's x axis: (N, 2) outline in the pose's (right, up), counter-clockwise."""
    flat = np.asarray(outline, np.float64)
    points = placed(pose, np.column_stack([np.zeros(len(flat)), flat]))
    fan = np.stack([np.zeros(len(flat) - 2, int), np.arange(1, len(flat) - 1), np.arange(2, len(flat))], -1)
    forward = placed(Pose(0.0, 0.0, 0.0, *pose.rotation), [1.0, 0.0, 0.0])
    builder.add(points, fan, tag, material, colour, forward, flat)


def sheet(
    builder: MeshBuilder,
    lines: npt.ArrayLike,
    z_m: npt.ArrayLike,
    tag: Tag,
    material: Material,
    colour: npt.ArrayLike = (1.0, 1.0, 1.0),
) -> None:
    """A surface that is seen from above.

    Args:
        lines: (S, C, 2) points: S stations ahead, C points from left to right in each.
        z_m: the height of all, or (S,) of each station.
        colour: one colour, or (S, C, 3).
    """
    points = np.asarray(lines, np.float64)
    stations, across = points.shape[:2]
    k, s = np.meshgrid(np.arange(across - 1), np.arange(stations - 1))
    a = (s * across + k).ravel()
    triangles = np.stack([a, a + across, a + across + 1, a, a + across + 1, a + 1], -1).reshape(-1, 3)
    flat = points.reshape(-1, 2)
    tint = np.asarray(colour, np.float64).reshape(-1, 3)
    heights = np.repeat(np.broadcast_to(np.asarray(z_m, np.float64), stations), across)
    solid = np.column_stack([flat, heights])
    normals = None if np.ptp(heights) > 0.0 else (0.0, 0.0, 1.0)
    builder.add(solid, triangles, tag, material, tint, normals, flat)


def wall_band(
    builder: MeshBuilder,
    line: npt.ArrayLike,
    low_m: npt.ArrayLike,
    high_m: npt.ArrayLike,
    tag: Tag,
    material: Material,
    colour: npt.ArrayLike = (1.0, 1.0, 1.0),
) -> None:
    """An upright band along (N, 2) points, seen from the left of its direction; heights for all or (N,) for each."""
    points = np.asarray(line, np.float64)
    ahead = np.gradient(points, axis=0)
    ahead /= np.maximum(np.linalg.norm(ahead, axis=1, keepdims=True), 1e-12)
    normal = np.column_stack([ahead[:, 1], -ahead[:, 0], np.zeros(len(points))])
    along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
    bottom, top = (np.broadcast_to(np.asarray(z, np.float64), len(points)) for z in (low_m, high_m))
    low, high = np.column_stack([points, bottom]), np.column_stack([points, top])
    k = np.arange(len(points) - 1)
    n = len(points)
    triangles = np.stack([k, k + 1, k + 1 + n, k, k + 1 + n, k + n], -1).reshape(-1, 3)
    uvs = np.column_stack([np.tile(along, 2), np.concatenate([bottom, top])])
    builder.add(np.concatenate([low, high]), triangles, tag, material, colour, np.tile(normal, (2, 1)), uvs)
