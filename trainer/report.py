"""The report of an evaluation: one HTML page that needs nothing else, neither a network nor a second file."""

from __future__ import annotations

import base64
import html
import io
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from trainer.curves import Line, chart
from trainer.errors import DataError
from trainer.evaluate import UNKNOWN, Scored, error_map
from trainer.labels import VOID, ClassList
from trainer.manifest import write_text
from trainer.metrics import BOUNDARY_SHARE
from trainer.model_dir import ModelInfo

PAGE = "report.html"
SHOWN_WIDTH = 480
"""Pictures are made so wide, in pixels: four stand side by side."""
ERROR_COLOUR = (255, 64, 48)
VOID_COLOUR = (96, 96, 104)
CELL_TEXT_FROM = 0.05
"""Smallest share that is written into a cell of the confusion matrix."""


class Gallery:
    """Keeps the frames with the highest and the lowest mIoU out of all that are scored: `evaluate_model`'s on_frame."""

    def __init__(self, each: int = 4):
        self.each = each
        self._best: list[Scored] = []
        self._worst: list[Scored] = []

    def __call__(self, frame: Scored) -> None:
        """Take a frame, or let it go. A frame of nothing but void has no score and is not shown."""
        if math.isnan(frame.miou):
            return
        self._best = sorted([*self._best, frame], key=lambda f: -f.miou)[: self.each]
        self._worst = sorted([*self._worst, frame], key=lambda f: f.miou)[: self.each]

    @property
    def worst(self) -> list[Scored]:
        """Lowest mIoU first."""
        return list(self._worst)

    @property
    def best(self) -> list[Scored]:
        """Highest mIoU first, without those that are among the worst already, as in a small set."""
        taken = {id(frame) for frame in self._worst}
        return [frame for frame in self._best if id(frame) not in taken]


def write_report(
    folder: Path, result: dict[str, Any], info: ModelInfo, gallery: Gallery, metrics: Path | None = None
) -> Path:
    """Write `FOLDER/report.html` and return its path; an older one is replaced in one piece.

    metrics: the run's metrics.jsonl, for the curves.

    Raises:
        DataError: the folder can't be written, or metrics.jsonl can't be read.
    """
    page = render(result, info, gallery, read_metrics(metrics) if metrics else [])
    path = folder / PAGE
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_text(path, page)
    except OSError as error:
        raise DataError(f"{path}: the report can't be written ({error.strerror}); name another folder.") from None
    return path


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """The lines of a metrics.jsonl; a last line that is still being written is left out."""
    lines = []
    text = path.read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(text, 1):
        try:
            lines.append(json.loads(line))
        except ValueError:
            if number < len(text):
                raise DataError(f"{path} line {number}: not JSON; mend the line or take it out.") from None
    return lines


def render(result: dict[str, Any], info: ModelInfo, gallery: Gallery, metrics: Sequence[dict[str, Any]]) -> str:
    """The whole page."""
    sources = result["data"]["sources"]
    names = ", ".join(s["name"] for s in sources)
    title = f"{info.network.preset} on {names}"
    body = [
        f"<header><h1>{_e(title)}</h1><p>{_e(result['model']['path'])} · engine {_e(result['model']['engine'])} · "
        f"{result['frames']} frames{_part(result)}, scored at the labels' own resolution</p></header>",
        _tiles(result),
        curves(metrics),
        _classes(result, info.classes),
        _matrix(result),
        _groups(result),
        _frames(gallery, info.classes),
        _facts(result, info),
        f"<footer>mIoU: IoU of each class from one confusion matrix over all pixels, mean over the classes that occur "
        f"in the labels. Void pixels are not counted. Boundary IoU: the same on bands of {BOUNDARY_SHARE:.0%} of the "
        "picture's diagonal along class borders (Cheng et al. 2021).</footer>",
    ]
    return page(title, body)


def page(title: str, body: Sequence[str], css: str = "") -> str:
    """An HTML page that needs nothing else. body: its parts, already HTML. css: what it has beside the report's own."""
    own = (Path(__file__).parent / "report.css").read_text(encoding="utf-8")
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{_e(title)}</title><style>{own}{css}</style></head><body><main>{''.join(body)}</main></body></html>\n"
    )


