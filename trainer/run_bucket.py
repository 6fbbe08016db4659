"""A run whose place is in S3: its checkpoints there, and the small files through which driver and workers talk.

Driver and workers each have the run's folder on a disk of their own, and work there as with any run; what counts is in the
bucket. There is no rename in S3: a checkpoint's files are written first and its manifest last, under a name that no other
writer uses, and a folder without a manifest, or with another file than that says, is none.
"""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from trainer import checkpoint
from trainer.bucket import Bucket, Stamp, reason
from trainer.checkpoint import Checkpoint
from trainer.dataset.lock import locked
from trainer.errors import ModelError, TrainingError
from trainer.manifest import MANIFEST, check_manifest, read_json

EXCHANGE_S = 3.0
"""Between looks for what the other side wrote."""


class RunBucket:
    """The checkpoints of a run in a bucket."""

    def __init__(self, bucket: Bucket):
        self.bucket = bucket

    def every(self) -> list[Checkpoint]:
        """All checkpoint folders, newest first, whole or not; `path` is relative to the run."""
        return checkpoint.in_order({Path(name).parent for name in self.bucket.objects()})

    def newest(self, run: Path) -> tuple[Checkpoint | None, list[str]]:
        """The newest whole one, fetched into the local folder of the run; else as `checkpoint.newest`.

        Raises:
            TrainingError: none is whole, or the storage fails.
        """
        run.mkdir(parents=True, exist_ok=True)
        where = self.bucket.url.rpartition("/")[0]
        try:
            with locked(run / ".fetch-lock"):  # workers of one node share the folder
                found, skipped = checkpoint.first_whole(self.every(), lambda c: self._fetch(run, c), run.name, where)
        except OSError as error:
            raise TrainingError(f"{self.bucket.url}: can't be read ({reason(error)}).") from None
        return (Checkpoint(run / found.path, found.step) if found else None), skipped

    def fetch(self, run: Path, name: str) -> None:
        """Have one whole checkpoint, `attempt-001/step_00000400-1`, in the local folder of the run."""
        run.mkdir(parents=True, exist_ok=True)
        with locked(run / ".fetch-lock"):
            self._fetch(run, checkpoint.in_order([Path(name)])[0])

    def commit(self, place: Path) -> None:
        """Write a local checkpoint, RUN/ATTEMPT/NAME; it is there when this returns. OSError where the storage fails."""
        self.bucket.at(place.parent.name).upload_folder(place, last=MANIFEST)

    def prune(self, written: Sequence[Path], keep: int) -> None:
        """`checkpoint.prune`, in the bucket."""
        for old in checkpoint.outdated(self.every(), written, keep):
            self.bucket.at(*old.path.parts).remove()

    def _fetch(self, run: Path, wanted: Checkpoint) -> None:
        place, there = run / wanted.path, self.bucket.at(*wanted.path.parts)
        sealed = there.get(MANIFEST)
        if sealed is None:
            raise ModelError(f"{there.url}: not a whole checkpoint, {MANIFEST} is missing.")
        if (place / MANIFEST).is_file() and (place / MANIFEST).read_bytes() == sealed:
            check_manifest(place, "checkpoint")
            return
        temporary = place.with_name(f".{place.name}.{os.getpid()}.fetched")
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        try:
            (temporary / MANIFEST).write_bytes(sealed)
            manifest = read_json(temporary / MANIFEST, "checkpoint")
            for name in manifest.get("files", ()) if isinstance(manifest, dict) else ():
                if there.stamp(name) is None:
                    raise ModelError(f"{there.url}: not a whole checkpoint, {name} is missing.")
                there.download(Path(name).name, temporary / Path(name).name)
            check_manifest(temporary, "checkpoint")
            shutil.rmtree(place, ignore_errors=True)  # a copy of it that is not what the bucket holds
            temporary.rename(place)
        except ModelError as error:
            raise ModelError(str(error).replace(str(temporary), there.url)) from None
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


class Exchange:
    """Brings small files of a run there and here as they change, from `start` to `close`, or in a `with` block.

    sends, takes: names relative to the run. On closing, the last state of both is exchanged. A storage that is away for a
    moment delays; `trouble` holds what it said last, None when the last exchange was good.
    """

    def __init__(self, bucket: Bucket, run: Path, sends: Sequence[str], takes: Sequence[str]):
        self.bucket, self.run, self.sends, self.takes = bucket, run, sends, takes
        self.trouble: str | None = None
        self._sent: dict[str, tuple[int, int]] = {}
        self._taken: dict[str, Stamp] = {}
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._live, name="exchange", daemon=True)

    def start(self) -> None:
        """Exchange in a thread of its own."""
        self._thread.start()

    def close(self) -> None:
        """Exchange a last time; a second call does nothing."""
        if not self._end.is_set():
            self._end.set()
            self._thread.join()
            self.now()

    def __enter__(self) -> Exchange:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def now(self) -> None:
        """Exchange what has changed; never raises for the storage."""
        try:
            for name in self.sends:
                self._send(name)
            for name in self.takes:
                self._take(name)
            self.trouble = None
        except OSError as error:
            self.trouble = reason(error)

    def _live(self) -> None:
        while not self._end.wait(EXCHANGE_S):
            self.now()

    def _send(self, name: str) -> None:
        file = self.run / name
        try:
            is_now = file.stat()
            data = file.read_bytes()
        except FileNotFoundError:
            return
        changed = (is_now.st_size, is_now.st_mtime_ns)
        if self._sent.get(name) != changed:
            self.bucket.put(name, data)
            self._sent[name] = changed

    def _take(self, name: str) -> None:
        stamp = self.bucket.stamp(name)
        if stamp is None or self._taken.get(name) == stamp:
            return
        data = self.bucket.get(name)
        if data is not None:
            file = self.run / name
            file.parent.mkdir(parents=True, exist_ok=True)
            temporary = file.with_name(f".{file.name}.taken")
            temporary.write_bytes(data)
            temporary.replace(file)
        self._taken[name] = stamp
