import math

import numpy as np
import pytest

from sim_agent.embedded.physics import HeightField
from sim_agent.embedded.scene import Tag
from sim_agent.embedded.town import town_from_opendrive
from sim_agent.embedded.town.reference_line import Geometry
from tests.sim_agent.embedded.hills import hills

ROAD = """<?xml version="1.0"?><OpenDRIVE><header revMajor="1" revMinor="4" name="one"/>
<road name="" length="{length}" id="1" junction="-1"><link/><planView>{geometry}</planView><lanes>
<laneSection s="0"><left><lane id="1" type="driving"><width sOffset="0" a="3.5" b="0" c="0" d="0"/>
<roadMark sOffset="0" type="solid" color="standard" width="0.15"/></lane></left>
<center><lane id="0" type="none"><roadMark sOffset="0" type="broken" color="yellow" width="0.12"/></lane></center>
<right><lane id="-1" type="driving"><width sOffset="0" a="3.5" b="0" c="0" d="0"/></lane>
<lane id="-2" type="sidewalk"><width sOffset="0" a="2" b="0" c="0" d="0"/></lane></right></laneSection></lanes>
{signals}</road>{rest}</OpenDRIVE>"""
LINE = '<geometry s="0" x="0" y="0" hdg="0" length="100"><line/></geometry>'


def one_road(geometry=LINE, length=100, signals="", rest=""):
    return ROAD.format(geometry=geometry, length=length, signals=signals, rest=rest)


def test_a_street_has_its_surface_markings_sidewalk_and_spawn_points():
    town = town_from_opendrive(one_road())
    mesh = town.mesh
    road = mesh.vertices[mesh.triangles[mesh.tags == Tag.ROAD]].reshape(-1, 3)
    assert road.min(0) == pytest.approx([0.0, -3.5, 0.0]) and road.max(0) == pytest.approx([100.0, 3.5, 0.0])
    sidewalk = mesh.vertices[mesh.triangles[mesh.tags == Tag.SIDEWALK]].reshape(-1, 3)
    # OpenDRIVE's right is CARLA's +y.
    assert sidewalk[:, 1].min() == pytest.approx(3.5) and sidewalk[:, 1].max() == pytest.approx(5.5)
    assert sidewalk[:, 2].max() == pytest.approx(0.15)
    paint = mesh.vertices[mesh.triangles[mesh.tags == Tag.ROAD_LINE]].reshape(-1, 3)
    assert paint[:, 1].min() == pytest.approx(-3.575)
    assert len(town.spawn_points) >= 8
    assert {(round(p.y_m, 3), round(p.yaw_deg) % 360) for p in town.spawn_points} == {(1.75, 0), (-1.75, 180)}
    assert town.navmesh and town.name == "one"
    assert town_from_opendrive(one_road(), walkable=False).navmesh == b""
    assert town.slopes is None


def surface(town, tag):
    return town.mesh.vertices[town.mesh.triangles[town.mesh.tags == tag]].reshape(-1, 3)


def test_roads_climb_as_the_map_says():
    town = town_from_opendrive(hills())
    road = surface(town, Tag.ROAD)
    over = (np.abs(road[:, 1]) < 3.4) & (road[:, 0] > 1.0) & (road[:, 0] < 159.0)
    top = over & (road[:, 0] > 60.0) & (road[:, 0] < 100.0) & (road[:, 2] > 1.0)
    assert road[top][:, 2] == pytest.approx(8.0, abs=1e-4)
    rising = over & (road[:, 0] < 60.0) & (road[:, 2] > -0.1)
    share = road[rising][:, 0] / 60.0
    on_top = road[rising][:, 2] - 8.0 * (3.0 * share**2 - 2.0 * share**3)
    # Its sides reach down into the land.
    assert ((np.abs(on_top) < 1e-4) | (np.abs(on_top + 0.9) < 1e-4)).all()
    under = (np.abs(road[:, 0] - 80.0) < 3.6) & (np.abs(road[:, 1]) < 2.0) & (road[:, 2] < 5.0)
    assert road[under][:, 2].max() == pytest.approx(0.0, abs=1e-4)
    sidewalk = surface(town, Tag.SIDEWALK)
    assert sidewalk[:, 2].max() == pytest.approx(8.15, abs=1e-4)
    paint = surface(town, Tag.ROAD_LINE)
    assert paint[:, 2].max() == pytest.approx(8.015, abs=1e-4)


def test_the_land_follows_the_roads_and_stays_below_them():
    town = town_from_opendrive(hills(bridge=False))
    field = HeightField(*town.slopes)
    for y in (-9.0, 9.0):
        assert 6.5 < field.at(80.0, y, 7.0) < 8.0
        assert field.at(80.0, 4.0 * y, 7.0) < field.at(80.0, y, 7.0)
    assert field.at(80.0, -60.0, 0.0) < 4.0
    for x in np.arange(2.0, 158.0, 1.5):
        share = min(x / 60.0, 1.0) if x < 80.0 else min((160.0 - x) / 60.0, 1.0)
        expected = 8.0 * (3.0 * share**2 - 2.0 * share**3)
        for y in (-3.0, 0.0, 3.0):
            assert field.at(x, y, expected + 0.5) == pytest.approx(expected, abs=0.02)


