"""Bones of walkers, set and seen; wheels that steer and roll, in their bones and in pictures."""

import math
import queue

import carla
import numpy as np
from session import fresh_world, leave

world = fresh_world()
library = world.get_blueprint_library()
point = world.get_map().get_spawn_points()[0]
forward, side = point.get_forward_vector(), point.get_right_vector()
result = {}


def camera(transform, attach_to=None):
    blueprint = library.find("sensor.camera.instance_segmentation")
    blueprint.set_attribute("image_size_x", "200")
    blueprint.set_attribute("image_size_y", "200")
    blueprint.set_attribute("fov", "60")
    sensor = world.spawn_actor(blueprint, transform, attach_to=attach_to)
    inbox = queue.Queue()
    sensor.listen(inbox.put)
    return sensor, inbox


def people(inbox):
    """Where the picture of the next tick shows a person."""
    world.tick()
    picture = inbox.get(timeout=60.0)
    return np.frombuffer(picture.raw_data, np.uint8).reshape(200, 200, 4)[..., 2] == 12


place = carla.Transform(
    point.location + forward * 3.0 + carla.Location(z=0.7), carla.Rotation(yaw=point.rotation.yaw + 180)
)
walker = world.spawn_actor(library.find("walker.pedestrian.0001"), place)
eye, inbox = camera(carla.Transform(point.location + carla.Location(z=0.7), point.rotation))
for _ in range(10):
    standing = people(inbox)
bones = {bone.name: bone for bone in walker.get_bones().bone_transforms}
result["bones"] = len(bones)
result["names"] = list(bones) == walker.get_bone_names()
middle = walker.get_transform()
result["world_is_actor_and_component"] = max(
    bone.world.location.distance(middle.transform(bone.component.location)) for bone in bones.values()
)
result["world_transforms"] = max(
    a.location.distance(bones[name].world.location)
    for name, a in zip(walker.get_bone_names(), walker.get_bone_world_transforms(), strict=True)
)
inverse = np.array(eye.get_transform().get_inverse_matrix())
focal = 100 / math.tan(math.radians(30))


def pixel(location):
    x, y, z, _ = inverse @ [location.x, location.y, location.z, 1.0]
    return round(100 + focal * y / x), round(100 - focal * z / x)


inside = [
    standing[pixel(bone.world.location)[::-1]]
    for name, bone in bones.items()
    if "hand" not in name and "root" not in name
]
result["bones_within_the_picture_of_the_body"] = float(np.mean(inside))
raised = carla.WalkerBoneControlIn()
arm = bones["crl_arm__R"].relative
raised.bone_transforms = [
    ("crl_arm__R", carla.Transform(arm.location, carla.Rotation(pitch=175.0))),
    ("no_such_bone", carla.Transform()),
]
walker.set_bones(raised)
result["set_only"] = int((people(inbox) ^ standing).sum())
walker.blend_pose(1.0)
shown = people(inbox)
now = {bone.name: bone for bone in walker.get_bones().bone_transforms}
result["shown"] = int((shown ^ standing).sum())
result["hand_rose_m"] = now["crl_hand__R"].world.location.z - bones["crl_hand__R"].world.location.z
result["other_hand_rose_m"] = now["crl_hand__L"].world.location.z - bones["crl_hand__L"].world.location.z
result["hand_is_seen"] = bool(shown[pixel(now["crl_hand__R"].world.location)[::-1]])
result["told"] = round(now["crl_arm__R"].relative.rotation.pitch, 3)
walker.blend_pose(0.5)
world.tick()
half = {bone.name: bone for bone in walker.get_bones().bone_transforms}["crl_arm__R"].relative.rotation.pitch
result["half"] = round(abs(half - (arm.rotation.pitch + 175.0) / 2), 3)
walker.hide_pose()
inbox.get(timeout=60.0)
result["hidden"] = int((people(inbox) ^ standing).sum())
walker.get_pose_from_animation()
walker.show_pose()
result["from_animation"] = int((people(inbox) ^ standing).sum())
bad = carla.WalkerBoneControlIn()
bad.bone_transforms = [("crl_arm__R", carla.Transform(carla.Location(x=1e20)))]
walker.set_bones(bad)
result["bad"] = len(walker.get_bones().bone_transforms)
eye.stop()
eye.destroy()
walker.destroy()

car = world.spawn_actor(library.find("vehicle.tesla.model3"), point)
wheels = carla.VehicleWheelLocation
four = (wheels.FL_Wheel, wheels.FR_Wheel, wheels.BL_Wheel, wheels.BR_Wheel)
beside = carla.Transform(carla.Location(x=1.4, y=-2.6, z=0.6), carla.Rotation(pitch=-5.0, yaw=90.0))
blueprint = library.find("sensor.camera.rgb")
blueprint.set_attribute("image_size_x", "200")
blueprint.set_attribute("image_size_y", "200")
eye = world.spawn_actor(blueprint, beside, attach_to=car)
inbox = queue.Queue()
eye.listen(inbox.put)


def picture():
    world.tick()
    found = inbox.get(timeout=60.0)
    return np.frombuffer(found.raw_data, np.uint8).reshape(200, 200, 4)[..., :3].astype(int)


car.apply_control(carla.VehicleControl(brake=1.0))
for _ in range(20):
    straight = picture()
result["straight"] = [car.get_wheel_steer_angle(wheel) for wheel in four]
car.apply_control(carla.VehicleControl(brake=1.0, steer=0.6))
for _ in range(10):
    steered = picture()
result["steered"] = [round(car.get_wheel_steer_angle(wheel), 1) for wheel in four]
result["steering_is_seen"] = float((np.abs(steered - straight).max(-1) > 25).mean())
bones = dict(zip(car.get_bone_names(), car.get_bone_relative_transforms(), strict=True))
result["wheel_bones"] = {name: round(bones[name].rotation.yaw, 1) for name in bones}
car.apply_control(carla.VehicleControl(throttle=0.5))
for _ in range(20):
    picture()
before, start = [car.get_wheel_pitch_angle(wheel) for wheel in four], car.get_location()
world.tick()
inbox.get(timeout=60.0)
radius_m = car.get_physics_control().wheels[0].radius / 100.0
way = math.degrees(car.get_location().distance(start) / radius_m)
turned = [(car.get_wheel_pitch_angle(wheel) - old + 180) % 360 - 180 for wheel, old in zip(four, before, strict=True)]
result["rolling"] = [round(-angle / way, 2) for angle in turned]
car.set_wheel_steer_direction(wheels.FL_Wheel, 30.0)
result["with_physics"] = abs(car.get_wheel_steer_angle(wheels.FL_Wheel)) < 5.0
car.set_simulate_physics(False)
car.set_target_velocity(carla.Vector3D())
for _ in range(2):
    straight = picture()
for wheel in four:
    car.set_wheel_steer_direction(wheel, 30.0)
    car.set_wheel_pitch_angle(wheel, 45.0)
posed = picture()
result["posed"] = [(car.get_wheel_steer_angle(wheel), car.get_wheel_pitch_angle(wheel)) for wheel in four]
result["pose_is_seen"] = float((np.abs(posed - straight).max(-1) > 25).mean())
bike = world.spawn_actor(
    library.find("vehicle.diamondback.century"), carla.Transform(point.location + forward * 12.0, point.rotation)
)
result["bike"] = bike.get_wheel_steer_angle(wheels.Front_Wheel)
try:
    bike.get_wheel_steer_angle(wheels.BR_Wheel)
except RuntimeError as error:
    result["no_wheel"] = str(error)
eye.stop()
eye.destroy()
world.tick()
leave(world, result)
