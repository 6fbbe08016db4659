"""A simulator that records one part after another: opened when it is needed, started anew when it is gone or has grown."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from sim_agent.errors import SimulatorError, SimulatorGone
from sim_agent.ledger import Entry, Header, Ledger
from sim_agent.plan import Part
from sim_agent.record_config import RecordConfig
from sim_agent.recorder import Sink, record_part
from sim_agent.session import Session, open_session
from sim_agent.where import Where
from trainer.dataset.recording import RecordingInfo
from trainer.errors import DataError

Say = Callable[[str], None]
GONE = "simulator gone"
"""Why a part ended whose simulator was lost."""


class Station:
    """`with Station(where, config, info, say) as station:` then `station.record(part, begin)` for each part."""

    def __init__(self, where: Where, config: RecordConfig, info: RecordingInfo, say: Say):
        self.where, self.config, self.info, self.say = where, config, info, say
        self.town: str | None = None
        """The town that is loaded; a part in the same one begins sooner."""
        self._open = contextlib.ExitStack()
        self._session: Session | None = None
        self._recorded = 0

    def record(self, part: Part, begin: Callable[[Header], Sink]) -> str:
        """As recorder.record_part; a simulator that is gone is left, and the next call starts another.

        Raises SimulatorGone: the simulator was lost in this part.
        """
        try:
            if self._session is None:
                self._session = self._open.enter_context(
                    open_session(self.where, town=part.episode.town, step_s=self.config.step_s, say=self.say)
                )
            self.town = part.episode.town
            ended = record_part(self._session, part, self.config, self.info, begin)
        except SimulatorGone:
            self.close()
            raise
        self._recorded += 1
        if self.where.embedded:
            self._mind_its_age(self._session)
        return ended

    def _mind_its_age(self, session: Session) -> None:
        """Servers leak (carla #7156, #7413): a fresh one after so many episodes, or above so much memory."""
        every, limit_mb = self.config.restart_every, self.config.restart_above_mb
        memory_mb = resident_mb(session.server_pid)
        if every and self._recorded % every == 0:
            self.say(f"the simulator is started anew after {every} episodes")
            self.close()
        elif memory_mb is not None and limit_mb and memory_mb > limit_mb:
            self.say(f"the simulator has grown to {memory_mb:.0f} MB (limit {limit_mb} MB) and is started anew")
            self.close()

    def close(self) -> None:
        """Give the simulator back."""
        self.town, self._session = None, None
        self._open.close()

    def __enter__(self) -> Station:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.__exit__(kind, error, trace)


class Patience:
    """Counts drives that ended early without a new frame between: after `limit` of them another mends nothing."""

    def __init__(self, limit: int = 3):
        self._limit = limit
        self._count, self._frames = 0, -1

    def is_over(self, frames: int) -> bool:
        """A drive ended early, when `frames` were recorded in all."""
        self._count = self._count + 1 if frames == self._frames else 1
        self._frames = frames
        return self._count >= self._limit


def record_alone(station: Station, ledger: Ledger, say: Say) -> None:
    """Record all that is missing with one simulator.

    Raises:
        SimulatorGone: a CARLA server was lost, or the embedded simulator again and again.
        DataError: the recording cannot be written; all but the open frame is kept.
    """
    patience = Patience()
    while (part := ledger.take(station.town)) is not None:
        entries: list[Entry] = []

        def begin(header: Header, part: Part = part, entries: list[Entry] = entries) -> Entry:
            entries.append(ledger.begin(part, header))
            return entries[0]

        try:
            ended = station.record(part, begin)
        except SimulatorGone as error:
            end_part(ledger, part, entries, GONE)
            if not station.where.embedded or patience.is_over(ledger.tally.frames):
                raise
            say(f"{error}\nthe simulator is started anew, and the episode goes on in another drive")
        except BaseException as error:
            with contextlib.suppress(DataError):  # a disk that is full: the episode stays open, and nothing is lost
                end_part(ledger, part, entries, "interrupted")
            if isinstance(error, DataError) and isinstance(error.__cause__, OSError):
                raise no_room(error, ledger) from error
            raise
        else:
            end_part(ledger, part, entries, ended)
            if ended != "done" and patience.is_over(ledger.tally.frames):
                raise no_frames(part)


def end_part(ledger: Ledger, part: Part, entries: list[Entry], ended: str) -> None:
    """Close a part's episode, or give back one that did not begin."""
    for entry in entries:
        entry.close(ended)
    if not entries:
        ledger.give_back(part)


def no_room(error: DataError, ledger: Ledger) -> DataError:
    """An error of writing, with what to do about it."""
    return DataError(
        f"{error}; {ledger.tally.frames} frames of this run are safe: make room there, and give the same command again."
    )


def no_frames(part: Part) -> SimulatorError:
    """Drive after drive without a frame."""
    return SimulatorError(
        f"{part.episode.town}: drive after drive kept no frame (the vehicle never gets moving, or every picture repeats "
        "the one before); take fewer vehicles, another town, or look at `gates` in the configuration."
    )


def resident_mb(pid: int | None) -> float | None:
    """Memory of a process in MB; None where it cannot be told."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace")
    except OSError:
        return None  # no such file outside Linux: `restart_every` works everywhere
    kilobytes = next((line.split()[1] for line in status.splitlines() if line.startswith("VmRSS")), None)
    return int(kilobytes) / 1024.0 if kilobytes else None
