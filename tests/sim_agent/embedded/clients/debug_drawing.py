"""What `world.debug` draws is in the colour picture for its time, and in no other picture."""

import queue

import carla
import numpy as np
from session import fresh_world, leave

COLOURS = {
    "point": (255, 0, 255),
    "line": (0, 255, 255),
    "arrow": (0, 0, 255),
    "box": (0, 255, 0),
    "string": (255, 255, 0),
    "hidden": (255, 0, 0),
}
world = fresh_world()
library = world.get_blueprint_library()
point = world.get_map().get_spawn_points()[0]
inbox = {}
for kind in ("rgb", "semantic_segmentation", "instance_segmentation", "depth"):
    blueprint = library.find(f"sensor.camera.{kind}")
    blueprint.set_attribute("image_size_x", "320")
    blueprint.set_attribute("image_size_y", "180")
    above = carla.Transform(point.location + carla.Location(z=2.0), point.rotation)
    camera = world.spawn_actor(blueprint, above)
    inbox[kind] = (camera, queue.Queue())
    camera.listen(inbox[kind][1].put)


def pictures():
    world.tick()
    found = {kind: box.get(timeout=60.0) for kind, (_, box) in inbox.items()}
    return {kind: np.frombuffer(p.raw_data, np.uint8).reshape(180, 320, 4)[..., :3] for kind, p in found.items()}


def seen(picture):
    """How many pixels have each of the colours, which nothing in the town has."""
    return {name: int((np.abs(picture[..., ::-1].astype(int) - c).max(-1) < 12).sum()) for name, c in COLOURS.items()}


def place(ahead, right, up):
    forward, side = point.get_forward_vector(), point.get_right_vector()
    return point.location + forward * ahead + side * right + carla.Location(z=up)


result = {}
before = pictures()
result["before"] = seen(before["rgb"])
colours = {name: carla.Color(*colour) for name, colour in COLOURS.items()}
debug = world.debug
debug.draw_point(place(10.0, -1.0, 2.0), 0.1, colours["point"], 0.1)
debug.draw_line(place(10.0, -3.0, 1.0), place(10.0, 3.0, 1.0), 0.3, colours["line"], 0.15)
debug.draw_arrow(place(12.0, -3.0, 3.0), place(12.0, 3.0, 3.0), 0.3, 0.4, colours["arrow"], 0.2)
box = carla.BoundingBox(place(10.0, 2.0, 2.0), carla.Vector3D(0.5, 0.5, 0.5))
debug.draw_box(box, carla.Rotation(yaw=30.0), 0.3, colours["box"], 0.0)
debug.draw_string(place(10.0, -4.0, 3.5), "text", False, colours["string"], 0.1)
debug.draw_line(place(10.0, 0.0, -3.0), place(10.0, 0.0, -1.0), 0.3, colours["hidden"], 0.0)
frames = []
for k in range(5):
    found = pictures()
    frames.append(seen(found["rgb"]))
    if k == 0:
        result["others_unchanged"] = all(bool((found[kind] == before[kind]).all()) for kind in inbox if kind != "rgb")
result["frames"] = frames
debug.clear_debug_shape()
result["cleared"] = seen(pictures()["rgb"])
for camera, _ in inbox.values():
    camera.stop()
    camera.destroy()
world.tick()
leave(world, result)
