"""Where lights and signs stand, what they are for, and which lights are green together."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from sim_agent.embedded.pose import Pose, wrap_deg
from sim_agent.embedded.scene import Box
from sim_agent.embedded.town.geometry import Place, signed_turn
from sim_agent.embedded.town.marks import STOP_LINE_M
from sim_agent.embedded.town.model import Signal
from sim_agent.embedded.town.network import Arm, Junction, Network, Street
from sim_agent.embedded.town.roundabout import LIMIT_KMH

POST_M = 0.85
"""From the kerb to the post: far enough for the client not to move the sign off the lane (LibCarla, MapBuilder.cpp,
CheckSignalsOnRoads: 0.7 lane widths from the middle of the lane), and between the kerb and where people walk."""
NEAR_HEAD_M, FAR_HEAD_M = 3.1, 5.6
"""Height of the heads at the post before the junction and on the mast behind it."""
BRAKING_M_S2 = 7.0
"""A car that brakes when it meets the trigger box stands before the stop line."""
LIMIT_SIGN_M, SLOW_SIGN_M = 10.0, 20.0
"""From the start of a street to its speed limit; before a roundabout, from its edge to the lower one."""
FIRST_SIGNAL_ID, FIRST_CONTROLLER_ID = 3000, 6000


class Site(NamedTuple):
    """A signal with its place in the map."""

    signal: Signal
    road_id: int
    s_m: float
    right_m: float
    """To the right of the street's path."""
    along: bool
    """Whether it is for the traffic in the direction of the path (OpenDRIVE's orientation +)."""
    masts: tuple[Mast, ...]


class Mast(NamedTuple):
    """A post behind the junction with an arm from which a head hangs."""

    foot: Place
    """Heading as the traffic that looks at it."""
    arm_m: float
    """How far the arm reaches to the left of the traffic; 0 for none."""


def place_signals(network: Network) -> tuple[Site, ...]:
    """Lights, stop and yield signs at junctions, speed limits at the start of each direction of a street and before
    roundabouts.
    """
    sites: list[Site] = []
    for junction in network.junctions:
        for k, arm in enumerate(junction.arms):
            kind = _kind(junction, k)
            if kind and arm.lanes_in:
                sites.append(_at_junction(FIRST_SIGNAL_ID + len(sites), junction, k, arm, kind))
    for street in network.streets:
        for along in (True, False):
            if not street.lanes_towards(along):
                continue
            s_m = LIMIT_SIGN_M if along else street.path.length_m - LIMIT_SIGN_M
            sites.append(_speed_limit(FIRST_SIGNAL_ID + len(sites), street, along, s_m, street.section.limit_kmh))
    for junction in network.junctions:
        for arm in junction.arms if junction.ring is not None else ():
            if arm.lanes_in and arm.street.section.limit_kmh > LIMIT_KMH:
                s_m = arm.street_s(SLOW_SIGN_M)
                sites.append(_speed_limit(FIRST_SIGNAL_ID + len(sites), arm.street, arm.at_end, s_m, LIMIT_KMH))
    return tuple(sites)


def _kind(junction: Junction, arm: int) -> str:
    if junction.rule == "lights":
        return "light"
    if junction.rule == "all_stop":
        return "stop"
    return junction.rule if arm == junction.stem or junction.ring is not None else ""


def _foot(place: Place) -> Pose:
    return Pose(place.x_m, place.y_m, 0.0, 0.0, wrap_deg(place.yaw_deg + 90.0), 0.0)


def _trigger(middle: Place, length_m: float, width_m: float) -> Box:
    pose = Pose(middle.x_m, middle.y_m, 1.0, 0.0, wrap_deg(middle.yaw_deg + 90.0), 0.0)
    return Box(pose, (width_m / 2.0, length_m / 2.0, 1.0))


