import struct
from collections import deque

import numpy as np
import pytest

from sim_agent.embedded.town import TOWNS
from sim_agent.embedded.town.navmesh import write_navmesh
from sim_agent.embedded.town.network import draw_network
from sim_agent.embedded.town.plan import plan_of
from sim_agent.embedded.town.walkways import CROSSWALK, ROAD, SIDEWALK, Walkways, lay_walkways

POLYGON = np.dtype(
    [("link", "<u4"), ("v", "<u2", 6), ("n", "<u2", 6), ("flags", "<u2"), ("count", "u1"), ("area", "u1")]
)
NODE = np.dtype([("low", "<u2", 3), ("high", "<u2", 3), ("i", "<i4")])


def parse(data):
    """The file, read by the published layout and not by the writer's code."""
    magic, version, tiles = struct.unpack_from("<iii", data)
    *_, width, depth, most_tiles, most_polygons = struct.unpack_from("<3fffii", data, 12)
    reference, size = struct.unpack_from("<Ii", data, 40)
    assert (magic, version, tiles, most_tiles) == (0x4D534554, 1, 1, 1)
    tile = data[48:]
    assert size == len(tile)
    head = struct.unpack_from("<15i3f6ff", tile)
    assert head[0] == 0x444E4156 and head[1] == 7
    polygons, vertices, links, details, detail_vertices, triangles, nodes = head[6:13]
    assert most_polygons >= polygons and reference == most_polygons
    at = 100
    points = np.frombuffer(tile, "<f4", 3 * vertices, at).reshape(-1, 3)
    at += 12 * vertices
    loops = np.frombuffer(tile, POLYGON, polygons, at)
    at += 32 * polygons + 12 * links + 12 * details + 12 * detail_vertices + 4 * triangles
    tree = np.frombuffer(tile, NODE, nodes, at)
    assert at + 16 * nodes == len(tile)
    return points, loops, tree, head


@pytest.fixture(scope="module", params=[*TOWNS, "Seed4", "Seed21"])
def mesh(request):
    plan, rng = plan_of(request.param, 0)
    return parse(write_navmesh(lay_walkways(draw_network(plan, rng))))


def test_polygons_are_convex_and_turn_as_detour_wants_them(mesh):
    points, loops, _, _ = mesh
    for row in loops:
        flat = points[row["v"][: row["count"]]][:, [0, 2]].astype(np.float64)
        edge = np.roll(flat, -1, 0) - flat
        following = np.roll(edge, -1, 0)
        # dtTriArea2D (DetourCommon.h) of a polygon's fan is positive.
        assert (edge[:, 0] * following[:, 1] - edge[:, 1] * following[:, 0] < 1e-4).all()


def test_neighbours_share_an_edge_and_know_each_other(mesh):
    _, loops, _, _ = mesh
    for number, row in enumerate(loops):
        count = int(row["count"])
        for k in range(count):
            other = int(row["n"][k]) - 1
            if other < 0:
                continue
            edge = {int(row["v"][k]), int(row["v"][(k + 1) % count])}
            there = loops[other]
            back = [e for e in range(int(there["count"])) if int(there["n"][e]) - 1 == number]
            assert any({int(there["v"][e]), int(there["v"][(e + 1) % int(there["count"])])} == edge for e in back)


def test_people_reach_every_sidewalk_over_sidewalks_and_crosswalks(mesh):
    _, loops, _, _ = mesh
    allowed = np.isin(loops["area"], (SIDEWALK, CROSSWALK))
    first = int(np.flatnonzero(loops["area"] == SIDEWALK)[0])
    seen, todo = {first}, deque([first])
    while todo:
        row = loops[todo.popleft()]
        for other in row["n"][: row["count"]].astype(int) - 1:
            if other >= 0 and allowed[other] and other not in seen:
                seen.add(int(other))
                todo.append(int(other))
    assert set(np.flatnonzero(loops["area"] == SIDEWALK).tolist()) <= seen


def test_areas_carry_the_flags_of_carla(mesh):
    _, loops, _, _ = mesh
    assert set(zip(loops["area"].tolist(), loops["flags"].tolist(), strict=True)) == {
        (SIDEWALK, 2),
        (CROSSWALK, 4),
        (ROAD, 8),
    }


def test_the_search_tree_holds_every_polygon_once_and_covers_it(mesh):
    points, loops, tree, head = mesh
    leaves = tree["i"][tree["i"] >= 0]
    assert sorted(leaves.tolist()) == list(range(len(loops)))
    low, step = np.array(head[18:21]), 1.0 / head[24]
    for node in tree[::7]:
        if node["i"] >= 0:
            corners = points[loops[node["i"]]["v"][: loops[node["i"]]["count"]]]
            assert (low + node["low"] * step <= corners.min(0) + 1e-3).all()
            assert (low + node["high"].astype(float) * step >= corners.max(0) - 1e-3).all()
    # Skipping a branch leads behind its subtree.
    for k, node in enumerate(tree):
        if node["i"] < 0:
            inside = tree[k : k - int(node["i"])]
            assert (inside["low"] >= node["low"]).all() and (inside["high"] <= node["high"]).all()


def test_more_vertices_than_detour_counts_are_refused():
    ways = Walkways()
    ways.vertices = [(float(k), 0.0, 0.0) for k in range(65536)]
    with pytest.raises(ValueError, match="65536 vertices.*65535"):
        write_navmesh(ways)
