"""Bytes of label and depth cameras, read back as CARLA's clients read them."""

import numpy as np

from sim_agent.embedded.render import depth_bgra, instance_bgra, semantic_bgra


def test_semantic_is_the_red_channel():
    tag = np.arange(29, dtype=np.uint8).reshape(1, 29)
    picture = semantic_bgra(tag)
    assert picture.dtype == np.uint8 and picture.shape == (1, 29, 4)
    np.testing.assert_array_equal(picture[..., 2], tag)
    assert not picture[..., :2].any()
    assert (picture[..., 3] == 255).all()


def test_instance_round_trip():
    random = np.random.default_rng(0)
    tag = random.integers(0, 29, (20, 30)).astype(np.uint8)
    instance = random.integers(0, 65536, (20, 30)).astype(np.int32)
    blue, green, red, alpha = np.moveaxis(instance_bgra(tag, instance).astype(int), -1, 0)
    np.testing.assert_array_equal(red, tag)
    np.testing.assert_array_equal(green + 256 * blue, instance)
    assert (alpha == 255).all()


def test_depth_round_trip():
    depth_m = np.concatenate([np.geomspace(0.1, 1000.0, 5000), [0.0, 1000.0, 1200.0]]).astype(np.float32).reshape(1, -1)
    blue, green, red, alpha = np.moveaxis(depth_bgra(depth_m).astype(float), -1, 0)
    decoded = (red + green * 256 + blue * 65536) / (256**3 - 1) * 1000
    np.testing.assert_allclose(decoded, np.minimum(depth_m, 1000.0), atol=1000 / 2**24)
    assert (alpha == 255).all()
    assert depth_bgra(np.full((1, 1), 1000.0, np.float32)).ravel().tolist() == [255] * 4
