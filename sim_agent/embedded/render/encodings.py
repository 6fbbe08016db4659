"""Labels and depth as the bytes that CARLA's cameras send."""

from __future__ import annotations

import numpy as np

from sim_agent.embedded.render.camera import FAR_M
from sim_agent.embedded.render.kernel import kernel
from sim_agent.embedded.scene import Bytes, Floats, Ints

_DEPTH_STEPS = 2**24 - 1


_SEMANTIC = np.zeros((256, 4), np.uint8)
_SEMANTIC[:, 2], _SEMANTIC[:, 3] = np.arange(256), 255
_SEMANTIC_WORDS = _SEMANTIC.view(np.uint32).reshape(-1)


def semantic_bgra(tag: Bytes) -> Bytes:
    """(H, W, 4) uint8: the tag in the red channel (CARLA docs, ref_sensors, semantic segmentation camera)."""
    # A word a pixel: four times as fast as channel by channel.
    return _SEMANTIC_WORDS[tag].view(np.uint8).reshape(*tag.shape, 4)


def instance_bgra(tag: Bytes, instance: Ints) -> Bytes:
    """(H, W, 4) uint8: red the tag, green the low and blue the high byte of the object id.

    The layout of CARLA's sensor.camera.instance_segmentation (ref_sensors; tuto_G_instance_segmentation_sensor).
    """
    picture = np.empty((*tag.shape, 4), np.uint8)
    picture[..., 0] = (instance >> 8) & 255
    picture[..., 1] = instance & 255
    picture[..., 2] = tag
    picture[..., 3] = 255
    return picture


@kernel
def _write_depth(depth_m: Floats, picture: Bytes) -> None:
    for y in range(depth_m.shape[0]):
        for x in range(depth_m.shape[1]):
            metres = min(max(float(depth_m[y, x]), 0.0), FAR_M)
            steps = int(metres * (_DEPTH_STEPS / FAR_M) + 0.5)
            picture[y, x, 0] = steps >> 16
            picture[y, x, 1] = (steps >> 8) & 255
            picture[y, x, 2] = steps & 255
            picture[y, x, 3] = 255


def depth_bgra(depth_m: Floats) -> Bytes:
    """(H, W, 4) uint8: depth / 1000 m in 24 bits, red the lowest byte and blue the highest (ref_sensors, depth camera)."""
    picture = np.empty((*depth_m.shape, 4), np.uint8)
    _write_depth(np.ascontiguousarray(depth_m, np.float32), picture)
    return picture
