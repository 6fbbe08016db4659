"""What each sensor makes of the world at a tick, as records for its stream."""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from sim_agent.embedded.actors import Actor, Body, Sensor
from sim_agent.embedded.pose import Pose, rotation_matrix
from sim_agent.embedded.scene import Mover, Tag
from sim_agent.embedded.wire import records, structs
from sim_agent.embedded.wire.records import Frame, Stamp
from sim_agent.embedded.world import World
from trainer.labels import load_label_table

if TYPE_CHECKING:
    from sim_agent.embedded.render import Development, Pictures

Floats = npt.NDArray[np.float64]

LATITUDE_DEG, LONGITUDE_DEG = 49.0, 8.0
"""Of the world's origin: the geoReference of our maps."""
EARTH_RADIUS_M = 6_378_137.0
GRAVITY_MPS2 = 9.81
CAMERAS = {
    "sensor.camera.rgb": records.Sensor.RGB,
    "sensor.camera.semantic_segmentation": records.Sensor.SEMANTIC_SEGMENTATION,
    "sensor.camera.instance_segmentation": records.Sensor.INSTANCE_SEGMENTATION,
    "sensor.camera.depth": records.Sensor.DEPTH,
    "sensor.camera.normals": records.Sensor.NORMALS,
    "sensor.camera.cosmos_visualization": records.Sensor.COSMOS,
}
UNSEEN_AREA = structs.Actor(0, 0, structs.ActorDescription(0, "static.unknown"), structs.BoundingBox())


def stamp(world: World, sensor: Sensor, frame: int) -> Stamp:
    """When and where a sensor senses."""
    return Stamp(frame, world.time_s, sensor.pose())


def random_for(sensor: Sensor) -> np.random.Generator:
    """Noise that depends on the sensor's noise_seed, its kind and how often it has sensed.

    Not on the frame: an episode that is loaded again gives the same bytes again.
    """
    seed = int(sensor.attributes.get("noise_seed") or 0)
    return np.random.default_rng([seed & 0xFFFFFFFF, zlib.crc32(sensor.type_id.encode()), sensor.readings])


def camera_picture(sensor: Sensor, at: Stamp, pictures: Pictures) -> Frame:
    """A camera's record from the one pass that all cameras of a pose share."""
    from sim_agent.embedded.render import depth_bgra, instance_bgra, semantic_bgra

    kind = CAMERAS[sensor.type_id]
    if kind is records.Sensor.SEMANTIC_SEGMENTATION:
        bgra = semantic_bgra(pictures.tag)
    elif kind is records.Sensor.INSTANCE_SEGMENTATION:
        bgra = instance_bgra(pictures.tag, pictures.instance)
    elif kind is records.Sensor.DEPTH:
        bgra = depth_bgra(pictures.depth_m)
    elif kind is records.Sensor.COSMOS:
        bgra = _palette()[pictures.tag]
    elif kind is records.Sensor.NORMALS:
        bgra = _normals(pictures.depth_m, float(sensor.attributes["fov"]), at.pose)
    else:
        assert pictures.bgra is not None
        bgra = pictures.bgra
    return records.picture(kind, at, float(sensor.attributes["fov"]), bgra)


def film_of(sensor: Sensor) -> Development:
    """How a camera with colours makes them, from its attributes."""
    from sim_agent.embedded.render import Development

    return Development(*(float(sensor.attributes[name]) for name in Development._fields))


def gnss(sensor: Sensor, at: Stamp) -> Frame:
    """Latitude, longitude and altitude by the map's Mercator projection (LibCarla/source/carla/geom/GeoLocation.cpp)."""
    scale = math.cos(math.radians(LATITUDE_DEG))
    x, y, z = at.pose.location
    mx = scale * math.radians(LONGITUDE_DEG) * EARTH_RADIUS_M + x
    my = scale * EARTH_RADIUS_M * math.log(math.tan(math.radians(90.0 + LATITUDE_DEG) / 2.0)) - y
    longitude = math.degrees(mx / (EARTH_RADIUS_M * scale))
    latitude = 360.0 * math.atan(math.exp(my / (EARTH_RADIUS_M * scale))) / math.pi - 90.0
    noise = random_for(sensor)
    values = []
    for name, value in (("lat", latitude), ("lon", longitude), ("alt", z)):
        bias, deviation = (float(sensor.attributes[f"noise_{name}_{part}"]) for part in ("bias", "stddev"))
        values.append(value + bias + noise.normal() * deviation)
    return records.gnss(at, *values)


def imu(world: World, sensor: Sensor, at: Stamp, gravity: float) -> Frame:
    """Acceleration with gravity, turning rate and heading, in the sensor's axes (CARLA docs, ref_sensors, IMU sensor)."""
    axes = rotation_matrix(*at.pose.rotation)
    acceleration, turning = np.zeros(3), np.zeros(3)
    carrier = sensor.parent
    if isinstance(carrier, Body):
        motion = world.motion(carrier)
        acceleration, turning = np.array(motion.acceleration), np.radians(motion.angular_velocity_deg)
    felt = axes.T @ (acceleration + np.array([0.0, 0.0, gravity]))
    turn = axes.T @ turning
    noise, get = random_for(sensor), sensor.attributes
    felt += [noise.normal() * float(get[f"noise_accel_stddev_{axis}"]) for axis in "xyz"]
    turn += [
        float(get[f"noise_gyro_bias_{axis}"]) + noise.normal() * float(get[f"noise_gyro_stddev_{axis}"])
        for axis in "xyz"
    ]
    compass = math.radians(at.pose.yaw_deg + 90.0) % (2.0 * math.pi)  # north is -y
    return records.imu(at, _three(felt), _three(turn), compass)


