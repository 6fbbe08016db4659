"""The embedded simulator as a process, and real clients as processes against it; all of them always end."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
CLIENTS = Path(__file__).with_name("clients")
READY_S = 180.0
CLIENT_S = 300.0


class Simulator:
    """`python -m sim_agent.embedded` on free ports, from the command to Ctrl-C."""

    def __init__(self, folder: Path, *arguments: str):
        self.folder = folder
        self.log = folder / "simulator.log"
        ready = folder / "ready"
        command = [sys.executable, "-m", "sim_agent.embedded", "--port", "0", "--ready-file", str(ready)]
        command += ["--recordings", str(folder / "recordings"), *arguments]
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT
            )
        deadline = time.monotonic() + READY_S
        while not ready.exists():
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.end()
                raise AssertionError(f"the simulator did not become ready:\n{self.log.read_text()}")
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(0.05)
        self.port = int(ready.read_text().split()[0])
        self.stream_port = int(ready.read_text().split()[1])

    def run_traffic(self, script: str, *arguments: str, timeout_s: float = CLIENT_S) -> dict:
        """As `run`, for scripts with a Traffic Manager, which may wait for ever (clients/session.py)."""
        for _ in range(2):
            with contextlib.suppress(subprocess.TimeoutExpired):
                return self.run(script, self._tm_port(), *arguments, timeout_s=timeout_s)
        return self.run(script, self._tm_port(), *arguments, timeout_s=timeout_s)

    def _tm_port(self) -> str:
        """A free port for the Traffic Manager's own server; the client takes no 0."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            return str(probe.getsockname()[1])

    def run(self, script: str, *arguments: str, timeout_s: float = CLIENT_S) -> dict:
        """What a client of `clients/` printed as JSON; its failure is ours."""
        home = self.folder / "home"
        home.mkdir(exist_ok=True)
        for _ in range(2):
            done = subprocess.run(
                [sys.executable, str(CLIENTS / f"{script}.py"), str(self.port), *arguments],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=timeout_s,
                # The client keeps maps and meshes in ~/carlaCache.
                env=os.environ | {"HOME": str(home)},
            )
            # libcarla has races of its own that end its process by a signal (seen once in some hundred runs, on a busy
            # machine). What our bytes cause comes again: the same commands give the same ones.
            if done.returncode >= 0:
                break
        assert done.returncode == 0, (
            f"exit code {done.returncode}\n{done.stdout}\n{done.stderr}\nsimulator:\n{self.log.read_text()[-3000:]}"
        )
        return json.loads(done.stdout.splitlines()[-1])

    def end(self) -> int:
        """As Ctrl-C does; the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
        return self.process.wait()
