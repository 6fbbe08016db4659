"""The presets to the letter, any picture size, and Keras' semantics from an oracle in numpy."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from trainer.errors import ConfigError
from trainer.unet import UNet, UNetConfig, count_convolutions, describe, load_preset
from trainer.unet_drawing import draw

ROOT = Path(__file__).resolve().parents[2]
TINY = UNetConfig("tiny", (8, 16, 16), classes=5, norm="batch", instance_levels=1, stem_stride=2)
SMALL_PAPER = UNetConfig("small-paper", (4, 4, 8), classes=3, padding="valid")
SMALL_COURSE = UNetConfig("small-course", (4, 6, 8), classes=5, up_kernel=3, extra_conv=True, mean=0.0, std=1.0)


def on_meta(config):
    with torch.device("meta"):
        return UNet(config)


def test_paper_has_23_layers_and_maps_572_to_388():
    net = on_meta(load_preset("paper", classes=2, in_channels=1))
    layers = describe(net, (572, 572))
    assert count_convolutions(layers) == {"total": 23, "conv3x3": 18, "transposed": 4, "conv1x1": 1}
    assert layers[-1].out_shape == (2, 388, 388)
    assert sum(p.numel() for p in net.parameters()) == 31_030_658  # one channel in, two classes, as in the paper
    # Figure 1 of the paper: the size after each pair of convolutions on the way down, and after each way up.
    sizes = [layer.out_shape for layer in layers if layer.kind != "conv1x1"]
    for shape in ((64, 568, 568), (128, 280, 280), (256, 136, 136), (512, 64, 64), (1024, 28, 28), (512, 56, 56)):
        assert shape in sizes


def test_coursera_has_the_parameters_of_the_course():
    net = on_meta(load_preset("coursera", classes=23))
    assert sum(p.numel() for p in net.parameters()) == 8_640_471
    layers = describe(net, (96, 128))
    assert count_convolutions(layers) == {"total": 24, "conv3x3": 19, "transposed": 4, "conv1x1": 1}
    assert layers[-1].out_shape == (23, 96, 128)


def test_describe_counts_every_parameter():
    for config in (TINY, SMALL_PAPER, SMALL_COURSE):
        net = UNet(config)
        assert sum(layer.parameters for layer in describe(net, (64, 64))) == sum(p.numel() for p in net.parameters())
        assert net.training, "describe gives the mode back"


@pytest.mark.parametrize("size", [(33, 47), (5, 3), (16, 16), (1, 60)])
@pytest.mark.parametrize("config", [TINY, SMALL_PAPER, SMALL_COURSE], ids=lambda c: c.preset)
def test_any_picture_size_comes_back(config, size):
    net = UNet(config).eval()
    pictures = torch.randint(0, 256, (2, 3, *size), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        from_bytes, from_floats = net(pictures), net(pictures / 255.0)
    assert from_bytes.shape == (2, config.classes, *size)
    torch.testing.assert_close(from_bytes, from_floats)


@pytest.mark.parametrize("config", [TINY, SMALL_PAPER, SMALL_COURSE], ids=lambda c: c.preset)
def test_the_gradient_reaches_every_parameter(config):
    torch.manual_seed(0)
    net = UNet(config)
    net(torch.rand(2, 3, 32, 32)).square().mean().backward()
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name


def test_the_valid_border_gives_what_the_bare_network_gives(monkeypatch):
    torch.manual_seed(0)
    net = UNet(SMALL_PAPER).eval()
    left, right, top, bottom = net.border(20, 26)
    whole = torch.rand(1, 3, 20 + top + bottom, 26 + left + right)
    with torch.no_grad():
        direct = net.logits(net.normalise(whole))
        # A picture with the real surroundings in place of the mirrored ones.
        monkeypatch.setattr(nn.functional, "pad", lambda *_, **__: net.normalise(whole))
        through_forward = net(whole[..., top : top + 20, left : left + 26])
    torch.testing.assert_close(through_forward, direct[..., :20, :26])


def test_a_picture_that_fits_the_paper_is_its_direct_valid_output():
    torch.manual_seed(0)
    net = UNet(SMALL_PAPER).eval()
    left, right, top, bottom = net.border(24, 24)
    with torch.no_grad():
        picture = torch.rand(1, 3, 24, 24)
        mirrored = nn.functional.pad(net.normalise(picture), (left, right, top, bottom), mode="reflect")
        torch.testing.assert_close(net(picture), net.logits(mirrored)[..., :24, :24])


def keras_conv(x, layer):
    """Conv2D 'same' on (H, W, C) with torch's weights (out, in, k, k)."""
    weight, bias = layer.weight.detach().numpy(), layer.bias.detach().numpy()
    k = weight.shape[-1]
    x = np.pad(x, ((k // 2, k // 2), (k // 2, k // 2), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(x, (k, k), axis=(0, 1))  # (H, W, C, k, k)
    return np.einsum("hwcij,ocij->hwo", windows, weight) + bias


def keras_up(x, layer):
    """Conv2DTranspose k=3, stride 2, 'same': every pixel stamps 3x3, the last row and column fall off."""
    weight, bias = layer.weight.detach().numpy(), layer.bias.detach().numpy()
    h, w, _ = x.shape
    out = np.zeros((2 * h + 1, 2 * w + 1, weight.shape[1]))
    for i in range(3):
        for j in range(3):
            out[i : i + 2 * h : 2, j : j + 2 * w : 2] += x @ weight[:, :, i, j]
    return out[: 2 * h, : 2 * w] + bias


def test_the_course_network_is_what_keras_computes():
    torch.manual_seed(0)
    net = UNet(SMALL_COURSE).eval()
    for parameter in net.parameters():  # biases too, or their places would not be compared
        nn.init.normal_(parameter, std=0.3)
    picture = np.random.default_rng(0).random((16, 24, 3), np.float32)

    def block(x, layers):
        for layer in layers:
            if isinstance(layer, nn.Conv2d):
                x = np.maximum(keras_conv(x, layer), 0.0)
        return x

    x, skips = picture.astype(np.float64), []
    for level, layers in enumerate(net.down):
        if level:
            x = x.reshape(x.shape[0] // 2, 2, x.shape[1] // 2, 2, -1).max(axis=(1, 3))
        x = block(x, layers)
        skips.append(x)
    skips.pop()
    for up, join in zip(net.up, net.join, strict=True):
        x = block(np.concatenate([keras_up(x, up.conv), skips.pop()], axis=-1), join)
    expected = keras_conv(block(x, net.extra), net.head)
    with torch.no_grad():
        ours = net(torch.from_numpy(picture).permute(2, 0, 1)[None])[0].permute(1, 2, 0).numpy()
    assert np.abs(ours - expected).max() < 1e-4 * max(1.0, np.abs(expected).max())


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"widths": (8,)}, "widths"),
        ({"padding": "valid", "stem_stride": 2}, "stem_stride"),
        ({"dropout": 1.0}, "dropout"),
        ({"dropout_levels": (7,)}, "dropout_levels"),
        ({"std": 0.0}, "std"),
    ],
)
def test_values_that_do_not_fit_are_named(changes, said):
    with pytest.raises(ValueError, match=said):
        replace(TINY, **changes)


