"""Labelled data in other layouts: CameraRGB/CameraSeg folders, KITTI-like, COCO-like. The data itself is not touched.

Pictures are copied as they are stored; labels become 8-bit grey PNG of raw tag ids.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from trainer.config import nearest
from trainer.dataset.pictures import encode_ids, encode_png
from trainer.dataset.source import FrameRef, Source
from trainer.errors import DataError, LabelError
from trainer.labels import load_label_table

LAYOUTS = ("folders", "kitti", "coco")
TABLE_FILE = "label_table.yaml"


def export_source(
    source: Source, out: Path, layout: str = "folders", progress: Callable[[int, int], None] | None = None
) -> int:
    """Write all pairs of a source into a new or empty folder; returns how many.

    Raises DataError for an unknown layout, a folder that holds something, or the first pair that cannot be read.
    """
    if layout not in LAYOUTS:
        raise DataError(f"there is no export layout {layout!r}; {nearest(layout, LAYOUTS)}")
    if not source.frames:
        raise DataError(f"{source.path}: holds no whole frame to export")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise DataError(f"{out}: exists and is not an empty folder; name a new one, nothing is overwritten")
    out.mkdir(parents=True, exist_ok=True)
    write = {"folders": _write_folders, "kitti": _write_kitti, "coco": _write_coco}[layout]
    for done in write(source, out):
        if progress is not None:
            progress(done, len(source.frames))
    return len(source.frames)


def _suffix(data: bytes) -> str:
    return ".png" if data.startswith(b"\x89PNG") else ".jpg"


def stem_of(ref: FrameRef) -> str:
    """The file stem of an exported frame: `<frame>_<town>_<weather>_<episode>` where all are known, else its key.

    Folders with such stems tell town, weather and episode when they are read again.
    """
    if "/" not in ref.key:
        return ref.key
    words = [word.replace("_", "-") for word in (ref.town, ref.weather, ref.episode)]
    if ref.frame >= 0 and all(word and word.replace("-", "").isalnum() for word in words):
        return "_".join([f"{ref.frame:08d}", *words])
    return ref.key.replace("/", "_")


def _write_table(source: Source, out: Path) -> str:
    """What labels.yaml calls the table: a shipped one by its name, any other by a file written beside it."""
    try:
        if load_label_table(source.table.name) == source.table:
            return source.table.name
    except LabelError:
        pass
    (out / TABLE_FILE).write_text(yaml.safe_dump(source.table.to_dict(), sort_keys=False), encoding="utf-8")
    return TABLE_FILE


def _write_folders(source: Source, out: Path) -> Iterator[int]:
    for name in ("CameraRGB", "CameraSeg"):
        (out / name).mkdir()
    stems: dict[str, str] = {}
    for done, ref in enumerate(source.frames, 1):
        stem = stem_of(ref)
        stems[ref.key] = stem
        picture = source.rgb_bytes(ref)
        label = encode_ids(source.read_tags(ref))
        (out / "CameraRGB" / f"{stem}{_suffix(picture)}").write_bytes(picture)
        (out / "CameraSeg" / f"{stem}.png").write_bytes(label)
        yield done
    for name, keys in source.lists.items():
        (out / f"{name}.txt").write_text("".join(f"{stems[key]}\n" for key in keys), encoding="utf-8")
    # Last: a folder without it is an export that did not end.
    how = {"table": _write_table(source, out), "encoding": "grey"}
    (out / "labels.yaml").write_text(yaml.safe_dump(how, sort_keys=False), encoding="utf-8")


def _write_kitti(source: Source, out: Path) -> Iterator[int]:
    """training/image_2, training/semantic (ids) and training/semantic_rgb (colours), numbered; frames.txt names them.

    As KITTI's semantic benchmark lays its folders out; the ids are the source's own and stand in label_table.yaml.
    """
    folders = {name: out / "training" / name for name in ("image_2", "semantic", "semantic_rgb")}
    for folder in folders.values():
        folder.mkdir(parents=True)
    palette = source.table.colours()
    names: list[str] = []
    for done, ref in enumerate(source.frames, 1):
        number = f"{done - 1:06d}"
        picture = source.rgb_bytes(ref)
        tags = source.read_tags(ref)
        (folders["image_2"] / f"{number}{_suffix(picture)}").write_bytes(picture)
        (folders["semantic"] / f"{number}.png").write_bytes(encode_ids(tags))
        (folders["semantic_rgb"] / f"{number}.png").write_bytes(encode_png(palette[tags]))
        names.append(f"{number} {ref.key}\n")
        yield done
    (out / "frames.txt").write_text("".join(names), encoding="utf-8")
    (out / TABLE_FILE).write_text(yaml.safe_dump(source.table.to_dict(), sort_keys=False), encoding="utf-8")


def _write_coco(source: Source, out: Path) -> Iterator[int]:
    """images/ and annotations.json: a category a tag, and for each picture and tag one mask as uncompressed RLE.

    The RLE counts runs down the columns, zeros first, as COCO's mask API defines it.
    """
    (out / "images").mkdir()
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for done, ref in enumerate(source.frames, 1):
        picture = source.rgb_bytes(ref)
        tags = source.read_tags(ref)
        name = f"{stem_of(ref)}{_suffix(picture)}"
        (out / "images" / name).write_bytes(picture)
        height, width = tags.shape
        images.append({"id": done, "file_name": name, "width": width, "height": height})
        for tag in np.unique(tags):
            mask = tags == tag
            rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
            box = [columns[0], rows[0], columns[-1] - columns[0] + 1, rows[-1] - rows[0] + 1]
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": done,
                    "category_id": int(tag),
                    "area": int(mask.sum()),
                    "bbox": [int(edge) for edge in box],
                    "iscrowd": 1,
                    "segmentation": {"size": [height, width], "counts": run_lengths(mask)},
                }
            )
        yield done
    content = {
        "info": {"description": source.name, "label_table": source.table.name},
        "images": images,
        "annotations": annotations,
        "categories": [{"id": tag.id, "name": tag.name, "supercategory": "tag"} for tag in source.table.tags],
    }
    (out / "annotations.json").write_text(json.dumps(content), encoding="utf-8")


def run_lengths(mask: np.ndarray) -> list[int]:
    """(H, W) bool to run lengths down the columns, the first run of zeros (0 long where the mask begins at once)."""
    flat = mask.ravel(order="F")
    changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    edges = np.concatenate([[0], changes, [flat.size]])
    runs = np.diff(edges).tolist()
    return [0, *runs] if flat[0] else runs
