"""The verb `bench` with a benchmark of the test's own: names, the table, the JSON. No test measures a time."""

import json
import os

import pytest

from benchmarks.rows import Mark, Row, hardware, take_turns
from sim_agent import bench
from sim_agent.cli import main

STUB = """
from benchmarks import rows

def measure(arguments):
    rows.say("measuring")
    return [
        rows.Row("stub", "fast", 300.0, "pictures/s", 100.0, "PNG", rows.Mark(2.5), share=0.5, ceiling="of fp32"),
        rows.Row("stub", "late", 12.0, "ms", 10.0, "engine", rows.Mark(1.1, most=True)),
        rows.Row("stub", "absent", None, "pictures/s", note="keras is not installed"),
    ], {"conv_fp32_gflops": 100.0}

rows.run("stub", measure, rows.arguments_of(__doc__))
"""


@pytest.fixture
def stub(tmp_path, monkeypatch):
    """Two benchmarks: one that gives rows, one that fails."""
    (tmp_path / "stub_bench.py").write_text(STUB)
    (tmp_path / "broken_bench.py").write_text("raise SystemExit('no simulator here')")
    monkeypatch.setattr(bench, "BENCHMARKS", {"stub": "stub_bench", "broken": "broken_bench"})
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.setenv("COLUMNS", "160")


def test_table_and_json(stub, tmp_path, capfd):
    out = tmp_path / "folder" / "bench.json"
    assert main(["bench", "stub", "--json", str(out)]) == 0
    shown, progress = capfd.readouterr()
    line = next(line for line in shown.splitlines() if "fast" in line)
    for cell in ("300 pictures/s", "100 PNG", "3 x", "50% of fp32", ">= 2.5 x", "met"):
        assert cell in line
    assert "<= 1.1 x" in next(line for line in shown.splitlines() if "late" in line and "missed" in line)
    assert shown.count("benchmark ") == 1  # one table, not one more of the benchmark's own
    assert "keras is not installed" in shown and "conv_fp32_gflops 100" in shown
    assert "bench stub (1 of 1)" in progress and "measuring" in progress

    values = json.loads(out.read_text())
    assert {"date", "hardware", "ceilings", "benchmarks"} == set(values)
    assert {"cpu", "cores", "memory_gb", "gpu", "versions"} <= set(values["hardware"])
    assert values["ceilings"] == {"stub": {"conv_fp32_gflops": 100.0}}
    fast, late, absent = values["benchmarks"]
    assert {"name", "case", "ours", "reference", "ratio", "mark", "met", "unit"} <= set(fast)
    assert (fast["ratio"], fast["mark"], fast["met"]) == (3.0, 2.5, True)
    assert (late["met"], absent["met"], absent["ours"]) == (False, None, None)


def test_one_that_fails_does_not_take_the_others_with_it(stub, tmp_path, capfd):
    out = tmp_path / "bench.json"
    assert main(["bench", "all", "--json", str(out)]) == 1
    err = capfd.readouterr().err
    assert "no simulator here" in err
    assert err.strip().splitlines()[-1] == "carla-unet bench: broken: failed; the reason stands above."
    assert len(json.loads(out.read_text())["benchmarks"]) == 3


def test_a_file_keeps_what_it_holds_of_other_benchmarks(stub, tmp_path, capfd):
    out = tmp_path / "bench.json"
    assert main(["bench", "stub", "--json", str(out)]) == 0
    before = json.loads(out.read_text())
    assert main(["bench", "broken", "stub", "--json", str(out)]) == 1
    again = json.loads(out.read_text())
    assert [row["case"] for row in again["benchmarks"]] == ["fast", "late", "absent"]
    assert main(["bench", "broken", "--json", str(out)]) == 1
    assert json.loads(out.read_text())["benchmarks"] == again["benchmarks"]
    assert all(row["date"] >= before["date"] for row in again["benchmarks"])


@pytest.mark.parametrize("text", ["my notes", "[]", '{"date": "x"}', None])
def test_a_file_of_something_else_stays_as_it_is(stub, tmp_path, capsys, text):
    out = tmp_path / "mine.json"
    if text is None:
        values = {"date": "2026-01-01 00:00", "hardware": hardware() | {"cpu": "another"}, "ceilings": {}}
        text = json.dumps(values | {"benchmarks": []})
    out.write_text(text)
    assert main(["bench", "stub", "--json", str(out)]) == 1
    err = capsys.readouterr().err
    assert f"--json {out}: " in err and "name another file" in err and err.count("\n") == 1
    assert out.read_text() == text


@pytest.mark.parametrize(
    ("name", "words"), [("recrod", "did you mean 'record'? There are train-step, "), ("zzz", "there are train-step, ")]
)
def test_unknown_name(name, words, capsys):
    assert main(["bench", name]) == 2
    err = capsys.readouterr().err
    assert words in err and err.count("\n") == 1
    assert all(known in err for known in (*bench.BENCHMARKS, "all"))


def test_not_in_a_checkout(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(bench, "ROOT", tmp_path)
    assert main(["bench", "all"]) == 1
    err = capsys.readouterr().err
    assert "not installed with the package; clone the repository" in err and err.count("\n") == 1


def test_every_name_has_its_module():
    for module in bench.BENCHMARKS.values():
        assert (bench.ROOT / f"{module.replace('.', '/')}.py").is_file()


@pytest.mark.parametrize(
    ("mark", "text", "met"),
    [
        (Mark(4.0), ">= 4 x", True),
        (Mark(1.25, most=True), "<= 1.25 x", False),
        (Mark(100_000, of="ours"), ">= 100,000 frames/s", False),
        (Mark(0.75, of="share"), ">= 75% of the ceiling", True),
    ],
)
def test_marks(mark, text, met):
    row = Row("data", "case", 80.0, "frames/s", 20.0, mark=mark, share=0.8)
    assert (row.mark.text(row.unit), row.met) == (text, met)
    assert Row.from_dict(json.loads(json.dumps(row.to_dict()))) == row


def test_turns_are_taken_and_the_first_is_not_counted():
    order = []
    figures = {"ours": iter([9.0, 1.0, 5.0, 2.0]), "reference": iter([7.0, 3.0, 3.0, 4.0])}

    def call(name):
        order.append(name)
        return next(figures[name])

    medians = take_turns({name: lambda name=name: call(name) for name in figures}, rounds=3)
    assert medians == {"ours": 2.0, "reference": 3.0}
    assert order == ["ours", "reference"] * 4
