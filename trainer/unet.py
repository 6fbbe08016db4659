"""The U-Net of Ronneberger, Fischer and Brox (2015, arXiv:1505.04597), and the variants that the presets name.

Shapes are (N, channels, H, W). Level 0 is the finest; `widths[k]` is the number of channels of level k.

    picture ─ block 0 ───────────────────────── skip ──────────────────────────► block ─ 1x1 ─ logits
                 └ pool ─ block 1 ───────────── skip ─────────────► block ─ up ─────┘
                             └ pool ─ block 2 ─ skip ► block ─ up ────┘
                                         └ pool ─ block 3 ─ up ─┘

`docs/unet.md` explains each part beside the line that does it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainer.config import build, configs_dir, load_yaml, nearest
from trainer.errors import ConfigError

MAX_LEVELS = 12
MAX_CHANNELS = 1 << 16
"""Far beyond any network of this kind: what a damaged or hostile model.json asks for is not made."""


@dataclass(frozen=True)
class UNetConfig:
    """One network; `configs/models/*.yaml` hold the presets."""

    preset: str
    """Name that model.json and logs show."""
    widths: tuple[int, ...]
    """Channels of each level, finest first; the last one is the bottom of the U."""
    classes: int = 17
    """Output channels."""
    in_channels: int = 3
    """Colour channels of the picture."""
    padding: Literal["same", "valid"] = "same"
    """"valid" is the paper: no padding, each 3x3 convolution takes a border of one pixel, skips are cropped to fit."""
    norm: Literal["none", "batch"] = "none"
    """Normalisation after each 3x3 convolution. The paper (2015) had none."""
    instance_levels: int = 0
    """On so many of the finest levels, half of the first convolution's channels are instance-normalised (IBN-Net a,
    arXiv:1807.09441), which takes a picture's lighting and weather out of the features."""
    up_kernel: Literal[2, 3] = 2
    """Kernel of the transposed convolutions, stride 2: 2 in the paper, 3 in the course."""
    dropout: float = 0.0
    """Share of dropped activations after the blocks of `dropout_levels`; a skip is taken after it."""
    dropout_levels: tuple[int, ...] = ()
    """Levels of the contracting path with dropout."""
    extra_conv: bool = False
    """One more 3x3 convolution before the 1x1 classifier (the course network)."""
    stem_stride: Literal[1, 2] = 1
    """Stride of the very first convolution; 2 computes all levels at half the size and enlarges the logits by two."""
    mean: float = 0.5
    """Subtracted from pictures in [0, 1] ..."""
    std: float = 0.5
    """... and divided by."""

    def __post_init__(self) -> None:
        if len(self.widths) < 2:
            raise ValueError(f"widths: {list(self.widths)} is too short; a U needs at least two levels")
        if len(self.widths) > MAX_LEVELS or max(self.widths) > MAX_CHANNELS:
            raise ValueError(f"widths: at most {MAX_LEVELS} levels of at most {MAX_CHANNELS} channels")
        if min(self.widths) < 2 or self.classes < 1 or self.in_channels < 1:
            raise ValueError("widths, classes and in_channels: must be positive (widths from 2)")
        if not 0.0 <= self.dropout < 1.0:
            raise ValueError(f"dropout: {self.dropout} is not in [0, 1)")
        if self.std <= 0:
            raise ValueError(f"std: {self.std} must be above 0")
        if self.padding == "valid" and (self.stem_stride != 1 or self.up_kernel != 2):
            raise ValueError("padding: 'valid' goes with stem_stride 1 and up_kernel 2")
        if any(not 0 <= level < len(self.widths) for level in self.dropout_levels):
            raise ValueError(f"dropout_levels: {list(self.dropout_levels)} names a level that the network lacks")

    @property
    def multiple(self) -> int:
        """Picture sides must be a multiple of this inside a `same` network; `forward` pads to it."""
        return int(2 ** (len(self.widths) - 1) * self.stem_stride)


def load_preset(name_or_path: str | Path, **changes: Any) -> UNetConfig:
    """A preset (`paper`, `coursera`, `live`) or one's own network from a YAML file, with `changes` on top.

    Raises:
        ConfigError: there is no such preset or file, an unknown key, or values that do not fit together.
    """
    path = Path(str(name_or_path)).expanduser()
    if path.suffix not in (".yaml", ".yml"):
        folder = configs_dir() / "models"
        path = folder / f"{name_or_path}.yaml"
        if not path.is_file():
            known = [p.stem for p in folder.glob("*.yaml")]
            raise ConfigError(f"there is no network preset {str(name_or_path)!r}; {nearest(str(name_or_path), known)}")
    config = build(UNetConfig, load_yaml(path), str(path))
    try:
        return replace(config, **changes)
    except ValueError as error:
        raise ConfigError(f"{path}: {error}") from None


