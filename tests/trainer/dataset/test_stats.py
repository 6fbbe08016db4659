from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from trainer.dataset.source import open_source
from trainer.dataset.stats import source_stats, tag_pixels
from trainer.errors import DataError


def test_a_recording_counts_as_its_labels_do(make_recording: Callable[..., Path]) -> None:
    source = open_source(make_recording({"a": ("T1", 2), "b": ("T2", 1)}))
    stats = source_stats(source)
    counted = np.sum([np.bincount(source.read_tags(ref).ravel(), minlength=256) for ref in source.frames], axis=0)
    assert {tag["id"]: tag["pixels"] for tag in stats["tags"].values()} == {i: counted[i] for i in (0, 1, 3, 11)}
    assert stats["frames"] == 3 and stats["by_town"] == {"T1": 2, "T2": 1} and stats["sizes"] == {"40x24": 3}
    assert stats["layout"] == "recording" and stats["step_s"] == 0.05
    json.dumps(stats)


def test_a_folder_is_counted_by_reading(make_folder: Callable[..., Path]) -> None:
    source = open_source(make_folder(["1_T01_CN_A", "2_T01_CS_A"]))
    stats = source_stats(source)
    assert stats["by_weather"] == {"CN": 1, "CS": 1} and stats["layout"] == "folder"
    assert tag_pixels(source, source.frames[0]).sum() == 24 * 40


def test_an_empty_recording_is_said(make_writer: Callable) -> None:
    with make_writer() as writer:
        pass
    with pytest.raises(DataError, match="no whole frame"):
        source_stats(open_source(writer.path))
