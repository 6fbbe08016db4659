"""Augmentation: labels follow pictures exactly, and what happens depends on (seed, epoch, picture) alone."""

import dataclasses
import hashlib

import numpy as np
import pytest
import torch

from trainer.augment import AugmentConfig, apply, draw, plain
from trainer.config import build, configs_dir, load_yaml
from trainer.dataset.sampler import Slot
from trainer.labels import VOID
from trainer.recipe import TrainConfig

DEFAULT = build(TrainConfig, load_yaml(configs_dir() / "train.yaml"), "train.yaml").augment
GEOMETRY = AugmentConfig(scale=(0.5, 2.0), flip=0.5, turn_deg=5, stretch=0.2)


def scene(count=4, height=48, width=64, block=8):
    """Pictures whose red channel is 10 x the label: a label that does not follow its picture shows."""
    g = torch.Generator().manual_seed(0)
    blocks = torch.randint(0, 8, (count, height // block, width // block), generator=g)
    labels = blocks.repeat_interleave(block, 1).repeat_interleave(block, 2).to(torch.uint8)
    pictures = torch.stack([labels * 30, labels * 10, 255 - labels * 20], dim=-1)
    return pictures, labels


@pytest.mark.parametrize("stride", [1, 2])
def test_labels_follow_their_pictures(stride):
    pictures, labels = scene(height=192, width=256, block=32)
    slots = [Slot(0, i) for i in range(4)]
    x, y = apply(GEOMETRY, pictures, labels, draw(3, slots), (96, 128), stride)
    assert x.shape == (4, 3, 96, 128) and y.shape == (4, 96 // stride, 128 // stride)
    red = x[:, 0] * 255 / 30
    if stride == 2:  # the centre of a label pixel is the corner of four picture pixels
        red = torch.nn.functional.avg_pool2d(red[:, None], 2)[:, 0]
    counted = y != VOID
    assert 0.3 < counted.float().mean() <= 1
    close = (red - y).abs() < 0.25
    # Bilinear pictures blend at the borders of blocks; inside, both must say the same.
    assert close[counted].float().mean() > 0.7
    window = dict(kernel_size=2 * stride + 1, stride=1, padding=stride)
    largest = torch.nn.functional.max_pool2d(y[:, None].float(), **window)[:, 0]
    smallest = -torch.nn.functional.max_pool2d(-y[:, None].float(), **window)[:, 0]
    flat = largest == smallest
    assert close[counted & flat].float().mean() > 0.99


def test_no_change_is_the_identity():
    pictures, labels = scene()
    x, y = apply(AugmentConfig(), pictures, labels, draw(0, [Slot(0, i) for i in range(4)]), (48, 64), 1)
    assert torch.equal(y, labels)
    torch.testing.assert_close(x, pictures.permute(0, 3, 1, 2) / 255.0, atol=1e-5, rtol=0)


def test_mirrored_means_mirrored():
    pictures, labels = scene()
    x, y = apply(AugmentConfig(flip=1.0), pictures, labels, draw(0, [Slot(0, i) for i in range(4)]), (48, 64), 1)
    assert torch.equal(y, labels.flip(2))
    torch.testing.assert_close(x, pictures.permute(0, 3, 1, 2).flip(3) / 255.0, atol=1e-5, rtol=0)


def test_a_picture_is_changed_alike_in_any_batch():
    pictures, labels = scene()
    slots = [Slot(2, i) for i in range(4)]
    whole_x, whole_y = apply(DEFAULT, pictures, labels, draw(5, slots), (32, 48), 2)
    for i in range(4):
        x, y = apply(DEFAULT, pictures[i : i + 1], labels[i : i + 1], draw(5, slots[i : i + 1]), (32, 48), 2)
        torch.testing.assert_close(x[0], whole_x[i], atol=1e-5, rtol=1e-5)
        assert torch.equal(y[0], whole_y[i])


def test_draws_differ_by_seed_epoch_and_picture_and_by_nothing_else():
    digest = lambda seed, slot: hashlib.sha256(draw(seed, [slot]).uniform.tobytes()).hexdigest()  # noqa: E731
    base = digest(0, Slot(0, 0))
    assert digest(0, Slot(0, 0)) == base
    assert len({base, digest(1, Slot(0, 0)), digest(0, Slot(1, 0)), digest(0, Slot(0, 1))}) == 4


def test_strong_light_keeps_the_range_and_the_labels():
    pictures, labels = scene(16)
    strong = dataclasses.replace(
        DEFAULT,
        permute=1.0,
        haze=1.0,
        shadow=1.0,
        noise=1.0,
        blur=1.0,
        patch=1.0,
        grey=0.3,
        scale=(1, 1),
        flip=0,
        turn_deg=0,
        stretch=0,
    )
    x, y = apply(strong, pictures, labels, draw(0, [Slot(0, i) for i in range(16)]), (48, 64), 1)
    assert x.min() >= 0 and x.max() <= 1 and torch.isfinite(x).all()
    assert torch.equal(y, labels)
    changed = (x - pictures.permute(0, 3, 1, 2) / 255).abs().mean(dim=(1, 2, 3))
    assert (changed > 0.01).all()


def test_focus_finds_a_rare_class():
    pictures, labels = scene(64, 180, 320, 20)
    labels[:] = 3
    labels[:, 100:108, 200:206] = 5  # 0.08 % of the pixels
    slots = [Slot(0, i) for i in range(64)]
    shares = {}
    for focus in (0.0, 1.0):
        _, y = apply(AugmentConfig(scale=(2, 2), focus=focus), pictures, labels, draw(0, slots), (64, 64), 1)
        shares[focus] = ((y == 5).any(2).any(1)).float().mean().item()
    assert shares[0.0] < 0.15
    assert 0.4 < shares[1.0] < 0.9  # every second window is about class 5, a few of the others hold it by chance


def test_focus_on_a_picture_without_classes_is_any_window():
    pictures, labels = scene()
    x, y = apply(
        AugmentConfig(focus=1.0), pictures, torch.full_like(labels, VOID), draw(0, [Slot(0, 0)] * 4), (32, 32), 1
    )
    assert (y == VOID).all() and torch.isfinite(x).all()


def test_plain_takes_labels_at_the_stride():
    pictures, labels = scene()
    x, y = plain(pictures, labels, 2)
    assert x.shape == (4, 3, 48, 64) and torch.equal(y, labels[:, 1::2, 1::2])


def test_ranges_are_checked():
    with pytest.raises(ValueError, match="flip: 2 is no probability"):
        AugmentConfig(flip=2)
    with pytest.raises(ValueError, match="scale"):
        AugmentConfig(scale=(2.0, 1.0))
    with pytest.raises(ValueError, match="hue"):
        AugmentConfig(hue=-1)
    assert np.isfinite(draw(0, [Slot(0, 0)]).normal).all()
