"""Optical flow: how far each pixel of a picture has moved since another one was taken."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from sim_agent.embedded.pose import Array, Pose
from sim_agent.embedded.render.camera import Camera, Pictures, View
from sim_agent.embedded.render.kernel import kernel
from sim_agent.embedded.scene import Floats, Ints

MOST = 2.0
"""CARLA's range of either number."""
_NEAR_M = 0.01


def optical_flow(pictures: Pictures, camera: Camera, before: Pose, moved: Mapping[int, tuple[Pose, Pose]]) -> Floats:
    """(H, W, 2) float32: x to the right and y up, in halves of the picture's width and height, within +-`MOST`.

    What Unreal's velocity buffer holds and CARLA sends: where a pixel's surface is now, less where it was.

    Args:
        pictures: what `camera` sees now.
        camera: as it is now.
        before: where it was.
        moved: by object id, where a rigid thing that moves was and is.
    """
    view, past = View.of(camera), View.of(camera._replace(pose=before))
    rows = np.full(65536, -1, np.int32)
    motions = np.empty((len(moved), 3, 4))
    for row, (object_id, (was, now)) in enumerate(moved.items()):
        rows[object_id] = row
        motions[row] = (was.matrix() @ np.linalg.inv(now.matrix()))[:3]
    flow = np.zeros((camera.height, camera.width, 2), np.float32)
    still = before == camera.pose
    if moved or not still:
        cameras = np.concatenate([view.eye_m[None], view.rotation, past.eye_m[None], past.rotation])
        tangents = np.array([view.tan_x, view.tan_y])
        _flow(pictures.depth_m, pictures.instance, cameras, tangents, rows, motions, still, flow)
    return flow


@kernel
def _flow(
    depth_m: Floats,
    instance: Ints,
    cameras: Array,
    tangents: Array,
    rows: Ints,
    motions: Array,
    still: bool,
    flow: Floats,
) -> None:
    """cameras: (8, 3) eye and rotation now, eye and rotation before. What did not move before a still camera stays 0."""
    height, width = depth_m.shape
    tan_x, tan_y = tangents[0], tangents[1]
    for y in range(height):
        up = 1.0 - (y + 0.5) / height * 2.0
        for x in range(width):
            seen = instance[y, x]
            row = rows[seen]
            if still and row < 0:
                continue
            right = (x + 0.5) / width * 2.0 - 1.0
            # The sky is so far that only the camera's turning moves it.
            depth = depth_m[y, x] if seen != 0 else 1.0
            a, b, c = depth, depth * right * tan_x, depth * up * tan_y
            px = cameras[1, 0] * a + cameras[1, 1] * b + cameras[1, 2] * c
            py = cameras[2, 0] * a + cameras[2, 1] * b + cameras[2, 2] * c
            pz = cameras[3, 0] * a + cameras[3, 1] * b + cameras[3, 2] * c
            if seen != 0:
                px, py, pz = px + cameras[0, 0], py + cameras[0, 1], pz + cameras[0, 2]
                if row >= 0:
                    qx = (
                        motions[row, 0, 0] * px + motions[row, 0, 1] * py + motions[row, 0, 2] * pz + motions[row, 0, 3]
                    )
                    qy = (
                        motions[row, 1, 0] * px + motions[row, 1, 1] * py + motions[row, 1, 2] * pz + motions[row, 1, 3]
                    )
                    qz = (
                        motions[row, 2, 0] * px + motions[row, 2, 1] * py + motions[row, 2, 2] * pz + motions[row, 2, 3]
                    )
                    px, py, pz = qx, qy, qz
                px, py, pz = px - cameras[4, 0], py - cameras[4, 1], pz - cameras[4, 2]
            ahead = max(cameras[5, 0] * px + cameras[6, 0] * py + cameras[7, 0] * pz, _NEAR_M)
            was_right = (cameras[5, 1] * px + cameras[6, 1] * py + cameras[7, 1] * pz) / (ahead * tan_x)
            was_up = (cameras[5, 2] * px + cameras[6, 2] * py + cameras[7, 2] * pz) / (ahead * tan_y)
            flow[y, x, 0] = min(max(right - was_right, -MOST), MOST)
            flow[y, x, 1] = min(max(up - was_up, -MOST), MOST)
