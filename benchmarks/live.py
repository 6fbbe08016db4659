"""Live masks on a CPU: masks a second, age of a mask against the engine's own time, and how fast steering gets through.

    python -m benchmarks.live [--frames 300] [--engine openvino-int8] [--quality medium] [--json FILE]

The simulator is a process of its own with 20 vehicles, the drive another, headless; the network is `live` for 256x144
with random weights, which run as fast as trained ones. First the autopilot drives, and CPU time is counted: of the
simulator; of the engine, which is its own threads and the masks' thread while it is in `segment`; and of all else, the
Traffic Manager's process among it. Then keys are pressed at random moments, and what comes out of the drive's connection
to the simulator is seen by a relay between the two: the time from a key to its command there is measured from outside.
"""

import argparse
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import msgpack
import numpy as np

from benchmarks import rows
from benchmarks.rows import ROOT, Mark, Row

NETWORK_SIZE = (144, 256)
CASES = {"camera 256x144": (256, 144), "camera 640x360": (640, 360)}
STEP_S = 0.05
MASKS_MARK, AGE_MARK, STEER_MARK_MS, REST_MARK = 20.0, 1.25, 50.0, 0.15
DRIVE = """
import json, os, random, sys, threading, time
from pathlib import Path
os.environ["PYGAME_HIDE_SUPPORT_PROMPT"] = "1"
import pygame
from benchmarks.rows import tree_cpu_s
from sim_agent import drive as drives
from sim_agent.drive import DriveRequest, open_drive
from sim_agent.drive_config import load_drive_config
from sim_agent.where import Where
port, model, engine, width, height, frames, presses, simulator = sys.argv[1:9]
config = load_drive_config(None, width=int(width), height=int(height), vehicles=20, walkers=0)
where = Where("127.0.0.1", int(port))
request = DriveRequest(where, Path(model), engine, headless=True, autopilot=True)
result, pressed = {}, []
engine_threads, segment_s, choose = set(), [0.0], drives.choose_engine
counts_cpu = Path("/proc/self/task").is_dir()  # Linux

def threads():
    return set(os.listdir("/proc/self/task")) if counts_cpu else set()

def choose_and_note(*arguments):
    before = threads()
    choice = choose(*arguments)
    engine_threads.update(threads() - before)
    segment = choice.segmenter.segment
    def timed(picture):
        began_s = time.thread_time()
        try:
            return segment(picture)
        finally:
            segment_s[0] += time.thread_time() - began_s
    choice.segmenter.segment = timed
    return choice

drives.choose_engine = choose_and_note

def cpu_s():
    "Of all of the drive, of what it started, of the engine, of the simulator; nothing where it cannot be counted."
    if not counts_cpu:
        return []
    own = sum(map(thread_cpu_s, engine_threads)) + segment_s[0]
    drive = tree_cpu_s()
    return drive, drive - time.process_time(), own, tree_cpu_s(int(simulator))

def thread_cpu_s(thread):
    fields = Path(f"/proc/self/task/{thread}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

def post(kind, key):
    pygame.event.post(pygame.event.Event(kind, key=key, mod=0))

def user(drive):
    draw = random.Random(0)
    began = cpu_s()
    while drive.ride.frames < int(frames):
        time.sleep(0.02)
    result.update(drive.result(), cpu_s=[after - before for before, after in zip(began, cpu_s())])
    post(pygame.KEYDOWN, pygame.K_p)
    while drive.ride.autopilot:
        time.sleep(0.02)
    for k in range(int(presses)):
        key = pygame.K_a if k % 2 else pygame.K_d
        time.sleep(draw.uniform(0.05, 0.15))
        pressed.append(time.monotonic())
        post(pygame.KEYDOWN, key)
        time.sleep(draw.uniform(0.1, 0.2))
        post(pygame.KEYUP, key)
    post(pygame.KEYDOWN, pygame.K_ESCAPE)

with open_drive(request, config, lambda line: print(line, file=sys.stderr)) as drive:
    thread = threading.Thread(target=user, args=(drive,))
    thread.start()
    drive.run()
    thread.join()
print(json.dumps({"result": result, "pressed": pressed}), flush=True)
os._exit(0)
"""


class Relay:
    """Passes everything on between a client and the simulator's RPC port, and notes when which steering came by."""

    NAME = b"apply_control_to_vehicle"

    def __init__(self, port: int):
        self.steers: list[tuple[float, float]] = []
        self._server_port = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            client, _ = self._listener.accept()
            server = socket.create_connection(("127.0.0.1", self._server_port))
            for end in (client, server):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._pass_on, args=(client, server), daemon=True).start()

    def _pass_on(self, client: socket.socket, server: socket.socket) -> None:
        with client, server:
            while True:
                for end in select.select([client, server], [], [])[0]:
                    data = end.recv(1 << 20)
                    if not data:
                        return
                    if end is client:
                        self._note(data)
                    (server if end is client else client).sendall(data)

    def _note(self, data: bytes) -> None:
        now_s, at = time.monotonic(), data.find(self.NAME)
        while at >= 0:
            unpacker = msgpack.Unpacker()
            unpacker.feed(data[at + len(self.NAME) :])
            _, _, (_, steer, *_) = unpacker.unpack()
            self.steers.append((now_s, steer))
            at = data.find(self.NAME, at + 1)


