"""A small set of street pictures that we draw ourselves, written as a recording: something to train on at once.

Towns differ in their streets and colours, weathers in their light; everything follows from the seed.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from trainer.dataset import sketch as draw
from trainer.dataset.recording import Camera
from trainer.dataset.sketch import Colour, Sketch
from trainer.dataset.writer import RecordingWriter
from trainer.errors import DataError
from trainer.labels import load_label_table

TABLE = "carla-0.9.14"
FRAMES_PER_EPISODE = 20
STEP_S = 0.25
SPEED_M_S = 12.0
FOV_DEG = 90.0
CAMERA = "front"


@dataclass(frozen=True)
class Town:
    """What makes one town's streets its own. Widths in metres, densities in things a 100 m and side."""

    name: str
    lanes: int
    sidewalk_m: float
    verge_m: float
    houses: tuple[Colour, ...]
    height_m: tuple[float, float]
    house_gap: float
    trees: float
    barrier: str
    line: Colour
    asphalt: Colour
    grass: Colour
    paving: Colour


@dataclass(frozen=True)
class Weather:
    """One light. haze_m: where half the colour is gone; sun: what colours are multiplied with."""

    name: str
    sky_top: Colour
    sky_low: Colour
    sun: tuple[float, float, float]
    haze_m: float
    clouds: float
    wet: float
    lamps: bool


TOWNS = (
    Town("Drawn01", 2, 2.4, 0.0, ((168, 92, 70), (196, 172, 140), (148, 142, 136)), (8, 18), 0.1, 3, "fence",
         (226, 226, 222), (92, 92, 96), (96, 128, 62), (156, 150, 146)),
    Town("Drawn02", 2, 1.8, 6.0, ((214, 206, 190), (182, 120, 92), (160, 170, 176)), (4, 8), 0.5, 7, "fence",
         (224, 186, 72), (108, 104, 100), (110, 142, 74), (178, 170, 158)),
    Town("Drawn03", 4, 3.2, 0.5, ((120, 134, 150), (86, 96, 112), (176, 180, 182)), (18, 46), 0.15, 2, "wall",
         (236, 236, 232), (74, 76, 80), (88, 116, 64), (138, 138, 140)),
    Town("Drawn04", 2, 0.0, 9.0, ((190, 178, 150), (152, 96, 66), (206, 200, 196)), (4, 9), 0.75, 11, "wall",
         (232, 230, 220), (120, 116, 110), (134, 140, 78), (168, 160, 146)),
)  # fmt: skip
WEATHERS = (
    Weather("ClearNoon", (70, 128, 206), (190, 214, 236), (1.06, 1.04, 1.0), 420, 0.25, 0.0, False),
    Weather("CloudyNoon", (150, 160, 172), (206, 210, 214), (0.86, 0.88, 0.92), 260, 0.9, 0.0, False),
    Weather("ClearSunset", (92, 104, 158), (250, 176, 104), (1.02, 0.8, 0.62), 240, 0.4, 0.0, True),
    Weather("HardRainNoon", (118, 124, 130), (164, 168, 170), (0.66, 0.68, 0.72), 70, 1.0, 0.5, True),
)


@dataclass(frozen=True)
class Thing:
    """One thing in a street. z_m from the episode's start; speed_m_s along the road; kind: how it is drawn."""

    kind: str
    x_m: float
    z_m: float
    length_m: float
    look: int
    speed_m_s: float = 0.0


