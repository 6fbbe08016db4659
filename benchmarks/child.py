"""A process that measures one thing each time it is asked, so that several environments can take turns in one run.

Each line that it is sent asks for one more call; each line that it answers is JSON: `pictures`, `cpu_s` and `wall_s` of
the call. Standard library only: it is imported in the environments of the references too.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


def answer(call: Callable[[], int], cpu_clock: Callable[[], float] = time.process_time, **more: Any) -> None:
    """What the process does: a call for each line of its input, until that ends.

    call returns how many pictures it dealt with; more: stands in each answer too.
    """
    # What libraries print must not stand between the answers.
    answers, sys.stdout = sys.stdout, sys.stderr
    for _ in sys.stdin:
        cpu_s, wall_s = cpu_clock(), time.perf_counter()
        pictures = call()
        told = {"pictures": pictures, "cpu_s": cpu_clock() - cpu_s, "wall_s": time.perf_counter() - wall_s}
        print(json.dumps(told | more), file=answers, flush=True)


class Child:
    """`with Child("keras", [python, "-m", module]) as child:`, then `child.cpu_s()` for each turn."""

    def __init__(self, name: str, command: Sequence[str], env: Mapping[str, str] | None = None):
        path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
        self.told: list[dict[str, Any]] = []
        self._name = name
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": path} | dict(env or {}),
        )

    def cpu_s(self) -> float:
        """CPU seconds a picture of one more call. SystemExit with one line where the process has ended."""
        assert self._process.stdin is not None and self._process.stdout is not None
        try:
            self._process.stdin.write("once more\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise SystemExit(f"{self._name} ended without an answer; the reason stands above")
        self.told.append(json.loads(line))
        return float(self.told[-1]["cpu_s"]) / int(self.told[-1]["pictures"])

    def wall_s(self) -> float:
        """Seconds a picture by the clock on the wall, the median of all calls but the first, which warms up."""
        return statistics.median(told["wall_s"] / told["pictures"] for told in self.told[1:] or self.told)

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *_: object) -> None:
        # The end of its input ends it.
        if self._process.stdin is not None:
            try:
                self._process.stdin.close()
            except BrokenPipeError:
                self._process.kill()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
