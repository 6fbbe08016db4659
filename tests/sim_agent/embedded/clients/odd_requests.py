"""What clients ask in ways that are easily answered wrongly: `odd_requests.py PORT`."""

import queue

import carla
from session import client, fresh_world, leave

result = {}
world = fresh_world("Town01")
library = world.get_blueprint_library()
points = world.get_map().get_spawn_points()

# The batch command leaves its kind of attachment unset.
walker = world.spawn_actor(library.filter("walker.*")[0], carla.Transform(points[0].location + carla.Location(z=1)))
controller = library.find("controller.ai.walker")
answers = client.apply_batch_sync(
    [carla.command.SpawnActor(controller, carla.Transform(), walker.id) for _ in range(8)], False
)
result["attached"] = [answer.error for answer in answers]

car = world.spawn_actor(library.find("vehicle.audi.tt"), points[5])
world.tick()
blinker, middle = car.get_component_world_transform("front-blinker-r-1"), car.get_transform()
ahead, right = middle.get_forward_vector(), middle.get_right_vector()
offset = blinker.location - middle.location
result["blinker"] = [round(offset.dot(ahead), 2), round(offset.dot(right), 2)]
result["extent"] = [round(car.bounding_box.extent.x, 2), round(car.bounding_box.extent.y, 2)]

eye = library.find("sensor.camera.cosmos_visualization")
eye.set_attribute("image_size_x", "64")
eye.set_attribute("image_size_y", "48")
pictures = queue.Queue()
camera = world.spawn_actor(eye, carla.Transform(carla.Location(z=3)), attach_to=car)
camera.listen(pictures.put)
frame = world.tick()
picture = pictures.get(timeout=60.0)
result["cosmos"] = [picture.frame == frame, picture.width, picture.height, len(set(bytes(picture.raw_data))) > 4]
camera.stop()
camera.destroy()

# Every long vehicle but a bus fits at every spawn point, all of them at once.
misfits = {}
for name in ("vehicle.carlamotors.firetruck", "vehicle.carlamotors.european_hgv", "vehicle.ford.ambulance"):
    batch = [carla.command.SpawnActor(library.find(name), point) for point in points[10:]]
    spawned = client.apply_batch_sync(batch, False)
    misfits[name] = [answer.error for answer in spawned if answer.error]
    client.apply_batch_sync([carla.command.DestroyActor(answer.actor_id) for answer in spawned], False)
result["misfits"] = misfits

# A number with a point where CARLA's own example writes one into a whole number.
lidar = library.find("sensor.lidar.ray_cast")
lidar.set_attribute("channels", "64.0")
sensor = world.spawn_actor(lidar, carla.Transform(carla.Location(z=2)), attach_to=car)
result["channels"] = sensor.attributes["channels"]
sensor.destroy()

# An actor that is gone has a box without size; a Traffic Manager that met an error here would end its process.
client.apply_batch_sync([carla.command.DestroyActor(car.id)], False)
result["box_of_the_gone"] = car.bounding_box.extent.x

result["cameras"] = sorted(b.id.rsplit(".", 1)[1] for b in library.filter("sensor.camera.*"))
leave(world, result)
