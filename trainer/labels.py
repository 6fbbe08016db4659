"""Label tables (the tags of one CARLA version), class lists (what a model predicts), and the way from one to the other.

A mapping goes by name, never by number: CARLA's numbers changed between versions (road was 7 up to 0.9.13 and is 1
since 0.9.14), its names only in case, plural and spacing, which `canonical` folds.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from trainer.config import configs_dir, load_yaml, nearest
from trainer.errors import ConfigError, DataError, LabelError

VOID = 255
"""The class index of pixels that count neither in a loss nor in a score."""

_ALIASES = {
    "none": "unlabeled",
    "unlabelled": "unlabeled",
    "roadline": "roadline",
    "roadmarking": "roadline",
    "lanemarking": "roadline",
    "vehicle": "car",
    "person": "pedestrian",
    "motorbike": "motorcycle",
    "bike": "bicycle",
    "trafficlight": "trafficlight",
    "railway": "railtrack",
}


def canonical(name: str) -> str:
    """The form in which tag names are compared: `"Side Walks"` and `"SideWalk"` are both `"sidewalk"`."""
    word = re.sub(r"[^a-z0-9]", "", name.lower())
    if word.endswith("s") and not word.endswith("ss") and word != "bus":
        word = word[:-1]
    return _ALIASES.get(word, word)


@dataclass(frozen=True)
class Tag:
    """One semantic tag: its id in a picture, its name and its palette colour (RGB)."""

    id: int
    name: str
    colour: tuple[int, int, int]


@dataclass(frozen=True)
class LabelTable:
    """The tags that one CARLA version writes. Sources of the shipped ones stand in their files."""

    name: str
    tags: tuple[Tag, ...]

    def __post_init__(self) -> None:
        seen: set[int] = set()
        for tag in self.tags:
            if not 0 <= tag.id <= 254:
                raise LabelError(f"label table {self.name!r}: tag {tag.name!r} has id {tag.id}; ids are 0 to 254.")
            if tag.id in seen:
                raise LabelError(
                    f"label table {self.name!r}: the id {tag.id} stands there twice; give each tag its own."
                )
            seen.add(tag.id)
        if not self.tags:
            raise LabelError(f"label table {self.name!r}: it lists no tags; add 'tags: [{{id, name, colour}}]'.")

    @property
    def ids(self) -> tuple[int, ...]:
        """The known ids, ascending."""
        return tuple(sorted(tag.id for tag in self.tags))

    def colours(self) -> np.ndarray:
        """(256, 3) uint8 RGB: the palette colour of each id; black where there is no such tag."""
        palette = np.zeros((256, 3), np.uint8)
        for tag in self.tags:
            palette[tag.id] = tag.colour
        return palette

    def known(self) -> np.ndarray:
        """(256,) bool: whether an id is in the table."""
        known = np.zeros(256, bool)
        known[list(self.ids)] = True
        return known

    def check(self, tags: np.ndarray, where: str) -> None:
        """Raise DataError, with every unknown id and its pixel count, unless all of `tags` (H, W) uint8 are known."""
        ids = self.ids
        # Ids without a gap, as all of CARLA's tables have them: the greatest tells, in a tenth of the time.
        if len(ids) == ids[-1] + 1 and (tags.size == 0 or tags.max() <= ids[-1]):
            return
        # Bytes that stay when the known ones are taken out: a sixth of a histogram's time, for every frame that is read.
        unknown = tags.tobytes().translate(None, delete=bytes(ids))
        if unknown:
            counts = np.bincount(np.frombuffer(unknown, np.uint8), minlength=256)
            bad = np.flatnonzero(counts)
            listed = ", ".join(f"{i} ({counts[i]} pixels)" for i in bad[:8]) + (" ..." if len(bad) > 8 else "")
            raise DataError(
                f"{where}: unknown tag id {listed}; label table {self.name!r} has the ids {_ranges(self.ids)}. "
                "Name the table that this data was recorded with (--table)."
            )

    def to_dict(self) -> dict[str, Any]:
        """The table as JSON or YAML holds it."""
        return {
            "name": self.name,
            "tags": [{"id": t.id, "name": t.name, "colour": list(t.colour)} for t in self.tags],
        }

    @staticmethod
    def from_dict(values: dict[str, Any], where: str = "label table") -> LabelTable:
        """The table from `to_dict`'s form; raises LabelError naming `where` when it is not one."""
        try:
            tags = tuple(Tag(int(t["id"]), str(t["name"]), _colour(t["colour"])) for t in values["tags"])
            return LabelTable(str(values["name"]), tags)
        except LabelError as error:
            raise LabelError(f"{where}: {error}") from None
        except (KeyError, TypeError, ValueError) as error:
            raise LabelError(
                f"{where}: not a label table ({type(error).__name__}: {error}); it needs 'name' and "
                "'tags: [{id, name, colour: [r, g, b]}]'."
            ) from None


@dataclass(frozen=True)
class LabelClass:
    """One class that a model predicts, and the tag names that count as it."""

    name: str
    colour: tuple[int, int, int]
    tags: tuple[str, ...]


