"""What a client may ask of an attribute."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim_agent.embedded.blueprints import AttributeType, catalogue, check_attributes, definition

CAMERA = definition("sensor.camera.rgb")


def test_defaults_fill_what_is_not_given():
    values = check_attributes(CAMERA, {"fov": "60", "role_name": "mine"})
    assert values["fov"] == "60" and values["role_name"] == "mine" and values["image_size_x"] == "800"
    assert set(values) == {attribute.id for attribute in CAMERA.attributes}


def test_every_default_is_allowed_and_readable():
    for entry in catalogue():
        values = check_attributes(entry, {attribute.id: attribute.value for attribute in entry.attributes})
        for attribute in entry.attributes:
            value = values[attribute.id]
            if attribute.type is AttributeType.INT:
                int(value)
            elif attribute.type is AttributeType.FLOAT and value:
                assert math.isfinite(float(value))
            elif attribute.type is AttributeType.BOOL:
                assert value in ("true", "false")


def test_every_recommended_value_is_allowed():
    for entry in catalogue():
        for attribute in entry.attributes:
            for value in attribute.recommended:
                check_attributes(entry, {attribute.id: value})


def test_carlas_spelling_of_floats_becomes_readable():
    assert check_attributes(definition("static.trigger.friction"), {})["friction"] == "3.5"


def test_python_spelling_of_booleans_becomes_carlas():
    assert check_attributes(CAMERA, {"enable_postprocess_effects": "False"})["enable_postprocess_effects"] == "false"


@pytest.mark.parametrize(
    ("given_values", "message"),
    [
        ({"fof": "90"}, "Blueprint 'sensor.camera.rgb' has no attribute 'fof'; did you mean 'fov'?"),
        ({"fov": "180"}, "Attribute 'fov' of 'sensor.camera.rgb' is '180', but must be from 0.01 to 179.99."),
        ({"fov": "wide"}, "Attribute 'fov' of 'sensor.camera.rgb' is 'wide', but must be a number."),
        ({"fov": "nan"}, "Attribute 'fov' of 'sensor.camera.rgb' is 'nan', but must be a finite number."),
        ({"image_size_x": "800.5"},
         "Attribute 'image_size_x' of 'sensor.camera.rgb' is '800.5', but must be a whole number."),
        ({"image_size_x": "100000"},
         "Attribute 'image_size_x' of 'sensor.camera.rgb' is '100000', but must be from 1 to 8192."),
        ({"sensor_tick": "-1"}, "Attribute 'sensor_tick' of 'sensor.camera.rgb' is '-1', but must be 0 or more."),
        ({"exposure_mode": "magic"},
         "Attribute 'exposure_mode' of 'sensor.camera.rgb' is 'magic', but must be one of histogram, manual."),
    ],
)  # fmt: skip
def test_refusals_say_what_was_expected(given_values, message):
    with pytest.raises(ValueError) as error:
        check_attributes(CAMERA, given_values)
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("name", "value"), [("color", "1,2"), ("color", "256,0,0"), ("sticky_control", "maybe"), ("number_of_wheels", "6")]
)
def test_vehicles_refuse(name, value):
    with pytest.raises(ValueError, match=f"Attribute '{name}'"):
        check_attributes(definition("vehicle.audi.tt"), {name: value})


def test_constants_may_be_repeated_but_not_changed():
    tt = definition("vehicle.audi.tt")
    assert check_attributes(tt, {"number_of_wheels": "4"})["number_of_wheels"] == "4"


def test_drivers_are_restricted():
    ninja = definition("vehicle.kawasaki.ninja")
    assert check_attributes(ninja, {"driver_id": "7"})["driver_id"] == "7"
    with pytest.raises(ValueError, match="must be one of 0, 7, 3, 4"):
        check_attributes(ninja, {"driver_id": "5"})


ALL_NAMES = sorted({attribute.id for entry in catalogue() for attribute in entry.attributes})


@given(
    entry=st.sampled_from(catalogue()),
    given_values=st.dictionaries(st.sampled_from(ALL_NAMES) | st.text(max_size=8), st.text(max_size=12), max_size=3),
)
def test_any_text_is_either_taken_or_refused_in_one_sentence(entry, given_values):
    try:
        values = check_attributes(entry, given_values)
    except ValueError as error:
        assert str(error).endswith((".", "?"))
        return
    for attribute in entry.attributes:
        if attribute.type is AttributeType.RGB:
            assert [0 <= int(channel) <= 255 for channel in values[attribute.id].split(",")] == [True] * 3
        if attribute.type is AttributeType.FLOAT and values[attribute.id]:
            assert math.isfinite(float(values[attribute.id]))
