"""Before a training on several nodes: each one has the driver's versions, and reads and writes the run's folders.

Ray Train itself finds a folder that is not shared only at its first checkpoint. This takes seconds, and names the node,
the path and what to do.
"""

from __future__ import annotations

import importlib.metadata
import platform
import secrets
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainer.bucket import Bucket, environment
from trainer.errors import TrainingError

TIMEOUT_S = 60.0
_PACKAGES = ("ray", "torch", "numpy", "safetensors")


@dataclass(frozen=True)
class NodeReport:
    """What a node told."""

    host: str
    versions: Mapping[str, str]
    """Of Python (3.11) and of packages; a package that is missing is not in it."""
    troubles: Mapping[str, str]
    """Folder -> why it can't be used there; empty when all can."""
    bucket_trouble: str = ""
    """Why the run's bucket can't be used there."""


def alive_nodes() -> list[dict[str, Any]]:
    """Ray's nodes that live."""
    import ray

    return [node for node in ray.nodes() if node["Alive"]]


def check_nodes(folders: Sequence[Path], bucket: Bucket | None = None) -> int:
    """Look at every node of the running Ray; how many there are.

    folders: must be the same on all nodes; they are there, and stay as they were. bucket: all nodes must reach it.

    Raises:
        TrainingError: the first node that can't take part, and why.
    """
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    nodes = alive_nodes()
    token = secrets.token_hex(8)
    marks = [folder / _mark(token) for folder in folders]
    try:
        for mark in marks:
            mark.write_text(token)
        look = ray.remote(num_cpus=0, max_retries=0)(look_at_node)
        asked = {
            look.options(
                scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False),
                runtime_env={"env_vars": environment()} if bucket else None,
            ).remote([str(f) for f in folders], token, node["NodeID"], bucket): node
            for node in nodes
        }
        done, silent = ray.wait(list(asked), num_returns=len(asked), timeout=TIMEOUT_S)
        for answer in silent:
            raise TrainingError(
                f"node {asked[answer]['NodeManagerHostname']}: no answer within {TIMEOUT_S:.0f} s; check that it is up and "
                "that nodes reach each other on all ports, or take it out of the cluster."
            )
        mine = own_versions()
        for answer in done:
            node = asked[answer]
            try:
                report = ray.get(answer)
            except ray.exceptions.RayError as error:
                last = str(error).strip().splitlines()[-1]
                raise TrainingError(
                    f"node {node['NodeManagerHostname']}: can't run this program ({last}); install it there as it is here."
                ) from None
            written = {str(f): (f / _mark(token, node["NodeID"])).is_file() for f in folders}
            refuse(report, mine, written)
    finally:
        for folder in folders:
            for left in folder.glob(f"{_mark(token)}*"):
                left.unlink()
    return len(nodes)


def refuse(report: NodeReport, mine: Mapping[str, str], written: Mapping[str, bool]) -> None:
    """Raise TrainingError when a node can't take part.

    mine: the driver's versions. written: folder -> whether the driver sees what the node wrote there.
    """
    theirs = {name: report.versions.get(name, "missing") for name in mine}
    differing = [
        f"{name} {theirs[name]} there, {version} here" for name, version in mine.items() if theirs[name] != version
    ]
    if differing:
        raise TrainingError(f"node {report.host}: {'; '.join(differing)}; install the same versions on all nodes.")
    if report.bucket_trouble:
        raise TrainingError(f"node {report.host}: {report.bucket_trouble}")
    unseen = {folder: "what it writes there does not arrive here" for folder, seen in written.items() if not seen}
    for folder, why in (unseen | dict(report.troubles)).items():
        raise TrainingError(
            f"node {report.host}: {folder}: {why}; give a --storage that all nodes share under one path, such as an NFS "
            "mount."
        )


def look_at_node(folders: Sequence[str], token: str, node: str, bucket: Bucket | None = None) -> NodeReport:
    """Run on a node: its versions, and whether each folder holds the driver's mark and takes one of its own."""
    troubles, bucket_trouble = {}, ""
    try:
        if bucket is not None:
            bucket.check()
    except TrainingError as error:
        bucket_trouble = str(error)
    for folder in map(Path, folders):
        try:
            if (folder / _mark(token)).read_text() != token:
                troubles[str(folder)] = "is another folder there"
                continue
            (folder / _mark(token, node)).write_text(token)
        except FileNotFoundError:
            troubles[str(folder)] = "is not there, or is another folder there"
        except OSError as error:
            troubles[str(folder)] = f"can't be used there ({error.strerror})"
    return NodeReport(socket.gethostname(), own_versions(), troubles, bucket_trouble)


def own_versions() -> dict[str, str]:
    """Of Python and of the packages that must be the same on all nodes."""
    found = {"python": ".".join(platform.python_version_tuple()[:2])}
    for name in _PACKAGES:
        try:
            found[name] = importlib.metadata.version(name).split("+")[0]  # +cpu and +cu130 are the same release
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _mark(token: str, node: str = "") -> str:
    return f".preflight-{token}{'-' if node else ''}{node}"
