"""Traffic: the same for the same seed, gone when it is cleared, and driven on when its process is lost."""

import threading

import pytest

from sim_agent import traffic
from sim_agent.connect import State
from sim_agent.errors import SimulatorError, SimulatorGone
from sim_agent.traffic import ProcessLost, Traffic, TrafficProcess
from sim_agent.traffic_process import Lost, TrafficWorker


def test_same_seed_same_drive(server, jobs):
    first, again, other = (jobs.run("same_drive", server.port, seed) for seed in (3, 3, 4))
    assert first == again
    assert (first["vehicles"], first["walkers"]) == (8, 6) == (other["vehicles"], other["walkers"])
    assert first["sha256"] != other["sha256"]
    # 10 s: who does not stand at a light drives some 80 m; nobody walks faster than 2 m/s
    assert sum(metres > 20.0 for metres in first["drove_m"]) >= 6
    assert sum(5.0 < metres < 20.0 for metres in first["walked_m"]) >= 4
    assert first["left"] == ["vehicle.tesla.model3"]


def test_a_lost_traffic_manager_is_replaced(server, jobs):
    told = jobs.run("same_drive", server.port, 3, "lose")
    (said,) = told["said"]
    assert said.startswith("the Traffic Manager was lost (it ended with exit code -9")
    assert said.endswith("a new one takes over 9 vehicles")
    # in the 5 s after it; others wait at lights or behind who waits
    assert sum(metres > 10.0 for metres in told["drove_m"]) >= 3, told
    assert sum(metres > 2.5 for metres in told["walked_m"]) >= 4


@pytest.mark.parametrize("when", ["at the next step", "as it takes over"])
def test_a_traffic_manager_that_is_lost_twice_asks_for_another_simulator(monkeypatch, when):
    """A recorder starts another embedded simulator for it, as for one that died; a server's user reads a sentence."""
    said = []

    class Dead:
        owes = True

        def __init__(self, *_):
            pass

        def call(self, what, **_):
            if when == "as it takes over":
                raise ProcessLost("no answer within 60 s")

        def settle(self):
            raise ProcessLost("it did not finish frame 52 within 10 s")

        def end(self):
            pass

    class At:
        host, port = "127.0.0.1", 1

    class Session:
        simulator, synchronous, passive = At, True, False
        say = staticmethod(said.append)

    class Ready:
        state = State.READY

    monkeypatch.setattr(traffic, "TrafficProcess", Dead)
    monkeypatch.setattr(traffic, "probe", lambda *_: Ready)
    mine = Traffic(Session)
    mine._process = Dead()
    with pytest.raises(SimulatorGone, match="lost again and again"):
        for _ in range(2):
            mine.wait()
    assert len(said) == 1


class Waiting:
    """What a worker has in its step: a Traffic Manager that is silent for `silent` waits, and a simulator that takes
    `answer_s` for an answer; None: it gives none.
    """

    def __init__(self, silent, answer_s):
        self.silent, self.answer_s, self.modes = silent, answer_s, []
        self.worker = worker = object.__new__(TrafficWorker)
        worker._came, worker._frame, worker._walking = threading.Condition(), 7, {}
        worker._own = worker._manager = worker._simulator = self

    def send(self, method):
        assert method == "synchronous_tick"

    def wait_for(self, timeout_s):
        self.patience_s = timeout_s

    def reply(self):
        self.silent -= 1
        if self.silent >= 0:
            raise TimeoutError

    def call(self, method):
        if self.answer_s is None:
            raise TimeoutError("timed out")
        clock.now_s += self.answer_s

    def set_synchronous_mode(self, on):
        self.modes.append(on)


class clock:
    now_s = 0.0


@pytest.fixture
def waiting(monkeypatch):
    monkeypatch.setattr("sim_agent.traffic_process.time.monotonic", lambda: clock.now_s)
    return Waiting


def test_a_simulator_that_draws_for_long_costs_no_traffic_manager(waiting):
    """Its frame is out before its pictures are; a town that was just loaded takes a busy machine half a minute."""
    busy = waiting(silent=12, answer_s=3.0)
    busy.worker.step(7, 60.0)
    assert busy.silent == -1 and busy.modes == []


def test_a_traffic_manager_that_missed_a_signal_gets_another(waiting):
    deaf = waiting(silent=2, answer_s=0.001)
    deaf.worker.step(7, 60.0)
    assert deaf.modes == [False, True] * 2
    dead = waiting(silent=100, answer_s=0.001)
    with pytest.raises(Lost, match="did not finish frame 7 within 10 s"):
        dead.worker.step(7, 60.0)
    assert dead.modes == [False, True] * 5


def test_a_simulator_that_answers_nobody_is_told_from_a_traffic_manager_that_hangs(waiting):
    with pytest.raises(Lost, match="the simulator does not answer"):
        waiting(silent=100, answer_s=None).worker.step(7, 60.0)


def test_traffic_by_the_clock(server, jobs):
    told = jobs.run("by_the_clock", server.port)
    assert None not in told.values()
    assert told["still_ms"] < 0.01


def test_a_refused_order_is_one_sentence_and_no_end(server):
    pytest.importorskip("carla")
    process = TrafficProcess(server.host, server.port, synchronous=False)
    try:
        with pytest.raises(SimulatorError, match="the Traffic Manager refused: .*no_such_method"):
            process.call("tune", method="no_such_method", args=[])
        assert process.call("drive", ids=[]) == {}
    finally:
        process.end()


@pytest.mark.slow
def test_a_port_that_another_program_takes_is_passed_over(server, jobs):
    told = jobs.run("port_taken", server.port)
    assert told["port"] != told["taken"]


def test_ports_that_are_taken_one_after_another_are_one_sentence(monkeypatch):
    class Client:
        def get_trafficmanager(self, port):
            raise RuntimeError("trying to create rpc server for traffic manager; but failed because of bind error.")

    worker = object.__new__(TrafficWorker)
    monkeypatch.setattr(TrafficWorker, "_free_port", lambda self: 7)
    worker.port = 7
    with pytest.raises(
        Lost, match="^3 ports in turn were free, and taken by other programs before it could take them$"
    ):
        worker._start(Client())


def test_no_server_is_one_sentence():
    pytest.importorskip("carla")
    with pytest.raises(SimulatorError, match="the Traffic Manager did not start: .*Connection refused"):
        TrafficProcess("127.0.0.1", 1, synchronous=True)
