"""What the weather's fourteen numbers mean for light: the sun or the moon, the sky, haze, wet ground and the exposure.

All light is in one linear unit: white paper in the noon sun is about 3, before the exposure.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from sim_agent.embedded.render.kernel import f4
from sim_agent.embedded.scene import Floats, Weather

Colour = npt.NDArray[np.float64]


class Air(NamedTuple):
    """Float32 numbers that the shading kernels read."""

    sun_x: np.float32
    sun_y: np.float32
    sun_z: np.float32
    sun_r: np.float32
    sun_g: np.float32
    sun_b: np.float32
    zenith_r: np.float32
    zenith_g: np.float32
    zenith_b: np.float32
    horizon_r: np.float32
    horizon_g: np.float32
    horizon_b: np.float32
    glow_r: np.float32
    glow_g: np.float32
    glow_b: np.float32
    cloud_r: np.float32
    cloud_g: np.float32
    cloud_b: np.float32
    ambient_r: np.float32
    ambient_g: np.float32
    ambient_b: np.float32
    bounce_r: np.float32
    bounce_g: np.float32
    bounce_b: np.float32
    fog_r: np.float32
    fog_g: np.float32
    fog_b: np.float32
    disc: np.float32
    """Brightness of the sun's or moon's disc where no cloud hides it."""
    fog_per_m: np.float32
    fog_start_m: np.float32
    fog_rise: np.float32
    """How fast the sky comes out of the haze above the horizon."""
    cover: np.float32
    """Share of the sky that clouds hide."""
    wet: np.float32
    puddles: np.float32
    night: np.float32
    """0 by day, 1 in the dark: what lamps are switched on by."""
    exposure: np.float32


def _ramp(value: float, low: float, high: float) -> float:
    share = min(max((value - low) / (high - low), 0.0), 1.0)
    return share * share * (3.0 - 2.0 * share)


def _rgb(red: float, green: float, blue: float) -> Colour:
    return np.array([red, green, blue])


def _blend(a: Colour, b: Colour, share: float) -> Colour:
    return a + (b - a) * share


def _grey(colour: Colour, share: float) -> Colour:
    return _blend(colour, np.full(3, float(colour @ _rgb(0.3, 0.55, 0.15))), share)


def direction_to_sun(weather: Weather) -> Floats:
    """(3,) unit vector; azimuth from the x axis towards y, as CARLA's yaw."""
    azimuth, altitude = math.radians(weather.sun_azimuth_deg), math.radians(weather.sun_altitude_deg)
    level = math.cos(altitude)
    return np.array([level * math.cos(azimuth), level * math.sin(azimuth), math.sin(altitude)], np.float32)


def _sunlight(altitude_deg: float) -> Colour:
    """What is left of the sun's light, by the air's mass (Kasten and Young 1989) and its loss in three colours."""
    above = max(altitude_deg, -2.0)
    mass = 1.0 / (math.sin(math.radians(max(above, 0.0))) + 0.50572 * (above + 6.07995) ** -1.6364)
    light = np.exp(-_rgb(0.075, 0.105, 0.160) * min(mass, 14.0))
    return 3.9 * light * _ramp(altitude_deg, -2.5, 4.0)


