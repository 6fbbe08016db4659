"""Callbacks of sensors, which the client has let go of before the program may end."""

from __future__ import annotations

import contextlib
import threading
import time
import weakref
from collections.abc import Callable, Iterable
from typing import Any

_FREED_S = 2.0


class Callbacks:
    """Who listens to which sensor.

    The client frees a callback in a thread of its own, some time after stop(). If the interpreter is ending by then, the
    process aborts ("terminate called without an active exception"), so `stop` waits for it.
    """

    def __init__(self) -> None:
        self._listening: list[tuple[int, weakref.ref[Any]]] = []

    def listen(self, sensor: Any, callback: Callable[[Any], None]) -> None:
        """As `sensor.listen(callback)`."""

        def own(data: Any) -> None:  # the client holds this one only, so it is freed when the client is done with it
            callback(data)

        self._listening.append((sensor.id, weakref.ref(own)))
        sensor.listen(own)

    def stop(self, actors: Iterable[Any]) -> None:
        """Stop those of them that are sensors; returns when no callback of theirs can be called again, or after 2 s."""
        sensors = {actor.id: actor for actor in actors if actor.type_id.startswith("sensor.")}
        for sensor in sensors.values():
            with contextlib.suppress(RuntimeError):  # a sensor that somebody else destroyed
                if sensor.is_listening():
                    sensor.stop()
        leaving = [reference for number, reference in self._listening if number in sensors]
        self._listening = [entry for entry in self._listening if entry[0] not in sensors]
        deadline = time.monotonic() + _FREED_S
        for reference in leaving:
            freed = threading.Event()
            held = reference()
            if held is not None:
                weakref.finalize(held, freed.set)
                del held
                freed.wait(max(0.0, deadline - time.monotonic()))
