"""Ticks a second of the embedded simulator through the real client: synchronous, vehicles of the Traffic Manager.

    python -m benchmarks.sim [--town Town01] [--ticks 300] [--quality medium] [--json FILE]

Without a camera among 10 and 20 vehicles; among 20 with RGB and semantic at 640x360, with and without depth, and at 256x144.
The reference is real time at 20 ticks a second of simulated time: a ratio of 1 is as fast as the clock. Also how long the
command takes until clients may connect, and the server's memory; the loopback, through which every picture goes, beside it.
Last the renderer alone against OpenGL on the processor (see benchmarks/pictures.py).
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks import ceiling, pictures, rows
from benchmarks.rows import Mark, Row

STEP_S = 0.05
PICTURE_ROUNDS = 20


@dataclass(frozen=True)
class Case:
    """One scene: what drives in it, what looks at it, and the ticks a second that it must reach."""

    name: str
    vehicles: int
    width: int
    height: int
    cameras: str
    mark: float


CASES = (
    Case("no camera, 10 vehicles", 10, 0, 0, "", 700.0),
    Case("no camera, 20 vehicles", 20, 0, 0, "", 400.0),
    Case("640x360 RGB, semantic, depth", 20, 640, 360, "rgb,semantic_segmentation,depth", 25.0),
    Case("640x360 RGB, semantic", 20, 640, 360, "rgb,semantic_segmentation", 15.0),
    Case("256x144 RGB, semantic", 20, 256, 144, "rgb,semantic_segmentation", 40.0),
)
CLIENT = """
import json, os, queue, sys, time
import carla
if hasattr(os, "sched_setaffinity"):
    # libcarla's Traffic Manager can miss its own wake-up and wait for ever; on one core it hardly can.
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
port, town, ticks, vehicles, width, height, tm_port = int(sys.argv[1]), sys.argv[2], *map(int, sys.argv[3:8])
client = carla.Client("127.0.0.1", port)
client.set_timeout(120.0)
world = client.load_world(town)
settings = world.get_settings()
settings.synchronous_mode, settings.fixed_delta_seconds = True, 0.05
world.apply_settings(settings)
manager = client.get_trafficmanager(tm_port)
manager.set_synchronous_mode(True)
library = world.get_blueprint_library()
kinds = [b for b in library.filter("vehicle.*") if int(b.get_attribute("number_of_wheels")) == 4]
points = world.get_map().get_spawn_points()
cars = [world.try_spawn_actor(kinds[k % len(kinds)], points[k * len(points) // vehicles]) for k in range(vehicles)]
cars = [car for car in cars if car]
for car in cars:
    car.set_autopilot(True, tm_port)
boxes, sensors = [], []
for kind in filter(None, sys.argv[8].split(",")):
    blueprint = library.find("sensor.camera." + kind)
    blueprint.set_attribute("image_size_x", str(width))
    blueprint.set_attribute("image_size_y", str(height))
    seat = carla.Transform(carla.Location(x=1.3, z=1.6))
    sensors.append(world.spawn_actor(blueprint, seat, attach_to=cars[0]))
    boxes.append(queue.Queue())
    sensors[-1].listen(boxes[-1].put)
def run(count):
    for _ in range(count):
        frame = world.tick()
        assert all(box.get(timeout=60.0).frame == frame for box in boxes)
# Without cameras a tick is short, and for some seconds the server still prepares its cameras beside it.
run(40 if width else 1500)
started = time.perf_counter()
run(ticks)
rate = ticks / (time.perf_counter() - started)
for sensor in sensors:
    sensor.stop()
    sensor.destroy()
world.tick()
manager.set_synchronous_mode(False)
settings.synchronous_mode = False
world.apply_settings(settings)
print(json.dumps({"vehicles": len(cars), "ticks_per_s": rate}), flush=True)
os._exit(0)
"""


def start(folder: Path, quality: str) -> tuple[subprocess.Popen, int, float]:
    """The simulator, its port, and the seconds until it was ready; what it keeps for the next start is below the folder."""
    ready = folder / f"ready-{time.monotonic_ns()}"
    command = [sys.executable, str(rows.ROOT / "launch.py"), "sim", "--port", "0", "--quality", quality]
    started = time.monotonic()
    environment = os.environ | {"NUMBA_CACHE_DIR": str(folder / "cache")}
    process = subprocess.Popen([*command, "--ready-file", str(ready)], stdout=subprocess.DEVNULL, env=environment)
    while not ready.exists():
        if process.poll() is not None:
            raise SystemExit("the simulator did not start")
        time.sleep(0.01)
    return process, int(ready.read_text().split()[0]), time.monotonic() - started


def end(process: subprocess.Popen) -> None:
    process.send_signal(signal.SIGINT)
    process.wait(30)


def ticks_per_s(case: Case, number: int, port: int, arguments: argparse.Namespace, home: str) -> float:
    ticks = arguments.ticks * (1 if case.cameras else 10)
    # A port of its own for each Traffic Manager: the one before may not have given its own back yet.
    numbers = (ticks, case.vehicles, case.width, case.height, 21_000 + 7 * number)
    command = [sys.executable, "-c", CLIENT, str(port), arguments.town, *map(str, numbers), case.cameras]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=os.environ | {"HOME": home})
    return float(json.loads(done.stdout.splitlines()[-1])["ticks_per_s"])


def measure(arguments: argparse.Namespace) -> rows.Measured:
    found = []
    loopback = ceiling.loopback_mb_s()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        process, port, first_s = start(folder, arguments.quality)
        end(process)
        process, port, warm_s = start(folder, arguments.quality)
        try:
            for number, case in enumerate(CASES):
                rate = ticks_per_s(case, number, port, arguments, name)
                rows.say(f"{case.name}: {rate:.1f} ticks/s")
                # CARLA sends every kind of picture as BGRA.
                share = rate * case.width * case.height * 4 * len(case.cameras.split(",")) / 1e6 / loopback
                mark = Mark(case.mark, of="ours")
                seen = {"share": share, "ceiling": "loopback"} if case.cameras else {}
                found.append(Row("sim", case.name, rate, "ticks/s", 1.0 / STEP_S, "real time", mark, **seen))
            memory = rows.line_of(f"/proc/{process.pid}/status", "VmHWM")
        finally:
            end(process)
    found.append(Row("sim", "ready after a start, warm", warm_s, "s", first_s, "first start"))
    if memory is not None:
        found.append(Row("sim", "memory of the server at most", int(memory.split()[0]) / 1024, "MB"))
    with tempfile.TemporaryDirectory() as name:
        found += pictures.measure(Path(name), PICTURE_ROUNDS, arguments.quality)
    return found, {"loopback_mb_s": loopback}


def main() -> None:
    parser = rows.arguments_of(__doc__)
    parser.add_argument("--town", default="Town01")
    parser.add_argument("--ticks", type=int, default=300, help="measured ticks of each case; ten times without cameras")
    parser.add_argument("--quality", default="medium", choices=("low", "medium", "high"))
    rows.run("sim", measure, parser)


if __name__ == "__main__":
    main()
