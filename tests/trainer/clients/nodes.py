"""A job on nodes of one core each, in a process and a Ray of its own: `nodes.py MODE RECORDING STORAGE`.

`starved` has no core at all. `elastic` loses one of two nodes, gets another one, and is warned before that is taken away.
`fixed` needs two: it loses one and gets another one, and loses that for good. What happened is printed as JSON lines.
"""

import dataclasses
import json
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

from tests.processes import wait_for
from trainer.local_ray import LocalRay, prepare_ray

prepare_ray()

from ray.cluster_utils import Cluster  # noqa: E402  after its environment is set

from trainer import checkpoint, ray_job  # noqa: E402
from trainer.attempt import STARTS, STOP  # noqa: E402
from trainer.config import build, configs_dir, load_yaml  # noqa: E402
from trainer.dataset.source import open_source  # noqa: E402
from trainer.errors import TrainingError  # noqa: E402
from trainer.job import run_training  # noqa: E402
from trainer.recipe import TrainConfig  # noqa: E402
from trainer.request import TrainRequest  # noqa: E402

CONFIG = dataclasses.replace(
    build(TrainConfig, load_yaml(configs_dir() / "train.yaml"), "train.yaml"),
    size="xs", picture=(48, 80), crop=(32, 64), batch=8, steps=100_000, checkpoint_s=0.5, precision="fp32", validations=1,
    deterministic=True,
)  # fmt: skip
WAIT_S = {"starved": 3.0, "elastic": 120.0, "fixed": 45.0}
DEADLINE_S = 10


def request_on_nodes(mode, recording, storage):
    return TrainRequest(
        sources=(open_source(Path(recording)),),
        run="nodes",
        storage=Path(storage),
        config=CONFIG,
        workers=1 if mode == "starved" else 2,
        min_workers=1 if mode == "elastic" else None,
        wait_s=WAIT_S[mode],
    )


def tell(what, **figures):
    print(json.dumps({"what": what, **figures}), flush=True)


class Nodes:
    """Takes nodes away from a run in a cluster, and gives it others."""

    def __init__(self, cluster, second, attempt):
        self.cluster, self.second, self.attempt = cluster, second, attempt

    def elastic(self):
        self.at_work(1, workers=2)
        with self.timed("alone", start=2, workers=1):
            self.cluster.remove_node(self.second, allow_graceful=False)
        with self.timed("together", start=3, workers=2):
            third = self.cluster.add_node(num_cpus=1)
        wait_for(self.kept, "a copy of a checkpoint")
        with self.timed("preempted", start=4, workers=1):
            drain = ["drain-node", "--address", self.cluster.address, "--node-id", third.node_id]
            drain += ["--reason", "DRAIN_NODE_REASON_PREEMPTION", "--reason-message", "test"]
            drain += ["--deadline-remaining-seconds", str(DEADLINE_S)]
            subprocess.run([sys.executable, "-m", "ray.scripts.scripts", *drain], check=True, stdout=subprocess.DEVNULL)
            warned = time.monotonic()
            wait_for(lambda: "about to be taken away" in self.notes(), "a checkpoint before the deadline")
            tell("saved", after_s=round(time.monotonic() - warned, 1))
        (self.attempt / STOP).touch()

    def fixed(self):
        self.at_work(1, workers=2)
        with self.timed("replaced", start=2, workers=2):
            self.cluster.remove_node(self.second, allow_graceful=False)
            third = self.cluster.add_node(num_cpus=1)
        self.lost_at = time.monotonic()
        self.cluster.remove_node(third, allow_graceful=False)

    def kept(self):
        """A copy of the newest checkpoint, for a run beside this one; False where it went while it was copied."""
        newest = checkpoint.every(self.attempt.parent)[0].path
        copy = self.attempt.parent.with_name("kept") / self.attempt.name / newest.name
        try:
            shutil.copytree(newest, copy)
        except (OSError, shutil.Error):
            shutil.rmtree(copy.parent, ignore_errors=True)
            return False
        return True

    def timed(self, what, start, workers):
        return Timed(self, what, start, workers)

    def at_work(self, start, workers):
        """The workers of this start have committed something."""
        wait_for(
            lambda: [c for c in checkpoint.every(self.attempt.parent) if c.path.name.endswith(f"-{start}")],
            f"a checkpoint of start {start}",
            timeout_s=150,
        )
        starts = [json.loads(line) for line in (self.attempt / STARTS).read_text().splitlines()]
        tell("start", **starts[start - 1])
        assert len(starts) == start and starts[-1]["workers"] == workers, starts

    def notes(self):
        file = self.attempt / "notes.txt"
        return file.read_text() if file.is_file() else ""


@dataclasses.dataclass
class Timed:
    """From a fault in its block to the first checkpoint of the next start."""

    nodes: Nodes
    what: str
    start: int
    workers: int

    def __enter__(self):
        self.begun = time.monotonic()

    def __exit__(self, kind, error, trace):
        if error is None:
            self.nodes.at_work(self.start, self.workers)
            tell(self.what, after_s=round(time.monotonic() - self.begun, 1))


def train(request, address):
    try:
        with LocalRay(1, address) as local_ray:
            run_training(request, local_ray)
    except TrainingError as error:
        tell("error", sentence=str(error))
    except KeyboardInterrupt:
        tell("stopped")


def main(mode, recording, storage):
    ray_job.MAX_FAILURES = 1  # the node that is lost; one that is taken away with a warning must not be counted
    ray_job._RESIZE_S = 2.0
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0 if mode == "starved" else 1})
    second = None if mode == "starved" else cluster.add_node(num_cpus=1)
    request = dataclasses.replace(request_on_nodes(mode, recording, storage), address=cluster.address)
    if mode == "fixed":
        ray_job.MAX_FAILURES = 2
    training = threading.Thread(target=train, args=(request, cluster.address))  # nodes need the main thread
    training.start()
    nodes = Nodes(cluster, second, Path(storage) / "nodes" / "attempt-001")
    try:
        if mode != "starved":
            getattr(nodes, mode)()
    except BaseException:
        (nodes.attempt / STOP).touch()
        raise
    finally:
        training.join()
        if mode == "fixed":
            tell("given up", after_s=round(time.monotonic() - nodes.lost_at, 1))
        cluster.shutdown()


if __name__ == "__main__":
    main(*sys.argv[1:])
