"""The town's street lamps as CARLA's light manager has them: what clients set, told back to them and to the renderer."""

from __future__ import annotations

import math
from collections.abc import Iterable

from sim_agent.embedded.scene import LampSetting
from sim_agent.embedded.town import Lamp
from sim_agent.embedded.wire import structs

INTENSITY = 1000.0
"""What an untouched lamp says of itself; twice this is twice its light."""
STREET = 2
"""`carla.LightGroup.Street`."""


class StreetLamps:
    """The lamps of one episode."""

    def __init__(self, lamps: Iterable[Lamp]):
        self._own = {
            lamp.object_id: structs.LightState(
                lamp.object_id,
                lamp.position,
                INTENSITY,
                STREET,
                structs.Color(*(round(255 * channel) for channel in lamp.colour)),
                True,
            )
            for lamp in lamps
        }
        self._set: dict[int, structs.LightState] = {}

    def states(self) -> tuple[structs.LightState, ...]:
        """All lamps, as they are now."""
        return tuple(self._set.get(key, own) for key, own in self._own.items())

    def changed(self) -> tuple[structs.LightState, ...]:
        """The lamps that are not as they were made, by id."""
        return tuple(self._set[key] for key in sorted(self._set))

    def set(self, lights: Iterable[structs.LightState]) -> None:
        """Have these lamps so; a lamp stays where it is, and ids that are no lamp's do not count.

        Raises ValueError, before any is set, for an intensity that is no finite number.
        """
        known = [light for light in lights if light.id in self._own]
        for light in known:
            if not math.isfinite(light.intensity):
                raise ValueError(f"lamp {light.id}: the intensity is {light.intensity}; give a finite number")
        for light in known:
            own = self._own[light.id]
            wanted = light._replace(location=own.location)
            if wanted == own:
                self._set.pop(light.id, None)
            else:
                self._set[light.id] = wanted

    def replace(self, lights: Iterable[structs.LightState]) -> None:
        """Have these lamps so, and all others as they were made."""
        self._set.clear()
        self.set(lights)

    def settings(self) -> dict[int, LampSetting]:
        """What the renderer must know, by object id."""
        found = {}
        for key, light in self._set.items():
            red, green, blue = (channel / 255.0 for channel in light.color)
            colour = None if light.color == self._own[key].color else (red, green, blue)
            found[key] = LampSetting(light.active, light.intensity / INTENSITY, colour)
        return found
