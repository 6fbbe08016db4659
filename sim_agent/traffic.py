"""Traffic by CARLA's Traffic Manager and its walkers' navigation, which run in a process of their own."""

from __future__ import annotations

import collections
import contextlib
import json
import queue
import random
import subprocess
import threading
from typing import TYPE_CHECKING, Any

from sim_agent.connect import State, probe
from sim_agent.errors import SimulatorError, SimulatorGone
from sim_agent.server_process import start_module

if TYPE_CHECKING:
    from sim_agent.session import Session

PATIENCE_S = 60.0
"""How long the process waits for the simulator to carry out what it asks for; in a step, as long as its session waits for a
tick. The first picture of a town that was just loaded takes a busy machine tens of seconds, and until then its server
answers nobody."""
ANSWER_S = 180.0
"""How long the process is waited for: longer than it waits itself (for a frame, and for an answer), so that it can tell the
reason."""
_PROBE_S = 20.0
"""How long a simulator is asked whether it is there, when the process is lost."""
_START_S = 300.0
"""The Traffic Manager makes a map of its own first, of a large town for minutes."""
_END_S = 5.0
_CLEAR_M = 8.0
"""No vehicle is put nearer than this to one that is there."""
_DROP_M = 1.0
"""Walkers begin so high above the place that the navigation names, or their feet would be in the ground."""
_NEAR_DRAWS = 24
"""The navigation only gives random places: the nearest of so many is near."""
_SEEDS = 2**31
"""The Traffic Manager's seeds are a C++ int each."""


