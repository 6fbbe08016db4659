"""The first start on a machine: children compile what a first picture needs, and are gone with the simulator."""

import signal

import pytest

from sim_agent.embedded.render.compilation import FIRST_PARTS
from tests.processes import CommandLine, wait_for


@pytest.fixture
def line(tmp_path):
    line = CommandLine(tmp_path)
    line.env |= {"NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    yield line
    line.end_all()


@pytest.mark.slow
def test_a_first_start_compiles_in_children_and_a_second_finds_it_done(line, tmp_path):
    def one_run(name):
        ready = tmp_path / name
        process = line.start("sim", "--port", "0", "--ready-file", ready)
        wait_for(ready.exists, "ready", process=process)
        done = {path.stem for path in (tmp_path / "cache").rglob("*.complete")}
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, (out, err)
        assert line.processes() == []
        return done, out

    done, out = one_run("first")
    assert set(FIRST_PARTS) <= done
    assert "compiling the simulator, once for this machine" in out
    _, out = one_run("second")
    assert "compiling" not in out
