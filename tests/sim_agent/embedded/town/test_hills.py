import numpy as np
import pytest

from sim_agent.embedded.scene import Tag
from sim_agent.embedded.town.hills import CELL_M, Hills


@pytest.fixture(scope="module")
def hills():
    return Hills(6.0, np.random.default_rng(3))


def test_land_is_level_within_each_half_of_a_cell_and_whole_across_them(hills):
    rng = np.random.default_rng(0)
    corner = np.floor(rng.uniform(-20.0, 20.0, (200, 2)))
    # Any three points in one half: the middle of two is as high as the mean of both.
    for swap in (False, True):
        u, v = np.sort(rng.uniform(0.0, 1.0, (2, 200, 2)), axis=2)[..., ::-1]
        first, second = ((corner + (w[:, ::-1] if swap else w)) * CELL_M for w in (u, v))
        middle = hills.at((first + second) / 2.0)
        assert middle == pytest.approx((hills.at(first) + hills.at(second)) / 2.0, abs=1e-9)
    edge = corner * CELL_M + (0.0, 5.0)
    assert hills.at(edge - (1e-7, 0.0)) == pytest.approx(hills.at(edge + (1e-7, 0.0)), abs=1e-6)


def test_slopes_are_the_land_s(hills):
    points = np.random.default_rng(1).uniform(-400.0, 400.0, (500, 2))
    step = CELL_M
    for axis in (0, 1):
        shift = np.eye(2)[axis] * step
        rise = (hills.at(points + shift) - hills.at(points - shift)) / (2.0 * step)
        assert np.abs(rise - hills.slope(points)[:, axis]).max() < 0.01
    heights = hills.at(points)
    assert 3.0 < np.ptp(heights) < 12.0 and np.abs(hills.slope(points)).max() < 0.1


def test_beyond_the_raster_the_land_goes_on_as_at_its_edge(hills):
    assert hills.at([(1e5, 10.0)])[0] == pytest.approx(hills.at([(1.5e3, 10.0)])[0], abs=1e-3)


@pytest.mark.slow
def test_houses_stand_upright_on_foundations_and_fences_follow_the_land(town_of, land_of):
    town = town_of("Town07")
    mesh, land = town.mesh, land_of(town)
    corners = mesh.vertices[mesh.triangles].reshape(-1, 3).astype(np.float64)
    above = corners[:, 2] - land(corners[:, :2])
    owner = np.repeat(mesh.objects, 3)
    for tag, most in ((Tag.FENCE, 3.1), (Tag.GUARD_RAIL, 1.2)):
        here = above[np.repeat(mesh.tags, 3) == tag]
        assert len(here) and -0.5 < here.min() and here.max() < most
    houses = [thing for thing in town.objects if thing.tag == Tag.BUILDING and np.abs(thing.pose[:2]).max() < 200.0]
    assert len(houses) > 10
    for house in houses:
        mine = owner == house.object_id
        # Its lowest corners reach into the land on every side, and its box is as wide as on the plane.
        assert above[mine].min() < -0.3
        foot = corners[mine][corners[mine, 2] < corners[mine, 2].min() + 0.01]
        assert np.ptp(foot[:, 2]) < 1e-3 and (foot[:, 2] - land(foot[:, :2]) < 0.0).all()
