"""Drive with live masks: the window's loop over a ride, the masks of its pictures, and what is shown and said of them."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pygame

from sim_agent.controls import Action, Controls, Wheel, changed_opacity, help_rows
from sim_agent.drive_config import DriveConfig
from sim_agent.engines import EngineName, choose_engine, threads_for
from sim_agent.feed import Feed, Shot
from sim_agent.hud import COLOURS, TOAST_S, Hud
from sim_agent.live import LiveMasks, Mask
from sim_agent.overlay import View, compose, make_tint
from sim_agent.passenger import Passenger
from sim_agent.pilot import Pilot
from sim_agent.readings import Readings
from sim_agent.record_config import label_table_of
from sim_agent.ride import Ride
from sim_agent.scores import Rate, Scores
from sim_agent.session import Session, join_session, open_session
from sim_agent.trouble import Troubles
from sim_agent.video import GIF_MOST, Video
from sim_agent.watch import RunWatch
from sim_agent.where import Where
from sim_agent.window import Window
from trainer.labels import ClassList
from trainer.segmenter import Segmenter

_REDRAW_S = 0.1
"""How often the window is drawn when no picture comes."""
_FIGURES_S = 0.25
"""How often figures change: faster ones can't be read."""
_SILENT_S = 2.0
_VIEWS = tuple(View)
Say = Callable[[str], None]


@dataclass(frozen=True)
class DriveRequest:
    """What `drive` was asked for, beside its configuration."""

    where: Where
    model: Path | None
    engine: EngineName = "auto"
    threads: int | None = None
    watch: Path | None = None
    town: str | None = None
    attach: str | None = None
    """role_name of a vehicle of a world that others tick."""
    autopilot: bool = False
    headless: bool = False
    frames: int | None = None
    """Of the simulator, after which the drive ends."""
    video: Path | None = None
    record: Path | None = None


@contextlib.contextmanager
def open_drive(request: DriveRequest, config: DriveConfig, say: Say) -> Iterator[Drive]:
    """A drive that is ready: the simulator has sent its first pictures, the engine is warm, the window is open.

    Raises:
        UserError: the model, the simulator or the window can't be used.
    """
    size = (config.height, config.width)
    threads = request.threads or threads_for(request.where.embedded)
    segmenter, name, said = _open_model(request, size, threads, say)
    say(said)
    wheel = Wheel()
    with contextlib.ExitStack() as stack:
        session = stack.enter_context(_session(request, config, say))
        feed = Feed(segmenter.info.classes.lookup(label_table_of(session.simulator.version)))
        ride = _ride(request, config, session, feed, wheel, say)
        say("preparing the drive: vehicle, traffic, cameras ...")
        ride.prepare(request.autopilot)
        title = f"carla-unet: {ride.town}, {session.simulator.name}"
        most = config.window
        if request.headless and request.video is not None and request.video.suffix == ".gif":
            most = GIF_MOST  # letters that are drawn in this size are sharper than those that are shrunk to it
        window = stack.enter_context(Window((config.width, config.height), most, title, request.headless))
        video = None
        if request.video is not None:
            colours = (*COLOURS, *(one.colour for one in segmenter.info.classes.classes))
            video = stack.enter_context(Video(request.video, window.size, 1.0 / config.step_s, colours))
        drive = Drive(window, ride, wheel, segmenter, config, video, say)
        drive.checkpoint = name
        stack.enter_context(drive.live)
        if request.watch is not None:
            stack.enter_context(RunWatch(request.watch, size, threads, drive.classes, drive.swap, drive.warn))
        drive.controls.open_gamepads()
        if drive.controls.pad_name:
            say(f"gamepad: {drive.controls.pad_name}")
        yield drive


def run_drive(request: DriveRequest, config: DriveConfig, say: Say) -> dict[str, Any]:
    """Drive until the user or `request.frames` ends it; the result as `drive --json` has it.

    Raises:
        UserError: as `open_drive`, or the simulator went away.
    """
    with open_drive(request, config, say) as drive:
        try:
            if not request.headless:
                say("the window is open: H shows the keys, ESC ends")
            elif request.frames is None:
                say("driving until Ctrl-C")
            if request.record is not None:
                drive.ride.ask(Action.RECORD)
            drive.run(request.frames)
        except KeyboardInterrupt:
            if not request.headless or request.frames is not None:
                raise
        return drive.result()


