"""Folders of pictures as people have them: CameraRGB/ beside CameraSeg/ or CameraMask/, paired by file stem."""

from __future__ import annotations

import hashlib
import os
import re
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from trainer.config import build, load_yaml, nearest
from trainer.dataset.pictures import ENCODINGS, decode_label, decode_rgb, picture_size
from trainer.dataset.source import FrameRef, Source
from trainer.dataset.split import read_lists
from trainer.errors import DataError, LabelError
from trainer.labels import load_label_table

RGB_FOLDER = "CameraRGB"
LABEL_FOLDERS = ("CameraSeg", "CameraMask")  # the first that exists is read
LABELS_FILE = "labels.yaml"
PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg")

# `<id>_<town>_<weather>_<car>`, the names of the IDDA data set; `data export` writes the same pattern.
_DRIVE_NAME = re.compile(r"@?(\d+)_([A-Za-z0-9-]+)_([A-Za-z0-9-]+)_([A-Za-z0-9-]+)")
_NUMBER = re.compile(r"\d+$")

# What the fingerprint reads of one file: all of a small one, both ends of a larger one.
_WHOLE_BYTES = 64 * 1024
_END_BYTES = 32 * 1024
# What the content key reads beside size and time of change.
_KEY_BYTES = 4 * 1024


@dataclass(frozen=True)
class LabelsFile:
    """labels.yaml: which label table the ids are from, and how the label pictures hold them."""

    table: str | None = None
    encoding: str | None = None


@dataclass(frozen=True)
class Layout:
    """The two folders of pictures and labels."""

    rgb: Path
    labels: Path


def find_layout(path: Path) -> Layout | None:
    """The layout of a folder of pictures, None where there is none."""
    if not (path / RGB_FOLDER).is_dir():
        return None
    for name in LABEL_FOLDERS:
        if (path / name).is_dir():
            return Layout(path / RGB_FOLDER, path / name)
    return None


def _stems(folder: Path) -> dict[str, str]:
    """{stem: file name} of the pictures in a folder. DataError where two files share a stem."""
    found: dict[str, str] = {}
    with os.scandir(folder) as entries:
        names = sorted(entry.name for entry in entries if entry.is_file())  # opening a pipe would wait for ever
    for name in names:
        stem, suffix = os.path.splitext(name)
        if name.startswith(".") or suffix.lower() not in PICTURE_SUFFIXES:
            continue
        if stem in found:
            raise DataError(f"{folder}: {found[stem]} and {name} share a stem, so the pair is not clear; keep one")
        found[stem] = name
    return found


def frames_of_stems(stems: list[str]) -> tuple[FrameRef, ...]:
    """What the stems tell. Where all have the form <id>_<town>_<weather>_<car>: those; else the last number only.

    In order of the drive (episode, frame) where that is known, else by stem.
    """
    drives = [_DRIVE_NAME.fullmatch(stem) for stem in stems]
    refs: list[FrameRef] = []
    for stem, drive in zip(stems, drives, strict=True):
        if drive is not None and all(drives):
            number, town, weather, car = drive.groups()
            refs.append(FrameRef(stem, f"{town}_{weather}_{car}", town, weather, int(number)))
        else:
            tail = _NUMBER.search(stem)
            refs.append(FrameRef(stem, "", "", "", int(tail[0]) if tail else -1))
    return tuple(sorted(refs, key=lambda ref: (ref.episode, ref.frame, ref.key)))


