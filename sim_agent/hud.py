"""The panels over the camera's picture: where one drives, how fast, what the masks are worth, the legend and the help.

A panel is painted when what it says has changed, and only laid over the picture otherwise. Sizes are those of a window
720 pixels high, times `scale`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import pygame

from sim_agent.lettering import Colour, disc, rounded, width_of, write
from sim_agent.readings import Chip, DrivePanel, MaskPanel, PlacePanel, Readings, Tone
from trainer.labels import ClassList

INK, SOFT, FAINT = (238, 243, 248), (170, 182, 196), (132, 144, 160)
ACCENT, AMBER, GOOD, BAD = (110, 163, 255), (245, 176, 66), (86, 211, 132), (255, 106, 92)
COLOURS = (INK, SOFT, FAINT, ACCENT, AMBER, GOOD, BAD)
_GLASS, _EDGE, _GROOVE = (13, 18, 25, 206), (255, 255, 255, 26), (255, 255, 255, 30)
_PAST = (72, 106, 166, 235)
_RULE = (58, 66, 77, 220)
_CHIP = (13, 18, 25, 216)
_SHADE = (10, 14, 20, 240)
_TONES: dict[Tone, Colour] = {"plain": INK, "soft": SOFT, "warning": AMBER, "alarm": BAD}
_MARGIN, _PAD, _RADIUS = 18, 16, 12
_WIDE = 300
_LEGEND_WIDE, _LEGEND_HIGH = 252, 360
_HISTORY_MS = 50.0
"""Least full scale of the curve of mask ages."""
_PAD_HELP = "as in CARLA's manual_control where it has them; a gamepad: left stick and triggers"
TOAST_S = 2.5


class Hud:
    """Draws on surfaces of one size. classes: of the model; help_rows: (keys, what they do) from the key table."""

    def __init__(self, size: tuple[int, int], classes: ClassList, help_rows: Sequence[tuple[str, str]]):
        self.size = size
        self.classes = classes
        self._help_rows = tuple(help_rows)
        self.scale = size[1] / 720
        self._kept: dict[str, tuple[Any, pygame.Surface]] = {}

    def draw(self, surface: pygame.Surface, readings: Readings) -> None:
        """All panels."""
        width, height = self.size
        margin = self._px(_MARGIN)
        surface.blit(self._keep("place", readings.place, self._paint_place), (margin, margin))
        drive = self._keep("drive", readings.drive, self._paint_drive)
        surface.blit(drive, (margin, height - margin - drive.get_height()))
        masks = self._keep("masks", readings.masks, self._paint_masks)
        surface.blit(masks, (width - margin - masks.get_width(), height - margin - masks.get_height()))
        legend = self._keep("legend", readings.shares, self._paint_legend)
        surface.blit(legend, (width - margin - legend.get_width(), margin))
        self.draw_chips(surface, readings)

    def draw_chips(self, surface: pygame.Surface, readings: Readings) -> None:
        """What is switched on; stays in sight when the panels are hidden."""
        chips = self._keep("chips", readings.chips, self._paint_chips)
        surface.blit(chips, ((self.size[0] - chips.get_width()) // 2, self._px(_MARGIN)))

    def draw_help(self, surface: pygame.Surface) -> None:
        """The table of keys, over everything."""
        surface.blit(self._keep("dimmed", self.size, _dimmed), (0, 0))
        helped = self._keep("help", self._help_rows, self._paint_help)
        surface.blit(helped, helped.get_rect(center=(self.size[0] // 2, self.size[1] // 2)))

    def draw_toast(self, surface: pygame.Surface, text: str, age_s: float) -> None:
        """A sentence at the bottom that fades away within TOAST_S."""
        if age_s >= TOAST_S:
            return
        said = self._keep("toast", text, self._paint_toast)
        said.set_alpha(int(255 * min(1.0, (TOAST_S - age_s) / 0.4)))
        surface.blit(said, said.get_rect(midbottom=(self.size[0] // 2, self.size[1] - self._px(_MARGIN))))

    def draw_notice(self, surface: pygame.Surface, title: str, line: str) -> None:
        """What is waited for, in the middle of a window that has no picture yet."""
        notice = self._keep("notice", (title, line), self._paint_notice)
        surface.blit(notice, notice.get_rect(center=(self.size[0] // 2, self.size[1] // 2)))

    # panels

    def _paint_place(self, said: PlacePanel) -> pygame.Surface:
        panel = self._panel(_WIDE, 142)
        self._write(panel, said.town, _PAD, 33, 20, INK, "bold")
        self._write(panel, said.weather, _PAD, 55, 14.5, SOFT)
        self._write(panel, said.simulator, _PAD, 75, 12.5, FAINT)
        self._line(panel, 88)
        figures = (
            ("simulator", said.ticks_per_s, "/s", INK),
            ("window", said.drawn_per_s, "/s", INK),
            ("real time", said.real_time, "x", AMBER if said.slow else INK),
        )
        for k, (label, value, unit, colour) in enumerate(figures):
            x = _PAD + k * (_WIDE - 2 * _PAD) / 3
            self._write(panel, label, x, 107, 12, FAINT)
            moved = self._write(panel, value, x, 128, 17, colour)
            self._write(panel, unit, x + moved + 3, 128, 12.5, SOFT)
        return panel

    def _paint_drive(self, said: DrivePanel) -> pygame.Surface:
        panel = self._panel(_WIDE, 178)
        moved = self._write(panel, said.speed, _PAD - 2, 62, 58, INK, "bold")
        self._write(panel, "km/h", _PAD + moved + 7, 62, 15, SOFT)
        box = rounded(self._px(34), self._px(34), self._px(8), (255, 255, 255, 22), (255, 255, 255, 50))
        panel.blit(box, (self._px(_WIDE - _PAD - 34), self._px(20)))
        self._write(panel, said.gear, _WIDE - _PAD - 17, 43.5, 18, INK, "bold", "middle")
        if said.hand_brake:
            self._write(panel, "hand brake", _WIDE - _PAD - 44, 42, 12.5, BAD, side="right")
        who = {"autopilot": ACCENT, "manual": SOFT}.get(said.driver, AMBER)
        panel.blit(disc(self._px(8), who), (self._px(_PAD), self._px(79)))
        self._write(panel, said.driver, _PAD + 14, 87.5, 13.5, who)
        self._line(panel, 99)
        bars = (("throttle", said.throttle, GOOD), ("brake", said.brake, BAD), ("steer", said.steer, ACCENT))
        for k, (label, value, colour) in enumerate(bars):
            y = 120 + 21 * k
            self._write(panel, label, _PAD, y, 13, SOFT)
            self._bar(panel, 84, y - 9, 140, value / 100, colour, centred=label == "steer")
            self._write(panel, f"{value}", _WIDE - _PAD, y, 13, INK if value else FAINT, side="right")
        return panel

    def _paint_masks(self, said: MaskPanel) -> pygame.Surface:
        down = 18 if said.checkpoint else 0
        panel = self._panel(_WIDE, 232 + down)
        self._write(panel, said.engine, _PAD, 31, 15, INK, "bold")
        moved = self._write(panel, "masks/s", _WIDE - _PAD, 31, 12.5, SOFT, side="right")
        self._write(panel, said.per_s, _WIDE - _PAD - moved - 4, 31, 15, INK, side="right")
        self._write(panel, said.checkpoint, _PAD, 50, 12.5, ACCENT)
        self._write(panel, "mask age", _PAD, 55 + down, 12, FAINT)
        moved = self._write(panel, said.age_ms, _PAD - 1, 86 + down, 34, INK, "bold")
        self._write(panel, "ms", _PAD + moved + 4, 86 + down, 14, SOFT)
        self._curve(panel, 122, 46 + down, _WIDE - _PAD - 122, 40, said.ages_ms)
        self._line(panel, 99 + down)
        rows = (
            ("inference", said.engine_ms, "ms", INK),
            ("mIoU against the truth", said.miou, "", INK),
            ("mIoU after latency", said.later, "", INK),
            ("pictures dropped", said.dropped, "", AMBER if said.dropped != "0" else INK),
        )
        for k, (label, value, unit, colour) in enumerate(rows):
            y = 124 + 27 * k + down
            self._write(panel, label, _PAD, y, 13.5, SOFT)
            moved = self._write(panel, unit, _WIDE - _PAD, y, 12.5, SOFT, side="right")
            self._write(panel, value, _WIDE - _PAD - (moved + 4 if unit else 0), y, 17, colour, side="right")
        return panel

    def _paint_legend(self, shares: tuple[int | None, ...]) -> pygame.Surface:
        names = self.classes.names
        row = min(21.0, _LEGEND_HIGH / max(1, len(names)))
        size = min(13.5, row - 4.5)
        panel = self._panel(_LEGEND_WIDE, 46 + row * len(names) + 10)
        self._write(panel, "classes", _PAD, 29, 13, SOFT, "bold")
        self._write(panel, "live IoU", _LEGEND_WIDE - _PAD, 29, 12, FAINT, side="right")
        for k, (name, one) in enumerate(zip(names, self.classes.classes, strict=True)):
            y = 46 + row * k + row * 0.7
            share = shares[k] if k < len(shares) else None
            side = self._px(size - 1)
            panel.blit(
                rounded(side, side, self._px(3), one.colour, (255, 255, 255, 60)),
                (self._px(_PAD), self._px(y) - side + 1),
            )
            self._write(panel, name, _PAD + 22, y, size, SOFT if share is None else INK)
            if share is None:
                self._write(panel, "-", _LEGEND_WIDE - _PAD, y, size, FAINT, side="right")
                continue
            self._bar(panel, 142, y - 6, 58, share / 100, _graded(share / 100), height=4)
            self._write(panel, f"{share / 100:.2f}", _LEGEND_WIDE - _PAD, y, size, INK, side="right")
        return panel

    def _paint_chips(self, chips: tuple[Chip, ...]) -> pygame.Surface:
        size, high, gap, lamp = 13.5, 28, 8, 14
        wide = [width_of(c.text, size * self.scale, "bold") / self.scale + 24 + lamp * c.lamp for c in chips]
        strip = pygame.Surface((self._px(sum(wide) + gap * (len(chips) - 1)), self._px(high)), pygame.SRCALPHA)
        x = 0.0
        for chip, width in zip(chips, wide, strict=True):
            colour = _TONES[chip.tone]
            strip.blit(rounded(self._px(width), self._px(high), self._px(high / 2), _CHIP, _EDGE), (self._px(x), 0))
            if chip.lamp:
                strip.blit(disc(self._px(8), colour), (self._px(x + 12), self._px(high / 2 - 4)))
            self._write(strip, chip.text, x + 12 + lamp * chip.lamp, 18.5, size, colour, "bold")
            x += width + gap
        return strip

    def _paint_help(self, rows: tuple[tuple[str, str], ...]) -> pygame.Surface:
        row, width = 30, 800
        half = math.ceil(len(rows) / 2)
        panel = self._panel(width, 84 + row * half, _SHADE)
        self._write(panel, "Keys", 28, 46, 22, INK, "bold")
        self._write(panel, _PAD_HELP, 96, 46, 13.5, FAINT)
        for k, (keys, what) in enumerate(rows):
            x, y = 28 + (width - 40) / 2 * (k // half), 84 + row * (k % half)
            for cap in keys.split():
                wide = max(26.0, width_of(cap, 13 * self.scale, "bold") / self.scale + 14)
                cap_ground = rounded(
                    self._px(wide), self._px(23), self._px(5), (255, 255, 255, 24), (255, 255, 255, 58)
                )
                panel.blit(cap_ground, (self._px(x), self._px(y - 17)))
                self._write(panel, cap, x + wide / 2, y - 1, 13, INK, "bold", "middle")
                x += wide + 5
            self._write(panel, what, 28 + (width - 40) / 2 * (k // half) + 132, y - 1, 14, SOFT)
        return panel

    def _paint_toast(self, text: str) -> pygame.Surface:
        width = width_of(text, 15 * self.scale) / self.scale + 40
        panel = self._panel(width, 40, _SHADE, radius=20)
        self._write(panel, text, width / 2, 25.5, 15, INK, side="middle")
        return panel

    def _paint_notice(self, said: tuple[str, str]) -> pygame.Surface:
        title, line = said
        widest = max(width_of(title, 22 * self.scale, "bold"), width_of(line, 15 * self.scale)) / self.scale
        panel = self._panel(widest + 72, 104, _SHADE)
        self._write(panel, title, (widest + 72) / 2, 46, 22, INK, "bold", "middle")
        self._write(panel, line, (widest + 72) / 2, 74, 15, SOFT, side="middle")
        return panel

    # parts of panels

    def _keep(self, name: str, key: Any, paint: Callable[[Any], pygame.Surface]) -> pygame.Surface:
        kept = self._kept.get(name)
        if kept is None or kept[0] != key:
            kept = self._kept[name] = (key, paint(key))
        return kept[1]

    def _px(self, value: float) -> int:
        return round(value * self.scale)

    def _panel(self, width: float, height: float, ground: Colour = _GLASS, radius: int = _RADIUS) -> pygame.Surface:
        return rounded(self._px(width), self._px(height), self._px(radius), ground, _EDGE).copy()

    def _write(
        self,
        panel: pygame.Surface,
        text: str,
        x: float,
        y: float,
        size: float,
        colour: Colour,
        weight: Any = "regular",
        side: Any = "left",
    ) -> float:
        s = self.scale
        return write(panel, text, x * s, y * s, size * s, colour, weight, side) / s

    def _line(self, panel: pygame.Surface, y: float) -> None:
        inside = panel.get_width() - 2 * self._px(_PAD)
        panel.fill(_RULE, (self._px(_PAD), self._px(y), inside, max(1, self._px(1))))

    def _bar(
        self,
        panel: pygame.Surface,
        x: float,
        y: float,
        width: float,
        share: float,
        colour: Colour,
        centred: bool = False,
        height: float = 8,
    ) -> None:
        """A groove, and in it `share` of its width; `centred`: -1 to 1 from the middle."""
        high = max(2, self._px(height))
        left, top, full = self._px(x), self._px(y), self._px(width)
        panel.blit(rounded(full, high, high // 2, _GROOVE), (left, top))
        share = min(1.0, max(-1.0, share))
        if centred:
            middle, reach = full // 2, round(abs(share) * full / 2)
            start = middle - reach if share < 0 else middle
            if reach:
                panel.blit(rounded(reach, high, high // 2, colour), (left + start, top))
            panel.fill(INK, (left + middle - 1, top - 2, 2, high + 4))
        elif share > 0:
            panel.blit(rounded(max(high, round(share * full)), high, high // 2, colour), (left, top))

    def _curve(
        self, panel: pygame.Surface, x: float, y: float, width: float, height: float, ages: tuple[int, ...]
    ) -> None:
        """The ages as bars side by side, the newest at the right."""
        left, top, wide, high = self._px(x), self._px(y), self._px(width), self._px(height)
        step = max(2, self._px(3))
        count = wide // step
        full = max(_HISTORY_MS, max(ages[-count:], default=0) * 1.2)
        for k, age in enumerate(reversed(ages[-count:])):
            tall = max(1, round(high * age / full))
            panel.fill(ACCENT if k == 0 else _PAST, (left + wide - (k + 1) * step, top + high - tall, step - 1, tall))
        panel.fill(_RULE, (left, top + high, wide, 1))


def _dimmed(size: tuple[int, int]) -> pygame.Surface:
    shade = pygame.Surface(size, pygame.SRCALPHA)
    shade.fill((6, 9, 13, 150))
    return shade


def _graded(share: float) -> Colour:
    """From red through amber to green."""
    low, high = (BAD, AMBER) if share < 0.5 else (AMBER, GOOD)
    part = share * 2 if share < 0.5 else share * 2 - 1
    return tuple(round(a + (b - a) * part) for a, b in zip(low, high, strict=True))
