"""What a recording is to hold: episodes over towns, weathers, traffic and seeds, so that it is diverse by design.

A plan follows from its configuration alone, and the plan of fewer episodes is the beginning of the plan of more. An
episode's id is made of what the episode is, so the same command finds what is on disk already.
"""

from __future__ import annotations

import hashlib
import math
import random
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from trainer.config import nearest

PRESETS = tuple(
    f"{sky}{time}"
    for time in ("Noon", "Sunset", "Night")
    for sky in ("Clear", "Cloudy", "Wet", "WetCloudy", "SoftRain", "MidRain" if time == "Sunset" else "MidRainy", "HardRain")
) + ("DustStorm",)  # fmt: skip
"""CARLA's weathers by name (carla.WeatherParameters); the one between soft and hard rain is `MidRain` at sunset only."""
MIXED = "Mixed"
"""The name of every weather between two presets; its numbers are in episode.json."""
STAY = 4
"""Episodes of one town and cycle that a simulator may record in a row: loading a big town takes longer than an episode."""


@dataclass(frozen=True)
class Weather:
    """A preset, or a mixture of two. parts: (preset, share), shares add up to 1; azimuth_deg: of a mixture's sun."""

    name: str
    parts: tuple[tuple[str, float], ...]
    azimuth_deg: float | None = None

    def numbers(self, carla: ModuleType) -> dict[str, float]:
        """CARLA's weather parameters by name; units as in carla.WeatherParameters."""
        presets = [(getattr(carla.WeatherParameters, name), share) for name, share in self.parts]
        first = presets[0][0]
        names = [n for n in dir(first) if not n.startswith("_") and isinstance(getattr(first, n), float)]
        numbers = {n: round(sum(getattr(preset, n) * share for preset, share in presets), 4) for n in names}
        if self.azimuth_deg is not None:
            numbers["sun_azimuth_angle"] = self.azimuth_deg
        return numbers


@dataclass(frozen=True)
class Episode:
    """One drive of the plan. vehicles, walkers: how many to try to spawn; frames: to keep."""

    id: str
    town: str
    weather: Weather
    vehicles: int
    walkers: int
    seed: int
    frames: int


@dataclass(frozen=True)
class Part:
    """What one uninterrupted drive is to bring of an episode: all of it, or what interrupted drives have left.

    A later part begins elsewhere: with the first one's seed its frames would be recorded twice.
    """

    episode: Episode
    number: int
    frames: int

    @property
    def id(self) -> str:
        """Name of the part's folder: the episode's id, with `-2` and so on from the second part."""
        return self.episode.id if self.number == 1 else f"{self.episode.id}-{self.number}"

    @property
    def seed(self) -> int:
        """Seed of the part: for spawn point and traffic."""
        return self.episode.seed if self.number == 1 else _number(self.episode.seed, "part", self.number)


def make_plan(
    episodes: int,
    frames: int,
    towns: Iterable[str],
    weathers: Iterable[str],
    mixed_share: float,
    vehicles: Iterable[int],
    walkers: Iterable[int],
    seed: int,
) -> tuple[Episode, ...]:
    """The episodes, in the order in which they are best recorded.

    Towns and weathers come in turns, so that every town is met with every weather before one pair comes again; each
    town meets each number of `vehicles`, and of `walkers`, once before one comes again. A share of `mixed_share` has a
    weather between its turn's and another.
    """
    towns = _shuffled(towns, seed, "towns")
    weathers = _shuffled(weathers, seed, "weathers")
    vehicles, walkers = tuple(vehicles), tuple(walkers)
    together = math.lcm(len(towns), len(weathers))
    plan = []
    for k in range(episodes):
        town = towns[k % len(towns)]
        # After `together` episodes the same pairs would come again: the weathers move on by one.
        preset = weathers[(k + k // together) % len(weathers)]
        mixed = math.floor((k + 1) * mixed_share) > math.floor(k * mixed_share)
        weather = _mixture(preset, seed, k) if mixed else Weather(preset, ((preset, 1.0),))
        visit = k // len(towns)
        cars, people = _turn(vehicles, visit, seed, "vehicles", town), _turn(walkers, visit, seed, "walkers", town)
        own_seed = _number(seed, k, town, weather, cars, people)
        name = re.sub("[^A-Za-z0-9_-]+", "_", town.rsplit("/", 1)[-1])
        plan.append(Episode(f"{name}-{weather.name}-{own_seed:08x}", town, weather, cars, people, own_seed, frames))
    return tuple(plan)


def missing(plan: Iterable[Episode], recorded: Mapping[str, int]) -> list[Part]:
    """What is still to be recorded, in the order of the plan. recorded: {id of a part: whole frames of it on disk}."""
    parts_on_disk: dict[str, list[tuple[int, int]]] = {}
    ids = {episode.id for episode in plan}
    for name, frames in recorded.items():
        if name in ids:
            parts_on_disk.setdefault(name, []).append((1, frames))
        else:
            episode_id, _, number = name.rpartition("-")
            if episode_id in ids and number.isdigit():
                parts_on_disk.setdefault(episode_id, []).append((int(number), frames))
    left = []
    for episode in plan:
        there = parts_on_disk.get(episode.id, [])
        frames = episode.frames - sum(frames for _, frames in there)
        if frames > 0:
            left.append(Part(episode, 1 + max((number for number, _ in there), default=0), frames))
    return left


def next_part(left: list[Part], town: str | None, towns: int) -> Part | None:
    """Take the next part out of `left`: one of the town that is loaded, as long as no other has to wait for long."""
    if not left:
        return None
    window = left[: STAY * towns]
    part = next((part for part in window if part.episode.town == town), window[0])
    left.remove(part)
    return part


def check_presets(names: Iterable[str]) -> None:
    """ValueError for a name that is none of CARLA's weathers; it names the nearest."""
    for name in names:
        if name not in PRESETS:
            raise ValueError(f"weathers: there is no {name!r}; {nearest(name, PRESETS)}")


def _mixture(preset: str, seed: int, k: int) -> Weather:
    draw = random.Random(_number(seed, "mixed", k))
    other = draw.choice([name for name in PRESETS if name != preset])
    share = round(draw.uniform(0.2, 0.8), 2)
    return Weather(MIXED, ((preset, share), (other, round(1.0 - share, 2))), round(draw.uniform(0.0, 360.0), 1))


def _turn(values: tuple[int, ...], k: int, *key: object) -> int:
    """The k-th of all values in an order that is drawn anew for each round."""
    return int(_shuffled(values, *key, k // len(values))[k % len(values)])


def _shuffled(values: Iterable[Any], *key: object) -> tuple[Any, ...]:
    """The values in an order that follows from the key; on every machine and Python the same."""
    return tuple(value for _, value in sorted((_number(*key, k), value) for k, value in enumerate(values)))


def _number(*key: object) -> int:
    """A number from 0 to 2**31 - 1 that follows from the key."""
    return int.from_bytes(hashlib.sha256(repr(key).encode()).digest()[:4], "big") >> 1
