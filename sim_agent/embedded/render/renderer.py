"""Joins the stages: what is in view, its projection, then band after band scan conversion, labels, shading and film."""

from __future__ import annotations

import itertools
import math
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from sim_agent.embedded.pose import Array
from sim_agent.embedded.render import film, lamps, raster
from sim_agent.embedded.render.atmosphere import read_weather
from sim_agent.embedded.render.buffers import Records, Workplace
from sim_agent.embedded.render.camera import FAR_M, Camera, Pictures, View
from sim_agent.embedded.render.geometry import HIDDEN, LAMP_OFF, Geometry, Model
from sim_agent.embedded.render.kernel import f4
from sim_agent.embedded.render.looks import look_table
from sim_agent.embedded.render.openness import (
    CONTACT_TEXELS,
    bake_openness,
    flat_boxes,
    ground_below,
    items_of,
    press_contacts,
)
from sim_agent.embedded.render.placing import matrices_of
from sim_agent.embedded.render.shading import Lighting, Movers, Surfaces, shade
from sim_agent.embedded.render.shadow import SunMaps, SunShadows, sun_slopes
from sim_agent.embedded.render.textures import build_textures, level_offsets
from sim_agent.embedded.scene import Bytes, Floats, Ints, Mesh, Mover, Tag, Weather


class Quality(NamedTuple):
    """What a picture may cost."""

    columns: tuple[int, ...]
    """Samples of a pixel: the n-th of N rows of them is in this one of N columns. The middle one is the pixel's centre."""
    shadow_texels: int
    shadow_radius_m: float
    mover_shadow_m: float
    """Movers farther from the camera cast no shadow."""
    coarse_texels: int


QUALITIES = {
    "low": Quality((0,), 1024, 56.0, 40.0, 512),
    # Three or five rooks on a board that do not attack each other: edges of any slope get as many shades of grey.
    "medium": Quality((0, 1, 2), 2048, 64.0, 80.0, 1024),
    "high": Quality((3, 0, 2, 4, 1), 3072, 72.0, 110.0, 2048),
}

CHUNKS = 4
"""Stretches of geometry projected side by side; a fixed number, or the order of triangles would depend on the threads."""

BAND_BYTES = 400_000
"""Of samples that a band of rows may have: what stays in a core's second-level cache."""


class _Placed(NamedTuple):
    """The movers of a frame; row 0 of the matrices is the town."""

    movers: Sequence[Mover]
    models: list[Model]
    to_world: Array
    """(1 + N, 3, 4) float64."""
    low_m: Floats
    """(N, 3) world box."""
    high_m: Floats

    @property
    def parts(self) -> Ints:
        """(N, 4) the models' parts."""
        return np.array([model.part for model in self.models], np.int32).reshape(-1, 4)


class _Shading(NamedTuple):
    movers: Movers
    lighting: Lighting
    sprites: Floats
    streaks: Floats


