"""Whatever a file holds: it is read, or refused by a sentence that names it; nothing else happens."""

from __future__ import annotations

import io
import json
import os
import struct
import subprocess
import sys
import tarfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from tests.faults import damage, samples
from trainer.config import load_yaml
from trainer.dataset.export import LAYOUTS, export_source
from trainer.dataset.pictures import decode_label, decode_rgb
from trainer.dataset.repair import mend_recording
from trainer.dataset.source import open_source
from trainer.errors import ConfigError, DataError, ModelError
from trainer.labels import load_label_table
from trainer.model_dir import load_model

ROOT = Path(__file__).resolve().parents[2]


def test_damaged_files_of_every_kind(tmp_path: Path) -> None:
    kinds = damage.kinds(tmp_path / "files")
    before = _everything(tmp_path)
    for kind in kinds:
        kind.read()  # whole
    outcome = damage.assault(kinds, 8 * len(kinds), seed=1)
    assert outcome.wrong == []
    refused = {name for name, (_, count) in outcome.by_kind.items() if count}
    assert len(refused) > len(kinds) * 0.7, "hardly anything was damaged"
    assert {name for name in _everything(tmp_path) - before if "mended" not in name} == set()


@pytest.mark.slow
def test_10_000_damaged_files_within_bounded_memory(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "tests.faults.damage", str(tmp_path / "files"), "--tries", "10000"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        check=True,
        timeout=1500,
    )
    outcome = json.loads(done.stdout)
    assert outcome["wrong"] == [] and outcome["tried"] == 10_000 and outcome["refused"] > 5000
    assert outcome["grew_mb"] < 200


def _everything(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def _png(width: int, height: int, pixels: bytes) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(pixels, 9)) + chunk(b"IEND", b"")
    )


def _jpeg(width: int, height: int) -> bytes:
    """A whole JPEG whose header says another size."""
    file = io.BytesIO()
    Image.new("RGB", (16, 16)).save(file, "JPEG")
    data = bytearray(file.getvalue())
    at = data.index(b"\xff\xc0")
    data[at + 5 : at + 9] = struct.pack(">HH", height, width)
    return bytes(data)


@pytest.mark.parametrize(
    "data",
    [_png(60_000, 60_000, b""), _png(13_000, 13_000, bytes(13_001 * 100)), _jpeg(60_000, 60_000), _jpeg(9000, 9000)],
    ids=["PNG 60000", "PNG 13000 of zeros", "JPEG 60000", "JPEG 9000"],
)
def test_a_header_that_claims_a_giant_costs_no_memory(data: bytes) -> None:
    table = load_label_table("carla-0.9.14")
    readers: list[Callable[[], object]] = [lambda: decode_rgb(data, "x.png")]
    if data.startswith(b"\x89PNG"):
        readers.append(lambda: decode_label(data, "grey", table, "x.png"))
    before_mb = damage.peak_mb()
    for read in readers:
        with pytest.raises(DataError, match=r"x\.png: the (picture|label) "):
            read()
    assert damage.peak_mb() - before_mb < 50


def test_a_picture_that_inflates_to_more_than_it_says_is_read_as_far_as_it_says() -> None:
    bomb = _png(8, 8, bytes(40_000_000))
    before_mb = damage.peak_mb()
    assert decode_rgb(bomb, "x.png").shape == (8, 8, 3)
    assert damage.peak_mb() - before_mb < 20


LAUGHS = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"a{k}: &a{k} [{','.join([f'*a{k - 1}'] * 9)}]\n" for k in range(1, 12)
)


@pytest.mark.parametrize(
    "text",
    [
        LAUGHS,
        "a: &a [*a]\n",
        "[" * 1_000_000,
        "a: " + "[" * 500 + "]" * 500,
        "- " * 100_000,
        "? " * 100_000,
        "a: !!python/object/apply:os.system ['touch evil']\n",
        "a: !!python/name:os.system\n",
        "a: 2026-13-45\n",
        "a: \x00\n",
        "x",
        "- 1\n",
    ],
    ids=["laughs", "itself", "brackets", "deep", "dashes", "keys", "call", "name", "date", "zero", "word", "list"],
)
def test_yaml_that_is_no_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "c.yaml").write_text(text)
    before_mb = damage.peak_mb()
    with pytest.raises(ConfigError, match=r"c\.yaml") as caught:
        load_yaml(tmp_path / "c.yaml")
    assert len(str(caught.value)) < 500
    assert damage.peak_mb() - before_mb < 100
    assert os.listdir(tmp_path) == ["c.yaml"]


