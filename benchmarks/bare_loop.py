"""The reference: the network of a recipe in a bare DDP loop under torchrun, without Ray, checkpoints or validation.

    torchrun --nproc-per-node 2 benchmarks/bare_loop.py CACHE STEPS OUT.json [--plain] [--batch 8]

CACHE is a packed cache that a training run left. `--plain` leaves augmentation and averaged weights out as well, so that
what they cost shows too; `--batch` is the global batch, the recipe's if not given.
"""

import dataclasses
import json
import os
import statistics
import sys
import time
from pathlib import Path

import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

from trainer import augment
from trainer.config import build, configs_dir, load_yaml
from trainer.dataset.packed import open_packed
from trainer.dataset.sampler import Sampler
from trainer.hardware import bf16_pays
from trainer.losses import class_weights, segmentation_loss
from trainer.recipe import TrainConfig, resolve
from trainer.unet import UNet, load_preset


def main() -> None:
    cache, steps, out = Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])
    plain = "--plain" in sys.argv
    torch.set_num_threads(1)
    dist.init_process_group("gloo")
    rank, workers = dist.get_rank(), dist.get_world_size()
    packed = open_packed(cache)
    config = build(TrainConfig, load_yaml(configs_dir() / "train.yaml"), "train.yaml")
    batch = int(sys.argv[sys.argv.index("--batch") + 1]) if "--batch" in sys.argv else config.batch
    recipe = resolve(
        dataclasses.replace(config, steps=steps, batch=batch),
        load_preset(config.network),
        len(packed.keys),
        packed.images.shape[1:3],
        len(packed.class_pixels),
    )
    sampler = Sampler(0, len(packed.keys), recipe.batch)
    weights = torch.from_numpy(class_weights(packed.class_pixels))
    torch.manual_seed(0)
    net = UNet(recipe.network).to(memory_format=torch.channels_last)
    model = DistributedDataParallel(net, gradient_as_bucket_view=True) if workers > 1 else net
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-3, fused=True)
    average = {k: v.clone() for k, v in net.state_dict().items() if v.dtype.is_floating_point}
    autocast = bf16_pays("cpu")
    times = []
    for step in range(steps):
        started = time.perf_counter()
        slots = sampler.share(step, rank, workers)
        index = [s.index for s in slots]
        pictures, labels = torch.from_numpy(packed.images[index]), torch.from_numpy(packed.labels[index])
        stride = recipe.network.stem_stride
        if plain:
            height, width = recipe.crop
            x, y = augment.plain(pictures[:, :height, :width], labels[:, :height, :width], stride)
        else:
            drawn = augment.draw(0, slots)
            x, y = augment.apply(config.augment, pictures, labels, drawn, recipe.crop, stride, recipe.detail)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=autocast):
            logits = model(x)
        loss, _ = segmentation_loss(logits, y, weights, config.dice)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), config.clip_norm)
        optimizer.step()
        if rank == 0 and not plain:
            current = net.state_dict()
            with torch.no_grad():
                torch._foreach_lerp_(list(average.values()), [current[k] for k in average], 0.01)
        times.append(time.perf_counter() - started)
    if rank == 0:
        # The first steps allocate; the median over the rest stands a noisy machine.
        rate = recipe.batch / statistics.median(times[max(3, steps // 10) :])
        out.write_text(
            json.dumps({"pictures_per_s": rate, "workers": workers, "omp": os.environ.get("OMP_NUM_THREADS")})
        )
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
