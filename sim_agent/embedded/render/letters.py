"""A small bitmap font: what debug texts are written with."""

from __future__ import annotations

from functools import cache, lru_cache

import numpy as np
import numpy.typing as npt

WIDTH_PX, HEIGHT_PX = 5, 8
"""Of a letter; a row and a column of space go between two."""

_ROWS = """
2108420080 5294000000 52beafa940 23e8e2f880 ce44444e60 64a88ac9a0 2110000000 1110841040 4104211100 012aea9000
0109f21000 0000061100 0001f00000 0000003180 0844444200 74675cc5c0 23084211c0 74422223e0 f88820c5c0 11952f8840
fc3c10c5c0 3221e8c5c0 f844421080 7462e8c5c0 7462f08980 0318063000 0318061100 1111041040 003e0f8000 4104111100
7442220080 746f5bc1c0 7463f8c620 f463e8c7c0 74610845c0 f46318c7c0 fc21e843e0 fc21e84200 746178c5e0 8c63f8c620
71084211c0 3884214980 8ca98a4a20 84210843e0 8eeb58c620 8e7359ce20 746318c5c0 f463e84200 74631ac9a0 f463ea4a20
7c20e087c0 f908421080 8c6318c5c0 8c6318a880 8c635aee20 8c54454620 8c54421080 f8444443e0 72108421c0 8410410420
70842109c0 22a2000000 00000003e0 4104000000 001c17c5e0 843d18c7c0 001d1845c0 085f18c5e0 001d1fc1c0 3251c42100
001f18bc2e 843d18c620 20184211c0 100c210a4c 84254c5240 61084211c0 00355ad6a0 003d18c620 001d18c5c0 003d18fa10
001f18bc21 002d984200 001f0707c0 42388424c0 002318c5e0 002318a880 00231ad540 0022a22a20 002318bc2e 003e2223e0
1908821060 2108421080 c108221300 0013590000
"""
"""The letters from ! to ~: eight rows of five bits each, the upper left one the highest."""

_UNKNOWN = int("11111" + "10001" * 5 + "11111" + "00000", 2)


@lru_cache(maxsize=256)
def dots_of(text: str, size: int) -> npt.NDArray[np.bool_]:
    """(H, W) where the ink of a text is, each of the font's dots `size` pixels wide; a letter unknown is an empty frame."""
    lines = text.split("\n")
    dots = np.zeros((len(lines) * (HEIGHT_PX + 1), max(map(len, lines)) * (WIDTH_PX + 1)), bool)
    for row, line in enumerate(lines):
        for column, letter in enumerate(line):
            top, left = row * (HEIGHT_PX + 1), column * (WIDTH_PX + 1)
            dots[top : top + HEIGHT_PX, left : left + WIDTH_PX] = _dots_of_letter(letter)
    return dots.repeat(size, 0).repeat(size, 1)


@cache
def _dots_of_letters() -> dict[str, npt.NDArray[np.bool_]]:
    letters = {chr(code): int(bits, 16) for code, bits in enumerate(_ROWS.split(), ord("!"))}
    return {letter: _unpacked(bits) for letter, bits in letters.items()} | {" ": _unpacked(0)}


def _dots_of_letter(letter: str) -> npt.NDArray[np.bool_]:
    known = _dots_of_letters()
    return known[letter] if letter in known else _unpacked(_UNKNOWN)


def _unpacked(bits: int) -> npt.NDArray[np.bool_]:
    count = HEIGHT_PX * WIDTH_PX
    dots = [bits >> shift & 1 for shift in range(count - 1, -1, -1)]
    return np.array(dots, bool).reshape(HEIGHT_PX, WIDTH_PX)
