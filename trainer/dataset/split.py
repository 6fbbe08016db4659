"""Which pictures train and which validate: by list files, else by whole towns or episodes, never by single frames."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from trainer.config import nearest, shown
from trainer.dataset.source import FrameRef, Source
from trainer.errors import DataError

LIST_FILES = {"train": "train.txt", "val": "val.txt"}
RULES = ("auto", "list", "town", "episode")
WHAT_TO_DO = "write a val.txt (one stem or episode a line) beside the data, or pass other data with --val"

Pair = tuple[Source, FrameRef]


@dataclass(frozen=True)
class Split:
    """The pictures to train on and to validate on. rule: how they were chosen, a sentence for the log."""

    train: tuple[Pair, ...]
    val: tuple[Pair, ...]
    rule: str


def read_lists(
    path: Path, entries: Mapping[str, Sequence[str]], strict: bool = True
) -> tuple[dict[str, tuple[str, ...]], tuple[str, ...]]:
    """Read train.txt and val.txt beside the data.

    entries: {what a line may say: the keys it stands for}: a stem for itself, an episode for its frames. A line may
    carry a picture's suffix; empty lines and lines that begin with # are skipped.
    Where only one file exists the other list is the rest. Returns ({'train': keys, 'val': keys} or {}, entries that
    stand for nothing); with strict such an entry is a DataError.
    """
    lists: dict[str, tuple[str, ...]] = {}
    unknown: list[str] = []
    for name, file_name in LIST_FILES.items():
        file = path / file_name
        if not file.is_file():
            continue
        try:
            text = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise DataError(f"{file}: cannot be read ({error}); it must be UTF-8 text, one name a line") from None
        keys: dict[str, None] = {}
        for number, line in enumerate(text.splitlines(), 1):
            entry = line.strip()
            if not entry or entry.startswith("#"):
                continue
            if entry not in entries:
                bare = entry.rsplit(".", 1)[0]
                if bare not in entries:
                    unknown.append(f"{file} line {number}: {entry}")
                    if strict:
                        near = difflib.get_close_matches(bare, entries, n=1)
                        hint = f"did you mean {near[0]!r}?" if near else "take the line out or add the picture"
                        raise DataError(f"{file} line {number}: there is no picture or episode {shown(entry)}; {hint}")
                    continue
                entry = bare
            keys.update(dict.fromkeys(entries[entry]))
        lists[name] = tuple(keys)
    if len(lists) == 1:
        (have,) = lists
        taken = set(lists[have])
        every = dict.fromkeys(key for keys in entries.values() for key in keys)
        lists["val" if have == "train" else "train"] = tuple(key for key in every if key not in taken)
    return {name: lists[name] for name in LIST_FILES if name in lists}, tuple(unknown)


def split_sources(
    sources: Sequence[Source],
    val: Sequence[Source] | None = None,
    by: str = "auto",
    val_share: float = 0.15,
    seed: int = 0,
) -> Split:
    """Split labelled pictures into training and validation.

    val: other sources to validate on; then all of `sources` trains. A source's own lists still say which of its
    pictures belong to which side. by: `list`, `town`, `episode`, or `auto`: lists where a source has them, and for
    the rest whole towns where they can make about val_share, else whole episodes. The same arguments give the same
    split.
    Raises DataError when a side would be empty, or a picture stands in both lists; the sentence says what to do.
    """
    if by not in RULES:
        raise DataError(f"there is no split rule {by!r}; {nearest(by, RULES)}")
    if not sources:
        raise DataError("no data to train on was named; pass --data DIR")
    if not 0.0 < val_share < 1.0:
        raise DataError(f"the validation share must lie between 0 and 1, not {val_share}")
    if val:
        return _with_own_validation(sources, val)
    train_pairs: list[Pair] = []
    val_pairs: list[Pair] = []
    rules: list[str] = []
    free: list[Pair] = []
    for source in sources:
        if source.lists and by in ("auto", "list"):
            in_train, in_val = _listed(source)
            train_pairs += in_train
            val_pairs += in_val
            rules.append(f"{source.name} by its list files")
        elif by == "list":
            raise DataError(f"{source.path}: has no train.txt and val.txt to split by; {WHAT_TO_DO}")
        else:
            free += [(source, ref) for ref in source.frames]
    if free:
        in_val_groups, groups, rule = _choose(free, by, val_share, seed, needed=not val_pairs)
        for group, pairs in groups.items():
            (val_pairs if group in in_val_groups else train_pairs).extend(pairs)
        rules.append(rule)
    return _checked(train_pairs, val_pairs, "; ".join(rules), sources)


def _listed(source: Source) -> tuple[list[Pair], list[Pair]]:
    """The pairs of a source's two lists, in the source's own order."""
    in_train, in_val = set(source.lists["train"]), set(source.lists["val"])
    both = sorted(in_train & in_val)
    if both:
        raise DataError(
            f"{source.path}: {both[0]!r} stands in train.txt and in val.txt ({len(both)} do); take it out of one"
        )
    return (
        [(source, ref) for ref in source.frames if ref.key in in_train],
        [(source, ref) for ref in source.frames if ref.key in in_val],
    )


def _with_own_validation(sources: Sequence[Source], val: Sequence[Source]) -> Split:
    train_paths = {source.path.resolve() for source in sources if not source.lists}
    for source in val:
        if source.path.resolve() in train_paths:
            raise DataError(f"{source.path}: is named as training and as validation data; leave it out of one")
    train_pairs = [pair for s in sources for pair in (_listed(s)[0] if s.lists else [(s, ref) for ref in s.frames])]
    val_pairs = [pair for s in val for pair in (_listed(s)[1] if s.lists else [(s, ref) for ref in s.frames])]
    names = ", ".join(source.name for source in val)
    return _checked(train_pairs, val_pairs, f"validation on {names}, named with --val", [*sources, *val])


def _checked(train: list[Pair], val: list[Pair], rule: str, sources: Sequence[Source]) -> Split:
    names = ", ".join(str(source.path) for source in sources)
    for side, pairs in (("training", train), ("validation", val)):
        if not pairs:
            raise DataError(f"{names}: the {side} side of the split is empty ({rule}); {WHAT_TO_DO}")
    return Split(tuple(train), tuple(val), f"{rule}: {len(train)} pictures to train, {len(val)} to validate")


Groups = dict[tuple[str, ...], list[Pair]]


def _groups(pairs: list[Pair], by: str) -> Groups:
    groups: Groups = {}
    for source, ref in pairs:
        # A town is the same town in two recordings; an episode is not, nor are pictures of no known episode.
        group = (ref.town,) if by == "town" else (str(source.path.resolve()), ref.episode)
        groups.setdefault(group, []).append((source, ref))
    return groups


def _choose(
    pairs: list[Pair], by: str, val_share: float, seed: int, needed: bool
) -> tuple[set[tuple[str, ...]], Groups, str]:
    """Groups to validate on, all groups, and the rule in words."""
    towns = _groups(pairs, "town")
    if by in ("auto", "town") and all(town for (town,) in towns) and len(towns) > 1:
        chosen = _pick(towns, val_share, seed)
        share = sum(len(towns[group]) for group in chosen) / len(pairs)
        # Whole towns are the honest split, but not when they take half of the training data with them.
        if by == "town" or val_share / 2 <= share <= val_share * 2:
            return chosen, towns, f"by town, validation on {', '.join(sorted(town for (town,) in chosen))}"
    if by == "town":
        found = ", ".join(sorted(town or "unknown" for (town,) in towns))
        raise DataError(f"a split by town needs two or more towns, found only {found}; {WHAT_TO_DO}")
    episodes = _groups(pairs, "episode")
    if len(episodes) < 2:
        source = pairs[0][0]
        if not needed:
            return set(), episodes, f"{source.name} (one episode) all to training"
        raise DataError(
            f"{source.path}: all {len(pairs)} pictures belong to one episode, and frames of one episode are too alike "
            f"to validate on; {WHAT_TO_DO}"
        )
    chosen = _pick(episodes, val_share, seed)
    names = sorted(episode or Path(path).name for path, episode in chosen)
    return chosen, episodes, f"by episode, validation on {', '.join(names[:8])}{' ...' if len(names) > 8 else ''}"


def _pick(groups: Groups, val_share: float, seed: int) -> set[tuple[str, ...]]:
    """At least one group and not all, together as near to val_share as a seeded greedy pick comes."""

    def place(group: tuple[str, ...]) -> bytes:
        # By the last part of the path, so that the same data elsewhere splits the same.
        name = "/".join(Path(part).name for part in group)
        return hashlib.sha256(f"{seed}/{name}".encode()).digest()

    total = sum(map(len, groups.values()))
    target = val_share * total
    chosen: set[tuple[str, ...]] = set()
    have = 0
    for group in sorted(groups, key=lambda group: (place(group), group)):
        size = len(groups[group])
        if len(chosen) + 1 < len(groups) and abs(have + size - target) < abs(have - target):
            chosen.add(group)
            have += size
    if not chosen:  # every group is larger than twice the share: the smallest costs training least
        chosen.add(min(groups, key=lambda group: (len(groups[group]), place(group), group)))
    return chosen
