"""Strict configuration: everything wrong gets one sentence that names file, key and what to do."""

from dataclasses import dataclass, field
from typing import Literal

import pytest

from trainer.config import build, configs_dir, load_yaml
from trainer.errors import ConfigError
from trainer.labels import load_class_list, load_label_table, shipped
from trainer.recipe import TrainConfig
from trainer.unet import load_preset


@dataclass(frozen=True)
class Inner:
    rate: float = 0.5


@dataclass(frozen=True)
class Outer:
    name: str
    steps: int | None = None
    kind: Literal["a", "b"] = "a"
    size: tuple[int, int] = (1, 2)
    widths: tuple[int, ...] = ()
    flag: bool = False
    inner: Inner = field(default_factory=Inner)

    def __post_init__(self):
        if self.steps is not None and self.steps < 1:
            raise ValueError(f"steps: {self.steps} must be above 0")


def test_a_mapping_becomes_the_dataclass():
    got = build(
        Outer, {"name": "x", "steps": 3, "kind": "b", "size": [4, 5], "widths": [1, 2, 3], "inner": {"rate": 1}}, "f"
    )
    assert got == Outer("x", 3, "b", (4, 5), (1, 2, 3), False, Inner(1.0))


def test_yaml_exponents_without_a_point_are_numbers(tmp_path):
    (tmp_path / "c.yaml").write_text("rate: 1e-3\n")
    assert build(Inner, load_yaml(tmp_path / "c.yaml"), "c").rate == 1e-3


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"name": "x", "stps": 3}, "f: unknown key 'stps'; did you mean 'steps'?"),
        ({"steps": 3}, "f: the key 'name' is missing; add it."),
        ({"name": "x", "steps": 0}, "f: steps: 0 must be above 0"),
        ({"name": "x", "steps": "many"}, "f: steps: expected a value of type int, found 'many'."),
        ({"name": "x", "steps": True}, "f: steps: expected a value of type int, found True."),
        ({"name": "x", "kind": "c"}, "f: kind: 'c' is not possible; choose one of a, b."),
        ({"name": "x", "size": [1]}, "f: size: expected 2 values, found 1 in [1]."),
        ({"name": "x", "size": 3}, "f: size: expected a list, found 3."),
        ({"name": "x", "inner": {"rat": 1}}, "f: inner: unknown key 'rat'; did you mean 'rate'?"),
        ({"name": "x", "inner": 3}, "f: inner: expected 'key: value' lines, found 3."),
        ({"name": 3}, "f: name: expected a value of type str, found 3."),
    ],
)
def test_what_does_not_fit_is_one_sentence(values, message):
    with pytest.raises(ConfigError) as caught:
        build(Outer, values, "f")
    assert str(caught.value) == message


def test_files_that_are_no_configuration(tmp_path):
    with pytest.raises(ConfigError, match="no such configuration file"):
        load_yaml(tmp_path / "missing.yaml")
    bad = tmp_path / "bad.yaml"
    bad.write_text("a: [1\nb: 2\n")
    with pytest.raises(ConfigError, match=r"bad.yaml: not valid YAML at line \d"):
        load_yaml(bad)
    bad.write_text("- 1\n")
    with pytest.raises(ConfigError, match="expected 'key: value' lines, found a list"):
        load_yaml(bad)
    bad.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="UTF-8"):
        load_yaml(bad)


def test_every_shipped_configuration_loads():
    for name in ("train", "coursera"):
        build(TrainConfig, load_yaml(configs_dir() / f"{name}.yaml"), name)
    for path in (configs_dir() / "models").glob("*.yaml"):
        assert load_preset(path.stem).preset == path.stem
    assert shipped("tags") == ["carla-0.8", "carla-0.9.10", "carla-0.9.14", "idda-24"]
    assert shipped("classes") == ["carla23", "carla29", "street17"]
    for name in shipped("tags"):
        assert load_label_table(name).name == name
    for name in shipped("classes"):
        assert load_class_list(name).name == name


def test_train_yaml_names_every_key():
    """The file is the documentation of the keys: none may be missing there."""
    import dataclasses

    from trainer.augment import AugmentConfig

    values = load_yaml(configs_dir() / "train.yaml")
    assert set(values) == {f.name for f in dataclasses.fields(TrainConfig)}
    assert set(values["augment"]) == {f.name for f in dataclasses.fields(AugmentConfig)}


def test_an_unknown_preset_names_the_nearest():
    with pytest.raises(ConfigError, match="did you mean 'coursera'"):
        load_preset("corsera")
    with pytest.raises(ConfigError, match="dropout"):
        load_preset("paper", dropout=1.5)
