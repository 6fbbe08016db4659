"""The light that reaches the camera, once for each surface that a pixel shows."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from sim_agent.embedded.pose import Array
from sim_agent.embedded.render.atmosphere import Air
from sim_agent.embedded.render.geometry import (
    CHANCE,
    COLOUR,
    COLOUR_1,
    COLOUR_2,
    CORNER,
    DENSITY,
    DUAL_1,
    DUAL_2,
    LAMP_OFF,
    NORMAL,
    NORMAL_1,
    NORMAL_2,
    UV,
    UV_1,
    UV_2,
    VARIES,
)
from sim_agent.embedded.render.kernel import f4, kernel
from sim_agent.embedded.render.lamps import CELL_M, CELLS, FIRST_LAMP, MEMBERS, LightCells
from sim_agent.embedded.render.looks import GRAZE, MIRROR, PER_M, POROUS, SHEEN, STAINS, WRAP
from sim_agent.embedded.render.lookups import contact_shade, hazed, sky_share, sun_share
from sim_agent.embedded.render.openness import Contacts, Openness
from sim_agent.embedded.render.shadow import SunMaps
from sim_agent.embedded.render.sky import seen_sky, surroundings
from sim_agent.embedded.render.textures import FULL, LEVELS, PATCHES, SIDE, Packed, fetch, nearest_noise, noise
from sim_agent.embedded.scene import Bytes, Floats, Ints, Material, Tag

_SIDE, _MEMBERS, _CELLS = SIDE, MEMBERS, CELLS
_LEAF, _PAINT, _WINDOW = int(Material.LEAF), int(Material.PAINT), int(Material.WINDOW)
_PAVING, _MARKING = int(Material.PAVING), int(Material.MARKING)
_FIRST_LAMP = int(FIRST_LAMP)
_BUILDING = int(Tag.BUILDING)

_LEVEL_OF = np.array(
    [0, 0, *(min(int(math.log2(texels / 1.35)) + 1, LEVELS - 1) for texels in range(2, 256))], np.uint8
)
"""Mip level by how many texels of the finest level a pixel covers."""


class Surfaces(NamedTuple):
    """What stays: the geometry's shading rows, the materials and the textures."""

    rows: Floats
    materials: Bytes
    tags: Bytes
    states: Bytes
    keys: Ints
    looks: Floats
    texels: Bytes
    packed: Packed
    """The same bytes, a texel in a word."""
    levels: Ints


class Movers(NamedTuple):
    """What each instance is in this frame; row 0 is the town."""

    to_world: Floats
    """(N, 12) 3x4 local to world."""
    tints: Floats
    """(N, 3) sRGB."""
    lows_m: Floats
    """(N,) the lowest z in local axes."""
    glows: Floats
    """(N, KINDS) light of the lamp materials."""


class Lighting(NamedTuple):
    """What the light does in this frame, and who is in its way."""

    air: Air
    sun: SunMaps
    openness: Openness
    contacts: Contacts
    cells: LightCells


