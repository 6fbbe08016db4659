"""The lines of each of CARLA's cars and vans, and what only some of them carry: light bars, signs, spare wheels."""

from __future__ import annotations

import numpy as np

from sim_agent.embedded.blueprints import vehicle_spec
from sim_agent.embedded.models.car_body import build_car
from sim_agent.embedded.models.car_lines import Body, CarShape
from sim_agent.embedded.models.surface import (
    BLACK,
    CHROME,
    GLASS,
    STEEL,
    TRIM,
    TYRE,
    Look,
    Sculptor,
)
from sim_agent.embedded.pose import Pose
from sim_agent.embedded.scene import Material, Mesh

WHITE = Look(Material.METAL, (0.90, 0.90, 0.90))
RED_LIGHT = Look(Material.SIGNAL_LAMP, (0.85, 0.05, 0.05))
BLUE_LIGHT = Look(Material.SIGNAL_LAMP, (0.08, 0.20, 0.90))

SEDAN = CarShape()
HATCHBACK = CarShape(
    cowl=0.27, roof_front=0.44, roof_rear=0.86, tail=0.965, nose_z=0.50, cowl_z=0.64, belt_z=0.69, tail_z=0.66,
    plan_front=4.4, plan_rear=5.0, roof_width=0.74, sides="A8 G36 B5 G30 C21", doors=(0.33, 0.59, 0.80),
    tail_lamps="tall", mirror_m=0.08,
)  # fmt: skip
COUPE = CarShape(
    cowl=0.33, roof_front=0.50, roof_rear=0.68, tail=0.90, nose_z=0.50, cowl_z=0.67, belt_z=0.72, tail_z=0.70,
    roof_width=0.70, sides="A8 G52 C5 G18 C17", doors=(0.37, 0.66), spokes=5, mirror_m=0.09,
)  # fmt: skip
SUV = CarShape(
    cowl=0.27, roof_front=0.41, roof_rear=0.86, tail=0.965, nose_z=0.55, cowl_z=0.65, belt_z=0.68, tail_z=0.66,
    sill_z=0.16, plan_front=5.0, plan_rear=6.0, roof_width=0.76, sides="A7 G30 B5 G28 B4 G19 C7",
    doors=(0.32, 0.55, 0.76), cladding=True, roof_rails=True, grille="big", mirror_m=0.11,
)  # fmt: skip
VAN = CarShape(
    cowl=0.145, roof_front=0.27, roof_rear=0.965, tail=0.992, nose_z=0.36, cowl_z=0.50, belt_z=0.52, tail_z=0.52,
    sill_z=0.11, plan_front=5.0, plan_rear=9.0, roof_width=0.86, belt_width=0.95, sides="A6 G20 B4 P66 C4",
    doors=(0.19, 0.36, 0.62), tail_lamps="tall", lamps="tall", cladding=True, bumper_black=True, mirror_m=0.13,
    antenna=False,
)  # fmt: skip
CLASSIC_VAN = CarShape(
    cowl=0.035, roof_front=0.115, roof_rear=0.945, tail=0.99, nose_z=0.52, cowl_z=0.55, belt_z=0.55, tail_z=0.54,
    sill_z=0.13, plan_front=4.6, plan_rear=5.0, roof_width=0.82, belt_width=0.97,
    sides="A5 G18 B5 G20 C4 G20 C4 G18 C6", doors=(0.13, 0.33, 0.62), lamps="round", grille="none",
    tail_lamps="tall", bumper_black=False, roof_look=WHITE, mirror_m=0.12,
)  # fmt: skip

