"""Joins the stages: what is in view, its projection, then band after band scan conversion, labels, shading and film."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from sim_agent.embedded.pose import Array
from sim_agent.embedded.render import film, lamps, raster
from sim_agent.embedded.render.atmosphere import read_weather
from sim_agent.embedded.render.buffers import Workplace
from sim_agent.embedded.render.camera import FAR_M, Camera, Pictures, View
from sim_agent.embedded.render.development import part_colours
from sim_agent.embedded.render.geometry import HIDDEN, LAMP_OFF, Geometry
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
from sim_agent.embedded.render.visibility import Things, VisibilityBuffer
from sim_agent.embedded.render.workers import Workers
from sim_agent.embedded.scene import Bytes, Floats, Ints, LampSetting, Mesh, Mover, Tag, Weather


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


class _Placed(NamedTuple):
    """The movers of a frame; row 0 of the matrices is the town."""

    movers: Sequence[Mover]
    parts: Ints
    """(N, 4) of their models."""
    model_low_m: Floats
    """(N, 3) corners of their models' boxes, in the models' axes."""
    model_high_m: Floats
    to_world: Array
    """(1 + N, 3, 4) float64."""
    low_m: Floats
    """(N, 3) corners of the boxes around them in the world."""
    high_m: Floats


class _Shading(NamedTuple):
    surfaces: Surfaces
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
        self._workers = Workers(threads)
        self.quality = QUALITIES[quality]
        self._geometry = geometry = Geometry(static, models)
        self._town_lamps = self._town_lamps_on = lamps.find_lamps(static)
        self._model_lamps: dict[str, lamps.Lamps] = {}
        self._openness = bake_openness(geometry)
        self._shadows = SunShadows(
            geometry, self.quality.shadow_texels, self.quality.shadow_radius_m, self.quality.coarse_texels
        )
        self._contact_shade = np.zeros((CONTACT_TEXELS, CONTACT_TEXELS), np.uint8)
        self._buffer = VisibilityBuffer(geometry, self._workers)
        self._workplaces = [Workplace() for _ in range(threads)]
        self._lock = threading.Lock()

    def close(self) -> None:
        """Ends the threads."""
        self._workers.close()

    def set_hidden(self, object_ids: Iterable[int]) -> None:
        """From now on exactly these objects of the town are neither seen nor cast shadows."""
        with self._lock:
            self._geometry.set_state(object_ids, HIDDEN)
            self._shadows.forget()

    def set_lamps(self, settings: Mapping[int, LampSetting]) -> None:
        """From now on the lamps of exactly these objects of the town burn so, and all others as they were made."""
        with self._lock:
            self._town_lamps_on = lamps.with_settings(self._town_lamps, settings)
            self._geometry.set_state([number for number, setting in settings.items() if not setting.on], LAMP_OFF)
            self._geometry.set_lens_colours(lamps.lens_colours(self._town_lamps, settings))

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
            light = self._workers.start(lambda: self._light(camera, view, placed, weather, seed)) if rgb else None
            things = self._things(placed, view, camera.width / 2 / view.tan_x).in_view(view)
            self._buffer.fill(things, _view_frames(view, placed.to_world), (camera.width, camera.height), offsets)
            return self._draw_bands(camera, view, placed, offsets, light.result() if light else None, seed)

    def _place(self, movers: Sequence[Mover]) -> _Placed:
        geometry = self._geometry
        numbers = []
        for mover in movers:
            if mover.model not in self._model_lamps:
                if mover.model not in geometry.model_meshes:
                    known = ", ".join(sorted(geometry.model_meshes)[:8]) or "none"
                    raise ValueError(
                        f"mover {mover.object_id} has the unknown model {mover.model!r}; known are {known}"
                    )
                self._model_lamps[mover.model] = lamps.find_lamps(geometry.model_meshes[mover.model])
            numbers.append(geometry.model(mover.model))
        chosen = np.array(numbers, np.int64)
        low, high = geometry.model_low_m[chosen], geometry.model_high_m[chosen]
        to_world = np.concatenate([np.eye(4)[None, :3], matrices_of([mover.pose for mover in movers])])
        middle = np.einsum("nij,nj->ni", to_world[1:, :, :3], (low.astype(np.float64) + high) / 2) + to_world[1:, :, 3]
        half = np.einsum("nij,nj->ni", np.abs(to_world[1:, :, :3]), (high.astype(np.float64) - low) / 2)
        corners = (middle - half).astype(np.float32), (middle + half).astype(np.float32)
        return _Placed(movers, geometry.model_parts[chosen], low, high, to_world, *corners)

    def _things(self, placed: _Placed, view: View, focal_px: float) -> Things:
        geometry = self._geometry
        parts = geometry.parts_for(view.eye_m, focal_px)
        town = items_of(parts, np.zeros(len(parts), np.int32))
        movers = items_of(placed.parts, np.arange(1, 1 + len(placed.movers), dtype=np.int32))
        return Things(
            np.concatenate([town, movers]),
            np.concatenate([geometry.low_m, placed.low_m]),
            np.concatenate([geometry.high_m, placed.high_m]),
        )

    def _light(self, camera: Camera, view: View, placed: _Placed, weather: Weather, seed: int) -> _Shading:
        air = read_weather(weather)
        forward = view.rotation[:, 0]
        eye = (float(view.eye_m[0]), float(view.eye_m[1]))
        ahead = 0.6 * self.quality.shadow_radius_m
        towards = (eye[0] + ahead * float(forward[0]), eye[1] + ahead * float(forward[1]))
        to_world = placed.to_world.astype(np.float32).reshape(-1, 12)
        sun = self._sun_maps(np.array(air[:3], np.float32), placed, to_world, eye, towards)

        low, high = placed.model_low_m, placed.model_high_m
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
            burning = lamps.burning(self._town_lamps_on, lit, float(air.night))
            focal = camera.width / 2 / view.tan_x
            middle = (camera.width / 2, camera.height / 2)
            sprites = lamps.halos(burning, view.eye_m, view.rotation, focal, middle, air)
            if air.night > 0.02:
                cells = lamps.light_cells(burning, eye, float(air.night))
        glows = lamps.glows(air, [mover.lights for mover in placed.movers])
        return _Shading(
            self._surfaces(),
            Movers(to_world, tints, np.concatenate([[0.0], low[:, 2]]).astype(np.float32), glows),
            Lighting(air, sun, self._openness, contacts, cells),
            sprites,
            film.rain_streaks(weather, camera.width, camera.height, seed),
        )

    def _surfaces(self) -> Surfaces:
        geometry, texels = self._geometry, build_textures()
        return Surfaces(
            geometry.surfaces,
            geometry.materials,
            geometry.tags,
            geometry.states,
            geometry.keys,
            look_table(),
            texels.reshape(-1),
            texels.view("<u4").reshape(-1),
            level_offsets(),
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
        self, camera: Camera, view: View, placed: _Placed, offsets: Array, shading: _Shading | None, seed: int
    ) -> Pictures:
        geometry, buffer = self._geometry, self._buffer
        width, height, samples = camera.width, camera.height, len(offsets)
        centre = samples // 2
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
        size = np.array([width, height], np.float64)
        grain_seed = np.uint32((seed * 2654435761) & 0xFFFFFFFF)
        gains, power, contrast = camera.film.gains(), f4(camera.film.power()), f4(camera.film.contrast())

        def band(number: int, worker: int) -> None:
            first, end = number * buffer.rows, min((number + 1) * buffer.rows, height)
            inverse_depth, seen = buffer.band(number)
            raster.read_labels(
                inverse_depth,
                seen,
                samples,
                centre,
                buffer.records.sources,
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
            light = self._workplaces[worker].light(end - first, width)
            shade(
                numbers,
                offsets,
                centre,
                first,
                inverse_depth,
                seen,
                buffer.records.sources,
                shading.surfaces,
                shading.movers,
                shading.lighting,
                light,
            )
            film.add_halos(shading.sprites, first, inverse_depth, samples, centre, light)
            air = shading.lighting.air
            film.add_rain(shading.streaks, first, air, light)
            grain = f4(1.1 + 2.6 * float(air.night))
            film.develop(light, first, size, gains * air.exposure, power, contrast, grain, grain_seed, bgra[first:end])

        self._workers.share(buffer.bands, band)
        if bgra is not None and camera.film.chromatic_aberration_intensity:
            part_colours(bgra, camera.film.chromatic_aberration_intensity)
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
