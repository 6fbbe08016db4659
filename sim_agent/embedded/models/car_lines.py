"""The lines of a car: its numbers, and the shell that they make."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sim_agent.embedded.blueprints import VehicleSpec
from sim_agent.embedded.models.surface import (
    PAINT,
    Array,
    Look,
    mirrored,
)


class CarShape(NamedTuple):
    """The lines of a car. Lengths are shares of the car's length, counted from its nose; heights of its height."""

    cowl: float = 0.29
    """Foot of the windscreen."""
    roof_front: float = 0.45
    roof_rear: float = 0.74
    tail: float = 0.90
    """Foot of the rear window."""
    nose_z: float = 0.50
    """Leading edge of the bonnet."""
    cowl_z: float = 0.66
    belt_z: float = 0.70
    """Foot of the rear window; the windows' lower edge rises to it from the cowl."""
    tail_z: float = 0.68
    """Trailing edge of the boot."""
    sill_z: float = 0.14
    plan_front: float = 4.6
    """Exponent of the superellipse seen from above: 2 is round, 8 a rectangle with rounded corners."""
    plan_rear: float = 5.5
    roof_width: float = 0.72
    """Width of the roof against the body's."""
    belt_width: float = 0.91
    mirror_m: float = 0.10
    """How far the mirrors reach out."""
    sides: str = "A8 G42 B5 G38 C7"
    """Side windows from front to rear: pillars A, B (black), C (paint), glass G, panel P; shares of the roof's length."""
    doors: tuple[float, ...] = (0.335, 0.56, 0.765)
    """Door gaps."""
    rear_glass: bool = True
    grille: str = "wide"
    """wide, bar, slots, none or big."""
    lamps: str = "slim"
    """slim, round or tall."""
    tail_lamps: str = "corner"
    """corner, band or tall."""
    spokes: int = 5
    cladding: bool = False
    """Black plastic round the sill and the arches."""
    roof_look: Look = PAINT
    roof_rails: bool = False
    bumper_black: bool = False
    lower_look: Look = PAINT
    """Paint below the waist, for two-tone bodies."""
    antenna: bool = True


ROWS = np.array([0.0, 0.10, 0.26, 0.42, 0.58, 0.74, 0.90, 1.0])


_ROW_WIDTH = np.array([0.945, 0.97, 0.990, 0.998, 1.0, 0.990, 0.968, 0.940])


_ROW_NOSE = np.array([0.016, 0.003, 0.0, 0.001, 0.005, 0.010, 0.017, 0.034])


_ROW_STERN = np.array([0.020, 0.004, 0.0, 0.001, 0.005, 0.009, 0.012, 0.020])


FRONT_SHARES = np.array([0.0, 0.20, 0.40, 0.56, 0.70, 0.83])


_ARCH_ANGLES = np.radians([180.0, 155.0, 125.0, 90.0, 55.0, 25.0, 0.0])


