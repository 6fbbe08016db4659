"""What a blueprint is: an id with typed attributes, and the check of what a client wants them to be."""

from __future__ import annotations

import math
from collections.abc import Mapping
from difflib import get_close_matches
from enum import IntEnum
from typing import NamedTuple


class AttributeType(IntEnum):
    """`carla.ActorAttributeType`, as numbered on the wire."""

    BOOL = 1
    INT = 2
    FLOAT = 3
    STRING = 4
    RGB = 5


class Attribute(NamedTuple):
    """One attribute of a blueprint, as CARLA's `get_actor_definitions` sends it."""

    id: str
    type: AttributeType
    value: str
    """The default."""
    recommended: tuple[str, ...]
    """Never empty: clients draw from it without looking (`random.choice(attribute.recommended_values)`)."""
    modifiable: bool
    restrict: bool
    """Whether only recommended values are allowed."""


class Definition(NamedTuple):
    """One blueprint."""

    uid: int
    """Position in the catalogue, from 1."""
    id: str
    tags: str
    """Comma-separated, what `BlueprintLibrary.filter` also matches."""
    attributes: tuple[Attribute, ...]

    def attribute(self, name: str) -> Attribute | None:
        """The attribute of that name, or None."""
        return next((attribute for attribute in self.attributes if attribute.id == name), None)


def variation(name: str, kind: AttributeType, *recommended: str, restrict: bool = False) -> Attribute:
    """An attribute that clients may change; the first recommended value is its default (as in CARLA)."""
    return Attribute(name, kind, recommended[0], recommended, True, restrict)


def constant(name: str, kind: AttributeType, value: str) -> Attribute:
    """An attribute that only informs."""
    return Attribute(name, kind, value, (value,), False, False)


_POSITIVE = (1e-6, math.inf)
_NOT_NEGATIVE = (0.0, math.inf)
_SHARE = (0.0, 1.0)

RANGES: dict[str, tuple[float, float]] = {
    # 8192 pixels a side: what UE4's render targets allow too; also keeps one picture below 256 MiB
    "image_size_x": (1, 8192),
    "image_size_y": (1, 8192),
    "fov": (0.01, 179.99),
    "sensor_tick": _NOT_NEGATIVE,
    "channels": (1, 1024),
    "points_per_second": (1, 20_000_000),
    "range": _POSITIVE,
    "rotation_frequency": _POSITIVE,
    "upper_fov": (-90.0, 90.0),
    "lower_fov": (-90.0, 90.0),
    "horizontal_fov": (0.01, 360.0),
    "vertical_fov": (0.01, 179.99),
    "atmosphere_attenuation_rate": _NOT_NEGATIVE,
    "dropoff_general_rate": _SHARE,
    "dropoff_intensity_limit": _SHARE,
    "dropoff_zero_intensity": _SHARE,
    "noise_stddev": _NOT_NEGATIVE,
    "noise_accel_stddev_x": _NOT_NEGATIVE,
    "noise_accel_stddev_y": _NOT_NEGATIVE,
    "noise_accel_stddev_z": _NOT_NEGATIVE,
    "noise_gyro_stddev_x": _NOT_NEGATIVE,
    "noise_gyro_stddev_y": _NOT_NEGATIVE,
    "noise_gyro_stddev_z": _NOT_NEGATIVE,
    "noise_alt_stddev": _NOT_NEGATIVE,
    "noise_lat_stddev": _NOT_NEGATIVE,
    "noise_lon_stddev": _NOT_NEGATIVE,
    "distance": _POSITIVE,
    "hit_radius": _NOT_NEGATIVE,
    "gamma": _POSITIVE,
    "shutter_speed": _POSITIVE,
    "iso": _POSITIVE,
    "fstop": _POSITIVE,
    "min_fstop": _NOT_NEGATIVE,
    "exposure_speed_up": _NOT_NEGATIVE,
    "exposure_speed_down": _NOT_NEGATIVE,
    "calibration_constant": _POSITIVE,
    "refractory_period_ns": _NOT_NEGATIVE,
    "log_eps": _POSITIVE,
    "friction": _NOT_NEGATIVE,
    "extent_x": _NOT_NEGATIVE,
    "extent_y": _NOT_NEGATIVE,
    "extent_z": _NOT_NEGATIVE,
    "speed": _NOT_NEGATIVE,
    "scale": _POSITIVE,
    "mass": _NOT_NEGATIVE,
}
"""Numbers outside these (both ends allowed) are refused."""

