"""`train --submit URL`: the training as a job of a Ray cluster, by the REST interface of its dashboard.

What goes there is this package and its configurations, and the YAML files that the command names: nothing that merely lies
in the present folder, so no data, no `.env` and no `.git`. Data and storage are the cluster's.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import os
import secrets
import shlex
import sys
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from trainer.config import configs_dir
from trainer.errors import TrainingError, UsageError

MOST_BYTES = 50 << 20
_POLL_S = 1.0
_AWAY_S = 120.0
"""So long the cluster may not answer before the streaming of logs ends; the job itself goes on."""
_TIMEOUT_S = 30.0
_FILES = ("config", "classes", "network", "table")
"""Flags that may name a YAML file."""
_OWN = ("submit", "address")
_ENVIRONMENT = {
    # Ray kills a job 3 s after it asked it to stop: its last step must be saved by then.
    "RAY_JOB_STOP_WAIT_TIME_S": "60",
    # Lines come when they are printed.
    "PYTHONUNBUFFERED": "1",
}
_DONE = ("SUCCEEDED", "FAILED", "STOPPED")


class JobServer:
    """The jobs of a Ray cluster: http://HEAD:8265. Methods raise TrainingError."""

    def __init__(self, url: str, token: str | None):
        if not url.startswith(("http://", "https://")):
            raise UsageError(f"--submit {url!r}: expected the URL of a Ray dashboard, such as http://10.0.0.5:8265.")
        self.url, self.token = url.rstrip("/"), token

    def version(self) -> str:
        """Ray's version there."""
        return str(self._ask("GET", "/api/version")["ray_version"])

    def upload(self, package: bytes) -> str:
        """Have a package there; its URI. One with the same content is not sent again."""
        name = f"_ray_pkg_{hashlib.sha256(package).hexdigest()[:32]}.zip"
        if self._ask("GET", f"/api/packages/gcs/{name}", missing=True) is None:
            self._ask("PUT", f"/api/packages/gcs/{name}", package)
        return f"gcs://{name}"

    def submit(self, name: str, entrypoint: str, runtime_env: Mapping[str, Any]) -> str:
        """Start a job; its id."""
        body = {"submission_id": name, "entrypoint": entrypoint, "runtime_env": runtime_env}
        return str(self._ask("POST", "/api/jobs/", json.dumps(body).encode())["submission_id"])

    def details(self, job: str) -> dict[str, Any]:
        """`status`, `message`, `driver_exit_code` and more."""
        return dict(self._ask("GET", f"/api/jobs/{job}"))

    def logs(self, job: str) -> str:
        """All that the job has printed."""
        return str(self._ask("GET", f"/api/jobs/{job}/logs").get("logs") or "")

    def stop(self, job: str) -> None:
        """Send the job SIGTERM: it saves its step and ends."""
        self._ask("POST", f"/api/jobs/{job}/stop", b"")

    def _ask(self, method: str, path: str, data: bytes | None = None, missing: bool = False) -> Any:
        request = urllib.request.Request(self.url + path, data, method=method)
        if self.token:
            request.add_header("Authorization", f"Bearer {self.token}")
        if method == "POST" and data:
            request.add_header("Content-Type", "application/json")
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:
                body = answer.read()
        except urllib.error.HTTPError as error:
            with error:
                said = error.read().decode("utf-8", "replace").strip().splitlines()
            if error.code == 404 and missing:
                return None
            if error.code in (401, 403):
                what = "refuses this token" if self.token else "wants a token"
                raise TrainingError(
                    f"--submit {self.url}: the cluster {what} ({error.code}); put its token into RAY_AUTH_TOKEN or "
                    "~/.ray/auth_token (mode 0600)."
                ) from None
            why = said[-1] if said else error.reason
            raise TrainingError(
                f"--submit {self.url}: the cluster refused {method} {path} ({error.code}: {why})."
            ) from None
        except OSError as error:
            cause = error.reason if isinstance(error, urllib.error.URLError) else error
            raise Away(
                f"--submit {self.url}: nothing answers there ({cause}); check the URL and that its port can be reached."
            ) from None
        if not body or path.startswith("/api/packages"):
            return {}
        try:
            return json.loads(body)
        except ValueError:
            raise TrainingError(f"--submit {self.url}: no Ray dashboard answers there; check the URL.") from None


class Away(TrainingError):
    """Nothing answers, for now."""


