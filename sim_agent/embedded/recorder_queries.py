"""What a recorder file tells in words: its frames, its collisions and who stood still, in the layout of CARLA's texts.

Source of the layout: Carla/Recorder/CarlaRecorderQuery.cpp. As there, places are centimetres and other numbers are as
C++ streams write them. Two things differ on purpose: a pair of actors is found in whichever order its types are asked
for, and only vehicles and walkers count as blocked, not the spectator.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sim_agent.embedded.pose import Pose
from sim_agent.embedded.recorder_file import NS_PER_S, Added, Collision, Frame, Header, Moment, RecorderReader
from sim_agent.embedded.scene import Light
from sim_agent.embedded.world import WorldError

CATEGORIES = {"a": "any", "h": "hero", "v": "vehicle", "w": "walker", "t": "traffic light", "o": "other"}
_CATEGORY_OF_KIND = {1: "v", 2: "w", 3: "t"}
_BLOCKED_KINDS = (1, 2)
_DOORS = {0: "Front Left", 1: "Front Right", 2: "Rear Left", 3: "Rear Right", 4: "Hood", 5: "Trunk", 6: "All"}
_LIGHT_NAMES = (
    (Light.POSITION, "Position"),
    (Light.LOW_BEAM, "LowBeam"),
    (Light.HIGH_BEAM, "HighBeam"),
    (Light.BRAKE, "Brake"),
    (Light.RIGHT_BLINKER, "RightBlinker"),
    (Light.LEFT_BLINKER, "LeftBlinker"),
    (Light.REVERSE, "Reverse"),
    (Light.INTERIOR, "Interior"),
    (Light.FOG, "Fog"),
    (1 << 9, "Special1"),
    (1 << 10, "Special2"),
)
_CM = 100.0


def file_info(reader: RecorderReader, show_all: bool) -> str:
    """`Client.show_recorder_file_info`: events of all frames, and with `show_all` everything.

    Raises WorldError if the file is damaged.
    """
    lines = _head(reader.header)
    last = Moment(0, 0, 0, 0)
    hits = 0
    for frame in reader.frames():
        last = frame.moment
        told = _events(frame, hits)
        hits += len(frame.events.collisions)
        if show_all:
            told += _everything(reader, frame)
        if told or show_all:
            lines.append(f"Frame {last.frame} at {last.elapsed_s:g} seconds")
            lines += told
    return _text(lines + _foot(last))


def collisions(reader: RecorderReader, type1: str, type2: str) -> str:
    """`Client.show_recorder_collisions`: where a contact between those categories began.

    Raises WorldError for a category that is none and if the file is damaged.
    """
    for category in (type1, type2):
        if category not in CATEGORIES:
            choices = ", ".join(f"{key} ({name})" for key, name in CATEGORIES.items())
            raise WorldError(f"{category!r} is no category of actors; expected one of {choices}")
    actors: dict[int, Added] = {}
    lines = [*_head(reader.header), f"{'Time':>8} {'Types':>6} {'Id':>6} {'Actor 1':<35} {'Id':>6} {'Actor 2':<35}"]
    before: set[tuple[int, int]] = set()
    last = Moment(0, 0, 0, 0)
    for frame in reader.frames():
        last = frame.moment
        _follow_actors(actors, frame)
        now: set[tuple[int, int]] = set()
        for collision in frame.events.collisions:
            sides = _sides(collision, actors)
            if _is(sides[0], type1) and _is(sides[1], type2):
                one, two = sides
            elif _is(sides[1], type1) and _is(sides[0], type2):
                two, one = sides
            else:
                continue
            pair = (one.id, two.id)
            if pair not in before and pair not in now:
                lines.append(
                    f"{last.elapsed_s:>8.0f}   {one.category} {two.category} "
                    f" {one.id:>6} {one.name:<35} {two.id:>6} {two.name:<35}"
                )
            now.add(pair)
        before = now
    return _text(lines + _foot(last))


def blocked_actors(reader: RecorderReader, min_time_s: float, min_distance_cm: float) -> str:
    """`Client.show_recorder_actors_blocked`: who moved less than the distance for at least the time, longest first.

    Raises WorldError for numbers that are none and if the file is damaged.
    """
    for name, value in (("min_time", min_time_s), ("min_distance", min_distance_cm)):
        if not (math.isfinite(value) and value >= 0.0):
            raise WorldError(f"{name} is {value}; expected a number of at least 0")
    lines = [*_head(reader.header), f"{'Time':>8} {'Id':>6} {'Actor':<35} {'Duration':>10}"]
    actors: dict[int, Added] = {}
    stops: dict[int, _Stop] = {}
    found: list[tuple[int, str]] = []

    def ended(actor_id: int, stop: _Stop) -> None:
        if stop.duration_ns and stop.duration_ns >= min_time_s * NS_PER_S:
            name = actors[actor_id].description.id
            line = f"{stop.begin.elapsed_s:>8.0f} {actor_id:>6} {name:<35} {stop.duration_ns / NS_PER_S:>10.0f}"
            found.append((stop.duration_ns, line))

    last = Moment(0, 0, 0, 0)
    for frame in reader.frames():
        last = frame.moment
        for gone in frame.events.removed:
            if gone in stops:
                ended(gone, stops.pop(gone))
        _follow_actors(actors, frame)
        for row in reader.states(frame).moved:
            if row.id not in actors or actors[row.id].kind not in _BLOCKED_KINDS:
                continue
            stop = stops.get(row.id)
            if stop is None or math.dist(stop.place, row.pose.location) * _CM >= min_distance_cm:
                if stop is not None:
                    ended(row.id, stop)
                stops[row.id] = _Stop(row.pose.location, last)
                continue
            if not stop.duration_ns:
                stop.begin = last
            stop.duration_ns += last.delta_ns
    for actor_id, stop in stops.items():
        ended(actor_id, stop)
    found.sort(key=lambda entry: -entry[0])
    return _text(lines + [line for _, line in found] + _foot(last))


@dataclass
class _Stop:
    place: tuple[float, float, float]
    begin: Moment
    duration_ns: int = 0


@dataclass(frozen=True)
class _Side:
    id: int
    name: str
    category: str
    is_hero: bool


def is_hero(added: Added) -> bool:
    """Whether an actor has the role name that CARLA calls the hero."""
    return any(attribute.id == "role_name" and attribute.value == "hero" for attribute in added.description.attributes)


def _sides(collision: Collision, actors: dict[int, Added]) -> tuple[_Side, _Side]:
    return _side(collision.actor, actors, ""), _side(collision.other, actors, collision.name)


def _side(actor_id: int, actors: dict[int, Added], name: str) -> _Side:
    added = actors.get(actor_id)
    if added is None:
        return _Side(actor_id, name, "o", False)
    return _Side(actor_id, added.description.id, _CATEGORY_OF_KIND.get(added.kind, "o"), is_hero(added))


def _is(side: _Side, category: str) -> bool:
    return category in ("a", side.category) or (category == "h" and side.is_hero)


def _follow_actors(actors: dict[int, Added], frame: Frame) -> None:
    for gone in frame.events.removed:
        actors.pop(gone, None)
    for added in frame.events.added:
        actors[added.id] = added


def _text(lines: Iterable[str]) -> str:
    return "\n".join(lines) + "\n"


def _head(header: Header) -> list[str]:
    try:
        date = time.strftime("%x %X", time.localtime(header.date_s))
    except (OverflowError, OSError, ValueError):
        date = "unknown"
    town = header.town.rsplit("/", 1)[-1]
    return [f"Version: {header.version}", f"Map: {town}", f"Date: {date}", ""]


def _foot(last: Moment) -> list[str]:
    return ["", f"Frames: {last.frame}", f"Duration: {last.elapsed_s:g} seconds"]


def _events(frame: Frame, first_collision: int) -> list[str]:
    events = frame.events
    lines = []
    for added in events.added:
        lines.append(f" Create {added.id}: {added.description.id} ({added.kind}) at {_place(added.pose.location)}")
        lines += [f"  {attribute.id} = {attribute.value}" for attribute in added.description.attributes]
    lines += [f" Destroy {gone}" for gone in events.removed]
    lines += [f" Parenting {a.id} with {a.parent} (parent)" for a in events.added if a.parent]
    lines += [f" Parenting {m.id} with {m.parent} (parent)" for m in events.mounted]
    lines += [
        f" Collision id {number} between {collision.actor} with {collision.other}"
        for number, collision in enumerate(events.collisions, first_collision)
    ]
    return lines


def _everything(reader: RecorderReader, frame: Frame) -> list[str]:
    states, events = reader.states(frame), frame.events
    phases = {phase.light: phase for phase in states.phases}
    group = next(iter(phases.values()), None)
    lines = [f" Positions: {len(states.moved)}"]
    for row in states.moved:
        lines.append(f"  Id: {row.id} Location: {_place(row.pose.location)} Rotation: {_euler(row.pose)}")
    lines.append(f" State traffic lights: {len(states.shown)}")
    for shown in states.shown:
        # The lights of a group follow each other, its first before the others.
        group = phases.get(shown.id, group)
        frozen, elapsed = (int(group.frozen), group.elapsed_s) if group else (0, 0.0)
        lines.append(f"  Id: {shown.id} state: {shown.state} frozen: {frozen} elapsedTime: {elapsed:g}")
    lines.append(f" Vehicle animations: {len(states.driven)}")
    for driven in states.driven:
        c = driven.control
        lines.append(
            f"  Id: {driven.id} Steering: {c.steer:g} Throttle: {c.throttle:g} Brake: {c.brake:g}"
            f" Handbrake: {int(c.hand_brake)} Gear: {c.gear}"
        )
    lines.append(f" Walker animations: {len(states.walked)}")
    lines += [f"  Id: {walked.id} speed: {walked.control.speed:g}" for walked in states.walked]
    opened = [driven for driven in states.driven if driven.doors_open]
    lines += _block(
        " Vehicle door animations", opened, lambda d: f"  Id: {d.id}\n  Doors opened: {_doors(d.doors_open)}"
    )
    lines.append(f" Vehicle light animations: {len(states.driven)}")
    lines += [f"  Id: {driven.id} {_lights(driven.lights)}" for driven in states.driven]
    for lamps in events.lamps:
        lines.append(f" Scene light changes: {len(lamps)}")
        lines += [
            f"  Id: {lamp.id} enabled: {lamp.active} intensity: {lamp.intensity:g}"
            f" RGB_color: ({lamp.color.r}, {lamp.color.g}, {lamp.color.b})"
            for lamp in lamps
        ]
    lines.append(f" Dynamic actors: {len(states.moved)}")
    for row in states.moved:
        velocity, turning = _vector(row.velocity), _vector(row.angular_velocity_deg)
        lines.append(f"  Id: {row.id} linear_velocity: {velocity} angular_velocity: {turning}")
    return lines + _additional(reader.header, frame)


def _additional(header: Header, frame: Frame) -> list[str]:
    events = frame.events
    boxes = [(added.id, added.box) for added in events.added if added.box is not None]
    lines = _block(
        " Actor bounding boxes",
        boxes,
        lambda entry: f"  Id: {entry[0]} origin: {_place(entry[1].location)} extension: {_place(entry[1].extent)}",
    )
    if header.additional:
        lines.append(f" Current platform time: {frame.moment.platform_ns / NS_PER_S:g}")
    lines += _block(" Physics Control events", [added for added in events.added if added.physics], _physics)
    lines += _block(
        " Traffic Light time events",
        events.light_times,
        lambda t: f"  Id: {t.id} green_time: {t.green_s:g} yellow_time: {t.yellow_s:g} red_time: {t.red_s:g}",
    )
    if events.weather is not None:
        numbers = ", ".join(
            f"{name} = {value:g}" for name, value in zip(events.weather._fields, events.weather, strict=True)
        )
        lines.append(f" Weather: {numbers}")
    return lines


def _block(title: str, rows: Sequence[Any], line: Callable[[Any], str]) -> list[str]:
    return [f"{title}: {len(rows)}", *(line(row) for row in rows)] if rows else []


def _physics(added: Added) -> str:
    control = added.physics
    assert control is not None
    names = {"moi": "MOI", "use_gear_autobox": "use_gear_auto_box", "gear_switch_time_s": "gear_switch_time"}
    lines = [f"  Id: {added.id}"]
    for name, value in zip(control._fields, control, strict=True):
        if isinstance(value, bool):
            lines.append(f"   {names.get(name, name)} = {str(value).lower()}")
        elif isinstance(value, float):
            lines.append(f"   {names.get(name, name).removesuffix('_kg')} = {value:g}")
    lines.append(f"   center_of_mass = {_vector(control.center_of_mass)}")
    lines.append("   torque_curve =" + "".join(f" {_vector(point)}" for point in control.torque_curve))
    lines.append("   steering_curve =" + "".join(f" {_vector(point)}" for point in control.steering_curve))
    lines.append("   forward_gears:")
    for number, gear in enumerate(control.forward_gears):
        ratios = f"ratio {gear.ratio:g} down_ratio {gear.down_ratio:g} up_ratio {gear.up_ratio:g}"
        lines.append(f"    gear {number}: {ratios}")
    lines.append("   wheels:")
    for number, wheel in enumerate(control.wheels):
        lines.append(
            f"    wheel {number}: tire_friction {wheel.tire_friction:g} damping_rate {wheel.damping_rate:g}"
            f" max_steer_angle {wheel.max_steer_angle_deg:g} radius {wheel.radius_cm:g}"
            f" max_brake_torque {wheel.max_brake_torque:g} max_handbrake_torque {wheel.max_handbrake_torque:g}"
            f" position {_vector(wheel.position_cm)}"
        )
    return "\n".join(lines)


def _vector(values: Iterable[float]) -> str:
    return f"({', '.join(f'{value:g}' for value in values)})"


def _place(metres: Iterable[float]) -> str:
    return _vector(value * _CM for value in metres)


def _euler(pose: Pose) -> str:
    return _vector((pose.roll_deg, pose.pitch_deg, pose.yaw_deg))


def _doors(doors: Iterable[int]) -> str:
    return " ".join(_DOORS.get(door, str(door)) for door in doors)


def _lights(bits: int) -> str:
    return " ".join(name for light, name in _LIGHT_NAMES if bits & light) or "None"