def tiles(figures: Sequence[tuple[str, str]]) -> str:
    """Large figures side by side, the first one marked: (name, value) each."""
    cells = [
        f'<div class="tile{" first" * (k == 0)}"><b>{_e(v)}</b><span>{_e(n)}</span></div>'
        for k, (n, v) in enumerate(figures)
    ]
    return f'<div class="tiles">{"".join(cells)}</div>'


def _tiles(result: dict[str, Any]) -> str:
    return tiles(
        [
            ("mIoU", _figure(result["miou"])),
            ("pixel accuracy", _figure(result["pixel_accuracy"])),
            ("boundary IoU", _figure(result["boundary_iou"])),
            ("classes scored", f"{len(result['iou'])} of {len(result['classes'])}"),
            ("frames", f"{result['frames']:,}"),
        ]
    )


def curves(metrics: Sequence[dict[str, Any]]) -> str:
    """Loss, accuracy and mIoU of a run, from the lines of its metrics.jsonl; '' without any."""

    def points(kind: str, key: str) -> list[tuple[float, float]]:
        return [(m["step"], m[key]) for m in metrics if m.get("kind") == kind and m.get(key) is not None]

    charts = [
        chart("Loss", [Line("train", points("train", "loss")), Line("val", points("val", "loss"), "b", True)]),
        chart(
            "Pixel accuracy",
            [Line("train", points("train", "accuracy")), Line("val", points("val", "pixel_accuracy"), "b", True)],
            y_range=(0.0, 1.0),
        ),
        chart("mIoU", [Line("val", points("val", "miou"), "b", True)]),
    ]
    if not any(charts):
        return ""
    return (
        "<h2>Training</h2><p class='note'>By optimizer step, the last value beside each name. Training figures are of "
        f"augmented pictures, so they may lie below those of validation.</p><div class='grid3'>{''.join(charts)}</div>"
    )


def _classes(result: dict[str, Any], classes: ClassList) -> str:
    matrix = np.asarray(result["confusion"], np.float64)
    truth, predicted, right = matrix.sum(axis=1), matrix.sum(axis=0), np.diag(matrix)
    rows = []
    for index in sorted(range(len(classes)), key=lambda i: -result["iou"].get(classes.names[i], -1.0)):
        name = classes.names[index]
        if name not in result["iou"]:
            continue
        iou = result["iou"][name]
        precision = right[index] / predicted[index] if predicted[index] else None
        rows.append(
            f"<tr><td>{swatch(classes, index)}{_e(name)}</td><td class='wide'>{_bar(iou)}</td>"
            f"<td><b>{iou:.3f}</b></td>"
            f"<td>{right[index] / truth[index]:.3f}</td><td>{_figure(precision)}</td>"
            f"<td>{_percent(truth[index] / truth.sum())}</td></tr>"
        )
    absent = (
        f"<p class='note absent'>Not in these labels, so not scored: {_e(', '.join(result['absent']))}.</p>"
        if result["absent"]
        else ""
    )
    return (
        "<h2>Classes</h2><p class='note'>Recall: the share of a class's pixels that was found. Precision: the share of "
        "the pixels given to it that are right.</p><div class='card'><div class='scroll'><table>"
        f"<tr><th>class</th><th></th><th>IoU</th><th>recall</th><th>precision</th>"
        f"<th>of all pixels</th></tr>{''.join(rows)}</table></div>"
        f"{absent}</div>"
    )


