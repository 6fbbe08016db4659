"""A network as OpenDRIVE 1.4 text, whose y axis is CARLA's turned round."""

from __future__ import annotations

import math
from collections.abc import Sequence
from xml.sax.saxutils import quoteattr

import numpy as np

from sim_agent.embedded.town.channel import Bridge
from sim_agent.embedded.town.dials import Section
from sim_agent.embedded.town.geometry import Path
from sim_agent.embedded.town.hills import Hills
from sim_agent.embedded.town.marks import CROSSWALK_M, LINE_M, Border, crossed_arms, street_borders
from sim_agent.embedded.town.network import Arm, Junction, Network, Street, Turn
from sim_agent.embedded.town.roundabout import LIMIT_KMH
from sim_agent.embedded.town.signals import FIRST_CONTROLLER_ID, Site

GEO_REFERENCE = "+proj=tmerc +lat_0=49.0 +lon_0=8.0 +k=1 +x_0=0 +y_0=0 +datum=WGS84 +units=m +vunits=m +no_defs"

SIGNAL_TYPES = {"light": "1000001", "speed": "274", "stop": "206", "yield": "205"}
"""CARLA's own maps use these numbers, three of them from the German catalogue of signs."""
_ELEVATION_STEP_M = 3.0
_NAMES = {"light": "Signal_3Light_Post01", "stop": "Sign_Stop", "yield": "Sign_Yield"}


def write_opendrive(
    name: str,
    network: Network,
    sites: Sequence[Site],
    hills: Hills | None = None,
    bridges: Sequence[Bridge] = (),
) -> str:
    """The map's text; with hills, its roads climb them.

    Every controller's signals are in it: a missing one kills CARLA's client.
    """
    ends: dict[tuple[int, bool], int] = {}
    for junction in network.junctions:
        for arm in junction.arms:
            ends[arm.street.road_id, arm.at_end] = junction.junction_id
    crossings: dict[int, list[str]] = {}
    for number, arm_index in crossed_arms(network):
        junction = network.junctions[number]
        turns = sorted(junction.turns, key=lambda turn: turn.arm_in != arm_index)
        turn = next(turn for turn in turns if arm_index in (turn.arm_in, turn.arm_out))
        stripes = crossings.setdefault(turn.road_id, [])
        stripes.append(_crosswalk(junction.arms[arm_index], turn, turn.arm_in == arm_index, len(crossings)))
    out = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        "<OpenDRIVE>",
        f'<header revMajor="1" revMinor="4" name={quoteattr(name)} version="1" date="2026-01-01T00:00:00" '
        'north="0" south="0" east="0" west="0" vendor="carla-unet">'
        f"<geoReference><![CDATA[{GEO_REFERENCE}]]></geoReference></header>",
    ]
    for street in network.streets:
        here = [site for site in sites if site.road_id == street.road_id]
        joins = (ends[street.road_id, False], ends[street.road_id, True])
        out.append(_street(street, joins, street_borders(street, network.paint), here, hills, bridges))
    for junction in network.junctions:
        out.extend(_turn(junction, turn, crossings.get(turn.road_id, []), hills) for turn in junction.turns)
    controllers: dict[int, list[int]] = {}
    for junction in network.junctions:
        lights = [s for s in sites if s.signal.junction == junction.junction_id and s.signal.kind == "light"]
        for phase in sorted({site.signal.phase for site in lights}):
            number = FIRST_CONTROLLER_ID + sum(map(len, controllers.values()))
            controllers.setdefault(junction.junction_id, []).append(number)
            members = "".join(
                f'<control signalId="{site.signal.opendrive_id}" type="0"/>'
                for site in lights
                if site.signal.phase == phase
            )
            out.append(f'<controller name="ctrl{number}" id="{number}" sequence="{phase}">{members}</controller>')
    out.extend(_junction(junction, controllers.get(junction.junction_id, [])) for junction in network.junctions)
    out.append("</OpenDRIVE>")
    return "\n".join(out) + "\n"


def _number(value: float) -> str:
    return repr(float(value) + 0.0)


def _plan_view(path: Path, hills: Hills | None) -> str:
    out = ["<planView>"]
    for piece, s in zip(path.pieces, path.starts[:-1], strict=True):
        shape = f'<arc curvature="{_number(-piece.curvature)}"/>' if piece.curvature else "<line/>"
        heading = (-piece.heading_rad + math.pi) % (2.0 * math.pi) - math.pi
        out.append(
            f'<geometry s="{_number(s)}" x="{_number(piece.x_m)}" y="{_number(-piece.y_m)}" hdg="{_number(heading)}" '
            f'length="{_number(piece.length_m)}">{shape}</geometry>'
        )
    out.append("</planView>")
    return "".join(out) + f"<elevationProfile>{_elevations(path, hills)}</elevationProfile><lateralProfile/>"


