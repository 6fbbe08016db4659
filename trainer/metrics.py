"""One stated mIoU: from a global confusion matrix; void is not counted; classes that never occur are left out and listed.

Boundary IoU is that of Cheng et al. 2021 (arXiv:2103.16562), with two choices of ours: the edge of the picture is no
boundary (a camera cuts objects there, they do not end), and the band is 2 % of the picture's diagonal wide, as theirs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from trainer.labels import VOID

BOUNDARY_SHARE = 0.02
"""Half-width of the boundary band as a share of the picture's diagonal."""


def confusion(predicted: Tensor, truth: Tensor, classes: int) -> Tensor:
    """Pixel counts (classes, classes) int64, rows the truth, columns the prediction; void is left out.

    Shape:
        predicted, truth: equal shapes, uint8 or int64 class indices; truth may hold VOID.
    """
    valid = truth != VOID
    pairs = truth[valid].long() * classes + predicted[valid].long()
    return torch.bincount(pairs, minlength=classes * classes).reshape(classes, classes)


def boundary_band(labels: Tensor, radius: int) -> Tensor:
    """(N, H, W) bool: pixels within `radius` pixels (a square window) of another label.

    One erosion for all classes at once: a pixel lies inside its class exactly when the largest and the smallest label
    in its window are equal.
    """
    x = F.pad(labels.float()[:, None], (radius,) * 4, mode="replicate")
    largest, smallest = x, -x
    for kernel in ((1, 2 * radius + 1), (2 * radius + 1, 1)):  # a square window is separable
        largest = F.max_pool2d(largest, kernel, stride=1)
        smallest = F.max_pool2d(smallest, kernel, stride=1)
    return (largest != -smallest)[:, 0]


def boundary_counts(predicted: Tensor, truth: Tensor, classes: int) -> tuple[Tensor, Tensor]:
    """Intersection and union, (classes,) int64 each, of the boundary bands of every class. Shapes (N, H, W)."""
    radius = max(1, round(BOUNDARY_SHARE * math.hypot(*truth.shape[-2:])))
    valid = truth != VOID
    in_truth = boundary_band(truth, radius) & valid
    in_predicted = boundary_band(predicted, radius) & valid
    both = in_truth & in_predicted & (truth == predicted)

    def count(labels: Tensor, where: Tensor) -> Tensor:
        return torch.bincount(labels[where].long(), minlength=classes)[:classes]

    overlap = count(truth, both)
    return overlap, count(truth, in_truth) + count(predicted, in_predicted) - overlap


@dataclass
class Score:
    """What has been counted over a set of pictures; `add` more, then read the figures."""

    classes: Sequence[str]
    matrix: np.ndarray = field(default_factory=lambda: np.zeros((0, 0), np.int64))
    """(C, C) int64, rows truth, columns prediction."""
    boundary: np.ndarray = field(default_factory=lambda: np.zeros((2, 0), np.int64))
    """(2, C) int64: intersection and union of the boundary bands."""
    frames: int = 0

    def __post_init__(self) -> None:
        count = len(self.classes)
        if self.matrix.size == 0:
            self.matrix = np.zeros((count, count), np.int64)
            self.boundary = np.zeros((2, count), np.int64)

    def add(self, predicted: Tensor, truth: Tensor, boundary: bool = True) -> np.ndarray:
        """Count one batch (N, H, W) and return its own confusion matrix."""
        matrix = confusion(predicted, truth, len(self.classes)).cpu().numpy()
        self.matrix += matrix
        if boundary:
            overlap, union = boundary_counts(predicted, truth, len(self.classes))
            self.boundary += np.stack([overlap.cpu().numpy(), union.cpu().numpy()])
        self.frames += len(truth)
        return matrix

    def merge(self, other: Score) -> None:
        """Count what another Score has counted."""
        self.matrix += other.matrix
        self.boundary += other.boundary
        self.frames += other.frames

    @property
    def present(self) -> np.ndarray:
        """(C,) bool: classes that occur in the truth."""
        return self.matrix.sum(axis=1) > 0

    @property
    def iou(self) -> np.ndarray:
        """(C,) float64: intersection over union; NaN for absent classes."""
        return iou_of(self.matrix)

    @property
    def miou(self) -> float:
        """Mean IoU over the classes that occur in the truth; NaN when none does."""
        return float(self.iou[self.present].mean()) if self.present.any() else math.nan

    @property
    def pixel_accuracy(self) -> float:
        """Share of right pixels among those that are not void."""
        total = self.matrix.sum()
        return float(np.trace(self.matrix) / total) if total else math.nan

    @property
    def boundary_iou(self) -> float:
        """Mean boundary IoU over the classes that occur in the truth and have a boundary somewhere."""
        overlap, union = self.boundary
        counted = self.present & (union > 0)
        return float((overlap[counted] / union[counted]).mean()) if counted.any() else math.nan

    def to_dict(self) -> dict[str, Any]:
        """The figures as `evaluate --json` has them; figures that there are none of are null."""
        return {
            "miou": _number(self.miou),
            "pixel_accuracy": _number(self.pixel_accuracy),
            "iou": {n: float(v) for n, v, p in zip(self.classes, self.iou, self.present, strict=True) if p},
            "absent": [n for n, p in zip(self.classes, self.present, strict=True) if not p],
            "boundary_iou": _number(self.boundary_iou),
            "frames": self.frames,
        }


def iou_of(matrix: np.ndarray) -> np.ndarray:
    """(C,) IoU from a confusion matrix (C, C); NaN for classes without a pixel in the truth."""
    right = np.diag(matrix).astype(np.float64)
    union = matrix.sum(axis=0) + matrix.sum(axis=1) - np.diag(matrix)
    return np.where(matrix.sum(axis=1) > 0, right / np.maximum(union, 1), np.nan)


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value
