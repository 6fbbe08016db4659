"""Scores the held-out pictures, each worker its share; the same figures on all workers, whatever their number."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor

from trainer import augment
from trainer.dataset.packed import Packed
from trainer.dataset.parts import Parts
from trainer.enlarge import labels_at
from trainer.losses import segmentation_loss
from trainer.metrics import Score
from trainer.unet import UNet

_BATCH = 4


def validate(
    net: UNet,
    held_out: Packed | Parts,
    picture: Sequence[int],
    classes: Sequence[str],
    class_weights: Tensor,
    dice: float,
    autocast: bool,
    rank: int = 0,
    workers: int = 1,
) -> tuple[Score, float | None]:
    """The score and the mean loss of all held-out pictures; loss None where there are none.

    The workers take batches in turn, always the same pictures together: a batch's arithmetic depends on its size.

    Args:
        net: in evaluation mode.
        picture: height and width in pixels at which the network sees whole pictures.
        class_weights: (C,) float, on the device of `net`; dice: weight of the Dice loss.
        autocast: compute in bf16.
    """
    device = class_weights.device
    score = Score(classes)
    firsts = range(0, len(held_out.keys), _BATCH)
    losses = torch.zeros(len(firsts), dtype=torch.float64)
    with torch.inference_mode():
        for number, first in list(enumerate(firsts))[rank::workers]:
            index = list(range(first, min(first + _BATCH, len(held_out.keys))))
            pictures, labels = (t.to(device) for t in held_out.rows(index))
            x, y = augment.plain(pictures, labels)
            x = _resized(x, picture)
            with torch.autocast(device.type, dtype=torch.bfloat16, enabled=autocast):
                logits = net(x).float()
            # The loss where the network computes, the score at the size of the stored labels.
            loss, _ = segmentation_loss(logits, _nearest(y, logits.shape[2:]), class_weights, dice)
            losses[number] = float(loss) * len(x)
            predicted = torch.stack([labels_at(one[None], (y.shape[1], y.shape[2])) for one in logits])
            score.add(predicted, y, boundary=False)
    if workers > 1:
        # Each loss is one worker's number and zeros: their sum is exact, and is added up in the same order everywhere.
        matrix = torch.from_numpy(score.matrix).flatten().double()
        summed = torch.cat([matrix, losses, torch.tensor([score.frames], dtype=torch.float64)]).to(device)
        dist.all_reduce(summed)
        summed = summed.cpu()
        score.matrix = summed[: matrix.numel()].reshape(score.matrix.shape).long().numpy()
        losses = summed[matrix.numel() : -1]
        score.frames = int(summed[-1])
    return score, float(losses.sum()) / score.frames if score.frames else None


def _resized(x: Tensor, size: Sequence[int]) -> Tensor:
    """(N, C, H, W) made smaller, antialiased."""
    if tuple(x.shape[2:]) == tuple(size):
        return x
    return F.interpolate(x, tuple(size), mode="bilinear", antialias=True, align_corners=False)


def _nearest(labels: Tensor, size: Sequence[int]) -> Tensor:
    """(N, H, W) uint8 at another size, by the pixel under each new one's centre."""
    if tuple(labels.shape[1:]) == tuple(size):
        return labels
    return F.interpolate(labels[:, None].float(), tuple(size), mode="nearest-exact")[:, 0].to(torch.uint8)
