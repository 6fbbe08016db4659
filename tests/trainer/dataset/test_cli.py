from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from trainer.dataset.cli import ProgressLine, data
from trainer.errors import DataError, UsageError


def test_sample_check_stats_export_repair(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sample, result = str(tmp_path / "sample"), tmp_path / "result.json"
    assert data(["sample", sample, "--count", "4", "--width", "64", "--height", "36", "--json", str(result)]) == 0
    assert json.loads(result.read_text())["frames"] == 4 and "train --data" in capsys.readouterr().out
    assert data(["check", sample, "--json", str(result)]) == 0
    assert json.loads(result.read_text())["problems"] == 0 and "no problems" in capsys.readouterr().out
    assert data(["stats", sample, "--json", str(result)]) == 0
    assert json.loads(result.read_text())["by_town"] == {"Drawn01": 4}
    assert "never seen" in capsys.readouterr().out
    assert data(["export", sample, "--out", str(tmp_path / "folders")]) == 0
    assert data(["check", str(tmp_path / "folders")]) == 0
    assert data(["repair", sample, "--json", str(result)]) == 0
    assert json.loads(result.read_text())["mended"] == []


def test_a_problem_gives_exit_code_1(make_folder: Callable[..., Path], capsys: pytest.CaptureFixture[str]) -> None:
    root = make_folder(["1_T01_CN_A", "2_T01_CN_A"])
    (root / "CameraSeg" / "1_T01_CN_A.png").write_bytes(b"")
    assert data(["check", str(root)]) == 1
    out = capsys.readouterr().out
    assert "1_T01_CN_A.png: the label is empty" in out and "worst episodes:\n  T01_CN_A: 1 findings" in out


def test_repair_says_what_it_did(make_recording: Callable[..., Path], capsys: pytest.CaptureFixture[str]) -> None:
    path = make_recording({"a": ("T", 2)})
    shard = path / "episodes/a/shard-00000.tar"
    shard.write_bytes(shard.read_bytes()[:-1200])
    assert data(["check", str(path)]) == 1
    assert data(["repair", str(path)]) == 0
    assert "moved to shard-00000.tar.torn-0" in capsys.readouterr().out
    assert data(["check", str(path)]) == 0


def test_wrong_arguments(tmp_path: Path, make_folder: Callable[..., Path]) -> None:
    for arguments in ([], ["chek"], ["check"], ["check", "x", "--colour", "red"], ["export", "x", "--to", "voc"]):
        with pytest.raises(SystemExit) as left:
            data(arguments)
        assert left.value.code == 2
    with pytest.raises(UsageError, match="--out DIR"):
        data(["export", str(make_folder(["a"]))])
    with pytest.raises(UsageError, match="--leak-gap"):
        data(["check", str(tmp_path), "--leak-gap", "-1"])
    for verb in ("check", "stats", "repair"):
        with pytest.raises(DataError, match="no such folder"):
            data([verb, str(tmp_path / "nothing")])


@pytest.mark.parametrize("verb", ["check", "stats", "repair", "export", "sample"])
def test_every_verb_has_help(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        data([verb, "--help"])
    assert left.value.code == 0 and "--json" in capsys.readouterr().out


def test_progress_comes_in_plain_lines_where_there_is_no_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr("trainer.dataset.cli.time.monotonic", lambda: now[0])
    with ProgressLine("drawing") as progress:
        for second in range(1, 6):
            now[0] = float(second)
            progress(second, 10)
    assert capsys.readouterr().err.splitlines() == ["drawing: 2 of 10, 8 s left", "drawing: 4 of 10, 6 s left"]
