"""The state of all actors at one frame, as the client's snapshots are made of."""

from __future__ import annotations

from sim_agent.embedded.actors import Actor, Body, TrafficLight, TrafficSign, Vehicle, Walker
from sim_agent.embedded.wire.records import Frame
from sim_agent.embedded.wire.state import EpisodeState, Motion, SignalState, light_post
from sim_agent.embedded.world import World


def state_of(world: World, frame: int, platform_time_s: float, delta_s: float, bits: int = 0) -> Frame:
    """The record of the world's state stream."""
    state = EpisodeState(frame, world.time_s, world.episode_id, platform_time_s, delta_s, bits)
    for actor in world.actors.values():
        _add(state, world, actor)
    return state.buffers()


def _add(state: EpisodeState, world: World, actor: Actor) -> None:
    if isinstance(actor, Body):
        motion = world.motion(actor)
        if isinstance(actor, Vehicle):
            light = actor.light
            signal = light.state if light else SignalState.GREEN
            control = actor.control._replace(gear=world.gear(actor))
            state.vehicle(actor.id, motion, control, actor.speed_limit_kmh, signal, light.actor_id if light else 0)
        elif isinstance(actor, Walker):
            state.walker(actor.id, motion, actor.control)
        else:
            state.other(actor.id, motion)
    elif isinstance(actor, TrafficLight):
        group, light = world.signals.group(actor), actor.light
        post = world.packed_signs.get(actor.id)
        if post is None:
            post = light_post(actor.id, Motion(actor.own_pose), light.opendrive_id)
            world.packed_signs[actor.id] = post
        times_s = (light.green_s, light.yellow_s, light.red_s, group.elapsed_s)
        state.traffic_light(post, light.state, times_s, light.pole, group.frozen)
    elif isinstance(actor, TrafficSign):
        record = world.packed_signs.get(actor.id)
        if record is not None:
            state.repeat(record)
        else:
            state.sign(actor.id, Motion(actor.own_pose), actor.opendrive_id)
            world.packed_signs[actor.id] = state.last()
    else:
        state.other(actor.id, Motion(actor.pose()))
