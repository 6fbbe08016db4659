"""From a plan to a road network: streets with cross-sections, and junctions with their turns, kerbs and right of way."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from sim_agent.embedded.town.dials import Paint, Section, TownPlan
from sim_agent.embedded.town.geometry import Path, Place, join, signed_turn
from sim_agent.embedded.town.grid import Grid, Node, NoRoomError, bent_grid, chains_of
from sim_agent.embedded.town.roundabout import Ring

CORNER_RADIUS_M = 7.0
"""Kerb radius at junctions: cars turn right without crossing into other lanes."""
LEAD_M = 4.6
"""From a junction's edge to where its kerbs begin to bend: room for the crosswalk."""
MIN_STREET_M = 26.0
FIRST_JUNCTION_ID = 1000
FIRST_TURN_ID = 2000


@dataclass(frozen=True)
class Street:
    """A road between two junctions, on which right of the path is the direction of OpenDRIVE's negative lanes."""

    road_id: int
    path: Path
    section: Section
    one_way: bool = False
    """All its lanes lead along the path, those on the left of it too."""

    def lanes_towards(self, along: bool) -> int:
        """Driving lanes in the direction of the path, or against it."""
        if self.one_way:
            return 2 * self.section.lanes if along else 0
        return self.section.lanes

    def left_edge_m(self, lane: int) -> float:
        """From the middle of the street, to the right of the traffic, to the left edge of a lane (1 is the innermost)."""
        return (lane - 1 - (self.section.lanes if self.one_way else 0)) * self.section.lane_m


class Arm(NamedTuple):
    """One street's end at a junction."""

    street: Street
    at_end: bool
    """Whether the street's path ends here rather than starts."""
    edge: Place
    """Middle of the street at the junction's edge, heading away from the junction."""

    @property
    def inbound(self) -> Place:
        """The same point, heading into the junction."""
        return self.edge.turned(math.pi)

    @property
    def lanes_in(self) -> int:
        """Driving lanes that lead into the junction."""
        return self.street.lanes_towards(self.at_end)

    @property
    def lanes_out(self) -> int:
        """Driving lanes that lead out of it."""
        return self.street.lanes_towards(not self.at_end)

    def lane_id(self, lane: int, inbound: bool) -> int:
        """OpenDRIVE's lane id of the driving lane `lane` (1 is the innermost) that leads in or out of the junction."""
        return -lane if inbound == self.at_end else lane

    def street_s(self, ahead_m: float) -> float:
        """The street's s, this many metres before the junction's edge."""
        return self.street.path.length_m - ahead_m if self.at_end else ahead_m


class Turn(NamedTuple):
    """A connecting road of one lane: from a lane that leads in to a lane that leads out.

    The path is the left edge of the lane.
    """

    road_id: int
    arm_in: int
    lane_in: int
    arm_out: int
    lane_out: int
    path: Path
    widths_m: tuple[float, float]
    kind: str
    """left, straight or right; at roundabouts also round, which leaves by the street that it came from."""


@dataclass(frozen=True)
class Junction:
    """Where three or four streets meet. Corner k is the kerb from arm k + 1, inbound, to arm k, the block on its right."""

    junction_id: int
    centre: tuple[float, float]
    arms: tuple[Arm, ...]
    turns: tuple[Turn, ...]
    corners: tuple[Path, ...]
    rule: str
    """lights, stop, all_stop or yield."""
    phases: tuple[int, ...]
    """For each arm, the phase of the lights in which it is green; arms of an equal phase are green together."""
    stem: int = -1
    """The arm of a T-junction that ends here, -1 for X-junctions and roundabouts."""
    ring: Ring | None = None
    """What makes it a roundabout: all who come in yield."""


@dataclass(frozen=True)
class Network:
    """The streets and junctions of a town."""

    streets: tuple[Street, ...]
    junctions: tuple[Junction, ...]
    paint: Paint


def draw_network(plan: TownPlan, rng: np.random.Generator) -> Network:
    """A network whose every lane leads on for ever; draws again until streets keep their distance and their radius.

    Raises:
        ValueError: when the plan's dials leave no room (streets too short, bends too sharp) in 40 drawings.
    """
    why = ""
    for _ in range(40):
        try:
            return _draw(plan, rng)
        except NoRoomError as error:
            why = str(error)
    raise ValueError(f"the town plan leaves no room for its streets ({why}): widen spacing_m or lower bend_m")


