"""Records a drive at the press of a key: the same recording that `record` makes, off the thread that steers."""

from __future__ import annotations

import queue
import threading
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sim_agent.feed import Feed
from sim_agent.gates import GateConfig, Gates, Scene, thumb_of
from sim_agent.ledger import Header
from trainer.dataset.recording import Camera
from trainer.dataset.writer import EpisodeWriter, RecordingWriter, encode_frame
from trainer.errors import UserError
from trainer.labels import LabelTable

_QUEUE = 12
"""Scenes that wait, at most; the feed keeps pictures for longer than that."""
_LATE_S = 5.0
"""How long the pictures of a frame may take."""


@dataclass(frozen=True)
class Begin:
    """An episode begins: the town, the weather or the place is another one."""

    town: str
    header: Header
    time_s: float
    """Simulated time."""


class Tape:
    """A recording of this drive in `folder`. `begin` an episode, `add` scenes, `close`; none of them waits for the disk.

    When the disk is too slow, scenes are dropped and counted: a drive does not wait as `record` does.
    """

    def __init__(
        self,
        folder: Path,
        feed: Feed,
        camera: Camera,
        table: LabelTable,
        simulator: Mapping[str, str],
        step_s: float,
        config: Mapping[str, Any],
    ):
        self.folder = folder
        self.frames = 0
        """On the disk."""
        self.error: str | None = None
        """Why it ended by itself."""
        self._feed, self._camera, self._table = feed, camera, table
        self._simulator, self._step_s, self._config = dict(simulator), step_s, dict(config)
        self._full = 0
        self._queue: queue.Queue[Begin | Scene | None] = queue.Queue(_QUEUE + 2)
        self._thread = threading.Thread(target=self._run, name="tape", daemon=True)
        self._thread.start()

    def begin(self, begin: Begin) -> None:
        """Close the episode before, if there is one, and begin another."""
        self._put(begin, _QUEUE + 1)

    def add(self, scene: Scene) -> None:
        """The vehicle at a frame whose pictures come or have come."""
        if not self._put(scene, _QUEUE):
            self._full += 1

    def close(self) -> None:
        """Write what waits, close the episode, end."""
        self._queue.put(None)
        self._thread.join()

    def _put(self, item: Begin | Scene, room: int) -> bool:
        if self.error is not None or self._queue.qsize() >= room:
            return False
        self._queue.put_nowait(item)
        return True

    def _run(self) -> None:
        try:
            with RecordingWriter.create(
                self.folder, self._table, [self._camera], self._simulator, self._step_s, config=self._config
            ) as writer:
                self._write(writer)
        except (UserError, OSError) as error:
            self.error = str(error)
        while self.error is not None and self._queue.get() is not None:
            pass  # nothing more is written: whoever adds must not find the queue full

    def _write(self, writer: RecordingWriter) -> None:
        episode: EpisodeWriter | None = None
        gates = Gates(GateConfig(), 0.0)
        try:
            while (item := self._queue.get()) is not None:
                if isinstance(item, Begin):
                    if episode is not None:
                        episode.close()
                    episode = self._begin(writer, item)
                    gates = Gates(GateConfig(exposure_s=0.0), item.time_s)
                elif episode is not None:
                    self._file(writer, episode, gates, item)
        finally:
            if episode is not None:
                episode.close()

    def _begin(self, writer: RecordingWriter, begin: Begin) -> EpisodeWriter:
        header = begin.header
        name = f"drive-{begin.town}-{header.weather.get('name', 'weather')}-{uuid.uuid4().hex[:8]}"
        return writer.begin_episode(
            name, begin.town, header.weather, header.seeds, header.traffic, header.simulator or self._simulator
        )

    def _file(self, writer: RecordingWriter, episode: EpisodeWriter, gates: Gates, scene: Scene) -> None:
        if self._full:
            full, self._full = self._full, 0
            episode.count_dropped("disk too slow", full)
        self._feed.wait_for(scene.frame, _LATE_S)
        shot, tags = self._feed.shot(scene.frame), self._feed.tags(scene.frame)
        if shot is None or tags is None:
            episode.count_dropped("missing")
            return
        reason = gates.reason_to_drop(scene, thumb_of(shot.picture))
        if reason is not None:
            episode.count_dropped(reason)
            return
        pictures = {"rgb": np.ascontiguousarray(shot.picture[..., 2::-1]), "semantic": tags}
        episode.append(
            encode_frame(writer.info, scene.frame, {self._camera.name: pictures}, scene.meta(), str(self.folder))
        )
        self.frames += 1
