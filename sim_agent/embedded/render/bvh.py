"""A tree of boxes over triangles, and the nearest front face along a ray."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from sim_agent.embedded.pose import Array
from sim_agent.embedded.render.kernel import f4, kernel
from sim_agent.embedded.scene import Bytes, Floats, Ints, Material

LEAF_SIZE, BINS, DEEPEST = 4, 16, 64
_LEAF_MATERIAL = int(Material.LEAF)


class Tree(NamedTuple):
    """Bounding volume hierarchy, split by surface area (Wald, On fast construction of SAH-based BVHs, RT 2007)."""

    boxes: Floats
    """(N, 6) low and high corner of each node, a little too large."""
    links: Ints
    """(N, 2) inner node: its first child (the second follows) and 0; leaf: its first place in `order`, its triangles."""
    order: Ints
    """(T,) triangle numbers, leaf by leaf."""
    corners: Floats
    """(T, 3, 3) metres, in the mesh's own numbering."""
    two_sided: Bytes
    """(T,) 1 where both sides are hit."""


@kernel
def _build(corners: Floats, boxes: Floats, links: Ints, order: Ints) -> int:
    count = corners.shape[0]
    centres = np.empty((count, 3), np.float32)
    lows, highs = np.empty((count, 3), np.float32), np.empty((count, 3), np.float32)
    for t in range(count):
        order[t] = t
        for c in range(3):
            lows[t, c] = min(corners[t, 0, c], corners[t, 1, c], corners[t, 2, c])
            highs[t, c] = max(corners[t, 0, c], corners[t, 1, c], corners[t, 2, c])
            centres[t, c] = (lows[t, c] + highs[t, c]) * f4(0.5)
    stack = np.empty((4 * DEEPEST, 4), np.int64)
    stack[0, 0], stack[0, 1], stack[0, 2], stack[0, 3] = 0, 0, count, 0
    waiting, nodes = 1, 1
    bin_count = np.empty(BINS, np.int64)
    bin_low, bin_high = np.empty((BINS, 3), np.float32), np.empty((BINS, 3), np.float32)
    right_area = np.empty(BINS, np.float32)
    low, high = np.empty(3, np.float32), np.empty(3, np.float32)
    first_centre, last_centre = np.empty(3, np.float32), np.empty(3, np.float32)
    while waiting > 0:
        waiting -= 1
        node, start, end, depth = stack[waiting, 0], stack[waiting, 1], stack[waiting, 2], stack[waiting, 3]
        for c in range(3):
            low[c], high[c], first_centre[c], last_centre[c] = f4(1e30), f4(-1e30), f4(1e30), f4(-1e30)
            for k in range(start, end):
                t = order[k]
                low[c], high[c] = min(low[c], lows[t, c]), max(high[c], highs[t, c])
                first_centre[c] = min(first_centre[c], centres[t, c])
                last_centre[c] = max(last_centre[c], centres[t, c])
            slack = f4(1e-5) * (f4(1) + max(abs(low[c]), abs(high[c])))
            boxes[node, c], boxes[node, 3 + c] = low[c] - slack, high[c] + slack
        axis = 0
        for c in range(1, 3):
            if last_centre[c] - first_centre[c] > last_centre[axis] - first_centre[axis]:
                axis = c
        extent = last_centre[axis] - first_centre[axis]
        if end - start <= LEAF_SIZE or extent <= f4(0) or depth >= DEEPEST - 1:
            links[node, 0], links[node, 1] = start, end - start
            continue
        per_bin = f4(BINS) * f4(0.9999) / extent
        for b in range(BINS):
            bin_count[b] = 0
            for c in range(3):
                bin_low[b, c], bin_high[b, c] = f4(1e30), f4(-1e30)
        for k in range(start, end):
            t = order[k]
            b = int((centres[t, axis] - first_centre[axis]) * per_bin)
            bin_count[b] += 1
            for c in range(3):
                bin_low[b, c] = min(bin_low[b, c], lows[t, c])
                bin_high[b, c] = max(bin_high[b, c], highs[t, c])
        for c in range(3):
            low[c], high[c] = f4(1e30), f4(-1e30)
        beyond = 0
        for b in range(BINS - 1, 0, -1):
            beyond += bin_count[b]
            for c in range(3):
                low[c], high[c] = min(low[c], bin_low[b, c]), max(high[c], bin_high[b, c])
            x, y, z = high[0] - low[0], high[1] - low[1], high[2] - low[2]
            right_area[b] = (x * y + y * z + z * x) * f4(beyond) if beyond > 0 else f4(0)
        for c in range(3):
            low[c], high[c] = f4(1e30), f4(-1e30)
        best, cheapest, before = 1, f4(1e30), 0
        for b in range(BINS - 1):
            before += bin_count[b]
            for c in range(3):
                low[c], high[c] = min(low[c], bin_low[b, c]), max(high[c], bin_high[b, c])
            if before > 0 and before < end - start:
                x, y, z = high[0] - low[0], high[1] - low[1], high[2] - low[2]
                cost = (x * y + y * z + z * x) * f4(before) + right_area[b + 1]
                if cost < cheapest:
                    best, cheapest = b + 1, cost
        left, right = start, end - 1
        while left <= right:
            t = order[left]
            if int((centres[t, axis] - first_centre[axis]) * per_bin) < best:
                left += 1
            else:
                order[left], order[right] = order[right], t
                right -= 1
        if left == start or left == end:
            left = (start + end) // 2
        links[node, 0], links[node, 1] = nodes, 0
        stack[waiting, 0], stack[waiting, 1], stack[waiting, 2], stack[waiting, 3] = nodes, start, left, depth + 1
        waiting += 1
        stack[waiting, 0], stack[waiting, 1], stack[waiting, 2], stack[waiting, 3] = nodes + 1, left, end, depth + 1
        waiting += 1
        nodes += 2
    return nodes


