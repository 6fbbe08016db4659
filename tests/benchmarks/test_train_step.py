"""Rows of `train-step`: with the references there, and without. No test measures a time."""

import pytest

from benchmarks import references, train_step
from benchmarks.train_step import CASES, case_rows

SEEN = {"share": 0.6, "ceiling": "fp32"}


def test_ours_is_marked_against_keras_and_not_against_the_plain_loop():
    took_s = {"ours": 0.1, "plain": 0.2, "keras": 0.16}
    plain, keras = case_rows(CASES[0], took_s, took_s, SEEN)
    assert (plain.ratio, plain.met) == (pytest.approx(2.0), None)
    assert (keras.ratio, keras.mark.value, keras.met) == (pytest.approx(1.6), 1.9, False)
    assert "keras 160.0 ms a picture" in keras.note


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.network)
def test_a_reference_that_is_absent_is_a_row_that_says_so(case):
    ours, absent = case_rows(case, {"ours": 0.1, "plain": 0.2}, {"ours": 0.1, "plain": 0.2}, SEEN)
    assert ours.ours == pytest.approx(10.0)
    assert absent.ours is None and absent.met is None
    assert absent.note == references.absent(case.reference)


def test_children_are_ours_alone_where_nothing_is_installed(tmp_path, monkeypatch):
    monkeypatch.setenv(references.VARIABLE, str(tmp_path))
    started = []
    monkeypatch.setattr(train_step, "Child", lambda name, command, env=None: started.append((name, command)))
    assert list(train_step.children(0)) == ["ours", "plain"]
    environment = tmp_path / "keras"
    environment.mkdir()
    (environment / references.PINS).write_text(references.requirements("keras").read_text())
    assert list(train_step.children(0)) == ["ours", "plain", "keras"]
    name, command = started[-1]
    assert name == "Keras" and command[1:] == ["-m", "benchmarks.references.keras_unet", "32", "96", "128", "23"]
