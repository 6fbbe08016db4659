"""What the driver does: checks before anything starts, the packed caches, Ray Train, progress, and the model at the end.

RUN/metrics.jsonl      every figure of the run, one line a step and kind
RUN/tensorboard/       the same for TensorBoard
RUN/config.json        what the run was started with
RUN/attempt-001/...    checkpoints and notes of each start of the driver (trainer/checkpoint.py)
RUN/model/             the model artifact, when the run is finished
RUN/summary.json       state, steps, best, pictures_per_s, first_step_s, model
"""

from __future__ import annotations

import json
import shutil
import signal
import statistics
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType
from typing import Any

from trainer import checkpoint
from trainer.dataset.lock import locked
from trainer.dataset.packed import Packed, pack
from trainer.dataset.source import Source
from trainer.dataset.split import Split, split_sources
from trainer.errors import TrainingError, UserError
from trainer.hardware import available_cpus
from trainer.labels import load_class_list
from trainer.local_ray import LocalRay
from trainer.losses import class_weights
from trainer.manifest import write_json
from trainer.model_dir import ModelInfo, Preprocessing, save_model, versions
from trainer.progress import MetricsTail, ProgressView, TensorBoard
from trainer.recipe import TrainConfig, resolve
from trainer.unet import load_preset

SUMMARY = "summary.json"
MAX_FAILURES = 3
_POLL_S = 0.5
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
    """None: two, or one where there is a single core; on GPUs as many as there are."""
    threads: int = 1
    """Per worker. One thread a worker and one worker a core is the fastest on a CPU (measured)."""
    use_gpu: bool = False
    fresh: bool = False
    val: tuple[Source, ...] = ()
    cache: Path | None = None
    started_s: float = 0.0
    """time.time() when the command was given."""
    quiet: bool = False


def run_training(request: TrainRequest, local_ray: LocalRay) -> dict[str, Any]:
    """Train, or go on training, and return what summary.json holds.

    Args:
        request: what to train.
        local_ray: the Ray to use; it may still be starting.

    Raises:
        UserError: anything that the user can mend, most of it before Ray is started.
        KeyboardInterrupt: SIGINT or SIGTERM came; the state is committed, the same command goes on.
    """
    workers = _check_resources(request)
    run = _run_folder(request)
    busy = f"{run}: another process trains this run right now; wait for it, or choose another --run name."
    with locked(run / ".lock", timeout_s=0, busy=busy):
        return _Driver(request, run, workers, local_ray).train()


