"""Types of CARLA's wire: each turns msgpack's plain values into Python's and back, and names the field that is wrong.

LibCarla's forms (MsgPackAdaptors.h): a structure is an array of its fields, `boost::optional` is [false] or [true,
value], a variant is [index, value], bytes are BIN. A short array leaves the last fields at their defaults and more
elements than fields are ignored, as there.
"""

from __future__ import annotations

import functools
import numbers
import operator
import reprlib
import types
import typing
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from sim_agent.embedded.pose import Pose

MAX_LIST = 1 << 20
"""Elements of any list: far above a town's actors, far below what hurts."""
FLOAT32_MAX = float(np.finfo(np.float32).max)
_DOUBLE_MAX = float(np.finfo(np.float64).max)
_new_tuple = tuple.__new__


class WireError(ValueError):
    """A value that does not fit its wire type; its text is a sentence that begins with the path of the field."""

    def __init__(self, problem: str, path: str = ""):
        super().__init__(problem, path)
        self.problem = problem
        self.path = path

    def within(self, outer: str) -> WireError:
        """The same problem, seen from the structure or list that holds the field."""
        joint = "." if self.path and not self.path.startswith("[") else ""
        return WireError(self.problem, f"{outer}{joint}{self.path}")

    def __str__(self) -> str:
        return f"{self.path or 'the value'} {self.problem}"


@dataclass(frozen=True)
class WireType:
    """One type: `decode` takes what msgpack gave, `encode` gives what msgpack takes; both raise WireError."""

    name: str
    decode: Callable[[Any], Any]
    encode: Callable[[Any], Any]
    cls: type | None = None
    """The class of a structure's values: by it a variant knows its cases."""
    test: str | None = None
    """For scalars: an expression in `{0}` that holds for most good values, which are the same on both sides of the wire."""


def shown(value: object) -> str:
    """A short picture of any value, for messages: its cost does not grow with the value."""
    if isinstance(value, (bytes, bytearray, memoryview)):
        return f"{len(value)} bytes"
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape}"
    return reprlib.repr(value)


def _number(name: str, limit: float) -> WireType:
    def bad(value: object) -> WireError:
        return WireError(
            f"is {shown(value)}, but a finite number of type {name} is expected; send one within {limit:.3g} of 0"
        )

    def decode(value: Any) -> float:
        if type(value) is float and -limit <= value <= limit:
            return value
        if type(value) is int:
            return float(value)
        raise bad(value)

    def encode(value: Any) -> float:
        if type(value) is float and -limit <= value <= limit:
            return value
        if isinstance(value, numbers.Real) and not isinstance(value, bool):
            number = float(value)
            if -limit <= number <= limit:
                return number
        raise bad(value)

    return WireType(name, decode, encode, test=f"type({{0}}) is float and {-limit!r} <= {{0}} <= {limit!r}")


def _integer(name: str, low: int, high: int) -> WireType:
    def bad(value: object) -> WireError:
        return WireError(f"is {shown(value)}, but an integer of type {name} is expected; send one from {low} to {high}")

    def decode(value: Any) -> int:
        if type(value) is int and low <= value <= high:
            return value
        raise bad(value)

    def encode(value: Any) -> int:
        if type(value) is int and low <= value <= high:
            return value
        # IntEnum, IntFlag and numpy's integers
        if isinstance(value, (int, np.integer)) and not isinstance(value, bool):
            number = operator.index(value)
            if low <= number <= high:
                return number
        raise bad(value)

    return WireType(name, decode, encode, test=f"type({{0}}) is int and {low} <= {{0}} <= {high}")


def _decode_bool(value: Any) -> bool:
    if value is True or value is False:
        return bool(value)
    raise WireError(f"is {shown(value)}, but true or false is expected; send a boolean")


def _encode_bool(value: Any) -> bool:
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    raise WireError(f"is {shown(value)}, but true or false is expected; send a boolean")


def _decode_text(value: Any) -> str:
    if type(value) is str:
        return value
    # LibCarla's strings are bytes without an encoding, and its reader takes BIN for them too
    if type(value) is bytes:
        return value.decode("utf-8", "surrogateescape")
    raise WireError(f"is {shown(value)}, but a string is expected; send text")


