"""CARLA's 41 vehicles: ids, sizes, masses, wheels and paint."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from sim_agent.embedded.scene import Tag

Colour = tuple[int, int, int]


class VehicleSpec(NamedTuple):
    """What physics and models need to know of a vehicle. x forward, y right, z up; origin on the ground."""

    id: str
    kind: str
    """CARLA's base_type: car, truck, van, bus, motorcycle or bicycle."""
    wheels: int
    extent_m: tuple[float, float, float]
    """Half the size of the bounding box, riders and mirrors included."""
    box_centre_m: tuple[float, float, float]
    """Where the box's centre is seen from the vehicle's origin: straight above it."""
    mass_kg: float
    tag: Tag
    model: str
    """Key of the mesh."""
    wheel_radius_m: float
    wheel_positions_m: tuple[tuple[float, float, float], ...]
    """Wheel centres: front left, front right, rear left, rear right; of a cycle front, rear."""
    special: str
    """CARLA's special_type: emergency, taxi, electric or empty."""
    has_lights: bool
    has_doors: bool
    """CARLA's has_dynamic_doors."""
    generation: int
    max_speed_kmh: float
    """About what the vehicle reaches; physics may do as it likes."""
    drivers: tuple[int, ...]
    """driver_id values; empty if the blueprint has none."""


