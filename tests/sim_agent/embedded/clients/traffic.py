"""CARLA's own Traffic Manager drives: `traffic.py PORT TM_PORT TOWN VEHICLES TICKS`."""

import sys

import carla
from session import client, fresh_world, keep_the_traffic_manager_from_hanging, leave

tm_port, town, vehicles, ticks = int(sys.argv[2]), sys.argv[3], int(sys.argv[4]), int(sys.argv[5])
keep_the_traffic_manager_from_hanging()
world = fresh_world(town)
manager = client.get_trafficmanager(tm_port)
manager.set_synchronous_mode(True)
manager.set_random_device_seed(7)
library = [
    b for b in world.get_blueprint_library().filter("vehicle.*") if int(b.get_attribute("number_of_wheels")) == 4
]
points = world.get_map().get_spawn_points()
cars = []
for k in range(vehicles):
    car = world.try_spawn_actor(library[k % len(library)], points[k * len(points) // vehicles])
    if car is not None:
        car.set_autopilot(True, tm_port)
        cars.append(car)
world.tick()
town_map = world.get_map()


def changes_lanes(waypoint, right_m):
    """Whether that side of the lane leads to another one of the same direction, as over the line on an avenue."""
    beside = waypoint.get_right_lane() if right_m > 0 else waypoint.get_left_lane()
    return beside is not None and beside.lane_type == carla.LaneType.Driving and beside.lane_id * waypoint.lane_id > 0


off = samples = ran_red = 0
worst_m = 0.0
moved = {car.id: 0.0 for car in cars}
last_moved = {car.id: 0 for car in cars}
before, at_red = {}, {}
for tick in range(ticks):
    world.tick()
    for car in cars:
        location = car.get_location()
        if car.id in before:
            step = location.distance(before[car.id])
            moved[car.id] += step
            if step > 0.02 or car.is_at_traffic_light():
                last_moved[car.id] = tick
        before[car.id] = location
        if tick % 5 == 0:
            waypoint = town_map.get_waypoint(location)
            samples += 1
            right_m = waypoint.transform.get_right_vector().dot(location - waypoint.transform.location)
            if not changes_lanes(waypoint, right_m):
                worst_m = max(worst_m, abs(right_m))
                off += abs(right_m) > 1.5
        # through a red light: the light was red when the car left its box at speed, into the junction
        light = car.get_traffic_light() if car.is_at_traffic_light() else None
        was = at_red.pop(car.id, None)
        if light is not None:
            at_red[car.id] = (light, car.get_traffic_light_state())
        elif (
            was is not None
            and was[1] == carla.TrafficLightState.Red
            and was[0].get_state() == carla.TrafficLightState.Red
        ):
            ran_red += town_map.get_waypoint(location).is_junction and car.get_velocity().length() > 1.0
stuck = sum(ticks - 1 - last for last in last_moved.values() if ticks - 1 - last > 1200)
result = {
    "vehicles": len(cars), "samples": samples, "off_lane": off, "worst_m": round(worst_m, 2), "ran_red": ran_red,
    "stuck": stuck, "moved_m": [round(m) for m in moved.values()],
}  # fmt: skip
client.apply_batch([carla.command.DestroyActor(car) for car in cars])
world.tick()
manager.set_synchronous_mode(False)
leave(world, result)
