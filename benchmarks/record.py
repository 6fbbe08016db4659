"""What recording costs: every frame recorded, against the same rig with nothing written, and against CARLA's save_to_disk.

    python -m benchmarks.record [--frames 1000] [--size 640x360] [--vehicles 20] [--json FILE]

One drive in the embedded simulator, synchronous, RGB and semantic on every tick. Stretches with and without writing take
turns in it, so that what the drive meets, and what else the machine does, falls on both; the mark is 0.9. Every frame of
the stretches with writing must be in the recording, and each of its pictures must have been taken at its tick and where
the vehicle was then. In a third kind of stretch each picture is handed to `save_to_disk` of the carla wheel, which writes
a PNG, on a thread of its own as a sensor's callback is. Since the simulator holds both up, the frames of the last stretch
are written once more without it, by turns: frames a CPU second, of which the mark is 10 x.
"""

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks import rows
from benchmarks.rows import Mark, Row

MARK, SAVED_MARK = 0.9, 10.0
STRETCH = 50
"""Frames of one stretch."""
TURN = 10
"""Frames that are written without the simulator in one turn."""
SAVED = "save_to_disk (PNG)"
CAMERA_X_M = 1.3
FAR_M = 0.05
"""A picture taken so far from where it should be is another frame's: at 30 km/h a tick is 0.4 m."""


class Sink:
    """Counts what is dropped; nothing should be."""

    dropped = 0

    def __init__(self, episode):
        self.append = episode.append

    def count_dropped(self, reason, frames=1):
        """See recorder.Sink."""
        self.dropped += frames


class Saver:
    """`with Saver(folder) as saver:` `saver.add` saves a bundle's pictures the way of CARLA's examples."""

    def __init__(self, folder: Path):
        self._folder = folder
        self._callback = ThreadPoolExecutor(1)
        self._saved = []

    def add(self, bundle) -> None:
        """Have the callback's thread save them."""
        for kinds in bundle.pictures.values():
            for kind, picture in kinds.items():
                file = str(self._folder / f"{bundle.frame:08d}.{kind}.png")
                self._saved.append(self._callback.submit(picture.save_to_disk, file))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._callback.shutdown()
        for future in self._saved:
            future.result()

    def size(self) -> int:
        """Bytes of all that was saved, which is removed."""
        files = list(self._folder.glob("*.png"))
        total = sum(file.stat().st_size for file in files)
        for file in files:
            file.unlink()
        return total


def write_alone(frames, film_of, folder: Path) -> dict[str, float]:
    """CPU seconds a frame of writing (bundle, meta) pairs by film_of() and by save_to_disk: medians of turns."""
    took_s = {"recorded": [], "save_to_disk": []}
    for first in range(0, len(frames), TURN):
        some = frames[first : first + TURN]

        def ours(some=some):
            with film_of() as film:
                for bundle, meta in some:
                    film.add(bundle, meta)

        def theirs(some=some):
            with Saver(folder) as saver:
                for bundle, _ in some:
                    saver.add(bundle)

        took_s["recorded"].append(rows.cpu_s(ours) / len(some))
        took_s["save_to_disk"].append(rows.cpu_s(theirs) / len(some))
    return {what: statistics.median(times) for what, times in took_s.items()}


