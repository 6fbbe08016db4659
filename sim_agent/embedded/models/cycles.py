"""Motorcycles and bicycles, each with its rider."""

from __future__ import annotations

import numpy as np

from sim_agent.embedded.blueprints import VehicleSpec, vehicle_spec
from sim_agent.embedded.models.figure import (
    SHOULDER_DROP,
    Build,
    Clothes,
    Joints,
    arm_bones,
    figures,
    leg_bones,
    trunk_m,
)
from sim_agent.embedded.models.people import MAN, WOMAN
from sim_agent.embedded.models.surface import (
    BLACK,
    CHROME,
    GLASS,
    HEAD_LAMP,
    LEFT_BLINKER,
    PAINT,
    PLATE,
    RIGHT_BLINKER,
    STEEL,
    TAIL_LAMP,
    TRIM,
    TYRE,
    Look,
    Sculptor,
    rings,
)
from sim_agent.embedded.pose import Pose
from sim_agent.embedded.scene import Material, Mesh, Tag

LEATHER = Look(Material.CLOTH, (0.10, 0.08, 0.07))

_RIDERS = {
    "bh.crossbike": (MAN, Clothes(top=(0.15, 0.40, 0.62), sleeves="short", lower="shorts", legs=(0.08, 0.08, 0.09),
                                  hair=(0.85, 0.85, 0.85), hair_style="cap", shoes=(0.80, 0.80, 0.80))),
    "diamondback.century": (MAN, Clothes(skin=(0.50, 0.34, 0.25), top=(0.75, 0.15, 0.12), sleeves="short",
                                         lower="shorts", legs=(0.07, 0.07, 0.08), hair=(0.10, 0.10, 0.11),
                                         hair_style="cap")),
    "gazelle.omafiets": (WOMAN, Clothes(skin=(0.87, 0.70, 0.60), hair=(0.66, 0.52, 0.30), hair_style="long",
                                        top=(0.70, 0.62, 0.30), legs=(0.20, 0.29, 0.44))),
    "harley-davidson.low_rider": (MAN, Clothes(top=(0.10, 0.09, 0.09), legs=(0.16, 0.20, 0.28), hair_style="helmet",
                                               hair=(0.08, 0.08, 0.09))),
    "kawasaki.ninja": (MAN, Clothes(top=(0.12, 0.30, 0.12), legs=(0.08, 0.08, 0.09), hair_style="helmet",
                                    hair=(0.15, 0.55, 0.15))),
    "vespa.zx125": (WOMAN, Clothes(skin=(0.69, 0.50, 0.38), top=(0.78, 0.74, 0.66), legs=(0.35, 0.22, 0.16),
                                   hair_style="helmet", hair=(0.86, 0.85, 0.82))),
    "yamaha.yzf": (MAN, Clothes(top=(0.12, 0.16, 0.38), legs=(0.09, 0.09, 0.11), hair_style="helmet",
                                hair=(0.80, 0.80, 0.84))),
}  # fmt: skip


def cycle(vehicle_id: str) -> Mesh:
    """The mesh of a motorcycle or a bicycle with its rider; its size is still about that of its spec."""
    spec = vehicle_spec(vehicle_id)
    name = vehicle_id.removeprefix("vehicle.")
    sculptor = Sculptor(tag=spec.tag)
    builders = {
        "bh.crossbike": _sports_bicycle,
        "diamondback.century": _sports_bicycle,
        "gazelle.omafiets": _upright_bicycle,
        "harley-davidson.low_rider": _cruiser,
        "kawasaki.ninja": _sports_motorcycle,
        "yamaha.yzf": _sports_motorcycle,
        "vespa.zx125": _scooter,
    }
    hips, lean, grips, pegs = builders[name](sculptor, spec)
    build, clothes = _RIDERS[name]
    build = build._replace(height_m=_rider_height(build, hips[1], lean, 2 * spec.extent_m[2]))
    pose = seated(build, hips, lean, grips, pegs)
    rider = figures(build, clothes, [pose], Tag.RIDER, standing=False)[0]
    sculptor.add_mesh(rider, Pose(hips[0], 0.0, hips[1]))
    return sculptor.build()


Place = tuple[float, float]


def _rider_height(build: Build, hips_z: float, lean_deg: float, top: float) -> float:
    """How tall the rider is whose head reaches the top of the vehicle's box."""
    trunk, head = (0.815 - build.leg) * float(np.cos(np.radians(lean_deg))), 0.185
    return min(1.85, max(1.50, (top - hips_z) / (trunk + head)))


