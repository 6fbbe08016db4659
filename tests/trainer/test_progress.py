"""The tail of metrics.jsonl: every line that comes, also when the file is rewound under it."""

import json
import os

from hypothesis import given
from hypothesis import strategies as st

from trainer.progress import MetricsTail


def write(path, lines, rest=""):
    """As the workers rewind it: another file in its place."""
    temporary = path.with_suffix(".tmp")
    temporary.write_text("".join(json.dumps(line) + "\n" for line in lines) + rest)
    os.replace(temporary, path)


def lines_of(steps, said):
    return [{"step": step, "loss": f"{said}{'!' * (step % 5)}"} for step in range(steps)]


def test_lines_come_once_and_whole(tmp_path):
    path = tmp_path / "metrics.jsonl"
    tail = MetricsTail(path)
    assert list(tail.new_lines()) == []
    write(path, lines_of(3, "a"), rest='{"step": 3, "lo')
    assert list(tail.new_lines()) == lines_of(3, "a")
    assert list(tail.new_lines()) == []
    write(path, lines_of(5, "a"))
    assert list(tail.new_lines()) == lines_of(5, "a")[3:]


@given(seen=st.integers(0, 8), kept=st.integers(0, 8), then=st.integers(0, 12))
def test_a_file_that_was_rewound_and_has_grown_beyond_is_read_from_its_beginning(tmp_path_factory, seen, kept, then):
    """Workers that are started again rewind it and write on within the half second between two looks."""
    path = tmp_path_factory.mktemp("tail") / "metrics.jsonl"
    tail = MetricsTail(path)
    before = lines_of(seen, "first")
    write(path, before)
    assert list(tail.new_lines()) == before
    after = before[:kept] + lines_of(kept + then, "second time")[kept:]
    write(path, after)
    got = list(tail.new_lines())
    assert got == (after[seen:] if after[:seen] == before else after)
    assert list(tail.new_lines()) == []
