"""The verb `doctor`: what is installed, what the machine has, what state the simulator is in; and what mends it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import tyro

from sim_agent.checkup import Finding, check_machine
from sim_agent.connect import State, compare_versions, probe
from sim_agent.errors import SimulatorError
from sim_agent.server_state import STILL_S, ServerState, destroy, look, set_free
from trainer.errors import UsageError

_HOST, _PORT = "127.0.0.1", 2000


@dataclass(frozen=True)
class DoctorArguments:
    """Say what is installed and what is wrong here, with the command that mends it. Changes nothing without --reset."""

    host: str | None = None
    """The CARLA server to look at. Default: 127.0.0.1."""
    port: int | None = None
    """Its RPC port. Default: 2000."""
    reset: bool = False
    """Set a server free that a program left in synchronous mode; says what it changes."""
    destroy_actors: bool = False
    """With --reset: destroy the vehicles, walkers and sensors that are left too, whoever made them."""
    force: bool = False
    """With --reset: even if another program ticks the server."""
    json: Path | None = None
    """Write the findings to this file too."""


def doctor(argv: list[str]) -> int:
    """`doctor`: see DoctorArguments. The exit code is 1 only where --reset could not do its work."""
    arguments = tyro.cli(DoctorArguments, args=argv, prog="carla-unet doctor", description=DoctorArguments.__doc__)
    if (arguments.destroy_actors or arguments.force) and not arguments.reset:
        flag = "--destroy-actors" if arguments.destroy_actors else "--force"
        raise UsageError(f"{flag}: goes with --reset only; pass that too.")
    patient = _Patient(arguments)
    findings = []
    for source in (patient.reset() if arguments.reset else check_machine(), patient.findings()):
        for finding in source:
            findings.append(finding)
            _print(finding)
    bad = [finding.name for finding in findings if finding.state == "bad"]
    print(f"\nto be mended: {', '.join(bad)}" if bad else "\nnothing is wrong")
    if arguments.json is not None:
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        content = {"good": not bad, "findings": [asdict(finding) for finding in findings]}
        arguments.json.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        print(f"written: {arguments.json}")
    return 1 if "reset" in bad else 0


def _print(finding: Finding) -> None:
    print(f"{finding.state:<5} {finding.name:<13} {finding.says}", flush=True)
    if finding.mend is not None:
        print(f"{'':<19} mend: {finding.mend}", flush=True)


class _Patient:
    """The server that is looked at."""

    def __init__(self, arguments: DoctorArguments):
        self._arguments = arguments
        self._named = arguments.host is not None or arguments.port is not None
        self._host, self._port = arguments.host or _HOST, arguments.port or _PORT
        self._at = f"{self._host}:{self._port}"

    def findings(self) -> Iterator[Finding]:
        """Is it there, does it fit, what was left in it."""
        found = probe(self._host, self._port)
        if found.state is State.NOTHING and not self._named:
            says = f"no CARLA server at {self._at}; record and drive start the embedded one by themselves"
            yield Finding("simulator", "good", says)
            return
        if found.state is not State.READY:
            yield Finding("simulator", "bad", f"{self._at}: {found.state.value}", _MENDS[found.state])
            return
        assert found.version is not None
        try:
            compare_versions(self._at, found.version)
            yield Finding("simulator", "good", f"CARLA {found.version} at {self._at}")
        except SimulatorError as error:
            yield Finding("simulator", "bad", str(error))
        try:
            yield from self._left_over(look(self._host, self._port))
        except (OSError, ValueError, IndexError, TypeError) as error:
            # Other versions may have other layouts: that is no reason to end.
            yield Finding("world", "bad", f"{self._at}: its state could not be read: {error}", "restart the server")

    def _left_over(self, state: ServerState) -> Iterator[Finding]:
        reset = f"carla-unet doctor --reset --host {self._host} --port {self._port}"
        if state.deserted:
            says = f"left in synchronous mode by a program that is gone (no tick for {STILL_S:.0f} s); a reset would change "
            says += ", ".join(state.changes())
            yield Finding("world", "bad", says, reset)
        elif state.synchronous:
            yield Finding("world", "note", "another program ticks it; join it with carla-unet drive --attach ROLE_NAME")
        else:
            yield Finding("world", "good", "asynchronous")
        if state.no_rendering:
            yield Finding("rendering", "bad", "is off: cameras give no pictures", reset)
        if state.actors:
            whose = "somebody may use them" if state.moves else "nobody uses them"
            heroes = [actor.role for actor in state.actors if actor.role.startswith(("hero", "ego"))]
            named = f" (role {', '.join(heroes)})" if heroes else ""
            yield Finding("actors", "note", f"{state.tally()}{named}; {whose}", f"{reset} --destroy-actors")

    def reset(self) -> Iterator[Finding]:
        """Set it free, saying what changes."""
        found = probe(self._host, self._port)
        if found.state is not State.READY:
            yield Finding("reset", "bad", f"{self._at}: {found.state.value}", _MENDS[found.state])
            return
        try:
            state = look(self._host, self._port)
            if state.synchronous and state.moves and not self._arguments.force:
                says = f"{self._at}: another program ticks it, and would fail; nothing was changed"
                yield Finding("reset", "bad", says, "end that program first, or pass --force")
                return
            for change in state.changes():
                yield Finding("reset", "good", change)
            if state.changes():
                set_free(self._host, self._port, state)
            if self._arguments.destroy_actors and state.actors:
                destroy(self._host, self._port, state.actors)
                yield Finding("reset", "good", f"destroyed: {state.tally()}")
            elif not state.changes():
                yield Finding("reset", "good", "there is nothing to reset")
        except (OSError, ValueError, IndexError, TypeError) as error:
            yield Finding("reset", "bad", f"{self._at}: {error}", "restart the server")


_MENDS = {
    State.UNKNOWN_HOST: "check --host",
    State.NOTHING: "start the CARLA server, or leave --host and --port out for the embedded simulator",
    State.SILENT: "check --port (2000 by default), or restart the server",
    State.LOADING: "wait until the town is loaded",
    State.FOREIGN: "check --port: CARLA's RPC port is 2000 by default",
}
