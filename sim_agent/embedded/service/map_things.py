"""RPCs about the map's own things, rays and debug shapes."""

from __future__ import annotations

from sim_agent.embedded.scene import StaticObject
from sim_agent.embedded.service.room import Room
from sim_agent.embedded.wire import structs

ANY_TAG = 255


class MapCalls(Room):
    """The map's things."""

    def get_all_level_BBs(self, tag: int) -> tuple[structs.BoundingBox, ...]:
        return tuple(_box_of(o) for o in self._tagged(tag))

    def get_environment_objects(self, tag: int) -> tuple[structs.EnvironmentObject, ...]:
        return tuple(
            structs.EnvironmentObject(o.pose, _box_of(o), o.object_id, o.name, int(o.tag)) for o in self._tagged(tag)
        )

    def _tagged(self, tag: int) -> list[StaticObject]:
        return [o for o in self._world.town.objects if tag in (ANY_TAG, o.tag)]

    def enable_environment_objects(self, ids: tuple[int, ...], enabled: bool) -> None:
        known = set(ids) & self._world.static_objects.keys()
        if enabled:
            self._world.hidden_objects -= known
        else:
            self._world.hidden_objects |= known
        self.simulation.show_objects()

    def project_point(
        self, location: structs.Vector3, direction: structs.Vector3, search_distance: float
    ) -> structs.Projection:
        hits = self._world.first_hit(location, direction, search_distance)
        return structs.Projection(hits is not None, hits or structs.LabelledPoint())

    def cast_ray(self, start: structs.Vector3, end: structs.Vector3) -> tuple[structs.LabelledPoint, ...]:
        return tuple(self._world.all_hits(start, end))

    def get_names_of_all_objects(self) -> tuple[str, ...]:
        return tuple(o.name for o in self._world.town.objects)

    def draw_debug_shape(self, shape: structs.DebugShape) -> None:
        self._world.debug.draw(shape, self._world.time_s, self.simulation.step_s)

    def clear_debug_shape(self) -> None:
        self._world.debug.clear()

    def clear_debug_string(self) -> None:
        self._world.debug.clear_texts()


def _box_of(thing: StaticObject) -> structs.BoundingBox:
    return structs.BoundingBox(thing.box.pose.location, thing.box.extent_m, thing.box.pose.rotation)
