"""CARLA's 51 pedestrians: who they are, how big and how fast."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple


class WalkerSpec(NamedTuple):
    """A pedestrian. The actor's origin is the centre of its capsule: half its height above the ground."""

    id: str
    extent_m: tuple[float, float, float]
    """Half the size of CARLA's capsule; arms and legs of the mesh reach out of it in x and y, never in z."""
    age: str
    """child, adult or elderly."""
    gender: str
    """female or male."""
    generation: int
    speeds_m_s: tuple[float, float, float]
    """CARLA's recommended speeds: standing, walking, running."""
    can_use_wheelchair: bool
    police: bool
    mass_kg: float

    @property
    def default_speed_m_s(self) -> float:
        """Walking speed."""
        return self.speeds_m_s[1]


# Ages, police and generations: CARLA's document "Pedestrian catalogue"; capsules: `actor.bounding_box` of 0.9.15.
# Genders of adults above 0008: ours, CARLA's documents do not tell.
_CHILDREN = {9, 10, 11, 12, 13, 14, 48, 49}
_ELDERLY = {50, 51}
_POLICE = {30, 32}
_FEMALE = {
    *(1, 5, 6, 7, 8, 9, 10, 11, 15, 18, 20, 21, 24, 26, 27, 28, 29, 35, 36, 37, 42, 43, 44, 48, 50),
}
_FIRST_GENERATION = range(1, 15)
_BRISK = {1, 5, 6, 7, 8, 15}
COUNT = 51


def _half_size(number: int) -> tuple[float, float, float]:
    if number not in _CHILDREN:
        return 0.188, 0.188, 0.93
    return (0.188, 0.188, 0.65) if number in {12, 13, 14} else (0.25, 0.25, 0.55)


def _speeds(number: int) -> tuple[float, float, float]:
    if number == 51:
        return 0.0, 0.85, 2.0
    if number in _CHILDREN or number == 50:
        return 0.0, 1.1, 2.0
    return 0.0, 1.8 if number in _BRISK else 1.7, 4.0


def _spec(number: int) -> WalkerSpec:
    child, female = number in _CHILDREN, number in _FEMALE
    half_height = _half_size(number)[2]
    return WalkerSpec(
        id=f"walker.pedestrian.{number:04d}",
        extent_m=_half_size(number),
        age="child" if child else "elderly" if number in _ELDERLY else "adult",
        gender="female" if female else "male",
        generation=1 if number in _FIRST_GENERATION else 2,
        speeds_m_s=_speeds(number),
        can_use_wheelchair=not child and number not in _POLICE and number not in _FIRST_GENERATION,
        police=number in _POLICE,
        mass_kg=round(4 * half_height**2 * (15 if child else 19 if female else 22), 1),
    )


@lru_cache(maxsize=1)
def _people() -> dict[str, WalkerSpec]:
    specs = (_spec(number) for number in range(1, COUNT + 1))
    return {spec.id: spec for spec in specs}


WALKERS: tuple[str, ...] = tuple(_people())
"""All walker ids."""


def walker_spec(walker_id: str) -> WalkerSpec:
    """The spec of `walker.pedestrian.NNNN`; KeyError says that there is none of that id."""
    if walker_id not in _people():
        raise KeyError(f"There is no walker '{walker_id}'; ids go from {WALKERS[0]} to {WALKERS[-1]}.")
    return _people()[walker_id]
