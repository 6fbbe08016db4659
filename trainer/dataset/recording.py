"""The recording format: what the JSON files hold, and reading a recording, whole or left by a kill.

    DIR/recording.json                 what all episodes share
    DIR/episodes/ID/episode.json       one drive; its counts are an index that the shards can make anew
    DIR/episodes/ID/shard-00000.tar    frames: FRAME.CAMERA.rgb.jpg  FRAME.CAMERA.semantic.png  ...  FRAME.json

docs/recording-format.md is the contract, with a snippet that reads each part.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_origin, get_type_hints

import numpy as np

from trainer.config import build, nearest, shown
from trainer.dataset.frame_table import Entries, FrameTable, Part, rows_with
from trainer.dataset.pictures import decode_label, decode_rgb, picture_size
from trainer.dataset.shard import read_member
from trainer.dataset.shard_index import ShardIndex, read_shard
from trainer.dataset.source import FrameRef, Source
from trainer.dataset.split import read_lists
from trainer.errors import ConfigError, DataError, LabelError
from trainer.labels import LabelTable

FORMAT = "carla-unet recording"
FORMAT_VERSION = 1
RECORDING_FILE = "recording.json"
EPISODE_FILE = "episode.json"
EPISODES_FOLDER = "episodes"


@dataclass(frozen=True)
class Camera:
    """One camera of a rig. fov_deg is horizontal; pose is on the vehicle, in CARLA's axes (x ahead, y right, z up).

    pose: x_m, y_m, z_m, roll_deg, pitch_deg, yaw_deg.
    """

    name: str
    width: int
    height: int
    fov_deg: float = 90.0
    pose: tuple[float, float, float, float, float, float] = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0)

    def __post_init__(self) -> None:
        if not self.name or not self.name.replace("-", "").replace("_", "").isalnum():
            raise ValueError(f"name: a camera is named with letters, digits, - and _, not {self.name!r}")
        if self.width < 1 or self.height < 1:
            raise ValueError(f"width, height: {self.width}x{self.height} pixels make no picture")


@dataclass(frozen=True)
class Codecs:
    """How pictures are compressed. rgb: `jpg`, or `png` for no loss; train and use a model on the same compression."""

    rgb: str = "jpg"
    jpeg_quality: int = 95
    jpeg_subsampling: str = "4:4:4"

    def __post_init__(self) -> None:
        if self.rgb not in ("jpg", "png"):
            raise ValueError(f"rgb: 'jpg' or 'png', not {self.rgb!r}")
        if not 1 <= self.jpeg_quality <= 100:
            raise ValueError(f"jpeg_quality: 1 to 100, not {self.jpeg_quality}")
        if self.jpeg_subsampling not in ("4:4:4", "4:2:2", "4:2:0"):
            raise ValueError(f"jpeg_subsampling: '4:4:4', '4:2:2' or '4:2:0', not {self.jpeg_subsampling!r}")


@dataclass(frozen=True)
class RecordingInfo:
    """recording.json. simulator: {'name', 'version'}; step_s: simulated seconds a frame; config: the recorder's own."""

    id: str
    table: LabelTable
    rig: tuple[Camera, ...]
    simulator: dict[str, str]
    step_s: float
    codecs: Codecs
    config: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """The content of recording.json."""
        return {
            "format": FORMAT,
            "version": FORMAT_VERSION,
            "id": self.id,
            "label_table": self.table.to_dict(),
            "rig": [dataclasses.asdict(camera) | {"pose": list(camera.pose)} for camera in self.rig],
            "simulator": self.simulator,
            "step_s": self.step_s,
            "codecs": dataclasses.asdict(self.codecs),
            "config": self.config,
        }


@dataclass(frozen=True)
class EpisodeInfo:
    """episode.json. state: `open` while it is written (and after a kill), `closed` after.

    weather: {'name': ..., and all of its numbers}; seeds: {what: number}; traffic: counts and the like;
    frames: whole frames when it was closed; dropped: {reason: frames}; ended: why it was closed.
    cameras: {} where they were as recording.json says; else {'rig': {camera: {'fov_deg', 'pose'}}, 'attributes': CARLA's}.
    """

    id: str
    town: str
    weather: dict[str, Any] = field(default_factory=dict)
    seeds: dict[str, int] = field(default_factory=dict)
    traffic: dict[str, Any] = field(default_factory=dict)
    simulator: dict[str, str] = field(default_factory=dict)
    state: str = "open"
    ended: str = ""
    frames: int = 0
    dropped: dict[str, int] = field(default_factory=dict)
    cameras: dict[str, Any] = field(default_factory=dict)

    @property
    def weather_name(self) -> str:
        """The weather in a word, '' when it has none."""
        return str(self.weather.get("name", ""))


