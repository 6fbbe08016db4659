from collections.abc import Callable
from functools import lru_cache

import pytest

from sim_agent.embedded.town import Town
from sim_agent.embedded.town.build import put_together


@lru_cache(maxsize=8)
def _built(name: str) -> Town:
    return put_together(name)


@pytest.fixture(scope="session")
def town_of() -> Callable[[str], Town]:
    """Each town is built once for all tests; its arrays are read-only."""
    return _built