def seated(
    build: Build, hips: Place, lean_deg: float, grips: Place, pegs: tuple[Place, Place], straddle: float = 6.0
) -> Joints:
    """Joint angles that put the hands on the grips and the feet on the pegs; places are (x, z) in metres."""
    lean = np.radians(lean_deg)
    up = trunk_m(build) - SHOULDER_DROP * build.height_m
    shoulder = (hips[0] + up * float(np.sin(lean)), hips[1] + up * float(np.cos(lean)))
    swing, elbow = _reach(*arm_bones(build), grips[0] - shoulder[0], grips[1] - shoulder[1], -1.0)
    legs = [_reach(*leg_bones(build), peg[0] - hips[0], peg[1] + 0.06 - hips[1], 1.0) for peg in pegs]
    return Joints(
        hip=(legs[0][0], legs[1][0]),
        knee=(legs[0][1], legs[1][1]),
        ankle=(legs[0][1] - legs[0][0], legs[1][1] - legs[1][0]),
        shoulder=(swing, swing),
        elbow=(elbow, elbow),
        spread=14.0,
        straddle=straddle,
        lean=lean_deg,
    )


def _reach(upper: float, lower: float, dx: float, dz: float, bend: float) -> tuple[float, float]:
    """Angles of two bones in a plane that reach a point: of the first from straight down, and of the joint.

    `bend` 1 puts the joint before the straight line (knees), -1 behind it (elbows).
    """
    distance = min(float(np.hypot(dx, dz)), 0.999 * (upper + lower))
    towards = float(np.degrees(np.arctan2(dx, -dz)))
    first = float(np.degrees(np.arccos(np.clip((upper**2 + distance**2 - lower**2) / (2 * upper * distance), -1, 1))))
    joint = 180 - float(
        np.degrees(np.arccos(np.clip((upper**2 + lower**2 - distance**2) / (2 * upper * lower), -1, 1)))
    )
    return towards + bend * first, joint


def _ring_wheel(sculptor: Sculptor, x: float, radius: float, tyre: float, look: Look = STEEL, spokes: int = 8) -> None:
    """An open wheel: tyre, rim, spokes and hub, its axle along y."""
    profile = [
        (radius - 1.6 * tyre, 0.0),
        (radius - 0.7 * tyre, -tyre),
        (radius, 0.0),
        (radius - 0.7 * tyre, tyre),
        (radius - 1.6 * tyre, 0.0),
    ]
    turned = rings(profile, 20)
    points = np.stack([turned[..., 0] + x, turned[..., 2], turned[..., 1] + radius], -1)
    rim = radius - 1.6 * tyre
    with sculptor.part():
        sculptor.grid(points, TYRE, flip=True)
        for k in range(spokes):
            angle = 2 * np.pi * k / spokes
            end = (x + rim * float(np.cos(angle)), 0.0, radius + rim * float(np.sin(angle)))
            sculptor.rod((x, 0.0, radius), end, 0.12 * tyre + 0.002, look, 3)
        sculptor.rod((x, -1.2 * tyre - 0.02, radius), (x, 1.2 * tyre + 0.02, radius), 0.5 * tyre + 0.01, look, 6)


def _disc_wheel(sculptor: Sculptor, x: float, radius: float, half: float, rim: Look = TRIM) -> None:
    """A fat wheel with a cast rim, its axle along y."""
    profile = [
        (0.0, -0.7 * half),
        (0.62 * radius, -0.6 * half),
        (0.66 * radius, -half),
        (0.92 * radius, -0.95 * half),
        (radius, -0.3 * half),
    ]
    profile += [(r, -y) for r, y in profile[::-1]]
    turned = rings(profile, 18)
    points = np.stack([turned[..., 0] + x, turned[..., 2], turned[..., 1] + radius], -1)
    with sculptor.part():
        sculptor.grid(points[:3], rim, flip=True)
        sculptor.grid(points[2:8], TYRE, flip=True)
        sculptor.grid(points[7:], rim, flip=True)


