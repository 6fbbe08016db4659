"""Lifts a town that was laid out on a plane onto rolling land."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from sim_agent.embedded.pose import Pose
from sim_agent.embedded.scene import Box, Mesh, StaticObject, Tag
from sim_agent.embedded.town.geometry import Array
from sim_agent.embedded.town.model import Slopes, Town
from sim_agent.embedded.town.scenery import freeze
from sim_agent.embedded.town.shapes import grid_triangles

CELL_M = 12.0
"""The land is level in each direction within half of such a square: whatever lies over another surface on the plane does so
on the hills, if both are cut where the land bends."""
_WAVES_M = (260.0, 380.0, 540.0)
_CELLS = 125
"""In each direction from the origin; farther away the land is as high as there."""
_GROUND_TAGS = (Tag.ROAD, Tag.ROAD_LINE, Tag.SIDEWALK, Tag.TERRAIN, Tag.GROUND, Tag.WATER)
_LEANING_TAGS = (*_GROUND_TAGS, Tag.WALL, Tag.FENCE, Tag.GUARD_RAIL)
"""What follows the land, however short."""
_LONG_M = 14.0
"""Of all else, buildings and what is shorter stand upright and whole on the height of their feet."""
_SLIVER_M = 4e-4
"""Thinner than this is nothing: rounding decides how such a triangle lies."""
_FOUNDATION_M = 1.2
_FOOT_M = 0.4
"""Of buildings: what is lower is drawn down by the foundation's depth."""

Nodes = npt.NDArray[np.intp]
Lift = tuple[float, float]


class Hills:
    """Heights of the land, metres: waves of three lengths, made of level triangles that are half a square of `CELL_M`."""

    def __init__(self, height_m: float, rng: np.random.Generator):
        """height_m: from the middle to the top, if all waves met."""
        angles = rng.uniform(0.0, math.pi / 3.0) + np.arange(3) * math.pi / 3.0
        waves = np.stack([np.cos(angles), np.sin(angles)]) * (2.0 * math.pi / np.array(_WAVES_M))
        tops_m = height_m * np.array(_WAVES_M) / sum(_WAVES_M)
        across, down = np.meshgrid(*[np.arange(-_CELLS, _CELLS + 1) * CELL_M] * 2)
        turned = np.stack([across, down], -1) @ waves + rng.uniform(0.0, 2.0 * math.pi, 3)
        self._nodes = np.concatenate([(np.sin(turned) @ tops_m)[..., None], (np.cos(turned) * tops_m) @ waves.T], -1)
        """(rows, columns, 3) of each node its height and how that rises along x and y."""

    def at(self, points: npt.ArrayLike) -> Array:
        """(N,) heights at (N, 2) places."""
        column, row, across, down = self._cell(points)
        heights = self._nodes[..., 0]
        here, far = heights[row, column], heights[row + 1, column + 1]
        upper = here + (heights[row, column + 1] - here) * across + (far - heights[row, column + 1]) * down
        lower = here + (far - heights[row + 1, column]) * across + (heights[row + 1, column] - here) * down
        return np.where(across >= down, upper, lower)

    def slope(self, points: npt.ArrayLike) -> Array:
        """(N, 2) how the land rises along x and y, metres a metre: smooth, for normals and grades."""
        column, row, across, down = (value[:, None] for value in self._cell(points))
        rises = self._nodes[..., 1:]
        upper = rises[row[:, 0], column[:, 0]] * (1.0 - across) + rises[row[:, 0], column[:, 0] + 1] * across
        lower = rises[row[:, 0] + 1, column[:, 0]] * (1.0 - across) + rises[row[:, 0] + 1, column[:, 0] + 1] * across
        return upper * (1.0 - down) + lower * down

    def _cell(self, points: npt.ArrayLike) -> tuple[Nodes, Nodes, Array, Array]:
        """Column and row of the node before each place, and how far it is from there to the next, 0 to 1."""
        place = np.clip(np.asarray(points, np.float64) / CELL_M + _CELLS, 0.0, 2.0 * _CELLS - 1e-6)
        node = place.astype(np.intp)
        across, down = (place - node).T
        return node[:, 0], node[:, 1], across, down

    def one(self, x_m: float, y_m: float) -> float:
        """The height of one place."""
        return float(self.at([(x_m, y_m)])[0])

    def lifted(self, pose: Pose) -> Pose:
        """A pose as high above the land as it was above the plane."""
        return pose._replace(z_m=pose.z_m + self.one(pose.x_m, pose.y_m))


