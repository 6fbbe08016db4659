"""Industrial halls: wide and low, with gates, bands of windows high up, and a roof of teeth, a gable or none."""

from __future__ import annotations

import numpy as np

from sim_agent.embedded.pose import Pose
from sim_agent.embedded.scene import Box, Material, Tag
from sim_agent.embedded.town.buildings import ROOFS, SIGNS, Colour, Lot, Pile, Side, draw_wall
from sim_agent.embedded.town.geometry import Array
from sim_agent.embedded.town.scenery import Scenery

_PANELS: tuple[Colour, ...] = (
    (0.5, 0.52, 0.54),
    (0.36, 0.42, 0.48),
    (0.6, 0.58, 0.52),
    (0.42, 0.3, 0.26),
    (0.3, 0.36, 0.32),
)
"""Sheet metal."""


def build_hall(scenery: Scenery, lot: Lot, rng: np.random.Generator) -> None:
    """One hall as one solid object."""
    w, d = lot.width_m, lot.depth_m
    tall = float(rng.uniform(5.0, 9.5))
    rise = float(rng.choice([0.0, 0.0, 1.8, 2.6]))
    height = tall + rise + 0.6
    centre = lot.pose.compose(Pose(w / 2.0, d / 2.0, height / 2.0))
    box = Box(centre._replace(yaw_deg=lot.pose.yaw_deg), (w / 2.0, d / 2.0, height / 2.0))
    scenery.open("Building", Tag.BUILDING, lot.pose.compose(Pose(w / 2.0, d / 2.0, 0.0)), solid=True, box=box)
    pile = Pile()
    material, hue = draw_wall(lot.walls, rng)
    if material == Material.METAL:
        hue = _PANELS[int(rng.integers(len(_PANELS)))]
    sides = (Side(0, 0, 1, 0, w), Side(w, 0, 0, 1, d), Side(w, d, -1, 0, w), Side(0, d, 0, -1, d))
    base = float(rng.uniform(0.6, 2.4))
    for side in sides:
        edges = np.linspace(0.0, side.length_m, max(2, round(side.length_m / 6.0)) + 1)
        pile.wall(side, material, hue, edges[:-1], edges[1:], 0.0, tall, 0.0)
        pile.wall(side, Material.CONCRETE, (0.4, 0.4, 0.39), edges[:-1], edges[1:], 0.0, base, 0.03)
        if material == Material.METAL:
            seams = np.arange(0.6, side.length_m - 0.3, 1.2)
            pile.wall(side, material, _darker(hue), seams, seams + 0.07, base, tall, 0.02)
        pile.wall(
            side, Material.WINDOW, (0.42, 0.46, 0.5), edges[:-1] + 0.4, edges[1:] - 0.4, tall - 1.9, tall - 0.7, 0.04
        )
    _gates(pile, sides[0], tall, rng)
    if rise:
        _teeth(pile, w, d, tall, rise, material, hue, int(max(1, round(w / 7.0))) if rng.random() < 0.6 else 1, rng)
    else:
        _flat(pile, w, d, tall, material, hue)
    scenery.builder.add_mesh(pile.mesh(), lot.pose)


def _darker(colour: Colour) -> Colour:
    return colour[0] * 0.7, colour[1] * 0.7, colour[2] * 0.7


