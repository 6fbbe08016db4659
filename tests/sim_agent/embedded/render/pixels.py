"""What several tests ask of pictures: the rays through pixel centres, and which pixels lie on edges."""

import math

import numpy as np

from sim_agent.embedded.pose import rotation_matrix


def rays(camera):
    """(H * W, 3) unit directions through the pixel centres and (H * W,) their cosine with the camera's axis."""
    tan_x = math.tan(math.radians(camera.fov_deg) / 2)
    x = ((np.arange(camera.width) + 0.5) / camera.width * 2 - 1) * tan_x
    y = (1 - (np.arange(camera.height) + 0.5) / camera.height * 2) * tan_x * camera.height / camera.width
    right, up = np.meshgrid(x, y)
    local = np.stack([np.ones_like(right), right, up], axis=-1).reshape(-1, 3)
    cosine = 1 / np.linalg.norm(local, axis=1)
    return (local * cosine[:, None]) @ rotation_matrix(*camera.pose.rotation).T, cosine


def near_edges(*pictures):
    """(H, W) bool: pixels with another value in one of their eight neighbours, in any of the pictures."""
    found = np.zeros(pictures[0].shape, bool)
    for picture in pictures:
        padded = np.pad(picture, 1, mode="edge")
        for dy in range(3):
            for dx in range(3):
                found |= padded[dy : dy + picture.shape[0], dx : dx + picture.shape[1]] != picture
    return found