def collisions(world: World, sensor: Sensor, at: Stamp, as_actor: Callable[[Actor], structs.Actor]) -> Iterator[Frame]:
    """One record for each contact of the sensor's parent in this tick."""
    if sensor.parent is None:
        return
    for contact in world.contacts:
        if contact.actor_id == sensor.parent.id:
            other = world.actors.get(contact.other_id)
            hit = as_actor(other) if other is not None else static_actor(world, contact.object_id)
            yield records.collision(at, as_actor(sensor.parent), hit, contact.normal_impulse)


def obstacle(
    world: World, sensor: Sensor, at: Stamp, movers: list[Mover], as_actor: Callable[[Actor], structs.Actor]
) -> Frame | None:
    """What stands before the sensor's parent within `distance`, by rays through a disc of `hit_radius`."""
    reach, radius = float(sensor.attributes["distance"]), float(sensor.attributes["hit_radius"])
    axes = rotation_matrix(*at.pose.rotation)
    angles = np.arange(8) * (math.pi / 4.0)
    ring = np.stack([np.zeros(8), np.cos(angles), np.sin(angles)], -1) * radius
    origins = np.array(at.pose.location) + np.concatenate([np.zeros((1, 3)), ring]) @ axes.T
    directions = np.broadcast_to(axes[:, 0], origins.shape)
    own = {world.object_id(sensor.parent.id)} if sensor.parent else set()
    hits = world.ray_caster.cast(origins, directions, reach, [m for m in movers if m.object_id not in own])
    distance = np.where(np.isfinite(hits.distance_m), hits.distance_m, np.inf)
    if sensor.attributes["only_dynamics"] == "true":
        distance = np.where(hits.object_id >= world.first_object_id, distance, np.inf)
    else:
        distance = np.where(np.isin(hits.tag, (Tag.ROAD, Tag.ROAD_LINE, Tag.SIDEWALK, Tag.TERRAIN)), np.inf, distance)
    nearest = int(distance.argmin())
    if not np.isfinite(distance[nearest]) or distance[nearest] > reach:
        return None
    other = world.actor_of_object(int(hits.object_id[nearest]))
    hit = as_actor(other) if other is not None else static_actor(world, int(hits.object_id[nearest]))
    return records.obstacle(at, as_actor(sensor.parent or sensor), hit, float(distance[nearest]))


def lidar(world: World, sensor: Sensor, at: Stamp, movers: list[Mover], dt_s: float) -> Frame:
    """The rays that the turning sensor casts in `dt_s`, with CARLA's drop-off and intensity (ref_sensors, LIDAR sensor)."""
    get = sensor.attributes
    channels, reach = int(get["channels"]), float(get["range"])
    steps = max(1, int(int(get["points_per_second"]) * dt_s / channels))
    turn = math.radians(float(get["horizontal_fov"])) * min(1.0, float(get["rotation_frequency"]) * dt_s)
    start = sensor.angle_rad
    azimuth = start + turn * np.arange(steps) / steps
    sensor.angle_rad = (start + turn) % math.radians(float(get["horizontal_fov"]))
    altitude = np.radians(np.linspace(float(get["upper_fov"]), float(get["lower_fov"]), channels))
    level = np.cos(altitude)[:, None]
    local = np.stack(
        [
            level * np.cos(azimuth),
            level * np.sin(azimuth),
            np.broadcast_to(np.sin(altitude)[:, None], (channels, steps)),
        ],
        -1,
    ).reshape(-1, 3)
    directions = local @ rotation_matrix(*at.pose.rotation).T
    origins = np.broadcast_to(np.array(at.pose.location), directions.shape)
    hits = world.ray_caster.cast(origins, directions, reach, movers)
    found = hits.distance_m <= reach
    channel = np.repeat(np.arange(channels), steps)
    angle = float(sensor.angle_rad)
    if sensor.type_id == "sensor.lidar.ray_cast_semantic":
        counts = np.bincount(channel[found], minlength=channels).tolist()
        points = np.zeros(int(found.sum()), records.SEMANTIC_POINT)
        places = local[found] * hits.distance_m[found, None]
        points["x"], points["y"], points["z"] = places.T
        points["cos_angle"], points["tag"] = hits.normal_cos[found], hits.tag[found]
        points["object"] = [world.actor_id_of_object(int(key)) for key in hits.object_id[found]]
        return records.semantic_lidar(at, angle, counts, points)
    noise = random_for(sensor)
    intensity = np.exp(-float(get["atmosphere_attenuation_rate"]) * np.where(found, hits.distance_m, 0.0))
    keep = found & (noise.random(len(found)) >= float(get["dropoff_general_rate"]))
    weak_drop = float(get["dropoff_zero_intensity"])
    limit = float(get["dropoff_intensity_limit"])
    if limit > 0.0:
        # Certain to stay above the limit, dropped with weak_drop at intensity 0, linear between.
        share = weak_drop * np.clip(1.0 - intensity / limit, 0.0, 1.0)
        keep &= noise.random(len(found)) >= share
    distance = hits.distance_m[keep] + noise.normal(size=int(keep.sum())) * float(get["noise_stddev"])
    counts = np.bincount(channel[keep], minlength=channels).tolist()
    cloud = np.concatenate([local[keep] * distance[:, None], intensity[keep, None]], 1).astype(np.float32)
    return records.lidar(at, angle, counts, cloud)


