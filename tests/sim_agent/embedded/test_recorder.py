"""The recorder and the replayer without a server: what is written is what was, and what is replayed is what was written."""

import math
import re
import struct
import zlib
from pathlib import Path

import msgpack
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sim_agent.embedded import recorder_queries, simulation
from sim_agent.embedded.observer import state_of
from sim_agent.embedded.pose import Pose
from sim_agent.embedded.recorder import Recorder
from sim_agent.embedded.recorder_file import MAGIC, RecorderReader, RecorderWriter, recorder_path
from sim_agent.embedded.replay import Settings
from sim_agent.embedded.scene import Weather
from sim_agent.embedded.service import Service
from sim_agent.embedded.simulation import Simulation
from sim_agent.embedded.town import build_town
from sim_agent.embedded.wire import structs
from sim_agent.embedded.wire.state import SignalState
from sim_agent.embedded.wire.streams import StreamServer
from sim_agent.embedded.world import WorldError

CAR, VAN, WALKER = "vehicle.tesla.model3", "vehicle.mercedes.sprinter", "walker.pedestrian.0001"
STEP_S = 0.05
OFFSET = Pose(-10.0, 0.0, 5.0, -25.0)
SOME = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@pytest.fixture(scope="module")
def town():
    return build_town("Town01")


@pytest.fixture(scope="module")
def server(town, tmp_path_factory):
    streams = StreamServer("127.0.0.1", 0)
    patch = pytest.MonkeyPatch()
    patch.setattr(simulation, "build_town", lambda name, seed=0: town)
    made = Simulation(streams, recordings=tmp_path_factory.mktemp("recordings"))
    made.apply_settings(structs.EpisodeSettings(True, True, STEP_S))
    yield Service(made)
    made.replayer.forget()
    made.recorder.close()
    patch.undo()
    streams.shutdown()


@pytest.fixture
def service(server):
    """The same server at the beginning of an episode."""
    server.simulation.load("", reset_settings=False)
    server.simulation.replayer.settings = Settings()
    return server


def spawn(service, name=CAR, pose=None, parent=None, **attributes):
    values = tuple(structs.ActorAttributeValue(key, 4, value) for key, value in attributes.items())
    world = service.simulation.world
    return world.spawn(structs.ActorDescription(0, name, values), pose or point(service), parent)


def point(service, k=0):
    return service.simulation.world.town.spawn_points[k]


def replay(service, name, start=0.0, duration=0.0, follow=0, sensors=False, offset=OFFSET):
    return service.replay_file(name, start, duration, follow, sensors, offset)


def seen(service, ids):
    """What a client sees of these actors, and of lights and weather."""
    world = service.simulation.world
    told = {}
    for key in ids:
        actor = world.actors.get(key)
        if actor is None:
            continue
        motion = world.motion(actor)
        told[key] = [*motion.pose, *motion.velocity, *motion.angular_velocity_deg]
        if key in world.vehicles:
            told[key] += [*actor.control._replace(gear=world.gear(actor)), actor.lights, *actor.doors_open]
        else:
            told[key] += [*actor.control.direction, actor.control.speed, actor.walked_m]
    lights = [light.light.state for light in world.signals.lights.values()]
    return told, lights, world.weather


def assert_same(now, then):
    assert now[0].keys() == then[0].keys()
    for key, values in then[0].items():
        # A millimetre; and what the wire's 32-bit floats keep of angles and speeds.
        assert now[0][key][:3] == pytest.approx(values[:3], abs=1e-3)
        assert now[0][key] == pytest.approx(values, abs=1e-3)
    assert now[1:] == then[1:]


