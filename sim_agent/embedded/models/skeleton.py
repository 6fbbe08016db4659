"""The bones of CARLA's walkers in our figures: names and order as theirs, places and angles as ours stand and walk."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache, partial

import numpy as np

from sim_agent.embedded.blueprints import WALKERS, walker_spec
from sim_agent.embedded.models.figure import (
    SHOULDER_DROP,
    Build,
    Joints,
    arm_bones,
    figures,
    leg_bones,
    limbs,
    trunk_m,
)
from sim_agent.embedded.models.gait import PHASES, STAND, walking
from sim_agent.embedded.models.people import look_of
from sim_agent.embedded.models.surface import Array, Look, Sculptor
from sim_agent.embedded.pose import ORIGIN, Pose, wrap_deg
from sim_agent.embedded.scene import Material, Mesh, MeshBuilder, Tag

Bones = dict[str, Pose]

_FINGERS = ("Thumb", "Index", "Middle", "Ring", "Pinky")


def _parents() -> dict[str, str]:
    """Each bone's parent, parents first (CARLA docs, tuto_G_control_walker_skeletons)."""
    tree = {"crl_root": "", "crl_hips__C": "crl_root", "crl_spine__C": "crl_hips__C", "crl_spine01__C": "crl_spine__C"}
    for side in ("L", "R"):
        if side == "R":
            tree |= {"crl_neck__C": "crl_spine01__C", "crl_Head__C": "crl_neck__C"}
            tree |= {"crl_eye__L": "crl_Head__C", "crl_eye__R": "crl_Head__C"}
        chain = ["crl_spine01__C", *(f"crl_{bone}__{side}" for bone in ("shoulder", "arm", "foreArm", "hand"))]
        tree |= dict(zip(chain[1:], chain[:-1], strict=True))
        for finger in _FINGERS:
            chain = [f"crl_hand__{side}", *(f"crl_hand{finger}{joint}__{side}" for joint in ("", "01", "02", "End"))]
            tree |= dict(zip(chain[1:], chain[:-1], strict=True))
    for side in ("L", "R"):
        chain = ["crl_hips__C", *(f"crl_{bone}__{side}" for bone in ("thigh", "leg", "foot", "toe", "toeEnd"))]
        tree |= dict(zip(chain[1:], chain[:-1], strict=True))
    return tree


PARENTS = _parents()
"""Bone to its parent, in CARLA's order; the root has none."""

_SOLE = ((-0.030, -0.036), (0.108, -0.036))
"""Heel and toe of a foot's sole from the ankle, ahead and up, shares of the height."""

# Bones that carry a part of the figure, and the bone at the far end of that part.
_FLESH = {
    "crl_hips__C": "crl_spine__C",
    "crl_spine__C": "crl_spine01__C",
    "crl_spine01__C": "crl_neck__C",
    "crl_Head__C": "crl_eye__L",
}
# Which of them share a limb of the figure.
_CARRIERS = {
    "trunk": ("crl_hips__C", "crl_spine__C", "crl_spine01__C"),
    "skirt": ("crl_hips__C",),
    "head": ("crl_Head__C",),
    "bag": ("crl_spine01__C",),
}
# Joints that are rounded, so that no gap shows when they bend, and how thick, a share of the height.
_BALLS = {"crl_spine__C": 0.055}
for _side in ("L", "R"):
    _FLESH |= {
        f"crl_arm__{_side}": f"crl_foreArm__{_side}",
        f"crl_foreArm__{_side}": f"crl_hand__{_side}",
        f"crl_hand__{_side}": f"crl_handMiddleEnd__{_side}",
        f"crl_thigh__{_side}": f"crl_leg__{_side}",
        f"crl_leg__{_side}": f"crl_foot__{_side}",
        f"crl_foot__{_side}": f"crl_toeEnd__{_side}",
    }
    _CARRIERS |= {
        f"arm_{_side}": (f"crl_arm__{_side}", f"crl_foreArm__{_side}"),
        f"hand_{_side}": (f"crl_hand__{_side}",),
        f"leg_{_side}": (f"crl_thigh__{_side}", f"crl_leg__{_side}"),
        f"foot_{_side}": (f"crl_foot__{_side}",),
    }
    _BALLS |= {
        f"crl_arm__{_side}": 0.033,
        f"crl_foreArm__{_side}": 0.027,
        f"crl_hand__{_side}": 0.018,
        f"crl_thigh__{_side}": 0.052,
        f"crl_leg__{_side}": 0.035,
        f"crl_foot__{_side}": 0.024,
    }
DRAWN = tuple(_FLESH)
"""The bones that carry a part of the figure."""


def walker_bones(walker_id: str, phase: int | None) -> Bones:
    """Each bone in its parent bone, as a walker stands (None) or walks; the root, between the feet, in the actor."""
    return dict(_posed_bones(walker_id, None if phase is None else phase % PHASES))


