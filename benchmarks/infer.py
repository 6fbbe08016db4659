"""Engines on the `live` network: CPU time of one mask at 256x144, against plain PyTorch in fp32.

    python -m benchmarks.infer [--rounds 15] [--json FILE]

One thread and one picture at a time, picture in, mask out, for all of them; engines take turns. The weights are random:
they run as fast as trained ones. What an engine loses in accuracy is not measured here but by `export`, which scores it
against the original on labelled pictures before it keeps it.
"""

from __future__ import annotations

import argparse
import importlib.util
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from benchmarks import ceiling, rows
from benchmarks.rows import Mark, Row
from trainer.dataset.drawn import draw_recording
from trainer.dataset.source import open_source
from trainer.errors import UserError
from trainer.export import export_model
from trainer.hardware import bf16_pays
from trainer.labels import load_class_list
from trainer.model_dir import ModelInfo, Preprocessing, save_model, versions
from trainer.segmenter import open_segmenter
from trainer.unet import UNet, describe, load_preset

SIZE = (144, 256)
ENGINES = {"torch-fp32": "fp32", "torch-bf16": "bf16", "onnx": "fp32", "openvino-bf16": "bf16", "openvino-int8": "int8"}
"""Engine -> the type that it computes in."""
BEST_MARK, CEILING_MARK = Mark(4.0), Mark(0.75, of="share")


def make_model(folder: Path) -> tuple[Path, UNet]:
    """A model artifact with random weights, and the same network as PyTorch makes it."""
    torch.manual_seed(0)
    network = load_preset("live", classes=17)
    net = UNet(network).eval()
    info = ModelInfo(network, load_class_list("street17"), Preprocessing(SIZE), versions=versions())
    return save_model(folder / "model", net.state_dict(), info), net


def eager(net: UNet, picture: np.ndarray) -> Callable[[], object]:
    """The reference: the network as it was built, fp32, NCHW, nothing folded or compiled."""

    def call() -> object:
        with torch.no_grad():
            pictures = torch.from_numpy(picture).permute(2, 0, 1)[None].contiguous()
            return net(pictures).argmax(dim=1).to(torch.uint8).numpy()

    return call


def open_engines(folder: Path, model: Path, picture: np.ndarray) -> tuple[dict[str, Callable[[], object]], list[Row]]:
    """What runs a picture on each engine, and a row that says why for each that can't."""
    height, width = SIZE
    draw_recording(folder / "drawn", count=12, width=width, height=height, seed=0, frames_per_episode=6)
    data = [open_source(folder / "drawn")]
    calls: dict[str, Callable[[], object]] = {}
    absent = []
    for engine, kind in ENGINES.items():
        try:
            if kind == "bf16" and not bf16_pays("cpu"):
                # OpenVINO would run fp32 by that name, and torch emulate it at a fifth of the speed.
                raise UserError("this processor has no bf16")
            if not engine.startswith("torch"):
                rows.say(f"exporting {engine}")
                export_model(model, engine, data, frames=8, score_frames=2, may_lose=1.0, say=rows.say)
            segmenter = open_segmenter(model, engine, threads=1)
        except UserError as error:
            absent.append(Row("infer", f"live at {width}x{height}, {engine}", None, "masks/s", note=str(error)))
            continue
        calls[engine] = lambda segmenter=segmenter: segmenter.segment(picture)  # type: ignore[misc]
    if importlib.util.find_spec("openvino") is not None and "openvino-bf16" not in calls:
        export_model(model, "openvino", data, score_frames=2, may_lose=1.0, say=rows.say)
        segmenter = open_segmenter(model, "openvino-fp32", threads=1)
        calls["openvino-fp32"] = lambda: segmenter.segment(picture)
    return calls, absent


def measure(arguments: argparse.Namespace) -> rows.Measured:
    torch.set_num_threads(1)
    ceilings = ceiling.convolutions()
    picture = np.random.default_rng(0).integers(0, 256, (*SIZE, 3), np.uint8)
    with tempfile.TemporaryDirectory() as name:
        model, net = make_model(Path(name))
        calls, absent = open_engines(Path(name), model, picture)
        # Opening an engine may have set torch's threads.
        torch.set_num_threads(1)
        gflop = convolution_gflop(net, SIZE)
        turns = {"eager": eager(net, picture)} | calls
        took_s = rows.take_turns(
            {engine: (lambda call=call: rows.cpu_s(call)) for engine, call in turns.items()},  # type: ignore[misc]
            arguments.rounds,
        )
    height, width = SIZE
    reference_s = took_s.pop("eager")
    best = min(took_s, key=lambda engine: took_s[engine])
    found = []
    for engine, seconds in took_s.items():
        kind = ENGINES.get(engine, "fp32")
        limit = ceilings.get(f"conv_{kind}_gflops")
        row = {
            "note": f"{1000 * seconds:.1f} ms a mask, eager {1000 * reference_s:.1f} ms",
            "share": gflop / seconds / limit if limit else None,
            "ceiling": kind if limit else "",
        }
        case = f"live at {width}x{height}, {engine}"
        rate = (1.0 / seconds, "masks/s", 1.0 / reference_s, "torch eager fp32")
        found.append(Row("infer", case, *rate, BEST_MARK if engine == best else None, **row))
        if kind == "int8":
            found.append(Row("infer", f"{case}: of the ceiling", 1.0 / seconds, "masks/s", mark=CEILING_MARK, **row))
    return found + absent, ceilings


def convolution_gflop(net: UNet, size: tuple[int, int]) -> float:
    """GFLOP (multiply + add = 2) of all convolutions on one picture (height, width)."""
    total = 0
    kernels = dict(net.named_modules())
    for layer in describe(net, size):
        if not layer.kind.startswith(("conv", "transposed")):
            continue
        weight = kernels[layer.name].weight
        outputs = layer.out_shape[1] * layer.out_shape[2]
        # Each input pixel of a transposed convolution of stride 2 meets the whole kernel; there is one for 4 outputs.
        total += 2 * weight.numel() * (outputs // 4 if layer.kind == "transposed" else outputs)
    return total / 1e9


def main() -> None:
    parser = rows.arguments_of(__doc__)
    parser.add_argument("--rounds", type=int, default=15, help="turns of all engines")
    rows.run("infer", measure, parser)


if __name__ == "__main__":
    main()
