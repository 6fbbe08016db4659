"""Optical flow against the client's own geometry, and events of a dynamic vision sensor."""

import queue

import carla
import numpy as np
from session import fresh_world, leave

WIDTH, HEIGHT = 320, 180
world = fresh_world()
library = world.get_blueprint_library()
point = world.get_map().get_spawn_points()[0]
forward, side = point.get_forward_vector(), point.get_right_vector()
car = world.spawn_actor(library.find("vehicle.tesla.model3"), point)
other = world.spawn_actor(
    library.find("vehicle.audi.tt"), carla.Transform(point.location + forward * 12.0, point.rotation)
)
for _ in range(20):
    world.tick()


def camera(kind, **attributes):
    blueprint = library.find(f"sensor.camera.{kind}")
    for name, value in (attributes | {"image_size_x": WIDTH, "image_size_y": HEIGHT}).items():
        blueprint.set_attribute(name, str(value))
    sensor = world.spawn_actor(blueprint, carla.Transform(carla.Location(x=1.2, z=1.6)), attach_to=car)
    inbox = queue.Queue()
    sensor.listen(inbox.put)
    return sensor, inbox


sensors = {kind: camera(kind) for kind in ("optical_flow", "depth", "instance_segmentation", "normals", "dvs")}
numb = camera("dvs", positive_threshold=1.2, negative_threshold=1.2)


def tick():
    """What each camera saw, by kind; events come only where there are some, and before the flow of the same frame."""
    frame = world.tick()
    found = {kind: box.get(timeout=60.0) for kind, (_, box) in sensors.items() if kind != "dvs"}
    assert all(picture.frame == frame for picture in found.values())
    return found


def numbers(picture):
    return np.frombuffer(picture.raw_data, np.float32).reshape(HEIGHT, WIDTH, 2)


def bytes_of(picture):
    return np.frombuffer(picture.raw_data, np.uint8).reshape(HEIGHT, WIDTH, 4).astype(np.int64)


def events_of(inbox, frame):
    """The events of a frame; waits until those of a later one, or of this, are there."""
    while True:
        events = inbox.get(timeout=60.0)
        if events.frame == frame:
            return events


def matrix(transform):
    return np.array(transform.get_matrix())


result = {"ticks": 0, "flow_frames": 0}
first = tick()
result["first_flow"] = float(np.abs(numbers(first["optical_flow"])).max())
still = [tick() for _ in range(4)]
result["still_flow"] = max(float(np.abs(numbers(pictures["optical_flow"])).max()) for pictures in still)
result["first_events"] = sum(
    sensors["dvs"][1].queue[k].frame == first["depth"].frame for k in range(sensors["dvs"][1].qsize())
)
last = still[-1]["depth"].frame
counts = [len(events) for events in list(sensors["dvs"][1].queue) if events.frame == last]
result["still_events"] = sum(counts)
car.apply_control(carla.VehicleControl(throttle=0.7, steer=0.2))
other.apply_control(carla.VehicleControl(throttle=0.5, reverse=True, steer=-0.2))
poses = []
for _ in range(15):
    pictures = tick()
    poses.append((pictures["optical_flow"].transform, other.get_transform()))
    result["ticks"] += 1
    result["flow_frames"] += pictures["optical_flow"].frame == world.get_snapshot().frame
flow = numbers(pictures["optical_flow"])
depth = bytes_of(pictures["depth"])
depth_m = (depth[..., 2] + depth[..., 1] * 256 + depth[..., 0] * 65536) / (256**3 - 1) * 1000.0
right = (np.arange(WIDTH) + 0.5) / WIDTH * 2 - 1
up = (1 - (np.arange(HEIGHT) + 0.5) / HEIGHT * 2) * HEIGHT / WIDTH
local = np.stack([depth_m, depth_m * right, depth_m * up[:, None], np.ones_like(depth_m)], -1)
(eye_was, other_was), (eye, other_now) = poses[-2:]
in_world = local @ matrix(eye).T
moved = in_world @ (matrix(other_was) @ np.linalg.inv(matrix(other_now))).T


def flow_from(places):
    was = places @ np.linalg.inv(matrix(eye_was)).T
    x, y = was[..., 1] / was[..., 0], was[..., 2] / was[..., 0] * WIDTH / HEIGHT
    return np.stack([right - x, up[:, None] * WIDTH / HEIGHT - y], -1)


instances = bytes_of(pictures["instance_segmentation"])
of_car = (instances[..., 2] == 14) & (depth_m < 60.0)
scene = (instances[..., 2] != 14) & (depth_m < 100.0) & (instances[..., 2] != 7)
result["car_pixels"] = int(of_car.sum())
result["flow_error"] = float(np.abs(flow - flow_from(in_world))[scene].max())
result["flow_error_of_car"] = float(np.abs(flow - flow_from(moved))[of_car].max())
coloured = pictures["optical_flow"].get_color_coded_flow()
colours = np.frombuffer(coloured.raw_data, np.uint8).reshape(-1, 4)
result["coloured"] = list(colours.shape)
result["colours"] = len(np.unique(colours // 16, axis=0))
normals = bytes_of(pictures["normals"])
road = instances[..., 2] == 1
result["normals_up"] = float((normals[road][:, 0] > 250).mean())
frame = pictures["depth"].frame
events = events_of(sensors["dvs"][1], frame)
result["fewer"] = len(events_of(numb[1], frame))
result["events"] = len(events)
# As CARLA's manual_control reads them: the wheel's `to_array` has no converter.
layout = [("x", np.uint16), ("y", np.uint16), ("t", np.int64), ("pol", bool)]
raw = np.frombuffer(events.raw_data, layout)
rows = np.stack([raw["x"], raw["y"], raw["t"], 2 * raw["pol"].astype(np.int64) - 1], 1).astype(np.int64)
result["within"] = bool((rows[:, 0] < WIDTH).all() and (rows[:, 1] < HEIGHT).all() and (rows[:, :2] >= 0).all())
now_ns = round(events.timestamp * 1e9)
result["in_time"] = bool((rows[:, 2] > now_ns - 5e7 - 1).all() and (rows[:, 2] <= now_ns + 1).all())
result["sorted"] = bool((np.diff(rows[:, 2]) >= 0).all())
result["polarities"] = sorted(set(rows[:, 3].tolist()))
painted = np.array([(pixel.r, pixel.b) for pixel in events.to_image()])
result["painted"] = int((painted > 0).any(1).sum())
result["places"] = len(np.unique(rows[:, :2], axis=0))
for sensor, _ in (*sensors.values(), numb):
    sensor.stop()
    sensor.destroy()
world.tick()
leave(world, result)
