"""One drive, recorded: a town, a weather, traffic and an ego vehicle with cameras, tick by tick, until enough is kept."""

from __future__ import annotations

import collections
from collections.abc import Callable
from typing import Any, Protocol

from sim_agent.errors import VehicleGone
from sim_agent.film import Film
from sim_agent.gates import Gates, Scene, StuckWatch, thumb_of
from sim_agent.ledger import Header
from sim_agent.plan import Part
from sim_agent.record_config import RecordConfig
from sim_agent.rig import Bundle, FrameMissing, Rig
from sim_agent.session import Session
from sim_agent.staging import staged
from trainer.dataset.recording import RecordingInfo
from trainer.dataset.writer import EncodedFrame
from trainer.hardware import available_cpus

IN_FLIGHT = 1
"""Ticks ahead of the bundle that is waited for: the simulator makes the next frame while this one is looked at."""
FRUITLESS_S = 300.0
"""Simulated seconds without a kept frame after which a drive is given up, though the vehicle moves."""
_MAX_ENCODERS = 4


class Sink(Protocol):
    """Where a drive's frames go."""

    def append(self, encoded: EncodedFrame) -> None:
        """One frame, in order; called on a thread of its own."""

    def count_dropped(self, reason: str, frames: int = 1) -> None:
        """Frames that were seen and not kept."""


def record_part(
    session: Session,
    part: Part,
    config: RecordConfig,
    info: RecordingInfo,
    begin: Callable[[Header], Sink],
) -> str:
    """Record one part; returns why it ended.

    That is `done`, `stuck` (the vehicle got nowhere), `fruitless` (no frame was kept), or `vehicle gone` (another program
    destroyed it).

    begin: called once the scene stands, with how it really began. When this raises, what was kept before is written.

    Raises:
        SimulatorError: the simulator refuses something, or is gone.
        DataError: the recording cannot be written.
    """
    setup = config.setup(part.seed)
    with staged(session, part, config) as (ego, header):
        sink = begin(header)
        with (
            Rig(session, ego, setup.cameras, config.kinds, config.every, attributes=setup.attributes) as rig,
            Film(info, sink.append, part.id, encoders=min(_MAX_ENCODERS, max(1, available_cpus() // 2))) as film,
        ):
            return drive(session, ego, rig, film.add, part.frames, config, sink)


def drive(
    session: Session,
    ego: Any,
    rig: Rig,
    keep: Callable[[Bundle, dict[str, Any]], None],
    frames: int,
    config: RecordConfig,
    sink: Sink,
) -> str:
    """Tick, match, gate, and `keep` bundles with what FRAME.json says of them, until there are `frames`.

    Returns and raises as record_part.
    """
    gates = Gates(config.gates, cameras_on_s=session.world.get_snapshot().timestamp.elapsed_seconds)
    watch = StuckWatch(config.gates.stuck_s)
    waiting: collections.deque[Scene] = collections.deque()
    first = session.tick()
    kept, kept_s = 0, float(session.world.get_snapshot().timestamp.elapsed_seconds)
    while True:
        try:
            scene = observe(session, ego)
        except VehicleGone:
            return "vehicle gone"
        if (scene.frame - first) % config.every == 0:
            waiting.append(scene)
        if len(waiting) > IN_FLIGHT and _look(waiting.popleft(), rig, keep, gates, sink):
            kept, kept_s = kept + 1, scene.time_s
        if kept == frames:
            return "done"
        if watch.stuck(scene):
            return "stuck"
        if scene.time_s - kept_s > FRUITLESS_S:
            return "fruitless"
        session.tick()


def _look(scene: Scene, rig: Rig, keep: Callable[[Bundle, dict[str, Any]], None], gates: Gates, sink: Sink) -> bool:
    """Whether the frame was kept."""
    try:
        bundle = rig.bundle(scene.frame)
    except FrameMissing as missing:
        sink.count_dropped(f"missing: {missing.sensor}")
        return False
    reason = gates.reason_to_drop(scene, thumb_of(bundle.first_rgb()))
    if reason is not None:
        sink.count_dropped(reason)
        return False
    keep(bundle, scene.meta())
    return True


def observe(session: Session, ego: Any) -> Scene:
    """The ego vehicle in the client's newest snapshot, without a call to the server.

    That is the frame that was ticked last, or a later one where another program ticks this world as well: number, time
    and place are all that frame's.

    Raises VehicleGone where it is not in the world any more.
    """
    snapshot = session.world.get_snapshot()
    seen = snapshot.find(ego.id)
    if seen is None:
        raise VehicleGone(
            f"the vehicle (actor {ego.id}) is gone: another program at this simulator destroyed it, or loaded a town; "
            "start this command again when that one is done."
        )
    transform, velocity, control = seen.get_transform(), seen.get_velocity(), ego.get_control()
    place, turn = transform.location, transform.rotation
    return Scene(
        int(snapshot.frame),
        snapshot.timestamp.elapsed_seconds,
        (place.x, place.y, place.z),
        (turn.roll, turn.pitch, turn.yaw),
        (velocity.x, velocity.y, velocity.z),
        {
            "throttle": round(control.throttle, 4),
            "steer": round(control.steer, 4),
            "brake": round(control.brake, 4),
            "hand_brake": control.hand_brake,
            "reverse": control.reverse,
            "gear": control.gear,
        },
        str(ego.get_traffic_light_state()) if ego.is_at_traffic_light() else None,
    )
