"""What `record` shows while it works: a live view on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import shutil
import threading
import time
from types import TracebackType

import numpy as np
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from sim_agent.ledger import Ledger
from trainer.labels import LabelTable

_PLAIN_EVERY_S = 10.0
_BAR = 24
_COMMON, _RARE = 5, 6
"""Classes shown with most and with fewest pixels: what is missing is what one wants to know."""


class RecordView:
    """`with RecordView(ledger, table) as view:`; `view.say` prints a line that stays."""

    def __init__(self, ledger: Ledger, table: LabelTable):
        self._ledger, self._table = ledger, table
        self.console = Console(highlight=False)
        self._live = Live(
            get_renderable=self.picture, console=self.console, refresh_per_second=4, transient=True, auto_refresh=True
        )
        self._ended = threading.Event()
        self._lines = threading.Thread(target=self._print_lines, name="progress", daemon=True)

    def __enter__(self) -> RecordView:
        if self.console.is_terminal:
            self._live.start()
        else:
            self._lines.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        if self.console.is_terminal:
            self._live.stop()
        else:
            self._lines.join()

    def say(self, sentence: str) -> None:
        """A line that stays."""
        self.console.print(sentence, soft_wrap=True, markup=False)

    def picture(self) -> RenderableType:
        """The live view."""
        ledger, tally = self._ledger, self._ledger.tally
        wanted, done = ledger.frames_wanted, ledger.frames_wanted - ledger.frames_left
        head = Table.grid(padding=(0, 2))
        head.add_row(
            Text("recording", style="bold"),
            ProgressBar(total=wanted, completed=done, width=_BAR),
            f"{done:,}/{wanted:,} frames",
            f"{self.rate():.1f} frames/s",
            self.time_to_go(),
        )
        rows = Table.grid(padding=(0, 2))
        rows.add_column(style="dim")
        rows.add_column()
        for part in ledger.in_work():
            e = part.episode
            rows.add_row("driving", f"{e.town}  {e.weather.name}  {e.vehicles} vehicles  {e.walkers} walkers")
        rows.add_row("disk", self.disk())
        if tally.dropped:
            rows.add_row("dropped", self.dropped())
        return Group(head, rows, self.classes())

    def rate(self) -> float:
        """Kept frames a second since the command was given."""
        return self._ledger.tally.frames / max(1e-3, time.monotonic() - self._ledger.started_s)

    def time_to_go(self) -> str:
        """By the rate so far, '' before the first frame."""
        rate = self.rate()
        if not rate:
            return ""
        left_s = int(self._ledger.frames_left / rate)
        hours = f"{left_s // 3600}:" if left_s >= 3600 else ""
        return f"{hours}{left_s // 60 % 60:02d}:{left_s % 60:02d} to go"

    def disk(self) -> str:
        """What this command has written, what the whole will take, and what is free."""
        ledger, tally = self._ledger, self._ledger.tally
        free = shutil.disk_usage(ledger.writer.path).free
        text = f"{size(tally.bytes)} written"
        if tally.frames:
            each = tally.bytes / tally.frames
            text += f" ({size(each)} a frame), {size(each * ledger.frames_left)} to come"
        return f"{text}, {size(free)} free"

    def dropped(self) -> str:
        """Frames that were not kept, by reason."""
        return "  ".join(f"{reason} {frames:,}" for reason, frames in self._ledger.tally.dropped.most_common())

    def classes(self) -> RenderableType:
        """Share of the pixels by tag: the commonest, and the rarest of those seen."""
        pixels = self._ledger.tally.pixels
        shares = pixels / max(1, pixels.sum())
        seen = [int(tag) for tag in np.argsort(-shares) if pixels[tag]]
        names = {tag.id: tag.name for tag in self._table.tags}
        colours = self._table.colours()
        grid = Table.grid(padding=(0, 2))
        grid.add_column(style="dim")
        for rank, tag in enumerate(seen):
            if rank >= _COMMON and rank < len(seen) - _RARE:
                continue
            title = "pixels" if rank == 0 else "rarest" if rank == max(_COMMON, len(seen) - _RARE) else ""
            red, green, blue = (int(value) for value in colours[tag])
            grid.add_row(
                title,
                Text("\u2588\u2588 ", style=f"rgb({red},{green},{blue})") + Text(names.get(tag, str(tag))),
                f"{100 * shares[tag]:.2g} %",
                _bar(shares[tag] / shares[seen[0]]),
            )
        return grid

    def line(self) -> str:
        """The view in a line."""
        ledger = self._ledger
        wanted = ledger.frames_wanted
        parts = [f"frame {wanted - ledger.frames_left}/{wanted}", f"{self.rate():.1f} frames/s", self.time_to_go()]
        parts += [self.disk(), f"dropped: {self.dropped()}" if ledger.tally.dropped else ""]
        return "  ".join(filter(None, parts))

    def _print_lines(self) -> None:
        while not self._ended.wait(_PLAIN_EVERY_S):
            self.say(self.line())


def _bar(share: float) -> str:
    """A bar in eighths of a character; never nothing."""
    eighths = max(1, round(_BAR * 8 * share))
    return "\u2588" * (eighths // 8) + " \u258f\u258e\u258d\u258c\u258b\u258a\u2589"[eighths % 8].strip()


def size(count: float) -> str:
    """Bytes for people, in powers of 1000 as disks are sold."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000.0:
            return f"{count:.0f} {unit}" if unit in ("B", "kB") else f"{count:.1f} {unit}"
        count /= 1000.0
    return f"{count:.1f} TB"
