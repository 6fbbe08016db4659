"""Four kinds of camera on a car, two poses, a hundred ticks: frames, sizes, tags, agreement."""

import queue

import carla
import numpy as np
from session import fresh_world, leave

world = fresh_world()
library = world.get_blueprint_library()
point = world.get_map().get_spawn_points()[0]
car = world.spawn_actor(library.find("vehicle.tesla.model3"), point)
ahead = world.try_spawn_actor(
    library.find("vehicle.audi.tt"), carla.Transform(point.location + point.get_forward_vector() * 12.0, point.rotation)
)
kinds = ("rgb", "semantic_segmentation", "instance_segmentation", "depth")
inbox = {}
for kind in kinds:
    blueprint = library.find(f"sensor.camera.{kind}")
    blueprint.set_attribute("image_size_x", "320")
    blueprint.set_attribute("image_size_y", "180")
    blueprint.set_attribute("fov", "100")
    camera = world.spawn_actor(blueprint, carla.Transform(carla.Location(x=1.2, z=1.6)), attach_to=car)
    inbox[kind] = (camera, queue.Queue())
    camera.listen(inbox[kind][1].put)
wrong, tags, sizes = 0, set(), set()
for _ in range(30):
    frame = world.tick()
    pictures = {kind: box.get(timeout=60.0) for kind, (_, box) in inbox.items()}
    wrong += sum(picture.frame != frame for picture in pictures.values())
    sizes |= {(p.width, p.height, round(p.fov), len(p.raw_data)) for p in pictures.values()}
arrays = {k: np.frombuffer(p.raw_data, np.uint8).reshape(180, 320, 4).astype(int) for k, p in pictures.items()}
tag = arrays["semantic_segmentation"][..., 2]
instance_tag = arrays["instance_segmentation"][..., 2]
depth = arrays["depth"]
depth_m = (depth[..., 2] + depth[..., 1] * 256 + depth[..., 0] * 65536) / (256**3 - 1) * 1000.0
location = pictures["rgb"].transform.location
result = {
    "wrong": wrong,
    "sizes": sorted(sizes),
    "tags": sorted(set(np.unique(tag).tolist())),
    "tags_agree": bool((tag == instance_tag).all()),
    "sky_is_far": bool((depth_m[tag == 11] > 900).all()),
    "car_m": float(np.median(depth_m[tag == 14])) if (tag == 14).any() else None,
    "ahead": ahead is not None,
    "height": round(location.z - car.get_transform().location.z, 2),
    "bright": float(arrays["rgb"][..., :3].mean()),
}
for camera, _ in inbox.values():
    camera.stop()
    camera.destroy()
world.tick()
leave(world, result)
