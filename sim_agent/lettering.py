"""Text and shapes with smooth edges for the window, drawn once and kept.

The fonts travel with what is installed anyway: Aileron, whose figures are all of one width, inside Pillow, and
FreeSansBold inside pygame. So the window looks the same on every machine.
"""

from __future__ import annotations

import functools
import io
from typing import Literal

import numpy as np
import pygame
import pygame.freetype
from PIL import ImageFont

Colour = tuple[int, ...]
"""RGB or RGBA, 0 to 255."""
Weight = Literal["regular", "bold"]
Side = Literal["left", "middle", "right"]

_FINER = 4
"""All is drawn so many times larger, then shrunk: letters keep their distances, which hinting at small sizes spoils."""
_FULLER = (255.0 * (np.arange(256) / 255.0) ** 0.72).round().astype(np.uint8)
"""Of the opacity of thin strokes: light letters on a dark ground look thinner than they are."""


@functools.lru_cache(maxsize=1)
def _regular() -> bytes | None:
    data = getattr(ImageFont.load_default(16), "path", None)
    return data.getvalue() if isinstance(data, io.BytesIO) else None  # a Pillow without FreeType has no such font


@functools.lru_cache(maxsize=4)
def _font(weight: Weight) -> pygame.freetype.Font:
    pygame.freetype.init()
    data = _regular() if weight == "regular" else None
    font = pygame.freetype.Font(io.BytesIO(data) if data else None)
    font.origin = True
    return font


@functools.lru_cache(maxsize=4096)
def _written(text: str, size_px: float, colour: Colour, weight: Weight) -> tuple[pygame.Surface, float, float]:
    """The text's surface, and where it is from the pen's place on the baseline: to the right, upwards."""
    fine, box = _font(weight).render(text, colour, size=size_px * _FINER)
    # A whole number of pixels around it, so that letters stand where they were drawn.
    left, top = -(-box.x % _FINER) % _FINER, (-box.y) % _FINER
    size = (-(-(left + fine.get_width()) // _FINER), -(-(top + fine.get_height()) // _FINER))
    canvas = pygame.Surface((size[0] * _FINER, size[1] * _FINER), pygame.SRCALPHA)
    canvas.fill((*colour[:3], 0))
    canvas.blit(fine, (left, top))
    drawn = pygame.transform.smoothscale(canvas, size)
    opacity = pygame.surfarray.pixels_alpha(drawn)
    opacity[:] = _FULLER[opacity]
    del opacity  # it locks the surface
    return drawn, (box.x - left) / _FINER, (box.y + top) / _FINER


@functools.lru_cache(maxsize=4096)
def width_of(text: str, size_px: float, weight: Weight = "regular") -> float:
    """How far the pen moves, in pixels."""
    return sum(m[4] for m in _font(weight).get_metrics(text, size=size_px * _FINER) if m) / _FINER


def write(
    surface: pygame.Surface,
    text: str,
    x: float,
    baseline_y: float,
    size_px: float,
    colour: Colour,
    weight: Weight = "regular",
    side: Side = "left",
) -> float:
    """Write with `x` at that side of the text; returns its width in pixels."""
    width = width_of(text, size_px, weight)
    if text:
        drawn, right, up = _written(text, size_px, colour, weight)
        left = x - {"left": 0.0, "middle": width / 2, "right": width}[side]
        surface.blit(drawn, (round(left + right), round(baseline_y - up)))
    return width


@functools.lru_cache(maxsize=1024)
def rounded(width: int, height: int, radius: int, colour: Colour, edge: Colour | None = None) -> pygame.Surface:
    """A rounded rectangle with smooth corners; edge: colour of a line of one pixel inside."""
    size = (max(1, width) * _FINER, max(1, height) * _FINER)
    fine = pygame.Surface(size, pygame.SRCALPHA)
    whole = fine.get_rect()
    # smoothscale averages colour and opacity apart: the outside has the shape's colour, or corners would be dark.
    fine.fill((*(edge or colour)[:3], 0))
    if edge is not None:
        pygame.draw.rect(fine, _whole(edge, colour), whole, border_radius=radius * _FINER)
        whole = whole.inflate(-2 * _FINER, -2 * _FINER)
        radius = max(0, radius - 1)
    pygame.draw.rect(fine, colour, whole, border_radius=radius * _FINER)
    return pygame.transform.smoothscale(fine, (max(1, width), max(1, height)))


@functools.lru_cache(maxsize=64)
def disc(diameter: int, colour: Colour) -> pygame.Surface:
    """A filled circle with a smooth edge."""
    return rounded(diameter, diameter, diameter // 2 + 1, colour)


def _whole(edge: Colour, ground: Colour) -> Colour:
    """The edge's colour over the panel's, at the panel's opacity: a line must not be a hole."""
    share = (edge[3] if len(edge) == 4 else 255) / 255
    mixed = [round(e * share + g * (1.0 - share)) for e, g in zip(edge[:3], ground[:3], strict=True)]
    return (*mixed, ground[3] if len(ground) == 4 else 255)