def drive(service, ticks=40, name="drive.log", additional=False):
    """A recording in which everything happens; its path, the actors' ids, and what was seen at every tick."""
    sim, world = service.simulation, service.simulation.world
    car = spawn(service, role_name="hero")
    walker = spawn(service, WALKER, Pose(point(service, 2).x_m, point(service, 2).y_m, 1.0))
    camera = spawn(service, "sensor.camera.rgb", Pose(0.5, 0.0, 1.5), parent=car.id)
    world.set_control(car, structs.VehicleControl(throttle=0.7, steer=0.1))
    service.apply_control_to_walker(walker.id, structs.WalkerControl((0.0, 1.0, 0.0), 1.5))
    path = Path(service.start_recorder(name, additional))
    ids, truth = [car.id, walker.id], []
    light = next(iter(world.signals.lights.values()))
    for k in range(ticks):
        if k == 5:
            late = spawn(service, VAN, point(service, 4))
            world.set_control(late, structs.VehicleControl(throttle=1.0))
            ids.append(late.id)
        if k == 10:
            world.weather = Weather(cloudiness=80.0)
            service.set_traffic_light_state(light.id, SignalState.YELLOW)
            car.lights = 0x3
            service.open_vehicle_door(car.id, 1)
        if k == 20:
            service.set_actor_transform(camera.id, Pose(0.0, 0.0, 3.0))
        if k == 25:
            world.destroy(late.id)
        sim.tick()
        truth.append(seen(service, ids))
    service.stop_recorder()
    return path, ids, truth


def frames_of(path):
    with RecorderReader(path) as reader:
        return list(reader.frames())


# what is written


def test_a_file_tells_every_frame_and_what_happened(service):
    path, (car, walker, late), truth = drive(service, additional=True)
    with RecorderReader(path) as reader:
        assert reader.header.town == "Carla/Maps/Town01"
        frames = list(reader.frames())
        states = [reader.states(frame) for frame in frames]
    assert [frame.moment.frame for frame in frames] == list(range(1, 41))
    assert [frame.moment.elapsed_ns for frame in frames] == [50_000_000 * k for k in range(40)]
    first = {added.id: added for added in frames[0].events.added}
    assert {first[1].description.id, first[car].description.id} == {"spectator", CAR}
    assert ("role_name", "hero") in [(a.id, a.value) for a in first[car].description.attributes]
    assert first[car].physics is not None and first[car].box is not None
    camera = next(added for added in first.values() if added.parent)
    assert (camera.parent, camera.mount) == (car, Pose(0.5, 0.0, 1.5))
    assert [added.id for added in frames[5].events.added] == [late]
    assert frames[25].events.removed == (late,)
    assert [k for k, f in enumerate(frames) if f.events.weather] == [0, 10]
    assert [m.mount.z_m for f in frames for m in f.events.mounted] == [3.0]
    for told, (actors, lights, _) in zip(states, truth, strict=True):
        assert {row.id for row in told.moved} == {1, *actors}
        for row in told.moved:
            if row.id in actors:
                assert [*row.pose, *row.velocity] == pytest.approx(actors[row.id][:9], abs=1e-4)
        assert [shown.state for shown in told.shown] == lights
    assert states[15].driven[0].lights == 3 and states[15].driven[0].doors_open == (1,)
    assert states[-1].walked[0].walked_m > 1.5


def test_collisions_are_recorded_once_for_each_pair(service):
    front = spawn(service)
    behind = spawn(service, pose=point(service).compose(Pose(-6.0)))
    service.simulation.world.set_control(behind, structs.VehicleControl(throttle=1.0))
    path = Path(service.start_recorder("crash.log", False))
    for _ in range(60):
        service.simulation.tick()
    service.stop_recorder()
    hits = [(c.actor, c.other) for frame in frames_of(path) for c in frame.events.collisions]
    assert set(hits) == {(front.id, behind.id)}
    text = service.show_recorder_collisions("crash.log", ord("v"), ord("a"))
    rows = [line.split() for line in text.splitlines()[5:-3]]
    assert rows[0][1:] == ["v", "v", str(front.id), CAR, str(behind.id), CAR]
    assert service.show_recorder_collisions("crash.log", ord("w"), ord("a")).count(CAR) == 0


