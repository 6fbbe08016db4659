"""What the window showed as a file: GIF by Pillow, MP4 and WebM by OpenCV, written on a thread of its own."""

from __future__ import annotations

import contextlib
import importlib
import os
import queue
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from PIL import Image

from trainer.errors import UsageError, UserError

SUFFIXES = (".gif", ".mp4", ".webm")
_CODECS = {".mp4": "mp4v", ".webm": "VP80"}
"""What OpenCV's own build has: WebM plays in browsers, H.264 is not there."""
_QUEUE = 16
_GIF_HZ = 10.0
GIF_MOST = (960, 540)
"""Largest size of a GIF: width, height in pixels."""
_PALETTE_FROM = 8
"""The palette of a GIF is made of so many pictures, spread over those that came first."""


class VideoError(UserError):
    """A video that can't be written."""


class _Encoder(Protocol):
    def put(self, picture: np.ndarray) -> None: ...

    def finish(self) -> None: ...


class Video:
    """`with Video(path, size, pictures_per_s) as video:` writes what is added; the file appears whole at the end.

    Time goes by numbers: a picture is shown from its own to that of the next one. When the encoder can't keep up,
    pictures are left out and the one before stays for longer: whoever adds never waits.
    """

    def __init__(
        self,
        path: Path,
        size: tuple[int, int],
        pictures_per_s: float,
        colours: Sequence[tuple[int, int, int]] = (),
    ):
        """size: (width, height) of the pictures. colours: RGB of letters and lines, which a GIF's palette must have.

        Raises:
            UsageError: a file name that is none of SUFFIXES.
            VideoError: MP4 or WebM without OpenCV, or a folder that can't be written to.
        """
        check_video(path)
        self.path = path
        self.left_out = 0
        self._partial = path.with_name(f".{path.stem}.partial{path.suffix}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._partial.touch()
        except OSError as error:
            raise VideoError(f"{path}: the video can't be written ({error.strerror}); name another file.") from None
        if path.suffix == ".gif":
            self._encoder: _Encoder = _Gif(self._partial, size, pictures_per_s, colours)
        else:
            self._encoder = _OpenCv(self._partial, size, pictures_per_s)
        self._queue: queue.Queue[tuple[int, np.ndarray] | None] = queue.Queue(_QUEUE)
        self._error: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="video", daemon=True)
        self._thread.start()

    def add(self, number: int, picture: np.ndarray) -> None:
        """The picture (H, W, 4) uint8 BGRX that is shown from slot `number` on; not to be changed afterwards."""
        try:
            self._queue.put_nowait((number, picture))
        except queue.Full:
            self.left_out += 1

    def close(self) -> None:
        """Finish the file. Raises VideoError when it could not be written."""
        self._queue.put(None)
        self._thread.join()
        if self._error is None:
            self._partial.replace(self.path)
            return
        self._partial.unlink(missing_ok=True)
        raise VideoError(f"{self.path}: the video can't be written ({self._error}); is there room on the disk?")

    def __enter__(self) -> Video:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self) -> None:
        for picture in self._slots():
            if self._error is None:
                try:
                    self._encoder.put(picture)
                except Exception as error:  # told by `close`; until then whoever adds must not find the queue full
                    self._error = error
        if self._error is None:
            try:
                self._encoder.finish()
            except Exception as error:
                self._error = error

    def _slots(self) -> Iterator[np.ndarray]:
        """One picture a slot."""
        shown: tuple[int, np.ndarray] | None = None
        while (item := self._queue.get()) is not None:
            if shown is not None:
                for _ in range(item[0] - shown[0]):
                    yield shown[1]
            shown = item
        if shown is not None:
            yield shown[1]


