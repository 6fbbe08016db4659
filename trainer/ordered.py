"""Gradients of a global batch with the same bits on any number of workers: by virtual shard, added in shard order.

Sums of floats depend on their order, and DDP's order on the number of workers; so do batch norm's statistics, which it
takes over a worker's pictures. Here a global batch is cut into a fixed number of virtual shards. Each one is computed by
itself, from the same weights and the same running statistics, and every worker adds up all of them in the same order.

Costs: a worker computes its shards one after another, and `shards` gradients travel where DDP sends about two.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.distributed as dist
from torch import Tensor, nn


def shards_of(rank: int, workers: int, shards: int) -> range:
    """The virtual shards that a worker computes; all of them are somebody's, in order of rank."""
    return range(rank * shards // workers, (rank + 1) * shards // workers)


class OrderedGradients:
    """Mean gradients, running statistics and figures of a step over its virtual shards.

    Raises:
        ValueError: more workers than shards.
    """

    def __init__(self, net: nn.Module, rank: int, workers: int, shards: int):
        if not 1 <= workers <= shards:
            raise ValueError(f"{shards} virtual shards can't occupy {workers} workers")
        self.workers, self.shards = workers, shards
        self.mine = shards_of(rank, workers, shards)
        self._parameters = list(net.parameters())
        self._buffers = list(net.buffers())
        self._statistics = [b for b in self._buffers if b.is_floating_point()]

    def step(self, one_shard: Callable[[int], tuple[Tensor, Tensor]]) -> Tensor:
        """Leave in the network the gradients and statistics of the global batch; (2,) its mean loss and accuracy.

        one_shard: forward and backward of a virtual shard; its loss and accuracy, scalars.
        """
        before = [b.clone() for b in self._buffers]
        rows = []
        for shard in self.mine:
            for parameter in self._parameters:
                parameter.grad = None
            for buffer, value in zip(self._buffers, before, strict=True):
                buffer.copy_(value)
            figures = one_shard(shard)
            rows.append(self._flat(figures))
        mean = self._sum(rows) / self.shards
        return self._spread(mean)

    def _flat(self, figures: tuple[Tensor, Tensor]) -> Tensor:
        """(P + S + 2,) float32: gradients, running statistics, loss and accuracy; the same numbers in any memory layout."""
        parts = []
        for parameter in self._parameters:
            grad = parameter.grad if parameter.grad is not None else torch.zeros_like(parameter)
            parts.append(grad.reshape(-1).float())
        parts += [b.reshape(-1).float() for b in self._statistics]
        return torch.cat([*parts, torch.stack([f.detach().float() for f in figures])])

    def _sum(self, rows: list[Tensor]) -> Tensor:
        """The sum over all shards, in their order, on every worker."""
        if self.workers == 1:
            return _added(rows)
        # Every worker sends equally many rows; what fills up the shorter ones is not added.
        most = max(len(shards_of(r, self.workers, self.shards)) for r in range(self.workers))
        sent = torch.stack(rows + [rows[-1]] * (most - len(rows)))
        received = [torch.empty_like(sent) for _ in range(self.workers)]
        dist.all_gather(received, sent)
        shares = (len(shards_of(rank, self.workers, self.shards)) for rank in range(self.workers))
        return _added([row for part, share in zip(received, shares, strict=True) for row in part[:share]])

    def _spread(self, flat: Tensor) -> Tensor:
        at = 0
        for parameter in self._parameters:
            # As the parameter lies in memory: the fused optimizer walks them side by side.
            parameter.grad = torch.empty_like(parameter).copy_(flat[at : at + parameter.numel()].view(parameter.shape))
            at += parameter.numel()
        for buffer in self._statistics:
            buffer.copy_(flat[at : at + buffer.numel()].view(buffer.shape))
            at += buffer.numel()
        return flat[at:]


def _added(rows: list[Tensor]) -> Tensor:
    total = rows[0].clone()
    for row in rows[1:]:
        total += row
    return total