class Renderer:
    """Draws one town from any number of cameras. Calls from several threads are served one after another."""

    def __init__(self, static: Mesh, models: Mapping[str, Mesh], quality: str = "medium", threads: int = 2) -> None:
        """Raises ValueError for an unknown quality or no threads."""
        if quality not in QUALITIES:
            raise ValueError(f"there is no quality {quality!r}; choose one of {', '.join(QUALITIES)}")
        if threads < 1:
            raise ValueError(f"{threads} threads cannot draw; give at least 1")
        self.quality = QUALITIES[quality]
        self._geometry = geometry = Geometry(static, models)
        self._looks, self._texels, self._levels = look_table(), build_textures(), level_offsets()
        self._packed = self._texels.view("<u4").reshape(-1)
        self._town_lamps = lamps.find_lamps(static)
        self._model_lamps: dict[str, lamps.Lamps] = {}
        self._lamps_off: frozenset[int] = frozenset()
        self._openness = bake_openness(geometry)
        self._shadows = SunShadows(
            geometry, self.quality.shadow_texels, self.quality.shadow_radius_m, self.quality.coarse_texels
        )
        self._contact_shade = np.zeros((CONTACT_TEXELS, CONTACT_TEXELS), np.uint8)
        self._records = Records()
        self._workplaces = [Workplace() for _ in range(threads)]
        self._pool = ThreadPoolExecutor(threads - 1, "render") if threads > 1 else None
        self._lock = threading.Lock()

    def close(self) -> None:
        """Ends the threads."""
        if self._pool is not None:
            self._pool.shutdown()

    def set_hidden(self, object_ids: Iterable[int]) -> None:
        """From now on exactly these objects of the town are neither seen nor cast shadows."""
        with self._lock:
            self._geometry.set_state(object_ids, HIDDEN)
            self._shadows.forget()

    def set_lamps_off(self, object_ids: Iterable[int]) -> None:
        """From now on the lamps of exactly these objects of the town are dark."""
        with self._lock:
            self._lamps_off = frozenset(object_ids)
            self._geometry.set_state(self._lamps_off, LAMP_OFF)

    def render(
        self, camera: Camera, movers: Sequence[Mover], weather: Weather, *, seed: int, rgb: bool = True
    ) -> Pictures:
        """One moment from one camera. The same arguments give the same bytes, on any number of threads.

        `seed` decides grain and rain drops only. Without `rgb` nothing is shaded and `bgra` is None; labels and depth are
        the same. Raises ValueError for a camera that cannot be (see `View.of`) or a mover whose model is unknown.
        """
        view = View.of(camera)
        with self._lock:
            placed = self._place(movers)
            samples = self.quality.columns if rgb else (0,)
            offsets = np.array([((c + 0.5) / len(samples), (k + 0.5) / len(samples)) for k, c in enumerate(samples)])
            size = np.array([camera.width, camera.height, len(samples)], np.int32)
            chunks, shading = self._prepare(camera, view, placed, weather, size, seed, rgb)
            return self._draw_bands(camera, view, placed, chunks, offsets, shading, weather, seed)

    def _place(self, movers: Sequence[Mover]) -> _Placed:
        models = []
        for mover in movers:
            if mover.model not in self._geometry.model_meshes:
                known = ", ".join(sorted(self._geometry.model_meshes)[:8]) or "none"
                raise ValueError(f"mover {mover.object_id} has the unknown model {mover.model!r}; known are {known}")
            models.append(self._geometry.model(mover.model))
            if mover.model not in self._model_lamps:
                self._model_lamps[mover.model] = lamps.find_lamps(self._geometry.model_meshes[mover.model])
        to_world = np.concatenate([np.eye(4)[None, :3], matrices_of([mover.pose for mover in movers])])
        low = np.array([model.low_m for model in models], np.float64).reshape(-1, 3)
        high = np.array([model.high_m for model in models], np.float64).reshape(-1, 3)
        middle = np.einsum("nij,nj->ni", to_world[1:, :, :3], (low + high) / 2) + to_world[1:, :, 3]
        half = np.einsum("nij,nj->ni", np.abs(to_world[1:, :, :3]), (high - low) / 2)
        return _Placed(movers, models, to_world, (middle - half).astype(np.float32), (middle + half).astype(np.float32))

    def _in_parallel(self, count: int, task: Callable[[int, int], None]) -> None:
        """Calls `task(number, worker)` for each number below `count`."""
        numbers = itertools.count()

        def work(worker: int) -> None:
            while (number := next(numbers)) < count:
                task(number, worker)

        others = []
        if self._pool is not None and count > 1:
            others = [self._pool.submit(work, worker) for worker in range(1, len(self._workplaces))]
        work(0)
        for other in others:
            other.result()

    def _items_in_view(self, view: View, placed: _Placed) -> Ints:
        """(N, 5) clusters and movers that may be seen."""
        geometry = self._geometry
        low = np.concatenate([geometry.low_m, placed.low_m])
        high = np.concatenate([geometry.high_m, placed.high_m])
        middle, half = (low + high) / 2 - view.eye_m, (high - low) / 2
        forward, right, up = view.rotation.T
        seen = np.ones(len(low), bool)
        for plane in (
            forward * view.tan_x - right,
            forward * view.tan_x + right,
            forward * view.tan_y - up,
            forward * view.tan_y + up,
        ):
            seen &= middle @ plane + half @ np.abs(plane) >= -1e-3
        seen &= middle @ forward + half @ np.abs(forward) >= raster.NEAR_M
        parts = np.concatenate([geometry.parts, placed.parts])
        instances = np.concatenate([np.zeros(len(geometry.parts)), np.arange(1, 1 + len(placed.movers))])
        return items_of(parts[seen], instances[seen].astype(np.int32))

    def _prepare(
        self, camera: Camera, view: View, placed: _Placed, weather: Weather, size: Ints, seed: int, rgb: bool
    ) -> tuple[Ints, _Shading | None]:
        """Projects the geometry and, side by side with it, gets the lighting ready."""
        geometry, records = self._geometry, self._records
        items = self._items_in_view(view, placed)
        stretches = [np.ascontiguousarray(items[start::CHUNKS]) for start in range(CHUNKS)]
        # A triangle that the near plane cuts leaves two.
        space = [2 * int((stretch[:, 1] - stretch[:, 0]).sum()) for stretch in stretches]
        starts = np.concatenate([[0], np.cumsum(space)])
        records.reserve(int(starts[-1]))
        frames = _view_frames(view, placed.to_world)
        most = int((items[:, 3] - items[:, 2]).max(initial=0)) + 8
        chunks = np.zeros((CHUNKS, 2), np.int32)
        shading: list[_Shading | None] = [None]

        def task(number: int, worker: int) -> None:
            if number == 0:
                shading[0] = self._light(camera, view, placed, weather, seed)
                return
            k = number - first_chunk
            clip, corners = np.empty((3, most)), np.empty((3, most))
            end = raster.project(
                stretches[k],
                frames,
                geometry.vertices,
                geometry.triangles,
                geometry.materials,
                geometry.states,
                size,
                clip,
                np.empty(most, np.uint8),
                corners,
                records.lines,
                records.planes,
                records.bounds,
                records.sources,
                int(starts[k]),
            )
            chunks[k] = starts[k], end

        first_chunk = 1
        if rgb:
            self._in_parallel(CHUNKS + 1, task)
        else:
            self._in_parallel(CHUNKS, lambda number, worker: task(number + 1, worker))
        return chunks, shading[0]

    def _light(self, camera: Camera, view: View, placed: _Placed, weather: Weather, seed: int) -> _Shading:
        air = read_weather(weather)
        forward = view.rotation[:, 0]
        eye = (float(view.eye_m[0]), float(view.eye_m[1]))
        ahead = 0.6 * self.quality.shadow_radius_m
        towards = (eye[0] + ahead * float(forward[0]), eye[1] + ahead * float(forward[1]))
        to_world = placed.to_world.astype(np.float32).reshape(-1, 12)
        sun = self._sun_maps(np.array(air[:3], np.float32), placed, to_world, eye, towards)

        low = np.array([model.low_m for model in placed.models], np.float32).reshape(-1, 3)
        high = np.array([model.high_m for model in placed.models], np.float32).reshape(-1, 3)
        standing = placed.low_m[:, 2] - ground_below(self._openness, placed.low_m, placed.high_m) < 1.0
        boxes = flat_boxes(low[standing], high[standing], to_world[1:][standing])
        contacts = press_contacts(boxes, towards, self._contact_shade)

        tints = np.array([(1.0, 1.0, 1.0), *(mover.tint for mover in placed.movers)], np.float32)
        cells, sprites = lamps.DARK, lamps.NO_HALOS
        if air.night > 0.02 or air.fog_per_m > 0.004:
            lit = [
                (self._model_lamps[mover.model], placed.to_world[number], mover.lights)
                for number, mover in enumerate(placed.movers, start=1)
                if len(self._model_lamps[mover.model].kind)
            ]
            burning = lamps.burning(self._town_lamps, self._lamps_off, lit, float(air.night))
            focal = camera.width / 2 / view.tan_x
            middle = (camera.width / 2, camera.height / 2)
            sprites = lamps.halos(burning, view.eye_m, view.rotation, focal, middle, air)
            if air.night > 0.02:
                cells = lamps.light_cells(burning, eye, float(air.night))
        glows = lamps.glows(air, [mover.lights for mover in placed.movers])
        return _Shading(
            Movers(to_world, tints, np.concatenate([[0.0], low[:, 2]]).astype(np.float32), glows),
            Lighting(air, sun, self._openness, contacts, cells),
            sprites,
            film.rain_streaks(weather, camera.width, camera.height, seed),
        )

    def _sun_maps(
        self, sun: Floats, placed: _Placed, to_world: Floats, eye: tuple[float, float], towards: tuple[float, float]
    ) -> SunMaps:
        middle = (placed.low_m + placed.high_m)[:, :2] / 2
        near = np.hypot(middle[:, 0] - eye[0], middle[:, 1] - eye[1]) < self.quality.mover_shadow_m
        numbers = np.flatnonzero(near)
        items = items_of(placed.parts[numbers], (numbers + 1).astype(np.int32))
        reach = np.stack([placed.low_m[numbers], placed.high_m[numbers]], axis=1)
        return self._shadows.maps(sun_slopes(sun), towards, items, to_world, reach)

    def _draw_bands(
        self,
        camera: Camera,
        view: View,
        placed: _Placed,
        chunks: Ints,
        offsets: Array,
        shading: _Shading | None,
        weather: Weather,
        seed: int,
    ) -> Pictures:
        geometry, records = self._geometry, self._records
        width, height, samples = camera.width, camera.height, len(offsets)
        centre = samples // 2
        rows = max(1, min(BAND_BYTES // (samples * width * 8), math.ceil(height / 4)))
        tag, instance = np.empty((height, width), np.uint8), np.empty((height, width), np.int32)
        depth_m = np.empty((height, width), np.float32)
        bgra: Bytes | None = np.empty((height, width, 4), np.uint8) if shading is not None else None
        mover_ids = np.array([0, *(mover.object_id for mover in placed.movers)], np.int32)
        numbers = np.concatenate(
            [
                view.eye_m,
                view.rotation[:, 0],
                view.rotation[:, 1] * view.tan_x,
                view.rotation[:, 2] * view.tan_y,
                (width, height),
            ]
        ).astype(np.float32)
        bands = math.ceil(height / rows)
        starts = records.sort(chunks, bands, rows * samples)
        surfaces = Surfaces(
            geometry.surfaces,
            geometry.materials,
            geometry.tags,
            geometry.states,
            geometry.keys,
            self._looks,
            self._texels.reshape(-1),
            self._packed,
            self._levels,
        )
        size = np.array([width, height], np.float64)
        grain_seed = np.uint32((seed * 2654435761) & 0xFFFFFFFF)

        def band(number: int, worker: int) -> None:
            first, end = number * rows, min((number + 1) * rows, height)
            inverse_depth, seen, light = self._workplaces[worker].buffers(end - first, width, samples)
            raster.scan(
                records.lines,
                records.planes,
                records.bounds,
                records.members[starts[number] : starts[number + 1]],
                offsets,
                first * samples,
                end * samples,
                inverse_depth,
                seen,
            )
            raster.read_labels(
                inverse_depth,
                seen,
                samples,
                centre,
                records.sources,
                geometry.tags,
                geometry.objects,
                mover_ids,
                int(Tag.SKY),
                f4(FAR_M),
                tag[first:end],
                instance[first:end],
                depth_m[first:end],
            )
            if shading is None or bgra is None:
                return
            shade(
                numbers,
                offsets,
                centre,
                first,
                inverse_depth,
                seen,
                records.sources,
                surfaces,
                shading.movers,
                shading.lighting,
                light,
            )
            film.add_halos(shading.sprites, first, inverse_depth, samples, centre, light)
            air = shading.lighting.air
            film.add_rain(shading.streaks, first, air, light)
            grain = f4(1.1 + 2.6 * float(air.night))
            film.develop(light, first, size, air.exposure, grain, grain_seed, bgra[first:end])

        self._in_parallel(bands, band)
        return Pictures(bgra, tag, instance, depth_m)


def _view_frames(view: View, to_world: Array) -> Array:
    """(N, 15) what `raster.project` wants of each instance, from its (N, 3, 4) local-to-world matrix."""
    axes = view.rotation.T / np.array([[1.0], [view.tan_x], [view.tan_y]])
    frames = np.empty((len(to_world), 15))
    rotations = axes @ to_world[:, :, :3]
    shifts = np.einsum("ij,nj->ni", axes, to_world[:, :, 3] - view.eye_m)
    frames[:, 3:] = np.concatenate([rotations, shifts[:, :, None]], axis=2).reshape(-1, 12)
    frames[:, :3] = 0.0
    # The town is far from its origin and near to the eye: there the eye is subtracted before anything is multiplied.
    frames[0, :3] = view.eye_m
    frames[0, [6, 10, 14]] = 0.0
    return frames
