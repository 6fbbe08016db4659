"""The simplest street: sky over road, a car, a puddle."""

import numpy as np

SIZE = (40, 56)
_ROAD, _SKY, _CAR, _WATER = 1, 11, 14, 21  # carla-0.9.14; water is in no class of street17: void
_COLOURS = {_ROAD: (110, 60, 110), _SKY: (120, 170, 230), _CAR: (200, 30, 30), _WATER: (20, 40, 60)}


def draw_street(seed, size=SIZE):
    """Sky over road with a car and a puddle: (H, W, 3) uint8 and its tags (H, W) uint8."""
    rng = np.random.default_rng(seed)
    h, w = size
    tags = np.full(size, _ROAD, np.uint8)
    tags[: h // 2 + rng.integers(-3, 4)] = _SKY
    y, x = int(rng.integers(h // 2, h - 12)), int(rng.integers(0, w - 16))
    tags[y : y + 10, x : x + 14] = _CAR
    tags[h - 3 :, : w // 4] = _WATER
    rgb = np.zeros((*size, 3), np.int64)
    for tag, colour in _COLOURS.items():
        rgb[tags == tag] = colour
    return np.clip(rgb + rng.integers(-12, 13, rgb.shape), 0, 255).astype(np.uint8), tags
