"""Which simulator a job uses."""

from __future__ import annotations

from dataclasses import dataclass

from trainer.errors import UsageError


@dataclass(frozen=True)
class Where:
    """Which simulator: a CARLA server at `host`:`port`, or, without both, an embedded one for this job."""

    host: str | None = None
    port: int | None = None
    wait_s: float = 60.0
    """How long a server may take until it answers."""
    town: str = "Town01"
    """Of an embedded one, as is all that follows."""
    seed: int = 0
    quality: str = "medium"
    threads: int = 0
    """Threads that draw; 0: one a core."""

    def __post_init__(self) -> None:
        if self.host is not None and self.host.count(":") == 1:
            raise UsageError(f"--host {self.host}: is a host and a port; pass them as --host HOST --port PORT.")
        if self.port is not None and not 1 <= self.port <= 65534:
            raise UsageError(f"--port {self.port}: expected 1 to 65534; CARLA's is 2000.")

    @property
    def embedded(self) -> bool:
        """Whether the simulator is started for this job."""
        return self.host is None and self.port is None


@dataclass(frozen=True)
class Simulator:
    """What the session talks to; `name` is 'embedded simulator' or 'CARLA server'."""

    name: str
    version: str
    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.name} {self.version} at {self.host}:{self.port}"
