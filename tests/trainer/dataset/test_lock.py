from __future__ import annotations

import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from trainer.dataset.lock import locked
from trainer.errors import DataError

HOLD = """
import sys
from pathlib import Path
from trainer.dataset.lock import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_holder_waits_or_is_told(tmp_path: Path) -> None:
    with locked(tmp_path / "l"):
        with pytest.raises(DataError, match="busy now"), locked(tmp_path / "l", 0, "busy now"):
            pass
        waiting = threading.Event()
        done = threading.Event()

        def second() -> None:
            with locked(tmp_path / "l", on_wait=waiting.set):
                done.set()

        thread = threading.Thread(target=second)
        thread.start()
        assert waiting.wait(10) and not done.is_set()
    thread.join(10)
    assert done.is_set()


def test_a_killed_holder_gives_the_lock_back(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLD, str(tmp_path / "l")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None and holder.stdout.readline() == "held\n"
        with pytest.raises(DataError), locked(tmp_path / "l", 0):
            pass
        holder.send_signal(signal.SIGTERM if sys.platform == "win32" else signal.SIGKILL)
        holder.wait(10)
    with locked(tmp_path / "l", 10):
        pass
