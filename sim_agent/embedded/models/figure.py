"""The human figure: limbs, clothes and hair over a skeleton of joints, for many poses at once."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sim_agent.embedded.models.posed import PosedSurfaces, between, round_tube, swing_bone
from sim_agent.embedded.models.surface import Array, Look, rings
from sim_agent.embedded.scene import Material, Mesh, Tag

SHOULDER_DROP = 0.034
"""From the foot of the neck down to the shoulder joints, a share of the height."""


class Clothes(NamedTuple):
    """What somebody wears; colours sRGB, 0 to 1."""

    skin: tuple[float, float, float] = (0.78, 0.58, 0.46)
    hair: tuple[float, float, float] = (0.15, 0.10, 0.07)
    top: tuple[float, float, float] = (0.30, 0.35, 0.50)
    legs: tuple[float, float, float] = (0.15, 0.17, 0.24)
    shoes: tuple[float, float, float] = (0.10, 0.09, 0.08)
    sleeves: str = "long"
    """long or short."""
    lower: str = "trousers"
    """trousers, shorts, skirt or dress."""
    jacket: bool = False
    """An open jacket of the top's colour over a light shirt, down to the hips."""
    hair_style: str = "short"
    """short, long, bun, bald, cap, hood or helmet."""
    bag: str = ""
    """Nothing, backpack, shoulder or case."""
    bag_colour: tuple[float, float, float] = (0.20, 0.16, 0.12)
    stripe: tuple[float, float, float] | None = None
    """A band round the chest, as on high-visibility vests."""


class Build(NamedTuple):
    """The proportions of a body, shares of its height unless said otherwise."""

    height_m: float = 1.75
    shoulders: float = 0.114
    """Half the distance between the shoulder joints."""
    chest: float = 0.083
    waist: float = 0.074
    hips: float = 0.090
    depth: float = 0.066
    """Half the depth of the chest."""
    belly: float = 0.060
    limb: float = 1.0
    """Thickness of arms and legs against the normal."""
    head: float = 0.068
    """Half the height of the head."""
    leg: float = 0.485
    """Height of the hip joints."""


class Joints(NamedTuple):
    """Angles of one pose in degrees, forward positive; pairs are left, right."""

    hip: tuple[float, float] = (0.0, 0.0)
    knee: tuple[float, float] = (0.0, 0.0)
    """Bent backward."""
    ankle: tuple[float, float] = (0.0, 0.0)
    """Toes up."""
    shoulder: tuple[float, float] = (0.0, 0.0)
    elbow: tuple[float, float] = (8.0, 8.0)
    spread: float = 6.0
    """How far the arms stand off the body."""
    straddle: float = 0.0
    """How far the legs are apart."""
    lean: float = 0.0
    """Of the back, forward."""


def leg_bones(build: Build) -> tuple[float, float]:
    """Lengths of thigh and shin in metres."""
    return 0.235 * build.height_m * build.leg / 0.485, 0.215 * build.height_m * build.leg / 0.485


def arm_bones(build: Build) -> tuple[float, float]:
    """Lengths of upper arm and forearm in metres."""
    return 0.165 * build.height_m, 0.150 * build.height_m


def trunk_m(build: Build) -> float:
    """From the hips to the foot of the neck in metres; the shoulders are `SHOULDER_DROP` below."""
    return (0.815 - build.leg) * build.height_m


def figures(
    build: Build, clothes: Clothes, poses: list[Joints], tag: Tag = Tag.PEDESTRIAN, standing: bool = True
) -> list[Mesh]:
    """One mesh a pose, x forward; all poses share everything but vertices and normals.

    Standing, the middle of the hips is above the origin and the lowest point at z = 0; else the hips are the origin.
    """
    meshes = _surfaces(build, clothes, poses).meshes(tag)
    if standing:
        for mesh in meshes:
            mesh.vertices[:, 2] -= mesh.vertices[:, 2].min()
    return meshes


def limbs(build: Build, clothes: Clothes, pose: Joints) -> list[str]:
    """What each triangle of a figure is part of: trunk, head, bag, skirt, and arm, hand, leg or foot with _L or _R."""
    return _surfaces(build, clothes, [pose]).triangle_limbs()


