"""Towns that are kept: the same town comes back from the file, it is built once, and only so many files stay."""

import dataclasses

import numpy as np
import pytest

from sim_agent.embedded.town import kept


def same(one, other):
    """Whether two towns, or parts of them, are of the same kinds and values throughout."""
    if isinstance(one, float):
        # A town that was just built has numbers of NumPy in places.
        return isinstance(other, float) and one == other
    if type(one) is not type(other):
        return False
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and one.tobytes() == other.tobytes() and one.shape == other.shape
    if dataclasses.is_dataclass(one):
        return all(same(getattr(one, f.name), getattr(other, f.name)) for f in dataclasses.fields(one))
    if isinstance(one, tuple):
        return len(one) == len(other) and all(same(*pair) for pair in zip(one, other, strict=True))
    return one == other


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setattr(kept, "cache_folder", lambda name: tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", ["Town02", "Town10HD_Opt"])
def test_a_kept_town_is_the_town_that_was_built(folder, town_of, monkeypatch, name):
    monkeypatch.setattr(kept, "put_together", lambda short, seed: town_of(short))
    built = kept.build_town(f"Carla/Maps/{name}")
    assert [path.name for path in folder.iterdir()] == [f"{name}-0.npz"]

    def refuse(short, seed):
        raise AssertionError("built again")

    monkeypatch.setattr(kept, "put_together", refuse)
    assert same(kept.build_town(name), town_of(name)) and same(built, town_of(name))


def test_a_town_that_is_not_there_is_not_kept(folder):
    with pytest.raises(ValueError, match="Atlantis"):
        kept.build_town("Atlantis")
    assert list(folder.iterdir()) == []


def test_only_the_newest_files_stay(folder, town_of, monkeypatch):
    monkeypatch.setattr(kept, "MOST_KEPT", 2)
    monkeypatch.setattr(kept, "put_together", lambda short, seed: town_of("Town02"))
    for seed in range(4):
        kept.build_town("Town02", seed)
    assert len(list(folder.iterdir())) == 2 and (folder / "Town02-3.npz").exists()
