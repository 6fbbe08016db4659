"""What makes one town differ from another: sizes, kinds of street, what stands beside them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from sim_agent.embedded.scene import Material


class Paint(NamedTuple):
    """Which lines a town paints on its streets."""

    yellow_centre: bool = True
    """Centre lines are yellow rather than white."""
    double_centre: bool = False
    """Two solid lines in the middle of every street, as in CARLA's first towns; else only where there are four lanes."""
    edge_lines: bool = True
    """A line between a lane and the parking lane or shoulder."""


class Section(NamedTuple):
    """A street's cross-section; both directions are alike."""

    lanes: int
    """Driving lanes in each direction."""
    lane_m: float
    parking_m: float
    """Width of the parking lane on both sides; below 1 m it is a shoulder, 0 is none."""
    sidewalk_m: float
    limit_kmh: int

    @property
    def kerb_m(self) -> float:
        """From the middle of the street to its kerb."""
        return self.lanes * self.lane_m + self.parking_m

    @property
    def back_m(self) -> float:
        """From the middle of the street to where its sidewalk ends."""
        return self.kerb_m + self.sidewalk_m


@dataclass(frozen=True)
class TownPlan:
    """The dials of a town; everything else follows from the seed."""

    about: str
    columns: int
    rows: int
    """Junctions of the grid that the streets are bent from."""
    spacing_m: tuple[float, float]
    """Between columns, between rows."""
    bend_m: float
    """How far the grid's lines swing sideways."""
    wave_m: float
    """Length of that swing."""
    corner_m: float
    """Radius of the street bends at the town's four corners."""
    dropped: int
    """Streets that are left out of the grid, as far as no dead end follows."""
    streets: tuple[Section, ...]
    """Cross-sections of ordinary streets."""
    avenues: tuple[Section, ...] = ()
    """Cross-sections of the lines that are avenues."""
    avenue_lines: int = 0
    """How many lines of the grid are avenues."""
    one_way: float = 0.0
    """Share of the streets that are one-way streets, as far as every lane can still be reached."""
    roundabout: float = 0.0
    """How likely one of the crossings is a roundabout, where there is room for one."""
    lit_tees: float = 0.5
    """Share of the T-junctions that have lights."""
    unlit_crossings: float = 0.0
    """Share of the X-junctions that have stop signs instead of lights."""
    paint: Paint = Paint()
    frontage: tuple[tuple[str, float], ...] = (("houses", 1.0),)
    """What lines the blocks, and how often: houses, wood, open, walled, site (where a house is being built)."""
    fences: tuple[str, ...] = ("railing", "mesh", "guardrail")
    """What stands before woods and open land, when anything does."""
    form: str = "house"
    """house, terrace (narrow, side by side), hall (industrial) or tower (curtain walls, from five storeys)."""
    lot_m: tuple[float, float] = (9.0, 20.0)
    """Width of a building."""
    walls: tuple[Material, ...] = ()
    """What buildings are made of; empty for everything."""
    storeys: tuple[int, int] = (1, 3)
    gabled: float = 0.5
    """Share of buildings with a gabled roof, among those of at most three storeys."""
    shops: float = 0.3
    """Share of buildings with a shop front."""
    setback_m: tuple[float, float] = (0.7, 4.0)
    """From the sidewalk to the buildings."""
    fenced: float = 0.5
    """Share of front yards with a wall, a fence or a hedge."""
    street_trees_m: float = 12.0
    """Distance between trees along the kerb."""
    leafy: float = 0.75
    """Share of the kerbs with trees."""
    species: tuple[str, ...] = ("broad", "spreading", "young", "poplar", "conifer")
    """Keys of `plants.grow_trees`, the commonest first."""
    trees: int = 130
    """Most trees in the blocks and around the town, street trees and those in woods along streets apart."""
    lamp_step_m: float = 22.0
    lamp_styles: tuple[int, ...] = (0, 1, 2)
    furnished: float = 0.65
    """Share of the places along a kerb without a tree at which something stands."""
    roadworks: float = 0.0
    """Share of the sides of streets with parking lanes where one is dug up."""
    cafes: float = 0.0
    """Share of the buildings with tables and chairs before a shop front."""
    cables: float = 0.0
    """Share of the streets with poles and overhead cables along one side."""
    skyline: str = "woods"
    """What is seen far away: woods, hills or towers; hills and towers stand behind woods."""
    hills_m: float = 0.0
    """How high above and how deep below their middle height the land's waves would reach if all met; 0: all is flat."""
    shore: bool = False
    """Open water beyond one side of the town."""
    channel: str = ""
    """What runs through the town, under bridges: river or canal; a town on hills has none."""
    tram: bool = False
    """A tramway along the outer streets; on level land only."""
    park: float = 0.15
    """Share of the blocks that are parks."""
    loose: float = 3.0
    """How far junctions stray from the grid in metres, and its lines from straight in degrees."""
    shift_m: tuple[float, float] = (0.0, 0.0)
    """Where the middle of the grid is."""
    testing_only: bool = False
    """Never recorded for training: what a model scores here, it scores in a town that it has not seen."""
