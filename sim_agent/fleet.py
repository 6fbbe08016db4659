"""Many embedded simulators, each a Ray actor, on one machine or a cluster, record into one recording side by side.

An actor drives, encodes and hands its frames over; this process alone writes, so that the recording needs no shared disk
and has one writer. Parts of the plan are handed out one by one: what a lost actor had in work is handed out again.
"""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import threading
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

from sim_agent.errors import SimulatorError, SimulatorGone
from sim_agent.ledger import Entry, Header, Ledger
from sim_agent.plan import Part
from sim_agent.record_config import RecordConfig
from sim_agent.station import GONE, Patience, Say, Station, end_part, no_frames, no_room
from sim_agent.where import Where
from trainer.dataset.recording import RecordingInfo
from trainer.dataset.writer import EncodedFrame
from trainer.errors import DataError, UserError
from trainer.local_ray import LocalRay, prepare_ray

_OUTBOX_EVENTS = 64
"""What may wait in an actor for this process; when it is full, the actor's simulator waits."""
_ANSWER_BYTES = 8_000_000
"""An answer is no bigger, so that answers of many actors fit into Ray's object store."""
_LINGER_S = 0.2
"""An actor answers with what came within so long: calls cost more than the frames in them."""
_END_S = 20.0
_POLL_S = 1.0


@dataclass(frozen=True)
class Begun:
    """The scene of a part stands."""

    header: Header


@dataclass(frozen=True)
class Dropped:
    """Frames that were not kept."""

    reason: str
    frames: int


@dataclass(frozen=True)
class Said:
    """A line for the user."""

    line: str


@dataclass(frozen=True)
class Ended:
    """A part is over. error: why it failed; after a SimulatorGone the actor starts another simulator."""

    ended: str
    town: str | None
    error: Exception | None = None


Event = Begun | EncodedFrame | Dropped | Said | Ended


class Outbox:
    """Where an actor's drive puts its frames; bounded, so that a slow writer holds the simulator back."""

    def __init__(self) -> None:
        self._events: queue.Queue[Event] = queue.Queue(_OUTBOX_EVENTS)
        self.closed = threading.Event()

    def put(self, event: Event) -> None:
        """Add an event; waits while the box is full."""
        self._events.put(event)

    def append(self, encoded: EncodedFrame) -> None:
        """A frame; see recorder.Sink."""
        self.put(encoded)

    def count_dropped(self, reason: str, frames: int = 1) -> None:
        """See recorder.Sink."""
        self.put(Dropped(reason, frames))

    def take(self) -> list[Event]:
        """What there is, once there is something; a part's end comes at once, all else within `_LINGER_S`."""
        events: list[Event] = []
        size = 0
        with contextlib.suppress(queue.Empty):
            while not events or (not isinstance(events[-1], Ended) and size < _ANSWER_BYTES):
                event = self._events.get(timeout=_LINGER_S if events else None)
                size += event.bytes if isinstance(event, EncodedFrame) else 0
                events.append(event)
        return events


class RecorderActor:
    """One simulator of the fleet; `ray.remote` makes the actor of it. Parts are recorded on a thread of their own."""

    def __init__(self, where: Where, config: RecordConfig, info: RecordingInfo):
        self._outbox = Outbox()
        self._parts: queue.SimpleQueue[Part | None] = queue.SimpleQueue()
        self._station = Station(where, config, info, lambda line: self._outbox.put(Said(line)))
        self._thread = threading.Thread(target=self._run, name="recorder")
        self._thread.start()

    def record(self, part: Part) -> None:
        """Begin a part; its events come by `events`."""
        self._parts.put(part)

    def events(self) -> list[Event]:
        """The next events; waits for one."""
        return self._outbox.take()

    def pid(self) -> int:
        """Process id, for tests that kill it."""
        return os.getpid()

    def end(self) -> None:
        """Give the simulator back; returns when it is."""
        self._parts.put(None)
        self._thread.join()

    def _run(self) -> None:
        with self._station as station:
            while (part := self._parts.get()) is not None:
                self._outbox.put(self._record(station, part))

    def _record(self, station: Station, part: Part) -> Ended:
        def begin(header: Header) -> Outbox:
            self._outbox.put(Begun(header))
            return self._outbox

        try:
            return Ended(station.record(part, begin), station.town)
        except SimulatorGone as error:
            return Ended(GONE, None, SimulatorGone(str(error)))
        except UserError as error:
            return Ended("interrupted", station.town, error)
        except Exception:  # a fault of ours: its traceback must reach the user, whatever it holds
            return Ended("interrupted", station.town, RuntimeError(traceback.format_exc()))


@dataclass
class _Seat:
    """One actor as this process sees it: what it records, and where that goes."""

    actor: Any
    number: int
    part: Part
    entries: list[Entry] = field(default_factory=list)