def on_hills(town: Town, hills: Hills, reach: tuple[Array, Array]) -> Town:
    """The town, its meshes, objects, signals and spawn points lifted; its map and navmesh are lifted where they are written.

    reach: the lowest and the highest x and y of its ground, multiples of `CELL_M`; what is farther away bends only where its
    triangles meet.
    """
    low, high = reach
    mesh = _cut(town.mesh, town.objects, low, high)
    mesh, lifts = _lifted(mesh, town.objects, hills)
    signals = tuple(
        signal._replace(
            pose=hills.lifted(signal.pose),
            head_poses=tuple(_moved(head, hills.one(signal.pose.x_m, signal.pose.y_m)) for head in signal.head_poses),
            trigger=signal.trigger._replace(pose=hills.lifted(signal.trigger.pose)),
            stop_waypoints=tuple(map(hills.lifted, signal.stop_waypoints)),
        )
        for signal in town.signals
    )
    lamps = tuple(
        lamp._replace(position=(*lamp.position[:2], lamp.position[2] + lifts[lamp.object_id][0])) for lamp in town.lamps
    )
    return replace(
        town,
        spawn_points=tuple(_spawned(pose, hills) for pose in town.spawn_points),
        mesh=mesh,
        objects=tuple(_object(thing, hills, lifts[thing.object_id]) for thing in town.objects),
        signals=signals,
        lamps=lamps,
        slopes=_slopes(hills, low, high),
    )


def _moved(pose: Pose, up_m: float) -> Pose:
    return pose._replace(z_m=pose.z_m + up_m)


def _spawned(pose: Pose, hills: Hills) -> Pose:
    yaw = math.radians(pose.yaw_deg)
    grade = float(hills.slope([(pose.x_m, pose.y_m)])[0] @ (math.cos(yaw), math.sin(yaw)))
    return hills.lifted(pose)._replace(pitch_deg=math.degrees(math.atan(grade)))


def _object(thing: StaticObject, hills: Hills, lift: Lift) -> StaticObject:
    """With its box around what it became: raised whole, or by as much as its ends were, and longer by what those differ."""
    box, (low, high) = thing.box, lift
    longer = Box(_moved(box.pose, (low + high) / 2.0), (*box.extent_m[:2], box.extent_m[2] + (high - low) / 2.0))
    foot = low if low == high else hills.one(thing.pose.x_m, thing.pose.y_m)
    return thing._replace(pose=_moved(thing.pose, foot), box=longer)


class _Soup(NamedTuple):
    """Triangles that share no corners."""

    corners: Array
    """(T, 3, 11) of each corner: place, normal, texture, colour."""
    origin: npt.NDArray[np.intp]
    """(T,) the triangle that each is a part of."""


def _cut(mesh: Mesh, objects: tuple[StaticObject, ...], low: Array, high: Array) -> Mesh:
    """The mesh with all ground, and all that is long, cut along the lines at which the land bends."""
    whole = np.concatenate([mesh.vertices, mesh.normals, mesh.uvs, mesh.colours], 1).astype(np.float64)
    corners = whole[mesh.triangles]
    flat = corners[..., :2]
    inside = ((flat.max(1) >= low) & (flat.min(1) <= high)).all(1)
    span = (flat.max(1) - flat.min(1)).max(1)
    # The bed under the land is no surface that others lie on.
    inside &= corners[..., 2].max(1) > -0.5
    chosen = inside & (np.isin(mesh.tags, _GROUND_TAGS) | (span > CELL_M / 3.0))
    chosen &= ~np.isin(mesh.objects, [thing.object_id for thing in objects if thing.tag == Tag.BUILDING])
    soup = _Soup(corners[chosen], np.flatnonzero(chosen))
    for along in (_x, _y, _diagonal):
        soup = _cut_along(soup, along)
    places = soup.corners[..., :3].astype(np.float32).astype(np.float64)
    sides = places - np.roll(places, 1, axis=1)
    thick = np.linalg.norm(np.cross(sides[:, 1], sides[:, 2]), axis=1) > _SLIVER_M * np.linalg.norm(sides, axis=2).max(
        1
    )
    soup = _Soup(soup.corners[thick], soup.origin[thick])
    normals = soup.corners[..., 3:6]
    normals /= np.maximum(np.linalg.norm(normals, axis=-1, keepdims=True), 1e-12)
    rows, numbers = np.unique(
        np.column_stack(
            [
                soup.corners.reshape(-1, 11).astype(np.float32),
                np.repeat(mesh.objects[soup.origin], 3).astype(np.float32),
            ]
        ),
        axis=0,
        return_inverse=True,
    )
    kept = ~chosen
    used, renumbered = np.unique(mesh.triangles[kept], return_inverse=True)
    vertices = np.concatenate([whole[used].astype(np.float32), rows[:, :11]])
    origin = np.concatenate([np.flatnonzero(kept), soup.origin])
    triangles = np.concatenate([renumbered.reshape(-1, 3), numbers.reshape(-1, 3) + len(used)]).astype(np.int32)
    return Mesh(
        vertices[:, :3], vertices[:, 3:6], vertices[:, 6:8], vertices[:, 8:], triangles,
        mesh.tags[origin], mesh.materials[origin], mesh.objects[origin],
    )  # fmt: skip


