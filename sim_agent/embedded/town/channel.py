"""Where a river or a canal runs through a town, and which streets cross it on bridges."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from sim_agent.embedded.town.blocks import Ground
from sim_agent.embedded.town.geometry import Array, Path, Place, chain, join
from sim_agent.embedded.town.network import Network, Street

VERGE_M = 1.6
"""Beside the banks: the pieces of the land end under it, ragged."""
BESIDE_WATER_M = 2.0
"""What stands along streets keeps off the decks by so much."""
_END_M = 9.0
"""From the edge of the land that is built on to the walls between which the water comes and goes."""
_CLEAR_OF_JUNCTION_M = 14.0
"""From the deck to the street's ends: stop lines, crosswalks and signals stand on land."""
_STRAIGHTEST_M = 110.0
"""Streets that bend more sharply get no bridge."""
_STEEPEST = math.radians(24.0)
"""How far a street that is bridged may be turned from the x axis."""
_CANDIDATES = 41
_ENOUGH = 3
"""Bridges of a channel that crosses the town rather than its edge."""


class Bank(NamedTuple):
    """The cross-section of a channel, both sides alike."""

    water_m: float
    """Half the water's width."""
    top_m: float
    """From the middle to where the bank meets the land."""
    level_m: float
    """The water's height."""
    bed_m: float


BANKS = {"river": Bank(4.6, 7.2, -1.5, -2.0), "canal": Bank(5.6, 5.6, -1.45, -2.2)}
"""A river between banks of grass, a canal between walls."""


class Bridge(NamedTuple):
    """A street's stretch over the water."""

    street: Street
    start_m: float
    end_m: float
    """Where the deck starts and ends, along the street."""
    crossing_m: float
    """How far along the channel it is crossed."""


@dataclass(frozen=True)
class Channel:
    """A channel through a whole town, and its bridges."""

    kind: str
    """river or canal."""
    path: Path
    bridges: tuple[Bridge, ...]

    @property
    def bank(self) -> Bank:
        """Its cross-section."""
        return BANKS[self.kind]

    def outline(self, beyond_m: float) -> Array:
        """(N, 2) the loop around the channel, this far beyond its banks."""
        s = self.path.stations(2.0)
        half = self.bank.top_m + beyond_m
        return np.concatenate([self.path.beside(s, half), self.path.beside(s, -half)[::-1]])


def dig_channel(kind: str, network: Network, ground: Ground, rng: np.random.Generator) -> Channel | None:
    """A channel along y, across the streets that run along x, far from all junctions; what is dug is taken and wet.

    Returns None where the streets leave no room for one.
    """
    margin = float(ground.high[0] - ground.low[0]) / 5.0
    channel: Channel | None = None
    for x in rng.permutation(np.linspace(ground.low[0] + margin, ground.high[0] - margin, _CANDIDATES)).tolist():
        course = _course(kind, network, ground, x)
        if course is not None and (channel is None or len(course.bridges) > len(channel.bridges)):
            channel = course
        if channel is not None and len(channel.bridges) >= _ENOUGH:
            break
    if channel is None:
        return None
    ground.dig(channel.outline(0.0), channel.outline(VERGE_M + 0.5))
    return channel


def _course(kind: str, network: Network, ground: Ground, x_m: float) -> Channel | None:
    """The channel that crosses the streets where x is this."""
    bank = BANKS[kind]
    crossings = []
    for street in network.streets:
        s = np.arange(0.0, street.path.length_m, 1.0)
        x = street.path.at(s)[0] - x_m
        here = s[np.flatnonzero(x[1:] * x[:-1] <= 0.0)]
        if not len(here):
            continue
        at = float(here[0]) + 0.5
        half = bank.top_m + 1.2
        room = min(at, street.path.length_m - at) - half
        if len(here) > 1 or room < _CLEAR_OF_JUNCTION_M or _sharpest(street.path, at, half) < _STRAIGHTEST_M:
            return None
        place = street.path.place(at)
        across = place.turned(math.pi / 2.0 if math.cos(place.heading_rad) > 0.0 else -math.pi / 2.0)
        if abs(math.remainder(across.heading_rad - math.pi / 2.0, 2.0 * math.pi)) > _STEEPEST:
            return None
        crossings.append((place.y_m, street, at, across))
    crossings.sort(key=lambda crossing: crossing[0])
    if not crossings:
        return None
    reach = max(street.section.back_m for _, street, _, _ in crossings) + 3.0
    course = [
        Place(crossings[0][3].x_m, float(ground.low[1]) + _END_M, math.pi / 2.0),
        *(crossing[3] for crossing in crossings),
        Place(crossings[-1][3].x_m, float(ground.high[1]) - _END_M, math.pi / 2.0),
    ]
    parts = [join(a, b, reach) for a, b in zip(course, course[1:], strict=False)]
    pieces = [(piece.length_m, piece.curvature) for part in parts for piece in part.pieces]
    path = chain(course[0], pieces)
    if path.sharpest_radius_m() < 2.0 * bank.top_m or path.length_m > 1.3 * (course[-1].y_m - course[0].y_m):
        return None
    ends = np.cumsum([part.length_m for part in parts])
    half = bank.top_m + 1.2
    bridges = tuple(
        Bridge(street, at - half, at + half, float(end))
        for (_, street, at, _), end in zip(crossings, ends, strict=False)
    )
    channel = Channel(kind, path, bridges)
    return channel if _is_clear(channel, network) else None


def _sharpest(path: Path, at_m: float, half_m: float) -> float:
    """The smallest radius within this far of a place on the path."""
    starts = path.starts
    near = (starts[:-1] < at_m + half_m) & (starts[1:] > at_m - half_m)
    curvature = max(abs(piece.curvature) for piece, is_near in zip(path.pieces, near, strict=True) if is_near)
    return 1.0 / curvature if curvature else math.inf


def _is_clear(channel: Channel, network: Network) -> bool:
    """Whether no street and no junction but those on the bridges comes near the banks."""
    s = np.arange(0.0, channel.path.length_m, 3.0)
    course = channel.path.beside(s, np.zeros_like(s))
    half = channel.bank.top_m + VERGE_M
    decks = {bridge.street.road_id: bridge for bridge in channel.bridges}
    for junction in network.junctions:
        reach = max(math.dist(junction.centre, arm.edge[:2]) for arm in junction.arms)
        if np.hypot(*(course - junction.centre).T).min() < half + reach + 8.0:
            return False
    for street in network.streets:
        along = np.arange(0.0, street.path.length_m, 3.0)
        if street.road_id in decks:
            deck = decks[street.road_id]
            along = along[(along < deck.start_m - 8.0) | (along > deck.end_m + 8.0)]
        points = street.path.beside(along, np.zeros_like(along))
        gaps = np.hypot(*(points[:, None] - course[None]).transpose(2, 0, 1))
        # Beside a bridge its own street is near; elsewhere the banks keep off the sidewalks.
        least = half + 4.0 if street.road_id in decks else half + street.section.back_m + 3.0
        if gaps.size and gaps.min() < least:
            return False
    return True