def _mudguard(
    sculptor: Sculptor, x: float, radius: float, half: float, start_deg: float, end_deg: float, look: Look
) -> None:
    """A curved sheet over a wheel from one angle to another, 0 forward and 90 up."""
    angles = np.radians(np.linspace(start_deg, end_deg, 8))
    rows = []
    for y, r in ((-half, radius - 0.02), (-0.6 * half, radius), (0.6 * half, radius), (half, radius - 0.02)):
        rows.append([(x + r * np.cos(a), y, radius - 0.05 + r * np.sin(a)) for a in angles])
    sculptor.grid(rows, look, flip=True)
    sculptor.grid(rows, BLACK)


def _both_rods(
    sculptor: Sculptor, a: tuple[float, float, float], b: tuple[float, float, float], radius: float, look: Look
) -> None:
    for side in (-1.0, 1.0):
        sculptor.rod((a[0], side * a[1], a[2]), (b[0], side * b[1], b[2]), radius, look)


def _signals(sculptor: Sculptor, x: float, y: float, z: float) -> None:
    for side, look in ((-1.0, LEFT_BLINKER), (1.0, RIGHT_BLINKER)):
        sculptor.rod((x, side * (y - 0.08), z), (x, side * y, z), 0.010, TRIM, 4)
        sculptor.ball((x, side * y, z), (0.03, 0.03, 0.025), look, 6, 4)


Seat = tuple[Place, float, Place, tuple[Place, Place]]
"""Where the hips are, how far the back leans, where the grips and the pegs (left, right) are."""


def _sports_bicycle(sculptor: Sculptor, spec: VehicleSpec) -> Seat:
    half_base, radius = spec.wheel_positions_m[0][0], spec.wheel_radius_m
    reach = spec.extent_m[1]
    wheel_x = spec.extent_m[0] - radius
    half_base = min(half_base, wheel_x)
    rear, front = (-wheel_x, 0.0, radius), (wheel_x, 0.0, radius)
    crank, saddle = (-0.06, 0.0, 0.29), (-0.24, 0.0, 0.92)
    head_top, head_low = (wheel_x - 0.20, 0.0, 0.90), (wheel_x - 0.14, 0.0, 0.72)
    for x in (-wheel_x, wheel_x):
        _ring_wheel(sculptor, x, radius, 0.018, spokes=10)
    for a, b, thick in ((head_low, crank, 0.022), ((-0.21, 0.0, 0.80), (head_top[0], 0.0, 0.84), 0.019),
                        (crank, (-0.225, 0.0, 0.84), 0.019), (head_low, head_top, 0.022)):  # fmt: skip
        sculptor.rod(a, b, thick, PAINT)
    _both_rods(sculptor, (crank[0], 0.02, crank[2]), (rear[0], 0.06, rear[2]), 0.011, PAINT)
    _both_rods(sculptor, (-0.21, 0.02, 0.80), (rear[0], 0.06, rear[2]), 0.010, PAINT)
    _both_rods(sculptor, (head_low[0], 0.05, head_low[2]), (front[0], 0.05, front[2]), 0.013, PAINT)
    sculptor.rod((-0.225, 0.0, 0.80), saddle, 0.014, STEEL)
    sculptor.ball((-0.26, 0.0, 0.94), (0.14, 0.07, 0.035), BLACK, 8, 4)
    bar = (head_top[0] + 0.06, 0.97)
    sculptor.rod(head_top, (bar[0] - 0.03, 0.0, bar[1]), 0.018, BLACK)
    sculptor.rod((bar[0], -reach + 0.01, bar[1]), (bar[0], reach - 0.01, bar[1]), 0.015, BLACK)
    return _pedals(sculptor, crank, (-0.25, 0.96), 45.0, bar)


