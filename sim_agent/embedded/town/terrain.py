"""The ground under everything that is not street: grass, yards and the land around, in pieces that fit the streets."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from sim_agent.embedded.pose import Pose
from sim_agent.embedded.scene import Material, Tag
from sim_agent.embedded.town.blocks import Ground
from sim_agent.embedded.town.geometry import Array
from sim_agent.embedded.town.relief import Relief
from sim_agent.embedded.town.scenery import Scenery

GROUND_M = 0.1
"""Between road and sidewalk: the ground's pieces end under the sidewalks, which hide their ragged edge."""
_BED_M = -0.6
"""A second ground below, so that no gap between the pieces of the first shows the sky."""
_SIZES_M = (12.0, 6.0, 3.0, 1.5, 0.75)
_FAR_M = 700.0
"""The land ends here: a metre and a half above it the edge is an eighth of a degree below the horizon."""

GRASS, YARD, GRAVEL = "grass", "yard", "gravel"
GRASS_TINT = (0.22, 0.26, 0.25)
_LOOKS = {
    GRASS: ("Terrain", Tag.TERRAIN, Material.GRASS, GRASS_TINT),
    YARD: ("Ground", Tag.GROUND, Material.CONCRETE, (0.45, 0.45, 0.44)),
    GRAVEL: ("Terrain", Tag.TERRAIN, Material.SOIL, (0.4, 0.37, 0.32)),
}


def lay_terrain(
    scenery: Scenery,
    ground: Ground,
    kinds: dict[int, str],
    rng: np.random.Generator,
    z_m: float = GROUND_M,
    relief: Relief | None = None,
    shore: bool = False,
) -> None:
    """Ground of each block in its kind (keys as in `Ground.face`), the land around, and the bed below.

    With a relief, `z_m` is how far above it the ground lies. With a shore, open water lies where x is largest.
    """
    squares = _squares(ground)
    middle = squares[:, :2] + squares[:, 2:] / 2.0
    rows, columns = ground.cells(middle)
    face = ground.face[rows, columns]
    high = ground.high
    for number in np.unique(face):
        here = squares[face == number]
        name, tag, material, colour = _LOOKS[kinds.get(int(number), GRASS)]
        spot = middle[face == number].mean(0)
        scenery.open(name, tag, Pose(float(spot[0]), float(spot[1]), z_m))
        _lay(scenery, here, z_m, relief, tag, material, colour, rng)
    centre = (ground.low + high) / 2.0
    _, tag, material, colour = _LOOKS[GRASS]
    land = _around(ground.low, high)
    if shore:
        wet = land[:, 0] >= high[0] - 1e-6
        spot = Pose(float(high[0]), float(centre[1]), z_m)
        scenery.open("Water", Tag.WATER, spot)
        _lay(scenery, land[wet], z_m, None, Tag.WATER, Material.CAR_GLASS, (0.1, 0.17, 0.2), rng)
        land = land[~wet]
    scenery.open("Terrain", Tag.TERRAIN, Pose(float(centre[0]), float(centre[1]), z_m))
    _lay(scenery, land, z_m, relief, tag, material, colour, rng)
    scenery.open("Terrain", Tag.TERRAIN, Pose(float(centre[0]), float(centre[1]), _BED_M))
    _lay(scenery, dry_squares(ground), _BED_M, relief, tag, Material.SOIL, colour, rng)


