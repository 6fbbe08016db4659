from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from trainer.dataset.export import export_source, run_lengths
from trainer.dataset.source import Source, open_source
from trainer.errors import DataError


@pytest.fixture
def source(make_recording: Callable[..., Path]) -> Source:
    return open_source(make_recording({"a": ("Town01", 2), "b": ("Town02", 1)}))


def test_folders_read_back_as_they_were(source: Source, tmp_path: Path) -> None:
    (source.path / "val.txt").write_text("b\n")
    source = open_source(source.path)
    assert export_source(source, tmp_path / "out") == 3
    folder = open_source(tmp_path / "out")
    assert folder.table == source.table
    assert folder.lists == {"train": tuple(ref.key for ref in folder.frames[:2]), "val": (folder.frames[2].key,)}
    for ref, back in zip(source.frames, folder.frames, strict=True):
        assert (back.town, back.weather, back.frame) == (ref.town, ref.weather, ref.frame)
        assert folder.rgb_bytes(back) == source.rgb_bytes(ref), "pictures are copied, not compressed again"
        np.testing.assert_array_equal(folder.read_tags(back), source.read_tags(ref))


def test_kitti_like(source: Source, tmp_path: Path) -> None:
    export_source(source, tmp_path / "out", "kitti")
    label = np.asarray(Image.open(tmp_path / "out/training/semantic/000002.png"))
    np.testing.assert_array_equal(label, source.read_tags(source.frames[2]))
    colours = np.asarray(Image.open(tmp_path / "out/training/semantic_rgb/000002.png"))
    np.testing.assert_array_equal(colours, source.table.colours()[label])
    assert (tmp_path / "out/training/image_2/000002.jpg").read_bytes() == source.rgb_bytes(source.frames[2])
    assert (tmp_path / "out/frames.txt").read_text().splitlines()[2] == "000002 b/00000000"


def test_coco_like(source: Source, tmp_path: Path) -> None:
    export_source(source, tmp_path / "out", "coco")
    content = json.loads((tmp_path / "out/annotations.json").read_text())
    assert len(content["images"]) == 3 and {c["name"] for c in content["categories"]} >= {"Roads", "Sky"}
    tags = np.full((24, 40), 255, np.uint8)
    for annotation in (a for a in content["annotations"] if a["image_id"] == 1):
        runs = annotation["segmentation"]["counts"]
        flat = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
        mask = flat.reshape((40, 24)).T
        assert mask.sum() == annotation["area"]
        tags[mask] = annotation["category_id"]
    np.testing.assert_array_equal(tags, source.read_tags(source.frames[0]))


def test_run_lengths_begin_with_zeros() -> None:
    assert run_lengths(np.array([[True, False], [True, True]])) == [0, 2, 1, 1]
    assert run_lengths(np.array([[False, True]])) == [1, 1]


def test_nothing_is_overwritten(source: Source, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/mine.txt").write_text("mine")
    with pytest.raises(DataError, match="not an empty folder"):
        export_source(source, tmp_path / "out")
    with pytest.raises(DataError, match="no export layout 'kiti'; did you mean 'kitti'"):
        export_source(source, tmp_path / "new", "kiti")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mine.txt"]
