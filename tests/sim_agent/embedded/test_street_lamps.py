"""Street lamps: what clients set, told back and handed to the renderer."""

import math

import pytest

from sim_agent.embedded.street_lamps import INTENSITY, StreetLamps
from sim_agent.embedded.town import Lamp


@pytest.fixture
def lamps():
    return StreetLamps([Lamp(7, (1.0, 2.0, 6.0), (1.0, 0.8, 0.6)), Lamp(9, (5.0, 2.0, 6.0), (1.0, 0.8, 0.6))])


def test_a_lamp_that_is_set_is_told_back_and_stays_where_it_is(lamps):
    first, second = lamps.states()
    wanted = first._replace(location=(9.0, 9.0, 9.0), intensity=2 * INTENSITY, active=False)
    lamps.set([wanted, first._replace(id=1234)])
    assert lamps.states() == (wanted._replace(location=first.location), second)
    assert lamps.changed() == lamps.states()[:1]
    (setting,) = lamps.settings().values()
    assert (setting.on, setting.power, setting.colour) == (False, 2.0, None)


def test_a_lamp_set_as_it_was_made_has_not_changed(lamps):
    first, _ = lamps.states()
    lamps.set([first._replace(active=False)])
    lamps.set([first])
    assert lamps.changed() == () and lamps.settings() == {}


@pytest.mark.parametrize("intensity", [math.nan, math.inf])
def test_an_intensity_that_is_no_number_is_refused_and_changes_nothing(lamps, intensity):
    first, second = lamps.states()
    with pytest.raises(ValueError, match="lamp 9: the intensity is .*; give a finite number"):
        lamps.set([first._replace(active=False), second._replace(intensity=intensity)])
    assert lamps.states() == (first, second)
