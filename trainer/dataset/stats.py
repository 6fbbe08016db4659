"""The numbers of labelled data: how much there is of which town, weather and tag."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np

from trainer.dataset.pictures import picture_size
from trainer.dataset.recording import RecordingSource
from trainer.dataset.source import FrameRef, Source
from trainer.errors import DataError


def tag_pixels(source: Source, ref: FrameRef) -> np.ndarray:
    """(256,) int64 pixels of each tag id; a recording wrote them down, of other data the label is read."""
    if isinstance(source, RecordingSource):
        written = source.meta(ref).get("tags", {}).get(source.camera)
        if written is not None:
            counts = np.zeros(256, np.int64)
            for tag, pixels in written.items():
                counts[int(tag)] = pixels
            return counts
    return np.bincount(source.read_tags(ref).ravel(), minlength=256).astype(np.int64)


def source_stats(source: Source, progress: Callable[[int, int], None] | None = None) -> dict[str, Any]:
    """The numbers of a source, as JSON holds them.

    tags: {name: {id, pixels, share, frames}} of all pixels, and in how many frames the tag is seen at all.
    Raises DataError for the first pair that cannot be read (`data check` goes on and lists them all).
    """
    if not source.frames:
        raise DataError(f"{source.path}: holds no whole frame")
    pixels = np.zeros(256, np.int64)
    seen = np.zeros(256, np.int64)
    sizes: Counter[str] = Counter()
    picture_bytes = label_bytes = 0
    for done, ref in enumerate(source.frames, 1):
        counts = tag_pixels(source, ref)
        pixels += counts
        seen += counts > 0
        picture = source.rgb_bytes(ref)
        height, width = picture_size(picture, source.where(ref)[0])
        sizes[f"{width}x{height}"] += 1
        picture_bytes += len(picture)
        label_bytes += len(source.label_bytes(ref))
        if progress is not None:
            progress(done, len(source.frames))
    total = int(pixels.sum())
    frames = len(source.frames)
    result: dict[str, Any] = {
        "path": str(source.path),
        "layout": "recording" if isinstance(source, RecordingSource) else "folder",
        "label_table": source.table.name,
        "encoding": source.encoding,
        "fingerprint": source.fingerprint(),
        "frames": frames,
        "lists": {name: len(keys) for name, keys in source.lists.items()},
        "sizes": dict(sizes),
        "bytes_per_frame": {"picture": picture_bytes / frames, "label": label_bytes / frames},
        "by_town": dict(sorted(Counter(ref.town or "unknown" for ref in source.frames).items())),
        "by_weather": dict(sorted(Counter(ref.weather or "unknown" for ref in source.frames).items())),
        "by_episode": dict(sorted(Counter(ref.episode or "unknown" for ref in source.frames).items())),
        "tags": {
            tag.name: {
                "id": tag.id,
                "pixels": int(pixels[tag.id]),
                "share": float(pixels[tag.id] / total),
                "frames": int(seen[tag.id]),
            }
            for tag in source.table.tags
        },
    }
    if isinstance(source, RecordingSource):
        dropped: Counter[str] = Counter()
        for episode in source.episodes.values():
            dropped.update(episode.dropped)
        result["dropped"] = dict(dropped)
        result["simulator"] = source.info.simulator
        result["step_s"] = source.step_s
    return result
