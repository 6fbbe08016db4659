"""CARLA's sensors: their attributes, types and defaults (CARLA 0.9.15, document "Sensors reference")."""

from __future__ import annotations

from sim_agent.embedded.blueprints.definition import Attribute, AttributeType, variation

BOOL, INT, FLOAT, STRING = AttributeType.BOOL, AttributeType.INT, AttributeType.FLOAT, AttributeType.STRING

_TICK = "sensor_tick F 0.0"
_LENS = (
    "image_size_x I 800; image_size_y I 600; fov F 90.0; lens_circle_falloff F 5.0; lens_circle_multiplier F 0.0; "
    "lens_k F -1.0; lens_kcube F 0.0; lens_x_size F 0.08; lens_y_size F 0.08"
)
_FILM = (
    "exposure_mode S! histogram|manual; exposure_compensation F 0.0; shutter_speed F 200.0; iso F 100.0; fstop F 1.4; "
    "enable_postprocess_effects B true; gamma F 2.2; motion_blur_intensity F 0.45; motion_blur_max_distortion F 0.35; "
    "lens_flare_intensity F 0.1; bloom_intensity F 0.675; motion_blur_min_object_screen_size F 0.1; "
    "exposure_min_bright F 10.0; exposure_max_bright F 12.0; exposure_speed_up F 3.0; exposure_speed_down F 1.0; "
    "calibration_constant F 16.0; focal_distance F 1000.0; min_fstop F 1.2; blade_count I 5; blur_amount F 1.0; "
    "blur_radius F 0.0; slope F 0.88; toe F 0.55; shoulder F 0.26; black_clip F 0.0; white_clip F 0.04; "
    "temp F 6500.0; tint F 0.0; chromatic_aberration_intensity F 0.0; chromatic_aberration_offset F 0.0"
)
_EVENTS = (
    "positive_threshold F 0.3; negative_threshold F 0.3; sigma_positive_threshold F 0.0; "
    "sigma_negative_threshold F 0.0; refractory_period_ns I 0; use_log B true; log_eps F 0.001"
)
_BEAMS = (
    "channels I 32; range F 10.0; points_per_second I 56000; rotation_frequency F 10.0; upper_fov F 10.0; "
    "lower_fov F -30.0"
)
_INTENSITY = (
    "atmosphere_attenuation_rate F 0.004; noise_seed I 0; dropoff_general_rate F 0.45; "
    "dropoff_intensity_limit F 0.8; dropoff_zero_intensity F 0.4; noise_stddev F 0.0"
)
_TURN = "horizontal_fov F 360.0"

SENSORS: dict[str, tuple[str, ...]] = {
    "sensor.camera.rgb": (_TICK, _LENS, _FILM),
    "sensor.camera.depth": (_TICK, _LENS),
    "sensor.camera.semantic_segmentation": (_TICK, _LENS),
    "sensor.camera.instance_segmentation": (_TICK, _LENS),
    "sensor.camera.normals": (_TICK, _LENS),
    "sensor.camera.optical_flow": (_TICK, _LENS),
    "sensor.camera.cosmos_visualization": (_TICK, _LENS),
    "sensor.camera.dvs": (_TICK, _LENS, _FILM, _EVENTS),
    "sensor.lidar.ray_cast": (_TICK, _BEAMS, _INTENSITY, _TURN),
    "sensor.lidar.ray_cast_semantic": (_TICK, _BEAMS, _TURN),
    # no sensor_tick: these two report when something happens
    "sensor.other.collision": (),
    "sensor.other.lane_invasion": (),
    "sensor.other.obstacle": (
        _TICK,
        "distance F 5.0; hit_radius F 0.5; only_dynamics B false; debug_linetrace B false",
    ),
    "sensor.other.gnss": (
        _TICK,
        "noise_seed I 0; noise_lat_stddev F 0.0; noise_lat_bias F 0.0; noise_lon_stddev F 0.0; noise_lon_bias F 0.0; "
        "noise_alt_stddev F 0.0; noise_alt_bias F 0.0",
    ),
    "sensor.other.imu": (
        _TICK,
        "noise_seed I 0; noise_accel_stddev_x F 0.0; noise_accel_stddev_y F 0.0; noise_accel_stddev_z F 0.0; "
        "noise_gyro_stddev_x F 0.0; noise_gyro_stddev_y F 0.0; noise_gyro_stddev_z F 0.0; "
        "noise_gyro_bias_x F 0.0; noise_gyro_bias_y F 0.0; noise_gyro_bias_z F 0.0",
    ),
    "sensor.other.radar": (
        _TICK,
        "horizontal_fov F 30; vertical_fov F 30; range F 100; points_per_second I 1500; noise_seed I 0",
    ),
    "sensor.other.rss": (),
}
"""Sensor id to its attributes: `name TYPE default`, types B, I, F, S; `!` restricts to the values given."""

WITHOUT_PLACES = frozenset({"sensor.other.gnss", "sensor.other.imu", "sensor.other.radar"})
"""Sensors for whose role_name CARLA recommends no places on the car."""

PLACES = ("front", "back", "left", "right", "front_left", "front_right", "back_left", "back_right")

_TYPES = {"B": BOOL, "I": INT, "F": FLOAT, "S": STRING}


def sensor_attributes(sensor_id: str) -> tuple[Attribute, ...]:
    """The attributes of a sensor other than role_name and ros_name."""
    attributes = []
    for group in SENSORS[sensor_id]:
        for entry in group.split("; "):
            name, kind, values = entry.split(" ")
            attributes.append(variation(name, _TYPES[kind[0]], *values.split("|"), restrict=kind.endswith("!")))
    return tuple(attributes)
