"""What shading looks up about a place: whether the sun and the sky reach it, and the haze before it."""

from __future__ import annotations

import numpy as np

from sim_agent.embedded.render.atmosphere import Air
from sim_agent.embedded.render.kernel import Rgb, f4, inline
from sim_agent.embedded.render.openness import UPPER_M, Cells, GridPlace
from sim_agent.embedded.render.shadow import Heights
from sim_agent.embedded.scene import Bytes, Floats


@inline
def sun_share(
    heights: Heights, start: int, side: int, across: np.float32, down: np.float32, height: np.float32
) -> np.float32:
    """Share of the sun that arrives, over the four texels around a place in the map at `start`."""
    column, row = int(across), int(down)
    a, b = across - f4(column), down - f4(row)
    first = np.uint64(start + row * side + column)
    second = first + np.uint64(side)
    p = f4(1) if height > f4(heights[first]) else f4(0)
    q = f4(1) if height > f4(heights[first + np.uint64(1)]) else f4(0)
    r = f4(1) if height > f4(heights[second]) else f4(0)
    s = f4(1) if height > f4(heights[second + np.uint64(1)]) else f4(0)
    return (p * (f4(1) - a) + q * a) * (f4(1) - b) + (r * (f4(1) - a) + s * a) * b


@inline
def sky_share(
    grid: Cells,
    ground_m: Floats,
    rows: int,
    columns: int,
    place: GridPlace,
    x: np.float32,
    y: np.float32,
    z: np.float32,
) -> np.float32:
    """Share of the sky seen from a point; both layers of the four cells around it in one sum, as `textures.fetch`."""
    across = int(min(max((x - place.x_0) * place.per_m - f4(0.5), f4(0)), f4(columns) - f4(1.01)) * f4(16))
    down = int(min(max((y - place.y_0) * place.per_m - f4(0.5), f4(0)), f4(rows) - f4(1.01)) * f4(16))
    a, b = across & 15, down & 15
    at = np.uint64((down >> 4) * columns + (across >> 4))
    below = at + np.uint64(columns)
    total = np.int64(grid[at]) * ((16 - a) * (16 - b)) + np.int64(grid[at + np.uint64(1)]) * (a * (16 - b))
    total += np.int64(grid[below]) * ((16 - a) * b) + np.int64(grid[below + np.uint64(1)]) * (a * b)
    low, top = f4(np.int32(total & 0xFFFF)), f4(np.int32(total >> 16))
    up = min(max((z - ground_m[at]) * f4(1 / UPPER_M), f4(0)), f4(1))
    return (low + (top - low) * up) * f4(1 / 65280)


@inline
def contact_shade(dark_ground: Bytes, across: np.float32, down: np.float32) -> np.float32:
    """How dark the ground is beside movers, 0 to 1."""
    column, row = np.uint64(across), np.uint64(down)
    a, b = across - f4(column), down - f4(row)
    top = f4(dark_ground[row, column]) * (f4(1) - a) + f4(dark_ground[row, column + np.uint64(1)]) * a
    low = (
        f4(dark_ground[row + np.uint64(1), column]) * (f4(1) - a)
        + f4(dark_ground[row + np.uint64(1), column + np.uint64(1)]) * a
    )
    return (top * (f4(1) - b) + low * b) * f4(1 / 255)


@inline
def hazed(
    air: Air,
    x: np.float32,
    y: np.float32,
    z: np.float32,
    away: np.float32,
    red: np.float32,
    green: np.float32,
    blue: np.float32,
) -> Rgb:
    """Light from a distance `away` in metres along a unit direction, dimmed and mixed with the haze's own."""
    # exp(-t) to 1 %, without a call that would empty all registers.
    clear = max(f4(1) - max(away - air.fog_start_m, f4(0)) * air.fog_per_m * f4(1 / 16), f4(0))
    clear *= clear
    clear *= clear
    clear *= clear
    clear *= clear
    towards = max(x * air.sun_x + y * air.sun_y + z * air.sun_z, f4(0))
    towards *= towards
    towards *= towards * f4(0.6)
    red = red * clear + (air.fog_r + air.glow_r * towards) * (f4(1) - clear)
    green = green * clear + (air.fog_g + air.glow_g * towards) * (f4(1) - clear)
    blue = blue * clear + (air.fog_b + air.glow_b * towards) * (f4(1) - clear)
    return red, green, blue