# Unreal reads integers into 32 bits; more would not come back as it was sent.
_INT_LIMIT = 2**31 - 1


def check_attributes(definition: Definition, given: Mapping[str, str]) -> dict[str, str]:
    """All attributes of an actor to be: the defaults, overridden by what the client gave.

    Booleans come back as `true` or `false`, numbers in a form that `int` and `float` read (CARLA writes some of its
    floats as `3.5f`). An attribute without a value, as the mass of `static.prop.mesh`, stays an empty string.

    Raises `ValueError` with one sentence if a name is unknown, a value is not of the attribute's type, outside its
    range, not one of the values it is restricted to, or if the attribute cannot be modified.
    """
    known = {attribute.id: attribute for attribute in definition.attributes}
    values = {name: _normalise(attribute, attribute.value) for name, attribute in known.items()}
    for name, text in given.items():
        attribute = known.get(name)
        if attribute is None:
            close = get_close_matches(name, known, 1)
            hint = f"did you mean '{close[0]}'?" if close else f"it has {', '.join(sorted(known))}."
            raise ValueError(f"Blueprint '{definition.id}' has no attribute '{name}'; {hint}")
        try:
            value = _normalise(attribute, text)
        except ValueError as error:
            raise ValueError(f"Attribute '{name}' of '{definition.id}' is '{text}', but {error}.") from None
        if not attribute.modifiable and value != values[name]:
            raise ValueError(
                f"Attribute '{name}' of '{definition.id}' cannot be modified; leave it at '{attribute.value}'."
            )
        if attribute.restrict and value not in {_normalise(attribute, choice) for choice in attribute.recommended}:
            choices = ", ".join(attribute.recommended)
            raise ValueError(f"Attribute '{name}' of '{definition.id}' is '{text}', but must be one of {choices}.")
        values[name] = value
    return values


def _normalise(attribute: Attribute, text: str) -> str:
    """The value in one spelling; ValueError says what was expected."""
    if attribute.type is AttributeType.STRING:
        return text
    if text == attribute.value == "":
        return ""
    text = text.strip()
    if attribute.type is AttributeType.BOOL:
        spelling = {"true": "true", "1": "true", "false": "false", "0": "false"}.get(text.lower())
        if spelling is None:
            raise ValueError("must be true or false")
        return spelling
    if attribute.type is AttributeType.RGB:
        return ",".join(str(channel) for channel in _colour(text))
    number = _number(attribute, text)
    low, high = RANGES.get(attribute.id, (-math.inf, math.inf))
    if not low <= number <= high:
        raise ValueError(f"must be {_describe_range(low, high)}")
    return text.rstrip("fF") if attribute.type is AttributeType.FLOAT else str(int(number))


def _number(attribute: Attribute, text: str) -> float:
    if attribute.type is AttributeType.INT:
        try:
            # Clients pass str(64.0) too, which CARLA reads as C's atoi does.
            number = int(text.removesuffix(".0"), 10)
        except ValueError:
            raise ValueError("must be a whole number") from None
        if abs(number) > _INT_LIMIT:
            raise ValueError(f"must fit in 32 bits (at most {_INT_LIMIT})")
        return number
    try:
        value = float(text.rstrip("fF"))
    except ValueError:
        raise ValueError("must be a number") from None
    if not math.isfinite(value):
        raise ValueError("must be a finite number")
    return value


def _colour(text: str) -> tuple[int, int, int]:
    channels = text.split(",")
    try:
        red, green, blue = (int(channel, 10) for channel in channels)
    except ValueError:
        raise ValueError("must be three numbers from 0 to 255 as in '255,0,0'") from None
    if not all(0 <= channel <= 255 for channel in (red, green, blue)):
        raise ValueError("must be three numbers from 0 to 255 as in '255,0,0'")
    return red, green, blue


def _describe_range(low: float, high: float) -> str:
    if high == math.inf:
        return "0 or more" if low == 0 else "more than 0"
    return f"from {low:g} to {high:g}"
