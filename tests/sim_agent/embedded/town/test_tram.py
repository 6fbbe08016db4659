import numpy as np
import pytest

from sim_agent.embedded.pose import rotation_matrix
from sim_agent.embedded.scene import Tag
from sim_agent.embedded.town.blocks import find_blocks, ground_of
from sim_agent.embedded.town.network import draw_network
from sim_agent.embedded.town.plan import plan_of
from sim_agent.embedded.town.tram import STRIP_M, behind_track, find_track


@pytest.fixture(scope="module")
def laid():
    network = draw_network(*plan_of("Town03", 0))
    blocks = find_blocks(network)
    ground = ground_of(network, blocks)
    outer = next(block for block in blocks if block.outer)
    street = ground.taken.copy()
    return outer, ground, street, find_track(outer, ground)


def test_the_track_runs_beside_the_outer_streets_and_what_lines_them_stands_behind_it(laid):
    outer, ground, street, track = laid
    steps = np.hypot(*np.diff(track, axis=0).T)
    assert steps.sum() > 120.0 and 1.5 < steps.min() and steps.max() < 3.0
    heading = np.unwrap(np.arctan2(*np.diff(track, axis=0).T[::-1]))
    assert np.abs(np.diff(heading)).max() < 0.15
    for right in (-1.3, 0.0, 1.3):
        ahead = np.gradient(track, axis=0)
        ahead /= np.linalg.norm(ahead, axis=1, keepdims=True)
        points = (track + right * np.column_stack([-ahead[:, 1], ahead[:, 0]]))[1:-1]
        assert not street[ground.cells(points)].any() and ground.taken[ground.cells(points)].all()
    behind = behind_track(outer, track).frontage
    gap = np.hypot(*(behind[:, None] - track[None]).transpose(2, 0, 1)).min(1)
    assert gap.min() > STRIP_M - 5.2


def test_trams_stand_on_their_track_and_nothing_stands_in_their_way(laid, town_of):
    track = laid[3]
    town = town_of("Town03")
    trams = [thing for thing in town.objects if thing.tag == Tag.TRAIN]
    assert len(trams) >= 3 and all(thing.solid for thing in trams)
    rails = [thing for thing in town.objects if thing.tag == Tag.RAIL_TRACK]
    assert rails and not any(thing.solid for thing in rails)
    for thing in trams:
        assert np.hypot(*(track - thing.pose[:2]).T).min() < 1.0
        foot = town.mesh.vertices[np.unique(town.mesh.triangles[town.mesh.objects == thing.object_id])]
        assert 0.2 < foot[:, 2].min() < 0.5 and 3.0 < foot[:, 2].max() < 6.0
    others = [t for t in town.objects if t.solid and t.tag != Tag.TRAIN and not t.name.startswith("Static_BufferStop")]
    for thing in others:
        pose, extent = thing.box
        local = (track - pose[:2]) @ rotation_matrix(*pose.rotation)[:2, :2]
        outside = np.maximum(np.abs(local) - np.array(extent[:2]), 0.0)
        assert np.hypot(*outside.T).min() > 1.3, thing.name


def test_a_seed_without_room_for_a_track_gets_none():
    network = draw_network(*plan_of("Town03", 0))
    blocks = find_blocks(network)
    ground = ground_of(network, blocks)
    everywhere = ground.low + (ground.high - ground.low) * np.array([(0, 0), (1, 0), (1, 1), (0, 1)])
    ground.dig(everywhere, everywhere)
    outer = next(block for block in blocks if block.outer)
    assert find_track(outer, ground) is None
