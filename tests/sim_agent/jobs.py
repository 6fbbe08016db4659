"""Programs that use the agent, as processes: the client can abort or hang, and signals are for a whole process."""

import json
import os
import queue
import subprocess
import sys
import threading
from pathlib import Path

from tests.processes import ROOT, wait_for

CLIENTS = Path(__file__).with_name("clients")
JOB_S = 900.0
CACHE = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
"""Compiled kernels are kept there; the client's own cache is below HOME."""


class Jobs:
    """Starts `clients/*.py`; each finds the client's cache under `folder`."""

    def __init__(self, folder):
        self.folder = folder
        self._jobs = []

    def start(self, script, *arguments):
        job = Job(script, arguments, self.folder)
        self._jobs.append(job)
        return job

    def run(self, script, *arguments):
        """What the script told last."""
        job = self.start(script, *arguments)
        assert job.ended() == 0, job.log()
        return job.told[-1]

    def end_all(self):
        for job in self._jobs:
            job.close()


class Job:
    """A running script: lines of JSON on its output are what it tells us, the rest is its log."""

    def __init__(self, script, arguments, folder):
        self.told, self._lines, self._came = [], [], queue.SimpleQueue()
        self.process = subprocess.Popen(
            [sys.executable, str(CLIENTS / f"{script}.py"), *map(str, arguments)],
            cwd=folder,
            env=os.environ | {"PYTHONPATH": str(ROOT), "HOME": str(folder), "XDG_CACHE_HOME": CACHE},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def hear(self):
        """The next thing that the script tells."""
        told = self._came.get(timeout=JOB_S)
        assert told is not None, f"the script ended:\n{self.log()}"
        return told

    def ended(self):
        """Its exit code, once it has ended."""
        code = self.process.wait(JOB_S)
        self._reader.join(JOB_S)
        return code

    def log(self):
        return "\n".join(self._lines)

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._reader.join(JOB_S)
        self.process.stdout.close()

    def _read(self):
        for line in self.process.stdout:
            self._lines.append(line.rstrip())
            if line.startswith("{"):
                self.told.append(json.loads(line))
                self._came.put(self.told[-1])
        self._came.put(None)


def is_running(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def wait_until_ended(pid):
    wait_for(lambda: not is_running(pid), f"the end of process {pid}")
