"""Procedural textures: what asphalt, brick or grass look like from near and, through mip maps, from afar."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache

import numpy as np
import numpy.typing as npt

from sim_agent.embedded.cache import kept_arrays
from sim_agent.embedded.render.kernel import CACHE_FOLDER, f4, inline
from sim_agent.embedded.scene import Bytes, Ints, Material

SIDE = 256
LEVELS = 8
TEXELS = sum((SIDE >> level) ** 2 for level in range(LEVELS))
"""Of one texture, all levels."""

NOISE = len(Material)
"""Number of the texture after the materials': four independent noises, for clouds, puddles and stains."""

CLOUDS, WISPS, PATCHES, FULL, HALF = np.int64(0), np.int64(1), np.int64(2), np.int64(0), np.int64(1)
"""Channels of NOISE and mip levels, for `noise`. No plain numbers: numba would compile it anew for each of those."""

Plane = npt.NDArray[np.float64]
Packed = npt.NDArray[np.uint32]


def _noise(seed: int, coarsest: float, finest: float, slope: float = 1.0) -> Plane:
    """(SIDE, SIDE) tileable noise in 0 to 1, waves of `coarsest` to `finest` a side, amplitudes as frequency^-slope."""
    frequency = np.fft.fftfreq(SIDE) * SIDE
    radius = np.hypot(frequency[:, None], frequency)
    inside = (radius >= coarsest) & (radius <= finest)
    amplitude = np.where(inside, np.maximum(radius, 1.0) ** -slope, 0.0)
    phase = np.random.default_rng(seed).random((SIDE, SIDE))
    wave = np.fft.ifft2(amplitude * np.exp(2j * np.pi * phase)).real
    wave = wave / (np.std(wave) * 5.0) + 0.5
    return np.clip(wave, 0.0, 1.0)


def _grain(seed: int) -> Plane:
    return np.random.default_rng(seed).random((SIDE, SIDE))


def _steps(period: int, offset: npt.NDArray[np.int64] | int = 0, axis: int = 1) -> npt.NDArray[np.int64]:
    place = np.arange(SIDE)[None, :] if axis == 1 else np.arange(SIDE)[:, None]
    return (np.broadcast_to(place, (SIDE, SIDE)) + offset).astype(np.int64) % SIDE // period


def _cells(seed: int, rows: npt.NDArray[np.int64], columns: npt.NDArray[np.int64]) -> Plane:
    table = np.random.default_rng(seed).random((SIDE, SIDE))
    return table[rows, columns]


def _mix(dark: tuple[float, float, float], light: tuple[float, float, float], share: Plane) -> Plane:
    """(SIDE, SIDE, 4): colours from dark to light and the share itself."""
    share = np.clip(share, 0.0, 1.0)[..., None]
    return np.concatenate([np.array(dark) + (np.array(light) - np.array(dark)) * share, share], axis=-1)


def _cracks(seed: int, width: float) -> Plane:
    """1 on thin wandering lines, 0 elsewhere: where a smooth noise crosses its mean."""
    distance = np.abs(_noise(seed, 1, 24, 1.5) - 0.5) / width
    return np.clip(1.0 - distance, 0.0, 1.0) * (_noise(seed + 1, 1, 4) > 0.52)


def _asphalt() -> Plane:
    stones = 0.45 * _grain(11) + 0.35 * _noise(12, 30, 120, 0.3) + 0.2 * _noise(13, 2, 16)
    picture = _mix((0.30, 0.30, 0.31), (0.55, 0.55, 0.55), stones)
    picture[..., :3] *= (1.0 - 0.35 * _cracks(14, 0.006))[..., None]
    return picture


def _concrete() -> Plane:
    pores = 0.35 * _grain(21) + 0.65 * _noise(22, 1, 60, 1.0)
    picture = _mix((0.5, 0.497, 0.485), (0.76, 0.755, 0.745), pores)
    y, x = np.mgrid[:SIDE, :SIDE]
    picture[((y % 128) < 2) | ((x % 128) < 2), :3] *= 0.78
    picture[..., :3] *= (1.0 - 0.3 * _cracks(23, 0.005))[..., None]
    return picture


