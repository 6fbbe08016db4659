"""The bent grid that a town's streets follow: where its nodes are, and which of them are joined."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from sim_agent.embedded.town.dials import TownPlan

Node = tuple[int, int]


class NoRoomError(Exception):
    """A drawing that cannot be built."""


@dataclass
class Grid:
    """The grid before it becomes streets."""

    at: dict[Node, tuple[float, float]]
    turn: dict[Node, float]
    edges: set[tuple[Node, Node]] = field(default_factory=set)

    def neighbours(self, node: Node) -> list[Node]:
        """The nodes that it is joined with, turning to the right from the one along x."""
        around = [(node[0] + 1, node[1]), (node[0], node[1] + 1), (node[0] - 1, node[1]), (node[0], node[1] - 1)]
        return [other for other in around if _edge(node, other) in self.edges]

    def heading(self, node: Node, other: Node) -> float:
        """In radians, as a street leaves the node towards a neighbour."""
        return self.turn[node] + math.atan2(other[1] - node[1], other[0] - node[0])


def _edge(a: Node, b: Node) -> tuple[Node, Node]:
    return (a, b) if a < b else (b, a)


def bent_grid(plan: TownPlan, rng: np.random.Generator) -> Grid:
    """Nodes where the plan's waves bend the grid to, joined but for the streets that are left out."""
    phase = rng.uniform(0.0, 2.0 * math.pi, 4)
    wave = 2.0 * math.pi / plan.wave_m
    grid = Grid({}, {})
    for i in range(plan.columns):
        for j in range(plan.rows):
            u = (i - (plan.columns - 1) / 2.0) * plan.spacing_m[0]
            v = (j - (plan.rows - 1) / 2.0) * plan.spacing_m[1]
            x = u + plan.bend_m * math.sin(wave * v + phase[0]) + 0.5 * plan.bend_m * math.sin(wave * u + phase[1])
            y = v + plan.bend_m * math.sin(wave * u + phase[2]) + 0.5 * plan.bend_m * math.sin(wave * v + phase[3])
            x_by_v = plan.bend_m * wave * math.cos(wave * v + phase[0])
            y_by_u = plan.bend_m * wave * math.cos(wave * u + phase[2])
            x += plan.shift_m[0] + float(rng.uniform(-plan.loose, plan.loose))
            y += plan.shift_m[1] + float(rng.uniform(-plan.loose, plan.loose))
            grid.at[i, j] = (x, y)
            grid.turn[i, j] = (math.atan(y_by_u) - math.atan(x_by_v)) / 2.0 + math.radians(
                float(rng.uniform(-plan.loose, plan.loose))
            )
            for other in ((i - 1, j), (i, j - 1)):
                if min(other) >= 0:
                    grid.edges.add(_edge((i, j), other))
    candidates = sorted(grid.edges)
    dropped = 0
    for k in rng.permutation(len(candidates)):
        if dropped < plan.dropped and _may_drop(grid, *candidates[k]):
            grid.edges.remove(candidates[k])
            dropped += 1
    return grid


def _may_drop(grid: Grid, a: Node, b: Node) -> bool:
    """No dead end, and at the most one bend or pass-through in a row."""
    for node, other in ((a, b), (b, a)):
        rest = [n for n in grid.neighbours(node) if n != other]
        if len(rest) < 2:
            return False
        opposite = (2 * node[0] - rest[0][0], 2 * node[1] - rest[0][1])
        if len(rest) == 2 and rest[1] != opposite:
            return False
        if len(rest) == 2 and any(len(grid.neighbours(n)) < 3 for n in rest):
            return False
    return True


def chains_of(grid: Grid) -> list[list[Node]]:
    """Node after node from junction to junction; nodes of two arms are passed through."""
    junctions = [node for node in sorted(grid.at) if len(grid.neighbours(node)) >= 3]
    chains = []
    for node in junctions:
        for other in grid.neighbours(node):
            along = [node, other]
            while len(grid.neighbours(along[-1])) == 2:
                along.append(next(n for n in grid.neighbours(along[-1]) if n != along[-2]))
            if along[-1] == node:
                raise NoRoomError("a street that ends where it starts")
            if along <= along[::-1]:
                chains.append(along)
    return chains
