from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from trainer.dataset.check import advice, check_source, leak_gap_frames
from trainer.dataset.source import open_source

MakeFolder = Callable[..., Path]


def kinds(root: Path, leak_gap: int | None = None) -> dict[str, int]:
    report = check_source(open_source(root, strict=False), leak_gap=leak_gap)
    return report.to_dict()["counts"]


def stems(*frames: int) -> list[str]:
    return [f"{frame}_T01_CN_A" for frame in frames]


def test_clean_data_is_clean(make_folder: MakeFolder, make_recording: Callable[..., Path]) -> None:
    seen: list[int] = []
    report = check_source(open_source(make_folder(["a", "b"])), lambda done, total: seen.append(done))
    assert report.findings == () and report.problems == () and seen == [1, 2]
    assert abs(sum(report.tag_share.values()) - 1) < 1e-9 and set(report.tag_share) == {
        "None",
        "Roads",
        "Buildings",
        "Sky",
    }
    assert kinds(make_recording({"e": ("T", 3)})) == {}


def test_broken_pairs_are_all_reported(make_folder: MakeFolder) -> None:
    root = make_folder(["pa", "pb", "pc", "pd", "pe", "pf"])
    (root / "CameraSeg" / "pa.png").unlink()
    (root / "CameraRGB" / "pb.png").write_bytes(b"junk")
    (root / "CameraSeg" / "pc.png").write_bytes(b"")
    Image.new("L", (9, 9)).save(root / "CameraSeg" / "pd.png")
    Image.new("L", (40, 24), 200).save(root / "CameraSeg" / "pe.png")
    Image.new("RGB", (40, 24), (2, 3, 2)).save(root / "CameraRGB" / "pf.png")
    (root / "val.txt").write_text("pd\nnowhere\n")
    counts = kinds(root)
    assert counts == {"unreadable": 2, "mismatch": 1, "unknown_id": 1, "unpaired": 1, "list": 1, "black": 1}
    report = check_source(open_source(root, strict=False))
    (unknown,) = [finding for finding in report.findings if finding.kind == "unknown_id"]
    assert "200 (960 pixels)" in unknown.what and unknown.where.endswith("pe.png")
    json.dumps(report.to_dict())


def test_repeats(make_folder: MakeFolder) -> None:
    root = make_folder(stems(10, 20, 30, 40))
    pictures = [root / "CameraRGB" / f"{stem}.png" for stem in stems(10, 20, 30, 40)]
    shutil.copy(pictures[0], pictures[1])  # the one before: frozen
    shutil.copy(pictures[0], pictures[3])  # elsewhere: a duplicate
    assert kinds(root) == {"frozen": 1, "duplicate": 1}


def test_a_nearly_identical_picture_is_frozen(make_folder: MakeFolder) -> None:
    root = make_folder(stems(1, 2))
    first = np.asarray(Image.open(root / "CameraRGB" / "1_T01_CN_A.png")).astype(int)
    Image.fromarray(np.clip(first + 1, 0, 255).astype(np.uint8)).save(root / "CameraRGB" / "2_T01_CN_A.png")
    assert kinds(root) == {}, "a difference of a whole grey level everywhere is light that changed"
    first[0, :4] += 2
    Image.fromarray(np.clip(first, 0, 255).astype(np.uint8)).save(root / "CameraRGB" / "2_T01_CN_A.png")
    assert kinds(root) == {"frozen": 1}


@pytest.mark.parametrize(("speed_m_s", "kind"), [(0.0, "standing"), (9.0, "frozen")])
def test_standing_is_told_from_frozen(make_writer: Callable, pair: Callable, speed_m_s: float, kind: str) -> None:
    rgb, tags = pair(0)
    with make_writer() as writer:
        writer.open_episode("e", "T")
        for frame in range(2):
            writer.append(frame, {"front": {"rgb": rgb, "semantic": tags}}, {"velocity": [speed_m_s, 0, 0]})
        writer.close_episode()
    report = check_source(open_source(writer.path))
    assert report.to_dict()["counts"] == {kind: 1} and len(report.problems) == (kind == "frozen")


def test_leaks_between_the_lists(make_folder: MakeFolder) -> None:
    root = make_folder(stems(0, 1000, 2000, 3000, 3040, 5000, 6000))
    (root / "train.txt").write_text("\n".join(stems(0, 1000, 2000, 3000)))
    (root / "val.txt").write_text("\n".join(stems(1000, 3040, 5000, 6000)))
    shutil.copy(root / "CameraRGB" / "0_T01_CN_A.png", root / "CameraRGB" / "6000_T01_CN_A.png")
    report = check_source(open_source(root))
    leaks = {finding.where: finding.what for finding in report.findings if finding.kind == "leak"}
    assert set(leaks) == set(stems(1000, 3040, 6000))
    assert "train.txt and in val.txt" in leaks["1000_T01_CN_A"]
    assert "only 40 frames from 3000_T01_CN_A" in leaks["3040_T01_CN_A"]
    assert "the same picture as 0_T01_CN_A" in leaks["6000_T01_CN_A"]
    assert kinds(root, leak_gap=10)["leak"] == 2


@pytest.mark.parametrize(
    ("frames", "gap"),
    [((0, 3000, 6100), 100), ((0, 1, 2, 3), 10), ((0, 10, 20), 100), ((0, 4, 8), 40), ((7,), 10)],
)
def test_neighbours_by_the_spacing_of_an_episode(make_folder: MakeFolder, frames: tuple, gap: int) -> None:
    assert leak_gap_frames(open_source(make_folder(stems(*frames)))) == {"T01_CN_A": gap}


def test_neighbours_of_a_recording_by_time(make_recording: Callable[..., Path]) -> None:
    source = open_source(make_recording({"e": ("T", 2)}))
    assert leak_gap_frames(source) == {"e": 100}  # 5 s of 0.05 s


def test_torn_shards_and_open_episodes(
    make_recording: Callable[..., Path], make_writer: Callable, pair: Callable
) -> None:
    path = make_recording({"good": ("T", 2), "torn": ("T", 2)})
    shard = path / "episodes/torn/shard-00000.tar"
    shard.write_bytes(shard.read_bytes()[:-1300])
    with make_writer() as writer:
        writer.open_episode("left", "T")
        rgb, tags = pair(99)
        writer.append(0, {"front": {"rgb": rgb, "semantic": tags}})
    source = open_source(path)
    report = check_source(source)
    assert report.to_dict()["counts"] == {"torn": 2, "open": 1}
    assert report.worst == (("torn", 2, 1),)
    assert advice(report, source) == [f"rm -r '{path / 'episodes' / 'torn'}'"]


def test_a_changed_byte_in_a_shard_is_found(make_recording: Callable[..., Path]) -> None:
    path = make_recording({"e": ("T", 1)})
    shard = path / "episodes/e/shard-00000.tar"
    data = bytearray(shard.read_bytes())
    data[1500] ^= 16
    shard.write_bytes(data)
    assert kinds(path)["unreadable"] >= 1
