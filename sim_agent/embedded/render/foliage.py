"""Coarser foliage for what is far away: fewer and larger leaves, which cover as much in the same colours.

Stochastic simplification (Cook, Halstead, Planck and Ryu, SIGGRAPH 2007): what consists of very many small pieces looks
the same from afar when some of them are left out and the others grow by as much. Tags and objects stay what they were.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sim_agent.embedded.scene import Floats, Material, Mesh

Numbers = npt.NDArray[np.int64]

FEWER = 3
"""Leaves of one level for each of the next: a spray has three."""

COARSE_LEVELS = 3
"""Beside the whole foliage."""


def find_leaves(mesh: Mesh) -> npt.NDArray[np.bool_]:
    """(T,) which triangles are leaves: of that material, and joined to no other triangle."""
    uses = np.bincount(mesh.triangles.ravel(), minlength=len(mesh.vertices))
    return (mesh.materials == Material.LEAF) & (uses[mesh.triangles] == 1).all(axis=1)


def find_shells(mesh: Mesh, leaves: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """(T,) which triangles are the closed insides of crowns, whose far sides nobody sees.

    A shell may have several vertices at one place: what counts is where the edges lie, to 2 mm.
    """
    shells = np.zeros(len(mesh.triangles), bool)
    others = np.flatnonzero((mesh.materials == Material.LEAF) & ~leaves)
    if not len(others):
        return shells
    corners = mesh.vertices[mesh.triangles[others]].astype(np.float64)
    steps = np.rint((corners - corners.min(axis=(0, 1))) * 500.0).astype(np.int64)
    _, places = np.unique((steps[..., 0] << 42) + (steps[..., 1] << 21) + steps[..., 2], return_inverse=True)
    a = places.reshape(-1, 3)
    b = np.roll(a, -1, axis=1)
    most = a.max() + 1
    edges, counts = np.unique(a * most + b, return_counts=True)
    back = b * most + a
    found = np.minimum(np.searchsorted(edges, back), len(edges) - 1)
    # Each edge is run along once in each sense: closed, and turned the same way all over.
    paired = ((edges[found] == back) & (counts[found] == 1)).all(axis=1)
    objects = mesh.objects[others]
    open_objects = np.bincount(objects, weights=~paired)
    turned = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    outward_m3 = np.bincount(objects, weights=(turned * (corners[:, 0] - corners.mean(axis=(0, 1)))).sum(axis=1))
    shells[others] = (open_objects[objects] == 0) & (outward_m3[objects] > 0.0)
    return shells


def areas_of(mesh: Mesh) -> Floats:
    """(T,) square metres."""
    a, b, c = mesh.vertices[mesh.triangles].transpose(1, 0, 2)
    return np.linalg.norm(np.cross(b - a, c - a), axis=1).astype(np.float32) / np.float32(2)


def select(mesh: Mesh, members: Numbers) -> Mesh:
    """Some triangles of a mesh, with vertices of their own."""
    corners = mesh.triangles[members].ravel()
    return Mesh(
        mesh.vertices[corners],
        mesh.normals[corners],
        mesh.uvs[corners],
        mesh.colours[corners],
        np.arange(len(corners), dtype=np.int32).reshape(-1, 3),
        mesh.tags[members],
        mesh.materials[members],
        mesh.objects[members],
    )


def coarsen(leaves: Mesh, firsts: Numbers) -> tuple[Mesh, Numbers]:
    """The first of every FEWER leaves, as large as they are together, in their mean colour.

    leaves: as `select` makes them, cluster after cluster. firsts: (C,) where each cluster begins.
    The second result says the same of the coarser mesh. Leaves of different clusters or objects do not mix.
    """
    count = len(leaves.triangles)
    begins = np.zeros(count, bool)
    begins[firsts] = True
    begins[1:] |= leaves.objects[1:] != leaves.objects[:-1]
    stretch = np.flatnonzero(begins)
    place = np.arange(count) - np.repeat(stretch, np.diff(np.append(stretch, count)))
    kept = np.flatnonzero(place % FEWER == 0)
    areas = areas_of(leaves)
    growth = np.sqrt(np.add.reduceat(areas, kept) / np.maximum(areas[kept], 1e-6)).clip(1.0, 2.0 * FEWER**0.5)
    members = np.diff(np.append(kept, count))
    colours = np.add.reduceat(leaves.colours.reshape(-1, 3, 3).mean(axis=1), kept) / members[:, None]
    coarse = select(leaves, kept)
    corners = coarse.vertices.reshape(-1, 3, 3)
    middles = corners.mean(axis=1, keepdims=True)
    grown = middles + (corners - middles) * growth[:, None, None]
    mesh = Mesh(
        grown.reshape(-1, 3).astype(np.float32),
        coarse.normals,
        coarse.uvs,
        np.repeat(colours, 3, axis=0).astype(np.float32),
        coarse.triangles,
        coarse.tags,
        coarse.materials,
        coarse.objects,
    )
    return mesh, np.searchsorted(kept, firsts)
