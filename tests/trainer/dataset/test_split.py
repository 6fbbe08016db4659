from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from trainer.dataset.source import Source, open_source
from trainer.dataset.split import Split, split_sources
from trainer.errors import DataError


def towns(split: Split) -> tuple[set[str], set[str]]:
    return {ref.town for _, ref in split.train}, {ref.town for _, ref in split.val}


def episodes(split: Split) -> tuple[set[str], set[str]]:
    return {ref.episode for _, ref in split.train}, {ref.episode for _, ref in split.val}


@pytest.fixture
def many_towns(make_recording: Callable[..., Path]) -> Source:
    return open_source(make_recording({f"e{i}": (f"T{i % 5}", 4) for i in range(10)}))


def test_whole_towns_are_held_out(many_towns: Source) -> None:
    split = split_sources([many_towns], val_share=0.2)
    train, val = towns(split)
    assert not train & val and len(val) == 1 and len(split.train) + len(split.val) == 40
    assert split.rule.startswith("by town, validation on T")


def test_the_split_follows_from_its_arguments(many_towns: Source) -> None:
    assert split_sources([many_towns], seed=3) == split_sources([many_towns], seed=3)
    assert len({frozenset(towns(split_sources([many_towns], seed=seed))[1]) for seed in range(8)}) > 1


def test_whole_episodes_where_towns_are_too_large(make_recording: Callable[..., Path]) -> None:
    source = open_source(make_recording({f"e{i}": (f"T{i % 2}", 3) for i in range(8)}))
    split = split_sources([source])
    train, val = episodes(split)
    assert not train & val and split.rule.startswith("by episode")
    assert split_sources([source], by="town").rule.startswith("by town")


def test_one_episode_is_refused_with_a_way_out(make_recording: Callable[..., Path]) -> None:
    source = open_source(make_recording({"e": ("T", 5)}))
    with pytest.raises(DataError, match=r"one episode.*write a val.txt .*--val"):
        split_sources([source])
    with pytest.raises(DataError, match="two or more towns, found only T"):
        split_sources([source], by="town")
    with pytest.raises(DataError, match="has no train.txt and val.txt"):
        split_sources([source], by="list")


def test_lists_win(make_folder: Callable[..., Path]) -> None:
    root = make_folder(["a", "b", "c", "d"])
    (root / "train.txt").write_text("a\nb\n")
    (root / "val.txt").write_text("d\n")
    split = split_sources([open_source(root)])
    assert [ref.key for _, ref in split.train] == ["a", "b"] and [ref.key for _, ref in split.val] == ["d"]
    assert split.rule == "data by its list files: 2 pictures to train, 1 to validate"
    (root / "val.txt").write_text("a\n")
    with pytest.raises(DataError, match=r"'a' stands in train.txt and in val.txt"):
        split_sources([open_source(root)])
    (root / "val.txt").write_text("\n")
    with pytest.raises(DataError, match="the validation side of the split is empty"):
        split_sources([open_source(root)])


def test_listed_and_unlisted_data_together(make_folder: Callable[..., Path]) -> None:
    listed, free = make_folder(["a", "b"], name="listed"), make_folder(["x", "y"], name="free")
    (listed / "val.txt").write_text("b\n")
    split = split_sources([open_source(listed), open_source(free)])
    assert [ref.key for _, ref in split.train] == ["a", "x", "y"]


def test_other_data_to_validate_on(make_folder: Callable[..., Path]) -> None:
    a, b = open_source(make_folder(["a", "b"], name="one")), open_source(make_folder(["c"], name="two"))
    split = split_sources([a], val=[b])
    assert [ref.key for _, ref in split.val] == ["c"] and len(split.train) == 2
    with pytest.raises(DataError, match="training and as validation data"):
        split_sources([a], val=[a])


def test_wrong_arguments(many_towns: Source) -> None:
    with pytest.raises(DataError, match="no split rule 'twon'; did you mean 'town'"):
        split_sources([many_towns], by="twon")
    with pytest.raises(DataError, match="between 0 and 1, not 1.5"):
        split_sources([many_towns], val_share=1.5)
    with pytest.raises(DataError, match="pass --data"):
        split_sources([])
