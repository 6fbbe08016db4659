"""Writing a recording: create or go on with one, append frames, close episodes; a kill -9 loses at most one frame.

What is on disk when: an appended frame is in its shard when `append` returns (safe from a kill of the process);
shards are fsynced when they are full and when their episode closes (safe from a power failure).
"""

from __future__ import annotations

import dataclasses
import json
import re
import uuid
import zlib
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from trainer.dataset.lock import locked
from trainer.dataset.pictures import encode_depth, encode_ids, encode_jpeg, encode_png
from trainer.dataset.recording import (
    EPISODE_FILE,
    EPISODES_FOLDER,
    RECORDING_FILE,
    Camera,
    Codecs,
    EpisodeInfo,
    RecordingInfo,
    episode_folders,
    read_episode_info,
    read_recording_info,
    shard_paths,
    write_json,
)
from trainer.dataset.repair import mend_episode
from trainer.dataset.shard import ShardWriter, scan_shard
from trainer.dataset.shard_index import read_shard
from trainer.errors import DataError
from trainer.labels import LabelTable

# A shard holds about half a minute of 800x600 at 20 Hz: few files, and a damaged one costs little.
SHARD_BYTES = 256 * 1024 * 1024
_EPISODE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


@dataclass(frozen=True)
class EncodedFrame:
    """One bundle as a shard holds it. members: {field: file}, `json` last; tag_pixels: {camera: {tag id: pixels}}."""

    frame: int
    members: dict[str, bytes]
    tag_pixels: dict[str, dict[int, int]]

    @property
    def bytes(self) -> int:
        """Bytes of its files."""
        return sum(map(len, self.members.values()))


def encode_frame(
    info: RecordingInfo,
    frame: int,
    cameras: Mapping[str, Mapping[str, np.ndarray]],
    meta: Mapping[str, Any] | None = None,
    where: str = "",
) -> EncodedFrame:
    """Compress one bundle as `info` says; touches no file, so any thread or machine can do it.

    cameras: {camera: {'rgb': (H, W, 3) uint8, 'semantic': (H, W) uint8 tag ids, optional 'depth': (H, W) float
    metres, 'instance': (H, W) integer ids}}. meta: what else FRAME.json holds: sim_time_s, ego, velocity, control,
    traffic_light. where: names the recording in errors.
    Raises DataError for an unknown tag id, or a picture of another size than its camera's.
    """
    if set(cameras) != {camera.name for camera in info.rig}:
        rig = sorted(camera.name for camera in info.rig)
        raise DataError(f"{where}: frame {frame} has the cameras {sorted(cameras)}, the rig {rig}")
    members: dict[str, bytes] = {}
    tag_pixels: dict[str, dict[int, int]] = {}
    for camera in info.rig:
        named = f"{where}: frame {frame} camera {camera.name}"
        tag_pixels[camera.name] = _encode_camera(info, camera, cameras[camera.name], named, members)
    values = {
        **(meta or {}),
        "frame": frame,
        "tags": tag_pixels,
        "crc32": {field: f"{zlib.crc32(data):08x}" for field, data in members.items()},
    }
    members["json"] = json.dumps(values, separators=(",", ":")).encode()
    return EncodedFrame(frame, members, tag_pixels)


def _encode_camera(
    info: RecordingInfo, camera: Camera, pictures: Mapping[str, np.ndarray], where: str, members: dict[str, bytes]
) -> dict[int, int]:
    """Encode one camera's pictures into members; returns {tag id: pixels}."""
    unknown = set(pictures) - {"rgb", "semantic", "depth", "instance"}
    missing = {"rgb", "semantic"} - set(pictures)
    if unknown or missing:
        raise DataError(f"{where}: pictures 'rgb' and 'semantic' (and 'depth', 'instance'), not {sorted(pictures)}")
    for kind, picture in pictures.items():
        if picture.shape[:2] != (camera.height, camera.width):
            raise DataError(
                f"{where}: the {kind} picture is {picture.shape[1]}x{picture.shape[0]}, "
                f"the rig says {camera.width}x{camera.height}"
            )
    rgb, tags = pictures["rgb"], pictures["semantic"]
    if rgb.dtype != np.uint8 or rgb.ndim != 3 or tags.dtype != np.uint8 or tags.ndim != 2:
        raise DataError(f"{where}: rgb must be (H, W, 3) uint8 and semantic (H, W) uint8")
    counts = np.bincount(tags.ravel(), minlength=256)
    if counts[~info.table.known()].any():
        info.table.check(tags, where)  # raises, with what is wrong
    codecs = info.codecs
    if codecs.rgb == "jpg":
        members[f"{camera.name}.rgb.jpg"] = encode_jpeg(rgb, codecs.jpeg_quality, codecs.jpeg_subsampling)
    else:
        members[f"{camera.name}.rgb.png"] = encode_png(rgb)
    members[f"{camera.name}.semantic.png"] = encode_ids(tags)
    if "depth" in pictures:
        members[f"{camera.name}.depth.png"] = encode_depth(pictures["depth"])
    if "instance" in pictures:
        instances = pictures["instance"]
        if instances.min() < 0 or instances.max() > 65535:
            raise DataError(f"{where}: instance ids must lie between 0 and 65535")
        members[f"{camera.name}.instance.png"] = encode_ids(instances.astype(np.uint16))
    return {int(tag): int(counts[tag]) for tag in np.flatnonzero(counts)}


