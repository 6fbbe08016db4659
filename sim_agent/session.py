"""A simulator for the length of a job: connected to, in step with us, and given back however the job ends."""

from __future__ import annotations

import contextlib
import dataclasses
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from sim_agent.callbacks import Callbacks
from sim_agent.connect import import_carla, wait_for_server
from sim_agent.errors import SimulatorError, SimulatorGone, SpawnRefused, WorldReplaced
from sim_agent.interrupts import Interrupts
from sim_agent.server_process import END_S, ServerProcess
from sim_agent.traffic import Traffic
from sim_agent.where import Simulator, Where
from trainer.errors import UsageError

__all__ = ["Session", "Simulator", "Where", "join_session", "open_session"]

_HOST, _PORT = "127.0.0.1", 2000
Uninterrupted = Callable[[], contextlib.AbstractContextManager[Callable[[], bool]]]
CALL_S = 10.0
"""How long a call to the server may take, and how soon a server that died is noticed."""
TICK_S = 60.0
"""How long a tick may take: of many large cameras, without a GPU, beside a training run."""
_LOAD_S = 300.0
"""A town of a CARLA server takes minutes to load from a slow disk."""
_STILL_S = 1.5
"""A synchronous world without a tick for so long has nobody who ticks it."""
_BATCH = 32
_MAX_STEP_S = 0.1
"""CARLA's physics takes at most 10 substeps of 10 ms (docs, adv_synchrony_timestep)."""
_ORDER = {"sensor": 0, "controller": 1, "walker": 2, "vehicle": 3}
"""A parent must not go before what is attached to it."""


