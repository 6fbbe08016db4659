"""CARLA's blueprint catalogue: every id that can be spawned, its attributes, and the sizes and masses behind it."""

from sim_agent.embedded.blueprints.catalogue import catalogue, definition
from sim_agent.embedded.blueprints.definition import Attribute, AttributeType, Definition, check_attributes
from sim_agent.embedded.blueprints.props import PROPS, PropSpec, prop_spec
from sim_agent.embedded.blueprints.vehicles import VEHICLES, VehicleSpec, vehicle_colours, vehicle_spec
from sim_agent.embedded.blueprints.walkers import WALKERS, WalkerSpec, walker_spec

__all__ = [
    "PROPS",
    "VEHICLES",
    "WALKERS",
    "Attribute",
    "AttributeType",
    "Definition",
    "PropSpec",
    "VehicleSpec",
    "WalkerSpec",
    "catalogue",
    "check_attributes",
    "definition",
    "prop_spec",
    "vehicle_colours",
    "vehicle_spec",
    "walker_spec",
]