class _Driver:
    """One start of the driver on a locked run folder."""

    def __init__(self, request: TrainRequest, run: Path, workers: int, local_ray: LocalRay):
        self.request, self.run, self.workers, self.local_ray = request, run, workers, local_ray
        self.classes = load_class_list(request.config.classes)
        self.split: Split = split_sources(
            list(request.sources),
            val=list(request.val) or None,
            by=request.config.split,
            val_share=request.config.val_share,
            seed=request.config.seed,
        )
        source, ref = self.split.train[0]
        preset = load_preset(request.config.network)
        self.recipe = resolve(
            request.config, preset, len(self.split.train), source.read_rgb(ref).shape[:2], len(self.classes)
        )
        if self.recipe.batch % workers:
            raise TrainingError(
                f"batch: {self.recipe.batch} pictures can't be shared equally by {workers} workers; "
                "choose a batch that is a multiple of --workers."
            )
        sources = [
            {
                "name": s.name,
                "path": str(s.path.absolute()),
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
        self.identity = {
            "data": {str(s["name"]): s["fingerprint"] for s in sources}
            | {"train_frames": len(self.split.train), "val_frames": len(self.split.val)},
            "classes": list(self.classes.names),
            "recipe": self.recipe.identity(),
        }

    def train(self) -> dict[str, Any]:
        """The whole job; see run_training."""
        found, skipped = checkpoint.newest(self.run)
        if found is not None:
            saved = json.loads((found.path / checkpoint.STATE).read_text(encoding="utf-8"))
            checkpoint.refuse_other(saved["identity"], self.identity, self.run)
            if found.step >= self.recipe.steps and (self.run / SUMMARY).is_file():
                print(
                    f"run {self.request.run!r} is finished: {self.recipe.steps} steps, model in {self.run / 'model'}."
                )
                return dict(json.loads((self.run / SUMMARY).read_text(encoding="utf-8")))
        start_step = found.step if found else 0
        view = ProgressView(
            self.request.run, self.recipe.steps, self.recipe.batch, start_step, quiet=self.request.quiet
        )
        with view:
            self._introduce(view, found, skipped)
            self._write_config()
            with _Interrupts() as interrupts:
                train, val = self._prepare(view)
                interrupts.install()  # Ray's start has put a handler of its own, in C++, in the place of ours
                job = self._job(train, val)
                outcome = self._fit(job, view, interrupts)
            return self._finish(job, outcome, view)

    # before

    def _introduce(self, view: ProgressView, found: checkpoint.Checkpoint | None, skipped: list[str]) -> None:
        recipe = self.recipe
        view.say(
            f"data: {len(self.split.train)} pictures to train on, {len(self.split.val)} held out; {self.split.rule}"
        )
        width = max(len(key) for key, _, _ in recipe.reasons)
        for key, value, why in recipe.reasons:
            view.say(f"  {key:<{width}}  {value}  ({why})")
        device = "GPU" if self.request.use_gpu else "CPU"
        view.say(f"workers: {self.workers} x {self.request.threads} thread(s), {device}; run folder {self.run}")
        cores = available_cpus()
        if not self.request.use_gpu and self.workers * self.request.threads < cores:
            view.say(f"  {cores} cores are free to use: --workers {cores} uses them all")
        for sentence in skipped:
            view.say(f"passed over: {sentence}")
        view.say(f"resuming from step {found.step} of {found.path}" if found else "fresh run")

    def _write_config(self) -> None:
        write_json(
            self.run / "config.json",
            {
                "run": self.request.run,
                "identity": self.identity,
                "data": self.data,
                "workers": self.workers,
                "threads": self.request.threads,
                "choices": [list(r) for r in self.recipe.reasons],
                "versions": versions(),
            },
        )

    def _prepare(self, view: ProgressView) -> tuple[Packed, Packed]:
        """Pack the pictures while Ray starts: each takes seconds that the other does not need."""
        view.phase("packing pictures while Ray starts")
        result: list[tuple[Packed, Packed]] = []
        errors: list[BaseException] = []

        def work() -> None:
            try:
                result.append((self._pack(self.split.train), self._pack(self.split.val)))
            except BaseException as error:  # handed to the main thread, which raises it
                errors.append(error)

        packing = threading.Thread(target=work, name="pack")
        packing.start()
        try:
            self.local_ray.wait()
        finally:
            packing.join()
        if errors:
            raise errors[0]
        return result[0]

    def _pack(self, pairs: Any) -> Packed:
        cache = (self.request.cache or self.request.storage / "cache").absolute()  # workers run elsewhere
        return pack(pairs, self.recipe.stored, self.classes, cache, resize=self.recipe.config.resize)

    def _job(self, train: Packed, val: Packed) -> Any:
        from trainer.loop import Job

        try:
            weights = class_weights(train.class_pixels, self.recipe.config.class_weights)
        except ValueError as error:
            raise TrainingError(
                f"class list {self.classes.name!r}: {error}; check its 'tags' and the label table."
            ) from None
        existing = [int(p.name.removeprefix("attempt-")) for p in self.run.glob("attempt-*")]
        attempt = f"attempt-{max(existing, default=0) + 1:03d}"
        (self.run / attempt).mkdir()
        config = self.recipe.config
        info = ModelInfo(
            network=self.recipe.network,
            classes=self.classes,
            preprocessing=Preprocessing(self.recipe.picture, config.fit, config.resize),
            data=self.data,
            training={"run": self.request.run, **self.recipe.identity()},
            versions=versions(),
        )
        return Job(
            run=self.run,
            attempt=attempt,
            recipe=self.recipe,
            train_cache=train.path,
            val_cache=val.path,
            class_weights=tuple(float(w) for w in weights),
            info=info,
            identity=self.identity,
            threads=self.request.threads,
            started_s=self.request.started_s or time.time(),
        )

    # during

    def _fit(self, job: Any, view: ProgressView, interrupts: _Interrupts) -> dict[str, Any]:
        """Run the Ray Train job in a thread; this one shows progress and minds signals."""
        from trainer.loop import OUTCOME, STOP

        view.phase("starting workers")
        failure: list[BaseException] = []

        def work() -> None:
            try:
                _fit_with_ray(job, self.workers, self.request)
            except BaseException as error:  # looked at below, in the main thread
                failure.append(error)

        tail = MetricsTail(self.run / checkpoint.METRICS)
        # Until the workers have rewound it, the file holds what an earlier attempt wrote.
        checkpoint.rewind_metrics(checkpoint.newest(self.run)[0], tail.path)
        board: TensorBoard | None = None
        fit = threading.Thread(target=work, name="fit", daemon=True)
        fit.start()
        asked = False
        shown = -1
        try:
            while True:
                ended = not fit.is_alive()
                for line in tail.new_lines():
                    key = line["step"] * 2 + (line["kind"] == "val")
                    if key > shown:  # a restarted worker writes the same lines again after its checkpoint
                        shown = key
                        # Importing TensorBoard takes a second of a core that the starting workers can use.
                        board = board or TensorBoard(self.run / "tensorboard")
                        board.line(line)
                        view.line(line)
                if ended:
                    break
                if interrupts.count and not asked:
                    asked = True
                    view.say("stopping: the step in progress is finished and saved; again to stop at once.")
                    (job.folder / STOP).touch()
                if interrupts.count > 1:
                    raise KeyboardInterrupt
                fit.join(_POLL_S)
        finally:
            if board is not None:
                board.close()
        for note in _notes(job.folder):
            view.say(note)
        outcome_file = job.folder / OUTCOME
        outcome: dict[str, Any] = json.loads(outcome_file.read_text(encoding="utf-8")) if outcome_file.is_file() else {}
        if not outcome:
            raise self._explain(job, failure[0] if failure else None)
        return outcome

    def _explain(self, job: Any, error: BaseException | None) -> UserError:
        """One sentence for what ended the workers; the whole story goes to a file."""
        story = "".join(traceback.format_exception(error)) if error else "the workers ended without an outcome"
        file = job.folder / "error.txt"
        file.write_text(story, encoding="utf-8")
        failures = getattr(error, "worker_failures", None) or {}
        for rank, cause in sorted(failures.items()):
            while getattr(cause, "__cause__", None) is not None:
                cause = cause.__cause__
            last = [line for line in str(cause).splitlines() if line.strip()][-1:] or [type(cause).__name__]
            return TrainingError(
                f"worker {rank} failed: {last[0].strip()} (details in {file}; the same command resumes)."
            )
        last = [line for line in str(error).splitlines() if line.strip()][-1:] if error else []
        return TrainingError(f"the Ray job ended: {(last or [story])[0].strip()} (details in {file}).")

    # after

    def _finish(self, job: Any, outcome: dict[str, Any], view: ProgressView) -> dict[str, Any]:
        from trainer.loop import FIRST_STEP

        if outcome["state"] == "nonfinite":
            raise TrainingError(
                f"the loss is no longer a number at step {outcome['step']}; the batch is in {outcome['batch']}. Look at "
                "it, lower learning_rate, and start another --run."
            )
        if outcome["state"] == "stopped":
            view.say(f"stopped at step {outcome['step']} of {self.recipe.steps}, saved; the same command goes on.")
            raise KeyboardInterrupt
        found, _ = checkpoint.newest(self.run)
        if found is None or found.step != self.recipe.steps:
            raise TrainingError(f"{self.run}: the last checkpoint is not whole; give the same command again.")
        state = checkpoint.load(found)
        score = state.best_score
        info = replace(job.info, metrics=score)
        model = save_model(self.run / "model", state.best or state.average, info)
        lines = [json.loads(line) for line in (self.run / checkpoint.METRICS).read_text().splitlines()]
        rates = [line["pictures_per_s"] for line in lines if line["kind"] == "train"]
        first = json.loads((job.folder / FIRST_STEP).read_text(encoding="utf-8"))
        summary = {
            "state": "finished",
            "steps": self.recipe.steps,
            "best": {"step": score["step"], "miou": score["miou"]},
            "pictures_per_s": round(statistics.median(rates), 2),
            "first_step_s": first["first_step_s"],
            "model": str(model),
        }
        write_json(self.run / SUMMARY, summary)
        shown = "not scored" if score["miou"] is None else f"mIoU {score['miou']:.3f} on the held-out pictures"
        view.say(f"finished: {self.recipe.steps} steps, {shown} at step {score['step']}; model in {model}")
        return summary


def _fit_with_ray(job: Any, workers: int, request: TrainRequest) -> None:
    import ray.train
    from ray.train.torch import TorchConfig, TorchTrainer

    from trainer.loop import train_worker

    class LocalTrainer(TorchTrainer):
        """Without the two actors that this job has no work for: each is a process that imports Ray Train (3 s of a core)."""

        def _create_default_callbacks(self) -> list[Any]:
            unneeded = {
                "DatasetsCallback",  # pictures come from the packed cache, not from Ray Data
                "PlacementGroupCleanerCallback",  # this Ray ends with the command, and its placement groups with it
            }
            return [c for c in super()._create_default_callbacks() if type(c).__name__ not in unneeded]

    trainer = LocalTrainer(
        train_worker,
        train_loop_config={"job": job},
        torch_config=TorchConfig(timeout_s=300),
        scaling_config=ray.train.ScalingConfig(
            num_workers=workers,
            use_gpu=request.use_gpu,
            resources_per_worker={"CPU": request.threads} | ({"GPU": 1} if request.use_gpu else {}),
        ),
        run_config=ray.train.RunConfig(
            # A record of its own for each start: Ray never reads an old one, damaged or not; we resume by manifest.
            name=job.attempt,
            storage_path=str(job.run),
            failure_config=ray.train.FailureConfig(max_failures=MAX_FAILURES, controller_failure_limit=MAX_FAILURES),
            checkpoint_config=ray.train.CheckpointConfig(num_to_keep=2),
            worker_runtime_env={"env_vars": {} if request.use_gpu else _WORKER_ENV},
            logging_config=ray.train.LoggingConfig(log_level="ERROR"),
        ),
    )
    trainer.fit()


def _check_resources(request: TrainRequest) -> int:
    """How many workers; raises TrainingError with both numbers when they don't fit this machine."""
    cpus = available_cpus()
    if request.use_gpu:
        import torch

        gpus = torch.cuda.device_count()
        workers = request.workers or max(1, gpus)
        if workers > gpus:
            raise TrainingError(
                f"{workers} workers with a GPU each were asked for, this machine has {gpus}; lower --workers."
            )
        return workers
    workers = request.workers or min(2, cpus)
    if workers * request.threads > cpus:
        raise TrainingError(
            f"{workers} workers x {request.threads} thread(s) need {workers * request.threads} cores, this machine has "
            f"{cpus}; lower --workers or --threads."
        )
    return workers


def _run_folder(request: TrainRequest) -> Path:
    run = (request.storage / request.run).absolute()
    if request.fresh and run.is_dir() and any(run.glob("attempt-*")):
        raise TrainingError(
            f"{run}: --fresh wants a new run, and this one has checkpoints; choose another --run name (nothing is removed)."
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


def _notes(folder: Path) -> Iterator[str]:
    file = folder / "notes.txt"
    if file.is_file():
        yield from file.read_text(encoding="utf-8").splitlines()


class _Interrupts:
    """Counts SIGINT and SIGTERM instead of dying by them; gives the handlers back on exit."""

    def __init__(self) -> None:
        self.count = 0
        self._before: dict[int, Callable[[int, FrameType | None], Any] | int | None] = {}

    def __enter__(self) -> _Interrupts:
        self.install()
        return self

    def install(self) -> None:
        """Take the signals, or take them back."""
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                before = signal.signal(number, self._note)
                self._before.setdefault(number, before)

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.count += 1
