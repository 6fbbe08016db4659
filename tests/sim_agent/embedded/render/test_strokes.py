"""Debug drawing: where it is, how thick, what hides it."""

import numpy as np
import pytest

from sim_agent.embedded.pose import Pose
from sim_agent.embedded.render import Camera, Strokes, Words, draw_strokes

CAMERA = Camera(201, 101, 90.0, Pose(0.0, 0.0, 2.0))
FOCAL_PX = 100.5
RED = (255.0, 0.0, 0.0)


def drawn(lines=(), points=(), words=(), depth_m=1000.0, camera=CAMERA):
    """The red channel of a black picture with these strokes."""
    depth = np.broadcast_to(np.float32(depth_m), (camera.height, camera.width)).copy()
    bgra = np.zeros((camera.height, camera.width, 4), np.uint8)
    strokes = Strokes(np.array(lines, float).reshape(-1, 11), np.array(points, float).reshape(-1, 8), tuple(words))
    draw_strokes(strokes, camera, depth, bgra)
    assert not bgra[..., [0, 1, 3]].any()
    return bgra[..., 2]


def line(begin, end, thickness=0.1, over=0.0):
    return (*begin, *end, thickness, *RED, over)


@pytest.mark.parametrize("distance_m", [5.0, 10.0, 20.0])
def test_a_line_is_as_thick_as_it_is_seen(distance_m):
    picture = drawn([line((distance_m, -3.0, 2.0), (distance_m, 3.0, 2.0), 0.4)])
    ink = picture[:, 100].sum() / 255.0
    assert ink == pytest.approx(0.4 * FOCAL_PX / distance_m, rel=0.02)
    assert picture[:, 100].argmax() == pytest.approx(50, abs=4)
    columns = np.flatnonzero(picture[50])
    assert columns[0] == pytest.approx(100 - 3.0 * FOCAL_PX / distance_m, abs=0.2 * FOCAL_PX / distance_m + 1)


def test_a_far_line_is_a_pixel_wide():
    picture = drawn([line((500.0, -300.0, 2.0), (500.0, 300.0, 2.0), 0.05)])
    assert picture[:, 60].sum() == pytest.approx(255, abs=3)


def test_a_line_that_passes_the_camera_is_cut_before_it():
    picture = drawn([line((-10.0, 0.5, 1.0), (50.0, 0.5, 1.0), 0.1)])
    assert picture[100].any() and picture[52].any()
    assert not picture[:49].any()


def test_what_is_behind_the_camera_is_not_drawn():
    assert not drawn([line((-10.0, -5.0, 2.0), (-1.0, 5.0, 2.0))], [(-5.0, 0.0, 2.0, 10.0, *RED, 0.0)]).any()
    assert not drawn(words=[Words((-5.0, 0.0, 2.0), "behind", (255, 0, 0), False)]).any()


def test_a_surface_hides_what_is_behind_it():
    wall = np.full((101, 201), 1000.0, np.float32)
    wall[:, :100] = 8.0
    picture = drawn([line((10.0, -4.0, 2.0), (10.0, 4.0, 2.0), 0.3)], depth_m=wall)
    assert not picture[:, :100].any()
    assert picture[:, 101:].any()
    assert drawn([line((7.9, -4.0, 2.0), (7.9, 4.0, 2.0), 0.3)], depth_m=wall)[50, 60:140].all()


def test_a_thin_pole_hides_a_line_as_well():
    depth = np.full((101, 201), 1000.0, np.float32)
    depth[:, 99:102] = 4.0
    picture = drawn([line((10.0, -4.0, 2.0), (10.0, 4.0, 2.0), 0.3)], depth_m=depth)
    assert not picture[50, 100].any()
    assert picture[50, 90:98].all() and picture[50, 104:110].all()