_EPISODE_KEYS: dict[str, type] = {key: get_origin(hint) or hint for key, hint in get_type_hints(EpisodeInfo).items()}


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Replace a JSON file in one step: a kill leaves the old or the new one, never half of one."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    with open(beside, "w", encoding="utf-8") as file:
        json.dump(value, file, indent=1)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    os.replace(beside, path)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path}: cannot be read ({error}); `data repair` rebuilds what can be rebuilt") from error
    if not isinstance(values, dict):
        raise DataError(f"{path}: a JSON object is expected, found {type(values).__name__}")
    return values


def read_recording_info(path: Path) -> RecordingInfo:
    """Read DIR/recording.json. DataError when it is missing, damaged, or of a newer format."""
    file = path / RECORDING_FILE
    if not file.is_file():
        raise DataError(f"{path}: is no recording, {RECORDING_FILE} is missing")
    values = _read_json(file)
    if values.get("format") != FORMAT or values.get("version") != FORMAT_VERSION:
        raise DataError(
            f"{file}: format {values.get('format')!r} version {values.get('version')!r}; this program reads "
            f"{FORMAT!r} version {FORMAT_VERSION}, so update it or convert the recording"
        )
    try:
        return RecordingInfo(
            id=values["id"],
            table=LabelTable.from_dict(values["label_table"], str(file)),
            rig=tuple(build(Camera, camera, f"{file}: rig") for camera in values["rig"]),
            simulator=dict(values["simulator"]),
            step_s=float(values["step_s"]),
            codecs=build(Codecs, values["codecs"], f"{file}: codecs"),
            config=dict(values.get("config", {})),
        )
    except LabelError:
        raise
    except (KeyError, TypeError, ValueError, ConfigError) as error:
        what = f"the key {error} is missing" if isinstance(error, KeyError) else str(error)
        raise DataError(f"{file}: {what}; put back the file that the recorder wrote") from error


def read_episode_info(folder: Path) -> EpisodeInfo:
    """Read episode.json of one episode folder. DataError when it is missing or damaged."""
    values = _read_json(folder / EPISODE_FILE)
    for key, kind in _EPISODE_KEYS.items():
        if key in values and type(values[key]) is not kind:
            raise DataError(
                f"{folder / EPISODE_FILE}: {key} is {shown(values[key])}, expected a {kind.__name__}; "
                "`data repair` rebuilds what can be rebuilt"
            )
    try:
        return EpisodeInfo(**{key: value for key, value in values.items() if key in _EPISODE_KEYS})
    except TypeError as error:
        raise DataError(f"{folder / EPISODE_FILE}: {error}; `data repair` rebuilds what can be rebuilt") from error


def episode_folders(path: Path) -> list[Path]:
    """The folders of a recording's episodes, in order of their names."""
    root = path / EPISODES_FOLDER
    if not root.is_dir():
        return []
    return sorted(child for child in root.iterdir() if child.is_dir() and not child.name.startswith("."))


def shard_paths(folder: Path) -> list[Path]:
    """The shards of one episode, in the order of writing."""
    return sorted(shard for shard in folder.glob("shard-*.tar") if shard.is_file())