def draw_recording(
    path: Path,
    count: int = 160,
    width: int = 320,
    height: int = 180,
    seed: int = 0,
    frames_per_episode: int = FRAMES_PER_EPISODE,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Write `count` drawn pictures with labels as a recording; equal arguments give equal shards.

    Every town and every weather comes once before one comes again. A sample that is there is left as it is, one that
    was interrupted is gone on with. Raises DataError when the folder holds another recording.
    """
    if count < 1 or frames_per_episode < 1 or min(width, height) < 16:
        raise DataError(f"a sample needs 1 picture or more of 16x16 pixels or more, not {count} of {width}x{height}")
    config = {"made_by": "data sample", "count": count, "seed": seed, "frames_per_episode": frames_per_episode}
    rig = (Camera(CAMERA, width, height, FOV_DEG, (0.0, 0.0, 1.6, 0.0, 0.0, 0.0)),)
    writer = RecordingWriter.create(
        path, load_label_table(TABLE), rig, {"name": "drawn", "version": "1"}, STEP_S, config=config,
        recording_id=f"drawn-{seed}-{count}x{width}x{height}",
    )  # fmt: skip
    with writer:
        if writer.info.config != config:
            raise DataError(f"{path}: holds another recording than this sample; name a new folder")
        done = 0
        for index in range(-(-count // frames_per_episode)):
            frames = min(frames_per_episode, count - done)
            town = TOWNS[index % len(TOWNS)]
            # One further each round: all pairs of town and weather come in time.
            weather = WEATHERS[(index + index // len(TOWNS)) % len(WEATHERS)]
            name = f"{index:03d}-{town.name}-{weather.name}"
            if name in writer.episodes and writer.episodes[name].state == "closed":
                if writer.episodes[name].frames != frames:
                    raise DataError(f"{path}: episode {name} was closed before its {frames} frames; name a new folder")
                done += frames  # drawn by an earlier call
                continue
            rng = np.random.default_rng((seed, index))
            street = _lay_out(town, frames, rng)
            lane_m = 3.5 * (town.lanes // 2) - 1.75
            tile = _noise(rng)
            first = writer.open_episode(name, town.name, dataclasses.asdict(weather), {"seed": seed})
            done += first
            for number in range(first, frames):
                travelled_m = number * STEP_S * SPEED_M_S
                rgb, tags, depth_m = _picture(town, weather, street, travelled_m, lane_m, width, height, index, tile)
                meta: dict[str, Any] = {
                    "sim_time_s": number * STEP_S,
                    "ego": {"x_m": lane_m, "y_m": 0.0, "z_m": 0.0, "s_m": travelled_m},
                    "velocity": [0.0, 0.0, SPEED_M_S],
                }
                writer.append(number, {CAMERA: {"rgb": rgb, "semantic": tags}}, meta)
                done += 1
                if progress is not None:
                    progress(done, count)
            writer.close_episode()


def _lay_out(town: Town, frames: int, rng: np.random.Generator) -> list[Thing]:
    """Everything that stands or drives in one episode's street."""
    things: list[Thing] = []
    end_m = frames * STEP_S * SPEED_M_S + draw.FAR_M
    road = 1.75 * town.lanes
    kerb = road + town.sidewalk_m
    look = lambda: int(rng.integers(1 << 30))  # noqa: E731
    for side in (-1, 1):
        z = -20.0
        while z < end_m:
            length = float(rng.uniform(9, 24))
            if rng.random() > town.house_gap:
                things.append(Thing("house", side * (kerb + town.verge_m + 0.2), z, length, look()))
            elif rng.random() < 0.6:
                things.append(Thing("barrier", side * (kerb + town.verge_m * 0.5 + 0.3), z, length, look()))
            z += length + float(rng.uniform(0, 5))
        spots: tuple[tuple[str, float, float], ...] = (
            ("tree", town.trees, kerb + town.verge_m * 0.6 if town.verge_m > 2 else kerb - 0.5),
            ("bush", town.trees * 0.7, kerb + town.verge_m * 0.75 + 0.2),
            ("lamp", 3, road + 0.4),
            ("sign", 2, road + 0.6),
            ("light", 1.2, road + 0.5),
            ("person", 3.5, road + max(town.sidewalk_m, 1.0) * 0.55),
            ("parked", 2.5, road - 1.0),
            ("bike", 0.8, road + 0.7),
            ("rider", 1.2, road - 0.5),
        )
        for kind, density, x in spots:
            for _ in range(rng.poisson(density * (end_m + 20) / 100)):
                jitter = float(rng.normal(0, 0.25)) if kind in ("person", "tree", "bush", "rider") else 0.0
                speed = float(rng.uniform(3, 7)) * side if kind == "rider" else 0.0
                speed = float(rng.uniform(-1.4, 1.4)) if kind == "person" else speed
                place = float(rng.uniform(-20, end_m))
                things.append(Thing(kind, side * (x + jitter), place, 0.5, look(), speed))
        for _ in range(rng.poisson(2.2 * town.lanes * end_m / 200)):
            lane = 1.75 + 3.5 * int(rng.integers(town.lanes // 2))
            speed = side * float(rng.uniform(8, 14))
            things.append(Thing("car", side * lane, float(rng.uniform(8, end_m)), 4.4, look(), speed))
    return things


def _picture(
    town: Town, weather: Weather, street: list[Thing], travelled_m: float, lane_m: float, width: int, height: int,
    index: int, tile: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:  # fmt: skip
    """(H, W, 3) uint8 RGB, (H, W) uint8 tags, (H, W) float32 depth in metres."""
    curve = 0.0035 * math.sin(travelled_m / 60 + index * 1.7)
    camera_y = 1.45 + 0.12 * (index % 5)
    sketch = Sketch(width, height, FOV_DEG, lane_m + 0.25 * math.sin(travelled_m / 25 + index), camera_y, curve,
                    pitch_deg=-2.5 + 1.5 * (index % 4))  # fmt: skip
    road = 1.75 * town.lanes
    kerb = road + town.sidewalk_m
    sketch.strip(-400, 400, town.grass, draw.TERRAIN)
    if town.sidewalk_m:
        sketch.strip(-kerb, kerb, town.paving, draw.SIDEWALK)
        for side in (-1, 1):
            sketch.strip(side * (road + 0.18), side * road, draw.shade(town.paving, 0.72), draw.SIDEWALK)
    sketch.strip(-road, road, town.asphalt, draw.ROAD)
    _lines(sketch, town, travelled_m, road)
    at = [(thing.z_m + thing.speed_m_s * travelled_m / SPEED_M_S - travelled_m, thing) for thing in street]
    # Far first; what is long is as far as its middle, a house as its end, so that the street stands before it.
    at.sort(key=lambda pair: -(pair[0] + (pair[1].length_m * (0.9 if pair[1].kind == "house" else 0.5))))
    for z, thing in at:
        if draw.NEAR_M < z + thing.length_m and z < draw.FAR_M:
            _draw_thing(sketch, town, weather, thing, z, travelled_m)
    colour, tags, depth_m = sketch.finish()
    return _light(colour, tags, depth_m, weather, sketch, travelled_m, tile), tags, depth_m


def _lines(sketch: Sketch, town: Town, travelled_m: float, road: float) -> None:
    white = (228, 228, 224)
    for side in (-1, 1):
        sketch.strip(side * (road - 0.32), side * (road - 0.2), white, draw.ROAD_LINE)
    if town.lanes > 2:
        for x in (-0.22, 0.1):
            sketch.strip(x, x + 0.12, town.line, draw.ROAD_LINE)
    dashed = [0.0] if town.lanes == 2 else [-3.5, 3.5]
    for x in dashed:
        start = -(travelled_m % 9.0)
        for z in np.arange(start, 90.0, 9.0):
            a, b = max(z, 0.8), z + 3.6
            if b > draw.NEAR_M:
                dash = [(x - 0.08, 0, a), (x + 0.08, 0, a), (x + 0.08, 0, b), (x - 0.08, 0, b)]
                sketch.polygon(dash, town.line, draw.ROAD_LINE)


CAR_COLOURS: tuple[Colour, ...] = (
    (176, 30, 34), (28, 62, 128), (218, 218, 216), (40, 42, 46), (126, 130, 134), (196, 160, 44), (46, 96, 66),
)  # fmt: skip


def _draw_thing(sketch: Sketch, town: Town, weather: Weather, thing: Thing, z: float, travelled_m: float) -> None:
    rng = np.random.default_rng(thing.look)
    side = -1 if thing.x_m < 0 else 1
    paint = CAR_COLOURS[thing.look % len(CAR_COLOURS)]
    leaf = draw.shade((74, 104, 48), rng.uniform(0.75, 1.3))
    point = max(z, draw.NEAR_M)
    if thing.kind == "house":
        wall = draw.shade(town.houses[thing.look % len(town.houses)], rng.uniform(0.85, 1.1))
        tall = float(rng.uniform(*town.height_m))
        draw.draw_building(sketch, side, thing.x_m, z, z + thing.length_m, tall, wall, 3.1, weather.lamps)
    elif thing.kind == "barrier":
        ink: Colour = (172, 160, 146) if town.barrier == "wall" else (142, 118, 92)
        draw.draw_barrier(sketch, thing.x_m, z, z + thing.length_m, town.barrier, ink)
    elif thing.kind in ("car", "parked"):
        kind = thing.look % 11
        tag, length, tall = (draw.BUS, 10.0, 3.1) if kind == 0 else (draw.TRUCK, 7.0, 3.2) if kind == 1 else (
            draw.CAR, 4.4, 1.5)  # fmt: skip
        if thing.kind == "parked":
            tag, length, tall = draw.CAR, 4.2, 1.5
        # Nobody drives into the camera: what would be nearer than a car's length is left out.
        if z > 3.0 or abs(thing.x_m - sketch.camera_x_m) > 2.4:
            draw.draw_car(sketch, thing.x_m, z, paint, tag, length, tall, from_behind=side > 0)
    elif z < draw.NEAR_M:
        return
    elif thing.kind == "tree":
        draw.draw_tree(sketch, thing.x_m, point, float(rng.uniform(5, 9)), leaf, thing.look)
    elif thing.kind == "bush":
        draw.draw_bush(sketch, thing.x_m, point, leaf, thing.look)
    elif thing.kind == "lamp":
        draw.draw_lamp(sketch, thing.x_m, point, side)
    elif thing.kind == "sign":
        draw.draw_sign(sketch, thing.x_m, point, thing.look % 3)
    elif thing.kind == "light":
        draw.draw_traffic_light(sketch, thing.x_m, point, side, thing.look % 3)
    elif thing.kind == "person":
        stride = 0.16 * math.sin(travelled_m + thing.look % 7)
        draw.draw_person(sketch, thing.x_m, point, paint, draw.shade((60, 64, 88), rng.uniform(0.6, 1.4)), stride)
    else:
        draw.draw_two_wheeler(sketch, thing.x_m, point, paint, bool(thing.look % 2), thing.kind == "rider")


def _noise(rng: np.random.Generator) -> np.ndarray:
    """(256, 256) float32 tile in -1..1 that repeats without a seam: four octaves."""
    tile = np.zeros((256, 256), np.float32)
    for octave, weight in ((8, 0.5), (16, 0.28), (64, 0.14), (256, 0.08)):
        coarse = rng.uniform(-1, 1, (octave, octave)).astype(np.float32)
        at = np.arange(256) * octave / 256
        low, part = at.astype(int), (at % 1).astype(np.float32)
        rows = coarse[low] * (1 - part)[:, None] + coarse[(low + 1) % octave] * part[:, None]
        tile += weight * (rows[:, low] * (1 - part) + rows[:, (low + 1) % octave] * part)
    return tile


def _light(
    colour: np.ndarray, tags: np.ndarray, depth_m: np.ndarray, weather: Weather, sketch: Sketch, travelled_m: float,
    tile: np.ndarray,
) -> np.ndarray:  # fmt: skip
    """Surface, sky, light and haze over flat colours: (H, W, 3) uint8."""
    height, width = tags.shape
    scale = draw.OVERSAMPLE / sketch.focal
    columns = (np.arange(width, dtype=np.float32) - width / 2) * scale
    rows = (np.arange(height, dtype=np.float32) - sketch.horizon / draw.OVERSAMPLE) * scale
    x_m = columns[None, :] * np.minimum(depth_m, 200)
    # Where the surface has its grain: the ground in x and z, upright things in x and y.
    upright = ~np.isin(tags, (draw.ROAD, draw.SIDEWALK, draw.TERRAIN, draw.ROAD_LINE))
    other_m = np.where(upright, rows[:, None] * np.minimum(depth_m, 200), depth_m + travelled_m)
    u, v = (x_m * 24).astype(np.int64) % 256, (other_m * 24).astype(np.int64) % 256
    grain = tile[v, u]
    strength = np.full(256, 0.10, np.float32)
    strength[[draw.VEGETATION, draw.TERRAIN]] = 0.38
    strength[[draw.CAR, draw.TRUCK, draw.BUS, draw.TRAFFIC_SIGN, draw.TRAFFIC_LIGHT]] = 0.03
    lit = colour * (1 + strength[tags] * grain)[..., None] * np.array(weather.sun, np.float32)
    top, low = np.array(weather.sky_top, np.float32), np.array(weather.sky_low, np.float32)
    rise = np.clip(-rows / 0.6, 0, 1)[:, None, None]
    sky = low + (top - low) * rise
    # Clouds lie on a plane overhead: they crowd towards the horizon.
    overhead = 60 / np.maximum(-rows, 0.04)[:, None]
    cloud_u = (columns[None, :] * overhead * 0.9 + 40).astype(np.int64) % 256
    cloud_v = (np.broadcast_to(overhead, tags.shape) + travelled_m * 0.2).astype(np.int64) % 256
    cover = np.clip((tile[cloud_v, cloud_u] + weather.clouds - 0.35) * 2.2, 0, 1)[..., None] * np.minimum(1, rise * 4)
    sky = sky + (low * 1.05 - sky) * cover * 0.8
    if weather.wet:
        ground = np.isin(tags, (draw.ROAD, draw.ROAD_LINE))[..., None]
        gloss = np.clip(0.4 + tile[v, u], 0, 1)[..., None] * weather.wet
        lit = np.where(ground, lit + (low * 0.8 - lit) * gloss * 0.6, lit)
    haze = np.exp2(-np.minimum(depth_m, 1000) / np.float32(weather.haze_m))[..., None]
    picture = np.where((tags == draw.SKY)[..., None], sky, low + (lit - low) * haze)
    return np.clip(picture, 0, 255).astype(np.uint8)
