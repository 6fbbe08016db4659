"""The newest model of a training under way, for a drive that shows it: a damaged one is refused, and the old one goes on."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sim_agent.live import warm_up
from trainer.checkpoint import every
from trainer.errors import ModelError, UserError
from trainer.labels import ClassList
from trainer.manifest import MANIFEST
from trainer.segmenter import Segmenter, open_segmenter

_LOOK_EVERY_S = 1.0
MODEL_FOLDER = "model"


@dataclass(frozen=True)
class Found:
    """A model of the run: a checkpoint, or, when the training is over, its result."""

    path: Path
    step: int | None
    """Optimizer steps; None for the run's result, which comes after all of them."""
    state: tuple[tuple[str, int, int], ...]
    """(name, bytes, time of change) of each file: what a copy under way changes."""

    @property
    def name(self) -> str:
        """As the window says it."""
        return "the trained model" if self.step is None else f"step {self.step:,}"


class RunWatch:
    """Looks into the folder of a run once a second; `with` starts and ends its thread.

    classes: of the model that drives; None takes those of the first one found.
    on_model: gets each newer model, opened and warm, and its name. on_refused: gets the sentence about one that is not
    whole; each is said once. Both are called on the watch's thread.
    """

    def __init__(
        self,
        run: Path,
        size: tuple[int, int],
        threads: int,
        classes: ClassList | None,
        on_model: Callable[[Segmenter, str], None],
        on_refused: Callable[[str], None],
    ):
        self.run = run
        self._size, self._threads, self._classes = size, threads, classes
        self._on_model, self._on_refused = on_model, on_refused
        self._loaded: Found | None = None
        self._suspects: dict[Path, Found] = {}
        self._refused: set[Found] = set()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)

    def look(self) -> bool:
        """Load the newest model if it is newer than the last one; whether there was one."""
        for found in find_models(self.run):
            if self._loaded is not None and not _newer(found, self._loaded):
                return False
            if found in self._refused:
                continue
            try:
                segmenter = open_segmenter(found.path, "torch", threads=self._threads, device="auto")
                if self._classes is not None and segmenter.info.classes.names != self._classes.names:
                    raise ModelError(f"{found.path}: has other classes than the model that drives; start `drive` anew.")
                warm_up(segmenter, self._size)
            except (UserError, OSError) as error:
                self._suspect(found, error)
                continue
            self._classes = segmenter.info.classes
            self._loaded = found
            self._on_model(segmenter, found.name)
            return True
        return False

    def _suspect(self, found: Found, error: Exception) -> None:
        """A folder may be half a copy still: it is refused when nothing in it has changed from one look to the next."""
        if self._suspects.get(found.path) == found:
            self._refused.add(found)
            self._on_refused(str(error))
        self._suspects[found.path] = found

    def __enter__(self) -> RunWatch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopped.wait(_LOOK_EVERY_S):
            self.look()


def find_models(run: Path) -> list[Found]:
    """Models in a run's folder that were finished or nearly so (their manifest is there), last changed first."""
    found = [_found(run / MODEL_FOLDER, None)]
    found += [_found(checkpoint.path, checkpoint.step) for checkpoint in every(run)]
    return sorted((one for one in found if one is not None), key=_changed_ns, reverse=True)


def _found(path: Path, step: int | None) -> Found | None:
    try:
        if not (path / MANIFEST).is_file():
            return None
        files = [(file.name, file.stat()) for file in sorted(path.iterdir()) if file.is_file()]
    except OSError:
        return None  # removed while we looked: a run keeps only its newest checkpoints
    return Found(path, step, tuple((name, stat.st_size, stat.st_mtime_ns) for name, stat in files))


def _newer(one: Found, other: Found) -> bool:
    """A result of an earlier training in this folder does not hide the checkpoints of the one under way."""
    if (one.step is None) == (other.step is None):
        return one != other if one.step is None else one.step > (other.step or 0)
    return _changed_ns(one) > _changed_ns(other)


def _changed_ns(found: Found) -> int:
    return max(changed for _, _, changed in found.state)
