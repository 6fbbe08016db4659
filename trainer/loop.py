"""What one Ray Train worker does: steps, validation, checkpoints.

Every step is a function of (state before it, step number): the pictures and their augmentation are drawn from the step,
and torch's generator (dropout) is seeded from it. So a run that was killed and resumed ends with the same weights, bit
for bit, as one that was not, on as many workers and threads.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import ray.train
import torch
import torch.distributed as dist
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from trainer import augment, checkpoint
from trainer.dataset.packed import Packed, open_packed
from trainer.dataset.sampler import Sampler
from trainer.enlarge import labels_at
from trainer.hardware import bf16_pays
from trainer.losses import segmentation_loss
from trainer.manifest import write_json
from trainer.metrics import Score
from trainer.model_dir import ModelInfo
from trainer.recipe import Recipe
from trainer.unet import UNet

OUTCOME = "outcome.json"
FIRST_STEP = "first_step.json"
STOP = "stop"
_VALIDATION_BATCH = 4


@dataclass(frozen=True)
class Job:
    """What the driver tells every worker."""

    run: Path
    attempt: str
    """Name of this start of the driver; Ray writes below `run / attempt`."""
    recipe: Recipe
    train_cache: Path
    val_cache: Path
    class_weights: tuple[float, ...]
    info: ModelInfo
    identity: dict[str, Any]
    threads: int
    started_s: float
    """time.time() when the command was given."""

    @property
    def folder(self) -> Path:
        """Where this attempt's files are."""
        return self.run / self.attempt

    @property
    def log_every(self) -> int:
        """Steps between lines of metrics.jsonl; checkpoints lie on the same grid, so that no line is cut in two."""
        return max(1, min(20, self.recipe.steps // 200))


def train_worker(config: dict[str, Job]) -> None:
    """Ray Train's training function; the configuration is `{"job": Job}`."""
    job = config["job"]
    context = ray.train.get_context()
    torch.set_num_threads(job.threads)
    device = ray.train.torch.get_device()
    worker = _Worker(job, context.get_world_rank(), context.get_world_size(), device)
    worker.run()


class _Worker:
    """The state of one rank between steps."""

    def __init__(self, job: Job, rank: int, workers: int, device: torch.device):
        self.job, self.rank, self.workers, self.device = job, rank, workers, device
        recipe, config = job.recipe, job.recipe.config
        self.train, self.val = open_packed(job.train_cache), open_packed(job.val_cache)
        self.sampler = Sampler(config.seed, len(self.train.keys), recipe.batch)
        self.class_weights = torch.tensor(job.class_weights, device=device)
        precision = config.precision
        if precision == "auto":
            precision = self._agree("bf16" if bf16_pays(device) else "fp32")
        self.autocast = precision == "bf16"

        torch.manual_seed(config.seed)
        net = UNet(recipe.network).to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.net: UNet = net
        self.optimizer = _optimizer(net, recipe, device)
        self.average = {k: v.clone() for k, v in net.state_dict().items()}
        self.best: dict[str, Tensor] = {}
        self.best_score: dict[str, Any] = {}
        self.metrics = job.run / checkpoint.METRICS
        self.step = 0
        self._resume()
        self.model: nn.Module = net
        if workers > 1:
            ids = [device] if device.type == "cuda" else None
            self.model = DistributedDataParallel(net, device_ids=ids, gradient_as_bucket_view=True)
        self.validator = UNet(recipe.network).to(device=device, memory_format=torch.channels_last).eval()  # type: ignore[call-overload]

    def run(self) -> None:
        """All steps from where the state stands to the recipe's last, or to a request to stop."""
        job, recipe = self.job, self.job.recipe
        sums = torch.zeros(2, device=self.device)
        saved_at, logged_at, seen = time.monotonic(), time.monotonic(), 0
        last_score: dict[str, Any] = {}
        with self._batches() as batches:
            while self.step < recipe.steps:
                pictures, labels = next(batches)
                result = self._train_step(pictures, labels)
                if result is None:
                    self._stop_for_nonfinite(pictures, labels)
                    return
                sums += result
                seen += 1
                self.step += 1
                if self.rank == 0 and not (job.folder / FIRST_STEP).exists():
                    write_json(job.folder / FIRST_STEP, {"first_step_s": round(time.time() - job.started_s, 2)})
                log = self.step % job.log_every == 0 or self.step == recipe.steps
                if log:
                    self._log_train(sums / seen, seen * recipe.batch / (time.monotonic() - logged_at))
                    sums.zero_()
                    seen = 0
                if self.step % recipe.validate_every == 0 or self.step == recipe.steps:
                    last_score = self._validate()
                if not log:
                    continue
                done = self.step == recipe.steps
                stop, due = self._agree(
                    ((job.folder / STOP).exists(), time.monotonic() - saved_at > recipe.config.checkpoint_s)
                )
                if done or stop or due:
                    self._checkpoint(last_score)
                    saved_at = time.monotonic()
                if stop and not done:
                    self._outcome("stopped")
                    return
                logged_at = time.monotonic()
        self._outcome("finished")

    # one step

    def _train_step(self, pictures: Tensor, labels: Tensor) -> Tensor | None:
        """One optimizer step; (2,) loss and accuracy of this worker's pictures, or None when it is not a number."""
        recipe, config = self.job.recipe, self.job.recipe.config
        torch.manual_seed(config.seed * 1_000_003 + self.step * 1009 + self.rank)
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(recipe, self.step)
        self.model.train()
        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.autocast):
            logits = self.model(pictures)
        loss, accuracy = segmentation_loss(logits, labels, self.class_weights, config.dice)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        # DDP has averaged the gradients, so all workers see the same norm and decide alike.
        limit = config.clip_norm or math.inf
        norm = nn.utils.clip_grad_norm_(self.net.parameters(), limit)
        if not torch.isfinite(norm):
            return None
        self.optimizer.step()
        if self.rank == 0:
            self._update_average(config.ema)
        return torch.stack([loss.detach(), accuracy])

    def _update_average(self, decay: float) -> None:
        # Early on the average would remember the random start: let it follow faster.
        decay = min(decay, (1 + self.step) / (10 + self.step)) if decay else 0.0
        current = self.net.state_dict()
        floats = [k for k, v in current.items() if v.dtype.is_floating_point]
        with torch.no_grad():
            torch._foreach_lerp_([self.average[k] for k in floats], [current[k] for k in floats], 1.0 - decay)
            for k in current.keys() - set(floats):
                self.average[k].copy_(current[k])

    @contextlib.contextmanager
    def _batches(self) -> Iterator[Iterator[tuple[Tensor, Tensor]]]:
        """Augmented batches of this worker from the present step on, ending with the recipe."""
        recipe = self.job.recipe
        stride = recipe.network.stem_stride
        ahead = ThreadPoolExecutor(1) if self.device.type == "cuda" else None

        def batches() -> Iterator[tuple[Tensor, Tensor]]:
            steps = range(self.step, recipe.steps)
            waiting: Future[tuple[Tensor, Tensor]] | None = ahead.submit(self._gather, self.step) if ahead else None
            for step in steps:
                if waiting is not None and ahead is not None:
                    # On a GPU the next pictures are read while this step computes; on a CPU there is no core to spare.
                    raw = waiting.result()
                    waiting = ahead.submit(self._gather, step + 1) if step + 1 < recipe.steps else None
                else:
                    raw = self._gather(step)
                pictures, labels = (t.to(self.device, non_blocking=True) for t in raw)
                if recipe.crop is None:
                    yield augment.plain(pictures, labels, stride)
                else:
                    drawn = augment.draw(recipe.config.seed, self.sampler.share(step, self.rank, self.workers))
                    yield augment.apply(
                        recipe.config.augment, pictures, labels, drawn, recipe.crop, stride, recipe.detail
                    )

        try:
            yield batches()
        finally:
            if ahead is not None:
                ahead.shutdown(wait=False, cancel_futures=True)

    def _gather(self, step: int) -> tuple[Tensor, Tensor]:
        """(B, H, W, 3) and (B, H, W) uint8 of this worker's share of a step."""
        index = [slot.index for slot in self.sampler.share(step, self.rank, self.workers)]
        return _rows(self.train, index, pin=self.device.type == "cuda")

    # validation

    def _validate(self) -> dict[str, Any]:
        """Score the averaged weights on the held-out pictures, each worker its share; the same result on all."""
        self._share_average()
        classes = self.job.info.classes.names
        score, total, count = Score(classes), 0.0, 0
        mine = list(range(self.rank, len(self.val.keys), self.workers))
        with torch.inference_mode():
            for first in range(0, len(mine), _VALIDATION_BATCH):
                raw = _rows(self.val, mine[first : first + _VALIDATION_BATCH], pin=False)
                pictures, labels = (t.to(self.device) for t in raw)
                x, y = augment.plain(pictures, labels)
                x = _resized(x, self.job.recipe.picture)
                with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.autocast):
                    logits = self.validator(x).float()
                # The loss where the network computes, the score at the size of the stored labels.
                loss, _ = segmentation_loss(
                    logits, _nearest(y, logits.shape[2:]), self.class_weights, self.job.recipe.config.dice
                )
                total, count = total + float(loss) * len(x), count + len(x)
                predicted = torch.stack([labels_at(one[None], (y.shape[1], y.shape[2])) for one in logits])
                score.add(predicted, y, boundary=False)
        summed = torch.cat([torch.from_numpy(score.matrix).flatten().double(), torch.tensor([total, count]).double()])
        if self.workers > 1:
            summed = summed.to(self.device)
            dist.all_reduce(summed)
            summed = summed.cpu()
        score.matrix = summed[:-2].reshape(score.matrix.shape).long().numpy()
        score.frames = int(summed[-1])
        result = score.to_dict() | {"step": self.step}
        if not self.best_score or (result["miou"] or 0.0) >= (self.best_score["miou"] or 0.0):
            self.best_score = result
            if self.rank == 0:
                self.best = {k: v.clone() for k, v in self.average.items()}
        self._write_line(
            {
                "kind": "val",
                "step": self.step,
                "epoch": self._epoch(),
                "loss": float(summed[-2] / summed[-1]) if summed[-1] else None,
                "miou": result["miou"],
                "pixel_accuracy": result["pixel_accuracy"],
                "iou": result["iou"],
            }
        )
        return result

    def _share_average(self) -> None:
        """Give every worker's validator the averaged weights, which rank 0 keeps."""
        if self.workers > 1:
            for tensor in self.average.values():
                dist.broadcast(tensor, 0)
        self.validator.load_state_dict(self.average)

    # state

    def _resume(self) -> None:
        found, skipped = checkpoint.newest(self.job.run) if self.rank == 0 else (None, [])
        path, step = self._agree((str(found.path) if found else None, found.step if found else 0))
        if self.rank == 0:
            for sentence in skipped:
                self._note(f"passed over: {sentence}")
            checkpoint.rewind_metrics(found, self.metrics)
        if path is None:
            return
        state = checkpoint.load(checkpoint.Checkpoint(Path(path), step))
        self.net.load_state_dict(state.weights)
        self.optimizer.load_state_dict(state.optimizer)
        _align_memory(self.optimizer)
        with torch.no_grad():
            for name, tensor in self.average.items():
                tensor.copy_(state.average[name])
        self.best = {k: v.to(self.device) for k, v in state.best.items()}
        self.best_score = state.best_score
        self.step = state.step

    def _checkpoint(self, score: dict[str, Any]) -> None:
        """Report a checkpoint; a barrier over all workers."""
        name = checkpoint.directory_name(self.step)
        figures = {"step": self.step, "miou": score.get("miou")}
        if self.rank != 0:
            ray.train.report(figures, checkpoint_dir_name=name)
            return
        state = checkpoint.TrainingState(
            step=self.step,
            identity=self.job.identity,
            weights=self.net.state_dict(),
            average=self.average,
            best=self.best,
            best_score=self.best_score,
            optimizer=self.optimizer.state_dict(),
        )
        with tempfile.TemporaryDirectory(prefix="carla-unet-") as folder:
            metrics_so_far = score if score.get("step") == self.step else {}
            info = dataclasses.replace(self.job.info, metrics=metrics_so_far)
            checkpoint.save(Path(folder), state, info, self.metrics)
            ray.train.report(figures, checkpoint=ray.train.Checkpoint.from_directory(folder), checkpoint_dir_name=name)
        checkpoint.prune_earlier_attempts(self.job.run, self.job.attempt, keep=2)

    def _stop_for_nonfinite(self, pictures: Tensor, labels: Tensor) -> None:
        """Keep what this worker computed on when the loss stopped being a number, and end the run."""
        folder = self.job.run / "nonfinite"
        folder.mkdir(exist_ok=True)
        name = f"step_{self.step:08d}_rank_{self.rank}"
        slots = self.sampler.share(self.step, self.rank, self.workers)
        save_file(
            {"pictures": pictures.detach().cpu().contiguous(), "labels": labels.cpu().contiguous()},
            folder / f"{name}.safetensors",
        )
        write_json(
            folder / f"{name}.json",
            {"keys": [self.train.keys[s.index] for s in slots], "epochs": [s.epoch for s in slots]},
        )
        if self.workers > 1:
            dist.barrier()
        self._outcome("nonfinite", batch=str(folder / f"{name}.safetensors"))

    # small things

    def _log_train(self, mean: Tensor, pictures_per_s: float) -> None:
        if self.workers > 1:
            dist.all_reduce(mean)
            mean = mean / self.workers
        line = {
            "kind": "train",
            "step": self.step,
            "epoch": self._epoch(),
            "loss": float(mean[0]),
            "accuracy": float(mean[1]),
            "lr": learning_rate(self.job.recipe, self.step - 1),
            "pictures_per_s": round(pictures_per_s, 2),
            "time_s": round(time.time() - self.job.started_s, 2),
        }
        self._write_line(line)

    def _write_line(self, line: dict[str, Any]) -> None:
        if self.rank == 0:
            with self.metrics.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")

    def _outcome(self, state: str, **more: Any) -> None:
        if self.rank == 0:
            write_json(self.job.folder / OUTCOME, {"state": state, "step": self.step, **more})

    def _note(self, sentence: str) -> None:
        with (self.job.folder / "notes.txt").open("a", encoding="utf-8") as file:
            file.write(sentence + "\n")

    def _epoch(self) -> float:
        return round(self.sampler.epoch(self.step), 4)

    def _agree(self, value: Any) -> Any:
        """Rank 0's value, on every worker."""
        if self.workers == 1:
            return value
        held = [value]
        dist.broadcast_object_list(held, src=0, device=self.device)
        return held[0]


