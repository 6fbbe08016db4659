"""Round a roundabout: along the map, at the wheel, and by the Traffic Manager's cars.

`roundabout.py PORT TM_PORT TOWN JUNCTION X Y OUTER_M`
"""

import math
import sys

import carla
from session import client, fresh_world, keep_the_traffic_manager_from_hanging, leave

tm_port, town, junction_id = int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
x, y, outer_m = map(float, sys.argv[5:8])
keep_the_traffic_manager_from_hanging()
world = fresh_world(town)
town_map = world.get_map()


def swept_deg(places):
    """How far round the middle the way along these places goes; CARLA's angles grow clockwise seen from above."""
    angles = [math.atan2(p.y - y, p.x - x) for p in places]
    steps = zip(angles[:-1], angles[1:], strict=True)
    return math.degrees(sum((b - a + math.pi) % (2.0 * math.pi) - math.pi for a, b in steps))


junction = next(
    w.get_junction() for w in town_map.generate_waypoints(5.0) if w.is_junction and w.get_junction().id == junction_id
)
walks = []
for first, _ in junction.get_waypoints(carla.LaneType.Driving):
    walk = [first]
    while walk[-1].is_junction:
        walk.append(walk[-1].next(1.0)[0])
    walks.append(walk)
places = [[w.transform.location for w in walk] for walk in walks]
away_m = [min(math.dist((p.x, p.y), (x, y)) for p in way) for way in places]
result = {"swept_deg": sorted(round(swept_deg(way)) for way in places), "nearest_m": min(away_m)}

round_trip = min(walks, key=lambda walk: swept_deg([w.transform.location for w in walk]))
before = round_trip[0].previous(8.0)[0]
target = [before.next(float(k))[0] for k in range(1, 8)] + round_trip
car = world.spawn_actor(
    world.get_blueprint_library().find("vehicle.tesla.model3"),
    carla.Transform(before.transform.location + carla.Location(z=0.3), before.transform.rotation),
)
driven, beside_m, at = [], 0.0, 0
for _ in range(1200):
    world.tick()
    pose, speed = car.get_transform(), car.get_velocity().length()
    driven.append(pose.location)
    near = range(at, min(at + 6, len(target)))
    at = min(near, key=lambda k: target[k].transform.location.distance(pose.location))
    if at == len(target) - 1:
        break
    lane = target[at].transform
    beside_m = max(beside_m, abs(lane.get_right_vector().dot(pose.location - lane.location)))
    ahead = target[min(at + 5, len(target) - 1)].transform.location - pose.location
    off = math.atan2(pose.get_right_vector().dot(ahead), pose.get_forward_vector().dot(ahead))
    car.apply_control(carla.VehicleControl(throttle=0.6 if speed < 6.0 else 0.0, steer=max(-1.0, min(1.0, 1.2 * off))))
result |= {"driven_deg": swept_deg(driven), "beside_m": beside_m, "arrived": at == len(target) - 1}
car.destroy()
world.tick()

manager = client.get_trafficmanager(tm_port)
manager.set_synchronous_mode(True)
manager.set_random_device_seed(3)
model = world.get_blueprint_library().find("vehicle.audi.tt")
spots = sorted(town_map.get_spawn_points(), key=lambda p: math.dist((p.location.x, p.location.y), (x, y)))
cars = [world.try_spawn_actor(model, spot) for spot in spots[:40:2]]
cars = [car for car in cars if car is not None]
for car in cars:
    car.set_autopilot(True, tm_port)
inside, entered, left, off, samples = set(), 0, 0, 0, 0
for _ in range(1200):
    world.tick()
    for car in cars:
        here = car.get_location()
        within = math.dist((here.x, here.y), (x, y)) < outer_m
        entered += within and car.id not in inside
        left += not within and car.id in inside
        (inside.add if within else inside.discard)(car.id)
        if within:
            lane = town_map.get_waypoint(here).transform
            samples += 1
            off += abs(lane.get_right_vector().dot(here - lane.location)) > 1.5
result |= {"cars": len(cars), "entered": entered, "left": left, "off_lane": off, "samples": samples}
client.apply_batch([carla.command.DestroyActor(car) for car in cars])
world.tick()
manager.set_synchronous_mode(False)
leave(world, result)
