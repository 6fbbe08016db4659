"""The demo: its plan, its page, and the whole of it in small."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from sim_agent.cli import VERBS as SIMULATOR_VERBS
from sim_agent.demo import FULL, QUICK, UNSEEN, plan
from sim_agent.demo_page import write_page
from trainer.cli import VERBS

DEMO_S = 1500.0


@pytest.mark.parametrize("scale", [FULL, QUICK])
def test_each_stage_is_a_verb_and_leaves_what_the_next_ones_take(tmp_path, scale):
    stages = plan(tmp_path, scale, 1.0)
    assert [stage.command[0] for stage in stages] == ["record", "record", "train", "evaluate", "drive"]
    assert {stage.command[0] for stage in stages} <= {*VERBS, *SIMULATOR_VERBS}
    recorded, unseen = (stages[k].command[stages[k].command.index("--out") + 1] for k in (0, 1))
    assert recorded in stages[2].command and unseen not in stages[2].command
    assert unseen in stages[3].command
    assert UNSEEN not in stages[0].command and UNSEEN in stages[1].command


def test_the_forecast_follows_the_machine(tmp_path):
    normal, slow = (sum(s.seconds for s in plan(tmp_path, FULL, slowness)) for slowness in (1.0, 2.0))
    assert slow == pytest.approx(2.0 * normal)
    assert normal <= 12 * 60
    assert sum(stage.seconds for stage in plan(tmp_path, QUICK, 1.0)) <= 180


def test_the_page_shows_what_came_out_and_escapes_it(tmp_path):
    spread = {"p50": 41.25, "p95": 60.0, "p99": 80.0}
    files = {
        "score": {"miou": 0.4567, "pixel_accuracy": 0.9, "iou": {"road": 0.95, "<b>pole</b>": 0.125}},
        "drive": {
            "masks_per_s": 17.5,
            "mask_age_ms": spread,
            "engine_ms": spread,
            "steer_ms": spread,
            "engine": "torch",
        },
    }
    for name, content in files.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
    metrics = tmp_path / "metrics.jsonl"
    metrics.write_text('{"kind": "train", "step": 1, "loss": 2.5}\n{"kind": "train", "step": 2, "loss": 1.5}\n')
    page = write_page(tmp_path, ["python launch.py record"], tmp_path / "drive.webm", metrics, 1234).read_text()
    for figure in ("0.457", "1,234", "17.5", "41 ms", "0.125", "drive.webm", "report/report.html"):
        assert figure in page
    assert "<b>pole</b>" not in page
    assert page.index("road") < page.index("&lt;b&gt;pole")


@pytest.mark.slow
def test_the_quick_demo_from_the_command_line(tmp_path):
    """Record, train, evaluate, drive, for real; a second time nothing is done again."""
    command = [sys.executable, "-m", "sim_agent", "demo", "--quick", "--out", str(tmp_path / "demo")]
    root = Path(__file__).resolve().parents[2]
    first = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=DEMO_S)
    assert first.returncode == 0, first.stdout[-3000:] + first.stderr[-3000:]
    assert re.search(r"mIoU 0\.\d+ in Town02", first.stdout)
    for name in ("index.html", "report/report.html", "drive.json", "runs/demo/model/model.safetensors"):
        assert (tmp_path / "demo" / name).stat().st_size > 0
    assert next((tmp_path / "demo").glob("drive.*m")).stat().st_size > 10_000
    again = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=DEMO_S)
    assert again.returncode == 0 and again.stdout.count("there already") == 5
