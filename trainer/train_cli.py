"""The verb `train`."""

from __future__ import annotations

import dataclasses
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from trainer.bucket import Bucket, environment, is_url, scratch
from trainer.config import build, configs_dir, load_yaml, nearest
from trainer.dataset.source import open_source
from trainer.errors import ConfigError, UsageError
from trainer.local_ray import LocalRay, check_address, prepare_ray
from trainer.request import WAIT_S, TrainRequest, parse_workers
from trainer.tracking import SETTINGS

if TYPE_CHECKING:
    from trainer.recipe import TrainConfig


@dataclass(frozen=True)
class TrainArguments:
    """Fit a U-Net on labelled pictures as a Ray Train job; the same --run name goes on where that run stopped."""

    data: tuple[Path, ...]
    """Recordings, or folders of pictures (CameraRGB/ + CameraSeg/). A recording may be in S3: s3://BUCKET/FOLDER."""
    run: str
    """Name of the run. A run of this name that was stopped or killed is resumed."""
    config: str = "train"
    """Configuration: a name in configs/ (train, coursera) or a YAML file."""
    size: Literal["xs", "s", "m", "l", "xl"] | None = None
    """The dial: network width, picture size, batch, learning rate and steps together. Default: the configuration's."""
    classes: str | None = None
    """Class list: street17, carla23, carla29 or a YAML file. Default: the configuration's."""
    network: str | None = None
    """Network: live, coursera, paper or a YAML file. Default: the configuration's."""
    set: Annotated[tuple[str, ...], tyro.conf.arg(metavar="KEY=VALUE")] = ()
    """Any other key of the configuration: --set steps=200 augment.flip=0"""
    val: tuple[Path, ...] = ()
    """Other data to validate on, instead of a split of --data."""
    start_from: Path | None = None
    """A finished model (RUN/model) to go on from, on other data: its network and weights. With --submit: a folder
    there."""
    table: str | None = None
    """Label table of folders that have no labels.yaml: carla-0.8, carla-0.9.10, carla-0.9.14, idda-24 or a YAML file."""
    encoding: str | None = None
    """Encoding of their labels: grey, red, palette or max."""
    workers: Annotated[str | None, tyro.conf.arg(metavar="N|MIN:MAX")] = None
    """DDP workers; MIN:MAX goes on with fewer when a node is lost, and with more when there is room again. Default: 2,
    on GPUs as many as there are."""
    address: str | None = None
    """A running Ray cluster: HOST:PORT of its GCS, or auto. --data and --storage are paths that all its nodes share.
    Default: RAY_ADDRESS, else a Ray of this machine for the length of the command."""
    submit: str | None = None
    """A Ray cluster's dashboard (http://HEAD:8265): run there as a Ray job, and print its lines here. --data and --storage
    are then its paths, or s3://."""
    wait: float = WAIT_S
    """Seconds to wait for workers, at the start and after a loss, before the run ends with an error."""
    threads: int = 1
    """Cores a worker."""
    gpu: bool = False
    """One GPU a worker."""
    accumulate: int | None = None
    """Parts in which each worker computes its share of a batch, one after another: for batches that do not fit."""
    deterministic: bool = False
    """The same weights bit for bit on 1, 2 or 4 workers, and after any fault; a step takes longer."""
    mlflow: bool = False
    """Log to MLflow, too (pip install mlflow-skinny): to the server of MLFLOW_TRACKING_URI, else into the run's folder."""
    storage: Path = Path("runs")
    """Folder of runs and of the packed cache; or s3://BUCKET/FOLDER, with AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and,
    for another storage than Amazon's, AWS_ENDPOINT_URL set."""
    cache_gb: float = 4.0
    """Gigabytes of packed pictures that a node keeps on its disk, with --storage in S3."""
    dry_run: bool = False
    """Print the plan and stop: workers, memory, steps, times by a short calibration. Nothing is kept."""
    fresh: bool = False
    """Refuse to resume: fail when a run of this name is there."""


