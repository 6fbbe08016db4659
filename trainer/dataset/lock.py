"""One lock between processes that the operating system gives back when its holder dies, kill -9 included."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from trainer.errors import DataError

# How often a waiting process looks again. The packed cache takes seconds to build, so 50 ms costs nothing.
POLL_S = 0.05

if sys.platform == "win32":
    import msvcrt

    def _try_lock(descriptor: int) -> bool:
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def _unlock(descriptor: int) -> None:
        os.lseek(descriptor, 0, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def _try_lock(descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _unlock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_UN)


@contextmanager
def locked(
    path: Path, timeout_s: float | None = None, busy: str = "", on_wait: Callable[[], None] | None = None
) -> Iterator[None]:
    """Hold the lock file `path` (made if missing, and left there: removing it would let two holders in).

    timeout_s: how long to wait for another holder; None waits without end, 0 does not wait.
    busy: the sentence of the DataError raised when the time is over. on_wait: called once if there is a wait.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        waiting = False
        while not _try_lock(descriptor):
            if deadline is not None and time.monotonic() >= deadline:
                raise DataError(busy or f"{path}: another process holds this lock; wait for it to end, then try again")
            if not waiting and on_wait is not None:
                on_wait()
            waiting = True
            time.sleep(POLL_S)
        try:
            yield
        finally:
            _unlock(descriptor)
    finally:
        os.close(descriptor)
