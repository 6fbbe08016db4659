"""The land between the streets: blocks with their frontage, and a map of which ground is still free."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from sim_agent.embedded.town.geometry import Array
from sim_agent.embedded.town.network import Junction, Network
from sim_agent.embedded.town.surface import corner_widths, junction_outline

CELL_M = 0.375
MARGIN_M = 52.0
"""Ground around the outermost streets that is built on, planted and divided finely."""


@dataclass(frozen=True)
class Block:
    """One face of the street network, with the block on the right of its frontage."""

    number: int
    frontage: Array
    """(N, 2) closed loop along the back of the sidewalks; the last point is the first."""
    kerb_gap: Array
    """(N,) how wide the sidewalk is there."""
    outer: bool
    """Whether this is the land around the town."""
    area_m2: float


def find_blocks(network: Network) -> tuple[Block, ...]:
    """Every face of the network, followed along its sidewalks."""
    after: dict[tuple[int, bool], tuple[int, bool, Junction, int]] = {}
    for junction in network.junctions:
        count = len(junction.arms)
        for k, arm in enumerate(junction.arms):
            left = junction.arms[(k + 1) % count]
            # Corner k comes in by arm k + 1 and goes out by arm k; a side is (road, whether it runs with the path).
            after[left.street.road_id, left.at_end] = (arm.street.road_id, not arm.at_end, junction, k)
    streets = {street.road_id: street for street in network.streets}
    blocks: list[Block] = []
    left_over = sorted(after)
    while left_over:
        side = first = left_over[0]
        points, gaps = [], []
        while True:
            left_over.remove(side)
            street = streets[side[0]]
            s = street.path.stations(2.0)
            along, sign = (s, 1) if side[1] else (s[::-1], -1)
            points.append(street.path.beside(along, sign * street.section.back_m)[:-1])
            gaps.append(np.full(len(s) - 1, street.section.sidewalk_m))
            road, forward, junction, k = after[side]
            s, width = corner_widths(junction, k, 2.0)
            points.append(junction.corners[k].beside(s, width)[:-1])
            gaps.append(width[:-1])
            side = (road, forward)
            if side == first:
                break
        loop = np.concatenate(points)
        x, y = loop[:, 0], loop[:, 1]
        area = float((x * np.roll(y, -1) - y * np.roll(x, -1)).sum()) / 2.0
        gap = np.concatenate(gaps)
        closed = np.concatenate([loop, loop[:1]])
        blocks.append(Block(len(blocks), closed, np.append(gap, gap[0]), area < 0.0, abs(area)))
    return tuple(blocks)


class Ground:
    """A raster of the land: which cells are asphalt, which are street (sidewalks included), which are taken."""

    def __init__(
        self,
        extent: Array,
        asphalt: Sequence[Array],
        street: Sequence[Array],
        faces: Sequence[tuple[int, Array]],
        cell_m: float = CELL_M,
    ) -> None:
        """Draws closed loops of (N, 2) points; `faces` are numbered from 2, the land around them is 1.

        Args:
            extent: (N, 2) points that the raster holds with `MARGIN_M` to spare.
            asphalt: what no ground may cover.
            street: what nobody builds on.
            faces: number and loop.
            cell_m: size of a cell.
        """
        step = 24.0
        self.cell_m = cell_m
        self.low = np.floor((extent.min(0) - MARGIN_M) / step) * step
        """(2,) the raster's corner."""
        size = np.ceil((extent.max(0) + MARGIN_M - self.low) / step) * step / cell_m
        self._size = (int(size[0]), int(size[1]))
        self.high = self.low + size * cell_m
        self.asphalt = _grown(self._drawn([(1, loop) for loop in asphalt]) > 0)
        self.street = self._drawn([(1, loop) for loop in street]) > 0
        self.face = np.maximum(self._drawn(faces), 1)
        """Number of the face that a cell lies in."""
        self.taken = _grown(self.street)
        self.wet = np.zeros_like(self.street)
        """Where a channel is dug, under bridges too."""
        self._is_dug = False

    def dig(self, channel: Array, taken: Array) -> None:
        """A channel and what it takes of the ground, each a closed loop of (N, 2) points."""
        self._is_dug = True
        self.wet |= self._drawn([(1, channel)]) > 0
        self.taken |= self._drawn([(1, taken)]) > 0

    def reserve(self, loops: Sequence[Array]) -> None:
        """Takes what lies in closed loops of (N, 2) points."""
        self.taken |= self._drawn([(1, loop) for loop in loops]) > 0

    def is_wet(self, points: npt.ArrayLike, within_m: float = 0.0) -> npt.NDArray[np.bool_]:
        """(N,) whether (N, 2) places lie in the channel, or a square of this half size around them touches it."""
        places = np.asarray(points, np.float64)
        if not self._is_dug:
            return np.zeros(len(places), bool)
        steps = np.linspace(-within_m, within_m, 2 * math.ceil(within_m / 1.5) + 1)
        around = np.stack(np.meshgrid(steps, steps), -1).reshape(-1, 2)
        rows, columns = self.cells(places[:, None] + around)
        return np.asarray(self.wet[rows, columns].any(1), bool)

    def _drawn(self, loops: Sequence[tuple[int, Array]]) -> npt.NDArray[np.uint8]:
        image = Image.new("L", self._size)
        draw = ImageDraw.Draw(image)
        for value, loop in loops:
            draw.polygon([tuple(p) for p in ((loop - self.low) / self.cell_m - 0.5).tolist()], fill=value)
        return np.asarray(image)

    def cells(self, points: npt.ArrayLike) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Row and column of (..., 2) points; points beyond the raster give its edge."""
        index = np.floor((np.asarray(points, np.float64) - self.low) / self.cell_m).astype(np.int64)
        return np.clip(index[..., 1], 0, self._size[1] - 1), np.clip(index[..., 0], 0, self._size[0] - 1)

    def inside(self, points: npt.ArrayLike) -> bool:
        """Whether all points are on the raster, a cell from its edge."""
        high = self.low + np.array(self._size) * self.cell_m - self.cell_m
        flat = np.asarray(points, np.float64).reshape(-1, 2)
        return bool((flat > self.low + self.cell_m).all() and (flat < high).all())

    def take(self, corner: Array, along: Array, across: Array, keep_m: float = 0.0) -> bool:
        """Takes the rectangle corner, corner + along, corner + across, if all of it is free; `keep_m` around it too."""
        points = _lattice(corner, along, across, keep_m)
        rows, columns = self.cells(points)
        if self.taken[rows, columns].any() or not self.inside(points[[0, -1]]):
            return False
        rows, columns = self.cells(_lattice(corner, along, across, 0.0))
        self.taken[rows, columns] = True
        return True

    def free(self, x: float, y: float, radius_m: float) -> bool:
        """Whether nothing is taken in a square of this half size."""
        (row0, row1), (column0, column1) = self.cells([[x - radius_m, y - radius_m], [x + radius_m, y + radius_m]])
        return not self.taken[row0 : row1 + 1, column0 : column1 + 1].any()

    def claim(self, x: float, y: float, radius_m: float) -> None:
        """Takes a square of this half size."""
        (row0, row1), (column0, column1) = self.cells([[x - radius_m, y - radius_m], [x + radius_m, y + radius_m]])
        self.taken[row0 : row1 + 1, column0 : column1 + 1] = True


def ground_of(network: Network, blocks: Sequence[Block]) -> Ground:
    """The raster of a network; faces are numbered 2 plus the number of their block."""
    asphalt: list[Array] = []
    street: list[Array] = []
    for road in network.streets:
        s = road.path.stations(2.0)
        for loops, half in ((asphalt, road.section.kerb_m), (street, road.section.back_m)):
            loops.append(np.concatenate([road.path.beside(s, half), road.path.beside(s, -half)[::-1]]))
    for junction in network.junctions:
        outline = junction_outline(junction, 2.0)
        asphalt.append(outline)
        street.append(outline)
        for k, corner in enumerate(junction.corners):
            s, width = corner_widths(junction, k, 2.0)
            street.append(np.concatenate([corner.beside(s, 0.0), corner.beside(s, width)[::-1]]))
    faces = [(2 + block.number, block.frontage) for block in blocks if not block.outer]
    return Ground(np.concatenate([block.frontage for block in blocks]), asphalt, street, faces)


def _lattice(corner: Array, along: Array, across: Array, keep_m: float) -> Array:
    length, depth = float(np.hypot(*along)), float(np.hypot(*across))
    a, b = along / length, across / depth
    u = np.linspace(-keep_m, length + keep_m, int((length + 2.0 * keep_m) / (0.7 * CELL_M)) + 2)
    v = np.linspace(-keep_m, depth + keep_m, int((depth + 2.0 * keep_m) / (0.7 * CELL_M)) + 2)
    return (corner + u[:, None, None] * a + v[None, :, None] * b).reshape(-1, 2)


def _grown(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """One cell more on every side: a polygon's edge falls between cells."""
    grown = mask.copy()
    grown[1:] |= mask[:-1]
    grown[:-1] |= mask[1:]
    wide = grown.copy()
    wide[:, 1:] |= grown[:, :-1]
    wide[:, :-1] |= grown[:, 1:]
    return wide
