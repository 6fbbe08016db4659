"""The samples of real CARLA pictures that lie beside the project on some machines; skipped where they are missing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from trainer.dataset.packed import pack
from trainer.dataset.source import Source, open_source
from trainer.dataset.split import split_sources
from trainer.labels import load_class_list

DATA = Path(__file__).resolve().parents[4] / "shared" / "data"


def real(name: str) -> Source:
    if not (DATA / name).is_dir():
        pytest.skip(f"the real pictures are not here: ../shared/data/{name}")
    return open_source(DATA / name)


@pytest.mark.parametrize(
    ("name", "pairs", "size", "table"),
    [
        ("carla_real", 560, (360, 640), "idda-24"),
        ("lyft_sample", 9, (600, 800), "carla-0.8"),
        ("town07_palette_sample", 4, (600, 800), "carla-0.9.10"),
    ],
)
def test_every_sample_is_read(name: str, pairs: int, size: tuple[int, int], table: str) -> None:
    source = real(name)
    assert len(source.frames) == pairs and source.table.name == table
    for ref in source.frames[:: max(1, pairs // 4)]:
        assert source.read_rgb(ref).shape == (*size, 3)
        tags = source.read_tags(ref)
        assert tags.shape == size and len(np.unique(tags)) > 4


def test_names_tell_town_and_weather() -> None:
    source = real("carla_real")
    assert {ref.town for ref in source.frames} == {"T01", "T02"}
    assert {ref.weather for ref in source.frames} == {"CN", "CS", "HRN"}
    assert len({ref.episode for ref in source.frames}) == 12
    split = split_sources([source])
    assert (len(split.train), len(split.val)) == (480, 80)


def test_tables_meet_in_one_class_list(tmp_path: Path) -> None:
    pairs = [(source, ref) for source in map(real, ("lyft_sample", "town07_palette_sample")) for ref in source.frames]
    classes = load_class_list("street17")
    cache = pack(pairs, (96, 128), classes, tmp_path)
    road = [c.name for c in classes.classes].index("road")
    assert all((label == road).mean() > 0.02 for label in cache.labels)
