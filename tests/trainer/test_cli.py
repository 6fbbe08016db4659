"""Bad input from the command line: one clear sentence on stderr, exit code 1 or 2, nothing changed."""

import contextlib
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from tests.processes import ROOT
from trainer.cli import VERBS, main


@pytest.fixture
def folder(tmp_path):
    """A folder of pictures that is right: four pairs, grey labels of carla-0.9.14, a split."""
    data = tmp_path / "data"
    (data / "CameraRGB").mkdir(parents=True)
    (data / "CameraSeg").mkdir()
    rng = np.random.default_rng(0)
    for i in range(4):
        Image.fromarray(rng.integers(0, 255, (32, 48, 3), dtype=np.uint8)).save(data / "CameraRGB" / f"{i}.png")
        Image.fromarray(rng.integers(0, 29, (32, 48), dtype=np.uint8)).save(data / "CameraSeg" / f"{i}.png")
    (data / "labels.yaml").write_text("table: carla-0.9.14\nencoding: grey\n")
    (data / "train.txt").write_text("0\n1\n2\n")
    (data / "val.txt").write_text("3\n")
    return data


def fails(capsys, *arguments):
    code = main([str(a) for a in arguments])
    err = capsys.readouterr().err.strip()
    assert err.count("\n") == 0, err
    assert "Traceback" not in err
    return code, err


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["trian"], 2, "did you mean 'train'?"),
        (["train", "--data", "nowhere", "--run", "x"], 1, "nowhere"),
        (["train", "--data", "DATA", "--run", "a/b"], 2, "must be a plain name"),
        (["train", "--data", "DATA", "--run", "x", "--workers", "0"], 2, "1 or more"),
        (["train", "--data", "DATA", "--run", "x", "--workers", "4:2"], 2, "MIN at most MAX"),
        (["train", "--data", "DATA", "--run", "x", "--wait", "0"], 2, "above 0 s"),
        (["train", "--data", "DATA", "--run", "x", "--dry-run", "--address", "auto"], 2, "without --address"),
        (["train", "--data", "DATA", "--run", "x", "--config", "corsera"], 1, "did you mean 'coursera'?"),
        (["train", "--data", "DATA", "--run", "x", "--set", "stesp=3"], 1, "did you mean 'steps'?"),
        (["train", "--data", "DATA", "--run", "x", "--set", "steps"], 2, "expected KEY=VALUE"),
        (["train", "--data", "DATA", "--run", "x", "--set", "steps=0"], 1, "steps: 0 must be above 0"),
        (["train", "--data", "DATA", "--run", "x", "--set", "steps=often"], 1, "expected a value of type int"),
        (["train", "--data", "DATA", "--run", "x", "--set", "augment.flipp=1"], 1, "did you mean 'flip'?"),
        (["train", "--data", "DATA", "--run", "x", "--classes", "street18"], 1, "did you mean 'street17'?"),
        (["train", "--data", "DATA", "--run", "x", "--network", "lively"], 1, "did you mean 'live'?"),
        (["train", "--data", "DATA", "--run", "x", "--table", "carla-0.9.11"], 1, "did you mean 'carla-0.9.1"),
        (["train", "--data", "DATA", "--run", "x", "--workers", "999"], 1, "999 workers"),
        (["train", "--data", "DATA", "--run", "x", "--storage", "s3://"], 2, "expected s3://BUCKET/FOLDER"),
        (["train", "--data", "DATA", "--run", "x", "--cache-gb", "0"], 2, "--cache-gb: must be above 0"),
        (["train", "--data", "DATA", "--run", "x", "--accumulate", "0"], 1, "accumulate: 0 must be above 0"),
    ],
)  # fmt: skip
def test_arguments_that_do_not_fit(arguments, code, words, folder, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    got, err = fails(capsys, *[str(folder) if a == "DATA" else a for a in arguments])
    assert (got, words in err) == (code, True), err


def break_half(data):
    (data / "CameraSeg" / "2.png").unlink()
    return "2"


def break_size(data):
    Image.fromarray(np.zeros((30, 48), np.uint8)).save(data / "CameraSeg" / "2.png")
    return "CameraSeg/2.png"


def break_id(data):
    Image.fromarray(np.full((32, 48), 77, np.uint8)).save(data / "CameraSeg" / "2.png")
    return "77 (1536 pixels)"


def break_depth(data):
    Image.fromarray(np.zeros((32, 48), np.uint16)).save(data / "CameraSeg" / "2.png")
    return "16"


def break_png(data):
    path = data / "CameraRGB" / "2.png"
    path.write_bytes(path.read_bytes()[:100])
    return "CameraRGB/2.png"


def break_split(data):
    (data / "train.txt").write_text("")
    return "train"


def break_list(data):
    (data / "val.txt").write_text("nobody\n")
    return "nobody"


def break_classes(data):
    (data / "own.yaml").write_text("name: own\nclasses: [{name: dragon, colour: [1, 2, 3], tags: [Dragon]}]\n")
    return "maps none of the tags"


@pytest.mark.parametrize(
    "damage",
    [break_half, break_size, break_id, break_depth, break_png, break_split, break_list, break_classes],
    ids=lambda f: f.__name__,
)
def test_data_that_does_not_fit(damage, folder, capsys, tmp_path, monkeypatch, shared_ray):
    monkeypatch.chdir(tmp_path)
    words = damage(folder)
    before = {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    classes = ["--classes", folder / "own.yaml"] if damage is break_classes else []
    code, err = fails(capsys, "train", "--data", folder, "--run", "x", *classes)
    assert code == 1 and words in err, err
    assert {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()} == before


def test_models_that_are_half_there(tmp_path, capsys, folder):
    model = tmp_path / "model"
    code, err = fails(capsys, "evaluate", "--model", model, "--data", folder)
    assert code == 1 and str(model) in err
    model.mkdir()
    code, err = fails(capsys, "evaluate", "--model", model, "--data", folder)
    assert code == 1 and "not a whole model artifact" in err


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help(verb, capsys):
    try:
        code = main([verb, "--help"])
    except SystemExit as ended:
        code = ended.code
    assert code == 0
    assert "carla-unet" in capsys.readouterr().out


def test_usage_names_every_verb(capsys):
    assert main([]) == 2
    shown = capsys.readouterr().out
    assert all(verb in shown for verb in VERBS)
    assert main(["--help"]) == 0


def test_the_command_line_starts_fast():
    """`--help` of the program must not import torch or Ray."""
    code = (
        "import sys; sys.argv = ['x', '--help']; import launch; launch.main(); "
        "print(sorted({'torch', 'ray', 'numpy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith("[]")


def test_nothing_of_the_user_is_removed_when_a_run_fails(folder, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    kept = tmp_path / "runs" / "x"
    kept.mkdir(parents=True)
    (kept / "notes of mine.txt").write_text("keep")
    shutil.rmtree(folder / "CameraSeg")
    code, _ = fails(capsys, "train", "--data", folder, "--run", "x")
    assert code == 1 and (kept / "notes of mine.txt").read_text() == "keep"


@pytest.mark.parametrize("lines", [1, 100_000], ids=["a line", "more than a pipe holds"])
def test_who_has_read_enough_gets_no_traceback(lines):
    """`data stats DIR | head`: the reader goes while there is more to print, or before the buffer was written out."""
    told = "import sys\n" + SPEAKER.format(lines=lines)
    with subprocess.Popen([sys.executable, "-c", told], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as it:
        it.stdout.close()
        said = it.stderr.read().decode()
        assert it.wait(60) == 141
    assert said == ""


def test_a_connection_that_breaks_is_no_reader_that_is_gone(monkeypatch):
    def fail(_):
        raise BrokenPipeError("a socket of ours")

    monkeypatch.setattr("trainer.dataset.cli.data", fail)
    with open(os.devnull, "w") as out, contextlib.redirect_stdout(out), pytest.raises(BrokenPipeError):
        main(["data", "check", "x"])


SPEAKER = """
import trainer.dataset.cli
from trainer.cli import main

def data(_):
    for k in range({lines}):
        print("a line of statistics", k)
    return 0

trainer.dataset.cli.data = data
sys.exit(main(["data", "stats", "x"]))
"""
