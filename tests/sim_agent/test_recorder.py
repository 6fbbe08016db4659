"""The recorder: its parts alone, and the whole with simulators, killed, starved and interrupted."""

import dataclasses
import importlib.util
import json
import os
import random
import re
import signal
import threading
import time
from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest

from sim_agent.film import Film
from sim_agent.ledger import Header, Ledger
from sim_agent.plan import make_plan
from sim_agent.record_cli import record
from sim_agent.record_config import label_table_of, load_record_config
from sim_agent.recorder import drive as drive_loop
from sim_agent.rig import Bundle, FrameMissing
from sim_agent.station import Patience, end_part
from tests.processes import wait_for
from tests.sim_agent.recording import RecordCommand, frames_on_disk
from trainer.cli import main
from trainer.dataset.recording import Camera, Codecs, RecordingInfo, RecordingSource
from trainer.dataset.writer import RecordingWriter, encode_frame
from trainer.errors import ConfigError, DataError, UsageError

TABLE = label_table_of("0.9.16")
CAMERA = Camera("front", 40, 24)
INFO = RecordingInfo("id", TABLE, (CAMERA,), {"name": "t", "version": "1"}, 0.05, Codecs())
HEADER = Header({"name": "ClearNoon"}, {"drive": 1}, {"vehicles": 3}, {"name": "t", "version": "1"})
PLAN = make_plan(4, 10, ["Town01", "Town03"], ["ClearNoon"], 0.0, [5], [0], 0)


def bundle(frame, tag=1):
    raw = np.full((24, 40, 4), tag, np.uint8)
    one = SimpleNamespace(frame=frame, width=40, height=24, raw_data=raw.tobytes())
    return Bundle(frame, {"front": {"rgb": one, "semantic": one}})


def encoded(frame, tag=1):
    return encode_frame(INFO, frame, bundle(frame, tag).arrays())


@pytest.fixture
def open_ledger(tmp_path):
    writers = []

    def make(plan=PLAN):
        writer = RecordingWriter.create(tmp_path / "rec", TABLE, (CAMERA,), INFO.simulator, 0.05)
        writers.append(writer)
        return Ledger(writer, plan)

    yield make
    for writer in writers:
        writer.close()


# film


def test_the_film_writes_all_frames_in_order_with_several_encoders():
    written = []
    with Film(INFO, lambda frame: written.append(frame.frame), "rec", encoders=4) as film:
        for frame in range(200):
            film.add(bundle(frame), {"sim_time_s": frame * 0.05})
    assert written == list(range(200))


def test_a_slow_disk_holds_the_drive_back_and_nothing_is_dropped():
    free, written, added = threading.Event(), [], []

    def write(frame):
        free.wait()
        written.append(frame.frame)

    with Film(INFO, write, "rec", queue_frames=3) as film:

        def drive():
            for frame in range(10):
                film.add(bundle(frame), {})
                added.append(frame)

        driver = threading.Thread(target=drive)
        driver.start()
        driver.join(0.3)  # long enough for ten frames, were there no back-pressure
        assert len(added) == 3 and driver.is_alive()
        free.set()
        driver.join()
    assert written == list(range(10)) and film.waited_s > 0.1


def test_what_writing_raised_reaches_the_drive_and_nothing_follows_the_gap():
    written = []

    def write(frame):
        if frame.frame == 3:
            raise DataError("the disk is full")
        written.append(frame.frame)

    def drive():
        with Film(INFO, write, "rec") as film:
            for frame in range(50):
                film.add(bundle(frame), {})

    with pytest.raises(DataError, match="disk is full"):
        drive()
    assert written == [0, 1, 2]


def test_an_unknown_tag_ends_the_drive_with_its_pixels():
    with pytest.raises(DataError, match=r"77 \(960 pixels\)"), Film(INFO, lambda frame: None, "rec") as film:
        film.add(bundle(0, tag=77), {})


def test_a_drive_that_is_cut_short_still_writes_what_it_had():
    written = []
    with pytest.raises(KeyboardInterrupt), Film(INFO, lambda frame: written.append(frame.frame), "rec") as film:
        for frame in range(5):
            film.add(bundle(frame), {})
        raise KeyboardInterrupt
    assert written == [0, 1, 2, 3, 4]


