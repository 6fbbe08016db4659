"""What happens around a recording: other programs at its simulator and its folder, a disk that cannot be written to,
a wall clock that jumps.
"""

from __future__ import annotations

import itertools
import json
import shlex
import shutil
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.processes import ROOT, wait_for
from tests.sim_agent.recording import RecordCommand, frames_on_disk
from trainer.dataset.drawn import draw_recording
from trainer.dataset.recording import RecordingSource

pytestmark = pytest.mark.slow
MEDDLER = Path(__file__).parent / "clients" / "meddler.py"
FRAMES = 150
WALL_CLOCK = MEDDLER.with_name("wall_clock.c")
HOUR_S = 3600
PLAN = ("--episodes", 1, "--frames", FRAMES, "--towns", "Town01", "--vehicles", 3, "--walkers", 0)


@pytest.fixture
def command(tmp_path):
    pytest.importorskip("carla")
    runner = RecordCommand(tmp_path)
    yield runner
    runner.end_all()


def test_a_vehicle_that_is_destroyed_is_noticed_and_its_episode_taken_again(command):
    server, port = start_server(command)
    process = command.record(*PLAN, "--host", "127.0.0.1", "--port", port)
    wait_for(lambda: len(frames_on_disk(command.out)) > 3, "frames", process=process)
    subprocess.run([sys.executable, str(MEDDLER), port, "destroy"], check=True, timeout=120)
    # the same command elsewhere at the same folder is refused while this one writes
    code, out, err = command.finish(command.record(*PLAN, "--host", "127.0.0.1", "--port", port))
    assert code == 1 and "another process is writing this recording" in err and "Traceback" not in err
    code, out, err = command.finish(process)
    assert code == 0, out + err
    episodes = RecordingSource(command.out).episodes
    assert [info.ended for info in episodes.values()] == ["vehicle gone", "done"]
    assert sum(info.frames for info in episodes.values()) == FRAMES == len(frames_on_disk(command.out))
    code, out, err = command.finish(command.start("data", "check", command.out))
    assert code == 0, out + err
    end(command, server)


def test_a_folder_that_cannot_be_written_to_is_one_sentence_that_names_it(command):
    """In a name space of its own, where the file system is read-only for root as well."""
    new, old = command.folder / "disk" / "new", command.folder / "disk" / "old"
    draw_recording(old, count=4, width=96, height=54, seed=0, frames_per_episode=2)
    before = frames_on_disk(old)
    for out, words in ((new, "the folder cannot be made"), (old, "cannot be written to")):
        disk = shlex.quote(str(out.parent))
        arguments = [sys.executable, "launch.py", "record", "--out", str(out), "--config", str(command.config), *PLAN]
        shell = f"mount --bind {disk} {disk} && mount -o remount,bind,ro {disk} || exit 77; exec "
        shell += " ".join(shlex.quote(str(word)) for word in arguments)
        ended = subprocess.run(
            ["unshare", "-rm", "sh", "-c", shell],
            cwd=ROOT,
            env=command.env,
            capture_output=True,
            text=True,
            timeout=300,
        )
        if ended.returncode == 77 or "unshare failed" in ended.stderr:
            pytest.skip(f"this machine mounts nothing for us: {ended.stderr}")
        assert ended.returncode == 1, ended.stdout + ended.stderr
        assert f"{out}: {words} (Read-only file system); name another" in ended.stderr
        assert len(ended.stderr.splitlines()) == 1
    assert frames_on_disk(old) == before and not new.exists()


