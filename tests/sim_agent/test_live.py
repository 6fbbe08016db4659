"""Live masks: the newest picture wins, ages are true, and a model is changed without a pause."""

import threading
import time
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch

from sim_agent import engines, watch
from sim_agent.controls import Action
from sim_agent.engines import choose_engine, threads_for
from sim_agent.feed import Feed
from sim_agent.live import LiveMasks
from sim_agent.scores import Rate, Scores, Timings, confusion
from sim_agent.trouble import Troubles
from sim_agent.watch import RunWatch, find_models
from trainer import checkpoint
from trainer.errors import ModelError, UsageError
from trainer.labels import VOID, load_class_list, load_label_table
from trainer.metrics import Score
from trainer.model_dir import ModelInfo, Preprocessing, save_model
from trainer.segmenter import Segmenter
from trainer.unet import UNet, UNetConfig

CLASSES = load_class_list("street17")
LOOKUP = CLASSES.lookup(load_label_table("carla-0.9.14"))
NETWORK = UNetConfig("tiny", (4, 8), classes=17, norm="batch", stem_stride=2)
SIZE = (24, 32)
ROAD, SKY = CLASSES.names.index("road"), CLASSES.names.index("sky")
ROAD_TAG, SKY_TAG = 1, 11
WAIT_S = 60.0


@dataclass
class Image:
    """What the feed reads of a carla.Image."""

    frame: int
    raw_data: bytes
    height: int = SIZE[0]
    width: int = SIZE[1]


def picture(frame, level=0):
    return Image(frame, bytes([level, level, level, 255]) * (SIZE[0] * SIZE[1]))


def tags(frame, tag):
    return Image(frame, bytes([0, 0, tag, 255]) * (SIZE[0] * SIZE[1]))


class Gated(Segmenter):
    """Says what class a picture's brightness is; waits at a gate."""

    def __init__(self, name="gated", add=0):
        self.engine, self.add = name, add
        self.seen, self.busy, self.gate = [], threading.Semaphore(0), threading.Semaphore(0)

    def segment(self, rgb):
        if len(self.seen) >= 2:  # two pictures warm up
            self.busy.release()
            assert self.gate.acquire(timeout=WAIT_S)
        self.seen.append(int(rgb[0, 0, 0]))
        return (rgb[..., 0] + self.add).astype(np.uint8)

    def _logits(self, picture):
        raise AssertionError("not used")


class Stage:
    """A feed, masks of it, and who listens."""

    def __init__(self, segmenter, lag_s=0.2):
        self.segmenter, self.feed, self.scores = segmenter, Feed(LOOKUP), Scores(CLASSES)
        self.troubles = Troubles(lag_s, 20.0, 2.0)
        self.masks, self.came = [], threading.Semaphore(0)
        self.live = LiveMasks(segmenter, self.feed, self.scores, self.troubles, SIZE, self._heard)

    def _heard(self, mask):
        self.masks.append(mask)
        self.came.release()

    def next_mask(self):
        assert self.came.acquire(timeout=WAIT_S)
        self.live.check()
        return self.masks[-1]

    def wait_until_busy(self):
        assert self.segmenter.busy.acquire(timeout=WAIT_S)

    def let(self, count=1):
        self.segmenter.gate.release(count)

    def __enter__(self):
        self.live.__enter__()
        return self

    def __exit__(self, *_):
        self.let(1000)
        self.live.__exit__()


def test_the_engine_is_warm_before_anything_comes():
    with Stage(Gated()) as stage:
        assert stage.segmenter.seen == [128, 128]
        assert stage.live.masks == 0 and stage.live.newest is None


def test_the_newest_picture_wins_and_what_is_passed_over_is_counted():
    with Stage(Gated()) as stage:
        stage.feed.put_picture(picture(1, 1))
        stage.wait_until_busy()
        for frame in range(2, 7):
            stage.feed.put_picture(picture(frame, frame))
        stage.let()
        assert stage.next_mask().frame == 1
        stage.wait_until_busy()
        stage.let()
        newest = stage.next_mask()
        assert newest.frame == 6 and (newest.labels == 6).all() and newest.seen[0, 0, 0] == 6
        assert stage.live.dropped == 4 and stage.live.masks == 2
        assert stage.segmenter.seen == [128, 128, 1, 6]


def test_the_age_of_a_mask_is_from_its_pictures_arrival_to_its_end():
    with Stage(Gated()) as stage:
        before_s = time.monotonic()
        stage.feed.put_picture(picture(1))
        stage.wait_until_busy()
        threading.Event().wait(0.05)
        stage.let()
        mask = stage.next_mask()
        most_ms = 1000.0 * (time.monotonic() - before_s)
        assert 50.0 <= mask.age_ms <= most_ms
        assert stage.live.engine_ms.to_dict()["p50"] <= stage.live.age_ms.to_dict()["p50"] == mask.age_ms


