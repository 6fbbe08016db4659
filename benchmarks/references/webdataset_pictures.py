"""Child of `data`: a recording's shards through WebDataset's usual pipeline, one epoch a turn.

    PYTHON -m benchmarks.references.webdataset_pictures RECORDING CAMERA BATCH HEIGHT WIDTH

Decode by Pillow, resize, shuffle in a buffer, batch; the shards are as the recorder wrote them, since a recording is in
WebDataset's layout.
"""

import sys
from importlib import metadata
from pathlib import Path

import numpy as np
import webdataset
from PIL import Image

from benchmarks.child import answer

SHUFFLED = 500
"""Samples in the buffer of the shuffle."""


def main():
    recording, camera = Path(sys.argv[1]), sys.argv[2]
    batch, height, width = map(int, sys.argv[3:6])
    shards = sorted(map(str, recording.glob("episodes/*/*.tar")))

    def resize(resampling, mode):
        # Its decoder makes RGB of the grey labels too.
        return lambda picture: np.asarray(picture.convert(mode).resize((width, height), resampling))

    def epoch():
        pairs = (
            webdataset.WebDataset(shards, shardshuffle=len(shards))
            .shuffle(SHUFFLED)
            .decode("pil")
            .to_tuple(f"{camera}.rgb.jpg", f"{camera}.semantic.png")
            .map_tuple(resize(Image.Resampling.BILINEAR, "RGB"), resize(Image.Resampling.NEAREST, "L"))
            .batched(batch)
        )
        return sum(len(pictures) for pictures, _ in pairs)

    answer(epoch, versions={"webdataset": metadata.version("webdataset")})


if __name__ == "__main__":
    main()