class HalfInstanceNorm(nn.Module):
    """Instance norm on the first half of the channels, batch norm on the others: (N, C, H, W) -> the same."""

    def __init__(self, channels: int):
        super().__init__()
        self.split = channels // 2
        self.instance = nn.InstanceNorm2d(self.split, affine=True)
        self.batch = nn.BatchNorm2d(channels - self.split)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H, W)."""
        return torch.cat([self.instance(x[:, : self.split]), self.batch(x[:, self.split :])], dim=1)


class ConvBlock(nn.Sequential):
    """Twice (3x3 convolution, normalisation if any, ReLU): the unit that both paths are made of."""

    def __init__(self, in_channels: int, channels: int, config: UNetConfig, stride: int = 1, instance: bool = False):
        layers: list[nn.Module] = []
        for i in range(2):
            layers.append(
                nn.Conv2d(
                    in_channels if i == 0 else channels,
                    channels,
                    kernel_size=3,
                    stride=stride if i == 0 else 1,
                    padding=1 if config.padding == "same" else 0,
                    bias=config.norm == "none",  # a norm has its own shift
                )
            )
            if config.norm == "batch":
                layers.append(HalfInstanceNorm(channels) if instance and i == 0 else nn.BatchNorm2d(channels))
            layers.append(nn.ReLU(inplace=True))
        super().__init__(*layers)


class UpConv(nn.Module):
    """Transposed convolution of stride 2, no activation: (N, C, H, W) -> (N, channels, 2H, 2W)."""

    def __init__(self, in_channels: int, channels: int, kernel: int):
        super().__init__()
        self.conv = nn.ConvTranspose2d(in_channels, channels, kernel_size=kernel, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, channels, 2H, 2W)."""
        y = self.conv(x)
        # A 3x3 kernel gives 2H+1: Keras 'same' drops the last row and column (measured; torch's padding=1 drops the first).
        return y[..., : 2 * x.shape[-2], : 2 * x.shape[-1]]