def _x(corners: Array) -> Array:
    return np.asarray(corners[..., 0] / CELL_M, np.float64)


def _y(corners: Array) -> Array:
    return np.asarray(corners[..., 1] / CELL_M, np.float64)


def _diagonal(corners: Array) -> Array:
    return np.asarray((corners[..., 0] - corners[..., 1]) / CELL_M, np.float64)


def _cut_along(soup: _Soup, along: Callable[[Array], Array]) -> _Soup:
    """Triangles cut wherever `along` is a whole number."""
    done: list[_Soup] = []
    while len(soup.origin):
        t = along(soup.corners)
        line = np.floor(t.min(1) + 1e-6) + 1.0
        crossed = line < t.max(1) - 1e-6
        done.append(_Soup(soup.corners[~crossed], soup.origin[~crossed]))
        soup, line, t = _Soup(soup.corners[crossed], soup.origin[crossed]), line[crossed], t[crossed]
        if not len(line):
            break
        # First the corner that is alone on its side of the line, then the other two in their order.
        above = t > line[:, None]
        alone = np.where(above.sum(1) == 1, above.argmax(1), (~above).argmax(1))
        turned = (alone[:, None] + np.arange(3)) % 3
        each = np.arange(len(line))[:, None]
        c, s = soup.corners[each, turned], t[each, turned] - line[:, None]
        shares = s[:, :1] / (s[:, :1] - s[:, 1:])
        first = c[:, 0] + (c[:, 1] - c[:, 0]) * shares[:, :1]
        second = c[:, 0] + (c[:, 2] - c[:, 0]) * shares[:, 1:]
        soup = _Soup(
            np.concatenate(
                [
                    np.stack([c[:, 0], first, second], 1),
                    np.stack([first, c[:, 1], c[:, 2]], 1),
                    np.stack([first, c[:, 2], second], 1),
                ]
            ),
            np.tile(soup.origin, 3),
        )
    return _Soup(np.concatenate([part.corners for part in done]), np.concatenate([part.origin for part in done]))


def _lifted(mesh: Mesh, objects: tuple[StaticObject, ...], hills: Hills) -> tuple[Mesh, list[Lift]]:
    """The mesh on the hills; and for each object id by how much its lowest and its highest lifted part was lifted."""
    upright = np.zeros(len(objects) + 1, bool)
    for thing in objects:
        longest = 2.0 * max(thing.box.extent_m[:2])
        upright[thing.object_id] = thing.tag == Tag.BUILDING or (longest < _LONG_M and thing.tag not in _LEANING_TAGS)
    feet = np.concatenate([[0.0], hills.at([thing.pose[:2] for thing in objects])])
    houses = np.array([False, *(thing.tag == Tag.BUILDING for thing in objects)])
    owner = np.zeros(len(mesh.vertices), np.intp)
    owner[mesh.triangles.ravel()] = np.repeat(mesh.objects, 3)
    sheared = np.flatnonzero(~upright[owner])
    ground = mesh.vertices[sheared, :2]
    lift = feet[owner]
    lift[sheared] = hills.at(ground)
    low, high = np.full(len(feet), np.inf), np.full(len(feet), -np.inf)
    np.minimum.at(low, owner, lift)
    np.maximum.at(high, owner, lift)
    vertices = mesh.vertices.astype(np.float64)
    vertices[houses[owner] & (vertices[:, 2] < _FOOT_M), 2] -= _FOUNDATION_M
    vertices[:, 2] += lift
    # A surface that is sheared upwards has its normals turned against the rise.
    normals = mesh.normals.copy()
    turned = normals[sheared].astype(np.float64)
    turned[:, :2] -= hills.slope(ground) * turned[:, 2:]
    normals[sheared] = turned / np.maximum(np.linalg.norm(turned, axis=1, keepdims=True), 1e-12)
    lifted = replace(mesh, vertices=vertices.astype(np.float32), normals=normals)
    freeze(lifted)
    return lifted, list(zip(low.tolist(), high.tolist(), strict=True))


def _slopes(hills: Hills, low: Array, high: Array) -> Slopes:
    """The land itself; all of it counts as road, since roads lie on it as they did on the plane."""
    first, last = np.floor(low / CELL_M), np.ceil(high / CELL_M)
    x, y = np.meshgrid(*(np.arange(a, b + 1.0) * CELL_M for a, b in zip(first, last, strict=True)))
    points = np.stack([x.ravel(), y.ravel()], -1)
    triangles = grid_triangles(*x.shape)
    vertices = np.column_stack([points, hills.at(points)]).astype(np.float32)
    return Slopes(vertices, triangles.astype(np.int32), len(triangles))
