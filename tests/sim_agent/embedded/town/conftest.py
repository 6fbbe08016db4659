from collections.abc import Callable
from functools import lru_cache

import numpy as np
import pytest

from sim_agent.embedded.town import Town
from sim_agent.embedded.town.build import put_together
from sim_agent.embedded.town.geometry import Array
from sim_agent.embedded.town.plan import plan_of


@lru_cache(maxsize=8)
def _built(name: str) -> Town:
    return put_together(name)


def is_level(town: Town) -> bool:
    """Whether its roads lie on a plane: a channel below them does not matter."""
    return plan_of(town.name, 0)[0].hills_m == 0.0


@pytest.fixture(scope="session")
def land_of() -> Callable[[Town], Callable[[Array], Array]]:
    """For a town, the height of its land at (N, 2) places, from the triangles that vehicles stand on."""

    def of(town: Town) -> Callable[[Array], Array]:
        if is_level(town):
            return lambda points: np.zeros(len(points))
        corners = town.slopes.vertices.astype(np.float64)
        low, cell = corners[:, :2].min(0), corners[1, 0] - corners[0, 0]
        heights = corners[:, 2].reshape(-1, len(np.unique(corners[:, 0])))

        def at(points: Array) -> Array:
            place = np.clip((points - low) / cell, 0.0, np.array(heights.shape[::-1]) - 1.0 - 1e-9)
            (column, row), (u, v) = place.astype(int).T, (place % 1.0).T
            a, b, c, d = (heights[row + i, column + j] for i, j in ((0, 0), (0, 1), (1, 0), (1, 1)))
            return np.where(u >= v, a + (b - a) * u + (d - b) * v, a + (d - c) * u + (c - a) * v)

        return at

    return of


@pytest.fixture(scope="session")
def town_of() -> Callable[[str], Town]:
    """Each town is built once for all tests; its arrays are read-only."""
    return _built
