"""Vehicles taken apart: a body, and wheels that turn about their own hubs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from sim_agent.embedded.blueprints import VehicleSpec, vehicle_spec
from sim_agent.embedded.models.surface import fit
from sim_agent.embedded.scene import Mesh


class TurningVehicle(NamedTuple):
    """A vehicle in parts; together they look as the whole does when its wheels stand straight."""

    whole: Mesh
    body: Mesh
    """Without wheels, but with their vertices: it is as large as the whole."""
    wheels: tuple[Mesh, ...]
    """Each about its hub, in the order of `VehicleSpec.wheel_positions_m`, with its axle along y."""
    hubs_m: tuple[tuple[float, float, float], ...]


@lru_cache(maxsize=64)
def turning_vehicle(build: Callable[[str], Mesh], vehicle_id: str) -> TurningVehicle:
    """The vehicle that `build` makes: a mesh whose parts (object ids) are its wheels."""
    spec = vehicle_spec(vehicle_id)
    raw = build(vehicle_id)
    whole = fit(raw, spec.box_centre_m, spec.extent_m)
    owners = _owners(whole, raw.objects, spec)
    wheels, hubs = [], []
    for number in range(len(spec.wheel_positions_m)):
        hub, wheel = _wheel(_of(whole, owners == number))
        hubs.append(hub)
        wheels.append(wheel)
    body = _triangles(whole, owners < 0)
    return TurningVehicle(whole, body, tuple(wheels), tuple(hubs))


def _owners(whole: Mesh, parts: np.ndarray, spec: VehicleSpec) -> np.ndarray:
    """(T,) which wheel a triangle belongs to: that whose place is nearest to the middle of its part; -1 for the body."""
    owners = np.full(len(whole.triangles), -1)
    places = np.array(spec.wheel_positions_m)
    for part in range(1, int(parts.max(initial=0)) + 1):
        mine = parts == part
        corners = whole.vertices[whole.triangles[mine]].reshape(-1, 3)
        middle = (corners.min(0) + corners.max(0)) / 2.0
        owners[mine] = int(np.hypot(*(places - middle)[:, :2].T).argmin())
    return owners


def _wheel(mesh: Mesh) -> tuple[tuple[float, float, float], Mesh]:
    """A wheel's hub, and the wheel about it; round, though the vehicle was stretched into its box."""
    if not len(mesh.vertices):
        return (0.0, 0.0, 0.0), mesh
    # Regular polygons about the axle, whose seams count once: their middle is the hub, and their spread is even.
    corners = np.unique(mesh.vertices.astype(np.float64).round(5), axis=0)
    hub = corners.mean(0)
    hub[1] = (corners[:, 1].min() + corners[:, 1].max()) / 2.0
    spread = corners.std(0)
    stretch = np.array([spread[2] / max(spread[0], 1e-6), 1.0, 1.0])
    normals = mesh.normals / stretch
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    x, y, z = hub.tolist()
    vertices = ((mesh.vertices - hub) * stretch).astype(np.float32)
    return (x, y, z), replace(mesh, vertices=vertices, normals=normals.astype(np.float32))


def _triangles(mesh: Mesh, kept: np.ndarray) -> Mesh:
    """Some of a mesh's triangles over all of its vertices."""
    chosen = {name: np.ascontiguousarray(getattr(mesh, name)[kept]) for name in ("tags", "materials", "objects")}
    return replace(mesh, triangles=np.ascontiguousarray(mesh.triangles[kept]), **chosen)


def _of(mesh: Mesh, kept: np.ndarray) -> Mesh:
    """Some of a mesh's triangles with the vertices that they need."""
    part = _triangles(mesh, kept)
    used, renumbered = np.unique(part.triangles, return_inverse=True)
    columns = {
        name: np.ascontiguousarray(getattr(mesh, name)[used]) for name in ("vertices", "normals", "uvs", "colours")
    }
    return replace(part, triangles=renumbered.reshape(-1, 3).astype(np.int32), **columns)
