"""What CARLA's own smoke tests and examples expect of a server, said in our words; the real client asks."""

import pytest


def test_odd_requests_are_answered_as_carla_does(simulator):
    seen = simulator.run("odd_requests")
    assert seen["attached"] == [""] * 8
    ahead, right = seen["blinker"]
    assert ahead == pytest.approx(seen["extent"][0], abs=0.3)
    assert 0.5 * seen["extent"][1] < right <= seen["extent"][1] + 0.05
    assert seen["channels"] == "64"
    assert seen["box_of_the_gone"] == 0.0
    assert "cosmos_visualization" in seen["cameras"]
    assert seen["cosmos"] == [True, 64, 48, True]
    assert len(seen["misfits"]) == 3
    assert not any(seen["misfits"].values()), seen["misfits"]


def test_an_episode_that_is_loaded_again_senses_the_same_bytes(simulator):
    seen = simulator.run("same_again")
    assert seen["same"] == [True, True, True]
    # The noise is another in each reading all the same.
    assert seen["different"] == [6, 6, 6]


def test_a_friction_zone_changes_the_tyres_only_while_one_is_in_it(simulator):
    seen = simulator.run("long_straight")
    assert seen["map"] == "Carla/Maps/Town05_Opt"
    assert any("Town05" in name for name in seen["maps"])
    inside = [through for through, _ in seen["seen"] if -148.0 < through[0] < -92.0]
    outside = [through for through, _ in seen["seen"] if not -152.0 < through[0] < -88.0]
    assert inside
    assert all(friction == 4.0 and speed < 15.0 for _, speed, friction in inside)
    assert {friction for _, _, friction in outside} == {0.0}
    assert all(beside[1] == pytest.approx(15.0, abs=1e-3) and beside[2] == 0.0 for _, beside in seen["seen"])
    assert seen["seen"][-1][1][0] > -30.0


def test_what_rolls_into_a_house_says_so(simulator):
    seen = simulator.run("into_a_wall")
    assert len(seen) == 3
    assert all(others == ["static.building"] for others in seen.values()), seen


def test_calls_are_answered_while_the_cameras_of_a_town_are_prepared(simulator):
    seen = simulator.run("impatient", "Town01")
    assert seen["pictures"]
    assert seen["slowest_s"] < 20.0
