"""The catalogue against what CARLA's documents and scripts count on."""

import re

import pytest

from sim_agent.embedded.blueprints import (
    PROPS,
    VEHICLES,
    WALKERS,
    AttributeType,
    catalogue,
    definition,
    prop_spec,
    vehicle_colours,
    vehicle_spec,
    walker_spec,
)
from sim_agent.embedded.scene import Tag


def attributes(blueprint_id):
    return {attribute.id: attribute for attribute in definition(blueprint_id).attributes}


def test_counts_are_carlas():
    kinds = [entry.id.split(".")[0] for entry in catalogue()]
    counts = {kind: kinds.count(kind) for kind in set(kinds)}
    assert counts == {"vehicle": 41, "walker": 51, "sensor": 17, "static": 97, "controller": 1, "util": 1}


def test_ids_are_unique_and_numbered_from_one():
    entries = catalogue()
    assert len({entry.id for entry in entries}) == len(entries)
    assert [entry.uid for entry in entries] == list(range(1, len(entries) + 1))
    assert all(entry.tags == entry.id.replace(".", ",") for entry in entries)


def test_attributes_are_unique_and_their_defaults_recommended():
    for entry in catalogue():
        names = [attribute.id for attribute in entry.attributes]
        assert len(set(names)) == len(names), entry.id
        for attribute in entry.attributes:
            assert attribute.recommended, (entry.id, attribute.id)
            assert attribute.value == attribute.recommended[0], (entry.id, attribute.id)


@pytest.mark.parametrize("sensor", ["sensor.other.collision", "sensor.other.lane_invasion"])
def test_event_sensors_have_no_tick(sensor):
    assert set(attributes(sensor)) == {"role_name", "ros_name"}


@pytest.mark.parametrize(
    ("sensor", "expected"),
    [
        ("sensor.camera.rgb", {"image_size_x": "800", "image_size_y": "600", "fov": "90.0", "sensor_tick": "0.0",
                               "gamma": "2.2", "shutter_speed": "200.0", "iso": "100.0", "fstop": "1.4"}),
        ("sensor.camera.depth", {"lens_circle_falloff": "5.0", "lens_k": "-1.0", "lens_x_size": "0.08"}),
        ("sensor.camera.dvs", {"positive_threshold": "0.3", "refractory_period_ns": "0", "use_log": "true"}),
        ("sensor.lidar.ray_cast", {"channels": "32", "range": "10.0", "points_per_second": "56000",
                                   "dropoff_general_rate": "0.45", "noise_seed": "0", "horizontal_fov": "360.0"}),
        ("sensor.other.radar", {"horizontal_fov": "30", "range": "100", "points_per_second": "1500",
                                "noise_seed": "0"}),
        ("sensor.other.obstacle", {"distance": "5.0", "hit_radius": "0.5", "only_dynamics": "false"}),
        ("static.trigger.friction", {"friction": "3.5f", "extent_x": "1.0f"}),
    ],
)  # fmt: skip
def test_defaults_are_carlas(sensor, expected):
    found = attributes(sensor)
    assert {name: found[name].value for name in expected} == expected


def test_semantic_lidar_and_plain_cameras_have_no_noise_nor_film():
    assert "dropoff_general_rate" not in attributes("sensor.lidar.ray_cast_semantic")
    assert "gamma" not in attributes("sensor.camera.semantic_segmentation")
    assert len(attributes("sensor.camera.rgb")) == 2 + 1 + 9 + 31


def test_vehicles():
    for name in VEHICLES:
        spec, found = vehicle_spec(name), attributes(name)
        assert found["number_of_wheels"].value == str(spec.wheels) == str(len(spec.wheel_positions_m))
        assert found["base_type"].value == spec.kind
        assert not found["number_of_wheels"].modifiable
        assert ("driver_id" in found) == bool(spec.drivers)
        assert spec.box_centre_m[2] == pytest.approx(spec.extent_m[2])
        assert 50 < spec.mass_kg < 20_000
        for x, y, z in spec.wheel_positions_m:
            assert abs(x) + spec.wheel_radius_m <= spec.extent_m[0] + 0.02, name
            assert abs(y) < spec.extent_m[1] and z == spec.wheel_radius_m, name
    assert vehicle_spec("vehicle.tesla.model3").extent_m == (2.40, 1.08, 0.74)
    assert {vehicle_spec(name).special for name in VEHICLES} == {"", "emergency", "taxi", "electric"}
    assert vehicle_spec("vehicle.mitsubishi.fusorosa").tag is Tag.BUS


def test_colours_are_what_the_colour_attribute_recommends():
    for name in VEHICLES:
        colours = vehicle_colours(name)
        attribute = attributes(name).get("color")
        assert (attribute is None) == (not colours)
        if attribute is not None:
            assert attribute.type is AttributeType.RGB
            assert attribute.recommended == tuple(f"{r},{g},{b}" for r, g, b in colours)
            assert all(0 <= channel <= 255 for colour in colours for channel in colour)


def test_walkers():
    for name in WALKERS:
        found, spec = attributes(name), walker_spec(name)
        assert [float(value) for value in found["speed"].recommended] == list(spec.speeds_m_s)
        assert found["gender"].value in ("female", "male")
        assert found["age"].value in ("child", "adult", "elderly")
        assert found["is_invincible"].value == "true"
        assert ("true" in found["use_wheelchair"].recommended) == (found["can_use_wheelchair"].value == "true")
        assert (spec.extent_m[2] < 0.7) == (spec.age == "child")
    assert walker_spec("walker.pedestrian.0001").extent_m[2] == 0.93
    assert {number for number in range(1, 52) if walker_spec(f"walker.pedestrian.{number:04d}").age == "child"} == {
        *(9, 10, 11, 12, 13, 14, 48, 49)
    }


def test_props():
    assert len(PROPS) == 95
    for name in PROPS:
        spec = prop_spec(name)
        assert attributes(name)["size"].value == spec.size in ("tiny", "small", "medium", "big", "huge")
        assert min(spec.extent_m) > 0 and spec.mass_kg > 0
    assert prop_spec("static.prop.trafficcone01").tag is Tag.DYNAMIC
    assert prop_spec("static.prop.bench01").fixed


@pytest.mark.parametrize("lookup", [vehicle_spec, vehicle_colours, walker_spec, prop_spec, definition])
def test_unknown_ids_are_named(lookup):
    with pytest.raises(KeyError, match=re.escape("'vehicle.nobody.nothing'")):
        lookup("vehicle.nobody.nothing")
