from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from trainer.dataset.check import check_source
from trainer.dataset.drawn import draw_recording
from trainer.dataset.repair import mend_recording
from trainer.dataset.source import Source, open_source
from trainer.dataset.split import split_sources
from trainer.errors import DataError


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Source:
    path = tmp_path_factory.mktemp("drawn") / "sample"
    draw_recording(path, count=32, width=160, height=90, frames_per_episode=4)
    return open_source(path)


def test_a_sample_is_a_recording_without_problems(source: Source) -> None:
    report = check_source(source)
    assert report.findings == () and report.frames == 32 and report.episodes == 8
    assert source.table.name == "carla-0.9.14"


def test_every_town_and_weather_comes(source: Source) -> None:
    assert len({ref.town for ref in source.frames}) == 4 and len({ref.weather for ref in source.frames}) == 4
    assert len({(ref.town, ref.weather) for ref in source.frames}) == 8
    split = split_sources([source])
    assert not {ref.episode for _, ref in split.train} & {ref.episode for _, ref in split.val}


def test_what_a_street_has_is_labelled(source: Source) -> None:
    seen = np.zeros(256, np.int64)
    for ref in source.frames:
        seen += np.bincount(source.read_tags(ref).ravel(), minlength=256)
    names = {tag.name for tag in source.table.tags if seen[tag.id]}
    assert names >= {"Roads", "RoadLines", "Sidewalks", "Buildings", "Sky", "Vegetation", "Terrain", "Car", "Poles",
                     "Pedestrians", "TrafficSigns", "TrafficLight", "Fences", "Walls", "Rider"}  # fmt: skip
    share = seen / seen.sum()
    assert 0.1 < share[1] < 0.5 and 0.05 < share[11] < 0.5, "road and sky have their places"


def test_labels_lie_on_their_pictures(source: Source) -> None:
    ref = source.frames[0]  # Drawn01 at clear noon: the sky is blue, the road grey
    rgb, tags = source.read_rgb(ref).astype(int), source.read_tags(ref)
    sky, road = rgb[tags == 11].mean(0), rgb[tags == 1].mean(0)
    assert sky[2] > sky[0] + 20 and np.ptp(road) < 20 and sky.sum() > road.sum()


def test_equal_seeds_give_equal_bytes(tmp_path: Path) -> None:
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        draw_recording(tmp_path / name, count=2, width=64, height=36, seed=seed)
    shards = {name: next((tmp_path / name).rglob("*.tar")).read_bytes() for name in "abc"}
    assert shards["a"] == shards["b"] != shards["c"]


def test_an_interrupted_sample_is_gone_on_with(tmp_path: Path) -> None:
    def interrupt(done: int, total: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    size = {"count": 4, "width": 64, "height": 36, "frames_per_episode": 2}
    with pytest.raises(KeyboardInterrupt):
        draw_recording(tmp_path / "a", **size, progress=interrupt)
    draw_recording(tmp_path / "a", **size)
    draw_recording(tmp_path / "b", **size)
    a, b = open_source(tmp_path / "a"), open_source(tmp_path / "b")
    assert list(a.frames) == list(b.frames) and a.fingerprint() == b.fingerprint()


def test_a_sample_cut_short_by_a_repair_is_said(tmp_path: Path) -> None:
    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        draw_recording(tmp_path / "a", count=2, width=64, height=36, progress=interrupt)
    mend_recording(tmp_path / "a")
    with pytest.raises(DataError, match="was closed before its 2 frames"):
        draw_recording(tmp_path / "a", count=2, width=64, height=36)


def test_another_recording_is_not_drawn_over(source: Source, tmp_path: Path) -> None:
    before = source.fingerprint()
    draw_recording(source.path, count=32, width=160, height=90, frames_per_episode=4)
    assert open_source(source.path).fingerprint() == before, "drawing it again changes nothing"
    with pytest.raises(DataError, match="holds another recording"):
        draw_recording(source.path, count=33, width=160, height=90, frames_per_episode=4)
    with pytest.raises(DataError, match="1 picture or more"):
        draw_recording(tmp_path / "x", count=0)
