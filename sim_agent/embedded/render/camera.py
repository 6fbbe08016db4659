"""What a picture is taken with and what it holds."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from sim_agent.embedded.pose import Array, Pose, rotation_matrix
from sim_agent.embedded.render.development import STANDARD, Development
from sim_agent.embedded.scene import Bytes, Floats, Ints

FAR_M = 1000.0
"""Depth of the sky: the far plane of CARLA's depth camera."""


class Camera(NamedTuple):
    """A pinhole camera; `fov_deg` is the horizontal field of view, pixels are square; `film` is how it makes colours."""

    width: int
    height: int
    fov_deg: float
    pose: Pose
    film: Development = STANDARD


class Pictures(NamedTuple):
    """One pose seen four ways; labels and depth are those of the ray through each pixel's centre."""

    bgra: Bytes | None
    """(H, W, 4) uint8, alpha 255; None where no shading was asked for."""
    tag: Bytes
    """(H, W) uint8 `Tag`."""
    instance: Ints
    """(H, W) int32 object id; 0 is the sky."""
    depth_m: Floats
    """(H, W) float32 along the camera's axis; the sky is at `FAR_M`."""


class View(NamedTuple):
    """A camera as the kernels want it."""

    eye_m: Array
    """(3,) float64 world."""
    rotation: Array
    """(3, 3) float64; columns forward, right, up."""
    tan_x: float
    """Half the picture's width at a depth of one metre."""
    tan_y: float

    @staticmethod
    def of(camera: Camera) -> View:
        """Raises ValueError for a picture without pixels or a field of view outside (0, 180) degrees."""
        if camera.width < 1 or camera.height < 1:
            raise ValueError(
                f"a picture of {camera.width}x{camera.height} has no pixels; both sides must be at least 1"
            )
        if not 0.0 < camera.fov_deg < 180.0:
            raise ValueError(f"a field of view of {camera.fov_deg} degrees cannot be drawn; give one between 0 and 180")
        tan_x = math.tan(math.radians(camera.fov_deg) / 2)
        return View(
            np.array(camera.pose.location, np.float64),
            rotation_matrix(*camera.pose.rotation),
            tan_x,
            tan_x * camera.height / camera.width,
        )
