"""README's table: what it says of a result, and that nothing outside of the markers changes."""

import json
import sys

import pytest

from benchmarks import table
from benchmarks.rows import Mark, Row, result
from benchmarks.table import BEGIN, END

HARDWARE = {
    "cpu": "Some CPU",
    "cores": 2,
    "bf16_in_cpu": False,
    "memory_gb": 24.7,
    "gpu": None,
    "load": 0.1,
    "python": "3.11.7",
    "versions": {"torch": "2.13.0"},
}
ROWS = [
    Row("data", "packed | cache", 172000.0, "pictures/s", 109.0, "PNG", Mark(50), share=1.5, ceiling="memory copy"),
    Row("live", "age", 15.1, "ms", 10.0, "engine", Mark(1.25, most=True)),
    Row("train-step", "Keras", None, "pictures/CPU s", note="keras is not here", mark=Mark(1.9)),
]


@pytest.fixture
def values():
    return result(ROWS, {}, HARDWARE) | {"date": "2026-11-21 17:00"}


@pytest.fixture
def file(tmp_path, values):
    path = tmp_path / "bench.json"
    path.write_text(json.dumps(values))
    return path


def run(monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["table", *map(str, arguments)])
    table.main()


def test_the_table_says_what_was_measured_where_and_when(values):
    lines = table.table(values).splitlines()
    assert lines[0] == (
        "2026-11-21: Some CPU, 2 cores (no bf16), 24.7 GB, GPU: none; load 0.1 at the start; Python 3.11.7, "
        "torch 2.13.0."
    )
    fast = r"| data: packed \| cache | 172,000 pictures/s | 109 PNG | 1,578 x | 150% memory copy | >= 50 x | met |"
    assert lines[4] == fast
    assert lines[5] == "| live: age | 15.1 ms | 10 engine | 1.51 x |  | <= 1.25 x | missed |"
    assert lines[6] == "| train-step: Keras | not measured |  |  |  | >= 1.9 x |  |"
    assert lines[-1] == "- train-step, Keras: keras is not here"


def test_rows_of_several_days_say_so():
    values = result(ROWS, {}, HARDWARE)
    for row, date in zip(values["benchmarks"], ("2026-11-19 10:00", "2026-11-21 17:00"), strict=False):
        row["date"] = date
    assert table.table(values | {"date": "2026-11-21 17:00"}).startswith("2026-11-19 to 2026-11-21: Some CPU")


def test_only_what_stands_between_the_markers_changes(tmp_path, file, monkeypatch):
    readme = tmp_path / "README.md"
    readme.write_text(f"# Ours\n\n{BEGIN}\nold table\n{END}\n\nMIT licence.\n")
    run(monkeypatch, file, "--readme", readme)
    once = readme.read_text()
    assert once.startswith(f"# Ours\n\n{BEGIN}\n\n2026-11-21: ")
    assert once.endswith(f"\n\n{END}\n\nMIT licence.\n") and "old table" not in once
    run(monkeypatch, file, "--readme", readme)
    assert readme.read_text() == once
    assert sorted(path.name for path in tmp_path.iterdir()) == ["README.md", "bench.json"]


@pytest.mark.parametrize("text", ["# Ours\n", f"{BEGIN}\n", f"{END}\n{BEGIN}\n", f"{BEGIN}\n{END}\n{BEGIN}\n{END}\n"])
def test_a_file_without_its_place_stays_as_it_is(text, tmp_path, file, monkeypatch):
    readme = tmp_path / "README.md"
    readme.write_text(text)
    with pytest.raises(SystemExit, match="the table's place is not marked; put one line <!-- bench") as caught:
        run(monkeypatch, file, "--readme", readme)
    assert "\n" not in str(caught.value) and readme.read_text() == text


@pytest.mark.parametrize("text", ["", "{}", "[]", "null"])
def test_a_file_that_is_no_result_is_one_line(text, tmp_path, monkeypatch):
    file = tmp_path / "bench.json"
    file.write_text(text)
    with pytest.raises(SystemExit, match="bench.json: is not what `bench --json` writes") as caught:
        run(monkeypatch, file)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_is_one_line(tmp_path, monkeypatch):
    with pytest.raises(SystemExit, match="none.json: is not what `bench --json` writes"):
        run(monkeypatch, tmp_path / "none.json")