def test_an_unknown_preset_names_the_nearest():
    with pytest.raises(ConfigError, match="did you mean 'coursera'"):
        load_preset("courserra")


def test_the_document_quotes_the_code_and_the_drawing_is_the_networks():
    code = "".join((ROOT / "trainer" / name).read_text(encoding="utf-8") for name in ("unet.py", "losses.py"))
    document = (ROOT / "docs" / "unet.md").read_text(encoding="utf-8")
    quotes = [part.split("```")[0] for part in document.split("```python\n")[1:]]
    assert len(quotes) >= 8
    for quote in quotes:
        assert quote in code, quote
    drawing = (ROOT / "docs" / "unet.svg").read_text(encoding="utf-8")
    assert drawing == draw(on_meta(load_preset("paper")), (572, 572)), (
        "draw it again: python launch.py model show paper --drawing docs/unet.svg"
    )


def test_every_preset_is_drawn_as_well_formed_xml():
    import xml.etree.ElementTree as tree

    for name, size in (("coursera", (96, 128)), ("live", (192, 320))):
        root = tree.fromstring(draw(on_meta(load_preset(name)), size))
        assert root.tag.endswith("svg")
        texts = [t.text for t in root.iter() if t.tag.endswith("text")]
        assert json.dumps(texts).count("+") == len(load_preset(name).widths) - 1  # one join a level
