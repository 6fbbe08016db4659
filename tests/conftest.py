"""What all tests share: a small recording drawn by ourselves, and one Ray."""

import signal

import pytest
from hypothesis import settings

from tests.processes import CommandLine
from trainer.local_ray import LocalRay, prepare_ray

# A shell that starts the suite in the background has it ignore Ctrl-C, and so would every process that a test interrupts.
signal.signal(signal.SIGINT, signal.default_int_handler)
prepare_ray()  # before any test module imports Ray
# The same examples on every run; what an earlier state of the code failed on is not remembered.
settings.register_profile("fixed", derandomize=True, database=None)
settings.load_profile("fixed")


def pytest_collection_modifyitems(items):
    """Under `-n 2`: a file's tests share its fixtures in one process, and those on the shared Ray are all in one."""
    for item in items:
        group = "ray" if "shared_ray" in item.fixturenames else item.location[0]
        item.add_marker(pytest.mark.xdist_group(group))


@pytest.fixture(scope="session")
def recording(tmp_path_factory):
    """A small recording: four episodes in two towns, 24 pictures of 96x160."""
    from trainer.dataset.drawn import draw_recording

    folder = tmp_path_factory.mktemp("data") / "drawn"
    draw_recording(folder, count=24, width=160, height=96, seed=0, frames_per_episode=6)
    return folder


@pytest.fixture(scope="session")
def shared_ray():
    """One local Ray for all tests that run a job in this process."""
    with LocalRay(2) as local_ray:
        local_ray.wait()
        yield local_ray


@pytest.fixture
def command_line(tmp_path):
    runner = CommandLine(tmp_path)
    yield runner
    runner.end_all()
