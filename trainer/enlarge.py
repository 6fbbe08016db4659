"""The classes of enlarged logits, without enlarging where nothing can change.

Bilinear enlargement mixes the four logits around a point with weights that add up to one. Where the same class is the
largest in all four, it is the largest of every mixture of them: exactly, not nearly. So only the pixels along borders
are computed: 9 to 15 % of them in a street scene. From 110x196 to 360x640 with 17 classes one core then takes 8 ms and
not 13 to 48, beside 3.5 ms of an int8 network.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

_MIXED = 255  # no class has this index
_WHOLE_FROM = 0.35
"""From this share of pixels at borders on, enlarging everything is as fast."""


def labels_at(logits: Tensor, size: tuple[int, int]) -> Tensor:
    """Argmax of logits enlarged bilinearly (align_corners=False).

    Shape:
        logits (1, C, h, w) float, channels_last is fastest; size (H, W) -> (H, W) uint8, C at most 254.
    """
    height, width = logits.shape[-2:]
    rows = logits.permute(0, 2, 3, 1).reshape(height * width, -1)
    labels = rows.max(dim=1)[1].to(torch.uint8).view(height, width)
    if (height, width) == tuple(size):
        return labels
    if logits.device.type != "cpu":  # finding the borders waits for the device; enlarging there does not
        return _all(logits, size)
    y0, y1, wy = _neighbours(height, size[0])
    x0, x1, wx = _neighbours(width, size[1])

    below = torch.cat([labels[1:], labels[-1:]])
    same = labels == below
    same &= (labels == _right(labels)) & (labels == _right(below))
    found = torch.where(same, labels, _MIXED).index_select(0, y0).index_select(1, x0)
    mixed = (found.view(-1) == _MIXED).nonzero()[:, 0]
    if len(mixed) > _WHOLE_FROM * found.numel():
        return _all(logits, size)

    y = torch.div(mixed, size[1], rounding_mode="floor")
    x = mixed - y * size[1]
    top, bottom, left, right = y0[y] * width, y1[y] * width, x0[x], x1[x]
    across = wx[x][:, None]
    upper = torch.lerp(rows.index_select(0, top + left), rows.index_select(0, top + right), across)
    lower = torch.lerp(rows.index_select(0, bottom + left), rows.index_select(0, bottom + right), across)
    mixture = torch.lerp(upper, lower, wy[y][:, None])
    found.view(-1)[mixed] = mixture.max(dim=1)[1].to(torch.uint8)
    return found


def _all(logits: Tensor, size: tuple[int, int]) -> Tensor:
    large = F.interpolate(logits, size=size, mode="bilinear", align_corners=False)
    # Classes innermost: the maximum over them is then 4 x faster than argmax(dim=1) over planes.
    return large.permute(0, 2, 3, 1).contiguous().max(dim=-1)[1][0].to(torch.uint8)


def _neighbours(few: int, many: int) -> tuple[Tensor, Tensor, Tensor]:
    """For each of `many` places the two of `few` around it, and the weight of the second; pixel centres aligned."""
    place = ((torch.arange(many, dtype=torch.float32) + 0.5) * (few / many) - 0.5).clamp_(min=0.0)
    first = place.long().clamp_(max=few - 1)
    return first, (first + 1).clamp_(max=few - 1), place - first


def _right(labels: Tensor) -> Tensor:
    return torch.cat([labels[:, 1:], labels[:, -1:]], dim=1)
