"""The threads that draw: they share out numbered pieces of work whose results do not depend on who does which."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Result = TypeVar("Result")


class Workers:
    """The calling thread and `threads - 1` others."""

    def __init__(self, threads: int) -> None:
        """Raises ValueError for no threads."""
        if threads < 1:
            raise ValueError(f"{threads} threads cannot draw; give at least 1")
        self.threads = threads
        self._pool = ThreadPoolExecutor(threads - 1, "render") if threads > 1 else None

    def share(self, count: int, task: Callable[[int, int], None]) -> None:
        """Calls `task(number, worker)` for each number below `count`; returns when all are done."""
        numbers = itertools.count()

        def work(worker: int) -> None:
            while (number := next(numbers)) < count:
                task(number, worker)

        others = []
        if self._pool is not None and count > 1:
            others = [self._pool.submit(work, worker) for worker in range(1, min(self.threads, count))]
        work(0)
        for other in others:
            if not other.cancel():
                other.result()

    def start(self, task: Callable[[], Result]) -> Future[Result]:
        """Has another thread do something while this one goes on, if there is another."""
        if self._pool is not None:
            return self._pool.submit(task)
        done: Future[Result] = Future()
        done.set_result(task())
        return done

    def close(self) -> None:
        """Ends the threads."""
        if self._pool is not None:
            self._pool.shutdown()
