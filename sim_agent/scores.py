"""What the masks of a drive are worth: against the truth of their own frame, and against the world as it is by then."""

from __future__ import annotations

import collections
import math
import threading
from typing import Any

import numpy as np

from trainer.labels import VOID, ClassList
from trainer.metrics import iou_of

_FADE = 0.97
"""Weight of what was counted so far when a mask is added: the live figures are those of about the last 33 masks."""
_PERCENTILES = (50, 95, 99)
RECENT = 100


class Scores:
    """Counts masks from one thread, is read by others."""

    def __init__(self, classes: ClassList):
        count = len(classes)
        self._names = classes.names
        self._lock = threading.Lock()
        self._matrix = np.zeros((count, count), np.int64)
        self._late = np.zeros((count, count), np.int64)
        self._live = np.zeros((count, count))
        self._live_late = np.zeros((count, count))

    def add(self, mask: np.ndarray, truth: np.ndarray, newest_truth: np.ndarray) -> None:
        """Count one mask (H, W) against the labels of its frame, and against those of the newest frame."""
        own = confusion(mask, truth, len(self._names))
        late = own if newest_truth is truth else confusion(mask, newest_truth, len(self._names))
        with self._lock:
            self._matrix += own
            self._late += late
            self._live = self._live * _FADE + own
            self._live_late = self._live_late * _FADE + late

    def forget_live(self) -> None:
        """Begin the live figures anew: another model, another camera."""
        with self._lock:
            self._live[:] = 0.0
            self._live_late[:] = 0.0

    def live(self) -> tuple[float, float, tuple[float, ...]]:
        """mIoU, mIoU after latency, and IoU by class with NaN for those that are not in sight."""
        with self._lock:
            iou, late = _iou_in_sight(self._live), _iou_in_sight(self._live_late)
        return _mean(iou), _mean(late), tuple(iou.tolist())

    def to_dict(self) -> dict[str, Any]:
        """`miou`, `miou_after_latency` and `iou` of the whole drive; None where no truth was seen."""
        with self._lock:
            iou, late = iou_of(self._matrix), iou_of(self._late)
        return {
            "miou": _or_none(_mean(iou)),
            "miou_after_latency": _or_none(_mean(late)),
            "iou": {n: float(v) for n, v in zip(self._names, iou, strict=True) if not math.isnan(v)},
        }


def confusion(mask: np.ndarray, truth: np.ndarray, classes: int) -> np.ndarray:
    """Pixel counts (classes, classes) int64, rows the truth, columns the mask; void is left out.

    Shape:
        mask, truth: (H, W) uint8; truth may hold VOID. Takes 0.7 ms at 640x360.
    """
    pairs = truth.astype(np.uint16)
    pairs *= np.uint16(classes)
    pairs += mask
    # One bin after the others takes all void.
    pairs[truth == VOID] = classes * classes
    counts = np.bincount(pairs.ravel(), minlength=classes * classes + 1)
    return counts[: classes * classes].reshape(classes, classes)


class Timings:
    """Milliseconds of one kind over a drive: all of them for the result, the last for the window. For any thread."""

    def __init__(self) -> None:
        self._all: list[float] = []
        self._recent: collections.deque[float] = collections.deque(maxlen=RECENT)
        self._lock = threading.Lock()

    def add(self, value_ms: float) -> None:
        """One more."""
        with self._lock:
            self._all.append(value_ms)
            self._recent.append(value_ms)

    @property
    def recent(self) -> tuple[float, ...]:
        """The last RECENT, oldest first."""
        with self._lock:
            return tuple(self._recent)

    def median_ms(self, of_last: int = 20) -> float | None:
        """Of the last few; None where there are none."""
        recent = self.recent[-of_last:]
        return float(np.median(recent)) if recent else None

    def to_dict(self) -> dict[str, float | None]:
        """{'p50': ..., 'p95': ..., 'p99': ...}."""
        with self._lock:
            values = np.array(self._all)
        return {f"p{p}": float(np.percentile(values, p)) if len(values) else None for p in _PERCENTILES}


class Rate:
    """How often a second something happens, over the last two seconds. For any thread."""

    def __init__(self, window_s: float = 2.0):
        self._window_s = window_s
        self._times: collections.deque[tuple[float, float]] = collections.deque()
        self._lock = threading.Lock()

    def add(self, now_s: float, amount: float = 1.0) -> None:
        """It happened, `amount` of it."""
        with self._lock:
            self._times.append((now_s, amount))
            self._forget(now_s)

    def per_s(self, now_s: float) -> float | None:
        """None until there are two of it."""
        with self._lock:
            self._forget(now_s)
            if len(self._times) < 2:
                return None
            # The first only marks when the time began.
            amount = sum(a for _, a in self._times) - self._times[0][1]
            return amount / max(self._times[-1][0] - self._times[0][0], 1e-6)

    def _forget(self, now_s: float) -> None:
        while self._times and self._times[0][0] < now_s - self._window_s:
            self._times.popleft()


def _iou_in_sight(faded: np.ndarray) -> np.ndarray:
    """As `iou_of`, with what has faded to less than a pixel as absent."""
    return iou_of(np.where(faded < 0.5, 0.0, faded))


def _mean(iou: np.ndarray) -> float:
    return float(np.nanmean(iou)) if np.isfinite(iou).any() else math.nan


def _or_none(value: float) -> float | None:
    return None if math.isnan(value) else value
