"""The README's journey on the command line: draw, check, train, evaluate, predict; and from an installed wheel."""

import json
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from PIL import Image

from tests.processes import ROOT

pytestmark = pytest.mark.slow


def test_from_drawing_to_masks(command_line):
    folder = command_line.folder

    def good(*arguments):
        done = command_line.run(*arguments)
        assert done.returncode == 0, (arguments, done.stdout, done.stderr)
        return done.stdout

    good("data", "sample", "sample", "--count", 48, "--width", 192, "--height", 108)
    good("data", "check", "sample")
    out = good("train", "--data", "sample", "--run", "first", "--size", "xs", "--set", "steps=60")
    assert "fresh run" in out and "finished: 60 steps" in out
    summary = json.loads((folder / "runs/first/summary.json").read_text())
    assert summary["state"] == "finished"

    good("evaluate", "--model", "runs/first/model", "--data", "sample", "--json", "score.json", "--report", "report")
    score = json.loads((folder / "score.json").read_text())
    promised = "miou pixel_accuracy iou absent boundary_iou confusion classes frames by_town by_weather model data"
    assert set(score) >= set(promised.split())
    # Sixty steps on drawn streets find at least the sky and the road.
    assert score["iou"]["sky"] > 0.3 and score["pixel_accuracy"] > 0.3
    page = next((folder / "report").glob("*.html")).read_text()
    assert "http://" not in page.replace("http://www.w3.org", "") and "https://" not in page

    Image.fromarray(np.zeros((50, 70, 3), np.uint8)).save(folder / "odd.png")
    good("predict", "--model", "runs/first/model", "odd.png", "--out", "masks")
    with Image.open(folder / "masks/odd.mask.png") as mask:
        assert mask.size == (70, 50) and mask.mode == "L"
    assert "runs/first/model" in good(
        "train", "--data", "sample", "--run", "first", "--size", "xs", "--set", "steps=60"
    )


def test_a_wheel_works_from_any_folder(tmp_path):
    """Configurations, label tables and the report's style travel with the wheel."""
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", tmp_path / "wheels", ROOT], check=True
    )
    (wheel,) = (tmp_path / "wheels").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        archive.extractall(tmp_path / "site")
    assert not any(n.startswith(("launch", "configs/", "tests/")) for n in names)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    code = (
        "import sys; sys.path.insert(0, sys.argv.pop(1)); import trainer; "
        "from trainer.cli import main; print(trainer.__file__); sys.exit(main(['model', 'show', 'paper']))"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", code, tmp_path / "site"], cwd=elsewhere, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert str(tmp_path / "site") in done.stdout and "388" in done.stdout
