"""Masks of a camera's pictures as they come: a thread of its own, the newest picture wins, nothing queues up."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from sim_agent.feed import Feed, Shot
from sim_agent.scores import Scores, Timings
from sim_agent.trouble import Troubles
from trainer.segmenter import Segmenter


@dataclass(frozen=True)
class Mask:
    """Labels of one picture. labels: (H, W) uint8 class indices; seen: the picture as the network got it, BGRA."""

    frame: int
    labels: np.ndarray
    seen: np.ndarray
    arrived_s: float
    """When its picture reached this process (time.monotonic())."""
    done_s: float

    @property
    def age_ms(self) -> float:
        """How old its picture was when the mask was there."""
        return 1000.0 * (self.done_s - self.arrived_s)


class LiveMasks:
    """`with LiveMasks(...) as live:` makes masks until its end; the engine is warm when the block begins.

    on_mask: called from the masks' thread with each one, once it is scored; must be quick.
    """

    def __init__(
        self,
        segmenter: Segmenter,
        feed: Feed,
        scores: Scores,
        troubles: Troubles,
        size: tuple[int, int],
        on_mask: Callable[[Mask], None] = lambda mask: None,
    ):
        """size: (height, width) of the pictures."""
        self.engine_ms, self.age_ms = Timings(), Timings()
        self.masks = 0
        self.dropped = 0
        """Pictures that came and were passed over for newer ones."""
        self.newest: Mask | None = None
        self._segmenter, self._feed, self._scores, self._troubles = segmenter, feed, scores, troubles
        self._size, self._on_mask = size, on_mask
        self._error: BaseException | None = None
        self._ready, self._stopped = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="masks", daemon=True)

    @property
    def engine(self) -> str:
        """Name of the engine at work."""
        return self._segmenter.engine

    def swap(self, segmenter: Segmenter) -> None:
        """Take another model from the next picture on; it must be warm."""
        self._segmenter = segmenter
        self._scores.forget_live()

    def check(self) -> None:
        """Raise what ended the thread."""
        if self._error is not None:
            raise self._error

    def __enter__(self) -> LiveMasks:
        self._thread.start()
        self._ready.wait()
        self.check()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            # On this thread: an engine keeps what it prepared for the thread that ran it.
            warm_up(self._segmenter, self._size)
            self._ready.set()
            self._work()
        except BaseException as error:  # raised again by `check`, in the window's thread
            self._error = error
        finally:
            self._ready.set()

    def _work(self) -> None:
        last: Shot | None = None
        while not self._stopped.is_set():
            shot = self._feed.wait_newer(last, self._troubles.lag_s)
            if shot is None:
                continue
            if last is not None:
                self.dropped += shot.number - last.number - 1
            last = shot
            mask = self._segment(shot)
            self.masks += 1
            self.newest = mask
            self._score(mask)
            self._on_mask(mask)

    def _segment(self, shot: Shot) -> Mask:
        seen = self._troubles.spoil(shot.picture)
        rgb = np.ascontiguousarray(seen[..., 2::-1])
        started_s = time.monotonic()
        labels = self._segmenter.segment(rgb)
        done_s = time.monotonic()
        self.engine_ms.add(1000.0 * (done_s - started_s))
        mask = Mask(shot.frame, labels, seen, shot.arrived_s, done_s)
        self.age_ms.add(mask.age_ms)
        return mask

    def _score(self, mask: Mask) -> None:
        truth, newest = self._feed.truth(mask.frame), self._feed.newest_labelled
        if truth is None or newest is None or truth.shape != mask.labels.shape:
            return  # the labels are late, or the camera has just become another one
        later = truth if newest == mask.frame else self._feed.truth(newest)
        self._scores.add(mask.labels, truth, truth if later is None else later)


def warm_up(segmenter: Segmenter, size: tuple[int, int]) -> None:
    """Run a picture of (height, width) through, so that everything is compiled and allocated."""
    grey = np.full((*size, 3), 128, np.uint8)
    for _ in range(2):
        segmenter.segment(grey)
