"""Line charts as SVG, for pages that must show without a network: a few lines over one x axis, in CSS colours."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 420, 236
LEFT, RIGHT, TOP, BOTTOM = 44, 14, 14, 34
MOST_POINTS = 400
"""More points than pixels are averaged."""


@dataclass(frozen=True)
class Line:
    """name: in the legend. points: (x, y), x ascending. style: CSS class of the colour, `a` or `b`. marks: dots."""

    name: str
    points: Sequence[tuple[float, float]]
    style: str = "a"
    marks: bool = False


def ticks(low: float, high: float, count: int = 4) -> list[float]:
    """About `count` round numbers (1, 2, 2.5 or 5 times a power of ten apart) from `low` to `high`."""
    if not high > low:
        return [low]
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * factor for factor in (1, 2, 2.5, 5, 10) if power * factor >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [round(i * step, 12) for i in range(first, math.floor(high / step + 1e-9) + 1)]


def chart(title: str, lines: Sequence[Line], x_name: str = "step", y_range: tuple[float, float] | None = None) -> str:
    """A figure with title, legend and SVG; lines without points are left out, and with none at all it is ''."""
    lines = [Line(n.name, _thinned(n.points), n.style, n.marks) for n in lines if n.points]
    if not lines:
        return ""
    xs = [x for line in lines for x, _ in line.points]
    ys = [y for line in lines for _, y in line.points]
    x0, x1 = min(0.0, min(xs)), max(xs) or 1.0
    y0, y1 = y_range or (min(0.0, min(ys)), _top(ys))
    y1 = y1 if y1 > y0 else y0 + 1.0

    def at(x: float, y: float) -> tuple[float, float]:
        inside_w, inside_h = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
        share = min(max((y - y0) / (y1 - y0), 0.0), 1.0)
        return LEFT + (x - x0) / (x1 - x0) * inside_w, HEIGHT - BOTTOM - share * inside_h

    parts = []
    for value in ticks(y0, y1):
        _, y = at(x0, value)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{value:g}</text>')
    for value in ticks(x0, x1):
        x, _ = at(value, y0)
        parts.append(f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{_short(value)}</text>')
    for line in lines:
        place = [at(x, y) for x, y in line.points]
        if len(place) > 1:
            d = "M" + " L".join(f"{x:.1f},{y:.1f}" for x, y in place)
            parts.append(f'<path class="line {line.style}" d="{d}"/>')
        if line.marks or len(place) == 1:
            parts += [
                f'<circle class="dot {line.style}" cx="{x:.1f}" cy="{y:.1f}" r="2.6">'
                f"<title>{html.escape(line.name)}, {x_name} {px:g}: {py:.4g}</title></circle>"
                for (x, y), (px, py) in zip(place, line.points, strict=True)
            ]
    legend = "".join(
        f'<span class="key"><i class="{line.style}"></i>{html.escape(line.name)} <b>{line.points[-1][1]:.3f}</b></span>'
        for line in lines
    )
    return (
        f'<figure class="chart"><figcaption><strong>{html.escape(title)}</strong>{legend}</figcaption>'
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{html.escape(title)} over {x_name}">'
        f"{''.join(parts)}"
        f'<text x="{WIDTH - RIGHT}" y="{HEIGHT - 2}" text-anchor="end">{x_name}</text></svg></figure>'
    )


def _thinned(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """At most MOST_POINTS points, each the mean of its neighbours."""
    group = -(-len(points) // MOST_POINTS)
    if group <= 1:
        return list(points)
    chunks = [points[i : i + group] for i in range(0, len(points), group)]
    return [(sum(x for x, _ in c) / len(c), sum(y for _, y in c) / len(c)) for c in chunks]


def _top(ys: Sequence[float]) -> float:
    """The upper end of the y axis: the first steps' losses may not flatten all that follows."""
    ordered = sorted(ys)
    most, typical = ordered[-1], ordered[int(0.97 * (len(ordered) - 1))]
    return typical * 1.15 if most > 1.6 * typical > 0 else most * 1.05


def _short(value: float) -> str:
    return f"{value / 1000:g}k" if value >= 10_000 else f"{value:g}"