def _draw(plan: TownPlan, rng: np.random.Generator) -> Network:
    grid = bent_grid(plan, rng)
    sections = _sections(plan, rng)
    chains = chains_of(grid)
    nodes = sorted({chain[0] for chain in chains} | {chain[-1] for chain in chains})
    section_of = [
        max((sections[_line(a, b)] for a, b in zip(c, c[1:], strict=False)), key=lambda s: s.back_m) for c in chains
    ]
    reach = {node: _reaches(grid, node, chains, section_of) for node in nodes}
    streets = _lay_streets(plan, grid, chains, section_of, reach)
    rings: dict[Node, Ring] = {}
    # A generator of its own: towns without a roundabout stay as they are.
    chance = rng.spawn(1)[0]
    if chance.random() < plan.roundabout:
        crossings = [node for node in nodes if len(grid.neighbours(node)) == 4]
        for k in chance.permutation(len(crossings)).tolist():
            try:
                ring, reach_there = _ring_at(grid, crossings[k], chains, section_of)
                streets = _lay_streets(plan, grid, chains, section_of, reach | {crossings[k]: reach_there})
            except NoRoomError:
                continue
            rings[crossings[k]] = ring
            break
    if plan.one_way:
        _make_one_way(streets, chains, round(plan.one_way * len(streets)), rng)
    junctions = []
    next_turn = FIRST_TURN_ID
    for number, node in enumerate(nodes):
        arms = []
        for street, nodes_along in zip(streets, chains, strict=True):
            if nodes_along[0] == node:
                arms.append(Arm(street, False, street.path.place(0.0)))
            if nodes_along[-1] == node:
                arms.append(Arm(street, True, street.path.place(street.path.length_m).turned(math.pi)))
        arms.sort(key=lambda arm: signed_turn(0.0, arm.edge.heading_rad))
        number += FIRST_JUNCTION_ID
        junction = _junction(plan, rng, number, grid.at[node], tuple(arms), next_turn, rings.get(node))
        next_turn += len(junction.turns)
        junctions.append(junction)
    return Network(tuple(streets), tuple(junctions), plan.paint)


def _lay_streets(
    plan: TownPlan,
    grid: Grid,
    chains: list[list[Node]],
    section_of: list[Section],
    reach: dict[Node, dict[tuple[int, bool], float]],
) -> list[Street]:
    """One street for each chain, from the edge of its first junction to the edge of its last."""
    streets = []
    for k, (nodes_along, section) in enumerate(zip(chains, section_of, strict=True)):
        first, last = nodes_along[0], nodes_along[-1]
        start = Place(*grid.at[first], grid.heading(first, nodes_along[1])).moved(reach[first][k, False])
        end = Place(*grid.at[last], grid.heading(last, nodes_along[-2])).moved(reach[last][k, True])
        path = join(start, end.turned(math.pi), 8.0, max(plan.corner_m, section.back_m + 8.0))
        if path.length_m < MIN_STREET_M or path.length_m > 400.0:
            raise NoRoomError(f"a street of {path.length_m:.0f} m")
        if path.sharpest_radius_m() < section.back_m + 6.0:
            raise NoRoomError(f"a bend of {path.sharpest_radius_m():.0f} m")
        streets.append(Street(k + 1, path, section))
    _check_apart(streets)
    return streets


def _line(a: Node, b: Node) -> tuple[str, int]:
    return ("row", a[1]) if a[1] == b[1] else ("column", a[0])


def _sections(plan: TownPlan, rng: np.random.Generator) -> dict[tuple[str, int], Section]:
    lines = [("row", j) for j in range(plan.rows)] + [("column", i) for i in range(plan.columns)]
    avenues = {lines[k] for k in rng.permutation(len(lines))[: plan.avenue_lines]}
    sections = {}
    for k, line in enumerate(lines):
        choice = plan.avenues if line in avenues else plan.streets
        sections[line] = choice[(k + int(rng.integers(len(choice)))) % len(choice)]
    return sections