class Drive:
    """One drive: `run` is its loop, `result` what came of it. Made by `open_drive`."""

    def __init__(
        self,
        window: Window,
        ride: Ride,
        wheel: Wheel,
        segmenter: Segmenter,
        config: DriveConfig,
        video: Video | None,
        say: Say,
    ):
        self.window, self.ride, self.config, self.video = window, ride, config, video
        self.classes: ClassList = segmenter.info.classes
        self.controls = Controls(wheel)
        self.scores = Scores(self.classes)
        self.troubles = Troubles(config.lag_ms / 1000.0, config.noise, config.blur_px, config.seed)
        self.live = LiveMasks(
            segmenter, ride.feed, self.scores, self.troubles, (config.height, config.width), self._on_mask
        )
        self.hud = Hud(window.size, self.classes, help_rows())
        self.view, self.opacity = View.MASK, config.opacity
        self.on_newest = self.show_help = self.ended = False
        self.show_hud = True
        self.split_at = 0.5
        self.checkpoint = ""
        self.drawn = 0
        self.frame: int | None = None
        """Of the picture that is shown; None before the first."""
        self.readings = Readings()
        self._say = say
        self._toast, self._toast_s = "", -TOAST_S
        self._masks, self._draws = Rate(), Rate()
        self._figures_s = self._drawn_s = 0.0
        self._began_s = time.monotonic()
        self._ended_s: float | None = None
        self._shown: object = None
        self._tint()

    def run(self, frames: int | None = None) -> None:
        """Until the user, or so many of the simulator's frames, end it."""
        self.ride.on_frame = self.window.wake
        self._began_s = time.monotonic()
        try:
            with contextlib.ExitStack() as stack:
                # An exception between here and there: the ride's thread has begun, and nobody ends it. In a turn: pygame
                # makes an error of its own of it ("Failed to find default font").
                with self.ride.session.uninterrupted() as is_told:
                    stack.enter_context(self.ride)
                    while not self.ended and not is_told():
                        self._turn()
                        if frames is not None and self.ride.frames >= frames:
                            self.ended = True
        finally:
            self._ended_s = time.monotonic()
        self.ride.check()

    def _turn(self) -> None:
        """Handle what came, and draw."""
        for event in self.window.events(_REDRAW_S):
            self._handle(event)
        self.live.check()
        self.ride.check()
        while not self.ride.notes.empty():
            self._tell(self.ride.notes.get())
        if self._draw() and self.video is not None and self.frame is not None:
            self.video.add(self.frame, self.window.pixels())

    # what the user does

    def _handle(self, event: pygame.event.Event) -> None:
        action, moved = self.controls.handle(event)
        if moved:
            self.ride.steer_now(self.window.came_s)
        if action is not None:
            self._do(action)
        if event.type == pygame.VIDEORESIZE:
            self.hud = Hud(self.window.size, self.classes, help_rows())
        elif event.type == pygame.MOUSEMOTION and self.view is View.SPLIT:
            self.split_at = event.pos[0] / self.window.size[0]
        self._shown = None if action is not None else self._shown

    def _do(self, action: Action) -> None:
        if action is Action.END:
            self.ended = True
        elif action is Action.NEXT_VIEW:
            self.view = _VIEWS[(_VIEWS.index(self.view) + 1) % len(_VIEWS)]
        elif action is Action.NEWEST:
            self.on_newest = not self.on_newest
            self._tell("mask on the newest picture" if self.on_newest else "mask on its own picture")
        elif action in (Action.MORE_OPAQUE, Action.LESS_OPAQUE):
            self.opacity = changed_opacity(self.opacity, action)
            self._tint()
        elif action is Action.HUD:
            self.show_hud = not self.show_hud
        elif action is Action.HELP:
            self.show_help = not self.show_help
        elif action is Action.SNAPSHOT:
            self._tell(f"saved {self.window.save(Path.cwd()).name}")
        elif action in Troubles.KEYS:
            self.troubles.toggle(action)
        else:
            self.ride.ask(action)

    def _tint(self) -> None:
        colours = self.classes.colours()
        self._over, self._solid = make_tint(colours, self.opacity), make_tint(colours, 1.0)

    def _tell(self, sentence: str) -> None:
        self._toast, self._toast_s = sentence, time.monotonic()

    # what comes from other threads

    def _on_mask(self, mask: Mask) -> None:
        self._masks.add(mask.done_s)
        self.window.wake()

    def swap(self, segmenter: Segmenter, name: str) -> None:
        """Show another model of the same classes from the next picture on."""
        self.live.swap(segmenter)
        self.checkpoint = name
        self.ride.note(f"now showing {name}")

    def warn(self, sentence: str) -> None:
        """Say why a newer model is not shown."""
        self._say(f"kept the model that drives: {sentence}")
        self.ride.note("a damaged model was refused; the old one goes on")

    # what is shown

    def _draw(self) -> bool:
        """Draw when there is something new, and now and then all the same; whether it was drawn."""
        now_s = time.monotonic()
        mask, shot = self.live.newest, self.ride.feed.newest
        new = shot if self.on_newest or mask is None else mask
        fading = now_s - self._toast_s < TOAST_S
        if new is self._shown and now_s - self._drawn_s < (_REDRAW_S if fading else _SILENT_S):
            return False
        self._read(now_s, fresh=new is not self._shown)
        self._shown, self._drawn_s = new, now_s
        self._paint(new, mask, now_s)
        self.window.show()
        self.drawn += 1
        return True

    def _paint(self, new: Shot | Mask | None, mask: Mask | None, now_s: float) -> None:
        hud, canvas = self.hud, self.window.canvas
        if new is None:
            self.window.place(None)
            hud.draw_notice(canvas, "no picture", "waiting for the camera")
        else:
            self.frame = new.frame
            picture = new.seen if isinstance(new, Mask) else new.picture
            fits = mask is not None and mask.labels.shape == picture.shape[:2]
            labels = mask.labels if mask is not None and fits else None
            truth = self.ride.feed.truth(new.frame) if self.view.needs_truth else None
            self.window.place(compose(self.view, picture, labels, truth, self._over, self._solid, self.split_at))
        if self.show_hud:
            hud.draw(canvas, self.readings)
        else:
            hud.draw_chips(canvas, self.readings)
        if now_s - self.ride.last_frame_s > _SILENT_S:
            hud.draw_notice(canvas, "the simulator stands still", "waiting for its next frame")
        if self.show_help:
            hud.draw_help(canvas)
        hud.draw_toast(canvas, self._toast, now_s - self._toast_s)

    def _read(self, now_s: float, fresh: bool) -> None:
        """Bring the readings up to date: pedals at once, figures now and then."""
        t, tape = self.ride.telemetry, self.ride.tape
        if fresh:
            self._draws.add(now_s)
        if now_s - self._figures_s >= _FIGURES_S:
            self._figures_s = now_s
            miou, late, iou = self.scores.live()
            self.readings = replace(
                self.readings,
                town=self.ride.town,
                weather=t.weather,
                simulator=f"{self.ride.session.simulator.name} {self.ride.session.simulator.version}",
                ticks_per_s=self.ride.ticks.per_s(now_s),
                drawn_per_s=self._draws.per_s(now_s),
                real_time_factor=self.ride.sim_time.per_s(now_s),
                engine=self.live.engine,
                masks_per_s=self._masks.per_s(now_s),
                engine_ms=self.live.engine_ms.median_ms(),
                mask_age_ms=self.live.age_ms.median_ms(),
                ages_ms=self.live.age_ms.recent,
                miou=miou,
                miou_after_latency=late,
                dropped=self.live.dropped,
                iou=iou,
                checkpoint=self.checkpoint,
            )
        self.readings = replace(
            self.readings,
            speed_kmh=t.speed_kmh,
            gear=t.gear,
            throttle=t.throttle,
            steer=t.steer,
            brake=t.brake,
            hand_brake=t.hand_brake,
            driver=t.driver,
            view=self.view.value,
            opacity=self.opacity,
            behind_ms=self._behind_ms(),
            camera="" if t.camera == self.config.cameras[0].name else t.camera,
            recorded=None if tape is None else tape.frames,
            troubles=self.troubles.names,
        )

    def _behind_ms(self) -> float | None:
        mask, shot = self.live.newest, self.ride.feed.newest
        if not self.on_newest or mask is None or shot is None:
            return None
        return 1000.0 * (shot.arrived_s - mask.arrived_s)

    def result(self) -> dict[str, Any]:
        """What `drive --json` writes; of the drive so far."""
        live, ride = self.live, self.ride
        wall_s = (self._ended_s or time.monotonic()) - self._began_s
        return {
            "frames": ride.frames,
            "masks": live.masks,
            "masks_per_s": live.masks / wall_s,
            "dropped": live.dropped,
            "mask_age_ms": live.age_ms.to_dict(),
            "engine_ms": live.engine_ms.to_dict(),
            "steer_ms": ride.steer_ms.to_dict(),
            **self.scores.to_dict(),
            "engine": live.engine,
            "simulator": f"{self.ride.session.simulator.name} {self.ride.session.simulator.version}",
            "town": ride.town,
            "drawn": self.drawn,
            "real_time_factor": ride.sim_s / wall_s,
            "wall_s": wall_s,
        }


