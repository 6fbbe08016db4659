"""What the gap meter shows: the classes of every training side by side, in the terminal and as a page with pictures."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from trainer.errors import DataError
from trainer.manifest import write_text

if TYPE_CHECKING:
    from benchmarks.rows import Row
    from trainer.evaluate import Scored
    from trainer.labels import ClassList

PAGE = "gap.html"
SHOTS = 8
"""Pictures on the page, evenly spread over those that are scored."""
CSS = ".shots{display:grid;grid-template-columns:repeat(auto-fill,minmax(260px,1fr));gap:8px}.shots figure{margin:0}"
CSS += ".shots img{width:100%;height:auto;display:block;border-radius:5px}.shots figcaption{font-size:12px}"


@dataclass
class Shot:
    """One real picture with its label and every arm's mask: (H, W) uint8 class indices."""

    key: str
    picture: np.ndarray | None = None
    truth: np.ndarray | None = None
    masks: dict[str, np.ndarray] = field(default_factory=dict)

    def take(self, arm: str, frame: Scored) -> None:
        """An arm's mask of it."""
        self.picture, self.truth = frame.picture, frame.truth
        self.masks[arm] = frame.predicted


def print_classes(arms: Mapping[str, Mapping[str, Any]]) -> None:
    """IoU by class, a column a training; what is not in the real labels is left out of all of them."""
    from rich.console import Console
    from rich.table import Table

    table = Table("class", *(str(arm["title"]) for arm in arms.values()))
    for column in table.columns[1:]:
        column.justify = "right"
    first = next(iter(arms.values()))
    for name in first["iou"]:
        table.add_row(name, *(f"{arm['iou'][name]:.3f}" for arm in arms.values()))
    table.add_row("mIoU", *(f"{arm['miou']:.3f}" for arm in arms.values()), style="bold")
    console = Console(highlight=False)
    console.print(table)
    if first["absent"]:
        console.print(f"not in the real labels, so not scored: {', '.join(first['absent'])}")


def write_page(
    folder: Path,
    titles: Mapping[str, str],
    scores: Mapping[str, Mapping[str, Any]],
    shots: Sequence[Shot],
    rows: Sequence[Row],
    facts: Sequence[str],
    classes: ClassList,
) -> Path:
    """Write FOLDER/gap.html, which needs nothing else; an older one is replaced in one piece.

    titles: {arm: what is said of it}. scores: {arm: the figures of `evaluate --json`}.
    Raises DataError: the folder can't be written.
    """
    from trainer.report import page, tiles

    figures = [(row.case, _tile(row)) for row in rows]
    body = [
        f"<header><h1>How far the simulator is from real pictures</h1><p>{_e(' '.join(facts))}</p></header>",
        tiles(figures),
        _marks(rows),
        _classes(titles, scores),
        _pictures(titles, shots, classes),
    ]
    path = folder / PAGE
    try:
        write_text(path, page("gap", body, CSS))
    except OSError as error:
        raise DataError(f"{path}: can't be written ({error.strerror}); name another --out.") from None
    return path


def _tile(row: Row) -> str:
    assert row.ours is not None
    return f"{row.ratio:.0%} of real" if row.ratio is not None else f"{row.ours:+.1f} {row.unit}"


def _marks(rows: Sequence[Row]) -> str:
    lines = "".join(
        f"<tr><td>{_e(row.case)}</td><td>{_e(_tile(row))}</td><td>{_e(row.mark.text(row.unit) if row.mark else '')}</td>"
        f"<td>{'met' if row.met else 'missed'}</td></tr>"
        for row in rows
    )
    head = "<tr><th>case</th><th>measured</th><th>mark</th><th></th></tr>"
    return f"<h2>Marks</h2><div class='card'><table>{head}{lines}</table></div>"


def _classes(titles: Mapping[str, str], scores: Mapping[str, Mapping[str, Any]]) -> str:
    first = next(iter(scores.values()))
    matrix = np.asarray(first["confusion"], np.float64)
    share = dict(zip(first["classes"], matrix.sum(axis=1) / max(1.0, matrix.sum()), strict=True))
    head = (
        "<tr><th>class</th><th>of all pixels</th>"
        + "".join(f"<th>{_e(title)}</th>" for title in titles.values())
        + "</tr>"
    )
    lines = [
        f"<tr><td>{_e(name)}</td><td>{share[name]:.2%}</td>"
        + "".join(f"<td>{scores[arm]['iou'][name]:.3f}</td>" for arm in titles)
        + "</tr>"
        for name in sorted(first["iou"], key=lambda n: -share[n])
    ]
    lines.append(
        "<tr><td><b>mIoU</b></td><td></td>"
        + "".join(f"<td><b>{scores[arm]['miou']:.3f}</b></td>" for arm in titles)
        + "</tr>"
    )
    absent = f"<p class='note absent'>Not in the real labels, so not scored: {_e(', '.join(first['absent']))}.</p>"
    return (
        "<h2>IoU by class</h2><p class='note'>On the real validation pictures, at the labels' own resolution.</p>"
        f"<div class='card'><div class='scroll'><table>{head}{''.join(lines)}</table></div>"
        f"{absent if first['absent'] else ''}</div>"
    )


def _pictures(titles: Mapping[str, str], shots: Sequence[Shot], classes: ClassList) -> str:
    from trainer.labels import VOID
    from trainer.report import VOID_COLOUR, label_uri, picture_uri, swatch

    palette = classes.colours()
    palette[VOID] = VOID_COLOUR
    legend = "".join(f"<span>{swatch(classes, i)}{_e(name)}</span>" for i, name in enumerate(classes.names))
    parts = [f"<h2>Real pictures</h2><div class='legend'>{legend}</div>"]
    for shot in shots:
        if shot.picture is None or shot.truth is None:
            continue
        panes = [("picture", picture_uri(shot.picture)), ("label", label_uri(shot.truth, palette))]
        panes += [(title, label_uri(shot.masks[arm], palette)) for arm, title in titles.items()]
        figures = "".join(
            f'<figure><img alt="{_e(name)}" src="{uri}"><figcaption>{_e(name)}</figcaption></figure>'
            for name, uri in panes
        )
        parts.append(f'<div class="frame-row"><h4>{_e(shot.key)}</h4><div class="shots">{figures}</div></div>')
    return "".join(parts)


def _e(text: str) -> str:
    return html.escape(text)
