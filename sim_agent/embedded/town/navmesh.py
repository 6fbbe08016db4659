"""Polygons in the binary form of Detour's navigation meshes, in the container that CARLA's client loads.

One tile holds the town. Layouts: Detour 7 (DetourNavMesh.h: dtMeshHeader, dtPoly, dtPolyDetail, dtBVNode), and LibCarla's
nav/Navigation.cpp (NavMeshSetHeader, NavMeshTileHeader); its axes are x, up, y.
"""

from __future__ import annotations

import struct

import numpy as np
import numpy.typing as npt

from sim_agent.embedded.town.hills import Hills
from sim_agent.embedded.town.walkways import Walkways

_CONTAINER = struct.Struct("<iii3fffii")
_TILE = struct.Struct("<Ii")
_HEADER = struct.Struct("<15i3f6ff")
_SET_MAGIC = int.from_bytes(b"MSET", "big")
_TILE_MAGIC = int.from_bytes(b"DNAV", "big")
_WALKER_M = (1.8, 0.3, 0.4)
"""Height, radius and highest step of a walker."""
_CELL_M = 0.25
"""Resolution of the bounding boxes in the search tree."""
MAX_VERTICES = 65535

_POLYGON = np.dtype(
    [
        ("link", "<u4"),
        ("vertices", "<u2", 6),
        ("neighbours", "<u2", 6),
        ("flags", "<u2"),
        ("count", "u1"),
        ("area", "u1"),
    ]
)
_DETAIL = np.dtype([("vertex", "<u4"), ("triangle", "<u4"), ("vertices", "u1"), ("triangles", "u1"), ("pad", "<u2")])
_NODE = np.dtype([("low", "<u2", 3), ("high", "<u2", 3), ("index", "<i4")])


def write_navmesh(ways: Walkways, hills: Hills | None = None) -> bytes:
    """The file's bytes; with hills, lifted onto them.

    Raises:
        ValueError: for more vertices than Detour's 16 bits count.
    """
    if len(ways.vertices) > MAX_VERTICES:
        raise ValueError(
            f"{len(ways.vertices)} vertices of walkways, a navmesh tile holds {MAX_VERTICES}: make the town smaller"
        )
    places = np.array(ways.vertices)
    if hills is not None:
        places[:, 2] += hills.at(places[:, :2])
    points = places.astype(np.float32)[:, [0, 2, 1]]
    polygons = np.zeros(len(ways.polygons), _POLYGON)
    details = np.zeros(len(polygons), _DETAIL)
    triangles: list[tuple[int, int, int, int]] = []
    lows, highs = np.empty((len(polygons), 3)), np.empty((len(polygons), 3))
    for k, (loop, beyond) in enumerate(zip(ways.polygons, ways.neighbours(), strict=True)):
        row = polygons[k]
        row["vertices"][: len(loop)] = loop
        row["neighbours"][: len(loop)] = [other + 1 for other in beyond]
        row["flags"] = 1 << ways.areas[k]
        row["count"] = len(loop)
        row["area"] = ways.areas[k]
        details[k] = (0, len(triangles), 0, len(loop) - 2, 0)
        # Two bits for each edge of a triangle say whether it lies on the polygon's border.
        triangles.extend(
            (0, i, i + 1, 4 | (1 if i == 1 else 0) | (16 if i == len(loop) - 2 else 0)) for i in range(1, len(loop) - 1)
        )
        corners = points[list(loop)]
        lows[k], highs[k] = corners.min(0), corners.max(0)
    low = points.min(0).astype(np.float64) - [0.0, 1.0, 0.0]
    high = points.max(0).astype(np.float64) + [0.0, 2.0, 0.0]
    nodes = _search_tree(lows, highs, low)
    links = int(polygons["count"].sum())
    header = _HEADER.pack(
        _TILE_MAGIC, 7, 0, 0, 0, 0, len(polygons), len(points), links, len(polygons), 0, len(triangles), len(nodes), 0,
        len(polygons), *_WALKER_M, *low, *high, 1.0 / _CELL_M,
    )  # fmt: skip
    tile = b"".join(
        [
            header,
            points.tobytes(),
            polygons.tobytes(),
            bytes(12 * links),
            details.tobytes(),
            np.array(triangles, np.uint8).tobytes(),
            nodes.tobytes(),
        ]
    )
    bits = max(1, (len(polygons) - 1).bit_length())
    size = high - low + 1.0
    front = _CONTAINER.pack(_SET_MAGIC, 1, 1, *low, size[0], size[2], 1, 1 << bits)
    return front + _TILE.pack(1 << bits, len(tile)) + tile


def _search_tree(
    lows: npt.NDArray[np.float64], highs: npt.NDArray[np.float64], origin: npt.NDArray[np.float64]
) -> npt.NDArray[np.void]:
    """Detour's bounding volume tree, depth first: a leaf holds its polygon's number, a branch minus its subtree's size."""
    first = np.clip((lows - origin) / _CELL_M - 1.0, 0, 65535).astype(np.uint16)
    last = np.clip((highs - origin) / _CELL_M + 1.0, 0, 65535).astype(np.uint16)
    middle = (first.astype(np.int64) + last) // 2
    order = np.argsort(_interleaved(middle[:, 0]) | _interleaved(middle[:, 2]) << 1, kind="stable")
    starts, sizes = [], []
    todo = [(0, len(order))]
    while todo:
        start, size = todo.pop()
        starts.append(start)
        sizes.append(size)
        if size > 1:
            half = size // 2
            todo += [(start + half, size - half), (start, half)]
    nodes = np.zeros(len(starts), _NODE)
    begin, count = np.array(starts), np.array(sizes)
    # reduceat also reduces from each range's end to the next start: every second result is what is wanted. The
    # sentinel row lets a range end at the end.
    cuts = np.column_stack([begin, begin + count]).ravel()
    for name, corner, reduce in (("low", first, np.minimum), ("high", last, np.maximum)):
        padded = np.concatenate([corner[order], corner[order[-1:]]])
        nodes[name] = reduce.reduceat(padded, cuts, axis=0)[::2]
    nodes["index"] = np.where(count == 1, order[begin], 1 - 2 * count)
    return nodes


def _interleaved(values: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """16 bits with a gap after each, for the order of a Z curve, along which neighbours stay together."""
    spread = values & 0xFFFF
    for shift, mask in ((8, 0x00FF00FF), (4, 0x0F0F0F0F), (2, 0x33333333), (1, 0x55555555)):
        spread = (spread | spread << shift) & mask
    return spread
