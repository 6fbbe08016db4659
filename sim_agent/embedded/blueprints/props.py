"""CARLA's props: ids, sizes, masses and what class each is."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from sim_agent.embedded.scene import Tag


class PropSpec(NamedTuple):
    """A thing that can be spawned on the street. Its origin is on the ground under the middle of its box."""

    id: str
    extent_m: tuple[float, float, float]
    """Half the size of the bounding box."""
    box_centre_m: tuple[float, float, float]
    mass_kg: float
    model: str
    """Key of the mesh."""
    kind: str
    """What it is: kinds share a shape."""
    tag: Tag
    fixed: bool
    """Whether it stays where it is when something runs into it."""

    @property
    def size(self) -> str:
        """CARLA's size attribute: tiny, small, medium, big or huge, here by the largest side."""
        largest = 2 * max(self.extent_m)
        return next((name for limit, name in _SIZES if largest < limit), "huge")


_SIZES = ((0.25, "tiny"), (0.8, "small"), (2.0, "medium"), (4.5, "big"))

_TAGS = {"S": Tag.STATIC, "D": Tag.DYNAMIC, "T": Tag.TRAFFIC_SIGN, "V": Tag.VEGETATION, "F": Tag.FENCE, "O": Tag.OTHER}

# Sizes: `actor.bounding_box` of CARLA's props where published, to a centimetre; else of such a thing in a street.
# Tags: by CARLA's definitions of static (immovable street furniture) and dynamic (what one can move).
# id | kind | size x y z (m) | kg | tag | fixed
_TABLE = """
advertisement|poster stand|1.55 0.29 2.44|120|S|1
atm|cash machine|0.57 0.83 2.19|600|S|1
barbeque|barbecue|0.95 0.50 1.26|25|D|0
barrel|barrel|0.46 0.47 0.81|20|D|0
bench01|bench with back|1.79 0.64 1.00|60|S|1
bench02|bench|1.58 0.51 0.51|90|S|1
bench03|stone bench|1.80 0.50 0.46|400|S|1
bike helmet|helmet|0.19 0.28 0.17|0.3|D|0
bin|wheeled bin|0.58 0.74 1.07|12|D|0
box01|cardboard box|0.60 0.42 0.40|5|D|0
box02|cardboard box|0.42 0.42 0.55|5|D|0
box03|cardboard box|0.80 0.50 0.45|8|D|0
briefcase|briefcase|0.54 0.18 0.43|3|D|0
brokentile01|shard|0.13 0.18 0.01|0.4|D|0
brokentile02|shard|0.21 0.15 0.01|0.4|D|0
brokentile03|shard|0.15 0.14 0.01|0.4|D|0
brokentile04|shard|0.13 0.13 0.01|0.4|D|0
busstop|bus stop|1.89 3.88 2.74|700|S|1
busstoplb|bus stop|1.89 3.88 2.74|700|S|1
calibrator|calibration board|1.55 0.69 0.20|10|D|0
chainbarrier|chain barrier|1.68 0.24 0.69|15|F|1
chainbarrierend|bollard|0.24 0.24 0.69|12|F|1
clothcontainer|donation container|1.15 1.15 2.20|200|S|1
clothesline|clothes line|2.80 1.20 1.75|12|D|0
colacan|can|0.07 0.07 0.11|0.02|D|0
constructioncone|cone|0.48 0.48 0.71|3|D|0
container|skip|5.40 1.65 1.35|900|S|1
creasedbox01|flat cardboard|1.03 0.91 0.06|1|D|0
creasedbox02|flat cardboard|0.95 0.80 0.08|1|D|0
creasedbox03|flat cardboard|1.10 0.70 0.05|1|D|0
dirtdebris01|debris|1.86 1.51 0.15|60|D|0
dirtdebris02|debris|1.86 1.51 0.15|60|D|0
dirtdebris03|debris|1.86 1.51 0.19|80|D|0
doghouse|dog house|1.08 1.27 1.09|30|D|0
foodcart|food cart|2.28 4.64 3.57|900|S|1
fountain|fountain|8.40 8.40 6.92|9000|S|1
garbage01|can|0.05 0.05 0.09|0.02|D|0
garbage02|lid|0.05 0.05 0.01|0.01|D|0
garbage03|paper cup|0.06 0.06 0.08|0.01|D|0
garbage04|crushed can|0.06 0.06 0.07|0.01|D|0
garbage05|paper plate|0.23 0.23 0.06|0.02|D|0
garbage06|food tray|0.37 0.21 0.08|0.03|D|0
gardenlamp|garden lamp|0.30 0.28 0.65|3|S|1
glasscontainer|bottle bank|1.45 1.45 1.80|250|S|1
gnome|gnome|0.37 0.38 0.88|8|D|0
guitarcase|guitar case|1.24 0.13 0.49|5|D|0
haybale|hay bale|1.25 1.19 1.19|250|D|0
haybalelb|hay bale|1.25 1.19 1.19|250|D|0
ironplank|iron plate|2.00 1.20 0.03|250|S|1
kiosk_01|kiosk|1.63 1.65 3.25|800|S|1
mailbox|mailbox|0.53 0.44 1.16|60|S|1
maptable|map table|1.57 0.62 1.18|80|S|1
mobile|telephone|0.08 0.01 0.17|0.2|D|0
motorhelmet|helmet|0.26 0.26 0.26|1.5|D|0
pergola|pergola|5.03 5.09 3.54|900|S|1
plantpot01|plant box|1.09 0.48 0.56|60|S|0
plantpot02|plant box|1.05 0.43 0.49|60|S|0
plantpot03|plant box|1.05 0.43 0.49|60|S|0
plantpot04|plant bed|4.97 0.74 0.60|300|S|1
plantpot05|plant pot|0.49 0.48 0.56|40|S|0
plantpot06|large plant pot|1.59 1.59 0.85|400|S|1
plantpot07|plant pot|0.53 0.53 0.49|40|S|0
plantpot08|plant pot|0.60 0.60 1.10|45|S|0
plasticbag|bag|0.31 0.40 0.55|2|D|0
plasticchair|chair|0.73 0.75 1.02|3|D|0
plastictable|parasol table|2.48 2.48 2.48|25|D|0
platformgarbage01|rubbish heap|3.63 1.71 0.33|80|D|0
purse|handbag|0.16 0.33 0.59|1|D|0
shoppingbag|shopping bag|0.47 0.24 0.60|3|D|0
shoppingcart|shopping cart|0.67 1.21 1.08|25|D|0
shoppingtrolley|shopping trolley|0.51 0.33 1.09|6|D|0
slide|slide|3.20 0.75 2.10|120|S|1
streetbarrier|barrier|1.21 0.37 1.07|18|D|0
streetfountain|drinking fountain|0.41 0.98 1.05|150|S|1
streetsign|board sign|1.06 0.13 2.15|25|S|1
streetsign01|direction sign|2.47 0.30 3.88|90|T|1
streetsign04|board sign|1.17 0.13 2.77|30|S|1
swing|swing|4.11 1.58 2.57|150|S|1
swingcouch|swing couch|1.36 2.36 2.25|60|D|0
table|table|1.60 0.90 0.76|30|D|0
trafficcone01|cone|0.96 0.96 1.23|6|D|0
trafficcone02|delineator|0.46 0.39 1.18|4|D|0
trafficwarning|arrow trailer|2.37 2.87 3.57|600|T|0
trampoline|trampoline|4.13 4.13 2.80|90|D|0
trashbag|bag|0.38 0.43 0.70|6|D|0
trashcan01|post bin|0.54 0.37 1.21|25|S|1
trashcan02|wheeled bin|0.79 0.67 1.06|15|D|0
trashcan03|litter drum|0.76 0.76 0.99|30|D|0
trashcan04|litter drum|0.52 0.51 1.05|20|D|0
trashcan05|wheeled container|1.25 1.00 1.30|60|D|0
travelcase|trolley case|0.57 0.33 1.26|8|D|0
vendingmachine|vending machine|0.87 1.10 2.11|350|S|1
warningaccident|warning sign|1.31 1.06 1.86|15|T|0
warningconstruction|warning sign|1.31 1.06 1.86|15|T|0
wateringcan|watering can|0.42 0.20 0.38|1|D|0
"""


def _read(row: str) -> PropSpec:
    name, kind, size, mass, tag, fixed = row.split("|")
    x, y, z = (float(part) / 2 for part in size.split())
    prop_id = f"static.prop.{name}"
    return PropSpec(prop_id, (x, y, z), (0.0, 0.0, z), float(mass), prop_id, kind, _TAGS[tag], fixed == "1")


@lru_cache(maxsize=1)
def _props() -> dict[str, PropSpec]:
    specs = (_read(row) for row in _TABLE.strip().splitlines())
    return {spec.id: spec for spec in specs}


PROPS: tuple[str, ...] = tuple(_props())
"""All prop ids but `static.prop.mesh`, which has no shape of its own."""


def prop_spec(prop_id: str) -> PropSpec:
    """The spec of `static.prop.NAME`; KeyError says that there is none of that id."""
    if prop_id not in _props():
        raise KeyError(f"There is no prop '{prop_id}'; the catalogue lists {len(PROPS)}.")
    return _props()[prop_id]
