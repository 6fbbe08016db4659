"""What one Ray Train worker does: steps, validation, checkpoints.

Every step is a function of (state before it, step number): the pictures and their augmentation are drawn from the step,
and torch's generator (dropout) is seeded from it. So a run that was killed and resumed ends with the same weights, bit
for bit, as one that was not, on as many workers and threads; in deterministic mode (trainer/ordered.py) on any number of
workers.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any, cast

import ray.train
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from trainer import augment, checkpoint
from trainer.attempt import FIRST_STEP, NOTES, OUTCOME, PULSE, STARTS, STOP, Job
from trainer.bucket import scratch
from trainer.commit import Committer, next_start
from trainer.dataset.packed import Packed, open_packed
from trainer.dataset.parts import WINDOW_PARTS, PartList, Parts
from trainer.dataset.sampler import Sampler, windowed_order
from trainer.hardware import bf16_pays, peak_memory_bytes
from trainer.losses import segmentation_loss
from trainer.manifest import write_json
from trainer.model_dir import save_tensors
from trainer.optimizer import align_memory, learning_rate, make_optimizer
from trainer.ordered import OrderedGradients
from trainer.pulse import Pulse
from trainer.run_bucket import Exchange, RunBucket
from trainer.unet import UNet
from trainer.validation import validate

PREEMPTION_LOOK_S = 3.0
"""Between looks whether a node is about to be taken away: each one is a barrier by an actor of Ray's."""
COMPILER = "inductor"
"""Of `compile: true`: torch.compile's own choice."""
Part = tuple[Tensor, Tensor]
"""Pictures and labels of one part of a global batch."""


def train_worker(config: dict[str, Job]) -> None:
    """Ray Train's training function; the configuration is `{"job": Job}`."""
    job = config["job"]
    if job.bucket is not None:
        job = dataclasses.replace(job, run=scratch(job.bucket, "worker"))
        job.folder.mkdir(parents=True, exist_ok=True)
    context = ray.train.get_context()
    torch.set_num_threads(job.threads)
    device = ray.train.torch.get_device()
    rank = context.get_world_rank()
    with contextlib.ExitStack() as stack:
        if rank == 0:
            if job.bucket is not None:
                stack.enter_context(Exchange(job.bucket, job.run, job.told(), [job.in_run(STOP)]))
            stack.enter_context(Pulse(job.folder / PULSE))
        Worker(job, rank, context.get_world_size(), device).run()


