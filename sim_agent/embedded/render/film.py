"""From light to bytes: halos and rain in front of the picture, the lens's vignette, the film's curve and its grain."""

from __future__ import annotations

import math

import numpy as np

from sim_agent.embedded.pose import Array
from sim_agent.embedded.render.atmosphere import Air
from sim_agent.embedded.render.development import MID_GREY
from sim_agent.embedded.render.kernel import f4, kernel
from sim_agent.embedded.scene import Bytes, Floats, Weather


@kernel
def add_halos(sprites: Floats, first_row: int, inverse_depth: Floats, samples: int, centre: int, light: Floats) -> None:
    """Adds `lamps.halos` to rows of light where nothing nearer than the lamp is seen."""
    rows, width = light.shape[0], light.shape[1]
    for k in range(sprites.shape[0]):
        middle_x, middle_y, radius = sprites[k, 0], sprites[k, 1] - f4(first_row), sprites[k, 2]
        if middle_y + radius < f4(0) or middle_y - radius > f4(rows):
            continue
        if middle_x + radius < f4(0) or middle_x - radius > f4(width):
            continue
        nearest = f4(1) / max(sprites[k, 6] - f4(0.6), f4(0.1))
        for y in range(max(int(middle_y - radius), 0), min(int(middle_y + radius) + 1, rows)):
            for x in range(max(int(middle_x - radius), 0), min(int(middle_x + radius) + 1, width)):
                if inverse_depth[y * samples + centre, x] < nearest:
                    dx, dy = (f4(x) + f4(0.5) - middle_x) / radius, (f4(y) + f4(0.5) - middle_y) / radius
                    squared = dx * dx + dy * dy
                    if squared < f4(1):
                        edge = f4(1) - squared
                        share = edge * edge * (f4(0.12) + f4(0.25) / (f4(0.25) + f4(14) * squared))
                        light[y, x, 0] += sprites[k, 3] * share
                        light[y, x, 1] += sprites[k, 4] * share
                        light[y, x, 2] += sprites[k, 5] * share


NO_STREAKS = np.zeros((0, 6), np.float32)


def rain_streaks(weather: Weather, width: int, height: int, seed: int) -> Floats:
    """(N, 6) x, y of the upper end, x shift and length down in pixels, width in pixels, strength 0 to 1."""
    rain = min(max(weather.precipitation / 100.0, 0.0), 1.0)
    count = int(260 * rain * math.sqrt(width / height / 1.78))
    if not count:
        return NO_STREAKS
    random = np.random.default_rng((seed & 0xFFFFFFFF, 0x7A1))
    nearness = random.random(count) ** 2.5
    length = height * (0.03 + 0.16 * nearness) * (0.6 + 0.4 * rain)
    lean = (random.random(count) - 0.5) * 0.08 + 0.0035 * weather.wind_intensity * (0.6 + 0.4 * random.random(count))
    x, y = random.random(count) * width * 1.2 - 0.1 * width, random.random(count) * height * 1.2 - length
    thickness = np.maximum(height / 360.0 * (0.5 + 1.3 * nearness), 0.4)
    strength = (0.05 + 0.13 * random.random(count)) * (0.5 + 0.5 * rain)
    return np.column_stack([x, y, lean * length, length, thickness, strength]).astype(np.float32).reshape(-1, 6)


@kernel
def add_rain(streaks: Floats, first_row: int, air: Air, light: Floats) -> None:
    """Draws falling drops, smeared by the exposure, over rows of light."""
    rows, width = light.shape[0], light.shape[1]
    for k in range(streaks.shape[0]):
        top, length = streaks[k, 1] - f4(first_row), streaks[k, 3]
        half = streaks[k, 4] * f4(0.5)
        for y in range(max(int(top), 0), min(int(top + length) + 1, rows)):
            along = (f4(y) + f4(0.5) - top) / length
            if along < f4(0) or along > f4(1):
                continue
            middle = streaks[k, 0] + streaks[k, 2] * along
            fade = f4(4) * along * (f4(1) - along) * streaks[k, 5]
            for x in range(max(int(middle - half - f4(1)), 0), min(int(middle + half + f4(2)), width)):
                share = min(max(half + f4(0.5) - abs(f4(x) + f4(0.5) - middle), f4(0)), f4(1)) * fade
                light[y, x, 0] += (air.fog_r * f4(1.25) - light[y, x, 0]) * share
                light[y, x, 1] += (air.fog_g * f4(1.25) - light[y, x, 1]) * share
                light[y, x, 2] += (air.fog_b * f4(1.25) - light[y, x, 2]) * share