def _open_model(request: DriveRequest, size: tuple[int, int], threads: int, say: Say) -> tuple[Segmenter, str, str]:
    """The first model, what of a training it is, and why it runs as it does."""
    if request.model is not None:
        engine: EngineName = "torch" if request.watch is not None else request.engine
        choice = choose_engine(request.model, engine, size, threads, say)
        return choice.segmenter, "", choice.said
    assert request.watch is not None
    found: list[tuple[Segmenter, str]] = []
    watch = RunWatch(request.watch, size, threads, None, lambda *model: found.append(model), say)
    said = False
    while not watch.look():
        if not said:
            say(f"{request.watch}: waiting for the first checkpoint of this training; Ctrl-C ends")
            said = True
        time.sleep(1.0)
    segmenter, name = found[0]
    return segmenter, name, f"engine: {segmenter.engine}, which takes a training's checkpoints as they are; {name}"


@contextlib.contextmanager
def _session(request: DriveRequest, config: DriveConfig, say: Say) -> Iterator[Session]:
    if request.attach is not None:
        with join_session(request.where, say=say) as session:
            yield session
        return
    with open_session(request.where, town=request.town, step_s=config.step_s, say=say) as session:
        yield session


def _ride(request: DriveRequest, config: DriveConfig, session: Session, feed: Feed, wheel: Wheel, say: Say) -> Ride:
    record_to = request.record or Path(config.record)
    if request.attach is not None:
        return Passenger(session, config, feed, record_to, say, request.attach)
    return Pilot(session, config, feed, record_to, say, wheel)