SHAPES: dict[str, CarShape] = {
    "audi.a2": HATCHBACK._replace(cowl=0.21, roof_front=0.42, roof_rear=0.80, tail_z=0.70, tail=0.95, nose_z=0.51),
    "audi.etron": SUV._replace(grille="big", tail_lamps="band", belt_z=0.67),
    "audi.tt": COUPE._replace(cowl=0.31, roof_front=0.47, roof_rear=0.66, tail=0.93, plan_front=3.6, plan_rear=3.6,
                              belt_z=0.70, tail_z=0.62, sides="A9 G52 C6 G15 C18"),
    "bmw.grandtourer": HATCHBACK._replace(cowl=0.24, roof_front=0.42, roof_rear=0.88, sides="A7 G30 B5 G28 B4 G18 C8",
                                          doors=(0.30, 0.53, 0.75), grille="big", roof_rails=True, mirror_m=0.14),
    "chevrolet.impala": SEDAN._replace(cowl=0.31, roof_front=0.46, roof_rear=0.68, tail=0.83, nose_z=0.58, cowl_z=0.66,
                                       belt_z=0.68, tail_z=0.66, plan_front=8.0, plan_rear=8.0, grille="wide",
                                       tail_lamps="band", roof_width=0.76, mirror_m=0.08),
    "citroen.c3": HATCHBACK._replace(cowl=0.25, roof_front=0.43, cladding=True, grille="bar", nose_z=0.52),
    "dodge.charger_2020": SEDAN._replace(cowl=0.33, roof_front=0.48, roof_rear=0.72, tail=0.90, nose_z=0.56,
                                         belt_z=0.72, tail_z=0.72, tail_lamps="band", grille="big", mirror_m=0.06),
    "dodge.charger_police": SEDAN._replace(cowl=0.33, roof_front=0.48, roof_rear=0.72, tail=0.90, nose_z=0.52,
                                           cowl_z=0.62, belt_z=0.66, tail_z=0.64, tail_lamps="band", mirror_m=0.10),
    "dodge.charger_police_2020": SEDAN._replace(cowl=0.33, roof_front=0.48, roof_rear=0.72, tail=0.90, nose_z=0.50,
                                                cowl_z=0.59, belt_z=0.64, tail_z=0.64, tail_lamps="band",
                                                grille="big", mirror_m=0.06),
    "ford.crown": SEDAN._replace(cowl=0.30, roof_front=0.44, roof_rear=0.69, tail=0.84, nose_z=0.50, cowl_z=0.58,
                                 belt_z=0.60, tail_z=0.58, plan_front=5.5, plan_rear=6.5, grille="slots",
                                 mirror_m=0.06),
    "ford.mustang": COUPE._replace(cowl=0.38, roof_front=0.51, roof_rear=0.66, tail=0.86, nose_z=0.60, cowl_z=0.69,
                                   belt_z=0.71, tail_z=0.70, plan_front=8.0, plan_rear=7.0, lamps="round",
                                   tail_lamps="band", grille="wide", mirror_m=0.07),
    "jeep.wrangler_rubicon": SUV._replace(cowl=0.35, roof_front=0.40, roof_rear=0.955, tail=0.975, nose_z=0.56,
                                          cowl_z=0.60, belt_z=0.60, tail_z=0.60, sill_z=0.22, plan_front=9.0,
                                          plan_rear=11.0, roof_width=0.86, belt_width=0.94, lamps="round",
                                          grille="slots", sides="A6 G34 B6 G46 C8", roof_rails=False,
                                          roof_look=BLACK, bumper_black=True, tail_lamps="tall", mirror_m=0.08),
    "lincoln.mkz_2017": SEDAN._replace(cowl=0.30, roof_front=0.47, roof_rear=0.71, tail=0.91, tail_lamps="band",
                                       grille="wide", mirror_m=0.13),
    "lincoln.mkz_2020": SEDAN._replace(cowl=0.30, roof_front=0.47, roof_rear=0.71, tail=0.91, tail_lamps="band",
                                       grille="big", mirror_m=0.05),
    "mercedes.coupe": COUPE._replace(cowl=0.31, roof_front=0.47, roof_rear=0.70, tail=0.91, nose_z=0.50, cowl_z=0.62,
                                     belt_z=0.67, tail_z=0.66, grille="wide", mirror_m=0.12),
    "mercedes.coupe_2020": COUPE._replace(grille="bar", tail_lamps="corner", mirror_m=0.05, roof_width=0.72),
    "mercedes.sprinter": VAN._replace(mirror_m=0.10),
    "micro.microlino": CarShape(cowl=0.08, roof_front=0.30, roof_rear=0.72, tail=0.97, nose_z=0.50, cowl_z=0.55,
                                belt_z=0.60, tail_z=0.56, plan_front=4.4, plan_rear=4.2, roof_width=0.72,
                                sides="A9 G50 C6 G24 C11", doors=(0.20, 0.62), lamps="round", grille="none",
                                tail_lamps="corner", mirror_m=0.09, roof_look=BLACK),
    "mini.cooper_s": HATCHBACK._replace(cowl=0.30, roof_front=0.42, roof_rear=0.85, lamps="round", nose_z=0.56,
                                        sides="A8 G46 B5 G28 C13", doors=(0.36, 0.66), grille="bar", roof_look=WHITE,
                                        roof_width=0.80, cladding=True, mirror_m=0.10),
    "mini.cooper_s_2021": HATCHBACK._replace(cowl=0.30, roof_front=0.42, roof_rear=0.86, lamps="round", nose_z=0.57,
                                             sides="A8 G36 B5 G30 B4 G12 C5", doors=(0.34, 0.57, 0.76), grille="big",
                                             roof_look=BLACK, roof_width=0.80, cladding=True, mirror_m=0.11),
    "nissan.micra": HATCHBACK._replace(cowl=0.25, roof_front=0.43, roof_rear=0.82, plan_front=3.6, plan_rear=3.8,
                                       lamps="tall", grille="bar", nose_z=0.54),
    "nissan.patrol": SUV._replace(cowl=0.29, roof_front=0.40, roof_rear=0.93, tail=0.98, plan_front=7.0, plan_rear=8.0,
                                  roof_width=0.82, lamps="tall", grille="slots", tail_lamps="tall", mirror_m=0.07),
    "nissan.patrol_2021": SUV._replace(cowl=0.28, roof_front=0.40, roof_rear=0.89, tail=0.975, plan_front=6.0,
                                       lamps="tall", grille="big", mirror_m=0.10),
    "seat.leon": HATCHBACK._replace(cowl=0.28, roof_front=0.45, roof_rear=0.84, grille="bar", mirror_m=0.06),
    "tesla.model3": SEDAN._replace(cowl=0.25, roof_front=0.44, roof_rear=0.66, tail=0.93, nose_z=0.47, cowl_z=0.63,
                                   belt_z=0.70, tail_z=0.70, grille="none", roof_look=GLASS, mirror_m=0.13,
                                   plan_front=4.0),
    "toyota.prius": HATCHBACK._replace(cowl=0.24, roof_front=0.45, roof_rear=0.70, tail=0.95, tail_z=0.72, belt_z=0.70,
                                       nose_z=0.48, sides="A9 G37 B5 G32 C17", grille="bar", doors=(0.33, 0.56, 0.78)),
    "volkswagen.t2": CLASSIC_VAN,
    "volkswagen.t2_2021": CLASSIC_VAN._replace(grille="bar", mirror_m=0.07, cladding=True),
}  # fmt: skip
"""Car lines by vehicle id without its `vehicle.`."""


