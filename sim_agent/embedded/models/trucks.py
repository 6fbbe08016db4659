"""The big ones: lorries, the fire engine, the ambulance, the bus, and the pick-up of flat steel."""

from __future__ import annotations

import numpy as np

from sim_agent.embedded.blueprints import VehicleSpec, vehicle_spec
from sim_agent.embedded.models.bus_and_pickup import bus, steel_pickup
from sim_agent.embedded.models.car_body import build_car
from sim_agent.embedded.models.car_families import BLUE_LIGHT, RED_LIGHT, VAN, WHITE, light_bar
from sim_agent.embedded.models.car_lines import Body
from sim_agent.embedded.models.panels import (
    GREY,
    both_sides,
    hull,
    lorry_wheels,
    rear_panel,
    side_panel,
    tail_lamps,
)
from sim_agent.embedded.models.surface import (
    BLACK,
    CHROME,
    GLASS,
    HEAD_LAMP,
    LEFT_BLINKER,
    PAINT,
    PLATE,
    RIGHT_BLINKER,
    STEEL,
    TRIM,
    Look,
    Sculptor,
    cross,
)
from sim_agent.embedded.scene import Material, Mesh

RED = Look(Material.METAL, (0.78, 0.06, 0.05))
YELLOW = Look(Material.SIGN, (0.90, 0.80, 0.10))
TRAILER = Look(Material.METAL, (0.84, 0.84, 0.83))


def _cab(
    sculptor: Sculptor,
    front: float,
    rear: float,
    half: float,
    floor: float,
    roof: float,
    outer: float,
    look: Look = PAINT,
) -> None:
    """A cab over the engine: windscreen, doors with windows, grille, lamps, steps, mirrors out to `outer`."""
    lean = 0.10 * (roof - floor)
    hull(sculptor, (rear, -half, floor), (front, half, roof), look, 0.10, lean)
    height = roof - floor
    glass_low, glass_high = floor + 0.50 * height, floor + 0.86 * height

    def face(z: float) -> float:
        return front - lean * (z - floor) / height + 0.006

    edge = half - 0.12
    sculptor.flat(
        [
            (face(glass_low), -edge, glass_low),
            (face(glass_low), edge, glass_low),
            (face(glass_high), edge, glass_high),
            (face(glass_high), -edge, glass_high),
        ],
        GLASS,
    )
    grille_low, grille_high = floor + 0.10 * height, floor + 0.44 * height
    sculptor.flat(
        [
            (face(grille_low), -0.55 * half, grille_low),
            (face(grille_low), 0.55 * half, grille_low),
            (face(grille_high), 0.55 * half, grille_high),
            (face(grille_high), -0.55 * half, grille_high),
        ],
        TRIM,
    )
    for share in (0.25, 0.5, 0.75):
        z = grille_low + share * (grille_high - grille_low)
        sculptor.cuboid((face(z) + 0.005, 0.0, z), (0.02, 1.06 * half, 0.035), CHROME)
    bumper = floor - 0.02
    sculptor.block((front - 0.25, -half, bumper - 0.30), (front, half, bumper + 0.06), BLACK)
    for side, blinker in ((-1.0, LEFT_BLINKER), (1.0, RIGHT_BLINKER)):
        z = floor + 0.02
        sculptor.cuboid((front + 0.0, side * 0.70 * half, z), (0.05, 0.34 * half, 0.16), HEAD_LAMP)
        sculptor.cuboid((front - 0.01, side * 0.93 * half, z), (0.07, 0.12 * half, 0.14), blinker)
    sculptor.cuboid((front, 0.0, bumper - 0.12), (0.03, 0.52, 0.12), PLATE)
    window = front - 0.30 * (front - rear) - lean * 0.4, rear + 0.22 * (front - rear)
    both_sides(
        sculptor,
        [
            (window[0] + lean * 0.4, half + 0.005, glass_low),
            (window[1], half + 0.005, glass_low),
            (window[1], half + 0.005, glass_high - 0.03),
            (window[0], half + 0.005, glass_high - 0.03),
        ],
        GLASS,
    )
    for x in (window[0] + lean * 0.4 + 0.07, window[1] - 0.06):
        side_panel(sculptor, x - 0.008, x + 0.008, floor + 0.04, glass_high, half + 0.004, BLACK)
    for side in (-1.0, 1.0):
        sculptor.cuboid((window[1] + 0.10, side * (half + 0.01), glass_low - 0.14), (0.16, 0.03, 0.035), TRIM)
        x, z = face(glass_high) - 0.10, (glass_low + 2 * glass_high) / 3
        sculptor.rod((x, side * (half - 0.02), z), (x, side * (outer - 0.08), z), 0.02, BLACK)
        sculptor.cuboid((x, side * (outer - 0.09), z - 0.16), (0.10, 0.18, 0.42), BLACK)


