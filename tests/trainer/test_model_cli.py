"""The verbs that take a model, as they are called."""

import json

import numpy as np
import pytest
from PIL import Image

from tests.trainer.streets import draw_street
from trainer.cli import main
from trainer.segmenter import open_segmenter


def test_model_show_paper(capsys, tmp_path):
    path = tmp_path / "made" / "paper.json"
    assert main(["model", "show", "paper", "--json", str(path)]) == 0
    said = capsys.readouterr().out
    assert "572x572 in, 388x388 out" in said
    assert "23 convolutional layers: 18 of 3x3, 4 transposed, 1 of 1x1" in said
    values = json.loads(path.read_text())
    assert values["preset"] == "paper" and values["parameters"] == 31_032_785
    assert values["convolutions"] == {"total": 23, "conv3x3": 18, "transposed": 4, "conv1x1": 1}
    assert values["layers"][-1] == {"name": "head", "kind": "conv1x1", "out_shape": [17, 388, 388], "parameters": 1105}


def test_model_show_coursera_is_the_courses(capsys):
    assert main(["model", "show", "coursera"]) == 0
    said = capsys.readouterr().out
    assert "96x128 in, 96x128 out, 23 classes, 8,640,471 parameters" in said


def test_model_show_a_folder(fitted, capsys, tmp_path):
    drawing = tmp_path / "tiny.svg"
    assert main(["model", "show", str(fitted), "--drawing", str(drawing)]) == 0
    assert "tiny: 40x56 in, 20x28 out (enlarged by 2 at the end), 17 classes" in capsys.readouterr().out
    assert drawing.read_text().startswith("<svg")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["show", "papr"], 1, "did you mean 'paper'"),
        (["show", "paper", "--size", "572"], 2, "is not HxW in pixels"),
        (["show", "paper", "--size", "60x60"], 2, "is too small for paper"),
        (["shwo", "paper"], 2, "the one there is: model show"),
    ],
)
def test_model_show_says_what_is_wrong(capsys, arguments, code, said):
    assert main(["model", *arguments]) == code
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1


def test_classes_are_a_models_own(fitted, capsys):
    assert main(["model", "show", str(fitted), "--classes", "3"]) == 2
    assert "is a model and has its own" in capsys.readouterr().err


def test_evaluate(fitted, street, tmp_path, capsys):
    out = tmp_path / "result.json"
    report = tmp_path / "report"
    arguments = ["evaluate", "--model", str(fitted), "--data", str(street), "--json", str(out), "--report", str(report)]
    assert main(arguments) == 0
    said = capsys.readouterr().out
    result = json.loads(out.read_text())
    assert f"mIoU {result['miou']:.3f}" in said and "street: 4 of 12 frames (val)" in said
    assert f"written: {out}" in said and f"written: {report / 'report.html'}" in said
    assert result["frames"] == 4 and result["data"]["split"] == "val"
    assert "note:" not in said, "val.txt was kept apart"
    assert main([*arguments[:5], "--split", "all", "--limit", "5"]) == 0
    said = capsys.readouterr().out
    assert "5 frames" in said and "note: the model was fitted on pictures of street" in said


@pytest.mark.parametrize(
    ("changed", "code", "said"),
    [
        ({"--model": "nowhere"}, 1, "there is no such model artifact folder"),
        ({"--data": "nowhere"}, 1, "nowhere"),
        ({"--engine": "tensorrt"}, 2, "there is no engine 'tensorrt'"),
        ({"--limit": "0"}, 2, "--limit 0: must be 1 or more"),
    ],
)
def test_evaluate_says_what_is_wrong(fitted, street, capsys, changed, code, said):
    flags = {"--model": str(fitted), "--data": str(street)} | changed
    assert main(["evaluate", *(word for pair in flags.items() for word in pair)]) == code
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1


def test_wrong_flags_are_exit_code_2(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["evaluate", "--modle", "x"])
    assert ended.value.code == 2
    assert main(["evaluate", "--model", "x", "--data"]) == 2


def test_predict(fitted, tmp_path, capsys):
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    rgb, _ = draw_street(7, (61, 93))
    Image.fromarray(rgb).save(pictures / "one.png")
    Image.fromarray(rgb[..., 0]).save(pictures / "grey.jpg")
    out = tmp_path / "out"
    assert main(["predict", str(pictures), "--model", str(fitted), "--out", str(out)]) == 0
    assert sorted(p.name for p in out.iterdir()) == [
        "grey.mask.png", "grey.overlay.jpg", "one.mask.png", "one.overlay.jpg",
    ]  # fmt: skip
    with Image.open(out / "one.mask.png") as mask, Image.open(out / "one.overlay.jpg") as overlay:
        assert mask.mode == "L" and overlay.size == (93, 61)
        np.testing.assert_array_equal(np.asarray(mask), open_segmenter(fitted).segment(rgb))

    before = (out / "one.mask.png").read_bytes()
    capsys.readouterr()
    assert main(["predict", str(pictures / "one.png"), "--model", str(fitted), "--out", str(out)]) == 2
    assert "one.mask.png: is already there" in capsys.readouterr().err
    assert (out / "one.mask.png").read_bytes() == before
    again = ["predict", str(pictures / "one.png"), "--model", str(fitted), "--out", str(out), "--overwrite"]
    assert main(again) == 0


def test_predict_into_the_folder_of_the_pictures_leaves_its_own_masks_alone(fitted, tmp_path):
    rgb, _ = draw_street(7)
    Image.fromarray(rgb).save(tmp_path / "one.png")
    arguments = ["predict", str(tmp_path), "--model", str(fitted), "--out", str(tmp_path)]
    assert main(arguments) == 0
    assert main([*arguments, "--overwrite"]) == 0
    assert sorted(p.name for p in tmp_path.iterdir()) == ["one.mask.png", "one.overlay.jpg", "one.png"]


def test_predict_says_what_is_wrong(fitted, tmp_path, capsys):
    tail = ["--model", str(fitted), "--out", str(tmp_path / "out")]

    def fails(code, said, *pictures):
        assert main(["predict", *map(str, pictures), *tail]) == code
        error = capsys.readouterr().err
        assert said in error and error.count("\n") == 1

    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nrest")
    (tmp_path / "text.png").write_text("hello")
    (tmp_path / "empty").mkdir()
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        Image.fromarray(draw_street(1)[0]).save(tmp_path / name / "same.png")
    fails(1, "broken.png: the picture is truncated or damaged", tmp_path / "broken.png")
    fails(1, "text.png: the picture is neither PNG nor JPEG", tmp_path / "text.png")
    fails(1, "holds no PNG or JPEG pictures", tmp_path / "empty")
    fails(1, "there is no such picture or folder", tmp_path / "nowhere.png")
    fails(1, "would both become same.mask.png", tmp_path / "a", tmp_path / "b")
    fails(2, "no pictures were named")


def test_export_needs_its_data(fitted, tmp_path, capsys):
    arguments = ["export", "--model", str(fitted), "--to", "openvino", "--data", str(tmp_path)]
    assert main(arguments) == 1
    assert capsys.readouterr().err.startswith(f"carla-unet export: {tmp_path}")
    assert not (fitted / "engines").exists()
