"""The pictures of a camera and the simulator's labels for them, as they come: the newest wins, frames match by number."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from sim_agent.rig import Picture, bgra

_KEPT = 24
"""Frames that are kept: what a lag of half a second needs at 30 a second, and room for labels that come late."""


@dataclass(frozen=True)
class Shot:
    """One picture. number: counts up from 1; arrived_s: time.monotonic() when it reached this process; picture:
    (H, W, 4) uint8 BGRA.
    """

    frame: int
    number: int
    arrived_s: float
    picture: np.ndarray


class Feed:
    """Filled by the cameras' threads, read by all others.

    lookup: (256,) uint8, tag -> class index or VOID (`ClassList.lookup`).
    """

    def __init__(self, lookup: np.ndarray):
        self._lookup = lookup
        self._shots: OrderedDict[int, Shot] = OrderedDict()
        self._tags: OrderedDict[int, np.ndarray] = OrderedDict()
        self._changed = threading.Condition()
        self._closed = False
        self.pictures = 0
        """How many have come."""

    def put_picture(self, image: Picture) -> None:
        """Take a carla.Image of an RGB camera; its memory is the client's, so it is copied."""
        arrived_s, picture = time.monotonic(), bgra(image).copy()
        with self._changed:
            self.pictures += 1
            self._shots[image.frame] = Shot(image.frame, self.pictures, arrived_s, picture)
            _forget_oldest(self._shots)
            self._changed.notify_all()

    def put_tags(self, image: Picture) -> None:
        """Take a carla.Image of a semantic camera: the tag is in red, third in memory (carla #3696)."""
        tags = np.ascontiguousarray(bgra(image)[..., 2])
        with self._changed:
            self._tags[image.frame] = tags
            _forget_oldest(self._tags)
            self._changed.notify_all()

    def clear(self) -> None:
        """Forget everything: the camera is another one now."""
        with self._changed:
            self._shots.clear()
            self._tags.clear()

    def close(self) -> None:
        """Let all who wait go."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    @property
    def newest(self) -> Shot | None:
        """The newest picture."""
        with self._changed:
            return self._shots[max(self._shots)] if self._shots else None

    def wait_newer(self, than: Shot | None, lag_s: float = 0.0, timeout_s: float = 0.25) -> Shot | None:
        """The newest picture that came `lag_s` ago or before, once it is another than `than`; None after `timeout_s`."""
        deadline_s = time.monotonic() + timeout_s
        with self._changed:
            while not self._closed:
                now_s = time.monotonic()
                due = [shot for shot in self._shots.values() if shot.arrived_s <= now_s - lag_s]
                if due and due[-1] is not than:
                    return due[-1]
                waiting = [shot.arrived_s + lag_s for shot in self._shots.values() if shot.arrived_s > now_s - lag_s]
                wake_s = min([deadline_s, *waiting])
                if now_s >= deadline_s:
                    return None
                self._changed.wait(max(0.0, wake_s - now_s))
            return None

    def wait_for(self, frame: int, timeout_s: float) -> bool:
        """Whether a picture and labels of `frame` or later are there within `timeout_s`; also true once closed."""
        with self._changed:
            return self._changed.wait_for(
                lambda: self._closed or (_reaches(self._shots, frame) and _reaches(self._tags, frame)), timeout_s
            )

    def missing(self, frame: int) -> str:
        """Which of the cameras has not sent `frame`, and what came last; for an error's sentence."""
        with self._changed:
            cameras: dict[str, Mapping[int, object]] = {"RGB": self._shots, "semantic": self._tags}
            for name, there in cameras.items():
                if not _reaches(there, frame):
                    last = f"the last one was {max(there)}" if there else "it never sent one"
                    return f"{name} camera: frame {frame} did not come, {last}"
        return ""

    def has_passed(self, frame: int) -> bool:
        """Whether both cameras have sent a later frame, so that what is missing of this one will not come."""
        with self._changed:
            return _reaches(self._shots, frame + 1) and _reaches(self._tags, frame + 1)

    def truth(self, frame: int) -> np.ndarray | None:
        """(H, W) uint8 class indices of a frame, VOID where they don't count; None where they are not (yet) there."""
        tags = self.tags(frame)
        return None if tags is None else np.take(self._lookup, tags)

    def tags(self, frame: int) -> np.ndarray | None:
        """(H, W) uint8 tag ids of a frame."""
        with self._changed:
            return self._tags.get(frame)

    def shot(self, frame: int) -> Shot | None:
        """The picture of a frame."""
        with self._changed:
            return self._shots.get(frame)

    @property
    def newest_labelled(self) -> int | None:
        """The newest frame that `truth` knows."""
        with self._changed:
            return max(self._tags, default=None)


def _reaches(there: Mapping[int, object], frame: int) -> bool:
    return bool(there) and max(there) >= frame


def _forget_oldest(there: OrderedDict[int, Shot] | OrderedDict[int, np.ndarray]) -> None:
    while len(there) > _KEPT:
        there.popitem(last=False)
