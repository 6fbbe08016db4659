"""The dial fills in what is open, says why, and what is given stays as it is."""

import dataclasses

import pytest

from trainer.config import build, configs_dir, load_yaml
from trainer.errors import ConfigError
from trainer.optimizer import learning_rate
from trainer.recipe import DIAL, TrainConfig, resolve
from trainer.unet import load_preset

TRAIN = build(TrainConfig, load_yaml(configs_dir() / "train.yaml"), "train.yaml")
COURSERA = build(TrainConfig, load_yaml(configs_dir() / "coursera.yaml"), "coursera.yaml")


def recipe_of(config, frames=480, size=(360, 640), classes=17):
    return resolve(config, load_preset(config.network), frames, size, classes)


@pytest.mark.parametrize("size", DIAL)
def test_each_size_fits_together_and_gives_its_reasons(size):
    recipe = recipe_of(dataclasses.replace(TRAIN, size=size))
    assert recipe.network.classes == 17
    assert recipe.crop is not None
    assert all(side % recipe.network.multiple == 0 for side in recipe.crop)
    assert recipe.picture[0] * recipe.picture[1] <= DIAL[size].pixels * 1.02
    assert {key for key, _, _ in recipe.reasons} == {
        "size", "width", "picture", "detail", "crop", "batch", "steps", "learning_rate",
    }  # fmt: skip
    assert all(why for _, _, why in recipe.reasons)


def test_what_is_given_is_taken():
    config = dataclasses.replace(
        TRAIN, batch=6, steps=7, learning_rate=0.5, picture=(100, 200), crop=(64, 96), width=0.5
    )
    recipe = recipe_of(config)
    assert (recipe.batch, recipe.steps, recipe.learning_rate) == (6, 7, 0.5)
    assert (recipe.picture, recipe.crop) == ((100, 200), (64, 96))
    assert recipe.network.widths == (16, 32, 64, 96, 128)
    assert sum(why == "given" for _, _, why in recipe.reasons) == 6


def test_small_pictures_are_not_enlarged_and_keep_their_shape():
    assert recipe_of(TRAIN, size=(180, 320)).picture == (180, 320)
    height, width = recipe_of(TRAIN, size=(600, 800)).picture
    assert width / height == pytest.approx(4 / 3, abs=0.01)


def test_epochs_become_steps():
    recipe = recipe_of(COURSERA, frames=480, classes=23)
    assert (recipe.steps, recipe.batch, recipe.crop, recipe.picture) == (75, 32, None, (96, 128))
    assert recipe.network.widths == (32, 64, 128, 256, 512)
    with pytest.raises(ValueError, match="give one of them"):
        dataclasses.replace(COURSERA, steps=3)


def test_a_crop_that_the_network_cannot_take_is_refused():
    with pytest.raises(ConfigError, match="multiples of"):
        recipe_of(dataclasses.replace(TRAIN, crop=(100, 100)))


def test_the_rate_warms_up_and_falls():
    recipe = recipe_of(dataclasses.replace(TRAIN, steps=100, learning_rate=1.0, warmup=0.1))
    rates = [learning_rate(recipe, step) for step in range(100)]
    assert rates[0] < 0.1 and max(rates) == pytest.approx(1.0) and rates.index(max(rates)) == 10
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[-1] == pytest.approx(0.02, abs=0.01)
    assert {learning_rate(recipe_of(COURSERA), s) for s in range(75)} == {1e-3}


def test_identity_leaves_out_only_what_does_not_change_the_result():
    config = dataclasses.replace(TRAIN, steps=50)
    base = recipe_of(config).identity()
    assert recipe_of(dataclasses.replace(config, checkpoint_s=1.0)).identity() == base
    for change in ({"seed": 1}, {"steps": 51}, {"batch": 8}, {"learning_rate": 0.1}, {"dice": 0.5}, {"width": 2.0}):
        assert recipe_of(dataclasses.replace(config, **change)).identity() != base, change
