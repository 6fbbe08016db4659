"""Where vehicles may start."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from sim_agent.embedded.pose import Pose, wrap_deg
from sim_agent.embedded.town.network import Network

SPAWN_Z_M = 0.3
APART_M = 9.0
"""More than a fire engine, so that one fits at every point; a bus needs a spawn point whose neighbours are free."""
STEP_M = 4.0
CLEAR_M = 8.0
"""From the ends of a street: beyond the stop lines and the crosswalks."""


def spread(stations: Iterable[list[Pose]]) -> tuple[Pose, ...]:
    """Of the poses side by side at each station, those that keep `APART_M` from all before; lanes take turns to be first."""
    taken = np.zeros((0, 2))
    poses = []
    for turn, abreast in enumerate(stations):
        for k in range(len(abreast)):
            pose = abreast[(k + turn) % len(abreast)]
            here = np.array([pose[:2]])
            if len(taken) and float(((taken - here) ** 2).sum(1).min()) < APART_M**2:
                continue
            taken = np.concatenate([taken, here])
            poses.append(pose)
    return tuple(poses)


def spawn_points(network: Network) -> tuple[Pose, ...]:
    """Poses in the middle of driving lanes, along the traffic, clear of the stop lines, at least `APART_M` apart."""
    stations = []
    for street in network.streets:
        width = street.section.lane_m
        for s in np.arange(CLEAR_M, street.path.length_m - CLEAR_M, STEP_M).tolist():
            abreast = []
            for side in (1, -1):
                for lane in range(1, street.lanes_towards(side > 0) + 1):
                    place = street.path.place(s, side * (street.left_edge_m(lane) + 0.5 * width))
                    yaw = place.turned(0.0 if side > 0 else math.pi).yaw_deg
                    abreast.append(Pose(place.x_m, place.y_m, SPAWN_Z_M, 0.0, wrap_deg(yaw), 0.0))
            stations.append(abreast)
    return spread(stations)
