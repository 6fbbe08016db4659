"""Packed pictures in a bucket, in parts of a few megabytes: made one by one, and read through a bounded cache on disk.

    BUCKET/parts/KEY/{images.npy, labels.npy, manifest.json}     a packed cache of some hundred pictures (packed.py)

A part is named by its content, so packing goes on where it stopped, and what does not change is not made twice. Neither all
parts nor all recordings need room on any one disk: who packs holds one part, who trains the `limit_bytes` used last.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from trainer.bucket import Bucket, reason
from trainer.dataset.lock import locked
from trainer.dataset.packed import MANIFEST_FILE, Packed, Pair, cache_key, open_packed, pack
from trainer.errors import DataError
from trainer.labels import ClassList

PART_BYTES = 32 << 20
WINDOW_PARTS = 16
"""So many parts are drawn from at a time (sampler.py): half a gigabyte."""
_TRIES = 3


@dataclass(frozen=True)
class PartList:
    """Packed pictures in a bucket, in order; small to pickle. `keys`: of their sources, as `Packed.keys`."""

    bucket: Bucket
    """Holds a folder for each part."""
    parts: tuple[str, ...]
    each: int
    """Pictures in a part; the last may have fewer."""
    keys: tuple[str, ...]
    class_pixels: np.ndarray
    """(C,) int64 pixels of each class."""


def pictures_per_part(size: tuple[int, int]) -> int:
    """How many pictures of this height and width are a part."""
    return max(1, PART_BYTES // (size[0] * size[1] * 4))


def pack_parts(
    pairs: Sequence[Pair],
    size: tuple[int, int],
    classes: ClassList,
    bucket: Bucket,
    work: Path,
    resize: str = "antialias",
    progress: Callable[[int, int], None] | None = None,
) -> PartList:
    """Have these pairs packed in a bucket; parts that are there already are not made again.

    Arguments as `pack`; work: a folder with room for one part.
    Raises DataError as `pack`, or when the storage fails.
    """
    each, keys, pixels = pictures_per_part(size), [], np.zeros(len(classes.classes), np.int64)
    there = bucket.at("parts")
    work.mkdir(parents=True, exist_ok=True)
    try:
        for first in range(0, len(pairs), each):
            some = pairs[first : first + each]
            key = cache_key(some, size, classes, resize)
            keys.append(key)
            with tempfile.TemporaryDirectory(dir=work, prefix=".part-") as folder:
                place = Path(folder) / key
                if there.stamp(f"{key}/{MANIFEST_FILE}") is None:
                    packed = pack(some, size, classes, Path(folder), resize=resize)
                    there.upload_folder(place, last=MANIFEST_FILE)
                    pixels += packed.class_pixels
                else:
                    pixels += _class_pixels(there, key)
            if progress is not None:
                progress(min(first + each, len(pairs)), len(pairs))
    except OSError as error:
        raise DataError(f"{there.url}: the packed pictures can't be kept there ({reason(error)})") from error
    return PartList(there, tuple(keys), each, tuple(ref.key for _, ref in pairs), pixels)


def _class_pixels(there: Bucket, key: str) -> np.ndarray:
    data = there.get(f"{key}/{MANIFEST_FILE}") or b"{}"
    return np.array(json.loads(data)["class_pixels"], np.int64)


class Parts:
    """The pictures of a PartList, read as those of a `Packed`, with at most `limit_bytes` of them on disk.

    Several processes may share a folder. A part that one of them uses may be removed by another: on Linux and macOS an
    open memory map outlives its file.
    """

    def __init__(self, parts: PartList, folder: Path, limit_bytes: int):
        self.list, self.folder, self.limit_bytes = parts, folder, limit_bytes
        self.keys, self.class_pixels = parts.keys, parts.class_pixels
        self.fetched = 0
        """Parts that this process has fetched."""
        self._open: OrderedDict[str, Packed] = OrderedDict()
        folder.mkdir(parents=True, exist_ok=True)

    def rows(self, index: Sequence[int]) -> tuple[torch.Tensor, torch.Tensor]:
        """Read these pictures: (B, H, W, 3) and (B, H, W) uint8."""
        images, labels = [], []
        for one in index:
            part = self._part(self.list.parts[one // self.list.each])
            images.append(part.images[one % self.list.each])
            labels.append(part.labels[one % self.list.each])
        return torch.from_numpy(np.stack(images)), torch.from_numpy(np.stack(labels))

    def _part(self, key: str) -> Packed:
        if key in self._open:
            self._open.move_to_end(key)
            return self._open[key]
        with locked(self.folder / ".lock"):
            place = self.folder / key
            if not (place / MANIFEST_FILE).is_file():
                self._fetch(key, place)
            os.utime(place)
            packed = self._open[key] = open_packed(place)
            self._make_room(keep=key)
        # What is open takes room though its file is gone: the same bound, by count.
        while len(self._open) > max(1, self.limit_bytes // (packed.images.nbytes + packed.labels.nbytes)):
            self._open.popitem(last=False)
        return packed

    def _fetch(self, key: str, place: Path) -> None:
        there = self.list.bucket.at(key)
        for attempt in range(1, _TRIES + 1):
            temporary = Path(tempfile.mkdtemp(dir=self.folder, prefix=".fetch-"))
            try:
                for name in (*(n for n in there.objects() if n != MANIFEST_FILE), MANIFEST_FILE):
                    there.download(name, temporary / name)
                open_packed(temporary)
                shutil.rmtree(place, ignore_errors=True)  # half of a part, by a killed process
                temporary.rename(place)
            except (OSError, DataError) as error:
                if attempt == _TRIES:
                    why = reason(error) if isinstance(error, OSError) else "it is not whole"
                    raise DataError(
                        f"{there.url}: packed pictures can't be fetched ({why}); the same command resumes"
                    ) from error
                time.sleep(attempt)  # a storage that is away for a moment: there is no event to wait for
            else:
                self.fetched += 1
                return
            finally:
                shutil.rmtree(temporary, ignore_errors=True)

    def _make_room(self, keep: str) -> None:
        """Remove the parts that nobody has opened for longest, until the rest is within the limit."""
        parts = sorted((p for p in self.folder.iterdir() if p.is_dir()), key=lambda p: p.stat().st_mtime_ns)
        sizes = {p: sum(f.stat().st_size for f in p.iterdir()) for p in parts}
        total = sum(sizes.values())
        for place in parts:
            if total <= self.limit_bytes:
                return
            if place.name == keep:
                continue
            shutil.rmtree(place)
            self._open.pop(place.name, None)
            total -= sizes[place]
