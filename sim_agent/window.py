"""The window: pygame's display and events, on a screen or, headless, in memory."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from types import TracebackType

import numpy as np
import pygame

from trainer.errors import UserError

_GROUND = (9, 12, 17)
_WOKEN = pygame.event.custom_type()


class WindowError(UserError):
    """No window can be opened here."""


class Window:
    """A surface that a camera's picture fills as far as its shape allows; draw on `canvas`, then `show`.

    headless: nothing is on a screen, all else is the same.
    """

    def __init__(self, picture: tuple[int, int], most: tuple[int, int], title: str, headless: bool):
        """picture: (width, height) of the camera; most: largest (width, height) of the window.

        Raises:
            WindowError: there is no display.
        """
        if headless:
            os.environ["SDL_VIDEODRIVER"] = "dummy"
        try:
            pygame.display.init()
        except pygame.error as error:
            raise WindowError(_no_display(str(error))) from None
        if (
            not headless
            and pygame.display.get_driver() in ("dummy", "offscreen")
            and "SDL_VIDEODRIVER" not in os.environ
        ):
            pygame.display.quit()
            raise WindowError(_no_display("SDL found none"))
        scale = min(most[0] / picture[0], most[1] / picture[1])
        size = (round(picture[0] * scale), round(picture[1] * scale))
        try:
            pygame.display.set_mode(size, pygame.RESIZABLE)
        except pygame.error as error:
            pygame.display.quit()
            raise WindowError(_no_display(str(error))) from None
        pygame.display.set_caption(title)
        self.headless = headless
        self.came_s = self._looked_s = time.monotonic()
        """When the events of the last `events` may have come, at the earliest."""
        self.canvas = _canvas(size)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.canvas.get_size()

    def wake(self) -> None:
        """End the wait of `events`; from any thread."""
        # Without pumping, which only the window's own thread may do.
        if not pygame.event.peek(_WOKEN, pump=False):
            pygame.event.post(pygame.event.Event(_WOKEN))

    def events(self, timeout_s: float) -> list[pygame.event.Event]:
        """What the user did; waits for that, or for `wake`, at most `timeout_s`."""
        looked_s = self._looked_s
        events = pygame.event.get()
        if events:
            self.came_s = looked_s  # while we were drawing
        else:
            events = [pygame.event.wait(max(1, round(1000 * timeout_s))), *pygame.event.get()]
            self.came_s = time.monotonic()
        self._looked_s = time.monotonic()
        for event in events:
            if event.type == pygame.VIDEORESIZE:
                self.canvas = _canvas((max(240, event.w), max(240, event.h)))
        return [event for event in events if event.type not in (_WOKEN, pygame.NOEVENT)]

    def place(self, picture: np.ndarray | None) -> pygame.Rect:
        """Fill the canvas with a picture (H, W, 4) uint8 BGRA, in its own shape; where it is."""
        width, height = self.size
        if picture is None:
            self.canvas.fill(_GROUND)
            return self.canvas.get_rect()
        rows, columns = picture.shape[:2]
        scale = min(width / columns, height / rows)
        box = pygame.Rect(0, 0, round(columns * scale), round(rows * scale))
        box.center = (width // 2, height // 2)
        source = pygame.image.frombuffer(np.ascontiguousarray(picture).data, (columns, rows), "BGRA")
        if box.size == self.size:
            pygame.transform.smoothscale(source, self.size, self.canvas)
        else:
            self.canvas.fill(_GROUND)
            self.canvas.blit(pygame.transform.smoothscale(source, box.size), box)
        return box

    def show(self) -> None:
        """Bring the canvas to the screen."""
        screen = pygame.display.get_surface()
        if screen is not None and not self.headless:
            screen.blit(self.canvas, (0, 0))
            pygame.display.flip()

    def pixels(self) -> np.ndarray:
        """A copy of the canvas, (H, W, 4) uint8 BGRX."""
        # A copy in any case: a view keeps the surface locked.
        packed: np.ndarray = pygame.surfarray.pixels2d(self.canvas).T.copy()
        return packed[..., None].view(np.uint8)

    def save(self, folder: Path) -> Path:
        """The canvas as a PNG with a new name in `folder`."""
        stem = time.strftime("drive-%Y%m%d-%H%M%S")
        names = (f"{stem}{'' if k == 0 else f'-{k}'}.png" for k in range(1000))
        path = next(folder / name for name in names if not (folder / name).exists())
        pygame.image.save(self.canvas, str(path))
        return path

    def close(self) -> None:
        """Close it."""
        pygame.display.quit()

    def __enter__(self) -> Window:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _canvas(size: tuple[int, int]) -> pygame.Surface:
    """32 bits a pixel, BGRX in memory: what a camera's picture is."""
    return pygame.Surface(size, 0, 32, (0xFF0000, 0xFF00, 0xFF, 0))


def _no_display(why: str) -> str:
    hint = "" if sys.platform in ("win32", "darwin") else " (over ssh: ssh -X, or export DISPLAY=:0 on the machine)"
    return (
        f"no window can be opened here: {why}{hint}. Without a display: --headless --frames 300 --video drive.gif shows "
        "the same in a file."
    )
