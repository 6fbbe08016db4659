"""What makes one town differ from another: sizes, kinds of street, kinds of building; the four towns by name."""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

SEED_NAME = re.compile(r"Seed(\d+)")


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
    lit_tees: float = 0.5
    """Share of the T-junctions that have lights."""
    unlit_crossings: float = 0.0
    """Share of the X-junctions that have stop signs instead of lights."""
    yellow_centre: bool = True
    """Centre lines are yellow rather than white."""
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
    park: float = 0.15
    """Share of the blocks that are parks."""
    loose: float = 3.0
    """How far junctions stray from the grid in metres, and its lines from straight in degrees."""
    shift_m: tuple[float, float] = (0.0, 0.0)
    """Where the middle of the grid is."""
    testing_only: bool = False
    """Never recorded for training: what a model scores here, it scores in a town that it has not seen."""


_LANE = 3.5
TOWNS: dict[str, TownPlan] = {
    "Town01": TownPlan(
        about="a small town: two-lane streets, mostly T-junctions, low and middle-sized houses",
        columns=5,
        rows=4,
        spacing_m=(88.0, 84.0),
        bend_m=4.0,
        wave_m=300.0,
        corner_m=22.0,
        dropped=2,
        streets=(Section(1, _LANE, 0.0, 3.2, 30), Section(1, _LANE, 0.4, 4.0, 40), Section(1, _LANE, 2.3, 3.2, 40)),
        lit_tees=0.7,
        storeys=(1, 4),
        gabled=0.5,
        shops=0.35,
        setback_m=(0.7, 3.5),
        fenced=0.5,
    ),
    "Town02": TownPlan(
        about="a suburb for testing only, never trained on: winding streets, gabled houses, yards, hedges, many trees",
        columns=4,
        rows=4,
        spacing_m=(92.0, 88.0),
        bend_m=11.0,
        wave_m=260.0,
        corner_m=30.0,
        dropped=1,
        streets=(Section(1, 3.4, 0.0, 3.0, 30), Section(1, _LANE, 2.2, 3.4, 40), Section(1, 3.6, 0.4, 3.6, 40)),
        lit_tees=0.35,
        unlit_crossings=0.4,
        yellow_centre=False,
        storeys=(1, 2),
        gabled=0.9,
        shops=0.1,
        setback_m=(3.0, 7.0),
        fenced=0.85,
        street_trees_m=10.0,
        park=0.25,
        testing_only=True,
    ),
    "Town03": TownPlan(
        about="a city with avenues of four lanes, curved streets, mixed buildings and parks",
        columns=5,
        rows=4,
        spacing_m=(100.0, 96.0),
        bend_m=8.0,
        wave_m=340.0,
        corner_m=36.0,
        dropped=2,
        streets=(Section(1, _LANE, 2.3, 3.4, 40), Section(1, _LANE, 0.0, 3.2, 40), Section(2, 3.3, 0.0, 3.8, 50)),
        avenues=(Section(2, _LANE, 0.4, 4.2, 50), Section(2, _LANE, 2.3, 4.0, 50)),
        avenue_lines=3,
        lit_tees=0.6,
        unlit_crossings=0.15,
        storeys=(2, 6),
        gabled=0.3,
        shops=0.4,
        setback_m=(0.7, 5.0),
        fenced=0.4,
        street_trees_m=15.0,
        park=0.2,
        # Room for a bus at (30, -6) and a house before it, where CARLA's own collision test drives into something.
        shift_m=(-6.0, 12.0),
    ),
    "Town10HD_Opt": TownPlan(
        about="downtown: avenues, parking along the kerb, tall buildings with shop fronts at the sidewalk",
        columns=4,
        rows=4,
        spacing_m=(104.0, 98.0),
        bend_m=2.5,
        wave_m=400.0,
        corner_m=26.0,
        dropped=1,
        streets=(Section(1, _LANE, 2.4, 4.0, 40), Section(2, 3.3, 0.0, 4.2, 50)),
        avenues=(Section(2, _LANE, 2.4, 4.6, 50), Section(2, _LANE, 0.4, 4.6, 50)),
        avenue_lines=4,
        lit_tees=1.0,
        yellow_centre=True,
        storeys=(4, 12),
        gabled=0.0,
        shops=0.85,
        setback_m=(0.7, 1.5),
        fenced=0.1,
        street_trees_m=14.0,
        park=0.12,
    ),
}
"""Town02 is for testing only, as in CARLA's first benchmark (Dosovitskiy et al. 2017), which trains in Town01."""

UNLISTED_TOWNS: dict[str, TownPlan] = {
    "Town04": replace(
        TOWNS["Town03"],
        about="as Town03, drawn anew: for scripts that ask for CARLA's Town04 by name",
        bend_m=9.0,
        storeys=(1, 4),
        park=0.3,
    ),
    "Town05": replace(
        TOWNS["Town10HD_Opt"],
        about="a square grid of straight avenues: for scripts that ask for CARLA's Town05 by name",
        rows=5,
        spacing_m=(104.0, 104.0),
        bend_m=0.0,
        dropped=0,
        avenues=(Section(2, _LANE, 2.4, 4.6, 50),),
        avenue_lines=9,
        storeys=(2, 7),
        loose=0.0,
        # One avenue lies where Town05 has its long straight: CARLA's own vehicle tests drive from (31, -200) along +y.
        shift_m=(-20.0, -20.0),
    ),
}
"""The rest of the towns that come with CARLA's main package. They can be loaded but are not among the available maps."""


def plan_of(name: str, seed: int) -> tuple[TownPlan, np.random.Generator]:
    """The plan and the random numbers of a town.

    `name` is a key of `TOWNS` or `UNLISTED_TOWNS`, or `Seed` with a number, which draws the dials too.

    Raises:
        ValueError: for any other name.
    """
    short = name.rsplit("/", 1)[-1]
    rng = np.random.default_rng([zlib.crc32(short.encode()), seed])
    if short in TOWNS:
        return TOWNS[short], rng
    if short in UNLISTED_TOWNS:
        return UNLISTED_TOWNS[short], rng
    if not SEED_NAME.fullmatch(short):
        raise ValueError(f"no town is called {name!r}: use one of {', '.join(TOWNS)}, or Seed and a number (Seed7)")
    basis = list(TOWNS.values())[int(rng.integers(len(TOWNS)))]
    low = int(rng.integers(1, 4))
    drawn = replace(
        basis,
        about=f"a town drawn from {short}",
        columns=int(rng.integers(4, 6)),
        rows=4,
        bend_m=float(rng.uniform(1.0, 10.0)),
        wave_m=float(rng.uniform(260.0, 420.0)),
        corner_m=float(rng.uniform(22.0, 36.0)),
        dropped=int(rng.integers(1, 4)),
        yellow_centre=bool(rng.random() < 0.5),
        storeys=(low, low + int(rng.integers(1, 6))),
        gabled=float(rng.uniform(0.0, 0.9)),
        shops=float(rng.uniform(0.1, 0.8)),
        testing_only=False,
    )
    return drawn, rng
