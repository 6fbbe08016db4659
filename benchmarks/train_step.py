"""One training step: pictures a CPU second of ours against a plain PyTorch loop of the same network.

    python -m benchmarks.train_step [--rounds 5] [--json FILE]

Each variant is a process of its own at one thread, with the allocator settings that it has in use, and they take turns
step by step. Ours is what a worker of `train` computes: channels_last, bf16 where the hardware has it, our loss, clipping
and averaged weights as the configuration says. The plain loop is NCHW, fp32, PyTorch's cross-entropy and Adam. Both
start from uint8 pictures and labels; neither augments.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from benchmarks import ceiling, rows
from benchmarks.infer import convolution_gflop
from benchmarks.rows import Mark, Row
from benchmarks.train_job import MALLOC
from trainer import augment
from trainer.config import build, configs_dir, load_yaml
from trainer.hardware import bf16_pays
from trainer.losses import class_weights, segmentation_loss
from trainer.recipe import TrainConfig
from trainer.unet import UNet, load_preset


@dataclass(frozen=True)
class Case:
    """A network with its configuration, at a size (height, width) and batch; the mark of ours, and why."""

    network: str
    config: str
    classes: int
    size: tuple[int, int]
    batch: int
    mark: Mark | None

    @property
    def name(self) -> str:
        """As rows say it."""
        return f"{self.network} {self.size[1]}x{self.size[0]} batch {self.batch}"


CASES = (
    # 1.9 x is asked for against Keras, which is as fast as the plain loop (0.96 to 1.00 measured).
    Case("coursera", "coursera", 23, (96, 128), 32, Mark(1.9)),
    Case("live", "train", 17, (256, 512), 4, Mark(0.8, of="share")),
)
VARIANTS = ("ours", "plain")


def batch_of(case: Case) -> tuple[torch.Tensor, torch.Tensor]:
    """(N, H, W, 3) and (N, H, W) uint8."""
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 256, (case.batch, *case.size, 3), np.uint8)
    labels = rng.integers(0, case.classes, (case.batch, *case.size), np.uint8)
    return torch.from_numpy(pictures), torch.from_numpy(labels)


def ours(case: Case) -> Callable[[], None]:
    config = build(TrainConfig, load_yaml(configs_dir() / f"{case.config}.yaml"), case.config)
    net = UNet(load_preset(case.network, classes=case.classes)).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    make = torch.optim.Adam if config.optimizer == "adam" else torch.optim.AdamW
    optimizer = make(net.parameters(), lr=1e-3, fused=True)
    pictures, labels = batch_of(case)
    weights = torch.from_numpy(class_weights(np.ones(case.classes)))
    average = {k: v.clone() for k, v in net.state_dict().items() if v.dtype.is_floating_point}

    def step() -> None:
        x, y = augment.plain(pictures, labels, net.config.stem_stride)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16_pays("cpu")):
            logits = net(x)
        loss, _ = segmentation_loss(logits, y, weights, config.dice)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), config.clip_norm or float("inf"))
        optimizer.step()
        current = net.state_dict()
        with torch.no_grad():
            torch._foreach_lerp_(list(average.values()), [current[k] for k in average], 1.0 - config.ema)

    return step


def plain(case: Case) -> Callable[[], None]:
    net = UNet(load_preset(case.network, classes=case.classes))
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
    pictures, labels = batch_of(case)
    stride = net.config.stem_stride

    def step() -> None:
        x = pictures.permute(0, 3, 1, 2).float() / 255.0
        y = labels[:, ::stride, ::stride].long()
        loss = F.cross_entropy(net(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return step


class Worker:
    """A process that does one step of a variant for each line it is sent, and answers with its CPU seconds."""

    def __init__(self, case: int, variant: str):
        more = MALLOC if variant == "ours" else {}
        command = [sys.executable, "-m", "benchmarks.train_step", "--work", str(case), variant]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ | more
        )

    def step_s(self) -> float:
        """CPU seconds of one more step."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write("step\n")
        self._process.stdin.flush()
        return float(self._process.stdout.readline())

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        # The end of its input ends it.
        self._process.communicate()


def work(case: Case, variant: str) -> None:
    """What that process runs."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    step = {"ours": ours, "plain": plain}[variant](case)
    for _ in sys.stdin:
        print(rows.cpu_s(step), flush=True)


def measure(arguments: argparse.Namespace) -> rows.Measured:
    ceilings = ceiling.convolutions()
    kind = "bf16" if bf16_pays("cpu") else "fp32"
    found = []
    for number, case in enumerate(CASES):
        rows.say(case.name)
        with ExitStack() as stack:
            workers = {variant: stack.enter_context(Worker(number, variant)) for variant in VARIANTS}
            took_s = rows.take_turns({v: worker.step_s for v, worker in workers.items()}, arguments.rounds)
        # Backwards a convolution is computed twice, for its input and for its weights.
        gflop = 3 * case.batch * convolution_gflop(UNet(load_preset(case.network, classes=case.classes)), case.size)
        figures: dict[str, Any] = {
            "share": gflop / took_s["ours"] / ceilings[f"conv_{kind}_gflops"],
            "ceiling": kind,
            "note": ", ".join(f"{v} {1000 * s / case.batch:.1f} CPU ms a picture" for v, s in took_s.items()),
        }
        rates = {variant: case.batch / seconds for variant, seconds in took_s.items()}
        ours_and_plain = (rates["ours"], "pictures/CPU s", rates["plain"], "plain torch fp32")
        found.append(Row("train-step", case.name, *ours_and_plain, case.mark, **figures))
    note = "Keras is not installed with this project; the plain loop, 0.96 x as fast where both ran, stands for it"
    return [*found, Row("train-step", "coursera with Keras", None, "pictures/CPU s", note=note)], ceilings


def main() -> None:
    parser = rows.arguments_of(__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="steps of each variant")
    parser.add_argument("--work", nargs=2, metavar=("CASE", "VARIANT"), help=argparse.SUPPRESS)
    if "--work" in sys.argv:
        number, variant = parser.parse_args().work
        work(CASES[int(number)], variant)
        return
    rows.run("train-step", measure, parser)


if __name__ == "__main__":
    main()
