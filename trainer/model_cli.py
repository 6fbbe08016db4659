"""The verbs that take a model: `model`, `evaluate`, `predict` and `export`."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

import tyro

from trainer.errors import DataError, UsageError

if TYPE_CHECKING:
    from trainer.dataset.source import Source
    from trainer.model_dir import ModelInfo

# What runs a model is imported in the verbs: `--help` need not wait two seconds for torch.

_T = TypeVar("_T")

_PLAIN_EVERY_S = 10.0
_PAPER_SIZE = (572, 572)
_COURSE_SIZE = (96, 128)
_OTHER_SIZE = (192, 320)
_PICTURES = (".png", ".jpg", ".jpeg")
MASK, OVERLAY = ".mask.png", ".overlay.jpg"
_OVERLAY_SHARE = 0.55
"""Of the mask's colour in an overlay."""


@dataclass(frozen=True)
class ShowArguments:
    """Show a network: its layers with shapes and parameters, and how many convolutions it has."""

    network: tyro.conf.Positional[str]
    """A preset (paper, coursera, live), a YAML file, or a model folder."""
    size: str | None = None
    """Input HxW in pixels. Default: 572x572 for paper, 96x128 for coursera, a model's own size, else 192x320."""
    classes: int | None = None
    """Output classes of a preset. Default: 23 for coursera as in the course, else 17. A model has its own."""
    json: Path | None = None
    """Write the same as JSON to this file."""
    drawing: Path | None = None
    """Write a drawing of the network to this SVG file."""


@dataclass(frozen=True)
class EvaluateArguments:
    """Score a model on labelled pictures, at the labels' own resolution."""

    model: Path
    """Model folder."""
    data: tuple[Path, ...]
    """Recordings, or folders of pictures (CameraRGB/ + CameraSeg/); of different CARLA versions if need be."""
    split: Literal["val", "train", "all"] = "val"
    """Which frames: what val.txt or train.txt lists, or all. Data without list files is scored whole."""
    table: str | None = None
    """Label table of folders without labels.yaml: carla-0.8, carla-0.9.10, carla-0.9.14, idda-24 or a YAML file."""
    encoding: str | None = None
    """Encoding of their labels: grey, red, palette or max."""
    engine: str = "torch"
    """torch, torch-bf16, onnx, openvino, openvino-bf16 or openvino-int8; all but torch are made by `export`."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where torch and onnx run."""
    threads: int | None = None
    """Threads of the engine. Default: its own choice."""
    limit: int | None = None
    """At most so many frames, evenly spread. Default: all."""
    json: Path | None = None
    """Write the figures to this JSON file."""
    report: Path | None = None
    """Write report.html with curves, tables and pictures into this folder."""


@dataclass(frozen=True)
class PredictArguments:
    """Masks (8-bit class ids) and overlays of any pictures, at the pictures' own sizes."""

    pictures: tyro.conf.Positional[tuple[Path, ...]]
    """PNG or JPEG files, or folders of them."""
    model: Path
    """Model folder."""
    out: Path
    """Folder for STEM.mask.png and STEM.overlay.jpg."""
    engine: str = "torch"
    """torch, torch-bf16, onnx, openvino, openvino-bf16 or openvino-int8; all but torch are made by `export`."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where torch and onnx run."""
    threads: int | None = None
    """Threads of the engine. Default: its own choice."""
    overwrite: bool = False
    """Replace masks and overlays that are already there."""


@dataclass(frozen=True)
class ExportArguments:
    """Make an engine out of a model, and score it against the original before it is kept."""

    model: Path
    """Model folder; the engine is written to its engines/."""
    to: Literal["onnx", "openvino", "openvino-bf16", "openvino-int8"]
    """The engine. openvino-int8 is the fastest on a CPU; it is calibrated on training pictures."""
    data: tuple[Path, ...] = ()
    """Pictures to calibrate on and to score with. Default: the model's own training data."""
    table: str | None = None
    """Label table of --data folders without labels.yaml."""
    encoding: str | None = None
    """Encoding of their labels: grey, red, palette or max."""
    frames: Annotated[int, tyro.conf.arg(metavar="N")] = 300
    """Pictures to calibrate int8 on."""
    score_frames: Annotated[int, tyro.conf.arg(metavar="N")] = 100
    """Pictures to score with."""
    may_lose: float | None = None
    """mIoU that the engine may lose. Default: 0.001 for onnx and openvino, 0.005 for bf16, 0.02 for int8."""
    json: Path | None = None
    """Write what engine.json holds to this file too."""


