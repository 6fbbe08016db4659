"""Compiles every kernel before a server says that it is ready, or loads them from the cache."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from sim_agent.embedded.pose import Pose
from sim_agent.embedded.render.camera import Camera
from sim_agent.embedded.render.encodings import depth_bgra
from sim_agent.embedded.render.kernel import CACHE_FOLDER
from sim_agent.embedded.render.raycast import RayCaster
from sim_agent.embedded.render.renderer import Renderer
from sim_agent.embedded.scene import Light, Material, MeshBuilder, Mover, Tag, Weather

_DONE = CACHE_FOLDER / "complete"


def warm_up(progress: Callable[[str], None]) -> None:
    """Draws a few small pictures and casts a ray.

    The first time on a machine that compiles for about half a minute, and `progress` is told; later it takes about a second.
    """
    first_time = not _DONE.exists()
    if first_time:
        progress("compiling the renderer, once for this machine: about half a minute")
    builder = MeshBuilder(object_id=1)
    builder.quad((-20, -20, 0), (20, -20, 0), (20, 20, 0), (-20, 20, 0), Tag.ROAD, Material.ASPHALT)
    for number, material in enumerate(Material):
        builder.box((number - 10, 4, 0), (number - 9.5, 5, 3), Tag.BUILDING, material)
    body = MeshBuilder()
    body.box((-2, -1, 0), (2, 1, 1.5), Tag.CAR, Material.PAINT)
    body.box((2, -1, 0.5), (2.1, 1, 0.7), Tag.CAR, Material.HEAD_LAMP)
    town, models = builder.build(), {"car": body.build()}
    movers = [Mover("car", 2, Pose(4.0), lights=Light.LOW_BEAM)]
    renderer = Renderer(town, models, "medium", 1)
    camera = Camera(16, 9, 90.0, Pose(-6.0, 0.0, 2.0))
    for weather in (
        Weather(),
        Weather(precipitation=80.0, precipitation_deposits=80.0),
        Weather(sun_altitude_deg=-30.0),
    ):
        pictures = renderer.render(camera, movers, weather, seed=0)
        if first_time:
            progress("the renderer's kernels are compiled")
            first_time = False
    renderer.close()
    depth_bgra(pictures.depth_m)
    RayCaster(town, models).cast((0.0, 0.0, 2.0), np.array([[0.0, 0.0, -1.0]]), 10.0, movers)
    _DONE.parent.mkdir(parents=True, exist_ok=True)
    _DONE.touch()
