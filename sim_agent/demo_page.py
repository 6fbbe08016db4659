"""The demo's page: what came out of each stage, in one folder that shows without a network."""

from __future__ import annotations

import html
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from trainer import report
from trainer.report import curves, page, read_metrics, tiles

PAGE = "index.html"
_NEXT = """\
python launch.py record --out recording --host localhost --port 2000   # your CARLA server; without --host the embedded one
python launch.py train --data recording --run town                     # --size m is a quarter of an hour on two cores
python launch.py evaluate --model runs/town/model --data OTHER --report report
python launch.py drive --model runs/town/model --host localhost"""


def write_page(out: Path, commands: Sequence[str], video: Path, metrics: Path, frames: int) -> Path:
    """Write `OUT/index.html` and return its path.

    commands: what was run, as a user types it. metrics: the run's metrics.jsonl. frames: how many the recording holds,
    whichever start recorded them. The other figures are read from score.json and drive.json in `out`.
    """
    score, drive = (_read(out / f"{name}.json") for name in ("score", "drive"))
    body = [
        "<header><h1>A U-Net, from nothing to live masks</h1><p>Recorded, trained, scored in a town it never saw, and "
        "driven: on this machine, by the commands below.</p></header>",
        tiles(
            [
                ("mIoU in the unseen town", f"{score['miou']:.3f}"),
                ("pixel accuracy there", f"{score['pixel_accuracy']:.3f}"),
                ("frames recorded", f"{frames:,}"),
                ("masks a second", f"{drive['masks_per_s']:.1f}"),
                ("mask age, median", f"{drive['mask_age_ms']['p50']:.0f} ms"),
            ]
        ),
        _video(out, video),
        curves(read_metrics(metrics)),
        _classes(score),
        _latencies(drive),
        f"<h2>What was run</h2><pre class='card scroll'>{html.escape(chr(10).join(commands))}</pre>",
        f"<h2>Go on, with a CARLA server or without</h2><pre class='card scroll'>{html.escape(_NEXT)}</pre>",
    ]
    path = out / PAGE
    css = "video,.film{width:100%;border-radius:10px;display:block}pre{margin:8px 0 0;font-size:13px}"
    path.write_text(page("carla-unet demo", body, css), encoding="utf-8")
    return path


def _read(path: Path) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return read


def _video(out: Path, video: Path) -> str:
    source = html.escape(video.relative_to(out).as_posix())
    shown = (
        f'<img class="film" src="{source}" alt="the drive">'
        if video.suffix == ".gif"
        else f'<video src="{source}" controls autoplay muted loop playsinline></video>'
    )
    return f"<h2>The drive</h2><p class='note'>Each mask is drawn on the picture it was made from.</p>{shown}"


def _classes(score: dict[str, Any]) -> str:
    rows = "".join(
        f"<tr><td>{html.escape(name)}</td><td>{iou:.3f}</td>"
        f'<td class="wide"><div class="bar"><i style="width:{iou:.1%}"></i></div></td></tr>'
        for name, iou in sorted(score["iou"].items(), key=lambda item: -item[1])
    )
    return (
        "<h2>IoU by class in the unseen town</h2><p class='note'>More, with pictures: "
        f'<a href="report/{report.PAGE}">the report</a>.</p><div class="card"><table>'
        f"<tr><th>class</th><th>IoU</th><th></th></tr>{rows}</table></div>"
    )


def _latencies(drive: dict[str, Any]) -> str:
    names = {
        "engine_ms": "the engine alone",
        "mask_age_ms": "age of a mask when drawn",
        "steer_ms": "steering to simulator",
    }
    rows = "".join(
        f"<tr><td>{name}</td>" + "".join(f"<td>{drive[key][p]:.1f}</td>" for p in ("p50", "p95", "p99")) + "</tr>"
        for key, name in names.items()
        if drive.get(key)
    )
    return (
        f"<h2>Latencies</h2><p class='note'>Engine {html.escape(str(drive['engine']))}; the simulator runs beside it.</p>"
        f'<div class="card"><table><tr><th>ms</th><th>median</th><th>95 %</th><th>99 %</th></tr>{rows}</table></div>'
    )
