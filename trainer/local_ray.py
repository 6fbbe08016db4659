"""A Ray on this machine for one command: started in the background, quiet, fenced by a token, ended with the command."""

from __future__ import annotations

import logging
import os
import secrets
import sys
import threading
from pathlib import Path
from types import TracebackType
from typing import Any

from trainer.hardware import available_cpus

_ENVIRONMENT = {
    # A returned report is committed at the controller's next poll (2 s by default).
    "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.5",
    "RAY_TRAIN_WORKER_HEALTH_CHECK_TIMEOUT_S": "60",
    "RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S": "120",
    "RAY_TRAIN_METRICS_ENABLED": "0",
    # Nobody takes this machine away from itself: one actor less to start (3 s of a core).
    "RAY_TRAIN_ENABLE_PREEMPTION_WATCHER": "0",
    # Ray runs its workers at nice 15, where anything busy on the machine all but stops a training run.
    "RAY_worker_niceness": "0",
    "RAY_AUTH_MODE": "token",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}


def prepare_ray() -> None:
    """Set Ray's environment; Ray reads its authentication mode at its first import, so this comes before it."""
    if "ray" in sys.modules and "RAY_AUTH_MODE" not in os.environ:
        return  # imported by somebody else first: its own defaults are in force and must stay
    for key, value in _ENVIRONMENT.items():
        os.environ.setdefault(key, value)
    _ensure_token()


class LocalRay:
    """`with LocalRay(cpus) as local:` starts Ray side by side with what follows; `local.wait()` before it is used.

    A Ray that runs in this process already is used as it is, and left running.
    """

    def __init__(self, cpus: int):
        self.cpus = max(cpus, available_cpus())
        self._ready, self._end = threading.Event(), threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._live, name="local Ray")

    def __enter__(self) -> LocalRay:
        prepare_ray()
        self._thread.start()
        return self

    def wait(self) -> None:
        """Return when Ray is there; raises what its start raised."""
        self._ready.wait()
        if self._error is not None:
            raise self._error

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end.set()
        self._thread.join()

    def _live(self) -> None:
        """Start Ray and end it, in one thread that lives all the while.

        Linux kills Ray's processes when the thread that started them ends, not only when the process does.
        """
        try:
            import ray

            if ray.is_initialized():
                return
            # Off the main thread Ray sets no handler in Python, and warns of it; the driver minds signals itself.
            logging.getLogger("ray").setLevel(logging.ERROR)
            ray.init(
                num_cpus=self.cpus,
                include_dashboard=False,
                log_to_driver=False,
                logging_level="ERROR",
                object_store_memory=100 * 1024 * 1024,
            )
            self._coordinator = _start_coordinator()
            self._ready.set()
            self._end.wait()
            ray.shutdown()
        except BaseException as error:  # raised by wait(), in the thread that needs Ray
            self._error = error
        finally:
            self._ready.set()


def _start_coordinator() -> Any:
    """Start the actor that Ray Train asks for resources, or None where this Ray has it elsewhere.

    Ray Train starts it when it needs it and waits (3 s): earlier, it starts while the driver is still importing PyTorch.
    """
    try:
        from ray.data._internal.cluster_autoscaler import get_or_create_autoscaling_coordinator
    except ImportError:
        return None
    return get_or_create_autoscaling_coordinator()


def _ensure_token() -> None:
    """Ray's ports listen on all interfaces, also for a local job, and this token is their only fence.

    Ray makes one by itself, readable for everybody on the machine.
    """
    if os.environ.get("RAY_AUTH_TOKEN") or os.environ.get("RAY_AUTH_TOKEN_PATH"):
        return
    token = Path.home() / ".ray" / "auth_token"
    token.parent.mkdir(exist_ok=True)
    try:
        with open(os.open(token, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
            file.write(secrets.token_hex(32))
    except FileExistsError:
        token.chmod(0o600)