class EpisodeWriter:
    """One episode that is open; RecordingWriter.begin_episode makes it. Any number may be open, for one thread each."""

    def __init__(self, recording: RecordingWriter, info: EpisodeInfo, last_frame: int) -> None:
        self.info = info
        self._recording = recording
        self._folder = recording.path / EPISODES_FOLDER / info.id
        self._last_frame = last_frame
        self._shard: ShardWriter | None = None
        # A shard is never appended to by a second writer: the next number is as good, and nothing can be torn twice.
        self._shards = len(shard_paths(self._folder))

    def append(self, encoded: EncodedFrame) -> int:
        """Write one bundle behind the others; returns its bytes.

        Raises DataError for a frame number that is not greater than the one before, or a full disk.
        """
        if encoded.frame <= self._last_frame:
            raise DataError(
                f"{self._recording.path}: episode {self.info.id} has frame {self._last_frame} already, "
                f"{encoded.frame} would go back"
            )
        if self._shard is None:
            self._shard = ShardWriter(self._folder / f"shard-{self._shards:05d}.tar")
            self._shards += 1
        written = self._shard.append(f"{encoded.frame:08d}", encoded.members)
        self._last_frame = encoded.frame
        self.info = dataclasses.replace(self.info, frames=self.info.frames + 1)
        if self._shard.bytes >= self._recording.shard_bytes:
            self._close_shard()
        return written

    def count_dropped(self, reason: str, frames: int = 1) -> None:
        """Count frames that were dropped, and why; written when the episode closes."""
        dropped = dict(self.info.dropped)
        dropped[reason] = dropped.get(reason, 0) + frames
        self.info = dataclasses.replace(self.info, dropped=dropped)

    def close(self, ended: str = "done") -> EpisodeInfo:
        """Close the episode; its frames are on the disk (fsync) before episode.json says `closed`."""
        self._finish(dataclasses.replace(self.info, state="closed", ended=ended))
        return self.info

    def leave(self) -> None:
        """Give it back as it is: it stays `open`, and can be gone on with."""
        self._finish(self.info)

    def _finish(self, info: EpisodeInfo) -> None:
        self._close_shard()
        self._recording.put_back(info)
        self.info = info

    def _close_shard(self) -> None:
        shard, self._shard = self._shard, None
        if shard is not None:
            shard.close()
            read_shard(shard.path)  # its index is written here, while its headers are in memory


