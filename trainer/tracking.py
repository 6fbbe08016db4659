"""Where a run's curves go beside metrics.jsonl: TensorBoard always, MLflow where it is asked for."""

from __future__ import annotations

import importlib.util
import os
import queue
import re
import secrets
import shutil
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from trainer.errors import ConfigError, TrainingError
from trainer.manifest import read_json, write_json

if TYPE_CHECKING:
    from trainer.bucket import Bucket

ID_FILE = "mlflow.json"
SETTINGS = ("MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME")
"""Of MLflow's own variables, those that travel with `--submit`; none of them is a secret."""
_MOST_METRICS = 1000
"""In one request: MLflow's limit."""
_CLOSE_S = 60.0
_DEFAULTS = {
    # A server that is away must not keep the end of a training waiting for minutes.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    # A training tells nobody of itself unasked, and prints its own lines.
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}


def scalars(line: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """Name and value of each curve that a line of metrics.jsonl adds to: `train/loss`, `val/miou`, `iou/road`."""
    for key in ("loss", "accuracy", "lr", "pictures_per_s", "miou", "pixel_accuracy"):
        if line.get(key) is not None:
            yield f"{line['kind']}/{key}", line[key]
    for name, value in (line.get("iou") or {}).items():
        yield f"iou/{name}", value
    for rank, value in enumerate(line.get("memory_mb") or []):
        yield f"memory_mb/worker {rank}", value


class TensorBoard:
    """The run's curves for TensorBoard, made from metrics.jsonl: `RUN/tensorboard` never holds a step twice."""

    def __init__(self, folder: Path):
        from torch.utils.tensorboard import SummaryWriter

        # These files say nothing that metrics.jsonl does not: after a resume they are made anew from it.
        shutil.rmtree(folder, ignore_errors=True)
        self._writer = SummaryWriter(str(folder))

    def line(self, line: dict[str, Any]) -> None:
        """Add one line of metrics.jsonl."""
        for name, value in scalars(line):
            self._writer.add_scalar(name, value, line["step"])

    def close(self) -> None:
        """Flush and close."""
        self._writer.close()


def check_mlflow(in_bucket: bool) -> None:
    """Whether a run can be logged to MLflow, without the seconds of importing it.

    Raises:
        ConfigError: it is not installed; or the run is in S3 and no server is named.
    """
    spec = importlib.util.find_spec("mlflow")
    if spec is None or spec.origin is None:  # no origin: a folder of that name that lies about
        raise ConfigError("mlflow: MLflow is not installed here; pip install mlflow-skinny, or leave out --mlflow.")
    if in_bucket and not os.environ.get("MLFLOW_TRACKING_URI"):
        raise ConfigError(
            "mlflow: a run in S3 has no folder for MLflow's files; set MLFLOW_TRACKING_URI to a server, such as "
            "http://10.0.0.5:5000."
        )


def id_of(run: Path, bucket: Bucket | None) -> str:
    """What a run's MLflow run is found again by; kept with the run, since one of the same name elsewhere is another."""
    file = run / ID_FILE
    if bucket is not None and (kept := bucket.get(ID_FILE)) is not None:
        file.write_bytes(kept)
    if not file.is_file():
        write_json(file, {"id": secrets.token_hex(8)})
        if bucket is not None:
            bucket.upload(file, ID_FILE)
    return str(read_json(file, "run")["id"])


class MlflowRun:
    """A run's curves in MLflow, in one MLflow run for all starts of the training; a context.

    A thread of its own sends them: a slow server holds up nothing. What could not be sent is sent with the next lines, or
    by the next start, which is told all lines again. Before a first or a repeated attempt MLflow is asked for the last step
    of each curve, and only later ones are sent: so there is no gap, and no step twice.

    Args:
        run: the run's folder; MLflow's files are made in it where `MLFLOW_TRACKING_URI` is not set.
        run_id: from `id_of`.
        choices: logged as parameters of a new MLflow run.

    Raises:
        TrainingError: MLflow refuses, or its server does not answer.
    """

    def __init__(self, run: Path, run_id: str, choices: Mapping[str, str]):
        uri = os.environ.get("MLFLOW_TRACKING_URI")
        if not uri:
            uri = (run / "mlflow").absolute().as_uri()
            # MLflow calls its plain files "in maintenance" and wants to be told twice. They need no database library.
            os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
        for name, value in _DEFAULTS.items():
            os.environ.setdefault(name, value)
        from mlflow import MlflowClient
        from mlflow.entities import Metric
        from mlflow.exceptions import MlflowException

        self.place = _public(uri)
        self._metric, self._refusals = Metric, (MlflowException, OSError)
        try:
            self._client = MlflowClient(tracking_uri=uri)
            self._id = self._find_or_create(run.name, run_id, choices)
        except self._refusals as error:
            raise TrainingError(
                f"MLflow at {self.place} can't be used ({_short(error)}); check MLFLOW_TRACKING_URI (mlflow-skinny takes "
                "servers and folders, no databases) and that its server answers."
            ) from None
        self.status = "FAILED"
        """What the MLflow run is to end as, if nothing else is said: RUNNING, FINISHED, FAILED or KILLED."""
        self.trouble: str | None = None
        """Why the last lines are not there; None when they are."""
        self._last: dict[str, int] | None = None
        self._lines: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._live, name="mlflow", daemon=True)
        self._thread.start()

    def line(self, line: dict[str, Any]) -> None:
        """Send one line of metrics.jsonl, soon; one that MLflow has already is left out."""
        self._lines.put(line)

    def __enter__(self) -> MlflowRun:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None and issubclass(kind, KeyboardInterrupt):
            self.status = "KILLED"
        self._lines.put(None)
        self._thread.join(_CLOSE_S)
        if self._thread.is_alive():
            self.trouble = f"no answer in {_CLOSE_S:g} s"

    def _find_or_create(self, name: str, run_id: str, choices: Mapping[str, str]) -> str:
        client, title = self._client, os.environ.get("MLFLOW_EXPERIMENT_NAME") or "carla-unet"
        experiment = client.get_experiment_by_name(title)
        number = experiment.experiment_id if experiment else client.create_experiment(title)
        found = client.search_runs([number], f"tags.`carla_unet.id` = '{run_id}'")
        if found:
            client.update_run(found[0].info.run_id, status="RUNNING")
            return str(found[0].info.run_id)
        made = client.create_run(number, tags={"carla_unet.id": run_id, "carla_unet.run": name}, run_name=name)
        for key, value in choices.items():
            client.log_param(made.info.run_id, key, value)
        return str(made.info.run_id)

    def _live(self) -> None:
        waiting: list[Any] = []
        ended = False
        while not ended:
            lines = [self._lines.get()]
            while not self._lines.empty():
                lines.append(self._lines.get())
            ended = None in lines
            waiting += [metric for line in lines if line is not None for metric in self._metrics(line)]
            try:
                self._send(waiting)
                waiting.clear()
                self.trouble = None
                if ended:
                    self._client.set_terminated(self._id, self.status)
            except self._refusals as error:
                self.trouble = _short(error)
                self._last = None  # a part of it may be there

    def _metrics(self, line: Mapping[str, Any]) -> Iterator[Any]:
        now_ms = int(time.time() * 1000)
        for name, value in scalars(line):
            # MLflow takes no other characters in names; a class list may have any.
            yield self._metric(re.sub(r"[^\w .:/-]", "_", name), value, now_ms, line["step"])

    def _send(self, metrics: list[Any]) -> None:
        if self._last is None:
            self._last = {
                key: max(m.step for m in self._client.get_metric_history(self._id, key))
                for key in self._client.get_run(self._id).data.metrics
            }
        new = [m for m in metrics if m.step > self._last.get(m.key, -1)]
        for start in range(0, len(new), _MOST_METRICS):
            self._client.log_batch(self._id, metrics=new[start : start + _MOST_METRICS])
        for metric in new:
            self._last[metric.key] = max(metric.step, self._last.get(metric.key, -1))


def _public(text: str) -> str:
    """Without the user's name and password of a URL."""
    return re.sub(r"//[^/@\s]*@", "//", text)


def _short(error: BaseException) -> str:
    lines = _public(str(error)).strip().splitlines() or [type(error).__name__]
    return lines[0] if len(lines[0]) <= 200 else lines[0][:197] + "..."
