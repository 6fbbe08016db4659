"""What glows, and what that lights: street lamps, signals and the lamps of vehicles."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from sim_agent.embedded.render.atmosphere import Air
from sim_agent.embedded.render.kernel import f4, kernel
from sim_agent.embedded.scene import Floats, Ints, LampSetting, Light, Material, Mesh

FIRST_LAMP = int(Material.STREET_LAMP)
"""Materials from here on glow."""

KINDS = len(Material) - FIRST_LAMP

CELL_M, CELLS, MEMBERS = 8.0, 40, 10
"""The ground around the camera is cut into CELLS x CELLS squares that know the MEMBERS nearest lamps that reach them."""

MOST_LIGHTS = 120
COLUMNS = 13
"""Of a light: place, direction, colour, 1 / range^2, cosine where its cone ends, 1 / its edge, 1 / half-way m^2."""

SPRITE_COLUMNS = 7
"""Of a halo: x, y, radius in pixels, colour, depth in m."""


class Lamps(NamedTuple):
    """Lamps of a mesh, or all that are on; one row a lamp."""

    place_m: Floats
    """(N, 3)."""
    direction: Floats
    """(N, 3) where most of their light goes."""
    colour: Floats
    """(N, 3) linear, 0 to 1."""
    kind: Ints
    """(N,) `Material`."""
    object_id: Ints
    """(N,)."""
    power: Floats
    """(N,) 1 is a lamp as it is mostly used: a low beam, a position light."""
    chosen: npt.NDArray[np.bool_]
    """(N,) whether a client chose the colour, which then is that of its light as well."""


class LightCells(NamedTuple):
    """Lights and, for each square of the ground, which of them reach it."""

    lights: Floats
    """(N, COLUMNS)."""
    members: npt.NDArray[np.int16]
    """(CELLS, CELLS, MEMBERS) rows of lights, -1 after the last."""
    x_0: np.float32
    y_0: np.float32


_OUTWARD = {
    Material.SIGNAL_LAMP: (1.0, 0.0, 0.0),
    Material.HEAD_LAMP: (1.0, 0.0, 0.0),
    Material.TAIL_LAMP: (-1.0, 0.0, 0.0),
    Material.REVERSE_LAMP: (-1.0, 0.0, 0.0),
}


def find_lamps(mesh: Mesh) -> Lamps:
    """The lamps of a mesh; triangles of one object and material within 0.6 m of its first one are one lamp."""
    chosen = np.flatnonzero(mesh.materials >= FIRST_LAMP)
    corners = mesh.vertices[mesh.triangles[chosen]]
    centres = corners.mean(axis=1)
    faces = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]) / 2
    groups: dict[tuple[int, int], list[list[int]]] = {}
    for row, number in enumerate(chosen):
        lamps = groups.setdefault((int(mesh.objects[number]), int(mesh.materials[number])), [])
        for members in lamps:
            if float(np.abs(centres[row] - centres[members[0]]).max()) < 0.6:
                members.append(row)
                break
        else:
            lamps.append([row])
    rows = []
    for (object_id, material), lamps in groups.items():
        for members in lamps:
            total = faces[members].sum(axis=0)
            length = float(np.linalg.norm(total))
            # A lamp that is a closed body shines where lamps of its kind do.
            closed = length < 0.2 * float(np.linalg.norm(faces[members], axis=1).sum()) + 1e-9
            # So does a beam, whatever way its lens slants.
            known = closed or material in (Material.HEAD_LAMP, Material.STREET_LAMP)
            direction = _OUTWARD.get(Material(material), (0.0, 0.0, -1.0)) if known else total / length
            colour = mesh.colours[mesh.triangles[chosen[members], 0]].mean(axis=0) ** 2
            rows.append((*centres[members].mean(axis=0), *direction, *colour, material, object_id, 1.0))
    return _lamps(np.array(rows, np.float64).reshape(-1, 12))


def _lamps(table: npt.NDArray[np.float64]) -> Lamps:
    places, directions, colours = (np.ascontiguousarray(table[:, k : k + 3], np.float32) for k in (0, 3, 6))
    kind, object_id = table[:, 9].astype(np.int32), table[:, 10].astype(np.int32)
    power, chosen = table[:, 11].astype(np.float32), np.zeros(len(table), bool)
    return Lamps(places, directions, colours, kind, object_id, power, chosen)


MOST_POWER = 20.0


def with_settings(lamps: Lamps, settings: Mapping[int, LampSetting]) -> Lamps:
    """The town's lamps that are on, as strong and of the colour that clients have set, by object id."""
    power, colour, chosen = lamps.power.copy(), lamps.colour.copy(), lamps.chosen.copy()
    on = np.ones(len(power), bool)
    for object_id, setting in settings.items():
        rows = lamps.object_id == object_id
        on[rows] = setting.on
        power[rows] *= min(max(setting.power, 0.0), MOST_POWER)
        if setting.colour is not None:
            colour[rows], chosen[rows] = np.square(setting.colour), True
    return _of(lamps._replace(power=power, colour=colour, chosen=chosen), on)


