"""Which pictures are in the global batch of a step: a pure function of (seed, step), whatever the number of workers.

Pictures stand in one endless row: a permutation of all of them for epoch 0, another for epoch 1, and so on. Step s takes
`global_batch` of them from position s * global_batch on, and a worker the share of that batch that its rank names. So
each picture comes once an epoch, resuming needs nothing but the step, and two workers see what one would have seen.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Slot:
    """One place in a global batch."""

    epoch: int
    index: int
    """Which picture, 0 to count - 1."""


def epoch_order(seed: int, epoch: int, count: int) -> np.ndarray:
    """(count,) int64: the order of the pictures in an epoch."""
    return np.random.Generator(np.random.Philox(key=[seed, epoch])).permutation(count)


def windowed_order(seed: int, epoch: int, count: int, each: int, window: int) -> np.ndarray:
    """(count,) int64: the order of the pictures in an epoch where reading a part costs.

    Parts in random order, in windows of `window` parts; within a window pictures in random order: so that a cache of two
    windows is enough to fetch each part once an epoch, and a batch still mixes `window` parts.
    """
    draw = np.random.Generator(np.random.Philox(key=[seed, epoch]))
    parts = draw.permutation(-(-count // each))
    rows = []
    for first in range(0, len(parts), window):
        inside = np.concatenate(
            [np.arange(p * each, min((p + 1) * each, count)) for p in parts[first : first + window]]
        )
        rows.append(draw.permutation(inside))
    return np.concatenate(rows)


class Sampler:
    """The row of pictures of one training run; `count` pictures, `global_batch` a step."""

    def __init__(
        self,
        seed: int,
        count: int,
        global_batch: int,
        order: Callable[[int, int, int], np.ndarray] = epoch_order,
    ):
        """order: (seed, epoch, count) -> (count,) int64, the pictures of an epoch."""
        if count < 1 or global_batch < 1:
            raise ValueError(f"a sampler needs at least one picture and a batch of one, not {count} and {global_batch}")
        self.seed, self.count, self.global_batch, self.order = seed, count, global_batch, order
        self._orders: dict[int, np.ndarray] = {}

    def batch(self, step: int) -> list[Slot]:
        """The global batch of a step, in order."""
        first = step * self.global_batch
        return [self._slot(position) for position in range(first, first + self.global_batch)]

    def share(self, step: int, rank: int, workers: int) -> list[Slot]:
        """The part of that batch that worker `rank` of `workers` takes.

        The workers' parts are in order, and equal where the batch can be cut so; else they differ by one picture.
        """
        if self.global_batch < workers:
            raise ValueError(f"a global batch of {self.global_batch} is too small for {workers} workers")
        first, end = self._bounds(rank, workers)
        return self.batch(step)[first:end]

    def weight(self, rank: int, workers: int) -> float:
        """Of a worker's mean in a mean over workers that takes their parts as equal, as DDP's does; 1 where they are."""
        first, end = self._bounds(rank, workers)
        return (end - first) * workers / self.global_batch

    def epoch(self, step: int) -> float:
        """How many epochs are done before this step."""
        return step * self.global_batch / self.count

    def _bounds(self, rank: int, workers: int) -> tuple[int, int]:
        return rank * self.global_batch // workers, (rank + 1) * self.global_batch // workers

    def _slot(self, position: int) -> Slot:
        epoch, place = divmod(position, self.count)
        if epoch not in self._orders:
            # A batch lies in two epochs at most, unless it is larger than the data.
            self._orders = {e: o for e, o in self._orders.items() if e >= epoch - 1}
            self._orders[epoch] = self.order(self.seed, epoch, self.count)
        return Slot(epoch, int(self._orders[epoch][place]))
