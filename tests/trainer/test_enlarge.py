"""The short way gives what the long way gives."""

import pytest
import torch
import torch.nn.functional as F

from trainer.enlarge import labels_at


def smooth(classes, size, seed):
    """Logits as networks give them: large areas, soft borders."""
    g = torch.Generator().manual_seed(seed)
    coarse = torch.randn(1, classes, 4, 5, generator=g)
    return F.interpolate(coarse, size=size, mode="bicubic").contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("noise", [False, True])
@pytest.mark.parametrize("classes", [2, 17])
@pytest.mark.parametrize(
    ("size", "target"), [((22, 40), (72, 128)), ((30, 30), (31, 97)), ((24, 24), (9, 24)), ((1, 1), (5, 4))]
)
def test_equals_enlarging_everything(size, target, classes, noise):
    logits = smooth(classes, size, seed=3)
    if noise:  # borders everywhere
        logits = torch.randn(logits.shape, generator=torch.Generator().manual_seed(5))
    large = F.interpolate(logits, size=target, mode="bilinear", align_corners=False)
    best, second = large.topk(2, dim=1).values[0]
    sure = best - second > 1e-5  # float rounding may decide a tie
    labels = labels_at(logits, target)
    assert labels.shape == target and labels.dtype == torch.uint8
    assert torch.equal(labels[sure].long(), large.argmax(1)[0][sure])
    assert sure.float().mean() > 0.99


def test_the_size_it_has_is_a_plain_argmax():
    logits = smooth(5, (8, 9), seed=1)
    assert torch.equal(labels_at(logits, (8, 9)).long(), logits.argmax(1)[0])
