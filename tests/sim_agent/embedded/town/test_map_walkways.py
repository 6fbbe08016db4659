"""Where people walk in worlds of any map: connected, on the sidewalks, on the right level."""

from collections import deque

import numpy as np
import pytest

from sim_agent.embedded.town.map_walkways import lay_map_walkways, navmesh_of
from sim_agent.embedded.town.opendrive_reader import read_opendrive
from sim_agent.embedded.town.walkways import CROSSWALK, ROAD, SIDEWALK
from tests.sim_agent.embedded.hills import hills


def area_m2(ways, loop):
    x, y = np.array([ways.vertices[p][:2] for p in loop]).T
    return abs((x * np.roll(y, -1) - y * np.roll(x, -1)).sum()) / 2.0


def islands(ways, areas=(SIDEWALK, CROSSWALK)):
    """Square metres of each connected part, largest first."""
    neighbours, sizes, seen = ways.neighbours(), [], set()
    for start, area in enumerate(ways.areas):
        if area not in areas or start in seen:
            continue
        seen.add(start)
        todo, size = deque([start]), 0.0
        while todo:
            number = todo.popleft()
            size += area_m2(ways, ways.polygons[number])
            for other in neighbours[number]:
                if other >= 0 and other not in seen and ways.areas[other] in areas:
                    seen.add(other)
                    todo.append(other)
        sizes.append(size)
    return sorted(sizes, reverse=True)


@pytest.mark.parametrize("name", ["Town01", "Town02", "Town03", "Town10HD_Opt", "Seed5"])
def test_people_reach_nearly_everything_in_the_map_of_a_town(town_of, name):
    """These maps end their sidewalks at junctions, and their crosswalks lie within."""
    ways = lay_map_walkways(read_opendrive(town_of(name).opendrive))
    sizes = islands(ways)
    assert sizes[0] > 0.99 * sum(sizes)
    assert {SIDEWALK, CROSSWALK, ROAD} == set(ways.areas)


def test_neighbours_know_each_other(town_of):
    ways = lay_map_walkways(read_opendrive(town_of("Town02").opendrive))
    neighbours = ways.neighbours()
    for number, beyond in enumerate(neighbours):
        for other in beyond:
            assert other < 0 or number in neighbours[other]


def test_polygons_are_convex_and_small_enough(town_of):
    ways = lay_map_walkways(read_opendrive(town_of("Town03").opendrive))
    for loop in ways.polygons:
        assert 3 <= len(loop) <= 6
        corners = np.array([ways.vertices[p][:2] for p in loop])
        edges = np.roll(corners, -1, 0) - corners
        following = np.roll(edges, -1, 0)
        assert (edges[:, 0] * following[:, 1] - edges[:, 1] * following[:, 0] < 1e-4).all()
        assert np.hypot(*edges.T).max() < 30.0


def test_sidewalks_climb_with_their_road_and_the_crosswalk_joins_both_sides():
    ways = lay_map_walkways(read_opendrive(hills()))
    heights = {
        round(ways.vertices[p][2], 2)
        for loop, area in zip(ways.polygons, ways.areas, strict=True)
        for p in loop
        if area == SIDEWALK
    }
    assert min(heights) == pytest.approx(0.15) and max(heights) == pytest.approx(8.15)
    assert len(islands(ways)) == 1
    assert len(islands(lay_map_walkways(read_opendrive(hills().replace("crosswalk", "bench"))))) == 2


def test_a_map_without_sidewalks_has_its_verges():
    ways = lay_map_walkways(read_opendrive(hills(sidewalks=False, bridge=False)))
    sizes = islands(ways)
    ring_m = 2 * 160.0 + 2 * np.pi * 40.0
    assert sum(sizes) == pytest.approx(2 * 1.5 * ring_m, rel=0.02)
    assert navmesh_of(read_opendrive(hills(sidewalks=False)))


def test_a_map_that_is_too_large_for_one_tile_goes_without_its_roads(monkeypatch):
    read = read_opendrive(hills())
    most = len(lay_map_walkways(read).vertices)
    fewer = len(lay_map_walkways(read, (SIDEWALK,)).vertices)
    assert fewer <= most
    monkeypatch.setattr("sim_agent.embedded.town.map_walkways.MAX_VERTICES", 3)
    assert navmesh_of(read) == b""