@lru_cache(maxsize=512)
def _posed_bones(walker_id: str, phase: int | None) -> tuple[tuple[str, Pose], ...]:
    build, _, _ = look_of(walker_id)
    half_height = walker_spec(walker_id).extent_m[2]
    bones = _figure_bones(build, STAND if phase is None else walking()[phase])
    scale = _scale(walker_id)
    placed = {name: _grown(pose, scale) for name, pose in bones.items()}
    placed["crl_root"] = Pose(z_m=-half_height)
    return tuple(placed.items())


def _grown(pose: Pose, scale: float) -> Pose:
    return pose._replace(x_m=scale * pose.x_m, y_m=scale * pose.y_m, z_m=scale * pose.z_m)


@lru_cache(maxsize=64)
def _scale(walker_id: str) -> float:
    """How much larger the walker is than its figure (people.py fits the figure's height, hat and all)."""
    build, clothes, _ = look_of(walker_id)
    (mesh,) = figures(build, clothes, [STAND])
    return 2.0 * walker_spec(walker_id).extent_m[2] / float(mesh.vertices[:, 2].max())


def _figure_bones(build: Build, joints: Joints) -> Bones:
    """Bones of a figure whose soles touch z = 0. At rest all look ahead; a limb's pitch swings it forward."""
    height, trunk = build.height_m, trunk_m(build)
    thigh, shin = leg_bones(build)
    upper, lower = arm_bones(build)
    bones = {
        "crl_root": ORIGIN,
        "crl_spine__C": Pose(z_m=0.25 * trunk, pitch_deg=-joints.lean),
        "crl_spine01__C": Pose(z_m=0.35 * trunk),
        "crl_neck__C": Pose(z_m=0.40 * trunk, pitch_deg=0.65 * joints.lean),
        "crl_Head__C": Pose(0.012 * height, 0.0, 0.176 * height - build.head * height),
    }
    for side, sign in (("L", -1.0), ("R", 1.0)):
        k = 0 if side == "L" else 1
        bones[f"crl_shoulder__{side}"] = Pose(
            0.0, 0.3 * sign * build.shoulders * height, 0.38 * trunk - SHOULDER_DROP * height
        )
        bones[f"crl_arm__{side}"] = Pose(
            0.0,
            0.7 * sign * build.shoulders * height,
            0.02 * trunk,
            pitch_deg=joints.shoulder[k] + joints.lean,
            roll_deg=-sign * joints.spread,
        )
        bones[f"crl_foreArm__{side}"] = Pose(z_m=-upper, pitch_deg=joints.elbow[k])
        bones[f"crl_hand__{side}"] = Pose(z_m=-lower, pitch_deg=8.0)
        bones |= _hand(side, sign, height)
        bones[f"crl_eye__{side}"] = Pose(0.055 * height, 0.018 * sign * height, 0.008 * height)
        bones[f"crl_thigh__{side}"] = Pose(
            0.0, 0.050 * sign * height, 0.0, pitch_deg=joints.hip[k], roll_deg=-sign * joints.straddle
        )
        bones[f"crl_leg__{side}"] = Pose(z_m=-thigh, pitch_deg=-joints.knee[k])
        bones[f"crl_foot__{side}"] = Pose(z_m=-shin, pitch_deg=joints.ankle[k])
        bones[f"crl_toe__{side}"] = Pose(0.070 * height, 0.0, -0.020 * height)
        bones[f"crl_toeEnd__{side}"] = Pose(0.038 * height)
    lowest = min(
        -thigh * _cos(hip) - shin * _cos(hip - knee) + height * _sole(hip - knee + ankle)
        for hip, knee, ankle in zip(joints.hip, joints.knee, joints.ankle, strict=True)
    )
    bones["crl_hips__C"] = Pose(z_m=-lowest)
    return {name: bones[name] for name in PARENTS}


def _cos(angle_deg: float) -> float:
    return math.cos(math.radians(angle_deg))


def _sole(pitch_deg: float) -> float:
    """How far below its ankle a foot reaches, a share of the height; negative."""
    sin, cos = math.sin(math.radians(pitch_deg)), math.cos(math.radians(pitch_deg))
    return min(sin * along + cos * up for along, up in _SOLE)


def _hand(side: str, sign: float, height: float) -> Bones:
    """Fingers that hang down from the wrist, the thumb ahead of them."""
    bones: Bones = {}
    for number, finger in enumerate(_FINGERS):
        ahead = 0.020 - 0.010 * number
        root = (
            Pose(0.018 * height, 0.0, -0.015 * height, 35.0)
            if finger == "Thumb"
            else Pose(ahead * height, 0.0, -0.050 * height)
        )
        bone_m = 0.012 * height
        bones[f"crl_hand{finger}__{side}"] = root
        for joint in ("01", "02", "End"):
            bones[f"crl_hand{finger}{joint}__{side}"] = Pose(z_m=-bone_m, pitch_deg=4.0 if joint != "End" else 0.0)
    return bones


