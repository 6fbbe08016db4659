"""One small town and its renderers for all tests of this folder: compiling and baking them takes seconds."""

import pytest

from sim_agent.embedded.render import RayCaster, Renderer
from tests.sim_agent.embedded.render.streets import MODELS, street_town


@pytest.fixture(scope="session")
def town():
    return street_town(blocks=0, leaves=40)


@pytest.fixture(scope="session")
def renderer(town):
    renderer = Renderer(town, MODELS, "medium", 2)
    yield renderer
    renderer.close()


@pytest.fixture(scope="session")
def ray_caster(town):
    return RayCaster(town, MODELS)
