"""Rays against shapes whose answer is known, and against every triangle tried in turn."""

import numpy as np
import pytest

from sim_agent.embedded.pose import Pose
from sim_agent.embedded.render import RayCaster
from sim_agent.embedded.scene import Material, MeshBuilder, Mover, Tag
from tests.sim_agent.embedded.render.streets import MODELS, traffic


@pytest.fixture(scope="module")
def box():
    builder = MeshBuilder(object_id=5)
    builder.box((4, -1, -1), (6, 1, 1), Tag.WALL, Material.CONCRETE)
    return builder.build()


def test_distance_tag_object_and_angle(box):
    hits = RayCaster(box, {}).cast((0, 0, 0), [(1, 0, 0), (2, 0, 0), (1, 0.1, 0), (0, 1, 0), (-1, 0, 0)], 100.0)
    np.testing.assert_allclose(hits.distance_m, [4, 4, 4 * np.hypot(1, 0.1), np.inf, np.inf])
    assert hits.tag.tolist() == [Tag.WALL, Tag.WALL, Tag.WALL, 0, 0]
    assert hits.object_id.tolist() == [5, 5, 5, 0, 0]
    np.testing.assert_allclose(hits.normal_cos[:3], [1, 1, 1 / np.hypot(1, 0.1)])


def test_reach_and_sides(box):
    caster = RayCaster(box, {})
    assert caster.cast((0, 0, 0), (1, 0, 0), 3.99).distance_m[0] == np.inf
    # From inside, only back faces are in the way.
    assert caster.cast((5, 0, 0), (1, 0, 0), 100.0).distance_m[0] == np.inf
    leaf = MeshBuilder(object_id=1)
    leaf.quad((3, -1, -1), (3, 1, -1), (3, 1, 1), (3, -1, 1), Tag.VEGETATION, Material.LEAF)
    both = RayCaster(leaf.build(), {}).cast([(0, 0, 0), (9, 0, 0)], [(1, 0, 0), (-1, 0, 0)], 100.0)
    np.testing.assert_allclose(both.distance_m, [3, 6])


def test_movers_and_hidden_objects(box):
    caster = RayCaster(box, MODELS)
    car = Mover("car", 42, Pose(0.0, 9.0, 0.0, 0.0, 90.0))
    hits = caster.cast((0, 0, 0.5), [(0, 1, 0), (1, 0, 0)], 100.0, [car])
    np.testing.assert_allclose(hits.distance_m, [9.0 - 2.2, 4.0], rtol=1e-5)
    assert hits.object_id.tolist() == [42, 5]
    caster.set_hidden([5])
    assert caster.cast((0, 0, 0.5), (1, 0, 0), 100.0).distance_m[0] == np.inf
    caster.set_hidden([])
    assert caster.cast((0, 0, 0.5), (1, 0, 0), 100.0).distance_m[0] == 4.0


def test_the_tree_finds_what_trying_every_triangle_finds(town, ray_caster):
    random = np.random.default_rng(3)
    origins = random.uniform((-30, -30, 0.2), (30, 30, 12), (60, 3))
    directions = random.normal(size=(60, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    hits = ray_caster.cast(origins, directions, 500.0)
    a, b, c = (town.vertices[town.triangles[:, k]].astype(np.float64) for k in range(3))
    normal = np.cross(b - a, c - a)
    for origin, direction, distance in zip(origins, directions, hits.distance_m, strict=True):
        facing = normal @ direction
        with np.errstate(divide="ignore", invalid="ignore"):
            along = np.einsum("ij,ij->i", a - origin, normal) / facing
            point = origin + along[:, None] * direction
            inside = np.ones(len(a), bool)
            for p, q in ((a, b), (b, c), (c, a)):
                inside &= np.einsum("ij,ij->i", np.cross(q - p, point - p), normal) >= 0
        hit = inside & (along > 0) & (along < 500.0) & ((facing < 0) | (town.materials == Material.LEAF))
        expected = along[hit].min() if hit.any() else np.inf
        assert distance == pytest.approx(expected, rel=1e-6)


def test_nothing_to_hit_and_nothing_to_cast():
    caster = RayCaster(MeshBuilder().build(), MODELS)
    assert caster.cast((0, 0, 0), (1, 0, 0), 10.0).distance_m.tolist() == [np.inf]
    assert len(caster.cast(np.zeros((0, 3)), np.zeros((0, 3)), 10.0, traffic()).distance_m) == 0


def test_errors_name_what_is_wrong(box):
    with pytest.raises(ValueError, match=r"\(0, 0, 0\)"):
        RayCaster(box, {}).cast((0, 0, 0), (0, 0, 0), 10.0)
    with pytest.raises(ValueError, match="'tram'"):
        RayCaster(box, {}).cast((0, 0, 0), (1, 0, 0), 10.0, [Mover("tram", 1, Pose())])
