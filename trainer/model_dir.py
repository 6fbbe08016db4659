"""The model artifact: a folder of weights and everything that one must know to use them.

    MODEL/model.safetensors   weights, by parameter name
    MODEL/model.json          network, class list with colours, preprocessing, data, metrics, versions
    MODEL/card.md             the same for people
    MODEL/manifest.json       hashes of the weights and model.json, written last; the card may be edited
    MODEL/engines/ENGINE/...  what `export` made of it

Loading never unpickles anything.
"""

from __future__ import annotations

import dataclasses
import os
import platform
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from trainer.config import build
from trainer.errors import ConfigError, LabelError, ModelError
from trainer.labels import ClassList
from trainer.manifest import check_manifest, read_json, write_json, write_manifest
from trainer.unet import UNet, UNetConfig

FORMAT = 1
WEIGHTS, DESCRIPTION, CARD = "model.safetensors", "model.json", "card.md"


@dataclass(frozen=True)
class Preprocessing:
    """How a picture becomes what the network takes; the centring of pixel values is inside the network."""

    size: tuple[int, int]
    """Height and width in pixels that the network was trained for."""
    fit: Literal["keep", "stretch"] = "keep"
    """`keep` scales a picture to about the same number of pixels and keeps its aspect ratio; `stretch` to exactly
    `size`, as the course does."""
    resize: Literal["antialias", "nearest"] = "antialias"
    """Filter: antialiased bilinear, or nearest neighbour as the course does."""

    def target(self, height: int, width: int) -> tuple[int, int]:
        """(H, W) to which a picture of `height` x `width` is resized."""
        if self.fit == "stretch":
            return self.size
        scale = (self.size[0] * self.size[1] / (height * width)) ** 0.5
        return max(1, round(height * scale)), max(1, round(width * scale))


