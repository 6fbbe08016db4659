from __future__ import annotations

import pytest

from sim_agent.embedded.physics import warm_up
from tests.sim_agent.embedded.physics.yard import Yard


@pytest.fixture(scope="session", autouse=True)
def _compiled() -> None:
    warm_up()


@pytest.fixture
def yard() -> Yard:
    return Yard()