def test_spawn_points_and_signs_stand_on_the_slope():
    town = town_from_opendrive(hills())
    heights = [pose.z_m for pose in town.spawn_points]
    assert min(heights) == pytest.approx(0.3) and max(heights) == pytest.approx(8.3)
    climbing = [p for p in town.spawn_points if 20.0 < p.x_m < 40.0 and abs(p.y_m) < 3.0]
    assert {round(p.pitch_deg / abs(p.pitch_deg)) * round(math.cos(math.radians(p.yaw_deg))) for p in climbing} == {1}
    assert all(8.0 < abs(p.pitch_deg) < 12.0 for p in climbing)
    sign = '<signals><signal id="1" s="80" t="-7" type="274" value="30" orientation="+"/></signals>'
    text = hills(bridge=False).replace("</road>", sign + "</road>", 1)
    (signal,) = town_from_opendrive(text).signals
    assert signal.pose.z_m == pytest.approx(8.0) and signal.trigger.pose.z_m == pytest.approx(9.0)
    plate = surface(town_from_opendrive(text), Tag.TRAFFIC_SIGN)
    assert 9.5 < plate[:, 2].min() and plate[:, 2].max() < 11.0


def test_surfaces_face_up(town_of):
    mesh = town_from_opendrive(town_of("Town02").opendrive).mesh
    a, b, c = (mesh.vertices[mesh.triangles[:, k]].astype(np.float64) for k in range(3))
    normal = np.cross(b - a, c - a)
    assert (normal[(mesh.tags == Tag.ROAD) | (mesh.tags == Tag.ROAD_LINE)][:, 2] > 0.0).all()
    assert ((normal * mesh.normals[mesh.triangles[:, 0]]).sum(1) >= 0.0).all()


def test_the_map_of_a_town_gives_back_its_signals(town_of):
    town = town_of("Town02")
    read = {signal.opendrive_id: signal for signal in town_from_opendrive(town.opendrive).signals}
    assert len(read) == len(town.signals)
    for signal in town.signals:
        again = read[signal.opendrive_id]
        assert (again.kind, again.junction, again.phase, again.lanes) == (
            signal.kind, signal.junction, signal.phase, signal.lanes,
        )  # fmt: skip
        assert again.pose == pytest.approx(signal.pose, abs=1e-6)


def test_arcs_end_where_a_circle_does():
    x, y, heading = Geometry(0.0, 0.0, 0.0, 0.0, 10.0 * math.pi, "arc", (0.1,)).at(np.array([10.0 * math.pi]))
    assert (x[0], y[0], heading[0]) == pytest.approx((0.0, 20.0, math.pi), abs=1e-9)


def test_spirals_follow_the_fresnel_integrals():
    # Abramowitz and Stegun 1964, table 7.7: C(1) and S(1); curvature pi s at arc length s.
    x, y, _ = Geometry(0.0, 0.0, 0.0, 0.0, 1.0, "spiral", (0.0, math.pi)).at(np.array([1.0]))
    assert (x[0], y[0]) == pytest.approx((0.7798934, 0.4382591), abs=1e-6)


def test_cubics_follow_their_formula():
    x, y, heading = Geometry(0.0, 1.0, 2.0, 0.0, 10.0, "paramPoly3", (0, 10, 0, 0, 0, 0, 2, 0, 1.0)).at(np.array([5.0]))
    assert (x[0], y[0], heading[0]) == pytest.approx((6.0, 2.5, math.atan2(2.0, 10.0)))
    x, y, _ = Geometry(0.0, 0.0, 0.0, 0.0, 10.0, "poly3", (0.0, 1.0, 0.0, 0.0)).at(np.array([10.0]))
    assert (x[0], y[0]) == pytest.approx((math.sqrt(50.0), math.sqrt(50.0)), abs=1e-3)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not OpenDRIVE"),
        ("<html/>", "<html>.*expected <OpenDRIVE>"),
        ("<OpenDRIVE/>", "no <road>"),
        (one_road(length=0), "road 1 is 0.0 m long"),
        (one_road(geometry=""), "road 1 has no geometry"),
        (
            one_road(geometry='<geometry s="0" x="0" y="0" hdg="0" length="9"><wave/></geometry>'),
            "wave, expected one of line",
        ),
        (one_road(geometry='<geometry s="0" x="nan" y="0" hdg="0" length="9"><line/></geometry>'), "x='nan'.*finite"),
        (one_road(rest='<controller id="7"><control signalId="9"/></controller>'), "controller 7 refers to signal '9'"),
        (one_road(geometry=LINE.replace('x="0"', 'x="0"').replace("100", "9000"), length=9000), "9.0 km wide"),
    ],
)
def test_bad_text_is_refused_with_a_sentence_that_says_why(text, message):
    with pytest.raises(ValueError, match=message):
        town_from_opendrive(text)