@dataclass(frozen=True)
class ModelInfo:
    """What model.json holds."""

    network: UNetConfig
    classes: ClassList
    preprocessing: Preprocessing
    data: dict[str, Any] = field(default_factory=dict)
    """Where the training pictures came from: sources with paths, fingerprints and label tables, split rule, counts."""
    metrics: dict[str, Any] = field(default_factory=dict)
    """Validation figures at the step the weights are from (`Score.to_dict`, and `step`)."""
    training: dict[str, Any] = field(default_factory=dict)
    """Run name and configuration."""
    versions: dict[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """The JSON form."""
        return {
            "format": FORMAT,
            "network": dataclasses.asdict(self.network),
            "class_list": self.classes.to_dict(),
            "preprocessing": dataclasses.asdict(self.preprocessing)
            | {"input": "uint8 RGB; the network itself divides by 255, subtracts `mean` and divides by `std`"},
            "data": self.data,
            "metrics": self.metrics,
            "training": self.training,
            "versions": self.versions,
        }

    @staticmethod
    def from_dict(values: dict[str, Any], where: str) -> ModelInfo:
        """From the JSON form; raises ModelError naming `where`."""
        try:
            if values["format"] != FORMAT:
                raise ModelError(
                    f"{where}: model format {values['format']!r}; this version reads format {FORMAT}, update carla-unet."
                )
            preprocessing = {k: v for k, v in values["preprocessing"].items() if k != "input"}
            return ModelInfo(
                network=build(UNetConfig, values["network"], f"{where}: network"),
                classes=ClassList.from_dict(values["class_list"], f"{where}: class_list"),
                preprocessing=build(Preprocessing, preprocessing, f"{where}: preprocessing"),
                data=values["data"],
                metrics=values["metrics"],
                training=values["training"],
                versions=values["versions"],
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ModelError(f"{where}: not a model description ({error!r}); use another copy of the model.") from None
        except (ConfigError, LabelError) as error:
            raise ModelError(str(error)) from None


def versions() -> dict[str, str]:
    """Versions of what a result depends on."""
    found = {"python": platform.python_version()}
    for name in ("carla-unet", "torch", "ray", "numpy"):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def save_model(folder: Path | str, weights: Mapping[str, torch.Tensor], info: ModelInfo) -> Path:
    """Write a model artifact; the folder appears whole or not at all.

    An artifact that is already there is replaced: put away first, removed when the new one stands.

    Raises:
        ModelError: the folder exists and holds something else than a model artifact.
    """
    folder = Path(folder)
    if folder.exists() and any(folder.iterdir()) and not (folder / DESCRIPTION).is_file():
        raise ModelError(f"{folder}: exists and is no model artifact; choose another folder, it is left as it is.")
    folder.parent.mkdir(parents=True, exist_ok=True)
    new = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    fill_model(new, weights, info)
    write_manifest(new, leave_out=(CARD,), format=FORMAT)
    new.chmod(0o755)
    if folder.exists():
        old = new.with_name(new.name + ".old")
        os.replace(folder, old)
        os.replace(new, folder)
        shutil.rmtree(old)
    else:
        os.replace(new, folder)
    return folder


def save_tensors(tensors: Mapping[str, torch.Tensor], path: Path) -> None:
    """Write a safetensors file that is readable for whom a new file in its folder is.

    safetensors 0.8 makes it readable for its owner alone, whatever the umask says: on a storage that is shared, nobody else
    could use the model.
    """
    path.touch()
    mode = path.stat().st_mode & 0o777
    save_file({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, path)
    path.chmod(mode)


def fill_model(folder: Path, weights: Mapping[str, torch.Tensor], info: ModelInfo) -> None:
    """Write the artifact's files, without its manifest, into an existing folder (a checkpoint adds its own)."""
    save_tensors(weights, folder / WEIGHTS)
    write_json(folder / DESCRIPTION, info.to_dict())
    (folder / CARD).write_text(model_card(info), encoding="utf-8")


def load_info(folder: Path | str) -> ModelInfo:
    """What model.json says, after the manifest was checked.

    Raises:
        ModelError: the folder is missing, half there, tampered with or of another format.
    """
    folder = Path(folder)
    check_manifest(folder, "model artifact")
    values = read_json(folder / DESCRIPTION, "model artifact")
    return ModelInfo.from_dict(values, str(folder / DESCRIPTION))


def load_model(folder: Path | str) -> tuple[UNet, ModelInfo]:
    """The network in evaluation mode on the CPU, and what model.json says.

    Raises:
        ModelError: as `load_info`, or weights that do not fit the network.
    """
    folder = Path(folder)
    info = load_info(folder)
    weights = _load_weights(folder, info.network)
    net = UNet(info.network)
    net.load_state_dict(weights)
    if info.network.classes != len(info.classes):
        raise ModelError(
            f"{folder / DESCRIPTION}: the network has {info.network.classes} outputs, the class list {len(info.classes)} "
            "classes; use another copy of the model."
        )
    return net.eval(), info


def _load_weights(folder: Path, network: UNetConfig) -> dict[str, torch.Tensor]:
    """The weights, after they were found to be those of the network; a network of any size is refused before it is made."""
    try:
        with torch.device("meta"):
            expected = {name: tuple(tensor.shape) for name, tensor in UNet(network).state_dict().items()}
        weights = load_file(folder / WEIGHTS)
    except (OSError, RuntimeError, SafetensorError) as error:
        first = str(error).splitlines()[0]
        raise ModelError(f"{folder / WEIGHTS}: does not fit the network of {DESCRIPTION} ({first}).") from None
    found = {name: tuple(tensor.shape) for name, tensor in weights.items()}
    for name in {**expected, **found}:
        if expected.get(name) != found.get(name):
            raise ModelError(
                f"{folder / WEIGHTS}: does not fit the network of {DESCRIPTION} ({name[:100]} is "
                f"{found.get(name, 'missing')}, the network has {expected.get(name, 'none')}); use another copy."
            )
    return weights


def model_card(info: ModelInfo) -> str:
    """card.md: what the model is, what it was fitted on, what it scored, what to keep in mind."""
    net, pre = info.network, info.preprocessing
    lines = [
        f"# U-Net `{net.preset}`, {len(info.classes)} classes ({info.classes.name})",
        "",
        f"Predicts one of {len(info.classes)} classes for each pixel of a driving picture. "
        f"Input {pre.size[0]}x{pre.size[1]} (height x width, {pre.fit} aspect ratio, {pre.resize} resize), RGB.",
        "",
        "## Data",
        "",
    ]
    for source in info.data.get("sources", []):
        lines.append(f"- {source['name']}: {source['frames']} frames, label table {source['table']}")
    lines += [f"- {info.data['split']}"] if "split" in info.data else []
    before = info.training.get("start_from")
    while isinstance(before, dict):
        lines.append(f"- before that, as `{before.get('model')}`: {', '.join(map(str, before.get('sources', ())))}")
        before = before.get("start_from")
    lines += ["", "## Validation", ""]
    if info.metrics.get("miou") is not None:
        lines.append(f"mIoU {info.metrics['miou']:.3f} over the classes that occur, void not counted.")
        lines += ["", "| class | IoU |", "|---|---|"]
        lines += [f"| {name} | {value:.3f} |" for name, value in info.metrics.get("iou", {}).items()]
        if info.metrics.get("absent"):
            lines += ["", f"Not in the validation pictures, so not scored: {', '.join(info.metrics['absent'])}."]
    else:
        lines.append("Not scored.")
    lines += [
        "",
        "## Keep in mind",
        "",
        "- Validation frames that lie close to training frames flatter a model; score it on towns that it never saw.",
        "- CARLA leaves riders untagged in old versions and parked cars without actor ids; tags of the data hold here too.",
        "- Trained on simulated pictures: not for a real road.",
        "",
        "## Versions",
        "",
        ", ".join(f"{name} {version}" for name, version in info.versions.items()),
        "",
    ]
    return "\n".join(lines)
