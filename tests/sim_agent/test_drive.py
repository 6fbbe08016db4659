"""The drive with live masks, as processes against an embedded simulator: its window, its files, its ends."""

import contextlib
import dataclasses
import json
import signal
import types

import pytest
import torch
from PIL import Image

from sim_agent import drive as drives
from sim_agent.drive_config import load_drive_config
from sim_agent.interrupts import Interrupts
from sim_agent.plan import PRESETS
from sim_agent.ride import name_of_weather, spoken
from sim_agent.where import Where
from tests.processes import wait_for
from tests.sim_agent.embedded.simulator import Simulator
from trainer import checkpoint
from trainer.dataset.check import check_source
from trainer.dataset.source import open_source
from trainer.errors import ConfigError
from trainer.labels import load_class_list
from trainer.model_dir import ModelInfo, Preprocessing, save_model
from trainer.unet import UNet, UNetConfig

NETWORK = UNetConfig("tiny", (4, 8), classes=17, norm="batch", stem_stride=2)
INFO = ModelInfo(NETWORK, load_class_list("street17"), Preprocessing((48, 80)))
SMALL = ("--width", 160, "--height", 96, "--vehicles", 2, "--walkers", 0, "--engine", "torch")
RESULT = {
    "frames", "masks", "masks_per_s", "dropped", "mask_age_ms", "engine_ms", "steer_ms", "miou", "miou_after_latency",
    "iou", "engine", "simulator",
}  # fmt: skip


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A model with random weights."""
    torch.manual_seed(0)
    return save_model(tmp_path_factory.mktemp("model") / "model", UNet(NETWORK).state_dict(), INFO)


def write_checkpoint(folder, step):
    torch.manual_seed(step)
    net = UNet(NETWORK)
    optimizer = torch.optim.AdamW(net.parameters(), lr=0.1)
    state = checkpoint.TrainingState(step, {}, net.state_dict(), net.state_dict(), {}, {}, optimizer.state_dict())
    metrics = folder.parent / "metrics.jsonl"
    metrics.write_text("")
    path = folder / checkpoint.directory_name(step)
    path.mkdir(parents=True)
    checkpoint.save(path, state, INFO, metrics)
    return path


def said(job, text):
    """Wait until a job has said something."""
    wait_for(lambda: text in job.log(), text, process=job.process)


def test_the_configuration_is_checked():
    config = load_drive_config(None, width=320, height=192)
    assert (config.camera(0).width, config.camera(0).height) == (320, 192)
    assert config.camera(len(config.cameras)) == config.camera(0) != config.camera(1)
    with pytest.raises(ConfigError, match="there is no 'ClearMidnight'; did you mean 'ClearNight'"):
        load_drive_config(None, weather="ClearMidnight")
    with pytest.raises(ConfigError, match="opacity: 0 to 1, not 1.5"):
        load_drive_config(None, opacity=1.5)
    with pytest.raises(ConfigError, match="rate_hz"):
        load_drive_config(None, rate_hz=7.0)


def test_weathers_are_said_in_words_and_found_by_their_numbers():
    assert [spoken(name) for name in ("HardRainNoon", "ClearNight", "WetCloudySunset", "DustStorm", "Mixed")] == [
        "Hard rain, noon",
        "Clear, night",
        "Wet cloudy, sunset",
        "Dust storm",
        "Mixed",
    ]
    assert all(spoken(name) and len({spoken(name) for name in PRESETS}) == len(PRESETS) for name in PRESETS)

    @dataclasses.dataclass
    class Weather:
        cloudiness: float
        wetness: float = 0.0

    class Carla:
        class WeatherParameters:
            ClearNoon = Weather(5.0)
            CloudyNoon = Weather(60.0)

    assert name_of_weather(Carla, Weather(60.0)) == "CloudyNoon"
    assert name_of_weather(Carla, Weather(61.0)) == "Mixed"


@pytest.mark.slow
def test_the_window_shows_what_its_keys_ask_for(server, jobs, model, tmp_path):
    run, later = tmp_path / "run", tmp_path / "later"
    (run / "attempt-001").mkdir(parents=True)
    write_checkpoint(later, 20)
    weights = write_checkpoint(later, 30) / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-5] + b"wrong")
    told = jobs.run("window", server.port, model, run, later)
    assert "error" not in told, told["error"]
    assert told["clouds"] == 60.0
    assert told["checkpoint"] == "step 20"
    with_panels, without = told["panels"]
    assert without > with_panels + 15.0  # dark glass over the sky
    pictures = list(tmp_path.glob("drive-*.png"))
    assert len(pictures) == 1
    with Image.open(pictures[0]) as picture:
        assert picture.size == (1200, 720)  # 160x96 as large as 1280x720 takes it
    report = check_source(open_source(tmp_path / "recording", strict=False))
    assert report.frames >= 3 and report.episodes == 1 and not report.problems
    result = told["result"]
    assert RESULT <= set(result) and result["masks"] > 50 and result["miou"] is not None
    assert result["steer_ms"]["p50"] < 50.0
    assert not [kind for kind in jobs.run("look", server.port)["actors"] if kind.startswith(("vehicle", "sensor"))]


@pytest.mark.slow
def test_headless_writes_a_video_and_the_figures(jobs, model, tmp_path):
    job = jobs.start(
        "verb", "--model", model, "--headless", "--frames", 40, "--autopilot", "--town", "Town01", "--quality", "low",
        "--video", "out/drive.gif", "--json", "out/drive.json", "--weather", "HardRainNoon", *SMALL,
    )  # fmt: skip
    assert job.ended() == 0, job.log()
    assert "written: out/drive.gif" in job.log() and "engine: torch-" in job.log()
    result = json.loads((tmp_path / "out" / "drive.json").read_text())
    assert RESULT <= set(result)
    assert 40 <= result["frames"] <= 42 and 0 < result["masks"] <= result["frames"] + 1
    for name in ("mask_age_ms", "engine_ms", "steer_ms"):
        assert 0.0 <= result[name]["p50"] <= result[name]["p95"] <= result[name]["p99"]
    assert 0.0 <= result["miou"] <= 1.0 and 0.0 <= result["miou_after_latency"] <= 1.0
    assert result["simulator"] == "embedded simulator 0.9.16" and result["town"] == "Town01"
    with Image.open(tmp_path / "out" / "drive.gif") as gif:
        assert gif.size == (900, 540)
        assert 1500 <= sum(_durations(gif)) <= 2200


def _durations(gif):
    for k in range(gif.n_frames):
        gif.seek(k)
        yield gif.info["duration"]


@pytest.mark.slow
def test_a_drive_rides_along_in_a_world_that_others_tick(server, jobs, model, tmp_path):
    ticker = jobs.start("ticker", server.port)
    ticker.hear()
    arguments = ("--model", model, "--host", "127.0.0.1", "--port", server.port, "--headless", *SMALL)
    job = jobs.start("verb", *arguments, "--attach", "hero", "--frames", 60, "--json", "first.json")
    assert job.ended() == 0, job.log()
    result = json.loads((tmp_path / "first.json").read_text())
    assert result["frames"] >= 60 and result["masks"] > 5 and result["miou"] is not None
    # The vehicle goes and another one comes while somebody rides along.
    job = jobs.start("verb", *arguments, "--attach", "hero", "--frames", 150, "--json", "second.json")
    said(job, "preparing the drive")
    (tmp_path / "respawn").touch()
    ticker.hear()
    assert job.ended() == 0, job.log()
    assert json.loads((tmp_path / "second.json").read_text())["masks"] > 5
    (tmp_path / "end").touch()
    assert ticker.ended() == 0, ticker.log()
    assert ticker.told[-1] == {"only_we_ticked": True, "synchronous": True, "step_s": 0.05, "sensors": []}


@pytest.mark.slow
def test_a_role_that_nobody_has_is_named_with_those_that_are_there(server, jobs, model):
    job = jobs.start(
        "verb", "--model", model, "--host", "127.0.0.1", "--port", server.port, "--headless", "--attach", "nobody", *SMALL
    )  # fmt: skip
    said(job, "waiting for a vehicle with the role_name 'nobody'")
    assert job.ended() == 1
    assert "there is no vehicle with the role_name 'nobody'" in job.log()
    assert "Traceback" not in job.log()


@pytest.mark.slow
def test_a_server_that_dies_and_comes_again_ends_a_drive_with_one_sentence(jobs, model, tmp_path_factory):
    first = Simulator(tmp_path_factory.mktemp("first"), "--quality", "low")
    try:
        job = jobs.start("verb", "--model", model, "--host", "127.0.0.1", "--port", first.port, "--headless", *SMALL)
        said(job, "driving until Ctrl-C")
    finally:
        first.process.kill()
        first.process.wait()
    second = Simulator(tmp_path_factory.mktemp("second"), "--quality", "low", "--port", str(first.port))
    try:
        assert second.port == first.port
        assert job.ended() == 1
    finally:
        second.end()
    lines = [line for line in job.log().splitlines() if line.startswith("carla-unet drive:")]
    assert len(lines) == 1 and f"127.0.0.1:{first.port}" in lines[0] and "restart it" in lines[0], job.log()
    assert "Traceback" not in job.log()


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_headless_drive_ends_with_its_figures_when_it_is_told_to(server, jobs, model, tmp_path, number):
    job = jobs.start(
        "verb", "--model", model, "--host", "127.0.0.1", "--port", server.port, "--headless", "--json", "r.json", *SMALL
    )  # fmt: skip
    said(job, "driving until Ctrl-C")
    job.process.send_signal(number)
    assert job.ended() == 0, job.log()
    assert RESULT <= set(json.loads((tmp_path / "r.json").read_text()))
    seen = jobs.run("look", server.port)
    assert not seen["synchronous"] and not [kind for kind in seen["actors"] if kind.startswith(("vehicle", "sensor"))]


@pytest.mark.parametrize("when", ["as it says so", "as the ride begins", "as it draws"])
def test_a_signal_that_comes_at_once_still_gives_figures_and_ends_the_ride(monkeypatch, when):
    """The sentence that it can be ended now is heard by who ends it, before what comes next is there."""
    interrupts, told = Interrupts(), []

    class Ride:
        class session:
            uninterrupted = interrupts.held

        def __enter__(self):
            if when == "as the ride begins":
                signal.raise_signal(signal.SIGTERM)
            told.append("begun")

        def __exit__(self, *_):
            told.append("ended")

        def check(self):
            pass

    class Headless(drives.Drive):
        def __init__(self):
            self.ride, self.window, self.ended = Ride(), types.SimpleNamespace(wake=None), False

        def _turn(self):
            try:
                if when == "as it draws":
                    signal.raise_signal(signal.SIGTERM)
            except BaseException:  # as pygame.freetype does
                raise RuntimeError("Failed to find default font") from None

        def result(self):
            return {"frames": 0}

    @contextlib.contextmanager
    def ready(*_):
        with interrupts:
            yield Headless()

    def say(sentence):
        told.append(sentence)
        if when == "as it says so":
            signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(drives, "open_drive", ready)
    request = drives.DriveRequest(Where(), None, headless=True)
    try:
        result = drives.run_drive(request, load_drive_config(None), say)
    except KeyboardInterrupt:  # it would end the whole run of the tests
        pytest.fail("the signal was nobody's")
    assert result == {"frames": 0}
    assert told == ["driving until Ctrl-C", *(["begun", "ended"] if when != "as it says so" else [])]


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (("--model", "m", "--frames", 0), 2, "--frames 0: must be 1 or more"),
        (("--model", "m", "--attach", "hero"), 2, "--attach: name the server"),
        (("--model", "m", "--attach", "hero", "--port", 1, "--autopilot"), 2, "another program drives there"),
        (("--watch", "r", "--engine", "openvino-int8"), 2, "run on torch only"),
        (("--model", "m", "--video", "drive.avi"), 2, "must end in one of"),
        (("--model", "m", "--weather", "Snow"), 1, "there is no 'Snow'"),
        (("--model", "m"), 1, "m: there is no such model artifact folder"),
    ],
)
def test_wrong_arguments_are_said_in_a_sentence(jobs, arguments, code, sentence):
    job = jobs.start("verb", *arguments)
    assert job.ended() == code, job.log()
    assert sentence in job.log() and "Traceback" not in job.log()
