import itertools
import json
import subprocess
import sys
from collections import Counter

import pytest

from sim_agent.plan import MIXED, PRESETS, STAY, Part, check_presets, make_plan, missing, next_part

TOWNS = ("Town01", "Town03", "Town10HD_Opt")
WEATHERS = ("ClearNoon", "WetSunset", "HardRainNight", "CloudyNoon")


def plan_of(
    episodes=24, towns=TOWNS, weathers=WEATHERS, mixed=0.0, vehicles=(5, 20), walkers=(0, 9, 30), seed=0, **more
):
    return make_plan(episodes, more.get("frames", 100), towns, weathers, mixed, vehicles, walkers, seed)


def test_every_town_meets_every_weather_before_a_pair_comes_again():
    plan = plan_of(episodes=24)
    pairs = [(e.town, e.weather.name) for e in plan]
    assert len(set(pairs[:12])) == 12 and len(set(pairs[12:])) == 12


@pytest.mark.parametrize("towns", [1, 2, 3])
@pytest.mark.parametrize("weathers", [1, 2, 3, 4])
def test_all_pairs_come_whatever_the_numbers_have_in_common(towns, weathers):
    plan = plan_of(episodes=towns * weathers, towns=TOWNS[:towns], weathers=WEATHERS[:weathers])
    assert len({(e.town, e.weather.name) for e in plan}) == towns * weathers


def test_any_beginning_of_a_plan_is_balanced_over_towns_and_weathers():
    plan = plan_of(episodes=40)
    for count in range(1, 41):
        for key in (lambda e: e.town, lambda e: e.weather.name):
            seen = Counter(map(key, plan[:count]))
            wanted = len(TOWNS) if key(plan[0]) in TOWNS else len(WEATHERS)
            low = min(seen.values()) if len(seen) == wanted else 0
            assert max(seen.values()) - low <= 2, (count, seen)


def test_each_town_meets_each_number_of_vehicles_before_one_comes_again():
    for town in TOWNS:
        numbers = [e.vehicles for e in plan_of(episodes=24) if e.town == town]
        assert all(set(pair) == {5, 20} for pair in zip(numbers[::2], numbers[1::2], strict=True))


def test_a_longer_plan_begins_with_the_shorter_one():
    assert plan_of(episodes=30, mixed=0.3)[:11] == plan_of(episodes=11, mixed=0.3)


def test_ids_differ_from_each_other_and_follow_from_the_configuration_alone():
    plan = plan_of(episodes=200, mixed=0.25)
    assert len({e.id for e in plan}) == 200
    code = (
        "import json; from sim_agent.plan import make_plan; "
        f"print(json.dumps([e.id for e in make_plan(200, 100, {TOWNS}, {WEATHERS}, 0.25, (5, 20), (0, 9, 30), 0)]))"
    )
    for hash_seed in ("1", "2"):
        out = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": hash_seed}
        )
        assert json.loads(out.stdout) == [e.id for e in plan]


@pytest.mark.parametrize(
    "change",
    [{"seed": 1}, {"vehicles": (6, 21)}, {"walkers": (1, 2, 3)}, {"towns": ("Town07",)}, {"weathers": ("DustStorm",)}],
)
def test_another_plan_has_no_episode_of_this_one(change):
    assert not {e.id for e in plan_of()} & {e.id for e in plan_of(**change)}


def test_more_frames_of_the_same_episodes_are_the_same_plan():
    assert [e.id for e in plan_of(frames=100)] == [e.id for e in plan_of(frames=300)]


def test_mixed_weathers_come_evenly_and_lie_between_two_presets():
    plan = plan_of(episodes=40, mixed=0.25)
    mixed = [k for k, e in enumerate(plan) if e.weather.name == MIXED]
    assert len(mixed) == 10 and {b - a for a, b in itertools.pairwise(mixed)} == {4}
    for k in mixed:
        weather = plan[k].weather
        assert len(weather.parts) == 2 and sum(share for _, share in weather.parts) == pytest.approx(1.0)
        assert {name for name, _ in weather.parts} <= set(PRESETS) and 0.0 <= weather.azimuth_deg <= 360.0


def test_the_presets_are_those_of_carla():
    code = (
        "import carla, json, os; W = carla.WeatherParameters\n"
        "from sim_agent.plan import Weather\n"
        "names = [n for n in dir(W) if isinstance(getattr(W, n), W)]\n"
        "mixed = Weather('Mixed', (('ClearNoon', 0.5), ('HardRainNoon', 0.5)), 77.0).numbers(carla)\n"
        "W(**mixed)\n"
        "print(json.dumps([names, mixed]), flush=True)\n"
        "os._exit(0)"
    )
    pytest.importorskip("carla")
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    names, mixed = json.loads(out.stdout)
    assert set(PRESETS) == set(names) - {"Default"}
    assert mixed["precipitation"] == 50.0 and mixed["sun_azimuth_angle"] == 77.0 and len(mixed) == 14


def test_an_unknown_weather_names_the_nearest():
    with pytest.raises(ValueError, match="'HardRainNoon'"):
        check_presets(["ClearNoon", "HardRainyNoon"])


def test_what_is_missing_counts_the_frames_of_all_parts():
    plan = plan_of(episodes=3)
    first, second, third = plan
    left = missing(plan, {first.id: 100, second.id: 30, f"{second.id}-2": 20, "Town01-Other-00000000": 7})
    assert left == [Part(second, 3, 50), Part(third, 1, 100)]
    assert left[0].id == f"{second.id}-3" and left[1].id == third.id
    assert missing(plan, {e.id: 100 for e in plan}) == []
    # an episode that kept more than is wanted now is not recorded again
    assert missing(plan, {e.id: 120 for e in plan}) == []


def test_a_later_part_is_driven_from_another_seed():
    (episode,) = plan_of(episodes=1)
    seeds = [Part(episode, number, 10).seed for number in range(1, 20)]
    assert seeds[0] == episode.seed and len(set(seeds)) == 19


def test_parts_are_handed_out_by_town_but_no_town_waits_for_long():
    plan = plan_of(episodes=48)
    left, town, order = missing(plan, {}), None, []
    while (part := next_part(left, town, len(TOWNS))) is not None:
        town = part.episode.town
        order.append(part.episode)
    assert sorted(order, key=plan.index) == list(plan)
    loads = 1 + sum(a.town != b.town for a, b in itertools.pairwise(order))
    assert loads <= len(plan) // 2
    for k, episode in enumerate(order):
        assert abs(k - plan.index(episode)) < 2 * STAY * len(TOWNS)
