"""Engines are scored before they are kept, and what is not good leaves nothing behind."""

import importlib.util
import json
import shutil
from types import SimpleNamespace

import numpy as np
import pytest

from tests.trainer.streets import draw_street
from trainer import export as export_module
from trainer.dataset.source import open_source
from trainer.errors import DataError, ModelError, UsageError
from trainer.export import compare, export_model, own_data
from trainer.model_dir import load_info
from trainer.segmenter import open_segmenter

needs_extra = pytest.mark.skipif(
    importlib.util.find_spec("openvino") is None, reason="the extra 'export' is not installed"
)
# Converters are third-party code that warns of its own and torch's deprecations while it is imported and while it runs.
quiet = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")


@pytest.fixture
def model(fitted, tmp_path):
    return shutil.copytree(fitted, tmp_path / "model")


@pytest.fixture
def fake_graph(monkeypatch):
    """Exports without a converter: the original, its masks turned to class `to` on a share of the rows."""
    state = SimpleNamespace(rows=0)

    def write(net, target, folder, original, calibration, say):
        (folder / "model.xml").write_text("graph")
        state.calibration = [ref.key for _, ref in calibration]

    def run(path, engine, info, folder, threads=None, device="cpu"):
        segmenter = open_segmenter(folder, "torch", "fp32")
        right = segmenter.segment

        def wrong(picture):
            labels = right(picture)
            labels[: state.rows] = 3
            return labels

        segmenter.segment, segmenter.engine = wrong, engine
        return segmenter

    monkeypatch.setattr(export_module, "_write_graph", write)
    monkeypatch.setattr(export_module, "run_graph", run)
    monkeypatch.setattr(export_module, "_NEEDS", {"openvino": ()})
    return state


def silent(_sentence):
    pass


def test_an_engine_that_agrees_is_kept_with_its_score(model, fake_graph):
    result = export_model(model, "openvino-int8", say=silent)
    on_disk = json.loads((model / "engines" / "openvino-int8" / "engine.json").read_text())
    assert on_disk == result
    assert result["score"]["agreement"] == 1.0 and result["score"]["miou_lost"] == 0.0
    assert result["score"]["frames"] == 4 and result["calibration"] == {"frames": 8}
    source = open_source(own_data(model, load_info(model))[0].path)
    assert set(fake_graph.calibration) == set(source.lists["train"]), "calibrated on what it was trained on"
    assert [p.name for p in (model / "engines").iterdir()] == ["openvino-int8"]


def test_an_engine_that_loses_too_much_leaves_nothing(model, fake_graph):
    fake_graph.rows = 12
    with pytest.raises(ModelError, match="it was not kept") as caught:
        export_model(model, "openvino-int8", say=silent)
    assert "\n" not in str(caught.value) and "0.02 allowed" in str(caught.value)
    assert not (model / "engines").exists()
    assert export_model(model, "openvino-int8", may_lose=1.0, say=silent)["score"]["miou_lost"] > 0.02


def test_the_older_engine_stays_until_a_better_one_is_good(model, fake_graph):
    export_model(model, "openvino", say=silent)
    before = (model / "engines" / "openvino" / "engine.json").read_bytes()
    fake_graph.rows = 12
    with pytest.raises(ModelError):
        export_model(model, "openvino", say=silent)
    assert (model / "engines" / "openvino" / "engine.json").read_bytes() == before
    fake_graph.rows = 0
    export_model(model, "openvino", score_frames=2, say=silent)
    assert json.loads((model / "engines" / "openvino" / "engine.json").read_text())["score"]["frames"] == 2
    assert [p.name for p in (model / "engines").iterdir()] == ["openvino"]


def test_an_engine_of_other_weights_is_not_run(model, fake_graph):
    export_model(model, "openvino", say=silent)
    path = model / "engines" / "openvino"
    values = json.loads((path / "engine.json").read_text())
    values["model"]["weights_sha256"] = "0" * 64
    (path / "engine.json").write_text(json.dumps(values))
    with pytest.raises(ModelError, match="differs"):
        open_segmenter(model, "openvino")
    export_module.write_manifest(path, format=1)
    with pytest.raises(ModelError, match="exported from other weights"):
        open_segmenter(model, "openvino")


def test_data_that_is_not_there(model, fake_graph):
    info = load_info(model)
    info.data["sources"][0]["path"] = str(model / "gone")
    with pytest.raises(DataError, match="not on this machine; name pictures to score with by --data"):
        own_data(model, info)
    info.data["sources"].clear()
    with pytest.raises(DataError, match="names no training data"):
        own_data(model, info)


def test_what_is_missing_is_named(model, monkeypatch):
    with pytest.raises(UsageError, match="did you mean 'openvino'"):
        export_model(model, "openvin")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"needs openvino; install it with `pip install carla-unet\[export\]`"):
        export_model(model, "openvino-int8")


def test_pictures_without_a_known_class_are_refused(fitted, street):
    segmenter = open_segmenter(fitted, "torch", "fp32")
    source = open_source(street)
    source.read_tags = lambda ref: np.full((40, 56), 21, np.uint8)  # nothing but water
    with pytest.raises(DataError, match="can't be scored"):
        compare(segmenter, segmenter, [(source, source.frames[0])])


@pytest.mark.slow
@needs_extra
@quiet
@pytest.mark.parametrize("target", ["onnx", "openvino", "openvino-bf16", "openvino-int8"])
def test_real_engines_agree_with_torch(model, target):
    said = []
    result = export_model(model, target, frames=8, say=said.append)
    assert result["score"]["agreement"] > (0.98 if target == "openvino-int8" else 0.999)
    engine = open_segmenter(model, target, threads=1)
    assert engine.engine == result["ran_as"]
    torch_engine = open_segmenter(model, "torch", "fp32")
    for size in ((40, 56), (83, 61)):  # the second is padded
        picture, _ = draw_street(50, size)
        assert (engine.segment(picture) == torch_engine.segment(picture)).mean() > 0.97
    assert said[0] == f"tracing tiny for {target}"