@dataclass(frozen=True)
class ClassList:
    """The classes that a model predicts, in the order of its output channels; tags in none of them are void."""

    name: str
    classes: tuple[LabelClass, ...]

    def __post_init__(self) -> None:
        if not self.classes:
            raise LabelError(f"class list {self.name!r}: it lists no classes; add 'classes: [{{name, colour, tags}}]'.")
        if len(self.classes) > 254:
            raise LabelError(f"class list {self.name!r}: {len(self.classes)} classes; the most is 254.")
        names = [c.name for c in self.classes]
        twice = sorted({n for n in names if names.count(n) > 1})
        if twice:
            raise LabelError(f"class list {self.name!r}: the class {twice[0]!r} stands there twice; rename one.")
        owner: dict[str, str] = {}
        for c in self.classes:
            for tag in c.tags:
                other = owner.setdefault(canonical(tag), c.name)
                if other != c.name:
                    raise LabelError(
                        f"class list {self.name!r}: the tag {tag!r} counts as {other!r} and as {c.name!r}; choose one."
                    )

    def __len__(self) -> int:
        return len(self.classes)

    @property
    def names(self) -> tuple[str, ...]:
        """Class names in channel order."""
        return tuple(c.name for c in self.classes)

    def colours(self) -> np.ndarray:
        """(256, 3) uint8 RGB by class index; void is black."""
        palette = np.zeros((256, 3), np.uint8)
        for index, c in enumerate(self.classes):
            palette[index] = c.colour
        return palette

    def lookup(self, table: LabelTable) -> np.ndarray:
        """(256,) uint8: tag id of `table` -> class index, or VOID for tags that are in no class.

        Raises:
            LabelError: no tag of the table is in any class.
        """
        owner = {canonical(tag): index for index, c in enumerate(self.classes) for tag in c.tags}
        lookup = np.full(256, VOID, np.uint8)
        for tag in table.tags:
            lookup[tag.id] = owner.get(canonical(tag.name), VOID)
        if (lookup == VOID).all():
            raise LabelError(
                f"class list {self.name!r} maps none of the tags of label table {table.name!r} "
                f"({', '.join(t.name for t in table.tags[:6])} ...); list their names under 'tags'."
            )
        return lookup

    def to_dict(self) -> dict[str, Any]:
        """The list as JSON or YAML holds it."""
        return {
            "name": self.name,
            "classes": [{"name": c.name, "colour": list(c.colour), "tags": list(c.tags)} for c in self.classes],
        }

    @staticmethod
    def from_dict(values: dict[str, Any], where: str = "class list") -> ClassList:
        """The list from `to_dict`'s form; raises LabelError naming `where` when it is not one."""
        try:
            classes = tuple(
                LabelClass(str(c["name"]), _colour(c["colour"]), tuple(str(t) for t in c.get("tags", [c["name"]])))
                for c in values["classes"]
            )
            return ClassList(str(values["name"]), classes)
        except LabelError as error:
            raise LabelError(f"{where}: {error}") from None
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise LabelError(
                f"{where}: not a class list ({type(error).__name__}: {error}); it needs 'name' and "
                "'classes: [{name, colour: [r, g, b], tags: [...]}]'."
            ) from None


def load_label_table(name_or_path: str | Path) -> LabelTable:
    """A shipped label table by name (`carla-0.9.14`), or one's own from a YAML file.

    Raises:
        LabelError: there is no such table or file, or it is not a label table.
    """
    path = _find(name_or_path, "tags", "label table")
    return LabelTable.from_dict(_load(path), str(path))


def load_class_list(name_or_path: str | Path) -> ClassList:
    """A shipped class list by name (`street17`), or one's own from a YAML file.

    Raises:
        LabelError: there is no such list or file, or it is not a class list.
    """
    path = _find(name_or_path, "classes", "class list")
    return ClassList.from_dict(_load(path), str(path))


def shipped(kind: str) -> list[str]:
    """Names of the shipped tables (`kind` = "tags") or class lists (`kind` = "classes")."""
    folder = configs_dir() / "labels"
    return sorted(p.stem for p in folder.glob("*.yaml") if kind in load_yaml(p))


def _load(path: Path) -> dict[str, Any]:
    try:
        return load_yaml(path)
    except ConfigError as error:
        raise LabelError(str(error)) from None


def _find(name_or_path: str | Path, kind: str, what: str) -> Path:
    name = str(name_or_path)
    own = Path(name).expanduser()
    if own.suffix in (".yaml", ".yml"):
        if not own.is_file():
            raise LabelError(
                f"{name}: there is no such file; a {what} is a YAML file or one of {', '.join(shipped(kind))}."
            )
        return own
    path = configs_dir() / "labels" / f"{name}.yaml"
    # All names are only looked up for the message: reading every file takes a third of a second.
    if "/" in name or not path.is_file() or kind not in load_yaml(path):
        raise LabelError(f"there is no {what} {name!r}; {nearest(name, shipped(kind))}")
    return path


def _colour(value: Any) -> tuple[int, int, int]:
    r, g, b = (int(v) for v in value)
    if not all(0 <= v <= 255 for v in (r, g, b)):
        raise ValueError(f"colour {value!r} is not three numbers from 0 to 255")
    return r, g, b


def _ranges(ids: tuple[int, ...]) -> str:
    """`0-12, 14` for (0, ..., 12, 14)."""
    parts: list[list[int]] = []
    for i in ids:
        if parts and i == parts[-1][1] + 1:
            parts[-1][1] = i
        else:
            parts.append([i, i])
    return ", ".join(f"{a}-{b}" if b > a else str(a) for a, b in parts)