def _encode_text(value: Any) -> str:
    if isinstance(value, str):
        try:
            value.encode("utf-8", "surrogateescape")
        except UnicodeEncodeError:
            raise WireError(f"is {shown(value)}, which has no UTF-8 form; take out its lone surrogates") from None
        return str(value)
    raise WireError(f"is {shown(value)}, but a string is expected; send text")


def binary(length: int | None = None) -> WireType:
    """BIN: `bytes` in Python, of exactly `length` if that is given."""
    name = "bytes" if length is None else f"{length} bytes"

    def decode(value: Any) -> bytes:
        if type(value) is bytes and (length is None or len(value) == length):
            return value
        raise WireError(f"is {shown(value)}, but {name} are expected; send them as msgpack BIN")

    def encode(value: Any) -> bytes:
        if isinstance(value, (bytes, bytearray, memoryview)) and (length is None or len(value) == length):
            return bytes(value)
        raise WireError(f"is {shown(value)}, but {name} are expected; give a bytes object")

    return WireType(name, decode, encode)


FLOAT = _number("float", FLOAT32_MAX)
DOUBLE = _number("double", _DOUBLE_MAX)
I8 = _integer("i8", -(1 << 7), (1 << 7) - 1)
I32 = _integer("i32", -(1 << 31), (1 << 31) - 1)
U8 = _integer("u8", 0, (1 << 8) - 1)
U16 = _integer("u16", 0, (1 << 16) - 1)
U32 = _integer("u32", 0, (1 << 32) - 1)
U64 = _integer("u64", 0, (1 << 64) - 1)
BOOL = WireType("bool", _decode_bool, _encode_bool, test="({0} is True or {0} is False)")
STR = WireType("string", _decode_text, _encode_text)
BIN = binary()


def _fast(
    kind: type,
    fields: Sequence[WireType],
    converters: Sequence[Callable[[Any], Any]],
    result: str,
    names: dict[str, Any],
    slow: Callable[[Any], Any],
) -> Callable[[Any], Any]:
    """A function for whole and good values of a structure, made as `collections.namedtuple` makes its own; `slow` gets
    all others.

    One comparison a scalar and no call: a command of a batch is read in 1.5 us instead of 12.
    """
    variables = [f"v{index}" for index in range(len(fields))]
    tests = [field.test.format(variable) for field, variable in zip(fields, variables, strict=True) if field.test]
    parts = [
        f"{variable}, " if field.test else f"c{variable}({variable}), "
        for field, variable in zip(fields, variables, strict=True)
    ]
    lines = [
        "def convert(value):",
        f" if type(value) is kind and len(value) == {len(fields)}:",
        f"  [{', '.join(variables)}] = value",
        f"  if {' and '.join(tests) or 'True'}:",
        "   try:",
        f"    return {result.format(''.join(parts))}",
        "   except WireError:",
        "    pass",
        " return slow(value)",
    ]
    scope: dict[str, Any] = {"kind": kind, "WireError": WireError, "slow": slow, **names}
    scope.update({f"c{variable}": converter for variable, converter in zip(variables, converters, strict=True)})
    exec("\n".join(lines), scope)
    convert: Callable[[Any], Any] = scope["convert"]
    return convert


def _listing(value: Any, name: str) -> list[Any]:
    if type(value) is list:
        return value
    raise WireError(f"is {shown(value)}, but {name} is expected; send an array")


def vector(*names: str) -> WireType:
    """That many floats: a tuple in Python; what a short array lacks is 0."""
    size = len(names)
    name = f"[{', '.join(names)}]"
    zeros = (0.0,) * size
    decode_one, encode_one = FLOAT.decode, FLOAT.encode

    def decode(value: Any) -> tuple[float, ...]:
        items = _listing(value, name)
        try:
            if len(items) == size:
                return tuple([decode_one(item) for item in items])
            return (*[decode_one(item) for item in items[:size]], *zeros[len(items) :])
        except WireError:
            raise _first_error(decode_one, items, names) from None

    def encode(value: Any) -> list[float]:
        if not isinstance(value, (tuple, list, np.ndarray)) or len(value) != size:
            raise WireError(f"is {shown(value)}, but {name} is expected; give {size} numbers")
        try:
            return [encode_one(item) for item in value]
        except WireError:
            raise _first_error(encode_one, value, names) from None

    fields, calls = [FLOAT] * size, [decode_one] * size
    fast_decode = _fast(list, fields, calls, "({})", {}, decode)
    return WireType(name, fast_decode, _fast(tuple, fields, calls, "[{}]", {}, encode))