def _squares(ground: Ground) -> Array:
    """(N, 3) x, y and size of squares that cover all ground beside the streets and keep off asphalt and water."""
    asphalt, open_land = ground.asphalt | ground.wet, ~ground.street
    parts = []
    todo = np.ones((1, 1), bool)
    for level, size_m in enumerate(_SIZES_M):
        cells = round(size_m / ground.cell_m)
        has_asphalt, has_land = _blocks(asphalt, cells), _blocks(open_land, cells)
        if level == 0:
            todo = np.ones(has_land.shape, bool)
            near = _blocks(ground.street, cells)
            for _ in range(2):
                near[1:] |= near[:-1].copy()
                near[:-1] |= near[1:].copy()
                near[:, 1:] |= near[:, :-1].copy()
                near[:, :-1] |= near[:, 1:].copy()
            whole = todo & has_land & ~has_asphalt & ~near
            split = todo & has_land & ~whole
        else:
            todo = np.repeat(np.repeat(split, 2, 0), 2, 1)
            whole = todo & has_land & ~has_asphalt
            split = todo & has_land & has_asphalt
        rows, columns = np.nonzero(whole)
        corner = ground.low + np.column_stack([columns, rows]) * size_m
        parts.append(np.column_stack([corner, np.full(len(corner), size_m)]))
    return np.concatenate(parts)


def _blocks(mask: npt.NDArray[np.bool_], cells: int) -> npt.NDArray[np.bool_]:
    rows, columns = mask.shape[0] // cells, mask.shape[1] // cells
    square = mask[: rows * cells, : columns * cells].reshape(rows, cells, columns, cells)
    return np.asarray(square.any((1, 3)), bool)


def dry_squares(ground: Ground) -> Array:
    """(N, 3) x, y and size of squares that cover the raster, streets included, but for what is dug."""
    parts = []
    todo = np.ones_like(_blocks(ground.wet, round(_SIZES_M[0] / ground.cell_m)))
    for size_m in _SIZES_M:
        wet = _blocks(ground.wet, round(size_m / ground.cell_m))
        rows, columns = np.nonzero(todo & ~wet)
        corner = ground.low + np.column_stack([columns, rows]) * size_m
        parts.append(np.column_stack([corner, np.full(len(corner), size_m)]))
        todo = np.repeat(np.repeat(todo & wet, 2, 0), 2, 1)
    return np.concatenate(parts)


def _around(low: Array, high: Array) -> Array:
    """Large squares around the raster, as far as the eye reaches."""
    size = 24.0
    count = int(_FAR_M // size)
    x = low[0] + size * np.arange(-count, count + round((high[0] - low[0]) / size))
    y = low[1] + size * np.arange(-count, count + round((high[1] - low[1]) / size))
    gx, gy = np.meshgrid(x, y)
    inside = (gx >= low[0] - 1e-6) & (gx < high[0] - 1e-6) & (gy >= low[1] - 1e-6) & (gy < high[1] - 1e-6)
    return np.column_stack([gx[~inside], gy[~inside], np.full(int((~inside).sum()), size)])


def _lay(
    scenery: Scenery,
    squares: Array,
    z_m: float,
    relief: Relief | None,
    tag: Tag,
    material: Material,
    colour: tuple[float, float, float],
    rng: np.random.Generator,
) -> None:
    unit = np.array([(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)])
    corners = squares[:, None, :2] + unit * squares[:, None, 2:]
    points = np.concatenate([corners, np.full((*corners.shape[:2], 1), z_m)], -1).reshape(-1, 3)
    if relief is not None:
        points[:, 2] += relief.at(points[:, :2])
    # The shade comes from where a corner is, so that neighbours agree on it and no seam shows.
    waves = rng.uniform(0.0, 6.28, 3)
    shade = (
        1.0
        + 0.07 * np.sin(points[:, 0] / 17.0 + waves[0]) * np.sin(points[:, 1] / 13.0 + waves[1])
        + 0.05 * np.sin((points[:, 0] + points[:, 1]) / 5.3 + waves[2])
    )
    first = 4 * np.arange(len(squares))[:, None]
    triangles = (first + np.array([[0, 1, 2, 0, 2, 3]])).reshape(-1, 3)
    tint = np.clip(shade[:, None] * np.asarray(colour), 0.0, 1.0)
    normals = (0.0, 0.0, 1.0) if relief is None else None
    scenery.builder.add(points, triangles, tag, material, tint, normals, points[:, :2])