def test_masks_are_scored_against_their_own_frame_and_against_the_newest():
    with Stage(Gated()) as stage:
        stage.feed.put_tags(tags(1, ROAD_TAG))
        stage.feed.put_picture(picture(1, ROAD))
        stage.wait_until_busy()
        stage.feed.put_tags(tags(2, SKY_TAG))  # the world has moved on when the mask is there
        stage.let()
        stage.next_mask()
        result = stage.scores.to_dict()
        assert result["miou"] == 1.0 and result["iou"] == {"road": 1.0}
        assert result["miou_after_latency"] == 0.0
        miou, late, iou = stage.scores.live()
        assert (miou, late) == (1.0, 0.0) and iou[ROAD] == 1.0 and np.isnan(iou[SKY])


def test_a_mask_whose_labels_are_late_is_shown_and_not_scored():
    with Stage(Gated()) as stage:
        stage.feed.put_picture(picture(1, ROAD))
        stage.let()
        assert stage.next_mask().frame == 1
        assert stage.scores.to_dict()["miou"] is None


def test_another_model_takes_over_from_the_next_picture():
    with Stage(Gated()) as stage:
        stage.feed.put_picture(picture(1, 3))
        stage.let()
        assert (stage.next_mask().labels == 3).all()
        other = Gated("other", add=1)
        other.seen = [128, 128]
        other.gate.release(10)
        stage.live.swap(other)
        stage.feed.put_picture(picture(2, 3))
        assert (stage.next_mask().labels == 4).all()
        assert stage.live.engine == "other"


def test_what_ends_the_thread_is_raised_where_the_window_is():
    class Broken(Gated):
        def segment(self, rgb):
            if len(self.seen) >= 2:
                raise RuntimeError("out of memory")
            return super().segment(rgb)

    with Stage(Broken()) as stage:
        stage.feed.put_picture(picture(1))
        stage.live._thread.join(WAIT_S)
        with pytest.raises(RuntimeError, match="out of memory"):
            stage.live.check()


def test_lag_holds_pictures_back():
    late = Stage(Gated(), lag_s=0.15)
    late.troubles.toggle(Action.LAG)
    with late as stage:
        stage.segmenter.gate.release(100)
        stage.feed.put_picture(picture(1, 1))
        stage.feed.put_picture(picture(2, 2))
        mask = stage.next_mask()
        assert mask.frame == 2 and mask.age_ms >= 150.0


def test_troubles_spoil_what_the_network_gets_and_nothing_else():
    troubles = Troubles(0.25, 20.0, 3.0)
    clean = np.random.default_rng(0).integers(0, 256, (40, 60, 4), np.uint8)
    kept = clean.copy()
    assert troubles.spoil(clean) is clean and troubles.names == () and troubles.lag_s == 0.0
    assert troubles.toggle(Action.NOISE) is True
    noisy, again = troubles.spoil(clean), troubles.spoil(clean)
    assert 5.0 < np.abs(noisy[..., :3].astype(int) - clean[..., :3]).mean() < 25.0
    assert (noisy != again).any() and (noisy[..., 3] == clean[..., 3]).all()
    assert troubles.toggle(Action.NOISE) is False
    troubles.toggle(Action.BLUR)
    assert troubles.spoil(clean).std() < 0.5 * clean.std()
    troubles.toggle(Action.LAG)
    assert troubles.lag_s == 0.25 and troubles.names == ("lag 250 ms", "blur")
    troubles.toggle(Action.DEAD_CAMERA)
    assert not troubles.spoil(clean).any()
    np.testing.assert_array_equal(clean, kept)


def test_the_feed_matches_by_frame_number_and_forgets():
    feed = Feed(LOOKUP)
    for frame in range(1, 60):
        feed.put_picture(picture(frame, frame))
        if frame != 50:
            feed.put_tags(tags(frame, ROAD_TAG))
    assert feed.newest.frame == 59 and feed.pictures == 59
    assert feed.truth(50) is None and (feed.truth(49) == ROAD).all() and (feed.tags(49) == ROAD_TAG).all()
    assert feed.shot(1) is None and feed.newest_labelled == 59
    assert feed.wait_for(59, 0.0) and not feed.wait_for(60, 0.0)
    assert feed.missing(60) == "RGB camera: frame 60 did not come, the last one was 59"
    feed.clear()
    assert feed.newest is None and feed.newest_labelled is None
    assert feed.missing(61).endswith("it never sent one")


def test_unknown_tags_do_not_count():
    feed = Feed(LOOKUP)
    feed.put_tags(tags(1, 77))
    assert (feed.truth(1) == VOID).all()