def test_anchors_as_people_use_them_are_read(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text("a: &a {x: 1}\nb: *a\nc: [*a, *a]\n")
    assert load_yaml(tmp_path / "c.yaml") == {"a": {"x": 1}, "b": {"x": 1}, "c": [{"x": 1}, {"x": 1}]}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_names_in_a_shard_write_nothing_outside(tmp_path: Path, layout: str) -> None:
    recording = samples.recording(tmp_path / "in")
    shard = recording / "episodes/a/shard-00000.tar"
    with tarfile.open(shard) as tar:
        members = [(member.name, tar.extractfile(member).read()) for member in tar]  # type: ignore[union-attr]
    with tarfile.open(shard, "w", format=tarfile.USTAR_FORMAT) as tar:
        for number, prefix in enumerate((f"{tmp_path}/evil", "a/../../../evil", "..", "~", "-rf", "00000007")):
            for name, data in members[:3]:
                info = tarfile.TarInfo(f"{prefix}{number if number < 2 else ''}.{name.partition('.')[2]}")
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE):
            info = tarfile.TarInfo("00000009.front.rgb.png")
            info.type, info.linkname = kind, "/etc/passwd"
            tar.addfile(info)
    before = _everything(tmp_path)
    mend_recording(recording)
    source = open_source(recording)
    damage.read_all(source)
    assert len(source.frames) > 2
    export_source(source, tmp_path / "out", layout)
    new = {Path(name) for name in _everything(tmp_path) - before}
    # in the recording: the index, the lock, what was torn; and the export
    assert all(name.parts[0] == "out" or name.is_relative_to(recording.relative_to(tmp_path)) for name in new)
    assert not [name for name in new if name.name.startswith("evil") or name.is_absolute()]
    assert not any("evil" in str(path) for path in tmp_path.parent.iterdir())


@pytest.mark.parametrize("what", ["fifo", "folder", "dangling link", "loop"])
def test_a_shard_that_is_no_file_is_passed_over(tmp_path: Path, what: str) -> None:
    recording = samples.recording(tmp_path)
    odd = recording / "episodes/a/shard-00001.tar"
    if what == "fifo":
        os.mkfifo(odd)
    elif what == "folder":
        odd.mkdir()
    else:
        odd.symlink_to("nowhere" if what == "dangling link" else odd)
    assert len(open_source(recording).frames) == 4


def test_a_network_of_any_size_is_refused_before_it_is_made(tmp_path: Path) -> None:
    model = samples.model(tmp_path)
    before_mb = damage.peak_mb()
    for widths in ([1 << 20, 1 << 20], [1 << 40, 1 << 40], [8] * 10_000):
        values = json.loads((model / "model.json").read_text())
        values["network"]["widths"] = widths
        (model / "model.json").write_text(json.dumps(values))
        with pytest.raises(ModelError, match="model"):
            samples.load_resealed(model)
    assert damage.peak_mb() - before_mb < 100


@pytest.mark.parametrize("length", [1 << 31, 1 << 62, (1 << 64) - 1])
def test_weights_that_promise_more_than_there_is(tmp_path: Path, length: int) -> None:
    model = samples.model(tmp_path)
    weights = model / "model.safetensors"
    weights.write_bytes(struct.pack("<Q", length) + weights.read_bytes()[8:])
    with pytest.raises(ModelError, match="safetensors"):
        samples.load_resealed(model)


def test_a_manifest_that_names_files_elsewhere_reads_none_of_them(tmp_path: Path) -> None:
    model = samples.model(tmp_path)
    manifest = json.loads((model / "manifest.json").read_text())
    manifest["files"]["../outside"] = manifest["files"]["model.json"]
    (tmp_path / "outside").write_bytes((model / "model.json").read_bytes())
    (model / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(ModelError, match="manifest"):
        load_model(model)
