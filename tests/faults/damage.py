"""Files of every kind that a user hands us, damaged in every way, each read as the program reads it.

`python -m tests.faults.damage FOLDER --tries 10000` prints as JSON what became of them; tests run it in a child process,
so that its memory is its own.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import shutil
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml

from sim_agent.drive_config import load_drive_config
from sim_agent.embedded.recorder_file import RecorderReader
from sim_agent.embedded.world import WorldError
from sim_agent.record_config import load_record_config
from tests.faults import samples
from trainer.config import configs_dir
from trainer.dataset.export import export_source
from trainer.dataset.repair import mend_recording
from trainer.dataset.source import Source, open_source
from trainer.errors import UserError
from trainer.labels import load_class_list, load_label_table
from trainer.manifest import check_manifest
from trainer.model_dir import load_model

DEADLINE_S = 30
"""A file that is read for longer has hung the reader."""

Damage = Callable[[random.Random, bytes], bytes]


@dataclass
class Kind:
    """A file of `folder`, and what the program does with it; read raises UserError where it refuses."""

    name: str
    folder: Path
    file: str
    read: Callable[[], None]
    whole: bytes = b""
    """The file undamaged."""

    def __post_init__(self) -> None:
        self.whole = (self.folder / self.file).read_bytes()


@dataclass
class Outcome:
    """What became of all tries. wrong: those that raised something else than a sentence that names the file."""

    tried: int = 0
    refused: int = 0
    wrong: list[str] = field(default_factory=list)
    slowest_s: float = 0.0
    by_kind: dict[str, list[int]] = field(default_factory=dict)
    """kind: [tried, refused]."""


def _flip(rng: random.Random, data: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 8))):
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _truncate(rng: random.Random, data: bytes) -> bytes:
    return data[: rng.randrange(len(data))]


def _drop(rng: random.Random, data: bytes) -> bytes:
    at = rng.randrange(len(data))
    return data[:at] + data[at + rng.choice((1, 2, 17, 512)) :]


def _insert(rng: random.Random, data: bytes) -> bytes:
    at = rng.randrange(len(data))
    return data[:at] + rng.randbytes(rng.choice((1, 3, 512))) + data[at:]


def _repeat(rng: random.Random, data: bytes) -> bytes:
    first, last = sorted((rng.randrange(len(data)), rng.randrange(len(data))))
    return data[:last] + data[first:]


def _zeros(rng: random.Random, data: bytes) -> bytes:
    """As a file system leaves them behind where the power failed."""
    at = rng.randrange(len(data))
    return data[:at] + bytes(min(len(data) - at, rng.choice((8, 512, 4096)))) + data[at + 4096 :]


def _extreme(rng: random.Random, data: bytes) -> bytes:
    """Four bytes that mean a huge length in one order or the other."""
    at = rng.randrange(len(data))
    return data[:at] + rng.choice((b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\x00\x00\xea\x60")) + data[at + 4 :]


def _other_value(rng: random.Random, data: bytes) -> bytes:
    """A number or word of a text becomes another kind of thing."""
    words = [
        b"1e999",
        b"-1",
        b"99999999999999999999",
        b"null",
        b"true",
        b'"x"',
        b"[]",
        b"{}",
        b"NaN",
        b"[[[[]]]]",
        b"0",
    ]
    pieces = data.split(b" ")
    pieces[rng.randrange(len(pieces))] = rng.choice(words) + rng.choice((b"", b",", b"\n"))
    return b" ".join(pieces)


def _deep(rng: random.Random, data: bytes) -> bytes:
    at = rng.choice((0, data.find(b":") + 1))
    depth = rng.choice((1000, 100_000))
    return data[:at] + b"[" * depth + (b"]" * depth if rng.random() < 0.5 else b"") + data[at:]


def _noise(rng: random.Random, data: bytes) -> bytes:
    return rng.randbytes(rng.randrange(len(data) + 1))


ANY: tuple[Damage, ...] = (_flip, _flip, _truncate, _drop, _insert, _repeat, _zeros, _extreme, _noise)
TEXT: tuple[Damage, ...] = (*ANY, _other_value, _other_value, _other_value, _deep)


def read_all(source: Source) -> None:
    """What training and `data check` read of a source."""
    source.fingerprint()
    for ref in source.frames:
        rgb, tags = source.read_rgb(ref), source.read_tags(ref)
        assert rgb.shape[:2] == tags.shape and rgb.dtype == tags.dtype == np.uint8


def _mended(folder: Path, scratch: Path) -> None:
    """`data repair` on a copy, then an export of what it left."""
    shutil.rmtree(scratch, ignore_errors=True)
    shutil.copytree(folder, scratch / "copy")
    mend_recording(scratch / "copy")
    source = open_source(scratch / "copy")
    read_all(source)
    if source.frames:
        export_source(source, scratch / "out")


def _read_recorder_file(path: Path) -> None:
    with RecorderReader(path) as reader:
        for frame in reader.frames():
            reader.states(frame)


def kinds(folder: Path) -> list[Kind]:
    """Whole files of each kind below a new folder."""
    pictures, recording, model = samples.folder(folder), samples.recording(folder), samples.model(folder)
    recorder = samples.recorder_file(folder)
    (copies := folder / "configs").mkdir()
    for path in (configs_dir() / "record.yaml", configs_dir() / "drive.yaml"):
        shutil.copy(path, copies)
    (copies / "table.yaml").write_text(yaml.safe_dump(load_label_table("carla-0.9.14").to_dict()))
    (copies / "classes.yaml").write_text(yaml.safe_dump(load_class_list("street17").to_dict()))
    episode = "episodes/a"
    return [
        Kind("recorder file", folder, recorder.name, lambda: _read_recorder_file(recorder)),
        Kind("picture, PNG", pictures, "CameraRGB/p0.png", lambda: read_all(open_source(pictures))),
        Kind("picture, JPEG", pictures, "CameraRGB/p1.jpg", lambda: read_all(open_source(pictures))),
        Kind("label", pictures, "CameraSeg/p0.png", lambda: read_all(open_source(pictures))),
        Kind("labels.yaml", pictures, "labels.yaml", lambda: read_all(open_source(pictures))),
        Kind("list of frames", pictures, "val.txt", lambda: read_all(open_source(pictures))),
        Kind("recording.json", recording, "recording.json", lambda: read_all(open_source(recording))),
        Kind("episode.json", recording, f"{episode}/episode.json", lambda: read_all(open_source(recording))),
        Kind("shard", recording, f"{episode}/shard-00000.tar", lambda: read_all(open_source(recording))),
        Kind("shard, repaired", recording, f"{episode}/shard-00000.tar", lambda: _mended(recording, folder / "mended")),
        Kind(
            "episode.json, repaired",
            recording,
            f"{episode}/episode.json",
            lambda: _mended(recording, folder / "mended"),
        ),
        Kind("model.json", model, "model.json", lambda: samples.load_resealed(model)),
        Kind("manifest of a model", model, "manifest.json", lambda: void(load_model(model))),
        Kind("weights", model, "model.safetensors", lambda: void(load_model(model))),
        Kind("weights, resealed", model, "model.safetensors", lambda: samples.load_resealed(model)),
        Kind("manifest", model, "manifest.json", lambda: void(check_manifest(model, "model"))),
        Kind("record.yaml", copies, "record.yaml", lambda: void(load_record_config(copies / "record.yaml"))),
        Kind("drive.yaml", copies, "drive.yaml", lambda: void(load_drive_config(copies / "drive.yaml"))),
        Kind("label table", copies, "table.yaml", lambda: void(load_label_table(copies / "table.yaml"))),
        Kind("class list", copies, "classes.yaml", lambda: void(load_class_list(copies / "classes.yaml"))),
    ]


def void(_: Any) -> None:
    """Nothing: what is read is not kept."""


def attempt(kind: Kind, outcome: Outcome, what: str) -> None:
    """Read a file as it now is, and keep account of it."""
    outcome.tried += 1
    account = outcome.by_kind.setdefault(kind.name, [0, 0])
    account[0] += 1
    started_s = time.perf_counter()
    signal.alarm(DEADLINE_S)
    try:
        kind.read()
    except (UserError, WorldError) as error:
        outcome.refused += 1
        account[1] += 1
        said = str(error)
        if not (Path(kind.file).name in said or kind.folder.name in said or "mended" in said):
            outcome.wrong.append(f"{kind.name}, {what}: does not name the file: {said[:300]}")
        elif len(said) > 1500:
            outcome.wrong.append(f"{kind.name}, {what}: {len(said)} characters are no sentence: {said[:300]}")
    except Exception as error:  # what must not come out
        outcome.wrong.append(f"{kind.name}, {what}: {type(error).__name__}: {str(error)[:300]}")
    finally:
        signal.alarm(0)
    outcome.slowest_s = max(outcome.slowest_s, time.perf_counter() - started_s)


def assault(all_kinds: list[Kind], tries: int, seed: int) -> Outcome:
    """That many damaged files, each kind in turn."""
    outcome = Outcome()
    for number in range(tries):
        kind = all_kinds[number % len(all_kinds)]
        rng = random.Random(f"{seed}/{number}")
        damage = rng.choice(TEXT if kind.file.endswith((".json", ".yaml", ".txt")) else ANY)
        path = kind.folder / kind.file
        path.write_bytes(damage(rng, kind.whole))
        try:
            attempt(kind, outcome, f"{damage.__name__} {number}")
        finally:
            path.write_bytes(kind.whole)
    return outcome


def peak_mb() -> float:
    """The most memory that this process had (MB)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--tries", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    torch.set_num_threads(1)

    def too_long(*_: object) -> None:
        raise TimeoutError(f"not done after {DEADLINE_S} s")

    signal.signal(signal.SIGALRM, too_long)
    found = kinds(arguments.folder)
    for kind in found:
        kind.read()
    before_mb = peak_mb()
    outcome = assault(found, arguments.tries, arguments.seed)
    json.dump(vars(outcome) | {"grew_mb": peak_mb() - before_mb}, sys.stdout)


if __name__ == "__main__":
    main()
