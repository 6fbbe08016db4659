"""Two cars on Town05's straight avenue, one of them through a zone of friction: `long_straight.py PORT`."""

import carla
from session import client, fresh_world, leave

SPEED_MPS = 15.0
ZONE_FRICTION = 4.0

world = fresh_world("Town05_Opt")
library = world.get_blueprint_library()
zone = library.find("static.trigger.friction")
for name, value in {"friction": ZONE_FRICTION, "extent_x": 250, "extent_y": 3000, "extent_z": 500}.items():
    zone.set_attribute(name, str(value))
world.spawn_actor(zone, carla.Transform(carla.Location(28.0, -120.0, 1.0)))
cars = [
    world.spawn_actor(
        library.find("vehicle.lincoln.mkz_2020"),
        carla.Transform(carla.Location(x, -195.0, 0.3), carla.Rotation(yaw=90)),
    )
    for x in (28.0, 36.0)
]
for _ in range(10):
    world.tick()
for car in cars:
    physics = car.get_physics_control()
    wheels = physics.wheels
    for wheel in wheels:
        wheel.tire_friction = 0.0
    physics.wheels, physics.drag_coefficient = wheels, 0.0
    car.apply_physics_control(physics)
world.tick()
for car in cars:
    car.set_target_velocity(carla.Vector3D(0.0, SPEED_MPS, 0.0))
seen = []
for tick in range(240):
    world.tick()
    if tick % 20 == 19:
        seen.append(
            [
                [round(car.get_location().y, 2), round(car.get_velocity().y, 3)]
                + [car.get_physics_control().wheels[0].tire_friction]
                for car in cars
            ]
        )
leave(world, {"map": world.get_map().name, "maps": client.get_available_maps(), "seen": seen})
