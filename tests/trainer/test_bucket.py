"""A run's place in S3, against a real S3 server on the loopback: whole or not there, and a sentence for each trouble."""

import dataclasses
import os
import threading
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.trainer.buckets import S3Server
from tests.trainer.test_commit import Training
from trainer import bucket as bucket_module
from trainer import checkpoint, loop
from trainer.bucket import Bucket, environment, is_url, scratch
from trainer.commit import MOST_FAILURES, Committer
from trainer.config import build, configs_dir, load_yaml
from trainer.dataset import parts as parts_module
from trainer.dataset.packed import pack
from trainer.dataset.parts import Parts, pack_parts
from trainer.dataset.remote import RemoteRecording
from trainer.dataset.sampler import Sampler, windowed_order
from trainer.dataset.source import open_source
from trainer.errors import DataError, TrainingError, UsageError
from trainer.job import Driver
from trainer.labels import load_class_list
from trainer.loop import Worker
from trainer.recipe import TrainConfig
from trainer.request import TrainRequest, Workers
from trainer.run_bucket import Exchange, RunBucket


@pytest.fixture(scope="module")
def server():
    with S3Server() as running:
        yield running


@pytest.fixture
def there(server, monkeypatch, request):
    """A folder in a bucket for one test."""
    for key in bucket_module.ENVIRONMENT:
        monkeypatch.delenv(key, raising=False)
    for key, value in server.env.items():
        monkeypatch.setenv(key, value)
    yield Bucket.from_url(f"s3://bkt/{request.node.name}")
    server.busy = 0


def test_an_url_is_told_from_a_path():
    assert is_url("s3://a/b") and not is_url("/s3/a") and not is_url("runs")
    assert Bucket.from_url("s3://a/b/").url == "s3://a/b" and Bucket.from_url("s3://a/b").at("c", "d").path == "a/b/c/d"
    for wrong in ("s3://", "/a/b"):
        with pytest.raises(UsageError, match="s3://BUCKET/FOLDER"):
            Bucket.from_url(wrong)


