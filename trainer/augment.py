"""Joint augmentation of pictures and labels, in batches on the training device.

What happens to a picture is drawn from (seed, epoch, picture) alone, so it does not depend on the number of workers, on
the device or on where a run was resumed; `draw` gives the numbers, `apply` does the work.

Towns, weather and cameras differ at test time. So: scale, shift, turn and mirror (cameras, and places that a fixed
camera never shows); exposure, contrast, colour cast, hue and saturation (weather, time of day); haze, cast shadows,
blur, noise and patches without content (what else a new town does to the same shapes).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from trainer.dataset.sampler import Slot
from trainer.labels import VOID

_UNIFORM, _NORMAL = 32, 16


@dataclass(frozen=True)
class AugmentConfig:
    """How strong each change is. Probabilities are per picture."""

    scale: tuple[float, float] = (1.0, 1.0)
    """Smallest and largest zoom against the size at use; drawn evenly in its logarithm."""
    focus: float = 0.0
    """Probability of a window about a pixel of a class that is drawn evenly from those in the picture: poles, signs and
    people as often as road and sky. The other windows lie anywhere."""
    flip: float = 0.0
    """Probability of mirroring left and right."""
    turn_deg: float = 0.0
    """Largest roll of the camera, degrees."""
    stretch: float = 0.0
    """Largest change of the aspect ratio: 0.1 is 10 %."""
    exposure: float = 0.0
    """Standard deviation of the logarithm of the brightness."""
    contrast: float = 0.0
    """The same for the contrast about the picture's mean."""
    gamma: float = 0.0
    """The same for the exponent of the tone curve."""
    saturation: float = 0.0
    """Standard deviation of the saturation about 1."""
    cast: float = 0.0
    """Standard deviation of the logarithm of each colour channel's gain: sunset, blue hour, white balance."""
    hue: float = 0.0
    """Largest turn of the hue circle, radians."""
    permute: float = 0.0
    """Probability of exchanging the colour channels: colour alone must not tell the class."""
    grey: float = 0.0
    """Probability of a picture without colour."""
    haze: float = 0.0
    """Probability of a band of haze, thickest somewhere about the horizon."""
    shadow: float = 0.0
    """Probability of half a picture in shadow, with a hard or a soft edge."""
    noise: float = 0.0
    """Probability of sensor noise of 1 to 6 % of full scale."""
    blur: float = 0.0
    """Probability of a blur by a 3x3 box."""
    patch: float = 0.0
    """Probability of a rectangle of one colour over a tenth of each side or so; its labels stay: the network is to
    conclude what is there from what is around."""

    def __post_init__(self) -> None:
        low, high = self.scale
        if not 0.05 <= low <= high <= 20:
            raise ValueError(f"scale: {list(self.scale)} must be two rising factors between 0.05 and 20")
        for name in ("focus", "flip", "permute", "grey", "haze", "shadow", "noise", "blur", "patch"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"{name}: {getattr(self, name)} is no probability (0 to 1)")
        for name in ("turn_deg", "stretch", "exposure", "contrast", "gamma", "saturation", "cast", "hue"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name}: {getattr(self, name)} must not be negative")


@dataclass(frozen=True)
class Draw:
    """Random numbers of one batch: `uniform` (B, 32) in [0, 1), `normal` (B, 16), `seeds` for per-pixel noise."""

    uniform: np.ndarray
    normal: np.ndarray
    seeds: tuple[int, ...]


def draw(seed: int, slots: Sequence[Slot]) -> Draw:
    """The random numbers of these pictures: a function of (seed, epoch, picture) and nothing else."""
    uniform = np.empty((len(slots), _UNIFORM), np.float32)
    normal = np.empty((len(slots), _NORMAL), np.float32)
    seeds = []
    for row, slot in enumerate(slots):
        # The first word keeps these streams apart from the sampler's, which count from the bare seed.
        generator = np.random.Generator(np.random.Philox(key=[seed + (1 << 40), (slot.epoch << 32) + slot.index]))
        uniform[row] = generator.random(_UNIFORM, dtype=np.float32)
        normal[row] = generator.standard_normal(_NORMAL, dtype=np.float32)
        seeds.append(int(generator.integers(1 << 62)))
    return Draw(uniform, normal, tuple(seeds))


