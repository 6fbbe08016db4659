"""RPCs about vehicles, walkers and traffic lights."""

from __future__ import annotations

from typing import Any

from sim_agent.embedded.bones import bones_of, pose_of, set_bones
from sim_agent.embedded.physics import AckermannSettings, Gear, PhysicsControl, Wheel
from sim_agent.embedded.service.room import Room
from sim_agent.embedded.turning_wheels import wheel_turn
from sim_agent.embedded.wire import structs
from sim_agent.embedded.wire.state import SignalState
from sim_agent.embedded.world import WorldError


class TrafficCalls(Room):
    """What drives, walks and shines."""

    def apply_control_to_vehicle(self, actor: int, control: structs.VehicleControl) -> None:
        self._world.set_control(self._world.vehicle(actor), control)

    def apply_ackermann_control_to_vehicle(self, actor: int, control: structs.AckermannControl) -> None:
        self._world.dynamics.set_ackermann(self._world.vehicle(actor).id, *control)

    def get_ackermann_controller_settings(self, actor: int) -> structs.AckermannControllerSettings:
        settings = self._world.dynamics.ackermann_settings(self._world.vehicle(actor).id)
        return structs.AckermannControllerSettings(*settings)

    def apply_ackermann_controller_settings(self, actor: int, settings: structs.AckermannControllerSettings) -> None:
        gains = AckermannSettings(*settings)
        self._world.dynamics.set_ackermann_settings(self._world.vehicle(actor).id, gains)

    def get_physics_control(self, actor: int) -> structs.VehiclePhysicsControl:
        control: structs.VehiclePhysicsControl = self._world.physics_control(self._world.vehicle(actor))
        return control

    def apply_physics_control(self, actor: int, physics_control: structs.VehiclePhysicsControl) -> None:
        values: dict[str, Any] = physics_control._asdict()
        values["center_of_mass_m"] = values.pop("center_of_mass")
        values["wheels"] = tuple(Wheel(*wheel) for wheel in physics_control.wheels)
        values["forward_gears"] = tuple(Gear(*gear) for gear in physics_control.forward_gears)
        self._world.dynamics.set_physics_control(self._world.vehicle(actor).id, PhysicsControl(**values))

    def get_vehicle_light_state(self, actor: int) -> int:
        return int(self._world.vehicle(actor).lights)

    def set_vehicle_light_state(self, actor: int, lights: int) -> None:
        self._world.vehicle(actor).lights = lights

    def get_vehicle_light_states(self) -> tuple[structs.VehicleLights, ...]:
        return tuple(structs.VehicleLights(v.id, v.lights) for v in self._world.vehicles.values())

    def open_vehicle_door(self, actor: int, door: int) -> None:
        self._world.vehicle(actor).doors_open.add(door)

    def close_vehicle_door(self, actor: int, door: int) -> None:
        self._world.vehicle(actor).doors_open.discard(door)

    def get_wheel_steer_angle(self, actor: int, wheel: int) -> float:
        return float(wheel_turn(self._world, self._world.vehicle(actor), wheel).steer_deg)

    def get_wheel_pitch_angle(self, actor: int, wheel: int) -> float:
        return float(wheel_turn(self._world, self._world.vehicle(actor), wheel).pitch_deg)

    def set_wheel_steer_direction(self, actor: int, wheel: int, angle_deg: float) -> None:
        """As in CARLA, nothing while the physics steers."""
        vehicle = self._world.vehicle(actor)
        wheel_turn(self._world, vehicle, wheel)
        if not vehicle.simulated:
            vehicle.wheel_steer_deg[wheel] = angle_deg

    def set_wheel_pitch_angle(self, actor: int, wheel: int, angle_deg: float) -> None:
        """As `set_wheel_steer_direction`."""
        vehicle = self._world.vehicle(actor)
        wheel_turn(self._world, vehicle, wheel)
        if not vehicle.simulated:
            vehicle.wheel_pitch_deg[wheel] = angle_deg

    def get_telemetry_data(self, actor: int) -> structs.VehicleTelemetryData:
        told = self._world.dynamics.telemetry(self._world.vehicle(actor).id)
        wheels = tuple(structs.WheelTelemetryData(*wheel) for wheel in told.wheels)
        return structs.VehicleTelemetryData(*told[:-1], wheels=wheels)

    def show_vehicle_debug_telemetry(self, actor: int, enabled: bool) -> None:
        """There is no window to show it in."""
        self._world.vehicle(actor)

    def restore_physx_physics(self, actor: int) -> None:
        """It never had another."""
        self._world.vehicle(actor)

    def apply_control_to_walker(self, actor: int, control: structs.WalkerControl) -> None:
        walker = self._world.walker(actor)
        walker.control = control
        self._world.dynamics.set_walker_control(walker.id, *control)

    def get_bones_transform(self, actor: int) -> tuple[structs.BoneTransforms, ...]:
        walker = self._world.walker(actor)
        pose = walker.pose()
        return tuple(
            structs.BoneTransforms(bone.name, pose.compose(bone.component), bone.component, bone.relative)
            for bone in bones_of(self._world, walker)
        )

    def set_bones_transform(self, actor: int, bones: tuple[structs.BoneTransform, ...]) -> None:
        set_bones(self._world, self._world.walker(actor), bones)

    def blend_pose(self, actor: int, blend: float) -> None:
        self._world.walker(actor).blend = min(max(blend, 0.0), 1.0)

    def get_pose_from_animation(self, actor: int) -> None:
        """The pose that it is in becomes its own, to be changed with `set_bones_transform`."""
        walker = self._world.walker(actor)
        walker.own_bones = dict(pose_of(self._world, walker))

    def set_traffic_light_state(self, actor: int, state: int) -> None:
        light = self._world.traffic_light(actor)
        try:
            wanted = SignalState(state)
        except ValueError:
            raise WorldError(f"{state} is no traffic light state; 0 red, 1 yellow, 2 green, 3 off, 4 unknown") from None
        self._world.signals.group(light).set_state(light.light, wanted)

    def set_traffic_light_green_time(self, actor: int, time_s: float) -> None:
        self._world.traffic_light(actor).light.green_s = time_s

    def set_traffic_light_yellow_time(self, actor: int, time_s: float) -> None:
        self._world.traffic_light(actor).light.yellow_s = time_s

    def set_traffic_light_red_time(self, actor: int, time_s: float) -> None:
        self._world.traffic_light(actor).light.red_s = time_s

    def freeze_traffic_light(self, actor: int, frozen: bool) -> None:
        self._world.signals.group(self._world.traffic_light(actor)).frozen = frozen

    def freeze_all_traffic_lights(self, frozen: bool) -> None:
        for group in self._world.signals.groups.values():
            group.frozen = frozen

    def reset_traffic_light_group(self, actor: int) -> None:
        self._world.signals.group(self._world.traffic_light(actor)).reset()

    def reset_all_traffic_lights(self) -> None:
        for group in self._world.signals.groups.values():
            group.reset()

    def get_group_traffic_lights(self, actor: int) -> tuple[int, ...]:
        group = self._world.signals.group(self._world.traffic_light(actor))
        return tuple(light.actor_id for light in group.lights)

    def get_light_boxes(self, actor: int) -> tuple[structs.BoundingBox, ...]:
        return tuple(self._world.signals.head_boxes(self._world.traffic_light(actor)))
