"""One start of the driver: what it tells every worker, and the files by which they answer.

RUN/attempt-001/outcome.json      how it ended, by rank 0
RUN/attempt-001/first_step.json   when the first step was done
RUN/attempt-001/stop              the driver's wish that the step in progress be the last
RUN/attempt-001/starts.jsonl      each start of the workers
RUN/attempt-001/pulse             touched as long as rank 0 lives
RUN/attempt-001/notes.txt         sentences for the user
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainer import checkpoint
from trainer.bucket import Bucket
from trainer.dataset.parts import PartList
from trainer.model_dir import ModelInfo
from trainer.recipe import Recipe

OUTCOME = "outcome.json"
FIRST_STEP = "first_step.json"
STOP = "stop"
STARTS = "starts.jsonl"
PULSE = "pulse"
NOTES = "notes.txt"


@dataclass(frozen=True)
class Job:
    """What the driver tells every worker."""

    run: Path
    attempt: str
    """Name of this start of the driver; Ray writes below `run / attempt`."""
    recipe: Recipe
    train_cache: Path | PartList
    val_cache: Path | PartList
    class_weights: tuple[float, ...]
    info: ModelInfo
    identity: dict[str, Any]
    threads: int
    started_s: float
    """time.time() when the command was given."""
    preemptible: bool = False
    """Whether nodes may be taken away with a warning (a cluster's)."""
    bucket: Bucket | None = None
    """The run's place, where that is in S3; `run` is then a folder on this machine's disk."""
    cache_bytes: int = 0
    """Of packed pictures from S3 on a node's disk."""

    @property
    def folder(self) -> Path:
        """Where this attempt's files are."""
        return self.run / self.attempt

    def in_run(self, name: str) -> str:
        """Name of one of this attempt's files, relative to the run."""
        return f"{self.attempt}/{name}"

    def told(self) -> list[str]:
        """Files by which the workers tell the driver how they are, relative to the run."""
        return [checkpoint.METRICS, *(self.in_run(n) for n in (STARTS, PULSE, FIRST_STEP, NOTES, OUTCOME))]

    @property
    def log_every(self) -> int:
        """Steps between lines of metrics.jsonl; checkpoints lie on the same grid, so that no line is cut in two."""
        return max(1, min(20, self.recipe.steps // 200))
