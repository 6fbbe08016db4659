"""The command line with the simulator's verbs, beside the trainer's."""

from __future__ import annotations

from collections.abc import Sequence

from trainer import cli

VERBS: dict[str, tuple[str, str]] = {
    "demo": (
        "sim_agent.demo:demo",
        "all of it without CARLA, GPU or data: record, train, evaluate, drive; a page and a video",
    ),
    "record": ("sim_agent.record_cli:record", "labelled camera data from a simulator; the same command again goes on"),
    "drive": ("sim_agent.drive_cli:drive", "a window with live masks; or headless, as a video"),
    "doctor": (
        "sim_agent.doctor:doctor",
        "versions, GPU, Ray, display, simulator; frees a server that a dead client left",
    ),
    "bench": ("sim_agent.bench:bench", "measure this machine: every part against a named reference, with its mark"),
    "sim": ("sim_agent.embedded.cli:sim", "the embedded simulator: a CARLA server without CARLA, until Ctrl-C"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """As `trainer.cli.main`, with all verbs."""
    return cli.main(argv, VERBS | cli.VERBS)