def _chassis(
    sculptor: Sculptor, front: float, rear: float, half: float, floor: float, axles: tuple[float, ...]
) -> None:
    sculptor.block((rear, -0.45 * half, floor - 0.35), (front, 0.45 * half, floor), BLACK)
    for side in (-1.0, 1.0):
        low, high = sorted((side * 0.5 * half, side * 0.93 * half))
        gap = (min(axles) + 0.65, max(axles) - 0.75)
        if gap[1] - gap[0] > 0.5:
            sculptor.block((gap[0], low, floor - 0.42), (gap[1], high, floor - 0.06), TRIM)


def _box_lorry(spec: VehicleSpec, cab_share: float, box: Look, stripe: Look | None) -> Mesh:
    sculptor = Sculptor(tag=spec.tag)
    length, half, top = spec.extent_m[0], spec.extent_m[1] - 0.14, 2 * spec.extent_m[2]
    floor = spec.wheel_radius_m * 1.55
    rear_of_cab = length - cab_share * 2 * length
    _cab(sculptor, length, rear_of_cab, half - 0.04, floor, 0.86 * top, spec.extent_m[1])
    hull(sculptor, (-length, -half, floor + 0.10), (rear_of_cab - 0.10, half, top), box, 0.05)
    axles = tuple(place[0] for place in spec.wheel_positions_m)
    _chassis(sculptor, length - 0.3, -length + 0.05, half, floor + 0.1, axles)
    box_front = rear_of_cab - 0.16
    if stripe is not None:
        low, high = floor + 0.10 + 0.30 * (top - floor), floor + 0.10 + 0.62 * (top - floor)
        side_panel(sculptor, -length + 0.08, box_front, low, high, half + 0.004, stripe)
        _wave(sculptor, -length + 0.25, box_front - 0.2, (low + high) / 2, 0.26 * (high - low), half + 0.008)
    rear_panel(sculptor, -length - 0.004, -0.012, 0.012, floor + 0.15, top - 0.1, BLACK)
    for side in (-0.5, 0.5):
        sculptor.rod((-length - 0.01, side * half, floor + 0.2), (-length - 0.01, side * half, top - 0.15), 0.02, STEEL)
    tail_lamps(sculptor, -length + 0.0, half, floor - 0.05)
    lorry_wheels(sculptor, spec, half - 0.01)
    for side in (-1.0, 1.0):
        low_y, high_y = sorted((side * (half - 0.35), side * half))
        sculptor.block((axles[-1] - 0.62, low_y, floor + 0.02), (axles[-1] + 0.62, high_y, floor + 0.10), BLACK)
    return sculptor.build()


def _wave(sculptor: Sculptor, x0: float, x1: float, z: float, rise: float, y: float) -> None:
    """A white ribbon along both sides."""
    xs = np.linspace(x0, x1, 15)
    middle = z + rise * np.sin(np.linspace(0, 2 * np.pi, 15))
    strip = np.stack([np.column_stack([xs, np.full(15, y), middle + side * 0.5 * rise]) for side in (-1.0, 1.0)])
    sculptor.grid(strip, WHITE, flip=True)
    sculptor.grid(strip * [1.0, -1.0, 1.0], WHITE)


