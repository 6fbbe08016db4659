"""Surfaces in many poses at once: they share triangles, textures and colours."""

from __future__ import annotations

import numpy as np

from sim_agent.embedded.models.surface import (
    Array,
    Look,
    cross,
    grid_normals,
    grid_triangles,
    grid_uvs,
)
from sim_agent.embedded.scene import Mesh, Tag


class PosedSurfaces:
    """Grids over all poses, and what they are made of."""

    def __init__(self) -> None:
        self.points: list[Array] = []
        self.normals: list[Array] = []
        self.uvs: list[Array] = []
        self.faces: list[np.ndarray] = []
        self.looks: list[Look] = []
        self.limb = ""
        """What the grids from now on are part of."""
        self.limbs: list[str] = []
        self.count = 0

    def grid(self, points: Array, look: Look) -> None:
        """(P, M, N, 3) points; its front is where cross(along N, along M) points."""
        poses, rows, columns = points.shape[:3]
        self.points.append(points.reshape(poses, -1, 3))
        self.normals.append(grid_normals(points).reshape(poses, -1, 3))
        self.uvs.append(grid_uvs(points[0]).reshape(-1, 2))
        self.faces.append(grid_triangles(rows, columns) + self.count)
        self.looks.append(look)
        self.limbs.append(self.limb)
        self.count += rows * columns

    def triangle_limbs(self) -> list[str]:
        """What each triangle of `meshes` is part of."""
        limbs = [limb for limb, part in zip(self.limbs, self.faces, strict=True) for _ in part]
        return [limb for limb, kept in zip(limbs, self._kept().tolist(), strict=True) if kept]

    def _kept(self) -> np.ndarray:
        """(T,) whether a triangle has an area in the first pose."""
        corners = np.concatenate(self.points, 1)[0][np.concatenate(self.faces)]
        return np.abs(cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])).max(-1) > 1e-9

    def meshes(self, tag: Tag) -> list[Mesh]:
        """One mesh a pose; all but vertices and normals is shared between them."""
        points, normals = np.concatenate(self.points, 1), np.concatenate(self.normals, 1)
        faces = np.concatenate(self.faces)
        sizes = [len(part) for part in self.faces]
        kept = self._kept()
        materials = np.repeat([look.material for look in self.looks], sizes).astype(np.uint8)[kept]
        colours = np.concatenate(
            [
                np.broadcast_to(look.colour, (part.shape[1], 3))
                for look, part in zip(self.looks, self.points, strict=True)
            ]
        ).astype(np.float32)
        uvs = np.concatenate(self.uvs).astype(np.float32)
        triangles = np.ascontiguousarray(faces[kept], np.int32)
        tags, objects = np.full(len(triangles), tag, np.uint8), np.zeros(len(triangles), np.int32)
        return [
            Mesh(
                np.ascontiguousarray(points[pose], np.float32),
                np.ascontiguousarray(normals[pose], np.float32),
                uvs,
                colours,
                triangles,
                tags,
                materials,
                objects,
            )
            for pose in range(len(points))
        ]


def swing_bone(angle_deg: Array, length: float) -> Array:
    """(P, 3): a bone that hangs down, swung forward."""
    angle = np.radians(angle_deg)
    return length * np.stack([np.sin(angle), np.zeros_like(angle), -np.cos(angle)], -1)


def round_tube(path: Array, radii: Array, segments: int, squash: float = 1.0) -> Array:
    """(P, K, segments + 1, 3): rings round (P, K, 3) paths; `squash` narrows them along y."""
    tangents = np.gradient(path, axis=1)
    tangents /= np.maximum(np.linalg.norm(tangents, axis=-1, keepdims=True), 1e-9)
    side = np.broadcast_to(np.array([0.0, 1.0, 0.0]), tangents.shape)
    side = side - (side * tangents).sum(-1, keepdims=True) * tangents
    side /= np.maximum(np.linalg.norm(side, axis=-1, keepdims=True), 1e-9)
    front = cross(side, tangents)
    angles = 2 * np.pi * np.arange(segments + 1) / segments
    cos, sin = np.cos(angles)[:, None], np.sin(angles)[:, None]
    ring = squash * cos * side[..., None, :] + sin * front[..., None, :]
    return path[..., None, :] + radii[..., None, None] * ring


def between(a: Array, b: Array, shares: tuple[float, ...]) -> list[Array]:
    """Points on the way from a to b."""
    return [a + share * (b - a) for share in shares]
