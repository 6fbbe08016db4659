"""Checkpoints of a run: all that is needed to go on exactly, whole or not at all.

A checkpoint is a model artifact (its weights are the averaged ones) plus

    state.safetensors   weights in training, optimizer moments, the best weights so far
    state.json          step, what the run is (`identity`), optimizer groups, best score
    metrics.jsonl       every line of the run up to this step

    RUN/attempt-001/step_00000400-1/   attempt: one start of the driver; after the step, the start of its workers

Ray's own record of checkpoints is not asked: a returned `report` is no commit (up to one checkpoint is forgotten when a
worker dies, measured), and a damaged record ends a run. What lies on disk and matches its manifest counts, newest first.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from trainer.errors import ModelError, TrainingError
from trainer.manifest import check_manifest, read_json, write_json, write_manifest
from trainer.model_dir import CARD, WEIGHTS, ModelInfo, fill_model, save_tensors

STATE_TENSORS, STATE, METRICS = "state.safetensors", "state.json", "metrics.jsonl"
_NAME = re.compile(r"step_(\d{8})(?:-(\d+))?$")


@dataclass(frozen=True)
class Checkpoint:
    """A whole checkpoint on disk."""

    path: Path
    step: int
    """Optimizer steps that are in it."""


@dataclass
class TrainingState:
    """What `save` writes and `load` gives back; tensors by parameter name."""

    step: int
    identity: dict[str, Any]
    weights: dict[str, torch.Tensor]
    average: dict[str, torch.Tensor]
    best: dict[str, torch.Tensor]
    """Weights with the best validation mIoU so far; empty before the first validation."""
    best_score: dict[str, Any]
    """`Score.to_dict()` with `step`; empty before the first validation."""
    optimizer: dict[str, Any]
    """`Optimizer.state_dict()`."""


def directory_name(step: int, start: int = 1) -> str:
    """`step_00000400-1`; start: how often the workers of this attempt had been started."""
    return f"step_{step:08d}-{start}"


def save(folder: Path, state: TrainingState, info: ModelInfo, metrics: Path, metrics_bytes: int | None = None) -> None:
    """Fill an empty folder with a checkpoint; its manifest is written last.

    metrics_bytes: how much of `metrics` belongs to the state, where the file is still growing; None for all.
    """
    tensors = {f"weights.{k}": v for k, v in state.weights.items()} | {f"best.{k}": v for k, v in state.best.items()}
    numbers: dict[str, Any] = {}
    for index, values in state.optimizer["state"].items():
        for key, value in values.items():
            if isinstance(value, torch.Tensor):
                tensors[f"optimizer.{index}.{key}"] = value
            else:
                numbers[f"{index}.{key}"] = value
    save_tensors({name: tensor.detach().cpu().clone() for name, tensor in tensors.items()}, folder / STATE_TENSORS)
    fill_model(folder, state.average, info)
    (folder / METRICS).write_bytes(metrics.read_bytes()[:metrics_bytes])
    groups = [
        {k: list(v) if isinstance(v, tuple) else v for k, v in g.items()} for g in state.optimizer["param_groups"]
    ]
    write_json(
        folder / STATE,
        {
            "step": state.step,
            "identity": state.identity,
            "best_score": state.best_score,
            "optimizer_groups": groups,
            "optimizer_numbers": numbers,
        },
    )
    write_manifest(folder, leave_out=(CARD,), kind="checkpoint", step=state.step)


def load(checkpoint: Checkpoint) -> TrainingState:
    """The state in a whole checkpoint (`newest` checked its hashes)."""
    values = read_json(checkpoint.path / STATE, "checkpoint")
    tensors = load_file(checkpoint.path / STATE_TENSORS)
    state: dict[int, dict[str, Any]] = {}
    for key, tensor in tensors.items():
        if key.startswith("optimizer."):
            _, index, name = key.split(".", 2)
            state.setdefault(int(index), {})[name] = tensor
    for key, value in values["optimizer_numbers"].items():
        index, name = key.split(".", 1)
        state.setdefault(int(index), {})[name] = value
    return TrainingState(
        step=values["step"],
        identity=values["identity"],
        weights=_under("weights.", tensors),
        average=load_file(checkpoint.path / WEIGHTS),
        best=_under("best.", tensors),
        best_score=values["best_score"],
        optimizer={"state": state, "param_groups": values["optimizer_groups"]},
    )


def every(run: Path) -> list[Checkpoint]:
    """All checkpoint folders of a run, newest first, whole or not."""
    return in_order(path for path in run.glob("attempt-*/step_*") if path.is_dir())


def in_order(folders: Iterable[Path]) -> list[Checkpoint]:
    """Those of these folders that have the name of a checkpoint, newest first."""
    found = []
    for path in folders:
        match = _NAME.search(path.name)
        if match:
            found.append((int(match[1]), path.parent.name, int(match[2] or 0), path))
    return [Checkpoint(path, step) for step, _, _, path in sorted(found, reverse=True)]


def newest(run: Path) -> tuple[Checkpoint | None, list[str]]:
    """The newest whole checkpoint of a run, and a sentence for each newer one that is not whole.

    Raises:
        TrainingError: there are checkpoints and none is whole; a run never starts again from step 0 unasked.
    """
    return first_whole(every(run), lambda c: check_manifest(c.path, "checkpoint"), run.name, str(run.parent))


def first_whole(
    candidates: Sequence[Checkpoint], check: Callable[[Checkpoint], object], run: str, where: str
) -> tuple[Checkpoint | None, list[str]]:
    """The first one that `check` does not raise ModelError for, and its sentence for each one before; see `newest`."""
    skipped = []
    for checkpoint in candidates:
        try:
            check(checkpoint)
        except ModelError as error:
            skipped.append(str(error))
        else:
            return checkpoint, skipped
    if skipped:
        raise TrainingError(
            f"run {run!r} in {where} can't be resumed: none of its {len(skipped)} checkpoint(s) is whole, and the newest "
            f"says: {skipped[0]} Put a whole one back, or choose another --run name."
        )
    return None, []


def prune(run: Path, written: Sequence[Path], keep: int) -> None:
    """Remove the checkpoints that are older than the last `keep` of `written`, whoever wrote them.

    written: what the present workers committed, oldest first. Before there are `keep` of them nothing is removed: a
    fallback could still need it.
    """
    for checkpoint in outdated(every(run), written, keep):
        shutil.rmtree(checkpoint.path)


def outdated(candidates: Sequence[Checkpoint], written: Sequence[Path], keep: int) -> list[Checkpoint]:
    """Those that `prune` removes."""
    kept = written[-keep:]
    if len(kept) < keep:
        return []
    oldest_step = min(_step_of(path) for path in kept)
    return [checkpoint for checkpoint in candidates if checkpoint.step < oldest_step]


def rewind_metrics(checkpoint: Checkpoint | None, metrics: Path) -> None:
    """Make a run's metrics.jsonl hold exactly the lines up to the checkpoint, so that none is missing or twice."""
    temporary = metrics.with_suffix(".tmp")
    if checkpoint is None:
        temporary.write_text("")
    else:
        shutil.copyfile(checkpoint.path / METRICS, temporary)
    temporary.replace(metrics)


def refuse_other(saved: Mapping[str, Any], wanted: Mapping[str, Any], run: Path) -> None:
    """Raise TrainingError, naming the keys, when a checkpoint belongs to another job than the one that is wanted."""
    flat_saved, flat_wanted = _flat(saved), _flat(wanted)
    keys = sorted(k for k in flat_saved.keys() | flat_wanted.keys() if flat_saved.get(k) != flat_wanted.get(k))
    if keys:
        shown = "; ".join(f"{k} was {_short(flat_saved.get(k))}, now {_short(flat_wanted.get(k))}" for k in keys[:6])
        more = f" (and {len(keys) - 6} more)" if len(keys) > 6 else ""
        raise TrainingError(
            f"run {run.name!r} in {run.parent} was started differently: {shown}{more}; go on with what it was started "
            "with, or choose another --run name."
        )


def _step_of(path: Path) -> int:
    match = _NAME.search(path.name)
    assert match, path
    return int(match[1])


def _under(prefix: str, tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            # JSON has no tuples: compare what it keeps.
            flat[f"{prefix}{key}"] = json.loads(json.dumps(value))
    return flat


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 40 else text[:37] + "..."