@lru_cache(maxsize=16)
def read_weather(weather: Weather) -> Air:
    """The light of a weather; the formulas are fitted by eye to CARLA's own presets, not measured."""
    altitude = weather.sun_altitude_deg
    clouds = min(max(weather.cloudiness / 100.0, 0.0), 1.0)
    rain = min(max(weather.precipitation / 100.0, 0.0), 1.0)
    fog = min(max(weather.fog_density / 100.0, 0.0), 1.0)
    dust = min(max(weather.dust_storm / 100.0, 0.0), 1.0)
    day, night = _ramp(altitude, -9.0, 14.0), 1.0 - _ramp(altitude, -7.0, 3.0)
    dusk = _ramp(altitude, -9.0, 1.0) * (1.0 - _ramp(altitude, 8.0, 34.0))
    overcast = _ramp(clouds, 0.45, 0.95)
    veiled = max(overcast, _ramp(fog, 0.2, 0.7), 0.9 * dust)

    sun = _sunlight(altitude) * (1.0 - 0.96 * veiled) * _blend(_rgb(1.0, 1.0, 1.0), _rgb(0.66, 0.33, 0.17), dusk)
    towards = direction_to_sun(weather)
    moon = _rgb(0.022, 0.028, 0.042) * night * (1.0 - 0.8 * veiled)
    if night > 0.0 and altitude < 0.0:
        towards = np.array([-0.48 * towards[0] - 0.2, -0.48 * towards[1] - 0.2, 0.8], np.float32)
        towards /= np.linalg.norm(towards)
        sun = moon

    strength = 0.03 + 0.97 * day
    zenith = _rgb(0.23, 0.37, 0.60) * strength
    horizon = _rgb(0.60, 0.72, 0.82) * strength
    zenith = _blend(zenith, _rgb(0.44, 0.30, 0.21) * (0.25 + 0.75 * day), 0.9 * dusk)
    horizon = _blend(horizon, _rgb(0.74, 0.44, 0.25) * (0.25 + 0.75 * day), 0.95 * dusk)
    zenith = _blend(zenith, _rgb(0.0016, 0.0024, 0.0052), night)
    horizon = _blend(horizon, _rgb(0.0125, 0.0115, 0.0125), night)
    bright = (0.46 * day + 0.015) * (1.0 - 0.35 * rain) * (1.0 - 0.92 * night)
    cloudy = _blend(_rgb(0.92, 0.96, 1.0), _rgb(1.0, 0.80, 0.66), 0.6 * dusk) * bright
    zenith = _blend(zenith, cloudy * 1.05, 0.95 * overcast)
    horizon = _blend(horizon, cloudy * 1.2, 0.95 * overcast)
    glow = _blend(_rgb(0.34, 0.30, 0.24), _rgb(1.5, 0.72, 0.22), dusk) * day * (1.0 - 0.9 * veiled)
    sand = _rgb(0.60, 0.43, 0.26) * (0.05 + 0.95 * day)
    zenith, horizon = _blend(zenith, sand, 0.85 * dust), _blend(horizon, sand, 0.95 * dust)

    # A hemisphere of sky weighs its zenith a little less than half; clouds scatter more of the sun's light down.
    scattered = 0.55 + 0.45 * overcast + 0.9 * _ramp(fog, 0.2, 0.7)
    ambient = (0.55 * zenith + 0.55 * horizon) * scattered * (1.0 - 0.68 * dusk) * (1.0 - 0.54 * rain) + 0.03 * sun
    ambient = _grey(ambient, 0.25)
    ambient = ambient + _rgb(0.0055, 0.0060, 0.0080) * night
    bounce = 0.20 * (sun * max(float(towards[2]), 0.05) + ambient) * _rgb(1.0, 0.96, 0.90)
    cloud = _blend(_grey(horizon, 0.7 - 0.55 * dusk) * 1.05 + 0.10 * sun, cloudy * 1.1, overcast)

    haze = _grey(horizon, 0.15 + 0.6 * max(fog, rain)) * (1.0 - 0.12 * rain)
    visible = 0.00045 + 0.0015 * rain + 0.055 * fog**1.6 + 0.035 * dust
    scatter = 0.6 + 0.4 * min(max(weather.scattering_intensity, 0.0), 4.0)
    light = float((sun * max(float(towards[2]), 0.1) + ambient) @ _rgb(0.3, 0.55, 0.15))
    # Half-way to a camera that always exposes fully: dusk stays darker than noon, and night darker than dusk.
    exposure = 0.66 * (2.6 / max(light, 0.02)) ** (0.30 + 0.26 * night)
    numbers = (
        *towards,
        *sun,
        *zenith,
        *horizon,
        *glow,
        *cloud,
        *ambient,
        *bounce,
        *haze,
        (26.0 * day + 1.2 * night) * (1.0 - veiled) ** 2,
        visible * scatter,
        min(max(weather.fog_distance_m, 0.0), 500.0) if fog > 0.05 else 0.0,
        26.0 / (1.0 + 60.0 * max(fog, dust) + 7.0 * rain) * (0.7 + 3.0 * min(max(weather.fog_falloff, 0.0), 5.0)) + 2.0,
        0.12 + 0.16 * min(clouds / 0.05, 1.0) + 0.72 * clouds,
        min(max(max(weather.wetness, 0.6 * weather.precipitation) / 100.0, 0.0), 1.0),
        min(max(weather.precipitation_deposits / 100.0, 0.0), 1.0),
        night,
        exposure,
    )
    return Air(*(f4(number) for number in numbers))
