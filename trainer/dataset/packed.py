"""The packed cache: labelled pictures resized once to the training size and memory-mapped as uint8 arrays.

A cache is named by its content, CACHE_DIR/KEY/, and holds images.npy (N, H, W, 3), labels.npy (N, H, W) and
manifest.json. It is built in a folder beside its place under a lock, and renamed into place when its manifest is
written, so that several processes that ask at once build it once and nobody reads a half-built one. Why memory maps:
148,000 pictures/s a core at 96x128, where decoding PNG pairs gives about 100.
"""

from __future__ import annotations

import errno
import hashlib
import json
import multiprocessing
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from trainer.config import nearest
from trainer.dataset.lock import locked
from trainer.dataset.recording import write_json
from trainer.dataset.source import FrameRef, Source
from trainer.errors import DataError
from trainer.labels import VOID, ClassList

FORMAT_VERSION = 1
MANIFEST_FILE = "manifest.json"
IMAGES_FILE = "images.npy"
LABELS_FILE = "labels.npy"
RESIZES = ("antialias", "nearest")
# Started processes import torch first: 3 s on an idle machine of two cores, 15 to 20 s measured on a busy one. A pool
# is started when it is likely to save more than that. (560 pairs of 640x360 take 8 s in one process there.)
POOL_COST_S = 15.0
# More do not help: each takes 0.3 GB, and the disk is the limit before.
MOST_PROCESSES = 16
_PROBE_PAIRS = 16
_CHUNK_PAIRS = 16

Pair = tuple[Source, FrameRef]


@dataclass(frozen=True)
class Packed:
    """A packed cache, opened.

    images: (N, H, W, 3) uint8 RGB memory map. labels: (N, H, W) uint8 class index or VOID, memory map. keys: the N
    keys of their sources. class_pixels: (C,) int64 pixels of each class at this size.
    """

    path: Path
    images: np.ndarray
    labels: np.ndarray
    keys: tuple[str, ...]
    class_pixels: np.ndarray

    def rows(self, index: Sequence[int]) -> tuple[torch.Tensor, torch.Tensor]:
        """Read these pictures: (B, H, W, 3) and (B, H, W) uint8."""
        at = list(index)
        images, labels = np.ascontiguousarray(self.images[at]), np.ascontiguousarray(self.labels[at])
        return torch.from_numpy(images), torch.from_numpy(labels)


@dataclass(frozen=True)
class _Work:
    """What a process needs to pack pairs; small to pickle, the arrays are reached by path."""

    sources: tuple[Source, ...]
    pairs: tuple[tuple[int, FrameRef], ...]
    lookups: tuple[np.ndarray, ...]
    classes: int
    size: tuple[int, int]
    resize: str
    folder: Path


def cache_key(pairs: Sequence[Pair], size: tuple[int, int], classes: ClassList, resize: str = "antialias") -> str:
    """Sha256 (hex) of all that a cache's bytes follow from.

    That is: this format's version, size, resize, class list, what each source's table becomes in it, and the content
    keys of the pairs in their order.
    """
    digest = hashlib.sha256()
    head = {"version": FORMAT_VERSION, "size": list(size), "resize": resize, "classes": classes.to_dict()}
    digest.update(json.dumps(head, sort_keys=True).encode())
    lookups: dict[int, bytes] = {}
    for source, ref in pairs:
        if id(source) not in lookups:
            lookups[id(source)] = classes.lookup(source.table).tobytes()
        digest.update(lookups[id(source)])
        digest.update(f"{ref.key}\0{source.content_key(ref)}\0".encode())
    return digest.hexdigest()