def test_names_lead_nowhere_else(tmp_path):
    folder = tmp_path / "recordings"
    folder.mkdir()
    assert recorder_path(folder, "a/b.log") == folder / "a" / "b.log"
    assert recorder_path(folder, "x/../b.log").resolve() == folder / "b.log"
    assert recorder_path(folder, str(tmp_path / "c.log")) == tmp_path / "c.log"
    (folder / "out").symlink_to(tmp_path)
    for name in ("../c.log", "a/../../c.log", "out/c.log", "..", "", "a\0b", "\ud800"):
        with pytest.raises(WorldError, match="is no file name|leads out of"):
            recorder_path(folder, name)


def test_nothing_else_is_overwritten(service, tmp_path):
    thesis = tmp_path / "thesis.tex"
    thesis.write_text("ten years of work")
    with pytest.raises(WorldError, match="is not a recorder file, so it stays"):
        service.start_recorder(str(thesis), False)
    with pytest.raises(WorldError, match="is not a file"):
        service.start_recorder(str(tmp_path), False)
    with pytest.raises(WorldError, match="cannot be written"):
        service.start_recorder(str(thesis / "below.log"), False)
    with pytest.raises(WorldError, match="cannot be written"):
        service.start_recorder("x" * 300, False)
    assert thesis.read_text() == "ten years of work"
    assert not service.simulation.recorder.recording
    for before in (b"", MAGIC[:7], MAGIC + b"older"):
        (tmp_path / "old.log").write_bytes(before)
        service.start_recorder(str(tmp_path / "old.log"), False)
        service.simulation.tick()
        service.stop_recorder()
        assert len(frames_of(tmp_path / "old.log")) == 1


def test_a_full_disk_ends_the_recording_and_not_the_tick(service, monkeypatch):
    path = Path(service.start_recorder("full.log", False))
    service.simulation.tick()

    def full(self, frame):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(RecorderWriter, "write", full)
        frame = service.simulation.tick()
    assert service.simulation.tick() == frame + 1
    with pytest.raises(WorldError, match="ended early .No space left"):
        service.stop_recorder()
    service.stop_recorder()
    assert len(frames_of(path)) == 1


def test_every_frame_is_on_the_disk_at_once(service):
    """A server that is killed has written all its frames: nothing waits in a buffer."""
    path = Path(service.start_recorder("killed.log", False))
    for k in range(3):
        assert len(frames_of(path)) == k
        service.simulation.tick()
    assert "Frames: 3" in service.show_recorder_file_info("killed.log", False)
    service.stop_recorder()


def test_another_episode_ends_the_recording(service):
    path = Path(service.start_recorder("short.log", False))
    service.simulation.tick()
    service.simulation.load("", reset_settings=False)
    service.simulation.tick()
    assert not service.simulation.recorder.recording
    assert len(frames_of(path)) == 1


# what is replayed


def test_a_replay_is_what_was(service):
    """In a new episode, at the same times: places to a millimetre, and speeds, controls, lights, doors and weather."""
    _, ids, truth = drive(service)
    service.simulation.load("", reset_settings=False)
    service.simulation.tick()
    text = replay(service, "drive.log")
    assert "Total time recorded: 1.95" in text
    assert "Replaying from 0 s - 1.95 s (1.95 s) at 1.0x" in text
    assert_same(seen(service, ids), truth[0])
    for then in truth[1:]:
        service.simulation.tick()
        assert_same(seen(service, ids), then if service.simulation.replayer.active else stopped(then))
    assert not service.simulation.replayer.active


def stopped(state):
    """The last frame of a replay: vehicles stand with their physics back, walkers stop."""
    actors = {}
    for key, values in state[0].items():
        still = values[:6] + [0.0] * 6
        if len(values) == 17:  # a walker: direction, speed, way
            actors[key] = still + values[12:15] + [0.0, values[16]]
        else:
            actors[key] = still + [*structs.VehicleControl(gear=1), *values[19:]]
    return actors, *state[1:]


