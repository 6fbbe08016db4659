"""The verb `record`: a recording by one simulator or many; the same command again goes on where it stopped."""

from __future__ import annotations

import dataclasses
import json
import shlex
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from sim_agent.connect import client_version, import_carla, wait_for_server
from sim_agent.ledger import Ledger
from sim_agent.record_config import RecordConfig, label_table_of, load_record_config
from sim_agent.record_view import RecordView, size
from sim_agent.station import Station, record_alone
from sim_agent.where import Where
from trainer.config import load_yaml
from trainer.dataset.writer import RecordingWriter
from trainer.errors import ConfigError, UsageError
from trainer.labels import LabelTable

_BYTES_PER_PIXEL = 0.6
"""For the forecast before the first frame: what RGB and tags of a camera took (measured in the embedded towns)."""


@dataclass(frozen=True)
class RecordArguments:
    """Record labelled camera data. Without --host the embedded simulator is started for it. Defaults: configs/record.yaml.

    The numbers are totals: the same command again records what is missing, after any end. With other towns, weathers,
    traffic or seed it records those beside what is there.
    """

    out: Path
    """Folder of the recording."""
    episodes: int | None = None
    """Episodes in total."""
    frames: int | None = None
    """Frames kept in each episode."""
    towns: tuple[str, ...] | None = None
    """Towns, in turns. Embedded: Town01 to Town07, Town10HD_Opt, Seed7 and so on; Town02 is left for testing."""
    weathers: tuple[str, ...] | None = None
    """CARLA's weathers by name, such as ClearNoon HardRainSunset; every town meets each in turn."""
    vehicles: tuple[int, ...] | None = None
    """Other vehicles in the town, one of these numbers an episode."""
    walkers: tuple[int, ...] | None = None
    """Pedestrians, one of these numbers an episode."""
    varied_share: float | None = None
    """Share of the episodes, 0 to 1, with another ego, camera place, lens, exposure and white balance, drawn from the
    seed: for models that are to work in other cameras and simulators."""
    config: Path | None = None
    """YAML file with any keys of configs/record.yaml, instead of its values."""
    cameras: Path | None = None
    """YAML file with a key `cameras`: another rig than the configuration's."""
    depth: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Record depth as well (16-bit PNG, centimetres)."""
    instance: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Record object ids as well (16-bit PNG)."""
    simulators: int = 1
    """Embedded simulators that record side by side, each a Ray actor; RAY_ADDRESS names a cluster, else on this machine."""
    host: str | None = None
    """Record from the CARLA server at this address."""
    port: int | None = None
    """Its RPC port; 2000 if only --host is given."""
    seed: int | None = None
    """Another seed is another plan: other spawn points, traffic and mixed weathers."""
    quality: Literal["low", "medium", "high"] = "medium"
    """Look against speed of the embedded simulator."""
    json_file: Annotated[Path | None, tyro.conf.arg(metavar="FILE", name="json")] = None
    """Write the result as JSON."""


def record(argv: list[str]) -> int:
    """`record`: see RecordArguments."""
    arguments = tyro.cli(RecordArguments, args=argv, prog="carla-unet record", description=RecordArguments.__doc__)
    where = Where(host=arguments.host, port=arguments.port, quality=arguments.quality)
    if arguments.simulators < 1:
        raise UsageError("--simulators: 1 or more.")
    if arguments.simulators > 1 and not where.embedded:
        raise UsageError("--simulators: only embedded ones can be many; leave --host and --port out, or --simulators.")
    if arguments.json_file is not None and not arguments.json_file.absolute().parent.is_dir():
        raise UsageError(f"--json {arguments.json_file}: there is no folder {arguments.json_file.absolute().parent}.")
    config = configuration(arguments)
    import_carla()
    simulator, table = _simulator(where)
    started_s = time.monotonic()
    with RecordingWriter.create(
        arguments.out, table, config.cameras, simulator, config.step_s, config.codecs, config.to_dict()
    ) as writer:
        ledger = Ledger(writer, config.plan())
        with RecordView(ledger, table) as view:
            _announce(ledger, config, view, arguments.out)
            try:
                if ledger.frames_left and arguments.simulators > 1:
                    from sim_agent.fleet import record_with_fleet

                    record_with_fleet(where, config, writer.info, arguments.simulators, ledger, view.say)
                elif ledger.frames_left:
                    with Station(where, config, writer.info, view.say) as station:
                        record_alone(station, ledger, view.say)
            finally:
                _sum_up(ledger, view, arguments.out)
        if arguments.json_file is not None:
            result = _result(ledger, table, time.monotonic() - started_s)
            arguments.json_file.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return 0


