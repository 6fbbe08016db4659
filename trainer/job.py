"""What the driver does: checks before anything starts, the packed caches, Ray Train, progress, and the model at the end.

RUN/metrics.jsonl      every figure of the run, one line a step and kind
RUN/tensorboard/       the same for TensorBoard
RUN/mlflow/            the same for MLflow, where it is asked for and has no server (RUN/mlflow.json: trainer/tracking.py)
RUN/config.json        what the run was started with
RUN/attempt-001/...    checkpoints and notes of each start of the driver (trainer/checkpoint.py)
RUN/model/             the model artifact, when the run is finished
RUN/summary.json       state, steps, best, pictures_per_s, first_step_s, model
"""

from __future__ import annotations

import contextlib
import json
import shutil
import statistics
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from trainer import checkpoint
from trainer.attempt import FIRST_STEP, Job
from trainer.dataset.lock import locked
from trainer.dataset.packed import Packed, pack
from trainer.dataset.parts import WINDOW_PARTS, PartList, pack_parts, pictures_per_part
from trainer.dataset.split import Split, split_sources
from trainer.errors import TrainingError
from trainer.hardware import available_cpus
from trainer.interrupts import Interrupts
from trainer.labels import load_class_list
from trainer.local_ray import LocalRay
from trainer.losses import class_weights
from trainer.manifest import MANIFEST, write_json
from trainer.model_dir import ModelInfo, Preprocessing, save_model, versions
from trainer.preflight import alive_nodes, check_nodes
from trainer.progress import ProgressView
from trainer.recipe import resolve
from trainer.request import TrainRequest, Workers, check_workers
from trainer.run_bucket import RunBucket
from trainer.start import StartModel
from trainer.tracking import MlflowRun, check_mlflow, id_of
from trainer.unet import load_preset
from trainer.watch import Watch

SUMMARY, CONFIG = "summary.json", "config.json"
Pictures = Packed | PartList


def run_training(request: TrainRequest, local_ray: LocalRay) -> dict[str, Any]:
    """Train, or go on training, and return what summary.json holds.

    Args:
        request: what to train.
        local_ray: the Ray to use; it may still be starting.

    Raises:
        UserError: anything that the user can mend, most of it before Ray is started.
        KeyboardInterrupt: SIGINT or SIGTERM came; the state is committed, the same command goes on.
    """
    workers = check_workers(request)
    run = _run_folder(request)
    busy = f"{run}: another process trains this run right now; wait for it, or choose another --run name."
    with locked(run / ".lock", timeout_s=0, busy=busy):
        return Driver(request, run, workers, local_ray).train()


