"""Bones of walkers: CARLA's tree, where the figure has its joints, and poses put together of them."""

import numpy as np
import pytest

from sim_agent.embedded.blueprints import WALKERS, walker_spec
from sim_agent.embedded.models import PHASES, actor_models, walker_model_key
from sim_agent.embedded.models.people import look_of
from sim_agent.embedded.models.skeleton import (
    DRAWN,
    PARENTS,
    blended,
    bone_models,
    in_actor,
    walker_bones,
)
from sim_agent.embedded.pose import Pose

SOME = [f"walker.pedestrian.{number:04d}" for number in (1, 9, 15, 34, 39)]


def put_together(walker_id, placed):
    """(V, 3) of all parts of a pose, joints left out: those of the parts' own triangles, which come first."""
    points = []
    for bone, mesh in bone_models(look_of(walker_id)[2]).items():
        matrix = placed[bone].matrix()
        points.append(mesh.vertices @ matrix[:3, :3].T + matrix[:3, 3])
    return np.concatenate(points)


def test_the_tree_is_carlas():
    assert len(PARENTS) == 66
    assert list(PARENTS)[:4] == ["crl_root", "crl_hips__C", "crl_spine__C", "crl_spine01__C"]
    assert PARENTS["crl_root"] == ""
    assert PARENTS["crl_handPinkyEnd__R"] == "crl_handPinky02__R"
    assert PARENTS["crl_eye__L"] == "crl_Head__C" and PARENTS["crl_thigh__L"] == "crl_hips__C"
    seen = {""}
    for bone, parent in PARENTS.items():
        assert parent in seen
        seen.add(bone)


@pytest.mark.parametrize("walker_id", WALKERS)
def test_a_body_is_where_bodies_are(walker_id):
    placed = in_actor(walker_bones(walker_id, None))
    half = walker_spec(walker_id).extent_m[2]
    height = {bone: placed[bone].z_m + half for bone in placed}
    assert height["crl_root"] == pytest.approx(0.0)
    order = ["crl_toe__L", "crl_leg__L", "crl_hips__C", "crl_spine__C", "crl_neck__C", "crl_Head__C", "crl_eye__L"]
    assert [height[bone] for bone in order] == sorted(height[bone] for bone in order)
    assert 0.8 * 2 * half < height["crl_eye__L"] < 2 * half
    for side, sign in (("L", -1), ("R", 1)):
        for bone in ("arm", "hand", "thigh", "foot", "eye"):
            assert sign * placed[f"crl_{bone}__{side}"].y_m > 0.01
    assert placed["crl_toeEnd__L"].x_m > placed["crl_foot__L"].x_m


@pytest.mark.parametrize("walker_id", SOME)
@pytest.mark.parametrize("phase", [None, 0, 3, 6])
def test_the_parts_together_are_the_figure(walker_id, phase):
    mesh = actor_models()[walker_model_key(walker_id, phase)]
    points = put_together(walker_id, in_actor(walker_bones(walker_id, phase)))
    half = walker_spec(walker_id).extent_m[2]
    # Limbs of the walking figures are not quite rigid, and skirts swing.
    most = 0.02 if phase is None else 0.12 * half if look_of(walker_id)[1].lower in ("skirt", "dress") else 0.07 * half
    np.testing.assert_allclose(points.min(0), mesh.vertices.min(0), atol=most)
    np.testing.assert_allclose(points.max(0), mesh.vertices.max(0), atol=most)


def test_every_phase_is_another_pose_and_the_next_cycle_the_same():
    poses = [walker_bones(SOME[0], phase)["crl_thigh__L"] for phase in range(PHASES)]
    assert len(set(poses)) >= PHASES - 1
    assert walker_bones(SOME[0], PHASES + 2) == walker_bones(SOME[0], 2)


def test_every_triangle_of_the_figure_is_carried_by_one_bone():
    for walker_id in SOME:
        first = look_of(walker_id)[2]
        whole = actor_models()[walker_model_key(walker_id, None)]
        parts = bone_models(first)
        assert set(parts) == set(DRAWN)
        assert sum(len(mesh.triangles) for mesh in parts.values()) >= len(whole.triangles)
        assert {f"{first}/bone/{bone}" for bone in parts} <= set(actor_models())
        assert all(len(mesh.triangles) for mesh in parts.values())


def test_blending_goes_from_one_pose_to_the_other():
    one = walker_bones(SOME[0], None)
    other = {"crl_arm__L": Pose(1.0, 2.0, 3.0, 0.0, 179.0), "no bone": Pose()}
    start = one["crl_arm__L"]
    assert blended(one, other, 0.0) == one
    assert blended(one, other, 1.0)["crl_arm__L"] == other["crl_arm__L"]
    half = blended(one, other, 0.5)
    assert half["crl_arm__L"].x_m == pytest.approx((start.x_m + 1.0) / 2)
    assert set(half) == set(one) and half["crl_leg__L"] == one["crl_leg__L"]
    across = blended({"crl_root": Pose(yaw_deg=170.0)}, {"crl_root": Pose(yaw_deg=-170.0)}, 0.5)
    assert abs(across["crl_root"].yaw_deg) == pytest.approx(180.0)
