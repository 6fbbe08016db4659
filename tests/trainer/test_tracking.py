"""Curves of a run beside metrics.jsonl: TensorBoard's and, with the real MLflow where it is installed, MLflow's."""

import importlib.util
import json
import warnings

import pytest

from trainer.errors import ConfigError, TrainingError
from trainer.tracking import MlflowRun, TensorBoard, check_mlflow, id_of, scalars

LINES = [
    {"kind": "train", "step": 1, "loss": 3.0, "lr": 0.001, "pictures_per_s": 20.0},
    {"kind": "train", "step": 2, "loss": 2.5, "lr": 0.002, "pictures_per_s": 21.0},
    {"kind": "val", "step": 2, "loss": 2.6, "miou": 0.25, "pixel_accuracy": 0.5, "iou": {"road": 0.5}},
    {"kind": "train", "step": 3, "loss": 2.0, "lr": 0.001, "pictures_per_s": 22.0},
]


def test_curves_of_a_line():
    assert dict(scalars(LINES[0])) == {"train/loss": 3.0, "train/lr": 0.001, "train/pictures_per_s": 20.0}
    assert dict(scalars({"kind": "val", "step": 1, "loss": None, "iou": {"road": 0.5}})) == {"iou/road": 0.5}
    assert dict(scalars({"kind": "train", "step": 1, "memory_mb": [410, 380]})) == {
        "memory_mb/worker 0": 410,
        "memory_mb/worker 1": 380,
    }


def test_tensorboard_holds_each_step_once_after_a_resume(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    for lines in (LINES[:3], LINES):  # the second start is told all lines again
        board = TensorBoard(tmp_path / "tensorboard")
        for line in lines:
            board.line(line)
        board.close()
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    assert [e.step for e in events.Scalars("train/loss")] == [1, 2, 3]


def test_where_mlflow_is_not_installed_the_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match="pip install mlflow-skinny"):
        check_mlflow(in_bucket=False)


def test_the_id_of_a_run_stays(tmp_path):
    first = id_of(tmp_path, None)
    assert id_of(tmp_path, None) == first
    (tmp_path / "other").mkdir()
    assert id_of(tmp_path / "other", None) != first


@pytest.fixture
def mlflow(monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delenv("MLFLOW_EXPERIMENT_NAME", raising=False)
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its own dependencies
        return pytest.importorskip("mlflow", exc_type=ImportError)


def steps_of(mlflow, run, key):
    client = mlflow.MlflowClient(tracking_uri=(run / "mlflow").as_uri())
    (experiment,) = [e for e in client.search_experiments() if e.name == "carla-unet"]
    (found,) = client.search_runs([experiment.experiment_id])
    return found, [(m.step, m.value) for m in client.get_metric_history(found.info.run_id, key)]


def log(run, lines, status="FINISHED"):
    with MlflowRun(run, id_of(run, None), {"batch": "8"}) as logged:
        for line in lines:
            logged.line(line)
        logged.status = status
    return logged


def test_mlflow_has_each_step_once_and_one_run_over_two_starts(mlflow, tmp_path):
    assert log(tmp_path, LINES[:3], "KILLED").trouble is None
    found, points = steps_of(mlflow, tmp_path, "train/loss")
    assert points == [(1, 3.0), (2, 2.5)] and found.info.status == "KILLED"
    # A second start is told of all lines again, and step 2 is one that a worker has done again.
    assert log(tmp_path, [LINES[0], LINES[1] | {"loss": 2.4}, *LINES[2:]]).trouble is None
    found, points = steps_of(mlflow, tmp_path, "train/loss")
    assert points == [(1, 3.0), (2, 2.5), (3, 2.0)]
    assert found.info.status == "FINISHED" and found.data.params == {"batch": "8"}
    assert steps_of(mlflow, tmp_path, "val/miou")[1] == [(2, 0.25)]


def test_mlflow_names_keep_to_what_it_takes(mlflow, tmp_path):
    line = {"kind": "val", "step": 1, "iou": {"car|van (parked)": 0.5}}
    assert log(tmp_path, [line]).trouble is None
    assert steps_of(mlflow, tmp_path, "iou/car_van _parked_")[1] == [(1, 0.5)]


def test_a_server_that_is_not_there_is_one_sentence_and_tells_no_password(mlflow, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://ann:secret@127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(TrainingError, match="MLFLOW_TRACKING_URI") as caught:
        MlflowRun(tmp_path, id_of(tmp_path, None), {})
    assert "secret" not in str(caught.value)


def test_a_run_in_s3_needs_a_server(mlflow, monkeypatch):
    with pytest.raises(ConfigError, match="MLFLOW_TRACKING_URI"):
        check_mlflow(in_bucket=True)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:5000")
    check_mlflow(in_bucket=True)


def test_the_id_file_is_plain_json(tmp_path):
    value = id_of(tmp_path, None)
    assert json.loads((tmp_path / "mlflow.json").read_text())["id"] == value
