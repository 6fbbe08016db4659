"""Lane markings, once: the map writes them down and the mesh paints them, so that both say the same."""

from __future__ import annotations

from typing import NamedTuple

from sim_agent.embedded.town.dials import Paint
from sim_agent.embedded.town.network import Network, Street

DASH_M, GAP_M = 3.0, 4.5
LINE_M = 0.15
NO_PASSING_M = 14.0
"""Solid lines before a junction."""
STOP_LINE_M = (0.4, 0.9)
"""The stop line lies this far before the junction's edge."""
CROSSWALK_M = (1.0, 4.0)
"""The crosswalk lies this far behind the junction's edge."""


class Run(NamedTuple):
    """A piece of a marking along a street's s."""

    start_m: float
    end_m: float
    kind: str
    """OpenDRIVE's roadMark type: solid, broken, solid solid, curb, none."""
    lane_change: str


class Border(NamedTuple):
    """What is painted on the border of a lane."""

    lane_id: int
    """OpenDRIVE's lane whose outer border this is; 0 for the middle."""
    right_m: float
    """Where, to the right of the street's path."""
    colour: str
    """OpenDRIVE's roadMark colour: standard is white."""
    runs: tuple[Run, ...]


def street_borders(street: Street, paint: Paint) -> tuple[Border, ...]:
    """The markings of a street, from the middle outwards, right before left."""
    if street.one_way:
        return _one_way_borders(street, paint)
    length, section = street.path.length_m, street.section
    near = min(NO_PASSING_M, length / 3.0)
    centre = "yellow" if paint.yellow_centre else "standard"
    if section.lanes == 1 and not paint.double_centre:
        runs: tuple[Run, ...] = (
            Run(0.0, near, "solid", "none"),
            Run(near, length - near, "broken", "none"),
            Run(length - near, length, "solid", "none"),
        )
    else:
        runs = (Run(0.0, length, "solid solid", "none"),)
    borders = [Border(0, 0.0, centre, runs)]
    bare = STOP_LINE_M[1] + 0.1
    for side in (1, -1):
        for lane in range(1, section.lanes):
            # Nothing is painted across the stop line, which lies at the end of the lanes that lead into the junction.
            if side > 0:
                runs = (
                    Run(0.0, length - near, "broken", "both"),
                    Run(length - near, length - bare, "solid", "none"),
                    Run(length - bare, length, "none", "none"),
                )
            else:
                runs = (
                    Run(0.0, bare, "none", "none"),
                    Run(bare, near, "solid", "none"),
                    Run(near, length, "broken", "both"),
                )
            borders.append(Border(-side * lane, side * lane * section.lane_m, "standard", runs))
        edge = side * section.lanes * section.lane_m
        kind = ("solid" if paint.edge_lines else "none") if section.parking_m else "curb"
        borders.append(Border(-side * section.lanes, edge, "standard", (Run(0.0, length, kind, "none"),)))
        if section.parking_m:
            kerb = (Run(0.0, length, "curb", "none"),)
            borders.append(Border(-side * (section.lanes + 1), side * section.kerb_m, "standard", kerb))
    return tuple(borders)


def _one_way_borders(street: Street, paint: Paint) -> tuple[Border, ...]:
    """Lane 0 is the left edge of the lanes there; on its left, lane 1 is the parking lane."""
    length, section = street.path.length_m, street.section
    near, bare = min(NO_PASSING_M, length / 3.0), STOP_LINE_M[1] + 0.1
    kind = ("solid" if paint.edge_lines else "none") if section.parking_m else "curb"
    edge = (Run(0.0, length, kind, "none"),)
    between = (
        Run(0.0, length - near, "broken", "both"),
        Run(length - near, length - bare, "solid", "none"),
        Run(length - bare, length, "none", "none"),
    )
    lanes = street.lanes_towards(True)
    borders = [Border(0, street.left_edge_m(1), "standard", edge)]
    borders += [Border(-lane, street.left_edge_m(lane + 1), "standard", between) for lane in range(1, lanes)]
    borders.append(Border(-lanes, street.left_edge_m(lanes + 1), "standard", edge))
    if section.parking_m:
        kerb = (Run(0.0, length, "curb", "none"),)
        borders.append(Border(-lanes - 1, section.kerb_m, "standard", kerb))
        borders.append(Border(1, -section.kerb_m, "standard", kerb))
    return tuple(borders)


def dashes(run: Run) -> list[tuple[float, float]]:
    """Start and end of every painted piece of a broken run."""
    count = int((run.end_m - run.start_m + GAP_M) // (DASH_M + GAP_M))
    first = run.start_m + (run.end_m - run.start_m - count * (DASH_M + GAP_M) + GAP_M) / 2.0
    return [(first + k * (DASH_M + GAP_M), first + k * (DASH_M + GAP_M) + DASH_M) for k in range(count)]


def crossed_arms(network: Network) -> list[tuple[int, int]]:
    """Index of the junction and of the arm of every crosswalk: all arms where traffic stops, two where it need not."""
    crossed = []
    for number, junction in enumerate(network.junctions):
        everywhere = junction.rule in ("lights", "all_stop") or junction.ring is not None
        for arm in range(len(junction.arms)):
            if everywhere or arm != (junction.stem + 1) % len(junction.arms):
                crossed.append((number, arm))
    return crossed