def test_a_wall_clock_that_jumps_is_not_noticed(command):
    """Hours back, a day ahead, twenty times a second; killed while it is wrong, and gone on with when it is right."""
    if (compiler := shutil.which("cc")) is None or sys.platform != "linux":
        pytest.skip("no C compiler to make another clock with")
    library, moved = command.folder / "wall_clock.so", command.folder / "moved"
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", library, WALL_CLOCK], check=True)
    moved.write_bytes(struct.pack("=q", 0))
    command.env = command.env | {"LD_PRELOAD": str(library), "WALL_CLOCK": str(moved)}

    def jump(hours):
        with open(moved, "r+b") as file:  # in place: the processes have it mapped
            file.write(struct.pack("=q", hours * HOUR_S))

    hours = itertools.cycle((-1, 24, 0))

    def many_jumps_later():
        jump(next(hours))
        return command.out.exists() and len(frames_on_disk(command.out)) > 30

    plan = (*PLAN, "--frames", 60)
    process = command.record(*plan)
    wait_for(many_jumps_later, "frames", process=process)
    jump(-1)
    wrong = subprocess.run(
        [sys.executable, "-c", "import time; print(time.time())"], env=command.env, stdout=subprocess.PIPE, check=True
    )
    assert abs(time.time() - HOUR_S - float(wrong.stdout)) < 600, "the clock that was to be wrong"
    process.kill()
    process.communicate()
    wait_for(lambda: not command.processes(), "the end of the simulator and the traffic")
    before = frames_on_disk(command.out)
    assert 30 < len(before) < 60
    jump(0)
    code, out, err = command.finish(command.record(*plan))
    assert code == 0, out + err
    after = frames_on_disk(command.out)
    assert len(after) == 60 and before.items() <= after.items()
    assert [info.ended for info in RecordingSource(command.out).episodes.values()] == ["killed", "done"]
    code, out, err = command.finish(command.start("data", "check", command.out))
    assert code == 0, out + err


def test_another_program_that_loads_a_town_is_told_of_at_once_and_left_alone(command):
    server, port = start_server(command)
    process = command.record(*PLAN, "--host", "127.0.0.1", "--port", port)
    wait_for(lambda: len(frames_on_disk(command.out)) > 3, "frames", process=process)
    subprocess.run([sys.executable, str(MEDDLER), port, "load"], check=True, timeout=120)
    code, out, err = command.finish(process)
    # Who waits for a picture or a tick until it is too late says that, and not who loaded what.
    assert code == 1 and "another program loaded a town" in err, out + err
    assert len(err.splitlines()) == 1 and "not given back" not in out
    seen = subprocess.run(
        [sys.executable, str(MEDDLER), port, "look"], check=True, timeout=120, text=True, stdout=subprocess.PIPE
    ).stdout
    assert json.loads(seen.splitlines()[0]) == {"town": "Carla/Maps/Town03", "vehicles": 30}, "its world stays as it is"
    code, out, err = command.finish(command.start("data", "check", command.out))
    assert code == 0, out + err
    end(command, server)


def test_another_program_that_ticks_as_well_takes_no_frame_from_the_recording(command):
    server, port = start_server(command)
    process = command.record(*PLAN, "--frames", 60, "--host", "127.0.0.1", "--port", port)
    wait_for(lambda: len(frames_on_disk(command.out)) > 3, "frames", process=process)
    subprocess.run([sys.executable, str(MEDDLER), port, "tick"], check=True, timeout=120)
    code, out, err = command.finish(process)
    assert code == 0, out + err
    assert len(frames_on_disk(command.out)) == 60
    code, out, err = command.finish(command.start("data", "check", command.out))
    assert code == 0, out + err
    source = RecordingSource(command.out)
    metas = [source.meta(ref) for ref in source.frames]
    for earlier, later in zip(metas, metas[1:], strict=False):
        # each frame's own time: what was ticked by the other is passed over, and not taken for what was asked for
        steps = (later["sim_time_s"] - earlier["sim_time_s"]) / source.step_s
        assert steps == pytest.approx(later["frame"] - earlier["frame"], abs=0.01)
    end(command, server)


def start_server(command):
    ready = command.folder / "ready"
    server = command.start("sim", "--port", 0, "--quality", "low", "--ready-file", ready)
    wait_for(ready.exists, "the simulator", process=server)
    return server, ready.read_text().split()[0]


def end(command, server):
    server.send_signal(signal.SIGINT)
    assert command.finish(server)[0] == 0
