"""Roundabouts: curves that come in by one street, go round an island on their left, and leave by another."""

from __future__ import annotations

import math
from typing import NamedTuple

from sim_agent.embedded.town.geometry import Path, Place, chain, signed_turn

ENTRY_RADIUS_M = 8.0
"""Of the kerb where a street opens into the ring."""
LIMIT_KMH = 30
_LANE_M = 4.0
_KERB_M = 0.3
"""Between the innermost lane and the island."""
_OUTER_M = (22.0, 26.0)
"""Radius of the outer kerb with one lane and with two."""


class Ring(NamedTuple):
    """The carriageway of a roundabout, one or two lanes wide."""

    x_m: float
    y_m: float
    lanes: int

    @property
    def outer_m(self) -> float:
        """Radius of the kerb outside."""
        return _OUTER_M[self.lanes - 1]

    @property
    def island_m(self) -> float:
        """Radius of the island."""
        return self.left_m(1) - _KERB_M

    def left_m(self, lane: int) -> float:
        """Radius of a lane's left edge; 1 is the innermost."""
        return self.outer_m - _LANE_M * (self.lanes + 1 - lane)

    def circle(self, radius_m: float) -> Path:
        """A circle around the centre, the way the traffic goes: the centre is on its left."""
        return chain(Place(self.x_m, self.y_m + radius_m, 0.0), [(2.0 * math.pi * radius_m, -1.0 / radius_m)])

    def reach_m(self, kerb_m: float) -> float:
        """From the centre to where the kerb of a street, so far from its middle, begins to bend into the ring."""
        return _foot(self.outer_m, kerb_m, ENTRY_RADIUS_M)

    def mouth_rad(self, kerb_m: float) -> float:
        """How far round the ring, from the middle of a street, its kerb has become the ring's."""
        return math.asin((kerb_m + ENTRY_RADIUS_M) / (self.outer_m + ENTRY_RADIUS_M))

    def kerb(self, come: Place, leave: Place, come_m: float, leave_m: float) -> Path:
        """The kerb on the right of the traffic from one street to the next.

        Args:
            come: middle of the street, heading to the centre.
            leave: middle of the next street, heading away from the centre.
            come_m: from there to the kerb.
            leave_m: likewise.
        """
        return self._round(come, leave, (come_m, leave_m), self.outer_m, (ENTRY_RADIUS_M, ENTRY_RADIUS_M))

    def lane(
        self, come: Place, leave: Place, lefts_m: tuple[float, float], kerbs_m: tuple[float, float], lane: int
    ) -> Path:
        """The left edge of a lane from street to street (as in `kerb`) by a lane of the ring; round the whole ring where
        both are one street.

        Args:
            come: middle of the street, heading to the centre.
            leave: middle of the other street, heading away from the centre.
            lefts_m: from there to the lane's left edge, on both streets.
            kerbs_m: likewise to the kerb: the lane bends in as far from it as there is room.
            lane: of the ring; 1 is the innermost.
        """
        radius = self.left_m(lane)
        first, last = (
            ENTRY_RADIUS_M + min(kerb - left, self.outer_m - radius)
            for left, kerb in zip(lefts_m, kerbs_m, strict=True)
        )
        return self._round(come, leave, lefts_m, radius, (first, last))

    def _round(
        self, come: Place, leave: Place, rights_m: tuple[float, float], radius_m: float, bends_m: tuple[float, float]
    ) -> Path:
        start = come.moved(0.0, rights_m[0])
        # How far round the ring each bend meets it, from the middle of its street.
        first, last = (
            math.asin((right + bend) / (radius_m + bend)) for right, bend in zip(rights_m, bends_m, strict=True)
        )
        straights = [
            math.hypot(place.x_m - self.x_m, place.y_m - self.y_m) - _foot(radius_m, right, bend)
            for place, right, bend in zip((come, leave), rights_m, bends_m, strict=True)
        ]
        # The traffic goes round against growing headings.
        apart = -signed_turn(come.heading_rad + math.pi, leave.heading_rad)
        apart = apart if apart > 1e-6 else apart + 2.0 * math.pi
        return chain(
            start,
            [
                (straights[0], 0.0),
                (bends_m[0] * (math.pi / 2.0 - first), 1.0 / bends_m[0]),
                (radius_m * (apart - first - last), -1.0 / radius_m),
                (bends_m[1] * (math.pi / 2.0 - last), 1.0 / bends_m[1]),
                (straights[1], 0.0),
            ],
        )


def _foot(radius_m: float, right_m: float, bend_m: float) -> float:
    """From the centre to where a line, `right_m` beside it, begins to bend into a circle around the centre."""
    return math.sqrt((radius_m + bend_m) ** 2 - (right_m + bend_m) ** 2)
