"""Compiled kernels: kept where one may write, told about once, and loaded by the next process."""

import os
import subprocess
import sys

import numpy as np
import pytest

from sim_agent.embedded.render import (
    Camera,
    EventCamera,
    Retina,
    Strokes,
    draw_strokes,
    events,
    flow,
    optical_flow,
    strokes,
    warm_up,
)
from sim_agent.embedded.render.warm import compile_part
from sim_agent.embedded.scene import Weather
from tests.sim_agent.embedded.render.streets import EGO, traffic


def test_the_second_time_nothing_is_said():
    warm_up(lambda text: None)
    said = []
    warm_up(said.append)
    assert said == []


@pytest.mark.slow
def test_an_empty_cache_is_filled_with_progress_and_then_used(tmp_path):
    code = "from sim_agent.embedded.render import warm_up; warm_up(print)"
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    said = []
    for _ in range(2):
        run = subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True, timeout=300
        )
        said.append(run.stdout)
    assert "compil" in said[0]
    assert said[1] == ""
    assert list(tmp_path.rglob("*.nbi"))


def test_what_is_compiled_early_is_what_is_used(renderer):
    compile_part("extras")
    camera = Camera(40, 30, 90.0, EGO)
    pictures = renderer.render(camera, traffic(), Weather(), seed=0)
    line, point = (EGO.x_m + 9.0, 0.0, 0.0, EGO.x_m + 9.0, 3.0, 1.0, 0.1, 255.0, 0.0, 0.0, 0.0), (9.0,) * 8
    draw_strokes(Strokes(np.array([line]), np.array([point]), ()), camera, pictures.depth_m, pictures.bgra)
    car = traffic()[0]
    optical_flow(pictures, camera, EGO._replace(x_m=1.0), {car.object_id: (EGO, car.pose)})
    for deviation in (0.0, 0.1):
        retina = Retina(EventCamera(positive_deviation=deviation))
        for seed in range(2):
            bgra = renderer.render(camera, traffic(), Weather(), seed=seed).bgra
            retina.see(bgra, seed, np.random.default_rng(0))
    for compiled in (
        strokes._draw_lines,
        strokes._draw_points,
        flow._flow,
        events._see,
        events._count,
        events._pass,
    ):
        assert len(compiled.signatures) == 1, compiled
