"""Child of `train-step`: segmentation-models-pytorch's Unet with its smallest ResNet, one training step a turn.

    PYTHON -m benchmarks.references.smp_unet BATCH HEIGHT WIDTH CLASSES

As its documentation shows it: fp32, PyTorch's cross-entropy and Adam; random weights, which train as fast as others.
"""

import sys
from importlib import metadata

import torch
from torch import library
from torch.nn import functional

try:
    import torchvision  # noqa: F401
except RuntimeError:
    # torchvision's wheel is built for CUDA; beside a PyTorch without it, its operators are missing and it will not be
    # imported. It is imported here for its name's sake only: no operator of it is called.
    sys.modules.pop("torchvision", None)
    missing = library.Library("torchvision", "DEF")
    missing.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    missing.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")

import segmentation_models_pytorch

from benchmarks.child import answer


def main():
    batch, height, width, classes = map(int, sys.argv[1:5])
    torch.set_num_threads(1)
    torch.manual_seed(0)
    net = segmentation_models_pytorch.Unet("resnet18", encoder_weights=None, classes=classes)
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    pictures = torch.rand(batch, 3, height, width)
    labels = torch.randint(classes, (batch, height, width))

    def step():
        loss = functional.cross_entropy(net(pictures), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return batch

    parameters = sum(p.numel() for p in net.parameters())
    answer(step, parameters=parameters, versions={"smp": metadata.version("segmentation-models-pytorch")})


if __name__ == "__main__":
    main()