def _surfaces(build: Build, clothes: Clothes, poses: list[Joints]) -> PosedSurfaces:
    surfaces = PosedSurfaces()
    count = len(poses)
    skin = Look(Material.SKIN, clothes.skin)
    top = Look(Material.CLOTH, clothes.top)
    legs = Look(Material.CLOTH, clothes.legs)
    trunk = trunk_m(build)
    hips = np.zeros((count, 3))
    lean = np.array([pose.lean for pose in poses])
    spine = -swing_bone(-lean, 1.0)

    _legs(surfaces, build, clothes, poses, hips, legs, skin)
    surfaces.limb = "trunk"
    neck = _trunk(surfaces, build, clothes, hips, spine, trunk, top, legs)
    _arms(surfaces, build, clothes, poses, neck, spine, top, skin)
    surfaces.limb = "head"
    _head(surfaces, build, clothes, neck, spine * 0.35 + np.array([0.0, 0.0, 0.65]), skin)
    surfaces.limb = "bag"
    _bag(surfaces, build, clothes, neck, spine)
    return surfaces


def _legs(
    surfaces: PosedSurfaces, build: Build, clothes: Clothes, poses: list[Joints], hips: Array, legs: Look, skin: Look
) -> None:
    height = build.height_m
    thigh, shin = leg_bones(build)
    bare = clothes.lower in ("shorts", "skirt", "dress")
    sweeps = []
    for index, side in enumerate((-1.0, 1.0)):
        surfaces.limb = f"leg_{'LR'[index]}"
        hip = np.array([pose.hip[index] for pose in poses])
        knee_bend = np.array([pose.knee[index] for pose in poses])
        ankle_bend = np.array([pose.ankle[index] for pose in poses])
        apart = np.array([pose.straddle for pose in poses])[:, None] * np.array([[0.0, side, 0.0]])
        start = hips + np.array([0.0, side * 0.050 * height, 0.0])
        knee = start + swing_bone(hip, thigh) + thigh * np.sin(np.radians(apart))
        ankle = knee + swing_bone(hip - knee_bend, shin)
        joints = [
            *between(start + np.array([0.0, 0.0, 0.01 * height]), knee, (0.0, 0.45, 0.92)),
            *between(knee, ankle, (0.08, 0.35, 1.0)),
        ]
        radii = np.array([0.054, 0.047, 0.034, 0.033, 0.032, 0.022]) * height * build.limb
        if clothes.lower == "trousers":
            radii[-3:] = np.array([0.034, 0.034, 0.031]) * height * build.limb
        path = np.stack(joints, 1)
        tube = round_tube(path, np.broadcast_to(radii, path.shape[:2]), 8)
        if bare and clothes.lower == "shorts":
            surfaces.grid(tube[:, :4][:, ::-1], legs)
            surfaces.grid(tube[:, 3:][:, ::-1], skin)
        else:
            surfaces.grid(tube[:, ::-1], skin if bare else legs)
        foot = np.radians(hip - knee_bend + ankle_bend)
        surfaces.limb = f"foot_{'LR'[index]}"
        _foot(surfaces, build, ankle, foot, Look(Material.RUBBER, clothes.shoes))
        sweeps.append(knee)
    if clothes.lower in ("skirt", "dress"):
        surfaces.limb = "skirt"
        _skirt(
            surfaces,
            build,
            hips,
            sweeps,
            Look(Material.CLOTH, clothes.legs if clothes.lower == "skirt" else clothes.top),
        )


