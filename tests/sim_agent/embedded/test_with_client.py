"""The real client against the real server, each script in a process of its own: bad data would end it."""

from pathlib import Path

import pytest

from tests.sim_agent.embedded.simulator import Simulator

TOWNS = ("Town01", "Town02", "Town03", "Town10HD_Opt")


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


def test_walkers_find_their_way(simulator):
    seen = simulator.run("walk")
    assert seen["walkers"] >= 6
    assert sum(walked > 5.0 for walked in seen["walked_m"]) >= seen["walkers"] - 1


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
