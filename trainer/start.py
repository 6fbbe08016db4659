"""A run that starts from a finished model (`train --start-from MODEL`): fine-tuning.

The model's weights become the run's checkpoint of step 0, so that every worker finds them where it finds any state that it
is to go on from: on one machine, on a cluster's storage and in S3, also after a loss before the first checkpoint.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from trainer import checkpoint
from trainer.attempt import Job
from trainer.checkpoint import TrainingState
from trainer.commit import Committer
from trainer.errors import TrainingError
from trainer.labels import ClassList
from trainer.manifest import sha256_of
from trainer.model_dir import WEIGHTS, ModelInfo, load_model
from trainer.optimizer import make_optimizer
from trainer.run_bucket import RunBucket
from trainer.unet import UNet


@dataclass(frozen=True)
class StartModel:
    """A model to start from."""

    place: Path
    weights: dict[str, Tensor]
    info: ModelInfo
    sha256: str
    """Of its weights' file; a run that was started from other weights is another run."""

    @staticmethod
    def open(folder: Path, classes: ClassList) -> StartModel:
        """Read a model artifact whose classes are the run's.

        Raises:
            ModelError: it is missing, damaged or of another format.
            TrainingError: it predicts other classes.
        """
        net, info = load_model(folder)
        if info.classes.names != classes.names:
            raise TrainingError(
                f"--start-from {folder}: the model predicts the {len(info.classes)} classes of {info.classes.name!r}, this "
                f"run is to learn the {len(classes)} of {classes.name!r}; give the model's own list by --classes."
            )
        return StartModel(folder, dict(net.state_dict()), info, sha256_of(folder / WEIGHTS))

    def to_dict(self) -> dict[str, Any]:
        """What the new model's model.json says of it; the last `sources` are those of the model's own beginning."""
        before = self.info.training.get("start_from")
        return {
            "model": self.place.absolute().name,
            "sha256": self.sha256,
            "sources": [source["name"] for source in self.info.data.get("sources", [])],
        } | ({"start_from": before} if before else {})

    def commit(self, job: Job, store: RunBucket | None) -> None:
        """Make it the run's checkpoint of step 0.

        Raises:
            TrainingError: it can't be written.
        """
        net = UNet(job.recipe.network)
        net.load_state_dict(self.weights)
        weights = dict(net.state_dict())
        optimizer = make_optimizer(net, job.recipe).state_dict()
        state = TrainingState(0, job.identity, weights, weights, {}, {}, optimizer)
        metrics = job.run / checkpoint.METRICS
        checkpoint.rewind_metrics(None, metrics)
        committer = Committer(job.run, job.attempt, 0, lambda _: None, store)
        if committer.finish(state, job.info, metrics) is None:
            raise TrainingError(f"{committer.exhausted}.")
