"""The command's own Ray: its token, and one that is there already."""

import socket
import stat
from pathlib import Path

import pytest

from trainer import local_ray
from trainer.errors import TrainingError, UsageError
from trainer.local_ray import LocalRay, check_address


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    monkeypatch.delenv("RAY_AUTH_TOKEN", raising=False)
    monkeypatch.delenv("RAY_AUTH_TOKEN_PATH", raising=False)
    return tmp_path


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_the_token_is_made_once_and_for_the_user_alone(home):
    local_ray._ensure_token()
    token = home / ".ray" / "auth_token"
    first = token.read_text()
    assert len(first) == 64 and mode(token) == 0o600
    token.chmod(0o644)  # as Ray itself leaves it
    local_ray._ensure_token()
    assert token.read_text() == first and mode(token) == 0o600


def test_a_token_that_is_given_otherwise_is_left_alone(home, monkeypatch):
    monkeypatch.setenv("RAY_AUTH_TOKEN", "x" * 64)
    local_ray._ensure_token()
    assert not (home / ".ray").exists()


def test_a_ray_that_runs_already_is_used_and_left_running(shared_ray):
    import ray

    with LocalRay(1) as again:
        again.wait()
        assert ray.is_initialized()
    assert ray.is_initialized()


def test_what_the_start_raised_is_raised_where_ray_is_needed(monkeypatch):
    import ray

    monkeypatch.setattr(ray, "is_initialized", lambda: 1 / 0)
    with LocalRay(1) as local, pytest.raises(ZeroDivisionError):
        local.wait()


def test_an_address_where_nothing_answers_is_said_at_once():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        port = taken.getsockname()[1]
        with pytest.raises(TrainingError, match=rf"--address 127.0.0.1:{port}: nothing answers there"):
            check_address(f"127.0.0.1:{port}")
    for text in ("head", ":6379", "head:", "ray://head"):
        with pytest.raises(UsageError, match="expected HOST:PORT"):
            check_address(text)
    check_address("auto")


def test_an_address_that_listens_is_left_to_ray():
    with socket.create_server(("127.0.0.1", 0)) as server:
        check_address(f"127.0.0.1:{server.getsockname()[1]}")
