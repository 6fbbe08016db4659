"""Bones of walkers and vehicles: where they are, and the poses that clients give to walkers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from sim_agent.embedded.actors import Actor, Vehicle, Walker
from sim_agent.embedded.models.skeleton import Bones, in_actor
from sim_agent.embedded.pose import ORIGIN, Pose
from sim_agent.embedded.posed_walkers import bones_in
from sim_agent.embedded.turning_wheels import wheel_turns
from sim_agent.embedded.wire import structs
from sim_agent.embedded.world import World, WorldError

MOST = 1e4
"""Of any number of a bone's transform."""


class Bone(NamedTuple):
    """A bone's pose in its parent bone and in its actor."""

    name: str
    relative: Pose
    component: Pose


def bones_of(world: World, actor: Actor) -> list[Bone]:
    """All bones of an actor: a walker's skeleton, a vehicle's base and wheels, or a root."""
    if isinstance(actor, Walker):
        bones = pose_of(world, actor)
        placed = in_actor(bones)
        return [Bone(name, pose, placed[name]) for name, pose in bones.items()]
    if isinstance(actor, Vehicle) and actor.spec is not None:
        names: tuple[str, ...] = ("Wheel_Front_Left", "Wheel_Front_Right", "Wheel_Rear_Left", "Wheel_Rear_Right")
        if len(actor.spec.wheel_positions_m) == 2:
            names = ("Wheel_Front", "Wheel_Rear")
        poses = [
            Pose(*place, turn.pitch_deg, turn.steer_deg)
            for place, turn in zip(actor.spec.wheel_positions_m, wheel_turns(world, actor), strict=True)
        ]
        wheels = [Bone(name, pose, pose) for name, pose in zip(names, poses, strict=True)]
        return [Bone("Vehicle_Base", ORIGIN, ORIGIN), *wheels]
    return [Bone("Root", ORIGIN, ORIGIN)]


def pose_of(world: World, walker: Walker) -> Bones:
    """A walker's bones, each in its parent: its gait's, blended with what a client has set."""
    return bones_in(walker, world.gait_phase(walker))


def set_bones(world: World, walker: Walker, bones: Iterable[structs.BoneTransform]) -> None:
    """Set some bones of the walker's own pose, which begins as the one that it is in; names that are no bone's do not count.

    Nothing shows before `blend_pose` (WalkerController.cpp, SetBonesTransform). Raises WorldError for numbers that are none.
    """
    wanted = list(bones)
    for bone in wanted:
        if not all(abs(number) <= MOST for number in bone.pose):
            raise WorldError(
                f"the transform of {bone.name} is {tuple(bone.pose)}; every number must be within {MOST:g}"
            )
    if not walker.own_bones:
        walker.own_bones = dict(pose_of(world, walker))
    walker.own_bones.update({bone.name: bone.pose for bone in wanted if bone.name in walker.own_bones})
