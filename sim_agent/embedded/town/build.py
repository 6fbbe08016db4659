"""Puts a town together: network, map, surfaces, content, walkways; on a plane first, then on its hills."""

from __future__ import annotations

from dataclasses import replace

from sim_agent.embedded.scene import Mesh
from sim_agent.embedded.town.blocks import find_blocks, ground_of
from sim_agent.embedded.town.bridges import channel_slopes, lay_channel
from sim_agent.embedded.town.channel import dig_channel
from sim_agent.embedded.town.hills import Hills, on_hills
from sim_agent.embedded.town.model import Bounds, Town
from sim_agent.embedded.town.navmesh import write_navmesh
from sim_agent.embedded.town.network import draw_network
from sim_agent.embedded.town.opendrive import write_opendrive
from sim_agent.embedded.town.plan import plan_of
from sim_agent.embedded.town.scenery import Scenery
from sim_agent.embedded.town.settle import block_kinds, settle
from sim_agent.embedded.town.signals import place_signals
from sim_agent.embedded.town.signposts import set_one_way_signs, set_roundabout_signs, set_signposts
from sim_agent.embedded.town.spawn import spawn_points
from sim_agent.embedded.town.surface import lay_surfaces
from sim_agent.embedded.town.terrain import lay_terrain
from sim_agent.embedded.town.walkways import lay_walkways


def put_together(name: str, seed: int = 0) -> Town:
    """The town of this name, made now: the same bytes for the same name and seed.

    Args:
        name: a key of `TOWNS`, or `Seed` and a number; what stands before a slash (Carla/Maps/Town01) does not matter.
        seed: 0 or more.

    Raises:
        ValueError: when no town is called so.
    """
    plan, rng = plan_of(name, seed)
    network = draw_network(plan, rng)
    sites = place_signals(network)
    scenery = Scenery()
    lay_surfaces(scenery, network, rng)
    blocks = find_blocks(network)
    ground = ground_of(network, blocks)
    channel = dig_channel(plan.channel, network, ground, rng) if plan.channel else None
    kinds, parks = block_kinds(blocks, plan, rng)
    lay_terrain(scenery, ground, kinds, rng, shore=plan.shore)
    if channel is not None:
        lay_channel(scenery, channel, rng)
    set_signposts(scenery, ground, sites)
    set_one_way_signs(scenery, ground, network)
    set_roundabout_signs(scenery, network)
    lamps = settle(scenery, network, blocks, ground, parks, plan, rng)
    mesh, objects = scenery.finish()
    short = name.rsplit("/", 1)[-1]
    hills = Hills(plan.hills_m, rng) if plan.hills_m else None
    town = Town(
        name=short,
        opendrive=write_opendrive(short, network, sites, hills, channel.bridges if channel else ()),
        spawn_points=spawn_points(network),
        navmesh=write_navmesh(lay_walkways(network), hills),
        mesh=mesh,
        objects=objects,
        signals=tuple(site.signal for site in sites),
        lamps=lamps,
        bounds=bounds_of(mesh),
        slopes=channel_slopes(channel, ground) if channel else None,
    )
    if hills is None:
        return town
    town = on_hills(town, hills, (ground.low, ground.high))
    return replace(town, bounds=bounds_of(town.mesh))


def bounds_of(mesh: Mesh) -> Bounds:
    """The box around all vertices."""
    low, high = mesh.vertices.min(0).tolist(), mesh.vertices.max(0).tolist()
    return Bounds((low[0], low[1], low[2]), (high[0], high[1], high[2]))
