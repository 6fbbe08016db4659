"""A model that was really fitted, in a second, and the labelled pictures that it was fitted on."""

import numpy as np
import pytest
import torch
from PIL import Image

from tests.trainer.streets import SIZE, draw_street
from trainer.dataset.source import open_source
from trainer.labels import load_class_list, load_label_table
from trainer.losses import segmentation_loss
from trainer.model_dir import ModelInfo, Preprocessing, save_model, versions
from trainer.unet import UNet, UNetConfig

TINY = UNetConfig("tiny", (8, 16, 16), classes=17, norm="batch", instance_levels=1, stem_stride=2)


@pytest.fixture(scope="session")
def street(tmp_path_factory):
    """A folder of 12 pictures in two towns and two weathers, 8 in train.txt and 4 in val.txt."""
    folder = tmp_path_factory.mktemp("street") / "street"
    (folder / "CameraRGB").mkdir(parents=True)
    (folder / "CameraSeg").mkdir()
    (folder / "labels.yaml").write_text("table: carla-0.9.14\nencoding: grey\n")
    stems = [f"{i}_T0{1 + i % 2}_{('CN', 'HRN')[i // 2 % 2]}_A" for i in range(12)]
    for i, stem in enumerate(stems):
        rgb, tags = draw_street(i)
        Image.fromarray(rgb).save(folder / "CameraRGB" / f"{stem}.png")
        Image.fromarray(tags).save(folder / "CameraSeg" / f"{stem}.png")
    (folder / "train.txt").write_text("\n".join(stems[:8]) + "\n")
    (folder / "val.txt").write_text("\n".join(stems[8:]) + "\n")
    return folder


@pytest.fixture(scope="session")
def fitted(street, tmp_path_factory):
    """The artifact of a tiny network fitted on the streets. Read it only; copy it to change it."""
    torch.manual_seed(0)
    torch.set_num_threads(1)  # two threads that wait for each other take 40 s for this on a busy machine, one takes 1 s
    classes = load_class_list("street17")
    lookup = torch.from_numpy(classes.lookup(load_label_table("carla-0.9.14")))
    drawn = [draw_street(i) for i in range(8)]
    pictures = torch.from_numpy(np.stack([rgb for rgb, _ in drawn])).permute(0, 3, 1, 2).contiguous()
    labels = lookup[torch.from_numpy(np.stack([tags for _, tags in drawn])).long()]
    net = UNet(TINY).train()
    optimizer = torch.optim.Adam(net.parameters(), 2e-2)
    for _ in range(40):
        logits = net(pictures)
        step = labels.shape[-1] // logits.shape[-1]  # in training a stem of stride 2 leaves the logits at half the size
        loss, _ = segmentation_loss(logits, labels[:, ::step, ::step].contiguous(), torch.ones(17))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    fingerprint = open_source(street).fingerprint()
    info = ModelInfo(
        TINY,
        classes,
        Preprocessing(SIZE),
        data={
            "sources": [
                {
                    "name": "street",
                    "path": str(street),
                    "table": "carla-0.9.14",
                    "frames": 12,
                    "fingerprint": fingerprint,
                }
            ],
            "split": "train.txt and val.txt",
        },
        metrics={"miou": 0.9, "iou": {"road": 0.9}, "absent": ["sky"]},
        training={"run": "test"},
        versions=versions(),
    )
    return save_model(tmp_path_factory.mktemp("run") / "model", net.state_dict(), info)


@pytest.fixture
def recovery(record_property):
    """Tell how long it took until a run was at work again: shown with -rP, kept in a JUnit report."""

    def tell(fault, **figures):
        print(f"recovery after {fault}:", ", ".join(f"{name} {value:.3g}" for name, value in figures.items()))
        for name, value in figures.items():
            record_property(f"{fault}: {name}", value)

    return tell
