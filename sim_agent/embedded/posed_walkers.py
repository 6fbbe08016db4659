"""Walkers as pictures show them when a client has given them a pose: put together bone by bone."""

from __future__ import annotations

from sim_agent.embedded.actors import Walker
from sim_agent.embedded.models.people import look_of
from sim_agent.embedded.models.skeleton import DRAWN, Bones, blended, in_actor, walker_bones
from sim_agent.embedded.pose import Pose
from sim_agent.embedded.scene import Mover


def bones_in(walker: Walker, phase: int | None) -> Bones:
    """Each bone in its parent bone: those of the gait's phase, blended with what a client has set."""
    return blended(walker_bones(look_of(walker.type_id)[2], phase), walker.own_bones, walker.blend)


def posed_movers(walker: Walker, phase: int | None, object_id: int, pose: Pose) -> list[Mover]:
    """The parts of a walker that stands at a pose."""
    placed = in_actor(bones_in(walker, phase))
    model = look_of(walker.type_id)[2]
    return [Mover(f"{model}/bone/{bone}", object_id, pose.compose(placed[bone])) for bone in DRAWN]
