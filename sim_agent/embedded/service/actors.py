"""RPCs about actors of any kind: spawning, moving, pushing, their parts."""

from __future__ import annotations

import numpy as np

from sim_agent.embedded import blueprints
from sim_agent.embedded.actors import Actor, Body, Vehicle, Walker
from sim_agent.embedded.bones import bones_of
from sim_agent.embedded.pose import ORIGIN, Pose
from sim_agent.embedded.service.room import Room
from sim_agent.embedded.simulation import STATE_STREAM
from sim_agent.embedded.wire import structs
from sim_agent.embedded.world import WorldError


class ActorCalls(Room):
    """Actors."""

    def get_actor_definitions(self) -> tuple[structs.ActorDefinition, ...]:
        return tuple(
            structs.ActorDefinition(
                d.uid,
                d.id,
                d.tags,
                tuple(
                    structs.ActorAttribute(a.id, int(a.type), a.value, a.recommended, a.modifiable, a.restrict)
                    for a in d.attributes
                ),
            )
            for d in blueprints.catalogue()
        )

    def get_spectator(self) -> structs.Actor:
        return self.simulation.as_actor(self._world.spectator)

    def get_actors_by_id(self, ids: tuple[int, ...]) -> tuple[structs.Actor, ...]:
        actors = self._world.actors
        return tuple(self.simulation.as_actor(actors[i]) for i in ids if i in actors)

    def spawn_actor(self, description: structs.ActorDescription, pose: Pose) -> structs.Actor:
        return self.simulation.as_actor(self._world.spawn(description, pose))

    def spawn_actor_with_parent(
        self, description: structs.ActorDescription, pose: Pose, parent: int, attachment: int, socket: str
    ) -> structs.Actor:
        return self.simulation.as_actor(self._world.spawn(description, pose, parent, attachment))

    def destroy_actor(self, actor: int) -> bool:
        return bool(self._world.destroy(actor))

    def set_actor_location(self, actor: int, location: structs.Vector3) -> None:
        found = self._world.actor(actor)
        pose = found.own_pose if found.parent else found.pose()
        self._world.set_pose(found, Pose(*location, *pose.rotation))

    def set_actor_transform(self, actor: int, pose: Pose) -> None:
        self._world.set_pose(self._world.actor(actor), pose)

    def set_walker_state(self, actor: int, pose: Pose, speed: float) -> None:
        walker = self._world.walker(actor)
        # The client's navigation knows where its feet are; the actor is the middle of it (CarlaActor.cpp, SetWalkerState).
        middle = pose._replace(z_m=pose.z_m + walker.bounding_box.extent[2])
        self._world.dynamics.set_walker_state(walker.id, middle, speed)

    def set_actor_target_velocity(self, actor: int, velocity: structs.Vector3) -> None:
        self._world.dynamics.set_velocity(self._world.body(actor).id, velocity)

    def set_actor_target_angular_velocity(self, actor: int, angular_velocity: structs.Vector3) -> None:
        self._world.dynamics.set_angular_velocity(self._world.body(actor).id, angular_velocity)

    def enable_actor_constant_velocity(self, actor: int, velocity: structs.Vector3) -> None:
        self._world.dynamics.set_constant_velocity(self._world.body(actor).id, velocity)

    def disable_actor_constant_velocity(self, actor: int) -> None:
        self._world.dynamics.set_constant_velocity(self._world.body(actor).id, None)

    def set_actor_dead(self, actor: int) -> None:
        body = self._world.body(actor)
        if isinstance(body, Walker):
            self._world.dynamics.set_dead(body.id)

    def add_actor_impulse(self, actor: int, impulse: structs.Vector3) -> None:
        self._world.dynamics.add_impulse(self._world.body(actor).id, impulse)

    def add_actor_impulse_at_location(self, actor: int, impulse: structs.Vector3, location: structs.Vector3) -> None:
        body = self._world.body(actor)
        lever = np.subtract(location, body.pose().location)
        self._world.dynamics.add_impulse(body.id, impulse)
        self._world.dynamics.add_angular_impulse(body.id, tuple(np.cross(lever, impulse).tolist()))

    def add_actor_force(self, actor: int, force: structs.Vector3) -> None:
        self._world.dynamics.add_force(self._world.body(actor).id, force)

    def add_actor_force_at_location(self, actor: int, force: structs.Vector3, location: structs.Vector3) -> None:
        body = self._world.body(actor)
        lever = np.subtract(location, body.pose().location)
        self._world.dynamics.add_force(body.id, force)
        self._world.dynamics.add_torque(body.id, tuple(np.cross(lever, force).tolist()))

    def add_actor_angular_impulse(self, actor: int, impulse: structs.Vector3) -> None:
        self._world.dynamics.add_angular_impulse(self._world.body(actor).id, impulse)

    def add_actor_torque(self, actor: int, torque: structs.Vector3) -> None:
        self._world.dynamics.add_torque(self._world.body(actor).id, torque)

    def set_actor_simulate_physics(self, actor: int, enabled: bool) -> None:
        found = self._world.actor(actor)
        if isinstance(found, Body):
            self._world.set_simulated(found, enabled)

    def set_actor_collisions(self, actor: int, enabled: bool) -> None:
        found = self._world.actor(actor)
        if isinstance(found, Body):
            self._world.dynamics.set_collisions(found.id, enabled)

    def set_actor_enable_gravity(self, actor: int, enabled: bool) -> None:
        found = self._world.actor(actor)
        if isinstance(found, Body):
            self._world.dynamics.set_gravity(found.id, enabled)

    def set_actor_autopilot(self, actor: int, enabled: bool) -> None:
        """The Traffic Manager runs in the client; here is nothing to switch."""
        self._world.vehicle(actor)

    def get_actor_bounding_box(self, actor: int) -> structs.BoundingBox:
        """An empty box for an actor that is gone, as in CARLA: an error would end the client's Traffic Manager, and with
        it the client, whenever somebody destroys a vehicle that it drives.
        """
        found = self._world.actors.get(actor)
        return structs.BoundingBox(*found.bounding_box) if found is not None else structs.BoundingBox()

    def get_actor_component_names(self, actor: int) -> tuple[str, ...]:
        return tuple(_components_of(self._world.actor(actor)))

    def get_actor_component_world_transform(self, actor: int, component: str) -> Pose:
        return self._world.actor(actor).pose().compose(self._component(actor, component))

    def get_actor_component_relative_transform(self, actor: int, component: str) -> Pose:
        return self._component(actor, component)

    def _component(self, actor_id: int, component: str) -> Pose:
        actor: Actor = self._world.actor(actor_id)
        components = _components_of(actor)
        if component not in components:
            raise WorldError(f"{actor.type_id} has no component {component!r}; it has {', '.join(components)}")
        return components[component]

    def get_actor_bone_names(self, actor: int) -> tuple[str, ...]:
        return tuple(bone.name for bone in bones_of(self._world, self._world.actor(actor)))

    def get_actor_bone_relative_transforms(self, actor: int) -> tuple[Pose, ...]:
        """Relative to the actor, as CARLA's are."""
        return tuple(bone.component for bone in bones_of(self._world, self._world.actor(actor)))

    def get_actor_bone_world_transforms(self, actor: int) -> tuple[Pose, ...]:
        found = self._world.actor(actor)
        return tuple(found.pose().compose(bone.component) for bone in bones_of(self._world, found))

    def get_vehicle_bone_world_transforms(self, actor: int) -> tuple[Pose, ...]:
        return self.get_actor_bone_world_transforms(self._world.vehicle(actor).id)

    def get_actor_socket_names(self, actor: int) -> tuple[str, ...]:
        self._world.actor(actor)
        return ()

    def get_actor_socket_relative_transforms(self, actor: int) -> tuple[Pose, ...]:
        self._world.actor(actor)
        return ()

    def get_actor_socket_world_transforms(self, actor: int) -> tuple[Pose, ...]:
        self._world.actor(actor)
        return ()

    def get_sensor_token(self, stream_id: int) -> bytes:
        if stream_id != STATE_STREAM:
            self.simulation.streams.expect(stream_id)
        return self.simulation.streams.token(stream_id)

    def is_sensor_enabled_for_ros(self, stream_id: int) -> bool:
        return False

    def are_gbuffers_enabled(self, actor: int) -> bool:
        self._world.actor(actor)
        return False


def _components_of(actor: Actor) -> dict[str, Pose]:
    """The parts that have names, relative to their actor: its body and, on vehicles of four wheels, the blinkers."""
    if not isinstance(actor, Vehicle):
        return {"CharacterMesh0" if isinstance(actor, Walker) else "Root": ORIGIN}
    components = {"VehicleMesh": ORIGIN}
    if actor.spec is not None and len(actor.spec.wheel_positions_m) == 4:
        (x, y, z), (half_x, half_y, half_z) = actor.spec.box_centre_m, actor.spec.extent_m
        for end, along in (("front", 1.0), ("back", -1.0)):
            for side, across in (("l", -1.0), ("r", 1.0)):
                place = (x + along * half_x, y + across * 0.8 * half_y, z - 0.1 * half_z)
                components[f"{end}-blinker-{side}-1"] = Pose(*place, yaw_deg=0.0 if along > 0.0 else 180.0)
    return components
