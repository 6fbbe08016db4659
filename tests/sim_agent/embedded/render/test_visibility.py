"""What lies behind other things is left out, and no picture shows it."""

import numpy as np
import pytest

from sim_agent.embedded.pose import Pose
from sim_agent.embedded.render import Camera, Renderer, visibility
from sim_agent.embedded.scene import Weather
from tests.sim_agent.embedded.render.streets import EGO, MODELS, street_town, traffic


@pytest.fixture(scope="module")
def large():
    renderer = Renderer(street_town(blocks=1, leaves=60), MODELS, "medium", 2)
    yield renderer
    renderer.close()


EYES = [EGO, Pose(3.0, 2.0, 1.5, 4.0, 75.0), Pose(-30.0, 1.0, 9.0, -20.0, 190.0), Pose(20.0, 30.0, 1.2, 0.0, 45.0)]


@pytest.mark.parametrize("eye", EYES)
def test_stretches_show_what_one_stretch_of_everything_shows(large, monkeypatch, eye):
    camera, projected = Camera(160, 90, 90.0, eye), []
    project = visibility.VisibilityBuffer._project

    def counting(buffer, items, *others):
        projected[-1] += len(items)
        project(buffer, items, *others)

    def pictures(first_triangles):
        projected.append(0)
        monkeypatch.setattr(visibility, "FIRST_TRIANGLES", first_triangles)
        return large.render(camera, traffic(), Weather(), seed=1)

    monkeypatch.setattr(visibility.VisibilityBuffer, "_project", counting)
    everything, stretches = pictures(10**9), pictures(50)
    assert projected[1] < projected[0]
    np.testing.assert_array_equal(stretches.tag, everything.tag)
    np.testing.assert_array_equal(stretches.instance, everything.instance)
    np.testing.assert_array_equal(stretches.depth_m, everything.depth_m)
    np.testing.assert_array_equal(stretches.bgra, everything.bgra)
