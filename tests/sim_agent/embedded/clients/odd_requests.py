"""What clients ask in ways that are easily answered wrongly: `odd_requests.py PORT`."""

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