def _reaches(
    grid: Grid, node: Node, chains: list[list[Node]], section_of: list[Section]
) -> dict[tuple[int, bool], float]:
    """For each arm (chain, whether it ends here): from the node to the junction's edge, as the kerbs' radius demands."""
    arms = []
    for k, chain in enumerate(chains):
        if chain[0] == node:
            arms.append((grid.heading(node, chain[1]), k, False))
        if chain[-1] == node:
            arms.append((grid.heading(node, chain[-2]), k, True))
    arms.sort(key=lambda arm: signed_turn(0.0, arm[0]))
    reach = {(k, at_end): LEAD_M + 4.0 for _, k, at_end in arms}
    for first, second in zip(arms, arms[1:] + arms[:1], strict=True):
        gap = (second[0] - first[0]) % (2.0 * math.pi)
        if gap > math.radians(150.0):
            continue
        if gap < math.radians(55.0):
            raise NoRoomError(f"arms {math.degrees(gap):.0f} degrees apart")
        half_a, half_b = section_of[first[1]].kerb_m, section_of[second[1]].kerb_m
        tangent = CORNER_RADIUS_M / math.tan(gap / 2.0)
        for (_, k, at_end), own, other in ((first, half_a, half_b), (second, half_b, half_a)):
            needed = (other + own * math.cos(gap)) / math.sin(gap) + tangent + LEAD_M
            reach[k, at_end] = max(reach[k, at_end], needed)
    return reach


def _ring_at(
    grid: Grid, node: Node, chains: list[list[Node]], section_of: list[Section]
) -> tuple[Ring, dict[tuple[int, bool], float]]:
    """A roundabout at a node, and how far each arm's edge is from it; no street may begin and end there."""
    ends = [(k, at_end) for k, c in enumerate(chains) for at_end in (False, True) if c[-1 if at_end else 0] == node]
    sections = {(k, at_end): section_of[k] for k, at_end in ends}
    ring = Ring(*grid.at[node], min(2, max(section.lanes for section in sections.values())))
    return ring, {end: ring.reach_m(section.kerb_m) + LEAD_M for end, section in sections.items()}


def _make_one_way(streets: list[Street], chains: list[list[Node]], wanted: int, rng: np.random.Generator) -> None:
    """Turns up to so many streets into one-way streets, no two at one junction, so that every lane can still be reached
    from every other. Only among streets of one lane: wider ones would have lanes that lead nowhere.
    """
    taken = {
        node
        for street, chain in zip(streets, chains, strict=True)
        if street.section.lanes > 1
        for node in (chain[0], chain[-1])
    }
    for k in rng.permutation(len(streets)).tolist():
        flip = bool(rng.random() < 0.5)
        if not wanted or chains[k][0] in taken or chains[k][-1] in taken:
            continue
        before = streets[k], chains[k]
        street, chain = before
        streets[k] = replace(street, path=street.path.reversed() if flip else street.path, one_way=True)
        chains[k] = chain[::-1] if flip else chain
        if not _all_reached(streets, chains):
            streets[k], chains[k] = before
            continue
        taken |= {chain[0], chain[-1]}
        wanted -= 1


def _all_reached(streets: list[Street], chains: list[list[Node]]) -> bool:
    """Whether from each direction of each street all others can be reached without turning round."""
    ways = [(k, along) for k, street in enumerate(streets) for along in (True, False) if street.lanes_towards(along)]
    after: dict[tuple[int, bool], list[tuple[int, bool]]] = {way: [] for way in ways}
    before: dict[tuple[int, bool], list[tuple[int, bool]]] = {way: [] for way in ways}
    for k, along in ways:
        for other, its_along in ways:
            if other != k and chains[k][-1 if along else 0] == chains[other][0 if its_along else -1]:
                after[k, along].append((other, its_along))
                before[other, its_along].append((k, along))
    for links in (after, before):
        seen, todo = {ways[0]}, [ways[0]]
        while todo:
            new = [way for way in links[todo.pop()] if way not in seen]
            seen.update(new)
            todo += new
        if len(seen) < len(ways):
            return False
    return True


def _check_apart(streets: list[Street]) -> None:
    """Streets, sidewalks included, must not touch each other between junctions."""
    samples = []
    for street in streets:
        s = np.arange(12.0, street.path.length_m - 12.0, 4.0)
        samples.append(street.path.beside(s, np.zeros(len(s))))
    for k, first in enumerate(samples):
        for other in range(k + 1, len(samples)):
            second = samples[other]
            if not len(first) or not len(second):
                continue
            gap = float(np.sqrt(((first[:, None] - second[None]) ** 2).sum(-1).min()))
            if gap < streets[k].section.back_m + streets[other].section.back_m:
                raise NoRoomError(f"streets {gap:.0f} m apart")