def _elevations(path: Path, hills: Hills | None) -> str:
    """Straight pieces from each place at which the height is taken to the next."""
    if hills is None:
        return '<elevation s="0" a="0" b="0" c="0" d="0"/>'
    s = np.linspace(0.0, path.length_m, max(2, math.ceil(path.length_m / _ELEVATION_STEP_M) + 1))
    heights = hills.at(path.beside(s, np.zeros_like(s)))
    grades = np.diff(heights) / np.diff(s)
    return "".join(
        f'<elevation s="{_number(at)}" a="{_number(height)}" b="{_number(grade)}" c="0" d="0"/>'
        for at, height, grade in zip(s[:-1], heights[:-1], grades, strict=True)
    )


def _lane(lane_id: int, kind: str, width: str, link: str, marks: str) -> str:
    return f'<lane id="{lane_id}" type="{kind}" level="false"><link>{link}</link>{width}{marks}</lane>'


def _width(a: float, c: float = 0.0, d: float = 0.0) -> str:
    return f'<width sOffset="0" a="{_number(a)}" b="0" c="{_number(c)}" d="{_number(d)}"/>'


def _marks(border: Border | None) -> str:
    if border is None:
        return ""
    return "".join(
        f'<roadMark sOffset="{_number(run.start_m)}" type="{run.kind}" weight="standard" color="{border.colour}" '
        f'material="standard" width="{LINE_M}" laneChange="{run.lane_change}"/>'
        for run in border.runs
    )


def _street(
    street: Street,
    joins: tuple[int, int],
    borders: Sequence[Border],
    sites: Sequence[Site],
    hills: Hills | None,
    bridges: Sequence[Bridge],
) -> str:
    section = street.section
    by_lane = {border.lane_id: border for border in borders}
    beside = [("sidewalk", section.sidewalk_m)]
    if section.parking_m:
        beside.insert(0, ("parking" if section.parking_m >= 1.0 else "shoulder", section.parking_m))

    def lanes(sign: int) -> list[str]:
        """From the middle outwards."""
        each = [("driving", section.lane_m)] * street.lanes_towards(sign < 0) + beside
        return [
            _lane(sign * number, kind, _width(width), "", _marks(by_lane.get(sign * number)))
            for number, (kind, width) in enumerate(each, 1)
        ]

    left, right = "".join(lanes(1)[::-1]), "".join(lanes(-1))
    # OpenDRIVE counts lanes from where the traffic on the right begins.
    offset = _number(-street.left_edge_m(1)) if street.one_way else "0"
    centre = f'<lane id="0" type="none" level="false"><link></link>{_marks(by_lane[0])}</lane>'
    signals = "".join(_signal(site, section) for site in sites)
    decks = "".join(
        f'<bridge id="{number}" name="Bridge_{number}" s="{_number(bridge.start_m)}" '
        f'length="{_number(bridge.end_m - bridge.start_m)}" type="concrete"/>'
        for number, bridge in enumerate(bridges)
        if bridge.street.road_id == street.road_id
    )
    return (
        f'<road name="Road {street.road_id}" length="{_number(street.path.length_m)}" id="{street.road_id}" junction="-1">'
        f'<link><predecessor elementType="junction" elementId="{joins[0]}"/>'
        f'<successor elementType="junction" elementId="{joins[1]}"/></link>'
        f'<type s="0" type="town"><speed max="{section.limit_kmh}" unit="km/h"/></type>'
        f"{_plan_view(street.path, hills)}"
        f'<lanes><laneOffset s="0" a="{offset}" b="0" c="0" d="0"/><laneSection s="0"><left>{left}</left>'
        f"<center>{centre}</center><right>{right}</right></laneSection></lanes>"
        f"<objects>{decks}</objects><signals>{signals}</signals></road>"
    )


