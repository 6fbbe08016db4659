"""One training step: pictures a CPU second of ours against Keras, segmentation-models-pytorch and a plain PyTorch loop.

    python -m benchmarks.train_step [--rounds 5] [--json FILE]

Keras has the same network as `coursera`, layer by layer; segmentation-models-pytorch's Unet(resnet18) is another one than
`live`, what one would train with it. Both come from environments of their own (see benchmarks/references).
Each variant is a process of its own at one thread, with the allocator settings that it has in use, and they take turns
step by step. Ours is what a worker of `train` computes: channels_last, bf16 where the hardware has it, our loss, clipping
and averaged weights as the configuration says. The plain loop is NCHW, fp32, PyTorch's cross-entropy and Adam. These two
start from uint8 pictures and labels, the references from floats; none augments.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from benchmarks import ceiling, references, rows
from benchmarks.child import Child, answer
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
    """A network with its configuration, at a size (height, width) and batch.

    reference: its environment; module: what runs in it; against: its name in rows. reference_mark: ours to it; own_mark:
    ours by itself.
    """

    network: str
    config: str
    classes: int
    size: tuple[int, int]
    batch: int
    reference: str
    module: str
    against: str
    reference_mark: Mark | None = None
    own_mark: Mark | None = None

    @property
    def name(self) -> str:
        """As rows say it."""
        return f"{self.network} {self.size[1]}x{self.size[0]} batch {self.batch}"


CASES = (
    Case("coursera", "coursera", 23, (96, 128), 32, "keras", "keras_unet", "Keras", reference_mark=Mark(1.9)),
    Case("live", "train", 17, (256, 512), 4, "smp", "smp_unet", "smp resnet18", own_mark=Mark(0.8, of="share")),
)
SAME_NETWORK = "keras"
"""The reference that must have as many parameters as ours."""


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


def work(case: Case, variant: str) -> None:
    """What the process of a variant runs."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    step = {"ours": ours, "plain": plain}[variant](case)

    def call() -> int:
        step()
        return case.batch

    answer(call)


def children(number: int) -> dict[str, Child]:
    """The processes of a case that can be started here; they are started by it."""
    case = CASES[number]
    ourselves = [sys.executable, "-m", "benchmarks.train_step", "--work", str(number)]
    found = {"ours": Child("ours", [*ourselves, "ours"], MALLOC), "plain": Child("plain", [*ourselves, "plain"])}
    if python := references.find(case.reference):
        numbers = map(str, (case.batch, *case.size, case.classes))
        command = [python, "-m", f"benchmarks.references.{case.module}", *numbers]
        found[case.reference] = Child(case.against, command)
    return found


def case_rows(case: Case, took_s: dict[str, float], walls_s: dict[str, float], seen: dict[str, Any]) -> list[Row]:
    """Rows of a case from the CPU seconds a picture of its variants. seen: share and ceiling of ours."""
    rates = {variant: 1.0 / seconds for variant, seconds in took_s.items()}
    note = ", ".join(f"{v} {1000 * s:.1f} ms a picture (wall {1000 * walls_s[v]:.1f})" for v, s in took_s.items())
    unit = "pictures/CPU s"
    found = [
        Row("train-step", case.name, rates["ours"], unit, rates["plain"], "plain torch fp32", case.own_mark, **seen)
    ]
    there = case.reference in rates
    rate, why = (rates["ours"], note) if there else (None, references.absent(case.reference))
    against = (rates.get(case.reference), case.against, case.reference_mark)
    return [*found, Row("train-step", f"{case.name}, {case.against}", rate, unit, *against, note=why)]


def measure(arguments: argparse.Namespace) -> rows.Measured:
    ceilings = ceiling.convolutions()
    kind = "bf16" if bf16_pays("cpu") else "fp32"
    found = []
    for number, case in enumerate(CASES):
        rows.say(case.name)
        net = UNet(load_preset(case.network, classes=case.classes))
        with ExitStack() as stack:
            running = {name: stack.enter_context(child) for name, child in children(number).items()}
            took_s = rows.take_turns({name: child.cpu_s for name, child in running.items()}, arguments.rounds)
        if SAME_NETWORK in running:
            theirs, ours_has = running[SAME_NETWORK].told[0]["parameters"], sum(p.numel() for p in net.parameters())
            if theirs != ours_has:
                raise SystemExit(f"{SAME_NETWORK} has {theirs} parameters and ours {ours_has}: not one network")
        # Backwards a convolution is computed twice, for its input and for its weights.
        gflop = 3 * convolution_gflop(net, case.size)
        seen = {"share": gflop / took_s["ours"] / ceilings[f"conv_{kind}_gflops"], "ceiling": kind}
        found += case_rows(case, took_s, {name: child.wall_s() for name, child in running.items()}, seen)
    return found, ceilings


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