def test_confusion_is_that_of_the_trainer():
    rng = np.random.default_rng(0)
    mask, truth = rng.integers(0, 17, (2, 30, 40), np.uint8)
    truth[:5] = VOID
    score = Score(CLASSES.names)
    score.add(torch.from_numpy(mask)[None], torch.from_numpy(truth)[None], boundary=False)
    np.testing.assert_array_equal(confusion(mask, truth, 17), score.matrix)
    scores = Scores(CLASSES)
    scores.add(mask, truth, truth)
    assert scores.to_dict()["miou"] == pytest.approx(score.miou)
    assert scores.to_dict()["iou"] == pytest.approx(score.to_dict()["iou"])


def test_live_figures_fade_and_the_drives_do_not():
    scores = Scores(CLASSES)
    road, sky = np.full(SIZE, ROAD, np.uint8), np.full(SIZE, SKY, np.uint8)
    scores.add(sky, road, road)
    for _ in range(400):
        scores.add(road, road, road)
    assert scores.live()[0] > 0.99
    assert scores.to_dict()["iou"]["road"] == pytest.approx(400 / 401)
    scores.forget_live()
    assert np.isnan(scores.live()[0]) and scores.to_dict()["miou"] is not None


def test_rates_and_percentiles():
    rate = Rate()
    assert rate.per_s(0.0) is None
    for k in range(100):
        rate.add(k * 0.05, 0.05)
    assert rate.per_s(4.95) == pytest.approx(1.0)
    assert rate.per_s(100.0) is None
    timings = Timings()
    assert timings.to_dict() == {"p50": None, "p95": None, "p99": None}
    for value in range(1, 101):
        timings.add(float(value))
    assert timings.to_dict()["p50"] == pytest.approx(50.5) and timings.to_dict()["p99"] == pytest.approx(99.01)
    assert timings.median_ms(of_last=1) == 100.0


# engines


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    torch.manual_seed(0)
    info = ModelInfo(NETWORK, CLASSES, Preprocessing(SIZE))
    return save_model(tmp_path_factory.mktemp("model") / "model", UNet(NETWORK).state_dict(), info)


def test_auto_takes_the_fastest_and_says_why(model, monkeypatch):
    folder = model.parent / "with engines"
    for name in engines.OPENVINO:
        (folder / "engines" / name).mkdir(parents=True, exist_ok=True)
    opened = {"torch": 30.0, "openvino-int8": 9.0, "openvino-bf16": 14.0}

    def fake_open(path, engine, threads, device):
        segmenter = Gated(engine)
        segmenter.ms = opened[engine]
        return segmenter

    monkeypatch.setattr(engines, "open_segmenter", fake_open)
    monkeypatch.setattr(engines, "time_ms", lambda segmenter, size: segmenter.ms)
    monkeypatch.setattr(engines.importlib.util, "find_spec", lambda name: object())
    threads = torch.get_num_threads()
    try:
        choice = choose_engine(folder, "auto", SIZE, 2)
        assert choice.segmenter.engine == "openvino-int8"
        assert choice.said == (
            "engine: openvino-int8, 2 threads, 9 ms a picture: the fastest of 3 (torch 30 ms, openvino-bf16 14 ms)"
        )
        opened["torch"] = 2.0
        assert choose_engine(folder, "auto", SIZE, 2).segmenter.engine == "torch"
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)


def test_engines_that_do_not_open_are_left_out_and_named(model, monkeypatch):
    folder = model.parent / "damaged"
    (folder / "engines" / "openvino-int8").mkdir(parents=True)

    def fake_open(path, engine, threads, device):
        if engine != "torch":
            raise ModelError(f"{path}: was exported from other weights")
        return Gated("torch")

    monkeypatch.setattr(engines, "open_segmenter", fake_open)
    monkeypatch.setattr(engines, "time_ms", lambda segmenter, size: 5.0)
    monkeypatch.setattr(engines.importlib.util, "find_spec", lambda name: object())
    said = []
    choice = choose_engine(folder, "auto", SIZE, 1, said.append)
    assert "the only one" in choice.said
    assert len(said) == 1 and said[0].startswith("left out: openvino-int8") and "other weights" in said[0]


def test_an_engine_that_is_asked_for_is_taken(model):
    choice = choose_engine(model, "torch", SIZE, 1)
    assert choice.segmenter.engine.startswith("torch") and choice.said.endswith(" ms a picture")
    assert choice.segmenter.segment(np.zeros((*SIZE, 3), np.uint8)).shape == SIZE
    with pytest.raises(ModelError, match="has no openvino-int8 engine; make one with `export"):
        choose_engine(model, "openvino-int8", SIZE, 1)


