"""`record` as users run it, in processes that always end, and what it has written."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.processes import CommandLine
from tests.sim_agent.jobs import CACHE
from trainer.dataset.recording import episode_folders, shard_paths
from trainer.dataset.shard import scan_shard

SMALL = "cameras: [{name: front, width: 96, height: 54, pose: [1.3, 0, 1.6, 0, 0, 0]}]\nrate_hz: 10\nsettle_s: 1.0\n"
"""A rig that costs little, with every second tick recorded."""


class RecordCommand(CommandLine):
    """The verbs of the agent and the trainer, with a home of their own for what the client keeps."""

    def __init__(self, folder: Path):
        super().__init__(folder)
        (folder / "home").mkdir(exist_ok=True)
        self.env = self.env | {"HOME": str(folder / "home"), "XDG_CACHE_HOME": CACHE}
        self.config = folder / "small.yaml"
        self.config.write_text(SMALL)
        self.out = folder / "rec"

    def record(self, *arguments) -> subprocess.Popen:
        """Start a recording with the small rig at low quality."""
        return self.start("record", "--out", self.out, "--config", self.config, "--quality", "low", *arguments)

    def finish(self, process: subprocess.Popen, timeout_s: float = 400.0) -> tuple[int, str, str]:
        """Exit code and what it said."""
        try:
            out, err = process.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            raise AssertionError(f"it did not end within {timeout_s} s:\n{out}\n{err}") from None
        return process.returncode, out, err

    def find(self, words: str) -> list[int]:
        """Ids of those processes of ours whose command line has these words."""
        found = []
        for number in self.processes():
            try:
                line = (Path("/proc") / str(number) / "cmdline").read_bytes()
            except OSError:
                continue
            if words.encode() in line.replace(b"\0", b" "):
                found.append(number)
        return found


def frames_on_disk(path: Path) -> dict[tuple[str, str], int]:
    """{(episode, frame): bytes of its files} of all whole frames."""
    return {
        (folder.name, frame.stem): sum(size for _, size in frame.members.values())
        for folder in episode_folders(path)
        for shard in shard_paths(folder)
        for frame in scan_shard(shard).frames
    }
