"""Colour pictures: deterministic everywhere, in step with the labels, and sound in every weather and material."""

import hashlib
import subprocess
import sys

import numpy as np
import pytest

from sim_agent.embedded.pose import Pose
from sim_agent.embedded.render import Camera, Renderer
from sim_agent.embedded.scene import LampSetting, Light, Material, MeshBuilder, Mover, Tag, Weather
from tests.sim_agent.embedded.render.pixels import near_edges
from tests.sim_agent.embedded.render.streets import EGO, MODELS, street_town, traffic

WEATHERS = {
    "clear": Weather(),
    "cloudy": Weather(cloudiness=90.0),
    "sunset": Weather(cloudiness=20.0, sun_altitude_deg=2.0),
    "rain": Weather(95.0, 90.0, 90.0, 60.0, 30.0, 40.0, 25.0, 0.75, 0.1, 100.0),
    "fog": Weather(cloudiness=60.0, fog_density=95.0),
    "night": Weather(sun_altitude_deg=-60.0, wetness=40.0),
    "dust": Weather(dust_storm=100.0, sun_altitude_deg=90.0),
}


def digest_of_everything(threads):
    """Of pictures of a fresh renderer, in an order that no cache is made for."""
    renderer = Renderer(street_town(blocks=0, leaves=10), MODELS, "medium", threads)
    digest = hashlib.sha256()
    for k, weather in enumerate(WEATHERS.values()):
        camera = Camera(150, 83, 90.0, EGO._replace(x_m=EGO.x_m + 20.0 * (k % 3), yaw_deg=60.0 * k))
        for picture in renderer.render(camera, traffic(), weather, seed=k):
            digest.update(np.ascontiguousarray(picture).tobytes())
    renderer.close()
    return digest.hexdigest()


def test_the_same_on_any_number_of_threads_and_in_another_process():
    ours = digest_of_everything(1)
    assert digest_of_everything(3) == ours
    code = "from tests.sim_agent.embedded.render.test_pictures import digest_of_everything as d; print(d(2))"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert other.stdout.strip() == ours


def test_a_picture_does_not_depend_on_what_was_drawn_before(renderer):
    def draw(seed, x, weather):
        camera = Camera(120, 70, 90.0, EGO._replace(x_m=x))
        return renderer.render(camera, traffic(), weather, seed=seed).bgra

    first = draw(1, -30.0, WEATHERS["clear"])
    for k, weather in enumerate(WEATHERS.values()):
        draw(k, 13.0 * k, weather)
    np.testing.assert_array_equal(draw(1, -30.0, WEATHERS["clear"]), first)