def _foot(surfaces: PosedSurfaces, build: Build, ankle: Array, pitch: Array, look: Look) -> None:
    height = build.height_m
    # (along the sole, above it, half width) of sections from heel to toe, as shares of the height
    sections = np.array(
        [
            (-0.030, -0.010, 0.001),
            (-0.030, 0.004, 0.021),
            (0.020, 0.010, 0.025),
            (0.070, -0.004, 0.028),
            (0.108, -0.014, 0.020),
            (0.110, -0.018, 0.001),
        ]
    )
    angles = 2 * np.pi * np.arange(7) / 6 + np.pi / 6
    local = np.zeros((len(sections), 7, 3))
    local[..., 0] = sections[:, :1]
    local[..., 1] = sections[:, 2:] * np.cos(angles)
    local[..., 2] = np.where(np.sin(angles) > 0, sections[:, 1:2], -0.036) + 0.0 * local[..., 0]
    local[0, :, 2] = local[-1, :, 2] = -0.030
    local *= height
    cos, sin = np.cos(pitch)[:, None, None], np.sin(pitch)[:, None, None]
    along, across, up = local[..., 0], local[..., 1], local[..., 2]
    sideways = np.broadcast_to(across, (len(pitch), *across.shape))
    points = np.stack([cos * along - sin * up, sideways, sin * along + cos * up], -1)
    surfaces.grid((points + ankle[:, None, None, :])[:, :, ::-1][:, ::-1], look)


def _skirt(surfaces: PosedSurfaces, build: Build, hips: Array, knees: list[Array], look: Look) -> None:
    height = build.height_m
    angles = 2 * np.pi * np.arange(13) / 12
    ring = np.stack([np.cos(angles), np.sin(angles), np.zeros(13)], -1)
    middle = (knees[0] + knees[1]) / 2
    stride = np.abs(knees[0][:, 0] - knees[1][:, 0])[:, None, None]
    rows = []
    for share, radius in ((1.0, build.hips + 0.028), (0.5, build.hips + 0.022), (0.0, build.hips + 0.006)):
        centre = hips + np.array([0.0, 0.0, 0.055 * height]) * (1 - share) + 0.92 * share * (middle - hips)
        reach = radius * height * np.array([0.86, 1.0, 1.0]) * ring
        widen = np.array([0.5, 0.0, 0.0]) * share * stride * ring
        rows.append(centre[:, None] + reach[None] + widen)
    surfaces.grid(np.stack(rows, 1), look)


def _trunk(
    surfaces: PosedSurfaces,
    build: Build,
    clothes: Clothes,
    hips: Array,
    spine: Array,
    trunk: float,
    top: Look,
    legs: Look,
) -> Array:
    """The body from the hips to the neck; gives back the foot of the neck, (P, 3)."""
    height = build.height_m
    # (share of the trunk, half width, half depth), shares of the height but the first
    sections = np.array(
        [
            (-0.17, 0.040, 0.040),
            (-0.10, 0.88 * build.hips, 0.062),
            (0.05, build.hips, 0.9 * build.depth + 0.01),
            (0.30, build.waist, build.belly),
            (0.60, build.chest, build.depth),
            (0.82, build.chest + 0.022, 0.94 * build.depth),
            (0.93, 0.93 * build.shoulders, 0.72 * build.depth),
            (1.00, 0.035, 0.034),
            (1.24, 0.029, 0.030),
        ]
    )
    angles = 2 * np.pi * np.arange(13) / 12
    squash = np.sign(np.sin(angles)) * np.abs(np.sin(angles)) ** 0.8
    across = np.stack([np.zeros(13), squash, np.zeros(13)], -1)
    forward = np.stack([np.cos(angles), np.zeros(13), np.zeros(13)], -1)
    centres = hips[:, None] + trunk * sections[None, :, :1] * spine[:, None]
    offsets = height * (sections[:, 1, None, None] * across + sections[:, 2, None, None] * forward)
    points = centres[:, :, None, :] + offsets[None]
    if clothes.lower == "dress":
        surfaces.grid(points[:, :], top)
    else:
        surfaces.grid(points[:, :3], legs)
        surfaces.grid(points[:, 2:8], top)
        surfaces.grid(points[:, 7:], Look(Material.SKIN, clothes.skin))
    if clothes.jacket:
        hem = points[:, 1:3] + height * 0.010 * (across + forward)
        surfaces.grid(hem, top)
        shirt = points[:, 2:7, [11, 0, 1]] + np.array([0.004 * height, 0.0, 0.0])
        surfaces.grid(shirt, Look(Material.CLOTH, (0.86, 0.86, 0.84)))
    if clothes.stripe is not None:
        a, b = points[:, 3], points[:, 4]
        band = np.stack([a + 0.3 * (b - a), a + 0.65 * (b - a)], 1) + 0.005 * height * (across + forward)
        surfaces.grid(band, Look(Material.SIGN, clothes.stripe))
    return centres[:, 7]


