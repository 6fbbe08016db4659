"""Where rays hit the town and what moves in it: for lidar, radar and ray casts, and as a check of the rasteriser."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from sim_agent.embedded.pose import Array
from sim_agent.embedded.render.bvh import DEEPEST, Tree, build_tree, facing_cosine, nearest
from sim_agent.embedded.render.kernel import kernel
from sim_agent.embedded.render.placing import matrices_of
from sim_agent.embedded.scene import Bytes, Ints, Mesh, Mover


class Hits(NamedTuple):
    """What rays met first."""

    distance_m: Array
    """(N,) float64; inf where nothing was hit."""
    tag: Bytes
    """(N,) uint8 `Tag`; 0 where nothing was hit."""
    object_id: Ints
    """(N,) int32; 0 where nothing was hit."""
    normal_cos: Array
    """(N,) float64 cosine between ray and surface normal, 0 to 1: semantic lidar's CosAngle."""


@kernel
def _cast(
    tree: Tree,
    hidden: Bytes,
    tags: Bytes,
    objects: Ints,
    fixed_object: int,
    to_world: Array,
    middle: Array,
    radius: float,
    origins: Array,
    directions: Array,
    distance: Array,
    tag: Bytes,
    object_id: Ints,
    cosine: Array,
) -> None:
    """Improves hits by those on one tree that stands at `to_world` (3, 4); fixed_object > 0 names all its triangles."""
    stack = np.empty(2 * DEEPEST + 4, np.int32)
    origin, direction = np.empty(3), np.empty(3)
    for n in range(origins.shape[0]):
        along = 0.0
        squared = 0.0
        for c in range(3):
            away = middle[c] - origins[n, c]
            along += away * directions[n, c]
            squared += away * away
        beside = squared - along * along
        if beside > radius * radius or along + radius < 0.0 or along - radius > distance[n]:
            continue
        for c in range(3):
            origin[c] = direction[c] = 0.0
            for r in range(3):
                origin[c] += to_world[r, c] * (origins[n, r] - to_world[r, 3])
                direction[c] += to_world[r, c] * directions[n, r]
        reached, triangle = nearest(tree, hidden, origin, direction, distance[n], stack)
        if triangle >= 0:
            distance[n] = reached
            tag[n] = tags[triangle]
            object_id[n] = fixed_object if fixed_object > 0 else objects[triangle]
            cosine[n] = facing_cosine(tree, triangle, direction)


class _Target(NamedTuple):
    tree: Tree
    tags: Bytes
    objects: Ints
    hidden: Bytes
    middle_m: Array
    radius_m: float

    def cast(self, to_world: Array, fixed_object: int, origins: Array, directions: Array, hits: Hits) -> None:
        """Improves hits by those on this mesh where it stands."""
        middle = to_world[:, :3] @ self.middle_m + to_world[:, 3]
        _cast(
            self.tree,
            self.hidden,
            self.tags,
            self.objects,
            fixed_object,
            np.ascontiguousarray(to_world),
            middle,
            self.radius_m,
            origins,
            directions,
            hits.distance_m,
            hits.tag,
            hits.object_id,
            hits.normal_cos,
        )


def _target(mesh: Mesh) -> _Target:
    tree = build_tree(mesh.vertices, mesh.triangles, mesh.materials)
    # Copies: numba would compile the kernels anew for a town's read-only arrays.
    tags, objects = np.array(mesh.tags), np.array(mesh.objects)
    if not len(mesh.vertices):
        return _Target(tree, tags, objects, np.zeros(0, np.uint8), np.zeros(3), 0.0)
    low, high = mesh.vertices.min(axis=0).astype(np.float64), mesh.vertices.max(axis=0).astype(np.float64)
    radius = float(np.linalg.norm(high - low) / 2) + 1e-3
    return _Target(tree, tags, objects, np.zeros(len(mesh.tags), np.uint8), (low + high) / 2, radius)


class RayCaster:
    """Exact ray casting against one town; independent of the rasteriser but for the meshes."""

    def __init__(self, static: Mesh, models: Mapping[str, Mesh]) -> None:
        self._town = _target(static)
        self._model_meshes = models
        self._models: dict[str, _Target] = {}

    def set_hidden(self, object_ids: Iterable[int]) -> None:
        """From now on rays pass through exactly these objects of the town."""
        self._town.hidden[:] = np.isin(self._town.objects, np.array(sorted(object_ids), np.int32))

    def cast(
        self,
        origins: npt.ArrayLike,
        directions: npt.ArrayLike,
        max_m: float,
        movers: Sequence[Mover] = (),
    ) -> Hits:
        """The first front face (LEAF: either face) that each ray meets within `max_m` metres.

        origins: (N, 3) or (3,) metres. directions: (N, 3), of any length but 0.
        Raises ValueError for directions of length 0 and movers whose model is unknown.
        """
        towards = np.array(directions, np.float64).reshape(-1, 3)
        length = np.linalg.norm(towards, axis=1, keepdims=True)
        if not np.all(length > 0.0):
            raise ValueError("a ray has the direction (0, 0, 0); give each ray a direction of some length")
        towards /= length
        starts = np.ascontiguousarray(np.broadcast_to(np.asarray(origins, np.float64), towards.shape))
        count = len(towards)
        distance = np.full(count, float(max_m))
        tag, object_id, cosine = np.zeros(count, np.uint8), np.zeros(count, np.int32), np.full(count, -1.0)
        hits = Hits(distance, tag, object_id, cosine)
        self._town.cast(np.eye(4)[:3], 0, starts, towards, hits)
        for mover, matrix in zip(movers, matrices_of([mover.pose for mover in movers]), strict=True):
            if mover.model not in self._model_meshes:
                raise ValueError(
                    f"mover {mover.object_id} has the unknown model {mover.model!r}; give models that exist"
                )
            if mover.model not in self._models:
                self._models[mover.model] = _target(self._model_meshes[mover.model])
            self._models[mover.model].cast(matrix, mover.object_id, starts, towards, hits)
        distance[cosine < 0.0] = np.inf
        cosine[cosine < 0.0] = 0.0
        return hits
