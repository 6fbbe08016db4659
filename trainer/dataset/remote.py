"""A recording in S3, read as one on disk: its shards are fetched one by one, and the ones used last are kept.

What a shard holds is noted beside its place on the disk when it was there once, so that a later start reads no shard to know
the frames. Reading frames in their order, as packing does, fetches each shard once, however small the room for them.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from trainer.bucket import Bucket, Stamp, reason, scratch
from trainer.dataset.lock import locked
from trainer.dataset.recording import EPISODES_FOLDER, RECORDING_FILE, RecordingSource, write_json
from trainer.dataset.shard import ShardFrame, read_member, scan_shard
from trainer.dataset.shard_index import ShardIndex, index_of
from trainer.dataset.source import FrameRef
from trainer.errors import DataError

ROOM_BYTES = 4 << 30
"""For shards on this machine's disk; the one in use is kept in any case."""
_INDEX = ".index.json"


class RemoteRecording(RecordingSource):
    """A recording in a bucket.

    Raises DataError when there is none, or the storage fails.
    """

    def __init__(
        self, bucket: Bucket, camera: str | None = None, strict: bool = True, room_bytes: int = ROOM_BYTES
    ) -> None:
        self.bucket, self.room_bytes = bucket, room_bytes
        self.fetched = 0
        """Shards that this object has fetched."""
        self._crc32: dict[str, dict[str, str]] = {}
        path = scratch(bucket, "data")
        try:
            # A key may say anything: what would lie outside of the folder is none of a recording's files.
            self._objects = {name: stamp for name, stamp in bucket.objects().items() if _is_plain(name)}
            if RECORDING_FILE not in self._objects:
                raise DataError(
                    f"{bucket.url}: holds no recording; expected {RECORDING_FILE} and {EPISODES_FOLDER}/ there"
                )
            path.mkdir(parents=True, exist_ok=True)
            for old in path.iterdir():  # lists of an earlier state of the bucket
                if old.is_file() and old.name not in self._objects and old.name != ".lock":
                    old.unlink()
            for name in self._objects:
                if not name.endswith(".tar"):
                    (path / name).parent.mkdir(parents=True, exist_ok=True)
                    (path / name).write_bytes(bucket.get(name) or b"")
        except OSError as error:
            raise DataError(f"{bucket.url}: can't be read ({reason(error)})") from error
        super().__init__(path, camera, strict)
        self.name = bucket.path.rpartition("/")[2]

    @property
    def place(self) -> str:
        """The URL."""
        return self.bucket.url

    def _episodes(self) -> list[Path]:
        names = {name.split("/")[1] for name in self._objects if name.startswith(f"{EPISODES_FOLDER}/")}
        return [self.path / EPISODES_FOLDER / name for name in sorted(names)]

    def _shards(self, folder: Path) -> list[Path]:
        prefix = f"{EPISODES_FOLDER}/{folder.name}/shard-"
        return [self.path / name for name in self._objects if name.startswith(prefix) and name.endswith(".tar")]

    def _index_of(self, shard: Path) -> ShardIndex:
        stamp, note = self._stamp(shard), shard.with_name(shard.name + _INDEX)
        index = _noted(note, stamp)
        if index is None:
            with self._at_hand(shard):
                frames = scan_shard(shard).frames
                metas = [json.loads(read_member(shard, frame.members["json"])) for frame in frames]
            index = [
                [frame.stem, frame.members, meta.get("crc32", {})] for frame, meta in zip(frames, metas, strict=True)
            ]
            write_json(note, {"size": stamp.size, "changed_ns": stamp.changed_ns, "frames": index})
        for stem, _, crc32 in index:
            self._crc32.setdefault(f"{shard.parent.name}/{stem}", crc32)
        whole = [ShardFrame(stem, {k: (v[0], v[1]) for k, v in members.items()}) for stem, members, _ in index]
        return index_of(whole, stamp.size)

    def _read(self, shard: Path, member: tuple[int, int]) -> bytes:
        with self._at_hand(shard):
            return read_member(shard, member)

    def _written_crc32(self, ref: FrameRef) -> dict[str, str]:
        return self._crc32[ref.key]

    def _stamp(self, shard: Path) -> Stamp:
        return self._objects[shard.relative_to(self.path).as_posix()]

    @contextmanager
    def _at_hand(self, shard: Path) -> Iterator[None]:
        """Inside, the shard is on the disk, and no other process removes it."""
        with locked(self.path / ".lock"):
            here, stamp = shard.stat() if shard.exists() else None, self._stamp(shard)
            if here is None or here.st_size != stamp.size or here.st_mtime_ns < (stamp.changed_ns or 0):
                self._fetch(shard)
            os.utime(shard)
            yield

    def _fetch(self, shard: Path) -> None:
        name = shard.relative_to(self.path).as_posix()
        self._make_room(self._stamp(shard).size)
        descriptor, temporary = tempfile.mkstemp(dir=shard.parent, prefix=".fetch-")
        os.close(descriptor)
        try:
            self.bucket.download(name, Path(temporary))
            os.replace(temporary, shard)
        except OSError as error:
            Path(temporary).unlink(missing_ok=True)
            raise DataError(f"{self.bucket.url}/{name}: can't be fetched ({reason(error)})") from error
        self.fetched += 1

    def _make_room(self, need: int) -> None:
        """Remove the shards that were used longest ago, until `need` bytes more are within the limit."""
        shards = [(file.stat(), file) for file in self.path.glob(f"{EPISODES_FOLDER}/*/shard-*.tar")]
        total = sum(stat.st_size for stat, _ in shards) + need
        for stat, file in sorted(shards, key=lambda pair: pair[0].st_mtime_ns):
            if total <= self.room_bytes:
                return
            file.unlink()
            total -= stat.st_size


def _is_plain(name: str) -> bool:
    return not name.startswith("/") and not {"", ".", ".."} & set(name.split("/"))


def _noted(note: Path, stamp: Stamp) -> list[Any] | None:
    """The frames in a note of this very object."""
    if not note.is_file():
        return None
    try:
        values = json.loads(note.read_text(encoding="utf-8"))
        same = (values["size"], values["changed_ns"]) == (stamp.size, stamp.changed_ns)
    except (ValueError, KeyError, TypeError):  # half written by a process that was killed: made anew
        return None
    return list(values["frames"]) if same else None