class RecordingWriter:
    """Writes one recording; one writer at a time holds it. Use it as a context, or close it.

    episodes: what is on disk, {id: info}; frames_on_disk(id) counts whole frames in the shards. `begin_episode` gives
    an episode to write; open_episode, append, count_dropped and close_episode are the same for one episode at a time.
    """

    def __init__(self, path: Path, info: RecordingInfo, shard_bytes: int, stack: ExitStack) -> None:
        self.path = path
        self.info = info
        self.episodes: dict[str, EpisodeInfo] = {f.name: read_episode_info(f) for f in episode_folders(path)}
        self.shard_bytes = shard_bytes
        self._stack = stack
        self._open: dict[str, EpisodeWriter] = {}
        self._current: EpisodeWriter | None = None

    @classmethod
    def create(
        cls,
        path: Path | str,
        table: LabelTable,
        rig: Sequence[Camera],
        simulator: Mapping[str, str],
        step_s: float,
        codecs: Codecs | None = None,
        config: Mapping[str, Any] | None = None,
        recording_id: str | None = None,
        shard_bytes: int = SHARD_BYTES,
    ) -> RecordingWriter:
        """Begin a recording in a new or empty folder, or go on with the one that is there.

        simulator: {'name', 'version'}. recording_id: a random one by default.
        Raises DataError when the recording there has another step, rig, label table or codecs (the keys that differ
        are named), when the folder holds something else, or when another process is writing it.
        """
        path = Path(path)
        wanted = RecordingInfo(
            recording_id or str(uuid.uuid4()),
            table,
            tuple(rig),
            dict(simulator),
            float(step_s),
            codecs or Codecs(),
            dict(config or {}),
        )
        if not wanted.rig or len({camera.name for camera in wanted.rig}) != len(wanted.rig):
            raise DataError(f"{path}: a rig needs one or more cameras, each with a name of its own")
        if path.is_dir() and not (path / RECORDING_FILE).is_file():
            # A hidden file is no reason to refuse: .DS_Store, and the lock of a writer killed in its first moment.
            others = [child.name for child in path.iterdir() if not child.name.startswith(".")]
            if others:
                raise DataError(f"{path}: is no recording and not empty (it holds {others[0]}); name a new folder")
        try:
            path.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError) as error:
            raise DataError(f"{path}: a file is in the way of the recording's folder; name another") from error
        except OSError as error:
            raise DataError(f"{path}: the folder cannot be made ({error.strerror}); name another") from error
        with ExitStack() as stack:
            try:
                stack.enter_context(
                    locked(
                        path / ".writer.lock", 0, f"{path}: another process is writing this recording; wait for its end"
                    )
                )
            except OSError as error:
                raise DataError(f"{path}: cannot be written to ({error.strerror}); name another folder") from error
            if (path / RECORDING_FILE).is_file():
                there = read_recording_info(path)
                _refuse_other(path, there, wanted)
                wanted = there
            else:
                write_json(path / RECORDING_FILE, wanted.to_dict())
            (path / EPISODES_FOLDER).mkdir(exist_ok=True)
            return cls(path, wanted, shard_bytes, stack.pop_all())

    def __enter__(self) -> RecordingWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            self.close()
        except DataError:  # a full disk fails this too: what came before is the one to tell
            if kind is None:
                raise

    def frames_on_disk(self, episode_id: str) -> int:
        """Whole frames of an episode, counted in its shards."""
        folder = self.path / EPISODES_FOLDER / episode_id
        return sum(len(scan_shard(shard).frames) for shard in shard_paths(folder))

    def begin_episode(
        self,
        episode_id: str,
        town: str,
        weather: Mapping[str, Any] | None = None,
        seeds: Mapping[str, int] | None = None,
        traffic: Mapping[str, Any] | None = None,
        simulator: Mapping[str, str] | None = None,
        cameras: Mapping[str, Any] | None = None,
    ) -> EpisodeWriter:
        """Begin an episode, or go on with one that was left open (its `info.frames` are there already).

        weather: {'name': 'ClearNoon', and its numbers}. cameras: see EpisodeInfo.
        A torn tail is moved into a file beside its shard first.
        Raises DataError when the episode was closed, or is of another town.
        """
        if episode_id in self._open:
            raise ValueError(f"episode {episode_id} is still open")
        if not _EPISODE_NAME.fullmatch(episode_id):
            raise DataError(f"{self.path}: an episode is named with letters, digits, - and _, not {episode_id!r}")
        folder = self.path / EPISODES_FOLDER / episode_id
        last_frame, frames = -1, 0
        there = self.episodes.get(episode_id)
        if there is not None:
            if there.state == "closed":
                raise DataError(f"{folder}: episode {episode_id} is closed; give the new one another id")
            if there.town != town:
                raise DataError(f"{folder}: episode {episode_id} was begun in {there.town}, not in {town}")
            mend_episode(folder)
            for shard in shard_paths(folder):
                for frame in scan_shard(shard).frames:
                    last_frame = max(last_frame, int(frame.stem))
                    frames += 1
        else:
            # Renamed into place with its episode.json inside: a kill leaves no episode without one.
            folder = folder.with_name(f".{episode_id}")
            folder.mkdir(exist_ok=True)
        info = EpisodeInfo(
            episode_id,
            town,
            dict(weather or {}),
            dict(seeds or {}),
            dict(traffic or {}),
            dict(simulator or self.info.simulator),
            "open",
            frames=frames,
            dropped=dict(there.dropped) if there else {},
            cameras=dict(cameras or {}),
        )
        self._write_index(info, folder)
        if there is None:
            folder.rename(folder.with_name(episode_id))
        episode = self._open[episode_id] = EpisodeWriter(self, info, last_frame)
        return episode

    def open_episode(
        self,
        episode_id: str,
        town: str,
        weather: Mapping[str, Any] | None = None,
        seeds: Mapping[str, int] | None = None,
        traffic: Mapping[str, Any] | None = None,
        simulator: Mapping[str, str] | None = None,
    ) -> int:
        """As `begin_episode`, for `append`; returns the whole frames that the episode has already."""
        if self._current is not None:
            raise ValueError(f"episode {self._current.info.id} is still open")
        self._current = self.begin_episode(episode_id, town, weather, seeds, traffic, simulator)
        return self._current.info.frames

    def append(
        self, frame: int, cameras: Mapping[str, Mapping[str, np.ndarray]], meta: Mapping[str, Any] | None = None
    ) -> int:
        """Encode and write one bundle of the open episode; returns its bytes. See encode_frame, EpisodeWriter.append."""
        return self._the_open().append(encode_frame(self.info, frame, cameras, meta, str(self.path)))

    def count_dropped(self, reason: str, frames: int = 1) -> None:
        """As EpisodeWriter.count_dropped, for the open episode."""
        self._the_open().count_dropped(reason, frames)

    def close_episode(self, ended: str = "done") -> EpisodeInfo:
        """As EpisodeWriter.close, for the open episode."""
        episode = self._the_open().close(ended)
        self._current = None
        return episode

    def _the_open(self) -> EpisodeWriter:
        if self._current is None:
            raise ValueError("no episode is open")
        return self._current

    def close(self) -> None:
        """Give the recording back. Episodes that are open stay `open`: they can be gone on with."""
        self._current = None
        with self._stack:
            # The last callback runs first; each runs, and the lock is given back, though a full disk fails them all.
            for episode in self._open.values():
                self._stack.callback(episode.leave)

    def put_back(self, info: EpisodeInfo) -> None:
        """An episode that its EpisodeWriter is done with."""
        del self._open[info.id]
        self._write_index(info, self.path / EPISODES_FOLDER / info.id)

    def _write_index(self, info: EpisodeInfo, folder: Path) -> None:
        self.episodes[info.id] = info
        try:
            write_json(folder / EPISODE_FILE, dataclasses.asdict(info))
        except OSError as error:
            raise DataError(
                f"{folder / EPISODE_FILE}: writing failed ({error.strerror}); the frames are kept"
            ) from error


