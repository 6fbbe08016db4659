"""The gap meter on made-up data: which pictures each training sees, what is said, and the page. No test measures a model."""

import contextlib
import dataclasses
import json
import shutil

import numpy as np
import pytest

from benchmarks import gap, gap_page
from benchmarks.rows import Row
from sim_agent import bench
from sim_agent.cli import main
from sim_agent.record_config import load_record_config
from trainer.dataset.source import open_source
from trainer.errors import DataError, UserError
from trainer.job import SUMMARY
from trainer.labels import load_class_list
from trainer.manifest import sha256_of
from trainer.model_dir import ModelInfo, Preprocessing, save_model
from trainer.unet import UNet, load_preset

CLASSES = load_class_list("street17")


@pytest.fixture(scope="module")
def sources(recording, tmp_path_factory):
    """(simulator, real): two copies of a drawn recording, the second with lists of its own."""
    real = tmp_path_factory.mktemp("gap") / "real"
    shutil.copytree(recording, real)
    keys = [ref.key for ref in open_source(real).frames]
    (real / "val.txt").write_text("\n".join(keys[::5]) + "\n")
    return open_source(recording), open_source(real)


def test_each_training_sees_what_its_name_says(sources):
    sim, real = sources
    arms = {arm.name: arm for arm in gap.make_arms(sim, real)}
    assert list(arms) == ["sim", "real", "both", "few", "sim-few"]
    train = set(real.lists["train"])
    few = min(gap.FEW, len(train) // 2)
    assert [arms[name].real for name in arms] == [0, len(train), len(train), few, few]
    assert arms["sim"].source.path == sim.path and not arms["sim"].source.lists
    some = arms["few"].source
    assert len(set(some.lists["train"])) == few and set(some.lists["train"]) < train
    assert some.lists["val"] == real.lists["val"]
    # Who starts from the simulator's model sees what the training on real pictures alone sees.
    assert [arms[name].start for name in arms] == [None, None, arms["sim"], None, arms["sim"]]
    assert arms["both"].source is arms["real"].source and arms["sim-few"].source is some


def test_lists_are_made_where_there_are_none(sources):
    sim, _ = sources
    made = gap.with_lists(sim)
    assert not sim.lists
    assert set(made.lists["train"]) | set(made.lists["val"]) == {ref.key for ref in sim.frames}
    assert not set(made.lists["train"]) & set(made.lists["val"])


def test_one_picture_is_no_training_part(sources):
    sim, real = sources
    lonely = gap._part(real, {**real.lists, "train": real.lists["train"][:1]})
    with pytest.raises(DataError, match=r"training part holds 1 picture\(s\)"):
        gap.make_arms(sim, lonely)


def test_the_configuration_leaves_nothing_open_that_pictures_decide(sources):
    _, real = sources
    config = gap.equal_config(real, 30)
    assert (config.steps, config.validations, config.network) == (30, 1, "live")
    assert None not in (config.picture, config.detail, config.crop)


def test_a_run_is_named_by_its_pictures_and_steps(sources):
    sim, real = sources
    config = gap.equal_config(real, 30)
    arms = gap.make_arms(sim, real)
    names = [gap.run_name(arm, config) for arm in arms]
    assert len(set(names)) == len(arms)
    assert [gap.run_name(arm, config) for arm in gap.make_arms(sim, real)] == names
    assert gap.run_name(arms[0], dataclasses.replace(config, steps=31)) != names[0]
    fewer = gap._part(real, {**real.lists, "train": real.lists["train"][1:]})
    assert gap.run_name(gap.make_arms(sim, fewer)[1], config) != names[1]


def scores_of(miou):
    """{arm: figures of evaluate}, with two classes, of which one is absent in all."""
    names = list(CLASSES.names)
    matrix = np.zeros((17, 17), int)
    matrix[5, 5], matrix[0, 0] = 900, 100
    return {
        name: {
            "miou": value,
            "pixel_accuracy": 0.9,
            "iou": {"building": value - 0.1, "road": value + 0.1},
            "absent": ["sky"],
            "by_town": {},
            "by_weather": {},
            "classes": names,
            "confusion": matrix.tolist(),
        }
        for name, value in miou.items()
    }


MIOU = {"sim": 0.3, "real": 0.4, "both": 0.42, "few": 0.2, "sim-few": 0.26}


def test_the_three_marks(sources):
    alone, few, both = gap.rows_of(scores_of(MIOU), gap.make_arms(*sources))
    assert alone.ratio == pytest.approx(0.75) and alone.met
    assert few.ours == pytest.approx(6.0) and few.met and "0.260 against 0.200" in few.note
    assert both.ours == pytest.approx(2.0) and both.met is False
    assert Row.from_dict(json.loads(json.dumps(both.to_dict()))) == both


def test_the_page_has_every_class_and_picture_and_no_word_of_a_user_s_as_html(sources, tmp_path):
    arms = gap.make_arms(*sources)
    scores = scores_of(MIOU)
    picture, labels = np.zeros((20, 30, 3), np.uint8), np.full((20, 30), 5, np.uint8)
    shot = gap_page.Shot("<b>odd</b>", picture, labels, {arm.name: labels for arm in arms})
    titles = {arm.name: f"<i>{arm.title}</i>" for arm in arms}
    rows = gap.rows_of(scores, arms)
    path = gap_page.write_page(tmp_path, titles, scores, [shot], rows, ["sim: <script>"], CLASSES)
    text = path.read_text()
    assert path == tmp_path / "gap.html" and text.count("<img ") == 2 + len(arms)
    assert "&lt;b&gt;odd" in text and "<b>odd" not in text and "<script>" not in text and "<i>simulator" not in text
    assert "75% of real" in text and "+6.0 points" in text and "+2.0 points" in text and "missed" in text
    assert text.index(">road<") < text.index(">building<")  # the larger class first
    assert "not scored: sky" in text


def test_a_folder_that_cannot_be_written_is_named(sources, tmp_path):
    (tmp_path / "file").write_text("")
    arms = gap.make_arms(*sources)
    with pytest.raises(DataError, match="name another --out"):
        gap_page.write_page(tmp_path / "file", {}, scores_of(MIOU), [], gap.rows_of(scores_of(MIOU), arms), [], CLASSES)


def test_the_table_of_classes(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    gap_page.print_classes({name: {"title": name, **score} for name, score in scores_of(MIOU).items()})
    shown = capsys.readouterr().out
    assert [line for line in shown.splitlines() if "road" in line and "0.500" in line and "0.360" in line]
    assert "0.420" in shown and "not scored: sky" in shown


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--real", "nowhere"], "nowhere: no such folder"),
        (["--real", ".", "--steps", "0"], "--steps: must be 1 or more"),
        (["--real", ".", "--workers", "0"], "--workers: must be 1 or more"),
        (["--real", ".", "--json", "no/such/folder/gap.json"], "there is no folder"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(flags, words, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["bench", "gap", *flags]) in (1, 2)
    err = capsys.readouterr().err
    assert words in err and err.count("\n") == 1
    assert not (tmp_path / "gap").exists()


def test_an_output_folder_that_is_a_file_is_named(sources, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert main(["bench", "gap", "--real", str(sources[1].path), "--out", str(tmp_path / "file")]) == 1
    assert "can't be made" in capsys.readouterr().err


def test_not_in_a_checkout(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(bench, "ROOT", tmp_path)
    assert main(["bench", "gap", "--real", "x"]) == 1
    assert "not installed with the package" in capsys.readouterr().err


def test_what_is_recorded_is_a_configuration_of_record_and_never_the_test_town(sources, tmp_path):
    height, width = 96, 160
    front = {"name": "front", "width": width, "height": height, "fov_deg": 90, "pose": [1.3, 0, 1.6, 0, 0, 0]}
    (tmp_path / "own.yaml").write_text(json.dumps({**gap.PLAN, "episodes": gap.EPISODES, "cameras": [front]}))
    config = load_record_config(tmp_path / "own.yaml")
    assert "Town02" not in config.towns and config.varied_share == 1.0
    assert all(config.setup(episode.seed).said() for episode in config.plan())


def test_a_recording_that_fails_ends_the_meter_with_a_sentence(sources, tmp_path, monkeypatch):
    monkeypatch.setattr(gap, "ROOT", tmp_path)  # there is no launch.py
    with pytest.raises(UserError, match="the recording failed"):
        gap.record(tmp_path, gap.equal_config(sources[1], 30), quick=True)


def untrained(request, local_ray):
    """In place of a training: its network as it begins, and a summary."""
    classes = load_class_list(request.config.classes)
    net = UNet(dataclasses.replace(load_preset("live"), widths=(8, 8, 8, 8), classes=len(classes)))
    info = ModelInfo(net.config, classes, Preprocessing(request.config.picture, "keep", "antialias"), {}, {}, {})
    save_model(request.storage / request.run / "model", net.state_dict(), info)
    (request.storage / request.run / SUMMARY).write_text("{}")


def test_the_meter_from_the_command_to_its_page(sources, tmp_path, capsys, monkeypatch):
    """Nothing is trained here, so figures mean nothing: what is asked for, what is written, and that once is enough."""
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.setattr(gap, "LocalRay", lambda cpus: contextlib.nullcontext())
    monkeypatch.setattr("trainer.job.run_training", untrained)
    sim, real = sources
    out, file = tmp_path / "out", tmp_path / "gap.json"
    command = ["bench", "gap", "--real", str(real.path), "--sim", str(sim.path), "--out", str(out), "--json", str(file)]
    assert main(command) == 0
    said = capsys.readouterr()
    assert "training 5 of 5: simulator, then " in said.err and "scoring on 5 real pictures" in said.err
    values = json.loads(file.read_text())
    assert [row["name"] for row in values["benchmarks"]] == ["gap"] * 3
    assert list(values["gap"]["arms"]) == ["sim", "real", "both", "few", "sim-few"]
    absent = [arm["absent"] for arm in values["gap"]["arms"].values()]
    assert all(names == absent[0] for names in absent)
    assert (out / "gap.html").is_file() and "mIoU" in said.out
    monkeypatch.setattr("trainer.job.run_training", None)  # nothing is left to train
    assert main(command) == 0
    again = json.loads(file.read_text())
    assert again["gap"]["arms"] == values["gap"]["arms"]


@pytest.mark.slow
def test_a_training_goes_on_from_the_simulators_model(sources, tmp_path, shared_ray):
    sim, real = sources
    arguments = gap.GapArguments(real.path, out=tmp_path, workers=1)
    config = gap.equal_config(real, 2)
    arms = gap.make_arms(sim, real)
    gap.train_all([arms[0], arms[4]], real, config, arguments)
    run = tmp_path / "runs" / gap.run_name(arms[4], config)
    assert json.loads((run / SUMMARY).read_text())["steps"] == 2
    told = json.loads((run / "config.json").read_text())
    assert (told["data"]["train_frames"], told["data"]["val_frames"]) == (arms[4].real, len(real.lists["val"]))
    before = gap.model_of(arms[0], config, tmp_path)
    assert told["identity"]["start_from"] == sha256_of(before / "model.safetensors")