def pack(
    pairs: Sequence[Pair],
    size: tuple[int, int],
    classes: ClassList,
    cache_dir: Path,
    processes: int | None = None,
    progress: Callable[[int, int], None] | None = None,
    resize: str = "antialias",
) -> Packed:
    """Open the packed cache of these pairs, building it first when it is not there.

    size: (H, W) in pixels. processes: how many build it; None takes this one, and as many as there are cores where
    that pays. progress: called with (pictures done, pictures in all), by the process that builds. resize of the
    pictures: `antialias`, or `nearest` as the course does; labels are always nearest.
    Raises DataError for the first pair that cannot be read, or when the disk has no room; nothing is left behind.
    """
    if not pairs:
        raise DataError("there are no pictures to pack; check the split and the list files")
    if resize not in RESIZES:
        raise DataError(f"there is no resize {resize!r}; {nearest(resize, RESIZES)}")
    if min(size) < 1:
        raise DataError(f"the training size must be positive, not {size[0]}x{size[1]}")
    key = cache_key(pairs, size, classes, resize)
    place = cache_dir / key
    if _is_whole(place):
        return open_packed(place)
    try:
        cache_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"{cache_dir}: the cache folder cannot be made ({error.strerror}); name another") from error
    with locked(cache_dir / f"{key}.lock"):
        if not _is_whole(place):
            # Under the lock nobody else builds this key: what lies here is left from a kill, and only a cache.
            for left in (place, *cache_dir.glob(f".{key}.*")):
                shutil.rmtree(left, ignore_errors=True)
            building = Path(tempfile.mkdtemp(prefix=f".{key}.", dir=cache_dir))
            try:
                _build(building, pairs, size, classes, processes, progress, resize)
                building.chmod(0o755)  # mkdtemp's are the owner's alone, and who shares a storage shares its cache
                os.replace(building, place)
            except BaseException:
                shutil.rmtree(building, ignore_errors=True)
                raise
    return open_packed(place)


def is_packed(
    pairs: Sequence[Pair], size: tuple[int, int], classes: ClassList, cache_dir: Path, resize: str = "antialias"
) -> bool:
    """Whether the cache of these pairs is there, as `pack` with these arguments would open it."""
    return _is_whole(cache_dir / cache_key(pairs, size, classes, resize))


def open_packed(path: Path) -> Packed:
    """Open a packed cache. DataError when it is missing or half there, or a file has another size than it was built."""
    manifest = _manifest(path)
    if manifest is None:
        raise DataError(f"{path}: is no whole packed cache; delete the folder, the next training builds it anew")
    return Packed(
        path=path,
        images=np.load(path / IMAGES_FILE, mmap_mode="r"),
        labels=np.load(path / LABELS_FILE, mmap_mode="r"),
        keys=tuple(manifest["keys"]),
        class_pixels=np.array(manifest["class_pixels"], np.int64),
    )


def _manifest(path: Path) -> dict[str, Any] | None:
    """The manifest when all files stand there with the sizes it names, else None."""
    try:
        manifest = json.loads((path / MANIFEST_FILE).read_text(encoding="utf-8"))
        if manifest["version"] != FORMAT_VERSION:
            return None
        for name, size in manifest["bytes"].items():
            if (path / name).stat().st_size != size:
                return None
    except (OSError, ValueError, KeyError):
        return None
    return dict(manifest)


def _is_whole(path: Path) -> bool:
    return _manifest(path) is not None


def _build(
    folder: Path,
    pairs: Sequence[Pair],
    size: tuple[int, int],
    classes: ClassList,
    processes: int | None,
    progress: Callable[[int, int], None] | None,
    resize: str,
) -> None:
    """Fill a folder with a whole cache, the manifest last."""
    sources = tuple({id(source): source for source, _ in pairs}.values())
    places = {id(source): index for index, source in enumerate(sources)}
    work = _Work(
        sources=sources,
        pairs=tuple((places[id(source)], ref) for source, ref in pairs),
        lookups=tuple(classes.lookup(source.table) for source in sources),
        classes=len(classes.classes),
        size=size,
        resize=resize,
        folder=folder,
    )
    _reserve(folder / IMAGES_FILE, (len(pairs), *size, 3))
    _reserve(folder / LABELS_FILE, (len(pairs), *size))
    class_pixels = _pack_all(work, processes, progress or (lambda done, total: None))
    files = (IMAGES_FILE, LABELS_FILE)
    for name in files:
        with open(folder / name, "r+b") as file:
            os.fsync(file.fileno())
    write_json(
        folder / MANIFEST_FILE,
        {
            "version": FORMAT_VERSION,
            "size": list(size),
            "resize": resize,
            "classes": classes.to_dict(),
            "class_pixels": class_pixels.tolist(),
            "bytes": {name: (folder / name).stat().st_size for name in files},
            "keys": [ref.key for _, ref in pairs],
        },
    )


def _reserve(path: Path, shape: tuple[int, ...]) -> None:
    """Make an .npy file of zeros with its room on disk: a full disk under a memory map would kill the process."""
    need = int(np.prod(shape, dtype=np.int64))
    free = shutil.disk_usage(path.parent).free
    if need > free:
        raise DataError(
            f"{path.parent.parent}: the packed cache needs {need / 1e6:.0f} MB, the disk has {free / 1e6:.0f} MB free; "
            "free some, name another cache folder, or train at a smaller size"
        )
    np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=shape)
    if hasattr(os, "posix_fallocate"):
        with open(path, "r+b") as file:
            try:
                os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
            except OSError as error:
                # Some file systems cannot reserve; only a full disk is a reason to stop.
                if error.errno in (errno.ENOSPC, errno.EDQUOT):
                    raise DataError(f"{path.parent.parent}: the disk is too full for the packed cache") from error


