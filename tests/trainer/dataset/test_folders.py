from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from trainer.dataset.folders import frames_of_stems
from trainer.dataset.source import FrameRef, open_source
from trainer.errors import ConfigError, DataError, LabelError
from trainer.labels import LabelTable

MakeFolder = Callable[..., Path]


@pytest.mark.parametrize("labels", ["CameraSeg", "CameraMask"])
def test_a_folder_is_read(make_folder: MakeFolder, pair: Callable, labels: str) -> None:
    source = open_source(make_folder(["b0", "b1"], labels=labels))
    assert [ref.key for ref in source.frames] == ["b0", "b1"]
    rgb, tags = pair(1)
    np.testing.assert_array_equal(source.read_rgb(source.frames[1]), rgb)
    np.testing.assert_array_equal(source.read_tags(source.frames[1]), tags)
    assert source.lists == {} and source.name == "data"


@pytest.mark.parametrize("encoding", ["grey", "red", "palette", "max"])
def test_every_encoding_gives_the_same_ids(
    make_folder: MakeFolder, pair: Callable, table: LabelTable, encoding: str
) -> None:
    root = make_folder(["0"])
    _, tags = pair(0)
    zero = np.zeros_like(tags)
    stored = {
        "grey": tags,
        "red": np.dstack([tags, zero, zero]),
        "palette": np.dstack([table.colours()[tags], np.full_like(tags, 255)]),  # RGBA, as CARLA saves it
        "max": np.dstack([zero, tags, zero]),
    }[encoding]
    Image.fromarray(stored).save(root / "CameraSeg" / "0.png")
    source = open_source(root, encoding=encoding)
    np.testing.assert_array_equal(source.read_tags(source.frames[0]), tags)


def test_a_jpeg_picture_is_read(make_folder: MakeFolder) -> None:
    root = make_folder(["0"])
    grey = np.full((24, 40, 3), 90, np.uint8)
    Image.fromarray(grey).save(root / "CameraRGB" / "0.jpg")
    (root / "CameraRGB" / "0.png").unlink()
    source = open_source(root)
    np.testing.assert_allclose(source.read_rgb(source.frames[0]), grey, atol=2)
    assert source.read_tags(source.frames[0]).shape == (24, 40)


def test_names_of_drives_are_understood_only_when_all_have_the_form() -> None:
    stems = ["100_T01_CN_A", "20_T02_CS_J"]
    assert frames_of_stems(stems) == (
        FrameRef("100_T01_CN_A", "T01_CN_A", "T01", "CN", 100),
        FrameRef("20_T02_CS_J", "T02_CS_J", "T02", "CS", 20),
    )
    assert [ref.town for ref in frames_of_stems([*stems, "b7"])] == ["", "", ""]
    assert frames_of_stems(["b7"]) == (FrameRef("b7", "", "", "", 7),)


def test_list_files(make_folder: MakeFolder) -> None:
    root = make_folder(["a", "b", "c"])
    (root / "val.txt").write_text("# held out\nb\n\nc.png\n")
    assert open_source(root).lists == {"train": ("a",), "val": ("b", "c")}
    (root / "train.txt").write_text("a\n")
    (root / "val.txt").write_text("b\n")
    assert open_source(root).lists == {"train": ("a",), "val": ("b",)}
    (root / "val.txt").write_text("b\nbb0\n")
    with pytest.raises(DataError, match=r"val.txt line 2: there is no picture or episode 'bb0'"):
        open_source(root)
    assert len(open_source(root, strict=False).missing_from_lists) == 1


def sixteen_bit(root: Path) -> None:
    Image.fromarray(np.zeros((24, 40), np.uint16)).save(root / "CameraSeg" / "0.png")


def jpeg_label(root: Path) -> None:
    Image.fromarray(np.zeros((24, 40), np.uint8)).save(root / "CameraSeg" / "0.png", "JPEG")


def other_size(root: Path) -> None:
    Image.fromarray(np.zeros((20, 40), np.uint8)).save(root / "CameraSeg" / "0.png")


def unknown_id(root: Path) -> None:
    tags = np.zeros((24, 40), np.uint8)
    tags[:3, :3] = 99
    Image.fromarray(tags).save(root / "CameraSeg" / "0.png")


def cut_label(root: Path) -> None:
    file = root / "CameraSeg" / "0.png"
    file.write_bytes(file.read_bytes()[:-60])


def empty_label(root: Path) -> None:
    (root / "CameraSeg" / "0.png").write_bytes(b"")


