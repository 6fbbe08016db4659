"""The events of a dynamic vision sensor: where and when a pixel's brightness passed a threshold between two pictures."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from sim_agent.embedded.render.kernel import f4, inline, kernel
from sim_agent.embedded.scene import Bytes, Floats

MOST_EVENTS = 1 << 22
"""Of one picture: with a threshold near 0 each pixel would have hundreds. Above it, each pixel sends its first ones."""
SMALLEST_THRESHOLD = 0.01
"""What CARLA cuts thresholds with noise to."""
SMALLEST_EPS = 1e-6
_TOLERANCE = 1e-6
_NEVER = np.int64(-1)


class EventCamera(NamedTuple):
    """What `sensor.camera.dvs` is set to."""

    positive_threshold: float = 0.3
    negative_threshold: float = 0.3
    positive_deviation: float = 0.0
    """Standard deviation of the threshold, drawn anew for each pixel and picture."""
    negative_deviation: float = 0.0
    refractory_ns: int = 0
    """For so long after an event a pixel sends no other."""
    use_log: bool = True
    log_eps: float = 0.001


class Retina:
    """What the pixels of one event camera remember."""

    def __init__(self, camera: EventCamera):
        self._camera = camera
        self._since_ns = 0
        self._brightness: Floats | None = None
        self._crossed = np.zeros((0, 0), np.float32)
        self._last_ns = np.zeros((0, 0), np.int64)

    def see(self, bgra: Bytes, time_ns: int, noise: np.random.Generator) -> npt.NDArray[np.int64]:
        """(N, 4) column, row, time in ns and polarity 0 or 1 of the events since the picture before, earliest first.

        The first picture has none. The way of ESIM (Rebecq et al., CoRL 2018), which CARLA's sensor goes too: brightness
        changes evenly from one picture to the next, and where it passes the level of the last event by a threshold is one.
        """
        camera, before, since_ns = self._camera, self._brightness, self._since_ns
        now = np.empty(bgra.shape[:2], np.float32)
        _see(bgra, camera.use_log, max(camera.log_eps, SMALLEST_EPS), now)
        self._brightness, self._since_ns = now, time_ns
        if before is None:
            self._crossed = now.copy()
            self._last_ns = np.full(now.shape, _NEVER, np.int64)
            return np.zeros((0, 4), np.int64)
        up = _thresholds(camera.positive_threshold, camera.positive_deviation, now.shape, noise)
        down = _thresholds(camera.negative_threshold, camera.negative_deviation, now.shape, noise)
        count = _count(before, now, self._crossed, up, down)
        most = max(1, MOST_EVENTS // now.size) if count > MOST_EVENTS else MOST_EVENTS
        events = np.empty((min(count, most * now.size), 4), np.int64)
        end = _pass(
            before,
            now,
            self._crossed,
            up,
            down,
            self._last_ns,
            np.array([since_ns, time_ns, camera.refractory_ns, most], np.int64),
            events,
        )
        return events[:end][np.argsort(events[:end, 2], kind="stable")]


def _thresholds(mean: float, deviation: float, shape: tuple[int, ...], noise: np.random.Generator) -> Floats:
    """(H, W), or (1, 1) if they are all the same."""
    drawn = mean + deviation * noise.standard_normal(shape) if deviation > 0.0 else np.full((1, 1), mean)
    return np.maximum(drawn, SMALLEST_THRESHOLD).astype(np.float32)


@kernel
def _see(bgra: Bytes, use_log: bool, log_eps: float, brightness: Floats) -> None:
    for y in range(bgra.shape[0]):
        for x in range(bgra.shape[1]):
            blue, green, red = f4(bgra[y, x, 0]), f4(bgra[y, x, 1]), f4(bgra[y, x, 2])
            brightness[y, x] = f4(0.2989) * red + f4(0.587) * green + f4(0.114) * blue
        if use_log:
            for x in range(bgra.shape[1]):
                brightness[y, x] = np.log(f4(log_eps) + brightness[y, x] * f4(1 / 255.0))


@inline
def _passes(before: float, now: float, crossed: float, threshold: float) -> int:
    """How many levels, each `threshold` from the one before, lie between the two."""
    reach = now - crossed if now >= before else crossed - now
    start = before - crossed if now >= before else crossed - before
    return int(reach / threshold) if abs(now - before) > _TOLERANCE and start < threshold <= reach else 0


@kernel
def _count(before: Floats, now: Floats, crossed: Floats, up: Floats, down: Floats) -> int:
    total = 0
    for y in range(now.shape[0]):
        for x in range(now.shape[1]):
            table = up if now[y, x] >= before[y, x] else down
            threshold = table[y % table.shape[0], x % table.shape[1]]
            total += _passes(before[y, x], now[y, x], crossed[y, x], threshold)
    return total


@kernel
def _pass(
    before: Floats,
    now: Floats,
    crossed: Floats,
    up: Floats,
    down: Floats,
    last_ns: npt.NDArray[np.int64],
    numbers: npt.NDArray[np.int64],
    events: npt.NDArray[np.int64],
) -> int:
    """numbers: (4,) time of both pictures, refractory time, most events of a pixel. How many there are in the end."""
    since_ns, now_ns, refractory_ns, most = numbers[0], numbers[1], numbers[2], numbers[3]
    end = 0
    for y in range(now.shape[0]):
        for x in range(now.shape[1]):
            rises = now[y, x] >= before[y, x]
            table = up if rises else down
            threshold = table[y % table.shape[0], x % table.shape[1]]
            count = _passes(before[y, x], now[y, x], crossed[y, x], threshold)
            step = threshold if rises else -threshold
            level = crossed[y, x]
            for k in range(1, count + 1):
                share = min(max((level + k * step - before[y, x]) / (now[y, x] - before[y, x]), 0.0), 1.0)
                at_ns = since_ns + np.int64(share * (now_ns - since_ns))
                rested = last_ns[y, x] == _NEVER or at_ns - last_ns[y, x] >= refractory_ns
                if rested and k <= most:
                    events[end, 0], events[end, 1], events[end, 2], events[end, 3] = x, y, at_ns, rises
                    last_ns[y, x] = at_ns
                    end += 1
            crossed[y, x] = level + count * step
    return end
