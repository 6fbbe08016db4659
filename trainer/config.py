"""Strict YAML configuration: a file becomes the frozen dataclass of the module that uses it, or a clear error."""

from __future__ import annotations

import dataclasses
import difflib
import math
import re
import reprlib
import sys
import types
import typing
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

import yaml

from trainer.errors import ConfigError

T = TypeVar("T")

MAX_DEPTH = 40
MAX_NODES = 100_000
MAX_OPEN_BRACKETS = 1000
"""What a YAML file may hold, its aliases written out: libyaml's composer ends the process at some 10,000 levels, and nine
lines of aliases of aliases are a billion strings."""

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml's, where PyYAML was built with it: ten times as fast


def configs_dir() -> Path:
    """The folder of the default configurations: beside the packages in a checkout, inside `trainer` in a wheel."""
    package = Path(__file__).resolve().parent
    checkout = package.parent / "configs"
    return checkout if (checkout / "train.yaml").is_file() else package / "configs"


def nearest(word: str, known: typing.Iterable[str]) -> str:
    """`", did you mean 'x'?"` for the known word nearest to `word`, or what there is to choose from."""
    known = sorted(known)
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    return f"did you mean {close[0]!r}?" if close else f"choose one of {', '.join(known)}."


def load_yaml(path: Path | str) -> dict[str, Any]:
    """The mapping in a YAML file.

    Raises:
        ConfigError: the file is missing, is not YAML, or holds something else than a mapping.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(f"{path}: there is no such configuration file; check the path.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: the configuration can't be read ({error}); it must be a UTF-8 YAML file.") from None
    try:
        _refuse_bombs(text, path)
        values = yaml.load(text, Loader=_LOADER)
    except ValueError as error:  # a date that is none, such as 2026-13-01
        raise ConfigError(f"{path}: not valid YAML ({error}); mend that value.") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f" at line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or "syntax error"
        raise ConfigError(f"{path}: not valid YAML{place} ({problem}); mend that line.") from None
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: expected 'key: value' lines, found a {type(values).__name__}.")
    return values


def _refuse_bombs(text: str, path: Path) -> None:
    """ConfigError for YAML of too many levels or nodes, found by its events, which are read without recursion."""
    # Brackets first, a quoted one counted too: with 100,000 open ones libyaml takes minutes for each event.
    level = 0
    for bracket in re.findall(r"[\[\]{}]", text):
        level = max(0, level + (1 if bracket in "[{" else -1))
        if level > MAX_OPEN_BRACKETS:
            raise ConfigError(f"{path}: has {level} brackets that do not close; it must be a plain configuration file.")
    nodes = [0]  # of each collection that is open
    anchors: list[str | None] = [None]
    sizes: dict[str, int] = {}
    for event in yaml.parse(text, Loader=_LOADER):
        if isinstance(event, yaml.CollectionStartEvent):
            nodes.append(1)
            anchors.append(event.anchor)
            continue
        if isinstance(event, yaml.CollectionEndEvent):
            size, anchor = nodes.pop(), anchors.pop()
        elif isinstance(event, yaml.AliasEvent):
            # An alias to a collection that it stands in itself has no size yet, and no end.
            size, anchor = sizes.get(str(event.anchor), MAX_NODES), None
        elif isinstance(event, yaml.ScalarEvent):
            size, anchor = 1, event.anchor
        else:
            continue
        if anchor is not None:
            sizes[anchor] = size
        nodes[-1] += size
        if nodes[-1] > MAX_NODES or len(nodes) > MAX_DEPTH:
            break
    else:
        return
    raise ConfigError(
        f"{path}: holds more than {MAX_NODES} values (aliases count as what they stand for) or {MAX_DEPTH} levels; "
        "it must be a plain configuration file."
    )


def shown(value: Any) -> str:
    """A value for a message, cut where it is long."""
    text = reprlib.repr(value)
    return text if len(text) <= 100 else f"{text[:97]}..."


def build(cls: type[T], values: dict[str, Any], where: str) -> T:
    """The frozen dataclass `cls` from a mapping; `where` names the file or flag in errors.

    A value range is the business of the class's `__post_init__`, which raises `ValueError("key: ...")`.

    Raises:
        ConfigError: an unknown key (names the nearest), a missing key, a value of a wrong type or out of range.
    """
    fields = {f.name: f for f in dataclasses.fields(cls) if f.init}  # type: ignore[arg-type]
    hints = get_type_hints(cls)
    for key in values:
        if key not in fields:
            raise ConfigError(f"{where}: unknown key {shown(key)}; {nearest(str(key)[:100], fields)}")
    missing = [
        name
        for name, f in fields.items()
        if name not in values and f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
    ]
    if missing:
        raise ConfigError(f"{where}: the key {missing[0]!r} is missing; add it.")
    kept = {key: _convert(value, hints[key], f"{where}: {key}") for key, value in values.items()}
    try:
        return cls(**kept)
    except (ValueError, ConfigError) as error:
        raise ConfigError(f"{where}: {error}") from None


def _convert(value: Any, hint: Any, where: str) -> Any:
    origin, args = get_origin(hint), get_args(hint)
    if origin in (typing.Union, types.UnionType):
        if value is None and type(None) in args:
            return None
        options = [a for a in args if a is not type(None)]
        for option in options[:-1]:
            try:
                return _convert(value, option, where)
            except ConfigError:
                continue
        return _convert(value, options[-1], where)
    if origin is typing.Literal:
        if value not in args:
            raise ConfigError(f"{where}: {shown(value)} is not possible; {nearest(str(value)[:100], map(str, args))}")
        return value
    if origin is tuple:
        if not isinstance(value, (list, tuple)):
            raise ConfigError(f"{where}: expected a list, found {shown(value)}.")
        if len(args) == 2 and args[1] is Ellipsis:
            return tuple(_convert(v, args[0], where) for v in value)
        if len(value) != len(args):
            raise ConfigError(f"{where}: expected {len(args)} values, found {len(value)} in {shown(value)}.")
        return tuple(_convert(v, a, where) for v, a in zip(value, args, strict=True))
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        if not isinstance(value, dict):
            raise ConfigError(f"{where}: expected 'key: value' lines, found {shown(value)}.")
        return build(hint, value, where)
    if hint is float and isinstance(value, (int, float)) and not isinstance(value, bool):
        # .nan means nothing to any key, and a whole number may be too large.
        if value == value and abs(value) <= sys.float_info.max or value in (math.inf, -math.inf):
            return float(value)
    if hint is float and isinstance(value, str):
        # YAML 1.1 reads 1e-3 as a string; what was meant is plain.
        try:
            return float(value)
        except ValueError:
            pass
    elif hint is int and isinstance(value, int) and not isinstance(value, bool):
        return value
    elif hint is bool and isinstance(value, bool) or hint is str and isinstance(value, str):
        return value
    elif hint is Any:
        return value
    name = getattr(hint, "__name__", str(hint))
    raise ConfigError(f"{where}: expected a value of type {name}, found {shown(value)}.")
