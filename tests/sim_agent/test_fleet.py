import importlib.util
import itertools
import json
import os
import signal
from collections import Counter, deque
from types import SimpleNamespace

import pytest

from sim_agent.errors import SimulatorError, SimulatorGone
from sim_agent.fleet import Begun, Dropped, Ended, Outbox, Said, _Fleet
from sim_agent.ledger import Ledger
from sim_agent.plan import make_plan
from tests.processes import wait_for
from tests.sim_agent.recording import RecordCommand, frames_on_disk
from tests.sim_agent.test_recorder import CAMERA, HEADER, INFO, TABLE, encoded
from trainer.dataset.recording import RecordingSource
from trainer.dataset.writer import RecordingWriter
from trainer.errors import DataError

PLAN = make_plan(6, 10, ["Town01", "Town03", "Town04"], ["ClearNoon"], 0.0, [5], [0], 0)


class ActorDied(Exception):
    pass


class FakeRay:
    """As much of Ray as the fleet uses: a reference is a list with the answer, or a death, in it."""

    exceptions = SimpleNamespace(RayActorError=ActorDied)

    def __init__(self):
        self.killed = []

    def wait(self, references, num_returns=1, timeout=None):
        return references[:num_returns], references[num_returns:]

    def get(self, reference):
        if isinstance(reference.answer, Exception):
            raise reference.answer
        return reference.answer

    def kill(self, actor):
        self.killed.append(actor)


class Reference:
    def __init__(self, answer):
        self.answer = answer


class FakeActor:
    """Records what it is given, in answers of three frames; its `fate(part)` is (dies, gone, stuck or fails; frames)."""

    made = 0

    def __init__(self, fate):
        FakeActor.made += 1
        self.fate, self.parts, self.answers, self.dead = fate, [], deque(), False
        for name in ("record", "events", "end"):
            setattr(self, name, SimpleNamespace(remote=getattr(self, f"_{name}")))

    def _record(self, part):
        assert not self.dead and not self.answers
        self.parts.append(part)
        kind, count = self.fate(part) or ("done", part.frames)
        frames = [encoded(number + 1) for number in range(count)]
        chunks = [list(frames[k : k + 3]) for k in range(0, len(frames), 3)]
        self.answers.append([Said("town loaded")])
        if count:
            self.answers.append([Begun(HEADER), Dropped("spawn", 2)])
            self.answers.extend(chunks)
        town = part.episode.town
        last = {
            "done": [Ended("done", town)],
            "stuck": [Ended("stuck", town)],
            "gone": [Ended("simulator gone", None, SimulatorGone("it stopped answering"))],
            "fails": [Ended("interrupted", town, DataError("unknown tag id 77"))],
            "dies": ActorDied("The actor died\nof something"),
        }[kind]
        self.answers.append(last)

    def _events(self):
        answer = self.answers.popleft()
        self.dead = isinstance(answer, Exception)
        return Reference(answer)

    def _end(self):
        return Reference(None)


@pytest.fixture
def fleet(tmp_path):
    writer = RecordingWriter.create(tmp_path / "rec", TABLE, (CAMERA,), INFO.simulator, 0.05)

    def make(fate=lambda part: None, simulators=2):
        ledger, ray, actors, said = Ledger(writer, PLAN), FakeRay(), [], []

        def actor():
            actors.append(FakeActor(fate))
            return actors[-1]

        return SimpleNamespace(
            run=_Fleet(ray, actor, simulators, ledger, said.append).run,
            ledger=ledger, ray=ray, actors=actors, said=said, path=tmp_path / "rec",
        )  # fmt: skip

    yield make
    writer.close()


def test_each_episode_is_recorded_once_by_one_of_the_simulators(fleet):
    it = fleet()
    it.run()
    parts = [part.id for actor in it.actors for part in actor.parts]
    assert sorted(parts) == sorted(e.id for e in PLAN) and len(it.actors) == 2
    assert it.ledger.frames_left == 0 and it.ledger.tally.dropped == {"spawn": 12}
    source = RecordingSource(it.path)
    assert Counter(ref.episode for ref in source.frames) == dict.fromkeys(parts, 10)
    assert {info.state for info in source.episodes.values()} == {"closed"}
    assert it.ray.killed == it.actors and it.said[0] == "simulator 1: town loaded"


def test_no_more_simulators_are_started_than_there_are_episodes(fleet):
    it = fleet(simulators=9)
    it.run()
    assert len(it.actors) == 6


