"""What lines the blocks along the back of the sidewalks: houses with front yards, woods, walls, open land."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from sim_agent.embedded.pose import Pose
from sim_agent.embedded.town.barriers import set_barrier
from sim_agent.embedded.town.blocks import Block, Ground
from sim_agent.embedded.town.buildings import Lot, build_building
from sim_agent.embedded.town.channel import BESIDE_WATER_M
from sim_agent.embedded.town.dials import TownPlan
from sim_agent.embedded.town.furniture import set_billboard
from sim_agent.embedded.town.geometry import Array, offset
from sim_agent.embedded.town.halls import build_hall
from sim_agent.embedded.town.plants import THICKET_M, Plant, set_hedge, set_plant
from sim_agent.embedded.town.scenery import Scenery
from sim_agent.embedded.town.terrain import GROUND_M
from sim_agent.embedded.town.works import build_site, set_terrace

_KEEP_M = 0.75
"""Ground is taken in squares: this far from what is taken already it is free for certain."""
_TERRACE_M = 2.7
"""Depth of the strip with tables before a café."""


class _Edge:
    """A block's frontage as a line along which distances are measured."""

    def __init__(self, loop: Array) -> None:
        self._loop = loop
        self._along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(loop, axis=0).T))])
        self.length_m = float(self._along[-1])

    def at(self, s: float) -> Array:
        return np.array([np.interp(s, self._along, self._loop[:, 0]), np.interp(s, self._along, self._loop[:, 1])])

    def into(self, s: float) -> tuple[Array, Array]:
        """Unit vectors along the frontage and into the block."""
        step = self.at(min(s + 1.0, self.length_m)) - self.at(max(s - 1.0, 0.0))
        ahead = step / max(float(np.hypot(*step)), 1e-9)
        return ahead, np.array([-ahead[1], ahead[0]])