def _upright_bicycle(sculptor: Sculptor, spec: VehicleSpec) -> Seat:
    radius, reach = spec.wheel_radius_m, spec.extent_m[1]
    wheel_x = spec.extent_m[0] - radius - 0.02
    crank = (-0.05, 0.0, 0.30)
    head = (wheel_x - 0.22, 0.0, 0.86)
    for x in (-wheel_x, wheel_x):
        _ring_wheel(sculptor, x, radius, 0.022, spokes=10)
        _mudguard(sculptor, x, radius + 0.035, 0.03, 20.0 if x < 0 else 70.0, 160.0 if x < 0 else 175.0, PAINT)
    sculptor.pipe([(head[0] + 0.03, 0.0, 0.70), (0.18, 0.0, 0.40), (crank[0], 0.0, crank[2])], 0.022, PAINT)
    sculptor.pipe([(head[0], 0.0, 0.82), (0.12, 0.0, 0.55), (-0.14, 0.0, 0.52)], 0.018, PAINT)
    sculptor.rod(crank, (-0.24, 0.0, 0.92), 0.018, PAINT)
    _both_rods(sculptor, (crank[0], 0.02, crank[2]), (-wheel_x, 0.06, radius), 0.012, PAINT)
    _both_rods(sculptor, (-0.18, 0.02, 0.68), (-wheel_x, 0.06, radius), 0.011, PAINT)
    _both_rods(sculptor, (head[0] + 0.04, 0.05, 0.66), (wheel_x, 0.05, radius), 0.014, PAINT)
    sculptor.rod((head[0] + 0.05, 0.0, 0.66), (head[0] - 0.02, 0.0, 1.06), 0.018, PAINT)
    sculptor.ball((-0.28, 0.0, 0.95), (0.14, 0.10, 0.045), LEATHER, 8, 4)
    bar = (head[0] - 0.16, 1.10)
    for side in (-1.0, 1.0):
        path = [
            (head[0] - 0.02, 0.0, 1.06),
            (head[0] + 0.02, side * 0.6 * reach, 1.12),
            (bar[0], side * (reach - 0.012), bar[1]),
        ]
        sculptor.pipe(path, 0.013, CHROME, 5)
    sculptor.ball((head[0] + 0.12, 0.0, 0.84), (0.05, 0.04, 0.04), HEAD_LAMP, 8, 4)
    sculptor.block((-wheel_x - 0.24, -0.08, 2 * radius + 0.06), (-wheel_x + 0.22, 0.08, 2 * radius + 0.085), BLACK)
    sculptor.block((-wheel_x + 0.04, 0.045, 0.26), (-0.08, 0.065, 0.38), BLACK)
    sculptor.ball((-wheel_x - radius - 0.02, 0.0, 0.52), (0.02, 0.03, 0.03), TAIL_LAMP, 6, 4)
    return _pedals(sculptor, crank, (-0.27, 0.985), 10.0, bar)


def _pedals(sculptor: Sculptor, crank: tuple[float, float, float], hips: Place, lean: float, bar: Place) -> Seat:
    """Chain wheel, cranks and pedals; the left foot is down."""
    sculptor.rod((crank[0], 0.045, crank[2]), (crank[0], 0.055, crank[2]), 0.09, STEEL, 12)
    places = []
    for side, direction in ((-1.0, (-0.06, -0.16)), (1.0, (0.06, 0.16))):
        x, z = crank[0] + direction[0], crank[2] + direction[1]
        sculptor.rod((crank[0], side * 0.06, crank[2]), (x, side * 0.08, z), 0.012, STEEL, 4)
        sculptor.cuboid((x, side * 0.13, z), (0.09, 0.09, 0.025), BLACK)
        places.append((x - 0.04, z + 0.02))
    return hips, lean, bar, (places[0], places[1])


def _front_fork(sculptor: Sculptor, spec: VehicleSpec, top: Place, thick: float, look: Look = CHROME) -> None:
    x, radius = spec.wheel_positions_m[0][0], spec.wheel_radius_m
    _both_rods(sculptor, (x, 0.10, radius), (top[0], 0.10, top[1]), thick, look)


def _handlebar(sculptor: Sculptor, spec: VehicleSpec, centre: Place, grip: Place, mirrors: bool = True) -> None:
    reach = spec.extent_m[1]
    for side in (-1.0, 1.0):
        path = [
            (centre[0], 0.0, centre[1]),
            (centre[0] - 0.02, side * 0.5 * reach, grip[1] + 0.02),
            (grip[0], side * (reach - 0.02), grip[1]),
        ]
        sculptor.pipe(path, 0.015, BLACK, 5)
        if mirrors:
            y = side * 0.78 * reach
            sculptor.rod((centre[0], y, grip[1]), (centre[0] + 0.04, y, grip[1] + 0.16), 0.008, BLACK, 4)
            sculptor.ball((centre[0] + 0.03, y, grip[1] + 0.19), (0.03, 0.07, 0.045), BLACK, 8, 4)


