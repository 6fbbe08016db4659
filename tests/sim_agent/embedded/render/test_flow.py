"""Optical flow against rays: each pixel's surface, put back to where it was, is seen where the flow says."""

import numpy as np
import pytest

from sim_agent.embedded.pose import Pose, rotation_matrix
from sim_agent.embedded.render import Camera, optical_flow
from sim_agent.embedded.scene import Weather
from tests.sim_agent.embedded.render.pixels import rays
from tests.sim_agent.embedded.render.streets import EGO, traffic

CAMERA = Camera(160, 90, 90.0, EGO)


def projected(points, pose, camera):
    """(N, 2) in halves of the picture, x right and y up."""
    local = (points - np.array(pose.location)) @ rotation_matrix(*pose.rotation)
    tan = np.tan(np.radians(camera.fov_deg) / 2)
    return np.stack(
        [local[:, 1] / (local[:, 0] * tan), local[:, 2] / (local[:, 0] * tan * camera.height / camera.width)], 1
    )


def seen(renderer, camera, movers):
    return renderer.render(camera, movers, Weather(), seed=0, rgb=False)


def places_of(pictures, camera):
    directions, cosine = rays(camera)
    return np.array(camera.pose.location) + directions * (pictures.depth_m.reshape(-1) / cosine)[:, None]


@pytest.mark.parametrize(
    "before",
    [
        EGO._replace(x_m=EGO.x_m - 0.7),
        EGO._replace(yaw_deg=EGO.yaw_deg + 1.5),
        Pose(EGO.x_m - 0.4, EGO.y_m + 0.2, EGO.z_m - 0.05, EGO.pitch_deg - 0.8, EGO.yaw_deg - 1.0, 2.0),
    ],
    ids=["ahead", "turn", "everything"],
)
def test_the_flow_of_a_moving_camera(renderer, before):
    pictures = seen(renderer, CAMERA, traffic())
    flow = optical_flow(pictures, CAMERA, before, {}).reshape(-1, 2)
    places = places_of(pictures, CAMERA)
    sky = pictures.instance.reshape(-1) == 0
    places[sky] += 1e9 * (places[sky] - np.array(EGO.location))
    was = projected(places, before, CAMERA)
    now = projected(places, EGO, CAMERA)
    np.testing.assert_allclose(flow, now - was, atol=2e-4)
    assert np.abs(flow).max() > 0.01


def test_going_ahead_the_ground_comes_down_and_the_sky_stays(renderer):
    pictures = seen(renderer, CAMERA, [])
    flow = optical_flow(pictures, CAMERA, EGO._replace(x_m=EGO.x_m - 0.5), {})
    assert (flow[80:, 40:120, 1] < -0.005).all()
    assert (flow[80:, :20, 0] < 0).all() and (flow[80:, 140:, 0] > 0).all()
    assert np.abs(flow[pictures.instance == 0]).max() < 1e-12


def test_turning_right_everything_goes_left_by_the_same_angle(renderer):
    pictures = seen(renderer, CAMERA, [])
    flow = optical_flow(pictures, CAMERA, EGO._replace(yaw_deg=EGO.yaw_deg - 2.0), {})
    assert flow[45, 80, 0] == pytest.approx(-np.tan(np.radians(2.0)), rel=0.02)
    assert (flow[..., 0] < 0).all()


def test_what_moves_before_a_still_camera(renderer):
    movers = traffic()
    car = movers[0]
    was = car.pose._replace(x_m=car.pose.x_m - 0.3, y_m=car.pose.y_m + 0.1, yaw_deg=car.pose.yaw_deg - 3.0)
    pictures = seen(renderer, CAMERA, movers)
    flow = optical_flow(pictures, CAMERA, EGO, {car.object_id: (was, car.pose)}).reshape(-1, 2)
    of_car = pictures.instance.reshape(-1) == car.object_id
    assert 100 < of_car.sum() < len(of_car) / 2
    assert not flow[~of_car].any()
    places = places_of(pictures, CAMERA)[of_car]
    back = (np.c_[places, np.ones(len(places))] @ (was.matrix() @ np.linalg.inv(car.pose.matrix())).T)[:, :3]
    np.testing.assert_allclose(flow[of_car], projected(places, EGO, CAMERA) - projected(back, EGO, CAMERA), atol=2e-4)


def test_nothing_moves(renderer):
    assert not optical_flow(seen(renderer, CAMERA, traffic()), CAMERA, EGO, {}).any()


def test_what_was_behind_the_camera_stays_in_range(renderer):
    flow = optical_flow(seen(renderer, CAMERA, traffic()), CAMERA, EGO._replace(yaw_deg=EGO.yaw_deg + 180.0), {})
    assert np.isfinite(flow).all() and np.abs(flow).max() <= 2.0
