"""The map's lights and signs as actors, and which of them each vehicle is subject to."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection

from sim_agent.embedded.actors import SPEED_LIMIT_KMH, Actor, TrafficLight, TrafficSign, Vehicle
from sim_agent.embedded.pose import Pose
from sim_agent.embedded.scene import Box, Mover, Tag
from sim_agent.embedded.town import Signal
from sim_agent.embedded.traffic_lights import Light, LightGroup, TriggerBoxes, faces
from sim_agent.embedded.wire import structs

_HEADS = ("red", "yellow", "green", "off", "off")
"""Model of a light head, by `SignalState`."""
HEAD_EXTENT_M = (0.15, 0.18, 0.5)
"""Half the size of a light head."""


class Signals:
    """All lights and signs of a town."""

    def __init__(self, signals: Collection[Signal], take_id: Callable[[], int]):
        self.lights: dict[int, TrafficLight] = {}
        self.signs: dict[int, TrafficSign] = {}
        self.groups: dict[int, LightGroup] = {}
        """By junction."""
        self._heads: list[tuple[TrafficLight, tuple[Pose, ...]]] = []
        self._heading_deg: dict[int, float] = {}
        """Of the traffic that a light or sign is for."""
        triggers: dict[int, Box] = {}
        members: dict[int, list[Light]] = {}
        for signal in signals:
            actor_id = take_id()
            if signal.kind == "light":
                junction = members.setdefault(signal.junction, [])
                light = Light(actor_id, signal.opendrive_id, signal.phase, pole=len(junction))
                junction.append(light)
                actor: TrafficLight | TrafficSign = _light_actor(actor_id, signal, light)
                assert isinstance(actor, TrafficLight)
                self.lights[actor_id] = actor
                self._heads.append((actor, signal.head_poses))
            else:
                actor = _sign_actor(actor_id, signal)
                self.signs[actor_id] = actor
            ahead = signal.stop_waypoints[0].yaw_deg if signal.stop_waypoints else signal.pose.yaw_deg - 90.0
            self._heading_deg[actor_id] = ahead
            triggers[actor_id] = signal.trigger
        self.groups = {junction: LightGroup(lights) for junction, lights in members.items()}
        self._light_boxes = TriggerBoxes({key: triggers[key] for key in self.lights})
        limits = [key for key, sign in self.signs.items() if sign.speed_limit_kmh is not None]
        self._limit_boxes = TriggerBoxes({key: triggers[key] for key in limits})

    def actors(self) -> list[Actor]:
        """Lights and signs."""
        return [*self.lights.values(), *self.signs.values()]

    def group(self, light: TrafficLight) -> LightGroup:
        """The group that a light belongs to."""
        return self.groups[light.junction]

    def tick(self, dt_s: float, vehicles: Collection[Vehicle]) -> None:
        """Let the phases go on, and tell each vehicle which light it stands before and how fast it may go.

        That a vehicle is before a red light is all that the Traffic Manager knows of lights.
        """
        for group in self.groups.values():
            group.tick(dt_s)
        for vehicle in vehicles:
            pose = vehicle.pose()
            yaw, half_m = math.radians(pose.yaw_deg), vehicle.bounding_box.extent[0]
            nose = pose.x_m + math.cos(yaw) * half_m, pose.y_m + math.sin(yaw) * half_m
            light, limit = self._light_boxes.containing(*nose), self._limit_boxes.containing(*nose)
            subject = light and faces(pose.yaw_deg, self._heading_deg[light])
            vehicle.light = self.lights[light].light if subject else None
            if limit and faces(pose.yaw_deg, self._heading_deg[limit]):
                vehicle.speed_limit_kmh = self.signs[limit].speed_limit_kmh or SPEED_LIMIT_KMH

    def head_boxes(self, light: TrafficLight) -> list[structs.BoundingBox]:
        """The boxes of a light's heads in the world: CARLA's `TrafficLight.get_light_boxes`."""
        return [
            structs.BoundingBox(pose.location, HEAD_EXTENT_M, pose.rotation, light.id)
            for actor, poses in self._heads
            for pose in poses
            if actor is light
        ]

    def heads(self, object_id: Callable[[int], int]) -> list[Mover]:
        """The light heads as they shine now."""
        return [
            Mover(f"traffic_light/{_HEADS[actor.light.state]}", object_id(actor.id), pose)
            for actor, poses in self._heads
            for pose in poses
        ]


def _light_actor(actor_id: int, signal: Signal, light: Light) -> TrafficLight:
    actor = TrafficLight(actor_id, structs.ActorDescription(0, "traffic.traffic_light"), {}, signal.pose)
    actor.light, actor.junction, actor.tags = light, signal.junction, bytes([Tag.TRAFFIC_LIGHT])
    actor.bounding_box = _relative_box(signal.pose, signal.trigger, actor_id)
    return actor


def _sign_actor(actor_id: int, signal: Signal) -> TrafficSign:
    limit = float(signal.kind.removeprefix("speed_")) if signal.kind.startswith("speed_") else None
    name = "traffic." + (f"speed_limit.{limit:.0f}" if limit is not None else signal.kind)
    actor = TrafficSign(actor_id, structs.ActorDescription(0, name), {}, signal.pose)
    actor.tags, actor.opendrive_id, actor.speed_limit_kmh = bytes([Tag.TRAFFIC_SIGN]), signal.opendrive_id, limit
    actor.bounding_box = _relative_box(signal.pose, signal.trigger, actor_id)
    return actor


def _relative_box(pose: Pose, box: Box, actor_id: int) -> structs.BoundingBox:
    """A box of the world as the bounding box of an actor: its trigger volume, as `TrafficSign.trigger_volume` reads it."""
    yaw = math.radians(pose.yaw_deg)
    dx, dy, dz = (box.pose.location[k] - pose.location[k] for k in range(3))
    location = (dx * math.cos(yaw) + dy * math.sin(yaw), dy * math.cos(yaw) - dx * math.sin(yaw), dz)
    return structs.BoundingBox(location, box.extent_m, (0.0, box.pose.yaw_deg - pose.yaw_deg, 0.0), actor_id)
