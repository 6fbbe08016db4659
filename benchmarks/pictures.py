"""Part of `sim`: our renderer against OpenGL on the processor, on the same triangles from the same places.

RGB with shadows, tags and depth of Town01 among standing vehicles, the camera on the way along a street. CPU seconds of
all threads. The reference comes from an environment of its own (see benchmarks/references) and draws less: see there.
"""

from __future__ import annotations

import math
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from benchmarks import references, rows
from benchmarks.child import Child
from benchmarks.rows import Mark, Row

MARK = Mark(1.5)
SIZE = (640, 360)
FOV_DEG = 90.0
SAMPLES, MARKED = (1, 4), 1
"""Of the reference; ours has 3 at medium quality. The mark is against the one that draws less than we do."""
LESS = "the reference has no textures by material, clouds, reflections, lamps or shade of corners"
VEHICLES = 20
CAMERAS, STEP_M = 40, 0.4
"""Places on the way: 30 km/h at 20 pictures a second."""
MODELS = ("vehicle.tesla.model3", "vehicle.audi.tt", "vehicle.ford.mustang")


def reference_name(samples: int) -> str:
    """Of the reference at so many samples of a pixel."""
    return f"llvmpipe, {samples} sample{'s' * (samples > 1)} a pixel"


def case_rows(took_s: dict[str, float]) -> list[Row]:
    """Rows against each of the references, or of why they are not there. took_s: CPU seconds a picture."""
    case, unit = f"pictures of {SIZE[0]}x{SIZE[1]}: RGB, semantic, depth", "pictures/CPU s"
    found = []
    for samples in SAMPLES:
        name = reference_name(samples)
        if name not in took_s:
            return [Row("sim", case, None, unit, note=references.absent("moderngl"))]
        mark = MARK if samples == MARKED else None
        rates = (1.0 / took_s["ours"], unit, 1.0 / took_s[name])
        found.append(Row("sim", f"{case}; {name}", *rates, "llvmpipe", mark, note=LESS))
    return found


def measure(folder: Path, rounds: int, quality: str) -> list[Row]:
    """Rows; both draw one picture a turn."""
    python = references.find("moderngl")
    if python is None:
        return case_rows({})
    from sim_agent.embedded.blueprints import vehicle_spec
    from sim_agent.embedded.models import actor_models
    from sim_agent.embedded.pose import Pose
    from sim_agent.embedded.render import Camera, Renderer
    from sim_agent.embedded.scene import Mover, Weather
    from sim_agent.embedded.town import build_town

    town, models, weather = build_town("Town01"), actor_models(), Weather()
    start, *others = town.spawn_points
    others.sort(key=lambda pose: math.dist(pose.location, start.location))
    movers = []
    for number in range(VEHICLES):
        pose = others[number]._replace(z_m=0.0)
        movers.append(Mover(vehicle_spec(MODELS[number % len(MODELS)]).model, 60_000 + number, pose))
    cameras = [start.compose(Pose(STEP_M * k, 0.0, 1.3)) for k in range(CAMERAS)]
    scene = folder / "scene.npz"
    save_scene(scene, town.mesh, [(models[m.model], m.pose.matrix()) for m in movers], cameras, weather)
    renderer, number = Renderer(town.mesh, models, quality, 2), 0

    def ours() -> None:
        nonlocal number
        camera = Camera(*SIZE, FOV_DEG, cameras[number % CAMERAS])
        renderer.render(camera, movers, weather, seed=number)
        number += 1

    turns = {"ours": lambda: rows.cpu_s(ours)}
    try:
        with ExitStack() as stack:
            for samples in SAMPLES:
                numbers = map(str, (*SIZE, samples))
                command = [python, "-m", "benchmarks.references.llvmpipe_scene", str(scene), *numbers]
                turns[reference_name(samples)] = stack.enter_context(Child("llvmpipe", command)).cpu_s
            return case_rows(rows.take_turns(turns, rounds))
    finally:
        renderer.close()


def save_scene(file: Path, town, placed, cameras, weather) -> None:
    """One list of triangles, moved into the world. placed: (mesh, (4, 4) local to world)."""
    parts = {name: [] for name in ("vertices", "normals", "colours", "uvs", "tags", "triangles")}
    count = 0
    for mesh, matrix in [(town, np.eye(4)), *placed]:
        parts["vertices"].append(mesh.vertices @ matrix[:3, :3].T + matrix[:3, 3])
        parts["normals"].append(mesh.normals @ matrix[:3, :3].T)
        parts["colours"].append(mesh.colours)
        parts["uvs"].append(mesh.uvs)
        tags = np.zeros(len(mesh.vertices), np.uint8)
        tags[mesh.triangles] = mesh.tags[:, None]
        parts["tags"].append(tags)
        parts["triangles"].append(mesh.triangles + count)
        count += len(mesh.vertices)
    azimuth, altitude = math.radians(weather.sun_azimuth_deg), math.radians(weather.sun_altitude_deg)
    sun = (math.cos(altitude) * math.cos(azimuth), math.cos(altitude) * math.sin(azimuth), math.sin(altitude))
    arrays = {name: np.concatenate(some) for name, some in parts.items()}
    np.savez(file, **arrays, cameras=np.stack([c.matrix() for c in cameras]), sun=np.array(sun), fov_deg=FOV_DEG)
