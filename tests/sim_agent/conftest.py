import importlib.util

import pytest

from sim_agent.server_process import ServerProcess
from tests.sim_agent.jobs import Jobs


@pytest.fixture(scope="session")
def server():
    """One embedded simulator for all tests that leave its world as they found it."""
    if importlib.util.find_spec("carla") is None:
        pytest.skip("the carla wheel is not installed")
    with ServerProcess(quality="low") as process:
        yield process
        assert process.crash() is None


@pytest.fixture
def jobs(tmp_path):
    """Starts client scripts as processes, and ends those that are left."""
    runner = Jobs(tmp_path)
    yield runner
    runner.end_all()
