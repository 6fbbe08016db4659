"""Pedestrians: on their feet, as tall as their capsule, with a gait whose feet do not slide."""

import numpy as np
import pytest

from sim_agent.embedded.blueprints import WALKERS, walker_spec
from sim_agent.embedded.models import PHASES, actor_models, stride_m, walker_model_key
from sim_agent.embedded.models.figure import Build
from sim_agent.embedded.models.gait import walking
from sim_agent.embedded.scene import Material, Tag

MODELS = actor_models()
SHARED = sorted({walker_model_key(name, None).split("/")[0] for name in WALKERS})


def shoes(mesh, side):
    points = mesh.vertices[np.unique(mesh.triangles[mesh.materials == Material.RUBBER])]
    return points[np.sign(points[:, 1]) == side]


def test_every_walker_has_all_its_models():
    for name in WALKERS:
        for phase in (None, *range(PHASES)):
            assert walker_model_key(name, phase) in MODELS
    assert walker_model_key(WALKERS[0], PHASES + 3) == walker_model_key(WALKERS[0], 3)
    assert walker_model_key("walker.pedestrian.0001", 0) == "walker.pedestrian.0001/0"
    assert walker_model_key("walker.pedestrian.0001", None) == "walker.pedestrian.0001/stand"
    with pytest.raises(KeyError, match="0099"):
        walker_model_key("walker.pedestrian.0099", 0)


def test_there_is_variety():
    assert len(SHARED) >= 12
    for name in WALKERS:
        other = walker_model_key(name, None).split("/")[0]
        assert walker_spec(name).extent_m == walker_spec(other).extent_m
        assert walker_spec(name).gender == walker_spec(other).gender


@pytest.mark.parametrize("name", SHARED)
def test_walkers_stand_on_the_ground_and_fill_their_height(name):
    half_height = walker_spec(name).extent_m[2]
    stand = MODELS[f"{name}/stand"]
    assert stand.vertices[:, 2].min() == pytest.approx(-half_height, abs=0.005)
    assert stand.vertices[:, 2].max() == pytest.approx(half_height, abs=0.005)
    assert np.abs(stand.vertices[:, 1]).max() < 0.28 * 2 * half_height
    for phase in range(PHASES):
        mesh = MODELS[f"{name}/{phase}"]
        assert mesh.vertices[:, 2].min() == pytest.approx(-half_height, abs=0.005)
        assert mesh.vertices[:, 2].max() == pytest.approx(half_height, abs=0.035)
        assert 600 <= len(mesh.triangles) <= 1500
        assert set(np.unique(mesh.tags)) == {Tag.PEDESTRIAN}


@pytest.mark.parametrize("name", SHARED)
def test_half_a_cycle_later_left_is_right(name):
    for phase in range(PHASES // 2):
        early, late = MODELS[f"{name}/{phase}"], MODELS[f"{name}/{phase + PHASES // 2}"]
        left, right = shoes(early, -1), shoes(late, 1)
        assert np.allclose(left.mean(0) * [1, -1, 1], right.mean(0), atol=0.01)


@pytest.mark.parametrize("name", SHARED)
def test_feet_on_the_ground_do_not_slide(name):
    """From heel strike to the other's heel strike the standing foot moves back by half a stride."""
    start, end = shoes(MODELS[f"{name}/0"], -1), shoes(MODELS[f"{name}/{PHASES // 2}"], -1)
    travelled = start[:, 0].mean() - end[:, 0].mean()
    assert 2 * travelled == pytest.approx(stride_m(name), rel=0.06)


def test_steps_are_a_walkers():
    """Adults take about 1.2 to 1.6 m a cycle (Winter 1991), children less."""
    assert 1.1 < stride_m("walker.pedestrian.0002") < 1.7
    assert stride_m("walker.pedestrian.0011") < 1.0


def test_knees_bend_backward_only():
    assert all(0 <= bend < 90 for pose in walking() for bend in pose.knee)


def test_clothes_and_skin():
    for name in SHARED:
        mesh = MODELS[f"{name}/stand"]
        assert (mesh.materials == Material.SKIN).mean() > 0.1
        assert (mesh.materials == Material.CLOTH).mean() > 0.3
    tops = {
        tuple(MODELS[f"{name}/stand"].colours[MODELS[f"{name}/stand"].triangles[:, 0]].mean(0).round(3))
        for name in SHARED
    }
    assert len(tops) == len(SHARED)


def test_proportions_add_up():
    build = Build()
    assert build.leg + 0.33 < 1 and build.waist < build.hips