def record_with_fleet(
    where: Where, config: RecordConfig, info: RecordingInfo, simulators: int, ledger: Ledger, say: Say
) -> None:
    """Record all that is missing with so many simulators.

    Raises:
        SimulatorError: simulators are lost again and again.
        DataError: the recording cannot be written; all but the open frames is kept.
    """
    say(f"starting Ray and {simulators} simulators ...")
    with _ray(simulators) as ray, _sigterm_as_ctrl_c():
        actor = ray.remote(num_cpus=1, max_restarts=0)(RecorderActor)
        _Fleet(ray, lambda: actor.remote(where, config, info), simulators, ledger, say).run()


class _Fleet:
    """The actors, who has which part, and where their frames go."""

    def __init__(self, ray: Any, make: Callable[[], Any], simulators: int, ledger: Ledger, say: Say):
        self._ray, self._make, self._simulators, self._ledger, self._say = ray, make, simulators, ledger, say
        self._seats: dict[Any, _Seat] = {}
        """By the reference to the events that are waited for."""
        self._idle: list[Any] = []
        self._patience = Patience(3 * simulators)

    def run(self) -> None:
        try:
            for number in range(1, self._simulators + 1):
                self._hand_out(number)
            while self._seats:
                ready, _ = self._ray.wait(list(self._seats), timeout=_POLL_S)
                for reference in ready:
                    self._receive(reference)
            ends = [actor.end.remote() for actor in self._idle]
            self._ray.wait(ends, num_returns=len(ends), timeout=_END_S)
        except BaseException as error:
            for seat in self._seats.values():
                with contextlib.suppress(DataError):  # a disk that is full: the episode stays open, nothing is lost
                    end_part(self._ledger, seat.part, seat.entries, "interrupted")
            if isinstance(error, DataError) and isinstance(error.__cause__, OSError):
                raise no_room(error, self._ledger) from error
            raise
        finally:
            for actor in [*self._idle, *(seat.actor for seat in self._seats.values())]:
                self._ray.kill(actor)

    def _hand_out(self, number: int, actor: Any = None, town: str | None = None) -> None:
        """Give the next part to an actor, to one that rests or to a new one; without a part it rests."""
        part = self._ledger.take(town)
        if part is None:
            if actor is not None:
                self._idle.append(actor)
            return
        actor = actor or (self._idle.pop() if self._idle else self._make())
        actor.record.remote(part)
        self._seats[actor.events.remote()] = _Seat(actor, number, part)

    def _receive(self, reference: Any) -> None:
        """File what an actor has sent."""
        seat = self._seats[reference]
        try:
            events = self._ray.get(reference)
        except self._ray.exceptions.RayActorError as error:
            del self._seats[reference]
            end_part(self._ledger, seat.part, seat.entries, GONE)
            self._lost(seat, f"it was lost ({str(error).splitlines()[0]})")
            self._hand_out(seat.number)
            return
        if not isinstance(events[-1], Ended):
            # The next ones are made ready while these are written.
            self._seats[seat.actor.events.remote()] = self._seats.pop(reference)
        for event in events:
            if isinstance(event, EncodedFrame):
                seat.entries[0].append(event)
            elif isinstance(event, Dropped):
                seat.entries[0].count_dropped(event.reason, event.frames)
            elif isinstance(event, Begun):
                seat.entries.append(self._ledger.begin(seat.part, event.header))
            elif isinstance(event, Said):
                self._say(f"simulator {seat.number}: {event.line}")
            else:
                del self._seats[reference]
                self._part_over(seat, event)

    def _part_over(self, seat: _Seat, event: Ended) -> None:
        end_part(self._ledger, seat.part, seat.entries, event.ended)
        if isinstance(event.error, SimulatorGone):
            self._lost(seat, str(event.error))
        elif event.error is not None:
            self._idle.append(seat.actor)
            raise event.error
        elif event.ended != "done" and self._patience.is_over(self._ledger.tally.frames):
            self._idle.append(seat.actor)
            raise no_frames(seat.part)
        self._hand_out(seat.number, seat.actor, event.town)

    def _lost(self, seat: _Seat, why: str) -> None:
        if self._patience.is_over(self._ledger.tally.frames):
            raise SimulatorError(f"simulator {seat.number}: {why}; and so it went again and again, without a frame.")
        self._say(f"simulator {seat.number}: {why}; another is started, and the episode goes on in another drive")


@contextlib.contextmanager
def _ray(simulators: int) -> Iterator[Any]:
    """The cluster that RAY_ADDRESS names, or a Ray of this machine for the length of the `with`."""
    prepare_ray()
    import ray

    if os.environ.get("RAY_ADDRESS") and not ray.is_initialized():
        ray.init(log_to_driver=False, logging_level="ERROR")
        try:
            yield ray
        finally:
            ray.shutdown()
    else:
        with LocalRay(simulators) as local:
            local.wait()
            yield ray


@contextlib.contextmanager
def _sigterm_as_ctrl_c() -> Iterator[None]:
    """SIGTERM ends the command as Ctrl-C does; Ray sets a handler of its own, which would end it at once."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