def test_the_seed_decides_grain_and_drops_only(renderer):
    camera = Camera(160, 90, 90.0, EGO)
    one, same, other = (renderer.render(camera, traffic(), Weather(), seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.bgra, same.bgra)
    difference = one.bgra[..., :3].astype(int) - other.bgra[..., :3]
    assert 0.3 < difference.std() < 4.0
    assert abs(difference.mean()) < 0.1
    np.testing.assert_array_equal(one.tag, other.tag)


@pytest.mark.parametrize("weather", WEATHERS.values(), ids=WEATHERS.keys())
def test_no_hole_in_the_sky_below_the_horizon(weather):
    # Half of the ground is missing; what is seen there must look like distant land, not like the sky above.
    builder = MeshBuilder(object_id=1)
    builder.quad((-50, -50, 0), (50, -50, 0), (50, 0, 0), (-50, 0, 0), Tag.ROAD, Material.ASPHALT)
    renderer = Renderer(builder.build(), {}, "low", 1)
    pictures = renderer.render(Camera(160, 90, 90.0, Pose(z_m=1.5)), [], weather, seed=0)
    renderer.close()
    rows = pictures.bgra[..., :3].astype(float).mean(axis=1)
    assert (pictures.tag[46:, 81:] == Tag.SKY).all()
    # From the horizon down each row is close to the one above: no edge, no blue.
    assert np.abs(np.diff(pictures.bgra[40:, 90:, :3].astype(float).mean(axis=1), axis=0)).max() < 14.0
    below, horizon = pictures.bgra[60:, 90:, :3].astype(float).mean(axis=(0, 1)), rows[43]
    assert (below <= horizon + 12.0).all()


@pytest.mark.parametrize("weather", WEATHERS.values(), ids=WEATHERS.keys())
def test_every_material_is_drawn_in_every_weather(weather):
    builder = MeshBuilder()
    for number, material in enumerate(Material):
        builder.object_id = number + 1
        x, y = number % 6 * 3.0, number // 6 * 3.0
        builder.box((x, y, 0), (x + 2, y + 2, 2), Tag.STATIC, material, (0.6, 0.6, 0.6))
    renderer = Renderer(builder.build(), {}, "medium", 1)
    camera = Camera(240, 160, 80.0, Pose(-3.0, 7.0, 12.0, -52.0, 0.0))
    lit = renderer.render(camera, [], weather, seed=0)
    renderer.close()
    brightness = {}
    for number in range(len(Material)):
        seen = lit.instance == number + 1
        assert seen.sum() > 60
        brightness[Material(number)] = lit.bgra[seen][:, :3].mean()
    # Not a number becomes 0 or garbage in a byte; a grey box is neither black nor burnt out.
    assert min(brightness.values()) > 4.0
    assert max(value for material, value in brightness.items() if material < Material.STREET_LAMP) < 235.0


def test_colours_lie_where_the_labels_say():
    builder = MeshBuilder(object_id=1)
    builder.quad((-60, -60, 0), (60, -60, 0), (60, 60, 0), (-60, 60, 0), Tag.ROAD, Material.ASPHALT)
    builder.object_id = 2
    builder.box((12, -2, 0), (16, 3, 3), Tag.STATIC, Material.SIGN, (0.9, 0.05, 0.05))
    renderer = Renderer(builder.build(), {}, "medium", 1)
    for yaw in (0.0, 7.0, -13.0):
        pose = Pose(z_m=1.7, yaw_deg=yaw, roll_deg=yaw)
        pictures = renderer.render(Camera(320, 180, 70.0, pose), [], Weather(), seed=0)
        blue, green, red = (pictures.bgra[..., k].astype(int) for k in range(3))
        reddish = (red > 1.6 * green + 10) & (red > 1.6 * blue + 10)
        box = pictures.tag == Tag.STATIC
        edge = near_edges(box)
        assert reddish[box & ~edge].all()
        assert not reddish[~box & ~edge].any()
        # On the edge itself colours are mixed, but not shifted: as much on one side as on the other.
        assert 0.15 < reddish[edge].mean() < 0.9
    renderer.close()


def test_edges_have_shades_between_unless_quality_is_low(town):
    builder = MeshBuilder(object_id=1)
    builder.box((10, -3, -2), (11, 3, 2), Tag.STATIC, Material.SIGN, (1.0, 1.0, 1.0), Pose(roll_deg=9.0))
    between = {}
    for quality in ("low", "medium"):
        renderer = Renderer(builder.build(), {}, quality, 1)
        pictures = renderer.render(Camera(200, 120, 60.0, Pose()), [], Weather(0.0, sun_azimuth_deg=180.0), seed=0)
        renderer.close()
        red, edge = pictures.bgra[..., 2].astype(int), near_edges(pictures.tag)
        low, high = (
            np.median(red[(pictures.tag == Tag.SKY) & ~edge]),
            np.median(red[(pictures.tag == Tag.STATIC) & ~edge]),
        )
        share = (red[edge] - low) / (high - low)
        between[quality] = ((share > 0.15) & (share < 0.85)).mean()
    # Two rows of pixels were taken at each edge, of which it crosses one at most.
    assert between["low"] < 0.02 < 0.1 < between["medium"]


def test_shadows_fall_away_from_the_sun():
    builder = MeshBuilder(object_id=1)
    builder.quad((-60, -60, 0), (60, -60, 0), (60, 60, 0), (-60, 60, 0), Tag.ROAD, Material.CONCRETE)
    builder.object_id = 2
    builder.box((-1, -1, 0), (1, 1, 4), Tag.STATIC, Material.CONCRETE)
    renderer = Renderer(builder.build(), MODELS, "medium", 1)
    above = Camera(200, 200, 60.0, Pose(0, 0, 40.0, -90.0, 0.0))
    car = Mover("car", 9, Pose(8.0, -8.0))
    # Seen from above with yaw 0: up in the picture is +x, right is +y. The sun stands at +x, at +y, at -y.
    for azimuth, shadow, lit in (
        (0.0, (130, 100), (70, 100)),
        (90.0, (100, 70), (100, 130)),
        (270.0, (100, 130), (100, 70)),
    ):
        weather = Weather(sun_azimuth_deg=azimuth, sun_altitude_deg=32.0)
        picture = renderer.render(above, [], weather, seed=0).bgra.astype(int)
        dark, bright = picture[shadow][:3].mean(), picture[lit][:3].mean()
        assert dark < 0.72 * bright
        with_car = renderer.render(above, [car], weather, seed=0).bgra.astype(int)
        assert (with_car[..., :3].mean(axis=2) < 0.75 * picture[..., :3].mean(axis=2)).sum() > 60
        again = renderer.render(above, [], weather, seed=0).bgra
        np.testing.assert_array_equal(again, picture)
    renderer.close()


def test_lamps_glow_when_their_bits_are_set(renderer):
    camera = Camera(320, 180, 60.0, Pose(0.0, 0.0, 1.2, -5.0))
    night = WEATHERS["night"]
    tail = Pose(9.0, 0.0)
    lamps, around = {}, {}
    for lights in (0, Light.POSITION, Light.POSITION | Light.BRAKE):
        pictures = renderer.render(camera, [Mover("car", 50, tail, lights=int(lights))], night, seed=0)
        red = pictures.bgra[..., 2].astype(int) - pictures.bgra[..., 0]
        lamps[int(lights)] = np.sort(red[pictures.instance == 50])[-40:].mean()
        around[int(lights)] = red.mean()
    assert lamps[0] + 15 < lamps[1]
    # Braking saturates the lamps themselves; its light falls on what is near.
    assert around[0] < around[1] < around[9] - 0.2
    # Head lamps light the road before them.
    dark, lit = (
        renderer.render(camera, [Mover("car", 50, Pose(-3.0, 0.0), lights=int(lights))], night, seed=0).bgra
        for lights in (0, Light.LOW_BEAM)
    )
    road = slice(120, 170), slice(120, 200)
    assert lit[road][..., :3].mean() > dark[road][..., :3].mean() + 8


def test_street_lamps_can_be_put_out(renderer, town):
    camera = Camera(200, 120, 90.0, Pose(-20.0, 0.0, 1.6))
    before = renderer.render(camera, [], WEATHERS["night"], seed=0).bgra
    lamps = {int(number) for number in town.objects[town.materials == Material.STREET_LAMP]}
    renderer.set_lamps({lamp: LampSetting(on=False) for lamp in lamps})
    try:
        out = renderer.render(camera, [], WEATHERS["night"], seed=0).bgra
    finally:
        renderer.set_lamps({})
    assert out[..., :3].mean() < before[..., :3].mean() - 5
    np.testing.assert_array_equal(renderer.render(camera, [], WEATHERS["night"], seed=0).bgra, before)


def test_street_lamps_can_be_dimmed_and_coloured(renderer, town):
    camera = Camera(200, 120, 90.0, Pose(-20.0, 0.0, 1.6))
    lamps = {int(number) for number in town.objects[town.materials == Material.STREET_LAMP]}

    def drawn(setting):
        renderer.set_lamps({lamp: setting for lamp in lamps})
        try:
            return renderer.render(camera, [], WEATHERS["night"], seed=0).bgra[..., :3].astype(float)
        finally:
            renderer.set_lamps({})

    usual, dim, strong = (drawn(LampSetting(power=power)) for power in (1.0, 0.3, 2.5))
    np.testing.assert_array_equal(usual, drawn(LampSetting()))
    assert dim.mean() + 2 < usual.mean() < strong.mean() - 2
    for channel, colour in enumerate(((0.0, 0.0, 1.0), (0.0, 1.0, 0.0), (1.0, 0.0, 0.0))):
        tinted = drawn(LampSetting(colour=colour))
        others = [k for k in range(3) if k != channel]
        assert tinted[..., channel].mean() > usual[..., channel].mean() - 8
        assert (tinted[..., others].mean((0, 1)) < usual[..., others].mean((0, 1)) - 3).all()
    nearly_dark = drawn(LampSetting(power=0.0))
    assert nearly_dark.mean() < dim.mean()


def test_weathers_differ_as_they_should(renderer):
    camera = Camera(160, 90, 90.0, EGO)
    mean = {
        name: renderer.render(camera, [], weather, seed=0).bgra[..., :3].astype(float).mean(axis=(0, 1))
        for name, weather in WEATHERS.items()
    }
    assert mean["night"].mean() < 0.7 * mean["clear"].mean()
    assert mean["sunset"][2] > 1.1 * mean["sunset"][0], "a low sun is warm"
    assert mean["dust"][2] > 1.1 * mean["dust"][0]
    contrast = {
        name: renderer.render(camera, [], WEATHERS[name], seed=0).bgra[..., 1].std()
        for name in ("clear", "fog", "cloudy")
    }
    assert contrast["fog"] < 0.6 * contrast["clear"]
    assert contrast["cloudy"] < contrast["clear"]


def test_paint_takes_the_tint_of_its_mover(renderer):
    camera = Camera(160, 90, 60.0, Pose(-10.0, 0.0, 2.0, -8.0))
    for tint, channel in (((0.9, 0.1, 0.1), 2), ((0.1, 0.8, 0.1), 1), ((0.1, 0.2, 0.9), 0)):
        pictures = renderer.render(camera, [Mover("car", 9, Pose(), tint)], Weather(), seed=0)
        colour = np.median(pictures.bgra[pictures.instance == 9][:, :3], axis=0)
        assert colour.argmax() == channel