def apply(
    config: AugmentConfig,
    pictures: Tensor,
    labels: Tensor,
    drawn: Draw,
    size: tuple[int, int],
    label_stride: int = 1,
    detail: float = 1.0,
) -> tuple[Tensor, Tensor]:
    """Augmented pictures and their labels.

    Labels are taken at the exact place of each pixel of the network's output, from the nearest pixel; what lies outside
    the picture is void. `detail`: the pictures are so many times larger than at use, so that a window that is zoomed
    into has real detail.

    Shape:
        pictures (B, H, W, 3) uint8, labels (B, H, W) uint8 -> (B, 3, h, w) float32 in [0, 1] (channels last in
        memory) and (B, h / label_stride, w / label_stride) uint8, with (h, w) = `size`.
    """
    u = torch.from_numpy(drawn.uniform).to(pictures.device)
    n = torch.from_numpy(drawn.normal).to(pictures.device)
    zoom = _zoom(config, u, detail)
    theta = _geometry(config, u, zoom, labels, size)
    x = _warp_pictures(pictures, theta, zoom, size)
    y = _warp_labels(labels, theta, (size[0] // label_stride, size[1] // label_stride))
    return _light(config, x, u, n, drawn.seeds), y


def plain(pictures: Tensor, labels: Tensor, label_stride: int = 1) -> tuple[Tensor, Tensor]:
    """The same shapes without any change: whole pictures, as in validation and in the course's recipe."""
    x = pictures.permute(0, 3, 1, 2).float().div_(255.0)
    offset = label_stride // 2
    return x.contiguous(memory_format=torch.channels_last), labels[:, offset::label_stride, offset::label_stride]


def _zoom(config: AugmentConfig, u: Tensor, detail: float) -> Tensor:
    """(B,): output pixels for one pixel of the stored picture."""
    low, high = math.log(config.scale[0]), math.log(config.scale[1])
    return torch.exp(low + (high - low) * u[:, 0]) / detail


def _geometry(config: AugmentConfig, u: Tensor, zoom: Tensor, labels: Tensor, size: tuple[int, int]) -> Tensor:
    """(B, 2, 3): from output coordinates in [-1, 1] to source pixel coordinates (x, y)."""
    height, width = labels.shape[1:]
    stretch = torch.exp((2 * u[:, 1] - 1) * math.log1p(config.stretch))
    turn = (2 * u[:, 2] - 1) * math.radians(config.turn_deg)
    mirror = torch.where(u[:, 3] < config.flip, -1.0, 1.0)
    # Half the window that is looked at, in source pixels.
    half_w, half_h = size[1] / 2 / zoom * stretch, size[0] / 2 / zoom / stretch
    # A window smaller than the picture lies anywhere in it; a larger one holds it anywhere.
    room_x, room_y = width / 2 - half_w, height / 2 - half_h
    shift_x, shift_y = room_x * (2 * u[:, 4] - 1), room_y * (2 * u[:, 5] - 1)
    if config.focus:
        x, y, found = _drawn_pixels(labels, u[:, 30])
        focused = (u[:, 31] < config.focus) & found
        # The pixel comes to lie anywhere in the middle half of the window, which stays inside the picture if it fits.
        near_x = (x - width / 2 + half_w * (u[:, 4] - 0.5)).clamp(-room_x.abs(), room_x.abs())
        near_y = (y - height / 2 + half_h * (u[:, 5] - 0.5)).clamp(-room_y.abs(), room_y.abs())
        shift_x, shift_y = torch.where(focused, near_x, shift_x), torch.where(focused, near_y, shift_y)
    centre_x, centre_y = width / 2 + shift_x, height / 2 + shift_y
    cos, sin = torch.cos(turn), torch.sin(turn)
    rows = [
        torch.stack([mirror * cos * half_w, -sin * half_h, centre_x], dim=1),
        torch.stack([mirror * sin * half_w, cos * half_h, centre_y], dim=1),
    ]
    return torch.stack(rows, dim=1)


def _drawn_pixels(labels: Tensor, u: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """For each label picture (B, H, W) a pixel of a class that is drawn evenly from those in it, by `u` (B,) in [0, 1).

    Returns x and y (B,) in pixels, and whether the picture has any class at all.
    """
    step = max(1, min(labels.shape[1:]) // 90)  # a coarse grid finds the classes, and a hundred times faster
    coarse = labels[:, ::step, ::step]
    flat = coarse.reshape(len(labels), -1).long()
    counts = torch.zeros((len(labels), 256), device=labels.device)
    counts.scatter_add_(1, flat, torch.ones_like(flat, dtype=torch.float32))
    share = torch.where(flat == VOID, 0.0, 1.0 / counts.gather(1, flat))
    total = share.cumsum(1)
    index = torch.searchsorted(total, (u * total[:, -1] * 0.999999)[:, None], right=True)[:, 0]
    index = index.clamp(max=flat.shape[1] - 1)
    columns = coarse.shape[2]
    x, y = (index % columns) * step + step / 2, torch.div(index, columns, rounding_mode="floor") * step + step / 2
    return x, y, total[:, -1] > 0


def _places(theta: Tensor, size: tuple[int, int]) -> Tensor:
    """(B, h, w, 2): source pixel coordinates (x, y; 0 is the picture's edge) of each output pixel's centre."""
    h, w = size
    xs = (torch.arange(w, device=theta.device) * 2 + 1) / w - 1
    ys = (torch.arange(h, device=theta.device) * 2 + 1) / h - 1
    along_x = theta[:, None, :, 0] * xs[None, :, None]
    along_y = theta[:, None, :, 1] * ys[None, :, None] + theta[:, None, :, 2]
    return along_x[:, None] + along_y[:, :, None]


def _warp_pictures(pictures: Tensor, theta: Tensor, zoom: Tensor, size: tuple[int, int]) -> Tensor:
    height, width = pictures.shape[1:3]
    scale = torch.tensor([2.0 / width, 2.0 / height], device=theta.device)
    grid = _places(theta, size) * scale - 1.0
    x = torch.empty((len(pictures), 3, *size), device=theta.device).contiguous(memory_format=torch.channels_last)
    # Bilinear sampling of a picture that is made much smaller would skip pixels: take it from a halved one.
    halved = zoom < 0.7
    for half in (False, True):
        chosen = torch.nonzero(halved == half).flatten()
        if len(chosen):
            # (B, H, W, 3) seen as (B, 3, H, W) is channels last already.
            source = pictures[chosen].permute(0, 3, 1, 2).float()
            source = F.avg_pool2d(source, 2, ceil_mode=True) if half else source
            x[chosen] = F.grid_sample(source, grid[chosen], "bilinear", "border", align_corners=False)
    return x.div_(255.0)


def _warp_labels(labels: Tensor, theta: Tensor, size: tuple[int, int]) -> Tensor:
    height, width = labels.shape[1:]
    x, y = torch.floor(_places(theta, size)).unbind(-1)
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    index = (y.clamp(0, height - 1) * width + x.clamp(0, width - 1)).long()
    found = labels.reshape(len(labels), -1).gather(1, index.reshape(len(labels), -1)).reshape(index.shape)
    return torch.where(inside, found, torch.full_like(found, VOID))


def _light(config: AugmentConfig, x: Tensor, u: Tensor, n: Tensor, seeds: Sequence[int]) -> Tensor:
    """Colour, light and sensor; x (B, 3, h, w) in [0, 1], changed in place where possible."""
    matrix, bias = _colour(config, x, u, n)
    b, _, h, w = x.shape
    # One 3x3 matrix a picture does exposure, contrast, saturation, cast, hue, channel order and grey at once.
    flat = x.permute(0, 2, 3, 1).reshape(b, h * w, 3)
    x = torch.baddbmm(bias[:, None, :], flat, matrix.transpose(1, 2)).clamp_(0, 1)
    if config.gamma:
        x = x.pow_(torch.exp(config.gamma * n[:, 7])[:, None, None])
    x = x.reshape(b, h, w, 3).permute(0, 3, 1, 2)
    if config.haze:
        _haze(x, u[:, 10:16], (u[:, 9] < config.haze).tolist())
    if config.shadow:
        _shadow(x, u[:, 17:19], n[:, 8:11], (u[:, 16] < config.shadow).tolist())
    for i in torch.nonzero(u[:, 19] < config.blur).flatten().tolist():
        x[i] = F.avg_pool2d(x[i : i + 1], 3, stride=1, padding=1, count_include_pad=False)[0]
    for i in torch.nonzero(u[:, 20] < config.noise).flatten().tolist():
        generator = torch.Generator(x.device).manual_seed(seeds[i])
        strength = 0.01 + 0.05 * u[i, 21]
        x[i] += strength * torch.randn((3, h, w), generator=generator, device=x.device)
    if config.patch:
        _patch(x, u[:, 23:30], (u[:, 22] < config.patch).tolist())
    return x.clamp_(0, 1)


def _colour(config: AugmentConfig, x: Tensor, u: Tensor, n: Tensor) -> tuple[Tensor, Tensor]:
    """(B, 3, 3) and (B, 3): new colour = matrix @ colour + bias."""
    b, device = len(x), x.device
    eye = torch.eye(3, device=device)
    mean_of = torch.full((3, 3), 1 / 3, device=device)
    gain = torch.exp(config.exposure * n[:, 0] + config.contrast * n[:, 1])
    saturation = (1 + config.saturation * n[:, 2]).clamp(0, 2.5)
    saturation = torch.where(u[:, 6] < config.grey, 0.0, saturation)[:, None, None]
    matrix = gain[:, None, None] * (saturation * eye + (1 - saturation) * mean_of)
    # Hue: a turn about the grey axis (Rodrigues).
    angle = ((2 * u[:, 7] - 1) * config.hue)[:, None, None]
    cross = torch.tensor([[0.0, -1, 1], [1, 0, -1], [-1, 1, 0]], device=device) / math.sqrt(3)
    matrix = (torch.cos(angle) * eye + torch.sin(angle) * cross + (1 - torch.cos(angle)) * mean_of) @ matrix
    matrix = torch.exp(config.cast * n[:, 3:6])[:, :, None] * matrix
    orders = torch.tensor([[1, 0, 2], [0, 2, 1], [2, 1, 0], [1, 2, 0], [2, 0, 1]], device=device)
    chosen = orders[(u[:, 8] / max(config.permute, 1e-9) * 5).long().clamp(max=4)]
    chosen = torch.where((u[:, 8] < config.permute)[:, None], chosen, torch.arange(3, device=device))
    matrix = matrix.gather(1, chosen[:, :, None].expand(b, 3, 3))
    # Contrast turns about the picture's mean brightness, not about black.
    pivot = x.mean(dim=(1, 2, 3)) * torch.exp(config.exposure * n[:, 0])
    bias = (pivot * (1 - torch.exp(config.contrast * n[:, 1])))[:, None].expand(b, 3)
    return matrix, bias


def _haze(x: Tensor, u: Tensor, chosen: list[bool]) -> None:
    rows = torch.linspace(0, 1, x.shape[2], device=x.device)[None, :, None]
    for i in (i for i, c in enumerate(chosen) if c):
        centre, sharpness, thickness = 0.3 + 0.3 * u[i, 0], 1 + 2 * u[i, 1], 0.1 + 0.6 * u[i, 2]
        veil = (1 - (rows - centre).abs() * sharpness).clamp(0, 1) * thickness
        colour = 0.3 + 0.7 * u[i, 3:6]
        x[i] = x[i] * (1 - veil) + colour[:, None, None] * veil


def _shadow(x: Tensor, u: Tensor, n: Tensor, chosen: list[bool]) -> None:
    ys = torch.linspace(-1, 1, x.shape[2], device=x.device)[:, None]
    xs = torch.linspace(-1, 1, x.shape[3], device=x.device)[None]
    for i in (i for i, c in enumerate(chosen) if c):
        edge = (xs * n[i, 0] + ys * n[i, 1] + 0.5 * n[i, 2]) * (3 + 37 * u[i, 0])
        x[i] *= 1 - torch.sigmoid(edge) * (0.2 + 0.5 * u[i, 1])


def _patch(x: Tensor, u: Tensor, chosen: list[bool]) -> None:
    h, w = x.shape[2:]
    for i in (i for i, c in enumerate(chosen) if c):
        v = u[i].tolist()
        ph, pw = max(1, int(h * (0.05 + 0.25 * v[0]))), max(1, int(w * (0.05 + 0.25 * v[1])))
        top, left = int(v[2] * (h - ph + 1)), int(v[3] * (w - pw + 1))
        x[i, :, top : top + ph, left : left + pw] = u[i, 4:7, None, None]
