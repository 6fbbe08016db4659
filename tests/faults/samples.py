"""Small whole files of each kind, made by the program itself."""

from __future__ import annotations

from pathlib import Path

import torch
import yaml
from PIL import Image

from sim_agent.embedded.pose import Pose
from sim_agent.embedded.recorder_file import (
    Events,
    Frame,
    Header,
    Moment,
    Moved,
    RecorderWriter,
    Shown,
    States,
    pack_states,
)
from tests.trainer.dataset.conftest import CLASSES, TABLE, draw_pair
from trainer.dataset.recording import Camera
from trainer.dataset.writer import RecordingWriter
from trainer.manifest import MANIFEST, write_manifest
from trainer.model_dir import CARD, FORMAT, ModelInfo, Preprocessing, load_model, save_model
from trainer.unet import UNet, UNetConfig


def folder(root: Path) -> Path:
    """Two pictures in the folder layout, one PNG and one JPEG, with list files."""
    path = root / "pictures"
    for name in ("CameraRGB", "CameraSeg"):
        (path / name).mkdir(parents=True)
    for number, suffix in enumerate(("png", "jpg")):
        rgb, tags = draw_pair(number)
        Image.fromarray(rgb).save(path / "CameraRGB" / f"p{number}.{suffix}")
        Image.fromarray(tags).save(path / "CameraSeg" / f"p{number}.png")
    (path / "tiny.yaml").write_text(yaml.safe_dump(TABLE.to_dict()))
    (path / "labels.yaml").write_text("table: tiny.yaml\nencoding: grey\n")
    (path / "val.txt").write_text("# one\np1\n")
    return path


def recording(root: Path) -> Path:
    """Two episodes of two frames."""
    with RecordingWriter.create(
        root / "recording", TABLE, [Camera("front", 40, 24)], {"name": "test", "version": "1"}, 0.05
    ) as writer:
        for episode in ("a", "b"):
            writer.open_episode(episode, "T1", {"name": "ClearNoon", "sun_altitude_angle": 45.0})
            for frame in range(2):
                rgb, tags = draw_pair(frame)
                writer.append(frame, {"front": {"rgb": rgb, "semantic": tags}}, {"sim_time_s": frame * 0.05})
            writer.close_episode()
    return writer.path


def model(root: Path) -> Path:
    """A tiny network."""
    torch.manual_seed(0)
    network = UNetConfig("tiny", (4, 8), classes=len(CLASSES), norm="batch")
    weights = UNet(network).state_dict()
    return save_model(root / "model", weights, ModelInfo(network, CLASSES, Preprocessing((32, 32))))


def recorder_file(root: Path) -> Path:
    """The simulator's recorder: one actor over three moments."""
    still = (0.0, 0.0, 0.0)
    path = root / "recorder.log"
    writer = RecorderWriter(path, Header(1, "Carla/Maps/Town01", 7, "", 1, False))
    for k in range(3):
        states = States(moved=(Moved(24, Pose(1.0, 2.0), still, still),), shown=(Shown(3, k),))
        writer.write(Frame(Moment(k + 1, k * 50_000_000, 50_000_000, k), Events(removed=(k,)), pack_states(states)))
    writer.close()
    return path


def load_resealed(path: Path) -> None:
    """Load a model whose manifest was made anew: as from somebody who means it."""
    before = (path / MANIFEST).read_bytes()
    try:
        write_manifest(path, leave_out=(CARD,), format=FORMAT)
        load_model(path)
    finally:
        (path / MANIFEST).write_bytes(before)
