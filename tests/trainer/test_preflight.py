"""A node that can't take part is named before anything starts, with the path and what to do."""

import pytest

from trainer import preflight
from trainer.bucket import Bucket
from trainer.errors import TrainingError
from trainer.preflight import NodeReport, check_nodes, look_at_node, own_versions, refuse

MINE = {"python": "3.11", "ray": "2.60.0", "torch": "2.13.0"}


def refusal(versions=MINE, troubles=(), written=()):
    with pytest.raises(TrainingError) as caught:
        refuse(NodeReport("gpu7", versions, dict(troubles)), MINE, dict(written))
    return str(caught.value)


def test_another_version_is_named_with_both_numbers():
    said = refusal(versions={"python": "3.10", "ray": "2.60.0"})
    assert said.startswith("node gpu7: python 3.10 there, 3.11 here; torch missing there, 2.13.0 here; install")


def test_a_folder_that_is_not_shared_is_named():
    assert "node gpu7: /runs/a: is not there" in refusal(troubles={"/runs/a": "is not there"})
    assert "node gpu7: /runs/a: what it writes there does not arrive here" in refusal(written={"/runs/a": False})
    refuse(NodeReport("gpu7", MINE, {}), MINE, {"/runs/a": True})


def test_a_bucket_that_a_node_does_not_reach_is_told_with_the_node(monkeypatch):
    said = "s3://runs/a: can't be used (nothing answers there)."
    with pytest.raises(TrainingError, match=r"node gpu7: s3://runs/a: can't be used"):
        refuse(NodeReport("gpu7", MINE, {}, said), MINE, {})

    def unreachable(bucket):
        raise TrainingError(said)

    monkeypatch.setattr(Bucket, "check", unreachable)
    assert look_at_node([], "t", "n1", Bucket("runs/a")).bucket_trouble == said
    assert look_at_node([], "t", "n1").bucket_trouble == ""


def test_what_a_node_looks_at(tmp_path):
    shared, other, lacking = (tmp_path / name for name in ("shared", "other", "lacking"))
    for folder in (shared, other):
        folder.mkdir()
    (shared / ".preflight-t").write_text("t")
    (other / ".preflight-t").write_text("of an earlier check")
    report = look_at_node([str(shared), str(other), str(lacking)], "t", "n1")
    assert report.versions == own_versions() and "torch" in report.versions
    assert report.troubles == {
        str(other): "is another folder there",
        str(lacking): "is not there, or is another folder there",
    }
    assert (shared / ".preflight-t-n1").read_text() == "t"


def test_every_node_of_a_running_ray_is_asked_and_nothing_is_left(shared_ray, tmp_path, monkeypatch):
    assert check_nodes([tmp_path]) == 1
    assert not list(tmp_path.iterdir())
    monkeypatch.setattr(preflight, "own_versions", lambda: MINE | {"ray": "2.9.0"})
    with pytest.raises(TrainingError, match=r"node .*: .*ray [\d.]+ there, 2.9.0 here"):
        check_nodes([tmp_path])
    assert not list(tmp_path.iterdir())
