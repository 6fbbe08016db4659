"""The session: the world as it was after any end of a job, and one clear sentence where the simulator does not answer."""

import signal

import pytest

from sim_agent.session import Where, open_session
from tests.sim_agent.jobs import wait_until_ended
from trainer.errors import UsageError


@pytest.fixture
def world_before(server, jobs):
    before = jobs.run("look", server.port)
    assert (before["synchronous"], before["step_s"], before["moves"], before["actors"]) == (False, 0.0, True, [])
    return before


@pytest.mark.parametrize("how", ["end", "raise"])
def test_all_is_given_back_when_the_block_ends(server, jobs, world_before, how):
    job = jobs.start("stay", server.port, how)
    told = job.hear()
    assert (told["vehicles"], told["walkers"]) == (4, 3)
    assert job.ended() == (1 if how == "raise" else 0), job.log()
    assert ("as the user's own code may" in job.log()) == (how == "raise")
    assert jobs.run("look", server.port) == world_before
    for pid in told["pids"]:
        wait_until_ended(pid)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_all_is_given_back_after_a_signal(server, jobs, world_before, number):
    job = jobs.start("stay", server.port, "wait")
    told = job.hear()
    job.process.send_signal(number)
    assert job.ended() != 0
    assert job.log().splitlines()[-1] == "KeyboardInterrupt"
    assert jobs.run("look", server.port) == world_before
    for pid in told["pids"]:
        wait_until_ended(pid)


def test_a_second_signal_does_not_stop_the_giving_back(server, jobs, world_before):
    job = jobs.start("stay", server.port, "wait")
    job.hear()
    for _ in range(5):
        job.process.send_signal(signal.SIGINT)
    assert job.ended() != 0
    assert jobs.run("look", server.port) == world_before


def test_nothing_of_an_embedded_simulator_outlives_its_job_even_when_that_is_killed(jobs):
    job = jobs.start("stay", 0, "wait")
    pids = job.hear()["pids"]
    assert len(pids) == 2
    job.process.kill()
    for pid in pids:
        wait_until_ended(pid)


def test_others_keep_what_is_theirs(server, jobs, world_before):
    told = jobs.run("others", server.port)
    assert told["before"] == told["after"] == [False, 0.0]
    assert told["in"] == [True, pytest.approx(0.1)]
    assert told["refused"].startswith("vehicle.audi.tt: the simulator does not spawn it (")
    assert told["after_destroy"] and told["theirs_only"]
    assert told["no_town"] == (
        "Town77: the simulator has no such town; it has "
        "Town01, Town02, Town03, Town04, Town05, Town06, Town07, Town10HD_Opt."
    )
    assert "another program ticks this world; end it first, or join it with" in told["ticked"]
    assert told["joined"] == [True, pytest.approx(0.05)]
    assert told["still_ticks"] and told["joined_is_gone"]
    assert jobs.run("look", server.port) == world_before


def test_a_program_may_end_right_after_its_session(server, jobs):
    for _ in range(3):
        assert jobs.run("callbacks", server.port) == {"pictures": True, "held": 0}


@pytest.mark.slow
def test_a_tick_may_be_late(jobs):
    assert jobs.run("trouble", "slow", "traffic") == {"frames": [0, 1, 2, 3, 4, 5]}


@pytest.mark.parametrize("traffic", ["no-traffic", pytest.param("traffic", marks=pytest.mark.slow)])
def test_a_simulator_that_hangs_is_given_up(jobs, traffic):
    told = jobs.run("trouble", "hung", traffic)
    assert told["error"].startswith("the embedded simulator 0.9.16 at 127.0.0.1:")
    # With traffic, the Traffic Manager may be the first to wait for it.
    assert "did not tick within 3 s; " in told["error"] or traffic == "traffic" and "within 20 s; " in told["error"]
    assert "see whether it still runs and what its log says, restart it" in told["error"]
    assert "\n" not in told["error"] and told["within_s"] < 120


@pytest.mark.slow
def test_a_simulator_that_is_killed_is_told_so(jobs):
    told = jobs.run("trouble", "killed", "traffic")
    assert "the embedded simulator was killed by signal 9 (Killed) in the middle of the job" in told["error"]
    assert "\n  ready: carla.Client(" in told["error"] and told["within_s"] < 120


def test_arguments_that_do_not_fit():
    for step_s in (0.0, -0.05, 0.2):
        with (
            pytest.raises(UsageError, match="expected more than 0 and at most 0.1 s"),
            open_session(Where(), step_s=step_s),
        ):
            pass
    with pytest.raises(UsageError, match="pass them as --host HOST --port PORT"):
        Where("localhost:2000")
    with pytest.raises(UsageError, match="expected 1 to 65534"):
        Where(port=70000)
    assert Where().embedded and not Where(port=2000).embedded and not Where("localhost").embedded