# the drive


class Road:
    """Session, ego and rig in one: a vehicle at 10 m/s whose pictures are noise; what was asked for stands in `calls`."""

    def __init__(self, speed_m_s=10.0, missing=(), repeats=False):
        self.frame, self.speed_m_s, self.missing, self.repeats = 100, speed_m_s, missing, repeats
        self.calls, self.dropped, self.kept = [], Counter(), []
        self.world, self.id, self.gone_at = self, 24, None
        self.draw = np.random.default_rng(0)

    def tick(self):
        self.frame += 1
        self.calls.append(("tick", self.frame))
        return self.frame

    def get_snapshot(self):
        gone = self.gone_at is not None and self.frame >= self.gone_at
        return SimpleNamespace(
            frame=self.frame,
            timestamp=SimpleNamespace(elapsed_seconds=self.frame * 0.05),
            find=lambda actor_id: None if gone or actor_id != self.id else self,
        )

    def get_transform(self):
        place = SimpleNamespace(x=self.frame * 0.05 * self.speed_m_s, y=0.0, z=0.0)
        return SimpleNamespace(location=place, rotation=SimpleNamespace(roll=0.0, pitch=0.0, yaw=0.0))

    def get_velocity(self):
        return SimpleNamespace(x=self.speed_m_s, y=0.0, z=0.0)

    def get_control(self):
        return SimpleNamespace(throttle=0.5, steer=0.0, brake=0.0, hand_brake=False, reverse=False, gear=3)

    def is_at_traffic_light(self):
        return False

    def bundle(self, frame):
        self.calls.append(("bundle", frame))
        if frame in self.missing:
            raise FrameMissing("camera front (semantic)", frame, frame + 1)
        one = bundle(frame)
        raw = np.zeros((24, 40, 4), np.uint8) if self.repeats else self.draw.integers(0, 255, (24, 40, 4), np.uint8)
        one.pictures["front"]["rgb"].raw_data = raw.tobytes()
        return one

    def count_dropped(self, reason, frames=1):
        self.dropped[reason] += frames

    def keep(self, bundle, meta):
        assert meta["sim_time_s"] == pytest.approx(bundle.frame * 0.05)
        self.kept.append(bundle.frame)

    def drive(self, frames, **changes):
        config = load_record_config(**changes)
        return drive_loop(self, self, self, self.keep, frames, config, self)


def test_every_second_tick_is_recorded_after_the_spawn_frames():
    road = Road()
    assert road.drive(5, rate_hz=10.0) == "done"
    assert road.kept == [121, 123, 125, 127, 129]
    assert road.dropped == {"spawn": 10}


def test_the_next_frame_is_made_while_a_bundle_is_waited_for():
    road = Road()
    road.drive(5, rate_hz=20.0)
    for frame in road.kept:
        assert road.calls.index(("tick", frame + 1)) < road.calls.index(("bundle", frame))
    assert road.calls[-1] == ("bundle", road.kept[-1]) and road.frame == road.kept[-1] + 1


def test_a_missing_frame_is_counted_by_its_sensor_and_the_drive_goes_on():
    road = Road(missing=(125, 129))
    assert road.drive(5, rate_hz=10.0) == "done"
    assert road.kept == [121, 123, 127, 131, 133]
    assert road.dropped == {"spawn": 10, "missing: camera front (semantic)": 2}


def test_a_vehicle_that_gets_nowhere_ends_the_drive():
    road = Road(speed_m_s=0.0)
    assert road.drive(5, gates={"stuck_s": 20.0}) == "stuck"
    assert road.kept == [] and road.frame * 0.05 - 5.0 == pytest.approx(20.0, abs=0.2)


def test_a_drive_that_keeps_nothing_is_given_up_though_the_vehicle_moves(monkeypatch):
    monkeypatch.setattr("sim_agent.recorder.FRUITLESS_S", 20.0)
    road = Road(repeats=True)
    assert road.drive(5) == "fruitless"
    assert len(road.kept) == 1 and road.dropped["duplicate"] == pytest.approx(100, abs=2)


