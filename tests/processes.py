"""The command line as users run it, in processes that always end."""

import contextlib
import os
import subprocess
import sys
import time
import uuid
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


class CommandLine:
    """Runs `launch.py` as users do, in a folder of its own, and ends whatever is left of it."""

    def __init__(self, folder):
        self.folder = folder
        self.mark = f"carla-unet-test-{uuid.uuid4()}"
        self.env = os.environ | {"CARLA_UNET_TEST": self.mark, "PYTHONPATH": str(ROOT)}

    def start(self, *arguments, program=ROOT / "launch.py"):
        return subprocess.Popen(
            [sys.executable, str(program), *map(str, arguments)],
            cwd=self.folder,
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments, timeout_s=900, program=ROOT / "launch.py"):
        process = self.start(*arguments, program=program)
        try:
            out, err = process.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            raise AssertionError(f"{arguments} did not end within {timeout_s} s:\n{out}\n{err}") from None
        return subprocess.CompletedProcess(arguments, process.returncode, out, err)

    def processes(self):
        """Ids of the processes that this command line started, Ray's included."""
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and int(entry.name) != os.getpid():
                with contextlib.suppress(OSError):
                    state = (entry / "stat").read_text().rsplit(")", 1)[1].split()[0]
                    if state != "Z" and self.mark.encode() in (entry / "environ").read_bytes():
                        found.append(int(entry.name))
        return found

    def kill(self, pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, 9)

    def end_all(self):
        for pid in self.processes():
            self.kill(pid)


def wait_for(condition, what, timeout_s=300.0, process=None):
    """Poll until `condition()` is true and return its value; fails early when `process` has ended."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if value := condition():
            return value
        if process is not None and process.poll() is not None:
            out, err = process.communicate()
            raise AssertionError(f"the process ended with {process.returncode} before {what}:\n{out}\n{err}")
        time.sleep(0.05)
    raise AssertionError(f"{what} did not happen within {timeout_s} s")
