"""doctor: tells what is wrong with the command that mends it, frees a server that a killed program left, never fails."""

import json

import pytest

from sim_agent import checkup
from sim_agent.checkup import check_machine
from sim_agent.doctor import doctor
from tests.sim_agent.jobs import wait_until_ended
from tests.sim_agent.test_connect import listening, unused_port, web_server
from trainer.errors import UsageError


class Doctor:
    """Runs the verb on a port; what it printed, and what it wrote."""

    def __init__(self, folder, capsys):
        self.file, self.capsys = folder / "doctor" / "findings.json", capsys

    def __call__(self, port, *flags):
        self.code = doctor(["--host", "127.0.0.1", "--port", str(port), "--json", str(self.file), *flags])
        self.printed = self.capsys.readouterr().out
        self.told = json.loads(self.file.read_text())
        return {(f["name"], f["state"]): f for f in self.told["findings"]}


@pytest.fixture
def ask(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("sim_agent.doctor.check_machine", lambda: [])
    return Doctor(tmp_path, capsys)


def test_a_server_that_was_left_is_told_freed_and_swept(server, jobs, ask):
    before = jobs.run("look", server.port)
    job = jobs.start("stay", server.port, "wait")
    (pid,) = job.hear()["pids"]

    told = ask(server.port)
    assert told["world", "note"]["says"].startswith("another program ticks it")
    refused = ask(server.port, "--reset")
    assert ask.code == 1 and "nothing was changed" in refused["reset", "bad"]["says"]
    assert job.process.poll() is None

    job.process.kill()
    wait_until_ended(pid)
    told = ask(server.port)
    assert ask.code == 0 and not ask.told["good"]
    assert told["world", "bad"]["says"].startswith("left in synchronous mode by a program that is gone")
    assert "synchronous_mode: on -> off, fixed_delta_seconds: 0.05 -> none" in told["world", "bad"]["says"]
    reset = f"carla-unet doctor --reset --host 127.0.0.1 --port {server.port}"
    assert told["world", "bad"]["mend"] == reset
    assert told["actors", "note"]["says"] == "2 sensors, 3 controllers, 3 walkers, 5 vehicles; nobody uses them"
    assert told["actors", "note"]["mend"] == f"{reset} --destroy-actors"
    assert f"mend: {reset}\n" in ask.printed and "to be mended: world" in ask.printed

    # a session takes such a server over, and leaves it free, with what others spawned
    seen = jobs.run("take_over", server.port)
    assert any("a program that is gone left the world in synchronous mode" in line for line in seen["said"])
    assert seen["steps"] == 2
    left = jobs.run("look", server.port)
    assert (left["synchronous"], left["step_s"], left["moves"], len(left["actors"])) == (False, 0.0, True, 13)

    told = ask(server.port, "--reset")
    assert told["reset", "good"]["says"] == "there is nothing to reset" and told["world", "good"]
    told = ask(server.port, "--reset", "--destroy-actors")
    assert told["reset", "good"]["says"] == "destroyed: 2 sensors, 3 controllers, 3 walkers, 5 vehicles"
    assert ask.code == 0 and ask.told["good"] and ("actors", "note") not in told
    after = jobs.run("look", server.port)
    assert after == before | {"clouds": after["clouds"]}
    jobs.run("take_over", server.port)


def test_reset_changes_what_it_says_it_changes(server, jobs, ask):
    job = jobs.start("stay", server.port, "wait")
    (pid,) = job.hear()["pids"]
    job.process.kill()
    wait_until_ended(pid)
    ask(server.port, "--reset", "--destroy-actors")
    says = [f["says"] for f in ask.told["findings"] if f["name"] == "reset"]
    assert says == [
        "synchronous_mode: on -> off",
        "fixed_delta_seconds: 0.05 -> none",
        "destroyed: 2 sensors, 3 controllers, 3 walkers, 5 vehicles",
    ]
    left = jobs.run("look", server.port)
    assert (left["synchronous"], left["step_s"], left["moves"], left["actors"]) == (False, 0.0, True, [])


def test_what_is_no_server_is_told_with_what_to_do(ask):
    told = ask(unused_port())
    assert ask.code == 0 and told["simulator", "bad"]["says"].endswith("nothing listens")
    assert told["simulator", "bad"]["mend"].startswith("start the CARLA server")
    told = ask(unused_port(), "--reset")
    assert ask.code == 1 and told["reset", "bad"]["says"].endswith("nothing listens")
    with listening(web_server) as port:
        told = ask(port)
    assert told["simulator", "bad"]["says"].endswith("speaks something else")


def test_a_flag_without_its_own_is_refused():
    for flag in ("--destroy-actors", "--force"):
        with pytest.raises(UsageError, match=f"{flag}: goes with --reset only"):
            doctor([flag])


def test_this_machine(capsys):
    assert doctor([]) == 0
    printed = capsys.readouterr().out
    for name in ("python", "machine", "torch", "gpu", "ray", "carla", "pygame", "display", "disk", "simulator"):
        assert f" {name} " in printed


def test_libraries_that_are_missing_or_broken_are_findings(monkeypatch):
    probes = {
        "no_such_library": "import no_such_library",
        "broken": "raise ImportError('libbroken.so.3: cannot open shared object file')",
        "deadly": "import os; os.abort()",
        "good": "found = {'version': '1.2'}",
    }
    monkeypatch.setattr(checkup, "_PROBES", probes)
    monkeypatch.setattr(checkup, "_disk", lambda: 1 / 0)
    found = {finding.name: finding for finding in check_machine()}
    assert found["no_such_library"].says == "is not installed"
    assert found["no_such_library"].mend.endswith("-m pip install no_such_library")
    assert found["broken"].says == "can't be imported: ImportError: libbroken.so.3: cannot open shared object file"
    assert "--force-reinstall --no-deps broken" in found["broken"].mend
    assert found["deadly"].says.startswith("can't be imported: ") and found["deadly"].state == "bad"
    assert (found["good"].says, found["good"].state) == ("1.2", "good")
    assert found["disk"].says == "could not be looked at: ZeroDivisionError: division by zero"


def test_a_machine_without_a_wheel_is_no_fault(monkeypatch):
    monkeypatch.setattr(checkup, "_PROBES", {"carla": "raise ModuleNotFoundError(\"No module named 'carla'\")"})
    monkeypatch.setattr("platform.machine", lambda: "arm64")
    found = {finding.name: finding for finding in check_machine()}
    assert found["carla"].state == "note" and "has no wheel for this machine" in found["carla"].says
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    monkeypatch.setattr("sys.platform", "linux")
    found = {finding.name: finding for finding in check_machine()}
    assert found["carla"].state == "bad" and found["carla"].mend.endswith("install carla==0.9.16")
