"""Hour-long runs of the simulator: memory and rate stay flat. `pytest -m soak tests/faults` runs them, by hand."""

from __future__ import annotations

import statistics
from pathlib import Path

import pytest

from tests.faults.test_hostile_simulator import standing
from tests.sim_agent.embedded import simulator as embedded
from tests.sim_agent.embedded.simulator import Simulator

CLIENT = Path(__file__).parent / "clients" / "endurance"
COUNTS = {"ticks": 200_000, "pictures": 20_000, "loads": 200, "actors": 20_000}


def endure(simulator: Simulator, what: str, count: int) -> dict:
    # the script's name is taken below the simulator's own clients; theirs is where its first lines are
    arguments = (str(CLIENT), what, str(count), str(embedded.CLIENTS), str(simulator.process.pid))
    return simulator.run(*arguments, timeout_s=7200)


@pytest.mark.soak
@pytest.mark.parametrize("what", COUNTS)
def test_memory_and_rate_stay_flat(
    tmp_path_factory: pytest.TempPathFactory, capsys: pytest.CaptureFixture, what: str
) -> None:
    simulator = Simulator(tmp_path_factory.mktemp("endurance"))
    try:
        endure(simulator, what, max(20, COUNTS[what] // 20))  # what is made once is made now
        before = standing(simulator)
        seen = endure(simulator, what, COUNTS[what])
        after = standing(simulator)
    finally:
        assert simulator.end() == 0, simulator.log.read_text()[-3000:]
    with capsys.disabled():
        rates = ", ".join(f"{rate:.3g}" for rate in seen["rates"])
        print(f"\n{COUNTS[what]} {what}: {rates} a second of its CPU time; MB, threads, files {before} -> {after}")
    assert after[0] < before[0] + 40 and after[1:] == before[1:]
    assert statistics.median(seen["rates"][-3:]) > 0.6 * statistics.median(seen["rates"][:3])
    assert seen.get("wrong", 0) == 0 and seen.get("left", 0) == 0


@pytest.mark.slow
def test_the_scripts_run(tmp_path_factory: pytest.TempPathFactory) -> None:
    simulator = Simulator(tmp_path_factory.mktemp("endurance"))
    try:
        for what, count in (("ticks", 50), ("pictures", 20), ("actors", 500)):
            assert len(endure(simulator, what, count)["rates"]) == 10
    finally:
        assert simulator.end() == 0
