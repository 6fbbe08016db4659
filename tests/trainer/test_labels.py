"""Label tables and class lists: by name across CARLA versions, and every fault by its file."""

import numpy as np
import pytest

from trainer.errors import DataError, LabelError
from trainer.labels import VOID, ClassList, LabelClass, LabelTable, Tag, canonical, load_class_list, load_label_table

COUNTS = {"carla-0.8": 13, "carla-0.9.10": 23, "carla-0.9.14": 29, "idda-24": 24}


@pytest.mark.parametrize(("name", "count"), COUNTS.items())
def test_shipped_tables_are_whole(name, count):
    table = load_label_table(name)
    assert table.ids == tuple(range(count))
    assert LabelTable.from_dict(table.to_dict()) == table
    assert len({t.colour for t in table.tags}) >= count - 1


def test_road_has_the_number_of_its_version():
    ids = {name: {canonical(t.name): t.id for t in load_label_table(name).tags}["road"] for name in COUNTS}
    assert ids == {"carla-0.8": 7, "carla-0.9.10": 7, "carla-0.9.14": 1, "idda-24": 7}


@pytest.mark.parametrize("name", COUNTS)
def test_street17_means_the_same_in_every_version(name):
    classes = load_class_list("street17")
    table = load_label_table(name)
    lookup = classes.lookup(table)
    named = {canonical(t.name): lookup[t.id] for t in table.tags}
    for word, index in (("building", 0), ("pole", 3), ("roadline", 4), ("road", 5), ("sidewalk", 6), ("car", 8)):
        assert named[word] == index, word
    assert named["unlabeled"] == VOID
    assert (lookup[len(table.tags) :] == VOID).all()


def test_larger_vehicles_count_as_car_and_riders_do_not():
    classes, table = load_class_list("street17"), load_label_table("carla-0.9.14")
    by_name = {t.name: classes.lookup(table)[t.id] for t in table.tags}
    car = classes.names.index("car")
    assert by_name["Truck"] == by_name["Bus"] == by_name["Train"] == by_name["Car"] == car
    assert by_name["Rider"] == classes.names.index("rider")
    assert by_name["Ground"] == by_name["Static"] == VOID


@pytest.mark.parametrize(("name", "table", "count"), [("carla23", "carla-0.9.10", 23), ("carla29", "carla-0.9.14", 29)])
def test_full_lists_are_the_identity_on_their_own_table(name, table, count):
    lookup = load_class_list(name).lookup(load_label_table(table))
    assert lookup[:count].tolist() == list(range(count))


def test_carla23_takes_newer_recordings():
    lookup = load_class_list("carla23").lookup(load_label_table("carla-0.9.14"))
    assert lookup[14] == lookup[15] == lookup[18] == 10  # car, truck, motorcycle -> vehicles
    assert lookup[13] == 4  # rider -> pedestrian
    assert lookup[1] == 7  # road
    assert (lookup[:29] != VOID).all()


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("SideWalk", "Sidewalks"),
        ("RoadLine", "road lines"),
        ("Traffic Light", "TrafficLight"),
        ("Vehicles", "car"),
        ("None", "Unlabeled"),
    ],
)
def test_names_that_mean_the_same(a, b):
    assert canonical(a) == canonical(b)


def test_names_that_do_not():
    assert len({canonical(w) for w in ("road", "road line", "rail track", "guard rail", "bus", "grass", "wall")}) == 7


def test_unknown_ids_are_named_with_their_pixels():
    tags = np.zeros((4, 5), np.uint8)
    tags[0, :3] = 99
    tags[1, 0] = 200
    with pytest.raises(DataError) as caught:
        load_label_table("carla-0.8").check(tags, "a/b.png")
    assert str(caught.value).startswith(
        "a/b.png: unknown tag id 99 (3 pixels), 200 (1 pixels); label table 'carla-0.8' has the ids 0-12."
    )


def test_an_unknown_id_in_a_gap_of_the_table_is_found():
    table = LabelTable("gap", tuple(Tag(i, f"t{i}", (i, i, i)) for i in (0, 1, 3)))
    table.check(np.array([[0, 1, 3]], np.uint8), "a/b.png")
    table.check(np.zeros((0, 5), np.uint8), "a/b.png")
    with pytest.raises(DataError, match=r"unknown tag id 2 \(1 pixels\)"):
        table.check(np.array([[0, 2, 3]], np.uint8), "a/b.png")


def test_a_list_that_maps_nothing_is_refused():
    nothing = ClassList("mine", (LabelClass("dragon", (1, 2, 3), ("Dragon",)),))
    with pytest.raises(LabelError, match="maps none of the tags"):
        nothing.lookup(load_label_table("carla-0.8"))


def test_ones_own_files(tmp_path):
    own = tmp_path / "own.yaml"
    own.write_text("name: own\nclasses:\n  - {name: drivable, colour: [1, 2, 3], tags: [Road, RoadLine]}\n")
    lookup = load_class_list(own).lookup(load_label_table("carla-0.9.14"))
    assert lookup[1] == lookup[24] == 0
    assert (lookup == 0).sum() == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: x\n", "not a class list"),
        ("name: x\nclasses: []\n", "lists no classes"),
        ("name: x\nclasses: [{name: a, colour: [1, 2]}]\n", "not a class list"),
        ("name: x\nclasses: [{name: a, colour: [1, 2, 300]}]\n", "0 to 255"),
        ("name: x\nclasses: [{name: a, colour: [1, 2, 3]}, {name: a, colour: [1, 2, 3]}]\n", "'a' stands there twice"),
        (
            "name: x\nclasses: [{name: a, colour: [1, 2, 3], tags: [Road]}, {name: b, colour: [1, 2, 3], tags: [roads]}]\n",
            "counts as 'a' and as 'b'",
        ),
    ],
)
def test_class_lists_that_do_not_fit(tmp_path, text, message):
    path = tmp_path / "own.yaml"
    path.write_text(text)
    with pytest.raises(LabelError, match=message):
        load_class_list(path)


def test_tables_that_do_not_fit(tmp_path):
    with pytest.raises(LabelError, match="did you mean 'carla-0.9.14'"):
        load_label_table("carla-0.9.15")
    with pytest.raises(LabelError, match="no such file"):
        load_label_table(tmp_path / "x.yaml")
    with pytest.raises(LabelError, match="stands there twice"):
        LabelTable("x", (Tag(1, "a", (0, 0, 0)), Tag(1, "b", (0, 0, 0))))
    with pytest.raises(LabelError, match="ids are 0 to 254"):
        LabelTable("x", (Tag(255, "a", (0, 0, 0)),))
