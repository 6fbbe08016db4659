"""Every attribute of the film does what its name says, and labels stay."""

import numpy as np
import pytest

from sim_agent.embedded.render import Camera, Development
from sim_agent.embedded.scene import Weather
from tests.sim_agent.embedded.render.streets import EGO, traffic


@pytest.fixture(scope="module")
def seen(renderer):
    """(H, W, 3) float RGB of the street with a film, and its tags."""

    def draw(**film):
        camera = Camera(160, 90, 90.0, EGO, Development(**film))
        pictures = renderer.render(camera, traffic(), Weather(), seed=1)
        return pictures.bgra[..., 2::-1].astype(float), pictures.tag

    return draw


def test_the_standard_film_is_the_one_of_a_camera_without_a_word(renderer, seen):
    plain = renderer.render(Camera(160, 90, 90.0, EGO), traffic(), Weather(), seed=1)
    np.testing.assert_array_equal(seen()[0], plain.bgra[..., 2::-1])
    np.testing.assert_allclose(Development().gains(), 1.0, atol=1e-6)


def test_labels_do_not_depend_on_the_film(seen):
    odd = seen(
        exposure_compensation=2.0, gamma=3.0, slope=1.5, temp=3000.0, tint=0.5, chromatic_aberration_intensity=2.0
    )
    np.testing.assert_array_equal(odd[1], seen()[1])
    assert np.abs(odd[0] - seen()[0]).mean() > 10.0


def test_exposure_and_gamma_brighten(seen):
    middle = seen()[0].mean()
    assert (
        seen(exposure_compensation=-1.0)[0].mean()
        < middle - 10.0
        < middle + 10.0
        < seen(exposure_compensation=1.0)[0].mean()
    )
    assert seen(gamma=1.6)[0].mean() < middle - 10.0 < middle + 10.0 < seen(gamma=3.0)[0].mean()


def test_slope_is_contrast(seen):
    flat, plain, hard = (seen(slope=slope)[0].std() for slope in (0.5, 0.88, 1.3))
    assert flat < 0.8 * plain < plain < 0.95 * hard


def test_temperature_warms_and_tint_turns_to_magenta(seen):
    def balance(rgb):
        red, green, blue = rgb.mean((0, 1))
        return red / blue, green / (red + blue)

    warmth, green = balance(seen()[0])
    assert balance(seen(temp=4000.0)[0])[0] < 0.85 * warmth < warmth < 0.85 * balance(seen(temp=12000.0)[0])[0]
    assert balance(seen(tint=0.5)[0])[1] < 0.95 * green < green < 0.95 * balance(seen(tint=-0.5)[0])[1]
    # Neither is a change of exposure.
    for film in (Development(temp=3000.0), Development(tint=1.0)):
        assert film.gains() @ np.array([0.2126, 0.7152, 0.0722]) == pytest.approx(1.0, abs=1e-5)


def test_colours_part_at_the_edges_and_not_in_the_middle(seen):
    plain, parted = seen()[0], seen(chromatic_aberration_intensity=4.0)[0]
    np.testing.assert_array_equal(parted[..., 1], plain[..., 1])
    np.testing.assert_array_equal(parted[40:50, 75:85], plain[40:50, 75:85])
    assert np.abs(parted[..., [0, 2]] - plain[..., [0, 2]])[:, :20].mean() > 1.0