def test_a_replay_is_the_same_every_time(service):
    _, ids, _ = drive(service)
    runs = []
    for _ in range(2):
        service.simulation.load("", reset_settings=False)
        replay(service, "drive.log", start=0.32)
        service.set_replayer_time_factor(0.7)
        states = []
        for _ in range(50):
            service.simulation.tick()
            world = service.simulation.world
            # Without the number of the episode, which it begins with.
            states.append(b"".join(bytes(part) for part in state_of(world, 1, 0.0, STEP_S)[1:])[8:])
            states.append(repr(seen(service, ids)))
        runs.append(states)
    assert runs[0] == runs[1]


def test_twice_as_fast_and_half_as_fast(service):
    _, ids, truth = drive(service, ticks=24)
    service.set_replayer_time_factor(2.0)
    service.simulation.load("", reset_settings=False)
    replay(service, "drive.log")
    car = ids[0]
    for k in range(2, 22, 2):
        service.simulation.tick()
        now = seen(service, ids)[0][car]
        assert now[:3] == pytest.approx(truth[k][0][car][:3], abs=1e-3)
        assert now[6:9] == pytest.approx([2.0 * v for v in truth[k][0][car][6:9]], abs=1e-3)
    service.stop_replayer(False)
    service.set_replayer_time_factor(0.5)
    replay(service, "drive.log", start=0.5)
    service.simulation.tick()
    middle = [(a + b) / 2 for a, b in zip(truth[10][0][car][:3], truth[11][0][car][:3], strict=True)]
    assert seen(service, ids)[0][car][:3] == pytest.approx(middle, abs=1e-3)
    service.set_replayer_time_factor(0.0)
    before = seen(service, ids)[0][car][:6]
    service.simulation.tick()
    assert seen(service, ids)[0][car][:6] == before
    for factor in (-1.0, math.nan, math.inf):
        with pytest.raises(WorldError, match="time factor"):
            service.set_replayer_time_factor(factor)


def test_from_the_end_and_for_a_while(service):
    _, ids, truth = drive(service)
    text = replay(service, "drive.log", start=-0.5, duration=0.2)
    assert "Replaying from 1.45 s - 1.65 s (1.95 s)" in text
    assert_same(seen(service, ids), truth[29])
    for _ in range(4):
        assert service.simulation.replayer.active
        service.simulation.tick()
    assert not service.simulation.replayer.active
    assert "from 0 s - 1.95 s" in replay(service, "drive.log", start=-99.0, duration=99.0)
    for start, duration, message in ((9.0, 0.0, "ends at 1.95 s"), (0.0, -1.0, "duration"), (math.nan, 0.0, "start")):
        with pytest.raises(WorldError, match=message):
            replay(service, "drive.log", start, duration)
        assert not service.simulation.replayer.active


def test_the_spectator_follows(service):
    world = service.simulation.world
    car = spawn(service)
    world.set_control(car, structs.VehicleControl(throttle=0.5))
    service.start_recorder("follow.log", False)
    for k in range(10):
        world.set_pose(world.spectator, Pose(float(k), 0.0, 40.0))
        service.simulation.tick()
    service.stop_recorder()
    world.set_pose(world.spectator, Pose(0.0, 0.0, 99.0))
    replay(service, "follow.log")
    service.simulation.tick()
    assert world.spectator.pose().z_m == 99.0
    service.set_replayer_ignore_spectator(False)
    replay(service, "follow.log")
    service.simulation.tick()
    assert world.spectator.pose().location == pytest.approx((1.0, 0.0, 40.0))
    offset = Pose(-3.0, 1.0, 2.0, -10.0)
    replay(service, "follow.log", follow=car.id, offset=offset)
    service.simulation.tick()
    assert world.spectator.pose() == pytest.approx(car.pose().compose(offset))


