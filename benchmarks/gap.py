"""The gap meter: what a model that was trained on the simulator is worth on real pictures, beside one trained on those.

    python launch.py bench gap --real DIR [--sim DIR] [--out gap] [--quick] [--json FILE]

Five trainings of `live` with equal steps, batch, picture size and seed; each is scored once, at its end, on the real set's
validation part. "Real" is what --real names: pictures of a CARLA server. Two of the trainings start from the model of the
simulator's pictures and then see as many steps of real ones as a training on those alone.
"""

from __future__ import annotations

import copy
import dataclasses
import hashlib
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro
import yaml

from benchmarks import gap_page
from benchmarks.rows import ROOT, Mark, Row, hardware, print_results, result, say
from trainer.config import build, configs_dir, load_yaml
from trainer.dataset.source import Source, open_source
from trainer.dataset.split import split_sources
from trainer.errors import DataError, UsageError, UserError
from trainer.labels import load_class_list
from trainer.local_ray import LocalRay
from trainer.manifest import write_json

if TYPE_CHECKING:
    from trainer.recipe import TrainConfig

FEW = 50
"""Real pictures that somebody may have labelled by hand; half of the training part where it is smaller than twice that."""
STEPS, QUICK_STEPS = 700, 80
EPISODES, QUICK_EPISODES = 64, 16
PLAN = {
    "frames": 10,
    "rate_hz": 1.0,
    "towns": ["Town01", *(f"Town0{k}" for k in range(3, 8)), "Town10HD_Opt", *(f"Seed{k}" for k in range(1, 10))],
    "weathers": [
        *("ClearNoon", "ClearSunset", "CloudyNoon", "CloudySunset", "WetNoon", "WetSunset"),
        *("HardRainNoon", "SoftRainSunset", "MidRainyNoon", "WetCloudySunset"),
    ],
    "mixed_share": 0.0,
    "vehicles": [25, 40, 60],
    "varied_share": 1.0,
    "gates": {"standing_share": 0.3, "exposure_s": 0.5},
}
"""Of the recording: many short, varied drives by day, with pictures far apart. A minute of one street teaches little more
than a second; at this rate a queue at a red light is another picture each time, so more of them are kept than usual."""
MARKS = {"share": 0.6, "few": 5.0, "all": 3.0}
"""Simulator alone : real alone; and points of mIoU that the simulator adds to few real pictures, and to all."""


@dataclass(frozen=True)
class GapArguments:
    """Score a model trained on the simulator on real pictures: simulator alone, real alone, one after the other, and with
    few real ones.

    Half an hour on two cores. What is there already in --out is not recorded or trained again.
    """

    real: Path
    """Labelled pictures of a CARLA server: a recording, or a folder of pictures; train.txt and val.txt split it."""
    sim: Path | None = None
    """A recording of the embedded simulator. Default: one is made in --out."""
    out: Path = Path("gap")
    """Folder of the recording, the trainings and gap.html."""
    quick: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """A quarter of the recording and a ninth of the steps, in six minutes: which way it goes, not how far."""
    steps: int | None = None
    """Optimizer steps of each training. Default: 700, with --quick 80."""
    workers: int | None = None
    """DDP workers of a training. Default: 2, or one where there is a single core."""
    json: Path | None = None
    """Write all figures to this file too."""


@dataclass(frozen=True)
class Arm:
    """One training. real: how many real pictures are in it. start: the arm whose model it starts from."""

    name: str
    title: str
    source: Source
    real: int
    start: Arm | None = None


def measure_gap(arguments: GapArguments) -> dict[str, Any]:
    """Record, train and score; writes gap.html into `arguments.out`. Returns what --json holds.

    Raises UserError: a source that cannot be read or split, a recording or a training that failed.
    """
    if arguments.workers is not None and arguments.workers < 1:
        raise UsageError("--workers: must be 1 or more.")
    if arguments.steps is not None and arguments.steps < 1:
        raise UsageError("--steps: must be 1 or more.")
    started_s = time.monotonic()
    real = with_lists(open_source(arguments.real))
    config = equal_config(real, arguments.steps or (QUICK_STEPS if arguments.quick else STEPS))
    try:
        arguments.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"--out {arguments.out}: can't be made ({error.strerror}); name another folder.") from None
    path = arguments.sim or record(arguments.out, config, arguments.quick)
    sim = open_source(path)
    arms = make_arms(sim, real)
    train_all(arms, real, config, arguments)
    scores, shots = score_all(arms, real, config, arguments.out)
    rows = rows_of(scores, arms)
    classes = load_class_list(config.classes)
    titles = {arm.name: arm.title for arm in arms}
    page = gap_page.write_page(arguments.out, titles, scores, shots, rows, facts(config, sim, real), classes)
    values = result(rows, {}, hardware())
    values["gap"] = {
        "steps": config.steps,
        "sim": {"path": str(path), "frames": len(sim.frames), "fingerprint": sim.fingerprint()},
        "real": {"path": str(arguments.real), "train": len(real.lists["train"]), "val": len(real.lists["val"])},
        "arms": {arm.name: {"title": arm.title, **_figures(scores[arm.name])} for arm in arms},
        "page": str(page),
        "took_s": round(time.monotonic() - started_s, 1),
    }
    return values


