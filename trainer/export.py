"""Make an engine out of a model artifact, and score it against the original before it is called good.

    MODEL/engines/ENGINE/model.onnx or model.xml + model.bin
    MODEL/engines/ENGINE/engine.json     inputs, the weights it was made from, agreement and mIoU of both, versions
    MODEL/engines/ENGINE/manifest.json   hashes, written last

The graph takes pictures as they come, (1, H, W, 3) uint8 RGB, with sides that the network can halve often enough
(`multiple` in engine.json), and gives logits (1, H, W, classes) float32: normalisation is inside.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import logging
import math
import os
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainer.config import nearest
from trainer.dataset.folders import LABELS_FILE
from trainer.dataset.recording import RECORDING_FILE
from trainer.dataset.source import Source, open_source
from trainer.errors import DataError, ModelError, UsageError
from trainer.evaluate import Pair, choose_pairs, mean_iou, spread
from trainer.manifest import write_json, write_manifest
from trainer.metrics import confusion
from trainer.model_dir import ModelInfo, load_model, versions
from trainer.segmenter import (
    ENGINE_DESCRIPTION,
    ENGINE_FORMAT,
    ENGINES_FOLDER,
    GRAPH_FILES,
    Segmenter,
    fold_norms,
    import_extra,
    open_segmenter,
    pad,
    run_graph,
    weights_hash,
)
from trainer.unet import UNet

TARGETS = ("onnx", "openvino", "openvino-bf16", "openvino-int8")
MAY_LOSE = {"onnx": 0.001, "openvino": 0.001, "openvino-bf16": 0.005, "openvino-int8": 0.02}
"""mIoU that an engine may lose against the original. Measured on a trained network: bf16 none, int8 0.0014."""

_NEEDS = {
    "onnx": ("onnx", "onnxscript", "onnxruntime"),
    "openvino": ("openvino",),
    "openvino-int8": ("openvino", "nncf"),
}

Say = Callable[[str], None]


class Graph(nn.Module):
    """The network as it is exported: bytes in, logits out, classes last."""

    def __init__(self, net: UNet):
        super().__init__()
        self.net = net

    def forward(self, pictures: Tensor) -> Tensor:
        """(1, H, W, 3) uint8 -> (1, h, w, classes) float32; h = H with `same` padding."""
        logits = self.net.logits(self.net.normalise(pictures.permute(0, 3, 1, 2)))
        if self.net.config.stem_stride == 2:
            logits = F.interpolate(logits, scale_factor=2.0, mode="bilinear", align_corners=False)
        return logits.permute(0, 2, 3, 1)


def export_model(
    model_dir: Path | str,
    target: str,
    data: Sequence[Source] | None = None,
    frames: int = 300,
    score_frames: int = 100,
    may_lose: float | None = None,
    say: Say = print,
) -> dict[str, Any]:
    """Write `engines/TARGET` of a model and return what its engine.json says.

    data: pictures to calibrate int8 on and to score with; the model's own training data by default, its training part
    for the one and its validation part for the other. frames: pictures for the calibration. may_lose: mIoU that it
    may lose, MAY_LOSE by default. An engine that is already there stays until the new one was found good.

    Raises:
        UsageError: an unknown target, or the extra `export` is not installed.
        ModelError: the model is not whole, or the engine lost too much; then nothing is kept.
        DataError: there are no pictures to score with.
    """
    if target not in TARGETS:
        raise UsageError(f"there is no engine {target!r} to export to; {nearest(target, TARGETS)}")
    for package in _NEEDS.get(target, _NEEDS["openvino"]):
        if importlib.util.find_spec(package) is None:
            raise UsageError(f"--to {target} needs {package}; install it with `pip install carla-unet[export]`.")
    folder = Path(model_dir)
    net, info = load_model(folder)
    sources = list(data) if data else own_data(folder, info)
    calibration, scoring = _two_parts(sources, frames, score_frames)

    engines = folder / ENGINES_FOLDER
    engines.mkdir(exist_ok=True)
    new = Path(tempfile.mkdtemp(prefix=f".{target}.", dir=engines))
    try:
        say(f"tracing {info.network.preset} for {target}")
        original = open_segmenter(folder, "torch", "fp32")
        _write_graph(net, target, new, original, calibration, say)
        exported = run_graph(new, target, info, folder)
        say(f"scoring {exported.engine} against {original.engine} on {len(scoring)} pictures")
        score = compare(original, exported, scoring)
        allowed = MAY_LOSE[target] if may_lose is None else may_lose
        if not score["miou_lost"] <= allowed:
            raise ModelError(
                f"{target}: mIoU {score['miou']:.4f} against {score['miou_original']:.4f} of the original "
                f"({score['miou_lost']:.4f} lost, {allowed:g} allowed), labels agree on {score['agreement']:.2%}; "
                "it was not kept. Calibrate on more pictures (--frames), or allow more (--may-lose)."
            )
        values = {
            "format": ENGINE_FORMAT,
            "engine": target,
            "ran_as": exported.engine,
            "model": {"preset": info.network.preset, "weights_sha256": weights_hash(folder)},
            "input": {"name": "pictures", "shape": [1, "H", "W", 3], "type": "uint8", "layout": "NHWC, RGB 0 to 255"},
            "output": {"name": "logits", "shape": [1, "H", "W", len(info.classes)], "type": "float32"},
            "multiple": info.network.multiple if info.network.padding == "same" else None,
            "score": score | {"may_lose": allowed},
            "calibration": {"frames": len(calibration)} if target.endswith("int8") else None,
            "versions": versions() | {p: metadata.version(p) for p in _NEEDS.get(target, _NEEDS["openvino"])},
        }
        write_json(new / ENGINE_DESCRIPTION, values)
        write_manifest(new, format=ENGINE_FORMAT)
        new.chmod(0o755)
        _put_in_place(new, engines / target)
    finally:
        if new.exists():
            shutil.rmtree(new)
        if not any(engines.iterdir()):
            engines.rmdir()
    return values


def compare(original: Segmenter, other: Segmenter, pairs: Sequence[Pair]) -> dict[str, Any]:
    """Share of equal labels, and the mIoU of both on labelled pictures.

    Raises:
        DataError: none of the pictures has a pixel in any class.
    """
    classes = original.info.classes
    matrices = np.zeros((2, len(classes), len(classes)), np.int64)
    equal = pixels = 0
    for source, ref in pairs:
        picture = source.read_rgb(ref)
        truth = torch.from_numpy(classes.lookup(source.table)[source.read_tags(ref)])
        labels = [segmenter.segment(picture) for segmenter in (original, other)]
        equal += int((labels[0] == labels[1]).sum())
        pixels += labels[0].size
        for matrix, predicted in zip(matrices, labels, strict=True):
            matrix += confusion(torch.from_numpy(predicted), truth, len(classes)).numpy()
    before, after = (mean_iou(matrix) for matrix in matrices)
    if math.isnan(before):
        raise DataError(
            f"{pairs[0][0].path}: none of the {len(pairs)} pictures has a pixel in any of the model's classes, "
            "so the engine can't be scored; name other data with --data."
        )
    return {
        "frames": len(pairs),
        "agreement": equal / pixels,
        "miou": after,
        "miou_original": before,
        "miou_lost": before - after,
    }


def own_data(folder: Path, info: ModelInfo) -> list[Source]:
    """The data that model.json names.

    Raises:
        DataError: it names none, or a folder that is not there.
    """
    listed = info.data.get("sources") or []
    if not listed:
        raise DataError(f"{folder}: model.json names no training data; name pictures to score with by --data DIR.")
    found = []
    for entry in listed:
        path = Path(str(entry.get("path", "")))
        if not entry.get("path") or not path.is_dir():
            raise DataError(
                f"{path}: the training data that {folder / 'model.json'} names is not on this machine; "
                "name pictures to score with by --data DIR."
            )
        # Most data says itself how its labels are stored; the rest is opened as it was for the training.
        stated = any((path / name).is_file() for name in (RECORDING_FILE, LABELS_FILE))
        found.append(open_source(path, *(() if stated else (entry.get("table"), entry.get("encoding")))))
    return found


def _two_parts(sources: Sequence[Source], frames: int, score_frames: int) -> tuple[list[Pair], list[Pair]]:
    """Pictures to calibrate on and others to score with: by list files, else every second one."""
    listed = [source for source in sources if source.lists]
    rest = [(source, ref) for source in sources if not source.lists for ref in source.frames]
    calibration: list[Pair] = list(rest[0::2])
    scoring: list[Pair] = list(rest[1::2] or rest)
    for source in listed:
        train, val = (set(source.lists[part]) for part in ("train", "val"))
        calibration += [(source, ref) for ref in source.frames if ref.key in train]
        scoring += [(source, ref) for ref in source.frames if ref.key in val]
    if not calibration or not scoring:
        calibration = scoring = choose_pairs(sources, "all")[0]
    return spread(calibration, frames), spread(scoring, score_frames)


def _write_graph(
    net: UNet, target: str, folder: Path, original: Segmenter, calibration: Sequence[Pair], say: Say
) -> None:
    fold_norms(net)
    with _quiet():
        program = _traced(net, original, calibration[0])
        if target == "onnx":
            exported = torch.onnx.export(
                program,
                (),
                input_names=["pictures"],
                output_names=["logits"],
                opset_version=18,
                verbose=False,
                dynamo=True,
            )
            assert exported is not None
            exported.save(str(folder / GRAPH_FILES["onnx"]))
            return
        openvino = import_extra("openvino")
        model = openvino.convert_model(program)
        model.outputs[0].get_tensor().set_names({"logits"})
        model.reshape([1, -1, -1, 3])
    if target == "openvino-int8":
        say(f"calibrating on {len(calibration)} pictures")
        feed = _Feed(net, original, calibration)
        with _quiet():
            nncf = import_extra("nncf")
            model = nncf.quantize(
                model,
                nncf.Dataset(feed),
                preset=nncf.QuantizationPreset.MIXED,  # activations asymmetric: they follow ReLUs
                subset_size=len(calibration),
            )
    openvino.save_model(model, folder / GRAPH_FILES["openvino"], compress_to_fp16=target == "openvino-bf16")


def _traced(net: UNet, original: Segmenter, pair: Pair) -> Any:
    """The network as torch.export sees it, with open sides."""
    height, width, _ = pad(original.shrink(pair[0].read_rgb(pair[1])), net).shape
    # Sides are a multiple, or with valid convolutions a multiple and a constant; two more, as torch.export takes a
    # factor of 1 for a fixed side.
    step = net.config.multiple
    height, width = height + 2 * step, width + 2 * step
    sides = {1: step * torch.export.Dim("h", max=4096), 2: step * torch.export.Dim("w", max=4096)}
    if height % step:
        sides = {axis: side + height % step for axis, side in sides.items()}
    with torch.no_grad():
        picture = torch.zeros(1, height, width, 3, dtype=torch.uint8)
        return torch.export.export(Graph(net).eval(), (picture,), dynamic_shapes={"pictures": sides})


class _Feed:
    """Calibration pictures as the graph takes them, (1, h, w, 3) uint8, read one at a time."""

    def __init__(self, net: UNet, original: Segmenter, pairs: Sequence[Pair]):
        self._net, self._original, self._pairs = net, original, pairs

    def __len__(self) -> int:
        return len(self._pairs)

    def __iter__(self) -> Iterator[np.ndarray]:
        for source, ref in self._pairs:
            yield pad(self._original.shrink(source.read_rgb(ref)), self._net)[None]


def _put_in_place(new: Path, place: Path) -> None:
    """Rename, with the older engine put away first and removed when the new one stands."""
    if place.exists():
        old = new.with_name(new.name + ".old")
        os.replace(place, old)
        os.replace(new, place)
        shutil.rmtree(old)
    else:
        os.replace(new, place)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Converters talk about their own deprecations and progress; what they raise still comes through."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
