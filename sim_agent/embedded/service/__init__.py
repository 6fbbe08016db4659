"""The server's side of every RPC: what the client asks, done to the world."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from sim_agent.embedded.actors import Attachment
from sim_agent.embedded.service.actors import ActorCalls
from sim_agent.embedded.service.episode import EpisodeCalls
from sim_agent.embedded.service.map_things import MapCalls
from sim_agent.embedded.service.vehicles import TrafficCalls
from sim_agent.embedded.wire import commands
from sim_agent.embedded.wire.codec import WireError
from sim_agent.embedded.wire.rpc import Call
from sim_agent.embedded.world import WorldError

__all__ = ["Service"]
_log = logging.getLogger(__name__)


class Service(EpisodeCalls, ActorCalls, TrafficCalls, MapCalls):
    """All RPCs, one method each; and the batches of commands that call them."""

    def handle(self, call: Call) -> None:
        """Do what a call asks and answer it. A failure is the caller's; it never ends the server."""
        method: Callable[..., Any] | None = getattr(self, call.name, None)
        if method is None:
            call.fail(f"{call.name} is not served by the embedded simulator; use a CARLA server for it")
            return
        try:
            result = method(*call.args)
        except (WorldError, ValueError) as error:
            call.fail(str(error))
        except Exception:
            # A fault of ours must not take the other clients' world down.
            _log.exception("%s failed", call.name)
            call.fail(f"{call.name} failed inside the embedded simulator; its log tells why")
        else:
            self._reply(call, result)

    def _reply(self, call: Call, result: Any) -> None:
        try:
            call.reply(result)
        except WireError as error:
            _log.error("%s has an answer that cannot be sent: %s", call.name, error)
            call.fail(str(error))

    def apply_batch(self, batch: tuple[Any, ...], do_tick: bool) -> list[int | str]:
        answers = [self._apply(command) for command in batch]
        if do_tick and self.simulation.settings.synchronous_mode:
            self.simulation.tick()
        return answers

    def _apply(self, command: Any) -> int | str:
        try:
            if isinstance(command, commands.SpawnActor):
                return self._spawn_by_command(command)
            if isinstance(command, commands.ConsoleCommand):
                return 0
            _COMMANDS[type(command)](self, *command)
        except (WorldError, ValueError) as error:
            return str(error)
        return int(command.actor)

    def _spawn_by_command(self, command: commands.SpawnActor) -> int:
        # In a batch, the client leaves whatever was in memory there unless its user named a kind of attachment.
        attachment = command.attachment if command.attachment in tuple(Attachment) else Attachment.RIGID
        actor = self._world.spawn(command.description, command.pose, command.parent, attachment)
        for after in command.do_after:
            # FutureActor is 0 in the command: it stands for what was just spawned.
            if isinstance(after, commands.SpawnActor):
                self._apply(after if after.parent else after._replace(parent=actor.id))
            elif not isinstance(after, commands.ConsoleCommand):
                self._apply(after if after.actor else after._replace(actor=actor.id))
        return int(actor.id)


_COMMANDS: dict[type, Callable[..., Any]] = {
    commands.DestroyActor: Service.destroy_actor,
    commands.ApplyVehicleControl: Service.apply_control_to_vehicle,
    commands.ApplyVehicleAckermannControl: Service.apply_ackermann_control_to_vehicle,
    commands.ApplyWalkerControl: Service.apply_control_to_walker,
    commands.ApplyVehiclePhysicsControl: Service.apply_physics_control,
    commands.ApplyTransform: Service.set_actor_transform,
    commands.ApplyWalkerState: Service.set_walker_state,
    commands.ApplyTargetVelocity: Service.set_actor_target_velocity,
    commands.ApplyTargetAngularVelocity: Service.set_actor_target_angular_velocity,
    commands.ApplyImpulse: Service.add_actor_impulse,
    commands.ApplyForce: Service.add_actor_force,
    commands.ApplyAngularImpulse: Service.add_actor_angular_impulse,
    commands.ApplyTorque: Service.add_actor_torque,
    commands.SetSimulatePhysics: Service.set_actor_simulate_physics,
    commands.SetEnableGravity: Service.set_actor_enable_gravity,
    commands.SetAutopilot: Service.set_actor_autopilot,
    commands.ShowDebugTelemetry: Service.show_vehicle_debug_telemetry,
    commands.SetVehicleLightState: Service.set_vehicle_light_state,
    commands.ApplyLocation: Service.set_actor_location,
    commands.SetTrafficLightState: Service.set_traffic_light_state,
}