def test_physics_comes_back_and_actors_stay_or_go(service):
    _, (car, _, late), _ = drive(service)
    world = service.simulation.world
    world.destroy(car)
    replay(service, "drive.log", start=0.5)
    made = world.actors[car]
    service.simulation.tick()
    assert not made.simulated and late in world.actors
    service.stop_replayer(True)
    assert made.simulated and world.velocity(made) == (0.0, 0.0, 0.0)
    place = made.pose()
    world.set_control(made, structs.VehicleControl(throttle=1.0))
    for _ in range(20):
        service.simulation.tick()
    assert math.dist(made.pose().location, place.location) > 0.5
    replay(service, "drive.log", start=0.5)
    world.destroy(late)
    service.stop_replayer(False)
    assert car in world.actors, "it was there before: the replay only borrowed it"
    world.destroy(car)
    replay(service, "drive.log", start=0.5)
    service.stop_replayer(False)
    assert car not in world.actors and late not in world.actors
    service.stop_replayer(True)


def test_the_hero_is_somebody_else_then(service):
    """Who ignores the hero drives it again among the others, and bumps into them."""
    hero = spawn(service, role_name="hero")
    other = spawn(service, pose=point(service).compose(Pose(12.0)))
    service.start_recorder("hero.log", False)
    for _ in range(80):
        service.simulation.tick()
    service.stop_recorder()
    service.set_replayer_ignore_hero(True)
    assert "Ignoring Hero vehicle" in replay(service, "hero.log")
    world = service.simulation.world
    world.set_control(hero, structs.VehicleControl(throttle=1.0))
    place, hits = other.pose(), []
    for _ in range(75):
        service.simulation.tick()
        hits += [contact for contact in world.contacts if contact.actor_id == hero.id]
    assert hits and hits[0].other_id == other.id
    assert other.pose()[:2] == pytest.approx(place[:2], abs=1e-3), "what is replayed is not pushed away"
    service.stop_replayer(False)
    world.destroy(hero.id)
    replay(service, "hero.log")
    assert hero.id not in world.actors


def test_ids_of_the_file_or_of_the_world(service):
    _, (car, walker, _), _ = drive(service, ticks=10)
    service.simulation.load("", reset_settings=False)
    world = service.simulation.world
    replay(service, "drive.log")
    assert {car, walker} <= world.actors.keys(), "free ids are given again"
    service.simulation.load("", reset_settings=False)
    world = service.simulation.world
    firetruck = spawn(service, "vehicle.carlamotors.firetruck", point(service, 20))
    assert firetruck.id == car
    replay(service, "drive.log")
    service.simulation.tick()
    assert firetruck.simulated and world.actors[firetruck.id] is firetruck
    assert [v.type_id for v in world.vehicles.values()] == [firetruck.type_id, CAR, VAN][: len(world.vehicles)]
    service.simulation.load("", reset_settings=False)
    world = service.simulation.world
    spawn(service, "vehicle.carlamotors.firetruck", point(service, 20))
    frame = frames_of(recorder_path(service.simulation.recorder.folder, "drive.log"))[0]
    place = next(added.pose for added in frame.events.added if added.id == car)
    stand_in = spawn(service, pose=place)
    replay(service, "drive.log")
    assert sum(v.type_id == CAR for v in world.vehicles.values()) == 1 and not stand_in.simulated


def test_sensors_when_asked_for(service):
    drive(service, ticks=30)
    for asked in (False, True):
        service.simulation.load("", reset_settings=False)
        replay(service, "drive.log", sensors=asked)
        for _ in range(25):
            service.simulation.tick()
        cameras = [(c.parent.type_id, c.own_pose.z_m) for c in service.simulation.world.sensors.values()]
        assert cameras == ([(CAR, 3.0)] if asked else [])


def test_recording_and_replaying_end_each_other(service):
    drive(service, ticks=5)
    service.start_recorder("other.log", False)
    replay(service, "drive.log")
    assert not service.simulation.recorder.recording
    service.start_recorder("other.log", False)
    assert not service.simulation.replayer.active
    service.simulation.load("", reset_settings=False)
    replay(service, "drive.log")
    service.simulation.load("", reset_settings=False)
    service.simulation.tick()
    assert not service.simulation.replayer.active


