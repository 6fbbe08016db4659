"""What `train` was asked for, and whether this machine can do it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from trainer.bucket import Bucket, environment
from trainer.dataset.source import Source
from trainer.errors import TrainingError, UsageError
from trainer.hardware import available_cpus

if TYPE_CHECKING:
    from trainer.recipe import TrainConfig  # with PyTorch, whose import takes two seconds

WAIT_S = 300.0
CACHE_BYTES = 4_000_000_000

_WORKER_ENV = {
    # glibc would give big activation buffers back to the system and fault them in again at every step: with these,
    # training was 7 to 10 % faster (measured; names are glibc's).
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": "17179869184",
    "MALLOC_TOP_PAD_": "268435456",
}


@dataclass(frozen=True)
class TrainRequest:
    """What the command line asks for."""

    sources: tuple[Source, ...]
    run: str
    storage: Path
    config: TrainConfig
    workers: int | None = None
    """None: two, or one where there is a single core; on GPUs as many as there are. The most, where `min_workers`."""
    min_workers: int | None = None
    """Elastic: the run goes on with so many workers when there is no room for more. None: always `workers`."""
    threads: int = 1
    """Per worker. One thread a worker and one worker a core is the fastest on a CPU (measured)."""
    use_gpu: bool = False
    fresh: bool = False
    val: tuple[Source, ...] = ()
    start_from: Path | None = None
    """A model artifact whose weights the run starts with; its network is the run's."""
    cache: Path | None = None
    bucket: Bucket | None = None
    """Where runs and packed pictures are, when that is S3; `storage` is then a folder on the driver's disk."""
    cache_bytes: int = CACHE_BYTES
    """Of packed pictures from S3 on a node's disk."""
    address: str | None = None
    """A Ray cluster's; None: this machine."""
    wait_s: float = WAIT_S
    """How long the run waits for workers, at its start and after a loss."""
    started_s: float = 0.0
    """time.time() when the command was given."""
    quiet: bool = False

    def worker_env(self) -> dict[str, str]:
        """Environment variables of a worker's process."""
        storage = environment() if self.bucket else {}
        if not self.use_gpu:
            return _WORKER_ENV | storage
        # cuBLAS adds in a fixed order only with workspaces of a fixed size.
        return ({"CUBLAS_WORKSPACE_CONFIG": ":4096:8"} if self.config.deterministic else {}) | storage


@dataclass(frozen=True)
class Workers:
    """How many workers a run may have."""

    fewest: int
    most: int

    @property
    def elastic(self) -> bool:
        """Whether the number may change within a run."""
        return self.fewest < self.most

    def __str__(self) -> str:
        return f"{self.fewest} to {self.most}" if self.elastic else str(self.most)


def parse_workers(text: str) -> tuple[int | None, int]:
    """`2` or `MIN:MAX`: the fewest (None: not elastic) and the most.

    Raises:
        UsageError: neither, or no rising numbers from 1.
    """
    fewest, colon, most = text.partition(":")
    try:
        numbers = [int(fewest), int(most)] if colon else [int(fewest)]
    except ValueError:
        raise UsageError(f"--workers {text!r}: expected a number such as 2, or MIN:MAX such as 1:4.") from None
    if numbers[0] < 1 or numbers != sorted(numbers):
        raise UsageError(f"--workers {text!r}: numbers must be 1 or more, and MIN at most MAX.")
    return (numbers[0] if colon else None), numbers[-1]


def check_workers(request: TrainRequest) -> Workers:
    """How many workers; an elastic run takes what this machine has room for.

    Raises:
        TrainingError: with both numbers, when they don't fit this machine.
        UsageError: a cluster, and no number: it may be one that grows as it is asked.
    """
    if request.address:
        if request.workers is None:
            raise UsageError("--address: say how many --workers the cluster is to run, such as 4 or 1:4.")
        return Workers(request.min_workers or request.workers, request.workers)
    cpus = available_cpus()
    if request.use_gpu:
        import torch

        gpus = torch.cuda.device_count()
        most = request.workers or max(1, gpus)
        fewest = request.min_workers or most
        if fewest > gpus:
            raise TrainingError(
                f"{fewest} workers with a GPU each were asked for, this machine has {gpus}; lower --workers."
            )
        return Workers(fewest, most)
    most = request.workers or min(2, cpus)
    fewest = request.min_workers or most
    if fewest * request.threads > cpus:
        raise TrainingError(
            f"{fewest} workers x {request.threads} thread(s) need {fewest * request.threads} cores, this machine has "
            f"{cpus}; lower --workers or --threads."
        )
    return Workers(fewest, most)