def _matrix(result: dict[str, Any]) -> str:
    """Heat map of the classes that occur or were predicted; each row adds up to 1."""
    matrix = np.asarray(result["confusion"], np.float64)
    shown = np.flatnonzero((matrix.sum(axis=0) + matrix.sum(axis=1)) > 0)
    if not len(shown):
        return ""
    totals = matrix.sum(axis=1, keepdims=True)
    shares = np.divide(matrix, totals, out=np.zeros_like(matrix), where=totals > 0)
    names = result["classes"]
    cell, left, top = 38, 116, 104
    size = cell * len(shown)
    parts = [
        f'<text class="axis" x="{left + size / 2}" y="12" text-anchor="middle">model</text>'
        f'<text class="axis" transform="translate(12,{top + size / 2}) rotate(-90)" text-anchor="middle">label</text>'
    ]
    for y, row in enumerate(shown):
        middle = top + (y + 0.5) * cell
        parts.append(f'<text x="{left - 8}" y="{middle + 4}" text-anchor="end">{_e(names[row])}</text>')
        x_text = left + (y + 0.5) * cell
        parts.append(f'<text transform="translate({x_text + 3},{top - 8}) rotate(-45)">{_e(names[row])}</text>')
        if not totals[row, 0]:
            parts.append(f'<text class="off" x="{left + 8}" y="{middle + 3}">not in the labels</text>')
            continue
        for x, column in enumerate(shown):
            share = shares[row, column]
            if share < 0.0005:
                continue
            tip = f"<title>{_e(names[row])} called {_e(names[column])}: {share:.1%}</title>"
            place = f'x="{left + x * cell + 1}" y="{top + y * cell + 1}" width="{cell - 2}" height="{cell - 2}" rx="3"'
            parts.append(f'<rect class="cell" {place} opacity="{max(share, 0.03):.3f}">{tip}</rect>')
            if share >= CELL_TEXT_FROM:
                centre = left + (x + 0.5) * cell
                style = "on" if share > 0.5 else "off"
                place = f'x="{centre}" y="{middle + 3.5}" text-anchor="middle"'
                parts.append(f'<text class="{style}" {place}>{share * 100:.0f}</text>')
    parts.append(f'<rect class="frame" x="{left}" y="{top}" width="{size}" height="{size}" rx="4"/>')
    return (
        "<h2>Confusion</h2><p class='note'>Rows: what the label says. Columns: what the model says. Per cent of the "
        f"row's pixels, written from {CELL_TEXT_FROM:.0%} on; hover over a cell for the exact share.</p>"
        "<div class='card scroll'>"
        f'<svg class="matrix" style="max-width:{left + size + 40}px" viewBox="0 0 {left + size + 40} {top + size + 4}">'
        f"{''.join(parts)}</svg></div>"
    )


def _groups(result: dict[str, Any]) -> str:
    def table(what: str, groups: dict[str, Any]) -> str:
        rows = "".join(
            f"<tr><td>{_e(name)}</td><td class='wide'>{_bar(s['miou'])}</td><td><b>{_figure(s['miou'])}</b></td>"
            f"<td>{_figure(s['pixel_accuracy'])}</td><td>{s['frames']:,}</td></tr>"
            for name, s in sorted(groups.items(), key=lambda g: (g[0] == UNKNOWN, -(g[1]["miou"] or 0.0)))
        )
        head = f"<tr><th>{what}</th><th></th><th>mIoU</th><th>accuracy</th><th>frames</th></tr>"
        return f"<div class='card scroll'><table>{head}{rows}</table></div>" if rows else ""

    tables = table("town", result["by_town"]) + table("weather", result["by_weather"])
    if not tables:
        return ""
    return (
        "<h2>Towns and weathers</h2><p class='note'>Each over the classes that occur there, so rows may differ in what "
        f"they are a mean of.</p><div class='grid2'>{tables}</div>"
    )


def _frames(gallery: Gallery, classes: ClassList) -> str:
    groups = [("Worst frames", gallery.worst), ("Best frames", gallery.best)]
    if not any(frames for _, frames in groups):
        return ""
    shown = {int(i) for _, frames in groups for f in frames for a in (f.truth, f.predicted) for i in np.unique(a)} - {
        VOID
    }
    legend = "".join(f"<span>{swatch(classes, i)}{_e(classes.names[i])}</span>" for i in sorted(shown))
    legend += f"<span><i class='swatch' style='background:rgb{VOID_COLOUR}'></i>void</span>"
    parts = [f"<h2>Frames</h2><p class='note'>By their own mIoU.</p><div class='legend'>{legend}</div>"]
    for title, frames in groups:
        if frames:
            parts.append(f"<h3>{title}</h3>{''.join(_frame(f, classes) for f in frames)}")
    return "".join(parts)


