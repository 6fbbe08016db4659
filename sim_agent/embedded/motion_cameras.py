"""Cameras that see change: optical flow and events, which need what they saw before."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sim_agent.embedded.actors import Sensor
from sim_agent.embedded.pose import Pose
from sim_agent.embedded.scene import Mover
from sim_agent.embedded.sensors import random_for
from sim_agent.embedded.wire import records
from sim_agent.embedded.wire.records import Frame, Stamp

if TYPE_CHECKING:
    from sim_agent.embedded.render import Camera, Pictures, Retina

FLOW, EVENTS = "sensor.camera.optical_flow", "sensor.camera.dvs"


def motion_records(sensor: Sensor, at: Stamp, movers: list[Mover], pictures: Pictures) -> list[Frame]:
    """What one of these cameras sends of what it sees now."""
    from sim_agent.embedded.render import Camera

    height, width = pictures.depth_m.shape
    camera = Camera(width, height, float(sensor.attributes["fov"]), at.pose)
    if sensor.sight is None:
        sensor.sight = LastSight() if sensor.type_id == FLOW else EventSight(sensor)
    if isinstance(sensor.sight, LastSight):
        return [sensor.sight.flow(at, camera, movers, pictures)]
    return sensor.sight.events(sensor, at, camera, pictures)


class LastSight:
    """Where an optical flow camera and all movers were when it last saw."""

    def __init__(self) -> None:
        self._camera: Pose | None = None
        self._movers: dict[int, Pose] = {}

    def flow(self, at: Stamp, camera: Camera, movers: list[Mover], pictures: Pictures) -> Frame:
        """What has moved since then; nothing at first, nor what was not there."""
        from sim_agent.embedded.render import optical_flow

        places: dict[int, Pose] = {}
        for mover in movers:
            places.setdefault(mover.object_id, mover.pose)
        moved = {
            object_id: (self._movers[object_id], pose)
            for object_id, pose in places.items()
            if self._movers.get(object_id, pose) != pose
        }
        flow = optical_flow(pictures, camera, self._camera or camera.pose, moved)
        self._camera, self._movers = camera.pose, places
        return records.optical_flow(at, camera.fov_deg, flow)


class EventSight:
    """The retina of an event camera."""

    def __init__(self, sensor: Sensor) -> None:
        from sim_agent.embedded.render import EventCamera, Retina

        get = sensor.attributes
        self._retina: Retina = Retina(
            EventCamera(
                float(get["positive_threshold"]),
                float(get["negative_threshold"]),
                float(get["sigma_positive_threshold"]),
                float(get["sigma_negative_threshold"]),
                int(get["refractory_period_ns"]),
                get["use_log"] == "true",
                float(get["log_eps"]),
            )
        )

    def events(self, sensor: Sensor, at: Stamp, camera: Camera, pictures: Pictures) -> list[Frame]:
        """The events since then in one record; none without events, as CARLA sends nothing for a frame that has none."""
        assert pictures.bgra is not None
        seen = self._retina.see(pictures.bgra, round(at.time_s * 1e9), random_for(sensor))
        if not len(seen):
            return []
        events = np.empty(len(seen), records.DVS_EVENT)
        for column, name in enumerate(("x", "y", "t_ns", "polarity")):
            events[name] = seen[:, column]
        return [records.dvs(at, camera.width, camera.height, camera.fov_deg, events)]
