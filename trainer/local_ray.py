"""The Ray of one command: one of its own on this machine, quiet, fenced by a token, ended with it; or a cluster's."""

from __future__ import annotations

import logging
import os
import secrets
import socket
import sys
import threading
from pathlib import Path
from types import TracebackType
from typing import Any

import trainer
from trainer.errors import TrainingError, UsageError
from trainer.hardware import available_cpus

CONNECT_S = 10.0
_ENVIRONMENT = {
    # A returned report is committed at the controller's next poll (2 s by default).
    "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "0.5",
    "RAY_TRAIN_WORKER_HEALTH_CHECK_TIMEOUT_S": "60",
    # A worker that stands still keeps the others in a collective, and they are not to be asked to leave it for long (30 s).
    "TORCH_PROCESS_GROUP_SHUTDOWN_TIMEOUT_S": "5",
    # A checkpoint's barrier: longer than the upload of a last checkpoint takes, and not for ever.
    "RAY_TRAIN_COLLECTIVE_TIMEOUT_S": "900",
    # For room, not for the processes: after the loss of a node Ray asks for as many workers as before, and waits so long
    # before an elastic run takes fewer. How long a run waits in all is the driver's to say (trainer/pulse.py).
    "RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S": "5",
    "RAY_TRAIN_METRICS_ENABLED": "0",
    # For the warning that a node is about to be taken away (5 s by default).
    "RAY_TRAIN_PREEMPTION_POLL_INTERVAL_S": "1",
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

    A Ray that runs in this process already is used as it is, and left running. `address`: a cluster's (HOST:PORT of its
    GCS, or auto); its nodes get this package as it is here, and must have what it imports.
    """

    def __init__(self, cpus: int, address: str | None = None):
        self.cpus, self.address = max(cpus, available_cpus()), address
        self._ready, self._end = threading.Event(), threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._live, name="local Ray")

    def __enter__(self) -> LocalRay:
        prepare_ray()
        # Nobody takes this machine away from itself: one actor less to start (3 s of a core).
        os.environ["RAY_TRAIN_ENABLE_PREEMPTION_WATCHER"] = "1" if self.address else "0"
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
            ray.init(log_to_driver=False, logging_level="ERROR", **self._place())
            self._coordinator = _start_coordinator()
            self._ready.set()
            self._end.wait()
            ray.shutdown()
        except (ConnectionError, RuntimeError, TimeoutError) as error:
            self._error = _unreachable(self.address, error) if self.address else error
        except BaseException as error:  # raised by wait(), in the thread that needs Ray
            self._error = error
        finally:
            self._ready.set()

    def _place(self) -> dict[str, Any]:
        if self.address:
            return {"address": self.address, "runtime_env": {"py_modules": [str(Path(trainer.__file__).parent)]}}
        return {
            "address": "local",  # without it Ray joins whatever cluster was started on this machine
            "num_cpus": self.cpus,
            "include_dashboard": False,
            "object_store_memory": 100 * 1024 * 1024,
        }


def check_address(address: str) -> None:
    """Raise where nothing answers at once: Ray itself tries for minutes, deaf to Ctrl-C.

    Raises:
        UsageError: neither HOST:PORT nor auto.
        TrainingError: nothing listens there.
    """
    if address == "auto":
        return
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit():
        raise UsageError(
            f"--address {address!r}: expected HOST:PORT of a cluster's GCS, such as 10.0.0.5:6379, or auto."
        )
    try:
        socket.create_connection((host, int(port)), timeout=CONNECT_S).close()
    except (OSError, OverflowError) as error:
        raise TrainingError(
            f"--address {address}: nothing answers there ({error}); check host and port, that the cluster is up and that no "
            "firewall is between."
        ) from None


def _unreachable(address: str, error: Exception) -> TrainingError:
    import ray

    why = str(error).strip().splitlines()[0]
    return TrainingError(
        f"--address {address}: no use of a Ray cluster there ({why}); check host and port, that no firewall is between, "
        f"that it runs Ray {ray.__version__} as here, and RAY_AUTH_MODE and the token."
    )


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