def _signal(site: Site, section: Section) -> str:
    signal = site.signal
    kind = signal.kind.split("_")[0]
    value = signal.kind.split("_")[1] if kind == "speed" else "-1"
    name = _NAMES.get(kind, f"Speed_{value}")
    height, width = (1.1, 0.4) if kind == "light" else (0.75, 0.75)
    turned = 0.0 if site.along else math.pi
    lanes = [lane for _, lane in signal.lanes]
    return (
        f'<signal name="{name}" id="{signal.opendrive_id}" s="{_number(site.s_m)}" t="{_number(-site.right_m)}" '
        f'zOffset="0" hOffset="{_number(turned)}" roll="0" pitch="0" orientation="{"+" if site.along else "-"}" '
        f'dynamic="{"yes" if kind == "light" else "no"}" country="OpenDRIVE" type="{SIGNAL_TYPES[kind]}" '
        f'subtype="{value}" value="{value}" text="" height="{height}" width="{width}">'
        f'<validity fromLane="{min(lanes)}" toLane="{max(lanes)}"/></signal>'
    )


def _turn(junction: Junction, turn: Turn, objects: Sequence[str], hills: Hills | None) -> str:
    arm_in, arm_out = junction.arms[turn.arm_in], junction.arms[turn.arm_out]
    start, end = turn.widths_m
    length = turn.path.length_m
    # The width goes from one to the other with no slope at both ends, so that the lane's middle keeps its heading.
    width = _width(start, 3.0 * (end - start) / length**2, -2.0 * (end - start) / length**3)
    link = (
        f'<predecessor id="{arm_in.lane_id(turn.lane_in, True)}"/>'
        f'<successor id="{arm_out.lane_id(turn.lane_out, False)}"/>'
    )
    none = '<roadMark sOffset="0" type="none" weight="standard" color="standard" width="0" laneChange="none"/>'
    lane = _lane(-1, "driving", width, link, none)
    limit = min(arm_in.street.section.limit_kmh, arm_out.street.section.limit_kmh)
    if junction.ring is not None:
        limit = min(limit, LIMIT_KMH)
    return (
        f'<road name="Turn {turn.road_id}" length="{_number(length)}" id="{turn.road_id}" junction="{junction.junction_id}">'
        f'<link><predecessor elementType="road" elementId="{arm_in.street.road_id}" '
        f'contactPoint="{"end" if arm_in.at_end else "start"}"/>'
        f'<successor elementType="road" elementId="{arm_out.street.road_id}" '
        f'contactPoint="{"end" if arm_out.at_end else "start"}"/></link>'
        f'<type s="0" type="town"><speed max="{limit}" unit="km/h"/></type>'
        f"{_plan_view(turn.path, hills)}"
        '<lanes><laneOffset s="0" a="0" b="0" c="0" d="0"/><laneSection s="0">'
        f'<center><lane id="0" type="none" level="false"><link></link>{none}</lane></center><right>{lane}</right>'
        f"</laneSection></lanes><objects>{''.join(objects)}</objects><signals></signals></road>"
    )


def _crosswalk(arm: Arm, turn: Turn, comes_from: bool, number: int) -> str:
    """From kerb to kerb over the arm that this turn comes from or leads to; t stays 0, as the client places no other
    rightly.
    """
    section = arm.street.section
    left_edge = arm.street.left_edge_m(turn.lane_in if comes_from else turn.lane_out)
    middle = (CROSSWALK_M[0] + CROSSWALK_M[1]) / 2.0
    if not comes_from:
        middle = turn.path.length_m - middle
    half = (CROSSWALK_M[1] - CROSSWALK_M[0]) / 2.0
    # u runs across the street, to the left of the traffic (hdg is a quarter turn), v back along it.
    left, right = section.kerb_m + left_edge, left_edge - section.kerb_m
    corners = [(right, half), (left, half), (left, -half), (right, -half), (right, half)]
    outline = "".join(f'<cornerLocal u="{_number(u)}" v="{_number(v)}" z="0"/>' for u, v in corners)
    return (
        f'<object id="{number}" name="SimpleCrosswalk" type="crosswalk" s="{_number(middle)}" t="0" zOffset="0" '
        f'hdg="{_number(math.pi / 2.0)}" pitch="0" roll="0" orientation="none" length="{_number(left - right)}" '
        f'width="{_number(2.0 * half)}"><outline>{outline}</outline></object>'
    )


def _junction(junction: Junction, controllers: Sequence[int]) -> str:
    out = [f'<junction id="{junction.junction_id}" name="junction{junction.junction_id}">']
    for k, turn in enumerate(junction.turns):
        arm = junction.arms[turn.arm_in]
        out.append(
            f'<connection id="{k}" incomingRoad="{arm.street.road_id}" connectingRoad="{turn.road_id}" '
            f'contactPoint="start"><laneLink from="{arm.lane_id(turn.lane_in, True)}" to="-1"/></connection>'
        )
    out.extend(f'<controller id="{number}" type="0" sequence="{k}"/>' for k, number in enumerate(controllers))
    out.append("</junction>")
    return "".join(out)