def _arms(
    surfaces: PosedSurfaces,
    build: Build,
    clothes: Clothes,
    poses: list[Joints],
    neck: Array,
    spine: Array,
    top: Look,
    skin: Look,
) -> None:
    height = build.height_m
    upper, lower = arm_bones(build)
    for index, side in enumerate((-1.0, 1.0)):
        surfaces.limb = f"arm_{'LR'[index]}"
        swing = np.array([pose.shoulder[index] for pose in poses])
        elbow_bend = np.array([pose.elbow[index] for pose in poses])
        spread = np.sin(np.radians([pose.spread for pose in poses]))[:, None] * np.array([[0.0, side, 0.0]])
        shoulder = neck - SHOULDER_DROP * height * spine + np.array([0.0, side * build.shoulders * height, 0.0])
        elbow = shoulder + swing_bone(swing, upper) + upper * spread
        wrist = elbow + swing_bone(swing + elbow_bend, lower) + 0.4 * lower * spread
        hand = wrist + swing_bone(swing + elbow_bend + 8.0, 0.085 * height)
        cap = shoulder + np.array([0.0, -side * 0.006 * height, 0.013 * height])
        bulge = shoulder + np.array([0.0, -side * 0.004 * height, 0.007 * height])
        path = np.stack(
            [cap, bulge, *between(shoulder, elbow, (0.18, 0.55, 0.94)), *between(elbow, wrist, (0.10, 0.5, 1.0))], 1
        )
        radii = np.array([0.004, 0.021, 0.032, 0.029, 0.026, 0.026, 0.024, 0.019]) * height * build.limb
        tube = round_tube(path, np.broadcast_to(radii, path.shape[:2]), 8)
        cut = 5 if clothes.sleeves == "short" else 8
        surfaces.grid(tube[:, :cut][:, ::-1], top)
        if cut < 8:
            surfaces.grid(tube[:, cut - 1 :][:, ::-1], skin)
        surfaces.limb = f"hand_{'LR'[index]}"
        palm = np.stack([wrist, wrist + 0.25 * (hand - wrist), wrist + 0.7 * (hand - wrist), hand], 1)
        surfaces.grid(
            round_tube(palm, np.broadcast_to(np.array([0.014, 0.022, 0.020, 0.002]) * height, palm.shape[:2]), 6, 0.6)[
                :, ::-1
            ],
            skin,
        )