class Traffic:
    """Vehicles that the Traffic Manager drives, and walkers that walk; `session.traffic`.

    They live in a process that starts with the first of them. libcarla's Traffic Manager now and then waits for ever, or
    ends its process: here that costs a second, and a new one goes on with the same vehicles. It works on a frame while
    the session's thread does other things, and the next tick waits for it: same seed, same drive, where the simulator
    itself repeats.
    """

    def __init__(self, session: Session):
        self._session = session
        self._process: TrafficProcess | None = None
        self._driven: list[int] = []
        self._tuned: list[dict[str, Any]] = []
        self._replaced = False
        self._seed = 0
        self.vehicles: list[int] = []
        """Ids of the vehicles of `populate`."""
        self.walkers: list[int] = []
        """Ids of the walkers of `populate`."""
        self._controllers: dict[int, float] = {}
        """Id of each walker's controller: speed in m/s."""

    @property
    def port(self) -> int:
        """The Traffic Manager's port, for a look at it; `vehicle.set_autopilot(True, port)` would tick it twice."""
        return self._running().port

    def drive(self, *vehicles: Any) -> None:
        """Let the Traffic Manager drive these vehicles (carla.Actor)."""
        self._drive([vehicle.id for vehicle in vehicles])

    def release(self, *vehicles: Any) -> None:
        """Take these vehicles from the Traffic Manager; each keeps its last control until it gets another."""
        ids = [vehicle.id for vehicle in vehicles if vehicle.id in self._driven]
        if ids:
            self._driven = [number for number in self._driven if number not in ids]
            self._ask("release", ids=ids)

    def tune(self, method: str, *args: Any) -> None:
        """Call a method of carla.TrafficManager, as in `tune("ignore_lights_percentage", vehicle, 50.0)`."""
        order = {"method": method, "args": [{"actor": a.id} if hasattr(a, "type_id") else a for a in args]}
        self._ask("tune", **order)
        self._tuned.append(order)

    def populate(self, vehicles: int = 0, walkers: int = 0, seed: int = 0, near: Any = None) -> tuple[int, int]:
        """Spawn vehicles and walkers that drive and walk by themselves, the same ones for the same seed.

        In synchronous mode a tick passes: walkers must be seen in the world before they start.

        Args:
            vehicles: how many to try; they begin at spawn points all over the town.
            walkers: how many to try, all over the town too.
            seed: of places and kinds.
            near: carla.Location; every second walker begins about there instead (within some 40 m in a small town).

        Returns:
            How many vehicles and walkers found a place.
        """
        session, draw = self._session, random.Random(seed)
        self._seed = seed % _SEEDS
        self.tune("set_random_device_seed", self._seed)
        with session.asking("spawning traffic"):
            cars = self._spawn_vehicles(vehicles, draw)
            self.vehicles += cars
            bodies, speeds_ms = self._spawn_walkers(walkers, draw, near)
            self.walkers += bodies
            controllers = self._spawn_controllers(bodies, speeds_ms)
        if session.synchronous:
            session.tick()
        self._drive(cars)
        if controllers:
            self._controllers |= controllers
            self._ask("walk", controllers=list(controllers.items()), seed=self._seed)
        return len(cars), len(bodies)

    def clear(self) -> None:
        """Destroy what `populate` spawned, walkers' controllers first; other vehicles are driven on."""
        if self._process is not None:
            if self._controllers:
                self._ask("halt", ids=list(self._controllers))
            mine = set(self.vehicles)
            if ids := [number for number in self._driven if number in mine]:
                self._driven = [number for number in self._driven if number not in mine]
                self._ask("release", ids=ids)
        ids = [*self._controllers, *self.walkers, *self.vehicles]
        self.forget()
        self._session.destroy_ids(ids)

    def forget(self) -> None:
        """What `populate` spawned is gone."""
        self.vehicles, self.walkers, self._controllers = [], [], {}

    def step(self, frame: int) -> None:
        """Start what is to be done between `frame` and the next tick; `wait` is for its end."""
        if self._process is not None and self._session.synchronous:
            try:
                self._process.send("step", frame=frame, within_s=self._session.patience_s)
            except ProcessLost as lost:
                self._replace(lost)

    def wait(self) -> None:
        """Wait for what `step` started.

        Raises:
            SimulatorGone: it is the simulator that does not answer.
        """
        if self._process is not None and self._process.owes:
            try:
                self._process.settle()
                self._replaced = False
            except ProcessLost as lost:
                self._replace(lost)

    def end(self) -> None:
        """End the process; vehicles keep their last control, walkers stand."""
        if self._process is not None:
            self._process.end()
            self._process = None
        self._driven, self._tuned = [], []

    def _drive(self, ids: list[int]) -> None:
        if ids:
            self._ask("drive", ids=ids)
            self._driven += [number for number in ids if number not in self._driven]

    def _ask(self, what: str, **arguments: Any) -> None:
        try:
            self._running().call(what, **arguments)
        except ProcessLost as lost:
            self._replace(lost)
            self._running().call(what, **arguments)

    def _running(self) -> TrafficProcess:
        assert not self._session.passive, "who ticks a world has its traffic"
        if self._process is None:
            at = self._session.simulator
            self._process = TrafficProcess(at.host, at.port, self._session.synchronous)
        return self._process

    def _replace(self, lost: ProcessLost) -> None:
        """A new process goes on where the old one was lost, unless the simulator itself is gone.

        Raises SimulatorGone: it is, or the new one is lost before it has done a step. Seen once, with two simulators:
        another simulator and other traffic went on.
        """
        assert self._process is not None
        self._process.end()
        self._process = None
        session = self._session
        at = session.simulator
        if probe(at.host, at.port, _PROBE_S).state is not State.READY:
            raise session.failed("answer the Traffic Manager", TimeoutError("time-out"), _PROBE_S) from None
        if self._replaced:
            raise _lost_again(lost)
        self._replaced = True
        session.say(f"the Traffic Manager was lost ({lost}); a new one takes over {len(self._driven)} vehicles")
        process = self._running()
        try:
            for order in self._tuned:
                process.call("tune", **order)
            process.call("drive", ids=self._driven)
            if self._controllers:
                process.call("walk", controllers=list(self._controllers.items()), seed=self._seed)
        except ProcessLost as again:
            raise _lost_again(again) from None

    def _spawn_vehicles(self, count: int, draw: random.Random) -> list[int]:
        world = self._session.world
        library = world.get_blueprint_library().filter("vehicle.*")
        kinds = sorted((b for b in library if int(b.get_attribute("number_of_wheels")) == 4), key=lambda b: b.id)
        points = list(self._session.map.get_spawn_points())
        draw.shuffle(points)
        taken = [actor.get_location() for actor in world.get_actors().filter("vehicle.*")]
        batch: list[Any] = []
        for point in points:
            if len(batch) == count:
                break
            if all(point.location.distance(other) > _CLEAR_M for other in taken):
                kind = draw.choice(kinds)
                if kind.has_attribute("color"):
                    kind.set_attribute("color", draw.choice(kind.get_attribute("color").recommended_values))
                kind.set_attribute("role_name", "autopilot")
                batch.append(self._session.carla.command.SpawnActor(kind, point))
        return [number for number in self._apply(batch) if number]

    def _spawn_walkers(self, count: int, draw: random.Random, near: Any) -> tuple[list[int], list[float]]:
        world, carla = self._session.world, self._session.carla
        world.set_pedestrians_seed(self._seed)
        kinds = sorted(world.get_blueprint_library().filter("walker.pedestrian.*"), key=lambda b: b.id)
        batch, speeds_ms = [], []
        for number in range(count):
            draws = _NEAR_DRAWS if near is not None and number % 2 else 1
            places = [world.get_random_location_from_navigation() for _ in range(draws)]
            if None in places:
                break  # a town without walkways
            place = min(places, key=near.distance) if draws > 1 else places[0]
            kind = draw.choice(kinds)
            batch.append(carla.command.SpawnActor(kind, carla.Transform(place + carla.Location(z=_DROP_M))))
            walking_ms = kind.get_attribute("speed").recommended_values[1]  # standing, walking, running
            speeds_ms.append(float(walking_ms) * draw.uniform(0.8, 1.2))
        spawned = [(number, speed) for number, speed in zip(self._apply(batch), speeds_ms, strict=True) if number]
        return [number for number, _ in spawned], [speed for _, speed in spawned]

    def _spawn_controllers(self, bodies: list[int], speeds_ms: list[float]) -> dict[int, float]:
        carla = self._session.carla
        kind = self._session.world.get_blueprint_library().find("controller.ai.walker")
        spawned = self._apply([carla.command.SpawnActor(kind, carla.Transform(), body) for body in bodies])
        return {number: speed for number, speed in zip(spawned, speeds_ms, strict=True) if number}

    def _apply(self, batch: list[Any]) -> list[int]:
        """Ids of what was spawned, 0 where it was not."""
        return [0 if answer.error else int(answer.actor_id) for answer in self._session.apply(batch)]