@kernel
def shade(
    view: Floats,
    offsets: Array,
    centre: int,
    first_row: int,
    inverse_depth: Floats,
    records: Ints,
    sources: Ints,
    surfaces: Surfaces,
    movers: Movers,
    lighting: Lighting,
    light: Floats,
) -> None:
    """Linear light for rows of pixels that begin at `first_row` of the picture.

    view: (14,) eye; forward; right and up times half the picture's size at depth 1; its width and height in pixels.
    inverse_depth, records: (rows * samples, W) of `raster.scan`. light: (rows, W, 3), overwritten.
    """
    # Arrays leave their tuples here, once: inside the loop each would count a reference, atomically, for every pixel.
    air, sun = lighting.air, lighting.sun
    rows_of, materials, tags, states = surfaces.rows, surfaces.materials, surfaces.tags, surfaces.states
    keys, looks, levels = surfaces.keys, surfaces.looks, surfaces.levels
    texels, packed = surfaces.texels, surfaces.packed
    to_world, tints, lows, glows = movers.to_world, movers.tints, movers.lows_m, movers.glows
    sun_heights, near, far, near_side, far_side = sun.heights, sun.near, sun.far, sun.near_side, sun.far_side
    open_grid, ground_m, open_place = lighting.openness.grid, lighting.openness.ground_m, lighting.openness.place
    open_rows, open_columns = lighting.openness.rows, lighting.openness.columns
    dark_ground, dark_place = lighting.contacts.shade, lighting.contacts.place
    members, lights = lighting.cells.members, lighting.cells.lights
    cells_x, cells_y = lighting.cells.x_0, lighting.cells.y_0
    samples = offsets.shape[0]
    rows, width = light.shape[0], light.shape[1]
    across_per_px, down_per_px = f4(2) / view[12], f4(2) / view[13]
    pixel_angle = across_per_px * math.sqrt(view[6] * view[6] + view[7] * view[7] + view[8] * view[8])
    one_sample = f4(1) / f4(samples)
    near_last, far_last = f4(near_side - 1), f4(far_side - 1)
    dark_last = f4(dark_ground.shape[0] - 1)
    # One blinding sample must not decide a pixel by itself.
    brightest = f4(6) / air.exposure
    groups = np.empty(8, np.int64)
    weights = np.empty(8, np.float32)
    mixed = np.empty(width, np.uint8)
    for y in range(rows):
        for x in range(width):
            mixed[x] = 0
        middles = records[y * samples + centre]
        for k in range(samples):
            others = records[y * samples + k]
            for x in range(width):
                mixed[x] |= others[x] != middles[x]
        for x in range(width):
            # Which samples show the same surface: each surface is shaded once.
            count = 1
            groups[0], weights[0] = centre, f4(1)
            if mixed[x]:
                weights[0] = one_sample
                for k in range(samples):
                    if k != centre:
                        record = records[y * samples + k, x]
                        found = -1
                        for j in range(count):
                            other = records[y * samples + groups[j], x]
                            if record == other:
                                found = j
                            elif found < 0 and record >= 0 and other >= 0 and sources[record, 1] == sources[other, 1]:
                                if keys[sources[record, 0]] == keys[sources[other, 0]]:
                                    found = j
                        if found >= 0:
                            weights[found] += one_sample
                        else:
                            groups[count], weights[count] = k, one_sample
                            count += 1
            sum_r = sum_g = sum_b = f4(0)
            for j in range(count):
                k = groups[j]
                record = records[y * samples + k, x]
                across = (f4(x) + f4(offsets[k, 0])) * across_per_px - f4(1)
                down = (f4(first_row + y) + f4(offsets[k, 1])) * down_per_px - f4(1)
                dx = view[3] + view[6] * across - view[9] * down
                dy = view[4] + view[7] * across - view[10] * down
                dz = view[5] + view[8] * across - view[11] * down
                length = math.sqrt(dx * dx + dy * dy + dz * dz)
                shorten = f4(1) / length
                ux, uy, uz = dx * shorten, dy * shorten, dz * shorten
                if record < 0:
                    red, green, blue = seen_sky(air, texels, levels, ux, uy, uz)
                else:
                    # Where on which triangle.
                    t, instance = np.uint64(sources[record, 0]), np.uint64(sources[record, 1])
                    material = np.uint64(materials[t])
                    depth = f4(1) / inverse_depth[y * samples + k, x]
                    px, py, pz = view[0] + dx * depth, view[1] + dy * depth, view[2] + dz * depth
                    lx, ly, lz = px, py, pz
                    if instance != 0:
                        ax, ay, az = px - to_world[instance, 3], py - to_world[instance, 7], pz - to_world[instance, 11]
                        lx = to_world[instance, 0] * ax + to_world[instance, 4] * ay + to_world[instance, 8] * az
                        ly = to_world[instance, 1] * ax + to_world[instance, 5] * ay + to_world[instance, 9] * az
                        lz = to_world[instance, 2] * ax + to_world[instance, 6] * ay + to_world[instance, 10] * az
                    ex, ey, ez = lx - rows_of[t, CORNER], ly - rows_of[t, CORNER + 1], lz - rows_of[t, CORNER + 2]
                    b1 = ex * rows_of[t, DUAL_1] + ey * rows_of[t, DUAL_1 + 1] + ez * rows_of[t, DUAL_1 + 2]
                    b2 = ex * rows_of[t, DUAL_2] + ey * rows_of[t, DUAL_2 + 1] + ez * rows_of[t, DUAL_2 + 2]
                    b1, b2 = min(max(b1, f4(-0.5)), f4(1.5)), min(max(b2, f4(-0.5)), f4(1.5))
                    nx, ny, nz = rows_of[t, NORMAL], rows_of[t, NORMAL + 1], rows_of[t, NORMAL + 2]
                    tint_r, tint_g, tint_b = rows_of[t, COLOUR], rows_of[t, COLOUR + 1], rows_of[t, COLOUR + 2]
                    if rows_of[t, VARIES] > f4(0):
                        nx += b1 * rows_of[t, NORMAL_1] + b2 * rows_of[t, NORMAL_2]
                        ny += b1 * rows_of[t, NORMAL_1 + 1] + b2 * rows_of[t, NORMAL_2 + 1]
                        nz += b1 * rows_of[t, NORMAL_1 + 2] + b2 * rows_of[t, NORMAL_2 + 2]
                        tint_r += b1 * rows_of[t, COLOUR_1] + b2 * rows_of[t, COLOUR_2]
                        tint_g += b1 * rows_of[t, COLOUR_1 + 1] + b2 * rows_of[t, COLOUR_2 + 1]
                        tint_b += b1 * rows_of[t, COLOUR_1 + 2] + b2 * rows_of[t, COLOUR_2 + 2]
                    if instance != 0:
                        ax, ay, az = nx, ny, nz
                        nx = to_world[instance, 0] * ax + to_world[instance, 1] * ay + to_world[instance, 2] * az
                        ny = to_world[instance, 4] * ax + to_world[instance, 5] * ay + to_world[instance, 6] * az
                        nz = to_world[instance, 8] * ax + to_world[instance, 9] * ay + to_world[instance, 10] * az
                    scale = f4(1) / math.sqrt(nx * nx + ny * ny + nz * nz + f4(1e-12))
                    facing = -(nx * ux + ny * uy + nz * uz) * scale
                    if facing < f4(0):
                        if material == _LEAF:
                            scale, facing = -scale, -facing
                        else:
                            facing = f4(0)
                    nx, ny, nz = nx * scale, ny * scale, nz * scale

                    # Colour of the surface.
                    u = rows_of[t, UV] + b1 * rows_of[t, UV_1] + b2 * rows_of[t, UV_2]
                    v = rows_of[t, UV + 1] + b1 * rows_of[t, UV_1 + 1] + b2 * rows_of[t, UV_2 + 1]
                    per_m = looks[material, PER_M]
                    footprint = depth * pixel_angle * rows_of[t, DENSITY] * per_m * f4(_SIDE)
                    footprint /= math.sqrt(max(facing, f4(0.05)))
                    level = int(_LEVEL_OF[int(min(footprint, f4(255)))])
                    red, green, blue, relief = fetch(packed, levels, int(material), u * per_m, v * per_m, level)
                    red, green, blue = red * tint_r, green * tint_g, blue * tint_b
                    if material == _PAINT:
                        red *= tints[instance, 0]
                        green *= tints[instance, 1]
                        blue *= tints[instance, 2]
                    stains = looks[material, STAINS]
                    if stains > f4(0):
                        broad = nearest_noise(texels, PATCHES, u * f4(0.043), v * f4(0.043))
                        tone = f4(1) + stains * (broad - f4(0.5))
                        red, green, blue = red * tone, green * tone, blue * tone
                    red, green, blue = red * red, green * green, blue * blue

                    # Rain: pores fill and darken, then puddles mirror the sky.
                    mirror, graze = looks[material, MIRROR], looks[material, GRAZE]
                    puddle = f4(0)
                    if air.wet > f4(0) and nz > f4(-0.3):
                        dark = f4(1) - looks[material, POROUS] * air.wet * (f4(0.55) + f4(0.45) * max(nz, f4(0)))
                        if nz > f4(0.9) and (material <= _PAVING or material == _MARKING):
                            graze += (f4(0.22) + f4(0.30) * relief) * air.wet
                            mirror += (f4(0.01) + f4(0.04) * relief) * air.wet
                            if air.puddles > f4(0):
                                pool = noise(texels, levels, PATCHES, px * f4(0.052), py * f4(0.052), FULL)
                                edge = f4(0.80) - f4(0.44) * air.puddles + f4(0.22) * relief
                                puddle = min(max((pool - edge) * f4(9), f4(0)), f4(1))
                                puddle *= min(air.puddles * f4(3), f4(1))
                                graze += (f4(0.8) - graze) * puddle
                                mirror += (f4(0.1) - mirror) * puddle
                                dark *= f4(1) - f4(0.4) * puddle
                        red, green, blue = red * dark, green * dark, blue * dark

                    # How much of the sun arrives.
                    wrap = looks[material, WRAP]
                    direct = max((nx * air.sun_x + ny * air.sun_y + nz * air.sun_z + wrap) / (f4(1) + wrap), f4(0))
                    share = f4(0)
                    if direct > f4(0):
                        share = f4(1)
                        hx, hy, hz = px + nx * f4(0.1), py + ny * f4(0.1), pz + nz * f4(0.1) + f4(0.05)
                        map_x = (hx - near.x_slope * hz - near.x_0) * near.scale - f4(0.5)
                        map_y = (hy - near.y_slope * hz - near.y_0) * near.scale - f4(0.5)
                        start, side = 0, near_side
                        inside = map_x > f4(0) and map_y > f4(0) and map_x < near_last and map_y < near_last
                        if not inside:
                            hx, hy, hz = hx + nx * f4(0.4), hy + ny * f4(0.4), hz + f4(0.25)
                            map_x = (hx - far.x_slope * hz - far.x_0) * far.scale - f4(0.5)
                            map_y = (hy - far.y_slope * hz - far.y_0) * far.scale - f4(0.5)
                            start, side = near_side * near_side, far_side
                            inside = map_x > f4(0) and map_y > f4(0) and map_x < far_last and map_y < far_last
                        if inside:
                            share = sun_share(
                                sun_heights, start, side, map_x, map_y, (hz - near.low) * near.per_m + f4(1)
                            )
                    sunlight = direct * share

                    # How much of the sky and of the lit ground.
                    sky_seen = sky_share(
                        open_grid,
                        ground_m,
                        open_rows,
                        open_columns,
                        open_place,
                        px + nx * f4(0.8),
                        py + ny * f4(0.8),
                        pz + nz * f4(0.5),
                    )
                    free = f4(1)
                    if instance == 0:
                        map_x = (px - dark_place.x_0) * dark_place.per_m - f4(0.5)
                        map_y = (py - dark_place.y_0) * dark_place.per_m - f4(0.5)
                        if nz > f4(0.5) and map_x > f4(0) and map_y > f4(0) and map_x < dark_last and map_y < dark_last:
                            free -= f4(0.85) * contact_shade(dark_ground, map_x, map_y)
                    else:
                        # The underside and the sills of a vehicle stand in its own shadow.
                        free = min(f4(0.45) + f4(0.75) * (lz - lows[instance]), f4(1))
                    upward = f4(0.5) + f4(0.5) * nz
                    sunward = (nx * air.sun_x + ny * air.sun_y) * (f4(1) - nz * nz)
                    ambient = sky_seen * free * upward * (f4(1) + f4(0.22) * sunward)
                    returned = (f4(1) - upward) * (f4(0.35) + f4(0.65) * sky_seen) * free
                    returned += (f4(1) - sky_seen) * f4(0.35) * free
                    light_r = air.sun_r * sunlight + air.ambient_r * ambient + air.bounce_r * returned
                    light_g = air.sun_g * sunlight + air.ambient_g * ambient + air.bounce_g * returned
                    light_b = air.sun_b * sunlight + air.ambient_b * ambient + air.bounce_b * returned

                    # Lamps near the place.
                    if air.night > f4(0.02):
                        column = int((px - cells_x) * f4(1 / CELL_M) + f4(4096)) - 4096
                        line = int((py - cells_y) * f4(1 / CELL_M) + f4(4096)) - 4096
                        if 0 <= column < _CELLS and 0 <= line < _CELLS:
                            for n in range(_MEMBERS):
                                lamp = members[line, column, n]
                                if lamp < 0:
                                    break
                                tx, ty, tz = lights[lamp, 0] - px, lights[lamp, 1] - py, lights[lamp, 2] - pz
                                squared = tx * tx + ty * ty + tz * tz + f4(0.04)
                                reach = f4(1) - squared * lights[lamp, 9]
                                if reach > f4(0):
                                    inverse = f4(1) / math.sqrt(squared)
                                    cone = (
                                        -(tx * lights[lamp, 3] + ty * lights[lamp, 4] + tz * lights[lamp, 5]) * inverse
                                    )
                                    cone = min((cone - lights[lamp, 10]) * lights[lamp, 11], f4(1))
                                    turned = f4(0.12) + f4(0.88) * (nx * tx + ny * ty + nz * tz) * inverse
                                    turned = max(turned, wrap * f4(0.3))
                                    if turned > f4(0) and cone > f4(0):
                                        power = (
                                            reach * reach * cone * cone * turned / (f4(1) + squared * lights[lamp, 12])
                                        )
                                        light_r += lights[lamp, 6] * power
                                        light_g += lights[lamp, 7] * power
                                        light_b += lights[lamp, 8] * power

                    base_r, base_g, base_b = red, green, blue
                    red, green, blue = red * light_r, green * light_g, blue * light_b

                    # What it mirrors.
                    if graze > f4(0.05):
                        fresnel = (f4(1) - facing) * (f4(1) - facing)
                        fresnel *= fresnel * (f4(1) - facing)
                        amount = (mirror + graze * fresnel) * free
                        if amount > f4(0.012):
                            twice = f4(2) * (nx * ux + ny * uy + nz * uz)
                            rx, ry, rz = ux - twice * nx, uy - twice * ny, uz - twice * nz
                            skyline = math.sqrt(max(f4(1) - sky_seen, f4(0))) * f4(0.8) - f4(0.03)
                            mirrored_r, mirrored_g, mirrored_b = surroundings(air, rx, ry, rz, skyline)
                            red += (mirrored_r - red) * amount
                            green += (mirrored_g - green) * amount
                            blue += (mirrored_b - blue) * amount
                        sheen = looks[material, SHEEN] + puddle
                        if sheen > f4(0.1) and share > f4(0):
                            twice = f4(2) * (nx * ux + ny * uy + nz * uz)
                            gleam = (ux - twice * nx) * air.sun_x + (uy - twice * ny) * air.sun_y
                            gleam = (gleam + (uz - twice * nz) * air.sun_z - f4(0.9)) * f4(10)
                            if gleam > f4(0):
                                gleam *= gleam
                                gleam *= gleam
                                gleam *= gleam * share * sheen * f4(1.6)
                                red += air.sun_r * gleam
                                green += air.sun_g * gleam
                                blue += air.sun_b * gleam

                    # What it sends out.
                    if material >= _FIRST_LAMP:
                        if states[t] & LAMP_OFF == 0:
                            glow = glows[instance, material - _FIRST_LAMP]
                            red += (base_r + f4(0.02)) * glow
                            green += (base_g + f4(0.02)) * glow
                            blue += (base_b + f4(0.02)) * glow
                    elif material == _WINDOW and air.night > f4(0) and tags[t] == _BUILDING:
                        # A room is as wide as 2.4 m of glass and as high as a storey of 3 m.
                        room_u = int(u * f4(1 / 2.4) + f4(4096)) - 4096
                        room_v = int(v * f4(1 / 3.0) + f4(4096)) - 4096
                        chance = rows_of[t, CHANCE] + f4(room_u) * f4(0.618034) + f4(room_v) * f4(0.754878)
                        chance -= f4(int(chance + f4(8192)) - 8192)
                        if chance > f4(0.66):
                            glow = air.night * (chance - f4(0.54)) * f4(1.7) * (f4(0.5) + relief) / air.exposure
                            red += glow
                            green += glow * f4(0.72)
                            blue += glow * (f4(0.25) + f4(0.55) * (f4(1) - chance))
                    red, green, blue = hazed(air, ux, uy, uz, depth * length, red, green, blue)
                sum_r += min(red, brightest) * weights[j]
                sum_g += min(green, brightest) * weights[j]
                sum_b += min(blue, brightest) * weights[j]
            light[y, x, 0] = sum_r
            light[y, x, 1] = sum_g
            light[y, x, 2] = sum_b
