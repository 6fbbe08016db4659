"""CARLA's pedestrians as meshes: who wears what, in eight poses of walking and one of standing."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, lru_cache, partial

import numpy as np

from sim_agent.embedded.blueprints import WALKERS, WalkerSpec, walker_spec
from sim_agent.embedded.models.figure import Build, Clothes, figures, leg_bones
from sim_agent.embedded.models.gait import PHASES, STAND, standing_leg, walking
from sim_agent.embedded.scene import Mesh

Rgb = tuple[float, float, float]

_SKIN: dict[str, Rgb] = {
    "pale": (0.87, 0.70, 0.60),
    "fair": (0.80, 0.61, 0.49),
    "olive": (0.69, 0.50, 0.38),
    "brown": (0.50, 0.34, 0.25),
    "dark": (0.33, 0.22, 0.16),
}
_HAIR: dict[str, Rgb] = {
    "black": (0.07, 0.06, 0.06),
    "brown": (0.22, 0.14, 0.09),
    "auburn": (0.38, 0.18, 0.09),
    "blond": (0.66, 0.52, 0.30),
    "grey": (0.58, 0.57, 0.55),
    "navy": (0.08, 0.10, 0.20),
    "red": (0.60, 0.10, 0.08),
}
_CLOTH: dict[str, Rgb] = {
    "black": (0.09, 0.09, 0.10),
    "charcoal": (0.22, 0.23, 0.25),
    "grey": (0.48, 0.49, 0.50),
    "white": (0.88, 0.87, 0.84),
    "navy": (0.11, 0.14, 0.26),
    "denim": (0.20, 0.29, 0.44),
    "sky": (0.45, 0.60, 0.78),
    "teal": (0.12, 0.38, 0.40),
    "green": (0.18, 0.34, 0.20),
    "olive": (0.33, 0.33, 0.20),
    "khaki": (0.60, 0.53, 0.39),
    "brown": (0.33, 0.22, 0.15),
    "red": (0.66, 0.13, 0.13),
    "wine": (0.36, 0.09, 0.15),
    "orange": (0.85, 0.42, 0.10),
    "yellow": (0.86, 0.74, 0.22),
    "pink": (0.84, 0.50, 0.58),
    "lilac": (0.58, 0.48, 0.70),
    "lime": (0.72, 0.86, 0.16),
}

WOMAN = Build(1.68, 0.103, 0.076, 0.064, 0.092, 0.060, 0.053, 0.93, 0.068, 0.488)
MAN = Build(1.78, 0.116, 0.086, 0.077, 0.088, 0.067, 0.062)
STOUT = Build(1.74, 0.120, 0.096, 0.098, 0.100, 0.078, 0.090, 1.12)
GIRL = Build(1.15, 0.104, 0.078, 0.074, 0.084, 0.064, 0.064, 1.02, 0.092, 0.450)
BOY = Build(1.25, 0.108, 0.080, 0.074, 0.082, 0.064, 0.062, 1.00, 0.088, 0.455)
_BUILDS = {"w": WOMAN, "m": MAN, "s": STOUT, "g": GIRL, "b": BOY}

# model | build | skin | hair colour and style | top, sleeves, jacket | lower and colour | shoes | bag and colour | stripe
# and the walkers that look so; the first gives the model its name
_WARDROBE = """
w fair auburn long|teal long|trousers denim|brown|shoulder brown||1 6
w pale blond bun|red short|skirt black|black|||5 29
w brown black long|yellow long|trousers navy|white|||7
w dark black bun|lilac long jacket|trousers charcoal|black|shoulder wine||8 27
m fair brown short|charcoal long jacket|trousers charcoal|black|case black||2 16
m olive black short|sky short|trousers khaki|brown|||3 22
m dark black short|white long|trousers denim|white|backpack navy||4 31
g fair brown long|pink long|dress pink|white|||11 48
g pale blond bun|yellow short|shorts denim|red|backpack pink||10 9
b olive black short|orange long|trousers denim|white|backpack teal||12
b dark black short|red long|trousers navy|black|backpack yellow||49
b fair brown cap|green short|shorts khaki|black|||14 13
w olive brown long|wine long|dress wine|black|shoulder black||15 35
m brown black cap|olive long|trousers black|white|||17 25
w pale auburn short|white short|shorts denim|white|backpack red||18 21
m pale blond short|navy long|trousers grey|brown|shoulder brown||19 40
w dark black short|orange short|trousers white|brown|||20 36
m olive brown short|grey hooded|trousers denim|white|||23 33
w fair grey bun|khaki long jacket|trousers brown|brown|shoulder khaki||24 26 50
s fair brown short|red long|trousers navy|black|||34 38
w brown black bun|sky long|skirt navy|black|case brown||28 37
m fair navy cap|navy long|trousers navy|black|||30 32
m dark black short|lime short|trousers orange|brown|||39 45
w fair black long|black long jacket|trousers black|black|shoulder red||42 43 44
s olive grey bald|brown long jacket|trousers khaki|brown|||41 51
m pale red cap|orange long|trousers navy|brown|||46 47
"""

_STRIPES: dict[int, Rgb] = {39: (0.85, 0.86, 0.80), 46: (0.85, 0.86, 0.80), 30: (0.80, 0.82, 0.84)}


def _clothes(row: str) -> tuple[Build, Clothes, list[int]]:
    person, top, lower, shoes, bag, _, walkers = row.split("|")
    build, skin, hair, style = person.split()
    colour, sleeves, *jacket = top.split()
    numbers = [int(number) for number in walkers.split()]
    garment, garment_colour = lower.split()
    return (
        _BUILDS[build],
        Clothes(
            skin=_SKIN[skin],
            hair=_HAIR[hair],
            top=_CLOTH[colour],
            legs=_CLOTH[garment_colour],
            shoes=_CLOTH[shoes],
            sleeves="short" if sleeves == "short" else "long",
            lower=garment,
            jacket=bool(jacket),
            hair_style="hood" if sleeves == "hooded" else style,
            bag=bag.split()[0] if bag else "",
            bag_colour=_CLOTH[bag.split()[1]] if bag else (0.0, 0.0, 0.0),
            stripe=_STRIPES.get(numbers[0]),
        ),
        numbers,
    )


@lru_cache(maxsize=1)
def _looks_like() -> dict[str, tuple[Build, Clothes, str]]:
    """Walker id to build, clothes, and the id of the walker whose model it shares."""
    found = {}
    for row in _WARDROBE.strip().splitlines():
        build, clothes, numbers = _clothes(row)
        first = f"walker.pedestrian.{numbers[0]:04d}"
        for number in numbers:
            found[f"walker.pedestrian.{number:04d}"] = (build, clothes, first)
    return found


def look_of(walker_id: str) -> tuple[Build, Clothes, str]:
    """A walker's build and clothes, and the id of the walker whose models it shares."""
    return _looks_like()[walker_id]