def radar(world: World, sensor: Sensor, at: Stamp, movers: list[Mover], dt_s: float) -> Frame:
    """Random rays in the sensor's cone; what moves is seen by its speed along the ray (ref_sensors, Radar sensor)."""
    get, noise = sensor.attributes, random_for(sensor)
    count = max(1, int(int(get["points_per_second"]) * dt_s))
    # CARLA draws in the unit disc, so that rays are denser in the middle.
    radius, angle = noise.random(count), noise.random(count) * 2.0 * math.pi
    azimuth = np.radians(float(get["horizontal_fov"]) / 2.0) * radius * np.cos(angle)
    altitude = np.radians(float(get["vertical_fov"]) / 2.0) * radius * np.sin(angle)
    local = np.stack([np.cos(altitude) * np.cos(azimuth), np.cos(altitude) * np.sin(azimuth), np.sin(altitude)], -1)
    directions = local @ rotation_matrix(*at.pose.rotation).T
    own = {world.object_id(sensor.parent.id)} if sensor.parent else set()
    hits = world.ray_caster.cast(
        np.broadcast_to(np.array(at.pose.location), directions.shape),
        directions,
        float(get["range"]),
        [m for m in movers if m.object_id not in own],
    )
    found = hits.distance_m <= float(get["range"])
    own_velocity = np.array(world.velocity(sensor.parent) if sensor.parent else (0.0, 0.0, 0.0))
    velocities = {
        key: np.array(world.velocity(world.actor_of_object(int(key)))) - own_velocity
        for key in np.unique(hits.object_id[found])
    }
    speed = [float(velocities[key] @ ray) for key, ray in zip(hits.object_id[found], directions[found], strict=True)]
    detections = np.stack([np.array(speed), azimuth[found], altitude[found], hits.distance_m[found]], -1)
    return records.radar(at, np.ascontiguousarray(detections.reshape(-1, 4), np.float32))


def static_actor(world: World, object_id: int) -> structs.Actor:
    """A thing of the map as the other actor of an event: id 0 and a type such as static.building."""
    thing = world.static_objects.get(object_id)
    if thing is None:
        return UNSEEN_AREA
    name = f"static.{thing.tag.name.lower().replace('_', '')}"
    return structs.Actor(0, 0, structs.ActorDescription(0, name), structs.BoundingBox(), bytes([thing.tag]))


@lru_cache(maxsize=1)
def _palette() -> npt.NDArray[np.uint8]:
    """(256, 4) uint8 BGRA: CARLA's colour of each tag.

    CARLA's cosmos_visualization also draws outlines and skeletons over these flat colours; here are the colours alone.
    """
    palette = np.full((256, 4), 255, np.uint8)
    palette[:, :3] = load_label_table("carla-0.9.14").colours()[:, ::-1]
    return palette


def _normals(depth_m: npt.NDArray[np.float32], fov_deg: float, pose: Pose) -> npt.NDArray[np.uint8]:
    """(H, W, 4) uint8: the world's normal of each pixel from its neighbours' depth, (n + 1) / 2 in red, green and blue."""
    height, width = depth_m.shape
    tan_x = math.tan(math.radians(fov_deg) / 2.0)
    u = ((np.arange(width) + 0.5) / width * 2.0 - 1.0) * tan_x
    v = (1.0 - (np.arange(height) + 0.5) / height * 2.0) * tan_x * height / width
    points = np.stack([depth_m, depth_m * u, depth_m * v[:, None]], -1).astype(np.float64)
    if height < 2 or width < 2:
        normals = np.broadcast_to(np.array([-1.0, 0.0, 0.0]), points.shape)
    else:
        down, right = np.gradient(points, axis=(0, 1))
        normals = np.cross(right, -down)
        normals /= np.maximum(np.linalg.norm(normals, axis=-1, keepdims=True), 1e-12)
        normals *= np.where((normals * points).sum(-1, keepdims=True) > 0.0, -1.0, 1.0)
    world = normals @ rotation_matrix(*pose.rotation).T
    picture = np.full((height, width, 4), 255, np.uint8)
    picture[..., :3] = np.rint((world[..., ::-1] + 1.0) * 127.5)
    return picture


def _three(values: npt.NDArray[np.float64]) -> tuple[float, float, float]:
    x, y, z = values.tolist()
    return x, y, z
