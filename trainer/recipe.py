"""How a model is fitted: the configuration of `train`, and the one dial that fills in what it leaves open.

`--size` sets the network's width, the size of pictures and crops, batch, learning rate and steps together; each choice
comes with its reason, which `train` prints. A key that the configuration or a flag gives is taken as it is.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any, Literal

from trainer.augment import AugmentConfig
from trainer.errors import ConfigError
from trainer.unet import UNetConfig

Size = Literal["xs", "s", "m", "l", "xl"]


@dataclass(frozen=True)
class _Dial:
    width: float
    pixels: int
    batch: int
    learning_rate: float
    steps: int
    why: str


DIAL: dict[str, _Dial] = {
    "xs": _Dial(0.5, 192 * 108, 8, 4e-3, 200, "a minute on two cores: to see that everything works"),
    "s": _Dial(0.75, 256 * 144, 16, 4e-3, 900, "some five minutes on two cores"),
    "m": _Dial(1.0, 320 * 180, 16, 4e-3, 1550, "a quarter of an hour on two cores"),
    "l": _Dial(1.5, 640 * 360, 16, 3e-3, 8000, "a night on two cores, less than an hour on a GPU"),
    "xl": _Dial(2.0, 1024 * 576, 32, 3e-3, 20000, "for GPUs"),
}


@dataclass(frozen=True)
class TrainConfig:
    """The keys of train.yaml. Those that may be null are set by `size`."""

    size: Size = "m"
    """The dial: network width, picture size, batch, learning rate and steps together."""
    network: str = "live"
    """Preset (paper, coursera, live) or a YAML file of one's own."""
    classes: str = "street17"
    """Class list (street17, carla23, carla29) or a YAML file of one's own."""
    width: float | None = None
    """Factor on the preset's channel numbers."""
    picture: tuple[int, int] | None = None
    """Height and width in pixels at which the network sees whole pictures, in validation and at use."""
    detail: float | None = None
    """Pictures are kept for training at so many times `picture`: a window that is zoomed into has real detail."""
    crop: tuple[int, int] | None = None
    """Height and width in pixels of the augmented window that the network sees in a step."""
    fit: Literal["keep", "stretch"] = "keep"
    """At use: keep a picture's aspect ratio, or stretch it to `picture`."""
    resize: Literal["antialias", "nearest"] = "antialias"
    """Filter of that resize."""
    batch: int | None = None
    """Pictures in an optimizer step, over all workers."""
    steps: int | None = None
    """Optimizer steps in all."""
    epochs: float | None = None
    """Instead of `steps`: how often each picture is seen."""
    optimizer: Literal["adamw", "adam"] = "adamw"
    """AdamW with decay on kernels only, or plain Adam."""
    learning_rate: float | None = None
    """Peak learning rate."""
    schedule: Literal["cosine", "constant"] = "cosine"
    """After the warm-up: a half cosine down to 2 % of the peak, or no change."""
    warmup: float = 0.06
    """Share of the steps in which the learning rate rises from 0."""
    weight_decay: float = 0.01
    """AdamW's decay."""
    clip_norm: float = 5.0
    """Gradients are scaled down to this norm; 0 for never."""
    class_weights: Literal["log", "none"] = "log"
    """1 / ln(1.02 + share) from the training pictures, or 1 for all."""
    dice: float = 1.0
    """Weight of the Dice loss beside cross-entropy."""
    ema: float = 0.99
    """Decay of the averaged weights, which are validated and kept; 0 for none."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """auto takes bf16 where the hardware has it."""
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    """See trainer/augment.py."""
    split: Literal["auto", "town", "episode"] = "auto"
    """What is held out where no list file says so."""
    val_share: float = 0.15
    """Share of the pictures to hold out by that rule."""
    validations: int = 6
    """How often the held-out pictures are scored during the run; the last time at its end."""
    checkpoint_s: float = 30.0
    """Seconds between checkpoints."""
    seed: int = 0
    """Of initial weights, order and augmentation."""
    accumulate: int = 1
    """Each worker's share of a batch is computed in so many parts, one after another: for batches that do not fit."""
    compile: bool = False
    """The network goes through torch.compile: most of a minute before the first step for 9 % more steps on the CPU that it
    was measured on (docs/scaling.md); the sums are in another order than without."""
    deterministic: bool = False
    """The same weights bit for bit on any number of workers up to `shards`, for more time a step."""
    shards: int = 4
    """Deterministic: into so many virtual shards each batch is cut, whatever the number of workers."""
    mlflow: bool = False
    """The run's curves go to MLflow, too; see trainer/tracking.py."""

    def __post_init__(self) -> None:
        for name in (
            "width",
            "detail",
            "batch",
            "steps",
            "epochs",
            "learning_rate",
            "validations",
            "checkpoint_s",
            "accumulate",
            "shards",
        ):
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise ValueError(f"{name}: {value} must be above 0")
        for name in ("picture", "crop"):
            value = getattr(self, name)
            if value is not None and min(value) < 16:
                raise ValueError(f"{name}: {list(value)} is too small; sides are 16 pixels or more")
        for name, low, high in (("warmup", 0, 1), ("ema", 0, 1), ("val_share", 0, 1)):
            if not low <= getattr(self, name) < high:
                raise ValueError(f"{name}: {getattr(self, name)} is not in [{low}, {high})")
        for name in ("weight_decay", "clip_norm", "dice", "seed"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name}: {getattr(self, name)} must not be negative")
        if self.deterministic and self.accumulate > 1:
            raise ValueError(
                "accumulate: a deterministic run computes its virtual shards one after another already; set `shards` instead"
            )
        if self.steps is not None and self.epochs is not None:
            raise ValueError("steps and epochs: give one of them")