def test_timing_runs_the_engine(model):
    assert engines.time_ms(choose_engine(model, "torch", SIZE, 1).segmenter, SIZE) > 0.0


def test_threads_are_set_by_what_else_runs():
    assert threads_for(embedded=True, cpus=2) == 1
    assert threads_for(embedded=True, cpus=16) == 8
    assert threads_for(embedded=False, cpus=16) == 15
    assert threads_for(embedded=False, cpus=1) == 1


# a training under way


@pytest.fixture
def run(tmp_path):
    """A run's folder; call it to write the checkpoint of a step."""
    metrics = tmp_path / "metrics.jsonl"
    metrics.write_text('{"step": 1}\n')

    def write(step, classes=CLASSES):
        torch.manual_seed(step)
        network = replace(NETWORK, classes=len(classes))
        net = UNet(network)
        optimizer = torch.optim.AdamW(net.parameters(), lr=0.1)
        info = ModelInfo(network, classes, Preprocessing(SIZE))
        state = checkpoint.TrainingState(step, {}, net.state_dict(), net.state_dict(), {}, {}, optimizer.state_dict())
        folder = tmp_path / "run" / "attempt-001" / checkpoint.directory_name(step)
        folder.mkdir(parents=True)
        checkpoint.save(folder, state, info, metrics)
        return folder

    write.folder = tmp_path / "run"
    write.folder.mkdir()
    return write


class Watcher:
    def __init__(self, run, classes=CLASSES):
        self.models, self.refused, self.came = [], [], threading.Semaphore(0)
        self.watch = RunWatch(run, SIZE, 1, classes, self._model, self.refused.append)

    def _model(self, segmenter, name):
        self.models.append((segmenter, name))
        self.came.release()


def test_each_newer_checkpoint_is_taken_once(run):
    seen = Watcher(run.folder)
    assert not seen.watch.look()
    run(10)
    assert seen.watch.look() and seen.models[-1][1] == "step 10"
    assert not seen.watch.look()
    run(1200)
    assert seen.watch.look() and seen.models[-1][1] == "step 1,200"
    assert seen.models[0][0].segment(np.zeros((*SIZE, 3), np.uint8)).shape == SIZE


def test_a_damaged_checkpoint_is_refused_once_and_the_old_one_goes_on(run):
    seen = Watcher(run.folder)
    run(10)
    assert seen.watch.look()
    weights = run(20) / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-7] + b"damaged")
    assert not seen.watch.look() and not seen.refused  # it may be half a copy still
    assert not seen.watch.look() and len(seen.refused) == 1
    assert "step_00000020" in seen.refused[0] and "changed or damaged" in seen.refused[0]
    assert not seen.watch.look() and len(seen.refused) == 1
    assert [name for _, name in seen.models] == ["step 10"]
    run(30)
    assert seen.watch.look() and seen.models[-1][1] == "step 30"


def test_a_checkpoint_that_is_being_written_is_waited_for(run):
    seen = Watcher(run.folder)
    folder = run(10)
    manifest = (folder / "manifest.json").read_bytes()
    (folder / "manifest.json").unlink()
    assert not seen.watch.look() and not seen.watch.look() and not seen.refused
    whole = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(whole[:100])
    (folder / "manifest.json").write_bytes(manifest)
    assert not seen.watch.look()
    (folder / "model.safetensors").write_bytes(whole)
    assert seen.watch.look() and not seen.refused


def test_the_result_of_the_training_is_taken_at_its_end(run):
    seen = Watcher(run.folder)
    run(10)
    assert seen.watch.look()
    info = ModelInfo(NETWORK, CLASSES, Preprocessing(SIZE))
    save_model(run.folder / watch.MODEL_FOLDER, UNet(NETWORK).state_dict(), info)
    assert [found.step for found in find_models(run.folder)] == [None, 10]
    assert seen.watch.look() and seen.models[-1][1] == "the trained model"
    assert not seen.watch.look()
    run(20)  # and a training that goes on after it
    assert seen.watch.look() and seen.models[-1][1] == "step 20"


def test_other_classes_are_refused(run):
    seen = Watcher(run.folder)
    run(10, classes=load_class_list("carla23"))
    seen.watch.look()
    seen.watch.look()
    assert not seen.models and "other classes" in seen.refused[0]


def test_the_watch_looks_by_itself(run):
    seen = Watcher(run.folder, classes=None)
    with seen.watch:
        run(10)
        assert seen.came.acquire(timeout=WAIT_S)
    assert seen.models[0][1] == "step 10"


def test_a_wrong_engine_name_is_refused(model):
    with pytest.raises(UsageError):
        choose_engine(model, "tensorflow", SIZE, 1)