def model(argv: list[str]) -> int:
    """`model show NETWORK`: see ShowArguments."""
    if not argv or argv[0] in ("-h", "--help"):
        print("usage: carla-unet model show PRESET|DIR [options]   (carla-unet model show --help lists them)")
        return 0 if argv else 2
    if argv[0] != "show":
        raise UsageError(f"model {argv[0]}: there is no such command; the one there is: model show PRESET or DIR.")
    arguments = _parse(ShowArguments, argv[1:], "model show")

    import torch

    from trainer.config import configs_dir
    from trainer.manifest import write_json
    from trainer.model_dir import load_info
    from trainer.unet import UNet, count_convolutions, describe, load_preset

    folder = Path(arguments.network)
    size = _size(arguments.size) if arguments.size else None
    preset = (configs_dir() / "models" / f"{arguments.network}.yaml").is_file()
    if folder.is_dir() and not preset:
        if arguments.classes is not None:
            raise UsageError(f"--classes {arguments.classes}: {folder} is a model and has its own; leave it out.")
        info = load_info(folder)
        config, given = info.network, info.preprocessing.size
    else:
        config = load_preset(arguments.network)
        classes = arguments.classes or (23 if arguments.network == "coursera" else config.classes)
        config = load_preset(arguments.network, classes=classes)
        given = {"paper": _PAPER_SIZE, "coursera": _COURSE_SIZE}.get(config.preset, _OTHER_SIZE)
    height, width = size or given
    with torch.device("meta"):  # shapes only: the paper's network would compute for ten seconds
        net = UNet(config)
    if config.padding == "same":
        left, right, top, bottom = net.border(height, width)
        height, width = height + top + bottom, width + left + right
    try:
        layers = describe(net, (height, width))
    except RuntimeError:
        raise UsageError(f"--size {height}x{width}: is too small for {config.preset}; name a larger one.") from None
    counts = count_convolutions(layers)
    result = {
        "preset": config.preset,
        "classes": config.classes,
        "input": [config.in_channels, height, width],
        "output": list(layers[-1].out_shape),
        "enlarged_by": config.stem_stride,
        "parameters": sum(p.numel() for p in net.parameters()),
        "convolutions": counts,
        "layers": [
            {"name": n.name, "kind": n.kind, "out_shape": list(n.out_shape), "parameters": n.parameters} for n in layers
        ],
    }
    _print_network(result)
    if arguments.json is not None:
        write_json(_parent_made(arguments.json), result)
        print(f"written: {arguments.json}")
    if arguments.drawing is not None:
        from trainer.unet_drawing import draw

        _parent_made(arguments.drawing).write_text(draw(net, (height, width)), encoding="utf-8")
        print(f"written: {arguments.drawing}")
    return 0


def evaluate(argv: list[str]) -> int:
    """`evaluate`: see EvaluateArguments."""
    arguments = _parse(EvaluateArguments, argv, "evaluate")
    _positive(arguments.limit, "--limit")
    if not arguments.data:
        raise UsageError("no data was named; pass --data DIR.")

    from trainer.dataset.source import open_source
    from trainer.evaluate import choose_pairs, evaluate_model
    from trainer.manifest import write_json
    from trainer.report import Gallery, write_report
    from trainer.segmenter import open_segmenter

    segmenter = open_segmenter(arguments.model, arguments.engine, threads=arguments.threads, device=arguments.device)
    sources = [open_source(path, arguments.table, arguments.encoding) for path in arguments.data]
    pairs, said = choose_pairs(sources, arguments.split, arguments.limit)
    print(f"{arguments.model} on {segmenter.engine}; {said}")
    gallery = Gallery()
    progress = ProgressLine("scored", "frames")
    result = evaluate_model(segmenter, pairs, arguments.split, gallery if arguments.report else None, progress)
    _print_scores(result)
    if seen := fitted_on(segmenter.info, sources, arguments.split):
        print(f"note: the model was fitted on pictures of {', '.join(seen)}; what it can do shows on data it never saw")
    if arguments.json is not None:
        write_json(_parent_made(arguments.json), result)
        print(f"written: {arguments.json}")
    if arguments.report is not None:
        metrics = arguments.model.resolve().parent / "metrics.jsonl"  # RUN/model beside RUN/metrics.jsonl
        page = write_report(arguments.report, result, segmenter.info, gallery, metrics if metrics.is_file() else None)
        print(f"written: {page}")
    return 0