def train(argv: list[str]) -> int:
    """`train`: see TrainArguments."""
    started_s = time.time()
    arguments = tyro.cli(TrainArguments, args=argv, prog="carla-unet train", description=TrainArguments.__doc__)
    if not arguments.run or "/" in arguments.run or "\\" in arguments.run or arguments.run.startswith("."):
        raise UsageError(f"--run {arguments.run!r}: must be a plain name without slashes, such as 'first'.")
    min_workers, workers = parse_workers(arguments.workers) if arguments.workers else (None, None)
    if arguments.threads < 1:
        raise UsageError("--threads: must be 1 or more.")
    if arguments.wait <= 0:
        raise UsageError("--wait: must be above 0 s.")
    if arguments.start_from is not None and arguments.network is not None:
        raise UsageError("--start-from: the network is the model's; leave out --network.")
    if arguments.submit:
        if arguments.address or arguments.dry_run:
            raise UsageError("--submit: the job uses the cluster that it runs on; leave out --address and --dry-run.")
        from trainer.submit import submit

        remote = any(is_url(place) for place in (arguments.storage, *arguments.data))
        env = environment() if remote else {}
        if arguments.mlflow:
            env |= {name: os.environ[name] for name in SETTINGS if name in os.environ}
        return submit(arguments.submit, arguments, env, input if sys.stdin.isatty() else None)
    address = arguments.address or os.environ.get("RAY_ADDRESS") or None
    if arguments.cache_gb <= 0:
        raise UsageError("--cache-gb: must be above 0.")
    bucket = Bucket.from_url(arguments.storage) if is_url(arguments.storage) else None
    sources = tuple(open_source(p, arguments.table, arguments.encoding) for p in arguments.data)
    val = tuple(open_source(p, arguments.table, arguments.encoding) for p in arguments.val)

    def request() -> TrainRequest:
        return TrainRequest(
            sources=sources,
            val=val,
            start_from=arguments.start_from,
            run=arguments.run,
            storage=scratch(bucket, "driver") if bucket else arguments.storage,
            bucket=bucket,
            cache_bytes=int(arguments.cache_gb * 1e9),
            config=configuration(arguments),
            workers=workers,
            min_workers=min_workers,
            address=address,
            wait_s=arguments.wait,
            threads=arguments.threads,
            use_gpu=arguments.gpu,
            fresh=arguments.fresh,
            started_s=started_s,
        )

    if arguments.dry_run:
        if address:
            raise UsageError("--dry-run: calibrates on the machine it runs on; give it there without --address.")
        prepare_ray()
        from trainer.dry_run import plan_training

        plan_training(request())
        return 0
    if address:
        check_address(address)
    # Ray starts while PyTorch is imported and the configuration is read.
    with LocalRay((min_workers or workers or 1) * arguments.threads, address) as local_ray:
        from trainer.job import run_training

        run_training(request(), local_ray)
    return 0


def configuration(arguments: TrainArguments) -> TrainConfig:
    """The configuration file with the flags on top.

    Raises:
        ConfigError: no such file, an unknown key (names the nearest), a value of a wrong type or out of range.
    """
    from trainer.recipe import TrainConfig

    path = Path(arguments.config).expanduser()
    if path.suffix not in (".yaml", ".yml"):
        known = [name for name in ("train", "coursera") if (configs_dir() / f"{name}.yaml").is_file()]
        if arguments.config not in known:
            raise ConfigError(f"there is no configuration {arguments.config!r}; {nearest(arguments.config, known)}")
        path = configs_dir() / f"{arguments.config}.yaml"
    config = build(TrainConfig, load_yaml(path), str(path))
    flags = {
        k: getattr(arguments, k)
        for k in ("size", "classes", "network", "accumulate")
        if getattr(arguments, k) is not None
    }
    flags |= {k: True for k in ("deterministic", "mlflow") if getattr(arguments, k)}
    values = _plain(config) | flags
    for setting in arguments.set:
        _apply(values, setting)
    return build(TrainConfig, values, "--set" if arguments.set else str(path))


def _apply(values: dict[str, Any], setting: str) -> None:
    import yaml

    key, sign, text = setting.partition("=")
    if not sign:
        raise UsageError(f"--set {setting!r}: expected KEY=VALUE, such as steps=200.")
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        raise UsageError(f"--set {setting!r}: {text!r} is not a YAML value.") from None
    *outer, last = key.split(".")
    target = values
    for name in outer:
        if not isinstance(target.get(name), dict):
            raise ConfigError(f"--set {setting!r}: unknown key {name!r}; {nearest(name, target)}")
        target = target[name]
    target[last] = value


def _plain(config: TrainConfig) -> dict[str, Any]:
    """The configuration as YAML holds it."""
    values = dataclasses.asdict(config)
    return {k: list(v) if isinstance(v, tuple) else v for k, v in values.items()}
