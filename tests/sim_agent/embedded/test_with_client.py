"""The real client against the real server, each script in a process of its own: bad data would end it."""

from pathlib import Path

import pytest

from sim_agent.embedded.town.network import draw_network
from sim_agent.embedded.town.plan import plan_of
from tests.sim_agent.embedded.hills import hills
from tests.sim_agent.embedded.simulator import Simulator

TOWNS = (*(f"Town0{number}" for number in range(1, 8)), "Town10HD_Opt")


def test_the_client_finds_its_way_around(simulator):
    seen = simulator.run("look_around")
    assert seen["version"] == "0.9.16"
    assert {name.rsplit("/", 1)[1] for name in seen["maps"]} == set(TOWNS)
    assert seen["map"] == "Carla/Maps/Town01"
    assert seen["spawn_points"] >= 50
    assert seen["spawn_points_off_lane"] == 0
    assert seen["waypoints"] > 500
    assert seen["frames"] == [1, 1, 1, 1]
    assert seen["snapshot"] == 0
    assert seen["elapsed"] == 0.05
    assert seen["vehicles"] == 41
    assert seen["group"] == 1
    assert seen["state"] == "Green"
    assert seen["times"] == [2.0, 1.0]
    assert seen["states"] == ["Green", "Yellow", "Red"]
    assert seen["by_opendrive"]
    assert seen["stop_waypoints"] >= 1
    assert seen["buildings"] == seen["boxes"] > 20
    assert seen["ground"] == [0.0, "Roads"]
    assert seen["ray"][0] == "Roads"
    assert seen["weather"]
    assert seen["lamps"] > 10
    assert seen["crosswalks"] > 0
    assert "collision" in seen["collision"]
    assert seen["spectator"] == [2.0, 20.0]


def test_cameras_see_the_same_moment(simulator):
    seen = simulator.run("cameras")
    assert seen["wrong"] == 0
    assert seen["sizes"] == [[320, 180, 100, 320 * 180 * 4]]
    assert set(seen["tags"]) <= set(range(29)) - {0}
    assert {1, 3, 11, 14, 24} <= set(seen["tags"])
    assert seen["tags_agree"]
    assert seen["sky_is_far"]
    assert seen["ahead"]
    assert 6.0 < seen["car_m"] < 12.0
    assert seen["height"] == pytest.approx(1.6, abs=0.05)
    assert 40 < seen["bright"] < 200


def test_debug_shapes_are_drawn_for_their_time(simulator):
    seen = simulator.run("debug_drawing")
    assert not any(seen["before"].values())
    assert seen["others_unchanged"]
    ticks = {"point": 2, "line": 3, "arrow": 4, "box": 5, "string": 2, "hidden": 0}
    for name, shown in ticks.items():
        counts = [frame[name] for frame in seen["frames"]]
        assert [count > 8 for count in counts] == [True] * shown + [False] * (5 - shown), (name, counts)
    assert not any(seen["cleared"].values())


def test_optical_flow_and_events(simulator):
    seen = simulator.run("motion_cameras")
    assert seen["flow_frames"] == seen["ticks"]
    assert seen["first_flow"] == 0.0
    assert seen["still_flow"] < 1e-5
    # The client's own geometry: depth, both poses, and how the other car moved.
    assert seen["flow_error"] < 2e-3
    assert seen["flow_error_of_car"] < 2e-3
    assert seen["car_pixels"] > 200
    assert seen["coloured"] == [320 * 180, 4]
    assert seen["colours"] > 20
    assert seen["first_events"] == 0
    assert seen["events"] > 5 * max(seen["still_events"], 100)
    assert seen["within"] and seen["in_time"] and seen["sorted"]
    assert seen["polarities"] == [-1, 1]
    assert seen["painted"] == seen["places"]
    assert seen["fewer"] < 0.5 * seen["events"]
    assert seen["normals_up"] > 0.9


def test_single_lamps_have_the_light_that_was_set(simulator):
    seen = simulator.run("lamps")
    assert seen["lamps"] > 10
    assert seen["first"][:2] == [True, 1000.0]
    usual, red, strong, off = (seen[name] for name in ("usual", "red", "strong", "off"))
    assert red[0] > usual[0] - 3.0 and red[1] < usual[1] - 5.0 and red[2] < usual[2] - 1.5
    assert strong[0] > red[0] + 3.0
    assert max(off) < min(usual[0], red[0]) - 3.0
    for told in (seen["told"], seen["told_another"]):
        assert told == [[True, 123.0, [1, 2, 3], "Building"], [False], [True, 2500.0, [255, 0, 0]]]
    assert seen["reloaded"] == [True, 1000.0]


def test_cars_drive_stop_and_collide(simulator):
    seen = simulator.run("drive")
    assert seen["wheels"] == "4"
    assert seen["settled"][0] == pytest.approx(0.0, abs=0.05)
    assert seen["settled"][1] < 0.05
    assert seen["gravity"] == pytest.approx(9.8, abs=0.2)
    assert seen["speed"] > 3.0
    assert seen["throttle"] == 0.6
    assert seen["stopped"] < 0.05
    assert seen["gnss"]
    assert seen["hit"][1]
    assert seen["batch"] == [True, True, True]
    assert seen["then"]
    assert seen["moved"] < 0.5
    assert seen["gone"]
    assert seen["mass"] == 2000.0
    assert seen["lights"] == 0x2 | 0x8
    assert seen["constant"] == pytest.approx(5.0, abs=0.2)