def _pack_all(work: _Work, processes: int | None, progress: Callable[[int, int], None]) -> np.ndarray:
    """Pack all pairs, in this process or in several; returns (C,) int64 pixels of each class."""
    total = len(work.pairs)
    class_pixels = np.zeros(work.classes, np.int64)
    done = 0
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        started = time.monotonic()
        probe = total if processes == 1 else min(_PROBE_PAIRS, total) if processes is None else 0
        while done < probe:
            chunk = range(done, min(done + _CHUNK_PAIRS, total))
            class_pixels += _pack_chunk(work, chunk)
            done = chunk.stop
            progress(done, total)
        if processes is None:
            cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
            left_s = (time.monotonic() - started) / max(done, 1) * (total - done)
            processes = min(cores, MOST_PROCESSES) if left_s * (1 - 1 / cores) > POOL_COST_S else 1
        chunks = [range(at, min(at + _CHUNK_PAIRS, total)) for at in range(done, total, _CHUNK_PAIRS)]
        if processes == 1:
            for chunk in chunks:
                class_pixels += _pack_chunk(work, chunk)
                done += len(chunk)
                progress(done, total)
            return class_pixels
    finally:
        torch.set_num_threads(threads)
    # Spawn: forking a process that has torch's threads or Ray's may hang.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(min(processes, len(chunks)), context, initializer=_begin_process, initargs=(work,))
    try:
        waiting = {pool.submit(_pack_in_process, chunk): len(chunk) for chunk in chunks}
        for future in as_completed(waiting):
            class_pixels += future.result()
            done += waiting[future]
            progress(done, total)
    except BrokenProcessPool as error:
        raise DataError(
            f"{work.folder.parent}: a process that packed pictures was killed, most likely for want of memory; "
            "pack with fewer processes"
        ) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
    return class_pixels


_work: _Work | None = None


def _begin_process(work: _Work) -> None:
    """Set up one process of the pool."""
    global _work
    _work = work
    torch.set_num_threads(1)
    parent = multiprocessing.parent_process()
    if parent is not None:
        # A pool's processes do not notice that their parent was killed; they would wait for work for ever.
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: multiprocessing.process.BaseProcess) -> None:
    parent.join()
    os._exit(1)


def _pack_in_process(chunk: range) -> np.ndarray:
    assert _work is not None
    return _pack_chunk(_work, chunk)


def _pack_chunk(work: _Work, chunk: range) -> np.ndarray:
    """Read, resize and store some pairs; returns (C,) int64 pixels of each class among them."""
    images = np.lib.format.open_memmap(work.folder / IMAGES_FILE, mode="r+")
    labels = np.lib.format.open_memmap(work.folder / LABELS_FILE, mode="r+")
    counts = np.zeros(256, np.int64)
    for index in chunk:
        source_index, ref = work.pairs[index]
        source = work.sources[source_index]
        shrink = resize_rgb if work.resize == "antialias" else resize_nearest
        images[index] = shrink(source.read_rgb(ref), work.size)
        label = work.lookups[source_index][resize_nearest(source.read_tags(ref), work.size)]
        labels[index] = label
        counts += np.bincount(label.ravel(), minlength=256)
    assert work.classes <= VOID
    return counts[: work.classes]


def resize_rgb(rgb: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(H, W, 3) uint8 to (h, w, 3) uint8, bilinear with antialiasing; thin things do not flicker as with nearest."""
    if rgb.shape[:2] == tuple(size):
        return rgb
    if not rgb.flags.writeable:  # torch warns about arrays that it must not write
        rgb = rgb.copy()
    picture_1CHW = torch.from_numpy(rgb).permute(2, 0, 1)[None]
    small = torch.nn.functional.interpolate(picture_1CHW, size=tuple(size), mode="bilinear", antialias=True)
    return np.ascontiguousarray(small[0].permute(1, 2, 0).numpy())


def resize_nearest(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(H, W, ...) to (h, w, ...) by the pixel under each new pixel's centre, TensorFlow's and torch's nearest-exact."""
    (height, width), (h, w) = picture.shape[:2], size
    rows = ((np.arange(h) + 0.5) * height / h).astype(np.intp)
    columns = ((np.arange(w) + 0.5) * width / w).astype(np.intp)
    return picture[rows][:, columns]  # by rows first: both at once take five times as long