def test_a_line_on_the_ground_is_seen_whole():
    """Far away the ground's depth changes by metres from one pixel to the next."""
    rows = (np.arange(101) + 0.5 - 50.5) / FOCAL_PX
    ground = np.where(rows > 0.0, 2.0 / np.maximum(rows, 1e-9), 1000.0).clip(max=1000.0)
    depth = np.repeat(ground[:, None], 201, 1).astype(np.float32)
    for distance_m in (5.0, 15.0, 40.0, 80.0):
        seen = drawn([line((distance_m, -2.0, 0.0), (distance_m, 2.0, 0.0), 0.1)], depth_m=depth)
        bare = drawn([line((distance_m, -2.0, 0.0), (distance_m, 2.0, 0.0), 0.1)])
        assert seen.sum() > 0.95 * bare.sum(), distance_m


def test_the_nearer_of_two_lines_is_above():
    near, far = line((5.0, 0.0, 0.0), (5.0, 0.0, 4.0), 0.3), (10.0, -4.0, 2.0, 10.0, 4.0, 2.0, 0.3, 90.0, 0.0, 0.0, 0.0)
    for lines in ((near, far), (far, near)):
        assert drawn(lines)[50, 100] == 255


def test_points_keep_their_size():
    for distance_m in (4.0, 40.0):
        picture = drawn(points=[(distance_m, 0.0, 2.0, 6.0, *RED, 0.0)])
        assert picture.sum() / 255.0 == pytest.approx(36.0, rel=0.03)


def test_what_is_over_everything_has_its_thickness_in_pixels():
    picture = drawn([line((50.0, -9.0, 2.0), (50.0, 9.0, 2.0), 3.0, over=1.0)], depth_m=1.0)
    assert picture[:, 100].sum() / 255.0 == pytest.approx(3.0, abs=0.05)


def test_words_stand_where_they_are_put():
    picture = drawn(words=[Words((10.0, 0.0, 2.0), "H\nH", (255, 0, 0), False)], depth_m=1.0)
    rows, columns = np.nonzero(picture)
    assert (columns.min(), columns.max()) == (100, 104)
    assert (rows.min(), rows.max()) == (50, 50 + 9 + 6)
    assert len(rows) == 2 * 17


def test_words_grow_with_the_picture():
    camera = Camera(1920, 1080, 90.0, CAMERA.pose)
    words = [Words((10.0, 0.0, 2.0), "|", (255, 0, 0), False)]
    assert (drawn(words=words, camera=camera) > 0).sum() == 9 * (drawn(words=words) > 0).sum()


def test_a_shadow_is_black_and_beside():
    bgra = np.full((101, 201, 4), 200, np.uint8)
    words = (Words((10.0, 0.0, 2.0), "I", (255, 255, 255), True),)
    depth = np.ones((101, 201), np.float32)
    draw_strokes(Strokes(np.zeros((0, 11)), np.zeros((0, 8)), words), CAMERA, depth, bgra)
    white, black = ((bgra[..., :3] == level).all(-1) for level in (255, 0))
    assert white.sum() == 11
    assert (np.argwhere(black).max(0) == np.argwhere(white).max(0) + 1).all()


@pytest.mark.parametrize("far", [1e7, -1e7])
def test_enormous_strokes_do_no_harm(far):
    drawn(
        [line((far, far, far), (1.0, -far, far), 1e7), line((0.2, far, 0.0), (0.2, -far, 0.0), 0.0)],
        [(1.0, far, 0.0, 1e7, *RED, 0.0), (0.2, 0.0, 2.0, 1e7, *RED, 0.0)],
        [Words((1.0, far, 0.0), "far", (255, 0, 0), False), Words((1.0, 0.0, 2.0), "", (255, 0, 0), True)],
    )


def test_the_same_strokes_draw_the_same_bytes():
    random = np.random.default_rng(3)
    lines = [line(random.uniform(-5, 30, 3), random.uniform(-5, 30, 3), 0.2) for _ in range(50)]
    depth = random.uniform(5.0, 40.0, (101, 201))
    np.testing.assert_array_equal(drawn(lines, depth_m=depth), drawn(lines, depth_m=depth))