def walker_model_key(walker_id: str, phase: int | None) -> str:
    """Key of the model of a walker in a phase of its gait: any whole number, eight make a cycle; None stands.

    Several walkers share a model. A cycle of eight phases covers `stride_m` of the walker.
    """
    walker_spec(walker_id)
    pose = "stand" if phase is None else str(phase % PHASES)
    return f"{_looks_like()[walker_id][2]}/{pose}"


def stride_m(walker_id: str) -> float:
    """How far a walker comes in one cycle of its gait (two steps), so that its feet do not slide."""
    build = _looks_like()[walker_id][0]
    thigh, shin = leg_bones(build)
    strike, lift = (
        thigh * np.sin(np.radians(hip)) + shin * np.sin(np.radians(hip - knee)) for hip, knee in standing_leg()
    )
    scale = 2 * walker_spec(walker_id).extent_m[2] / build.height_m
    return round(2 * scale * float(strike - lift), 3)


def people_makers() -> dict[str, Callable[[], Mesh]]:
    """What makes the models of all walkers; the origin is the centre of the capsule, the ground half its height below."""
    return {
        f"{walker_id}/{name}": partial(_posed, walker_id, number)
        for walker_id in WALKERS
        if walker_id == _looks_like()[walker_id][2]
        for number, name in enumerate(["stand", *(str(phase) for phase in range(PHASES))])
    }


def _posed(walker_id: str, number: int) -> Mesh:
    return _poses(walker_id)[number]


@cache
def _poses(walker_id: str) -> list[Mesh]:
    build, clothes, _ = _looks_like()[walker_id]
    return _scaled(figures(build, clothes, [STAND, *walking()]), walker_spec(walker_id))


def _scaled(meshes: list[Mesh], spec: WalkerSpec) -> list[Mesh]:
    """The poses in the size of the capsule: standing exactly as high, walking on the same ground."""
    half_height = spec.extent_m[2]
    scale = 2 * half_height / float(meshes[0].vertices[:, 2].max())
    for mesh in meshes:
        mesh.vertices[:] *= scale
        mesh.vertices[:, 2] -= half_height
    return meshes
