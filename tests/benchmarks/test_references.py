"""References in environments of their own: found when whole, one clear line when not, and children that take turns."""

import re
import subprocess
import sys

import pytest

from benchmarks import references
from benchmarks.child import Child
from benchmarks.references import __main__ as command

STEP = """
import itertools
from benchmarks.child import answer
clock = itertools.count(step=6.0)

def call():
    print("a library says something")
    return 3

answer(call, cpu_clock=clock.__next__, parameters=7)
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv(references.VARIABLE, str(tmp_path))
    return tmp_path


def test_found_only_when_it_is_whole_and_as_pinned_now(folder):
    assert references.find("keras") is None
    place = folder / "keras"
    place.mkdir()
    (place / references.PINS).touch()
    assert references.find("keras") is None
    (place / references.PINS).write_text(references.requirements("keras").read_text())
    assert references.find("keras") == str(references.python_of(place))
    (place / references.PINS).write_text("keras==2.0\n")
    assert references.find("keras") is None


def test_one_that_is_absent_is_one_line_with_the_command(folder):
    line = references.absent("keras")
    assert str(folder) in line and "`python -m benchmarks.references --only keras`" in line and "\n" not in line


@pytest.mark.parametrize("name", references.NAMES)
def test_every_pin_is_exact(name):
    lines = [line for line in references.requirements(name).read_text().splitlines() if not line.startswith("#")]
    assert lines
    for line in lines:
        assert re.fullmatch(r"[A-Za-z0-9_.-]+==[0-9][0-9A-Za-z.]*( ; python_version (>=|<) \"3\.11\")?", line), line


def test_a_folder_of_somebody_else_is_left_alone(folder):
    kept = folder / "keras" / "work.txt"
    kept.parent.mkdir()
    kept.write_text("mine")
    with pytest.raises(SystemExit, match="was not made by this command; name another folder"):
        command.make("keras")
    assert kept.read_text() == "mine"


def test_one_whose_installation_fails_does_not_count(folder, monkeypatch):
    def create(self, place):
        place.mkdir(exist_ok=True)

    monkeypatch.setattr(command.venv.EnvBuilder, "create", create)
    monkeypatch.setattr(command.subprocess, "run", lambda *_, **__: subprocess.CompletedProcess([], 1))
    for _ in range(2):  # and the second time it is made anew, not refused
        with pytest.raises(SystemExit, match="keras: pip could not install"):
            command.make("keras")
        assert references.find("keras") is None


def test_a_child_answers_each_turn_whatever_its_libraries_print(capfd):
    with Child("stub", [sys.executable, "-c", STEP]) as child:
        assert [child.cpu_s(), child.cpu_s()] == [2.0, 2.0]
        assert child.told[1]["parameters"] == 7
        assert child.wall_s() == child.told[1]["wall_s"] / 3
    assert "a library says something" in capfd.readouterr().err


def test_a_child_that_ended_is_one_line(capfd):
    with Child("stub", [sys.executable, "-c", "raise SystemExit('no such module')"]) as child:
        with pytest.raises(SystemExit, match="stub ended without an answer; the reason stands above"):
            child.cpu_s()
    assert "no such module" in capfd.readouterr().err
