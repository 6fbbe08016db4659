from __future__ import annotations

import enum
import inspect
import math
import typing
from typing import Any

import msgpack
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim_agent.embedded.pose import Pose
from sim_agent.embedded.scene import Weather
from sim_agent.embedded.wire import codec, commands, structs
from sim_agent.embedded.wire.codec import WireError, wire_type

SINGLE = st.floats(width=32, allow_nan=False, allow_infinity=False)
DOUBLE = st.floats(allow_nan=False, allow_infinity=False)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)


def integers(bits: int, signed: bool = False) -> st.SearchStrategy[int]:
    return st.integers(-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if signed else st.integers(0, (1 << bits) - 1)


BY_TYPE = {
    id(codec.DOUBLE): DOUBLE,
    id(codec.U8): integers(8),
    id(codec.U16): integers(16),
    id(codec.U32): integers(32),
    id(codec.U64): integers(64),
    id(codec.I8): integers(8, True),
    id(codec.I32): integers(32, True),
    id(codec.VECTOR2): st.tuples(SINGLE, SINGLE),
    id(codec.VECTOR3): st.tuples(SINGLE, SINGLE, SINGLE),
    id(codec.ROTATION): st.tuples(SINGLE, SINGLE, SINGLE),
}
PLAIN: dict[Any, st.SearchStrategy[Any]] = {float: SINGLE, bool: st.booleans(), str: TEXT, bytes: st.binary(max_size=8)}


def values(hint: Any) -> st.SearchStrategy[Any]:
    """Any value of an annotation of the table of fields."""
    if hint in PLAIN:
        return PLAIN[hint]
    arguments = typing.get_args(hint)
    if hint == structs.Token:
        return st.binary(min_size=24, max_size=24)
    if hint == structs.LightBits:
        return integers(32)
    if typing.get_origin(hint) is typing.Annotated:
        return BY_TYPE[id(arguments[1])] if id(arguments[1]) in BY_TYPE else st.just(())
    if typing.get_origin(hint) is tuple:
        return st.lists(values(arguments[0]), max_size=3).map(tuple)
    if arguments and arguments[-1] is type(None):
        return st.none() | values(arguments[0])
    if arguments:
        return st.one_of([values(argument) for argument in arguments])
    if hint is Pose:
        return st.tuples(*[SINGLE] * 6).map(lambda numbers: Pose(*numbers))
    hints = typing.get_type_hints(hint, include_extras=True)
    return st.tuples(*[values(hints[name]) for name in hint._fields]).map(lambda fields: hint(*fields))


STRUCTURES = [
    cls
    for module in (structs, commands)
    for _, cls in inspect.getmembers(module, inspect.isclass)
    if issubclass(cls, tuple) and cls.__module__ == module.__name__
] + [Weather]


@pytest.mark.parametrize("cls", STRUCTURES, ids=lambda cls: cls.__name__)
@settings(max_examples=10, deadline=None)
@given(data=st.data())
def test_what_goes_out_comes_back(cls: type, data: st.DataObject) -> None:
    value = data.draw(values(cls))
    kind = wire_type(cls)
    over_the_wire = msgpack.unpackb(msgpack.packb(kind.encode(value)))
    assert kind.decode(over_the_wire) == value
    assert type(kind.decode(over_the_wire)) is cls


@settings(max_examples=30, deadline=None)
@given(st.lists(st.one_of([values(cls) for cls in commands.COMMANDS]), max_size=4))
def test_a_batch_comes_back(batch: list[Any]) -> None:
    kind = codec.list_of(commands.COMMAND)
    assert list(kind.decode(msgpack.unpackb(msgpack.packb(kind.encode(batch))))) == batch


@pytest.mark.parametrize("cls", STRUCTURES, ids=lambda cls: cls.__name__)
@settings(max_examples=10, deadline=None)
@given(
    junk=st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-(1 << 63), (1 << 64) - 1)
        | st.floats()
        | st.text(max_size=3)
        | st.binary(max_size=3),
        lambda inner: st.lists(inner, max_size=6),
        max_leaves=25,
    )
)
def test_junk_is_a_value_or_a_sentence(cls: type, junk: Any) -> None:
    try:
        value = wire_type(cls).decode(junk)
    except WireError as error:
        assert " is " in str(error) or " has " in str(error)
    else:
        wire_type(cls).encode(value)


def test_forms() -> None:
    settings = structs.EpisodeSettings(fixed_delta_s=0.05)
    assert wire_type(structs.EpisodeSettings).encode(settings) == [
        *[False, False, [True, 0.05], True, 0.01, 10, 0.0, True, 3000.0, 2000.0, True]
    ]
    assert codec.POSE.encode(Pose(1.0, 2.0, 3.0, 4.0, 5.0, 6.0)) == [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]
    assert commands.COMMAND.encode(commands.DestroyActor(7)) == [[1, [7]]]
    assert wire_type(structs.DebugShape).encode(structs.DebugShape(structs.DebugPoint((1.0, 2.0, 3.0), 0.5))) == [
        *[[0, [[1.0, 2.0, 3.0], 0.5]], [255, 0, 0], -1.0, True]
    ]