# Half sizes: `actor.bounding_box` of CARLA 0.9.15, rounded to a centimetre; colours: its recommended ones.
# Masses, wheel bases, tracks and wheel radii: makers' figures of the vehicles that CARLA's are modelled on,
# scaled to CARLA's length where that differs.
# id | kind | half x y z | kg | wheelbase track radius (m) | km/h | generation | flags | colours
# flags: e emergency, t taxi, v electric, d doors that open
_TABLE = """
audi.a2|car|1.85 0.89 0.77|895|2.41 1.46 0.30|173|1||168,0,27 0,39,105 16,44,21 33,33,33
audi.etron|car|2.43 1.02 0.82|2490|2.93 1.65 0.37|200|1|v|168,0,27 0,39,105 33,33,33 195,168,228
audi.tt|car|2.09 1.00 0.69|1430|2.50 1.57 0.33|250|1||168,0,27 0,39,105 16,44,21 33,33,33
bh.crossbike|bicycle|0.75 0.43 0.81|95|0.82 0 0.34|40|1||20,78,217 0,112,39 255,202,0 180,0,0
bmw.grandtourer|car|2.31 1.12 0.83|1560|2.78 1.57 0.32|220|1||109,109,109 12,38,88 68,68,77 255,255,255 255,21,0 0,0,0
carlamotors.carlacola|truck|2.60 1.31 1.23|5500|2.95 1.90 0.40|110|1||255,68,0
carlamotors.european_hgv|truck|3.97 1.45 1.73|12000|4.30 2.10 0.50|110|2||231,0,0 255,255,255 28,28,28 42,61,156 127,127,127 255,103,0
carlamotors.firetruck|truck|4.23 1.45 1.91|14000|4.60 2.10 0.52|120|2|ed|234,0,0
chevrolet.impala|car|2.68 1.02 0.71|1740|3.00 1.60 0.34|210|1||61,86,143 0,12,49 0,0,0 71,12,12
citroen.c3|car|1.99 0.93 0.81|1090|2.54 1.48 0.32|190|1||217,217,217 168,0,27 0,39,105 16,44,21 33,33,33
diamondback.century|bicycle|0.83 0.29 0.81|90|0.98 0 0.34|50|1||214,0,0 50,96,242 78,247,119
dodge.charger_2020|car|2.50 0.94 0.77|1920|3.05 1.62 0.36|250|2|d|73,0,0 0,39,105 0,0,0 211,142,0
dodge.charger_police|car|2.49 1.02 0.77|1960|3.05 1.62 0.36|240|1|e|0,0,0 8,53,0
dodge.charger_police_2020|car|2.62 0.96 0.82|1990|3.05 1.62 0.36|240|2|ed|0,0,0
ford.ambulance|van|3.18 1.18 1.22|4500|3.96 1.72 0.38|140|2|ed|231,231,231
ford.crown|car|2.68 0.90 0.79|1860|2.91 1.60 0.34|190|2|td|255,185,0
ford.mustang|car|2.36 0.95 0.65|1450|2.75 1.46 0.33|210|1||0,12,58 85,0,0 160,160,160 0,21,0 0,0,0
gazelle.omafiets|bicycle|0.92 0.33 0.89|95|1.08 0 0.36|25|1||0,0,0 41,73,217 202,88,176
harley-davidson.low_rider|motorcycle|1.18 0.38 0.82|380|1.63 0 0.32|180|1||67,67,67 255,0,0 255,154,0 0,38,132
jeep.wrangler_rubicon|car|1.93 0.95 0.94|1850|2.42 1.57 0.40|170|1||217,217,217 168,0,27 0,39,105 16,44,21 33,33,33
kawasaki.ninja|motorcycle|1.02 0.40 0.77|270|1.41 0 0.30|230|1||11,129,0 255,203,39 168,0,0 0,0,0
lincoln.mkz_2017|car|2.45 1.06 0.75|1710|2.85 1.58 0.35|220|1||16,16,16
lincoln.mkz_2020|car|2.45 0.92 0.75|1710|2.85 1.58 0.35|220|2|d|0,0,0
mercedes.coupe|car|2.51 1.08 0.82|1880|2.95 1.62 0.36|250|1||217,217,217 168,0,27 0,39,105 16,44,21 33,33,33
mercedes.coupe_2020|car|2.34 0.91 0.72|1650|2.84 1.58 0.34|250|2|d|73,0,0 0,21,81 0,0,0 187,187,187
mercedes.sprinter|van|2.96 0.99 1.28|2600|3.66 1.70 0.35|160|2|d|167,166,175 255,255,255 115,115,115
micro.microlino|car|1.10 0.74 0.69|520|1.36 1.18 0.27|90|1|v|21,158,255 145,255,181 255,33,0 255,208,0 181,255,0
mini.cooper_s|car|1.90 0.99 0.74|1150|2.47 1.46 0.30|220|1||217,217,217 168,0,27 0,39,105 16,44,21 33,33,33
mini.cooper_s_2021|car|2.28 1.05 0.88|1280|2.72 1.56 0.34|230|2|d|73,0,0 22,31,73 215,88,0 0,28,0
mitsubishi.fusorosa|bus|5.14 1.97 2.13|7500|5.30 2.15 0.52|110|2|d|255,255,255
nissan.micra|car|1.82 0.92 0.75|980|2.45 1.47 0.29|165|1||243,243,243 83,83,86 187,0,0 28,0,46 0,0,0 17,21,99
nissan.patrol|car|2.30 0.97 0.93|2350|2.80 1.60 0.38|180|1||183,187,162 0,0,0 66,52,33 22,24,43 201,147,0
nissan.patrol_2021|car|2.78 1.07 1.02|2750|3.20 1.71 0.41|210|2|d|217,217,217 159,0,0 0,38,105 12,42,12 0,0,0
seat.leon|car|2.10 0.91 0.74|1310|2.60 1.54 0.32|220|1||42,61,214 21,38,98 38,38,38 79,33,85 155,0,0 0,0,0
tesla.cybertruck|truck|3.14 1.19 1.05|3100|3.85 1.78 0.44|180|2|v|
tesla.model3|car|2.40 1.08 0.74|1840|2.88 1.58 0.34|230|1|v|17,37,103 75,86,173 180,42,42 0,0,0 137,0,0
toyota.prius|car|2.26 1.00 0.76|1390|2.70 1.53 0.32|180|1||255,0,0 215,255,143 96,102,99 28,46,58 23,51,236 227,227,227 0,0,0
vespa.zx125|motorcycle|0.91 0.43 0.80|190|1.28 0 0.23|95|1||255,203,39 30,121,154 168,0,0 0,0,0 208,208,208
volkswagen.t2|van|2.24 1.03 1.02|1350|2.40 1.42 0.33|130|1||73,12,12 22,31,73 215,89,0 105,103,0 0,33,5 158,40,82
volkswagen.t2_2021|van|2.22 0.89 0.99|1350|2.40 1.42 0.33|130|2|d|73,12,12 22,31,73 215,89,0 105,103,0 0,33,5 158,40,82
yamaha.yzf|motorcycle|1.10 0.43 0.77|270|1.42 0 0.31|230|1||0,0,0 206,206,206 0,12,49 42,99,159 61,68,66 33,55,61 255,0,0 58,21,21 155,0,0 255,213,0 127,130,135 141,0,58
"""  # noqa: E501

