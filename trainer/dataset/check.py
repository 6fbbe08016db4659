"""The doctor of labelled data: finds what would spoil a training, and ranks the worst episodes. It changes nothing."""

from __future__ import annotations

import os
import zlib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from trainer.dataset.packed import resize_nearest
from trainer.dataset.pictures import decode_label
from trainer.dataset.recording import RecordingSource, episode_folders, shard_paths
from trainer.dataset.shard import scan_shard
from trainer.dataset.source import FrameRef, Source
from trainer.errors import DataError

# Every kind of finding. A problem makes `data check` fail; a note does not.
KINDS = {
    "unreadable": "pictures or labels that cannot be read",
    "mismatch": "labels of another size than their picture",
    "unknown_id": "labels with ids that the table lacks",
    "unpaired": "files without their other half",
    "list": "list entries that no picture has",
    "torn": "shards with a torn tail, indexes that differ from their shards",
    "black": "black pictures",
    "frozen": "pictures that repeat the one before",
    "duplicate": "pictures that stand in the data twice",
    "leak": "validation pictures that are, or nearly are, training pictures",
    "standing": "repeated pictures while the vehicle stood",
    "open": "episodes that were not closed",
}
NOTES = ("standing", "open")

# A picture is black when next to nothing in it is brighter than this, of 255 (JPEG leaves a little noise).
BLACK_LEVEL = 12
# Two pictures are near-identical when their 32x18 grey thumbnails differ by less than this root mean square, of 255.
# Consecutive pictures at walking speed differ by 3 and more.
SAME_LEVEL = 0.75
STANDING_M_S = 0.3
# Frames of one episode this near are too alike to stand on both sides of a split.
LEAK_S = 5.0
LEAK_FRAMES = 100  # LEAK_S at CARLA's usual 20 frames a second
_THUMB = (18, 32)  # rows, columns


@dataclass(frozen=True)
class Finding:
    """One thing found. kind: of KINDS; where: file or frame key; episode: '' when unknown; what: a sentence."""

    kind: str
    where: str
    episode: str
    what: str


@dataclass(frozen=True)
class Report:
    """What a check found.

    tag_share: {tag name: share of all pixels}. worst: [(episode, findings, frames)], the worst first.
    """

    path: str
    frames: int
    episodes: int
    findings: tuple[Finding, ...]
    tag_share: dict[str, float]
    leak_gap_frames: dict[str, int]
    worst: tuple[tuple[str, int, int], ...]

    @property
    def problems(self) -> tuple[Finding, ...]:
        """The findings that are more than notes."""
        return tuple(finding for finding in self.findings if finding.kind not in NOTES)

    def to_dict(self) -> dict[str, Any]:
        """The report as JSON."""
        return {
            "path": self.path,
            "frames": self.frames,
            "episodes": self.episodes,
            "problems": len(self.problems),
            "counts": dict(Counter(finding.kind for finding in self.findings)),
            "findings": [asdict(finding) for finding in self.findings],
            "tag_share": self.tag_share,
            "leak_gap_frames": self.leak_gap_frames,
            "worst_episodes": [
                {"episode": name, "findings": count, "frames": frames} for name, count, frames in self.worst
            ],
        }


@dataclass(frozen=True)
class _Look:
    """What one look at a pair keeps."""

    findings: tuple[Finding, ...]
    picture_crc: int
    thumb: np.ndarray | None  # (18, 32) float32 grey
    tag_pixels: np.ndarray | None  # (256,) int64


def check_source(
    source: Source, progress: Callable[[int, int], None] | None = None, leak_gap: int | None = None
) -> Report:
    """Check every pair of a source (opened with strict=False).

    leak_gap: frames nearer than this, in one episode, are too alike for both lists; by default see leak_gap_frames.
    """
    findings = [Finding("unpaired", name, "", "has no other half of the same name") for name in source.unpaired]
    findings += [Finding("list", entry, "", "names no picture") for entry in source.missing_from_lists]
    if isinstance(source, RecordingSource):
        findings += _check_shards(source)
    looks: dict[str, _Look] = {}
    # Decoders release the interpreter lock, so threads read as fast as processes would.
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for ref, look in zip(source.frames, _in_order(pool, source), strict=True):
            looks[ref.key] = look
            findings += look.findings
            if progress is not None:
                progress(len(looks), len(source.frames))
    findings += _repeats(source, looks)
    gaps = leak_gap_frames(source, leak_gap)
    findings += _leaks(source, looks, gaps)
    pixels = sum((look.tag_pixels for look in looks.values() if look.tag_pixels is not None), np.zeros(256, np.int64))
    names = {tag.id: tag.name for tag in source.table.tags}
    share = {names[i]: float(pixels[i] / max(1, pixels.sum())) for i in np.argsort(-pixels) if pixels[i] and i in names}
    frames = Counter(ref.episode for ref in source.frames)
    counts = Counter(finding.episode for finding in findings if finding.kind not in NOTES and finding.episode)
    worst = sorted(((name, count, frames[name]) for name, count in counts.items()), key=lambda row: (-row[1], row[0]))
    order = {kind: index for index, kind in enumerate(KINDS)}
    findings.sort(key=lambda finding: order[finding.kind])
    return Report(str(source.path), len(source.frames), len(frames), tuple(findings), share, gaps, tuple(worst))


