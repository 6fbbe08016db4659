"""Which triangle each sample of the picture shows: projection, near clipping and scan conversion.

A visibility buffer (Burns and Hunt, JCGT 2013): per sample the inverse depth and the number of a span record,
nothing else; shading looks the rest up once for each pixel.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from sim_agent.embedded.pose import Array
from sim_agent.embedded.render.geometry import HIDDEN, SHELL
from sim_agent.embedded.render.kernel import f4, inline, kernel
from sim_agent.embedded.scene import Bytes, Floats, Ints, Material

NEAR_M = 0.1
"""What is nearer is cut off (the near plane of Unreal Engine 4, 10 cm)."""

TOLERANCE = 1.0 / 512.0
"""Pixels that every triangle is enlarged by, so that no sample falls between neighbours whose corners do not meet."""

TILE_PX = 8
"""Side of the squares of pixels of which `find_unhidden` knows the farthest sample."""

LINES, PLANE, BOUNDS = 8, 3, 4
_LEAF = int(Material.LEAF)
_RIGHT, _LEFT, _ABOVE, _BELOW, _NEAR = 1, 2, 4, 8, 16

Wide = Array
"""float64: where corners far outside of the picture would cost float32 its digits."""

Flags = npt.NDArray[np.bool_]


@inline
def _emit(
    columns: Wide,
    rows: Wide,
    inverses: Wide,
    a: int,
    b: int,
    c: int,
    two_sided: bool,
    size: Ints,
    offsets: Wide,
    lines: Wide,
    planes: Wide,
    bounds: Ints,
    n: int,
) -> int:
    """Writes the record of one projected triangle (x and y in pixels, 1 / depth); the next free record."""
    width, height, samples = size[0], size[1], size[2]
    x0, y0, i0 = columns[a], rows[a], inverses[a]
    x1, y1, i1 = columns[b], rows[b], inverses[b]
    x2, y2, i2 = columns[c], rows[c], inverses[c]
    area = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)
    if area < 0.0:
        if not two_sided:
            return n
        x1, x2, y1, y2, i1, i2, area = x2, x1, y2, y1, i2, i1, -area
    if area < 1e-12:
        return n
    low_x, high_x = min(x0, x1, x2) - TOLERANCE, max(x0, x1, x2) + TOLERANCE
    low_y, high_y = min(y0, y1, y2) - TOLERANCE, max(y0, y1, y2) + TOLERANCE
    if high_x < 0.0 or low_x > width or high_y < 0.0 or low_y > height:
        return n
    first_row = int(math.ceil(max(low_y, 0.0) * samples - 0.5))
    last_row = int(math.floor(min(high_y, float(height)) * samples - 0.5))
    if first_row > last_row:
        return n
    if last_row - first_row < samples and high_x - low_x < 1.0:
        # Most of what is this small lies between the samples.
        sample, hit = first_row % samples, False
        for _ in range(first_row, last_row + 1):
            hit |= math.floor(high_x - offsets[sample, 0]) >= low_x - offsets[sample, 0]
            sample = sample + 1 if sample + 1 < samples else 0
        if not hit:
            return n
    bounds[n, 0] = first_row
    bounds[n, 1] = last_row
    bounds[n, 2] = int(max(low_x, 0.0))
    bounds[n, 3] = int(min(high_x, width - 1.0))
    lines[n, 0] = lines[n, 2] = lines[n, 4] = lines[n, 6] = 0.0
    lines[n, 1] = lines[n, 3] = low_x
    lines[n, 5] = lines[n, 7] = high_x
    left, right = 0, 4
    for edge in range(3):
        if edge == 0:
            px, py, qx, qy = x0, y0, x1, y1
        elif edge == 1:
            px, py, qx, qy = x1, y1, x2, y2
        else:
            px, py, qx, qy = x2, y2, x0, y0
        if qy != py:
            slope = (qx - px) / (qy - py)
            wider = TOLERANCE * (1.0 + abs(slope))
            if qy > py:
                lines[n, right] = slope
                lines[n, right + 1] = px - slope * py + wider
                right += 2
            else:
                lines[n, left] = slope
                lines[n, left + 1] = px - slope * py - wider
                left += 2
    d1, d2 = i1 - i0, i2 - i0
    gx = (d1 * (y2 - y0) - d2 * (y1 - y0)) / area
    gy = (d2 * (x1 - x0) - d1 * (x2 - x0)) / area
    planes[n, 0] = gx
    planes[n, 1] = gy
    planes[n, 2] = i0 - gx * x0 - gy * y0
    return n + 1


@kernel
def project(
    items: Ints,
    frames: Wide,
    vertices: Floats,
    triangles: Ints,
    materials: Bytes,
    states: Bytes,
    size: Ints,
    offsets: Wide,
    clip: Wide,
    codes: Bytes,
    corners: Wide,
    lines: Wide,
    planes: Wide,
    bounds: Ints,
    sources: Ints,
    first: int,
) -> int:
    """Span records of the front faces of `items`; the number of the next free record.

    items: (N, 5) first and end triangle, first and end vertex, instance.
    frames: (instances, 15) an origin to subtract, then 3x4 from there to depth, x and y with |x|, |y| <= depth in view.
    size: (3,) width, height, samples a pixel. offsets: (S, 2) x and y of each sample in its pixel.
    clip, codes, corners: scratch for the vertices of one item, plus 8.
    lines: (R, 8) slope and offset of two left and two right bounds. planes: (R, 3) inverse depth in pixel coordinates.
    bounds: (R, 4) first and last sample row, first and last column. sources: (R, 2) triangle, instance.
    """
    n = first
    half_width, half_height = size[0] * 0.5, size[1] * 0.5
    for k in range(items.shape[0]):
        start, base, instance = items[k, 0], items[k, 2], items[k, 4]
        count = items[k, 3] - base
        o0, o1, o2 = frames[instance, 0], frames[instance, 1], frames[instance, 2]
        m0, m1, m2, m3 = (
            frames[instance, 3],
            frames[instance, 4],
            frames[instance, 5],
            frames[instance, 6],
        )
        m4, m5, m6, m7 = (
            frames[instance, 7],
            frames[instance, 8],
            frames[instance, 9],
            frames[instance, 10],
        )
        m8, m9, m10 = frames[instance, 11], frames[instance, 12], frames[instance, 13]
        m11 = frames[instance, 14]
        xs, ys, zs = (
            vertices[0, base : base + count],
            vertices[1, base : base + count],
            vertices[2, base : base + count],
        )
        depths, rights, ups = clip[0], clip[1], clip[2]
        columns, rows, inverses = corners[0], corners[1], corners[2]
        for v in range(count):
            x, y, z = xs[v] - o0, ys[v] - o1, zs[v] - o2
            w = m0 * x + m1 * y + m2 * z + m3
            r = m4 * x + m5 * y + m6 * z + m7
            u = m8 * x + m9 * y + m10 * z + m11
            depths[v], rights[v], ups[v] = w, r, u
            near = w <= NEAR_M
            inverse = 1.0 / (1.0 if near else w)
            columns[v] = (1.0 + r * inverse) * half_width
            rows[v] = (1.0 - u * inverse) * half_height
            inverses[v] = inverse
            codes[v] = (
                (_RIGHT if r > w else 0)
                | (_LEFT if r < -w else 0)
                | (_ABOVE if u > w else 0)
                | (_BELOW if u < -w else 0)
                | (_NEAR if near else 0)
            )
        for t in range(start, items[k, 1]):
            a, b, c = (
                np.uint64(triangles[t, 0] - base),
                np.uint64(triangles[t, 1] - base),
                np.uint64(triangles[t, 2] - base),
            )
            ca, cb, cc = codes[a], codes[b], codes[c]
            if ca & cb & cc or states[t] & HIDDEN:
                continue
            before = n
            two_sided = materials[t] == _LEAF and states[t] & SHELL == 0
            if (ca | cb | cc) & _NEAR == 0:
                n = _emit(columns, rows, inverses, a, b, c, two_sided, size, offsets, lines, planes, bounds, n)
            else:
                cut = 0
                for edge in range(3):
                    p = a if edge == 0 else (b if edge == 1 else c)
                    q = b if edge == 0 else (c if edge == 1 else a)
                    wp, wq = clip[0, p], clip[0, q]
                    if wp > NEAR_M:
                        for j in range(3):
                            corners[j, count + cut] = corners[j, p]
                        cut += 1
                    if (wp > NEAR_M) != (wq > NEAR_M):
                        s = (NEAR_M - wp) / (wq - wp)
                        corners[0, count + cut] = (
                            1.0 + (clip[1, p] + s * (clip[1, q] - clip[1, p])) / NEAR_M
                        ) * half_width
                        corners[1, count + cut] = (
                            1.0 - (clip[2, p] + s * (clip[2, q] - clip[2, p])) / NEAR_M
                        ) * half_height
                        corners[2, count + cut] = 1.0 / NEAR_M
                        cut += 1
                o = np.uint64(count)
                for fan in range(cut - 2):
                    p, q = np.uint64(count + fan + 1), np.uint64(count + fan + 2)
                    n = _emit(columns, rows, inverses, o, p, q, two_sided, size, offsets, lines, planes, bounds, n)
            for record in range(before, n):
                sources[record, 0] = t
                sources[record, 1] = instance
    return n


@kernel
def sort_into_bands(bounds: Ints, chunks: Ints, band_rows: int, starts: Ints, members: Ints) -> int:
    """Lists, band after band, the records that have sample rows in it; how many entries that takes.

    chunks: (C, 2) first and end record of each stretch. band_rows: sample rows of a band.
    starts: (bands + 1,) where each band's list begins. members: (M,) overwritten; if M is too small only starts is right.
    """
    bands = starts.shape[0] - 1
    for band in range(bands + 1):
        starts[band] = 0
    for chunk in range(chunks.shape[0]):
        for n in range(chunks[chunk, 0], chunks[chunk, 1]):
            for band in range(bounds[n, 0] // band_rows, bounds[n, 1] // band_rows + 1):
                starts[band + 1] += 1
    for band in range(bands):
        starts[band + 1] += starts[band]
    total = int(starts[bands])
    if total <= members.shape[0]:
        filled = np.zeros(bands, np.int32)
        for chunk in range(chunks.shape[0]):
            for n in range(chunks[chunk, 0], chunks[chunk, 1]):
                for band in range(bounds[n, 0] // band_rows, bounds[n, 1] // band_rows + 1):
                    members[starts[band] + filled[band]] = n
                    filled[band] += 1
    return total


@kernel
def scan(
    lines: Wide,
    planes: Wide,
    bounds: Ints,
    members: Ints,
    offsets: Wide,
    first_row: int,
    end_row: int,
    inverse_depth: Floats,
    records: Ints,
) -> None:
    """Draws the records `members` into the sample rows `first_row` to `end_row` of the picture.

    offsets: (S, 2) x and y of each sample in its pixel.
    inverse_depth, records: (rows, width), 0 and -1 where nothing has been drawn yet.
    """
    samples = offsets.shape[0]
    width = records.shape[1]
    depths, ours = inverse_depth.reshape(-1), records.reshape(-1)
    for member in range(members.shape[0]):
        n = members[member]
        top, bottom = max(bounds[n, 0], first_row), min(bounds[n, 1], end_row - 1)
        low, high = bounds[n, 2], bounds[n, 3]
        l0, l1, l2, l3 = lines[n, 0], lines[n, 1], lines[n, 2], lines[n, 3]
        r0, r1, r2, r3 = lines[n, 4], lines[n, 5], lines[n, 6], lines[n, 7]
        gx, gy, gc = planes[n, 0], planes[n, 1], planes[n, 2]
        pixel_row = top // samples
        sample = top - pixel_row * samples
        for row in range(top, bottom + 1):
            x_offset = offsets[sample, 0]
            y = pixel_row + offsets[sample, 1]
            start = max(l0 * y + l1, l2 * y + l3) - x_offset
            end = min(r0 * y + r1, r2 * y + r3) - x_offset
            if start <= high and end >= low and start <= end:
                first = max(int(math.ceil(max(start, 0.0))), low)
                last = int(math.floor(min(end, float(high))))
                value = gx * (first + x_offset) + gy * y + gc
                if first <= last:
                    # Unsigned, or each access would ask whether the index counts from the end.
                    here = np.uint64((row - first_row) * width + first)
                    for at in range(here, here + np.uint64(last + 1 - first)):
                        inverse = f4(value)
                        if inverse > depths[at]:
                            depths[at] = inverse
                            ours[at] = n
                        value += gx
            sample += 1
            if sample == samples:
                sample = 0
                pixel_row += 1


@kernel
def farthest(inverse_depth: Floats, samples: int, tiles: Floats) -> None:
    """The least inverse depth of a band's samples in each tile; tiles: (rows, columns), overwritten."""
    for row in range(tiles.shape[0]):
        for column in range(tiles.shape[1]):
            tiles[row, column] = f4(1e30)
    width = inverse_depth.shape[1]
    for row in range(inverse_depth.shape[0]):
        line, depths = tiles[row // (samples * TILE_PX)], inverse_depth[row]
        for column in range(width // TILE_PX):
            least = line[column]
            for x in range(TILE_PX * column, TILE_PX * (column + 1)):
                least = min(least, depths[x])
            line[column] = least
        for x in range(width // TILE_PX * TILE_PX, width):
            line[x // TILE_PX] = min(line[x // TILE_PX], depths[x])


@kernel
def find_unhidden(low_m: Floats, high_m: Floats, frame: Wide, sides: Ints, tiles: Floats, found: Flags) -> None:
    """Whether some sample of the picture may show what is in a box: False is certain.

    low_m, high_m: (N, 3) corners in the world. frame: (15,) the town's, as of `project`.
    sides: (3,) width, height, rows of a band. tiles: (bands, rows, columns) of `farthest`. found: (N,), overwritten.
    """
    width, height, band_rows = float(sides[0]), float(sides[1]), int(sides[2])
    for n in range(low_m.shape[0]):
        nearest = 1e30
        left = top = 1e30
        right = bottom = -1e30
        for corner in range(8):
            x = (high_m[n, 0] if corner & 1 else low_m[n, 0]) - frame[0]
            y = (high_m[n, 1] if corner & 2 else low_m[n, 1]) - frame[1]
            z = (high_m[n, 2] if corner & 4 else low_m[n, 2]) - frame[2]
            w = frame[3] * x + frame[4] * y + frame[5] * z + frame[6]
            across = frame[7] * x + frame[8] * y + frame[9] * z + frame[10]
            up = frame[11] * x + frame[12] * y + frame[13] * z + frame[14]
            nearest = min(nearest, w)
            inverse = 1.0 / max(w, NEAR_M)
            left, right = min(left, across * inverse), max(right, across * inverse)
            top, bottom = min(top, -up * inverse), max(bottom, -up * inverse)
        found[n] = nearest <= NEAR_M
        if found[n]:
            continue
        # More than rounding and the triangles' TOLERANCE can move anything.
        limit = f4(1.0001 / nearest)
        first_x = int(min(max((1.0 + left) * 0.5 * width - 0.01, 0.0), width)) // TILE_PX
        last_x = int(min(max((1.0 + right) * 0.5 * width + 0.01, 0.0), width - 1.0)) // TILE_PX
        first_y = int(min(max((1.0 + top) * 0.5 * height - 0.01, 0.0), height))
        last_y = int(min(max((1.0 + bottom) * 0.5 * height + 0.01, 0.0), height - 1.0))
        for band in range(first_y // band_rows, last_y // band_rows + 1):
            begin = max(first_y - band * band_rows, 0) // TILE_PX
            end = min(last_y - band * band_rows, band_rows - 1) // TILE_PX
            for row in range(begin, end + 1):
                for column in range(first_x, last_x + 1):
                    if tiles[band, row, column] < limit:
                        found[n] = True


@kernel
def read_labels(
    inverse_depth: Floats,
    records: Ints,
    samples: int,
    centre: int,
    sources: Ints,
    tags: Bytes,
    objects: Ints,
    instance_objects: Ints,
    sky_tag: int,
    far_m: np.float32,
    tag: Bytes,
    instance: Ints,
    depth_m: Floats,
) -> None:
    """The labels and depth of the pixels of some rows from the sample number `centre` of each pixel."""
    for y in range(tag.shape[0]):
        row = y * samples + centre
        # Neighbours mostly show the same triangle.
        before, its_tag, its_object = -1, sky_tag, 0
        for x in range(tag.shape[1]):
            record = records[row, x]
            if record != before:
                before, its_tag, its_object = record, sky_tag, 0
                if record >= 0:
                    triangle, mover = sources[record, 0], sources[record, 1]
                    its_tag = tags[triangle]
                    its_object = objects[triangle] if mover == 0 else instance_objects[mover]
            tag[y, x] = its_tag
            instance[y, x] = its_object
            depth_m[y, x] = far_m if record < 0 else min(f4(1) / inverse_depth[row, x], far_m)