def drive_and_record(out: Path, arguments: argparse.Namespace) -> dict:
    """In a process of its own, for CARLA's client."""
    from sim_agent.film import Film
    from sim_agent.plan import Episode, Part, Weather
    from sim_agent.record_config import label_table_of, load_record_config
    from sim_agent.recorder import drive
    from sim_agent.rig import Rig
    from sim_agent.session import open_session
    from sim_agent.staging import staged
    from sim_agent.where import Where
    from trainer.dataset.recording import RecordingSource
    from trainer.dataset.writer import RecordingWriter

    width, height = map(int, arguments.size.split("x"))
    camera = {"name": "front", "width": width, "height": height, "pose": [CAMERA_X_M, 0.0, 1.6, 0.0, 0.0, 0.0]}
    # Every frame is kept: what is measured is what a kept frame costs.
    gates = {"exposure_s": 0.0, "standing_share": 1.0, "duplicate_level": 0.0, "stuck_s": 1e6}
    config = load_record_config(rate_hz=20.0, cameras=[camera], gates=gates)
    episode = Episode("drive", arguments.town, Weather("ClearNoon", (("ClearNoon", 1.0),)), arguments.vehicles, 5, 1, 1)
    simulator = {"name": "embedded simulator", "version": "0.9.16"}
    wrong = 0

    def check(bundle, meta):
        """Each picture says itself at which tick and where it was taken."""
        nonlocal wrong
        x, y = meta["ego"]["x_m"], meta["ego"]["y_m"]
        for picture in bundle.pictures["front"].values():
            place = picture.transform.location
            away = math.hypot(place.x - x, place.y - y)
            wrong += picture.frame != bundle.frame or abs(away - CAMERA_X_M) > FAR_M

    wall_s = {"recorded": 0.0, "not written": 0.0, "save_to_disk": 0.0}
    saved_bytes = 0
    png = out.with_name("png")
    png.mkdir()
    with (
        open_session(Where(quality=arguments.quality), town=arguments.town, step_s=config.step_s) as session,
        RecordingWriter.create(out, label_table_of("0.9.16"), config.cameras, simulator, config.step_s) as writer,
        RecordingWriter.create(
            out.with_name("again"), label_table_of("0.9.16"), config.cameras, simulator, config.step_s
        ) as spare,
        staged(session, Part(episode, 1, 1), config) as (ego, _),
        Rig(session, ego, config.cameras, config.kinds) as rig,
    ):
        entry = writer.begin_episode("drive", arguments.town)
        sink = Sink(entry)
        drive(session, ego, rig, check, STRETCH, config, sink)
        for _ in range(-(-arguments.frames // STRETCH)):
            started_s = time.perf_counter()
            with Film(writer.info, entry.append, str(out)) as film:

                def keep(bundle, meta, film=film):
                    check(bundle, meta)
                    film.add(bundle, meta)

                drive(session, ego, rig, keep, STRETCH, config, sink)
            wall_s["recorded"] += time.perf_counter() - started_s
            started_s = time.perf_counter()
            drive(session, ego, rig, check, STRETCH, config, sink)
            wall_s["not written"] += time.perf_counter() - started_s
            started_s = time.perf_counter()
            last = []
            with Saver(png) as saver:

                def save(bundle, meta, saver=saver, last=last):
                    check(bundle, meta)
                    saver.add(bundle)
                    last.append((bundle, meta))

                drive(session, ego, rig, save, STRETCH, config, sink)
            wall_s["save_to_disk"] += time.perf_counter() - started_s
            saved_bytes += saver.size()
        recorded = entry.close().frames
        again = spare.begin_episode("again", arguments.town)
        alone_s = write_alone(last, lambda: Film(spare.info, again.append, "again"), png)
        again.close()
    size = sum(shard.stat().st_size for shard in out.glob("episodes/*/*.tar"))
    return {
        "ticks_per_s": {what: recorded / took_s for what, took_s in wall_s.items()},
        "bytes_per_frame": {"recorded": size / recorded, "save_to_disk": saved_bytes / recorded},
        "cpu_s_per_frame": alone_s,
        "frames": recorded,
        "lost": recorded - len(RecordingSource(out).frames) + sink.dropped,
        "of_another_frame": wrong,
    }


def measure(arguments: argparse.Namespace) -> rows.Measured:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "benchmarks.record", *sys.argv[1:], "--out", str(Path(folder) / "recording")]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    told = json.loads(done.stdout.splitlines()[-1])
    ours, reference = told["ticks_per_s"]["recorded"], told["ticks_per_s"]["not written"]
    lost = f"of {told['frames']} frames {told['lost']} lost, {told['of_another_frame']} pictures of another frame"
    case = f"{arguments.size}, {arguments.vehicles} vehicles"
    saved = (told["ticks_per_s"]["save_to_disk"], SAVED)
    rate = {what: 1.0 / seconds for what, seconds in told["cpu_s_per_frame"].items()}
    size = {what: count / 1e3 for what, count in told["bytes_per_frame"].items()}
    alone = (rate["recorded"], "frames/CPU s", rate["save_to_disk"], SAVED, Mark(SAVED_MARK))
    return [
        Row("record", case, ours, "ticks/s", reference, "nothing written", Mark(MARK), note=lost),
        Row("record", f"{case}, save_to_disk", ours, "ticks/s", *saved, note="the simulator holds up both"),
        Row("record", f"{case}: writing alone", *alone),
        Row("record", f"{case}: size of a frame", size["recorded"], "kB", size["save_to_disk"], SAVED),
    ], {}


def main() -> None:
    parser = rows.arguments_of(__doc__)
    parser.add_argument("--frames", type=int, default=1000, help="recorded frames; as many again are not written")
    parser.add_argument("--size", default="640x360")
    parser.add_argument("--vehicles", type=int, default=20)
    parser.add_argument("--town", default="Town01")
    parser.add_argument("--quality", default="medium", choices=("low", "medium", "high"))
    parser.add_argument("--out", type=Path, help=argparse.SUPPRESS)
    if "--out" in sys.argv:
        # The second process, which `measure` starts for CARLA's client.
        parser.add_argument("--json", help=argparse.SUPPRESS)
        arguments = parser.parse_args()
        print(json.dumps(drive_and_record(arguments.out, arguments)), flush=True)
        os._exit(0)
    rows.run("record", measure, parser)


if __name__ == "__main__":
    main()
