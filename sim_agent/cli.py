"""The command line with the simulator's verbs, beside the trainer's."""

from __future__ import annotations

from collections.abc import Sequence

from trainer import cli

VERBS: dict[str, tuple[str, str]] = {
    "sim": ("sim_agent.embedded.cli:sim", "the embedded simulator: a CARLA server without CARLA, until Ctrl-C"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """As `trainer.cli.main`, with all verbs."""
    return cli.main(argv, VERBS | cli.VERBS)