def car(vehicle_id: str) -> Mesh:
    """The mesh of a car or a van of `SHAPES`; its size is still about that of its spec."""
    name = vehicle_id.removeprefix("vehicle.")
    spec = vehicle_spec(vehicle_id)
    sculptor = Sculptor(tag=spec.tag)
    body = build_car(sculptor, spec, SHAPES[name])
    if "police" in name:
        light_bar(sculptor, body.at(0.56), 0.985 * body.height, 0.52 * body.half_width)
        _police_doors(sculptor, body)
    if name == "ford.crown":
        _taxi_sign(sculptor, body)
    if name == "jeep.wrangler_rubicon":
        _spare_wheel(sculptor, body)
    if name.startswith("volkswagen"):
        _bumpers(sculptor, body)
    if name == "ford.mustang":
        _racing_stripes(sculptor, body)
    return sculptor.build()


def light_bar(sculptor: Sculptor, x: float, z: float, half_width_m: float) -> None:
    """A bar of warning lamps across the roof: red left, blue right."""
    sculptor.cuboid((x, 0.0, z), (0.22, 2 * half_width_m, 0.05), TRIM)
    for side, look in ((-1.0, RED_LIGHT), (1.0, BLUE_LIGHT)):
        sculptor.cuboid((x, side * 0.56 * half_width_m, z + 0.07), (0.20, 0.80 * half_width_m, 0.10), look)
    sculptor.cuboid((x, 0.0, z + 0.065), (0.20, 0.28 * half_width_m, 0.08), STEEL)