def _gates(pile: Pile, side: Side, tall: float, rng: np.random.Generator) -> None:
    """Roller gates and a door in the front, and a sign above."""
    length = side.length_m
    count = max(1, int(length // 9.0))
    colour = SIGNS[int(rng.integers(len(SIGNS)))] if rng.random() < 0.5 else (0.55, 0.55, 0.54)
    centres = (np.arange(count) + 0.5) * length / count
    half, high = float(rng.uniform(1.5, 2.1)), min(tall - 2.2, float(rng.uniform(3.0, 4.4)))
    pile.wall(side, Material.METAL, colour, centres - half, centres + half, 0.05, high, 0.05)
    slats = np.arange(0.4, high - 0.2, 0.5)[:, None]
    pile.wall(side, Material.METAL, _darker(colour), centres - half, centres + half, slats, slats + 0.06, 0.065)
    door = centres[0] - half - 1.3
    if door > 0.7:
        pile.wall(side, Material.PAINT, (0.3, 0.32, 0.35), door - 0.5, door + 0.5, 0.05, 2.2, 0.05)
    if rng.random() < 0.6:
        sign = SIGNS[int(rng.integers(len(SIGNS)))]
        left = float(rng.uniform(0.1, 0.4)) * length
        pile.wall(side, Material.PAINT, sign, left, left + min(6.0, 0.4 * length), tall - 0.62, tall - 0.08, 0.08)


def _flat(pile: Pile, w: float, d: float, tall: float, material: Material, hue: Colour) -> None:
    _roof(pile, w, d, np.array([[0.0, tall], [w, tall]]))
    lows = np.array(
        [(-0.05, -0.05, tall - 0.1), (-0.05, d - 0.2, tall - 0.1), (-0.05, 0.2, tall - 0.1), (w - 0.2, 0.2, tall - 0.1)]
    )
    highs = np.array(
        [
            (w + 0.05, 0.2, tall + 0.5),
            (w + 0.05, d + 0.05, tall + 0.5),
            (0.2, d - 0.2, tall + 0.5),
            (w + 0.05, d - 0.2, tall + 0.5),
        ]
    )
    pile.box(material, _darker(hue), lows, highs)


def _teeth(
    pile: Pile,
    w: float,
    d: float,
    tall: float,
    rise: float,
    material: Material,
    hue: Colour,
    count: int,
    rng: np.random.Generator,
) -> None:
    """Ridges across the front, `count` of them: gables, or saw teeth with glass in their steep sides."""
    edges = np.linspace(0.0, w, count + 1)
    lean = 0.5 if count == 1 else 0.92
    colour = ROOFS[int(rng.integers(len(ROOFS)))]
    for a, b in zip(edges[:-1], edges[1:], strict=True):
        top = a + lean * (b - a)
        _roof(pile, w, d, np.array([[a, tall], [top, tall + rise]]), colour)
        _roof(
            pile,
            w,
            d,
            np.array([[top, tall + rise], [b, tall]]),
            colour,
            Material.TILES if count == 1 else Material.WINDOW,
        )
        near = top - 0.01, top + 0.01
        front = [(a, 0.0, tall), (b, 0.0, tall), (near[1], 0.0, tall + rise), (near[0], 0.0, tall + rise)]
        back = [(b, d, tall), (a, d, tall), (near[0], d, tall + rise), (near[1], d, tall + rise)]
        pile.put(material, hue, np.array([front, back]))


def _roof(
    pile: Pile,
    w: float,
    d: float,
    line: Array,
    colour: Colour = (0.36, 0.36, 0.36),
    material: Material = Material.CONCRETE,
) -> None:
    """A slope over (2, 2) x and z from left to right, from the front to the back, in pieces of 8 m at most."""
    (x0, z0), (x1, z1) = line.tolist()
    across = np.linspace(0.0, 1.0, max(1, int(np.ceil((x1 - x0) / 8.0))) + 1)
    along = np.linspace(0.0, d, max(1, int(np.ceil(d / 8.0))) + 1)
    quads = []
    for f0, f1 in zip(across[:-1], across[1:], strict=True):
        a, b = (x0 + f0 * (x1 - x0), z0 + f0 * (z1 - z0)), (x0 + f1 * (x1 - x0), z0 + f1 * (z1 - z0))
        for y0, y1 in zip(along[:-1], along[1:], strict=True):
            quads.append([(a[0], y0, a[1]), (b[0], y0, b[1]), (b[0], y1, b[1]), (a[0], y1, a[1])])
    pile.put(material, colour, np.array(quads))
