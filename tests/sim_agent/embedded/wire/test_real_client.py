"""The judge of all layouts: the unmodified client reads what we send, and we read what it sends."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from sim_agent.embedded.pose import Pose
from sim_agent.embedded.scene import Weather
from sim_agent.embedded.wire import commands, structs
from sim_agent.embedded.wire.methods import METHODS
from tests.sim_agent.embedded.wire.tiny_world import LIGHT, MOTION, SENSORS, VEHICLE, TinyWorld

pytestmark = pytest.mark.skipif(importlib.util.find_spec("carla") is None, reason="the carla wheel is not installed")
SCRIPT = Path(__file__).with_name("real_client.py")
WHEEL = structs.WheelPhysicsControl(radius_cm=33.0, position_cm=(1.0, 2.0, 3.0))
PHYSICS = structs.VehiclePhysicsControl(
    torque_curve=((0.0, 400.0), (1000.0, 500.0)),
    max_rpm=6000.0,
    final_ratio=4.0,
    forward_gears=(structs.GearPhysicsControl(3.0, 0.25, 0.75),),
    mass_kg=1500.0,
    steering_curve=((0.0, 1.0),),
    wheels=(WHEEL, WHEEL),
    use_sweep_wheel_collision=True,
)
BOX = structs.BoundingBox((1.0, 2.0, 3.0), (4.0, 5.0, 6.0), (7.0, 8.0, 9.0), VEHICLE)
POINT = structs.LabelledPoint((1.0, 2.0, 3.0), 14)
POSES = (MOTION.pose, Pose())
ANSWERS = {
    "get_physics_control": PHYSICS,
    "get_telemetry_data": structs.VehicleTelemetryData(
        engine_rpm=900.0, gear=-1, drag=0.5, wheels=(structs.WheelTelemetryData(normalized_lat_force=0.25),)
    ),
    "get_bones_transform": (structs.BoneTransforms("crl_root", Pose(1.0), Pose(2.0), Pose(yaw_deg=3.0)),),
    "get_actor_bounding_box": BOX,
    "get_ackermann_controller_settings": structs.AckermannControllerSettings(accel_kd=0.125),
    "get_vehicle_light_state": 3,
    "get_vehicle_light_states": (structs.VehicleLights(VEHICLE, 9),),
    "get_wheel_steer_angle": 12.5,
    "get_wheel_pitch_angle": -7.5,
    "get_actor_bone_names": ("a", "b"),
    "get_actor_socket_names": ("c",),
    "get_actor_component_names": (),
    "get_actor_component_world_transform": MOTION.pose,
    "get_vehicle_bone_world_transforms": POSES,
    "get_group_traffic_lights": (LIGHT,),
    "get_light_boxes": (BOX,),
    "get_imui_gravity": 9.75,
    "get_environment_objects": (structs.EnvironmentObject(MOTION.pose, BOX, (1 << 63) + 1, "wall", 4),),
    "get_all_level_BBs": (BOX,),
    "cast_ray": (POINT, POINT),
    "project_point": structs.Projection(True, POINT),
    "get_names_of_all_objects": ("wall", "caf\u00e9"),
    "start_recorder": "recording",
    "show_recorder_collisions": "none",
    "replay_file": "replaying",
    "show_recorder_file_info": "info",
    "show_recorder_actors_blocked": "blocked",
}
POSE = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
EXPECTED = {
    "version": "0.9.16",
    "maps": ["tiny"],
    "id": 77,
    "settings": [True, 0.05, 10],
    "map": ["tiny", POSE, 10],
    "weather": [12.0, 0.0],
    "blueprints": 1 + len(SENSORS),
    "snapshot": [True, 0.05, True],
    "car": ["vehicle.tiny.car", POSE, [7.0, 8.0, 9.0], [10.0, 11.0, 12.0]],
    "car_more": [[13.0, 14.0, 15.0], 50.0, "Red", True],
    "control": [0.25, -0.5, 0.75, True, False, True, 3],
    "failure": ["TirePuncture", [14], {"role_name": "hero"}, LIGHT],
    "light": ["Yellow", 1.0, 2.0, 3.0, 0.5],
    "light_more": [6, True, "signal-5"],
    "walker": [[0.0, 1.0, 0.0], 1.5, True, "Dormant"],
    "lamps": [[9, 4.0, 5, True]],
    "physics": [6000.0, 1500.0, 4.0, 0.75, 33.0],
    "physics_more": [500.0, True, [1.0, 2.0, 3.0]],
    "telemetry": [900.0, -1, 0.5, 0.25],
    "bones": [["crl_root", 1.0, 3.0]],
    # The client asks get_actor_bounding_box each time, but then shows the box that came with the actor.
    "box": [[2.0, 1.0, 0.5], VEHICLE],
    "ackermann": 0.125,
    "lights": [3, {str(VEHICLE): 9}],
    "wheel": [12.5, -7.5],
    "names": [["a", "b"], ["c"], []],
    "component": POSE,
    "bone_worlds": [POSE, [0.0] * 6],
    "group": [LIGHT],
    "light_boxes": [[4.0, 5.0, 6.0]],
    "gravity": [9.75],
    "things": [[(1 << 63) + 1, "wall", "Walls", [4.0, 5.0, 6.0]]],
    "boxes": [[1.0, 2.0, 3.0]],
    "ray": [[[1.0, 2.0, 3.0], "Car"]] * 2,
    "project": [1.0, 2.0, 3.0],
    "objects": ["wall", "caf\u00e9"],
    "recorder": ["recording", "none", "replaying", "info", "blocked"],
    "batch": [0, "no such actor", VEHICLE, False],
    "frames": [0],
    # The client sets alpha to 255 in all pictures but normals.
    "image": [3, 2, 90.0, [255 if n % 4 == 3 else n for n in range(24)], POSE],
    "normals": list(range(24)),
    "flow": [[float(2 * n), float(2 * n + 1)] for n in range(6)],
    "dvs": [[2, 1, 123456789, True]],
    "gnss": [49.5, 8.25, 100.5],
    "imu": [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], 7.0],
    "collision": [VEHICLE, 12, [1.0, 2.0, 3.0]],
    "obstacle": [12, 4.5],
    "radar": [[float(4 * n + k) for k in range(4)] for n in range(3)],
    "lidar": [2, 1.5, [1, 2], [[float(4 * n + k) for k in range(4)] for n in range(3)]],
    "semantic": [2, [[1.0, 2.0, 3.0, 0.5, 6, 14]]],
    "alive": True,
}
CONTROL = structs.VehicleControl(throttle=0.5, steer=0.125, gear=2)
V = (1.0, 2.0, 3.0)
W = (4.0, 5.0, 6.0)
RED = structs.Color(255, 0, 0)
ENDPOINT = "host:port of the server, as the client calls it"
SENT = {
    "set_weather_parameters": [
        (Weather(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 33.0, 0.0, 0.0, 0.0, 0.0, 0.0, float(np.float32(0.0331)), 5.0),)
    ],
    "apply_physics_control": [(VEHICLE, PHYSICS._replace(mass_kg=1234.0))],
    "set_bones_transform": [(12, (structs.BoneTransform("crl_root", Pose(1.0)),))],
    "apply_control_to_vehicle": [(VEHICLE, CONTROL)],
    "apply_control_to_walker": [(12, structs.WalkerControl((0.0, 1.0, 0.0), 1.25, True))],
    "blend_pose": [(12, 0.5)],
    "set_actor_location": [(VEHICLE, V)],
    "set_actor_transform": [(VEHICLE, MOTION.pose)],
    "set_actor_target_velocity": [(VEHICLE, V)],
    "set_actor_target_angular_velocity": [(VEHICLE, V)],
    "enable_actor_constant_velocity": [(VEHICLE, V)],
    "disable_actor_constant_velocity": [(VEHICLE,)],
    "add_actor_impulse": [(VEHICLE, V)],
    "add_actor_force": [(VEHICLE, V)],
    # Actor.add_torque of 0.9.16 sends an angular impulse.
    "add_actor_angular_impulse": [(VEHICLE, V)] * 2,
    "set_actor_simulate_physics": [(VEHICLE, False)],
    "set_actor_collisions": [(VEHICLE, False)],
    "set_actor_enable_gravity": [(VEHICLE, False)],
    "set_vehicle_light_state": [(VEHICLE, 5)],
    "open_vehicle_door": [(VEHICLE, 6)],
    "close_vehicle_door": [(VEHICLE, 0)],
    "set_wheel_steer_direction": [(VEHICLE, 0, 10.0)],
    "show_vehicle_debug_telemetry": [(VEHICLE, True)],
    "enable_carsim": [(VEHICLE, "file.sim")],
    "use_carsim_road": [(VEHICLE, True)],
    "enable_chrono_physics": [(VEHICLE, 5, 0.5, "a", "b", "c", "d")],
    "restore_physx_physics": [(VEHICLE,)],
    "set_traffic_light_state": [(LIGHT, 2)],
    "set_traffic_light_green_time": [(LIGHT, 1.0)],
    "set_traffic_light_yellow_time": [(LIGHT, 2.0)],
    "set_traffic_light_red_time": [(LIGHT, 3.0)],
    "reset_traffic_light_group": [(LIGHT,)],
    "reset_all_traffic_lights": [()],
    "set_imui_gravity": [(9.5,)],
    "enable_environment_objects": [((5, 6), False)],
    "load_map_layer": [(1,)],
    "unload_map_layer": [(65535,)],
    "set_annotations_traverse_translucency": [(True,)],
    "apply_color_texture_to_objects": [(("wall",), 2, structs.Texture(1, 1, (structs.TextureColor(1, 2, 3, 4),)))],
    "apply_float_color_texture_to_objects": [
        (("wall",), 0, structs.FloatTexture(1, 1, (structs.TextureFloatColor(0.25, 0.5, 0.75, 1.0),)))
    ],
    "stop_recorder": [()],
    "stop_replayer": [(True,)],
    "set_replayer_time_factor": [(2.0,)],
    "set_replayer_ignore_hero": [(True,)],
    "set_replayer_ignore_spectator": [(False,)],
    "set_ignored_vehicles": [(105, (VEHICLE,))],
    "update_day_night_cycle": [(ENDPOINT, False)],
    "update_lights_state": [(ENDPOINT, (structs.LightState(9, V, 17.0, 2, structs.Color(5, 6, 7), True),), False)],
    "apply_ackermann_control_to_vehicle": [(VEHICLE, structs.AckermannControl(float(np.float32(0.1)), speed=2.0))],
    "apply_ackermann_controller_settings": [(VEHICLE, structs.AckermannControllerSettings(speed_kp=0.5))],
    "freeze_all_traffic_lights": [(True,), (False,)],
    "get_pose_from_animation": [(12,)],
    "replay_file": [("a.log", 1.0, 2.0, 3, False, Pose(-10.0, 0.0, 5.0, -25.0))],
    "start_recorder": [("a.log", True)],
    "show_recorder_collisions": [("a.log", ord("v"), ord("w"))],
    "get_wheel_steer_angle": [(VEHICLE, 1)],
    "project_point": [((0.0, 0.0, 5.0), (0.0, 0.0, -1.0), 10.0)],
    "draw_debug_shape": [
        (structs.DebugShape(shape, RED, 2.0, True),)
        for shape in (
            structs.DebugPoint(V, 0.5),
            structs.DebugLine(V, W, 0.5),
            structs.DebugArrow(structs.DebugLine(V, W, 0.5), 0.25),
            structs.DebugBox(structs.BoundingBox(V, (1.0, 1.0, 1.0)), (0.0, 5.0, 0.0), 0.5),
            structs.DebugString(V, "hello", True),
            structs.HudPoint(V, 0.5),
            structs.HudLine(V, W, 0.5),
            structs.HudArrow(structs.HudLine(V, W, 0.5), 0.25),
            structs.HudBox(structs.BoundingBox(V, (1.0, 1.0, 1.0)), (0.0, 5.0, 0.0), 0.5),
        )
    ],
}


@pytest.fixture(scope="module")
def visit():
    """What the client saw (JSON) and what came from it (name -> list of arguments)."""
    world = TinyWorld()
    world.answers.update(ANSWERS)
    try:
        ended = subprocess.run(
            [sys.executable, str(SCRIPT), str(world.rpc.port), json.dumps(sorted(SENSORS))],
            capture_output=True,
            text=True,
            timeout=300,
        )
    finally:
        world.close()
    assert ended.returncode == 0, ended.stderr
    came: dict[str, list[object]] = {}
    for name, args in world.calls:
        came.setdefault(name, []).append(args)
    return json.loads(ended.stdout), came, world


@pytest.mark.parametrize("what", sorted(EXPECTED))
def test_client_sees_what_was_sent(visit, what: str) -> None:
    seen = visit[0][what]
    assert (seen[:5] if what == "image" else seen) == EXPECTED[what]


@pytest.mark.parametrize("name", sorted(SENT))
def test_what_the_client_sends_is_understood(visit, name: str) -> None:
    endpoint = f"127.0.0.1:{visit[2].rpc.port}"
    expected = [tuple(endpoint if value is ENDPOINT else value for value in args) for args in SENT[name]]
    assert visit[1].get(name) == expected


def test_a_number_that_is_none_is_refused_by_name(visit) -> None:
    assert "spawn_actor refuses its arguments: pose.location.x is nan" in visit[0]["nan"]


def test_every_batch_command_is_understood(visit) -> None:
    (batch,) = visit[1]["apply_batch"]
    assert batch.do_tick is False
    kinds = [type(command) for command in batch.commands]
    # see the client's script for why not the first two; carla.command of 0.9.16 lacks the others
    unsent = {commands.ShowDebugTelemetry, commands.SetAutopilot}
    unsent |= {commands.ApplyLocation, commands.ConsoleCommand, commands.SetTrafficLightState}
    assert set(kinds) == set(commands.COMMANDS) - unsent
    first = batch.commands[0]
    assert first.description.id == "vehicle.tiny.car" and first.parent is None
    assert first.do_after == (commands.SetSimulatePhysics(0, False),)
    assert batch.commands[1].parent == VEHICLE
    assert batch.commands[6] == commands.ApplyVehiclePhysicsControl(VEHICLE, PHYSICS._replace(mass_kg=1234.0))
    assert batch.commands[8] == commands.ApplyWalkerState(12, Pose(), 1.5)


def test_no_frame_was_dropped_and_nothing_was_refused(visit) -> None:
    _, came, world = visit
    assert not world.streams.dropped
    assert set(came) <= set(METHODS)
    assert world.refused == []
