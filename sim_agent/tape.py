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

_ON_THE_WAY = 12
"""Frames that wait for the disk or are being written, at most."""
_LATE_S = 5.0
"""How long the last frame's pictures may take."""


@dataclass(frozen=True)
class Begin:
    """An episode begins: the town, the weather or the place is another one."""

    town: str
    header: Header
    time_s: float
    """Simulated time."""


@dataclass(frozen=True)
class _Frame:
    """The vehicle, picture (BGRA) and tags of one frame."""

    scene: Scene
    picture: np.ndarray
    tags: np.ndarray


class Tape:
    """A recording of this drive in `folder`. `begin` an episode, `add` scenes, `look` at each frame, `close`.

    None but `close` waits for the disk: when that is too slow, frames are dropped and counted. A drive does not wait, as
    `record` does.
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
        self._waiting: list[Scene] = []
        self._queue: queue.SimpleQueue[Begin | _Frame | str | None] = queue.SimpleQueue()
        """Of str: why a frame was left out."""
        self._room = threading.Semaphore(_ON_THE_WAY)
        self._thread = threading.Thread(target=self._run, name="tape", daemon=True)
        self._thread.start()

    def begin(self, begin: Begin) -> None:
        """Close the episode before, if there is one, and begin another."""
        self._waiting.clear()
        self._queue.put(begin)

    def add(self, scene: Scene) -> None:
        """The vehicle at a frame whose pictures come or have come."""
        self._waiting.append(scene)
        self.look()

    def look(self) -> None:
        """Take what has come of the pictures that are waited for: the feed does not keep them for long."""
        for scene in list(self._waiting):
            shot, tags = self._feed.shot(scene.frame), self._feed.tags(scene.frame)
            if shot is None or tags is None:
                if not self._feed.has_passed(scene.frame):
                    continue
                self._queue.put("missing")
            elif self._room.acquire(blocking=False):
                self._queue.put(_Frame(scene, shot.picture, tags))
            else:
                self._queue.put("disk too slow")
            self._waiting.remove(scene)

    def close(self) -> None:
        """Write what waits, close the episode, end."""
        if self._waiting and self.error is None:
            self._feed.wait_for(self._waiting[-1].frame, _LATE_S)
            self.look()
            for _ in self._waiting:
                self._queue.put("missing")
        self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        try:
            with RecordingWriter.create(
                self.folder, self._table, [self._camera], self._simulator, self._step_s, config=self._config
            ) as writer:
                self._write(writer)
        except (UserError, OSError) as error:
            self.error = str(error)

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
                    continue
                assert episode is not None, "a scene before an episode"
                if isinstance(item, str):
                    episode.count_dropped(item)
                else:
                    self._file(writer, episode, gates, item)
                    self._room.release()
        finally:
            if episode is not None:
                episode.close()

    def _begin(self, writer: RecordingWriter, begin: Begin) -> EpisodeWriter:
        header = begin.header
        name = f"drive-{begin.town}-{header.weather.get('name', 'weather')}-{uuid.uuid4().hex[:8]}"
        return writer.begin_episode(
            name, begin.town, header.weather, header.seeds, header.traffic, header.simulator or self._simulator
        )

    def _file(self, writer: RecordingWriter, episode: EpisodeWriter, gates: Gates, frame: _Frame) -> None:
        reason = gates.reason_to_drop(frame.scene, thumb_of(frame.picture))
        if reason is not None:
            episode.count_dropped(reason)
            return
        pictures = {"rgb": np.ascontiguousarray(frame.picture[..., 2::-1]), "semantic": frame.tags}
        meta = frame.scene.meta()
        episode.append(
            encode_frame(writer.info, frame.scene.frame, {self._camera.name: pictures}, meta, str(self.folder))
        )
        self.frames += 1
