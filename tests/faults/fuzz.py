"""A small coverage-guided fuzzer: what reaches lines that nothing reached before is mutated further."""

from __future__ import annotations

import copy
import random
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import msgpack

Target = Callable[[bytes], None]
NASTY: tuple[Any, ...] = (
    *(None, True, -1, 0, 1 << 31, 1 << 32, (1 << 64) - 1, -(1 << 63), 0.0, float("nan"), float("inf"), 1e308),
    *(
        "",
        "x",
        "x" * 70_000,
        "\0",
        "../../etc/passwd",
        b"",
        b"\xff" * 50,
        [],
        [[]],
        [[[[[[]]]]]],
        {},
        {1: 2},
        [0] * 3000,
    ),
)


class Fuzzer:
    """Runs `target` on bytes; each must end by itself, and raise nothing.

    corpus: what is mutated, the seeds and all that reached something new. reached: pairs of lines of `folder`'s modules,
    (file, line before, line), that some input ran one after the other. slowest_s: CPU time of the slowest input.
    """

    def __init__(self, target: Target, folder: Path, seeds: Sequence[bytes], seed: int = 0):
        self.corpus: list[bytes] = []
        self.reached: set[tuple[str, int, int]] = set()
        self.inputs, self.slowest_s = 0, 0.0
        self._target, self._folder, self._rng = target, str(folder), random.Random(seed)
        for data in seeds:
            self.run(data)

    @property
    def lines(self) -> int:
        """How many different lines were reached."""
        return len({(file, line) for file, _, line in self.reached})

    def run(self, data: bytes) -> None:
        """One input; what the target raises passes through, with the input in a note."""
        known = len(self.reached)
        began_s = time.process_time()
        sys.settrace(self._enter)
        try:
            self._target(data)
        except BaseException as error:
            raise AssertionError(f"{error!r} came of {data!r}") from error
        finally:
            sys.settrace(None)
        self.slowest_s = max(self.slowest_s, time.process_time() - began_s)
        self.inputs += 1
        if len(self.reached) > known:
            self.corpus.append(data)

    def mutate(self) -> bytes:
        """Another input, made of one or two of the corpus."""
        rng = self._rng
        data = rng.choice(self.corpus)
        if rng.random() < 0.6:
            try:
                message = msgpack.unpackb(data, unicode_errors="surrogateescape", strict_map_key=False)
            except (ValueError, RecursionError):  # bytes that are none any more are changed as bytes
                message = None
            if isinstance(message, list) and len(message) > 3:
                for _ in range(rng.randrange(1, 4)):
                    message = distort(rng, message)
                return msgpack.packb(message, unicode_errors="surrogateescape")
        changed = bytearray(data)
        for _ in range(rng.randrange(1, 5)):
            at = rng.randrange(len(changed) + 1)
            kind = rng.randrange(4)
            if kind == 0 and at < len(changed):
                changed[at] = rng.randrange(256)
            elif kind == 1:
                del changed[at : at + rng.randrange(1, 9)]
            elif kind == 2:
                changed[at:at] = rng.randbytes(rng.randrange(1, 9))
            else:
                other = rng.choice(self.corpus)
                changed[at:] = other[rng.randrange(len(other) + 1) :]
        return bytes(changed)

    def _enter(self, frame: FrameType, event: str, arg: Any) -> Any:
        if not frame.f_code.co_filename.startswith(self._folder):
            return None
        file, reached, before = frame.f_code.co_filename, self.reached, 0

        def line(frame: FrameType, event: str, arg: Any) -> Any:
            nonlocal before
            if event == "line":
                reached.add((file, before, frame.f_lineno))
                before = frame.f_lineno
            return line

        return line


def distort(rng: random.Random, message: list) -> list:
    """A copy of a request with one thing in it missing, added or replaced."""
    message = copy.deepcopy(message)
    at = message[3]
    while isinstance(at, list) and at:
        place = rng.randrange(len(at))
        if not isinstance(at[place], list) or rng.random() < 0.3:
            change = rng.randrange(4)
            if change == 0:
                del at[place]
            elif change == 1:
                at.insert(place, rng.choice(NASTY))
            else:
                at[place] = rng.choice(NASTY)
            break
        at = at[place]
    return message


def lines_of(file: Path) -> int:
    """How many lines the functions of a module have."""

    def lines(code: CodeType, counts: bool = True) -> set[int]:
        within = [lines(each) for each in code.co_consts if isinstance(each, CodeType)]
        return set[int]().union({line for _, _, line in code.co_lines() if line and counts}, *within)

    return len(lines(compile(file.read_text(), str(file), "exec"), counts=False))