def _head(surfaces: PosedSurfaces, build: Build, clothes: Clothes, neck: Array, up: Array, skin: Look) -> None:
    height = build.height_m
    tall = build.head * height
    centre = (
        neck
        + up / np.linalg.norm(up, axis=1, keepdims=True) * (0.176 * height - tall)
        + np.array([0.012 * height, 0, 0])
    )
    face = np.array(
        [(0.0, -1.0), (0.42, -0.95), (0.66, -0.62), (0.80, -0.15), (0.86, 0.30), (0.74, 0.72), (0.42, 0.95), (0.0, 1.0)]
    )
    shell = rings([(float(r), float(z)) for r, z in face], 10) * np.array([0.92, 0.80, 1.0]) * tall
    surfaces.grid(centre[:, None, None, :] + shell[None], skin)
    nose = rings([(0.0, -0.30), (0.16, -0.28), (0.08, 0.10), (0.0, 0.12)], 4) * tall + np.array([0.74 * tall, 0, 0])
    surfaces.grid(centre[:, None, None, :] + nose[None], skin)
    hair = Look(Material.CLOTH, clothes.hair)
    style = clothes.hair_style
    if style == "bald":
        return
    if style == "helmet":
        hard = Look(Material.METAL, clothes.hair)
        cap = rings([(0.0, -0.55), (0.88, -0.50), (1.06, 0.05), (0.92, 0.72), (0.50, 1.08), (0.0, 1.16)], 12)
        surfaces.grid(
            centre[:, None, None, :] + (cap * np.array([1.02, 0.92, 1.0]) * tall - np.array([0.06 * tall, 0, 0]))[None],
            hard,
        )
        visor = (
            rings([(0.98, -0.25), (1.10, 0.05), (1.02, 0.42)], 8, start=-0.17, turn=0.34)
            * np.array([1.02, 0.94, 1.0])
            * tall
        )
        surfaces.grid(centre[:, None, None, :] + visor[None], Look(Material.CAR_GLASS, (0.08, 0.09, 0.10)))
        return
    if style in ("cap", "hood"):
        cover = Look(Material.CLOTH, clothes.top if style == "hood" else clothes.hair)
    else:
        cover = hair
    low = {"short": -0.10, "long": -0.20, "bun": 0.0, "cap": 0.35, "hood": -0.60}[style]
    profile = [(0.90, low), (0.965, 0.25), (0.90, 0.60), (0.62, 0.95), (0.0, 1.10)]
    if style == "cap":
        profile = [(0.92, low), (0.92, 0.62), (0.66, 0.98), (0.0, 1.10)]
    cap = rings([(float(r), float(z)) for r, z in profile], 10) * np.array([0.93, 0.84, 1.0]) * tall
    # the hair line rises over the face
    if style != "cap":
        front = cap[..., 0] > 0.25 * tall
        lowest = np.where(front, 0.45 * tall, -9.0)
        cap[..., 2] = np.maximum(cap[..., 2], lowest)
        cap[..., 0] = np.where(front, np.minimum(cap[..., 0], 0.84 * tall), cap[..., 0] - 0.10 * tall)
    surfaces.grid(centre[:, None, None, :] + cap[None], cover)
    if style == "cap":
        peak = np.array(
            [
                [(0.70, -0.55, 0.40), (0.80, 0.0, 0.46), (0.70, 0.55, 0.40)],
                [(1.28, -0.34, 0.30), (1.42, 0.0, 0.34), (1.28, 0.34, 0.30)],
            ]
        )
        surfaces.grid(centre[:, None, None, :] + (peak * tall)[None], cover)
        surfaces.grid(centre[:, None, None, :] + (peak * tall)[None, :, ::-1], cover)
    if style == "long":
        fall = (
            rings([(0.50, -1.30), (0.72, -0.85), (0.80, -0.10)], 8, start=0.24, turn=0.52)
            * np.array([0.85, 0.95, 1.0])
            * tall
        )
        surfaces.grid(centre[:, None, None, :] + (fall - np.array([0.16 * tall, 0, 0]))[None], hair)
    if style == "bun":
        knot = rings([(0.0, -0.36), (0.30, -0.2), (0.36, 0.05), (0.24, 0.28), (0.0, 0.36)], 8) * tall
        surfaces.grid(centre[:, None, None, :] + (knot + np.array([-0.98 * tall, 0, 0.25 * tall]))[None], hair)


def _bag(surfaces: PosedSurfaces, build: Build, clothes: Clothes, neck: Array, spine: Array) -> None:
    if not clothes.bag:
        return
    height = build.height_m
    look = Look(Material.CLOTH, clothes.bag_colour)
    bulk = rings([(0.0, -1.0), (0.8, -1.0), (1.0, -0.8), (1.0, 0.5), (0.7, 0.95), (0.0, 1.0)], 8, start=1 / 16)
    if clothes.bag == "backpack":
        size, place = np.array([0.062, 0.095, 0.125]), np.array([-(build.depth + 0.045), 0.0, -0.16])
    elif clothes.bag == "shoulder":
        size, place = np.array([0.075, 0.035, 0.065]), np.array([0.0, build.hips + 0.035, -0.36])
    else:
        size, place = np.array([0.120, 0.030, 0.085]), np.array([0.02, build.shoulders + 0.045, -0.475])
    centre = neck + height * place
    surfaces.grid(centre[:, None, None, :] + (bulk * size * height)[None], look)
