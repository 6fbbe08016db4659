"""How people walk, stand and sit: joint angles."""

from __future__ import annotations

import numpy as np

from sim_agent.embedded.models.figure import Joints

PHASES = 8
"""Poses of one gait cycle: two steps, begun with the left heel on the ground."""

# Degrees at eighths of the cycle from heel strike: after Winter, Biomechanics and Motor Control of Human Movement
# (natural cadence), smoothed to what eight poses can show.
_HIP = (24.0, 20.0, 10.0, -2.0, -13.0, -2.0, 18.0, 27.0)
_KNEE = (4.0, 17.0, 11.0, 5.0, 12.0, 46.0, 60.0, 26.0)
_ANKLE = (0.0, -6.0, 4.0, 9.0, 2.0, -16.0, -4.0, 1.0)
_ARM_SWING_DEG = 22.0

STAND = Joints(hip=(1.0, -1.0), knee=(2.0, 1.0), shoulder=(-2.0, 3.0), elbow=(10.0, 14.0), spread=7.0)


def standing_leg() -> tuple[tuple[float, float], tuple[float, float]]:
    """Hip and knee of a leg when its heel strikes the ground and when, half a cycle later, the other's does."""
    half = PHASES // 2
    return (_HIP[0], _KNEE[0]), (_HIP[half], _KNEE[half])


def walking() -> list[Joints]:
    """The `PHASES` poses of walking."""
    poses = []
    for phase in range(PHASES):
        other = (phase + PHASES // 2) % PHASES
        swing = _ARM_SWING_DEG * float(np.cos(2 * np.pi * phase / PHASES))
        poses.append(
            Joints(
                hip=(_HIP[phase], _HIP[other]),
                knee=(_KNEE[phase], _KNEE[other]),
                ankle=(_ANKLE[phase], _ANKLE[other]),
                shoulder=(-swing, swing),
                elbow=(16.0 + max(-swing, 0.0) * 0.7, 16.0 + max(swing, 0.0) * 0.7),
                lean=3.0,
            )
        )
    return poses
