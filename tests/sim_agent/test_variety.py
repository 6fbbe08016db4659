"""What a drive varies: drawn from its seed, one thing without the others, and said in episode.json."""

import statistics

import pytest

from sim_agent.record_config import load_record_config
from sim_agent.variety import VaryConfig, draw_setup
from trainer.dataset.recording import Camera
from trainer.errors import ConfigError

FRONT = Camera("front", 640, 360, 90.0, (1.3, 0.0, 1.6, 0.0, 0.0, 0.0))
LEFT = Camera("left", 640, 360, 60.0, (0.6, -0.8, 1.6, 0.0, 0.0, -60.0))
WIDE = VaryConfig(
    egos=("vehicle.audi.tt", "vehicle.tesla.model3"),
    ahead_m=(-1.0, 0.0),
    up_m=(0.0, 0.3),
    pitch_deg=(-3.0, 3.0),
    fov_deg=(-10.0, 10.0),
    exposure_stops=(-1.0, 1.0),
    temp_k=(4000.0, 12000.0),
)


def test_what_is_not_varied_is_as_the_rig_says():
    setup = draw_setup(WIDE, 0.0, "vehicle.audi.tt", [FRONT, LEFT], 7)
    assert (setup.ego, setup.cameras, setup.attributes, setup.paint) == ("vehicle.audi.tt", (FRONT, LEFT), {}, None)
    assert setup.said() == {}


def test_a_seed_draws_the_same_again_and_another_seed_another():
    one, same, other = (draw_setup(WIDE, 1.0, "x", [FRONT], seed) for seed in (1, 1, 2))
    assert one == same
    assert one.cameras != other.cameras and one.attributes != other.attributes and one.paint != other.paint


def test_all_stays_in_its_range_and_uses_it():
    setups = [draw_setup(WIDE, 1.0, "x", [FRONT], seed) for seed in range(200)]
    assert {setup.ego for setup in setups} == set(WIDE.egos)
    for figures, low, high in (
        ([s.cameras[0].pose[0] for s in setups], 0.3, 1.3),
        ([s.cameras[0].pose[2] for s in setups], 1.6, 1.9),
        ([s.cameras[0].pose[4] for s in setups], -3.0, 3.0),
        ([s.cameras[0].fov_deg for s in setups], 80.0, 100.0),
        ([s.attributes["exposure_compensation"] for s in setups], -1.0, 1.0),
        ([s.attributes["temp"] for s in setups], 4000.0, 12000.0),
    ):
        assert low <= min(figures) and max(figures) <= high
        assert max(figures) - min(figures) > 0.9 * (high - low)
    assert statistics.median(s.attributes["temp"] for s in setups) == pytest.approx(6000.0, rel=0.1)
    assert {s.attributes["gamma"] for s in setups} == {2.2}


def test_so_many_of_the_drives_are_varied():
    varied = [bool(draw_setup(WIDE, 0.3, "x", [FRONT], seed).said()) for seed in range(400)]
    assert 0.25 < sum(varied) / len(varied) < 0.35


def test_a_rig_moves_as_one():
    front, left = draw_setup(WIDE, 1.0, "x", [FRONT, LEFT], 3).cameras
    for at in range(6):
        assert front.pose[at] - FRONT.pose[at] == pytest.approx(left.pose[at] - LEFT.pose[at], abs=1e-3)
    assert front.fov_deg - FRONT.fov_deg == pytest.approx(left.fov_deg - LEFT.fov_deg)


def test_one_range_changes_nothing_of_what_another_draws():
    narrow = VaryConfig(exposure_stops=WIDE.exposure_stops)
    alone, all_of_it = draw_setup(narrow, 1.0, "x", [FRONT], 5), draw_setup(WIDE, 1.0, "x", [FRONT], 5)
    assert alone.attributes["exposure_compensation"] == all_of_it.attributes["exposure_compensation"]
    assert alone.cameras == (FRONT,) and alone.ego == "x"


def test_what_is_said_of_a_drive():
    setup = draw_setup(WIDE, 1.0, "x", [FRONT, LEFT], 5)
    said = setup.said()
    assert said["attributes"] == setup.attributes and list(said["rig"]) == ["front", "left"]
    assert said["rig"]["left"] == {"fov_deg": setup.cameras[1].fov_deg, "pose": list(setup.cameras[1].pose)}


def test_every_ego_of_the_configuration_is_one_of_the_simulator_s():
    from sim_agent.embedded.blueprints.vehicles import VEHICLES

    known = {name if isinstance(name, str) else name.id for name in VEHICLES}
    assert set(load_record_config().vary.egos) <= known


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("ahead_m: [1, 0]", "ahead_m: [1, 0] falls"),
        ("tint: [0, 3]", "tint: [0, 3] must lie within -1 and 1"),
        ("ahaed_m: [0, 1]", "unknown key 'ahaed_m'; did you mean 'ahead_m'"),
        ("gamma: 2.2", "expected a list"),
        ("gamma: [2.2, 2.2]}\nvaried_share: 2\ncodecs: {", "varied_share: 0 to 1, not 2"),
    ],
)
def test_ranges_that_make_no_sense_are_refused(tmp_path, line, words):
    (tmp_path / "own.yaml").write_text(f"vary: {{{line}}}\n")
    with pytest.raises(ConfigError) as refused:
        load_record_config(tmp_path / "own.yaml")
    assert words in str(refused.value)
