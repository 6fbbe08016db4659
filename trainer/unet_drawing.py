"""A drawing of a network as SVG, made from the layers that ran: what `describe` saw, and nothing by hand.

Every bar is a feature map: its height goes with the map's size, its width with the number of channels; the level stands
for the depth in the U. Numbers over a bar are channels, those beside a level its size (H x W).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from trainer.unet import Layer, UNet, describe

_STYLE = """
svg{background:#fff}
text{font:12px system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;fill:#334155}
.title{font-size:16px;font-weight:600;fill:#0f172a}.size{fill:#64748b}.note{fill:#64748b;font-size:11.5px}
.map{fill:#dbe7fb;stroke:#2563eb}.taken{fill:#fff7e6;stroke:#d97706;stroke-dasharray:3 2}
.out{fill:#dcf5e4;stroke:#15803d}
path{fill:none;stroke-width:2}
.conv{stroke:#2563eb}.pool{stroke:#d6382c}.up{stroke:#15803d}
.skip{stroke:#d97706;stroke-dasharray:5 3}.head{stroke:#7c3aed}
@media (prefers-color-scheme:dark){svg{background:#10151c}text{fill:#cbd5e1}.title{fill:#f1f5f9}
.size,.note{fill:#94a3b8}
.map{fill:#1e335c;stroke:#6ea3ff}.taken{fill:#3a2b10;stroke:#f2a93b}.out{fill:#12341f;stroke:#4ade80}
.conv{stroke:#6ea3ff}.pool{stroke:#ff7a6b}.up{stroke:#4ade80}.skip{stroke:#f2a93b}.head{stroke:#b794f6}}
""".strip()

_GAP, _STEP = 34, 22  # between maps: room for the arrow; between levels, below the taller of the two
_BOTTOM_GAP = 72  # the skip above the bottom needs room for its text
_LEAST_WIDTH = 1090  # of the legend
_MARGIN, _HEADER, _LEGEND = 24, 64, 64


@dataclass
class _Map:
    """One feature map: (channels, height, width), and how it came to be: input, conv, pool, up, head."""

    shape: tuple[int, ...]
    made_by: str
    level: int
    joined: int = 0
    """Channels that the skip puts beside it, 0 for none."""
    x: float = 0.0


def draw(net: UNet, size: tuple[int, int]) -> str:
    """The SVG of a network on one picture of `size` (H, W); the same network and size give the same text."""
    layers = describe(net, size)
    maps = _maps(net, size, layers)
    depth = len(net.config.widths)
    down = {m.level: m for m in maps[: _bottom(maps, depth) + 1]}  # the last of each level on the way down: the skip

    heights = [_height(max(m.shape[1] for m in maps if m.level == level)) for level in range(depth)]
    tops = [_HEADER + 34.0]
    for level in range(1, depth):
        tops.append(tops[-1] + heights[level - 1] + _STEP + 30)

    x = float(_MARGIN + 66)
    for before, m in zip([None, *maps], maps, strict=False):
        if before is not None and before.level == m.level:
            x += _GAP if m.level < depth - 1 else _BOTTOM_GAP
        elif before is not None:  # straight below or above what it is made from
            x = before.x + (_width(before.shape[0]) - _width(m.shape[0])) / 2
        m.x = x
        x = m.x + _width(m.shape[0])
    width, height = max(x + _MARGIN + 40, _LEAST_WIDTH), tops[-1] + heights[-1] + _LEGEND + 16

    parts = [_header(net, size, layers)]
    for level in range(depth):
        first = next(m for m in maps if m.level == level)
        h, w = first.shape[1:]
        y = tops[level] + heights[level] / 2 + 4
        parts.append(f'<text class="size" x="{first.x - 8:.1f}" y="{y:.1f}" text-anchor="end">{h}x{w}</text>')
    for before, m in zip([None, *maps], maps, strict=False):
        parts += _drawn(m, before, down, tops, heights)
    last = maps[-1]
    y = tops[0] + (heights[0] + _height(last.shape[1])) / 2 + 15
    parts.append(
        f'<text class="size" x="{last.x + _width(last.shape[0]):.1f}" y="{y:.1f}" text-anchor="end">'
        f"{last.shape[1]}x{last.shape[2]}</text>"
    )
    parts.append(_legend(net, height))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" '
        f'height="{height:.0f}" role="img" aria-label="The network {net.config.preset}">\n<style>{_STYLE}</style>\n'
        + "\n".join(parts)
        + "\n</svg>\n"
    )


def _maps(net: UNet, size: tuple[int, int], layers: list[Layer]) -> list[_Map]:
    """The feature maps in the order in which they come to be; norms and dropout change no shape and are left out."""
    maps = [_Map((net.config.in_channels, *size), "input", 0)]
    level = 0
    for layer in layers:
        name = layer.name
        if layer.kind == "pool":
            level += 1
            maps.append(_Map(layer.out_shape, "pool", level))
        elif layer.kind == "transposed":
            level -= 1
            h, w = (2 * side for side in maps[-1].shape[1:])  # what is left after the crop of a 3x3 kernel's last row
            skip = net.config.widths[level]
            maps.append(_Map((layer.out_shape[0], h, w), "up", level, joined=skip))
        elif layer.kind.startswith("conv"):
            maps.append(_Map(layer.out_shape, "head" if name == "head" else "conv", level))
    return maps


def _bottom(maps: list[_Map], depth: int) -> int:
    """Index of the last map before the way up begins."""
    return next(i for i, m in enumerate(maps) if m.made_by == "up") - 1 if depth > 1 else len(maps) - 1


def _drawn(m: _Map, before: _Map | None, down: dict[int, _Map], tops: list[float], heights: list[float]) -> list[str]:
    """One map: the arrow that leads to it, its bar, its channels."""
    tall, wide = _height(m.shape[1]), _width(m.shape[0])
    y = tops[m.level] + (heights[m.level] - tall) / 2
    middle = tops[m.level] + heights[m.level] / 2
    parts = []
    if m.joined:
        left, skip = m.x - _width(m.joined), down[m.level]
        start = skip.x + _width(skip.shape[0])
        lane = tops[m.level] + heights[m.level] / 2
        parts.append(_arrow("skip", start, lane, left, lane))
        if skip.shape[1] != m.shape[1]:
            parts.append(
                f'<text class="note" x="{(start + left) / 2:.1f}" y="{lane - 6:.1f}" text-anchor="middle">'
                f"crop {skip.shape[1]}x{skip.shape[2]} to {m.shape[1]}x{m.shape[2]}</text>"
            )
        parts.append(_bar("taken", left, y, _width(m.joined), tall))
    if before is not None:
        from_middle = tops[before.level] + heights[before.level] / 2
        if before.level == m.level:
            kind = "head" if m.made_by == "head" else "conv"
            parts.append(_arrow(kind, before.x + _width(before.shape[0]), middle, m.x, middle))
        elif m.made_by == "pool":
            x = m.x + wide / 2
            parts.append(_arrow("pool", x, from_middle + _height(before.shape[1]) / 2, x, y - 15))
        else:
            x = m.x + wide / 2
            parts.append(_arrow("up", x, from_middle - _height(before.shape[1]) / 2 - 15, x, y + tall))
    parts.append(_bar("out" if m.made_by == "head" else "map", m.x, y, wide, tall))
    if m.joined:
        parts.append(_channels(m.x, y, f"{m.shape[0]}+{m.joined}"))
    else:
        parts.append(_channels(m.x + wide / 2, y, str(m.shape[0])))
    return parts


def _header(net: UNet, size: tuple[int, int], layers: list[Layer]) -> str:
    parameters = sum(layer.parameters for layer in layers)
    convolutions = sum(layer.kind.startswith(("conv", "transposed")) for layer in layers)
    return (
        f'<text class="title" x="{_MARGIN}" y="32">U-Net {net.config.preset}</text>'
        f'<text class="size" x="{_MARGIN}" y="52">{size[0]}x{size[1]} in, {convolutions} convolutional layers, '
        f"{parameters:,} parameters</text>"
    )


def _legend(net: UNet, height: float) -> str:
    up = net.config.up_kernel
    entries = [
        ("conv", "3x3 convolution, ReLU"),
        ("pool", "2x2 max pooling"),
        ("up", f"{up}x{up} transposed convolution, stride 2"),
        ("skip", "skip: copied, joined by channel"),
        ("head", "1x1 convolution"),
    ]
    x, parts = float(_MARGIN), []
    for kind, text in entries:
        parts.append(_arrow(kind, x, height - 28, x + 26, height - 28))
        parts.append(f'<text x="{x + 34:.1f}" y="{height - 24:.1f}">{text}</text>')
        x += 62 + 6.1 * len(text)
    return "".join(parts)


def _height(side: int) -> float:
    """Pixels of the drawing for a map `side` pixels high: slower than the side, or the bottom could not be seen."""
    return 6.0 + 5.2 * math.sqrt(side)


def _width(channels: int) -> float:
    return 3.0 + 0.95 * math.sqrt(channels)


def _bar(kind: str, x: float, y: float, width: float, height: float) -> str:
    return f'<rect class="{kind}" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" rx="1.5"/>'


def _channels(x: float, y: float, channels: str) -> str:
    return f'<text x="{x:.1f}" y="{y - 4:.1f}" text-anchor="middle">{channels}</text>'


def _arrow(kind: str, x0: float, y0: float, x1: float, y1: float) -> str:
    """A straight arrow, along one axis, with a gap of 2 at both ends."""
    if x0 == x1:
        sign = 1 if y1 > y0 else -1
        y0, y1 = y0 + 2 * sign, y1 - 2 * sign
        head = f"M{x1 - 4:.1f},{y1 - 5 * sign:.1f} L{x1:.1f},{y1:.1f} L{x1 + 4:.1f},{y1 - 5 * sign:.1f}"
    else:
        x0, x1 = x0 + 2, x1 - 2
        head = f"M{x1 - 5:.1f},{y1 - 4:.1f} L{x1:.1f},{y1:.1f} L{x1 - 5:.1f},{y1 + 4:.1f}"
    return (
        f'<path class="{kind}" d="M{x0:.1f},{y0:.1f} L{x1:.1f},{y1:.1f}"/>'
        f'<path class="{kind}" style="stroke-dasharray:none" d="{head}"/>'
    )
