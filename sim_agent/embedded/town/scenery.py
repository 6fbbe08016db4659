"""Collects a town's triangles object after object, and the list of the objects with their boxes."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from sim_agent.embedded.pose import Pose
from sim_agent.embedded.scene import Box, Mesh, MeshBuilder, StaticObject, Tag
from sim_agent.embedded.town.geometry import Array


class _Entry(NamedTuple):
    name: str
    tag: Tag
    pose: Pose
    solid: bool
    box: Box | None


@dataclass
class Scenery:
    """A mesh in the making. Call `open` before the pieces of each object."""

    builder: MeshBuilder = field(default_factory=MeshBuilder)
    entries: list[_Entry] = field(default_factory=list)

    def open(self, name: str, tag: Tag, pose: Pose, solid: bool = False, box: Box | None = None) -> int:
        """A new object, to which the pieces belong from now on; its id.

        Without a box it gets the smallest one around its triangles that is turned as `pose`.
        """
        self.entries.append(_Entry(f"{name}_{len(self.entries) + 1}", tag, pose, solid, box))
        self.builder.object_id = len(self.entries)
        return len(self.entries)

    def finish(self) -> tuple[Mesh, tuple[StaticObject, ...]]:
        """The mesh, its arrays read-only, and its objects in the order of their ids."""
        mesh = self.builder.build()
        np.clip(mesh.colours, 0.0, 1.0, out=mesh.colours)
        freeze(mesh)
        objects = []
        order = np.argsort(mesh.objects, kind="stable")
        starts = np.searchsorted(mesh.objects[order], np.arange(1, len(self.entries) + 2))
        for k, entry in enumerate(self.entries):
            box = entry.box
            if box is None:
                corners = mesh.triangles[order[starts[k] : starts[k + 1]]].ravel()
                box = _box_around(mesh.vertices[corners].astype(np.float64), entry.pose)
            objects.append(StaticObject(k + 1, entry.name, entry.tag, entry.pose, box, entry.solid))
        return mesh, tuple(objects)


def freeze(mesh: Mesh) -> None:
    """Make its arrays read-only."""
    for floats in (mesh.vertices, mesh.normals, mesh.uvs, mesh.colours):
        floats.flags.writeable = False
    for numbers in (mesh.triangles, mesh.tags, mesh.materials, mesh.objects):
        numbers.flags.writeable = False


def _box_around(points: Array, pose: Pose) -> Box:
    c, s = math.cos(math.radians(pose.yaw_deg)), math.sin(math.radians(pose.yaw_deg))
    forward = points[:, 0] * c + points[:, 1] * s
    right = points[:, 1] * c - points[:, 0] * s
    local = np.stack([forward, right, points[:, 2]], -1)
    low, high = local.min(0), local.max(0)
    middle, half = (low + high) / 2.0, (high - low) / 2.0
    x, y = middle[0] * c - middle[1] * s, middle[0] * s + middle[1] * c
    return Box(Pose(float(x), float(y), float(middle[2]), 0.0, pose.yaw_deg, 0.0), tuple(map(float, half)))  # type: ignore[arg-type]