class _Gif:
    """One palette for all pictures: colours don't flicker, and what stands still costs nothing."""

    def __init__(
        self, path: Path, size: tuple[int, int], pictures_per_s: float, colours: Sequence[tuple[int, int, int]]
    ):
        self._path, self._colours = path, colours
        self._every = max(1, round(pictures_per_s / _GIF_HZ))
        self._show_ms = round(1000.0 * self._every / pictures_per_s)
        scale = min(1.0, GIF_MOST[0] / size[0], GIF_MOST[1] / size[1])
        self._size = (round(size[0] * scale), round(size[1] * scale))
        self._slot = 0
        self._pictures: list[Image.Image] = []

    def put(self, picture: np.ndarray) -> None:
        if self._slot % self._every == 0:
            image = Image.fromarray(np.ascontiguousarray(picture[..., 2::-1]))
            self._pictures.append(image if image.size == self._size else image.resize(self._size, Image.Resampling.BOX))
        self._slot += 1

    def finish(self) -> None:
        if not self._pictures:
            raise ValueError("no picture was drawn")
        pictures, self._pictures = self._pictures, []
        palette = _common_palette(pictures, self._colours)
        flat = [image.quantize(palette=palette, dither=Image.Dither.NONE) for image in pictures]
        flat[0].save(
            self._path, "GIF", save_all=True, append_images=flat[1:], duration=self._show_ms, loop=0, optimize=False
        )


@contextlib.contextmanager
def _stderr_away() -> Iterator[None]:
    """For OpenCV, which tells of WebM's codec number there, whatever its log level, and means nothing by it."""
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


class _OpenCv:
    def __init__(self, path: Path, size: tuple[int, int], pictures_per_s: float):
        self._cv2: Any = _import_cv2(path.suffix)
        self._size = (size[0] // 2 * 2, size[1] // 2 * 2)  # these codecs take even sides only
        fourcc = self._cv2.VideoWriter_fourcc(*_CODECS[path.suffix])
        with _stderr_away():
            self._writer = self._cv2.VideoWriter(str(path), fourcc, pictures_per_s, self._size)
        self._pictures = 0
        if not self._writer.isOpened():
            raise VideoError(f"{path}: this OpenCV has no {_CODECS[path.suffix]} encoder; name a .gif file instead.")

    def put(self, picture: np.ndarray) -> None:
        width, height = self._size
        self._writer.write(np.ascontiguousarray(picture[:height, :width, :3]))
        self._pictures += 1

    def finish(self) -> None:
        self._writer.release()
        if not self._pictures:
            raise ValueError("no picture was drawn")


def check_video(path: Path) -> None:
    """Raise UsageError or VideoError when a video of this name can't be made here."""
    if path.suffix.lower() not in SUFFIXES or path.suffix != path.suffix.lower():
        raise UsageError(f"--video {path}: the file must end in one of {', '.join(SUFFIXES)}.")
    if path.suffix in _CODECS:
        _import_cv2(path.suffix)


def _import_cv2(suffix: str) -> Any:
    try:
        return importlib.import_module("cv2")
    except ImportError:
        raise VideoError(
            f"{suffix} videos need OpenCV: pip install 'carla-unet[video]', or name a .gif file instead."
        ) from None


def _common_palette(pictures: list[Image.Image], colours: Sequence[tuple[int, int, int]]) -> Image.Image:
    """256 colours: those that are asked for, and the best for some of the pictures.

    The root of how often a colour occurs counts, or there would be none but road and sky.
    """
    chosen = pictures[:: max(1, len(pictures) // _PALETTE_FROM)][:_PALETTE_FROM]
    pixels = np.concatenate([np.asarray(image).reshape(-1, 3) for image in chosen])
    coarse = (pixels >> 3).astype(np.int32)  # 5 bits a channel
    index = coarse[:, 0] << 10 | coarse[:, 1] << 5 | coarse[:, 2]
    counts = np.bincount(index, minlength=1 << 15)
    there = np.flatnonzero(counts)
    means = np.stack([np.bincount(index, pixels[:, c], 1 << 15)[there] / counts[there] for c in range(3)], axis=1)
    weighed = np.repeat(means.round().astype(np.uint8), np.sqrt(counts[there]).astype(np.int64), axis=0)
    room = 256 - len(colours)
    best = Image.fromarray(weighed[None]).quantize(room, method=Image.Quantize.MEDIANCUT).getpalette() or []
    palette = Image.new("P", (1, 1))
    palette.putpalette([*(level for colour in colours for level in colour), *best[: 3 * room]])
    return palette