def _paving() -> Plane:
    rows = _steps(32, axis=0)
    shift = (rows % 2) * 16
    columns = _steps(32, shift)
    y, x = np.mgrid[:SIDE, :SIDE]
    joint = ((y % 32) < 2) | (((x + shift) % 32) < 2)
    slab = 0.25 + 0.5 * _cells(31, rows, columns) + 0.2 * (_noise(32, 4, 90, 0.7) - 0.5) + 0.2 * (_grain(33) - 0.5)
    picture = _mix((0.50, 0.49, 0.475), (0.70, 0.69, 0.67), slab)
    picture[joint, :3] = 0.36
    picture[joint, 3] = 0.0
    return picture


def _brick() -> Plane:
    rows = _steps(10, axis=0)
    shift = (rows % 2) * 16
    columns = _steps(32, shift)
    y, x = np.mgrid[:SIDE, :SIDE]
    mortar = ((y % 10) < 1) | (((x + shift) % 32) < 2)
    tone = 0.15 + 0.7 * _cells(41, rows, columns) + 0.4 * (_noise(42, 3, 80, 0.6) - 0.5)
    picture = _mix((0.52, 0.45, 0.42), (0.98, 0.93, 0.90), tone)
    picture[mortar, :3] = (0.78, 0.77, 0.75)
    picture[mortar, 3] = 0.3
    return picture


def _plaster() -> Plane:
    streaks = np.cumsum(_noise(51, 8, 90, 0.4) - 0.5, axis=0)
    streaks = (streaks - streaks.min()) / np.ptp(streaks)
    worn = 0.35 * _noise(54, 1, 12, 1.2) + 0.2 * _noise(52, 6, 60, 0.8)
    return _mix((0.66, 0.65, 0.63), (1.0, 0.995, 0.985), worn + 0.2 * _grain(53) + 0.35 * streaks)


def _window() -> Plane:
    blinds = 0.5 + 0.5 * _noise(61, 1, 3)
    return _mix((0.60, 0.66, 0.72), (0.95, 0.97, 1.0), blinds)


def _grass() -> Plane:
    blades = 0.4 * _grain(71) + 0.35 * _noise(72, 20, 110, 0.2) + 0.25 * _noise(73, 1, 8)
    picture = _mix((0.50, 0.54, 0.38), (0.98, 1.0, 0.80), blades)
    dry = _noise(74, 1, 6)[..., None]
    picture[..., :3] *= 1.0 + (np.array((1.12, 1.0, 0.85)) - 1.0) * np.clip(dry * 2 - 0.8, 0, 1)
    return picture


def _soil() -> Plane:
    return _mix((0.55, 0.50, 0.45), (0.95, 0.90, 0.84), 0.4 * _grain(81) + 0.6 * _noise(82, 2, 70, 0.7))


