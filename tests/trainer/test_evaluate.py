"""Scores at the labels' own resolution, over sources of different label tables."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from tests.trainer.streets import draw_street
from trainer.dataset.source import open_source
from trainer.errors import DataError
from trainer.evaluate import choose_pairs, error_map, evaluate_model, mean_iou
from trainer.labels import load_class_list, load_label_table
from trainer.metrics import Score
from trainer.segmenter import open_segmenter

KEYS = {
    "miou", "pixel_accuracy", "iou", "absent", "boundary_iou", "confusion", "classes", "frames", "by_town",
    "by_weather", "model", "data",
}  # fmt: skip


@pytest.fixture(scope="module")
def segmenter(fitted):
    return open_segmenter(fitted, "torch", "fp32", threads=1)


@pytest.fixture(scope="module")
def old_street(tmp_path_factory):
    """Two pictures of another size whose labels are those of CARLA 0.9.10, without list files, towns or weathers."""
    folder = tmp_path_factory.mktemp("old") / "old"
    (folder / "CameraRGB").mkdir(parents=True)
    (folder / "CameraSeg").mkdir()
    new, old = (load_label_table(name) for name in ("carla-0.9.14", "carla-0.9.10"))
    ids = {tag.name.lower(): tag.id for tag in old.tags}
    lookup = np.zeros(256, np.uint8)
    for tag in new.tags:
        lookup[tag.id] = ids.get({"car": "vehicles", "roads": "road"}.get(tag.name.lower(), tag.name.lower()), 0)
    for i in range(2):
        rgb, tags = draw_street(100 + i, (60, 84))
        Image.fromarray(rgb).save(folder / "CameraRGB" / f"{i}.png")
        Image.fromarray(lookup[tags]).save(folder / "CameraSeg" / f"{i}.png")
    return folder


def test_the_result_is_the_contract_and_is_right(segmenter, street):
    source = open_source(street)
    pairs, said = choose_pairs([source])
    assert "4 of 12 frames (val)" in said
    seen = []
    steps = []
    result = evaluate_model(segmenter, pairs, "val", seen.append, lambda done, total: steps.append((done, total)))
    assert set(result) == KEYS
    json.dumps(result, allow_nan=False)

    classes = load_class_list("street17")
    lookup = classes.lookup(source.table)
    expected = Score(classes.names)
    for _, ref in pairs:
        labels = segmenter.segment(source.read_rgb(ref))
        expected.add(torch.from_numpy(labels)[None], torch.from_numpy(lookup[source.read_tags(ref)])[None])
    assert result["miou"] == expected.miou > 0.8, "the model was fitted on such pictures"
    assert result["iou"] == expected.to_dict()["iou"] and set(result["iou"]) == {"road", "sky", "car"}
    assert len(result["absent"]) == 14 and result["boundary_iou"] == expected.boundary_iou
    np.testing.assert_array_equal(result["confusion"], expected.matrix)
    assert sum(map(sum, result["confusion"])) < 4 * 40 * 56, "water is void"

    assert set(result["by_town"]) == {"T01", "T02"} and set(result["by_weather"]) == {"CN", "HRN"}
    assert sum(group["frames"] for group in result["by_town"].values()) == result["frames"] == 4
    assert result["data"]["sources"][0] | {"path": ""} == {
        "name": "street", "path": "", "table": "carla-0.9.14", "frames": 4, "fingerprint": source.fingerprint(),
    }  # fmt: skip
    assert result["model"]["engine"] == "torch-fp32"
    assert steps == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert [frame.ref.key for frame in seen] == [ref.key for _, ref in pairs]


def test_sources_of_different_tables_and_sizes_are_scored_together(segmenter, street, old_street):
    sources = [open_source(street), open_source(old_street, "carla-0.9.10", "grey")]
    pairs, said = choose_pairs(sources)
    assert "old: 2 of 2 frames (all, it has no list files)" in said
    result = evaluate_model(segmenter, pairs)
    assert result["frames"] == 6 and result["miou"] > 0.7
    assert set(result["by_town"]) == {"T01", "T02", "unknown"}
    alone = evaluate_model(segmenter, pairs[-2:])
    assert alone["by_town"] == alone["by_weather"] == {}


def test_without_boundaries_all_else_is_the_same(segmenter, street):
    pairs, _ = choose_pairs([open_source(street)], "val")
    full, quick = evaluate_model(segmenter, pairs), evaluate_model(segmenter, pairs, boundary=False)
    assert full["boundary_iou"] is not None and quick["boundary_iou"] is None
    assert (quick["miou"], quick["iou"], quick["confusion"]) == (full["miou"], full["iou"], full["confusion"])


def test_which_frames(street, old_street):
    source, old = open_source(street), open_source(old_street, "carla-0.9.10", "grey")
    assert len(choose_pairs([source], "train")[0]) == 8
    assert len(choose_pairs([source], "all")[0]) == 12
    limited, said = choose_pairs([source], "all", limit=3)
    keys = [ref.key for _, ref in choose_pairs([source], "all")[0]]
    assert [ref.key for _, ref in limited] == [keys[0], keys[6], keys[11]]
    assert "3 of these" in said
    with pytest.raises(DataError, match="no train.txt or val.txt"):
        choose_pairs([old], "train")
    source.lists = {"train": tuple(ref.key for ref in source.frames), "val": ()}
    with pytest.raises(DataError, match="the part 'val' holds no frames"):
        choose_pairs([source], "val")


def test_a_label_that_can_not_be_read_is_named(segmenter, street, tmp_path):
    import shutil

    folder = shutil.copytree(street, tmp_path / "street")
    victim = sorted((folder / "CameraSeg").iterdir())[0]
    victim.write_bytes(victim.read_bytes()[:60])
    pairs, _ = choose_pairs([open_source(folder)], "all")
    with pytest.raises(DataError, match=victim.stem):
        evaluate_model(segmenter, pairs)


def test_errors_leave_void_out():
    truth = np.array([[0, 1, 255]], np.uint8)
    predicted = np.array([[0, 0, 0]], np.uint8)
    assert error_map(predicted, truth).tolist() == [[False, True, False]]
    assert np.isnan(mean_iou(np.zeros((3, 3), np.int64)))
    assert mean_iou(np.array([[2, 0], [0, 0]])) == 1.0