def test_objects_go_there_and_come_back(there, tmp_path):
    assert there.objects() == {} and there.get("a") is None and there.stamp("a") is None
    there.put("a", b"1")
    there.put("b/c", b"")
    assert there.get("a") == b"1" and there.get("b/c") == b""
    assert list(there.objects()) == ["a", "b/c"]
    before = there.stamp("a")
    there.put("a", b"22")
    assert there.stamp("a") != before
    file = tmp_path / "large"
    file.write_bytes(os.urandom(20 << 20))
    there.upload(file, "large")
    there.download("large", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == file.read_bytes()
    there.at("b").remove()
    assert list(there.objects()) == ["a", "large"]
    there.check()
    assert list(there.objects()) == ["a", "large"]


def test_a_busy_storage_is_asked_again(there, server):
    before = server.refused
    server.busy = 2
    there.put("a", b"1")
    assert server.refused == before + 2 and there.get("a") == b"1"


def test_what_is_wrong_with_a_storage_is_one_sentence(there, server, monkeypatch):
    with pytest.raises(TrainingError, match=r"s3://gone/runs: can't be used \(there is no such bucket; make it"):
        Bucket.from_url("s3://gone/runs").check()
    server.want_keys(True)
    try:
        with pytest.raises(TrainingError, match="does not know this AWS_ACCESS_KEY_ID"):
            there.check()
    finally:
        server.want_keys(False)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setattr(bucket_module, "_ATTEMPTS", 1)
    with pytest.raises(TrainingError, match="nothing answers there; check AWS_ENDPOINT_URL"):
        there.check()


def test_workers_are_given_what_reaches_the_storage_and_nothing_else(there, server, monkeypatch):
    monkeypatch.setenv("AWS_PROFILE_OF_MINE", "x")
    assert environment() == server.env


@pytest.fixture
def training(there, tmp_path):
    """A network in training whose checkpoints go to the bucket."""
    made = Training(tmp_path / "run")
    made.store = RunBucket(there)
    made.committer = Committer(made.run, "attempt-001", 1, made.notes.append, made.store)
    return made


def test_a_checkpoint_counts_when_it_is_there_and_the_manifest_goes_last(training, there, tmp_path):
    training.finish(1)
    names = list(there.objects())
    assert {name.rpartition("/")[0] for name in names} == {"attempt-001/step_00000001-1"}
    changed = {name: stamp.changed_ns for name, stamp in there.objects().items()}
    assert max(changed.values()) == changed["attempt-001/step_00000001-1/manifest.json"]
    found, skipped = training.store.newest(tmp_path / "elsewhere")
    assert found.step == 1 and not skipped and found.path.parent.parent == tmp_path / "elsewhere"
    state = checkpoint.load(found)
    assert all(torch.equal(v, state.weights[k]) for k, v in training.net.state_dict().items())
    training.finish(2), training.finish(3)
    assert [c.step for c in training.store.every()] == [3, 2]  # older ones go


def test_a_storage_that_stays_busy_costs_that_checkpoint_and_is_counted(training, server, monkeypatch):
    monkeypatch.setattr(bucket_module, "_ATTEMPTS", 1)
    bucket_module._connected.cache_clear()
    training.finish(1)
    server.busy = 1000
    training.submit(2)
    assert training.committer.wait() is None
    assert "SLOW" in training.notes[0].upper() or "too busy" in training.notes[0]
    assert f"failure 1 of {MOST_FAILURES} in a row" in training.notes[0] and "s3://bkt/" in training.notes[0]
    assert training.names() == ["step_00000001-1"]
    server.busy = 0
    assert training.finish(3).step == 3
    server.busy = 10_000
    assert training.finish(4) is None
    assert training.committer.exhausted is not None
    server.busy = 0
    bucket_module._connected.cache_clear()
    assert training.store.newest(training.run)[0].step == 3


@pytest.mark.parametrize("damage", ["no manifest", "a file is gone", "cut", "another file"])
def test_a_damaged_one_is_passed_over_and_stays(training, there, server, tmp_path, damage):
    training.finish(1)
    training.finish(2)
    folder = f"{there.path.removeprefix('bkt/')}/attempt-001/step_00000002-1"
    name = f"{folder}/{checkpoint.STATE_TENSORS}"
    if damage == "no manifest":
        server.delete(f"{folder}/manifest.json")
    elif damage == "a file is gone":
        server.delete(name)
    else:
        data = server.read(name)
        server.write(name, data[:100] if damage == "cut" else data[:-1] + bytes([data[-1] ^ 1]))
    before = server.names(folder)
    found, skipped = training.store.newest(tmp_path / "elsewhere")
    assert found.step == 1 and len(skipped) == 1 and f"s3://bkt/{folder}" in skipped[0]
    assert server.names(folder) == before
    assert not list((tmp_path / "elsewhere").glob("attempt-*/.*"))
    assert training.store.newest(tmp_path / "elsewhere")[0] == found  # from the disk, this time


def test_with_no_whole_one_left_a_run_does_not_start_again_from_zero(training, there, server, tmp_path):
    assert training.store.newest(tmp_path / "elsewhere") == (None, [])
    training.finish(1)
    server.delete(f"{there.path.removeprefix('bkt/')}/attempt-001/step_00000001-1/manifest.json")
    with pytest.raises(TrainingError, match=r"in s3://bkt can't be resumed: none of its 1 checkpoint\(s\) is whole"):
        training.store.newest(tmp_path / "elsewhere")


def test_small_files_go_both_ways_and_a_storage_that_is_away_delays(there, tmp_path, monkeypatch):
    driver, worker = tmp_path / "driver", tmp_path / "worker"
    (worker / "a").mkdir(parents=True), driver.mkdir()
    ours = Exchange(there, driver, sends=["a/stop"], takes=["metrics", "a/pulse"])
    theirs = Exchange(there, worker, sends=["metrics", "a/pulse"], takes=["a/stop"])
    (worker / "metrics").write_text("1\n")
    theirs.now(), ours.now()
    assert (driver / "metrics").read_text() == "1\n" and not (driver / "a" / "pulse").exists()
    (worker / "metrics").write_text("1\n2\n")
    (worker / "a" / "pulse").touch()
    (driver / "a").mkdir(exist_ok=True)
    (driver / "a" / "stop").touch()
    with monkeypatch.context() as away:
        away.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        away.setattr(bucket_module, "_ATTEMPTS", 1)
        theirs.now()
        assert "nothing answers" in theirs.trouble
    theirs.now(), ours.now(), theirs.now()
    assert theirs.trouble is None and (driver / "metrics").read_text() == "1\n2\n"
    assert (driver / "a" / "pulse").exists() and (worker / "a" / "stop").exists()


SIZE = (24, 40)


@pytest.fixture
def packed(there, recording, tmp_path, monkeypatch):
    """The recording's 24 pictures in parts of five, and the same as one cache on disk."""
    monkeypatch.setattr(parts_module, "PART_BYTES", 5 * SIZE[0] * SIZE[1] * 4)
    source, classes = open_source(recording), load_class_list("street17")
    pairs = [(source, ref) for ref in source.frames]
    made = pack_parts(pairs, SIZE, classes, there, tmp_path / "work")
    return made, pack(pairs, SIZE, classes, tmp_path / "whole"), pairs, classes


def test_parts_hold_what_one_cache_holds_in_less_room(packed, there, tmp_path):
    made, whole, pairs, classes = packed
    assert made.each == 5 and len(made.parts) == 5 and made.keys == whole.keys
    assert np.array_equal(made.class_pixels, whole.class_pixels)
    one = sum(stamp.size for name, stamp in made.bucket.objects().items() if name.startswith(made.parts[0]))
    assert not list((tmp_path / "work").iterdir())  # who packs keeps nothing
    reader = Parts(made, tmp_path / "parts", limit_bytes=2 * one + 100)
    order = windowed_order(0, 0, 24, made.each, window=2)
    for first in range(0, 24, 4):
        index = order[first : first + 4].tolist()
        for ours, theirs in zip(reader.rows(index), whole.rows(index), strict=True):
            assert torch.equal(ours, theirs)
        on_disk = sum(f.stat().st_size for f in (tmp_path / "parts").rglob("*") if f.is_file())
        assert on_disk <= 2 * one + 100 < sum(s.size for s in made.bucket.objects().values()) / 2
    assert 5 <= reader.fetched <= 6  # each part once, and at most one more where a batch lies in two windows
    again = pack_parts(pairs, SIZE, classes, there, tmp_path / "work")
    assert dataclasses.replace(again, class_pixels=None) == dataclasses.replace(made, class_pixels=None)


def test_packing_goes_on_where_it_stopped(packed, there, tmp_path, monkeypatch):
    made, _, pairs, classes = packed
    there.at("parts", made.parts[3]).remove()
    packings = []

    def counted(*args, **kwargs):
        packings.append(args)
        return pack(*args, **kwargs)

    monkeypatch.setattr(parts_module, "pack", counted)
    again = pack_parts(pairs, SIZE, classes, there, tmp_path / "work")
    assert len(packings) == 1 and again.parts == made.parts and np.array_equal(again.class_pixels, made.class_pixels)


def test_two_readers_share_a_folder_that_holds_one_part(packed, tmp_path):
    made, whole, *_ = packed
    wrong = []

    def read(seed):
        reader = Parts(made, tmp_path / "parts", limit_bytes=1)
        for index in np.random.default_rng(seed).integers(0, 24, (12, 2)):
            if not torch.equal(reader.rows(index.tolist())[0], whole.rows(index.tolist())[0]):
                wrong.append(index)

    readers = [threading.Thread(target=read, args=(seed,)) for seed in range(2)]
    for one in readers:
        one.start()
    for one in readers:
        one.join()
    assert not wrong and len([p for p in (tmp_path / "parts").iterdir() if p.is_dir()]) == 1


def test_a_part_that_is_gone_is_named(packed, tmp_path, monkeypatch):
    made, *_ = packed
    made.bucket.at(made.parts[0]).remove()
    monkeypatch.setattr(parts_module, "_TRIES", 1)
    with pytest.raises(DataError, match=f"{made.parts[0]}: packed pictures can't be fetched"):
        Parts(made, tmp_path / "parts", 1 << 20).rows([0])


@pytest.mark.parametrize(("count", "each", "window"), [(24, 5, 2), (7, 10, 3), (100, 1, 16)])
def test_each_picture_once_an_epoch_a_few_parts_at_a_time(count, each, window):
    order = windowed_order(3, 1, count, each, window)
    assert sorted(order) == list(range(count))
    # Each part once, in one window alone.
    parts = [set(order[i : i + each * window] // each) for i in range(0, count, each * window)]
    if count % each == 0:
        assert sum(map(len, parts)) == count // each
    assert not np.array_equal(order, windowed_order(3, 2, count, each, window)) or count < 3
    sampler = Sampler(3, count, 4, lambda s, e, c: windowed_order(s, e, c, each, window))
    seen = [slot.index for step in range(-(-count // 4)) for slot in sampler.batch(step) if slot.epoch == 0]
    assert sorted(seen) == list(range(count))


@pytest.fixture
def remote(there, recording, monkeypatch, tmp_path):
    """A copy of the recording in the bucket."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "disk"))
    folder = there.at("drawn")
    for file in recording.rglob("*"):
        if file.is_file():
            folder.upload(file, file.relative_to(recording).as_posix())
    return folder


def test_a_recording_in_a_bucket_is_the_one_on_disk_and_needs_room_for_one_shard(remote, recording, tmp_path):
    ours, local = RemoteRecording(remote, room_bytes=1), open_source(recording)
    assert ours.place == remote.url and ours.name == local.name
    assert list(ours.frames) == list(local.frames) and ours.fingerprint() == local.fingerprint()
    classes = load_class_list("street17")
    made = [
        pack([(source, ref) for ref in source.frames], SIZE, classes, tmp_path / name)
        for name, source in (("ours", ours), ("local", local))
    ]
    assert made[0].path.name == made[1].path.name and np.array_equal(made[0].images, made[1].images)
    assert len(list((tmp_path / "disk").rglob("shard-*.tar"))) == 1
    # Another start knows the frames without a shard, and sees a shard that was written again.
    again = open_source(Path(remote.url))
    assert isinstance(again, RemoteRecording)
    assert (
        list(again.frames) == list(local.frames) and again.fingerprint() == local.fingerprint() and again.fetched == 0
    )
    shard = next(name for name in remote.objects() if name.endswith(".tar"))
    remote.put(shard, (recording / shard).read_bytes()[:-2048])
    assert open_source(Path(remote.url)).fetched == 1


def test_no_recording_in_a_bucket_is_a_sentence(there):
    with pytest.raises(DataError, match=r"s3://bkt/.*: holds no recording; expected recording.json"):
        open_source(Path(there.url))
    with pytest.raises(DataError, match="there is no such bucket"):
        open_source(Path("s3://gone/x"))


@pytest.mark.slow
def test_training_reads_data_that_is_larger_than_the_disk_may_hold(remote, there, monkeypatch, tmp_path):
    """A recording in a bucket, packed into a bucket, an epoch of steps from a cache of a third of it."""
    monkeypatch.setattr(parts_module, "PART_BYTES", 4 * 48 * 80 * 4)
    config = dataclasses.replace(
        build(TrainConfig, load_yaml(configs_dir() / "train.yaml"), "train.yaml"),
        size="xs", picture=(48, 80), detail=1.0, crop=(32, 64), batch=4, steps=4, precision="fp32",
    )  # fmt: skip
    room = 2 * 4 * 48 * 80 * 4 + 30_000
    request = TrainRequest(
        (open_source(Path(remote.url)),), "far", scratch(there, "driver"), config, bucket=there, cache_bytes=room
    )
    run = request.storage / "far"
    run.mkdir(parents=True)
    driver = Driver(request, run, Workers(1, 1), local_ray=None)
    job = driver.make_job(driver.pack(driver.split.train), driver.pack(driver.split.val))
    monkeypatch.setattr(loop, "WINDOW_PARTS", 2)
    job = dataclasses.replace(job, run=tmp_path / "worker")
    job.folder.mkdir(parents=True)
    worker = Worker(job, 0, 1, torch.device("cpu"))
    assert len(job.train_cache.parts) == 5
    cached = scratch(job.train_cache.bucket, "worker")
    with worker.batches() as batches:
        for parts in batches:
            assert worker.train_step(parts) is not None
            worker.step += 1
            assert sum(f.stat().st_size for f in cached.rglob("*.npy")) <= room
    used = {slot.index // 4 for step in range(4) for slot in worker.sampler.batch(step)}
    assert worker.train.fetched == len(used) >= 4  # each part once in this epoch
    assert worker.validate()["miou"] is not None