def fire_engine(spec: VehicleSpec) -> Mesh:
    """A cab for the crew, shuttered lockers, a ladder on the roof, blue lamps."""
    sculptor = Sculptor(tag=spec.tag)
    length, half, top = spec.extent_m[0], spec.extent_m[1] - 0.14, 2 * spec.extent_m[2]
    floor, roof = spec.wheel_radius_m * 1.35, 0.80 * 2 * spec.extent_m[2]
    rear_of_cab = length - 0.34 * 2 * length
    _cab(sculptor, length, rear_of_cab, half - 0.02, floor, roof, spec.extent_m[1])
    hull(sculptor, (-length, -half, floor), (rear_of_cab - 0.04, half, 0.80 * top), PAINT, 0.05)
    span = rear_of_cab - 0.25 + length
    for k in range(4):
        x0 = -length + 0.18 + k * span / 4
        x1 = x0 + span / 4 - 0.14
        low = floor + (0.62 if any(abs((x0 + x1) / 2 - place[0]) < 0.8 for place in spec.wheel_positions_m) else 0.10)
        side_panel(sculptor, x0, x1, low, 0.74 * top, half + 0.006, Look(STEEL.material, (0.72, 0.73, 0.75)))
        for z in np.arange(low + 0.09, 0.74 * top, 0.16):
            side_panel(sculptor, x0, x1, z, z + 0.012, half + 0.009, TRIM)
    side_panel(sculptor, -length + 0.06, length - 1.0, floor + 0.42, floor + 0.56, half + 0.011, YELLOW)
    light_bar(sculptor, length - 1.0, roof + 0.01, 0.8 * half)
    for side in (-0.32, 0.32):
        for z in (0.86 * top, 0.97 * top):
            sculptor.rod((-length + 0.1, side, z), (length - 1.6, side, z), 0.035, STEEL)
    for x in np.linspace(-length + 0.3, length - 1.8, 15):
        sculptor.rod((x, -0.32, 0.97 * top), (x, 0.32, 0.97 * top), 0.025, STEEL, 5)
    sculptor.block((-length + 0.1, -0.5, 0.80 * top), (-length + 1.1, 0.5, 0.90 * top), GREY)
    sculptor.block((-length + 0.4, -0.16, 0.90 * top), (-length + 0.8, 0.16, top), RED)
    rear_panel(sculptor, -length - 0.005, -half + 0.3, half - 0.3, floor + 0.5, 0.74 * top, STEEL)
    rear_panel(sculptor, -length - 0.006, -half + 0.05, half - 0.05, floor + 0.30, floor + 0.44, YELLOW)
    for side, look in ((-1.0, BLUE_LIGHT), (1.0, BLUE_LIGHT)):
        sculptor.cuboid((-length + 0.12, side * (half - 0.15), 0.815 * top), (0.16, 0.20, 0.10), look)
    tail_lamps(sculptor, -length, half, floor + 0.12)
    sculptor.block((-length + 0.1, -0.5 * half, floor - 0.35), (length - 0.4, 0.5 * half, floor), BLACK)
    lorry_wheels(sculptor, spec, half - 0.005)
    return sculptor.build()


