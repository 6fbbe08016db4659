"""How many workers were asked for, and whether there is room for them."""

import pytest

from trainer import request
from trainer.errors import TrainingError, UsageError
from trainer.request import TrainRequest, Workers, check_workers, parse_workers


@pytest.mark.parametrize(("text", "parsed"), [("2", (None, 2)), ("1:4", (1, 4)), ("3:3", (3, 3))])
def test_a_number_or_a_range(text, parsed):
    assert parse_workers(text) == parsed


@pytest.mark.parametrize("text", ["0", "0:2", "4:2", "-1", "two", "1:", ":3", "1:2:3", "1.5"])
def test_anything_else_is_a_usage_error_that_shows_it(text):
    with pytest.raises(UsageError, match=f"--workers '{text}'"):
        parse_workers(text)


@pytest.fixture
def asking(monkeypatch, tmp_path):
    def ask(cpus, **values):
        monkeypatch.setattr(request, "available_cpus", lambda: cpus)
        return check_workers(TrainRequest(sources=(), run="x", storage=tmp_path, config=None, **values))

    return ask


def test_without_a_number_there_are_two_or_what_there_is_room_for(asking):
    assert asking(8) == Workers(2, 2)
    assert asking(1) == Workers(1, 1)


def test_an_elastic_run_needs_room_for_its_fewest_only(asking):
    workers = asking(2, workers=4, min_workers=1)
    assert workers == Workers(1, 4) and workers.elastic and str(workers) == "1 to 4"
    assert not asking(4, workers=4, min_workers=4).elastic
    with pytest.raises(TrainingError, match=r"3 workers x 1 thread\(s\) need 3 cores, this machine has 2"):
        asking(2, workers=4, min_workers=3)
    with pytest.raises(TrainingError, match=r"2 workers x 2 thread\(s\) need 4 cores, this machine has 3"):
        asking(3, workers=2, threads=2)


def test_a_cluster_is_told_how_many(asking):
    assert asking(2, workers=64, min_workers=8, address="head:6379") == Workers(8, 64)
    with pytest.raises(UsageError, match="--address: say how many --workers"):
        asking(2, address="head:6379")
