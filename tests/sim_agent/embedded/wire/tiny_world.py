"""A world of one vehicle and one sensor of each kind: as little as makes the real client content."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from sim_agent.embedded.pose import Pose
from sim_agent.embedded.scene import Weather
from sim_agent.embedded.wire import records, structs
from sim_agent.embedded.wire.records import Sensor, Stamp
from sim_agent.embedded.wire.rpc import Call, RpcServer
from sim_agent.embedded.wire.state import ActorState, EpisodeState, Motion, SignalState, light_post
from sim_agent.embedded.wire.streams import StreamServer

ROAD = """<?xml version="1.0"?>
<OpenDRIVE>
  <header revMajor="1" revMinor="4" name="tiny" north="0" south="0" east="0" west="0">
    <geoReference><![CDATA[+proj=tmerc +lat_0=49 +lon_0=8]]></geoReference>
  </header>
  <road name="r" length="100" id="1" junction="-1">
    <planView><geometry s="0" x="0" y="0" hdg="0" length="100"><line/></geometry></planView>
    <elevationProfile/><lateralProfile/>
    <lanes><laneSection s="0">
      <center><lane id="0" type="none" level="false"/></center>
      <right><lane id="-1" type="driving" level="false"><width sOffset="0" a="3.5" b="0" c="0" d="0"/></lane></right>
    </laneSection></lanes>
  </road>