def submit(url: str, arguments: Any, env: Mapping[str, str], ask: Callable[[str], str] | None = None) -> int:
    """Run a training there, print what it prints, and return its exit code.

    Args:
        arguments: a `TrainArguments`.
        env: environment variables that the job gets.
        ask: puts a question and returns the answer; None where nobody can be asked, and Ctrl-C stops the job.

    Raises:
        TrainingError: no cluster, no token, a package that is too large.
        KeyboardInterrupt: the job was stopped, or left running, by Ctrl-C.
    """
    if arguments.workers is None:
        raise UsageError("--submit: say how many --workers the cluster is to run, such as 4 or 1:4.")
    server = JobServer(url, read_token())
    version = server.version()
    files, argv = packed_command(arguments)
    package = make_package(files)
    if len(package) > MOST_BYTES:
        raise TrainingError(
            f"the package is {len(package) >> 20} MiB, more than {MOST_BYTES >> 20} MiB: {_largest(files)}; keep data out."
        )
    uri = server.upload(package)
    entrypoint = shlex.join(["python", "-m", "trainer", "train", *argv])
    name = f"carla-unet-{arguments.run}-{secrets.token_hex(4)}"
    job = server.submit(name, entrypoint, {"working_dir": uri, "env_vars": _ENVIRONMENT | dict(env)})
    print(f"job {job} on {server.url} (Ray {version}), package of {len(package) >> 10} KiB: {entrypoint}", flush=True)
    return follow(server, job, ask)


def follow(server: JobServer, job: str, ask: Callable[[str], str] | None) -> int:
    """Print a job's lines as they come, until it ends; its exit code. Ctrl-C: see `submit`."""
    shown, away_since = 0, None
    stopping = False
    while True:
        try:
            details = server.details(job)  # before its logs: what it printed last is then in them
            logs = server.logs(job)
            print(logs[shown:], end="", flush=True)
            shown, away_since = len(logs), None
            if details["status"] in _DONE:
                return _exit_code(job, details)
            time.sleep(_POLL_S)  # the interface has nothing to wait for, but for a websocket
        except Away:
            away_since = away_since or time.monotonic()
            if time.monotonic() - away_since > _AWAY_S:
                raise
            time.sleep(_POLL_S)
        except KeyboardInterrupt:
            wish = "stop" if stopping or ask is None else ask("\nstop the job, or leave it running? [stop/leave] ")
            if wish.strip().lower().startswith("l"):
                print(f"job {job} goes on; the same command with another --submit would be another job.", flush=True)
                raise
            if stopping:
                raise
            stopping = True
            print("stopping the job: its step is saved; again to wait no longer.", flush=True)
            server.stop(job)


def _exit_code(job: str, details: Mapping[str, Any]) -> int:
    if details["status"] == "SUCCEEDED":
        return 0
    if details["status"] == "STOPPED":
        raise KeyboardInterrupt
    message = str(details.get("message") or "no reason was given").strip().splitlines()[-1]
    print(f"carla-unet train: job {job} failed: {message}", file=sys.stderr)
    code = details.get("driver_exit_code")
    return code if isinstance(code, int) and 0 < code < 256 else 1


def packed_command(arguments: Any) -> tuple[dict[str, Path], list[str]]:
    """Name in the package -> file, and the flags of `train` there."""
    package = Path(__file__).resolve().parent
    files = {f"trainer/{p.relative_to(package).as_posix()}": p for p in sorted(package.rglob("*.py"))}
    configs = configs_dir()
    place = "trainer/configs" if configs.parent == package else "configs"
    files |= {f"{place}/{p.relative_to(configs).as_posix()}": p for p in sorted(configs.rglob("*.yaml"))}
    argv: list[str] = []
    for field in dataclasses.fields(arguments):
        value, flag = getattr(arguments, field.name), f"--{field.name.replace('_', '-')}"
        if field.name in _OWN or value == field.default:
            continue
        if field.name in _FILES and str(value).endswith((".yaml", ".yml")):
            file = Path(value).expanduser()
            if not file.is_file():
                raise UsageError(f"{flag} {value}: there is no such file; check the path.")
            files[f"given/{field.name}.yaml"] = file
            value = f"given/{field.name}.yaml"
        if value is True:
            argv.append(flag)
        else:
            argv += [flag, *map(str, value if isinstance(value, tuple) else (value,))]
    return files, argv


def make_package(files: Mapping[str, Path]) -> bytes:
    """A zip of these files; the same files give the same bytes."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, file in sorted(files.items()):
            archive.writestr(zipfile.ZipInfo(name), file.read_bytes(), zipfile.ZIP_DEFLATED)
    return data.getvalue()


def read_token() -> str | None:
    """The token of the cluster, as Ray itself finds it; None where there is none.

    Raises:
        TrainingError: others may read the file that it is in.
    """
    given = os.environ.get("RAY_AUTH_TOKEN")
    if given:
        return given.strip()
    named = os.environ.get("RAY_AUTH_TOKEN_PATH")
    file = Path(named).expanduser() if named else Path.home() / ".ray" / "auth_token"
    if not file.is_file():
        return None
    if os.name != "nt" and file.stat().st_mode & 0o077:
        raise TrainingError(f"{file}: others on this machine may read this token; chmod 600 it.")
    return file.read_text(encoding="ascii").strip()


def _largest(files: Mapping[str, Path]) -> str:
    sizes = sorted(((file.stat().st_size, str(file)) for file in files.values()), reverse=True)
    return ", ".join(f"{file} {size >> 20} MiB" for size, file in sizes[:3])