def _frame(frame: Scored, classes: ClassList) -> str:
    palette = classes.colours()
    palette[VOID] = VOID_COLOUR
    wrong = error_map(frame.predicted, frame.truth)
    counted = int((frame.truth != VOID).sum())
    grey = (frame.picture.mean(axis=2, keepdims=True) * 0.45 + 20).astype(np.uint8).repeat(3, axis=2)
    tinted = (np.asarray(ERROR_COLOUR) * 0.8 + grey * 0.2).astype(np.uint8)
    errors = np.where(wrong[..., None], tinted, grey)
    panes = [
        ("picture", picture_uri(frame.picture)),
        ("label", label_uri(frame.truth, palette)),
        ("mask", label_uri(frame.predicted, palette)),
        (f"errors: {wrong.sum() / max(counted, 1):.1%} of the pixels", picture_uri(errors)),
    ]
    figures = "".join(
        f'<figure><img alt="{_e(n)}" src="{uri}"><figcaption>{n}</figcaption></figure>' for n, uri in panes
    )
    place = " · ".join(_e(word) for word in (frame.ref.town, frame.ref.weather) if word)
    return (
        f'<div class="frame-row"><h4>{_e(frame.ref.key)}<span>{place}</span><b>mIoU {frame.miou:.3f}</b></h4>'
        f'<div class="four">{figures}</div></div>'
    )


def _facts(result: dict[str, Any], info: ModelInfo) -> str:
    net, pre = info.network, info.preprocessing
    data = "; ".join(
        f"{s['name']}: {s['frames']} frames, label table {s['table']}, fingerprint {s['fingerprint'][:12]}"
        for s in result["data"]["sources"]
    )
    trained = "; ".join(f"{s.get('name')}: {s.get('frames')} frames" for s in info.data.get("sources", []))
    facts = [
        (
            "network",
            f"{net.preset}: channels {', '.join(map(str, net.widths))}, {net.padding} padding, norm {net.norm}",
        ),
        ("input", f"{pre.size[0]}x{pre.size[1]} (height x width), {pre.fit} aspect ratio, {pre.resize} resize"),
        ("class list", f"{info.classes.name}, {len(info.classes)} classes"),
        ("weights", f"sha256 {result['model']['weights_sha256'][:16]}"),
        ("engine", result["model"]["engine"]),
        ("scored on", data),
        ("trained on", trained or "not stated"),
        ("split", info.data.get("split", "not stated")),
        ("versions", ", ".join(f"{k} {v}" for k, v in info.versions.items()) or "not stated"),
    ]
    rows = "".join(f"<dt>{name}</dt><dd>{_e(str(value))}</dd>" for name, value in facts)
    return f"<h2>Model</h2><div class='card' style='margin-top:12px'><dl>{rows}</dl></div>"


def picture_uri(rgb: np.ndarray) -> str:
    """(H, W, 3) uint8 as an inline JPEG, at most SHOWN_WIDTH wide."""
    picture = Image.fromarray(np.ascontiguousarray(rgb))
    buffer = io.BytesIO()
    picture.resize(_shown_size(picture), Image.Resampling.LANCZOS).save(buffer, "JPEG", quality=82)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def label_uri(labels: np.ndarray, palette: np.ndarray) -> str:
    """(H, W) uint8 as an inline PNG in the exact colours of the palette (256, 3)."""
    picture = Image.fromarray(labels)
    picture = picture.resize(_shown_size(picture), Image.Resampling.NEAREST)
    picture.putpalette(palette.tobytes())
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def _shown_size(picture: Image.Image) -> tuple[int, int]:
    width = min(SHOWN_WIDTH, picture.width)
    return width, max(1, round(picture.height * width / picture.width))


def swatch(classes: ClassList, index: int) -> str:
    """A class's colour, for a legend."""
    r, g, b = classes.classes[index].colour
    return f"<i class='swatch' style='background:rgb({r},{g},{b})'></i>"


def _bar(value: float | None) -> str:
    return f"<div class='bar'><i style='width:{100 * (value or 0.0):.1f}%'></i></div>"


def _part(result: dict[str, Any]) -> str:
    part = result["data"].get("split")
    return f" of {part}" if part in ("val", "train") else ""


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _percent(share: float) -> str:
    return f"{share:.1%}" if share >= 0.001 else "<0.1%".replace("<", "&lt;")


def _e(text: str) -> str:
    return html.escape(text)
