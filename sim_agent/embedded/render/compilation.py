"""The first compilation on a machine: child processes share it, as numba compiles only one kernel at a time in each.

Every child leaves its kernels in the cache, where this process finds them; what a child did not finish, for whatever
reason, this process compiles itself when it needs it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from sim_agent.embedded.render.warm import is_compiled

FIRST_PARTS = ("shading", "geometry")
"""Of `warm.PARTS`, what a first picture by day needs."""

LATER_PARTS = ("rest", "extras")
"""What is compiled while clients are served."""

_ROOT = Path(__file__).resolve().parents[3]
_CODE = """
import os, sys
if hasattr(os, "nice"):
    os.nice(3)
from sim_agent.embedded.render.kernel import load_numba
load_numba()
from sim_agent.embedded.render.warm import compile_part
compile_part(sys.argv[1])
"""
# Children stand back behind this process, which has more to do than each of them: physics to compile, a town to build.

_children: dict[str, subprocess.Popen[bytes]] = {}


def start(say: Callable[[str], None]) -> None:
    """Has children compile what a first picture needs; does nothing where that has been done before."""
    missing = [part for part in FIRST_PARTS if not is_compiled(part)]
    if missing:
        say("compiling the simulator, once for this machine: about a quarter of a minute ...")
    for part in missing:
        _children[part] = _child(part)


def wait_for_first_parts() -> None:
    """Returns when the children of `start` have ended; what is left to compile goes on in another."""
    for part in FIRST_PARTS:
        _wait_for(part)
    for part in LATER_PARTS:
        if part not in _children and not is_compiled(part):
            _children[part] = _child(part)


def wait_for_rest() -> None:
    """Returns when what casts rays and draws nights has been compiled."""
    _wait_for("rest")


def end() -> None:
    """End what still compiles."""
    while _children:
        _, child = _children.popitem()
        child.terminate()
        child.wait()


def _wait_for(part: str) -> None:
    child = _children.pop(part, None)
    if child is not None:
        child.wait()


def _child(part: str) -> subprocess.Popen[bytes]:
    paths = os.pathsep.join([str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    return subprocess.Popen(
        [sys.executable, "-c", _CODE, part],
        env=os.environ | {"PYTHONPATH": paths},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
