"""Drives a vehicle in a world of our own: one tick a step of the clock, with the newest command in every one of them."""

from __future__ import annotations

import contextlib
import random
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sim_agent.controls import Action, Command, Wheel
from sim_agent.drive_config import DriveConfig
from sim_agent.errors import SimulatorError, SpawnRefused
from sim_agent.feed import Feed
from sim_agent.plan import PRESETS
from sim_agent.recorder import observe
from sim_agent.ride import Ride, spoken, weather_numbers
from sim_agent.session import Session

_FREE_M = 10.0
"""No other vehicle is nearer to where one starts."""
_SETTLE_S = 1.0
_DARK_DEG = 5.0
"""Altitude of the sun below which one drives with lights."""
_SPAWN_TRIES = 20


class Pilot(Ride):
    """The ride of a synchronous session. The Traffic Manager drives on autopilot, the wheel otherwise."""

    def __init__(
        self,
        session: Session,
        config: DriveConfig,
        feed: Feed,
        record_to: Path,
        say: Callable[[str], None],
        wheel: Wheel,
    ):
        super().__init__(session, config, feed, record_to, say)
        self.wheel = wheel
        self.autopilot = False
        self._draw = random.Random(config.seed)
        self._sending = threading.Lock()
        self._turned_s = time.monotonic()
        self._due_s = 0.0
        self._free_s = 0.0
        self._found = (0, 0)

    def prepare(self, autopilot: bool) -> None:
        """Weather, vehicle, traffic, cameras, and ticks until their first pictures are there."""
        session, config = self.session, self.config
        self.town = session.town
        self._set_weather(config.weather)
        self.vehicle = self._spawn()
        self._found = session.traffic.populate(config.vehicles, config.walkers, config.seed)
        self._switch_lights()
        if autopilot:
            self._set_autopilot(True)
        for _ in range(round(_SETTLE_S / config.step_s)):
            session.tick()
        self._mount(0)
        self._wait_for_pictures(session.tick())
        self._due_s = self._free_s = self._turned_s = time.monotonic()

    def serve(self, action: Action) -> None:
        """As Ride, and what only who drives can do."""
        if action is Action.AUTOPILOT:
            self._set_autopilot(not self.autopilot)
            self.note("autopilot drives" if self.autopilot else "you drive")
        elif action is Action.REVERSE:
            self.note("reverse gear" if self.wheel.toggle_reverse() else "forward gear")
        elif action in (Action.NEXT_WEATHER, Action.PREVIOUS_WEATHER):
            way = 1 if action is Action.NEXT_WEATHER else -1
            names = [name for name in PRESETS if hasattr(self.session.carla.WeatherParameters, name)]
            self._set_weather(names[(names.index(self._weather[0]) + way) % len(names)])
            self.note(spoken(self._weather[0]))
            self._begin_episode()
        elif action is Action.RESPAWN:
            self._respawn()
        else:
            super().serve(action)

    def steer_now(self, born_s: float) -> None:
        """Send what a key or stick changed; the tick that is under way does not hold it up."""
        if not self.autopilot and self.vehicle is not None:
            self._send(born_s)

    def _step(self) -> None:
        if self._stopped.wait(max(0.0, self._due_s - time.monotonic())):
            return
        self._serve_all()
        # A simulator that takes longer than a step makes the next tick due when it is done.
        born_s = max(self._due_s, self._free_s)
        if self.autopilot:
            self.steer_ms.add(1000.0 * (time.monotonic() - born_s))
        else:
            self._send(born_s)
        frame = self.session.tick()
        self._free_s = time.monotonic()
        # One step may be caught up with; more is lost, and the real-time factor says so.
        self._due_s = max(self._due_s + self.config.step_s, self._free_s - self.config.step_s)
        self._seen(observe(self.session, self.vehicle), "autopilot" if self.autopilot else "manual")
        self._wait_for_pictures(frame - 1)

    def _send(self, born_s: float) -> None:
        with self._sending:
            now_s = time.monotonic()
            command = self.wheel.turn(now_s - self._turned_s, self.telemetry.speed_kmh)
            self._turned_s = now_s
            self.vehicle.apply_control(self._control(command))
            self.steer_ms.add(1000.0 * (time.monotonic() - born_s))

    def _control(self, command: Command) -> Any:
        return self.session.carla.VehicleControl(
            throttle=command.throttle,
            steer=command.steer,
            brake=command.brake,
            hand_brake=command.hand_brake,
            reverse=command.reverse,
        )

    def _set_autopilot(self, on: bool) -> None:
        (self.session.traffic.drive if on else self.session.traffic.release)(self.vehicle)
        self.autopilot = on
        self.wheel.let_go()

    # places

    def _spawn(self) -> Any:
        session = self.session
        try:
            blueprint = session.world.get_blueprint_library().find(self.config.vehicle)
        except (IndexError, RuntimeError):
            raise SimulatorError(
                f"vehicle: the simulator has no {self.config.vehicle!r}; choose one of its blueprints."
            ) from None
        blueprint.set_attribute("role_name", "hero")
        points = session.map.get_spawn_points()
        for point in self._draw.sample(points, min(len(points), _SPAWN_TRIES)):
            with contextlib.suppress(SpawnRefused):
                return session.spawn(blueprint, point)
        raise SimulatorError(f"{self.town}: no spawn point is free; empty the town, or load it anew.")

    def _respawn(self) -> None:
        """Somewhere else, standing."""
        world, carla = self.session.world, self.session.carla
        others = [a.get_location() for a in world.get_actors().filter("vehicle.*") if a.id != self.vehicle.id]
        points = self.session.map.get_spawn_points()
        free = [p for p in points if all(p.location.distance(other) > _FREE_M for other in others)]
        if not free:
            self.note("no spawn point is free")
            return
        self.wheel.let_go()
        self.vehicle.set_target_velocity(carla.Vector3D())
        self.vehicle.set_transform(self._draw.choice(free))
        self._begin_episode()
        self.note("started elsewhere")

    # weather and lights

    def _set_weather(self, name: str) -> None:
        weather = getattr(self.session.carla.WeatherParameters, name)
        self._weather = (name, weather_numbers(weather))
        self.session.world.set_weather(weather)
        self._switch_lights()

    def _switch_lights(self) -> None:
        """Lights of our vehicles by the height of the sun."""
        carla = self.session.carla
        state = carla.VehicleLightState
        dark = self._weather[1].get("sun_altitude_angle", 90.0) < _DARK_DEG
        lights = state(state.Position | state.LowBeam) if dark else state.NONE
        ours = [*self.session.traffic.vehicles, *([self.vehicle.id] if self.vehicle is not None else [])]
        with self.session.asking("lights"):
            self.session.apply([carla.command.SetVehicleLightState(number, lights) for number in ours])

    def _traffic(self) -> dict[str, Any]:
        vehicles, walkers = self._found
        return {"vehicles": vehicles, "walkers": walkers, "ego": self.config.vehicle}
