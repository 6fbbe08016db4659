"""The frames of a recording as a sequence that makes a `FrameRef` when it is asked for one: a million take 60 MB."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import overload

import numpy as np
import numpy.typing as npt

from trainer.dataset.shard import ShardFrame
from trainer.dataset.shard_index import ShardIndex
from trainer.dataset.source import FrameRef


@dataclass(frozen=True)
class Part:
    """The frames that one shard gives. shard: its path in the recording; rows: (N,) those of its index that count."""

    shard: Path
    episode: str
    town: str
    weather: str
    index: ShardIndex
    rows: npt.NDArray[np.intp]


class FrameTable(Sequence[FrameRef]):
    """All frames of a recording, in its order: episodes by name, shards by number."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self._parts = tuple(part for part in parts if len(part.rows))
        self._ends = np.cumsum([len(part.rows) for part in self._parts], dtype=np.intp).tolist()
        self._of_episode: dict[str, list[int]] = {}
        for k, part in enumerate(self._parts):
            self._of_episode.setdefault(part.episode, []).append(k)
        self._last: tuple[str | None, tuple[Path, ShardFrame]] = (None, (Path(), ShardFrame("", {})))

    def __len__(self) -> int:
        return int(self._ends[-1]) if self._ends else 0

    @overload
    def __getitem__(self, at: int) -> FrameRef: ...
    @overload
    def __getitem__(self, at: slice) -> tuple[FrameRef, ...]: ...
    def __getitem__(self, at: int | slice) -> FrameRef | tuple[FrameRef, ...]:
        if isinstance(at, slice):
            return tuple(self[k] for k in range(*at.indices(len(self))))
        k = at + len(self) if at < 0 else at
        if not 0 <= k < len(self):
            raise IndexError(f"frame {at} of {len(self)}")
        number = bisect_right(self._ends, k)
        part = self._parts[number]
        return _ref(part, int(part.rows[k - self._ends[number] + len(part.rows)]))

    def __iter__(self) -> Iterator[FrameRef]:
        for part in self._parts:
            for row in part.rows.tolist():
                yield _ref(part, row)

    def keys_of(self, episode: str) -> list[str]:
        """The keys of one episode's frames, [] where there is no such episode."""
        parts = (self._parts[k] for k in self._of_episode.get(episode, []))
        return [_ref(part, row).key for part in parts for row in part.rows.tolist()]

    def place(self, key: str) -> tuple[Path, ShardFrame]:
        """Shard (its path in the recording) and members of a frame. KeyError where the recording has no such frame."""
        last_key, last = self._last
        if key == last_key:  # picture, label and JSON of a frame are asked for one after the other
            return last
        episode, _, stem = key.partition("/")
        wanted = stem.encode()
        for k in self._of_episode.get(episode, []):
            part = self._parts[k]
            found = np.flatnonzero(part.index.stems[part.rows] == wanted)
            if len(found):
                place = part.shard, part.index.frame(int(part.rows[found[0]]))
                self._last = key, place
                return place
        raise KeyError(key)


class Entries(Mapping[str, Sequence[str]]):
    """What a line of train.txt may say of a recording: a frame's key for itself, an episode for its frames."""

    def __init__(self, frames: FrameTable, episodes: Sequence[str]) -> None:
        self._frames = frames
        self._episodes = dict.fromkeys(episodes)

    def __getitem__(self, entry: str) -> Sequence[str]:
        if entry in self._episodes:
            return self._frames.keys_of(entry)
        self._frames.place(entry)
        return (entry,)

    def __iter__(self) -> Iterator[str]:
        yield from (ref.key for ref in self._frames)
        yield from self._episodes

    def __len__(self) -> int:
        return len(self._frames) + len(self._episodes)


def rows_with(index: ShardIndex, prefix: str, taken: set[bytes] | None = None) -> npt.NDArray[np.intp]:
    """Rows of the frames that have a member whose field begins so, each name once.

    taken: names that earlier shards of the episode gave; the new ones are added to it.
    """
    columns = [k for k, field in enumerate(index.fields) if field.startswith(prefix)]
    rows = np.flatnonzero((index.places[:, columns, 0] > 0).any(axis=1))
    stems = index.stems[rows]
    if taken is None and (stems[1:] > stems[:-1]).all():
        return rows
    names = set() if taken is None else taken
    kept = []
    for row, stem in zip(rows.tolist(), stems.tolist(), strict=True):
        if stem not in names:
            names.add(stem)
            kept.append(row)
    return np.array(kept, np.intp)


def _ref(part: Part, row: int) -> FrameRef:
    stem = part.index.stem(row)
    number = int(stem) if stem.isdigit() else -1
    return FrameRef(f"{part.episode}/{stem}", part.episode, part.town, part.weather, number)