@dataclass(frozen=True)
class Recipe:
    """A TrainConfig with nothing left open, and the network that it means."""

    config: TrainConfig
    network: UNetConfig
    picture: tuple[int, int]
    crop: tuple[int, int] | None
    """None: whole pictures without augmentation."""
    stored: tuple[int, int]
    """Height and width of the packed pictures."""
    batch: int
    steps: int
    learning_rate: float
    reasons: tuple[tuple[str, str, str], ...]
    """(key, value, why) of each choice, for the log."""

    @property
    def detail(self) -> float:
        """How many times larger the packed pictures are than those at use."""
        return (self.stored[0] * self.stored[1] / (self.picture[0] * self.picture[1])) ** 0.5

    @property
    def validate_every(self) -> int:
        """Steps between validations."""
        return max(1, -(-self.steps // self.config.validations))

    def identity(self) -> dict[str, Any]:
        """What must be the same for a run to be resumed: all but how often it reports."""
        kept = dataclasses.asdict(self.config)
        for key in (
            "size",
            "checkpoint_s",
            "width",
            "steps",
            "epochs",
            "batch",
            "learning_rate",
            "picture",
            "detail",
            "crop",
            "mlflow",
        ):
            del kept[key]
        if kept["accumulate"] == 1:
            del kept["accumulate"]  # as below
        if not kept["compile"]:
            del kept["compile"]
        if not kept["deterministic"]:
            del kept["deterministic"], kept["shards"]  # a run of before there was such a mode is resumed as it was
        return kept | {
            "picture": self.picture,
            "crop": self.crop,
            "stored": self.stored,
            "batch": self.batch,
            "steps": self.steps,
            "learning_rate": self.learning_rate,
            "channels": self.network.widths,
        }


def resolve(
    config: TrainConfig,
    preset: UNetConfig,
    frames: int,
    frame_size: tuple[int, int],
    classes: int,
    start: tuple[int, int] | None = None,
) -> Recipe:
    """Fill in what the configuration leaves open.

    Args:
        preset: the network that `config.network` names; with `start` the model's own, which is not scaled.
        frames: how many training pictures there are.
        frame_size: their height and width.
        classes: output channels.
        start: height and width of the pictures that the model sees which the run starts from; None for a fresh network.

    Raises:
        ConfigError: values that do not fit together.
    """
    dial = DIAL[config.size]
    reasons: list[tuple[str, str, str]] = [("size", config.size, dial.why)]

    def choose(key: str, value: Any, why: str) -> Any:
        given = getattr(config, key)
        reasons.append((key, str(value if given is None else given), why if given is None else "given"))
        return value if given is None else given

    if start is not None and config.width is not None:
        raise ConfigError("width: a run that starts from a model has the model's network; leave it out.")
    fixed = start is not None or preset.preset != "live"
    own = "the model's own" if start else "the preset's own"
    width = choose("width", 1.0 if fixed else dial.width, own if fixed else f"size {config.size}")
    channels = tuple(max(8, int(round(w * width / 8)) * 8) for w in preset.widths) if width != 1.0 else preset.widths
    network = dataclasses.replace(preset, widths=channels, classes=classes)

    pixels = start[0] * start[1] if start else dial.pixels
    limit = f"the model's {pixels}" if start else f"at most {pixels}"
    picture = choose("picture", _fitting(frame_size, pixels), f"the data's own shape, {limit} pixels")
    picture = (int(picture[0]), int(picture[1]))
    # Never enlarged: what the data does not have is not to be learnt.
    most = max(1.0, ((frame_size[0] * frame_size[1]) / (picture[0] * picture[1])) ** 0.5)
    augmented = config.augment != AugmentConfig() or config.crop is not None
    detail = float(
        choose("detail", round(min(2.0, most), 3) if augmented else 1.0, "zoomed-in windows keep real detail")
    )
    stored = (round(picture[0] * detail), round(picture[1] * detail))
    crop: tuple[int, int] | None = None
    if augmented:
        multiple = network.multiple if network.padding == "same" else 2
        crop = choose("crop", _share(picture, 0.6, multiple), "a third of a picture: three times as many steps")
        crop = (int(crop[0]), int(crop[1]))
        if network.padding == "same" and (crop[0] % multiple or crop[1] % multiple):
            raise ConfigError(
                f"crop: {crop[0]}x{crop[1]} does not fit network {network.preset!r}; both sides must be multiples of "
                f"{multiple}."
            )
    batch = choose("batch", dial.batch, "small enough for many steps, large enough for batch norm")
    if config.deterministic and batch % config.shards:
        raise ConfigError(
            f"batch: {batch} pictures can't be cut into {config.shards} virtual shards of equal size; choose a multiple "
            "of `shards`, or other `shards`."
        )
    if config.epochs is not None:
        steps = max(1, round(config.epochs * frames / batch))
        reasons.append(("steps", str(steps), f"{config.epochs:g} epochs of {frames} pictures"))
    else:
        steps = choose("steps", dial.steps, f"{dial.steps * batch / max(1, frames):.0f} epochs of {frames} pictures")
    rate = choose("learning_rate", dial.learning_rate, f"for batches of {batch} with warm-up")
    return Recipe(config, network, picture, crop, stored, batch, steps, rate, tuple(reasons))


def _fitting(frame: tuple[int, int], pixels: int) -> tuple[int, int]:
    """The frame's own size, or scaled down to at most so many pixels; never enlarged."""
    scale = min(1.0, (pixels / (frame[0] * frame[1])) ** 0.5)
    return round(frame[0] * scale), round(frame[1] * scale)


def _share(picture: tuple[int, int], share: float, multiple: int) -> tuple[int, int]:
    """`share` of each side, to the nearest multiple."""

    def side(length: int) -> int:
        return max(1, round(length * share / multiple)) * multiple

    return side(picture[0]), side(picture[1])
