"""How a camera makes colours of light: CARLA's attributes of `sensor.camera.rgb` for it, as numbers for the film."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sim_agent.embedded.pose import Array
from sim_agent.embedded.scene import Bytes, Floats

MID_GREY = 0.42
"""The grey that a change of contrast leaves alone, of full scale."""


class Development(NamedTuple):
    """Attributes of CARLA's camera by their own names and with its defaults (document "Sensors reference").

    exposure_compensation: in stops. gamma: of the picture; more is brighter. slope: contrast. temp: of the light, in
    kelvin, that is to look white: above that of the sun the picture is warm, below it is cold. tint: -1 to 1, towards
    magenta (which way, the reference does not say). chromatic_aberration_intensity: how far red and blue part at the
    picture's edges, per cent of its half width.
    """

    exposure_compensation: float = 0.0
    gamma: float = 2.2
    slope: float = 0.88
    temp: float = 6500.0
    tint: float = 0.0
    chromatic_aberration_intensity: float = 0.0

    def gains(self) -> Floats:
        """(3,) float32: what light in red, green and blue is multiplied by. A change of colour keeps white's brightness."""
        balance = _black_body(STANDARD.temp) / _black_body(self.temp)
        balance = balance * np.exp(0.5 * self.tint * np.array([1.0, -1.0, 1.0]))
        balance /= balance @ np.array([0.2126, 0.7152, 0.0722])
        return np.asarray(balance * 2.0**self.exposure_compensation, np.float32)

    def power(self) -> float:
        """Exponent of the developed picture, 0 to 1."""
        return STANDARD.gamma / min(max(self.gamma, 0.3), 10.0)

    def contrast(self) -> float:
        """Factor about `MID_GREY`."""
        return max(self.slope, 0.0) / STANDARD.slope


STANDARD = Development()


def part_colours(bgra: Bytes, intensity: float) -> None:
    """Red a little larger and blue a little smaller about the picture's middle, as a cheap lens draws them.

    bgra (H, W, 4) is changed in place. The shift is `intensity` per cent of the distance from the middle.
    """
    height, width = bgra.shape[:2]
    for channel, scale in ((2, 1.0 - intensity / 100.0), (0, 1.0 + intensity / 100.0)):
        rows, columns = _scaled(height, scale), _scaled(width, scale)
        bgra[..., channel] = bgra[rows[:, None], columns[None], channel]


def _scaled(length: int, scale: float) -> Array:
    places = (np.arange(length) + 0.5 - length / 2) * scale + length / 2
    return np.clip(places, 0, length - 1).astype(np.int64)


def _black_body(kelvin: float) -> Array:
    """(3,) linear red, green, blue of a glowing body.

    Kim et al.'s cubic fits of the Planckian locus (US patent 7024034, as given in "Planckian locus", Wikipedia), from
    1667 to 25000 K; then the matrix of sRGB.
    """
    t = min(max(kelvin, 1667.0), 25000.0)
    if t <= 4000.0:
        x = -0.2661239e9 / t**3 - 0.2343589e6 / t**2 + 0.8776956e3 / t + 0.179910
    else:
        x = -3.0258469e9 / t**3 + 2.1070379e6 / t**2 + 0.2226347e3 / t + 0.240390
    if t <= 2222.0:
        y = -1.1063814 * x**3 - 1.34811020 * x**2 + 2.18555832 * x - 0.20219683
    elif t <= 4000.0:
        y = -0.9549476 * x**3 - 1.37418593 * x**2 + 2.09137015 * x - 0.16748867
    else:
        y = 3.0817580 * x**3 - 5.87338670 * x**2 + 3.75112997 * x - 0.37001483
    xyz = np.array([x / y, 1.0, (1.0 - x - y) / y])
    matrix = np.array([[3.2406, -1.5372, -0.4986], [-0.9689, 1.8758, 0.0415], [0.0557, -0.2040, 1.0570]])
    return np.asarray(np.maximum(matrix @ xyz, 1e-3))