def test_a_file_of_another_draw_of_the_town_is_refused(service):
    path, _, _ = drive(service, ticks=3)
    rewrite(path, lambda k, value: [value[0], value[1], value[2] ^ 1, *value[3:]] if k == 0 else value)
    with pytest.raises(WorldError, match="another draw of Carla/Maps/Town01.*--seed"):
        replay(service, "drive.log")
    rewrite(path, lambda k, value: [value[0], "Carla/Maps/Atlantis", *value[2:]] if k == 0 else value)
    with pytest.raises(WorldError, match="Atlantis"):
        replay(service, "drive.log")
    rewrite(path, lambda k, value: [2, *value[1:]] if k == 0 else value)
    with pytest.raises(WorldError, match="version 2"):
        replay(service, "drive.log")


# what is told


def test_texts_have_the_layout_of_carla(service):
    _, (car, walker, late), _ = drive(service, additional=True)
    text = service.show_recorder_file_info("drive.log", False)
    date = r"\d\d/\d\d/\d\d \d\d:\d\d:\d\d"
    assert re.match(
        rf"Version: 1\nMap: Town01\nDate: {date}\n\nFrame 1 at 0 seconds\n Create 1: spectator \(0\) at \(", text
    )
    assert f" Create {car}: {CAR} (1) at (" in text and "  role_name = hero" in text
    assert f" Parenting {walker + 1} with {car} (parent)" in text
    assert f"Frame 6 at 0.25 seconds\n Create {late}: {VAN} (1) at (" in text
    assert f"Frame 26 at 1.25 seconds\n Destroy {late}\n" in text
    assert text.endswith("\n\nFrames: 40\nDuration: 1.95 seconds\n")
    everything = service.show_recorder_file_info("drive.log", True)
    assert len(re.findall(r"^Frame \d+ at ", everything, re.M)) == 40
    for line in (" Positions: 3", " State traffic lights: ", f"  Id: {car} Steering: 0.1 Throttle: 0.7 Brake: 0",
                 " Walker animations: 1", f"  Id: {walker} speed: 1.5", f"  Id: {car} Position LowBeam",
                 "  Doors opened: Front Right", " Actor bounding boxes: ", " Current platform time: ",
                 "   max_rpm = ", " Traffic Light time events: ", " Dynamic actors: "):  # fmt: skip
        assert line in everything, line


def test_who_stood_still(service):
    world = service.simulation.world
    still, moving = spawn(service), spawn(service, pose=point(service, 4))
    world.set_control(moving, structs.VehicleControl(throttle=1.0))
    service.start_recorder("blocked.log", False)
    for _ in range(60):
        service.simulation.tick()
    service.stop_recorder()
    text = service.show_recorder_actors_blocked("blocked.log", 2.0, 100.0)
    rows = text.splitlines()[5:-3]
    assert text.splitlines()[4] == f"{'Time':>8} {'Id':>6} {'Actor':<35} {'Duration':>10}"
    assert rows == [f"{0:>8} {still.id:>6} {CAR:<35} {3:>10}"]
    assert str(moving.id) not in "".join(rows)
    for numbers in ((math.nan, 1.0), (1.0, -1.0)):
        with pytest.raises(WorldError, match="expected a number"):
            service.show_recorder_actors_blocked("blocked.log", *numbers)


def test_what_is_not_there(service, tmp_path):
    missing = service.simulation.recorder.folder / "missing.log"
    for text in (
        replay(service, "missing.log"),
        service.show_recorder_file_info("missing.log", True),
        service.show_recorder_collisions("missing.log", ord("a"), ord("a")),
        service.show_recorder_actors_blocked("missing.log", 1.0, 1.0),
    ):
        assert text == f"File {missing} not found on server\n"
    (tmp_path / "text").write_text("hello, this is no recording")
    for bad in (tmp_path / "text", tmp_path):
        with pytest.raises(WorldError, match="is not a"):
            replay(service, str(bad))
    drive(service, ticks=2)
    with pytest.raises(WorldError, match="'x' is no category"):
        service.show_recorder_collisions("drive.log", ord("x"), ord("a"))
    service.start_recorder("empty.log", False)
    service.stop_recorder()
    assert "Frames: 0\nDuration: 0 seconds" in service.show_recorder_file_info("empty.log", True)
    with pytest.raises(WorldError, match="holds no frames"):
        replay(service, "empty.log")