def predict(argv: list[str]) -> int:
    """`predict`: see PredictArguments."""
    arguments = _parse(PredictArguments, argv, "predict")
    if not arguments.pictures:
        raise UsageError("no pictures were named; name PNG or JPEG files, or folders of them.")
    pictures = find_pictures(arguments.pictures)
    wanted = {stem: (arguments.out / f"{stem}{MASK}", arguments.out / f"{stem}{OVERLAY}") for stem in pictures}
    there = [path for paths in wanted.values() for path in paths if path.exists()]
    if there and not arguments.overwrite:
        raise UsageError(f"{there[0]}: is already there; name another --out, or pass --overwrite to replace it.")

    import numpy as np

    from trainer.dataset.pictures import decode_rgb, encode_ids, encode_jpeg
    from trainer.segmenter import open_segmenter

    segmenter = open_segmenter(arguments.model, arguments.engine, threads=arguments.threads, device=arguments.device)
    print(f"{arguments.model} on {segmenter.engine}; {len(pictures)} picture{'s' if len(pictures) > 1 else ''}")
    arguments.out.mkdir(parents=True, exist_ok=True)
    palette = segmenter.info.classes.colours().astype(np.float32) * _OVERLAY_SHARE
    progress = ProgressLine("segmented", "pictures")
    for done, (stem, path) in enumerate(pictures.items(), 1):
        rgb = decode_rgb(path.read_bytes(), str(path))
        labels = segmenter.segment(rgb)
        overlay = (palette[labels] + rgb * (1.0 - _OVERLAY_SHARE)).astype(np.uint8)
        mask, over = wanted[stem]
        mask.write_bytes(encode_ids(labels))
        over.write_bytes(encode_jpeg(overlay, 92, "4:4:4"))
        progress(done, len(pictures))
    print(f"written: {arguments.out} (STEM{MASK} with class ids as in {arguments.model / 'model.json'}, STEM{OVERLAY})")
    return 0


def export(argv: list[str]) -> int:
    """`export`: see ExportArguments."""
    arguments = _parse(ExportArguments, argv, "export")
    _positive(arguments.frames, "--frames")
    _positive(arguments.score_frames, "--score-frames")

    from trainer.dataset.source import open_source
    from trainer.export import export_model
    from trainer.manifest import write_json

    result = export_model(
        arguments.model,
        arguments.to,
        [open_source(path, arguments.table, arguments.encoding) for path in arguments.data],
        frames=arguments.frames,
        score_frames=arguments.score_frames,
        may_lose=arguments.may_lose,
        say=lambda sentence: print(sentence, flush=True),
    )
    score = result["score"]
    print(
        f"{arguments.to}: mIoU {score['miou']:.4f}, the original {score['miou_original']:.4f}, "
        f"labels agree on {score['agreement']:.2%} of {score['frames']} pictures"
    )
    if arguments.json is not None:
        write_json(_parent_made(arguments.json), result)
        print(f"written: {arguments.json}")
    print(f"written: {arguments.model / 'engines' / arguments.to}")
    return 0


class ProgressLine:
    """How far a loop is and how long it will take: one line that moves on a terminal, a line every 10 s elsewhere."""

    def __init__(self, did: str, what: str):
        self.did, self.what = did, what
        self._live = sys.stderr.isatty()
        self._began = self._shown = time.monotonic()

    def __call__(self, done: int, total: int) -> None:
        """Call after each one."""
        now = time.monotonic()
        last = done == total
        if now - self._shown < (0.2 if self._live else _PLAIN_EVERY_S) and not (last and self._live):
            return
        self._shown = now
        rate = done / max(now - self._began, 1e-9)
        text = f"{self.did} {done} of {total} {self.what}, {rate:.1f} a second, {(total - done) / rate:.0f} s to go"
        end = "\n" if last or not self._live else ""
        print(f"\r{text:<78}" if self._live else text, end=end, file=sys.stderr, flush=True)