def _first_error(convert: Callable[[Any], Any], items: Iterable[Any], names: Sequence[str] | None) -> WireError:
    """Runs again over what failed, to find where: the way without errors then needs no bookkeeping."""
    for index, item in enumerate(items):
        try:
            convert(item)
        except WireError as error:
            return error.within(names[index] if names else f"[{index}]")
    raise AssertionError("a value failed to convert once and not again")


VECTOR2 = vector("x", "y")
VECTOR3 = vector("x", "y", "z")
ROTATION = vector("pitch", "yaw", "roll")


def _decode_pose(value: Any) -> Pose:
    items = _listing(value, "[location, rotation]")
    try:
        location = VECTOR3.decode(items[0]) if items else (0.0, 0.0, 0.0)
    except WireError as error:
        raise error.within("location") from None
    try:
        rotation = ROTATION.decode(items[1]) if len(items) > 1 else (0.0, 0.0, 0.0)
    except WireError as error:
        raise error.within("rotation") from None
    return _new_tuple(Pose, location + rotation)


def _encode_pose(value: Any) -> list[list[float]]:
    if not isinstance(value, Pose):
        raise WireError(f"is {shown(value)}, but a Pose is expected; give one of sim_agent.embedded.pose")
    try:
        numbers_ = [FLOAT.encode(number) for number in value]
    except WireError:
        raise _first_error(FLOAT.encode, value, Pose._fields) from None
    return [numbers_[:3], numbers_[3:]]


POSE = WireType("Transform", _decode_pose, _encode_pose)


def list_of(item: WireType, limit: int = MAX_LIST) -> WireType:
    """`std::vector`: a tuple in Python, of at most `limit` elements; encodes any list, tuple or array."""
    name = f"a list of {item.name}"
    decode_one, encode_one = item.decode, item.encode

    def too_many(count: int) -> WireError:
        return WireError(f"has {count} elements, but at most {limit} are expected; send fewer")

    def decode(value: Any) -> tuple[Any, ...]:
        items = _listing(value, name)
        if len(items) > limit:
            raise too_many(len(items))
        try:
            return tuple([decode_one(entry) for entry in items])
        except WireError:
            raise _first_error(decode_one, items, None) from None

    def encode(value: Any) -> list[Any]:
        if not isinstance(value, (tuple, list, np.ndarray)):
            raise WireError(f"is {shown(value)}, but {name} is expected; give a list or tuple")
        if len(value) > limit:
            raise too_many(len(value))
        try:
            return [encode_one(entry) for entry in value]
        except WireError:
            raise _first_error(encode_one, value, None) from None

    return WireType(name, decode, encode)


def optional(inner: WireType) -> WireType:
    """`boost::optional`: None in Python is [false]."""
    name = f"[false] or [true, {inner.name}]"
    decode_inner, encode_inner = inner.decode, inner.encode

    def decode(value: Any) -> Any:
        items = _listing(value, name)
        if items and items[0] is False:
            return None
        if len(items) > 1 and items[0] is True:
            return decode_inner(items[1])
        raise WireError(f"is {shown(value)}, but {name} is expected; send one of the two")

    def encode(value: Any) -> list[Any]:
        return [False] if value is None else [True, encode_inner(value)]

    return WireType(name, decode, encode)


def boxed(inner: WireType) -> WireType:
    """A class of one field in LibCarla: an array of one element around it, which Python does without."""
    name = f"[{inner.name}]"

    def decode(value: Any) -> Any:
        items = _listing(value, name)
        if not items:
            raise WireError(f"is empty, but {name} is expected; send its one element")
        return inner.decode(items[0])

    def encode(value: Any) -> list[Any]:
        return [inner.encode(value)]

    return WireType(name, decode, encode)