def in_actor(bones: Bones) -> Bones:
    """Each bone in the actor, from each in its parent bone."""
    placed: Bones = {}
    for name, parent in PARENTS.items():
        placed[name] = placed[parent].compose(bones[name]) if parent else bones[name]
    return placed


def blended(bones: Bones, others: Bones, share: float) -> Bones:
    """Bones on the way from one pose to another, each by its places and, the short way round, its angles."""
    if share <= 0.0 or not others:
        return bones
    mixed = dict(bones)
    for name, other in others.items():
        if name not in bones:
            continue
        one = bones[name]
        places = (a + (b - a) * share for a, b in zip(one.location, other.location, strict=True))
        angles = (a + wrap_deg(b - a) * share for a, b in zip(one.rotation, other.rotation, strict=True))
        mixed[name] = Pose(*places, *angles) if share < 1.0 else other
    return mixed


def bone_makers() -> dict[str, Callable[[], Mesh]]:
    """What makes the models of all bones of all walkers."""
    lookers = sorted({look_of(walker_id)[2] for walker_id in WALKERS})
    return {f"{key}/bone/{bone}": partial(_bone_model, key, bone) for key in lookers for bone in DRAWN}


def _bone_model(walker_id: str, bone: str) -> Mesh:
    return bone_models(walker_id)[bone]


@lru_cache(maxsize=64)
def bone_models(walker_id: str) -> dict[str, Mesh]:
    """Bone to the part of the standing figure that it carries, in the bone's axes: any pose can be put together of them.

    Each triangle goes with the nearest bone of its limb, and joints are balls.
    """
    build, clothes, _ = look_of(walker_id)
    (mesh,) = figures(build, clothes, [STAND])
    scale = _scale(walker_id)
    vertices = mesh.vertices.astype(np.float64) * scale
    vertices[:, 2] -= walker_spec(walker_id).extent_m[2]
    placed = in_actor(walker_bones(walker_id, None))
    middles = vertices[mesh.triangles].mean(1)
    apart = np.stack([_distance(middles, *_stretch(placed, bone)) for bone in DRAWN])
    carriers = dict(_CARRIERS, bag=("crl_hand__R",)) if clothes.bag == "case" else _CARRIERS
    limb = np.array(limbs(build, clothes, STAND))
    for name, bones in carriers.items():
        others = np.array([bone not in bones for bone in DRAWN])
        apart[others[:, None] & (limb == name)] = np.inf
    owner = apart.argmin(0)
    models = {}
    for number, bone in enumerate(DRAWN):
        mine = owner == number
        used, renumbered = np.unique(mesh.triangles[mine], return_inverse=True)
        matrix = placed[bone].matrix()
        builder = MeshBuilder()
        part = replace(
            mesh,
            vertices=((vertices[used] - matrix[:3, 3]) @ matrix[:3, :3]).astype(np.float32),
            normals=(mesh.normals[used] @ matrix[:3, :3]).astype(np.float32),
            uvs=mesh.uvs[used],
            colours=mesh.colours[used],
            triangles=renumbered.reshape(-1, 3).astype(np.int32),
            tags=mesh.tags[mine],
            materials=mesh.materials[mine],
        )
        builder.add_mesh(part)
        if bone in _BALLS and len(part.triangles):
            _round_joint(builder, part, _BALLS[bone] * scale * build.height_m * build.limb)
        models[bone] = builder.build()
    return models


def _round_joint(builder: MeshBuilder, part: Mesh, radius_m: float) -> None:
    """A ball where the bone begins, of what the part is made of there."""
    nearest = int(np.linalg.norm(part.vertices[part.triangles].mean(1), axis=1).argmin())
    look = Look(Material(int(part.materials[nearest])), tuple(part.colours[part.triangles[nearest, 0]].tolist()))
    sculptor = Sculptor(tag=Tag(int(part.tags[nearest])))
    sculptor.ball((0.0, 0.0, 0.0), (radius_m, radius_m, radius_m), look, 8, 6)
    builder.add_mesh(sculptor.build())


def _stretch(placed: Bones, bone: str) -> tuple[Array, Array]:
    """Where a bone's flesh begins and ends."""
    return np.array(placed[bone].location), np.array(placed[_FLESH[bone]].location)


def _distance(points: Array, start: Array, end: Array) -> Array:
    """(N,) of points from a stretch."""
    way = end - start
    share = np.clip((points - start) @ way / max(float(way @ way), 1e-12), 0.0, 1.0)
    return np.asarray(np.linalg.norm(points - start - share[:, None] * way, axis=1))
