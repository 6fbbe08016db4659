"""A job on nodes of one core each, in a process and a Ray of its own: `nodes.py starved|elastic RECORDING STORAGE`.

`starved` has no core at all. `elastic` loses one of two nodes, and gets another one. What happened is printed as JSON lines.
"""

import dataclasses
import json
import sys
import threading
import time
from pathlib import Path

from tests.processes import wait_for
from trainer.local_ray import LocalRay, prepare_ray

prepare_ray()

from ray.cluster_utils import Cluster  # noqa: E402  after its environment is set

from trainer import checkpoint  # noqa: E402
from trainer.config import build, configs_dir, load_yaml  # noqa: E402
from trainer.dataset.source import open_source  # noqa: E402
from trainer.errors import TrainingError  # noqa: E402
from trainer.job import run_training  # noqa: E402
from trainer.loop import STARTS, STOP  # noqa: E402
from trainer.recipe import TrainConfig  # noqa: E402
from trainer.request import TrainRequest  # noqa: E402

CONFIG = dataclasses.replace(
    build(TrainConfig, load_yaml(configs_dir() / "train.yaml"), "train.yaml"),
    size="xs", picture=(48, 80), crop=(32, 64), batch=8, steps=100_000, checkpoint_s=1.0, precision="fp32", validations=1,
    deterministic=True,
)  # fmt: skip


def tell(what, **figures):
    print(json.dumps({"what": what, **figures}), flush=True)


class Nodes:
    """Takes a node away when both work, and gives another one when one worker is alone, until two are back."""

    def __init__(self, cluster, second, attempt):
        self.cluster, self.second, self.attempt = cluster, second, attempt

    def lose_one_and_add_one(self):
        self.at_work(1, workers=2)
        begun = time.monotonic()
        self.cluster.remove_node(self.second, allow_graceful=False)
        self.at_work(2, workers=1)
        tell("alone", after_s=round(time.monotonic() - begun, 1))
        begun = time.monotonic()
        self.cluster.add_node(num_cpus=1)
        self.at_work(3, workers=2)
        tell("together", after_s=round(time.monotonic() - begun, 1))

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


def train(request, address):
    try:
        with LocalRay(1, address) as local_ray:
            run_training(request, local_ray)
    except TrainingError as error:
        tell("error", sentence=str(error))
    except KeyboardInterrupt:
        tell("stopped")


def main(mode, recording, storage):
    elastic = mode == "elastic"
    request = TrainRequest(
        sources=(open_source(Path(recording)),),
        run="nodes",
        storage=Path(storage),
        config=CONFIG,
        workers=2 if elastic else 1,
        min_workers=1 if elastic else None,
        wait_s=120.0 if elastic else 3.0,
    )
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1 if elastic else 0})
    second = cluster.add_node(num_cpus=1) if elastic else None
    request = dataclasses.replace(request, address=cluster.address)
    training = threading.Thread(target=train, args=(request, cluster.address))  # nodes need the main thread
    training.start()
    attempt = Path(storage) / "nodes" / "attempt-001"
    try:
        if elastic:
            Nodes(cluster, second, attempt).lose_one_and_add_one()
    finally:
        if elastic:
            (attempt / STOP).touch()
        training.join()
        cluster.shutdown()


if __name__ == "__main__":
    main(*sys.argv[1:])