def variant(*cases: WireType) -> WireType:
    """[index, value]: in Python the value alone, whose class is one of the cases'."""
    name = f"[index, value] with an index below {len(cases)}"
    decoders = [case.decode for case in cases]
    by_class = {case.cls: (index, case.encode) for index, case in enumerate(cases)}
    if None in by_class or len(by_class) != len(cases):
        raise TypeError(f"a variant tells its cases by their classes, but these are {[case.cls for case in cases]}")

    def decode(value: Any) -> Any:
        items = _listing(value, name)
        if len(items) < 2 or type(items[0]) is not int or not 0 <= items[0] < len(decoders):
            raise WireError(f"is {shown(value)}, but {name} is expected; send one of its cases")
        return decoders[items[0]](items[1])

    def encode(value: Any) -> list[Any]:
        case = by_class.get(type(value))
        if case is None:
            known = ", ".join(cls.__name__ for cls in by_class if cls is not None)
            raise WireError(f"is {shown(value)}, but one of {known} is expected; give an instance of one")
        return [case[0], case[1](value)]

    return WireType(name, decode, encode)


def struct(cls: type, **instead: WireType) -> WireType:
    """A NamedTuple class: its annotations are the wire types of its fields, its defaults are the structure's.

    `instead` replaces the type of a field by name. Fields without a default must be there.
    """
    names: tuple[str, ...] = cls._fields  # type: ignore[attr-defined]
    hints = typing.get_type_hints(cls, include_extras=True)
    fields = [instead[name] if name in instead else wire_type(hints[name]) for name in names]
    required = len(names) - len(cls._field_defaults)  # type: ignore[attr-defined]
    decoders = tuple([field.decode for field in fields])
    encoders = tuple([field.encode for field in fields])
    size = len(fields)

    def decode(value: Any) -> Any:
        items = _listing(value, f"{cls.__name__} [{', '.join(names)}]")
        if len(items) < required:
            raise WireError(
                f"has {len(items)} of the {size} fields of {cls.__name__}, but at least {required} are expected;"
                f" send {', '.join(names)}"
            )
        try:
            converted = [convert(item) for convert, item in zip(decoders, items, strict=False)]
        except WireError:
            raise _first_field_error(decoders, items, names) from None
        return _new_tuple(cls, converted) if len(converted) == size else cls(*converted)

    def encode(value: Any) -> list[Any]:
        if not isinstance(value, cls):
            raise WireError(f"is {shown(value)}, but {cls.__name__} is expected; give an instance of it")
        items: tuple[Any, ...] = tuple(value)  # type: ignore[arg-type]
        try:
            return [convert(item) for convert, item in zip(encoders, items, strict=True)]
        except WireError:
            raise _first_field_error(encoders, items, names) from None

    fast_decode = _fast(list, fields, decoders, "new(cls, ({}))", {"new": _new_tuple, "cls": cls}, decode)
    return WireType(cls.__name__, fast_decode, _fast(cls, fields, encoders, "[{}]", {}, encode), cls)


def _first_field_error(
    converters: Sequence[Callable[[Any], Any]], items: Iterable[Any], names: Sequence[str]
) -> WireError:
    for convert, item, name in zip(converters, items, names, strict=False):
        try:
            convert(item)
        except WireError as error:
            return error.within(name)
    raise AssertionError("a field failed to convert once and not again")


_PLAIN: dict[Any, WireType] = {float: FLOAT, bool: BOOL, str: STR, bytes: BIN, Pose: POSE}


@functools.cache
def wire_type(hint: Any) -> WireType:
    """The wire type that an annotation stands for; raises TypeError if it stands for none.

    `Annotated[T, wire type]` is that wire type; `T | None` is optional; a union of NamedTuples a variant in that order;
    `tuple[T, ...]` a list; a NamedTuple class a structure; float a 32-bit float; a bare int is none, for its range must
    be told.
    """
    if isinstance(hint, WireType):
        return hint
    if hint in _PLAIN:
        return _PLAIN[hint]
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        for extra in arguments[1:]:
            if isinstance(extra, WireType):
                return extra
        return wire_type(arguments[0])
    if origin in (typing.Union, types.UnionType):
        if len(arguments) == 2 and arguments[1] is type(None):
            return optional(wire_type(arguments[0]))
        return variant(*[wire_type(argument) for argument in arguments])
    if origin is tuple and len(arguments) == 2 and arguments[1] is Ellipsis:
        return list_of(wire_type(arguments[0]))
    if isinstance(hint, type) and issubclass(hint, tuple) and hasattr(hint, "_fields"):
        return struct(hint)
    raise TypeError(f"{hint!r} has no wire type; annotate it with one")