</OpenDRIVE>"""
STATE_STREAM = 1
VEHICLE, LIGHT, WALKER, SIGN = 10, 11, 12, 13
SENSORS = {
    "sensor.camera.rgb": Sensor.RGB,
    "sensor.camera.depth": Sensor.DEPTH,
    "sensor.camera.semantic_segmentation": Sensor.SEMANTIC_SEGMENTATION,
    "sensor.camera.instance_segmentation": Sensor.INSTANCE_SEGMENTATION,
    "sensor.camera.normals": Sensor.NORMALS,
    "sensor.camera.optical_flow": Sensor.OPTICAL_FLOW,
    "sensor.camera.dvs": Sensor.DVS,
    "sensor.other.gnss": Sensor.GNSS,
    "sensor.other.imu": Sensor.IMU,
    "sensor.other.collision": Sensor.COLLISION,
    "sensor.other.obstacle": Sensor.OBSTACLE,
    "sensor.other.radar": Sensor.RADAR,
    "sensor.lidar.ray_cast": Sensor.LIDAR,
    "sensor.lidar.ray_cast_semantic": Sensor.SEMANTIC_LIDAR,
}
MOTION = Motion(Pose(1.0, 2.0, 3.0, 4.0, 5.0, 6.0), (7.0, 8.0, 9.0), (10.0, 11.0, 12.0), (13.0, 14.0, 15.0))


class TinyWorld:
    """Answers every call; `calls` keeps what came, `answers` may be changed."""

    def __init__(self) -> None:
        self.rpc = RpcServer()
        self.streams = StreamServer()
        self.streams.open(STATE_STREAM)
        self.calls: list[tuple[str, Any]] = []
        self.refused: list[str] = []
        """Calls without an answer of ours, and answers that failed."""
        self.frame = 100
        self.settings = structs.EpisodeSettings()
        self.actors: dict[int, structs.Actor] = {}
        self.sensors: dict[int, str] = {}
        for actor_id, type_id in (
            (1, "spectator"),
            (VEHICLE, "vehicle.tiny.car"),
            (LIGHT, "traffic.traffic_light"),
            (WALKER, "walker.pedestrian.0001"),
            (SIGN, "traffic.stop"),
        ):
            self.add(type_id, actor_id)
        self.answers: dict[str, Callable[[Any], Any] | Any] = {
            "version": "0.9.16",
            "get_episode_info": structs.EpisodeInfo(77, self.streams.token(STATE_STREAM)),
            "get_episode_settings": lambda args: self.settings,
            "set_episode_settings": self.set_settings,
            "get_map_info": structs.MapInfo("tiny", (MOTION.pose,)),
            "get_map_data": ROAD,
            "get_required_files": (),
            "get_available_maps": ("tiny",),
            "get_weather_parameters": Weather(cloudiness=12.0),
            "get_actor_definitions": tuple(self.definition(type_id) for type_id in ("vehicle.tiny.car", *SENSORS)),
            "get_spectator": lambda args: self.actors[1],
            "get_actors_by_id": lambda args: tuple(self.actors[i] for i in args.ids if i in self.actors),
            "get_sensor_token": self.sensor_token,
            "query_lights_state": (structs.LightState(9, (1.0, 2.0, 3.0), 4.0, 2, structs.Color(5, 6, 7), True),),
            "tick_cue": lambda args: self.tick(),
            "spawn_actor": lambda args: self.add(args.description.id),
            "spawn_actor_with_parent": lambda args: self.add(args.description.id, parent=args.parent),
            "destroy_actor": True,
            "apply_batch": lambda args: [
                "no such actor" if getattr(command, "actor", 0) == 404 else VEHICLE for command in args.commands
            ],
        }
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    @staticmethod
    def definition(type_id: str) -> structs.ActorDefinition:
        attributes = (
            structs.ActorAttribute("role_name", 4, "hero", ("hero",)),
            structs.ActorAttribute("number_of_wheels", 2, "4", ("4",)),
        )
        return structs.ActorDefinition(1, type_id, type_id.replace(".", ","), attributes)

    def add(self, type_id: str, actor_id: int = 0, parent: int = 0) -> structs.Actor:
        actor_id = actor_id or 100 + len(self.actors)
        token = b""
        if type_id in SENSORS:
            self.sensors[actor_id] = type_id
            self.streams.open(actor_id)
            token = self.streams.token(actor_id)
        attributes = (structs.ActorAttributeValue("role_name", 4, "hero"),)
        box = structs.BoundingBox((0.0, 0.0, 0.5), (2.0, 1.0, 0.5), (0.0, 0.0, 0.0), actor_id)
        self.actors[actor_id] = structs.Actor(
            actor_id, parent, structs.ActorDescription(1, type_id, attributes), box, bytes([14]), token
        )
        return self.actors[actor_id]

    def set_settings(self, args: Any) -> int:
        self.settings = args.settings
        self.streams.synchronous = self.settings.synchronous_mode
        return self.frame

    def sensor_token(self, args: Any) -> bytes:
        self.streams.expect(args.stream_id)
        return self.streams.token(args.stream_id)

    def tick(self) -> int:
        if self.settings.synchronous_mode:
            self.streams.wait_for_expected()
        self.frame += 1
        stamp = Stamp(self.frame, self.frame * 0.05, MOTION.pose)
        state = EpisodeState(self.frame, stamp.time_s, 77, 1.0e9, 0.05)
        state.other(1, MOTION)
        state.vehicle(
            VEHICLE,
            MOTION,
            structs.VehicleControl(0.25, -0.5, 0.75, True, False, True, 3),
            50.0,
            SignalState.RED,
            LIGHT,
            3,
        )
        state.traffic_light(light_post(LIGHT, MOTION, "signal-5"), SignalState.YELLOW, (1.0, 2.0, 3.0, 0.5), 6, True)
        state.walker(WALKER, MOTION, structs.WalkerControl((0.0, 1.0, 0.0), 1.5, True), ActorState.DORMANT)
        state.sign(SIGN, MOTION, "signal-7")
        for actor_id in self.sensors:
            state.other(actor_id, MOTION)
        self.streams.send(STATE_STREAM, *state.buffers())
        for actor_id, type_id in self.sensors.items():
            if self.streams.has_subscribers(actor_id):
                self.streams.send(actor_id, *self.measure(SENSORS[type_id], stamp))
        return self.frame

    def measure(self, sensor: Sensor, stamp: Stamp) -> records.Frame:
        points = np.arange(12, dtype=np.float32).reshape(3, 4)
        if sensor is Sensor.OPTICAL_FLOW:
            return records.optical_flow(stamp, 90.0, np.arange(12, dtype=np.float32).reshape(2, 3, 2))
        if sensor is Sensor.DVS:
            return records.dvs(stamp, 3, 2, 90.0, np.array([(2, 1, 123456789, True)], records.DVS_EVENT))
        if sensor is Sensor.GNSS:
            return records.gnss(stamp, 49.5, 8.25, 100.5)
        if sensor is Sensor.IMU:
            return records.imu(stamp, (1.0, 2.0, 3.0), (4.0, 5.0, 6.0), 7.0)
        if sensor is Sensor.COLLISION:
            return records.collision(stamp, self.actors[VEHICLE], self.actors[WALKER], (1.0, 2.0, 3.0))
        if sensor is Sensor.OBSTACLE:
            return records.obstacle(stamp, self.actors[VEHICLE], self.actors[WALKER], 4.5)
        if sensor is Sensor.RADAR:
            return records.radar(stamp, points)
        if sensor is Sensor.LIDAR:
            return records.lidar(stamp, 1.5, [1, 2], points)
        if sensor is Sensor.SEMANTIC_LIDAR:
            return records.semantic_lidar(stamp, 1.5, [0, 1], np.array([(1, 2, 3, 0.5, 6, 14)], records.SEMANTIC_POINT))
        return records.picture(sensor, stamp, 90.0, np.arange(24, dtype=np.uint8).reshape(2, 3, 4))

    def close(self) -> None:
        self._ending.set()
        self.rpc.close()
        self._thread.join()
        self.streams.shutdown()

    def _serve(self) -> None:
        while not self._ending.is_set():
            # Until a client asks for synchronous mode the world goes on by itself, 50 times a second.
            call = self.rpc.next_call(None if self.settings.synchronous_mode else 0.02)
            if call is None:
                self.tick()
                continue
            self.calls.append((call.name, call.args))
            self._answer(call)

    def _answer(self, call: Call) -> None:
        if call.name not in self.answers:
            if call.is_async or call._method.result is None:
                call.reply()
            else:
                self.refused.append(call.name)
                call.fail(f"{call.name} is not served")
            return
        answer = self.answers[call.name]
        try:
            call.reply(answer(call.args) if callable(answer) else answer)
        except Exception as error:
            self.refused.append(f"{call.name}: {error}")
            call.fail(str(error))
