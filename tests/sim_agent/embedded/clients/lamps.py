"""The light manager: what is set of a lamp is told back, to other clients as well, and is seen at night."""

import queue
import sys

import carla
import numpy as np
from session import client, fresh_world, leave

world = fresh_world()
world.set_weather(carla.WeatherParameters(sun_altitude_angle=-60.0))
lights = world.get_lightmanager()
lamps = lights.get_all_lights(carla.LightGroup.Street)
lamp = lamps[0]
result = {"lamps": len(lamps), "first": [lamp.is_on, lamp.intensity, lamp.color.r, str(lamp.light_group)]}
blueprint = world.get_blueprint_library().find("sensor.camera.rgb")
blueprint.set_attribute("image_size_x", "320")
blueprint.set_attribute("image_size_y", "180")
# Down at the street that the lamp lights, whatever stands around it.
place = carla.Transform(lamp.location + carla.Location(x=-6.0, z=-1.0), carla.Rotation(pitch=-35.0))
camera = world.spawn_actor(blueprint, place)
inbox = queue.Queue()
camera.listen(inbox.put)


def mean():
    """Red, green and blue of the picture. The client sends what was set when it hears of a tick: the next one shows it."""
    world.tick()
    inbox.get(timeout=60.0)
    world.tick()
    picture = inbox.get(timeout=60.0)
    return np.frombuffer(picture.raw_data, np.uint8).reshape(-1, 4)[:, 2::-1].mean(0).round(2).tolist()


result["usual"] = mean()
lights.set_colors(lamps, [carla.Color(255, 0, 0)] * len(lamps))
result["red"] = mean()
lights.set_intensities(lamps, [2500.0] * len(lamps))
result["strong"] = mean()
lights.set_intensity([lamp], 123.0)
lights.set_color([lamp], carla.Color(1, 2, 3))
lights.set_light_group([lamp], carla.LightGroup.Building)
lights.turn_off([lamps[1]])
world.tick()


def told(world, lamp_id):
    found = next(light for light in world.get_lightmanager().get_all_lights() if light.id == lamp_id)
    colour = found.color
    return [found.is_on, found.intensity, [colour.r, colour.g, colour.b], str(found.light_group)]


second = carla.Client("127.0.0.1", int(sys.argv[1]))
second.set_timeout(60.0)
for name, where in (("told", world), ("told_another", second.get_world())):
    result[name] = [told(where, lamp.id), told(where, lamps[1].id)[:1], told(where, lamps[2].id)[:3]]
lights.turn_off(lamps)
result["off"] = mean()
world = client.reload_world(False)
result["reloaded"] = told(world, lamp.id)[:2]
camera.stop()
leave(world, result)