class UNet(nn.Module):
    """Pictures in, one logit per class and pixel out, at the size of the picture, whatever that size is.

    Raises:
        ValueError: the configuration does not fit together (see UNetConfig).
    """

    def __init__(self, config: UNetConfig):
        super().__init__()
        self.config = config
        widths, c = config.widths, config

        # Contracting path: each level halves the size and says more about less.
        self.down = nn.ModuleList()
        channels = c.in_channels
        for level, width in enumerate(widths):
            stride = c.stem_stride if level == 0 else 1
            self.down.append(ConvBlock(channels, width, c, stride, instance=level < c.instance_levels))
            channels = width
        self.pool = nn.MaxPool2d(2)
        self.drop = nn.Dropout(c.dropout) if c.dropout else nn.Identity()

        # Expanding path: each level doubles the size and joins what its twin on the way down still knew of the place.
        self.up = nn.ModuleList()
        self.join = nn.ModuleList()
        for width in reversed(widths[:-1]):
            self.up.append(UpConv(channels, width, c.up_kernel))
            self.join.append(ConvBlock(2 * width, width, c))
            channels = width
        self.extra = (
            nn.Sequential(
                nn.Conv2d(channels, channels, 3, padding=1 if c.padding == "same" else 0), nn.ReLU(inplace=True)
            )
            if c.extra_conv
            else nn.Identity()
        )

        # Classifier: a 1x1 convolution is the same linear layer at every pixel.
        self.head = nn.Conv2d(channels, c.classes, kernel_size=1)
        self._initialise()

    def forward(self, pictures: Tensor) -> Tensor:
        """Logits of pictures of any size.

        In training mode a network with `stem_stride` 2 leaves its logits at half the size, where they are computed:
        the loss on four times as many enlarged ones took longer than all convolutions together and taught nothing
        more.

        Shape:
            (N, 3, H, W) uint8, or float in [0, 1] -> (N, classes, H, W) float; in training (N, classes, H / stem_stride,
            W / stem_stride).
        """
        height, width = pictures.shape[-2:]
        left, right, top, bottom = self.border(height, width)
        x = self.normalise(pictures)
        if left or right or top or bottom:
            # The paper mirrors the picture into the border that valid convolutions eat; that needs a side longer than
            # the border. Where the border only fills up to a multiple, repeating the edge does.
            mirror = self.config.padding == "valid" and max(left, right) < width and max(top, bottom) < height
            x = F.pad(x, (left, right, top, bottom), mode="reflect" if mirror else "replicate")
        y = self.logits(x)
        if self.training and self.config.stem_stride == 2:
            return y[..., : -(-height // 2), : -(-width // 2)]
        if self.config.stem_stride == 2:
            y = F.interpolate(y, scale_factor=2.0, mode="bilinear", align_corners=False)
        if self.config.padding == "valid":
            return y[..., :height, :width]
        return y[..., top : top + height, left : left + width]

    def normalise(self, pictures: Tensor) -> Tensor:
        """(N, 3, H, W) uint8, or float in [0, 1] -> float, centred as the preset says."""
        x = pictures.float() / 255.0 if pictures.dtype == torch.uint8 else pictures
        return (x - self.config.mean) / self.config.std

    def logits(self, x: Tensor) -> Tensor:
        """The bare network on normalised input, without padding: (N, 3, H, W) -> (N, classes, h, w).

        With `same` padding H and W must be multiples of `config.multiple`, and h = H / stem_stride. The paper's
        network maps 572 to 388.
        """
        skips = []
        for level, block in enumerate(self.down):
            if level:
                x = self.pool(x)
            x = block(x)
            if level in self.config.dropout_levels:
                x = self.drop(x)
            skips.append(x)
        skips.pop()  # the bottom of the U goes up itself
        for up, join in zip(self.up, self.join, strict=True):
            x = up(x)
            x = join(torch.cat([x, _crop(skips.pop(), x)], dim=1))
        return self.head(self.extra(x))

    def border(self, height: int, width: int) -> tuple[int, int, int, int]:
        """Left, right, top, bottom pixels to add before `logits`."""
        if self.config.padding == "same":
            m = self.config.multiple
            return 0, -width % m, 0, -height % m
        (left, right), (top, bottom) = (self._valid_border(side) for side in (width, height))
        return left, right, top, bottom

    def _valid_border(self, side: int) -> tuple[int, int]:
        """Before and after: the smallest input side whose output covers `side`, for the paper's valid convolutions."""
        levels, per_block = len(self.config.widths), 4  # two 3x3 convolutions eat 4 pixels
        bottom = 1
        while True:
            # Upwards from the smallest map: what comes in at the top when the bottom block is fed `bottom` + 4 pixels.
            size_in = bottom + per_block
            out = bottom
            for _ in range(levels - 1):
                size_in = 2 * size_in + per_block
                out = 2 * out - per_block
            if self.config.extra_conv:
                out -= 2
            if out >= side:
                margin = (size_in - out) // 2
                return margin, size_in - side - margin
            bottom += 1

    def _initialise(self) -> None:
        """He et al. 2015 for what a ReLU follows, Glorot for what it does not; as Keras does (normal cut at 2 sigma)."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d) and module.kernel_size == (3, 3):
                fan_in = module.in_channels * 9
                std = math.sqrt(2.0 / fan_in) / 0.87962566103423978  # the deviation that is left after the cut
                nn.init.trunc_normal_(module.weight, std=std, a=-2 * std, b=2 * std)
            elif isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
                nn.init.xavier_uniform_(module.weight)
            if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)) and module.bias is not None:
                nn.init.zeros_(module.bias)


def _crop(skip: Tensor, like: Tensor) -> Tensor:
    """The centre of `skip` at the size of `like`: valid convolutions made the way up smaller than the way down."""
    dh, dw = skip.shape[-2] - like.shape[-2], skip.shape[-1] - like.shape[-1]
    return skip[..., dh // 2 : dh // 2 + like.shape[-2], dw // 2 : dw // 2 + like.shape[-1]]


@dataclass(frozen=True)
class Layer:
    """One line of `model show`."""

    name: str
    kind: str
    out_shape: tuple[int, ...]
    parameters: int


def describe(net: UNet, size: tuple[int, int]) -> list[Layer]:
    """The layers in the order in which they run, on one picture of `size` (H, W); shapes are (channels, h, w)."""
    layers: list[Layer] = []

    def kind(module: nn.Module) -> str:
        if isinstance(module, nn.ConvTranspose2d):
            return "transposed"
        if isinstance(module, nn.Conv2d):
            return f"conv{module.kernel_size[0]}x{module.kernel_size[1]}"
        return {nn.MaxPool2d: "pool", nn.Dropout: "dropout", nn.BatchNorm2d: "norm", nn.InstanceNorm2d: "norm"}[
            type(module)
        ]

    def note(name: str, module: nn.Module) -> None:
        def hook(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            count = sum(p.numel() for p in module.parameters())
            layers.append(Layer(name, kind(module), tuple(output.shape[1:]), count))

        handles.append(module.register_forward_hook(hook))

    handles: list[torch.utils.hooks.RemovableHandle] = []
    training = net.training
    for name, module in net.named_modules():
        if isinstance(
            module, (nn.Conv2d, nn.ConvTranspose2d, nn.MaxPool2d, nn.Dropout, nn.BatchNorm2d, nn.InstanceNorm2d)
        ):
            note(name, module)
    try:
        device = next(net.parameters()).device
        with torch.no_grad():
            net.eval().logits(torch.zeros(1, net.config.in_channels, *size, device=device))
    finally:
        net.train(training)
        for handle in handles:
            handle.remove()
    return layers


def count_convolutions(layers: list[Layer]) -> dict[str, int]:
    """`{"total", "conv3x3", "transposed", "conv1x1"}` of `describe`'s layers."""
    kinds = [layer.kind for layer in layers]
    counts = {kind: kinds.count(kind) for kind in ("conv3x3", "transposed", "conv1x1")}
    return {"total": sum(counts.values()), **counts}
