"""Mending a recording after a kill: torn tails go into files beside their shards, indexes are made anew.

Nothing is deleted: what is cut from a shard is on disk before the shard is shortened.
"""

from __future__ import annotations

import dataclasses
import os
from dataclasses import dataclass
from pathlib import Path

from trainer.dataset.lock import locked
from trainer.dataset.recording import (
    EPISODE_FILE,
    EpisodeInfo,
    episode_folders,
    read_episode_info,
    read_recording_info,
    shard_paths,
    write_json,
)
from trainer.dataset.shard import END_OF_ARCHIVE, ShardScan, scan_shard
from trainer.errors import DataError


@dataclass(frozen=True)
class Mend:
    """One thing that was mended, a sentence; file: what it was done to."""

    file: str
    what: str


def mend_recording(path: Path) -> tuple[Mend, ...]:
    """Mend all episodes of a recording and close those left open; returns what was done, () when nothing was wrong.

    Raises DataError when it is no recording, or when a writer holds it.
    """
    read_recording_info(path)
    done: list[Mend] = []
    with locked(path / ".writer.lock", 0, f"{path}: another process is writing this recording; wait for its end"):
        for folder in episode_folders(path):
            done += mend_episode(folder)
            done += _mend_index(folder)
    return tuple(done)


def mend_episode(folder: Path) -> list[Mend]:
    """Cut the torn tails of one episode's shards into side files. The caller holds the recording's lock."""
    done: list[Mend] = []
    for shard in shard_paths(folder):
        scan = scan_shard(shard)
        if scan.torn_bytes:
            kept = _cut_tail(scan)
            done.append(
                Mend(
                    str(shard),
                    f"{scan.torn_bytes} bytes behind the last whole frame moved to {kept.name}, "
                    f"{len(scan.frames)} whole frames stay",
                )
            )
    return done


def _cut_tail(scan: ShardScan) -> Path:
    """Copy the torn bytes to a new file beside the shard, fsync it, then shorten the shard."""
    number = 0
    while (kept := scan.path.with_name(f"{scan.path.name}.torn-{number}")).exists():
        number += 1
    with open(scan.path, "r+b") as shard:
        shard.seek(scan.whole_bytes)
        with open(kept, "xb") as side:
            while block := shard.read(1 << 20):
                side.write(block)
            side.flush()
            os.fsync(side.fileno())
        shard.seek(scan.whole_bytes)
        shard.truncate()
        shard.write(END_OF_ARCHIVE)
        shard.flush()
        os.fsync(shard.fileno())
    return kept


def _mend_index(folder: Path) -> list[Mend]:
    """Make episode.json agree with the shards; one that cannot be read is kept beside the new one."""
    frames = sum(len(scan_shard(shard).frames) for shard in shard_paths(folder))
    file = folder / EPISODE_FILE
    try:
        episode = read_episode_info(folder)
        what = []
    except DataError:
        if file.exists():
            number = 0
            while (kept := file.with_name(f"{file.name}.damaged-{number}")).exists():
                number += 1
            os.replace(file, kept)
        episode = EpisodeInfo(folder.name, town="", frames=frames)
        what = ["made anew (town and weather are lost; write them in by hand)"]
    if episode.frames != frames:
        what.append(f"frames {episode.frames} -> {frames}")
    if episode.state != "closed":
        what.append("state open -> closed")
    if not what:
        return []
    ended = episode.ended or "killed"
    write_json(file, dataclasses.asdict(dataclasses.replace(episode, frames=frames, state="closed", ended=ended)))
    return [Mend(str(file), ", ".join(what))]
