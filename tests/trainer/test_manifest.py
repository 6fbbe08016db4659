"""A folder is whole or it is not, and a sentence says which."""

import json

import pytest

from trainer.errors import ModelError
from trainer.manifest import MANIFEST, check_manifest, read_json, sha256_of, write_json, write_manifest


@pytest.fixture
def sealed(tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "a.bin").write_bytes(b"a" * 3000)
    (folder / "note.md").write_text("may be edited")
    write_manifest(folder, leave_out=("note.md",), format=1)
    return folder


def test_a_sealed_folder_is_whole(sealed):
    manifest = check_manifest(sealed, "model")
    assert manifest["format"] == 1
    assert manifest["files"] == {"a.bin": {"sha256": sha256_of(sealed / "a.bin"), "bytes": 3000}}
    (sealed / "note.md").write_text("edited")
    check_manifest(sealed, "model")
    assert not [p for p in sealed.iterdir() if p.name.endswith(".tmp")]


def test_a_changed_byte_is_named(sealed):
    data = bytearray((sealed / "a.bin").read_bytes())
    data[1234] ^= 1
    (sealed / "a.bin").write_bytes(data)
    with pytest.raises(ModelError, match=r"a\.bin: differs from what manifest\.json says"):
        check_manifest(sealed, "model")


def test_a_missing_file_is_named(sealed):
    (sealed / "a.bin").unlink()
    with pytest.raises(ModelError, match=r"not a whole model, a\.bin is missing"):
        check_manifest(sealed, "model")


def test_a_folder_that_was_never_sealed_is_named(sealed):
    (sealed / MANIFEST).unlink()
    with pytest.raises(ModelError, match=r"not a whole model, manifest\.json is missing"):
        check_manifest(sealed, "model")


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(ModelError, match="there is no such model folder"):
        check_manifest(tmp_path / "nowhere", "model")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"files": 3}'])
def test_a_manifest_that_is_none(sealed, text):
    (sealed / MANIFEST).write_text(text)
    with pytest.raises(ModelError, match=r"manifest\.json: (can't be read as JSON|lists no files)"):
        check_manifest(sealed, "model")


def test_json_replaces_in_one_piece(tmp_path):
    path = tmp_path / "x.json"
    write_json(path, {"a": 1})
    with pytest.raises(ValueError, match="not JSON compliant|Out of range"):
        write_json(path, {"a": float("nan")})
    assert json.loads(path.read_text()) == read_json(path, "test") == {"a": 1}
