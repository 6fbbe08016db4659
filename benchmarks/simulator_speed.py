"""Ticks a second of the embedded simulator through the real client: synchronous, 20 vehicles of the Traffic Manager.

    python benchmarks/simulator_speed.py [--town Town01] [--ticks 300] [--quality medium] [--json FILE]

Three cases: no camera; RGB and semantic at 640x360; the same at 256x144. The reference is real time at 20 ticks a second
of simulated time: a ratio of 1 is as fast as the clock. Also how long the command takes until clients may connect, and
the server's memory.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STEP_S = 0.05
CASES = {"no camera": None, "640x360": (640, 360), "256x144": (256, 144)}
MARKS = {"no camera": 400.0, "640x360": 15.0, "256x144": 40.0}
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
for kind in ("rgb", "semantic_segmentation") if width else ():
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
    command = [sys.executable, str(ROOT / "launch.py"), "sim", "--port", "0", "--quality", quality]
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--town", default="Town01")
    parser.add_argument("--ticks", type=int, default=300, help="measured ticks of each case")
    parser.add_argument("--vehicles", type=int, default=20)
    parser.add_argument("--quality", default="medium", choices=("low", "medium", "high"))
    parser.add_argument("--json", type=Path, help="write the result here")
    arguments = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        process, port, first_s = start(folder, arguments.quality)
        end(process)
        process, port, warm_s = start(folder, arguments.quality)
        try:
            for k, (case, size) in enumerate(CASES.items()):
                width, height = size or (0, 0)
                numbers = (
                    arguments.ticks * (10 if size is None else 1),
                    arguments.vehicles,
                    width,
                    height,
                    21_000 + 7 * k,
                )
                command = [sys.executable, "-c", CLIENT, str(port), arguments.town, *map(str, numbers)]
                done = subprocess.run(
                    command, check=True, capture_output=True, text=True, env=os.environ | {"HOME": name}
                )
                ours = json.loads(done.stdout.splitlines()[-1])["ticks_per_s"]
                row = {"name": "simulator", "case": case, "ours": ours, "reference": 1.0 / STEP_S, "unit": "ticks/s"}
                rows.append(row | {"ratio": ours * STEP_S, "mark": MARKS[case], "met": ours >= MARKS[case]})
                print(f"{case:<12} {ours:8.1f} ticks/s  {ours * STEP_S:6.2f} x real time  mark {MARKS[case]:g}")
            status = Path(f"/proc/{process.pid}/status")
            memory_mb = 0.0
            if status.exists():
                memory_mb = next(
                    int(s.split()[1]) / 1024 for s in status.read_text().splitlines() if s.startswith("VmHWM")
                )
        finally:
            end(process)
    print(f"ready after {first_s:.1f} s, and {warm_s:.1f} s with a warm cache; memory {memory_mb:.0f} MB at most")
    if arguments.json:
        arguments.json.write_text(
            json.dumps({"benchmarks": rows, "first_s": first_s, "warm_s": warm_s, "memory_mb": memory_mb}, indent=1)
        )


if __name__ == "__main__":
    main()
