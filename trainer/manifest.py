"""A manifest makes a folder whole or not: the sha256 of each of its files, written last and in one piece.

Model artifacts and checkpoints end with one. A folder without it is what a killed writer left, a folder whose hashes
differ was damaged or changed; both are refused by name, and neither is ever removed here.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from trainer.errors import ModelError

MANIFEST = "manifest.json"


def sha256_of(path: Path) -> str:
    """The sha256 of a file, hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() if hasattr(hashlib, "file_digest") else _digest(file)


def write_text(path: Path, text: str) -> None:
    """Write a file so that a reader sees the old one or the new one, never a half; on disk when this returns."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with temporary.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)


def write_json(path: Path, values: Any) -> None:
    """As `write_text`; values: plain ones, without NaN, which is no JSON."""
    write_text(path, json.dumps(values, indent=1, allow_nan=False) + "\n")


def read_json(path: Path, what: str) -> Any:
    """The JSON in a file that belongs to a `what` ("model artifact").

    Raises:
        ModelError: the file is missing or no JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ModelError(
            f"{path.parent}: not a whole {what}, {path.name} is missing; name a folder that `train` or `export` finished."
        ) from None
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(
            f"{path}: can't be read as JSON ({error}); the {what} is damaged, use another copy of it."
        ) from None


def write_manifest(folder: Path, leave_out: tuple[str, ...] = (), **fields: Any) -> None:
    """Seal a folder: the hash and size of each file directly in it but those left out, and `fields`."""
    files = {}
    for path in sorted(folder.iterdir()):
        if path.is_file() and path.name not in (MANIFEST, *leave_out):
            with path.open("rb") as file:
                os.fsync(file.fileno())
            files[path.name] = {"sha256": sha256_of(path), "bytes": path.stat().st_size}
    write_json(folder / MANIFEST, {**fields, "files": files})


def check_manifest(folder: Path, what: str) -> dict[str, Any]:
    """The manifest of a folder, after every file that it names was found whole.

    Raises:
        ModelError: no such folder, no manifest, or a file that is missing or another one.
    """
    if not folder.is_dir():
        raise ModelError(f"{folder}: there is no such {what} folder; check the path.")
    manifest = read_json(folder / MANIFEST, what)
    files = manifest.get("files") if isinstance(manifest, dict) else None
    if not isinstance(files, dict):
        raise ModelError(f"{folder / MANIFEST}: lists no files; the {what} is damaged, use another copy of it.")
    for name, expected in files.items():
        path = folder / name
        if path.parent != folder or name == "..":
            raise ModelError(
                f"{folder / MANIFEST}: names {name[:100]!r}, which is not in the folder; use another copy."
            )
        if not path.is_file():
            raise ModelError(f"{folder}: not a whole {what}, {name} is missing; copy the whole folder again.")
        if not isinstance(expected, dict) or sha256_of(path) != expected.get("sha256"):
            raise ModelError(
                f"{path}: differs from what {MANIFEST} says (sha256); the {what} was changed or damaged, "
                "use another copy of it."
            )
    return manifest


def _digest(file: Any) -> str:  # CPython 3.10
    digest = hashlib.sha256()
    while chunk := file.read(1 << 20):
        digest.update(chunk)
    return digest.hexdigest()