def _engine(sculptor: Sculptor, x: float, z: float, size: float, look: Look = STEEL) -> None:
    sculptor.cuboid((x, 0.0, z - 0.10 * size), (0.42 * size, 0.30, 0.26 * size), TRIM)
    for tilt in (-24.0, 24.0):
        angle = np.radians(tilt)
        for share in (0.12, 0.18, 0.24, 0.30):
            place = (x + size * share * float(np.sin(angle)), 0.0, z + size * share * float(np.cos(angle)))
            sculptor.cuboid(place, (0.16 * size, 0.24, 0.035 * size), look, pitch_deg=-tilt)


def _cruiser(sculptor: Sculptor, spec: VehicleSpec) -> Seat:
    half_base, radius = spec.wheel_positions_m[0][0], spec.wheel_radius_m
    stern = -spec.extent_m[0]
    for x, half in ((half_base, 0.06), (-half_base, 0.085)):
        _disc_wheel(sculptor, x, radius, half, CHROME)
    top = (half_base - 0.38, 0.94)
    _front_fork(sculptor, spec, top, 0.025)
    _mudguard(sculptor, half_base, radius + 0.05, 0.09, 20.0, 170.0, PAINT)
    _mudguard(sculptor, -half_base, radius + 0.07, 0.12, 10.0, 190.0, PAINT)
    sculptor.ball((0.16, 0.0, 0.78), (0.34, 0.16, 0.15), PAINT, 12, 8)
    sculptor.ball((-0.30, 0.0, 0.68), (0.34, 0.17, 0.10), LEATHER, 10, 6)
    sculptor.ball((-0.68, 0.0, 0.76), (0.22, 0.13, 0.08), LEATHER, 10, 6)
    _engine(sculptor, 0.10, 0.42, 0.85, CHROME)
    sculptor.rod((top[0], 0.0, 0.88), (-0.2, 0.0, 0.62), 0.03, BLACK)
    sculptor.pipe([(0.45, 0.0, 0.80), (0.42, 0.0, 0.30), (-0.55, 0.0, 0.26)], 0.025, BLACK)
    for z in (0.26, 0.36):
        sculptor.pipe([(0.22, 0.14, 0.50), (0.20, 0.20, z), (-1.02, 0.22, z + 0.02)], 0.045, CHROME, 8)
    for side in (-1.0, 1.0):
        sculptor.cuboid((-0.80, side * 0.24, 0.52), (0.46, 0.14, 0.30), LEATHER)
    grip = (0.22, 1.08)
    _handlebar(sculptor, spec, (top[0], 1.02), grip)
    sculptor.ball((half_base - 0.24, 0.0, 0.86), (0.10, 0.10, 0.10), CHROME, 10, 6)
    sculptor.ball((half_base - 0.19, 0.0, 0.86), (0.08, 0.085, 0.085), HEAD_LAMP, 10, 6)
    sculptor.cuboid((stern + 0.05, 0.0, 0.66), (0.06, 0.12, 0.08), TAIL_LAMP)
    sculptor.cuboid((stern + 0.04, 0.0, 0.52), (0.02, 0.20, 0.14), PLATE)
    _signals(sculptor, stern + 0.12, 0.20, 0.68)
    _signals(sculptor, half_base - 0.28, 0.22, 0.78)
    return (-0.34, 0.79), 4.0, grip, ((0.50, 0.30), (0.50, 0.30))


