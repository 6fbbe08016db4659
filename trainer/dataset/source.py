"""The one interface through which training, evaluation and checks read labelled pictures, whatever their layout."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from trainer.bucket import Bucket, is_url
from trainer.errors import DataError
from trainer.labels import LabelTable

LAYOUTS = "a recording (recording.json) or a folder with CameraRGB/ beside CameraSeg/ or CameraMask/ and a labels.yaml"


@dataclass(frozen=True)
class FrameRef:
    """One labelled picture of a source.

    key: unique and stable inside the source, the file stem or EPISODE/FRAME. episode, town, weather: '' when
    unknown. frame: the frame number, -1 when unknown.
    """

    key: str
    episode: str
    town: str
    weather: str
    frame: int


class Source(ABC):
    """Labelled pictures that belong together. Small to pickle, safe to read from several processes.

    lists: {'train': keys, 'val': keys} from list files beside the data, {} when there are none.
    encoding: how labels hold their ids (pictures.ENCODINGS). step_s: simulated seconds between two frame numbers, None
    when unknown. unpaired, missing_from_lists: what only an opening that is not strict lets pass: files without
    their other half, and list entries that no picture has.
    """

    path: Path
    name: str
    table: LabelTable
    frames: Sequence[FrameRef]
    lists: dict[str, tuple[str, ...]]
    encoding: str = "grey"
    step_s: float | None = None
    missing_from_lists: tuple[str, ...] = ()
    unpaired: tuple[str, ...] = ()

    @property
    def place(self) -> str:
        """Where it is, for a person."""
        return str(self.path.absolute())

    @abstractmethod
    def rgb_bytes(self, ref: FrameRef) -> bytes:
        """The picture as it is stored, PNG or JPEG."""

    @abstractmethod
    def label_bytes(self, ref: FrameRef) -> bytes:
        """The label as it is stored, PNG."""

    @abstractmethod
    def where(self, ref: FrameRef) -> tuple[str, str]:
        """Names of picture and label for messages."""

    @abstractmethod
    def read_rgb(self, ref: FrameRef) -> np.ndarray:
        """The picture as (H, W, 3) uint8 RGB. DataError where it cannot be decoded."""

    @abstractmethod
    def read_tags(self, ref: FrameRef) -> np.ndarray:
        """The label as (H, W) uint8 tag ids.

        DataError where it cannot be decoded, holds an id that the table lacks, or is not of its picture's size.
        """

    @abstractmethod
    def fingerprint(self) -> str:
        """Sha256 (hex) that says which data this is: equal for copies on other machines.

        Rule: over all keys in order, with size and content digest of both files. Folders: the whole content of
        files up to 64 KiB, of larger ones the first and last 32 KiB. Recordings: the CRC-32 that was written with
        each file.
        """

    @abstractmethod
    def content_key(self, ref: FrameRef) -> str:
        """Identifies the content of one pair for the packed cache's key; changes when either file is rewritten."""


def open_source(
    path: Path | str,
    table: str | None = None,
    encoding: str | None = None,
    camera: str | None = None,
    strict: bool = True,
) -> Source:
    """Open a recording or a folder of pictures by its layout; a recording may be in S3 (s3://BUCKET/FOLDER).

    table, encoding: how to read a folder's labels where it has no labels.yaml (they win over it where it has one).
    camera: which camera of a recording; the first of its rig by default. strict=False opens a folder in spite of
    pictures without labels and lists naming unknown stems (`data check` reports those).
    Raises DataError when nothing readable is there; the sentence names the layouts that are.
    """
    # Imported here: both modules need this one for Source.
    from trainer.dataset.folders import FolderSource, find_layout
    from trainer.dataset.recording import RECORDING_FILE, RecordingSource

    if is_url(path):
        from trainer.dataset.remote import RemoteRecording

        return RemoteRecording(Bucket.from_url(path), camera=camera, strict=strict)
    path = Path(path)
    if not path.exists():
        raise DataError(f"{path}: no such folder; expected {LAYOUTS}")
    if not path.is_dir():
        raise DataError(f"{path}: is a file; expected {LAYOUTS}")
    if (path / RECORDING_FILE).is_file():
        for flag, value in (("--table", table), ("--encoding", encoding)):
            if value is not None:
                raise DataError(f"{path}: is a recording, which carries its label table; leave {flag} {value} out")
        return RecordingSource(path, camera=camera, strict=strict)
    if find_layout(path) is not None:
        if camera is not None:
            raise DataError(f"{path}: is a folder of pictures, which has no cameras; leave --camera {camera} out")
        return FolderSource(path, table=table, encoding=encoding, strict=strict)
    inside = sorted(
        child.name
        for child in path.iterdir()
        if child.is_dir() and ((child / RECORDING_FILE).is_file() or find_layout(child) is not None)
    )
    hint = f"; did you mean {path / inside[0]}?" if inside else ""
    raise DataError(f"{path}: holds no data in a known layout; expected {LAYOUTS}{hint}")