def build_tree(vertices: Floats, triangles: Ints, materials: Bytes) -> Tree:
    """Over all triangles of a mesh; an empty mesh gives a tree that nothing hits."""
    corners = np.ascontiguousarray(vertices[triangles])
    boxes = np.full((2 * max(len(corners), 1), 6), np.nan, np.float32)
    links = np.zeros((len(boxes), 2), np.int32)
    order = np.empty(len(corners), np.int32)
    if len(corners):
        nodes = _build(corners, boxes, links, order)
    else:
        boxes[0], nodes = (1e30, 1e30, 1e30, 1e30, 1e30, 1e30), 1
    return Tree(
        boxes[:nodes].copy(), links[:nodes].copy(), order, corners, (materials == _LEAF_MATERIAL).astype(np.uint8)
    )


@kernel
def nearest(tree: Tree, hidden: Bytes, origin: Array, direction: Array, limit: float, stack: Ints) -> tuple[float, int]:
    """Distance and number of the first front face along a unit direction within `limit`; `limit` and -1 without one.

    The intersection is Moeller and Trumbore's (1997), in float64.
    """
    ox, oy, oz = origin[0], origin[1], origin[2]
    dx, dy, dz = direction[0], direction[1], direction[2]
    # No infinities: the compiler may assume that there are none.
    ix = 1.0 / dx if abs(dx) > 1e-12 else 1e12
    iy = 1.0 / dy if abs(dy) > 1e-12 else 1e12
    iz = 1.0 / dz if abs(dz) > 1e-12 else 1e12
    best, found = limit, -1
    stack[0] = 0
    waiting = 1
    while waiting > 0:
        waiting -= 1
        node = stack[waiting]
        b = tree.boxes[node]
        x0, x1 = (b[0] - ox) * ix, (b[3] - ox) * ix
        y0, y1 = (b[1] - oy) * iy, (b[4] - oy) * iy
        z0, z1 = (b[2] - oz) * iz, (b[5] - oz) * iz
        enter = max(min(x0, x1), min(y0, y1), min(z0, z1))
        leave = min(max(x0, x1), max(y0, y1), max(z0, z1))
        if leave < 0.0 or enter > leave or enter > best:
            continue
        first, count = tree.links[node, 0], tree.links[node, 1]
        if count == 0:
            # The child on the ray's side is looked into first.
            p, q = tree.boxes[first], tree.boxes[first + 1]
            along = (p[0] + p[3] - q[0] - q[3]) * dx + (p[1] + p[4] - q[1] - q[4]) * dy
            along += (p[2] + p[5] - q[2] - q[5]) * dz
            nearer = 0 if along < 0.0 else 1
            stack[waiting] = first + 1 - nearer
            stack[waiting + 1] = first + nearer
            waiting += 2
            continue
        for k in range(first, first + count):
            t = tree.order[k]
            if hidden[t]:
                continue
            a = tree.corners[t]
            ax, ay, az = float(a[0, 0]), float(a[0, 1]), float(a[0, 2])
            ux, uy, uz = a[1, 0] - ax, a[1, 1] - ay, a[1, 2] - az
            vx, vy, vz = a[2, 0] - ax, a[2, 1] - ay, a[2, 2] - az
            px, py, pz = dy * vz - dz * vy, dz * vx - dx * vz, dx * vy - dy * vx
            determinant = ux * px + uy * py + uz * pz
            # Positive where the ray meets the front: cross(u, v) points against it.
            if determinant < 1e-14 and not (tree.two_sided[t] and determinant < -1e-14):
                continue
            inverse = 1.0 / determinant
            sx, sy, sz = ox - ax, oy - ay, oz - az
            b1 = (sx * px + sy * py + sz * pz) * inverse
            if b1 < 0.0 or b1 > 1.0:
                continue
            qx, qy, qz = sy * uz - sz * uy, sz * ux - sx * uz, sx * uy - sy * ux
            b2 = (dx * qx + dy * qy + dz * qz) * inverse
            if b2 < 0.0 or b1 + b2 > 1.0:
                continue
            distance = (vx * qx + vy * qy + vz * qz) * inverse
            if 0.0 < distance < best:
                best, found = distance, t
    return best, found


@kernel
def facing_cosine(tree: Tree, triangle: int, direction: Array) -> float:
    """How squarely a unit direction meets a triangle: 1 head-on, 0 along it."""
    a = tree.corners[triangle]
    ax, ay, az = float(a[0, 0]), float(a[0, 1]), float(a[0, 2])
    ux, uy, uz = a[1, 0] - ax, a[1, 1] - ay, a[1, 2] - az
    vx, vy, vz = a[2, 0] - ax, a[2, 1] - ay, a[2, 2] - az
    nx, ny, nz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
    length = math.sqrt(nx * nx + ny * ny + nz * nz)
    return abs(nx * direction[0] + ny * direction[1] + nz * direction[2]) / max(length, 1e-30)