_DRIVERS = {
    "bh.crossbike": (2, 3, 7, 8),
    "diamondback.century": (4, 5, 6, 7),
    "gazelle.omafiets": (0, 1, 3, 5),
    "harley-davidson.low_rider": (0, 3, 7, 4),
    "kawasaki.ninja": (0, 7, 3, 4),
    "lincoln.mkz_2020": (0,),
    "vespa.zx125": (0, 2, 3, 6),
    "yamaha.yzf": (0, 2, 3, 6),
}

_TAGS = {
    "car": Tag.CAR,
    "truck": Tag.TRUCK,
    "van": Tag.CAR,
    "bus": Tag.BUS,
    "motorcycle": Tag.MOTORCYCLE,
    "bicycle": Tag.BICYCLE,
}

# An ambulance is a van by CARLA's base_type; CARLA's own segmentation paints it as a truck.
_TAG_OVERRIDES = {"ford.ambulance": Tag.TRUCK}

_SPECIAL = {"e": "emergency", "t": "taxi", "v": "electric"}


def _read(row: str) -> tuple[VehicleSpec, tuple[Colour, ...]]:
    name, kind, half, mass, gear, speed, generation, flags, paint = row.split("|")
    x, y, z = (float(part) for part in half.split())
    wheelbase, track, radius = (float(part) for part in gear.split())
    front, rear = wheelbase / 2, -wheelbase / 2
    if track:
        side = track / 2
        places = ((front, -side, radius), (front, side, radius), (rear, -side, radius), (rear, side, radius))
    else:
        places = ((front, 0.0, radius), (rear, 0.0, radius))  # type: ignore[assignment]
    spec = VehicleSpec(
        id=f"vehicle.{name}",
        kind=kind,
        wheels=len(places),
        extent_m=(x, y, z),
        box_centre_m=(0.0, 0.0, z),
        mass_kg=float(mass),
        tag=_TAG_OVERRIDES.get(name, _TAGS[kind]),
        model=f"vehicle.{name}",
        wheel_radius_m=radius,
        wheel_positions_m=places,
        special=next((_SPECIAL[flag] for flag in flags if flag in _SPECIAL), ""),
        has_lights=kind != "bicycle",
        has_doors="d" in flags,
        generation=int(generation),
        max_speed_kmh=float(speed),
        drivers=_DRIVERS.get(name, ()),
    )
    colours = tuple(tuple(int(channel) for channel in colour.split(",")) for colour in paint.split())
    return spec, colours  # type: ignore[return-value]


@lru_cache(maxsize=1)
def _fleet() -> dict[str, tuple[VehicleSpec, tuple[Colour, ...]]]:
    rows = (_read(row) for row in _TABLE.strip().splitlines())
    return {spec.id: (spec, colours) for spec, colours in rows}


VEHICLES: tuple[str, ...] = tuple(_fleet())
"""All vehicle ids."""


def vehicle_spec(vehicle_id: str) -> VehicleSpec:
    """The spec of `vehicle.maker.model`; KeyError says that there is none of that id."""
    if vehicle_id not in _fleet():
        raise KeyError(f"There is no vehicle '{vehicle_id}'; the catalogue lists {len(VEHICLES)}.")
    return _fleet()[vehicle_id][0]


def vehicle_colours(vehicle_id: str) -> tuple[Colour, ...]:
    """CARLA's recommended paints, sRGB 0 to 255; empty for the one vehicle without (bare metal)."""
    vehicle_spec(vehicle_id)
    return _fleet()[vehicle_id][1]