def _bark() -> Plane:
    ridges = np.abs(_noise(91, 3, 40, 0.6)[np.arange(SIDE)[:, None] // 6, np.arange(SIDE)[None, :]] - 0.5) * 2
    return _mix((0.45, 0.42, 0.40), (1.0, 0.96, 0.92), 0.75 * ridges + 0.25 * _grain(92))


def _leaf() -> Plane:
    clumps = 0.55 * _noise(101, 6, 50, 0.3) + 0.45 * _grain(102)
    return _mix((0.38, 0.42, 0.30), (1.0, 1.0, 0.86), (clumps - 0.2) * 1.5)


def _paint() -> Plane:
    return _mix((0.97, 0.97, 0.97), (1.0, 1.0, 1.0), _noise(111, 1, 6))


def _metal() -> Plane:
    brushed = np.repeat(_noise(121, 10, 120, 0.3)[:, :1], SIDE, axis=1)
    return _mix((0.84, 0.84, 0.85), (1.0, 1.0, 1.0), 0.5 * brushed + 0.5 * _noise(122, 1, 40))


def _marking() -> Plane:
    worn = np.clip((_noise(131, 6, 90, 0.5) - 0.30) * 5, 0, 1) * np.clip((_noise(132, 1, 8) - 0.22) * 6, 0.35, 1)
    return _mix((0.50, 0.50, 0.49), (0.93, 0.93, 0.91), worn)


def _rubber() -> Plane:
    return _mix((0.80, 0.80, 0.80), (1.0, 1.0, 1.0), _grain(141))


def _cloth() -> Plane:
    folds = _noise(151, 2, 12, 0.8)
    return _mix((0.70, 0.70, 0.70), (1.0, 1.0, 1.0), 0.7 * folds + 0.3 * _grain(152))


def _skin() -> Plane:
    return _mix((0.92, 0.92, 0.92), (1.0, 1.0, 1.0), _noise(161, 2, 30))


def _wood() -> Plane:
    planks = _steps(32)
    y, x = np.mgrid[:SIDE, :SIDE]
    fibres = _noise(171, 4, 100, 0.5)[np.arange(SIDE)[:, None] // 5, np.arange(SIDE)[None, :]]
    picture = _mix((0.66, 0.62, 0.58), (1.0, 0.97, 0.93), 0.45 * _cells(172, planks * 0, planks) + 0.55 * fibres)
    picture[(x % 32) < 1, :3] *= 0.55
    return picture


def _tiles() -> Plane:
    rows = _steps(16, axis=0)
    shift = (rows % 2) * 8
    columns = _steps(16, shift)
    y = np.arange(SIDE)[:, None]
    fall = (y % 16) / 15.0
    tone = 0.25 + 0.35 * _cells(181, rows, columns) + 0.3 * fall + 0.2 * (_grain(182) - 0.5)
    return _mix((0.55, 0.52, 0.50), (1.0, 0.97, 0.95), np.broadcast_to(tone, (SIDE, SIDE)))


def _plain() -> Plane:
    return np.ones((SIDE, SIDE, 4))


def _lens() -> Plane:
    y, x = np.mgrid[:SIDE, :SIDE]
    prisms = 0.5 + 0.5 * np.cos(x * (2 * math.pi / 16)) * np.cos(y * (2 * math.pi / 16))
    return _mix((0.80, 0.80, 0.80), (1.0, 1.0, 1.0), prisms)


def _noises() -> Plane:
    waves = [_noise(201, 1, 100, 1.35), _noise(202, 2, 60, 1.1), _noise(203, 1, 14, 1.0), _noise(204, 3, 127, 0.6)]
    return np.stack(waves, axis=-1)


_MAKERS: dict[Material, Callable[[], Plane]] = {
    Material.ASPHALT: _asphalt,
    Material.CONCRETE: _concrete,
    Material.PAVING: _paving,
    Material.BRICK: _brick,
    Material.PLASTER: _plaster,
    Material.WINDOW: _window,
    Material.GRASS: _grass,
    Material.SOIL: _soil,
    Material.BARK: _bark,
    Material.LEAF: _leaf,
    Material.PAINT: _paint,
    Material.METAL: _metal,
    Material.MARKING: _marking,
    Material.RUBBER: _rubber,
    Material.CLOTH: _cloth,
    Material.SKIN: _skin,
    Material.CAR_GLASS: _plain,
    Material.WOOD: _wood,
    Material.TILES: _tiles,
    Material.SIGN: _plain,
}


@cache
def level_offsets() -> Ints:
    """(LEVELS,) where each mip level begins in a texture's texels."""
    sizes = [(SIDE >> level) ** 2 for level in range(LEVELS)]
    return np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int32)


@cache
def build_textures() -> Bytes:
    """(materials + 1, texels of all levels, 4) uint8 sRGB colour and height; the last is NOISE. Read-only."""
    texels: Bytes = kept_arrays(CACHE_FOLDER / "textures.npz", lambda: {"texels": _paint_textures()})["texels"]
    texels.flags.writeable = False
    return texels


def _paint_textures() -> Bytes:
    pictures = [_MAKERS.get(material, _lens)() for material in Material]
    level = np.clip(np.stack([*pictures, _noises()]), 0.0, 1.0).astype(np.float32)
    levels = []
    for _ in range(LEVELS):
        levels.append(level.reshape(len(level), -1, 4))
        half = level.shape[1] // 2
        level = level.reshape(len(level), half, 2, half, 2, 4).mean(axis=(2, 4))
    return np.ascontiguousarray((np.concatenate(levels, axis=1) * 255).round().astype(np.uint8))


@inline
def fetch(
    packed: Packed, offsets: Ints, texture: int, u: np.float32, v: np.float32, level: int
) -> tuple[np.float32, np.float32, np.float32, np.float32]:
    """Bilinear red, green, blue and height, 0 to 1; u, v in sides of the texture, above -8192.

    packed: `build_textures` flattened, a texel a word. The four channels of a texel are weighed in one multiplication,
    each in 16 bits of its own; weights are sixteenths along each side.
    """
    side = SIDE >> level
    wide = f4(side * 16)
    x = int((u - f4(int(u + f4(8192)) - 8192)) * wide + (wide - f4(8)))
    y = int((v - f4(int(v + f4(8192)) - 8192)) * wide + (wide - f4(8)))
    a, b = x & 15, y & 15
    x0, y0 = (x >> 4) & (side - 1), (y >> 4) & (side - 1)
    x1, y1 = (x0 + 1) & (side - 1), (y0 + 1) & (side - 1)
    # Unsigned, or each access would ask whether the index counts from the end.
    start = texture * TEXELS + offsets[level]
    upper, lower = np.uint64(start + y0 * side), np.uint64(start + y1 * side)
    p, q = np.int64(packed[upper + np.uint64(x0)]), np.int64(packed[upper + np.uint64(x1)])
    r, s = np.int64(packed[lower + np.uint64(x0)]), np.int64(packed[lower + np.uint64(x1)])
    total = ((p & 0xFF00FF) | ((p & 0xFF00FF00) << 24)) * ((16 - a) * (16 - b))
    total += ((q & 0xFF00FF) | ((q & 0xFF00FF00) << 24)) * (a * (16 - b))
    total += ((r & 0xFF00FF) | ((r & 0xFF00FF00) << 24)) * ((16 - a) * b)
    total += ((s & 0xFF00FF) | ((s & 0xFF00FF00) << 24)) * (a * b)
    unit = f4(1 / 65280)
    return (
        f4(np.int32(total & 0xFFFF)) * unit,
        f4(np.int32((total >> 32) & 0xFFFF)) * unit,
        f4(np.int32((total >> 16) & 0xFFFF)) * unit,
        f4(np.int32((total >> 48) & 0xFFFF)) * unit,
    )


@inline
def noise(texels: Bytes, offsets: Ints, channel: np.int64, u: np.float32, v: np.float32, level: np.int64) -> np.float32:
    """One channel of NOISE, as `fetch`; texels: `build_textures` flattened."""
    side = SIDE >> level
    wide = f4(side)
    x = (u - f4(int(u + f4(8192)) - 8192)) * wide + (wide - f4(0.5))
    y = (v - f4(int(v + f4(8192)) - 8192)) * wide + (wide - f4(0.5))
    column, row = int(x), int(y)
    a, b = x - f4(column), y - f4(row)
    x0, y0 = column & (side - 1), row & (side - 1)
    x1, y1 = (x0 + 1) & (side - 1), (y0 + 1) & (side - 1)
    start = NOISE * TEXELS + offsets[level]
    upper, lower = np.uint64((start + y0 * side) * 4 + channel), np.uint64((start + y1 * side) * 4 + channel)
    left, right = np.uint64(x0 * 4), np.uint64(x1 * 4)
    top = f4(texels[upper + left]) * (f4(1) - a) + f4(texels[upper + right]) * a
    low = f4(texels[lower + left]) * (f4(1) - a) + f4(texels[lower + right]) * a
    return (top * (f4(1) - b) + low * b) * f4(1 / 255)


@inline
def nearest_noise(texels: Bytes, channel: np.int64, u: np.float32, v: np.float32) -> np.float32:
    """As `noise` at the finest level, of the nearest texel alone: for a channel whose texels differ little from the next."""
    column = int((u + f4(8192)) * f4(SIDE)) & (SIDE - 1)
    row = int((v + f4(8192)) * f4(SIDE)) & (SIDE - 1)
    return f4(texels[np.uint64((NOISE * TEXELS + row * SIDE + column) * 4 + channel)]) * f4(1 / 255)