def test_short_arrays_keep_defaults_and_more_is_ignored() -> None:
    box = wire_type(structs.BoundingBox)
    assert box.decode([[1.0, 2.0, 3.0]]) == structs.BoundingBox((1.0, 2.0, 3.0))
    assert box.decode([[1.0], [], [0.0] * 5, 7, "new in 0.9.17"]) == structs.BoundingBox((1.0, 0.0, 0.0), actor_id=7)
    assert wire_type(structs.VehicleControl).decode([1]) == structs.VehicleControl(1.0)


@pytest.mark.parametrize(
    ("cls", "value", "sentence"),
    [
        (structs.VehicleControl, [math.nan], "throttle is nan, but a finite number"),
        (structs.VehicleControl, [1e39], "throttle is 1e+39, but a finite number"),
        (structs.VehicleControl, [0.0, 0.0, 0.0, 1], "hand_brake is 1, but true or false is expected"),
        (
            structs.VehicleControl,
            [0.0, 0.0, 0.0, False, False, False, 1 << 31],
            "gear is 2147483648, but an integer of type i32",
        ),
        (structs.VehicleControl, [0.0, 0.0, 0.0, False, False, False, 1.0], "gear is 1.0, but an integer of type i32"),
        (structs.VehicleControl, [True], "throttle is True, but a finite number"),
        (structs.VehicleControl, {}, "the value is {}, but VehicleControl [throttle, "),
        (structs.Actor, [1, 2], "has 2 of the 6 fields of Actor, but at least 4 are expected"),
        (structs.MapInfo, ["a", [[[0, 0, 0], [0, "x", 0]]]], "spawn_points[0].rotation.yaw is 'x'"),
        (structs.EpisodeSettings, [True, False, [True]], "fixed_delta_s is [True], but [false] or [true, double]"),
        (structs.EpisodeInfo, [1, [b"short"]], "token is 5 bytes, but 24 bytes are expected"),
        (structs.EpisodeInfo, [1, []], "token is empty"),
        (structs.DebugShape, [[9, []]], "primitive is [9, []], but [index, value] with an index below 9"),
        (structs.DebugShape, [[-1, []]], "primitive is [-1, []]"),
        (structs.DebugShape, [[True, []]], "primitive is [True, []]"),
    ],
)
def test_an_error_names_the_field_and_the_value(cls: type, value: Any, sentence: str) -> None:
    with pytest.raises(WireError) as caught:
        wire_type(cls).decode(value)
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    ("cls", "value"),
    [
        (structs.VehicleControl, (0.0,) * 7),
        (structs.VehicleControl, structs.VehicleControl(throttle=math.inf)),
        (structs.VehicleControl, structs.VehicleControl(gear=1.5)),
        (structs.LabelledPoint, structs.LabelledPoint((1.0, 2.0), 0)),
        (structs.LabelledPoint, structs.LabelledPoint((1.0, 2.0, 3.0), 256)),
        (structs.MapInfo, structs.MapInfo("\ud800", ())),
        (structs.MapInfo, structs.MapInfo("a", ((1, 2, 3),))),
        (structs.DebugShape, structs.DebugShape("point")),
    ],
)
def test_what_does_not_fit_does_not_go_out(cls: type, value: Any) -> None:
    with pytest.raises(WireError):
        wire_type(cls).encode(value)


def test_numpy_and_enums_go_out_as_plain_numbers() -> None:
    class Side(enum.IntEnum):
        LEFT = 3

    control = structs.VehicleControl(np.float32(0.5), np.float64(0.25), 1, np.bool_(True), gear=np.int64(2))
    assert msgpack.packb(wire_type(structs.VehicleControl).encode(control)) == msgpack.packb(
        [0.5, 0.25, 1.0, True, False, False, 2]
    )
    assert wire_type(structs.LabelledPoint).encode(structs.LabelledPoint(np.arange(3.0), Side.LEFT)) == [
        [0.0, 1.0, 2.0],
        3,
    ]


def test_then_nests_to_a_finite_depth() -> None:
    def nested(levels: int) -> list[Any]:
        after = [nested(levels - 1)] if levels else []
        return [[0, [[1, "a", []], [[0, 0, 0], [0, 0, 0]], [False], 0, "", after]]]

    assert commands.COMMAND.decode(nested(4)).do_after[0].do_after[0].do_after[0].do_after[0].do_after == ()
    with pytest.raises(WireError, match="has 1 elements, but at most 0"):
        commands.COMMAND.decode(nested(5))


def test_strings_need_no_encoding() -> None:
    text = b"caf\xe9".decode("utf-8", "surrogateescape")
    assert codec.STR.encode(text) == text
    assert codec.STR.decode(b"caf\xe9") == text


def test_a_message_about_a_long_value_is_short() -> None:
    for value in (b"x" * 10_000_000, "x" * 10_000_000, [0] * 1_000_000):
        with pytest.raises(WireError) as caught:
            codec.U8.decode(value)
        assert len(str(caught.value)) < 300


def test_an_annotation_without_a_range_is_no_wire_type() -> None:
    with pytest.raises(TypeError, match="has no wire type"):
        wire_type(int)
