"""Engines around one model: the same preprocessing, the same masks."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from tests.trainer.streets import draw_street
from trainer.errors import ModelError, UsageError
from trainer.model_dir import load_model, save_model
from trainer.segmenter import (
    ExportedSegmenter,
    TorchSegmenter,
    fold_norms,
    open_segmenter,
    pad,
)
from trainer.unet import UNet, UNetConfig


@pytest.fixture(scope="module")
def segmenter(fitted):
    return open_segmenter(fitted, "torch", "fp32", threads=1)


@pytest.mark.parametrize("size", [(40, 56), (80, 112), (41, 77), (9, 5), (200, 100)])
def test_masks_have_the_pictures_size(segmenter, size):
    picture = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    labels, probabilities = segmenter.segment(picture), segmenter.probabilities(picture)
    assert labels.shape == size and labels.dtype == np.uint8
    assert probabilities.shape == (17, *size) and probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities.sum(0), 1.0, atol=1e-5)
    np.testing.assert_array_equal(labels, probabilities.argmax(0))


def test_a_mask_is_what_the_network_says(segmenter, fitted):
    net, info = load_model(fitted)
    picture, _ = draw_street(3)
    with torch.no_grad():
        expected = net(torch.from_numpy(picture).permute(2, 0, 1)[None]).argmax(1)[0].numpy()
    assert (segmenter.segment(picture) == expected).mean() > 0.999
    names = np.array(info.classes.names)
    assert names[segmenter.segment(picture)[2, 28]] == "sky"
    assert segmenter.engine == "torch-fp32" and segmenter.info == info


def test_pictures_may_be_read_only_and_flipped(segmenter):
    picture, _ = draw_street(1)
    flipped = picture[:, ::-1]
    expected = segmenter.segment(flipped.copy())
    frozen = flipped.copy()
    frozen.flags.writeable = False
    np.testing.assert_array_equal(segmenter.segment(flipped), expected)
    np.testing.assert_array_equal(segmenter.segment(frozen), expected)


@pytest.mark.parametrize("wrong", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 3)), np.zeros((0, 4, 3), np.uint8)])
def test_what_is_no_picture_is_refused(segmenter, wrong):
    with pytest.raises(ModelError, match=r"pass \(H, W, 3\) uint8 RGB"):
        segmenter.segment(wrong)


def test_folding_norms_changes_nothing():
    torch.manual_seed(0)
    net = UNet(UNetConfig("t", (4, 8), classes=3, norm="batch", instance_levels=1))
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_var, 0.5, 2.0)
            nn.init.normal_(module.running_mean)
            nn.init.normal_(module.weight)
            nn.init.normal_(module.bias)
    net.eval()
    x = torch.rand(1, 3, 16, 16)
    with torch.no_grad():
        before = net(x)
        fold_norms(net)
        torch.testing.assert_close(net(x), before, atol=1e-5, rtol=1e-4)
    left = [m for m in net.modules() if isinstance(m, nn.BatchNorm2d)]
    assert len(left) == 1, "only the one inside the half instance norm follows no convolution"


class TorchAsGraph(ExportedSegmenter):
    """Stands in for an exported graph, so that its padding and cropping are compared without an engine."""

    def __init__(self, net, info, folder):
        super().__init__(info, folder)
        self.engine, self.net = "stub", net

    def _infer(self, pictures):
        assert pictures.flags.writeable and pictures.flags.c_contiguous, "as OpenVINO takes memory"
        with torch.no_grad():
            logits = self.net.logits(self.net.normalise(torch.from_numpy(pictures).permute(0, 3, 1, 2)))
            if self.net.config.stem_stride == 2:
                logits = nn.functional.interpolate(logits, scale_factor=2.0, mode="bilinear", align_corners=False)
        return logits.permute(0, 2, 3, 1).contiguous().numpy()


@pytest.mark.parametrize(
    "config",
    [
        UNetConfig("same", (4, 6, 8), classes=17, stem_stride=2),
        UNetConfig("course", (4, 6), classes=17, up_kernel=3, extra_conv=True),
        UNetConfig("valid", (4, 4, 6), classes=17, padding="valid"),
    ],
    ids=lambda c: c.preset,
)
def test_exported_graphs_are_padded_as_forward_pads(fitted, tmp_path, config):
    torch.manual_seed(0)
    _, info = load_model(fitted)
    net = UNet(config).eval()
    info = replace(info, network=config)
    folder = save_model(tmp_path / "model", net.state_dict(), info)
    graph = TorchAsGraph(net, info, folder)
    for size in ((40, 56), (33, 51)):
        picture = np.random.default_rng(1).integers(0, 256, (*size, 3), np.uint8)
        picture.flags.writeable = False  # as decoders give them
        direct = TorchSegmenter(UNet(config).eval(), info, folder, torch.device("cpu"), bf16=False)
        direct.net.load_state_dict(net.state_dict())
        np.testing.assert_allclose(graph.probabilities(picture), direct.probabilities(picture), atol=1e-5)


def test_padding_keeps_a_picture_that_fits():
    net = UNet(UNetConfig("t", (4, 8), classes=2))
    picture = np.zeros((8, 6, 3), np.uint8)
    assert pad(picture, net) is picture
    assert pad(picture[:7, :5], net).shape == (8, 6, 3)


@pytest.mark.parametrize(
    ("engine", "precision", "said"),
    [
        ("opnvino", "auto", "did you mean 'openvino'"),
        ("torch", "int8", "torch has no int8"),
        ("openvino-int8", "bf16", "openvino-int8 is int8, not bf16"),
    ],
)
def test_engines_that_there_are_none_of(fitted, engine, precision, said):
    with pytest.raises(UsageError, match=said):
        open_segmenter(fitted, engine, precision)


def test_an_engine_that_was_not_exported_names_the_command(fitted):
    with pytest.raises(
        ModelError, match="no openvino-bf16 engine; make one with .export --model .* --to openvino-bf16"
    ):
        open_segmenter(fitted, "openvino-bf16")


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_a_gpu_that_is_not_there(fitted):
    with pytest.raises(UsageError, match="finds no CUDA GPU"):
        open_segmenter(fitted, device="cuda")
    assert open_segmenter(fitted, "torch", "fp32", device="auto").engine == "torch-fp32"


def test_bf16_where_the_cpu_has_it(fitted, monkeypatch):
    monkeypatch.setattr("trainer.segmenter.bf16_pays", lambda device: False)
    with pytest.raises(UsageError, match="no bf16 instructions"):
        open_segmenter(fitted, "torch-bf16")
    assert open_segmenter(fitted).engine == "torch-fp32"
    monkeypatch.setattr("trainer.segmenter.bf16_pays", lambda device: True)
    fast = open_segmenter(fitted)
    assert fast.engine == "torch-bf16"
    picture, _ = draw_street(2)
    exact = open_segmenter(fitted, "torch", "fp32").segment(picture)
    assert (fast.segment(picture) == exact).mean() > 0.97


def test_a_damaged_model_is_not_run(fitted, tmp_path):
    model = shutil.copytree(fitted, tmp_path / "model")
    (model / "model.safetensors").write_bytes(b"")
    with pytest.raises(ModelError, match="differs"):
        open_segmenter(model)