class Frontage:
    """Fills the frontages of one town."""

    def __init__(
        self,
        scenery: Scenery,
        ground: Ground,
        plan: TownPlan,
        trees: Sequence[Plant],
        bushes: Sequence[Plant],
        thickets: Sequence[Plant],
        rng: np.random.Generator,
    ) -> None:
        """trees: the town's commonest first, each as often as it should occur."""
        self._scenery, self._ground, self._plan, self._rng = scenery, ground, plan, rng
        self._trees, self._bushes, self._thickets = trees, bushes, thickets
        self._kinds = [kind for kind, _ in plan.frontage]
        shares = np.array([share for _, share in plan.frontage])
        self._shares = shares / shares.sum()

    def line(self, block: Block) -> None:
        """Stretch after stretch around a block."""
        edge, rng = _Edge(block.frontage), self._rng
        s = float(rng.uniform(0.0, 4.0))
        while s < edge.length_m - 6.0:
            kind = str(rng.choice(self._kinds, p=self._shares))
            if block.outer and kind == "houses" and rng.random() < 0.3:
                kind = "wood"
            if kind == "site":
                end = self._site(edge, s)
            elif kind == "houses":
                end = min(s + float(rng.uniform(28.0, 75.0)), edge.length_m)
                while s < end - 6.0:
                    s = self._house(edge, s)
            else:
                end = min(s + float(rng.uniform(14.0, 42.0)), edge.length_m)
                self._green(edge, kind, s, end, block.outer)
            s = end if kind != "houses" else max(s, end - 6.0)
            s += float(rng.uniform(0.5, 2.5))

    def _site(self, edge: _Edge, s: float) -> float:
        """A lot on which a house is being built, or open land; where it ends."""
        rng = self._rng
        width, depth = float(rng.uniform(15.0, 24.0)), float(rng.uniform(13.0, 18.0))
        start, end = edge.at(s), edge.at(min(s + width, edge.length_m))
        chord = end - start
        if float(np.hypot(*chord)) > 0.95 * width:
            ahead = chord / float(np.hypot(*chord))
            inward = np.array([-ahead[1], ahead[0]])
            corner = start + inward * _KEEP_M
            if self._ground.take(corner, ahead * width, inward * depth):
                build_site(self._scenery, Pose(corner[0], corner[1], 0.0, 0.0, _yaw(ahead), 0.0), width, depth, rng)
                return s + width
        last = min(s + width, edge.length_m)
        self._green(edge, "open", s, last, False)
        return last

    def _house(self, edge: _Edge, s: float) -> float:
        """One building with its front yard; where the next may start."""
        plan, rng = self._plan, self._rng
        dense = plan.setback_m[1] < 2.0
        width, depth = float(rng.uniform(*plan.lot_m)), float(rng.uniform(8.5, 15.0))
        if plan.form == "hall":
            depth *= 1.4
        setback = float(rng.uniform(*plan.setback_m))
        is_cafe = bool(plan.cafes) and bool(rng.random() < plan.cafes)
        if is_cafe:
            setback = _TERRACE_M + 2.0 * _KEEP_M
        built = 0.0
        for shrink in (1.0, 0.75, 0.55):
            w, d = width * shrink, depth * shrink
            start, end = edge.at(s), edge.at(min(s + w, edge.length_m))
            chord = end - start
            reach = float(np.hypot(*chord))
            if reach < 0.9 * w:
                continue
            ahead = chord / reach
            inward = np.array([-ahead[1], ahead[0]])
            corner = start + inward * setback
            if self._ground.take(corner, ahead * w, inward * d):
                pose = Pose(corner[0], corner[1], 0.05, 0.0, _yaw(ahead), 0.0)
                self._build(pose, w, d, shrink, 0.0 if is_cafe else setback, is_cafe)
                strip = (start + inward * _KEEP_M + ahead * 0.5, ahead * (w - 1.0), inward * _TERRACE_M)
                if is_cafe and self._ground.take(*strip):
                    set_terrace(self._scenery, strip, rng)
                built = w
                break
        if not built:
            return s + 3.0
        if is_cafe:
            return s + built + 0.6
        if setback > 1.6 and rng.random() < plan.fenced:
            kind = str(rng.choice(("wall", "fence", "hedge", "railing") if plan.form != "hall" else plan.fences))
            gap = float(rng.uniform(0.2, 0.7)) * built
            for a, b in ((s, s + gap - 0.8), (s + gap + 0.8, s + built)):
                if b - a > 1.5:
                    self._barrier(edge, kind, a, b, 0.4)
        if setback > 2.4:
            for _ in range(int(rng.integers(0, 4))):
                self._bush(
                    edge.at(s + float(rng.uniform(0.5, built - 0.5))) + inward * float(rng.uniform(1.1, setback))
                )
        if setback > 5.5 and rng.random() < 0.5:
            spot = edge.at(s + 0.5 * built) + inward * 0.45 * setback
            self._tree(spot, float(rng.uniform(0.6, 0.9)), 1.0)
        between = float(rng.choice([0.6, 0.6, 4.0])) if dense else float(rng.uniform(1.0, 6.0))
        return s + built + (0.15 if plan.form == "terrace" and rng.random() < 0.8 else between)

    def _build(
        self, pose: Pose, width_m: float, depth_m: float, shrink: float, setback_m: float, is_cafe: bool
    ) -> None:
        plan, rng = self._plan, self._rng
        storeys = int(rng.integers(plan.storeys[0], plan.storeys[1] + 1))
        if shrink < 0.7:
            storeys = min(storeys, 3)
        gabled = storeys <= 3 and bool(rng.random() < plan.gabled)
        shop = (bool(rng.random() < plan.shops) and setback_m < 2.5) or is_cafe
        lot = Lot(pose, width_m, depth_m, storeys, gabled, shop, plan.form, plan.walls)
        if plan.form == "hall" and width_m > 12.0 and rng.random() < 0.8:
            build_hall(self._scenery, lot, rng)
        else:
            build_building(self._scenery, lot, rng)

    def _green(self, edge: _Edge, kind: str, start: float, end: float, outer: bool) -> None:
        """A wood, open land or a wall with trees behind; it is taken, so that no house is built there later."""
        plan, rng = self._plan, self._rng
        if kind == "walled":
            tall = rng.random() < 0.6
            self._barrier(edge, "high_wall" if tall else "wall", start, end, 0.4)
        elif outer and rng.random() < 0.35:
            self._barrier(edge, "guardrail", start, end, 0.35)
        elif rng.random() < 0.6:
            self._barrier(edge, str(rng.choice(plan.fences)), start, end, 0.35)
        if kind == "open":
            for s in np.arange(start + 1.0, end - 1.0, 7.0).tolist():
                _, inward = edge.into(s)
                if rng.random() < 0.5:
                    self._bush(edge.at(s) + inward * float(rng.uniform(1.5, 6.0)))
            if end - start > 18.0 and rng.random() < 0.3:
                self._billboard(edge, 0.5 * (start + end))
        else:
            if kind == "wood":
                self._thicket_along(edge, start, end)
            for s in np.arange(start + 2.0, end - 1.0, 4.2 if kind == "wood" else 7.0).tolist():
                _, inward = edge.into(s)
                away = float(rng.uniform(3.2, 9.0))
                self._tree(
                    edge.at(s + float(rng.uniform(-1.0, 1.0))) + inward * away, float(rng.uniform(0.9, 1.5)), 0.5
                )
        for s in np.arange(start + 1.0, end, 2.0).tolist():
            _, inward = edge.into(s)
            for away in (1.0, 3.0, 5.0):
                x, y = edge.at(s) + inward * away
                self._ground.claim(float(x), float(y), 0.9)

    def _thicket_along(self, edge: _Edge, start: float, end: float) -> None:
        rng = self._rng
        size = int(rng.integers(len(self._thickets) - 1))
        for s in np.arange(start + 0.5, end - 0.6 * THICKET_M, 0.92 * THICKET_M).tolist():
            ahead, inward = edge.into(s + 0.5 * THICKET_M)
            spot = edge.at(s) + inward * float(rng.uniform(1.9, 2.5))
            middle = spot + 0.5 * THICKET_M * ahead
            if rng.random() < 0.88 and self._ground.free(float(middle[0]), float(middle[1]), 0.9):
                plant = self._thickets[min(size + int(rng.integers(2)), len(self._thickets) - 1)]
                pose = Pose(float(spot[0]), float(spot[1]), GROUND_M - 0.1, 0.0, _yaw(ahead), 0.0)
                set_plant(self._scenery, plant, pose, 1.0)

    def _tree(self, spot: Array, scale: float, keep: float) -> None:
        """A tree if `keep` of its crown has room."""
        x, y = float(spot[0]), float(spot[1])
        plant = self._trees[int(self._rng.integers(len(self._trees)))]
        radius = max(0.8, plant.reach_m * scale * keep)
        if self._ground.free(x, y, radius):
            turn = float(self._rng.uniform(-180.0, 180.0))
            set_plant(self._scenery, plant, Pose(x, y, GROUND_M - 0.03, 0.0, turn, 0.0), scale)
            self._ground.claim(x, y, radius)

    def _bush(self, spot: Array) -> None:
        x, y = float(spot[0]), float(spot[1])
        if self._ground.free(x, y, 0.6):
            bush = self._bushes[int(self._rng.integers(len(self._bushes)))]
            turn = float(self._rng.uniform(-180.0, 180.0))
            set_plant(self._scenery, bush, Pose(x, y, GROUND_M, 0.0, turn, 0.0), 1.0)
            self._ground.claim(x, y, 0.6)

    def _billboard(self, edge: _Edge, s: float) -> None:
        ahead, inward = edge.into(s)
        spot = edge.at(s) + 2.6 * inward
        if self._ground.free(float(spot[0]), float(spot[1]), 2.0):
            # It looks at those who come along the right-hand side of the street, and a little into it.
            facing = _yaw(-ahead - 0.5 * inward)
            set_billboard(self._scenery, Pose(float(spot[0]), float(spot[1]), GROUND_M, 0.0, facing, 0.0), self._rng)

    def _barrier(self, edge: _Edge, kind: str, start: float, end: float, behind_m: float) -> None:
        """Along the frontage, this far behind the sidewalk."""
        count = max(1, math.ceil((end - start) / 5.0))
        line = offset(np.array([edge.at(s) for s in np.linspace(start, end, count + 1)]), behind_m)
        wet = self._ground.is_wet(line, BESIDE_WATER_M)
        if kind != "hedge":
            for dry in np.split(np.arange(len(line)), np.flatnonzero(np.diff(wet)) + 1):
                if len(dry) > 1 and not wet[dry[0]]:
                    set_barrier(self._scenery, kind, line[dry], self._rng)
            return
        grows = ~wet[1:] & ~wet[:-1]
        for (x0, y0), (x1, y1) in zip(line[:-1][grows].tolist(), line[1:][grows].tolist(), strict=True):
            yaw = math.degrees(math.atan2(y1 - y0, x1 - x0))
            set_hedge(
                self._scenery, Pose(x0, y0, GROUND_M - 0.05, 0.0, yaw, 0.0), math.hypot(x1 - x0, y1 - y0), self._rng
            )


def _yaw(way: Array) -> float:
    return math.degrees(math.atan2(way[1], way[0]))
