"""Replays recorder files: actors are made anew or taken over and go where the file has them, tick by tick.

What CARLA's documentation (Recorder, Simulation playback) and Carla/Recorder/CarlaReplayer.cpp have it do, with these
differences: replayed actors can still be bumped into, as walls that move; they have velocities, and those are the ones at
which they move, whatever the time factor; places are interpolated at any time factor; only replayed actors, not all of the
world, get their physics back; the gait of walkers goes on as recorded.
"""

from __future__ import annotations

import logging
import math
import zlib
from typing import TYPE_CHECKING

from sim_agent.embedded.pose import Pose
from sim_agent.embedded.recorder_file import RecorderReader, recorder_path
from sim_agent.embedded.replay import SAME_TIME_S, Replay, Settings
from sim_agent.embedded.world import WorldError

if TYPE_CHECKING:
    from sim_agent.embedded.simulation import Simulation

MOST_TIME_FACTOR = 1000.0
_log = logging.getLogger(__name__)


class Replayer:
    """Replays at most one recorder file at a time; its settings outlive the replay."""

    def __init__(self) -> None:
        self.settings = Settings()
        self._replay: Replay | None = None

    @property
    def active(self) -> bool:
        """Whether a replay is under way."""
        return self._replay is not None

    def set_time_factor(self, factor: float) -> None:
        """How many recorded seconds pass in a simulated one, from now on; raises WorldError for what is no factor."""
        if not 0.0 <= factor <= MOST_TIME_FACTOR:
            raise WorldError(f"time factor {factor}: expected 0 (pause) to {MOST_TIME_FACTOR:g}")
        self.settings.time_factor = factor

    def start(
        self,
        simulation: Simulation,
        name: str,
        start_s: float = 0.0,
        duration_s: float = 0.0,
        follow_id: int = 0,
        sensors: bool = False,
        offset: Pose = Pose(-10.0, 0.0, 5.0, -25.0),  # noqa: B008
    ) -> str:
        """Show the frame at `start_s` (from the end if negative) and replay from there, to the end if duration is 0.

        `follow_id` is a recorded id; the spectator then stays at `offset` from that actor. The file's town is loaded if
        it is another one. Returns CARLA's text about it. A recording and another replay end first.

        Raises WorldError if the file cannot be replayed; FileNotFoundError if there is none.
        """
        for what, value in (("start", start_s), ("duration", duration_s)):
            if not math.isfinite(value):
                raise WorldError(f"{what} is {value} s; expected a number of seconds")
        if duration_s < 0.0:
            raise WorldError(f"duration is {duration_s:g} s; expected 0, for all of it, or more")
        self.stop(keep_actors=False)
        simulation.recorder.stop()
        path = recorder_path(simulation.recorder.folder, name)
        reader = RecorderReader(path)
        try:
            frames, total_s = 0, 0.0
            for frame in reader.frames():
                frames, total_s = frames + 1, frame.moment.elapsed_s
            if not frames:
                raise WorldError(f"{path} holds no frames; record at least one tick")
            begin_s = max(0.0, total_s + start_s) if start_s < 0.0 else start_s
            if begin_s > total_s + SAME_TIME_S:
                raise WorldError(f"start is {start_s:g} s, but {path} ends at {total_s:g} s; give a time within it")
            end_s = min(begin_s + duration_s, total_s) if duration_s else total_s
            lines = [f"Replaying File: {path}", *_load(simulation, reader), f"Total time recorded: {total_s:g}"]
            span = f"{begin_s:g} s - {end_s:g} s ({total_s:g} s)"
            lines.append(f"Replaying from {span} at {self.settings.time_factor:.1f}x")
            if self.settings.ignore_hero:
                lines.append("Ignoring Hero vehicle")
            if self.settings.ignore_spectator:
                lines.append("Ignoring Spectator camera")
            self._replay = Replay(self.settings, simulation, reader, begin_s, end_s, follow_id, sensors, offset)
        except BaseException:
            reader.close()
            raise
        try:
            self._replay.advance(0.0)
            self._replay.show(0.0)
        except WorldError:
            self.stop(keep_actors=False)
            raise
        return "\n".join(lines) + "\n"

    def before_step(self, step_s: float) -> None:
        """Let recorded time pass, and put everything where it is then, so that the tick's contacts are those of there."""
        if self._replay is not None:
            try:
                self._replay.advance(step_s * self.settings.time_factor)
            except WorldError as error:
                self._give_up(error)

    def after_step(self, step_s: float) -> None:
        """Undo what the tick did to what is replayed; end the replay if that was its last frame."""
        if self._replay is None:
            return
        try:
            self._replay.show(step_s)
        except WorldError as error:
            self._give_up(error)
        else:
            if self._replay.ended:
                self.stop(keep_actors=True)

    def stop(self, keep_actors: bool) -> None:
        """Give the replayed actors their physics back; without `keep_actors`, take away those that the replay made."""
        replay, self._replay = self._replay, None
        if replay is not None:
            replay.release(keep_actors)

    def forget(self) -> None:
        """End a replay whose world is about to end."""
        replay, self._replay = self._replay, None
        if replay is not None:
            replay.reader.close()

    def _give_up(self, error: WorldError) -> None:
        _log.error("the replay ended early: %s", error)
        self.stop(keep_actors=True)


def _load(simulation: Simulation, reader: RecorderReader) -> list[str]:
    """See to it that the file's town is there; what CARLA says of it."""
    header, loaded = reader.header, []
    if header.opendrive:
        same = header.opendrive == simulation.world.town.opendrive
    else:
        same = header.town == simulation.map_name
    if not same:
        if header.opendrive:
            simulation.opendrive = header.opendrive
        simulation.load(header.town, reset_settings=False)
        loaded = [f"Loading map {header.town.rsplit('/', 1)[-1]}"]
    if not header.opendrive and zlib.crc32(simulation.world.town.opendrive.encode()) != header.town_crc:
        raise WorldError(
            f"{reader.path} was recorded in another draw of {header.town}; start the simulator with the --seed of then"
        )
    return loaded
