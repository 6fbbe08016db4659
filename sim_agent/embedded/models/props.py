"""CARLA's props as meshes: a shape for each kind, coloured by its id."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from zlib import crc32

import numpy as np

from sim_agent.embedded.blueprints import PROPS, PropSpec, prop_spec
from sim_agent.embedded.models import bins, furniture, garden, parcels, playground, roadworks
from sim_agent.embedded.models.surface import Sculptor, fit
from sim_agent.embedded.scene import Mesh

Maker = Callable[[Sculptor, PropSpec, np.random.Generator], None]

_KINDS: dict[str, Maker] = {
    kind: maker
    for module in (bins, furniture, garden, parcels, playground, roadworks)
    for kind, maker in module.KINDS.items()
}


def prop_makers() -> dict[str, Callable[[], Mesh]]:
    """What makes a mesh for each prop, standing on the ground, exactly in its box."""
    return {prop_spec(prop_id).model: partial(_prop, prop_id) for prop_id in PROPS}


def _prop(prop_id: str) -> Mesh:
    spec = prop_spec(prop_id)
    sculptor = Sculptor(tag=spec.tag)
    _KINDS[spec.kind](sculptor, spec, np.random.default_rng(crc32(prop_id.encode())))
    return fit(sculptor.build(), spec.box_centre_m, spec.extent_m)
