"""Compiles the renderer's kernels into their cache, in three parts that need nothing of each other."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from sim_agent.embedded.pose import Pose
from sim_agent.embedded.render import film, lamps
from sim_agent.embedded.render.atmosphere import read_weather
from sim_agent.embedded.render.camera import Camera, Pictures
from sim_agent.embedded.render.encodings import depth_bgra
from sim_agent.embedded.render.events import EventCamera, Retina
from sim_agent.embedded.render.flow import optical_flow
from sim_agent.embedded.render.geometry import COLUMNS
from sim_agent.embedded.render.kernel import CACHE_FOLDER, f4
from sim_agent.embedded.render.looks import look_table
from sim_agent.embedded.render.openness import CONTACT_TEXELS, Contacts, GridPlace, Openness, press_contacts
from sim_agent.embedded.render.raycast import RayCaster
from sim_agent.embedded.render.renderer import Renderer
from sim_agent.embedded.render.shading import Lighting, Movers, Surfaces, shade
from sim_agent.embedded.render.shadow import MapPlace, SunMaps
from sim_agent.embedded.render.strokes import LINE_COLUMNS, POINT_COLUMNS, Strokes, draw_strokes
from sim_agent.embedded.render.textures import build_textures, level_offsets
from sim_agent.embedded.scene import Light, Material, MeshBuilder, Mover, Tag, Weather


def is_compiled(part: str) -> bool:
    """Whether a part of `PARTS` has been compiled on this machine before."""
    return (CACHE_FOLDER / f"{part}.complete").exists()


def compile_part(part: str) -> None:
    """Compiles a part of `PARTS`; takes seconds."""
    PARTS[part]()
    (CACHE_FOLDER / f"{part}.complete").touch()


def warm_up(progress: Callable[[str], None]) -> None:
    """Compiles in this process what has not been yet; `progress` is told if that is anything."""
    missing = [part for part in PARTS if not is_compiled(part)]
    if missing:
        progress("compiling the renderer, once for this machine: about half a minute")
        for part in missing:
            compile_part(part)
        progress("the renderer's kernels are compiled")


def _compile_shading() -> None:
    """Shades a pixel of sky: compiling does not ask for more."""
    texels, air = build_textures(), read_weather(Weather())
    zero = f4(0)
    bytes_, numbers, words = np.zeros(1, np.uint8), np.zeros(1, np.float32), np.zeros(1, np.int32)
    surfaces = Surfaces(
        np.zeros((1, COLUMNS), np.float32),
        bytes_,
        bytes_,
        bytes_,
        words,
        look_table(),
        texels.reshape(-1),
        texels.view("<u4").reshape(-1),
        level_offsets(),
    )
    movers = Movers(
        np.zeros((1, 12), np.float32), np.zeros((1, 3), np.float32), numbers, np.zeros((1, lamps.KINDS), np.float32)
    )
    map_place, grid_place = MapPlace(*[zero] * len(MapPlace._fields)), GridPlace(zero, zero, zero)
    lighting = Lighting(
        air,
        SunMaps(np.zeros(1, np.uint16), map_place, map_place, 1, 1),
        Openness(np.zeros(1, np.uint32), numbers, 1, 1, grid_place),
        Contacts(np.zeros((1, 1), np.uint8), grid_place),
        lamps.DARK,
    )
    inverse_depth, records = np.zeros((1, 1), np.float32), np.full((1, 1), -1, np.int32)
    light, sources = np.zeros((1, 1, 3), np.float32), np.zeros((1, 2), np.int32)
    view, offsets = np.ones(14, np.float32), np.full((1, 2), 0.5)
    shade(view, offsets, 0, 0, inverse_depth, records, sources, surfaces, movers, lighting, light)
    gains, one = np.ones(3, np.float32), f4(1)
    film.develop(light, 0, np.ones(2), gains, one, one, one, np.uint32(0), np.zeros((1, 1, 4), np.uint8))


def _compile_geometry() -> None:
    """Draws labels of a field that is too large for one stretch of `visibility`."""
    side = 120
    across, along = np.meshgrid(np.arange(side + 1.0), np.arange(side + 1.0))
    points = np.stack([along.ravel(), across.ravel(), np.zeros(across.size)], axis=1)
    first = (np.arange(side)[:, None] * (side + 1) + np.arange(side)).ravel()
    faces = first[:, None, None] + np.array([[0, side + 1, side + 2], [0, side + 2, 1]])
    builder = MeshBuilder(object_id=1)
    builder.add(points, faces.reshape(-1, 3), Tag.GROUND, Material.GRASS)
    renderer = Renderer(builder.build(), {}, "medium", 1)
    camera = Camera(16, 9, 90.0, Pose(-5.0, side / 2, 20.0, -20.0))
    renderer.render(camera, [], Weather(), seed=0, rgb=False)
    renderer.close()
    press_contacts(np.ones((1, 6), np.float32), (0.0, 0.0), np.zeros((CONTACT_TEXELS, CONTACT_TEXELS), np.uint8))


def _compile_rest() -> None:
    """What a first picture by day does without: night, rain, depth pictures and rays."""
    builder = MeshBuilder(object_id=1)
    builder.quad((-20, -20, 0), (20, -20, 0), (20, 20, 0), (-20, 20, 0), Tag.ROAD, Material.ASPHALT)
    body = MeshBuilder()
    body.box((-2, -1, 0), (2, 1, 1.5), Tag.CAR, Material.PAINT)
    body.box((2, -1, 0.5), (2.1, 1, 0.7), Tag.CAR, Material.HEAD_LAMP)
    town, models = builder.build(), {"car": body.build()}
    movers = [Mover("car", 2, Pose(4.0), lights=Light.LOW_BEAM)]
    RayCaster(town, models).cast((0.0, 0.0, 2.0), np.array([[0.0, 0.0, -1.0]]), 10.0, movers)
    renderer = Renderer(town, models, "medium", 1)
    camera = Camera(16, 9, 90.0, Pose(8.0, 0.0, 2.0, 0.0, 180.0))
    for weather in (Weather(precipitation=80.0), Weather(sun_altitude_deg=-30.0)):
        pictures = renderer.render(camera, movers, weather, seed=0)
    renderer.close()
    depth_bgra(pictures.depth_m)


def _compile_extras() -> None:
    """What few clients ask for: debug strokes, optical flow and events."""
    camera = Camera(16, 9, 90.0, Pose())
    depth_m, bgra = np.full((9, 16), 9.0, np.float32), np.zeros((9, 16, 4), np.uint8)
    lines, points = np.ones((1, LINE_COLUMNS)), np.ones((1, POINT_COLUMNS))
    draw_strokes(Strokes(lines, points, ()), camera, depth_m, bgra)
    seen = Pictures(bgra, np.zeros((9, 16), np.uint8), np.ones((9, 16), np.int32), depth_m)
    optical_flow(seen, camera, Pose(1.0), {})
    retina = Retina(EventCamera())
    for level in (10, 200):
        retina.see(np.full_like(bgra, level), level, np.random.default_rng(0))


PARTS: dict[str, Callable[[], None]] = {
    "shading": _compile_shading,
    "geometry": _compile_geometry,
    "rest": _compile_rest,
    "extras": _compile_extras,
}
"""The first two make a picture by day; `rest` is quicker when they are compiled."""
