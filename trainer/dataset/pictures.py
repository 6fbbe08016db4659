"""Pictures to arrays and back: RGB, labels in their four encodings, depth and instances.

Every failure is a DataError that names the file: a damaged picture must not reach a training step.
"""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import simplejpeg
from PIL import Image

from trainer.errors import DataError
from trainer.labels import LabelTable

ENCODINGS = ("grey", "red", "palette", "max")

# Depth is stored in whole centimetres as 16 bits; this value says "farther than can be stored" (655.34 m).
DEPTH_FAR_CM = 65535
# PNG level 1: at 20 Hz the encoder's time counts more than its last 10 % of bytes.
PNG_LEVEL = 1
_GREY_LEVEL = 3
_NO_FILTER, _UP = 0, 2  # of a PNG's rows: bytes as they are; less the byte above

MAX_PIXELS = 1 << 26
"""8192 x 8192: a picture that says it is larger is refused before room is made for it (a header of 60,000 x 60,000 is
as short as any)."""

_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8\xff"
# What Pillow raises on damaged files, by format and place of the damage.
_DECODE_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
    Image.DecompressionBombWarning,
)


def _load(data: bytes, where: str, kind: str) -> Image.Image:
    """Decode a whole PNG or JPEG, or say what is wrong with it."""
    if not data.startswith((_PNG, _JPEG)):
        what = "is empty" if not data else "is neither PNG nor JPEG"
        raise DataError(f"{where}: the {kind} {what}; replace the file or take it out of the data")
    try:
        picture = Image.open(io.BytesIO(data), formats=("PNG", "JPEG"))
        _refuse_giant(picture.size, where, kind)
        picture.load()
    except _DECODE_ERRORS as error:
        raise DataError(
            f"{where}: the {kind} is truncated or damaged ({error}); replace the file or take it out of the data"
        ) from error
    return picture


def _refuse_giant(size: tuple[int, int], where: str, kind: str) -> None:
    if size[0] * size[1] > MAX_PIXELS:
        raise DataError(
            f"{where}: the {kind} says that it has {size[0]}x{size[1]} pixels, more than {MAX_PIXELS}; replace the file or "
            "take it out of the data"
        )


def decode_rgb(data: bytes, where: str) -> np.ndarray:
    """PNG or JPEG bytes to (H, W, 3) uint8 RGB; grey becomes RGB, an alpha channel is dropped."""
    if data.startswith(_JPEG):
        try:
            height, width, *_ = simplejpeg.decode_jpeg_header(data, strict=True)
            _refuse_giant((width, height), where, "picture")
            return simplejpeg.decode_jpeg(data, colorspace="RGB", strict=True)
        except ValueError:
            pass  # CMYK and the like; a damaged one fails in Pillow too, which says why
    picture = _load(data, where, "picture")
    if picture.mode.startswith("I") or picture.mode == "F":
        raise DataError(f"{where}: the picture has 16 or more bits a channel; 8 bits are expected, convert it")
    return np.asarray(picture.convert("RGB"))


def decode_label(data: bytes, encoding: str, table: LabelTable, where: str) -> np.ndarray:
    """Label PNG bytes to (H, W) uint8 tag ids. The ids are not yet checked against the table.

    encoding: `grey` one 8-bit channel of ids; `red` ids in the red channel, as CARLA sends them; `palette` the
    table's exact colours; `max` the maximum over R, G and B, as the Coursera notebook reads its masks.
    """
    if data.startswith(_JPEG):
        raise DataError(f"{where}: the label is a JPEG, which changes ids at every edge; labels must be PNG")
    picture = _load(data, where, "label")
    mode = picture.mode
    if mode.startswith("I") or mode == "F":
        raise DataError(f"{where}: the label has 16 bits a pixel; 8-bit tag ids are expected, save it as 8-bit PNG")
    if encoding == "grey":
        # Mode P: a tool stored the ids with colours for viewers; the stored numbers are the ids.
        ids = np.asarray(picture if mode in ("L", "P") else picture.convert("RGB"))
        if ids.ndim == 3:
            if (ids[..., 0] != ids[..., 1]).any() or (ids[..., 0] != ids[..., 2]).any():
                raise DataError(
                    f"{where}: the label has colours, encoding 'grey' expects one channel of ids; "
                    "is it 'red', 'palette' or 'max'?"
                )
            ids = ids[..., 0]
        return np.ascontiguousarray(ids)
    if encoding == "red":
        if mode in ("L", "P"):
            raise DataError(
                f"{where}: the label has one channel, encoding 'red' expects RGB with ids in red; is it 'grey'?"
            )
        return np.ascontiguousarray(np.asarray(picture.convert("RGB"))[..., 0])
    if encoding == "max":
        return np.asarray(picture.convert("RGB")).max(axis=2)
    if encoding == "palette":
        return _ids_of_colours(np.asarray(picture.convert("RGB")), table, where)
    raise DataError(f"unknown label encoding {encoding!r}; choose one of {', '.join(ENCODINGS)}")


