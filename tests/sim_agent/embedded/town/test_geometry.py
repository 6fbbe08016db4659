import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim_agent.embedded.town.geometry import CHORD_ERROR_M, Path, Place, chain, join, signed_turn


def gap(path: Path, end: Place) -> tuple[float, float]:
    last = path.place(path.length_m)
    return math.hypot(last.x_m - end.x_m, last.y_m - end.y_m), abs(signed_turn(last.heading_rad, end.heading_rad))


@settings(max_examples=200, deadline=None)
@given(st.floats(20.0, 120.0), st.floats(-15.0, 15.0), st.floats(-1.2, 1.2), st.floats(0.0, 6.0))
def test_a_joined_path_starts_and_ends_where_it_should_without_a_kink(ahead, aside, turn, lead):
    start = Place(3.0, -7.0, 0.4)
    end = start.moved(ahead, aside).turned(turn)
    path = join(start, end, lead)
    distance, kink = gap(path, end)
    # Offsets of a thousandth of a millimetre make arcs of 10^9 m radius, whose sines cancel to some micrometres.
    assert distance < 1e-5 and kink < 1e-8
    assert path.place(0.0)[:2] == pytest.approx(start[:2]) and path.pieces[0].heading_rad == start.heading_rad
    for piece, following in zip(path.pieces[:-1], path.pieces[1:], strict=True):
        x, y, heading = piece.at(np.array([piece.length_m]))
        assert math.hypot(x[0] - following.x_m, y[0] - following.y_m) < 1e-9
        assert abs(signed_turn(float(heading[0]), following.heading_rad)) < 1e-9


def test_a_right_angle_becomes_line_arc_line_with_the_radius_asked_for():
    path = join(Place(0.0, 0.0, 0.0), Place(30.0, 40.0, math.pi / 2.0), 0.0, 10.0)
    assert [piece.curvature for piece in path.pieces] == pytest.approx([0.0, 0.1, 0.0])
    assert path.length_m == pytest.approx(20.0 + 10.0 * math.pi / 2.0 + 30.0)


def test_the_right_of_a_path_is_ninety_degrees_more_as_in_carla():
    assert Path(chain(Place(0.0, 0.0, 0.0), [(10.0, 0.0)]).pieces).beside([5.0], 2.0) == pytest.approx(
        np.array([[5.0, 2.0]])
    )


def test_chords_between_stations_stay_on_the_curve():
    path = chain(Place(0.0, 0.0, 0.0), [(12.0, 0.0), (60.0, 1.0 / 25.0), (30.0, -1.0 / 70.0)])
    s = path.stations(4.0, [20.0])
    assert 20.0 in s and s[0] == 0.0 and s[-1] == pytest.approx(path.length_m)
    ends = path.beside(s, 0.0)
    middle = path.beside((s[1:] + s[:-1]) / 2.0, 0.0)
    assert np.hypot(*(middle - (ends[1:] + ends[:-1]) / 2.0).T).max() <= CHORD_ERROR_M * 1.001
    assert np.diff(s).max() <= 4.0 + 1e-9


def test_a_reversed_path_is_the_same_curve():
    path = join(Place(0.0, 0.0, 0.0), Place(60.0, 9.0, 0.3), 5.0)
    s = np.linspace(0.0, path.length_m, 33)
    assert path.reversed().beside(path.length_m - s, 0.0) == pytest.approx(path.beside(s, 0.0), abs=1e-9)