def with_lists(real: Source) -> Source:
    """A source whose training and validation parts are known: by its list files, else by whole towns or episodes."""
    if real.lists:
        return real
    split = split_sources([real])
    parts = {name: tuple(ref.key for _, ref in pairs) for name, pairs in (("train", split.train), ("val", split.val))}
    return _part(real, parts)


def make_arms(sim: Source, real: Source) -> list[Arm]:
    """The five trainings."""
    keys = real.lists["train"]
    few = min(FEW, len(keys) // 2)
    if few < 1:
        raise DataError(f"{real.path}: its training part holds {len(keys)} picture(s); the meter needs two or more.")
    step = len(keys) / few
    some = _part(real, {**real.lists, "train": tuple(keys[int(step * k)] for k in range(few))})
    # All of a recording trains, whatever lists it may have: the real set is what is scored.
    whole = _part(sim, {})
    alone = Arm("sim", "simulator alone", whole, 0)
    return [
        alone,
        Arm("real", f"{len(keys)} real", real, len(keys)),
        Arm("both", f"simulator, then {len(keys)} real", real, len(keys), alone),
        Arm("few", f"{few} real", some, few),
        Arm("sim-few", f"simulator, then {few} real", some, few, alone),
    ]


def equal_config(real: Source, steps: int) -> TrainConfig:
    """`train`'s own configuration at size s, with nothing left open that would follow from an arm's pictures.

    One validation, at the end: the best of several would be chosen by the pictures that are scored.
    """
    from trainer.recipe import TrainConfig, resolve
    from trainer.unet import load_preset

    path = configs_dir() / "train.yaml"
    config = dataclasses.replace(build(TrainConfig, load_yaml(path), str(path)), size="s", steps=steps, validations=1)
    size = real.read_rgb(real.frames[0]).shape[:2]
    classes = len(load_class_list(config.classes))
    recipe = resolve(config, load_preset(config.network), len(real.lists["train"]), (size[0], size[1]), classes)
    return dataclasses.replace(
        config, picture=recipe.picture, detail=recipe.detail, crop=recipe.crop, checkpoint_s=120.0
    )


def record(out: Path, config: TrainConfig, quick: bool) -> Path:
    """A recording in the pictures' own shape by the verb `record`; one that is there is gone on with."""
    assert config.picture is not None and config.detail is not None
    height, width = (round(side * config.detail) for side in config.picture)
    standard = load_yaml(configs_dir() / "record.yaml")
    cameras = [standard["cameras"][0] | {"width": width, "height": height}]
    plan = {"episodes": QUICK_EPISODES if quick else EPISODES, **PLAN}
    folder, file = out / ("sim-quick" if quick else "sim"), out / "record.yaml"
    file.write_text(yaml.safe_dump({**plan, "cameras": cameras}), encoding="utf-8")
    say(f"recording {plan['episodes']} drives of {plan['frames']} pictures: {folder}")
    command = [sys.executable, str(ROOT / "launch.py"), "record", "--out", str(folder), "--config", str(file)]
    if subprocess.run(command, check=False, stdout=sys.stderr).returncode:
        raise UserError(f"{folder}: the recording failed; the reason stands above. The same command goes on with it.")
    return folder


def train_all(arms: Sequence[Arm], real: Source, config: TrainConfig, arguments: GapArguments) -> None:
    """Train what is not trained yet. Each run goes on where it was stopped."""
    from trainer.job import SUMMARY

    left = [arm for arm in arms if not (arguments.out / "runs" / run_name(arm, config) / SUMMARY).is_file()]
    if not left:
        return
    # A Ray of its own, and one for all of them.
    with LocalRay(arguments.workers or 1) as local_ray:
        from trainer.job import run_training
        from trainer.request import TrainRequest

        for arm in left:
            say(f"training {arms.index(arm) + 1} of {len(arms)}: {arm.title}")
            request = TrainRequest(
                sources=(arm.source,),
                val=(real,),
                start_from=model_of(arm.start, config, arguments.out) if arm.start else None,
                run=run_name(arm, config),
                storage=arguments.out / "runs",
                config=config,
                workers=arguments.workers,
                started_s=time.time(),
            )
            run_training(request, local_ray)


def run_name(arm: Arm, config: TrainConfig) -> str:
    """The arm's name with what its result follows from: other pictures or steps are another run beside it."""
    said: list[object] = [[[arm.source.fingerprint(), arm.source.lists.get("train", ())]], dataclasses.asdict(config)]
    if arm.start is not None:
        said.append(run_name(arm.start, config))
    digest = hashlib.sha256(json.dumps(said, sort_keys=True).encode())
    return f"{arm.name}-{digest.hexdigest()[:10]}"


def model_of(arm: Arm, config: TrainConfig, out: Path) -> Path:
    """The folder of its model, once it is trained."""
    return out / "runs" / run_name(arm, config) / "model"


def score_all(
    arms: Sequence[Arm], real: Source, config: TrainConfig, out: Path
) -> tuple[dict[str, dict[str, Any]], list[gap_page.Shot]]:
    """{arm: the figures of `evaluate --json`} on the real validation part, and some of its pictures with all masks."""
    from trainer.evaluate import Scored, choose_pairs, evaluate_model, spread
    from trainer.segmenter import open_segmenter

    pairs, _ = choose_pairs([real], "val")
    shown = {ref.key: gap_page.Shot(ref.key) for _, ref in spread(pairs, gap_page.SHOTS)}
    scores = {}
    for arm in arms:
        say(f"scoring on {len(pairs)} real pictures: {arm.title}")

        def keep(frame: Scored, name: str = arm.name) -> None:
            if frame.ref.key in shown:
                shown[frame.ref.key].take(name, frame)

        segmenter = open_segmenter(model_of(arm, config, out))
        scores[arm.name] = evaluate_model(segmenter, pairs, "val", on_frame=keep, boundary=False)
    return scores, list(shown.values())


def rows_of(scores: dict[str, dict[str, Any]], arms: Sequence[Arm]) -> list[Row]:
    """The three marks. mIoU is over the classes in the real labels, the same for every arm."""
    miou = {name: float(score["miou"]) for name, score in scores.items()}
    title = {arm.name: arm.title for arm in arms}

    def gain(mixed_arm: str, real_arm: str) -> Row:
        points = 100.0 * (miou[mixed_arm] - miou[real_arm])
        note = f"mIoU {miou[mixed_arm]:.3f} against {miou[real_arm]:.3f}"
        mark = Mark(MARKS["few" if real_arm == "few" else "all"], of="ours")
        return Row("gap", f"{title[mixed_arm]}: gain", round(points, 2), "points", mark=mark, note=note)

    alone = Row("gap", title["sim"], miou["sim"], "mIoU", miou["real"], title["real"], Mark(MARKS["share"]))
    return [alone, gain("sim-few", "few"), gain("both", "real")]


def facts(config: TrainConfig, sim: Source, real: Source) -> list[str]:
    """Sentences on how it was measured."""
    assert config.picture is not None
    return [
        f"live at size s, {config.picture[0]}x{config.picture[1]} pixels (height x width), {config.steps} steps for each, "
        f"seed {config.seed}; scored once, at the end. Those that start from the simulator's model have its steps besides.",
        f"simulator: {sim.path} ({len(sim.frames)} pictures). real: {real.path} ({len(real.lists['train'])} to train on, "
        f"{len(real.lists['val'])} scored).",
    ]


def gap(argv: list[str]) -> int:
    """`bench gap`: see GapArguments."""
    arguments = tyro.cli(GapArguments, args=argv, prog="carla-unet bench gap", description=GapArguments.__doc__)
    if arguments.json is not None and not arguments.json.absolute().parent.is_dir():
        raise UsageError(f"--json {arguments.json}: there is no folder {arguments.json.absolute().parent}.")
    values = measure_gap(arguments)
    print_results(values)
    gap_page.print_classes(values["gap"]["arms"])
    print(f"written: {values['gap']['page']}")
    if arguments.json is not None:
        write_json(arguments.json, values)
    return 0


def _part(source: Source, lists: dict[str, tuple[str, ...]]) -> Source:
    """The same pictures under other lists."""
    part = copy.copy(source)
    part.lists = lists
    return part


def _figures(score: dict[str, Any]) -> dict[str, Any]:
    return {key: score[key] for key in ("miou", "pixel_accuracy", "iou", "absent", "by_town", "by_weather")}