class Session:
    """A connected simulator, made by `open_session` or `join_session`; for one thread, as is carla.Client's tick.

    Attributes:
        client, world: carla.Client and carla.World; `world` is a new one after `load`.
        carla: the module, which not every platform has.
        traffic: vehicles and walkers that drive and walk by themselves.
        passive: others tick this world.
        uninterrupted: `with session.uninterrupted() as is_told:` signals take effect after the block; `is_told()` is whether
            one came. For what must not be half begun, and for code below which others' C code may take the exception.
    """

    def __init__(self, where: Where, passive: bool, synchronous: bool, step_s: float, say: Callable[[str], None]):
        self.carla = import_carla()
        self.passive, self.synchronous, self.step_s, self.say = passive, synchronous, step_s, say
        self._own_server: ServerProcess | None = None
        self._original: Any = None
        self._weather: Any = None
        self._map: Any = None
        self._frame = 0
        self._lost = False
        self._ours: dict[int, Any] = {}
        self._callbacks = Callbacks()
        self.uninterrupted: Uninterrupted = lambda: contextlib.nullcontext(lambda: False)
        host, port = where.host or _HOST, where.port or _PORT
        name = "CARLA server"
        if where.embedded and not passive:
            self._own_server = ServerProcess(where.town, where.seed, where.quality, where.threads, say)
            host, port, name = self._own_server.host, self._own_server.port, "embedded simulator"
        try:
            self.simulator = Simulator(name, wait_for_server(host, port, where.wait_s, say), host, port)
            say(str(self.simulator))
            self.client = self.carla.Client(host, port)
            # One that has just started prepares its cameras beside the first answers.
            self._allow(TICK_S if self._own_server is not None else CALL_S)
            with self.asking("its world"):
                self.world = self.client.get_world()
        except BaseException:
            if self._own_server is not None:
                self._own_server.end()
            raise
        self.traffic = Traffic(self)

    @property
    def embedded(self) -> bool:
        """Whether the simulator is ours and ends with the session."""
        return self._own_server is not None

    @property
    def server_pid(self) -> int | None:
        """Process id of the embedded simulator; None where the server is not ours."""
        return self._own_server.pid if self._own_server is not None else None

    @property
    def map(self) -> Any:
        """carla.Map of the episode, asked for once."""
        if self._map is None:
            with self.asking("its map"):
                self._map = self.world.get_map()
        return self._map

    @property
    def town(self) -> str:
        """Name of the town, without its folder."""
        return _short(self.map.name)

    # episodes and settings

    def enter(self, town: str | None) -> None:
        """Take the world over; `open_session` does it."""
        with self.asking("its settings"):
            settings = self.world.get_settings()
        if settings.synchronous_mode:
            self._take_over(settings)
        self._original = settings
        if town is not None and not _same_town(town, self.town):
            self.load(town)
        else:
            self._enter_world()
            self._allow(CALL_S)

    def load(self, town: str) -> None:
        """Begin a new episode in `town`: what was in the old one is gone, ours and others' alike.

        Raises:
            SimulatorError: the simulator has no such town.
            SimulatorGone: no answer within 300 s.
        """
        self._callbacks.stop(self._ours.values())
        self.traffic.end()
        self._allow(_LOAD_S)
        try:
            self.world = self.client.load_world(town)
        except RuntimeError as error:
            if "not found" not in str(error):
                raise self.failed(f"load {town}", error) from None
            with self.asking("its towns"):
                towns = sorted(map(_short, self.client.get_available_maps()))
            raise SimulatorError(f"{town}: the simulator has no such town; it has {', '.join(towns)}.") from None
        finally:
            self._allow(CALL_S)
        self.traffic.forget()
        self._ours.clear()
        self._map = None
        self._enter_world()

    def _enter_world(self) -> None:
        with self.asking("new settings"):
            settings = self.world.get_settings()
            settings.synchronous_mode = self.synchronous
            settings.fixed_delta_seconds = self.step_s
            self.world.apply_settings(settings)
            self._weather = self.world.get_weather()
            self._frame = self.world.get_snapshot().frame

    def _take_over(self, settings: Any) -> None:
        """A synchronous world at the start: somebody ticks it, or is gone without having given it back."""
        before = self.world.get_snapshot().frame
        try:
            moves = self.world.wait_for_tick(_STILL_S).frame != before
        except RuntimeError:
            moves = False
        at = f"{self.simulator.host}:{self.simulator.port}"
        if moves:
            raise SimulatorError(
                f"{at}: another program ticks this world; end it first, or join it with: carla-unet drive --attach "
                f"ROLE_NAME."
            )
        self.say(f"{at}: a program that is gone left the world in synchronous mode; it is set free at the end")
        settings.synchronous_mode = False
        settings.fixed_delta_seconds = None

    # time

    def tick(self) -> int:
        """Let one step pass; the frame's number.

        Raises:
            SimulatorGone: no new frame within 60 s, or the embedded simulator is dead.
            WorldReplaced: as `check_world`.
        """
        assert not self.passive, "others tick this world"
        self.check_world()
        self.traffic.wait()
        try:
            self._frame = int(self.world.tick(CALL_S))
        except RuntimeError as error:
            self._frame = self._late_frame(error)
        self.check_world()
        self.traffic.step(self._frame)
        return self._frame

    @property
    def patience_s(self) -> float:
        """How long a frame may take, and so all that waits for one."""
        return TICK_S

    def check_world(self) -> None:
        """Look whether the world is still the one that we entered; asks the client only, not the server.

        Raises WorldReplaced: another program loaded a town.
        """
        if self.world.get_snapshot().id != self.world.id:
            # Ids begin anew in each world: giving back ours would destroy what is that program's.
            self._lost = True
            raise WorldReplaced(
                f"the {self.simulator} has another world now: another program loaded a town, and all that this command "
                "had there went with it; start it again when that program is done."
            )

    def _late_frame(self, error: RuntimeError) -> int:
        """The tick was asked for and must not be asked for again; its frame may still come."""
        deadline = time.monotonic() + TICK_S - CALL_S
        while _is_timeout(error) and not self._has_crashed() and time.monotonic() < deadline:
            frame = int(self.world.get_snapshot().frame)
            if frame > self._frame:
                return frame
            with contextlib.suppress(RuntimeError):
                self.world.wait_for_tick(1.0)
        raise self.failed("tick", error, TICK_S)

    def next_frame(self) -> int:
        """Wait for the next frame of a world that we don't tick; its number.

        Raises:
            SimulatorGone: none came within 60 s.
        """
        try:
            return int(self.world.wait_for_tick(TICK_S).frame)
        except RuntimeError as error:
            raise self.failed("show another frame", error, TICK_S) from None

    # actors

    def spawn(self, blueprint: Any, transform: Any, attach_to: Any = None, attachment: Any = None) -> Any:
        """A new carla.Actor; it is destroyed at the end of the session.

        Args:
            blueprint: carla.ActorBlueprint.
            transform: carla.Transform, in the world or, with `attach_to`, on that actor.
            attach_to: carla.Actor.
            attachment: carla.AttachmentType; Rigid where it is None.

        Raises:
            SpawnRefused: something stands there, or the simulator has another reason.
            SimulatorGone: no answer.
        """
        attachment = self.carla.AttachmentType.Rigid if attachment is None else attachment
        try:
            actor = self.world.spawn_actor(blueprint, transform, attach_to, attachment)
        except RuntimeError as error:
            if _is_timeout(error):
                raise self.failed(f"spawn {blueprint.id}", error) from None
            raise SpawnRefused(
                f"{blueprint.id}: the simulator does not spawn it ({error}); try another place."
            ) from None
        self._ours[actor.id] = actor
        return actor

    def listen(self, sensor: Any, callback: Callable[[Any], None]) -> None:
        """As `sensor.listen`, for a sensor of this session; the program may then end right after it."""
        self._callbacks.listen(sensor, callback)

    def destroy(self, actors: Iterable[Any]) -> None:
        """Destroy actors that this session spawned: sensors first, which are stopped before. Others are left alone."""
        mine = {actor.id: actor for actor in actors if actor.id in self._ours}
        self._callbacks.stop(mine.values())
        if not self._lost:
            self.traffic.release(*(actor for actor in mine.values() if _family(actor) == "vehicle"))
            self.destroy_ids(sorted(mine, key=lambda number: _ORDER.get(_family(mine[number]), len(_ORDER))))
        for number in mine:
            del self._ours[number]

    def destroy_ids(self, ids: Iterable[int]) -> None:
        """Destroy actors by their ids, in this order; those that are gone already are no error."""
        if not self._lost:
            with self.asking("destroying actors"):
                self.apply([self.carla.command.DestroyActor(number) for number in ids])

    def apply(self, batch: list[Any]) -> list[Any]:
        """The answers to carla.command's, sent in batches small enough for a slow server; no tick passes.

        Raises RuntimeError as the client does; see `asking`.
        """
        answers: list[Any] = []
        for first in range(0, len(batch), _BATCH):
            # Never with a tick (True): the client then waits with Python's lock, which its cameras wait for.
            answers += self.client.apply_batch_sync(batch[first : first + _BATCH], False)
        return answers

    # the end

    def leave(self) -> None:
        """Give everything back; the end of `open_session` and `join_session`."""
        try:
            self._callbacks.stop(self._ours.values())
            # A Traffic Manager that lives aborts when its vehicles go and the mode changes.
            self.traffic.end()
            if not self.embedded and not self._lost:
                self._give_back()
        finally:
            if self._own_server is not None:
                self._own_server.end(0.0 if self._lost else END_S)

    def _give_back(self) -> None:
        try:
            self.traffic.clear()
            self.destroy(list(self._ours.values()))
            if self._original is not None:
                with self.asking("its old settings"):
                    self.world.set_weather(self._weather or self.world.get_weather())
                    self.world.apply_settings(self._original)
        except SimulatorError as error:
            at = f"--host {self.simulator.host} --port {self.simulator.port}"
            self.say(f"{error} It was not given back; when it answers again: carla-unet doctor --reset {at}")

    # what can go wrong

    @contextlib.contextmanager
    def asking(self, what: str) -> Iterator[None]:
        """Calls of the client in here fail with one sentence; `what` is what they ask for."""
        try:
            yield
        except RuntimeError as error:
            raise self.failed(f"answer ({what})", error) from None

    def _allow(self, call_s: float) -> None:
        """How long a call may take from now on."""
        self._call_s = call_s
        self.client.set_timeout(call_s)

    def _has_crashed(self) -> bool:
        return self._own_server is not None and self._own_server.crash() is not None

    def failed(self, what: str, error: Exception, within_s: float | None = None) -> SimulatorError:
        """The one sentence for a call that came to nothing; `what` is what the simulator was to do."""
        crash = self._own_server.crash() if self._own_server is not None else None
        if crash is not None:
            self._lost = True
            return SimulatorGone(crash)
        if _is_timeout(error):
            self._lost = True
            return SimulatorGone(
                f"the {self.simulator} did not {what} within {within_s or self._call_s:.0f} s; see whether it still runs "
                f"and what its log says, restart it, then start this command again."
            )
        return SimulatorError(f"the {self.simulator} did not {what}: {error}.")


