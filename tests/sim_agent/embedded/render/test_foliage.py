"""Far foliage: coarser levels cover as much in the same colours and tags; closed crowns lose their far sides only."""

import numpy as np
import pytest

from sim_agent.embedded.pose import Pose
from sim_agent.embedded.render import Camera, Renderer, geometry
from sim_agent.embedded.render.foliage import FEWER, areas_of, coarsen, find_leaves, find_shells, select
from sim_agent.embedded.render.geometry import Geometry
from sim_agent.embedded.scene import Material, MeshBuilder, Tag, Weather
from sim_agent.embedded.town.plants import grow_trees

OCTAHEDRON = np.array([(1, 0, 0), (0, 1, 0), (-1, 0, 0), (0, -1, 0), (0, 0, 1), (0, 0, -1)], np.float32)
FACES = np.array([(0, 1, 4), (1, 2, 4), (2, 3, 4), (3, 0, 4), (1, 0, 5), (2, 1, 5), (3, 2, 5), (0, 3, 5)])


def crown(faces):
    builder = MeshBuilder(object_id=1)
    builder.add(OCTAHEDRON, faces, Tag.VEGETATION, Material.LEAF)
    return builder.build()


def wood(rows=4, columns=6):
    builder = MeshBuilder()
    trees = grow_trees(np.random.default_rng(3))["broad"]
    for k in range(rows * columns):
        builder.object_id = k + 1
        builder.add_mesh(trees[k % len(trees)].mesh, Pose(7.0 * (k // columns), 6.0 * (k % columns - columns / 2)))
    return builder.build()


def test_a_coarser_level_has_the_same_area_and_colour_and_no_mixed_objects():
    mesh = wood()
    fine = select(mesh, np.flatnonzero(find_leaves(mesh)))
    coarse, firsts = coarsen(fine, np.array([0]))
    assert firsts.tolist() == [0]
    assert len(coarse.triangles) == pytest.approx(len(fine.triangles) / FEWER, rel=0.02)
    for number in np.unique(mesh.objects):
        ours, theirs = coarse.objects == number, fine.objects == number
        assert areas_of(coarse)[ours].sum() == pytest.approx(areas_of(fine)[theirs].sum(), rel=0.1)
        colours = [
            m.colours.reshape(-1, 3, 3).mean(axis=1)[k].mean(axis=0) for m, k in ((coarse, ours), (fine, theirs))
        ]
        np.testing.assert_allclose(*colours, rtol=0.02)


def test_only_a_closed_crown_that_is_turned_outwards_is_a_shell():
    none = np.zeros(8, bool)
    assert find_shells(crown(FACES), none).all()
    assert not find_shells(crown(FACES[:, ::-1]), none).any()
    assert not find_shells(crown(FACES[1:]), none[1:]).any()
    assert not find_shells(crown(np.vstack([FACES[1:], FACES[1:2]])), none).any()


def test_the_insides_of_every_tree_are_shells_and_its_trunk_and_leaves_are_not():
    mesh = wood()
    shells = find_shells(mesh, find_leaves(mesh))
    assert shells.sum() > 0.1 * len(shells)
    assert not (shells & find_leaves(mesh)).any()
    assert (mesh.materials[shells] == Material.LEAF).all()


def test_a_crown_whose_far_side_is_not_drawn_looks_the_same():
    ours, flat = crown(FACES), crown(FACES)
    pictures = []
    for mesh, is_shell in ((ours, True), (flat, False)):
        renderer = Renderer(mesh, {}, "medium", 1)
        assert bool(renderer._geometry.states[0] & geometry.SHELL)
        if not is_shell:
            renderer._geometry.states[:] = 0
        pictures.append(renderer.render(Camera(80, 60, 60.0, Pose(-4.0, 0.3, 0.8, -10.0)), [], Weather(), seed=1))
        renderer.close()
    for one, other in zip(*pictures, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("away_m", [60.0, 110.0, 220.0])
def test_a_far_wood_is_drawn_with_fewer_leaves_and_looks_as_dense(monkeypatch, away_m):
    camera = Camera(320, 180, 40.0, Pose(-away_m, 0.0, 3.0))
    pictures = []
    for limits in (geometry.LEVEL_PX, (0.0, 0.0, 0.0)):
        monkeypatch.setattr(geometry, "LEVEL_PX", limits)
        renderer = Renderer(wood(), {}, "medium", 1)
        pictures.append(renderer.render(camera, [], Weather(), seed=1))
        renderer.close()
    seen = [picture.tag == Tag.VEGETATION for picture in pictures]
    assert seen[0].sum() == pytest.approx(seen[1].sum(), rel=0.06)
    # Over wood and sky together: a ragged edge mixes them within its pixels, a coarse one beside each other.
    rows, columns = np.nonzero(seen[1])
    box = slice(rows.min(), rows.max() + 1), slice(columns.min(), columns.max() + 1)
    light = [picture.bgra[box][..., :3].mean() for picture in pictures]
    assert light[0] == pytest.approx(light[1], rel=0.03)


def test_levels_follow_the_distance_and_the_size_in_the_picture():
    parts = Geometry(wood(), {})
    counts = []
    for away_m, focal_px in ((5.0, 320.0), (80.0, 320.0), (400.0, 320.0), (400.0, 3200.0)):
        chosen = parts.parts_for(np.array([-away_m, 0.0, 2.0]), focal_px)
        counts.append(int((chosen[:, 1] - chosen[:, 0]).sum()))
    near, middle, far, far_through_a_long_lens = counts
    assert near > 1.3 * middle > 1.3 * far
    assert far_through_a_long_lens > 1.3 * far
