"""The closed-form loss against autograd on the textbook formula."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from trainer.labels import VOID
from trainer.losses import class_weights, segmentation_loss


def textbook(logits, labels, weights, dice):
    valid = labels != VOID
    loss = F.cross_entropy(logits, labels.where(valid, torch.tensor(-100)), weights, ignore_index=-100)
    if dice:
        classes = logits.shape[1]
        p = logits.softmax(1) * valid[:, None]
        truth = F.one_hot(labels.where(valid, torch.tensor(0)), classes).permute(0, 3, 1, 2) * valid[:, None]
        overlap, mass = (p * truth).sum((0, 2, 3)), p.sum((0, 2, 3)) + truth.sum((0, 2, 3))
        present = truth.sum((0, 2, 3)) > 0
        loss = loss + dice * (1 - (2 * overlap + 1) / (mass + 1))[present].mean()
    return loss


@pytest.mark.parametrize("dice", [0.0, 1.0, 0.3])
def test_loss_and_gradient_equal_the_textbook(dice):
    g = torch.Generator().manual_seed(3)
    logits = torch.randn(2, 5, 7, 9, generator=g, dtype=torch.float32)
    labels = torch.randint(0, 4, (2, 7, 9), generator=g)  # class 4 never occurs
    labels[0, :2] = VOID
    weights = torch.tensor([1.0, 2.0, 0.5, 3.0, 0.0])
    ours, theirs = logits.clone().requires_grad_(), logits.clone().requires_grad_()
    loss, accuracy = segmentation_loss(ours, labels.to(torch.uint8), weights, dice)
    expected = textbook(theirs, labels, weights, dice)
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)
    (3 * loss).backward()
    (3 * expected).backward()
    torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-4, atol=1e-7)
    valid = labels != VOID
    assert accuracy.item() == pytest.approx((logits.argmax(1) == labels)[valid].float().mean().item())


def test_all_void_gives_zero_loss_and_no_nan():
    logits = torch.randn(1, 3, 4, 4, requires_grad=True)
    loss, _ = segmentation_loss(logits, torch.full((1, 4, 4), VOID, dtype=torch.uint8), torch.ones(3), 1.0)
    loss.backward()
    assert loss.item() == 0.0
    assert torch.equal(logits.grad, torch.zeros_like(logits))


def test_low_precision_logits_do_not_overflow():
    logits = (torch.zeros(1, 2, 512, 512, dtype=torch.float16)).requires_grad_()
    labels = torch.zeros(1, 512, 512, dtype=torch.uint8)
    loss, _ = segmentation_loss(logits, labels, torch.ones(2), 1.0)
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(np.log(2) + 1 - (2 * 0.5 + 0) / 1.5, abs=1e-3)


def test_class_weights_favour_rare_classes_and_skip_absent_ones():
    w = class_weights([10_000, 100, 0])
    assert w[2] == 0
    assert w[1] > 3 * w[0]
    assert w[:2].mean() == pytest.approx(1)
    with pytest.raises(ValueError, match="no pixel"):
        class_weights([0, 0])
    with pytest.raises(ValueError, match="unknown"):
        class_weights([1], "sqrt")