def _sports_motorcycle(sculptor: Sculptor, spec: VehicleSpec) -> Seat:
    half_base, radius = spec.wheel_positions_m[0][0], spec.wheel_radius_m
    stern = -spec.extent_m[0]
    _disc_wheel(sculptor, half_base, radius, 0.06)
    _disc_wheel(sculptor, -half_base, radius, 0.09)
    top = (half_base - 0.26, 0.86)
    _front_fork(sculptor, spec, top, 0.026, STEEL)
    _mudguard(sculptor, half_base, radius + 0.04, 0.07, 50.0, 150.0, PAINT)
    # fairing: nose over flanks, then tank, seat and tail
    sculptor.ball((half_base - 0.18, 0.0, 0.84), (0.30, 0.19, 0.17), PAINT, 12, 8)
    sculptor.ball((half_base - 0.22, 0.0, 0.99), (0.22, 0.13, 0.13), GLASS, 10, 6)
    for side in (-1.0, 1.0):
        outline = [
            (half_base - 0.10, 0.88),
            (half_base - 0.28, 0.42),
            (0.18, 0.22),
            (-0.18, 0.24),
            (-0.05, 0.60),
            (0.16, 0.84),
        ]
        sculptor.prism(outline, side * 0.14, side * 0.21, PAINT)
        sculptor.ball((half_base + 0.02, side * 0.09, 0.84), (0.11, 0.075, 0.05), HEAD_LAMP, 8, 4)
    sculptor.ball((0.10, 0.0, 0.84), (0.30, 0.17, 0.15), PAINT, 12, 8)
    sculptor.ball((-0.30, 0.0, 0.80), (0.28, 0.15, 0.07), BLACK, 10, 6)
    tail = [(-0.42, 0.78), (-0.42, 0.88), (stern + 0.08, 1.00), (stern + 0.02, 0.96), (-0.60, 0.76)]
    sculptor.prism(tail, -0.11, 0.11, PAINT)
    _engine(sculptor, 0.05, 0.44, 0.9)
    _both_rods(sculptor, (-0.05, 0.12, 0.40), (-half_base, 0.13, radius), 0.035, STEEL)
    sculptor.pipe([(0.20, 0.12, 0.26), (-0.30, 0.16, 0.30), (-0.88, 0.22, 0.52)], 0.055, CHROME, 8)
    grip = (half_base - 0.34, 0.92)
    _handlebar(sculptor, spec, (half_base - 0.26, 0.92), grip)
    sculptor.cuboid((stern + 0.04, 0.0, 0.93), (0.05, 0.16, 0.05), TAIL_LAMP)
    sculptor.cuboid((stern + 0.02, 0.0, 0.66), (0.02, 0.20, 0.14), PLATE)
    sculptor.rod((stern + 0.10, 0.0, 0.90), (stern + 0.03, 0.0, 0.66), 0.02, BLACK, 4)
    _signals(sculptor, stern + 0.10, 0.18, 0.84)
    _signals(sculptor, half_base - 0.06, 0.24, 0.76)
    return (-0.30, 0.89), 45.0, grip, ((-0.32, 0.36), (-0.32, 0.36))


def _scooter(sculptor: Sculptor, spec: VehicleSpec) -> Seat:
    half_base, radius = spec.wheel_positions_m[0][0], spec.wheel_radius_m
    stern = -spec.extent_m[0]
    for x in (-half_base, half_base):
        _disc_wheel(sculptor, x, radius, 0.06, CHROME)
    _mudguard(sculptor, half_base, radius + 0.06, 0.09, 0.0, 180.0, PAINT)
    # leg shield, floor, rounded tail
    shield = []
    for z, x, half in ((0.24, 0.34, 0.18), (0.50, 0.42, 0.22), (0.78, 0.40, 0.20), (0.92, 0.36, 0.10)):
        shield.append(
            [(x - 0.10, -half, z), (x, -0.6 * half, z), (x + 0.03, 0.0, z), (x, 0.6 * half, z), (x - 0.10, half, z)]
        )
    sculptor.grid(shield, PAINT)
    sculptor.grid(shield, Look(Material.METAL, (0.70, 0.69, 0.66)), flip=True)
    sculptor.block((-0.18, -0.17, 0.20), (0.36, 0.17, 0.27), BLACK)
    sculptor.ball((-0.50, 0.0, 0.50), (0.42, 0.23, 0.26), PAINT, 14, 8)
    sculptor.ball((-0.44, 0.0, 0.75), (0.36, 0.15, 0.07), LEATHER, 10, 6)
    sculptor.rod((half_base, 0.0, radius), (0.30, 0.0, 1.00), 0.035, PAINT, 8)
    grip = (0.20, 1.03)
    sculptor.ball((0.32, 0.0, 1.02), (0.13, 0.13, 0.10), PAINT, 10, 6)
    sculptor.ball((0.41, 0.0, 1.02), (0.06, 0.08, 0.08), HEAD_LAMP, 10, 6)
    _handlebar(sculptor, spec, (0.30, 1.03), grip)
    sculptor.cuboid((stern + 0.03, 0.0, 0.60), (0.07, 0.14, 0.08), TAIL_LAMP)
    sculptor.cuboid((stern + 0.02, 0.0, 0.42), (0.03, 0.20, 0.14), PLATE)
    _signals(sculptor, stern + 0.12, 0.22, 0.60)
    _signals(sculptor, 0.40, 0.22, 0.86)
    return (-0.36, 0.79), 2.0, grip, ((0.16, 0.27), (0.16, 0.27))


CYCLES = tuple(f"vehicle.{name}" for name in _RIDERS)