def _in_order(pool: ThreadPoolExecutor, source: Source) -> Iterator[_Look]:
    """Looks in the order of the frames, with few pictures in memory at once."""
    refs = source.frames
    for at in range(0, len(refs), 64):
        yield from pool.map(lambda ref: _look(source, ref), refs[at : at + 64])


def _look(source: Source, ref: FrameRef) -> _Look:
    picture, label = source.where(ref)
    found: list[Finding] = []

    def find(kind: str, where: str, what: object) -> None:
        found.append(Finding(kind, where, ref.episode, str(what).removeprefix(f"{where}: ")))

    thumb = tag_pixels = None
    crc, size = 0, None
    try:
        data = source.rgb_bytes(ref)
        crc = zlib.crc32(data)
        rgb = source.read_rgb(ref)
        size = rgb.shape[:2]
        if np.percentile(rgb[::4, ::4], 99) <= BLACK_LEVEL:
            find("black", picture, "the picture is black")
        thumb = _thumb(rgb)
    except DataError as error:
        find("unreadable", picture, error)
    try:
        tags = decode_label(source.label_bytes(ref), source.encoding, source.table, label)
    except DataError as error:
        find("unknown_id" if "not in label table" in str(error) else "unreadable", label, error)
    else:
        if size is not None and tags.shape != size:
            what = f"the label is {tags.shape[1]}x{tags.shape[0]} pixels, its picture {size[1]}x{size[0]}"
            find("mismatch", label, what)
        try:
            source.table.check(tags, label)
        except DataError as error:
            find("unknown_id", label, error)
        tag_pixels = np.bincount(tags.ravel(), minlength=256)
    if isinstance(source, RecordingSource):
        try:
            changed = source.changed_members(ref)
            if changed:
                find("unreadable", ref.key, f"{', '.join(changed)} changed since it was written (CRC-32 differs)")
        except DataError as error:
            find("unreadable", ref.key, error)
    return _Look(tuple(found), crc, thumb, tag_pixels)