def test_the_episode_of_a_dead_actor_is_taken_again_and_none_twice(fleet):
    dies = iter([("dies", 4), None, ("dies", 0)])
    it = fleet(lambda part: next(dies, None))
    it.run()
    assert it.ledger.frames_left == 0 and len(it.actors) == 4
    frames = Counter(ref.episode for ref in RecordingSource(it.path).frames)
    assert sum(frames.values()) == 60
    cut = it.actors[0].parts[0]
    # what it had brought stays; the rest is another part, and the part without a frame is the same again
    assert frames[cut.id] == 4 and frames[f"{cut.id}-2"] == 6
    assert sum("was lost" in line for line in it.said) == 2


def test_a_simulator_that_is_gone_is_started_anew_by_its_own_actor(fleet):
    fates = iter([("gone", 6)])
    it = fleet(lambda part: next(fates, None))
    it.run()
    assert it.ledger.frames_left == 0 and len(it.actors) == 2
    assert it.ledger.writer.episodes[it.actors[0].parts[0].id].ended == "simulator gone"


def test_actors_that_only_die_end_the_command_with_a_sentence(fleet):
    it = fleet(lambda part: ("dies", 0))
    with pytest.raises(SimulatorError, match="was lost .*again and again"):
        it.run()
    assert len(it.actors) <= 8


def test_drives_that_bring_nothing_end_the_command(fleet):
    it = fleet(lambda part: ("stuck", 0), simulators=1)
    with pytest.raises(SimulatorError, match="drive after drive kept no frame"):
        it.run()


def test_what_a_user_must_mend_reaches_him_and_the_others_are_closed(fleet):
    fates = itertools.chain([None, ("fails", 3)], itertools.repeat(None))
    it = fleet(lambda part: next(fates))
    with pytest.raises(DataError, match="unknown tag id 77"):
        it.run()
    assert {info.state for info in RecordingSource(it.path).episodes.values()} == {"closed"}
    assert set(map(id, it.ray.killed)) == set(map(id, it.actors))


def test_an_outbox_gives_a_part_s_end_at_once_and_all_before_it_in_order():
    box = Outbox()
    for event in (Begun(HEADER), encoded(1), Ended("done", "Town01"), Begun(HEADER)):
        box.put(event)
    events = box.take()
    assert [type(event).__name__ for event in events] == ["Begun", "EncodedFrame", "Ended"]


# with simulators


@pytest.fixture
def command(tmp_path):
    if importlib.util.find_spec("carla") is None:
        pytest.skip("the carla wheel is not installed")
    runner = RecordCommand(tmp_path)
    yield runner
    runner.end_all()


FLEET = ("--simulators", 2, "--episodes", 4, "--frames", 25, "--towns", "Town01", "--vehicles", 5, "--walkers", 0)


@pytest.mark.slow
def test_two_simulators_record_into_one_recording_and_one_that_dies_is_replaced(command):
    result = command.folder / "result.json"
    process = command.record(*FLEET, "--json", result)
    wait_for(lambda: len(frames_on_disk(command.out)) > 10, "frames", process=process)
    assert len(command.find("sim_agent.embedded")) == 2
    os.kill(command.find("ray::RecorderActor")[0], signal.SIGKILL)
    before = set(frames_on_disk(command.out))
    code, out, err = command.finish(process)
    assert code == 0, out + err
    assert "was lost" in out and "complete:" in out
    frames = frames_on_disk(command.out)
    assert before <= set(frames) and len(frames) == 100
    told = json.loads(result.read_text())
    assert told["frames"] == 100 and told["episodes"] == 4
    assert sum(told["tag_share"].values()) == pytest.approx(1.0) and told["bytes_per_frame"] > 1000
    check, out, err = command.finish(command.start("data", "check", command.out))
    assert check == 0, out + err
    wait_for(lambda: not command.processes(), "the end of all processes", 30.0)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_a_fleet_and_the_same_command_goes_on(command, number):
    process = command.record(*FLEET)
    wait_for(lambda: len(frames_on_disk(command.out)) > 5, "frames", process=process)
    process.send_signal(number)
    code, out, err = command.finish(process)
    assert code == 130, out + err
    assert "the same command goes on" in out
    wait_for(lambda: not command.processes(), "the end of all processes", 30.0)
    before = frames_on_disk(command.out)
    states = {info.state for info in RecordingSource(command.out).episodes.values()}
    assert states == {"closed"}
    code, out, err = command.finish(command.record(*FLEET))
    assert code == 0, out + err
    after = frames_on_disk(command.out)
    assert len(after) == 100 and before.items() <= after.items()