# files that are not whole


@pytest.fixture(scope="module")
def whole(server, tmp_path_factory):
    """The bytes of a recording of 12 frames, and where each of its records ends."""
    server.simulation.load("", reset_settings=False)
    path, _, _ = drive(server, ticks=12, name=str(tmp_path_factory.mktemp("whole") / "whole.log"))
    data = Path(path).read_bytes()
    ends, at = [], len(MAGIC)
    while at < len(data):
        at += 8 + struct.unpack_from("<I", data, at)[0]
        ends.append(at)
    assert at == len(data) and len(ends) == 13
    return data, ends


def ask_everything(service, path):
    """All questions and a replay: each ends well or with a WorldError of one line. The frames told, or None."""
    frames = None
    for ask in (
        lambda: service.show_recorder_file_info(str(path), True),
        lambda: service.show_recorder_collisions(str(path), ord("a"), ord("a")),
        lambda: service.show_recorder_actors_blocked(str(path), 0.0, 10.0),
        lambda: replay(service, str(path), follow=1),
    ):
        try:
            text = ask()
        except WorldError as error:
            assert str(error) and "\n" not in str(error)
        else:
            match = re.search(r"Frames: (\d+)", text)
            frames = int(match[1]) if match else frames
    for _ in range(14):
        service.simulation.tick()
    assert not service.simulation.replayer.active
    state_of(service.simulation.world, 1, 0.0, STEP_S)
    return frames


@SOME
@given(st.data())
def test_a_file_cut_at_any_byte_has_all_frames_before(server, whole, tmp_path, data):
    content, ends = whole
    cut = data.draw(st.integers(0, len(content)) | st.sampled_from([end + d for end in ends[:-1] for d in (-1, 0, 1)]))
    path = tmp_path / "cut.log"
    path.write_bytes(content[:cut])
    frames = sum(end <= cut for end in ends) - 1
    if frames < 0:
        with pytest.raises(WorldError, match="is not a recorder file|ends before its header"):
            RecorderReader(path)
    else:
        assert len(frames_of(path)) == frames
        text = server.show_recorder_file_info(str(path), False)
        assert text.endswith(f"Frames: {frames}\nDuration: {max(0, frames - 1) * STEP_S:g} seconds\n")


@SOME
@given(st.data())
def test_a_file_with_wrong_bytes_is_an_error(server, whole, tmp_path, data):
    content, _ = whole
    wrong = bytearray(content)
    at = data.draw(st.integers(0, len(content) - 1))
    wrong[at] ^= data.draw(st.integers(1, 255))
    path = tmp_path / "wrong.log"
    path.write_bytes(wrong)
    try:
        read = frames_of(path)
    except WorldError as error:
        assert "damaged" in str(error) or "not a recorder file" in str(error)
    else:
        # A length that points behind the end looks like a file cut short there.
        with RecorderReader(path) as reader:
            assert read == frames_of_bytes(content, tmp_path)[: len(read)] and len(read) < 12
            assert reader.header.version == 1
    if data.draw(st.booleans()):
        ask_everything(server, path)


def frames_of_bytes(content, folder):
    path = folder / "right.log"
    path.write_bytes(content)
    return frames_of(path)


VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**63), 2**64 - 1), st.floats(width=64), st.text(max_size=8),
    st.binary(max_size=8), st.lists(st.integers(0, 3), max_size=3), st.just([]),
    st.sampled_from([0.0, -1e7, 1e30, 1e-30, 1, 2, 91, 92, 93, "vehicle.tesla.model3", "spectator", "sensor.camera.rgb"]),
)  # fmt: skip


def places(value, path=()):
    """Paths to all leaves and lists of a nested list."""
    yield path
    if isinstance(value, list):
        for k, item in enumerate(value):
            yield from places(item, (*path, k))


