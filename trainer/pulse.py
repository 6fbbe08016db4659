"""A sign of life from the workers: a file that rank 0 touches, and the driver's watch over it.

Whatever keeps workers from being there (no resources, a node that is lost, a start that fails again and again), the
driver sees one thing: nothing moves. So one limit bounds every wait.
"""

from __future__ import annotations

import threading
import time
from pathlib import Path
from types import TracebackType

EVERY_S = 2.0


class Pulse:
    """`with Pulse(file):` touches the file every EVERY_S seconds, however long a step takes; it ends with the process."""

    def __init__(self, file: Path, every_s: float = EVERY_S):
        self.file, self.every_s = file, every_s
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="pulse", daemon=True)

    def __enter__(self) -> Pulse:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end.set()
        self._thread.join()

    def _beat(self) -> None:
        while True:
            try:
                self.file.touch()
            except OSError:
                pass  # a storage that is away for a moment; a long one is what the driver's watch is for
            if self._end.wait(self.every_s):
                return


class PulseWatch:
    """How long a pulse has been silent, by this machine's clock alone: the clocks of nodes differ."""

    def __init__(self, file: Path):
        self.file = file
        self._seen = self._changed_ns()
        self._since = time.monotonic()

    def silent_s(self) -> float:
        """Seconds since this watch first saw the last beat, or since it began."""
        changed = self._changed_ns()
        if changed != self._seen:
            self._seen, self._since = changed, time.monotonic()
        return time.monotonic() - self._since

    def _changed_ns(self) -> int:
        try:
            return self.file.stat().st_mtime_ns
        except OSError:
            return 0
