"""Child of `data`: a folder of PNG pairs through Ray Data, one epoch a turn.

    python -m benchmarks.ray_pictures FOLDER BATCH HEIGHT WIDTH

Ray Data opens, converts and resizes with Pillow in a worker, and hands batches to this process. Its clock is the CPU time
of this process and of all that it has started: what Ray itself computes is part of the price.
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.child import answer
from benchmarks.rows import tree_cpu_s
from trainer.local_ray import LocalRay

CORES = 1


def main() -> None:
    folder = Path(sys.argv[1])
    batch, height, width = map(int, sys.argv[2:5])
    stems = sorted(path.stem for path in (folder / "CameraRGB").glob("*.png"))

    def read(row: dict[str, Any]) -> dict[str, np.ndarray]:
        with Image.open(folder / "CameraRGB" / f"{row['item']}.png") as file:
            picture = np.asarray(file.convert("RGB").resize((width, height), Image.Resampling.BILINEAR))
        with Image.open(folder / "CameraSeg" / f"{row['item']}.png") as file:
            label = np.asarray(file.resize((width, height), Image.Resampling.NEAREST))
        return {"picture": picture, "label": label}

    with LocalRay(CORES) as local:
        local.wait()
        import ray

        logging.getLogger("ray.data").setLevel(logging.ERROR)
        ray.data.DataContext.get_current().enable_progress_bars = False
        pairs = ray.data.from_items(stems).map(read)

        def epoch() -> int:
            return sum(len(some["picture"]) for some in pairs.iter_batches(batch_size=batch))

        answer(epoch, tree_cpu_s, versions={"ray": ray.__version__})


if __name__ == "__main__":
    main()