def ambulance(spec: VehicleSpec) -> Mesh:
    """The front of a van with a big box behind it, red stripes and warning lamps."""
    sculptor = Sculptor(tag=spec.tag)
    shape = VAN._replace(
        cowl=0.20, roof_front=0.29, roof_rear=0.40, tail=0.43, nose_z=0.44, cowl_z=0.52, belt_z=0.54, tail_z=0.50,
        sides="A16 G64 C20", doors=(0.25, 0.40), mirror_m=0.10, grille="big", rear_glass=False, plan_rear=12.0,
        bumper_black=False,
    )  # fmt: skip
    low_cab = spec._replace(extent_m=(spec.extent_m[0], spec.extent_m[1], 0.90 * spec.extent_m[2]))
    body: Body = build_car(sculptor, low_cab, shape)
    length, half, top = spec.extent_m[0], spec.extent_m[1] - 0.04, 2 * spec.extent_m[2]
    front = body.at(0.40)
    hull(sculptor, (-length + 0.02, -half, 0.30 * top), (front, half, 0.965 * top), PAINT, 0.06)
    for low, high, look in ((0.40, 0.48, RED), (0.52, 0.545, BLUE_LIGHT)):
        colour = look if look is RED else Look(Material.METAL, (0.10, 0.20, 0.60))
        side_panel(sculptor, -length + 0.10, front - 0.08, low * top, high * top, half + 0.005, colour)
        rear_panel(sculptor, -length + 0.014, -half + 0.08, half - 0.08, low * top, high * top, colour)
    _star(sculptor, (front - length) / 2 - 0.3, 0.72 * top, 0.24, half + 0.006)
    side_panel(sculptor, front - 1.15, front - 0.45, 0.62 * top, 0.82 * top, half + 0.005, GLASS)
    for side in (-1.0, 1.0):
        inner, outer = sorted((side * 0.06, side * (half - 0.25)))
        rear_panel(sculptor, -length + 0.013, inner, outer, 0.60 * top, 0.84 * top, GLASS)
        for x in (-length + 0.35, front - 0.25):
            sculptor.cuboid((x, side * half, 0.92 * top), (0.30, 0.06, 0.09), RED_LIGHT)
    sculptor.block((front - 0.22, -0.7 * half, 0.965 * top), (front - 0.02, 0.7 * half, top), RED_LIGHT)
    sculptor.cuboid((front - 0.12, 0.0, 0.975 * top), (0.21, 0.3 * half, 0.06 * top), STEEL)
    tail_lamps(sculptor, -length + 0.02, half, 0.345 * top)
    sculptor.block((-length, -half + 0.1, 0.16 * top), (-length + 0.2, half - 0.1, 0.24 * top), STEEL)
    return sculptor.build()


def _star(sculptor: Sculptor, x: float, z: float, size: float, y: float) -> None:
    """The six-armed star of the ambulance service, as three crossing bars."""
    for angle in np.radians([0.0, 60.0, 120.0]):
        along = np.array([np.sin(angle), np.cos(angle)]) * size
        across = np.array([np.cos(angle), -np.sin(angle)]) * size * 0.24
        corners = [-along - across, -along + across, along + across, along - across]
        points = np.array([(x + u, y, z + w) for u, w in corners])
        if cross(points[1] - points[0], points[2] - points[0])[1] < 0:
            points = points[::-1]
        blue = BLUE_LIGHT._replace(material=Material.METAL)
        sculptor.flat(points, blue)
        sculptor.flat((points * [1.0, -1.0, 1.0])[::-1], blue)


def truck(vehicle_id: str) -> Mesh:
    """The mesh of a vehicle that is not built from the lines of a car; its size is still about that of its spec."""
    spec = vehicle_spec(vehicle_id)
    builders = {
        "vehicle.carlamotors.carlacola": lambda: _box_lorry(spec, 0.32, PAINT, RED),
        "vehicle.carlamotors.european_hgv": lambda: _box_lorry(spec, 0.27, TRAILER, None),
        "vehicle.carlamotors.firetruck": lambda: fire_engine(spec),
        "vehicle.ford.ambulance": lambda: ambulance(spec),
        "vehicle.mitsubishi.fusorosa": lambda: bus(spec),
        "vehicle.tesla.cybertruck": lambda: steel_pickup(spec),
    }
    return builders[vehicle_id]()


TRUCKS = (
    "vehicle.carlamotors.carlacola",
    "vehicle.carlamotors.european_hgv",
    "vehicle.carlamotors.firetruck",
    "vehicle.ford.ambulance",
    "vehicle.mitsubishi.fusorosa",
    "vehicle.tesla.cybertruck",
)
