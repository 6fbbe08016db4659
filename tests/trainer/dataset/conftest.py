"""Small labelled data for the tests of this folder, made anew in each test's own folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from trainer.dataset.recording import Camera
from trainer.dataset.writer import RecordingWriter
from trainer.labels import ClassList, LabelClass, LabelTable, Tag

TABLE = LabelTable(
    "tiny",
    (
        Tag(0, "None", (0, 0, 0)),
        Tag(1, "Roads", (128, 64, 128)),
        Tag(3, "Buildings", (70, 70, 70)),
        Tag(11, "Sky", (70, 130, 180)),
    ),
)
CLASSES = ClassList(
    "two", (LabelClass("road", (128, 64, 128), ("Roads",)), LabelClass("building", (70, 70, 70), ("Buildings",)))
)
IDS = (0, 1, 3, 11)


def draw_pair(seed: int, height: int = 24, width: int = 40) -> tuple[np.ndarray, np.ndarray]:
    """(H, W, 3) uint8 picture and (H, W) uint8 tags of the tiny table; another seed gives another picture."""
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (height, width, 3), np.uint8), rng.choice(np.array(IDS, np.uint8), (height, width))


@pytest.fixture
def table() -> LabelTable:
    return TABLE


@pytest.fixture
def classes() -> ClassList:
    return CLASSES


@pytest.fixture
def pair() -> Callable[..., tuple[np.ndarray, np.ndarray]]:
    return draw_pair


@pytest.fixture
def make_folder(tmp_path: Path) -> Callable[..., Path]:
    """make_folder(stems, name='data'): a folder of pictures, encoding grey, with its own table file."""
    import yaml

    def make(stems: list[str], name: str = "data", labels: str = "CameraSeg") -> Path:
        root = tmp_path / name
        (root / "CameraRGB").mkdir(parents=True)
        (root / labels).mkdir()
        for index, stem in enumerate(stems):
            rgb, tags = draw_pair(index)
            Image.fromarray(rgb).save(root / "CameraRGB" / f"{stem}.png")
            Image.fromarray(tags).save(root / labels / f"{stem}.png")
        (root / "tiny.yaml").write_text(yaml.safe_dump(TABLE.to_dict()))
        (root / "labels.yaml").write_text("table: tiny.yaml\nencoding: grey\n")
        return root

    return make


@pytest.fixture
def make_writer(tmp_path: Path) -> Callable[..., RecordingWriter]:
    """make_writer(name='rec', **changes): a writer of one 40x24 camera `front`; changes go to create."""

    def make(name: str = "rec", **changes: object) -> RecordingWriter:
        arguments: dict = {
            "table": TABLE,
            "rig": [Camera("front", 40, 24)],
            "simulator": {"name": "test", "version": "1"},
            "step_s": 0.05,
        }
        return RecordingWriter.create(tmp_path / name, **(arguments | changes))

    return make


@pytest.fixture
def make_recording(make_writer: Callable[..., RecordingWriter]) -> Callable[..., Path]:
    """make_recording({episode: (town, frames)}, name='rec'): a closed recording; frame n's picture has seed n."""

    def make(episodes: dict[str, tuple[str, int]], name: str = "rec", **changes: object) -> Path:
        with make_writer(name, **changes) as writer:
            for number, (episode, (town, frames)) in enumerate(episodes.items()):
                writer.open_episode(episode, town, {"name": "ClearNoon", "sun_altitude_angle": 45.0})
                for frame in range(frames):
                    rgb, tags = draw_pair(1000 * number + frame)
                    writer.append(frame, {"front": {"rgb": rgb, "semantic": tags}}, {"sim_time_s": frame * 0.05})
                writer.close_episode()
        return writer.path

    return make