def test_a_vehicle_that_another_program_destroyed_ends_the_drive():
    road = Road()
    road.gone_at = 125
    assert road.drive(5, rate_hz=20.0) == "vehicle gone"
    assert road.kept and max(road.kept) < 125


# ledger


def drive(ledger, frames=None, ended="done", town=None):
    """As a simulator would: take a part, bring some frames, and end it."""
    part = ledger.take(town)
    entry = ledger.begin(part, HEADER)
    for frame in range(part.frames if frames is None else frames):
        entry.append(encoded(frame + 1))
    entry.count_dropped("spawn", 2)
    entry.close(ended)
    return part


def test_a_second_run_goes_on_with_what_is_missing(open_ledger):
    ledger = open_ledger()
    assert (ledger.frames_wanted, ledger.there, ledger.frames_left) == (40, 0, 40)
    first = drive(ledger)
    ledger.writer.close()
    again = open_ledger()
    assert (again.there, again.frames_left) == (10, 30)
    taken = [again.take(None) for _ in range(3)]
    assert {p.id for p in taken} == {e.id for e in PLAN} - {first.id} and again.take(None) is None


def test_what_a_drive_lacks_is_handed_out_as_another_part(open_ledger):
    ledger = open_ledger()
    part = drive(ledger, frames=4, ended="stuck")
    rest = ledger.take(part.episode.town)
    assert (rest.id, rest.frames, rest.number) == (f"{part.id}-2", 6, 2) and rest.seed != part.seed
    assert ledger.tally.episodes == 0 and ledger.tally.dropped == {"spawn": 2}
    assert ledger.writer.episodes[part.id].ended == "stuck"
    assert ledger.writer.episodes[part.id].dropped == {"spawn": 2}


def test_parts_in_work_are_not_handed_out_twice_and_come_back_when_lost(open_ledger):
    ledger = open_ledger()
    parts = [ledger.take(None) for _ in range(4)]
    assert len({p.id for p in parts}) == 4 and ledger.take(None) is None and len(ledger.in_work()) == 4
    end_part(ledger, parts[2], [], "simulator gone")
    assert ledger.take(None) == parts[2]
    entry = ledger.begin(parts[1], HEADER)
    entry.append(encoded(1))
    end_part(ledger, parts[1], [entry], "simulator gone")
    assert ledger.take(None).id == f"{parts[1].id}-2"


def test_an_episode_that_a_killed_recorder_left_is_closed_and_its_rest_recorded(open_ledger):
    ledger = open_ledger()
    part = ledger.take(None)
    entry = ledger.begin(part, HEADER)
    for frame in range(3):
        entry.append(encoded(frame))
    empty = ledger.take(None)
    ledger.begin(empty, HEADER)
    ledger.writer.close()  # as a kill leaves it: open
    again = open_ledger()
    assert again.killed == [part.id] and again.there == 3
    assert (
        again.writer.episodes[part.id].ended == "killed"
        and again.writer.episodes[part.id].weather["name"] == "ClearNoon"
    )
    left = [again.take(None) for _ in range(4)]
    assert f"{part.id}-2" in [p.id for p in left]
    assert empty.id in [p.id for p in left]  # nothing was in it: it is begun again under its own name
    again.begin(next(p for p in left if p.id == empty.id), HEADER).append(encoded(1))


def test_two_simulators_write_side_by_side(open_ledger):
    ledger = open_ledger()
    entries = [ledger.begin(ledger.take(None), HEADER) for _ in range(2)]
    for frame in range(1, 11):
        for entry in entries:
            entry.append(encoded(frame))
    for entry in entries:
        entry.close("done")
    assert ledger.tally.frames == 20 and ledger.tally.episodes == 2 and ledger.frames_left == 20
    assert ledger.tally.pixels[1] == 20 * 24 * 40


def test_patience_ends_only_without_any_new_frame():
    patience = Patience(3)
    assert [patience.is_over(frames) for frames in (0, 0, 5, 5, 6, 6)] == [False] * 6
    assert patience.is_over(6)


# configuration and command line