def make_model(folder: Path, engine: str) -> Path:
    import torch

    from trainer.dataset.drawn import draw_recording
    from trainer.dataset.source import open_source
    from trainer.export import export_model
    from trainer.labels import load_class_list
    from trainer.model_dir import ModelInfo, Preprocessing, save_model, versions
    from trainer.unet import UNet, load_preset

    torch.manual_seed(0)
    network, classes = load_preset("live", classes=17), load_class_list("street17")
    info = ModelInfo(network, classes, Preprocessing(NETWORK_SIZE), versions=versions())
    model = save_model(folder / "model", UNet(network).state_dict(), info)
    if engine.startswith("openvino"):
        height, width = NETWORK_SIZE
        draw_recording(folder / "drawn", count=12, width=width, height=height, seed=0, frames_per_episode=6)
        export_model(model, engine, [open_source(folder / "drawn")], frames=8, score_frames=2, may_lose=1.0)
    return model


def start_simulator(folder: Path, quality: str) -> tuple[subprocess.Popen, int]:
    ready = folder / "ready"
    command = [sys.executable, str(ROOT / "launch.py"), "sim", "--port", "0", "--town", "Town02", "--quality", quality]
    process = subprocess.Popen([*command, "--ready-file", str(ready)], stdout=subprocess.DEVNULL)
    while not ready.exists():
        if process.poll() is not None:
            raise SystemExit("the simulator did not start")
        time.sleep(0.01)
    return process, int(ready.read_text().split()[0])


def steering_ms(pressed: list[float], steers: list[tuple[float, float]]) -> list[float]:
    """From each key to the first command with its direction."""
    times = []
    for k, at_s in enumerate(pressed):
        sign = -1.0 if k % 2 else 1.0
        times.append(1000.0 * (next(s for s, steer in steers if s >= at_s and steer * sign > 0.0) - at_s))
    return times


def measure(arguments: argparse.Namespace) -> rows.Measured:
    found = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = make_model(folder, arguments.engine)
        process, port = start_simulator(folder, arguments.quality)
        try:
            relay = Relay(port)
            for case, (width, height) in CASES.items():
                relay.steers.clear()
                numbers = map(str, (width, height, arguments.frames, arguments.presses, process.pid))
                done = subprocess.run(
                    [sys.executable, "-c", DRIVE, str(relay.port), str(model), arguments.engine, *numbers],
                    check=True,
                    stdout=subprocess.PIPE,
                    text=True,
                    env=os.environ | {"HOME": name, "PYTHONPATH": str(ROOT)},
                )
                told = json.loads(done.stdout.splitlines()[-1])
                found += case_rows(f"{case}, {arguments.engine}", told, steering_ms(told["pressed"], relay.steers))
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(30)
    return found, {}


def case_rows(case: str, told: dict, steers_ms: list[float]) -> list[Row]:
    result = told["result"]
    rate, age, engine = (result["masks_per_s"], result["mask_age_ms"]["p50"], result["engine_ms"]["p50"])
    steer = float(np.percentile(steers_ms, 99))
    speed = f"{result['real_time_factor']:.2f} of real time, {result['dropped']} pictures dropped"
    masks, late = Mark(MASKS_MARK, of="ours"), Mark(STEER_MARK_MS, of="ours", most=True)
    return [
        Row("live", f"{case}: masks", rate, "masks/s", 1.0 / STEP_S, "pictures/s", masks, note=speed),
        Row("live", f"{case}: age of a mask", age, "ms", engine, "engine alone", Mark(AGE_MARK, most=True)),
        Row("live", f"{case}: key to command, p99", steer, "ms", 1000.0 * STEP_S, "a tick", late),
        *([cpu_row(case, result["frames"], *result["cpu_s"])] if result["cpu_s"] else []),
    ]


def cpu_row(case: str, frames: int, drive_s: float, started_s: float, engine_s: float, simulator_s: float) -> Row:
    """What is neither engine nor simulator. drive_s: with `started_s` of the processes it started, and the engine's."""
    rest_s, whole_s = drive_s - engine_s, drive_s + simulator_s
    parts = {"engine": engine_s, "simulator": simulator_s, "Traffic Manager": started_s, "the rest": rest_s - started_s}
    rest_ms, whole_ms = 1000.0 * rest_s / frames, 1000.0 * whole_s / frames
    of_cpu = ", ".join(f"{name} {seconds / whole_s:.0%}" for name, seconds in parts.items())
    mark = Mark(REST_MARK, most=True)
    name = f"{case}: CPU time of neither engine nor simulator"
    return Row("live", name, rest_ms, "CPU ms a frame", whole_ms, "of all", mark, note=of_cpu)


def main() -> None:
    parser = rows.arguments_of(__doc__)
    parser.add_argument("--frames", type=int, default=300, help="of the simulator, in each case")
    parser.add_argument("--presses", type=int, default=100, help="of keys, in each case")
    parser.add_argument("--engine", default="openvino-int8", choices=("torch", "openvino-bf16", "openvino-int8"))
    parser.add_argument("--quality", default="medium", choices=("low", "medium", "high"))
    rows.run("live", measure, parser)


if __name__ == "__main__":
    main()
