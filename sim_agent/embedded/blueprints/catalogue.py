"""All blueprints in one list, as `get_actor_definitions` sends them."""

from __future__ import annotations

from functools import lru_cache

from sim_agent.embedded.blueprints.definition import Attribute, AttributeType, Definition, constant, variation
from sim_agent.embedded.blueprints.props import PROPS, prop_spec
from sim_agent.embedded.blueprints.sensors import PLACES, SENSORS, WITHOUT_PLACES, sensor_attributes
from sim_agent.embedded.blueprints.vehicles import VEHICLES, vehicle_colours, vehicle_spec
from sim_agent.embedded.blueprints.walkers import WALKERS, walker_spec

BOOL, INT, FLOAT, STRING = AttributeType.BOOL, AttributeType.INT, AttributeType.FLOAT, AttributeType.STRING


@lru_cache(maxsize=1)
def catalogue() -> tuple[Definition, ...]:
    """Every blueprint; `uid` is its position, from 1. Ids, attributes and defaults: CARLA 0.9.15's own library."""
    entries = [(name, _named(name, ("autopilot", "scenario", "ego_vehicle"), _vehicle(name))) for name in VEHICLES]
    entries += [(name, _named(name, ("pedestrian",), _walker(name))) for name in WALKERS]
    entries.append(("controller.ai.walker", _named("controller.ai.walker", ("default",))))
    entries += [
        (name, _named(name, ("default",) if name in WITHOUT_PLACES else PLACES, sensor_attributes(name)))
        for name in SENSORS
    ]
    entries += [(name, _named(name, ("prop",), _prop(name))) for name in PROPS]
    entries.append(("static.prop.mesh", _named("static.prop.mesh", ("default",), _MESH)))
    entries.append(("static.trigger.friction", _named("static.trigger.friction", ("default",), _FRICTION)))
    entries.append(("util.actor.empty", _named("util.actor.empty", ("default",))))
    return tuple(
        Definition(uid, name, name.replace(".", ","), attributes) for uid, (name, attributes) in enumerate(entries, 1)
    )


@lru_cache(maxsize=1)
def _by_id() -> dict[str, Definition]:
    return {entry.id: entry for entry in catalogue()}


def definition(blueprint_id: str) -> Definition:
    """The blueprint of that id; KeyError says that there is none."""
    if blueprint_id not in _by_id():
        raise KeyError(f"There is no blueprint '{blueprint_id}'; `world.get_blueprint_library()` lists them.")
    return _by_id()[blueprint_id]


def _named(name: str, roles: tuple[str, ...], attributes: tuple[Attribute, ...] = ()) -> tuple[Attribute, ...]:
    return (variation("role_name", STRING, *roles), variation("ros_name", STRING, name), *attributes)


def _vehicle(name: str) -> tuple[Attribute, ...]:
    spec = vehicle_spec(name)
    colours = tuple(",".join(str(channel) for channel in colour) for colour in vehicle_colours(name))
    optional = []
    if colours:
        optional.append(variation("color", AttributeType.RGB, *colours))
    if spec.drivers:
        optional.append(variation("driver_id", INT, *(str(driver) for driver in spec.drivers), restrict=True))
    return (
        *optional,
        variation("sticky_control", BOOL, "true"),
        variation("terramechanics", BOOL, "false"),
        constant("object_type", STRING, ""),
        constant("base_type", STRING, spec.kind),
        constant("special_type", STRING, spec.special),
        constant("number_of_wheels", INT, str(spec.wheels)),
        constant("generation", INT, str(spec.generation)),
        constant("has_dynamic_doors", BOOL, _bool(spec.has_doors)),
        constant("has_lights", BOOL, _bool(spec.has_lights)),
    )


def _walker(name: str) -> tuple[Attribute, ...]:
    spec = walker_spec(name)
    chair = ("false", "true") if spec.can_use_wheelchair else ("false",)
    return (
        variation("speed", FLOAT, *(str(speed) for speed in spec.speeds_m_s)),
        variation("is_invincible", BOOL, "true"),
        variation("use_wheelchair", BOOL, *chair, restrict=True),
        constant("gender", STRING, spec.gender),
        constant("generation", INT, str(spec.generation)),
        constant("age", STRING, spec.age),
        constant("can_use_wheelchair", BOOL, _bool(spec.can_use_wheelchair)),
    )


def _prop(name: str) -> tuple[Attribute, ...]:
    return (constant("size", STRING, prop_spec(name).size),)


def _bool(value: bool) -> str:
    return "true" if value else "false"


_MESH = (
    variation("mesh_path", STRING, ""),
    variation("scale", FLOAT, "1.0f"),
    variation("mass", FLOAT, ""),
)

_FRICTION = (
    variation("friction", FLOAT, "3.5f"),
    variation("extent_x", FLOAT, "1.0f"),
    variation("extent_y", FLOAT, "1.0f"),
    variation("extent_z", FLOAT, "1.0f"),
)
