"""What can go wrong between a camera and the network, at the press of a key: lag, noise, blur, a dead camera."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageFilter

from sim_agent.controls import Action


class Troubles:
    """Which troubles are on; `spoil` is called by the thread of the masks, the rest by the window's.

    lag_s: how late pictures reach the network. noise: standard deviation of grey levels, of 255. blur_px: radius.
    """

    KEYS = (Action.LAG, Action.NOISE, Action.BLUR, Action.DEAD_CAMERA)

    def __init__(self, lag_s: float, noise: float, blur_px: float, seed: int = 0):
        self._lag_s, self._noise, self._blur_px = lag_s, noise, blur_px
        self._on: frozenset[Action] = frozenset()
        self._rng = np.random.default_rng(seed)
        self._grain = np.zeros((0, 0), np.int16)

    def toggle(self, which: Action) -> bool:
        """Switch one on or off; whether it is on now."""
        self._on = self._on ^ {which}
        return which in self._on

    @property
    def lag_s(self) -> float:
        """By how much pictures are held back now."""
        return self._lag_s if Action.LAG in self._on else 0.0

    @property
    def names(self) -> tuple[str, ...]:
        """What is on, as the window's chips say it."""
        words = {
            Action.LAG: f"lag {1000 * self._lag_s:.0f} ms",
            Action.NOISE: "noise",
            Action.BLUR: "blur",
            Action.DEAD_CAMERA: "dead camera",
        }
        return tuple(words[which] for which in self.KEYS if which in self._on)

    def spoil(self, picture: np.ndarray) -> np.ndarray:
        """The picture (H, W, 4) uint8 BGRA as the network gets it; the same array while nothing is on."""
        on = self._on
        if Action.DEAD_CAMERA in on:
            return np.zeros_like(picture)
        if Action.BLUR in on:
            # Pillow takes the channels as they are: which of them is blue does not matter to a blur.
            blurred = Image.fromarray(picture, "RGBA").filter(ImageFilter.BoxBlur(self._blur_px))
            picture = np.asarray(blurred)
        if Action.NOISE in on:
            picture = self._with_noise(picture)
        return picture

    def _with_noise(self, picture: np.ndarray) -> np.ndarray:
        height, width = picture.shape[:2]
        if self._grain.shape != (2 * height, 2 * width):
            # Drawn once: a fresh window of it for each picture costs a tenth of fresh numbers.
            self._grain = self._rng.normal(0.0, self._noise, (2 * height, 2 * width)).astype(np.int16)
        noisy = picture.astype(np.int16)
        for channel in range(3):
            y, x = self._rng.integers(height), self._rng.integers(width)
            noisy[..., channel] += self._grain[y : y + height, x : x + width]
        return np.clip(noisy, 0, 255).astype(np.uint8)