def _refuse_other(path: Path, there: RecordingInfo, wanted: RecordingInfo) -> None:
    """DataError naming every key in which a recording differs from what would be appended to it."""
    have, want = there.to_dict(), wanted.to_dict()
    differing = [key for key in ("label_table", "rig", "step_s", "codecs") if have[key] != want[key]]
    if differing:
        short = [
            f"{key} ({have[key]} there, {want[key]} now)" if key == "step_s" else _short_difference(key, have, want)
            for key in differing
        ]
        raise DataError(
            f"{path}: the recording there differs in {', '.join(short)}; record with the same, or into a new folder"
        )


def _short_difference(key: str, have: dict[str, Any], want: dict[str, Any]) -> str:
    if key == "label_table":
        return f"label_table ({have[key]['name']} there, {want[key]['name']} now)"
    if key == "codecs":
        keys = [k for k in have[key] if have[key][k] != want[key].get(k)]
        return "codecs (" + ", ".join(f"{k} {have[key][k]} there, {want[key][k]} now" for k in keys) + ")"
    there = {camera["name"]: camera for camera in have[key]}
    now = {camera["name"]: camera for camera in want[key]}
    if list(there) != list(now):
        return f"rig (cameras {', '.join(there)} there, {', '.join(now)} now)"
    keys = [f"{name}.{k}" for name in there for k in there[name] if there[name][k] != now[name][k]]
    return f"rig ({', '.join(keys)})"