def _at_junction(number: int, junction: Junction, k: int, arm: Arm, kind: str) -> Site:
    section = arm.street.section
    inbound = arm.inbound
    stop = inbound.moved(-STOP_LINE_M[1])
    post = inbound.moved(-STOP_LINE_M[0], section.kerb_m + POST_M)
    reach = (section.limit_kmh / 3.6) ** 2 / (2.0 * BRAKING_M_S2) + 1.5
    left, across = arm.street.left_edge_m(1), arm.lanes_in * section.lane_m
    # Narrower than the lanes by 0.6 m a side, so that on a bent street the box stays off the oncoming lane.
    trigger = _trigger(stop.moved(-reach / 2.0, left + across / 2.0), reach, across - 1.2)
    lanes = range(1, arm.lanes_in + 1)
    stops = [stop.moved(0.0, left + (lane - 0.5) * section.lane_m) for lane in lanes]
    heads: list[Pose] = []
    masts: tuple[Mast, ...] = ()
    if kind == "light":
        facing = wrap_deg(inbound.yaw_deg + 180.0)
        near = post.moved(-0.3)
        heads.append(Pose(near.x_m, near.y_m, NEAR_HEAD_M, 0.0, facing, 0.0))
        mast = _mast(junction, k)
        masts = (mast,)
        far = mast.foot.moved(-0.3, -mast.arm_m)
        heads.append(Pose(far.x_m, far.y_m, FAR_HEAD_M, 0.0, wrap_deg(mast.foot.yaw_deg + 180.0), 0.0))
    signal = Signal(
        opendrive_id=str(number),
        kind=kind,
        pose=_foot(post),
        head_poses=tuple(heads),
        trigger=trigger,
        stop_waypoints=tuple(Pose(p.x_m, p.y_m, 0.0, 0.0, p.yaw_deg, 0.0) for p in stops),
        junction=junction.junction_id,
        phase=junction.phases[k] if kind == "light" else 0,
        lanes=tuple((arm.street.road_id, arm.lane_id(lane, True)) for lane in lanes),
    )
    side = section.kerb_m + POST_M
    s_m = arm.street_s(STOP_LINE_M[0])
    return Site(signal, arm.street.road_id, s_m, side if arm.at_end else -side, arm.at_end, masts)


def _mast(junction: Junction, k: int) -> Mast:
    """Behind the junction: over the arm straight ahead, or across the kerb that faces the stem of a T."""
    inbound = junction.arms[k].inbound
    for other in junction.arms:
        if abs(signed_turn(inbound.heading_rad, other.edge.heading_rad)) < math.radians(45.0):
            section = other.street.section
            side = section.kerb_m + POST_M
            return Mast(other.edge.moved(STOP_LINE_M[1], side), side - section.lanes * section.lane_m / 2.0)
    kerb = junction.corners[(k + 1) % len(junction.corners)]
    s = np.linspace(0.0, kerb.length_m, 81)
    offset = kerb.beside(s, POST_M) - np.array(inbound[:2])
    ahead = np.array([math.cos(inbound.heading_rad), math.sin(inbound.heading_rad)])
    right = offset[:, 1] * ahead[0] - offset[:, 0] * ahead[1]
    # Straight ahead of the lane beside the middle of the street.
    best = int(np.argmin(np.abs(right - junction.arms[k].street.section.lane_m / 2.0)))
    x, y = kerb.beside(s[best], POST_M)[0]
    return Mast(Place(float(x), float(y), inbound.heading_rad), 0.0)


def _speed_limit(number: int, street: Street, along: bool, s_m: float, limit_kmh: int) -> Site:
    section = street.section
    side = section.kerb_m + POST_M
    right = side if along else -side
    here = street.path.place(s_m).turned(0.0 if along else math.pi)
    post = here.moved(0.0, side)
    lanes = street.lanes_towards(along)
    across = lanes * section.lane_m
    middle = street.left_edge_m(1) + across / 2.0
    signal = Signal(
        opendrive_id=str(number),
        kind=f"speed_{limit_kmh}",
        pose=_foot(post),
        head_poses=(),
        trigger=_trigger(here.moved(0.0, middle), 3.0, across - 1.2),
        stop_waypoints=(),
        junction=-1,
        phase=0,
        lanes=tuple((street.road_id, -lane if along else lane) for lane in range(1, lanes + 1)),
    )
    return Site(signal, street.road_id, s_m, right, along, ())