def test_bones_and_wheels(simulator):
    seen = simulator.run("bones")
    assert seen["bones"] == 66
    assert seen["names"]
    assert seen["world_is_actor_and_component"] < 1e-4 and seen["world_transforms"] < 1e-4
    assert seen["bones_within_the_picture_of_the_body"] > 0.9
    assert seen["set_only"] == seen["hidden"] == 0
    assert seen["shown"] > 150
    assert seen["hand_rose_m"] > 0.9 and abs(seen["other_hand_rose_m"]) < 1e-3
    assert seen["hand_is_seen"]
    assert seen["told"] == 175.0 and seen["half"] < 0.01
    # The figure's parts are not quite the figure: joints are balls.
    assert seen["from_animation"] < 0.3 * seen["shown"]
    assert seen["bad"] == 66
    assert seen["straight"] == [0.0] * 4
    left, right, *rear = seen["steered"]
    assert 10.0 < left < right < 75.0 and rear == [0.0, 0.0]
    assert seen["wheel_bones"]["Wheel_Front_Left"] == left
    assert seen["steering_is_seen"] > 0.005
    assert seen["rolling"] == pytest.approx([1.0] * 4, abs=0.03)
    assert seen["with_physics"]
    assert seen["posed"] == [[30.0, 45.0]] * 4
    assert seen["pose_is_seen"] > 0.005
    assert seen["bike"] == 0.0
    assert "no wheel 3" in seen["no_wheel"]


def test_walkers_find_their_way(simulator):
    seen = simulator.run("walk")
    assert seen["walkers"] >= 6
    assert sum(walked > 5.0 for walked in seen["walked_m"]) >= seen["walkers"] - 1
    # On a sidewalk, on the way over a kerb, or on the road.
    assert all(-0.05 < height < 0.2 for height in seen["feet_m"])


def test_a_map_with_a_hill_and_a_bridge(simulator, tmp_path):
    (tmp_path / "hills.xodr").write_text(hills())
    seen = simulator.run("hills", str(tmp_path / "hills.xodr"))
    assert seen["spawn_points_off"] < 0.01
    assert seen["spawn_heights"] == pytest.approx([0.3, 8.3], abs=0.01)
    assert seen["settled"] == pytest.approx([0.18, 0.0, 6.73], abs=0.1)
    assert seen["parked"] == pytest.approx([-8.5, 0.0], abs=0.5)
    assert seen["apart"] < 0.1
    assert seen["top"] == pytest.approx(8.0, abs=0.1)
    assert seen["pitch_error"] < 1.5
    assert seen["pitches"][0] > 10.0 and seen["pitches"][1] < -5.0
    assert seen["under"][0] < -15 and abs(seen["under"][1]) < 0.1
    assert seen["rolled_away"] < 0.05
    assert seen["rolled_down"][0] < -5.0
    assert len(seen["walked_m"]) >= 6
    assert sum(walked > 5.0 for walked in seen["walked_m"]) >= len(seen["walked_m"]) - 1
    assert seen["feet"] < 0.3
    assert seen["crosswalks"] == 5


def test_the_traffic_manager_drives(simulator):
    seen = simulator.run_traffic("traffic", "Town01", "12", "400", timeout_s=120)
    assert seen["vehicles"] == 12
    assert seen["off_lane"] <= 0.005 * seen["samples"]
    assert seen["ran_red"] == 0
    assert sum(moved > 20 for moved in seen["moved_m"]) >= 9


@pytest.mark.slow
@pytest.mark.parametrize("town", TOWNS)
def test_the_traffic_manager_drives_every_town(simulator, town):
    seen = simulator.run_traffic("traffic", town, "20", "2000", timeout_s=600)
    assert seen["vehicles"] == 20
    assert seen["off_lane"] < 0.005 * seen["samples"]
    assert seen["ran_red"] == 0
    assert seen["stuck"] == 0


@pytest.mark.slow
def test_cars_go_round_the_roundabout(simulator):
    junction = next(j for j in draw_network(*plan_of("Town03", 0)).junctions if j.ring is not None)
    ring = junction.ring
    where = (str(number) for number in (junction.junction_id, ring.x_m, ring.y_m, ring.outer_m))
    seen = simulator.run_traffic("roundabout", "Town03", *where, timeout_s=600)
    # With the island on the left, seen from above against the clock, a quarter to all of the way round.
    assert len(seen["swept_deg"]) == len(junction.turns)
    assert -370 < min(seen["swept_deg"]) < -330 and max(seen["swept_deg"]) < -60
    assert seen["nearest_m"] > ring.island_m + 1.5
    assert seen["arrived"] and seen["driven_deg"] < -330 and seen["beside_m"] < 1.5
    assert seen["cars"] >= 12
    assert seen["entered"] >= 7 and seen["left"] >= 5
    assert seen["off_lane"] <= 0.01 * seen["samples"]


@pytest.mark.slow
def test_two_servers_make_the_same_bytes(tmp_path_factory, simulator):
    """Same seed, same commands, two processes, any number of threads: the same pictures, points and snapshots."""
    hashes = set()
    for threads in ("1", "2"):
        other = Simulator(tmp_path_factory.mktemp("twin"), "--threads", threads)
        try:
            hashes.add(other.run("fingerprint")["sha256"])
            hashes.add(other.run("fingerprint")["sha256"])
        finally:
            assert other.end() == 0
    assert len(hashes) == 1


@pytest.mark.soak
def test_a_long_drive(tmp_path_factory, simulator):
    other = Simulator(tmp_path_factory.mktemp("soak"))
    try:
        memory_mb = []
        for _ in range(4):
            seen = other.run_traffic("soak", "1000", timeout_s=1200)
            assert seen["wrong"] == 0
            assert seen["pictures"] == 2000
            assert seen["cars"] == 20
            memory_mb.append(resident_mb(other.process.pid))
    finally:
        assert other.end() == 0
    assert memory_mb[-1] < 800
    assert memory_mb[-1] < 1.1 * memory_mb[1]


def resident_mb(pid):
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))
