"""Reading training pictures: the packed cache against PNG files and Pillow, WebDataset and Ray Data; packing; opening.

    python -m benchmarks.data [--pictures 300] [--frames 1000000] [--json FILE]

Pictures are 640x360, drawn on the spot, trained on at 128x96; one thread, CPU time, both sides to batches of torch tensors.
The reference is the loop of most projects: open, convert, resize and stack, each time a picture is asked for. Ray Data
does the same of the same files, and all its processes count; WebDataset, from an environment of its own (see
benchmarks/references), reads the recording itself, which is in its layout. The large recording is made of hard links to one
shard: what is opened is as many headers as in a real one, without its 100 GB.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from benchmarks import ceiling, references, rows
from benchmarks.child import Child
from benchmarks.rows import Mark, Row
from trainer.dataset.drawn import draw_recording
from trainer.dataset.packed import Packed, pack
from trainer.dataset.pictures import encode_png
from trainer.dataset.recording import EPISODES_FOLDER, RecordingSource
from trainer.dataset.shard import ShardWriter
from trainer.dataset.source import FrameRef, Source, open_source
from trainer.labels import load_class_list

SIZE = (96, 128)
"""Height and width of a training picture."""
BATCH = 32
DRAWN = 60
"""Pictures that are drawn; drawing takes longer than reading, so the rest are the same ones shifted sideways."""
EPOCHS = 40
"""Of the packed cache in one call: one epoch of it is over in milliseconds."""
TIMES_PACKED = 5
"""A cache of so many times the pictures drawn: in a real one, of thousands, what it costs to begin it is lost."""
ROUNDS = 5
FRAMES_PER_SHARD = 1000


def make_folder(recording: Source, folder: Path, count: int) -> None:
    """`count` pairs of PNG files, 8-bit grey labels, from the pictures of a recording."""
    for name in ("CameraRGB", "CameraSeg"):
        (folder / name).mkdir(parents=True)
    (folder / "labels.yaml").write_text(f"table: {recording.table.name}\nencoding: grey\n")
    for index in range(count):
        ref = recording.frames[index % len(recording.frames)]
        shift = 37 * (index // len(recording.frames))
        for name, picture in (("CameraRGB", recording.read_rgb(ref)), ("CameraSeg", recording.read_tags(ref))):
            data = encode_png(np.roll(picture, shift, axis=1))
            (folder / name / f"{index:05d}.png").write_bytes(data)


def read_packed(packed: Packed, orders: list[np.ndarray]) -> float:
    """CPU seconds a picture of shuffled batches, as `train` gathers them."""

    def epochs() -> None:
        for order in orders:
            for first in range(0, len(order), BATCH):
                index = list(order[first : first + BATCH])
                torch.from_numpy(np.ascontiguousarray(packed.images[index]))
                torch.from_numpy(np.ascontiguousarray(packed.labels[index]))

    return rows.cpu_s(epochs) / sum(map(len, orders))


def read_png(folder: Path, order: np.ndarray) -> float:
    """The same of PNG files with Pillow."""
    height, width = SIZE

    def epoch() -> None:
        for first in range(0, len(order), BATCH):
            pictures, labels = [], []
            for index in order[first : first + BATCH]:
                with Image.open(folder / "CameraRGB" / f"{index:05d}.png") as file:
                    picture = file.convert("RGB").resize((width, height), Image.Resampling.BILINEAR)
                with Image.open(folder / "CameraSeg" / f"{index:05d}.png") as file:
                    label = file.resize((width, height), Image.Resampling.NEAREST)
                pictures.append(torch.from_numpy(np.array(picture)))
                labels.append(torch.from_numpy(np.array(label)))
            torch.stack(pictures), torch.stack(labels)

    return rows.cpu_s(epoch) / len(order)


def packing(source: Source, folder: Path) -> float:
    """CPU seconds a pair of packing a source in one process."""
    pairs: list[tuple[Source, FrameRef]] = [(source, ref) for ref in source.frames] * TIMES_PACKED
    place, classes = Path(tempfile.mkdtemp(dir=folder)), load_class_list("street17")
    try:
        return rows.cpu_s(lambda: pack(pairs, SIZE, classes, place, processes=1)) / len(pairs)
    finally:
        shutil.rmtree(place)


def references_of(folder: Path, recording: Source) -> dict[str, Child]:
    """The processes of the references that are here; they are started by it."""
    height, width = SIZE
    numbers = [str(BATCH), str(height), str(width)]
    ray_data = [sys.executable, "-m", "benchmarks.ray_pictures", str(folder / "png"), *numbers]
    found = {"Ray Data": Child("Ray Data", ray_data)}
    if python := references.find("webdataset"):
        command = [python, "-m", "benchmarks.references.webdataset_pictures", str(recording.path), "front", *numbers]
        found["WebDataset"] = Child("WebDataset", command)
    return found


def read_and_pack(count: int, folder: Path, copy_gb_s: float) -> list[Row]:
    draw_recording(folder / "drawn", count=DRAWN, width=640, height=360, seed=0)
    recording = open_source(folder / "drawn")
    make_folder(recording, folder / "png", count)
    png = open_source(folder / "png")
    pairs = [(png, ref) for ref in png.frames]
    packed = pack(pairs, SIZE, load_class_list("street17"), folder / "cache", processes=1)
    rng = np.random.default_rng(0)
    orders = [rng.permutation(count) for _ in range(EPOCHS)]
    with ExitStack() as stack:
        others = {name: stack.enter_context(child) for name, child in references_of(folder, recording).items()}
        ours = {
            "packed": lambda: read_packed(packed, orders),
            "png": lambda: read_png(folder / "png", orders[0]),
            "packing": lambda: packing(recording, folder),
        }
        took_s = rows.take_turns(ours | {name: child.cpu_s for name, child in others.items()}, ROUNDS)
    rate = {name: 1.0 / seconds for name, seconds in took_s.items()}
    # A gathered picture is read once and written once.
    share = rate["packed"] * 2 * SIZE[0] * SIZE[1] * 4 / 1e9 / copy_gb_s
    case = f"packed cache, {count} pictures at {SIZE[1]}x{SIZE[0]}"
    against = (rate["png"], "PNG + Pillow")
    seen = {"share": share, "ceiling": "memory copy"}
    absent = []
    if "WebDataset" not in others:
        absent = [Row("data", f"{case}, WebDataset", None, "pictures/s", note=references.absent("webdataset"))]
    cached = "over 100 % of the copy where the pictures fit into the processor's cache"
    return [
        Row("data", case, rate["packed"], "pictures/s", *against, Mark(50), note=cached, **seen),
        Row("data", case, rate["packed"], "pictures/s", mark=Mark(100_000, of="ours"), **seen),
        *(Row("data", f"{case}, {name}", rate["packed"], "pictures/s", rate[name], name) for name in others),
        *absent,
        Row("data", "packing a recording of 640x360", rate["packing"], "pairs/s", *against, Mark(300, of="ours")),
    ]


def make_large(drawn: Path, folder: Path, frames: int) -> None:
    """A recording of so many frames in episodes of a thousand, which all are one file on the disk."""
    large = folder / EPISODES_FOLDER
    large.mkdir(parents=True)
    (folder / "recording.json").write_bytes((drawn / "recording.json").read_bytes())
    source = RecordingSource(drawn)
    ref = source.frames[0]
    # As large headers as a frame's are, with hardly any picture behind them.
    members = {f"{source.camera}.rgb.jpg": b"-", f"{source.camera}.semantic.png": b"-", "json": b"{}"}
    shard = ShardWriter(folder / "shard.tar")
    for number in range(FRAMES_PER_SHARD):
        shard.append(f"{number:08d}", members)
    shard.close()
    values = json.loads((drawn / EPISODES_FOLDER / ref.episode / "episode.json").read_text())
    for number in range(frames // FRAMES_PER_SHARD):
        name = f"e{number:05d}"
        (large / name).mkdir()
        (large / name / "episode.json").write_text(json.dumps(values | {"id": name, "frames": FRAMES_PER_SHARD}))
        os.link(folder / "shard.tar", large / name / "shard-00000.tar")


def open_large(folder: Path, frames: int) -> list[Row]:
    """Opened in a process of its own, for its memory: what it grows by. The first time without the shards' indexes, as a
    recording of an earlier version is, and then with them, as the recorder leaves it.
    """
    make_large(folder / "drawn", folder / "large", frames)
    command = [sys.executable, "-m", "benchmarks.data", "--open", str(folder / "large")]
    first, told = (
        json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout) for _ in range(2)
    )
    case = f"opening a recording of {told['frames']:,} frames"
    return [
        Row("data", f"{case}: time", told["took_s"], "s", first["took_s"], "no index", Mark(1.0, of="ours", most=True)),
        Row("data", f"{case}: memory", told["grew_mb"], "MB", mark=Mark(200.0, of="ours", most=True)),
    ]


def _open(path: Path) -> None:
    """The process that `open_large` starts."""

    def memory_mb() -> float:
        return int((rows.line_of("/proc/self/status", "VmRSS") or "0").split()[0]) / 1024

    before_mb, started_s = memory_mb(), time.perf_counter()
    source = RecordingSource(path)
    took_s = time.perf_counter() - started_s
    print(json.dumps({"frames": len(source.frames), "took_s": took_s, "grew_mb": memory_mb() - before_mb}))


def measure(arguments: argparse.Namespace) -> rows.Measured:
    torch.set_num_threads(1)
    copy_gb_s = ceiling.memory_copy_gb_s()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows.say(f"drawing, and writing {arguments.pictures} PNG files")
        found = read_and_pack(arguments.pictures, folder, copy_gb_s)
        rows.say(f"opening a recording of {arguments.frames:,} frames")
        found += open_large(folder, arguments.frames)
    return found, {"memory_copy_gb_s": copy_gb_s}


def main() -> None:
    parser = rows.arguments_of(__doc__)
    parser.add_argument("--pictures", type=int, default=300, help="of the PNG folder")
    parser.add_argument("--frames", type=int, default=1_000_000, help="of the large recording, in thousands")
    parser.add_argument("--open", type=Path, help=argparse.SUPPRESS)
    if "--open" in sys.argv:
        _open(parser.parse_args().open)
        return
    rows.run("data", measure, parser)


if __name__ == "__main__":
    main()
