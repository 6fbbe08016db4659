"""Our renderer beside llvmpipe: the scene that it is given, and the rows."""

import numpy as np
import pytest

from benchmarks import pictures, references
from sim_agent.embedded.pose import Pose
from sim_agent.embedded.scene import Material, MeshBuilder, Tag, Weather


def quad(tag, object_id):
    builder = MeshBuilder(object_id=object_id)
    builder.quad((-1, -1, 0), (1, -1, 0), (1, 1, 0), (-1, 1, 0), tag, Material.PAINT)
    return builder.build()


def test_the_scene_is_one_list_of_triangles_in_the_world(tmp_path):
    road, car = quad(Tag.ROAD, 1), quad(Tag.CAR, 0)
    away = Pose(10.0, 5.0, 2.0, 0.0, 90.0)
    weather = Weather(sun_azimuth_deg=90.0, sun_altitude_deg=30.0)
    pictures.save_scene(tmp_path / "scene.npz", road, [(car, away.matrix())], [away], weather)
    scene = np.load(tmp_path / "scene.npz")
    road_count = len(road.vertices)
    assert scene["triangles"].shape == (4, 3)
    assert set(scene["tags"][scene["triangles"][:2]].ravel()) == {Tag.ROAD}
    assert set(scene["tags"][scene["triangles"][2:]].ravel()) == {Tag.CAR}
    np.testing.assert_allclose(scene["vertices"][:road_count], road.vertices)
    np.testing.assert_allclose(scene["vertices"][road_count:].mean(axis=0), (10.0, 5.0, 2.0), atol=1e-6)
    np.testing.assert_allclose(scene["sun"], (0.0, np.cos(np.pi / 6), 0.5), atol=1e-9)
    np.testing.assert_allclose(scene["cameras"][0], away.matrix())


def test_the_mark_is_against_the_reference_that_draws_less():
    one, four = (pictures.reference_name(n) for n in pictures.SAMPLES)
    first, second = pictures.case_rows({"ours": 0.1, one: 0.2, four: 0.8})
    assert (first.ratio, first.mark.value, first.met) == (pytest.approx(2.0), 1.5, True)
    assert (second.ratio, second.mark) == (pytest.approx(8.0), None)
    assert "1 sample a pixel" in first.case and "4 samples a pixel" in second.case


def test_absent_is_one_row_and_no_town_is_built(tmp_path, monkeypatch):
    monkeypatch.setenv(references.VARIABLE, str(tmp_path))
    (row,) = pictures.measure(tmp_path, 1, "low")
    assert row.ours is None and row.note == references.absent("moderngl")