@contextlib.contextmanager
def open_session(
    where: Where,
    *,
    town: str | None = None,
    step_s: float = 0.05,
    synchronous: bool = True,
    say: Callable[[str], None] = lambda line: None,
) -> Iterator[Session]:
    """A simulator for the length of the `with`; whatever ends it, all is given back.

    That is: our actors are destroyed, and those only; settings and weather are as before, but never synchronous; the
    embedded simulator's process is ended. SIGTERM ends the block as Ctrl-C does, by KeyboardInterrupt. After kill -9,
    an embedded simulator ends by itself; a CARLA server needs `doctor --reset`.

    Args:
        where: which simulator.
        town: its town; None keeps what a server has loaded, and is `where.town` for an embedded one.
        step_s: simulated seconds of a tick, more than 0 and at most 0.1.
        synchronous: whether time stands still between ticks.
        say: gets lines of progress.

    Raises:
        SimulatorError: there is no such simulator or town, or another program ticks it.
        UsageError: `step_s` is out of bounds.
    """
    if not 0.0 < step_s <= _MAX_STEP_S:
        raise UsageError(f"a step of {step_s} s: expected more than 0 and at most {_MAX_STEP_S} s.")
    if where.embedded and town is not None:
        where = dataclasses.replace(where, town=town)
    with Interrupts() as interrupts:
        session = Session(where, False, synchronous, step_s, say)
        session.uninterrupted = interrupts.held
        try:
            session.enter(town)
            yield session
        finally:
            with interrupts.held():
                session.leave()


@contextlib.contextmanager
def join_session(where: Where, *, say: Callable[[str], None] = lambda line: None) -> Iterator[Session]:
    """A server's world that others tick: no setting is touched and nothing ticked; `next_frame` waits for them.

    What we spawn, as a camera on their vehicle, is destroyed at the end. Without host and port, it is 127.0.0.1:2000.

    Raises:
        SimulatorError: there is no such simulator.
    """
    with Interrupts() as interrupts:
        session = Session(where, True, False, 0.0, say)
        session.uninterrupted = interrupts.held
        try:
            yield session
        finally:
            with interrupts.held():
                session.leave()


def _family(actor: Any) -> str:
    return str(actor.type_id).split(".", 1)[0]


def _short(town: str) -> str:
    return town.rsplit("/", 1)[-1]


def _same_town(one: str, other: str) -> bool:
    # CARLA names the same town with layers and without: Town10HD and Town10HD_Opt.
    return _short(one).removesuffix("_Opt") == _short(other).removesuffix("_Opt")


def _is_timeout(error: Exception) -> bool:
    return "time-out" in str(error)