def _thumb(rgb: np.ndarray) -> np.ndarray:
    """(18, 32) float32 grey: means over blocks, so that a changed pixel anywhere counts a little."""
    rows, columns = _THUMB
    height, width = rgb.shape[:2]
    grey = rgb.mean(axis=2, dtype=np.float32)
    if height < rows or width < columns:
        return resize_nearest(grey, _THUMB)
    grey = grey[: height // rows * rows, : width // columns * columns]
    return grey.reshape(rows, height // rows, columns, width // columns).mean(axis=(1, 3))


def _check_shards(source: RecordingSource) -> list[Finding]:
    found: list[Finding] = []
    for folder in episode_folders(source.path):
        scans = [scan_shard(shard) for shard in shard_paths(folder)]
        for scan in scans:
            if scan.torn_bytes:
                what = f"{scan.torn_bytes} bytes behind the last whole frame; `data repair` puts them aside"
                found.append(Finding("torn", str(scan.path), folder.name, what))
        episode = source.episodes[folder.name]
        frames = sum(len(scan.frames) for scan in scans)
        if episode.state != "closed":
            what = "the episode was not closed: it is being written, or its recorder was killed (`data repair`)"
            found.append(Finding("open", folder.name, folder.name, what))
        elif episode.frames != frames:
            what = f"episode.json counts {episode.frames} frames, the shards hold {frames}; `data repair` counts anew"
            found.append(Finding("torn", folder.name, folder.name, what))
    return found


def _repeats(source: Source, looks: dict[str, _Look]) -> list[Finding]:
    """Frozen pictures (near-identical to the one before, in one episode) and duplicates (the same file elsewhere)."""
    found: list[Finding] = []
    repeated: set[str] = set()
    for before, ref in pairwise(source.frames):
        a, b = looks[before.key], looks[ref.key]
        if before.episode != ref.episode or a.thumb is None or b.thumb is None:
            continue
        if before.frame < 0 or not _same(a.thumb, b.thumb):
            continue
        repeated.add(ref.key)
        kind = "standing" if _stood(source, ref) else "frozen"
        found.append(Finding(kind, ref.key, ref.episode, f"the picture repeats {before.key}"))
    first: dict[int, FrameRef] = {}
    for ref in source.frames:
        look = looks[ref.key]
        if look.thumb is None or ref.key in repeated:
            continue
        other = first.setdefault(look.picture_crc, ref)
        if other is not ref:
            found.append(Finding("duplicate", ref.key, ref.episode, f"the same picture as {other.key}"))
    return found


def _same(a: np.ndarray, b: np.ndarray) -> bool:
    return float(np.sqrt(np.mean((a - b) ** 2))) < SAME_LEVEL


def _stood(source: Source, ref: FrameRef) -> bool:
    """Whether a recording says that the vehicle stood; False when nothing says so."""
    if not isinstance(source, RecordingSource):
        return False
    try:
        velocity = source.meta(ref).get("velocity")
    except DataError:
        return False
    return velocity is not None and float(np.linalg.norm(velocity)) < STANDING_M_S


def leak_gap_frames(source: Source, leak_gap: int | None = None) -> dict[str, int]:
    """{episode: frames} nearer than which two frames of it are neighbours.

    5 s where the step is known. Else 100 frames (5 s at CARLA's usual 20 Hz), but no more than 10 of the episode's
    typical spacings (the median distance of consecutive frames), for data that was numbered anew: there a distance
    of 10 is ten pictures on. carla_real's pictures lie about 3000 frames apart, so 100 holds; neighbours are few.
    """
    numbers: dict[str, list[int]] = defaultdict(list)
    for ref in source.frames:
        if ref.frame >= 0:
            numbers[ref.episode].append(ref.frame)
    gaps = {}
    for episode, frames in numbers.items():
        spacings = np.diff(sorted(frames))
        typical = float(np.median(spacings[spacings > 0])) if (spacings > 0).any() else 1.0
        if leak_gap is not None:
            gaps[episode] = leak_gap
        elif source.step_s:
            gaps[episode] = max(1, round(LEAK_S / source.step_s))
        else:
            gaps[episode] = max(2, min(LEAK_FRAMES, round(10 * typical)))
    return gaps


def _leaks(source: Source, looks: dict[str, _Look], gaps: dict[str, int]) -> list[Finding]:
    """Validation pictures that the training list holds too: the same, the same content, or a neighbour in time."""
    if not source.lists:
        return []
    in_train, in_val = set(source.lists["train"]), set(source.lists["val"])
    train = [ref for ref in source.frames if ref.key in in_train]
    content = {looks[ref.key].picture_crc: ref.key for ref in train if looks[ref.key].thumb is not None}
    times: dict[str, list[FrameRef]] = defaultdict(list)
    for ref in train:
        if ref.frame >= 0:
            times[ref.episode].append(ref)
    with_thumb = [ref for ref in train if looks[ref.key].thumb is not None]
    thumbs = np.array([looks[ref.key].thumb for ref in with_thumb], np.float32).reshape(len(with_thumb), -1)
    found: list[Finding] = []
    for ref in source.frames:
        if ref.key not in in_val:
            continue
        look = looks[ref.key]
        if ref.key in in_train:
            found.append(Finding("leak", ref.key, ref.episode, "stands in train.txt and in val.txt"))
            continue
        if look.thumb is not None and look.picture_crc in content:
            found.append(
                Finding("leak", ref.key, ref.episode, f"the same picture as {content[look.picture_crc]} in train")
            )
            continue
        near = min(times[ref.episode], key=lambda other: abs(other.frame - ref.frame), default=None)
        if near is not None and ref.frame >= 0 and abs(near.frame - ref.frame) < gaps[ref.episode]:
            what = (
                f"only {abs(near.frame - ref.frame)} frames from {near.key} in train (nearer than {gaps[ref.episode]})"
            )
            found.append(Finding("leak", ref.key, ref.episode, what))
            continue
        if look.thumb is not None and len(thumbs):
            distance = np.mean((thumbs - look.thumb.reshape(1, -1)) ** 2, axis=1)
            if distance.min() < SAME_LEVEL**2:
                twin = with_thumb[int(distance.argmin())].key
                found.append(Finding("leak", ref.key, ref.episode, f"near-identical to {twin} in train"))
    return found


def advice(report: Report, source: Source) -> list[str]:
    """What to do about the worst episodes: for a recording the command that removes one, for the user to run."""
    if not report.worst:
        return []
    if isinstance(source, RecordingSource):
        return [f"rm -r '{Path(report.path) / 'episodes' / name}'" for name, _, _ in report.worst[:3]]
    return ["list the good stems in train.txt and val.txt; what no list names is not used"]
