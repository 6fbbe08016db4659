"""How the job stands on Ray Train: workers and their resources, what is borne, and what Ray has when workers are missing."""

from __future__ import annotations

from typing import Any

from trainer.request import TrainRequest, Workers

MAX_FAILURES = 3
"""Of workers, within one start of the driver."""
_RESIZE_S = 10.0
"""How often an elastic run looks for room for more workers; what it redoes then is less than a checkpoint's interval."""


def fit(job: Any, workers: Workers, request: TrainRequest) -> None:
    """Run `trainer.loop.train_worker` on the Ray that is running; returns when all workers have.

    Raises:
        ray.train.TrainingFailedError: the workers failed more than MAX_FAILURES times.
    """
    import ray.train
    from ray.train.torch import TorchConfig, TorchTrainer

    from trainer.loop import train_worker
    from trainer.network import use_ray_interface

    class OnNodes(TorchConfig().backend_cls):  # type: ignore[misc]
        """PyTorch's process group over the network that Ray uses."""

        def on_start(self, worker_group: Any, backend_config: Any) -> None:
            worker_group.execute(use_ray_interface)
            super().on_start(worker_group, backend_config)

    class ClusterConfig(TorchConfig):
        @property
        def backend_cls(self) -> Any:
            return OnNodes

    class LocalTrainer(TorchTrainer):
        """Without the two actors that this job has no work for: each is a process that imports Ray Train (3 s of a core)."""

        def _create_default_callbacks(self) -> list[Any]:
            unneeded = {
                "DatasetsCallback",  # pictures come from the packed cache, not from Ray Data
                "PlacementGroupCleanerCallback",  # this Ray ends with the command, and its placement groups with it
            }
            return [c for c in super()._create_default_callbacks() if type(c).__name__ not in unneeded]

    trainer = LocalTrainer(
        train_worker,
        train_loop_config={"job": job},
        torch_config=(ClusterConfig if request.address else TorchConfig)(timeout_s=300),
        scaling_config=ray.train.ScalingConfig(
            num_workers=(workers.fewest, workers.most) if workers.elastic else workers.most,
            elastic_resize_monitor_interval_s=_RESIZE_S,
            use_gpu=request.use_gpu,
            resources_per_worker=_resources(request),
        ),
        run_config=ray.train.RunConfig(
            # A record of its own for each start: Ray never reads an old one, damaged or not; we resume by manifest,
            # and remove old checkpoints ourselves (trainer/commit.py): Ray forgets those that it was not told of in time.
            name=job.attempt,
            storage_path=str(job.run),
            # Ray may look for workers again and again: the driver bounds that wait by the clock (trainer/pulse.py).
            failure_config=ray.train.FailureConfig(max_failures=MAX_FAILURES, controller_failure_limit=-1),
            worker_runtime_env={"env_vars": request.worker_env()},
            logging_config=ray.train.LoggingConfig(log_level="ERROR"),
        ),
    )
    trainer.fit()


def shortage(workers: Workers, request: TrainRequest) -> str:
    """What the workers need and what Ray has: "2 worker(s) x 1 CPU needed, Ray has 1 CPU on 1 node(s), 0 free"."""
    import ray

    needed = " + ".join(f"{count} {kind}" for kind, count in _resources(request).items())
    there, free = ray.cluster_resources(), ray.available_resources()
    has = ", ".join(f"{there.get(kind, 0):g} {kind} ({free.get(kind, 0):g} free)" for kind in _resources(request))
    nodes = sum(1 for node in ray.nodes() if node["Alive"])
    return f"{workers.fewest} worker(s) x {needed} needed, Ray has {has} on {nodes} node(s)"


def _resources(request: TrainRequest) -> dict[str, int]:
    return {"CPU": request.threads} | ({"GPU": 1} if request.use_gpu else {})
