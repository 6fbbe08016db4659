"""The driver's watch over a Ray Train job: figures as they come, signals, silence, and what it was that ended it."""

from __future__ import annotations

import json
import threading
import traceback
from typing import Any

from trainer import checkpoint
from trainer.attempt import NOTES, OUTCOME, PULSE, STARTS, STOP, Job
from trainer.errors import TrainingError, UserError
from trainer.interrupts import Interrupts
from trainer.progress import MetricsTail, ProgressView
from trainer.pulse import PulseWatch
from trainer.request import TrainRequest, Workers
from trainer.run_bucket import Exchange, RunBucket
from trainer.tracking import MlflowRun, TensorBoard

ERROR = "error.txt"
_POLL_S = 0.5
_TELL_S = 30.0
"""Workers need some time to start: only then their absence is worth a line."""


class Watch:
    """One attempt, from the start of its workers to its outcome; the job itself runs in a thread.

    place: where the run is, in words. store: the run's bucket, if it is in one.
    """

    def __init__(
        self,
        job: Job,
        request: TrainRequest,
        workers: Workers,
        place: str,
        store: RunBucket | None,
        view: ProgressView,
        mlflow: MlflowRun | None,
    ):
        self.job, self.request, self.workers, self.place = job, request, workers, place
        self.view, self.mlflow = view, mlflow
        self.board: TensorBoard | None = None
        self.exchange = Exchange(store.bucket, job.run, [job.in_run(STOP)], job.told()) if store else None
        self._figures = MetricsTail(job.run / checkpoint.METRICS)
        self._starts = MetricsTail(job.folder / STARTS)
        self._pulse = PulseWatch(job.folder / PULSE)
        self._failure: BaseException | None = None
        self._shown = -1
        self._told = self._asked = False

    def until_end(self, interrupts: Interrupts) -> dict[str, Any]:
        """Run the job and show it; what its workers say of its end (outcome.json).

        Raises:
            TrainingError: they said nothing of it, or were not there for too long.
            KeyboardInterrupt: a second signal; after the first one the job saves its step and ends.
        """
        self.view.phase("starting workers")
        fit = threading.Thread(target=self._fit, name="fit", daemon=True)
        fit.start()
        try:
            if self.exchange is not None:
                self.exchange.start()
            while True:
                ended = not fit.is_alive()
                if ended and self.exchange is not None:
                    self.exchange.close()
                self._show()
                if ended:
                    break
                self._mind_silence()
                self._mind(interrupts)
                fit.join(_POLL_S)
        finally:
            if self.exchange is not None:
                self.exchange.close()
            if self.board is not None:
                self.board.close()
        notes, outcome = self.job.folder / NOTES, self.job.folder / OUTCOME
        for note in notes.read_text(encoding="utf-8").splitlines() if notes.is_file() else ():
            self.view.say(note)
        if not outcome.is_file():
            raise self._explain(self._failure)
        return dict(json.loads(outcome.read_text(encoding="utf-8")))

    def _fit(self) -> None:
        from trainer.ray_job import fit

        try:
            fit(self.job, self.workers, self.request)
        except BaseException as error:  # looked at in the end, in the main thread
            self._failure = error

    def _show(self) -> None:
        """What is new in metrics.jsonl and starts.jsonl."""
        for line in self._figures.new_lines():
            key = line["step"] * 2 + (line["kind"] == "val")
            if key > self._shown:  # a restarted worker writes the same lines again after its checkpoint
                self._shown = key
                # Importing TensorBoard takes a second of a core that the starting workers can use.
                self.board = self.board or TensorBoard(self.job.run / "tensorboard")
                self.board.line(line)
                if self.mlflow is not None:
                    self.mlflow.line(line)
                self.view.line(line)
        for start in self._starts.new_lines():
            self.view.say(f"{start['workers']} worker(s) at work from step {start['step']}")
            self._told = False

    def _mind_silence(self) -> None:
        """Say that workers are missing, and end the wait for them after --wait seconds."""
        from trainer.ray_job import shortage

        silent_s = self._pulse.silent_s()
        if silent_s > self.request.wait_s:
            if self.exchange is not None and self.exchange.trouble is not None:
                raise TrainingError(
                    f"{self.place}: no sign of the workers for {silent_s:.0f} s ({self.exchange.trouble}). The same "
                    "command resumes."
                )
            raise TrainingError(
                f"no worker was running for {silent_s:.0f} s: {shortage(self.workers, self.request)}; add nodes, "
                "lower --workers, or give --wait more seconds. The same command resumes."
            )
        if silent_s > _TELL_S and not self._told:
            self._told = True
            missing = shortage(self.workers, self.request)
            self.view.say(f"waiting for workers, up to {self.request.wait_s:g} s: {missing}")

    def _mind(self, interrupts: Interrupts) -> None:
        if interrupts.count and not self._asked:
            self._asked = True
            self.view.say("stopping: the step in progress is finished and saved; again to stop at once.")
            (self.job.folder / STOP).touch()
        if interrupts.count > 1:
            raise KeyboardInterrupt

    def _explain(self, error: BaseException | None) -> UserError:
        """One sentence for what ended the workers; the whole story goes to a file."""
        story = "".join(traceback.format_exception(error)) if error else "the workers ended without an outcome"
        file = self.job.folder / ERROR
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
