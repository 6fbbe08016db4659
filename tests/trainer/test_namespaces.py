"""Two raylets in two network namespaces: addresses of their own, a storage that one does not share, a cable that is cut.

Needs root and `ip netns`, as on a Linux machine of one's own.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from tests.processes import ROOT, wait_for
from trainer import checkpoint
from trainer.hardware import available_cpus

HEAD, OTHER = "10.77.41.1", "10.77.41.2"
PORT = 6390


def ip(*arguments, check=True):
    return subprocess.run(["ip", *arguments], check=check, capture_output=True, text=True)


def possible():
    """Whether this machine lets us make a network namespace."""
    if shutil.which("ip") is None or getattr(os, "geteuid", lambda: 1)() != 0:
        return False
    name = f"cu-try-{os.getpid()}"
    if ip("netns", "add", name, check=False).returncode:
        return False
    ip("netns", "del", name)
    return True


class Machines:
    """Two machines, as far as the network is concerned, joined by a cable."""

    def __init__(self, command_line):
        self.command_line = command_line
        self.names = [f"cu{os.getpid()}-{side}" for side in "ab"]
        # Ray's sockets have long names of their own, and a path may have a hundred letters.
        self.raylets = []
        self.temp = Path(tempfile.mkdtemp(prefix="cu", dir="/tmp"))

    def __enter__(self):
        a, b = self.names
        for name in self.names:
            ip("netns", "add", name)
        ip("link", "add", "cable0", "netns", a, "type", "veth", "peer", "name", "cable1", "netns", b)
        for name, cable, address in ((a, "cable0", HEAD), (b, "cable1", OTHER)):
            ip("-n", name, "address", "add", f"{address}/24", "dev", cable)
            for device in (cable, "lo"):
                ip("-n", name, "link", "set", device, "up")
        return self

    def __exit__(self, *_):
        self.command_line.end_all()
        for process in self.raylets:
            process.wait(60)
        for name in self.names:
            ip("netns", "del", name, check=False)
        shutil.rmtree(self.temp, ignore_errors=True)

    def start(self, machine, *command, output=subprocess.PIPE):
        """A process on machine 0 or 1."""
        return subprocess.Popen(
            ["ip", "netns", "exec", self.names[machine], *map(str, command)],
            cwd=self.command_line.folder,
            env=self.command_line.env,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            text=True,
        )

    def start_ray(self, machine, before=""):
        """A raylet of one core; `before`: a shell line in a mount namespace of its own."""
        head = ["--head", "--port", PORT, "--include-dashboard=false", "--temp-dir", self.temp]
        rest = head if machine == 0 else ["--address", f"{HEAD}:{PORT}"]
        ray = [sys.executable, "-m", "ray.scripts.scripts", "start", "--block", "--num-cpus=1", "--disable-usage-stats"]
        ray += ["--node-ip-address", (HEAD, OTHER)[machine], "--object-store-memory", 80_000_000, *rest]
        line = " ".join(map(str, ray))
        shell = ["unshare", "-m", "sh", "-c", f"{before or 'true'} && exec {line}"]
        self.raylets.append(self.start(machine, *shell, output=subprocess.DEVNULL))
        return self.raylets[-1]

    def train(self, *arguments):
        return self.start(0, sys.executable, ROOT / "launch.py", "train", "--address", f"{HEAD}:{PORT}", *arguments)

    def nodes(self):
        """Ids of the nodes that the head knows to live."""
        seen = self.start(0, sys.executable, "-c", _NODES.format(address=f"{HEAD}:{PORT}"))
        out, _ = seen.communicate(timeout=120)
        return json.loads(out.splitlines()[-1]) if seen.returncode == 0 and out else []

    def cut(self):
        ip("-n", self.names[1], "link", "set", "cable1", "down")


_NODES = """
import json, ray
ray.init("{address}", log_to_driver=False, logging_level="ERROR")
print(json.dumps([n["NodeManagerAddress"] for n in ray.nodes() if n["Alive"]]))
"""


@pytest.mark.slow
@pytest.mark.skipif(available_cpus() < 2, reason="needs two cores")
@pytest.mark.skipif(not possible(), reason="needs root and network namespaces")
def test_two_machines_train_together_and_one_is_cut_off(command_line, recording, recovery):
    storage = command_line.folder / "runs"
    storage.mkdir()
    command_line.env |= {
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": "0" * 64,
        "RAY_health_check_period_ms": "1000",
        "RAY_health_check_timeout_ms": "1000",
        "RAY_health_check_failure_threshold": "3",
    }
    arguments = [
        "--data", recording, "--run", "far", "--storage", storage, "--workers", "1:2", "--deterministic", "--size", "xs",
        "--set", "picture=[48,80]", "crop=[32,64]", "batch=8", "steps=100000", "validations=1", "precision=fp32",
        "checkpoint_s=1",
    ]  # fmt: skip
    with Machines(command_line) as machines:
        machines.start_ray(0)
        wait_for(lambda: machines.nodes() == [HEAD], "a head", timeout_s=120)
        lacking = machines.start_ray(1, before=f"mount -t tmpfs none {storage}")
        wait_for(lambda: sorted(machines.nodes()) == [HEAD, OTHER], "a second machine", timeout_s=120)
        begun = time.monotonic()
        refused = machines.train(*arguments)
        out, err = refused.communicate(timeout=200)
        assert refused.returncode == 1 and f"{storage}/far: is not there" in err, (out, err)
        assert "a --storage that all nodes share" in err
        recovery("a storage that is not shared", refused_s=time.monotonic() - begun)
        assert not checkpoint.every(storage / "far")
        lacking.terminate()
        lacking.wait(60)
        wait_for(lambda: machines.nodes() == [HEAD], "its leave", timeout_s=120)

        machines.start_ray(1)
        wait_for(lambda: sorted(machines.nodes()) == [HEAD, OTHER], "it again", timeout_s=120)
        process = machines.train(*arguments)

        def started(number):
            files = list((storage / "far").glob("attempt-*/starts.jsonl"))
            return [json.loads(line) for file in files for line in file.read_text().splitlines()][number:]

        wait_for(lambda: [c for c in checkpoint.every(storage / "far")], "a checkpoint of both", process=process)
        assert [start["workers"] for start in started(0)] == [2]
        saved = checkpoint.every(storage / "far")[0].step
        begun = time.monotonic()
        machines.cut()
        alone = wait_for(lambda: started(1), "the other one alone", timeout_s=200, process=process)[0]
        recovery("a machine cut off", at_work_again_s=time.monotonic() - begun)
        assert alone["workers"] == 1 and alone["step"] >= saved
        process.send_signal(2)
        out, err = process.communicate(timeout=120)
        assert process.returncode == 130 and "saved; the same command goes on" in out, (out, err)
