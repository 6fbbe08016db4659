"""Keeps towns that have been built as files of plain arrays, so that a simulator that starts again need not build them.

A town is the same for the same name, seed and sources. Its arrays are written as they are, everything else as one text of
JSON, in which numbers come back exactly; nothing that is read is ever executed.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import types
import typing
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from sim_agent.embedded import blueprints, models, pose, scene
from sim_agent.embedded.cache import Arrays, cache_folder, digest_of, kept_arrays
from sim_agent.embedded.town.build import put_together
from sim_agent.embedded.town.model import Town

MOST_KEPT = 10
"""Files of some 45 MB; of more, those that were made first are dropped."""

_FACTS = "facts"


def build_town(name: str, seed: int = 0) -> Town:
    """The town of this name, the same bytes for the same name and seed; another seed gives another town of its kind.

    Args:
        name: a key of `TOWNS`, or `Seed` and a number; what stands before a slash (Carla/Maps/Town01) does not matter.
        seed: 0 or more.

    Raises:
        ValueError: when no town is called so.
    """
    short = name.rsplit("/", 1)[-1]
    path = cache_folder(f"towns-{_state()}") / f"{short}-{seed}.npz"
    is_new = not path.exists()
    town = _town_of(kept_arrays(path, lambda: _arrays_of(put_together(short, seed))))
    if is_new:
        _drop_oldest(path.parent)
    return town


@cache
def _state() -> str:
    folders = [Path(__file__).parent, Path(models.__file__).parent, Path(blueprints.__file__).parent]
    sources = [*(path for folder in folders for path in folder.glob("*.py")), Path(pose.__file__), Path(scene.__file__)]
    return digest_of(sources, np.__version__)


def _drop_oldest(folder: Path) -> None:
    with contextlib.suppress(OSError):
        files = sorted(folder.glob("*.npz"), key=lambda file: file.stat().st_mtime)
        for file in files[:-MOST_KEPT]:
            file.unlink(missing_ok=True)


def _arrays_of(town: Town) -> Arrays:
    arrays: Arrays = {}
    facts = json.dumps(_plain(town, arrays))
    return arrays | {_FACTS: np.frombuffer(facts.encode(), np.uint8)}


def _plain(value: Any, arrays: Arrays) -> Any:
    """What JSON can hold; arrays and bytes are put into `arrays` and stand for themselves as their names there."""
    if isinstance(value, bytes):
        value = np.frombuffer(value, np.uint8)
    if isinstance(value, np.ndarray):
        name = f"array_{len(arrays)}"
        arrays[name] = value
        return name
    if dataclasses.is_dataclass(value):
        return [_plain(getattr(value, field.name), arrays) for field in dataclasses.fields(value)]
    if isinstance(value, tuple):
        return [_plain(part, arrays) for part in value]
    return value.value if isinstance(value, Enum) else value


def _town_of(arrays: Arrays) -> Town:
    town = _typed(Town, json.loads(arrays[_FACTS].tobytes()), arrays)
    assert isinstance(town, Town)
    return town


def _typed(kind: Any, plain: Any, arrays: Arrays) -> Any:
    """The opposite of `_plain`, for a value of a known type."""
    origin = typing.get_origin(kind)
    if origin is tuple:
        inner, *others = typing.get_args(kind)
        if others == [...]:
            return tuple([_typed(inner, part, arrays) for part in plain])
        return tuple([_typed(part_kind, part, arrays) for part_kind, part in zip((inner, *others), plain, strict=True)])
    if origin in (typing.Union, types.UnionType):
        (inner,) = (part for part in typing.get_args(kind) if part is not types.NoneType)
        return None if plain is None else _typed(inner, plain, arrays)
    if origin is np.ndarray:
        array = arrays[plain]
        array.flags.writeable = False
        return array
    if kind is bytes:
        return arrays[plain].tobytes()
    if kind in (str, int, float, bool):
        return plain
    if issubclass(kind, Enum):
        return kind(plain)
    return kind(*[_typed(inner, part, arrays) for inner, part in zip(_kinds(kind), plain, strict=True)])


@cache
def _kinds(kind: Any) -> list[Any]:
    """Types of the fields of a NamedTuple or dataclass, in their order."""
    return list(typing.get_type_hints(kind).values())