def _junction(
    plan: TownPlan,
    rng: np.random.Generator,
    junction_id: int,
    centre: tuple[float, float],
    arms: tuple[Arm, ...],
    first_turn: int,
    ring: Ring | None,
) -> Junction:
    draw = float(rng.random())
    if ring is not None:
        kerbs = tuple(
            ring.kerb(come.inbound, leave.edge, come.street.section.kerb_m, leave.street.section.kerb_m)
            for come, leave in zip(arms[1:] + arms[:1], arms, strict=True)
        )
        turns = tuple(_turns(arms, first_turn, ring))
        return Junction(junction_id, centre, arms, turns, kerbs, "yield", tuple(range(len(arms))), ring=ring)
    corners = []
    for k, arm in enumerate(arms):
        other = arms[(k + 1) % len(arms)]
        start = other.inbound.moved(0.0, other.street.section.kerb_m)
        end = arm.edge.moved(0.0, arm.street.section.kerb_m)
        bends = abs(signed_turn(start.heading_rad, end.heading_rad)) > math.radians(30.0)
        corners.append(join(start, end, 0.0 if bends else LEAD_M, CORNER_RADIUS_M if bends else math.inf))
    stem = -1
    if len(arms) == 3:
        straightness = [
            abs(abs(signed_turn(arms[k - 1].edge.heading_rad, arms[k - 2].edge.heading_rad)) - math.pi)
            for k in range(3)
        ]
        stem = int(np.argmin(straightness))
    wide = any(arm.street.section.lanes > 1 for arm in arms)
    if len(arms) == 4:
        rule = "all_stop" if draw < plan.unlit_crossings and not wide else "lights"
        # As CARLA's own: with opposite arms together, those who turn left wait for each other, at times for ever.
        phases: tuple[int, ...] = (0, 1, 2, 3)
    else:
        rule = "lights" if draw < plan.lit_tees or wide else "stop" if draw < (1.0 + plan.lit_tees) / 2.0 else "yield"
        phases = (0, 1, 2)
    return Junction(
        junction_id, centre, arms, tuple(_turns(arms, first_turn, None)), tuple(corners), rule, phases, stem
    )


def _turns(arms: tuple[Arm, ...], first_turn: int, ring: Ring | None) -> list[Turn]:
    turns: list[Turn] = []
    for a, arm_in in enumerate(arms):
        ways = {}
        for b, arm_out in enumerate(arms):
            if (a != b or ring is not None) and arm_in.lanes_in and arm_out.lanes_out:
                angle = signed_turn(arm_in.inbound.heading_rad, arm_out.edge.heading_rad)
                kind = "straight" if abs(angle) < math.radians(45.0) else "right" if angle > 0 else "left"
                ways["round" if a == b else kind] = b
        for kind in sorted(ways):
            arm_out = arms[ways[kind]]
            for lane_in, lane_out in _lane_pairs(kind, arm_in.lanes_in, arm_out.lanes_out, ways):
                width_in, width_out = arm_in.street.section.lane_m, arm_out.street.section.lane_m
                lefts = arm_in.street.left_edge_m(lane_in), arm_out.street.left_edge_m(lane_out)
                if ring is None:
                    start, end = arm_in.inbound.moved(0.0, lefts[0]), arm_out.edge.moved(0.0, lefts[1])
                    path = join(start, end, {"right": LEAD_M, "left": 2.0, "straight": 1.0}[kind])
                else:
                    kerbs = arm_in.street.section.kerb_m, arm_out.street.section.kerb_m
                    inner = kind in ("left", "round") or lane_in < arm_in.lanes_in
                    path = ring.lane(arm_in.inbound, arm_out.edge, lefts, kerbs, 1 if inner else ring.lanes)
                road_id = first_turn + len(turns)
                turns.append(Turn(road_id, a, lane_in, ways[kind], lane_out, path, (width_in, width_out), kind))
    return turns


def _lane_pairs(kind: str, lanes_in: int, lanes_out: int, ways: dict[str, int]) -> list[tuple[int, int]]:
    """Left turns from the innermost lane, right turns from the outermost, straight on from all."""
    if kind in ("left", "round"):
        return [(1, 1)]
    if kind == "right":
        return [(lanes_in, lanes_out)]
    if lanes_in <= lanes_out:
        shift = lanes_out - lanes_in
        return [(lane, lane + extra) for lane in range(1, lanes_in + 1) for extra in range(shift + 1)]
    pairs = [(lanes_in - k, lanes_out - k) for k in range(lanes_out)]
    # Without a left turn the inner lanes would end here, so they merge.
    return pairs if "left" in ways else pairs + [(lane, 1) for lane in range(1, lanes_in - lanes_out + 1)]
