"""The sky's colour in a direction, with clouds where it is seen and without where it is only reflected."""

from __future__ import annotations

import numpy as np

from sim_agent.embedded.render.atmosphere import Air
from sim_agent.embedded.render.kernel import Rgb, f4, inline
from sim_agent.embedded.render.textures import CLOUDS, FULL, HALF, WISPS, noise
from sim_agent.embedded.scene import Bytes, Ints


@inline
def clear_sky(air: Air, x: np.float32, y: np.float32, z: np.float32) -> Rgb:
    """Red, green and blue of the gradient and the sun's glow in a unit direction; below the horizon, as at it."""
    height = max(z, f4(0))
    share = height / (height + f4(0.28)) * f4(1.28)
    towards = max(x * air.sun_x + y * air.sun_y + z * air.sun_z, f4(0))
    near = towards * towards
    near *= near
    near *= near * (f4(1.0) - f4(0.75) * share)
    return (
        air.horizon_r + (air.zenith_r - air.horizon_r) * share + air.glow_r * near,
        air.horizon_g + (air.zenith_g - air.horizon_g) * share + air.glow_g * near,
        air.horizon_b + (air.zenith_b - air.horizon_b) * share + air.glow_b * near,
    )


@inline
def seen_sky(air: Air, texels: Bytes, offsets: Ints, x: np.float32, y: np.float32, z: np.float32) -> Rgb:
    """Red, green and blue of the sky as a camera sees it: clouds, the sun's disc, stars, and haze at the horizon."""
    red, green, blue = clear_sky(air, x, y, z)
    height = max(z, f4(0))
    towards = x * air.sun_x + y * air.sun_y + z * air.sun_z
    scale = f4(0.16) / (height + f4(0.07))
    broad = noise(texels, offsets, CLOUDS, x * scale + f4(0.37), y * scale + f4(0.11), FULL)
    fine = noise(texels, offsets, WISPS, x * scale * f4(2.3), y * scale * f4(2.3), HALF)
    thickness = (f4(0.72) * broad + f4(0.28) * fine - (f4(0.80) - f4(0.62) * air.cover)) * f4(4.2)
    cloud = min(max(thickness, f4(0)), f4(1))
    cloud = cloud * cloud * (f4(3) - f4(2) * cloud)
    bright = max(towards - f4(0.7), f4(0)) * f4(3)
    if towards > f4(0.9985):
        disc = min((towards - f4(0.9985)) * f4(3000), f4(1)) * air.disc
        red += disc
        green += disc * f4(0.93)
        blue += disc * f4(0.80)
    # Thin edges glow, thick middles are grey below.
    body = f4(1.2) - f4(0.5) * min(max(thickness - f4(0.3), f4(0)), f4(1.6)) + f4(0.25) * bright
    shown = cloud * min(height * f4(9), f4(1)) * f4(0.96)
    red += (air.cloud_r * body - red) * shown
    green += (air.cloud_g * body - green) * shown
    blue += (air.cloud_b * body - blue) * shown
    hazy = max(f4(1) - height * air.fog_rise * f4(1 / 8), f4(0))
    hazy *= hazy
    hazy *= hazy
    hazy *= hazy
    glow = max(towards, f4(0))
    glow *= glow
    glow *= glow * f4(0.6)
    red += (air.fog_r + air.glow_r * glow - red) * hazy
    green += (air.fog_g + air.glow_g * glow - green) * hazy
    blue += (air.fog_b + air.glow_b * glow - blue) * hazy
    if z < f4(0):
        # Nothing was built there: land that fades into the haze.
        land = min(-z * f4(2.5), f4(0.55))
        red += (air.bounce_r - red) * land
        green += (air.bounce_g - green) * land
        blue += (air.bounce_b - blue) * land
    return red, green, blue


@inline
def surroundings(air: Air, x: np.float32, y: np.float32, z: np.float32, skyline: np.float32) -> Rgb:
    """What a polished surface mirrors in a unit direction, where houses reach up to `skyline`, a sine of elevation."""
    red, green, blue = clear_sky(air, x, y, z)
    share = min(max((skyline - z) * f4(9) + f4(0.5), f4(0)), f4(1))
    red += (air.bounce_r * f4(0.9) - red) * share
    green += (air.bounce_g * f4(0.9) - green) * share
    blue += (air.bounce_b * f4(0.9) - blue) * share
    return red, green, blue