def lens_colours(lamps: Lamps, settings: Mapping[int, LampSetting]) -> dict[int, tuple[float, float, float]]:
    """The colours of lenses that do not look as they were made, by object id."""
    colours = {}
    for object_id, setting in settings.items():
        rows = lamps.object_id == object_id
        if rows.any() and (setting.colour is not None or setting.power < 1.0):
            own = np.sqrt(lamps.colour[rows].mean(0)) if setting.colour is None else np.array(setting.colour)
            # A tint counts by its square.
            red, green, blue = (own * math.sqrt(min(max(setting.power, 0.0), 1.0))).tolist()
            colours[object_id] = (red, green, blue)
    return colours


@lru_cache(maxsize=512)
def _powers(lights: int) -> tuple[float, ...]:
    """How strongly a vehicle's lamps burn, in the order of the materials from STREET_LAMP on."""
    beam = 1.7 if lights & Light.HIGH_BEAM else (1.0 if lights & (Light.LOW_BEAM | Light.FOG) else 0.0)
    head = max(beam, 0.25 if lights & Light.POSITION else 0.0)
    running = lights & (Light.POSITION | Light.LOW_BEAM | Light.HIGH_BEAM)
    tail = 3.0 if lights & Light.BRAKE else (1.0 if running else 0.0)
    left = 1.0 if lights & Light.LEFT_BLINKER else 0.0
    right = 1.0 if lights & Light.RIGHT_BLINKER else 0.0
    return 0.0, 1.0, head, tail, left, right, 1.0 if lights & Light.REVERSE else 0.0


def glows(air: Air, lights: Sequence[int]) -> Floats:
    """(1 + movers, KINDS) how much light each lamp material of the town, row 0, and of each mover sends out."""
    brightness = np.array([2.6, 2.2, 4.5, 0.9, 2.0, 2.0, 2.5]) / float(air.exposure)
    powers = np.array([(float(air.night), *_powers(0)[1:]), *(_powers(bits) for bits in lights)])
    return (powers * brightness).astype(np.float32)


def _of(lamps: Lamps, rows: npt.NDArray[np.bool_]) -> Lamps:
    return Lamps._make(column[rows] for column in lamps)


def burning(town: Lamps, movers: Iterable[tuple[Lamps, Floats, int]], night: float) -> Lamps:
    """Everything that is on, in world axes.

    town: its lamps that are on (`with_settings`). movers: each one's lamps, its (3, 4) local-to-world matrix, its `Light`
    bits.
    """
    on = (town.kind != Material.STREET_LAMP) | (night > 0.0)
    power = np.where(town.kind == Material.STREET_LAMP, np.float32(night), np.float32(1.0)) * town.power
    found = [_of(town._replace(power=power), on)]
    for lamps, matrix, lights in movers:
        powers = np.array(_powers(lights), np.float32)[lamps.kind - FIRST_LAMP]
        if powers.any():
            rotation, shift = matrix[:, :3].T.astype(np.float32), matrix[:, 3].astype(np.float32)
            lit = lamps._replace(
                place_m=lamps.place_m @ rotation + shift, direction=lamps.direction @ rotation, power=powers
            )
            found.append(_of(lit, powers > 0.0))
    return Lamps(*(np.concatenate(columns) for columns in zip(*found, strict=True)))


@kernel
def _assign(lights: Floats, x_0: np.float32, y_0: np.float32, members: npt.NDArray[np.int16]) -> None:
    for row in range(CELLS):
        for column in range(CELLS):
            filled = 0
            low_x, low_y = x_0 + f4(column) * f4(CELL_M), y_0 + f4(row) * f4(CELL_M)
            for k in range(lights.shape[0]):
                dx = max(low_x - lights[k, 0], lights[k, 0] - low_x - f4(CELL_M), f4(0))
                dy = max(low_y - lights[k, 1], lights[k, 1] - low_y - f4(CELL_M), f4(0))
                if filled < MEMBERS and (dx * dx + dy * dy) * lights[k, 9] < f4(1):
                    members[row, column, filled] = k
                    filled += 1
            if filled < MEMBERS:
                members[row, column, filled] = -1


_HEAD, _TAIL, _STREET, _SIGNAL = Material.HEAD_LAMP, Material.TAIL_LAMP, Material.STREET_LAMP, Material.SIGNAL_LAMP