class Body:
    """The measures of one car, and its surfaces as grids; x forward, y right, z up, origin on the ground."""

    def __init__(self, spec: VehicleSpec, shape: CarShape) -> None:
        self.spec, self.shape = spec, shape
        self.half_length, half_width, half_height = spec.extent_m
        self.length, self.height = 2 * self.half_length, 2 * half_height
        self.half_width = half_width - shape.mirror_m
        self.axles = sorted({place[0] for place in spec.wheel_positions_m}, reverse=True)
        self.radius = spec.wheel_radius_m
        self.arch = self.radius * 1.13
        self.sill = shape.sill_z * self.height
        self.plan_front = self._plan(shape.plan_front, self.axles[0], float(_ROW_NOSE.max()))
        self.plan_rear = self._plan(shape.plan_rear, -self.axles[-1], float(_ROW_STERN.max()))

    def _plan(self, exponent: float, axle: float, inset: float) -> float:
        """The exponent of the plan's end, large enough that its corner lies beyond the wheel's arch."""
        needed = (axle + self.arch + 0.03) / (self.half_length - inset * self.length)
        if needed >= 1:
            raise ValueError(
                f"The wheel of '{self.spec.id}' at {axle} m sticks out of the body; move it or shorten it."
            )
        corner = float(FRONT_SHARES[-1])
        while (1 - corner**exponent) ** (1 / exponent) < needed:
            exponent += 0.2
        return exponent

    def at(self, share: float) -> float:
        """X of a share of the length from the nose."""
        return self.half_length - share * self.length

    def top_z(self, x: Array) -> Array:
        """Height of the body without the greenhouse: bonnet, windows' lower edge, boot."""
        shape, height = self.shape, self.height
        cowl, tail = self.at(shape.cowl), self.at(shape.tail)
        on_bonnet = np.clip((self.half_length - x) / (self.half_length - cowl), 0, 1)
        bonnet = shape.nose_z + (shape.cowl_z - shape.nose_z) * on_bonnet**0.62
        on_belt = np.clip((cowl - x) / max(cowl - tail, 1e-6), 0, 1)
        belt = shape.cowl_z + (shape.belt_z - shape.cowl_z) * on_belt
        on_boot = np.clip((tail - x) / max(tail + self.half_length, 1e-6), 0, 1)
        boot = shape.belt_z + (shape.tail_z - shape.belt_z) * on_boot**2
        return height * np.where(x > cowl, bonnet, np.where(x > tail, belt, boot))

    def stations(self) -> tuple[Array, Array]:
        """X of the side's stations, front to rear, and the height of the body's lower edge there."""
        xs: list[float] = []
        arches: list[float] = []
        for axle in self.axles:
            circle = axle - self.arch * np.cos(np.pi - _ARCH_ANGLES)[::-1]
            height = self.radius + self.arch * np.sin(_ARCH_ANGLES)
            order = np.argsort(-circle)
            xs += [axle + self.arch + 0.012, *circle[order], axle - self.arch - 0.012]
            arches += [0.0, *height[order], 0.0]
        front, rear = self.axles[0] + self.arch + 0.012, self.axles[-1] - self.arch - 0.012
        corner_front = self.half_length * (1 - 0.83**self.plan_front) ** (1 / self.plan_front) * 0.99
        corner_rear = -self.half_length * (1 - 0.83**self.plan_rear) ** (1 / self.plan_rear) * 0.99
        extra = [(front + corner_front) / 2] if corner_front > front + 0.05 else []
        extra += [(rear + corner_rear) / 2] if corner_rear < rear - 0.05 else []
        middle = np.linspace(self.axles[0] - self.arch - 0.012, self.axles[-1] + self.arch + 0.012, 6)[1:-1]
        xs += [*extra, *middle]
        arches += [0.0] * (len(extra) + len(middle))
        order = np.argsort(-np.array(xs))
        return np.array(xs)[order], np.array(arches)[order]

    def half_shell(self) -> Array:
        """(rows, stations, 3): the right half of the shell, from the nose's middle round to the stern's middle."""
        side_x, side_arch = self.stations()
        count = len(FRONT_SHARES)
        points = np.zeros((len(ROWS), 2 * count + len(side_x), 3))
        for row, share in enumerate(ROWS):
            width = self.half_width * _ROW_WIDTH[row]
            front = self.half_length - _ROW_NOSE[row] * self.length
            rear = self.half_length - _ROW_STERN[row] * self.length
            x = np.concatenate(
                [
                    front * (1 - FRONT_SHARES**self.plan_front) ** (1 / self.plan_front),
                    side_x,
                    -rear * (1 - FRONT_SHARES[::-1] ** self.plan_rear) ** (1 / self.plan_rear),
                ]
            )
            reach, power = np.where(x > 0, front, rear), np.where(x > 0, self.plan_front, self.plan_rear)
            y = width * np.maximum(1 - np.minimum(np.abs(x) / reach, 1) ** power, 0) ** (1 / power)
            y[:count], y[-count:] = width * FRONT_SHARES, width * FRONT_SHARES[::-1]
            low = np.full(len(x), self.sill)
            low[:count] += 0.03 * self.height * (1 - FRONT_SHARES)
            low[-count:] += 0.05 * self.height
            low[count:-count] = np.maximum(low[count:-count], side_arch)
            top = self.top_z(x)
            z = np.maximum(self.sill + share * (top - self.sill), low + 0.010 * row)
            # arches stand out a little
            near = np.min([np.abs(x - axle) for axle in self.axles], axis=0) < 1.25 * self.arch
            y = y + np.where(near & (0 < row) & (row < 5), 0.008, 0.0)
            points[row] = np.stack([x, y, z], -1)
        return points


def whole(half: Array) -> Array:
    """The closed loop of a right half: (rows, 2 n - 1, 3), beginning and ending at the nose's middle."""
    left = half[:, ::-1] * np.array([1.0, -1.0, 1.0])
    return np.concatenate([half, left[:, 1:]], axis=1)


def whole_looks(half: list[list[Look]]) -> list[list[Look]]:
    """The cells of the closed loop of a right half's cells."""
    return [row + [mirrored(look) for look in row[::-1]] for row in half]
