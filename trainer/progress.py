"""What the driver shows of a run: one live view on a terminal, plain lines elsewhere."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

_PLAIN_EVERY_S = 10.0


class MetricsTail:
    """Lines of a growing metrics.jsonl, as they come; starts over when the file was rewound."""

    def __init__(self, path: Path):
        self.path = path
        self._offset = 0
        self._last = b""
        """The line before the offset: where it is another one, the file was rewound and has grown again since."""

    def new_lines(self) -> Iterator[dict[str, Any]]:
        """Whole lines since the last call."""
        try:
            file = self.path.open("rb")
        except FileNotFoundError:
            return
        with file:
            file.seek(self._offset - len(self._last))
            if file.read(len(self._last)) != self._last:
                self._offset = 0
                file.seek(0)
            data = file.read()
        whole = data[: data.rfind(b"\n") + 1]
        self._offset += len(whole)
        if whole or not self._offset:
            self._last = whole[whole.rfind(b"\n", 0, -1) + 1 :]
        for line in whole.splitlines():
            yield json.loads(line)


class ProgressView:
    """Epoch, loss, mIoU, pictures/s and the time to go; `phase` before the first step."""

    def __init__(self, run: str, steps: int, frames_per_step: int, start_step: int = 0, quiet: bool = False):
        self.steps, self.frames_per_step, self.quiet = steps, frames_per_step, quiet
        self.console = Console(stderr=False, highlight=False)
        self.live = self.console.is_terminal and not quiet
        self._figures: dict[str, Any] = {}
        self._printed = -_PLAIN_EVERY_S
        self._step = start_step
        columns = (
            TextColumn("[bold]{task.fields[run]}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.description}"),
            TimeElapsedColumn(),
        )
        self._progress = Progress(*columns, console=self.console, disable=not self.live)
        self._task = self._progress.add_task("starting", total=steps, completed=start_step, run=run)

    def __enter__(self) -> ProgressView:
        if self.live:
            self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.live:
            self._progress.stop()

    def say(self, sentence: str) -> None:
        """A line that stays."""
        if not self.quiet:
            self.console.print(sentence, soft_wrap=True, markup=False)
            sys.stdout.flush()

    def phase(self, what: str) -> None:
        """What is going on before the first step."""
        if self.live:
            self._progress.update(self._task, description=what)
        else:
            self.say(f"{what} ...")

    def line(self, line: dict[str, Any]) -> None:
        """Take one line of metrics.jsonl."""
        self._figures |= {k: v for k, v in line.items() if v is not None}
        self._step = line["step"]
        text = self._text()
        if self.live:
            self._progress.update(self._task, completed=self._step, description=text)
            return
        now = time.monotonic()
        if line["kind"] == "val" or now - self._printed >= _PLAIN_EVERY_S or self._step >= self.steps:
            self._printed = now
            self.say(f"step {self._step}/{self.steps}  {text}")

    def _text(self) -> str:
        f = self._figures
        parts = [f"epoch {f['epoch']:.1f}", f"loss {f['loss']:.3f}"]
        if "miou" in f:
            parts.append(f"mIoU {f['miou']:.3f}")
        if rate := f.get("pictures_per_s"):
            left_s = (self.steps - self._step) * self.frames_per_step / rate
            parts.append(f"{rate:.1f} pictures/s")
            if memory_mb := f.get("memory_mb"):
                # All workers make each step together: the rate of one is its share.
                parts[-1] += f" ({rate / len(memory_mb):.1f} and {max(memory_mb) / 1000:.1f} GB a worker)"
            parts.append(f"{_clock(left_s)} to go")
        return "  ".join(parts)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}" if minutes >= 60 else f"{minutes}:{rest:02d}"
