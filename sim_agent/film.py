"""From bundles to a recording's files, off the thread that ticks: a bounded queue, encoders, one writer in order."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from sim_agent.rig import Bundle
from trainer.dataset.recording import RecordingInfo
from trainer.dataset.writer import EncodedFrame, encode_frame

QUEUE_FRAMES = 8
"""Bundles that wait or are in work. More would hide a disk that is too slow, and cost memory."""


class Film:
    """`with Film(info, write, where) as film:` then `film.add(bundle, meta)`; at its end everything is written.

    `write` gets the encoded frames one at a time and in order, on a thread of its own. When frames are added faster than
    they are written, `add` waits: nothing is dropped here.
    """

    def __init__(
        self,
        info: RecordingInfo,
        write: Callable[[EncodedFrame], object],
        where: str,
        encoders: int = 1,
        queue_frames: int = QUEUE_FRAMES,
    ):
        """where: names the recording in errors; encoders: threads that compress (they do it without Python's lock)."""
        self.waited_s = 0.0
        """How long `add` has waited in all: back-pressure."""
        self._info, self._write, self._where = info, write, where
        self._error: BaseException | None = None
        self._slots = threading.BoundedSemaphore(queue_frames)
        self._frames: queue.SimpleQueue[Future[EncodedFrame] | None] = queue.SimpleQueue()
        self._encoders = ThreadPoolExecutor(encoders, "encoder")
        self._writer = threading.Thread(target=self._run, name="writer")
        self._writer.start()

    def add(self, bundle: Bundle, meta: Mapping[str, Any]) -> None:
        """Hand over one bundle; waits while the queue is full. Raises what encoding or writing raised before."""
        started_s = time.monotonic()
        self._slots.acquire()
        self.waited_s += time.monotonic() - started_s
        if self._error is not None:
            self._slots.release()
            raise self._error
        self._frames.put(self._encoders.submit(self._encode, bundle, meta))

    def close(self) -> None:
        """Wait until all is written, and end the threads. Raises what encoding or writing raised."""
        self._end()
        if self._error is not None:
            raise self._error

    def _end(self) -> None:
        self._frames.put(None)
        self._writer.join()
        self._encoders.shutdown()

    def _encode(self, bundle: Bundle, meta: Mapping[str, Any]) -> EncodedFrame:
        return encode_frame(self._info, bundle.frame, bundle.arrays(), meta, self._where)

    def _run(self) -> None:
        while (future := self._frames.get()) is not None:
            try:
                encoded = future.result()
                if self._error is None:  # after a failure nothing may follow: a gap would stand in the recording
                    self._write(encoded)
            except BaseException as error:  # raised again in the thread that adds
                self._error = self._error or error
            finally:
                self._slots.release()

    def __enter__(self) -> Film:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.close()
        else:  # what was handed over is written also when the drive was cut short; what cut it short is the one to tell
            self._end()