def _lost_again(lost: ProcessLost) -> SimulatorGone:
    return SimulatorGone(f"the Traffic Manager is lost again and again: {lost}.")


class ProcessLost(Exception):
    """The traffic's process ended or does not answer; `str` is how."""


class TrafficProcess:
    """`python -m sim_agent.traffic_process`, and the line to it: an order is a line of JSON, and so is its answer."""

    def __init__(self, host: str, port: int, synchronous: bool):
        mode = "synchronous" if synchronous else "asynchronous"
        self._process = start_module("sim_agent.traffic_process", [host, str(port), mode], subprocess.PIPE)
        self._log: collections.deque[str] = collections.deque(maxlen=8)
        self._answers: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._readers = [threading.Thread(target=t, daemon=True) for t in (self._read, self._read_log)]
        for reader in self._readers:
            reader.start()
        self.owes = True
        """Whether an answer is to come."""
        try:
            self.port = int(self.settle(_START_S)["port"])
        except ProcessLost as lost:
            self.end()
            raise SimulatorError(f"the Traffic Manager did not start: {lost}.") from None
        except BaseException:
            self.end()
            raise

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    def call(self, what: str, **arguments: Any) -> dict[str, Any]:
        """Order and wait for the answer; raises as `settle`."""
        self.send(what, **arguments)
        return self.settle()

    def send(self, what: str, **arguments: Any) -> None:
        """Order; the answer to the order before is waited for first."""
        self.settle()
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps({"do": what} | arguments) + "\n")
            self._process.stdin.flush()
        except OSError:
            raise ProcessLost(self._how()) from None
        self.owes = True

    def settle(self, within_s: float = ANSWER_S) -> dict[str, Any]:
        """Wait for the answer that is owed, if one is.

        Raises:
            ProcessLost: the process ended, or there is no answer within `within_s`.
            SimulatorError: the order could not be carried out.
        """
        if not self.owes:
            return {}
        try:
            answer = self._answers.get(timeout=within_s)
        except queue.Empty:
            raise ProcessLost(f"no answer within {within_s:.0f} s") from None
        if answer is None:
            raise ProcessLost(self._how())
        self.owes = False
        if "lost" in answer:
            raise ProcessLost(answer["lost"])
        if "error" in answer:
            raise SimulatorError(f"the Traffic Manager refused: {answer['error']}.")
        return answer

    def end(self) -> None:
        """End it, whatever it does."""
        process = self._process
        assert process.stdin is not None and process.stdout is not None and process.stderr is not None
        with contextlib.suppress(OSError):  # what was to be sent to a process that is dead
            process.stdin.close()
        try:
            process.wait(_END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for reader in self._readers:
            reader.join()
        process.stdout.close()
        process.stderr.close()

    def _how(self) -> str:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_END_S)
        return " | ".join([f"it ended with exit code {self._process.poll()}", *self._log])

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._answers.put(json.loads(line))
        self._answers.put(None)

    def _read_log(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self._log.append(line.rstrip())