@kernel
def _printed(value: np.float32, power: np.float32, contrast: np.float32) -> np.float32:
    """A developed value, 0 to 1, with the camera's own gamma and contrast."""
    if power != f4(1):
        value = value**power
    if contrast != f4(1):
        value = min(max(f4(MID_GREY) + (value - f4(MID_GREY)) * contrast, f4(0)), f4(1))
    return value


@kernel
def develop(
    light: Floats,
    first_row: int,
    size: Array,
    gains: Floats,
    power: np.float32,
    contrast: np.float32,
    grain: np.float32,
    seed: np.uint32,
    bgra: Bytes,
) -> None:
    """Bytes of rows of light, which is used up: the curve is Narkowicz's fit to ACES (2016), its root stands for sRGB's.

    size: (2,) width and height of the whole picture. gains: (3,) exposure of red, green and blue. power, contrast: of the
    developed picture, see development.py. grain: standard deviation in byte values, about.
    """
    rows, width = light.shape[0], light.shape[1]
    inverse_width, inverse_height = f4(1.0 / size[0]), f4(1.0 / size[1])
    lens = np.empty(width * 3, np.float32)
    for y in range(rows):
        down = (f4(first_row + y) + f4(0.5)) * inverse_height - f4(0.5)
        for x in range(width):
            across = (f4(x) + f4(0.5)) * inverse_width - f4(0.5)
            share = f4(1) - f4(0.34) * (across * across + down * down)
            lens[3 * x], lens[3 * x + 1], lens[3 * x + 2] = share * gains[0], share * gains[1], share * gains[2]
        line = light[y].reshape(-1)
        for k in range(width * 3):
            value = max(line[k] * lens[k], f4(0))
            value = value * (f4(2.51) * value + f4(0.03)) / (value * (f4(2.43) * value + f4(0.59)) + f4(0.14))
            value = np.sqrt(min(value, f4(1)))
            # A dash camera is hard on shadows.
            line[k] = value * (f4(0.70) + f4(0.30) * value)
        # A pass of its own: asked for each pixel in the loop below, these two conditions double the time of all of it.
        if power != f4(1) or contrast != f4(1):
            for k in range(width * 3):
                line[k] = _printed(line[k], power, contrast)
        # A pixel is one number, or the loop would go from byte to byte.
        pixels = bgra[y].reshape(-1).view(np.uint32)
        start = np.uint32(np.uint32(first_row + y) * np.uint32(0x9E3779B1) + seed)
        for x in range(width):
            mixed = np.uint32(start + np.uint32(x) * np.uint32(0x85EBCA77))
            mixed = np.uint32((mixed ^ (mixed >> np.uint32(15))) * np.uint32(0x2C1B3C6D))
            mixed = np.uint32((mixed ^ (mixed >> np.uint32(12))) * np.uint32(0x297A2D39))
            mixed = np.uint32(mixed ^ (mixed >> np.uint32(15)))
            # The sum of two even spreads is about as bell-shaped as grain need be.
            noise = f4(np.int32(mixed & np.uint32(1023)) + np.int32((mixed >> np.uint32(10)) & np.uint32(1023)))
            noise = (noise - f4(1023)) * f4(1 / 418.0) * grain
            tinge = (f4(np.int32(mixed >> np.uint32(22))) - f4(511.5)) * f4(1 / 590.0) * grain
            red, green, blue = line[3 * x], line[3 * x + 1], line[3 * x + 2]
            # Film is noisiest in the shade.
            red = red * f4(255) + (noise + tinge) * (f4(1.25) - f4(0.75) * red) + f4(0.5)
            green = green * f4(255) + noise * (f4(1.25) - f4(0.75) * green) + f4(0.5)
            blue = blue * f4(255) + (noise - tinge) * (f4(1.25) - f4(0.75) * blue) + f4(0.5)
            b = np.uint32(np.int32(min(max(blue, f4(0)), f4(255))))
            g = np.uint32(np.int32(min(max(green, f4(0)), f4(255))))
            r = np.uint32(np.int32(min(max(red, f4(0)), f4(255))))
            pixels[x] = b | (g << np.uint32(8)) | (r << np.uint32(16)) | np.uint32(0xFF000000)
