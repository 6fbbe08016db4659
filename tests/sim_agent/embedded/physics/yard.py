"""A world with short words for what the tests of the physics do."""

from __future__ import annotations

import math
from collections.abc import Callable

from sim_agent.embedded.physics import Contact, Dynamics, default_control
from sim_agent.embedded.pose import Pose
from sim_agent.embedded.scene import Box, StaticObject, Tag

EXTENT_M = (2.4, 1.0, 0.75)
MASS_KG = 1600.0
DT_S = 0.05


class Yard:
    """A world with short words for what the tests do."""

    def __init__(self, obstacles: list[StaticObject] | None = None) -> None:
        self.world = Dynamics(obstacles or [])

    def car(
        self,
        actor_id: int = 1,
        pose: Pose = Pose(),  # noqa: B008
        *,
        kind: str = "car",
        extent: tuple[float, float, float] = EXTENT_M,
        mass: float = MASS_KG,
        friction: float | None = None,
        **changes: float,
    ) -> int:
        control = default_control(kind, extent, mass)._replace(**changes)
        if friction is not None:
            control = control._replace(wheels=tuple(w._replace(tire_friction=friction) for w in control.wheels))
        self.world.add_vehicle(actor_id, kind, extent, (0.0, 0.0, extent[2]), control, pose)
        return actor_id

    def drive(
        self, actor_id: int = 1, throttle: float = 0.0, steer: float = 0.0, brake: float = 0.0, **more: int
    ) -> None:
        self.world.set_vehicle_control(
            actor_id,
            throttle,
            steer,
            brake,
            bool(more.get("hand_brake", 0)),
            bool(more.get("reverse", 0)),
            "gear" in more,
            more.get("gear", 0),
        )

    def run(self, seconds: float, each: Callable[[], None] | None = None) -> list[Contact]:
        contacts = []
        for _ in range(round(seconds / DT_S)):
            contacts += self.world.step(DT_S, 10)
            if each is not None:
                each()
        return contacts

    def speed(self, actor_id: int = 1) -> float:
        return math.hypot(*self.world.state(actor_id).velocity_mps[:2])

    def pose(self, actor_id: int = 1) -> Pose:
        return self.world.state(actor_id).pose


def wall(x_m: float, object_id: int = 77, half_m: tuple[float, float, float] = (0.5, 20.0, 2.0)) -> StaticObject:
    pose = Pose(x_m, 0.0, half_m[2])
    return StaticObject(object_id, "wall", Tag.WALL, pose, Box(pose, half_m), True)
