"""What a recording is to hold, what it holds, who records what right now: one ledger for one simulator or many."""

from __future__ import annotations

import collections
import copy
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from sim_agent.plan import Episode, Part, missing, next_part
from trainer.dataset.writer import EncodedFrame, EpisodeWriter, RecordingWriter


@dataclass(frozen=True)
class Header:
    """How an episode really began, for its episode.json. cameras: what is not as recording.json says, see variety.py."""

    weather: dict[str, Any]
    seeds: dict[str, int]
    traffic: dict[str, Any]
    simulator: dict[str, str]
    cameras: dict[str, Any] = field(default_factory=dict)


@dataclass
class Tally:
    """Counts of this command. pixels: (256,) by tag, of the first camera."""

    frames: int = 0
    bytes: int = 0
    episodes: int = 0
    dropped: collections.Counter[str] = field(default_factory=collections.Counter)
    pixels: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(256, np.int64))


class Ledger:
    """Hands out parts of the plan, and files what comes of them. All methods may be called from any thread."""

    def __init__(self, writer: RecordingWriter, plan: Iterable[Episode]):
        """Episodes that a killed recorder left open are closed: what is missing of them becomes another part."""
        self.writer = writer
        self.plan = tuple(plan)
        self._tally = Tally()
        self.started_s = time.monotonic()
        self._lock = threading.RLock()
        self._in_work: list[Part] = []
        self._towns = len({episode.town for episode in self.plan})
        self.recorded: dict[str, int] = {}
        """Frames on disk by part; an empty one that was left open is begun again."""
        self.killed: list[str] = []
        for name, info in list(writer.episodes.items()):
            frames = writer.frames_on_disk(name)
            if info.state != "closed" and frames:
                self.killed.append(name)
                entry = writer.begin_episode(
                    name, info.town, info.weather, info.seeds, info.traffic, info.simulator, info.cameras
                )
                entry.close("killed")
            if frames or info.state == "closed":
                self.recorded[name] = frames
        self.there = sum(e.frames for e in self.plan) - sum(p.frames for p in missing(self.plan, self.recorded))
        """Frames of the plan that were on disk before."""
        self._left = missing(self.plan, self.recorded)

    @property
    def tally(self) -> Tally:
        """The counts of this moment."""
        with self._lock:
            return copy.deepcopy(self._tally)

    @property
    def frames_wanted(self) -> int:
        """Of the whole plan."""
        return sum(episode.frames for episode in self.plan)

    @property
    def frames_beside(self) -> int:
        """On disk, of other plans."""
        return sum(self.recorded.values()) - self.there - self._tally.frames

    @property
    def frames_left(self) -> int:
        """Of the whole plan, not on disk yet."""
        with self._lock:
            return self.frames_wanted - self.there - self._tally.frames

    def take(self, town: str | None) -> Part | None:
        """The next part for a simulator that has `town` loaded; None when all is done or in work."""
        with self._lock:
            part = next_part(self._left, town, self._towns)
            if part is not None:
                self._in_work.append(part)
            return part

    def in_work(self) -> list[Part]:
        """What is being recorded right now."""
        with self._lock:
            return list(self._in_work)

    def begin(self, part: Part, header: Header) -> Entry:
        """Open a part's episode."""
        with self._lock:
            episode = self.writer.begin_episode(
                part.id,
                part.episode.town,
                header.weather,
                header.seeds,
                header.traffic,
                header.simulator,
                header.cameras,
            )
        return Entry(self, part, episode)

    def give_back(self, part: Part) -> None:
        """A part that was taken, and that did not begin."""
        with self._lock:
            self._in_work.remove(part)
            self._left.insert(0, part)

    def count(self, encoded: EncodedFrame, written: int) -> None:
        """A frame is on disk."""
        with self._lock:
            self._tally.frames += 1
            self._tally.bytes += written
            for tag, pixels in next(iter(encoded.tag_pixels.values())).items():
                self._tally.pixels[tag] += pixels

    def count_dropped(self, reason: str, frames: int) -> None:
        """Frames were not kept."""
        with self._lock:
            self._tally.dropped[reason] += frames

    def closed(self, part: Part, frames: int) -> None:
        """A part has ended with so many frames; what it lacks is handed out again, as another part."""
        with self._lock:
            self._in_work.remove(part)
            self.recorded[part.id] = frames
            rest = missing([part.episode], self.recorded)
            self._left[:0] = rest
            if not rest:
                self._tally.episodes += 1


class Entry:
    """One part on its way into the recording. `append` may be called from another thread than the rest."""

    def __init__(self, ledger: Ledger, part: Part, episode: EpisodeWriter):
        self.part = part
        self._ledger, self._episode = ledger, episode
        self._dropped: collections.Counter[str] = collections.Counter()

    def append(self, encoded: EncodedFrame) -> None:
        """Write the next frame. DataError: the disk is full, or the frame is not a later one."""
        self._ledger.count(encoded, self._episode.append(encoded))

    def count_dropped(self, reason: str, frames: int = 1) -> None:
        """Count frames that were not kept, and why."""
        self._dropped[reason] += frames
        self._ledger.count_dropped(reason, frames)

    def close(self, ended: str) -> None:
        """Close the episode, when nothing appends any more; ended: `done`, `stuck`, `interrupted` and the like."""
        for reason, frames in self._dropped.items():
            self._episode.count_dropped(reason, frames)
        self._ledger.closed(self.part, self._episode.close(ended).frames)
