"""Commits a run's checkpoints beside its training: one at a time, whole or not there, a few failures borne.

    .step_00000400-2.tmp   files, then the manifest with their sha256 and the step
    step_00000400-2        the same folder, renamed when all of it is on disk

The number after the step counts the starts of the workers within an attempt, so that what a dying worker still writes
never mixes with what its successor writes for the same step.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from socket import gethostname

from safetensors import SafetensorError
from torch import Tensor

from trainer import checkpoint
from trainer.bucket import reason
from trainer.checkpoint import Checkpoint, TrainingState
from trainer.model_dir import ModelInfo
from trainer.run_bucket import RunBucket

KEEP = 2
MOST_FAILURES = 3


def next_start(starts: Path, workers: int, step: int) -> int:
    """Note one more start of the workers of an attempt, by rank 0, in the file `starts`; the first is 1."""
    with starts.open("a+", encoding="utf-8") as file:
        file.write(json.dumps({"workers": workers, "step": step, "host": gethostname(), "pid": os.getpid()}) + "\n")
        file.flush()
        os.fsync(file.fileno())
        file.seek(0)
        return len(file.readlines())


class Committer:
    """Writes checkpoints in a thread of its own while the next steps are computed.

    A failed write (a full disk, a storage that is away) costs that checkpoint and is told to `note`; the run goes on
    until MOST_FAILURES in a row, then `exhausted` holds the sentence to end with.
    """

    def __init__(
        self, run: Path, attempt: str, start: int, note: Callable[[str], None], store: RunBucket | None = None
    ):
        """store: where a checkpoint must be to count, when that is not the folder `run` itself."""
        self.run, self.attempt, self.start, self.note, self.store = run, attempt, start, note, store
        self.exhausted: str | None = None
        self._failures = 0
        self._written: list[Path] = []
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="commit")
        self._in_flight: Future[Checkpoint | None] | None = None
        for left in run.glob("attempt-*/.step_*.tmp"):
            shutil.rmtree(left)  # a killed worker's: the run has one driver, and this is its only writer

    def submit(self, state: TrainingState, info: ModelInfo, metrics: Path) -> Checkpoint | None:
        """Start to commit this state as it is now; the commit before it, when it came to be one, is returned."""
        before = self.wait()
        # Training goes on in the same tensors, and adds lines to the same file.
        still, lines = _copied(state), metrics.stat().st_size
        self._in_flight = self._thread.submit(self._commit, still, info, metrics, lines)
        return before

    def wait(self) -> Checkpoint | None:
        """Until nothing is in flight; the checkpoint that was, if it is committed."""
        running, self._in_flight = self._in_flight, None
        return running.result() if running is not None else None

    def finish(self, state: TrainingState, info: ModelInfo, metrics: Path) -> Checkpoint | None:
        """Commit a run's last state: again after a failure, until it is there or `exhausted`."""
        self.wait()
        while self.exhausted is None:
            self.submit(state, info, metrics)
            committed = self.wait()
            if committed is not None:
                return committed
        return None

    def _commit(self, state: TrainingState, info: ModelInfo, metrics: Path, lines: int) -> Checkpoint | None:
        place = self.run / self.attempt / checkpoint.directory_name(state.step, self.start)
        temporary = place.with_name(f".{place.name}.tmp")
        try:
            shutil.rmtree(temporary, ignore_errors=True)  # of a commit of this step that failed
            temporary.mkdir()
            checkpoint.save(temporary, state, info, metrics, metrics_bytes=lines)
            os.replace(temporary, place)
            _sync_folder(place.parent)
            if self.store is not None:
                self.store.commit(place)
        except (OSError, SafetensorError) as error:  # the latter is what its writer makes of a full disk
            self._failures += 1
            why = reason(error) if isinstance(error, OSError) else error
            where: Path | str = place
            if self.store is not None:
                shutil.rmtree(place, ignore_errors=True)  # a copy of what is not there counts for nothing
                where = self.store.bucket.at(self.attempt, place.name).url
            said = f"checkpoint of step {state.step} could not be written to {where} ({why})"
            self.note(f"{said}; failure {self._failures} of {MOST_FAILURES} in a row")
            if self._failures >= MOST_FAILURES:
                self.exhausted = f"{said}, {MOST_FAILURES} times in a row; make room there or choose another --storage"
            return None
        self._failures = 0
        self._written.append(place)
        try:
            checkpoint.prune(self.run, self._written, KEEP)
            if self.store is not None:
                self.store.prune(self._written, KEEP)
        except OSError as error:  # this one is safe; the next commit tries again
            self.note(f"old checkpoints could not be removed ({error})")
        return Checkpoint(place, state.step)


def _copied(state: TrainingState) -> TrainingState:
    def copied(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        return {k: v.detach().to("cpu", copy=True) for k, v in tensors.items()}

    moments = {
        index: {k: v.detach().to("cpu", copy=True) if isinstance(v, Tensor) else v for k, v in values.items()}
        for index, values in state.optimizer["state"].items()
    }
    groups = [dict(group) for group in state.optimizer["param_groups"]]
    return replace(
        state,
        weights=copied(state.weights),
        average=copied(state.average),
        best=copied(state.best),
        optimizer={"state": moments, "param_groups": groups},
    )


def _sync_folder(folder: Path) -> None:
    """Bring a rename to the disk, where the system can."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