def coloured_label(root: Path) -> None:
    Image.fromarray(np.dstack([np.full((24, 40), value, np.uint8) for value in (1, 2, 3)])).save(
        root / "CameraSeg" / "0.png"
    )


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (sixteen_bit, "16 bits a pixel; 8-bit tag ids are expected"),
        (jpeg_label, "the label is a JPEG"),
        (other_size, "the label is 40x20 pixels, its picture is 40x24"),
        (unknown_id, r"unknown tag id 99 \(9 pixels\)"),
        (cut_label, "truncated or damaged"),
        (empty_label, "the label is empty"),
        (coloured_label, "is it 'red', 'palette' or 'max'"),
    ],
)
def test_a_bad_label_is_named(make_folder: MakeFolder, damage: Callable[[Path], None], message: str) -> None:
    root = make_folder(["0"])
    damage(root)
    source = open_source(root)
    with pytest.raises(DataError, match=message) as caught:
        source.read_tags(source.frames[0])
    assert str(root / "CameraSeg" / "0.png") in str(caught.value)


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_a_truncated_picture_is_named(make_folder: MakeFolder, pair: Callable, suffix: str) -> None:
    root = make_folder(["0"])
    (root / "CameraRGB" / "0.png").unlink()
    file = root / "CameraRGB" / f"0{suffix}"
    Image.fromarray(pair(0)[0]).save(file)
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    source = open_source(root)
    with pytest.raises(DataError, match=f"0{suffix}: the picture is truncated or damaged"):
        source.read_rgb(source.frames[0])


def test_a_sixteen_bit_picture_is_named(make_folder: MakeFolder) -> None:
    root = make_folder(["0"])
    Image.fromarray(np.zeros((24, 40), np.uint16)).save(root / "CameraRGB" / "0.png")
    source = open_source(root)
    with pytest.raises(DataError, match="16 or more bits a channel"):
        source.read_rgb(source.frames[0])


def test_a_colour_that_the_table_lacks_is_named(make_folder: MakeFolder) -> None:
    root = make_folder(["0"])
    colours = np.zeros((24, 40, 3), np.uint8)
    colours[0, :4] = (9, 8, 7)
    Image.fromarray(colours).save(root / "CameraSeg" / "0.png")
    source = open_source(root, encoding="palette")
    with pytest.raises(DataError, match=r"not in label table tiny: \(9,8,7\) on 4 pixels"):
        source.read_tags(source.frames[0])


@pytest.mark.parametrize(("gone", "message"), [("CameraSeg", "has no label"), ("CameraRGB", "has no picture")])
def test_a_pair_without_its_half_is_refused(make_folder: MakeFolder, gone: str, message: str) -> None:
    root = make_folder(["0", "1"])
    (root / gone / "1.png").unlink()
    with pytest.raises(DataError, match=message):
        open_source(root)
    loose = open_source(root, strict=False)
    assert len(loose.unpaired) == 1 and [ref.key for ref in loose.frames] == ["0"]


def test_two_pictures_of_one_stem_are_refused(make_folder: MakeFolder) -> None:
    root = make_folder(["0"])
    Image.new("RGB", (40, 24)).save(root / "CameraRGB" / "0.jpg")
    with pytest.raises(DataError, match="share a stem"):
        open_source(root)


def test_what_cannot_be_opened_says_why(make_folder: MakeFolder, tmp_path: Path) -> None:
    root = make_folder(["0"])
    with pytest.raises(DataError, match="no such folder; expected a recording"):
        open_source(tmp_path / "nothing")
    with pytest.raises(DataError, match="is a file"):
        open_source(root / "labels.yaml")
    with pytest.raises(DataError, match=r"no data in a known layout; .*; did you mean .*data\?"):
        open_source(tmp_path)
    with pytest.raises(DataError, match="no label encoding 'gray'; did you mean 'grey'"):
        open_source(root, encoding="gray")
    with pytest.raises(LabelError, match=r"no label table 'carla-0.9.1'"):
        open_source(root, table="carla-0.9.1")
    with pytest.raises(DataError, match="has no cameras"):
        open_source(root, camera="front")
    (root / "labels.yaml").write_text("tables: x\n")
    with pytest.raises(ConfigError, match="unknown key 'tables'; did you mean 'table'"):
        open_source(root)
    (root / "labels.yaml").unlink()
    with pytest.raises(DataError, match=r"write labels.yaml .* or pass --table and --encoding"):
        open_source(root)
    for half in ("CameraRGB", "CameraSeg"):
        (root / half / "0.png").unlink()
    with pytest.raises(DataError, match="hold no PNG or JPEG"):
        open_source(root, table=str(root / "tiny.yaml"), encoding="grey")


def test_fingerprint_follows_content_and_not_place(make_folder: MakeFolder) -> None:
    a, b = open_source(make_folder(["0", "1"])), open_source(make_folder(["0", "1"], name="copy"))
    assert a.fingerprint() == b.fingerprint()
    file = b.path / "CameraSeg" / "0.png"
    Image.fromarray(np.zeros((24, 40), np.uint8)).save(file)
    assert a.fingerprint() != open_source(b.path).fingerprint()


def test_content_key_changes_with_either_file(make_folder: MakeFolder) -> None:
    source = open_source(make_folder(["0"]))
    keys = {source.content_key(source.frames[0])}
    for half in ("CameraRGB", "CameraSeg"):
        file = source.path / half / "0.png"
        os.utime(file, ns=(1, 10**18))
        keys.add(source.content_key(source.frames[0]))
    assert len(keys) == 3