def test_the_default_configuration_is_whole_and_keeps_the_test_town_out():
    config = load_record_config()
    assert "Town02" not in config.towns and len(config.weathers) >= 14 and config.every == 4
    assert config.kinds == ("rgb", "semantic")
    json.dumps(config.to_dict())


def test_a_file_may_name_only_what_it_changes(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("frames: 7\nrate_hz: 10\ngates: {stuck_s: 20}\ncodecs: {rgb: png}\n")
    config = load_record_config(file, seed=3)
    default = load_record_config()
    assert (config.frames, config.every, config.seed, config.codecs.rgb) == (7, 2, 3, "png")
    assert config.gates == dataclasses.replace(default.gates, stuck_s=20.0)
    assert config.towns == default.towns


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("rate_hz: 8", "choose 10 or 6.667"),
        ("weathers: [ClearNon]", "'ClearNoon'"),
        ("episods: 3", "'episodes'"),
        ("step_s: 0.5", "at most 0.1"),
        ("vehicles: []", "vehicles: the list is empty"),
        ("cameras: [{name: a, width: 8, height: 8}, {name: a, width: 8, height: 8}]", "'a' stands there twice"),
        ("frames: 0", "1 or more"),
    ],
)
def test_a_configuration_that_makes_no_sense_is_refused(tmp_path, text, words):
    file = tmp_path / "mine.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=words):
        load_record_config(file)