class RecordingSource(Source):
    """A recording as labelled pictures of one camera. Torn tails of shards are passed over; `data check` names them."""

    def __init__(self, path: Path, camera: str | None = None, strict: bool = True) -> None:
        self.path = path
        self.name = path.resolve().name
        self.info = read_recording_info(path)
        self.table = self.info.table
        self.step_s = self.info.step_s
        names = [cam.name for cam in self.info.rig]
        if not names:
            raise DataError(f"{path / RECORDING_FILE}: the rig has no camera")
        if camera is not None and camera not in names:
            raise DataError(f"{path}: has no camera {camera!r}; {nearest(camera, names)}")
        self.camera = camera or names[0]
        self.episodes: dict[str, EpisodeInfo] = {}
        parts: list[Part] = []
        for folder in self._episodes():
            episode = self.episodes[folder.name] = read_episode_info(folder)
            shards = self._shards(folder)
            # A frame that stands twice (a shard copied by hand) counts once: the first is kept.
            taken: set[bytes] | None = set() if len(shards) > 1 else None
            for shard in shards:
                index = self._index_of(shard)
                rows = rows_with(index, f"{self.camera}.rgb.", taken)
                place = shard.relative_to(path)
                parts.append(Part(place, folder.name, episode.town, episode.weather_name, index, rows))
        self.frames = self._frames = FrameTable(parts)
        self.lists, self.missing_from_lists = read_lists(path, Entries(self._frames, tuple(self.episodes)), strict)

    # How the shards are reached: these are all that a recording elsewhere does otherwise.

    def _episodes(self) -> list[Path]:
        return episode_folders(self.path)

    def _shards(self, folder: Path) -> list[Path]:
        return shard_paths(folder)

    def _index_of(self, shard: Path) -> ShardIndex:
        return read_shard(shard)

    def _read(self, shard: Path, member: tuple[int, int]) -> bytes:
        return read_member(shard, member)

    def member_bytes(self, ref: FrameRef, kind: str) -> bytes:
        """One member of a frame as it is stored. kind: `rgb`, `semantic`, `depth`, `instance` or `json`.

        DataError where the frame has none.
        """
        shard, frame = self._frames.place(ref.key)
        return self._read(self.path / shard, frame.members[self._field(ref, kind)])

    def _field(self, ref: FrameRef, kind: str) -> str:
        shard, frame = self._frames.place(ref.key)
        prefix = "json" if kind == "json" else f"{self.camera}.{kind}."
        for name in frame.members:
            if name.startswith(prefix):
                return name
        raise DataError(f"{self.path / shard}: frame {frame.stem} has no {kind} picture of camera {self.camera}")

    def where(self, ref: FrameRef) -> tuple[str, str]:
        """Names of picture and label for messages: shard and member."""
        shard, frame = self._frames.place(ref.key)
        name = f"{self.path / shard}: {frame.stem}.{self.camera}"
        return f"{name}.rgb", f"{name}.semantic"

    def rgb_bytes(self, ref: FrameRef) -> bytes:
        """The picture as it is stored, PNG or JPEG."""
        return self.member_bytes(ref, "rgb")

    def label_bytes(self, ref: FrameRef) -> bytes:
        """The label as it is stored, 8-bit grey PNG."""
        return self.member_bytes(ref, "semantic")

    def meta(self, ref: FrameRef) -> dict[str, Any]:
        """FRAME.json of the frame."""
        try:
            values = json.loads(self.member_bytes(ref, "json"))
        except (ValueError, RecursionError) as error:
            shard, frame = self._frames.place(ref.key)
            raise DataError(f"{self.path / shard}: {frame.stem}.json is damaged ({error})") from error
        if not isinstance(values, dict):
            raise DataError(f"{self.where(ref)[0]}: its FRAME.json is damaged, it holds {shown(values)}")
        return values

    def _written_crc32(self, ref: FrameRef) -> dict[str, str]:
        """Member -> the CRC-32 that was written with it, hex; {} where FRAME.json says nothing."""
        written = self.meta(ref).get("crc32")
        return written if isinstance(written, dict) else {}

    def changed_members(self, ref: FrameRef) -> list[str]:
        """Members of the frame, of any camera, whose CRC-32 is not the one written with them."""
        shard, frame = self._frames.place(ref.key)
        written = self._written_crc32(ref)
        return [
            name
            for name, place in frame.members.items()
            if name in written and f"{zlib.crc32(self._read(self.path / shard, place)):08x}" != written[name]
        ]

    def read_rgb(self, ref: FrameRef) -> np.ndarray:
        """The picture as (H, W, 3) uint8 RGB."""
        return decode_rgb(self.rgb_bytes(ref), self.where(ref)[0])

    def read_tags(self, ref: FrameRef) -> np.ndarray:
        """The label as (H, W) uint8 tag ids, checked against the table and the picture's size."""
        picture, label = self.where(ref)
        tags = decode_label(self.label_bytes(ref), "grey", self.table, label)
        size = picture_size(self.rgb_bytes(ref), picture)
        if tags.shape != size:
            raise DataError(
                f"{label}: the label is {tags.shape[1]}x{tags.shape[0]} pixels, its picture is {size[1]}x{size[0]}; "
                "both must have one size"
            )
        self.table.check(tags, label)
        return tags

    def fingerprint(self) -> str:
        """Sha256 (hex) over keys, sizes and the CRC-32 that were written with the files."""
        digest = hashlib.sha256()
        for ref in self.frames:
            digest.update(f"{ref.key}\0{self.content_key(ref)}\0".encode())
        return digest.hexdigest()

    def content_key(self, ref: FrameRef) -> str:
        """Sizes and written CRC-32 of picture and label."""
        written = self._written_crc32(ref)
        members = self._frames.place(ref.key)[1].members
        names = [self._field(ref, "rgb"), self._field(ref, "semantic")]
        return ":".join(f"{members[name][1]}.{written.get(name, '')}" for name in names)