DARK = LightCells(np.zeros((1, COLUMNS), np.float32), np.full((CELLS, CELLS, MEMBERS), -1, np.int16), f4(0), f4(0))
"""By day no lamp lights anything."""


def light_cells(lamps: Lamps, centre: tuple[float, float], night: float) -> LightCells:
    """Which lamps light what around a place."""
    half = CELL_M * CELLS / 2
    x_0 = math.floor((centre[0] - half) / CELL_M) * CELL_M
    y_0 = math.floor((centre[1] - half) / CELL_M) * CELL_M
    kind = lamps.kind
    street, head, tail = kind == _STREET, (kind == _HEAD) & (lamps.power > 0.5), kind == _TAIL
    apart = np.hypot(lamps.place_m[:, 0] - centre[0], lamps.place_m[:, 1] - centre[1])
    order = np.flatnonzero((street | head | tail) & (apart < half + 20.0))
    order = order[np.argsort(apart[order], kind="stable")][:MOST_LIGHTS]
    if not len(order):
        return DARK
    street, head, colour = street[order], head[order], lamps.colour[order]
    warm = np.array([1.0, 0.74, 0.45]) * (0.4 + 0.6 * colour)
    shed = np.where(lamps.chosen[order][:, None], colour, warm) * 0.34
    lights = np.zeros((len(order), COLUMNS), np.float32)
    lights[:, 0:3], lights[:, 3:6] = lamps.place_m[order], lamps.direction[order]
    # Low beams dip a little.
    lights[head, 5] -= 0.045
    lights[:, 6:9] = 0.030, 0.001, 0.0006
    lights[street, 6:9] = shed[street]
    lights[head, 6:9] = 0.62, 0.59, 0.53
    lights[:, 6:9] *= (lamps.power[order] * night)[:, None]
    lights[:, 9:13] = 7.0**-2, 0.0, 1.5, 1 / 4.0
    lights[street, 9:13] = 18.0**-2, -0.05, 1.2, 1 / 26.0
    lights[head, 9:13] = 38.0**-2, 0.82, 7.0, 1 / 90.0
    members = np.empty((CELLS, CELLS, MEMBERS), np.int16)
    _assign(lights, f4(x_0), f4(y_0), members)
    return LightCells(lights, members, f4(x_0), f4(y_0))


NO_HALOS = np.zeros((0, SPRITE_COLUMNS), np.float32)


def halos(
    lamps: Lamps,
    eye_m: npt.NDArray[np.float64],
    rotation: npt.NDArray[np.float64],
    focal_px: float,
    centre_px: tuple[float, float],
    air: Air,
) -> Floats:
    """(N, SPRITE_COLUMNS) the light that lenses and haze spread around lamps that face the camera."""
    spread = 0.10 + 0.90 * float(air.night) + min(float(air.fog_per_m) * 25.0, 0.6)
    away = lamps.place_m - eye_m
    depth = away @ rotation[:, 0]
    distance = np.maximum(np.linalg.norm(away, axis=1), 1e-3)
    facing = np.clip(-(away * lamps.direction).sum(axis=1) / distance, 0.0, 1.0)
    facing = np.where(lamps.kind == _STREET, 0.6, facing**1.5)
    size_m = np.select([lamps.kind == _HEAD, lamps.kind == _STREET, lamps.kind == _SIGNAL], [0.55, 0.9, 0.42], 0.33)
    gain = np.select([lamps.kind == _HEAD, lamps.kind == _STREET, lamps.kind == _SIGNAL], [0.75, 0.60, 0.50], 0.36)
    strength = gain * np.minimum(lamps.power, 2.0) * facing * spread * np.exp(-distance * float(air.fog_per_m))
    shown = (depth > 0.5) & (depth < 260.0) & (strength > 0.01)
    depth, strength = depth[shown], strength[shown]
    radius = np.clip(focal_px * size_m[shown] / depth, 1.5, focal_px * 0.16)
    warm = (lamps.kind == _STREET) & ~lamps.chosen
    colour = np.where(warm[:, None], lamps.colour * (1.0, 0.80, 0.55), lamps.colour)[shown]
    light = colour / np.maximum(colour.max(axis=1, keepdims=True), 1e-3) * strength[:, None] / float(air.exposure)
    x = centre_px[0] + focal_px * (away[shown] @ rotation[:, 1]) / depth
    y = centre_px[1] - focal_px * (away[shown] @ rotation[:, 2]) / depth
    return np.column_stack([x, y, radius, light, depth]).astype(np.float32).reshape(-1, SPRITE_COLUMNS)