def _police_doors(sculptor: Sculptor, body: Body) -> None:
    """White doors, as a skin a few millimetres before the paint."""
    half = body.half_shell()
    columns = [k for k in range(half.shape[1]) if body.at(0.72) < half[3, k, 0] < body.at(0.33) and half[3, k, 1] > 0]
    skin = half[2:7, columns] + [0.0, 0.004, 0.0]
    sculptor.grid(skin, WHITE)
    sculptor.grid(skin * [1.0, -1.0, 1.0], WHITE, flip=True)


def _taxi_sign(sculptor: Sculptor, body: Body) -> None:
    x, z = body.at(0.52), 0.985 * body.height
    outline = [(x - 0.13, z), (x + 0.13, z), (x + 0.07, z + 0.17), (x - 0.07, z + 0.17)]
    sculptor.prism(outline, -0.32, 0.32, Look(Material.SIGN, (0.95, 0.93, 0.80)), axis=1)
    half = body.half_shell()
    columns = [k for k in range(half.shape[1]) if body.at(0.78) < half[4, k, 0] < body.at(0.31) and half[4, k, 1] > 0]
    band = half[4:6, columns] + [0.0, 0.004, 0.0]
    checks = [[BLACK if k % 2 else WHITE for k in range(len(columns) - 1)]]
    sculptor.grid(band, checks)
    sculptor.grid(band * [1.0, -1.0, 1.0], checks, flip=True)


def _spare_wheel(sculptor: Sculptor, body: Body) -> None:
    place = Pose(-body.half_length + 0.10, 0.0, 0.52 * body.height, pitch_deg=90.0)
    radius = 0.92 * body.radius
    profile = [(0.0, -0.02), (0.9 * radius, -0.02), (radius, 0.02), (radius, 0.10), (0.9 * radius, 0.14)]
    sculptor.lathe([*profile], TYRE, place, 12)
    sculptor.lathe([(0.9 * radius, 0.14), (0.55 * radius, 0.13), (0.5 * radius, 0.11), (0.0, 0.12)], STEEL, place, 12)


def _bumpers(sculptor: Sculptor, body: Body) -> None:
    for end in (1.0, -1.0):
        x = end * (body.half_length - 0.01)
        sculptor.cuboid((x, 0.0, 0.27 * body.height), (0.10, 1.55 * body.half_width, 0.10), CHROME)


def _racing_stripes(sculptor: Sculptor, body: Body) -> None:
    half = body.half_shell()[-1]
    front = half[(half[:, 0] > body.at(body.shape.cowl)) & (half[:, 1] < 0.4)]
    nose, cowl = front[:, 0].max() - 0.03, body.at(body.shape.cowl)
    for side in (-0.14, 0.14):
        strip = []
        for x in (cowl, (2 * cowl + nose) / 3, (cowl + 2 * nose) / 3, nose):
            z = float(body.top_z(np.array(x))) + 0.024 * body.height + 0.006
            strip.append([(x, side - 0.07, z), (x, side + 0.07, z)])
        sculptor.grid(strip, WHITE)
