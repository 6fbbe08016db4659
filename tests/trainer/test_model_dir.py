"""The model artifact: what goes in comes out, and whatever is not whole is refused with one sentence."""

import json
import os
import shutil
from dataclasses import replace

import pytest
import torch
from safetensors.torch import save_file

from trainer.errors import ModelError
from trainer.manifest import write_manifest
from trainer.model_dir import Preprocessing, load_info, load_model, save_model


@pytest.fixture
def model(fitted, tmp_path):
    """A copy of the fitted model that a test may damage."""
    return shutil.copytree(fitted, tmp_path / "model")


def reseal(folder):
    write_manifest(folder, leave_out=("card.md",), format=1)


def change(folder, change_values):
    path = folder / "model.json"
    values = json.loads(path.read_text())
    change_values(values)
    path.write_text(json.dumps(values))
    reseal(folder)


def test_round_trip(fitted, tmp_path):
    net, info = load_model(fitted)
    assert not net.training
    again, info_again = load_model(save_model(tmp_path / "again", net.state_dict(), info))
    assert info_again == info
    for (name, a), (name_b, b) in zip(net.state_dict().items(), again.state_dict().items(), strict=True):
        assert name == name_b and torch.equal(a, b)
    card = (tmp_path / "again" / "card.md").read_text()
    assert "street: 12 frames" in card and "mIoU 0.900" in card and "sky" in card
    assert sorted(p.name for p in (tmp_path / "again").iterdir()) == [
        "card.md",
        "manifest.json",
        "model.json",
        "model.safetensors",
    ]


def test_whoever_may_read_the_description_may_read_the_weights(fitted, tmp_path):
    net, info = load_model(fitted)
    before = os.umask(0o027)
    try:
        saved = save_model(tmp_path / "shared", net.state_dict(), info)
    finally:
        os.umask(before)
    assert {path.stat().st_mode & 0o777 for path in saved.iterdir()} == {0o640}


def test_saving_replaces_an_artifact_and_nothing_else(model, tmp_path):
    net, info = load_model(model)
    save_model(model, net.state_dict(), replace(info, training={"run": "second"}))
    assert load_info(model).training == {"run": "second"}
    assert [p.name for p in tmp_path.iterdir()] == ["model"], "nothing is left beside it"
    other = tmp_path / "holiday"
    other.mkdir()
    (other / "photo.jpg").write_bytes(b"mine")
    with pytest.raises(ModelError, match="exists and is no model artifact"):
        save_model(other, net.state_dict(), info)
    assert (other / "photo.jpg").read_bytes() == b"mine"


@pytest.mark.parametrize("name", ["model.safetensors", "model.json", "manifest.json"])
def test_a_missing_file(model, name):
    (model / name).unlink()
    with pytest.raises(ModelError, match=f"not a whole model artifact, {name} is missing"):
        load_model(model)


@pytest.mark.parametrize("name", ["model.safetensors", "model.json"])
def test_a_changed_byte(model, name):
    data = bytearray((model / name).read_bytes())
    data[len(data) // 2] ^= 1
    (model / name).write_bytes(data)
    with pytest.raises(ModelError, match=f"{name}: differs"):
        load_model(model)


def test_half_written(model):
    data = (model / "model.safetensors").read_bytes()
    (model / "model.safetensors").write_bytes(data[: len(data) // 2])
    with pytest.raises(ModelError, match="differs"):
        load_model(model)
    reseal(model)  # even one that was sealed so
    with pytest.raises(ModelError, match="does not fit the network"):
        load_model(model)


def test_another_format(model):
    change(model, lambda values: values.update(format=99))
    with pytest.raises(ModelError, match="model format 99; this version reads format 1"):
        load_model(model)


def test_a_description_that_is_none(model):
    change(model, lambda values: values.pop("network"))
    with pytest.raises(ModelError, match="not a model description"):
        load_info(model)
    change(model, lambda values: values.update(network={"preset": "x", "widhts": [2, 2]}))
    with pytest.raises(ModelError, match="widhts.*did you mean 'widths'"):
        load_info(model)


def test_weights_of_another_shape(model):
    net, _ = load_model(model)
    weights = net.state_dict()
    weights["head.weight"] = torch.zeros(3, 8, 1, 1)
    save_file(weights, model / "model.safetensors")
    reseal(model)
    with pytest.raises(ModelError, match="does not fit the network") as caught:
        load_model(model)
    assert "\n" not in str(caught.value)


def test_classes_that_do_not_fit_the_outputs(model):
    change(model, lambda values: values["class_list"]["classes"].pop())
    with pytest.raises(ModelError, match="17 outputs, the class list 16"):
        load_model(model)


def test_no_pickle_is_loaded(model):
    torch.save({"head.weight": torch.zeros(1)}, model / "model.safetensors")
    reseal(model)
    with pytest.raises(ModelError, match="does not fit the network"):
        load_model(model)


def test_the_size_that_a_picture_is_brought_to():
    keep = Preprocessing((192, 320))
    assert keep.target(360, 640) == (186, 330)
    assert Preprocessing((96, 128), fit="stretch").target(360, 640) == (96, 128)
    assert keep.target(1, 4000)[0] >= 1
