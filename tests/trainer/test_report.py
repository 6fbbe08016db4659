"""The report page: whole in itself, well formed, and true to the figures."""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from trainer.curves import Line, chart, ticks
from trainer.dataset.source import FrameRef, open_source
from trainer.errors import DataError
from trainer.evaluate import Scored, choose_pairs, evaluate_model
from trainer.report import Gallery, read_metrics, write_report
from trainer.segmenter import open_segmenter

_VOID_TAGS = {"meta", "img", "br", "link"}


class Page(HTMLParser):
    """Tags must close in order; what they refer to is kept."""

    def __init__(self, text):
        super().__init__()
        self.open, self.references, self.text = [], [], []
        self.feed(text)
        assert not self.open, f"not closed: {self.open}"

    def handle_starttag(self, tag, attrs):
        self.references += [value for name, value in attrs if name in ("src", "href", "xlink:href", "data")]
        if tag not in _VOID_TAGS:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        pass

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


@pytest.fixture(scope="module")
def scored(fitted, street):
    segmenter = open_segmenter(fitted, "torch", "fp32", threads=1)
    gallery = Gallery(each=3)
    result = evaluate_model(segmenter, choose_pairs([open_source(street)], "all")[0], "all", gallery)
    return result, segmenter.info, gallery


@pytest.fixture
def metrics(tmp_path):
    path = tmp_path / "metrics.jsonl"
    lines = [
        {"step": s, "epoch": s / 40, "kind": "train", "loss": 2.0 / (1 + s), "accuracy": 0.5, "lr": 1e-3}
        for s in range(0, 200, 10)
    ]
    lines += [{"step": s, "kind": "val", "miou": s / 400, "pixel_accuracy": 0.7, "loss": 0.5} for s in (100, 200)]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_the_page_needs_nothing_else_and_says_the_figures(scored, metrics, tmp_path):
    result, info, gallery = scored
    path = write_report(tmp_path / "out", result, info, gallery, metrics)
    text = path.read_text(encoding="utf-8")
    page = Page(text)
    assert len(page.references) == 4 * 6, "six frames of four pictures"
    assert all(reference.startswith("data:image/") for reference in page.references)
    assert not re.search(r"https?://|@import|<script|url\(", text)
    shown = " ".join(page.text)
    for figure in (result["miou"], result["pixel_accuracy"], result["boundary_iou"], *result["iou"].values()):
        assert f"{figure:.3f}" in shown
    for word in ("Loss", "mIoU", "Pixel accuracy", "Worst frames", "Best frames", "T01", "HRN", "void", "tiny"):
        assert word in shown
    assert "Not in these labels, so not scored: building" in shown
    assert [p.name for p in path.parent.iterdir()] == ["report.html"]


def test_without_a_run_there_are_no_curves(scored, tmp_path):
    text = write_report(tmp_path, *scored).read_text(encoding="utf-8")
    Page(text)
    assert "<h2>Training</h2>" not in text


EVIL = "<script>alert('&\"')</script>"
NAMED = ("iou", "by_town", "by_weather", "sources")
"""Where the keys are names of a user's: of classes, towns, weathers, data."""


def evil(value, named=False):
    """Every string of a result, keys that are names included, with markup behind it."""
    if isinstance(value, str):
        return value + EVIL
    if isinstance(value, list):
        return [evil(each) for each in value]
    if isinstance(value, dict):
        return {key + EVIL * named: evil(each, key in NAMED) for key, each in value.items()}
    return value


def test_every_name_of_a_user_s_is_escaped(scored, tmp_path):
    """Classes, towns, weathers, frames, data, folders, presets, versions: from a model or a recording of anybody's."""
    result, info, gallery = scored
    classes = replace(
        info.classes,
        name=EVIL,
        classes=tuple(replace(one, name=one.name + EVIL) for one in info.classes.classes),
    )
    named = {"sources": [{"name": EVIL, "frames": EVIL}], "split": EVIL}
    network = replace(info.network, preset=EVIL)
    info = replace(info, classes=classes, network=network, data=named, versions={EVIL: EVIL})
    shown = Gallery(each=3)
    for frame in (*gallery.worst, *gallery.best):
        ref = replace(frame.ref, key=frame.ref.key + EVIL, town=f"T{EVIL}", weather=f"W{EVIL}")
        shown(replace(frame, ref=ref))
    text = write_report(tmp_path, evil(result), info, shown).read_text(encoding="utf-8")
    Page(text)
    assert "<script" not in text and "alert('" not in text
    for tag in ("h1", "h4", "dd", "td", "title", "text"):
        assert re.search(f"<{tag}[^>]*>[^<]*&lt;script&gt;", text), tag


def test_a_page_where_nothing_was_scored(scored, tmp_path):
    result, info, _ = scored
    count = len(result["classes"])
    nothing = result | {
        "miou": None, "pixel_accuracy": None, "boundary_iou": None, "iou": {}, "absent": result["classes"],
        "confusion": np.zeros((count, count), int).tolist(), "by_town": {}, "by_weather": {}, "frames": 1,
    }  # fmt: skip
    Page(write_report(tmp_path, nothing, info, Gallery()).read_text(encoding="utf-8"))


def test_a_folder_that_can_not_be_written(scored, tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(DataError, match="the report can't be written"):
        write_report(tmp_path / "file", *scored)
    assert (tmp_path / "file").read_text() == "mine"


def frame(key, miou):
    picture = np.zeros((4, 4, 3), np.uint8)
    return Scored(None, FrameRef(key, "", "", "", 0), picture, picture[..., 0], picture[..., 0], miou)


def test_the_gallery_keeps_both_ends_and_nothing_twice():
    gallery = Gallery(each=2)
    for key, miou in (("a", 0.5), ("b", 0.9), ("void", float("nan")), ("c", 0.1), ("d", 0.7), ("e", 0.2)):
        gallery(frame(key, miou))
    assert [f.ref.key for f in gallery.worst] == ["c", "e"]
    assert [f.ref.key for f in gallery.best] == ["b", "d"]
    small = Gallery(each=4)
    for key in "ab":
        small(frame(key, 0.5))
    assert len(small.worst) == 2 and small.best == []


def test_metrics_that_are_being_written(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 1, "kind": "train"}\n{"step": 2, "ki')
    assert read_metrics(path) == [{"step": 1, "kind": "train"}]
    path.write_text('{"step": 1\n{"step": 2}\n')
    with pytest.raises(DataError, match="line 1: not JSON"):
        read_metrics(path)


def test_ticks_are_round_numbers():
    assert ticks(0, 1) == [0, 0.25, 0.5, 0.75, 1]
    assert ticks(0, 3000) == [0, 1000, 2000, 3000]
    assert ticks(0.13, 0.87) == [0.2, 0.4, 0.6, 0.8]
    assert ticks(2, 2) == [2]


@pytest.mark.parametrize("points", [[(5, 1.0)], [(0, 0.0), (1, 0.0)], [(i, 5.0 / (1 + i)) for i in range(5000)]])
def test_charts_of_one_point_of_zeros_and_of_many(points):
    svg = chart("x", [Line("a", points), Line("none", [])])
    Page(svg)
    assert "none" not in svg and "nan" not in svg and len(svg) < 12_000
    assert chart("x", [Line("none", [])]) == ""
