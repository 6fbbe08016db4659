"""Scores against torchmetrics, and the policy on void and absent classes."""

import math

import numpy as np
import pytest
import torch
from torchmetrics.functional.classification import multiclass_confusion_matrix, multiclass_jaccard_index

from trainer.labels import VOID
from trainer.metrics import Score, boundary_band, boundary_counts, confusion


@pytest.fixture
def pictures():
    g = torch.Generator().manual_seed(0)
    truth = torch.randint(0, 5, (3, 20, 31), generator=g, dtype=torch.uint8)
    predicted = torch.where(
        torch.rand(truth.shape, generator=g) < 0.6,
        truth,
        torch.randint(0, 5, truth.shape, dtype=torch.uint8, generator=g),
    )
    truth[0, :5] = VOID
    return predicted, truth


def test_confusion_and_miou_equal_torchmetrics(pictures):
    predicted, truth = pictures
    score = Score([f"c{i}" for i in range(5)])
    score.add(predicted[:1], truth[:1])
    other = Score(score.classes)
    other.add(predicted[1:], truth[1:])
    score.merge(other)
    expected = multiclass_confusion_matrix(predicted.int(), truth.int(), 5, ignore_index=VOID)
    assert np.array_equal(score.matrix, expected.numpy())
    jaccard = multiclass_jaccard_index(predicted.int(), truth.int(), 5, average="none", ignore_index=VOID)
    np.testing.assert_allclose(score.iou, jaccard.numpy(), rtol=1e-6)
    assert score.miou == pytest.approx(jaccard.mean().item())
    assert score.frames == 3


def test_absent_classes_are_left_out_and_listed():
    truth = torch.tensor([[[0, 0, 1, VOID]]], dtype=torch.uint8)
    predicted = torch.tensor([[[0, 2, 1, 2]]], dtype=torch.uint8)
    score = Score(["road", "sky", "car"])
    score.add(predicted, truth, boundary=False)
    # torchmetrics would count car as 0 here (its issue 1693); it does not occur in the truth, so it is not scored.
    assert score.miou == pytest.approx((0.5 + 1) / 2)
    result = score.to_dict()
    assert result["absent"] == ["car"]
    assert set(result["iou"]) == {"road", "sky"}
    assert result["pixel_accuracy"] == pytest.approx(2 / 3)


def test_nothing_counted_is_null_not_zero():
    score = Score(["road"])
    assert math.isnan(score.miou)
    assert score.to_dict()["miou"] is None


def test_boundary_band_equals_erosion_class_by_class():
    g = torch.Generator().manual_seed(1)
    labels = torch.nn.functional.interpolate(torch.randint(0, 4, (2, 1, 5, 7), generator=g).float(), scale_factor=6)[
        :, 0
    ]
    band = boundary_band(labels, 2)
    padded = torch.nn.functional.pad(labels[:, None], (2,) * 4, mode="replicate")[:, 0]
    for y in range(labels.shape[1]):
        for x in range(labels.shape[2]):
            window = padded[:, y : y + 5, x : x + 5]
            assert torch.equal(band[:, y, x], (window != labels[:, y, x, None, None]).any(2).any(1))


def test_boundary_iou_punishes_a_shift_more_than_iou():
    truth = torch.zeros(1, 100, 100, dtype=torch.uint8)
    truth[:, 30:70, 30:70] = 1
    predicted = torch.roll(truth, 3, dims=2)
    score = Score(["a", "b"])
    score.add(predicted, truth)
    assert score.boundary_iou < score.iou[1] < 1
    overlap, union = boundary_counts(truth, truth, 2)
    assert torch.equal(overlap, union)


def test_confusion_of_void_only_is_empty():
    assert confusion(torch.zeros(4), torch.full((4,), VOID), 3).sum() == 0
