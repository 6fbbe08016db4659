"""OpenDRIVE's plan view: lines, arcs, spirals and cubic polynomials evaluated at any distance, in OpenDRIVE's axes."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from sim_agent.embedded.town.geometry import Array

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(24)


class Geometry(NamedTuple):
    """One element of a plan view: its start, its length and its shape with the shape's numbers."""

    s_m: float
    x_m: float
    y_m: float
    heading_rad: float
    length_m: float
    shape: str
    """line, arc, spiral, poly3 or paramPoly3."""
    numbers: tuple[float, ...]
    """arc: curvature. spiral: curvature at start and end. poly3: a b c d. paramPoly3: aU to dU, aV to dV and p's end."""

    def at(self, s_m: Array) -> tuple[Array, Array, Array]:
        """x, y and heading at distances from the element's start."""
        u, v, turn = _LOCAL[self.shape](self, np.asarray(s_m, np.float64))
        c, s = math.cos(self.heading_rad), math.sin(self.heading_rad)
        return self.x_m + u * c - v * s, self.y_m + u * s + v * c, self.heading_rad + turn


def _line(geometry: Geometry, s: Array) -> tuple[Array, Array, Array]:
    return s, np.zeros_like(s), np.zeros_like(s)


def _spiral(geometry: Geometry, s: Array) -> tuple[Array, Array, Array]:
    """Arcs are spirals whose curvature does not change. Gauss-Legendre with 24 nodes is exact to a micrometre for turns
    below a full circle.
    """
    first, last = (*geometry.numbers, *geometry.numbers)[:2]
    rate = (last - first) / geometry.length_m
    along = s[:, None] * (_NODES + 1.0) / 2.0
    turn = first * along + rate * along**2 / 2.0
    half = s / 2.0
    u, v = half * (np.cos(turn) @ _WEIGHTS), half * (np.sin(turn) @ _WEIGHTS)
    return u, v, first * s + rate * s**2 / 2.0


def _poly3(geometry: Geometry, s: Array) -> tuple[Array, Array, Array]:
    a, b, c, d = geometry.numbers
    grid = np.linspace(0.0, geometry.length_m, max(16, math.ceil(geometry.length_m / 0.1)) + 1)
    slope = b + grid * (2.0 * c + grid * 3.0 * d)
    pace = np.sqrt(1.0 + slope**2)
    along = np.concatenate([[0.0], np.cumsum((pace[1:] + pace[:-1]) / 2.0 * np.diff(grid))])
    u = np.interp(s, along, grid)
    return u, a + u * (b + u * (c + u * d)), np.arctan(b + u * (2.0 * c + u * 3.0 * d))


def _param_poly3(geometry: Geometry, s: Array) -> tuple[Array, Array, Array]:
    au, bu, cu, du, av, bv, cv, dv, end = geometry.numbers
    p = s / geometry.length_m * end
    u, v = au + p * (bu + p * (cu + p * du)), av + p * (bv + p * (cv + p * dv))
    turn = np.arctan2(bv + p * (2.0 * cv + p * 3.0 * dv), bu + p * (2.0 * cu + p * 3.0 * du))
    return u, v, turn


_LOCAL = {"line": _line, "arc": _spiral, "spiral": _spiral, "poly3": _poly3, "paramPoly3": _param_poly3}
SHAPES = tuple(_LOCAL)


class Polynomial(NamedTuple):
    """a + b ds + c ds2 + d ds3 from `s_m` on."""

    s_m: float
    a: float
    b: float
    c: float
    d: float


def evaluate(polynomials: tuple[Polynomial, ...], s_m: Array) -> Array:
    """Piecewise cubics at distances; 0 where there is none."""
    value = np.zeros_like(s_m)
    for k, piece in enumerate(polynomials):
        here = s_m >= piece.s_m - 1e-9 if k else np.ones(len(s_m), bool)
        ds = s_m[here] - piece.s_m
        value[here] = piece.a + ds * (piece.b + ds * (piece.c + ds * piece.d))
    return value


def slope(polynomials: tuple[Polynomial, ...], s_m: Array) -> Array:
    """The first derivative of `evaluate`."""
    derived = tuple(Polynomial(p.s_m, p.b, 2.0 * p.c, 3.0 * p.d, 0.0) for p in polynomials)
    return evaluate(derived, s_m)
