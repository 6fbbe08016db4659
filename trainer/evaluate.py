"""Score a model on labelled pictures, at the full resolution of the labels, whatever size the network works at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch

from trainer.dataset.source import FrameRef, Source
from trainer.errors import DataError
from trainer.labels import VOID
from trainer.metrics import Score, iou_of
from trainer.segmenter import Segmenter, weights_hash

Pair = tuple[Source, FrameRef]
Part = Literal["val", "train", "all"]

UNKNOWN = "unknown"
"""The town or weather of frames whose source does not say it, where others do."""


@dataclass(frozen=True)
class Scored:
    """One scored frame. miou: over the classes in it, NaN when all of it is void. truth, predicted: (H, W) uint8."""

    source: Source
    ref: FrameRef
    picture: np.ndarray
    truth: np.ndarray
    predicted: np.ndarray
    miou: float


def choose_pairs(sources: Sequence[Source], part: Part = "val", limit: int | None = None) -> tuple[list[Pair], str]:
    """The frames to score, and a sentence that says which they are.

    `val` and `train`: what the sources' list files say; a source without lists is taken whole for `val`. limit: at
    most so many, spread evenly over all.

    Raises:
        DataError: there is no such frame.
    """
    pairs: list[Pair] = []
    said = []
    for source in sources:
        if part == "train" and not source.lists:
            raise DataError(
                f"{source.path}: has no train.txt or val.txt, so its training part is not known; use --split all."
            )
        keys = set(source.lists[part]) if part != "all" and source.lists else None
        chosen = [(source, ref) for ref in source.frames if keys is None or ref.key in keys]
        pairs += chosen
        whole = "all" if part == "all" else "all, it has no list files"
        said.append(f"{source.name}: {len(chosen)} of {len(source.frames)} frames ({whole if keys is None else part})")
    if not pairs:
        named = ", ".join(str(source.path) for source in sources)
        raise DataError(f"{named}: the part {part!r} holds no frames; choose another --split or --data.")
    if limit is not None and limit < len(pairs):
        pairs = spread(pairs, limit)
        said.append(f"{limit} of these, evenly spread")
    return pairs, "; ".join(said)


def spread(pairs: Sequence[Pair], count: int) -> list[Pair]:
    """`count` of the pairs at equal distances, in their order; all of them when there are fewer."""
    if count >= len(pairs):
        return list(pairs)
    return [pairs[i] for i in np.linspace(0, len(pairs) - 1, count).round().astype(int)]


def evaluate_model(
    segmenter: Segmenter,
    pairs: Sequence[Pair],
    part: str = "",
    on_frame: Callable[[Scored], None] | None = None,
    progress: Callable[[int, int], None] | None = None,
    boundary: bool = True,
) -> dict[str, Any]:
    """The figures of `evaluate --json`.

    Recordings of different label tables may be mixed: tags become classes by name. part: what was chosen, for the
    result. on_frame: called with each frame as it is scored. progress: called with (frames done, frames in all).
    boundary: False leaves the boundary IoU out (null), which takes most of the time of a small network.

    Raises:
        DataError: a picture or label that can't be read, or a label table of which the model knows nothing.
    """
    info = segmenter.info
    names = info.classes.names
    lookups: dict[int, np.ndarray] = {}
    for source, _ in pairs:
        if id(source) not in lookups:
            lookups[id(source)] = info.classes.lookup(source.table)
    total = Score(names)
    towns: dict[str, Score] = {}
    weathers: dict[str, Score] = {}

    def read(pair: Pair) -> tuple[np.ndarray, np.ndarray]:
        source, ref = pair
        return source.read_rgb(ref), lookups[id(source)][source.read_tags(ref)]

    with ThreadPoolExecutor(max_workers=1) as reader:  # decodes the next picture while this one is scored
        coming = reader.submit(read, pairs[0]) if pairs else None
        for index, (source, ref) in enumerate(pairs):
            assert coming is not None
            picture, truth = coming.result()
            if index + 1 < len(pairs):
                coming = reader.submit(read, pairs[index + 1])
            predicted = segmenter.segment(picture)
            score = Score(names)
            matrix = score.add(torch.from_numpy(predicted)[None], torch.from_numpy(truth)[None], boundary)
            total.merge(score)
            towns.setdefault(ref.town or UNKNOWN, Score(names)).merge(score)
            weathers.setdefault(ref.weather or UNKNOWN, Score(names)).merge(score)
            if on_frame is not None:
                on_frame(Scored(source, ref, picture, truth, predicted, mean_iou(matrix)))
            if progress is not None:
                progress(index + 1, len(pairs))
    return {
        **total.to_dict(),
        "classes": list(names),
        "confusion": total.matrix.tolist(),
        "by_town": _grouped(towns),
        "by_weather": _grouped(weathers),
        "model": {
            "path": str(segmenter.folder),
            "engine": segmenter.engine,
            "preset": info.network.preset,
            "class_list": info.classes.name,
            "size": list(info.preprocessing.size),
            "weights_sha256": weights_hash(segmenter.folder),
        },
        "data": _described(pairs, part),
    }


def mean_iou(matrix: np.ndarray) -> float:
    """Mean IoU over the classes in the truth of a confusion matrix (C, C); NaN when it is empty."""
    iou = iou_of(matrix)
    return float(np.nanmean(iou)) if np.isfinite(iou).any() else float("nan")


def error_map(predicted: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """(H, W) bool: pixels that count and are wrong."""
    return (predicted != truth) & (truth != VOID)


def _grouped(scores: dict[str, Score]) -> dict[str, Any]:
    """By name; nothing when no frame says it."""
    return {} if set(scores) == {UNKNOWN} else {name: scores[name].to_dict() for name in sorted(scores)}


def _described(pairs: Sequence[Pair], part: str) -> dict[str, Any]:
    counts = Counter(id(source) for source, _ in pairs)
    sources = {id(source): source for source, _ in pairs}
    return {
        "split": part,
        "sources": [
            {
                "name": source.name,
                "path": str(source.path),
                "table": source.table.name,
                "frames": counts[key],
                "fingerprint": source.fingerprint(),
            }
            for key, source in sources.items()
        ],
    }
