"""The embedded simulator as a process of this job: started on a free port, watched, and ended with us however we end."""

from __future__ import annotations

import collections
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

import sim_agent
from sim_agent.errors import SimulatorError

_READY_S = 600.0
"""The first start compiles kernels: for 15 s on a free machine, and for minutes beside a training run."""
END_S = 15.0
_SENTENCE = "carla-unet sim: "
"""How the command begins a sentence to its user."""
_TAIL_LINES = 12


class ServerProcess:
    """`with ServerProcess(town=...) as server:` has a CARLA server at `server.host`, `server.port`.

    It ends with the block, and also when this process is killed: it watches a pipe that only we hold open.
    """

    host = "127.0.0.1"

    def __init__(
        self,
        town: str = "Town01",
        seed: int = 0,
        quality: str = "medium",
        threads: int = 0,
        say: Callable[[str], None] = lambda line: None,
    ):
        """Returns when clients may connect; `say` gets its lines until then.

        Raises SimulatorError: it did not start; the message has its own reason, or the end of its log.
        """
        self._say = say
        self._tail: collections.deque[str] = collections.deque(maxlen=_TAIL_LINES)
        self._ready = threading.Event()
        with tempfile.TemporaryDirectory(prefix="carla-unet-") as folder:
            ready_file = Path(folder) / "ready"
            options = {"port": 0, "town": town, "seed": seed, "quality": quality, "threads": threads}
            options["ready-file"] = str(ready_file)
            command = [f"--{name}={value}" for name, value in options.items()]
            self._process = start_module("sim_agent.embedded", [*command, "--end-with-stdin"], subprocess.STDOUT)
            self._reader = threading.Thread(target=self._read, name="simulator's log", daemon=True)
            try:
                self._reader.start()
                if not self._ready.wait(_READY_S):
                    raise SimulatorError(f"the embedded simulator was not ready within {_READY_S:.0f} s.{self._log()}")
                if not ready_file.exists():
                    self._process.wait(END_S)
                    raise SimulatorError(self._why_not())
                self.port = int(ready_file.read_text(encoding="ascii").split()[0])
            except BaseException:
                self.end()
                raise

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    def crash(self) -> str | None:
        """How it ended by itself, with the end of its log; None while it runs."""
        code = self._process.poll()
        if code is None:
            return None
        self._reader.join(1.0)
        how = (
            f"was killed by signal {-code} ({signal.strsignal(-code)})" if code < 0 else f"ended with exit code {code}"
        )
        return f"the embedded simulator {how} in the middle of the job; start the command again.{self._log()}"

    def end(self, within_s: float = END_S) -> None:
        """End it, by force if it takes longer; what was in its world is gone."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(within_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join()
        self._process.stdout.close()

    def __enter__(self) -> ServerProcess:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            text = line.rstrip()
            self._tail.append(text)
            if text.startswith("ready:"):
                self._ready.set()
            elif not self._ready.is_set():
                self._say(text)
        self._ready.set()  # nothing more will come

    def _why_not(self) -> str:
        last = self._tail[-1] if self._tail else ""
        if last.startswith(_SENTENCE):  # a sentence of its own
            return f"the embedded simulator did not start: {last.removeprefix(_SENTENCE)}"
        return f"the embedded simulator did not start (exit code {self._process.returncode}).{self._log()}"

    def _log(self) -> str:
        return "".join(f"\n  {line}" for line in self._tail)


def start_module(module: str, arguments: list[str], errors: int) -> subprocess.Popen[str]:
    """Start `python -m module` of this package, with pipes to its input and from its output, out of reach of Ctrl-C.

    errors: where its standard error goes, as for Popen.
    """
    # The package that runs here, wherever it was started from, and nothing that lies in the current folder.
    paths = [str(Path(sim_agent.__file__).resolve().parents[1]), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths), "PYTHONSAFEPATH": "1", "PYTHONUNBUFFERED": "1"}
    # Ctrl-C goes to all of a terminal's foreground group: we end our processes in order, after we gave the world back.
    if sys.platform == "win32":
        flags, own_session = subprocess.CREATE_NEW_PROCESS_GROUP, False
    else:
        flags, own_session = 0, True
    return subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=errors,
        text=True,
        encoding="utf-8",
        errors="replace",
        env=environment,
        creationflags=flags,
        start_new_session=own_session,
    )