def configuration(arguments: RecordArguments) -> RecordConfig:
    """The configuration file with the flags on top.

    Raises ConfigError: no such file, an unknown key (names the nearest), a value of a wrong type or out of range.
    """
    names = ("episodes", "frames", "towns", "weathers", "vehicles", "walkers", "seed", "varied_share")
    flags: dict[str, Any] = {n: getattr(arguments, n) for n in names if getattr(arguments, n) is not None}
    flags |= {name: True for name in ("depth", "instance") if getattr(arguments, name)}
    if arguments.cameras is not None:
        rig = load_yaml(arguments.cameras)
        if list(rig) != ["cameras"]:
            raise ConfigError(f"{arguments.cameras}: expected the one key 'cameras', as in configs/record.yaml.")
        flags |= rig
    return load_record_config(arguments.config, **flags)


def _simulator(where: Where) -> tuple[dict[str, str], LabelTable]:
    """What recording.json says of the simulator, and its tags; a server is asked."""
    if where.embedded:
        name, version = "embedded simulator", client_version()
    else:
        name = "CARLA server"
        version = wait_for_server(where.host or "127.0.0.1", where.port or 2000, where.wait_s, print)
    return {"name": name, "version": version}, label_table_of(version)


def _announce(ledger: Ledger, config: RecordConfig, view: RecordView, out: Path) -> None:
    """What is planned, what is there, and whether it fits."""
    view.say(
        f"{out}: {config.episodes} episodes of {config.frames} frames in total ({ledger.frames_wanted:,} frames), "
        f"{ledger.there:,} there, {ledger.frames_left:,} to record"
    )
    others = ledger.frames_beside
    if others:
        view.say(f"{others:,} frames of other plans are there too, and stay")
    if ledger.killed:
        view.say(f"left open by a recorder that was killed, and closed now: {', '.join(ledger.killed)}")
    need = sum(c.width * c.height for c in config.cameras) * _BYTES_PER_PIXEL * ledger.frames_left
    free = shutil.disk_usage(out).free
    if need > free:
        view.say(
            f"{out}: about {size(need)} will be written and only {size(free)} are free; make room, or take fewer frames"
        )


def _sum_up(ledger: Ledger, view: RecordView, out: Path) -> None:
    tally = ledger.tally
    if tally.frames or tally.dropped:
        view.say(
            f"{tally.frames:,} frames in {tally.episodes} finished episodes, {view.rate():.1f} frames/s, {view.disk()}"
        )
    if tally.dropped:
        view.say(f"dropped: {view.dropped()}")
    if not ledger.frames_left:
        view.say(f"complete: {out}\nnext: python launch.py train --data {shlex.quote(str(out))} --run first")
    elif tally.frames or ledger.there:
        view.say(f"{ledger.frames_left:,} frames are missing; the same command goes on with them")


def _result(ledger: Ledger, table: LabelTable, wall_s: float) -> dict[str, Any]:
    tally = ledger.tally
    pixels = max(1, int(tally.pixels.sum()))
    return {
        "recording": str(ledger.writer.path),
        "frames": tally.frames,
        "frames_in_all": ledger.frames_wanted - ledger.frames_left,
        "episodes": tally.episodes,
        "frames_per_s": tally.frames / max(1e-3, wall_s),
        "bytes_per_frame": tally.bytes / max(1, tally.frames),
        "dropped": dict(tally.dropped),
        "tag_share": {tag.name: int(tally.pixels[tag.id]) / pixels for tag in table.tags if tally.pixels[tag.id]},
        "simulator": dataclasses.asdict(ledger.writer.info)["simulator"],
    }