@pytest.mark.parametrize(
    ("version", "tags"), [("0.9.16", 29), ("0.9.14-dirty", 29), ("0.9.13", 23), ("0.9.10.1", 23), ("0.9.5", 13)]
)
def test_the_label_table_follows_from_the_version(version, tags):
    assert len(label_table_of(version).tags) == tags


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--simulators", "0"], "1 or more"),
        (["--simulators", "2", "--host", "localhost"], "only embedded"),
        (["--frames", "0"], "1 or more"),
        (["--weathers", "Sunny"], "there is no 'Sunny'"),
        (["--cameras", "no.yaml"], "no such configuration"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(tmp_path, flags, words):
    with pytest.raises((UsageError, ConfigError), match=words):
        record(["--out", str(tmp_path / "rec"), *flags])
    assert not (tmp_path / "rec").exists()


def test_another_rig_is_refused_before_a_simulator_is_started(tmp_path, capsys):
    pytest.importorskip("carla")
    config = load_record_config()
    RecordingWriter.create(tmp_path / "rec", TABLE, config.cameras, INFO.simulator, config.step_s).close()
    file = tmp_path / "rig.yaml"
    file.write_text("cameras: [{name: front, width: 320, height: 180}]")
    verbs = {"record": ("sim_agent.record_cli:record", "")}
    assert main(["record", "--out", str(tmp_path / "rec"), "--cameras", str(file)], verbs) == 1
    assert "differs in rig (front.width, front.height" in capsys.readouterr().err


def test_a_complete_recording_starts_no_simulator(tmp_path, capsys):
    pytest.importorskip("carla")
    config = load_record_config(episodes=1, frames=2)
    (episode,) = config.plan()
    with RecordingWriter.create(tmp_path / "rec", TABLE, config.cameras, INFO.simulator, config.step_s) as writer:
        entry = Ledger(writer, config.plan()).begin(Ledger(writer, config.plan()).take(None), HEADER)
        camera = config.cameras[0]
        info = writer.info
        for frame in range(2):
            black = np.zeros((camera.height, camera.width), np.uint8)
            pictures = {"rgb": np.repeat(black[..., None], 3, -1), "semantic": black}
            entry._episode.append(encode_frame(info, frame, {camera.name: pictures}))
        entry._episode.close()
    out = tmp_path / "result.json"
    assert record(["--out", str(tmp_path / "rec"), "--episodes", "1", "--frames", "2", "--json", str(out)]) == 0
    said = capsys.readouterr().out
    assert "1 episodes of 2 frames in total (2 frames), 2 there, 0 to record" in said and "train --data" in said
    result = json.loads(out.read_text())
    assert result["frames"] == 0 and result["frames_in_all"] == 2


# with simulators


@pytest.fixture
def command(tmp_path):
    if importlib.util.find_spec("carla") is None:
        pytest.skip("the carla wheel is not installed")
    runner = RecordCommand(tmp_path)
    yield runner
    runner.end_all()


SHORT = ("--episodes", 2, "--frames", 30, "--towns", "Town01", "--vehicles", 5, "--walkers", 3)


def clean(command):
    """`data check` finds nothing to mend; whole frames on disk."""
    code, out, err = command.finish(
        command.start("data", "check", command.out, "--json", command.folder / "check.json")
    )
    assert code == 0, out + err
    counts = json.loads((command.folder / "check.json").read_text())["counts"]
    assert not {"torn", "open", "unreadable"} & set(counts)
    return frames_on_disk(command.out)


@pytest.mark.slow
def test_2000_ticks_with_4_cameras_without_a_frame_that_is_missing_or_another_s(server, jobs):
    told = jobs.run("four_cameras", server.port, 2000)
    assert told["moved_m"] > 50.0
    assert {k: told[k] for k in ("missing", "misnumbered", "misplaced", "ragged")} == dict.fromkeys(
        ("missing", "misnumbered", "misplaced", "ragged"), 0
    )


@pytest.mark.slow
def test_a_recording_from_the_command_to_its_end_and_a_second_run_with_more(command):
    result = command.folder / "result.json"
    more = ("--depth", "--instance", "--json", result)
    code, out, err = command.finish(command.record(*SHORT, *more))
    assert code == 0, out + err
    assert "embedded simulator 0.9.16 at 127.0.0.1:" in out
    assert f"next: python launch.py train --data {command.out}" in out
    first = clean(command)
    assert len(first) == 60
    told = json.loads(result.read_text())
    assert told["frames"] == 60 and told["episodes"] == 2 and told["frames_per_s"] > 0.5
    source = RecordingSource(command.out)
    assert source.step_s == 0.05 and source.info.simulator == {"name": "embedded simulator", "version": "0.9.16"}
    for episode in source.episodes.values():
        assert episode.state == "closed" and episode.ended == "done" and episode.frames == 30
        assert episode.weather["sun_altitude_angle"] != 0 and episode.traffic["vehicles"] == 5
        assert episode.dropped["spawn"] == 10
    speeds = []
    for ref in source.frames:
        meta = source.meta(ref)
        speeds.append(float(np.linalg.norm(meta["velocity"])))
        assert set(meta["ego"]) == {"x_m", "y_m", "z_m", "roll_deg", "pitch_deg", "yaw_deg"}
        assert meta["control"]["throttle"] >= 0.0 and meta["sim_time_s"] > 0.0
        for kind in ("depth", "instance"):
            assert source.member_bytes(ref, kind)[1:4] == b"PNG"
    assert np.mean(np.array(speeds) < 0.3) <= 0.15 and max(speeds) > 3.0
    numbers = {name: [r.frame for r in source.frames if r.episode == name] for name in source.episodes}
    assert all((np.diff(frames) % 2 == 0).all() for frames in numbers.values()), "every second tick was asked for"
    # the same command finds all there; a longer one keeps what is there
    code, out, err = command.finish(command.record(*SHORT, *more))
    assert code == 0 and "60 there, 0 to record" in out
    code, out, err = command.finish(command.record(*SHORT, "--frames", 40, *more))
    assert code == 0, out + err
    after = clean(command)
    assert len(after) == 80 and first.items() <= after.items()
    code, out, err = command.finish(command.record(*SHORT, "--cameras", _other_rig(command)))
    assert code == 1 and "differs in rig (front.width" in err and "Traceback" not in err
    assert frames_on_disk(command.out) == after


@pytest.mark.slow
def test_varied_drives_have_other_cars_places_and_films_and_say_so(command):
    """Two stops over and a metre back: the pictures are bright, and the own hood is at their lower edge."""
    plain = (
        "--episodes",
        2,
        "--frames",
        4,
        "--towns",
        "Town01",
        "--vehicles",
        0,
        "--walkers",
        0,
        "--weathers",
        "ClearNoon",
    )
    code, out, err = command.finish(command.record(*plain))
    assert code == 0, out + err
    before = RecordingSource(command.out)
    assert all(episode.cameras == {} for episode in before.episodes.values())
    dark = np.mean([before.read_rgb(ref).mean() for ref in before.frames])

    command.out = command.folder / "varied"
    film = "exposure_stops: [2, 2], slope: [0.88, 0.88], gamma: [2.2, 2.2]"
    place = "ahead_m: [-1, -1], pitch_deg: [-3, 0], up_m: [0, 0]"
    command.config.write_text(command.config.read_text() + f"vary: {{{film}, {place}}}\n")
    code, out, err = command.finish(command.record(*plain, "--varied-share", 1))
    assert code == 0, out + err
    clean(command)
    source = RecordingSource(command.out)
    one, two = source.episodes.values()
    for episode in (one, two):
        assert episode.cameras["attributes"]["exposure_compensation"] == 2.0
        assert episode.cameras["rig"]["front"]["pose"][0] == pytest.approx(0.3)
        assert episode.traffic["ego"] in load_record_config().vary.egos
    assert one.cameras["attributes"]["temp"] != two.cameras["attributes"]["temp"]
    assert np.mean([source.read_rgb(ref).mean() for ref in source.frames]) > dark + 30.0
    car = {tag.name: tag.id for tag in source.table.tags}["Car"]
    middles = np.array([source.read_tags(ref)[-1, 40:56] for ref in source.frames])
    assert (middles == car).mean() > 0.8, "the hood"
    assert not (np.array([before.read_tags(ref)[-1, 40:56] for ref in before.frames]) == car).any()


@pytest.mark.slow
def test_the_same_command_records_the_same_pictures(command):
    recordings = []
    for name in ("one", "two"):
        command.out = command.folder / name
        code, out, err = command.finish(command.record(*SHORT, "--frames", 12))
        assert code == 0, out + err
        recordings.append(RecordingSource(command.out))
    one, two = (
        [(ref.episode, source.meta(ref)["crc32"], source.meta(ref)["ego"]) for ref in source.frames]
        for source in recordings
    )
    assert len(one) == 24 and one == two


def _other_rig(command):
    file = command.folder / "rig.yaml"
    file.write_text("cameras: [{name: front, width: 64, height: 54, pose: [1.3, 0, 1.6, 0, 0, 0]}]")
    return file


@pytest.mark.parametrize(
    "seed", [pytest.param(seed, marks=pytest.mark.slow if seed < 4 else pytest.mark.soak) for seed in range(20)]
)
def test_killed_at_5_random_moments_nothing_but_the_open_frame_is_lost(command, seed):
    draw = random.Random(seed)
    plan = ("--episodes", 2, "--towns", "Town01", "--vehicles", 3, "--walkers", 0)
    there = {}
    for kill in range(5):
        # The frames wanted grow, so that there is always something to do.
        process = command.record(*plan, "--frames", 100 * (kill + 1))
        if kill:  # while it records; but the first time at any moment of its start
            before = len(there)
            wait_for(lambda before=before: len(frames_on_disk(command.out)) > before, "a frame", process=process)
        time.sleep(draw.uniform(0.0, 2.0 if kill else 8.0))  # the moment itself is what is drawn
        process.kill()
        process.communicate()
        now = frames_on_disk(command.out)
        assert there.items() <= now.items(), "what was on disk is gone or changed"
        there = now
        wait_for(lambda: not command.processes(), "the end of the simulator and the traffic")
    wanted = 10 + max(sum(name.startswith(e) for name, _ in there) for e in plan_ids(there))
    code, out, err = command.finish(command.record(*plan, "--frames", wanted))
    assert code == 0, out + err
    after = clean(command)
    assert there.items() <= after.items()
    assert {e: sum(name.startswith(e) for name, _ in after) for e in plan_ids(after)} == dict.fromkeys(
        plan_ids(after), wanted
    )
    assert len(plan_ids(after)) == 2


def plan_ids(frames):
    """Ids of the plan's episodes, whose later parts have a number behind."""
    return sorted({re.sub("-[0-9]+$", "", name) if name.count("-") == 3 else name for name, _ in frames})


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_closes_the_recording_and_the_same_command_goes_on(command, number):
    process = command.record(*SHORT)
    wait_for(lambda: len(frames_on_disk(command.out)) > 5, "frames", process=process)
    process.send_signal(number)
    code, out, err = command.finish(process)
    assert code == 130, out + err
    assert "frames are missing; the same command goes on with them" in out and "Traceback" not in err
    assert not command.processes()
    before = clean(command)
    code, out, err = command.finish(command.record(*SHORT))
    assert code == 0, out + err
    after = clean(command)
    assert len(after) == 60 and before.items() <= after.items()


@pytest.mark.slow
def test_an_embedded_simulator_that_dies_is_started_anew(command):
    process = command.record(*SHORT)
    wait_for(lambda: len(frames_on_disk(command.out)) > 5, "frames", process=process)
    os.kill(command.find("sim_agent.embedded")[0], signal.SIGKILL)
    code, out, err = command.finish(process)
    assert code == 0, out + err
    assert "was killed by signal 9" in out and "started anew" in out
    frames = clean(command)
    assert len(frames) == 60
    ended = sorted(info.ended for info in RecordingSource(command.out).episodes.values())
    assert ended == ["done", "done", "simulator gone"]


@pytest.mark.slow
def test_a_server_that_dies_ends_the_command_with_a_sentence_and_a_new_one_goes_on(command):
    server = start_server(command, 0)
    process = command.record(*SHORT, "--host", "127.0.0.1", "--port", server.port)
    wait_for(lambda: len(frames_on_disk(command.out)) > 5, "frames", process=process)
    server.process.kill()
    server.process.communicate()
    code, out, err = command.finish(process)
    assert code == 1, out + err
    assert "Traceback" not in err and "start this command again" in err and len(err.splitlines()) <= 2
    before = frames_on_disk(command.out)
    server = start_server(command, server.port)
    code, out, err = command.finish(command.record(*SHORT, "--host", "127.0.0.1", "--port", server.port))
    assert code == 0, out + err
    after = clean(command)
    assert len(after) == 60 and before.items() <= after.items()
    assert RecordingSource(command.out).info.simulator["name"] == "CARLA server"
    server.process.send_signal(signal.SIGINT)
    assert command.finish(server.process)[0] == 0


def start_server(command, port):
    """A simulator that is not the recorder's own."""
    ready = command.folder / "ready"
    ready.unlink(missing_ok=True)
    process = command.start("sim", "--port", port, "--quality", "low", "--ready-file", ready)
    wait_for(ready.exists, "the simulator", process=process)
    return SimpleNamespace(process=process, port=int(ready.read_text().split()[0]))


@pytest.mark.slow
def test_a_full_disk_ends_the_command_with_a_sentence_and_loses_nothing(command):
    resource = pytest.importorskip("resource")
    big = ("--cameras", _big_rig(command))
    process = command.record(*SHORT, *big)
    limit = 1_500_000  # bytes of a file: as good as a small disk, and needs no rights
    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (limit, limit))
    code, out, err = command.finish(process)
    assert code == 1, out + err
    assert "writing failed (File too large)" in err and "make room there" in err and "Traceback" not in err
    before = frames_on_disk(command.out)
    assert 5 < len(before) < 60
    assert not command.processes()
    code, out, err = command.finish(command.record(*SHORT, *big))
    assert code == 0, out + err
    after = clean(command)
    assert len(after) == 60 and before.items() <= after.items()


def _big_rig(command):
    file = command.folder / "big.yaml"
    file.write_text("cameras: [{name: front, width: 640, height: 360, pose: [1.3, 0, 1.6, 0, 0, 0]}]")
    return file


@pytest.mark.slow
def test_the_simulator_is_started_anew_after_so_many_episodes(command):
    command.config.write_text(command.config.read_text() + "restart_every: 1\n")
    code, out, err = command.finish(command.record(*SHORT, "--frames", 8))
    assert code == 0, out + err
    assert out.count("started anew after 1 episodes") == 2 and out.count("embedded simulator 0.9.16 at") == 2
    assert len(clean(command)) == 16
