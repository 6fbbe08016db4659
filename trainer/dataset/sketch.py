"""Perspective drawing of street things: each shape is painted into colour, tag and depth at once, so labels are exact.

Metres; x to the right of the road's centre line, y up from the ground, z ahead of the camera. Painter's algorithm:
whoever draws, draws the far things first.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

Colour = tuple[int, int, int]
Point = tuple[float, float, float]  # x_m, y_m, z_m

# CARLA 0.9.14's ids of what is drawn (configs/labels/carla-0.9.14.yaml).
ROAD, SIDEWALK, BUILDING, WALL, FENCE, POLE, TRAFFIC_LIGHT, TRAFFIC_SIGN = 1, 2, 3, 4, 5, 6, 7, 8
VEGETATION, TERRAIN, SKY, PEDESTRIAN, RIDER, CAR, TRUCK, BUS = 9, 10, 11, 12, 13, 14, 15, 16
MOTORCYCLE, BICYCLE, ROAD_LINE = 18, 19, 24

NEAR_M = 1.2
FAR_M = 160.0
# Drawn at twice the size and then averaged: edges look like a camera's, while tags keep whole ids.
OVERSAMPLE = 2


def shade(colour: Sequence[float], factor: float) -> Colour:
    """A colour made lighter (factor > 1) or darker."""
    r, g, b = (max(0, min(255, round(c * factor))) for c in colour[:3])
    return r, g, b


class Sketch:
    """One picture being drawn. curve_per_m: the road's curvature; camera_x_m, camera_y_m: where the camera is."""

    def __init__(
        self,
        width: int,
        height: int,
        fov_deg: float,
        camera_x_m: float,
        camera_y_m: float,
        curve_per_m: float,
        pitch_deg: float = 0.0,
    ) -> None:
        self.width, self.height = width, height
        big = (width * OVERSAMPLE, height * OVERSAMPLE)
        self.focal = big[0] / 2 / math.tan(math.radians(fov_deg) / 2)
        self.centre = big[0] / 2
        self.horizon = big[1] / 2 - self.focal * math.tan(math.radians(pitch_deg))
        self.camera_x_m, self.camera_y_m, self.curve_per_m = camera_x_m, camera_y_m, curve_per_m
        self._colour = Image.new("RGB", big)
        self._tags = Image.new("L", big, SKY)
        self._depth = Image.new("F", big, 1000.0)
        self._colour_pen = ImageDraw.Draw(self._colour)
        self._tag_pen = ImageDraw.Draw(self._tags)
        self._depth_pen = ImageDraw.Draw(self._depth)

    def project(self, point: Point) -> tuple[float, float]:
        """Where a point lies in the (oversampled) picture, in pixels."""
        x, y, z = point
        bend = 0.5 * self.curve_per_m * z * z
        scale = self.focal / z
        return self.centre + (x - self.camera_x_m + bend) * scale, self.horizon - (y - self.camera_y_m) * scale

    def _paint(
        self, shape: str, where: Sequence[tuple[float, float]], colour: Colour, tag: int, depth_m: float
    ) -> None:
        for pen, ink in ((self._colour_pen, colour), (self._tag_pen, tag), (self._depth_pen, depth_m)):
            getattr(pen, shape)(where, fill=ink)

    def polygon(self, points: Sequence[Point], colour: Colour, tag: int, depth_m: float | None = None) -> None:
        """Fill a polygon. depth_m: for the haze; the mean of the points by default."""
        z = [max(point[2], NEAR_M) for point in points]
        flat = [self.project((x, y, at)) for (x, y, _), at in zip(points, z, strict=True)]
        self._paint("polygon", flat, colour, tag, sum(z) / len(z) if depth_m is None else depth_m)

    def tint(self, points: Sequence[Point], colour: Colour) -> None:
        """Fill a polygon with colour only: what is painted on a thing (windows) or falls on it (shadow)."""
        self._colour_pen.polygon([self.project((x, y, max(z, NEAR_M))) for x, y, z in points], fill=colour)

    def ellipse(self, middle: Point, width_m: float, height_m: float, colour: Colour, tag: int) -> None:
        """An upright ellipse that faces the camera."""
        u, v = self.project(middle)
        w, h = width_m * self.focal / middle[2] / 2, height_m * self.focal / middle[2] / 2
        self._paint("ellipse", [(u - w, v - h), (u + w, v + h)], colour, tag, middle[2])

    def strip(self, left_m: float, right_m: float, colour: Colour, tag: int, y_m: float = 0.0) -> None:
        """A band of ground along the road, from the camera to the horizon; near bands lie over what is drawn before."""
        z = np.geomspace(NEAR_M * 0.5, FAR_M, 28)
        outline = [self.project((left_m, y_m, at)) for at in z] + [self.project((right_m, y_m, at)) for at in z[::-1]]
        for pen, ink in ((self._colour_pen, colour), (self._tag_pen, tag)):
            pen.polygon(outline, fill=ink)

    def facade(self, x_m: float, y0_m: float, y1_m: float, z0_m: float, z1_m: float, colour: Colour, tag: int) -> None:
        """An upright face along the road, cut into pieces so that it follows the road's bend."""
        z0_m, z1_m = max(z0_m, NEAR_M), max(z1_m, NEAR_M)
        # The bend is seen near the camera and where the face is long: far or short ones are one piece.
        pieces = 1 + int((z1_m - z0_m) / (6 if z0_m < 40 else 15))
        step = (z1_m - z0_m) / pieces
        for piece in reversed(range(pieces)):
            a, b = z0_m + piece * step, z0_m + (piece + 1) * step
            self.polygon([(x_m, y0_m, a), (x_m, y1_m, a), (x_m, y1_m, b), (x_m, y0_m, b)], colour, tag)

    def front(self, x0_m: float, x1_m: float, y0_m: float, y1_m: float, z_m: float, colour: Colour, tag: int) -> None:
        """An upright face across the road."""
        self.polygon([(x0_m, y0_m, z_m), (x0_m, y1_m, z_m), (x1_m, y1_m, z_m), (x1_m, y0_m, z_m)], colour, tag)

    def box(self, x_m: float, width_m: float, y0_m: float, y1_m: float, z0_m: float, z1_m: float, colour: Colour,
            tag: int) -> None:  # fmt: skip
        """A box: the side that the camera sees, the top when it is lower than the camera, and the front."""
        left, right = x_m - width_m / 2, x_m + width_m / 2
        z0_m = max(z0_m, NEAR_M)
        z1_m = max(z1_m, z0_m + 0.05)
        if y1_m < self.camera_y_m:
            top = [(left, y1_m, z0_m), (right, y1_m, z0_m), (right, y1_m, z1_m), (left, y1_m, z1_m)]
            self.polygon(top, shade(colour, 1.15), tag)
        if left > self.camera_x_m:
            self.facade(left, y0_m, y1_m, z0_m, z1_m, shade(colour, 0.75), tag)
        elif right < self.camera_x_m:
            self.facade(right, y0_m, y1_m, z0_m, z1_m, shade(colour, 0.85), tag)
        self.front(left, right, y0_m, y1_m, z0_m, colour, tag)

    def finish(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(H, W, 3) float colour, (H, W) uint8 tags, (H, W) float32 depth in metres, of what was drawn."""
        colour = np.asarray(self._colour.reduce(OVERSAMPLE), np.float32)
        tags = np.asarray(self._tags)[::OVERSAMPLE, ::OVERSAMPLE].copy()
        depth_m = np.asarray(self._depth)[::OVERSAMPLE, ::OVERSAMPLE].copy()
        # Ground: the depth follows from the row. (Strips leave it to this line.)
        rows = (np.arange(self.height) * OVERSAMPLE + 0.5) - self.horizon
        ground_m = np.where(rows > 0.5, self.camera_y_m * self.focal / np.maximum(rows, 0.5), 1000.0)
        flat = np.isin(tags, (ROAD, SIDEWALK, TERRAIN, ROAD_LINE))
        depth_m[flat] = np.broadcast_to(ground_m[:, None], depth_m.shape)[flat]
        return colour, tags, depth_m


def draw_building(sketch: Sketch, side: int, x_m: float, z0_m: float, z1_m: float, height_m: float, colour: Colour,
                  floor_m: float, lit: bool) -> None:  # fmt: skip
    """A house whose face stands at x_m on one side (-1 left, 1 right), with windows and a door."""
    depth_m = 12.0
    far = x_m + side * depth_m
    near_z = max(z0_m, NEAR_M)
    sketch.facade(x_m, 0.0, height_m, near_z, z1_m, shade(colour, 0.8), BUILDING)
    sketch.front(min(x_m, far), max(x_m, far), 0.0, height_m, near_z, colour, BUILDING)
    if near_z > 50:
        return
    glass = (235, 205, 130) if lit else shade(colour, 0.45)
    columns = max(1, int((z1_m - z0_m) / 3.0))
    step = (z1_m - z0_m) / columns
    for floor in range(int((height_m - 0.6) / floor_m)):
        y0 = floor * floor_m + (0.9 if floor else 0.3)
        y1 = floor * floor_m + floor_m - 0.6
        for column in range(columns):
            a, b = z0_m + (column + 0.25) * step, z0_m + (column + 0.75) * step
            if a < NEAR_M:
                continue
            ink = glass if not lit or (floor * 7 + column * 3) % 4 else shade(colour, 0.35)
            sketch.tint([(x_m, y0, a), (x_m, y1, a), (x_m, y1, b), (x_m, y0, b)], ink)
        if z0_m > NEAR_M:
            for at in (2.0, 5.0, 8.0):
                a, b = x_m + side * at, x_m + side * (at + 1.6)
                sketch.tint([(a, y0, z0_m), (a, y1, z0_m), (b, y1, z0_m), (b, y0, z0_m)], shade(colour, 0.5))


def draw_car(sketch: Sketch, x_m: float, z_m: float, colour: Colour, tag: int, length_m: float, height_m: float,
             from_behind: bool) -> None:  # fmt: skip
    """A car, lorry or bus: shadow, wheels, body, cabin with glass, lights."""
    width = 1.8 if tag == CAR else 2.4
    left, right = x_m - width / 2, x_m + width / 2
    if z_m > NEAR_M:
        spread = [(left - 0.15, 0, z_m - 0.1), (right + 0.15, 0, z_m - 0.1)]
        sketch.tint([*spread, (right + 0.15, 0, z_m + length_m), (left - 0.15, 0, z_m + length_m)], (28, 28, 30))
    clearance, waist = 0.3, (0.95 if tag == CAR else height_m)
    for z in (z_m + length_m - 0.9, z_m + 0.35):
        for at in (left + 0.12, right - 0.12):
            sketch.box(at, 0.22, 0.0, 0.62, z, z + 0.6, (24, 24, 26), tag)
    if tag == CAR:
        sketch.box(x_m, width * 0.96, clearance, waist, z_m, z_m + length_m, colour, tag)
        sketch.box(x_m, width * 0.82, waist, height_m, z_m + 0.7, z_m + length_m * 0.72, shade(colour, 0.9), tag)
        pane = shade((60, 75, 90), 0.9)
        if z_m > NEAR_M:
            inset = width * 0.36
            at = z_m + 0.68
            sketch.tint(
                [(x_m - inset, waist + 0.05, at), (x_m - inset * 0.9, height_m - 0.08, at),
                 (x_m + inset * 0.9, height_m - 0.08, at), (x_m + inset, waist + 0.05, at)], pane,
            )  # fmt: skip
    else:
        sketch.box(x_m, width, clearance, height_m, z_m, z_m + length_m, colour, tag)
        if z_m > NEAR_M:
            sketch.tint(
                [(left + 0.2, height_m * 0.55, z_m), (left + 0.2, height_m * 0.9, z_m),
                 (right - 0.2, height_m * 0.9, z_m), (right - 0.2, height_m * 0.55, z_m)], (50, 62, 75),
            )  # fmt: skip
    if z_m > NEAR_M:
        lamp = (200, 30, 25) if from_behind else (250, 245, 215)
        for at in (left + 0.2, right - 0.2):
            a, b = at - 0.14, at + 0.14
            sketch.tint([(a, 0.65, z_m), (a, 0.83, z_m), (b, 0.83, z_m), (b, 0.65, z_m)], lamp)


def draw_tree(sketch: Sketch, x_m: float, z_m: float, height_m: float, colour: Colour, seed: int) -> None:
    """A trunk and a crown of overlapping blobs."""
    rng = np.random.default_rng(seed)
    sketch.box(x_m, 0.32, 0.0, height_m * 0.55, z_m, z_m + 0.3, (84, 62, 44), VEGETATION)
    crown = height_m * 0.62
    for _ in range(9):
        dx, dy = rng.normal(0, crown * 0.22), rng.normal(0, crown * 0.16)
        size = crown * rng.uniform(0.45, 0.75)
        ink = shade(colour, rng.uniform(0.75, 1.2))
        sketch.ellipse((x_m + dx, height_m * 0.68 + dy, z_m), size, size * 0.85, ink, VEGETATION)


def draw_bush(sketch: Sketch, x_m: float, z_m: float, colour: Colour, seed: int) -> None:
    """A low bush."""
    rng = np.random.default_rng(seed)
    for _ in range(4):
        size = rng.uniform(0.8, 1.4)
        place = (x_m + rng.normal(0, 0.4), size * 0.35, z_m)
        sketch.ellipse(place, size, size * 0.8, shade(colour, rng.uniform(0.7, 1.1)), VEGETATION)


def draw_person(sketch: Sketch, x_m: float, z_m: float, top: Colour, legs: Colour, stride_m: float,
                tag: int = PEDESTRIAN, y_m: float = 0.0) -> None:  # fmt: skip
    """Somebody on foot, or (tag RIDER, lifted by y_m) on a bicycle or motorcycle."""
    for side in (-1, 1):
        foot = x_m + side * (0.1 + stride_m)
        hip = x_m + side * 0.1
        ground = [(foot - 0.08, y_m, z_m), (foot + 0.08, y_m, z_m)]
        sketch.polygon([*ground, (hip + 0.1, y_m + 0.85, z_m), (hip - 0.1, y_m + 0.85, z_m)], legs, tag)
    sketch.ellipse((x_m, y_m + 1.12, z_m), 0.52, 0.75, top, tag)
    sketch.ellipse((x_m, y_m + 1.6, z_m), 0.24, 0.3, (196, 150, 122), tag)


def draw_two_wheeler(sketch: Sketch, x_m: float, z_m: float, colour: Colour, motor: bool, rider: bool) -> None:
    """A bicycle or motorcycle seen from behind, with or without its rider."""
    tag = MOTORCYCLE if motor else BICYCLE
    width = 0.34 if motor else 0.2
    sketch.box(x_m, width * 0.7, 0.0, 0.66, z_m, z_m + 0.7, (26, 26, 28), tag)
    sketch.box(x_m, width, 0.5, 0.95, z_m + 0.1, z_m + 1.3, colour, tag)
    sketch.box(x_m, 0.66, 0.95, 1.04, z_m + 0.9, z_m + 1.0, (40, 40, 44), tag)
    if rider:
        draw_person(sketch, x_m, max(z_m - 0.05, NEAR_M), shade(colour, 0.8), (45, 48, 66), 0.06, RIDER, 0.3)


def draw_lamp(sketch: Sketch, x_m: float, z_m: float, side: int) -> None:
    """A street lamp that reaches over the road."""
    sketch.box(x_m, 0.16, 0.0, 6.5, z_m, z_m + 0.16, (96, 98, 100), POLE)
    arm = [x_m, x_m - side * 1.8]
    sketch.front(min(arm), max(arm), 6.4, 6.55, z_m, (96, 98, 100), POLE)


def draw_sign(sketch: Sketch, x_m: float, z_m: float, kind: int) -> None:
    """A traffic sign on its pole: round with a red rim, a yellow diamond, or a blue board."""
    sketch.box(x_m, 0.1, 0.0, 2.2, z_m, z_m + 0.1, (128, 130, 132), POLE)
    if kind == 0:
        sketch.ellipse((x_m, 2.4, z_m), 0.8, 0.8, (192, 32, 34), TRAFFIC_SIGN)
        sketch.ellipse((x_m, 2.4, z_m), 0.58, 0.58, (236, 236, 232), TRAFFIC_SIGN)
    elif kind == 1:
        diamond = [(x_m - 0.5, 2.4, z_m), (x_m, 2.9, z_m), (x_m + 0.5, 2.4, z_m), (x_m, 1.9, z_m)]
        sketch.polygon(diamond, (238, 192, 40), TRAFFIC_SIGN)
    else:
        sketch.front(x_m - 0.5, x_m + 0.5, 2.0, 2.8, z_m, (34, 76, 158), TRAFFIC_SIGN)


def draw_traffic_light(sketch: Sketch, x_m: float, z_m: float, side: int, state: int) -> None:
    """A light at the roadside and one over the lane. state: 0 red, 1 amber, 2 green."""
    sketch.box(x_m, 0.16, 0.0, 5.6, z_m, z_m + 0.16, (74, 76, 78), POLE)
    over = x_m - side * 3.2
    sketch.front(min(x_m, over), max(x_m, over), 5.45, 5.6, z_m, (74, 76, 78), POLE)
    for x, y in ((x_m - side * 0.1, 2.6), (over, 4.7)):
        sketch.front(x - 0.22, x + 0.22, y, y + 1.0, z_m - 0.05, (36, 36, 36), TRAFFIC_LIGHT)
        for index, ink in enumerate(((228, 40, 34), (240, 176, 30), (40, 204, 96))):
            lamp = ink if index == state else shade(ink, 0.25)
            sketch.ellipse((x, y + 0.83 - 0.33 * index, z_m - 0.05), 0.24, 0.24, lamp, TRAFFIC_LIGHT)


def draw_barrier(sketch: Sketch, x_m: float, z0_m: float, z1_m: float, kind: str, colour: Colour) -> None:
    """A wall, or a fence of posts and rails, along the road."""
    if kind == "wall":
        sketch.facade(x_m, 0.0, 2.1, z0_m, z1_m, colour, WALL)
        return
    z0_m = max(z0_m, NEAR_M)
    for y in (0.35, 0.7, 1.05):
        sketch.facade(x_m, y, y + 0.14, z0_m, z1_m, colour, FENCE)
    # Posts beyond 35 m are thinner than a pixel.
    for z in np.arange(min(z1_m, 35.0), z0_m, -1.5):
        sketch.facade(x_m, 0.0, 1.25, z - 0.12, z, shade(colour, 0.85), FENCE)
