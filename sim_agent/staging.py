"""The scene of a drive: town, weather, an ego vehicle, and traffic that its cameras will meet."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator
from typing import Any

from sim_agent.errors import SimulatorError, SpawnRefused
from sim_agent.ledger import Header
from sim_agent.plan import Part
from sim_agent.record_config import RecordConfig
from sim_agent.session import Session
from sim_agent.variety import Setup

_EGO_TRIES = 20
_NEAR_SHARE = 0.5
"""Of the vehicles begin at the spawn points nearest to the ego's; the others anywhere in the town."""
_FAMILIES = {"car": 0.5, "van": 0.12, "truck": 0.12, "bus": 0.06, "motorcycle": 0.1, "bicycle": 0.1}
"""Share of each of CARLA's base types: drawn evenly from its catalogue, four of five vehicles would be cars."""


@contextlib.contextmanager
def staged(session: Session, part: Part, config: RecordConfig) -> Iterator[tuple[Any, Header]]:
    """The scene of a part, in motion; what is in it is gone after the `with`. Yields the ego and what really is there.

    Raises:
        SimulatorError: the simulator has no such town or vehicle, or no place for it.
    """
    episode = part.episode
    draw = random.Random(part.seed)
    # Loading the town anew makes our simulator repeat itself byte for byte; a CARLA server leaks at every load (#7156).
    if session.embedded or session.town != episode.town.rsplit("/", 1)[-1]:
        session.load(episode.town)
    numbers = episode.weather.numbers(session.carla)
    weather: dict[str, Any] = {"name": episode.weather.name, **numbers}
    if len(episode.weather.parts) > 1:
        weather["mixed_of"] = dict(episode.weather.parts)
    session.world.set_weather(session.carla.WeatherParameters(**numbers))
    setup = config.setup(part.seed)
    ego, place = _spawn_ego(session, setup, draw)
    vehicles = _spawn_vehicles(session, episode.vehicles, place, draw)
    try:
        session.traffic.tune("set_random_device_seed", part.seed)
        session.traffic.drive(ego, *vehicles)
        _, walkers = session.traffic.populate(0, episode.walkers, part.seed, near=place)
        for _ in range(round(config.settle_s / config.step_s)):
            session.tick()
        yield (
            ego,
            Header(
                weather,
                {"plan": config.seed, "drive": part.seed},
                {"ego": setup.ego, "vehicles": len(vehicles), "walkers": walkers},
                {"name": session.simulator.name, "version": session.simulator.version},
                setup.said(),
            ),
        )
    finally:
        session.traffic.clear()
        session.destroy([ego, *vehicles])


def _spawn_ego(session: Session, setup: Setup, draw: random.Random) -> tuple[Any, Any]:
    """The ego, and where it is: before a tick the actor itself does not know."""
    kind = setup.ego
    try:
        blueprint = session.world.get_blueprint_library().find(kind)
    except (IndexError, RuntimeError):
        raise SimulatorError(f"ego: the simulator has no vehicle {kind!r}; choose one of its blueprints.") from None
    blueprint.set_attribute("role_name", "hero")
    if setup.paint is not None and blueprint.has_attribute("color"):
        colours = blueprint.get_attribute("color").recommended_values
        blueprint.set_attribute("color", colours[int(setup.paint * len(colours))])
    points = session.map.get_spawn_points()
    for point in draw.sample(points, min(len(points), _EGO_TRIES)):
        with contextlib.suppress(SpawnRefused):
            return session.spawn(blueprint, point), point.location
    raise SimulatorError(
        f"{session.town}: none of {min(len(points), _EGO_TRIES)} spawn points is free for {kind}; take another town."
    )


def _spawn_vehicles(session: Session, count: int, around: Any, draw: random.Random) -> list[Any]:
    """Vehicles of all families, half of them near a carla.Location; fewer than `count` where the town has no more places."""
    families: dict[str, list[Any]] = {name: [] for name in _FAMILIES}
    for blueprint in sorted(session.world.get_blueprint_library().filter("vehicle.*"), key=lambda b: b.id):
        # Servers before 0.9.14 tell no base type.
        family = blueprint.get_attribute("base_type").as_str() if blueprint.has_attribute("base_type") else ""
        families.get(family.lower(), families["car"]).append(blueprint)
    there = [name for name, kinds in families.items() if kinds]
    weights = [_FAMILIES[name] for name in there]
    points = list(session.map.get_spawn_points())
    draw.shuffle(points)
    near = sorted(points, key=lambda p: float(p.location.distance(around)))[: round(count * _NEAR_SHARE)]
    chosen = {id(point) for point in near}
    spawned: list[Any] = []
    for point in [*near, *(p for p in points if id(p) not in chosen)]:
        if len(spawned) == count:
            break
        blueprint = draw.choice(families[draw.choices(there, weights)[0]])
        if blueprint.has_attribute("color"):
            blueprint.set_attribute("color", draw.choice(blueprint.get_attribute("color").recommended_values))
        with contextlib.suppress(SpawnRefused):  # somebody stands there: the next place will do
            spawned.append(session.spawn(blueprint, point))
    return spawned
