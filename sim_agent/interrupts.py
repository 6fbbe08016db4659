"""Signals that end a job, as one exception, held back while a simulator is given back."""

from __future__ import annotations

import contextlib
import math
import signal
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

_NAMES = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")
"""Ctrl-C, kill, a terminal that closes; and Windows' Ctrl-Break, which also stands for a console that closes."""

_BURST_S = 2.0
"""Signals that follow one another faster mean one thing; the second must not cut short what the first began."""


class Interrupts:
    """`with Interrupts() as interrupts:` makes KeyboardInterrupt of these signals, in the main thread.

    Signals that the program handles itself, or ignores, are left to it, as all are in other threads.
    """

    def __init__(self) -> None:
        self._before: dict[int, Any] = {}
        self._holding = self._came = False
        self._raised_s = -math.inf

    def __enter__(self) -> Interrupts:
        if threading.current_thread() is threading.main_thread():
            for number in (getattr(signal, name) for name in _NAMES if hasattr(signal, name)):
                if signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler):
                    self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    @contextlib.contextmanager
    def held(self) -> Iterator[Callable[[], bool]]:
        """What is in here is not interrupted; a signal that came takes effect after it, and the value tells of it before."""
        self._holding = True
        try:
            yield lambda: self._came
        finally:
            self._holding = False
            if self._came:
                self._came, self._raised_s = False, time.monotonic()
                raise KeyboardInterrupt

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self._holding:
            self._came = True
        elif time.monotonic() - self._raised_s > _BURST_S:
            self._raised_s = time.monotonic()
            raise KeyboardInterrupt
