"""Rides along on a vehicle of a world that others tick: sees its pictures, touches no setting, never ticks or steers."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sim_agent.connect import State, probe
from sim_agent.controls import Action
from sim_agent.drive_config import DriveConfig
from sim_agent.errors import SimulatorError, SpawnRefused
from sim_agent.feed import Feed
from sim_agent.recorder import observe
from sim_agent.ride import Ride, name_of_weather, weather_numbers
from sim_agent.session import Session

_FIND_S = 30.0
_TICK_S = 2.0
_WEATHER_S = 2.0
_DRIVING = {
    Action.AUTOPILOT,
    Action.REVERSE,
    Action.RESPAWN,
    Action.NEXT_WEATHER,
    Action.PREVIOUS_WEATHER,
}


class Passenger(Ride):
    """The ride of a session that was joined. role: role_name of the vehicle, as its driver gave it."""

    def __init__(
        self,
        session: Session,
        config: DriveConfig,
        feed: Feed,
        record_to: Path,
        say: Callable[[str], None],
        role: str,
    ):
        super().__init__(session, config, feed, record_to, say)
        self.role = role
        self._looked_s = self._delta_s = 0.0

    def prepare(self, autopilot: bool) -> None:
        """Wait for the vehicle, and for the first pictures from it.

        Raises:
            SimulatorError: there is no such vehicle within 30 s, or nobody ticks.
        """
        self._board(_FIND_S)
        deadline_s = time.monotonic() + _FIND_S
        while not self.feed.wait_for(0, _TICK_S):
            if time.monotonic() > deadline_s:
                raise SimulatorError(
                    f"{self._at()}: no picture came within {_FIND_S:g} s; is the program that ticks this world running?"
                )

    def serve(self, action: Action) -> None:
        """As Ride; who rides along does not drive."""
        if action in _DRIVING:
            self.note("another program drives here")
        else:
            super().serve(action)

    def steer_now(self, born_s: float) -> None:
        """Another program steers."""

    def _step(self) -> None:
        self._serve_all()
        try:
            snapshot = self.session.world.wait_for_tick(_TICK_S)
        except RuntimeError as silence:
            self._explain(silence)
            return
        if snapshot.find(self.vehicle.id) is None:
            self.note(f"the vehicle {self.role!r} is gone; waiting for the next one")
            self._board(None)
            return
        self._mend_cameras()
        self._delta_s = snapshot.timestamp.delta_seconds
        self._look_at_weather()
        self._seen(observe(self.session, self.vehicle), "another program")

    def _board(self, within_s: float | None) -> None:
        """Find the vehicle and put the cameras on it."""
        deadline_s = None if within_s is None else time.monotonic() + within_s
        said = False
        self._unmount()
        while not self._mount_on(self._find()):
            if self._stopped.is_set():
                return
            if deadline_s is not None and time.monotonic() > deadline_s:
                raise SimulatorError(
                    f"{self._at()}: there is no vehicle with the role_name {self.role!r}; "
                    f"those that are there have {self._roles()}."
                )
            if not said:
                self.note(f"waiting for a vehicle with the role_name {self.role!r}")
                said = True
            self._stopped.wait(0.5)
        # Asked for anew: others may have loaded another town.
        with self.session.asking("its map"):
            self.town = str(self.session.world.get_map().name).rsplit("/", 1)[-1]

    def _mount_on(self, vehicle: Any) -> bool:
        """Whether the cameras are on it; a vehicle may go away just then."""
        if vehicle is None:
            return False
        self.vehicle = vehicle
        try:
            self._mount(self._seat)
        except SpawnRefused:
            return False
        return True

    def _find(self) -> Any:
        try:
            vehicles = self.session.world.get_actors().filter("vehicle.*")
        except RuntimeError as silence:
            self._explain(silence)
            return None
        return next((v for v in vehicles if v.attributes.get("role_name") == self.role), None)

    def _roles(self) -> str:
        with self.session.asking("its vehicles"):
            vehicles = self.session.world.get_actors().filter("vehicle.*")
        roles = sorted({v.attributes.get("role_name", "") for v in vehicles} - {""})
        return ", ".join(roles) if roles else "none: the world is empty"

    def _explain(self, silence: RuntimeError) -> None:
        """Nothing came: either the server is gone, or whoever ticks it pauses, which is no error.

        Raises SimulatorGone.
        """
        found = probe(self.session.simulator.host, self.session.simulator.port)
        if found.state in (State.NOTHING, State.FOREIGN):
            raise self.session.failed("show another frame", silence, _TICK_S)

    def _look_at_weather(self) -> None:
        now_s = time.monotonic()
        if now_s - self._looked_s < _WEATHER_S:
            return
        self._looked_s = now_s
        with self.session.asking("its weather"):
            weather = self.session.world.get_weather()
        numbers = weather_numbers(weather)
        if numbers != self._weather[1]:
            self._weather = (name_of_weather(self.session.carla, weather), numbers)
            self._begin_episode()

    def _step_s(self) -> float:
        return self._delta_s

    def _at(self) -> str:
        return f"{self.session.simulator.host}:{self.session.simulator.port}"
