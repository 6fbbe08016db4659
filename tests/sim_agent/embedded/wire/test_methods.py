from __future__ import annotations

import pytest

from sim_agent.embedded.wire import commands, structs
from sim_agent.embedded.wire.codec import WireError
from sim_agent.embedded.wire.methods import METHODS, Kind, take_apart


def test_answers_have_carlas_three_forms() -> None:
    value, void, batch = METHODS["version"], METHODS["set_weather_parameters"], METHODS["apply_batch"]
    assert (value.kind, void.kind, batch.kind) == (Kind.VALUE, Kind.VOID, Kind.BATCH)
    assert value.encode_result("0.9.16") == [[1, "0.9.16"]]
    assert value.encode_error("no") == [[0, ["no"]]]
    assert void.encode_result(None) == [[False]]
    assert void.encode_error("no") == [[True, ["no"]]]
    assert batch.encode_result([7, "no such actor"]) == [[[1, 7]], [[0, ["no such actor"]]]]
    assert batch.encode_error("no", 2) == [[[0, ["no"]]], [[0, ["no"]]]]


def test_golden_results() -> None:
    token = bytes(range(24))
    assert METHODS["get_episode_info"].encode_result(structs.EpisodeInfo(5, token)) == [[1, [5, [token]]]]
    assert METHODS["get_sensor_token"].encode_result(token) == [[1, [token]]]
    assert METHODS["get_vehicle_light_state"].encode_result(3) == [[1, [3]]]
    assert METHODS["get_vehicle_light_states"].encode_result([structs.VehicleLights(1, 2)]) == [[1, [[1, 2]]]]
    assert METHODS["get_bones_transform"].encode_result([structs.BoneTransforms("a")]) == [
        [1, [[["a", *[[[0.0] * 3, [0.0] * 3]] * 3]]]]
    ]
    assert METHODS["get_gbuffer_token"].encode_result(token) == [[1, token]]
    assert METHODS["project_point"].encode_result(structs.Projection(False, structs.LabelledPoint())) == [
        [1, [False, [[0.0] * 3, 0]]]
    ]


def test_every_method_of_the_reports_table_is_there() -> None:
    assert len(METHODS) == 130
    assert {
        "tick_cue",
        "apply_batch",
        "set_actor_dead",
        "clear_debug_string",
        "console_command",
        "set_walker_state",
    } <= set(METHODS)


def test_arguments_by_name_with_defaults_for_older_clients() -> None:
    args = METHODS["spawn_actor_with_parent"].decode([[1, "a", []], [[1, 2, 3], [4, 5, 6]], 9])
    assert (args.parent, args.attachment, args.socket, args.pose.yaw_deg) == (9, 0, "", 5.0)
    assert METHODS["apply_batch"].decode([[[[1, [7]]]], False]).commands == (commands.DestroyActor(7),)
    assert METHODS["set_vehicle_light_state"].decode([7, [5]]).lights == 5


@pytest.mark.parametrize(
    ("name", "values", "sentence"),
    [
        ("tick_cue", [1], "tick_cue has 1 arguments, but 0 are expected"),
        (
            "apply_control_to_vehicle",
            [1],
            "apply_control_to_vehicle has 1 arguments, but 2 are expected; send actor, control",
        ),
        (
            "apply_control_to_vehicle",
            [1, [0, 2, "x"]],
            "apply_control_to_vehicle refuses its arguments: control.brake is 'x'",
        ),
        ("apply_batch", [[[[1, [-1]]]], True], "apply_batch refuses its arguments: commands[0].actor is -1"),
        ("load_new_episode", [], "load_new_episode has 0 arguments, but 1 to 3 are expected"),
    ],
)
def test_a_bad_argument_is_named(name: str, values: list[object], sentence: str) -> None:
    with pytest.raises(WireError) as caught:
        METHODS[name].decode(values)
    assert str(caught.value).startswith(sentence)


@pytest.mark.parametrize(
    ("name", "value"), [("version", 4), ("tick_cue", None), ("set_weather_parameters", 1), ("apply_batch", [-1])]
)
def test_a_wrong_result_does_not_go_out(name: str, value: object) -> None:
    with pytest.raises(WireError):
        METHODS[name].encode_result(value)


def test_requests() -> None:
    assert take_apart([0, 5, "version", [[False]]]) == (5, "version", False, [])
    assert take_apart([0, 5, "version", [[True], 1, 2]]) == (5, "version", True, [1, 2])
    assert take_apart([2, "version", [[False]]]) == (None, "version", False, [])


@pytest.mark.parametrize(
    "message",
    [
        *(None, 1, [], [0], [0, 1, "a"], [1, 1, None, 2], [0, -1, "a", [[False]]], [0, 1, b"a", [[False]]]),
        *([0, 1, "a", []], [0, 1, "a", [[]]], [0, 1, "a", [[0]]], [0, 1, "a", [False]], [0, 1, "a", None]),
        *([False, 1, "a", [[False]]], [2, 1, [[False]]]),
    ],
)
def test_what_is_no_request(message: object) -> None:
    with pytest.raises(WireError):
        take_apart(message)