class FolderSource(Source):
    """A folder of pictures with labels. Unpaired files are an error at opening when strict."""

    def __init__(self, path: Path, table: str | None = None, encoding: str | None = None, strict: bool = True) -> None:
        layout = find_layout(path)
        if layout is None:
            raise DataError(f"{path}: has no {RGB_FOLDER}/ beside {' or '.join(name + '/' for name in LABEL_FOLDERS)}")
        self.path = path
        self.name = path.resolve().name
        self.layout = layout
        self.table, self.encoding = self._how_to_read(table, encoding)
        pictures, labels = _stems(layout.rgb), _stems(layout.labels)
        self.unpaired = tuple(
            [str(layout.rgb / pictures[stem]) for stem in sorted(pictures.keys() - labels.keys())]
            + [str(layout.labels / labels[stem]) for stem in sorted(labels.keys() - pictures.keys())]
        )
        if not pictures and not labels:
            raise DataError(f"{path}: {RGB_FOLDER}/ and {layout.labels.name}/ hold no PNG or JPEG pictures")
        if strict and self.unpaired:
            self._refuse_unpaired(len(pictures.keys() - labels.keys()))
        stems = sorted(pictures.keys() & labels.keys())
        self._files = {stem: (pictures[stem], labels[stem]) for stem in stems}
        self.frames = frames_of_stems(stems)
        self.lists, self.missing_from_lists = read_lists(path, {stem: (stem,) for stem in stems}, strict)

    def _how_to_read(self, table: str | None, encoding: str | None) -> tuple:
        beside = self.path / LABELS_FILE
        stated = build(LabelsFile, load_yaml(beside), str(beside)) if beside.is_file() else LabelsFile()
        if table is None and stated.table is not None:
            own = self.path / stated.table  # a table file that travels with the data
            table = str(own) if own.is_file() else stated.table
        encoding = encoding or stated.encoding
        lacking = [name for name, value in (("table", table), ("encoding", encoding)) if value is None]
        if table is None or encoding is None:
            raise DataError(
                f"{self.path}: nothing says how its labels are stored; write {LABELS_FILE} with `table:` and "
                f"`encoding:` beside them, or pass {' and '.join('--' + name for name in lacking)} "
                f"(tables carla-0.8, carla-0.9.10, carla-0.9.14, idda-24 or a file; encodings {', '.join(ENCODINGS)})"
            )
        if encoding not in ENCODINGS:
            raise DataError(
                f"{self.path}: there is no label encoding {encoding!r}; {nearest(str(encoding), ENCODINGS)}"
            )
        try:
            return load_label_table(table), encoding
        except LabelError as error:
            raise LabelError(
                f"{self.path / LABELS_FILE}: {error}" if stated.table is not None else str(error)
            ) from None

    def _refuse_unpaired(self, without_label: int) -> None:
        half = "label" if without_label else "picture"
        folder = self.layout.labels if without_label else self.layout.rgb
        more = f" ({len(self.unpaired)} files lack their other half)" if len(self.unpaired) > 1 else ""
        raise DataError(
            f"{self.unpaired[0]}: has no {half} of the same name in {folder}{more}; add it, or move the file away "
            "(`data check` lists them all)"
        )

    def where(self, ref: FrameRef) -> tuple[str, str]:
        """The paths of picture and label."""
        picture, label = self._files[ref.key]
        return str(self.layout.rgb / picture), str(self.layout.labels / label)

    def rgb_bytes(self, ref: FrameRef) -> bytes:
        """The picture file, PNG or JPEG."""
        return self._bytes(self.where(ref)[0])

    def label_bytes(self, ref: FrameRef) -> bytes:
        """The label file, PNG."""
        return self._bytes(self.where(ref)[1])

    def _bytes(self, name: str) -> bytes:
        try:
            return Path(name).read_bytes()
        except OSError as error:
            raise DataError(f"{name}: cannot be read ({error.strerror})") from error

    def read_rgb(self, ref: FrameRef) -> np.ndarray:
        """The picture as (H, W, 3) uint8 RGB."""
        return decode_rgb(self.rgb_bytes(ref), self.where(ref)[0])

    def read_tags(self, ref: FrameRef) -> np.ndarray:
        """The label as (H, W) uint8 tag ids, checked against the table and the picture's size."""
        picture, label = self.where(ref)
        tags = decode_label(self.label_bytes(ref), self.encoding, self.table, label)
        with open(picture, "rb") as file:
            # A JPEG's size stands behind its metadata, which may be a thumbnail of up to 64 KiB.
            head = file.read(_WHOLE_BYTES)
        try:
            size = picture_size(head, picture)
        except DataError:
            size = picture_size(self.rgb_bytes(ref), picture)
        if tags.shape != size:
            raise DataError(
                f"{label}: the label is {tags.shape[1]}x{tags.shape[0]} pixels, its picture is {size[1]}x{size[0]}; "
                "both must have one size"
            )
        self.table.check(tags, label)
        return tags

    def fingerprint(self) -> str:
        """Sha256 (hex) over keys, sizes and contents; of files above 64 KiB both ends of 32 KiB."""
        digest = hashlib.sha256()
        for ref in self.frames:
            digest.update(ref.key.encode() + b"\0")
            for name in self.where(ref):
                size = os.path.getsize(name)
                digest.update(size.to_bytes(8, "little"))
                with open(name, "rb") as file:
                    if size <= _WHOLE_BYTES:
                        digest.update(file.read())
                    else:
                        digest.update(file.read(_END_BYTES))
                        file.seek(-_END_BYTES, os.SEEK_END)
                        digest.update(file.read())
        return digest.hexdigest()

    def content_key(self, ref: FrameRef) -> str:
        """Encoding, and of both files the size, the time of change and the CRC-32 of both ends of 4 KiB."""
        parts: list[str] = [self.encoding]
        for name in self.where(ref):
            with open(name, "rb") as file:
                state = os.fstat(file.fileno())
                ends = zlib.crc32(file.read(_KEY_BYTES))
                if state.st_size > _KEY_BYTES:
                    file.seek(-_KEY_BYTES, os.SEEK_END)
                    ends = zlib.crc32(file.read(), ends)
            parts.append(f"{state.st_size}.{state.st_mtime_ns}.{ends:08x}")
        return ":".join(parts)