class Driver:
    """One start of the driver on a locked run folder."""

    def __init__(self, request: TrainRequest, run: Path, workers: Workers, local_ray: LocalRay | None):
        self.request, self.run, self.workers, self.local_ray = request, run, workers, local_ray
        self.store = RunBucket(request.bucket.at(request.run)) if request.bucket else None
        self.place = self.store.bucket.url if self.store else str(run)
        """Where the run is, in words."""
        if request.config.mlflow:
            check_mlflow(in_bucket=self.store is not None)
        self.classes = load_class_list(request.config.classes)
        self.split: Split = split_sources(
            list(request.sources),
            val=list(request.val) or None,
            by=request.config.split,
            val_share=request.config.val_share,
            seed=request.config.seed,
        )
        source, ref = self.split.train[0]
        self.start: StartModel | None = None
        if request.start_from is not None:
            self.start = StartModel.open(request.start_from, self.classes)
        self.recipe = resolve(
            request.config,
            self.start.info.network if self.start else load_preset(request.config.network),
            len(self.split.train),
            source.read_rgb(ref).shape[:2],
            len(self.classes),
            self.start.info.preprocessing.size if self.start else None,
        )
        if request.config.deterministic:
            if workers.most > request.config.shards:
                raise TrainingError(
                    f"{workers.most} workers can't share {request.config.shards} virtual shards; lower --workers, or set "
                    "`shards` for a new run."
                )
        elif not workers.elastic and self.recipe.batch % workers.most:
            raise TrainingError(
                f"batch: {self.recipe.batch} pictures can't be shared equally by {workers} workers; "
                "choose a batch that is a multiple of --workers."
            )
        elif self.recipe.batch < workers.most * request.config.accumulate:
            parts = f" in {request.config.accumulate} parts each" if request.config.accumulate > 1 else ""
            raise TrainingError(
                f"batch: {self.recipe.batch} pictures are fewer than {workers.most} workers{parts}; choose a larger batch."
            )
        sources = [
            {
                "name": s.name,
                "path": s.place,
                "table": s.table.name,
                "encoding": s.encoding,
                "frames": len(s.frames),
                "fingerprint": s.fingerprint(),
            }
            for s in (*request.sources, *request.val)
        ]
        self.data: dict[str, Any] = {
            "sources": sources,
            "split": self.split.rule,
            "train_frames": len(self.split.train),
            "val_frames": len(self.split.val),
        }
        self.identity: dict[str, Any] = {
            "data": {str(s["name"]): s["fingerprint"] for s in sources}
            | {"train_frames": len(self.split.train), "val_frames": len(self.split.val)},
            "classes": list(self.classes.names),
            "recipe": self.recipe.identity(),
        }
        if self.start is not None:
            self.identity["start_from"] = self.start.sha256
        if request.bucket is not None:
            # Pictures are drawn from some parts at a time: another order than that of one cache on a disk.
            self.identity["parts"] = {"pictures": pictures_per_part(self.recipe.stored), "window": WINDOW_PARTS}
        if request.config.deterministic:
            # Whose change is another order of sums, or another arithmetic.
            self.identity |= {"threads": request.threads, "device": "GPU" if request.use_gpu else "CPU"}

    def train(self) -> dict[str, Any]:
        """The whole job; see run_training."""
        found, skipped = self.newest()
        if found is not None:
            saved = json.loads((found.path / checkpoint.STATE).read_text(encoding="utf-8"))
            checkpoint.refuse_other(saved["identity"], self.identity, self.run)
            summary = self._summary()
            if found.step >= self.recipe.steps and summary is not None:
                print(f"run {self.request.run!r} is finished: {self.recipe.steps} steps, model in {summary['model']}.")
                return summary
        start_step = found.step if found else 0
        view = ProgressView(
            self.request.run, self.recipe.steps, self.recipe.batch, start_step, quiet=self.request.quiet
        )
        with view:
            self.introduce(view, found, skipped, self.place)
            self._write_config()
            with Interrupts() as interrupts, self._mlflow(view) as mlflow:
                train, val = self._prepare(view)
                if self.request.address or len(alive_nodes()) > 1:
                    shared = [] if self.store else [self.run, self.cache()]
                    nodes = check_nodes(shared, self.store.bucket if self.store else None)
                    view.say(f"{nodes} node(s): the same versions, and all share {self.place} and the packed pictures")
                interrupts.install()  # Ray's start has put a handler of its own, in C++, in the place of ours
                job = self.make_job(train, val)
                if self.start is not None and found is None:
                    self.start.commit(job, self.store)
                # Until the workers have rewound it, the file holds what an earlier attempt wrote.
                checkpoint.rewind_metrics(self.newest()[0], self.run / checkpoint.METRICS)
                if self.store is not None:
                    self.store.bucket.upload(self.run / checkpoint.METRICS, checkpoint.METRICS)
                watch = Watch(job, self.request, self.workers, self.place, self.store, view, mlflow)
                outcome = watch.until_end(interrupts)
                if mlflow is not None:
                    mlflow.status = {"finished": "FINISHED", "stopped": "KILLED"}.get(outcome["state"], "FAILED")
            return self._finish(job, outcome, view)

    def newest(self) -> tuple[checkpoint.Checkpoint | None, list[str]]:
        """The newest whole checkpoint of the run, and what was passed over; it is on this machine's disk."""
        return self.store.newest(self.run) if self.store else checkpoint.newest(self.run)

    def _summary(self) -> dict[str, Any] | None:
        """Of a finished run."""
        if self.store is not None:
            data = self.store.bucket.get(SUMMARY)
            return dict(json.loads(data)) if data is not None else None
        file = self.run / SUMMARY
        return dict(json.loads(file.read_text(encoding="utf-8"))) if file.is_file() else None

    # before

    def introduce(
        self, view: ProgressView, found: checkpoint.Checkpoint | None, skipped: list[str], run: Path | str
    ) -> None:
        """Say what is to be done, with the reasons of each choice."""
        recipe = self.recipe
        view.say(
            f"data: {len(self.split.train)} pictures to train on, {len(self.split.val)} held out; {self.split.rule}"
        )
        width = max(len(key) for key, _, _ in recipe.reasons)
        for key, value, why in recipe.reasons:
            view.say(f"  {key:<{width}}  {value}  ({why})")
        device = "GPU" if self.request.use_gpu else "CPU"
        view.say(f"workers: {self.workers} x {self.request.threads} thread(s), {device}; run folder {run}")
        view.say(f"guarantee: {self._guarantee()}")
        cores = available_cpus()
        if not self.request.use_gpu and self.workers.most * self.request.threads < cores:
            view.say(f"  {cores} cores are free to use: --workers {cores} uses them all")
        for sentence in skipped:
            view.say(f"passed over: {sentence}")
        fresh = f"fresh run, from the weights of {self.start.place}" if self.start else "fresh run"
        view.say(f"resuming from step {found.step} of {found.path}" if found else fresh)

    def _guarantee(self) -> str:
        threads, config = f"{self.request.threads} thread(s) each", self.recipe.config
        same = "after any kill or stop the same command ends with the same weights, bit for bit,"
        if config.deterministic:
            return f"{same} on any number of workers from 1 to {config.shards}, {threads}"
        count = "as long as their number stays the same" if self.workers.elastic else f"on {self.workers} worker(s)"
        return (
            f"{same} {count}, {threads}; another number sees the same pictures and adds in another order (--deterministic: "
            "the same bits)"
        )

    def _write_config(self) -> None:
        write_json(
            self.run / CONFIG,
            {
                "run": self.request.run,
                "identity": self.identity,
                "data": self.data,
                "workers": str(self.workers),
                "threads": self.request.threads,
                "choices": [list(r) for r in self.recipe.reasons],
                "versions": versions(),
            },
        )
        if self.store is not None:
            self.store.bucket.upload(self.run / CONFIG, CONFIG)

    @contextlib.contextmanager
    def _mlflow(self, view: ProgressView) -> Iterator[MlflowRun | None]:
        """The run in MLflow, if that is asked for; what could not be sent in the end is told."""
        if not self.request.config.mlflow:
            yield None
            return
        choices = {key: value for key, value, _ in self.recipe.reasons}
        with MlflowRun(self.run, id_of(self.run, self.store.bucket if self.store else None), choices) as mlflow:
            view.say(f"MLflow: {mlflow.place}")
            yield mlflow
        if mlflow.trouble is not None:
            view.say(f"MLflow lacks the last steps, which {checkpoint.METRICS} has: {mlflow.trouble}")

    def _prepare(self, view: ProgressView) -> tuple[Pictures, Pictures]:
        """Pack the pictures while Ray starts: each takes seconds that the other does not need."""
        view.phase("packing pictures while Ray starts")
        result: list[tuple[Pictures, Pictures]] = []
        errors: list[BaseException] = []

        def work() -> None:
            try:
                result.append((self.pack(self.split.train), self.pack(self.split.val)))
            except BaseException as error:  # handed to the main thread, which raises it
                errors.append(error)

        packing = threading.Thread(target=work, name="pack")
        packing.start()
        try:
            if self.local_ray is not None:
                self.local_ray.wait()
        finally:
            packing.join()
        if errors:
            raise errors[0]
        return result[0]

    def cache(self) -> Path:
        """Folder of the packed caches."""
        return (self.request.cache or self.request.storage / "cache").absolute()  # workers run elsewhere

    def pack(self, pairs: Any) -> Pictures:
        """The packed pictures of these (source, frame) pairs."""
        if self.request.bucket is not None:
            there = self.request.bucket.at("cache")
            return pack_parts(
                pairs, self.recipe.stored, self.classes, there, self.cache(), resize=self.recipe.config.resize
            )
        return pack(pairs, self.recipe.stored, self.classes, self.cache(), resize=self.recipe.config.resize)

    def make_job(self, train: Pictures, val: Pictures) -> Job:
        """A new attempt in the run folder, and what tells the workers of it."""
        try:
            weights = class_weights(train.class_pixels, self.recipe.config.class_weights)
        except ValueError as error:
            raise TrainingError(
                f"class list {self.classes.name!r}: {error}; check its 'tags' and the label table."
            ) from None
        names = {p.name for p in self.run.glob("attempt-*")}
        if self.store is not None:
            names |= {name.partition("/")[0] for name in self.store.bucket.objects() if name.startswith("attempt-")}
        existing = [int(name.removeprefix("attempt-")) for name in names]
        attempt = f"attempt-{max(existing, default=0) + 1:03d}"
        (self.run / attempt).mkdir()
        config = self.recipe.config
        info = ModelInfo(
            network=self.recipe.network,
            classes=self.classes,
            preprocessing=Preprocessing(self.recipe.picture, config.fit, config.resize),
            data=self.data,
            training={"run": self.request.run, **self.recipe.identity()}
            | ({"start_from": self.start.to_dict()} if self.start else {}),
            versions=versions(),
        )
        return Job(
            run=self.run,
            attempt=attempt,
            recipe=self.recipe,
            train_cache=train.path if isinstance(train, Packed) else train,
            val_cache=val.path if isinstance(val, Packed) else val,
            class_weights=tuple(float(w) for w in weights),
            info=info,
            identity=self.identity,
            threads=self.request.threads,
            started_s=self.request.started_s or time.time(),
            preemptible=self.request.address is not None,
            bucket=self.store.bucket if self.store else None,
            cache_bytes=self.request.cache_bytes,
        )

    # during

    # after

    def _finish(self, job: Any, outcome: dict[str, Any], view: ProgressView) -> dict[str, Any]:
        if outcome["state"] == "nonfinite":
            raise TrainingError(
                f"the loss is no longer a number at step {outcome['step']}; the batch is in {outcome['batch']}. Look at "
                "it, lower learning_rate, and start another --run."
            )
        if outcome["state"] == "unwritable":
            raise TrainingError(f"run {self.request.run!r} ended at step {outcome['step']}: {outcome['why']}.")
        if outcome["state"] == "stopped":
            view.say(f"stopped at step {outcome['step']} of {self.recipe.steps}, saved; the same command goes on.")
            raise KeyboardInterrupt
        found, _ = self.newest()
        if found is None or found.step != self.recipe.steps:
            raise TrainingError(f"{self.place}: the last checkpoint is not whole; give the same command again.")
        state = checkpoint.load(found)
        score = state.best_score
        info = replace(job.info, metrics=score)
        model = save_model(self.run / "model", state.best or state.average, info)
        lines = [json.loads(line) for line in (self.run / checkpoint.METRICS).read_text().splitlines()]
        rates = [line["pictures_per_s"] for line in lines if line["kind"] == "train"]
        # Of the last attempt that made a step: one that found the last checkpoint there has made none.
        first = json.loads(max(self.run.glob(f"attempt-*/{FIRST_STEP}")).read_text(encoding="utf-8"))
        summary = {
            "state": "finished",
            "steps": self.recipe.steps,
            "best": {"step": score["step"], "miou": score["miou"]},
            "pictures_per_s": round(statistics.median(rates), 2),
            "first_step_s": first["first_step_s"],
            "model": str(model) if self.store is None else self.store.bucket.at("model").url,
        }
        write_json(self.run / SUMMARY, summary)
        if self.store is not None:
            self.store.bucket.upload(self.run / checkpoint.METRICS, checkpoint.METRICS)
            self.store.bucket.upload_folder(model, last=MANIFEST)
            self.store.bucket.upload(self.run / SUMMARY, SUMMARY)
            view.say(f"model: {summary['model']}")
        shown = "not scored" if score["miou"] is None else f"mIoU {score['miou']:.3f} on the held-out pictures"
        view.say(f"finished: {self.recipe.steps} steps, {shown} at step {score['step']}; model in {model}")
        return summary


def _run_folder(request: TrainRequest) -> Path:
    run = (request.storage / request.run).absolute()
    place: Path | str = run
    if request.bucket is not None:
        there = request.bucket.at(request.run)
        place = there.url
        there.check()
        used = request.fresh and bool(RunBucket(there).every())
    else:
        used = request.fresh and run.is_dir() and any(run.glob("attempt-*"))
    if used:
        raise TrainingError(
            f"{place}: --fresh wants a new run, this one has checkpoints; choose another --run name (nothing is removed)."
        )
    try:
        run.mkdir(parents=True, exist_ok=True)
        probe = run / ".write-test"
        probe.write_text("x")
        probe.unlink()
    except OSError as error:
        raise TrainingError(f"{run}: can't be written ({error.strerror}); choose another --storage.") from None
    free = shutil.disk_usage(run).free
    if free < 1 << 30:
        raise TrainingError(
            f"{run}: {free >> 20} MB free, checkpoints need 1024 MB; make room or choose another --storage."
        )
    return run