def learning_rate(recipe: Recipe, step: int) -> float:
    """The rate of a step: linear warm-up, then constant or a half cosine down to 2 % of the peak."""
    peak, warmup = recipe.learning_rate, recipe.config.warmup * recipe.steps
    if step < warmup:
        return peak * (step + 1) / (warmup + 1)
    if recipe.config.schedule == "constant":
        return peak
    done = (step - warmup) / max(1.0, recipe.steps - warmup)
    return peak * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * done)))


def _optimizer(net: UNet, recipe: Recipe, device: torch.device) -> torch.optim.Optimizer:
    if recipe.config.optimizer == "adam":
        return torch.optim.Adam(net.parameters(), lr=recipe.learning_rate, fused=True)
    # Decay pulls kernels towards 0; a norm's scale or a bias has no business there.
    kernels = [p for p in net.parameters() if p.ndim > 1]
    others = [p for p in net.parameters() if p.ndim <= 1]
    groups = [{"params": kernels, "weight_decay": recipe.config.weight_decay}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=recipe.learning_rate, fused=True)


def _align_memory(optimizer: torch.optim.Optimizer) -> None:
    """Lay loaded moments out in memory as their parameters are (channels last).

    The fused kernels walk parameter, gradient and moments side by side in memory; a file holds plain row-major arrays.
    """
    for parameter, values in optimizer.state.items():
        for name, value in values.items():
            if isinstance(value, Tensor) and value.shape == parameter.shape:
                values[name] = torch.empty_like(parameter).copy_(value)


def _resized(x: Tensor, size: Sequence[int]) -> Tensor:
    """(N, C, H, W) made smaller, antialiased."""
    if tuple(x.shape[2:]) == tuple(size):
        return x
    return F.interpolate(x, tuple(size), mode="bilinear", antialias=True, align_corners=False)


def _nearest(labels: Tensor, size: Sequence[int]) -> Tensor:
    """(N, H, W) uint8 at another size, by the pixel under each new one's centre."""
    if tuple(labels.shape[1:]) == tuple(size):
        return labels
    return F.interpolate(labels[:, None].float(), tuple(size), mode="nearest-exact")[:, 0].to(torch.uint8)


def _rows(packed: Packed, index: list[int], pin: bool) -> tuple[Tensor, Tensor]:
    pictures = torch.from_numpy(np.ascontiguousarray(packed.images[index]))
    labels = torch.from_numpy(np.ascontiguousarray(packed.labels[index]))
    return (pictures.pin_memory(), labels.pin_memory()) if pin else (pictures, labels)