def _ids_of_colours(rgb: np.ndarray, table: LabelTable, where: str) -> np.ndarray:
    """(H, W, 3) uint8 of exact table colours to (H, W) uint8 ids; any other colour is a DataError."""
    codes_of_table = np.array([(r << 16) | (g << 8) | b for r, g, b in (tag.colour for tag in table.tags)], np.uint32)
    ids_of_table = np.array([tag.id for tag in table.tags], np.uint8)
    order = np.argsort(codes_of_table, kind="stable")
    codes_of_table, ids_of_table = codes_of_table[order], ids_of_table[order]
    twins = np.flatnonzero(codes_of_table[1:] == codes_of_table[:-1])
    if twins.size:
        a, b = int(ids_of_table[twins[0]]), int(ids_of_table[twins[0] + 1])
        raise DataError(f"label table {table.name}: ids {a} and {b} share a colour, which 'palette' cannot tell apart")
    wide = rgb.astype(np.uint32)
    codes = (wide[..., 0] << 16) | (wide[..., 1] << 8) | wide[..., 2]
    places = np.minimum(np.searchsorted(codes_of_table, codes), len(codes_of_table) - 1)
    known = codes_of_table[places] == codes
    if not known.all():
        bad, counts = np.unique(codes[~known], return_counts=True)
        first = np.argsort(-counts, kind="stable")[:3]
        named = ", ".join(
            f"({int(bad[i]) >> 16},{int(bad[i]) >> 8 & 255},{int(bad[i]) & 255}) on {counts[i]} pixels" for i in first
        )
        more = f" and {len(bad) - 3} more colours" if len(bad) > 3 else ""
        raise DataError(
            f"{where}: colours that are not in label table {table.name}: {named}{more}; "
            "name the right table, or save labels without smoothing"
        )
    return ids_of_table[places]


def encode_jpeg(rgb: np.ndarray, quality: int, subsampling: str) -> bytes:
    """(H, W, 3) uint8 RGB to JPEG. subsampling: '4:4:4' keeps the colour of thin things, '4:2:0' halves it."""
    return simplejpeg.encode_jpeg(
        np.ascontiguousarray(rgb), quality=quality, colorspace="RGB", colorsubsampling=subsampling.replace(":", "")
    )


def encode_png(array: np.ndarray, level: int = PNG_LEVEL) -> bytes:
    """(H, W) or (H, W, 3) uint8 to PNG without loss, by Pillow."""
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(array)).save(buffer, "PNG", compress_level=level)
    return buffer.getvalue()


def encode_ids(ids: np.ndarray) -> bytes:
    """(H, W) uint8 or uint16 ids to a grey PNG. Ids repeat along a row already, so no filter helps them."""
    return _grey_png(ids, _NO_FILTER)


def encode_depth(depth_m: np.ndarray) -> bytes:
    """(H, W) float metres to 16-bit PNG in centimetres; farther than 655.34 m and non-finite become DEPTH_FAR_CM."""
    with np.errstate(invalid="ignore"):
        centimetres = np.where(np.isfinite(depth_m), np.rint(depth_m * 100.0), DEPTH_FAR_CM)
    return _grey_png(np.clip(centimetres, 0, DEPTH_FAR_CM).astype(np.uint16), _UP)


def _grey_png(values: np.ndarray, filter_type: int) -> bytes:
    """(H, W) uint8 or uint16 to PNG with one filter for all rows.

    Writers that try all filters on each row take three to four times as long for a label and twice for a depth picture,
    and readers twice as long for either (640x360, measured); bytes are 14 % fewer for labels and 1 % more for depth.
    """
    height, width = values.shape
    samples = np.ascontiguousarray(values, values.dtype.newbyteorder(">")).view(np.uint8)
    rows = np.empty((height, 1 + samples.shape[1]), np.uint8)
    rows[:, 0] = filter_type
    rows[:, 1:] = samples
    if filter_type == _UP:
        rows[1:, 1:] -= samples[:-1]
    header = struct.pack(">IIBBBBB", width, height, 8 * values.dtype.itemsize, 0, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(rows.tobytes(), _GREY_LEVEL)), (b"IEND", b""))
    return _PNG + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts
    )


def decode_16bit(data: bytes, where: str) -> np.ndarray:
    """16-bit PNG (depth in centimetres, or instance ids) to (H, W) uint16."""
    picture = _load(data, where, "16-bit picture")
    if not picture.mode.startswith("I"):
        raise DataError(f"{where}: 16 bits a pixel are expected, the picture has mode {picture.mode}")
    return np.asarray(picture).astype(np.uint16)


def picture_size(data: bytes, where: str) -> tuple[int, int]:
    """(height, width) in pixels from the header alone."""
    if data.startswith(_JPEG):
        try:
            height, width, *_ = simplejpeg.decode_jpeg_header(data, strict=True)
            return height, width
        except ValueError:
            pass  # as in decode_rgb
    try:
        with Image.open(io.BytesIO(data), formats=("PNG", "JPEG")) as picture:
            return picture.height, picture.width
    except _DECODE_ERRORS as error:
        raise DataError(f"{where}: the picture cannot be read ({error})") from error