def fitted_on(info: ModelInfo, sources: list[Source], part: str) -> list[str]:
    """Names of the sources whose training pictures were among those that were scored."""
    known = {entry.get("fingerprint") for entry in info.data.get("sources", [])}
    return [s.name for s in sources if not (part == "val" and s.lists) and s.fingerprint() in known]


def find_pictures(paths: tuple[Path, ...]) -> dict[str, Path]:
    """{stem: file} of the named pictures and of those in named folders; masks and overlays of ours are left out.

    Raises:
        DataError: a path that is not there, a folder without pictures, or two pictures of one stem.
    """
    found: dict[str, Path] = {}
    for path in paths:
        if path.is_dir():
            inside = sorted(
                p
                for p in path.iterdir()
                if p.suffix.lower() in _PICTURES and not p.name.endswith((MASK, OVERLAY)) and p.name[0] != "."
            )
            if not inside:
                raise DataError(f"{path}: holds no PNG or JPEG pictures; name a folder that does.")
        elif path.is_file():
            inside = [path]
        else:
            raise DataError(f"{path}: there is no such picture or folder; check the path.")
        for picture in inside:
            other = found.setdefault(picture.stem, picture)
            if other.resolve() != picture.resolve():
                raise DataError(
                    f"{other} and {picture} would both become {picture.stem}{MASK}; predict them into two folders."
                )
    return found


def _parse(cls: type[_T], argv: list[str], verb: str) -> _T:
    return tyro.cli(cls, args=argv, prog=f"carla-unet {verb}", description=cls.__doc__)


def _size(text: str) -> tuple[int, int]:
    """`HxW` in pixels."""
    parts = text.lower().split("x")
    if len(parts) != 2 or not all(part.isdecimal() and int(part) > 0 for part in parts):
        raise UsageError(f"--size {text}: is not HxW in pixels; for example --size 192x320.")
    return int(parts[0]), int(parts[1])


def _positive(value: int | None, flag: str) -> None:
    if value is not None and value < 1:
        raise UsageError(f"{flag} {value}: must be 1 or more.")


def _parent_made(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _print_network(result: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    for column, side in (("layer", "left"), ("kind", "left"), ("out (C, H, W)", "right"), ("parameters", "right")):
        table.add_column(column, justify=side)  # type: ignore[arg-type]
    table.add_row("picture", "input", _shape(result["input"]), "")
    for layer in result["layers"]:
        count = f"{layer['parameters']:,}" if layer["parameters"] else ""
        table.add_row(layer["name"], layer["kind"], _shape(layer["out_shape"]), count)
    # As wide as it needs to be where the output is no terminal, so that nothing is cut off in a file.
    console = Console(highlight=False)
    (console if console.is_terminal else Console(highlight=False, width=120)).print(table)
    c = result["convolutions"]
    _, in_h, in_w = result["input"]
    _, out_h, out_w = result["output"]
    enlarged = f" (enlarged by {result['enlarged_by']} at the end)" if result["enlarged_by"] > 1 else ""
    print(
        f"\n{result['preset']}: {in_h}x{in_w} in, {out_h}x{out_w} out{enlarged}, {result['classes']} classes, "
        f"{result['parameters']:,} parameters\n{c['total']} convolutional layers: {c['conv3x3']} of 3x3, "
        f"{c['transposed']} transposed, {c['conv1x1']} of 1x1"
    )


def _print_scores(result: dict[str, Any]) -> None:
    width = max(len(name) for name in result["classes"])
    for name, iou in result["iou"].items():
        print(f"  {name:<{width}}  {iou:.3f}")
    if result["absent"]:
        print(f"not in these labels, so not scored: {', '.join(result['absent'])}")
    for what in ("by_town", "by_weather"):
        if result[what]:
            groups = ", ".join(f"{name} {_figure(group['miou'])}" for name, group in result[what].items())
            print(f"mIoU {what.replace('_', ' ')}: {groups}")
    print(
        f"mIoU {_figure(result['miou'])}, pixel accuracy {_figure(result['pixel_accuracy'])}, "
        f"boundary IoU {_figure(result['boundary_iou'])}, {result['frames']} frames"
    )


def _figure(value: float | None) -> str:
    return "none" if value is None else f"{value:.3f}"


def _shape(shape: list[int]) -> str:
    return " x ".join(map(str, shape))