def changed(value, path, new):
    if not path:
        return new
    copy = list(value)
    copy[path[0]] = changed(copy[path[0]], path[1:], new)
    return copy


def rewrite(path, change):
    """Change the values of records and give them right checksums; `change` gets a record's number and its value."""
    data = Path(path).read_bytes()
    out, at, number = bytearray(MAGIC), len(MAGIC), 0
    while at < len(data):
        (length,) = struct.unpack_from("<I", data, at)
        value = msgpack.unpackb(data[at + 8 : at + 8 + length])
        if number and isinstance(value[2], bytes):
            value[2] = msgpack.unpackb(zlib.decompress(value[2]))
        value = change(number, value)
        if number and isinstance(value, list) and len(value) > 2 and isinstance(value[2], list):
            value[2] = zlib.compress(msgpack.packb(value[2]))
        payload = msgpack.packb(value)
        out += struct.pack("<II", len(payload), zlib.crc32(payload)) + payload
        at, number = at + 8 + length, number + 1
    with open(path, "wb") as file:
        file.write(out)


@settings(SOME, max_examples=40)
@given(st.data())
def test_a_file_that_means_harm_harms_nobody(server, whole, tmp_path, data):
    """Any value anywhere, under a right checksum: an error, or a replay; and the world goes on."""
    path = tmp_path / "harm.log"
    path.write_bytes(whole[0])
    victim = data.draw(st.integers(0, 12))

    def harm(number, value):
        if number != victim:
            return value
        for _ in range(data.draw(st.integers(1, 3))):
            value = changed(value, data.draw(st.sampled_from(list(places(value)))), data.draw(VALUES))
            if not isinstance(value, list):
                break
        return value

    rewrite(path, harm)
    ask_everything(server, path)
    server.stop_replayer(False)


@pytest.mark.slow
def test_a_real_client_records_and_replays(simulator, tmp_path):
    told = simulator.run("record_replay", str(tmp_path / "absolute.log"))
    assert told["path"] == str(simulator.folder / "recordings" / "client.log")
    assert Path(told["path"]).is_file() and (tmp_path / "absolute.log").is_file()
    assert told["info"][:2] == ["Version: 1", "Map: Town01"]
    assert told["info"][-2:] == ["Frames: 60", "Duration: 2.95 seconds"]
    assert told["collisions"][:1] == ["v o"]
    assert told["blocked"] == 1
    assert "Replaying from 0 s - 2.95 s (2.95 s) at 1.0x" in told["replay"]
    assert told["replayed"] == 59
    assert told["worst_m"] < 1e-3
    assert told["worst_deg"] < 1e-2
    assert told["worst_mps"] < 1e-3
    assert told["lights"] == 0 and told["weather"] == 0
    assert told["follow_m"] < 1e-2
    assert told["twice_m"] < 1e-3
    assert told["after_m"] > 1.0
    assert told["gone"] and told["kept"]
    assert told["map"] == "Carla/Maps/Town01"
    assert "not found on server" in told["missing"]
    assert "leads out of the folder" in told["escape"]


def test_a_recorder_may_be_closed_twice(tmp_path, service):
    recorder = Recorder(tmp_path)
    recorder.start("a.log", service.simulation.world, "Carla/Maps/Town01")
    recorder.close()
    recorder.close()
    with RecorderReader(tmp_path / "a.log") as reader:
        assert recorder_queries.file_info(reader, False).endswith("Frames: 0\nDuration: 0 seconds\n")


@pytest.mark.parametrize(
    ("states", "message"), [(b"", "cut short"), (b"nonsense", "header"), (zlib.compress(bytes(1 << 27)), "longer than")]
)
def test_states_that_do_not_inflate(service, states, message):
    path, _, _ = drive(service, ticks=2)
    rewrite(path, lambda k, value: [*value[:2], states] if k == 1 else value)
    with pytest.raises(WorldError, match=message), RecorderReader(path) as reader:
        reader.states(next(reader.frames()))
