"""What CARLA's own client makes of the maps; it needs no server for that, and runs in a process of its own."""

import importlib.util
import json
import math
import subprocess
import sys

import numpy as np
import pytest

from sim_agent.embedded.scene import Material, Tag
from sim_agent.embedded.town import TOWNS

pytestmark = pytest.mark.skipif(importlib.util.find_spec("carla") is None, reason="the carla wheel is not installed")

CLIENT = r"""
import carla, json, random, sys
name, path, spawn = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
world = carla.Map(name, open(path, encoding="utf-8").read())
out = {"topology": len(world.get_topology()), "crosswalks": [[p.x, p.y] for p in world.get_crosswalks()]}
out["landmarks"] = [
    [m.id, m.type, m.transform.location.x, m.transform.location.y, m.transform.rotation.yaw]
    for m in world.get_all_landmarks()
]
out["spawn"] = []
for x, y, yaw in spawn:
    w = world.get_waypoint(carla.Location(x, y, 0.0))
    t = w.transform
    out["spawn"].append([t.location.x, t.location.y, t.rotation.yaw, str(w.lane_type), w.is_junction, w.lane_width])
rng = random.Random(1)
out["walk"], visited = [], set()
for start in range(4):
    w = world.get_waypoint(carla.Location(*spawn[rng.randrange(len(spawn))][:2], 0.0))
    steps = 0
    while steps < 4000:
        following = w.next(2.0)
        if not following:
            break
        w, steps = rng.choice(following), steps + 1
        if rng.random() < 0.1 and str(w.lane_change) in ("Left", "Right", "Both"):
            w = w.get_left_lane() if str(w.lane_change) == "Left" else w.get_right_lane()
        visited.add((w.road_id, w.lane_id))
    out["walk"].append(steps)
out["visited"] = len(visited)
out["lanes"] = len({(w.road_id, w.lane_id) for w in world.generate_waypoints(7.0)})
out["waypoints"] = []
here = [w.transform.location for w in world.generate_waypoints(7.0)]
out["places"] = [[p.x, p.y, p.z] for p in here]
for w in world.generate_waypoints(7.0):
    t, m, j = w.transform, w.right_lane_marking, w.get_junction()
    out["waypoints"].append([
        t.location.x, t.location.y, t.rotation.yaw, w.lane_width, str(m.type), w.road_id, w.lane_id, w.s,
        j.id if j else -1, str(w.lane_change), [l.id for l in w.get_landmarks(300.0)] if w.road_id % 5 == 1 else [],
    ])
json.dump(out, sys.stdout)
"""


def ask_client(tmp_path, town):
    path = tmp_path / "town.xodr"
    path.write_text(town.opendrive, encoding="utf-8")
    spawn = [[p.x_m, p.y_m, p.yaw_deg] for p in town.spawn_points]
    done = subprocess.run(
        [sys.executable, "-c", CLIENT, town.name, str(path), json.dumps(spawn)],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout[done.stdout.index("{") :])


@pytest.fixture(
    scope="module",
    params=[pytest.param(name, marks=[] if name in ("Town02", "Town03") else pytest.mark.slow) for name in TOWNS],
)
def answer(request, tmp_path_factory, town_of):
    town = town_of(request.param)
    return town, ask_client(tmp_path_factory.mktemp(request.param), town)


def turned(a, b):
    return abs((a - b + 180.0) % 360.0 - 180.0)


def test_random_walks_never_end_and_reach_most_of_the_lanes(answer):
    town, said = answer
    assert said["walk"] == [4000] * 4
    assert said["visited"] > 0.6 * said["lanes"]


def test_the_client_reads_roads_as_high_as_the_land(answer, land_of):
    town, said = answer
    places = np.array(said["places"])
    land = land_of(town)(places[:, :2])
    # A lane is as high as the middle of its street, which lies up to nine metres beside it.
    assert np.abs(places[:, 2] - land).max() < (0.9 if TOWNS[town.name].hills_m else 1e-6)
    assert np.median(np.abs(places[:, 2] - land)) < 0.12
    assert (np.ptp(land) > 5.0) == (TOWNS[town.name].hills_m > 0.0)


def test_spawn_points_lie_on_driving_lanes_along_the_traffic(answer, land_of):
    town, said = answer
    heights = np.array([pose.z_m for pose in town.spawn_points])
    assert np.allclose(heights - land_of(town)(np.array([pose[:2] for pose in town.spawn_points])), 0.3, atol=1e-4)
    assert len(town.spawn_points) >= 50
    for pose, (x, y, yaw, lane_type, is_junction, _) in zip(town.spawn_points, said["spawn"], strict=True):
        assert lane_type == "Driving" and not is_junction
        assert turned(yaw, pose.yaw_deg) < 1.0
        heading = math.radians(pose.yaw_deg)
        assert abs(-(x - pose.x_m) * math.sin(heading) + (y - pose.y_m) * math.cos(heading)) < 0.02
    points = np.array([pose[:2] for pose in town.spawn_points])
    apart = np.sqrt(((points[:, None] - points[None]) ** 2).sum(-1)) + 1e9 * np.eye(len(points))
    assert apart.min() > 8.0


