import importlib.util

import pytest

from tests.sim_agent.embedded.simulator import Simulator


@pytest.fixture(scope="session")
def simulator(tmp_path_factory):
    """One simulator for all tests that leave the world as they found it (each loads it anew)."""
    if importlib.util.find_spec("carla") is None:
        pytest.skip("the carla wheel is not installed")
    process = Simulator(tmp_path_factory.mktemp("simulator"), "--quality", "low")
    try:
        yield process
    finally:
        code = process.end()
    assert code == 0, process.log.read_text()
