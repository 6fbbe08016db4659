"""The format document's own snippets read a recording that we wrote."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from trainer.dataset.recording import Codecs
from trainer.dataset.writer import RecordingWriter

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "recording-format.md"


@pytest.mark.parametrize("rgb_codec", ["jpg", "png"])
@pytest.mark.parametrize("closed", [True, False])
def test_the_documents_snippets_read_a_recording(
    make_writer: Callable[..., RecordingWriter], pair: Callable, rgb_codec: str, closed: bool
) -> None:
    rgb, tags = pair(0)
    depth_m = np.full((24, 40), 12.34)
    depth_m[0, 0] = 900.0
    instance = np.full((24, 40), 40000)
    with make_writer(codecs=Codecs(rgb=rgb_codec)) as writer:
        writer.open_episode("e", "Town01", {"name": "ClearNoon"})
        for frame in range(2):
            pictures = {"rgb": rgb, "semantic": tags, "depth": depth_m, "instance": instance}
            writer.append(frame, {"front": pictures}, {"sim_time_s": 0.05 * frame})
        if closed:
            writer.close_episode()
    snippets = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)
    assert len(snippets) == 7
    names: dict = {"DIR": writer.path}
    for snippet in snippets:
        exec(compile(snippet, str(DOCUMENT), "exec"), names)
    assert len(names["frames"]) == 2 and names["meta"]["frame"] == 0
    np.testing.assert_array_equal(names["tags"], tags)
    assert names["depth_m"][1, 1] == 12.34 and np.isinf(names["depth_m"][0, 0])
    assert (names["instances"] == 40000).all()