def test_signals_are_landmarks_with_their_ids_at_their_posts(answer):
    town, said = answer
    types = {"light": "1000001", "stop": "206", "yield": "205"}
    signals = {signal.opendrive_id: signal for signal in town.signals}
    assert {mark[0] for mark in said["landmarks"]} == set(signals)
    for number, kind, x, y, yaw in said["landmarks"]:
        signal = signals[number]
        assert kind == types.get(signal.kind, "274")
        # The client moves every light by a quarter of a metre itself (LibCarla, MapBuilder.cpp).
        allowed = 0.26 if signal.kind == "light" else 0.01
        assert math.hypot(x - signal.pose.x_m, y - signal.pose.y_m) < allowed
        assert turned(yaw + 90.0, signal.pose.yaw_deg) < 0.1


def test_a_waypoint_sees_the_light_ahead_of_it(answer):
    town, said = answer
    lights = {lane for signal in town.signals if signal.kind == "light" for lane in signal.lanes}
    seen = 0
    for *_, road, lane, _, _, _, ahead in said["waypoints"]:
        if ahead and (road, lane) in lights:
            wanted = {s.opendrive_id for s in town.signals if s.kind == "light" and (road, lane) in s.lanes}
            seen += bool(wanted & set(ahead))
    assert seen > 0


def test_waypoints_have_the_lane_widths_and_junctions_of_the_network(answer):
    _, said = answer
    widths = {round(w[3], 3) for w in said["waypoints"] if w[8] == -1}
    assert widths <= {3.3, 3.4, 3.5, 3.6, 3.7}
    inside = {w[8] for w in said["waypoints"] if w[8] != -1}
    assert inside and all(1000 <= number < 1100 for number in inside)


def test_lanes_may_be_changed_on_streets_of_four_lanes_only(answer):
    town, said = answer
    changes = {w[9] for w in said["waypoints"]}
    assert ("Left" in changes and "Right" in changes) == (
        max(abs(lane) for s in town.signals for _, lane in s.lanes) > 1
    )


def test_crosswalks_lie_on_their_stripes(answer):
    town, said = answer
    points = np.array(said["crosswalks"]).reshape(-1, 5, 2)
    assert len(points) >= 20
    assert points[:, 0] == pytest.approx(points[:, 4], abs=1e-3)
    paint = flat_triangles(town, town.mesh.tags == Tag.ROAD_LINE)
    # The client makes crosswalks a metre longer at both ends: the outline's own ends lie on the kerbs.
    middle = points[:, :4].mean(1)
    near = np.sqrt(((paint.mean(1)[None] - middle[:, None]) ** 2).sum(-1))
    assert near.min(1).max() < 2.0


def flat_triangles(town, chosen):
    mesh = town.mesh
    return mesh.vertices[mesh.triangles[chosen]][:, :, :2].astype(np.float64)


def covered(points, triangles):
    """For each point, whether a triangle (seen from above) holds it."""
    found = np.zeros(len(points), bool)
    low, high = triangles.min(1), triangles.max(1)
    for k, point in enumerate(points):
        near = triangles[((low <= point) & (high >= point)).all(1)]
        if len(near):
            edges = np.roll(near, -1, 1) - near
            to = point - near
            side = edges[..., 0] * to[..., 1] - edges[..., 1] * to[..., 0]
            found[k] = bool((side >= -1e-9).all(1).any())
    return found


def test_asphalt_lies_under_every_waypoint(answer):
    town, said = answer
    points = np.array([w[:2] for w in said["waypoints"]])
    assert covered(points, flat_triangles(town, town.mesh.tags == Tag.ROAD)).all()


def test_solid_markings_lie_within_two_centimetres_of_the_lane_border(answer):
    town, said = answer
    paint = flat_triangles(town, (town.mesh.tags == Tag.ROAD_LINE) & (town.mesh.materials == Material.MARKING))
    borders = []
    for x, y, yaw, width, marking, _, _, s, *_ in said["waypoints"]:
        # A waypoint at the very start of its road lies on the edge of the paint.
        if marking == "Solid" and s > 0.5:
            right = math.radians(yaw + 90.0)
            borders.append(((x, y), (math.cos(right), math.sin(right)), width / 2.0))
    for offset, painted in ((-0.055, True), (0.0, True), (0.055, True), (-0.095, False), (0.095, False)):
        points = [(x + c * (half + offset), y + s * (half + offset)) for (x, y), (c, s), half in borders]
        assert (covered(np.array(points).reshape(-1, 2), paint) == painted).all()
    # Lines between a lane and what is right of it: not every town paints them.
    assert len(borders) > 20 or not TOWNS[town.name].paint.edge_lines
