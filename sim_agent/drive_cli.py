"""The verb `drive`."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from trainer.errors import UsageError

SHIPPED_MODEL = Path(__file__).parent / "shipped"
"""Its card says how it was made, and how well it does."""


@dataclass(frozen=True)
class DriveArguments:
    """Drive with live masks. Without --host the embedded simulator is started for it. Defaults: configs/drive.yaml."""

    model: Path | None = None
    """Model folder. Default: the small one that comes with the package."""
    autopilot: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Let the Traffic Manager drive from the start; P takes over."""
    attach: Annotated[str | None, tyro.conf.arg(metavar="ROLE_NAME")] = None
    """Ride along on the vehicle with this role_name in a world that another program ticks; nothing there is changed."""
    headless: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """No window."""
    frames: Annotated[int | None, tyro.conf.arg(metavar="N")] = None
    """End after so many frames of the simulator."""
    video: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """Write what the window shows to a .gif, .mp4 or .webm file."""
    json_file: Annotated[Path | None, tyro.conf.arg(metavar="FILE", name="json")] = None
    """Write latencies and scores as JSON."""
    engine: Literal["auto", "torch", "openvino-bf16", "openvino-int8"] = "auto"
    """What makes the masks. auto times those that the model has, and says which it takes."""
    threads: int | None = None
    """Threads of the engine. Default: half of the cores beside an embedded simulator, else all but one."""
    watch: Annotated[Path | None, tyro.conf.arg(metavar="RUN")] = None
    """Folder of a training under way: each newer checkpoint is shown as it comes."""
    record: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None
    """Record this drive into this folder from the start; R ends and begins it. Without: R records into drives."""
    host: str | None = None
    """Drive in the CARLA server at this address."""
    port: int | None = None
    """Its RPC port; 2000 if only --host is given."""
    town: str | None = None
    """Town. Embedded: Town01 to Town07, Town10HD_Opt, Seed7 and so on. Default: Town02; a server keeps its own."""
    weather: str | None = None
    """CARLA's weather at the start, such as HardRainSunset."""
    vehicles: int | None = None
    """Other vehicles in the town."""
    walkers: int | None = None
    """Pedestrians."""
    seed: int | None = None
    """Another place to start from, other traffic."""
    width: int | None = None
    """Of the camera's picture, in pixels."""
    height: int | None = None
    """Of the camera's picture, in pixels."""
    quality: Literal["low", "medium", "high"] | None = None
    """Look against speed of the embedded simulator."""
    config: Path | None = None
    """YAML file with any keys of configs/drive.yaml, instead of its values."""


def drive(argv: list[str]) -> int:
    """`drive`: see DriveArguments."""
    arguments = tyro.cli(DriveArguments, args=argv, prog="carla-unet drive", description=DriveArguments.__doc__)
    _check(arguments)
    os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")
    from sim_agent.connect import import_carla
    from sim_agent.drive_config import load_drive_config
    from sim_agent.video import check_video
    from sim_agent.where import Where

    names = ("town", "weather", "vehicles", "walkers", "seed", "width", "height", "quality")
    flags: dict[str, Any] = {n: getattr(arguments, n) for n in names if getattr(arguments, n) is not None}
    config = load_drive_config(arguments.config, **flags)
    import_carla()
    if arguments.video is not None:
        check_video(arguments.video)
    if arguments.json_file is not None:
        _make_parent(arguments.json_file)
    # Torch and pygame are not needed to say what is wrong with the arguments.
    from sim_agent.drive import DriveRequest, run_drive

    where = Where(arguments.host, arguments.port, town=config.town, quality=config.quality)
    request = DriveRequest(
        where=where,
        model=arguments.model or (SHIPPED_MODEL if arguments.watch is None else None),
        engine=arguments.engine,
        threads=arguments.threads,
        watch=arguments.watch,
        town=arguments.town,
        attach=arguments.attach,
        autopilot=arguments.autopilot,
        headless=arguments.headless,
        frames=arguments.frames,
        video=arguments.video,
        record=arguments.record,
    )
    result = run_drive(request, config, lambda line: print(line, flush=True))
    _sum_up(result)
    if arguments.video is not None:
        print(f"written: {arguments.video}")
    if arguments.json_file is not None:
        arguments.json_file.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
        print(f"written: {arguments.json_file}")
    return 0


def _check(arguments: DriveArguments) -> None:
    for flag in ("frames", "threads"):
        value = getattr(arguments, flag)
        if value is not None and value < 1:
            raise UsageError(f"--{flag} {value}: must be 1 or more.")
    if arguments.attach is not None and arguments.host is None and arguments.port is None:
        raise UsageError("--attach: name the server that runs the world, with --host or --port.")
    if arguments.attach is not None and (arguments.autopilot or arguments.town is not None):
        raise UsageError("--attach: another program drives there; leave --autopilot and --town out.")
    if arguments.watch is not None and arguments.engine not in ("auto", "torch"):
        raise UsageError(f"--engine {arguments.engine}: a training's checkpoints run on torch only; leave it out.")


def _make_parent(path: Path) -> None:
    """Before the drive: what it brought must not be lost after it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"--json {path}: its folder can't be made ({error.strerror}); name another.") from None


def _sum_up(result: dict[str, Any]) -> None:
    def ms(name: str) -> str:
        value = result[name]["p50"]
        return "none" if value is None else f"{value:.0f} ms"

    def score(name: str) -> str:
        return "none" if result[name] is None else f"{result[name]:.3f}"

    print(
        f"{result['frames']} frames, {result['masks']} masks ({result['masks_per_s']:.1f}/s, {result['dropped']} pictures "
        f"dropped), mask age {ms('mask_age_ms')}, inference {ms('engine_ms')} ({result['engine']})"
    )
    print(f"mIoU {score('miou')}, after latency {score('miou_after_latency')}")
