"""Where the simulator keeps what takes long to make and comes out the same each time: compiled kernels, towns, textures."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Arrays = dict[str, npt.NDArray[Any]]


def digest_of(sources: Iterable[Path], *circumstances: str) -> str:
    """Twelve digits that change when a source file or a circumstance does."""
    digest = hashlib.sha256("\0".join(circumstances).encode())
    for source in sorted(sources):
        digest.update(source.name.encode() + b"\0" + source.read_bytes())
    return digest.hexdigest()[:12]


def cache_folder(name: str) -> Path:
    """A folder to write in: below `NUMBA_CACHE_DIR` if set, else in the user's cache folder, else in the temporary one."""
    user_cache = Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"))
    for parent in (os.environ.get("NUMBA_CACHE_DIR"), user_cache / "carla-unet"):
        if parent and _writable(Path(parent) / name):
            return Path(parent) / name
    user_id = os.getuid() if hasattr(os, "getuid") else 0
    return Path(tempfile.gettempdir()) / f"carla-unet-{user_id}" / name


def _writable(folder: Path) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def kept_arrays(path: Path, make: Callable[[], Mapping[str, npt.NDArray[Any]]]) -> Arrays:
    """The arrays of a file; made, and written for the next time, if it is not there or not whole."""
    try:
        # Opened here: NumPy leaves a file open that it cannot read.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return dict(arrays)
    except (OSError, EOFError, ValueError, zipfile.BadZipFile):
        made = dict(make())
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as written:
            np.savez(written, **made)  # type: ignore[arg-type]
        partial.replace(path)
    except OSError:
        # A full disk, a folder of somebody else's: it is made again next time.
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
    return made