class Worker:
    """The state of one rank between steps."""

    def __init__(self, job: Job, rank: int, workers: int, device: torch.device):
        self.job, self.rank, self.workers, self.device = job, rank, workers, device
        recipe, config = job.recipe, job.recipe.config
        self.train, self.val = (self._pictures(cache) for cache in (job.train_cache, job.val_cache))
        self.sampler = Sampler(config.seed, len(self.train.keys), recipe.batch)
        if isinstance(job.train_cache, PartList):
            self.sampler.order = partial(windowed_order, each=job.train_cache.each, window=WINDOW_PARTS)
        self.store = RunBucket(job.bucket) if job.bucket is not None else None
        self.parts = [(rank * config.accumulate + i, workers * config.accumulate) for i in range(config.accumulate)]
        """This worker's parts of a global batch, as (which, of how many); each is one forward and backward."""
        self.class_weights = torch.tensor(job.class_weights, device=device)
        precision = config.precision
        if precision == "auto":
            precision = self.agree("bf16" if bf16_pays(device) else "fp32")
        self.autocast = precision == "bf16"

        torch.manual_seed(config.seed)
        net = UNet(recipe.network).to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.net: UNet = net
        self.optimizer = make_optimizer(net, recipe)
        self.average = {k: v.clone() for k, v in net.state_dict().items()}
        self.best: dict[str, Tensor] = {}
        self.best_score: dict[str, Any] = {}
        self.metrics = job.run / checkpoint.METRICS
        self.committer: Committer | None = None
        self.step = 0
        self.leaving_nodes: list[str] = []
        self._resume()
        if config.compile:
            net.compile(backend=COMPILER)  # in place: the names in checkpoints stay
        self.model: nn.Module = net
        self.ordered: OrderedGradients | None = None
        if config.deterministic:
            self.ordered = OrderedGradients(net, rank, workers, config.shards)
            self.parts = [(shard, config.shards) for shard in self.ordered.mine]
            if device.type == "cuda":
                torch.use_deterministic_algorithms(True)
                torch.backends.cudnn.benchmark = False
        elif workers > 1:
            ids = [device] if device.type == "cuda" else None
            self.model = DistributedDataParallel(net, device_ids=ids, gradient_as_bucket_view=True)
        self.validator = UNet(recipe.network).to(device=device, memory_format=torch.channels_last).eval()  # type: ignore[call-overload]

    def _pictures(self, cache: Path | PartList) -> Packed | Parts:
        if isinstance(cache, PartList):
            return Parts(cache, scratch(cache.bucket, "worker"), self.job.cache_bytes)
        return open_packed(cache)

    def run(self) -> None:
        """All steps from where the state stands to the recipe's last, or to a request to stop."""
        job, recipe = self.job, self.job.recipe
        sums = torch.zeros(2, device=self.device)
        saved_at, logged_at, seen = time.monotonic(), time.monotonic(), 0
        looked_at = time.monotonic()
        last_score: dict[str, Any] = {}
        with self.batches() as batches:
            while self.step < recipe.steps:
                parts = next(batches)
                result = self.train_step(parts)
                if result is None:
                    self._stop_for_nonfinite(parts)
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
                    last_score = self.validate()
                if not log:
                    continue
                done = self.step == recipe.steps
                stop, due, unwritable, look = self.agree(
                    (
                        (job.folder / STOP).exists(),
                        time.monotonic() - saved_at > recipe.config.checkpoint_s,
                        self.committer is not None and self.committer.exhausted is not None,
                        job.preemptible and time.monotonic() - looked_at > PREEMPTION_LOOK_S,
                    )
                )
                if unwritable:
                    break
                leaving = look and self._is_preempted()
                if look:
                    looked_at = time.monotonic()
                if done or stop or due or leaving:
                    self._checkpoint(last_score, last=done or stop or leaving)
                    saved_at = time.monotonic()
                if leaving:
                    self._note(f"a node is about to be taken away: step {self.step} is saved")
                if stop:
                    break
                logged_at = time.monotonic()
        if self.committer is not None:
            if self.committer.exhausted is not None:
                self._outcome("unwritable", why=self.committer.exhausted)
            else:
                self._outcome("finished" if self.step == recipe.steps else "stopped")

    # one step

    def train_step(self, parts: list[Part]) -> Tensor | None:
        """One optimizer step; (2,) loss and accuracy, or None when it is not a number.

        The figures are of this worker's pictures, in deterministic mode of the global batch.
        """
        config = self.job.recipe.config
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.job.recipe, self.step)
        self.model.train()
        self.optimizer.zero_grad(set_to_none=True)
        if self.ordered is not None:
            mine = self.ordered.mine
            figures = self.ordered.step(lambda shard: self._backward(shard, parts[shard - mine.start]))
        else:
            figures = self._accumulate(parts)
        # All workers hold the same gradients, so they see the same norm and decide alike.
        limit = config.clip_norm or math.inf
        norm = nn.utils.clip_grad_norm_(self.net.parameters(), limit)
        if not torch.isfinite(norm):
            return None
        self.optimizer.step()
        if self.rank == 0:
            self._update_average(config.ema)
        return figures

    def _accumulate(self, parts: list[Part]) -> Tensor:
        """Gradients of this worker's parts, one after another; workers exchange them with the last one only."""
        figures = torch.zeros(2, device=self.device)
        for number, ((which, of), part) in enumerate(zip(self.parts, parts, strict=True), 1):
            alone = number < len(parts) and isinstance(self.model, DistributedDataParallel)
            with cast(DistributedDataParallel, self.model).no_sync() if alone else contextlib.nullcontext():
                weight = self.sampler.weight(which, of) / len(parts)
                figures += torch.stack(self._backward(which, part, weight))
        return figures

    def _backward(self, which: int, part: Part, weight: float = 1.0) -> tuple[Tensor, Tensor]:
        """Gradients of one part of a global batch; its loss and accuracy, all times `weight`."""
        config = self.job.recipe.config
        pictures, labels = part
        torch.manual_seed(config.seed * 1_000_003 + self.step * 1009 + which)
        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.autocast):
            logits = self.model(pictures)
        loss, accuracy = segmentation_loss(logits, labels, self.class_weights, config.dice)
        if weight != 1.0:
            loss, accuracy = loss * weight, accuracy * weight
        loss.backward()
        return loss.detach(), accuracy

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
    def batches(self) -> Iterator[Iterator[list[Part]]]:
        """Augmented parts of this worker from the present step on, ending with the recipe."""
        recipe = self.job.recipe
        stride = recipe.network.stem_stride
        ahead = ThreadPoolExecutor(1) if self.device.type == "cuda" else None

        def made() -> Iterator[list[Part]]:
            steps = range(self.step, recipe.steps)
            waiting: Future[list[Part]] | None = ahead.submit(self._gather, self.step) if ahead else None
            for step in steps:
                if waiting is not None and ahead is not None:
                    # On a GPU the next pictures are read while this step computes; on a CPU there is no core to spare.
                    raw = waiting.result()
                    waiting = ahead.submit(self._gather, step + 1) if step + 1 < recipe.steps else None
                else:
                    raw = self._gather(step)
                ready = []
                for (which, of), part in zip(self.parts, raw, strict=True):
                    pictures, labels = (t.to(self.device, non_blocking=True) for t in part)
                    if recipe.crop is None:
                        ready.append(augment.plain(pictures, labels, stride))
                        continue
                    drawn = augment.draw(recipe.config.seed, self.sampler.share(step, which, of))
                    ready.append(
                        augment.apply(
                            recipe.config.augment, pictures, labels, drawn, recipe.crop, stride, recipe.detail
                        )
                    )
                yield ready

        try:
            yield made()
        finally:
            if ahead is not None:
                ahead.shutdown(wait=False, cancel_futures=True)

    def _gather(self, step: int) -> list[Part]:
        """(B, H, W, 3) and (B, H, W) uint8 of each of this worker's parts of a step."""
        parts = []
        for which, of in self.parts:
            pictures, labels = self.train.rows([slot.index for slot in self.sampler.share(step, which, of)])
            pin = self.device.type == "cuda"
            parts.append((pictures.pin_memory(), labels.pin_memory()) if pin else (pictures, labels))
        return parts

    # validation

    def validate(self) -> dict[str, Any]:
        """Score the averaged weights on the held-out pictures, each worker its share; the same result on all."""
        self._share_average()
        recipe, classes = self.job.recipe, self.job.info.classes.names
        score, loss = validate(
            self.validator,
            self.val,
            recipe.picture,
            classes,
            self.class_weights,
            recipe.config.dice,
            self.autocast,
            self.rank,
            self.workers,
        )
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
                "loss": loss,
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
        found, skipped = self._newest() if self.rank == 0 else (None, [])
        name, step = self.agree(
            (str(found.path.relative_to(self.job.run)) if found else None, found.step if found else 0)
        )
        if self.rank == 0:
            start = next_start(self.job.folder / STARTS, self.workers, step)
            if self.store is not None:
                # At once: who dies before the next exchange has written under this number.
                self.store.bucket.upload(self.job.folder / STARTS, self.job.in_run(STARTS))
            for sentence in skipped if start > 1 else ():  # of the first start the driver has told
                self._note(f"passed over: {sentence}")
            checkpoint.rewind_metrics(found, self.metrics)
            self.committer = Committer(self.job.run, self.job.attempt, start, self._note, self.store)
        if name is None:
            return
        if self.store is not None and self.rank != 0:
            self.store.fetch(self.job.run, name)
        state = checkpoint.load(checkpoint.Checkpoint(self.job.run / name, step))
        self.net.load_state_dict(state.weights)
        self.optimizer.load_state_dict(state.optimizer)
        align_memory(self.optimizer)
        with torch.no_grad():
            for name, tensor in self.average.items():
                tensor.copy_(state.average[name])
        self.best = {k: v.to(self.device) for k, v in state.best.items()}
        self.best_score = state.best_score
        self.step = state.step

    def _newest(self) -> tuple[checkpoint.Checkpoint | None, list[str]]:
        if self.store is None:
            return checkpoint.newest(self.job.run)
        for name in (STARTS, FIRST_STEP, NOTES):  # rank 0 may have been on another node before
            data = self.store.bucket.get(self.job.in_run(name))
            if data is not None:
                (self.job.folder / name).write_bytes(data)
        return self.store.newest(self.job.run)

    def state(self) -> checkpoint.TrainingState:
        """All that a checkpoint holds, as it is now and goes on changing."""
        return checkpoint.TrainingState(
            step=self.step,
            identity=self.job.identity,
            weights=self.net.state_dict(),
            average=self.average,
            best=self.best,
            best_score=self.best_score,
            optimizer=self.optimizer.state_dict(),
        )

    def _checkpoint(self, score: dict[str, Any], last: bool) -> None:
        """Commit the state; a barrier over all workers. Unless it is the last one, it is written beside the next steps.

        Ray is told of what is whole on disk already, and has nothing to upload: it would copy file by file into the
        final folder.
        """
        committed = None
        if self.committer is not None:
            info = dataclasses.replace(self.job.info, metrics=score if score.get("step") == self.step else {})
            commit = self.committer.finish if last else self.committer.submit
            committed = commit(self.state(), info, self.metrics)
        ray.train.report(
            {"step": self.step, "miou": score.get("miou")},
            # Of a bucket Ray would need a file system of its own, for a record that nobody reads.
            checkpoint=ray.train.Checkpoint.from_directory(str(committed.path))
            if committed and not self.store
            else None,
            checkpoint_upload_mode=ray.train.CheckpointUploadMode.NO_UPLOAD,
        )

    def _is_preempted(self) -> bool:
        """Whether a node of this job is about to be taken away, and that is news; a barrier over all workers."""
        info = ray.train.get_preemption_info()
        if info is None or info.preempted_node_ids == self.leaving_nodes:
            return False
        self.leaving_nodes = info.preempted_node_ids
        return True

    def _stop_for_nonfinite(self, parts: list[Part]) -> None:
        """Keep what this worker computed on when the loss stopped being a number, and end the run."""
        folder = self.job.run / "nonfinite"
        folder.mkdir(exist_ok=True)
        name = f"step_{self.step:08d}_rank_{self.rank}"
        slots = [slot for which, of in self.parts for slot in self.sampler.share(self.step, which, of)]
        pictures, labels = (torch.cat([part[i] for part in parts]) for i in range(2))
        save_tensors({"pictures": pictures, "labels": labels}, folder / f"{name}.safetensors")
        write_json(
            folder / f"{name}.json",
            {"keys": [self.train.keys[s.index] for s in slots], "epochs": [s.epoch for s in slots]},
        )
        batch = str(folder / f"{name}.safetensors")
        if self.store is not None:
            kept = self.store.bucket.at("nonfinite")
            for suffix in ("safetensors", "json"):
                kept.upload(folder / f"{name}.{suffix}", f"{name}.{suffix}")
            batch = f"{kept.url}/{name}.safetensors"
        if self.committer is not None:
            self.committer.wait()
        if self.workers > 1:
            dist.barrier()
        self._outcome("nonfinite", batch=batch)

    # small things

    def _log_train(self, mean: Tensor, pictures_per_s: float) -> None:
        if self.workers > 1 and self.ordered is None:
            dist.all_reduce(mean)
            mean = mean / self.workers
        memory_mb = torch.zeros(self.workers, device=self.device)
        memory_mb[self.rank] = peak_memory_bytes(self.device) / 1e6
        if self.workers > 1:
            dist.all_reduce(memory_mb)
        line = {
            "kind": "train",
            "step": self.step,
            "epoch": self._epoch(),
            "loss": float(mean[0]),
            "accuracy": float(mean[1]),
            "lr": learning_rate(self.job.recipe, self.step - 1),
            "pictures_per_s": round(pictures_per_s, 2),
            "memory_mb": [round(value) for value in memory_mb.tolist()],
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
        if self.rank != 0:
            return
        with (self.job.folder / NOTES).open("a", encoding="utf-8") as file:
            file.write(sentence + "\n")

    def _epoch(self) -> float:
        return round(self.sampler.epoch(self.step), 4)

    def agree(self, value: Any) -> Any:
        """Rank 0's value, on every worker."""
        if self.workers == 1:
            return value
        held = [value]
        dist.broadcast_object_list(held, src=0, device=self.device)
        return held[0]
