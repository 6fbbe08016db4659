"""How weights are moved: the optimizer that a recipe names, and its learning rate at each step."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from trainer.recipe import Recipe


def learning_rate(recipe: Recipe, step: int) -> float:
    """The rate of a step: linear warm-up, then constant or a half cosine down to 2 % of the peak."""
    peak, warmup = recipe.learning_rate, recipe.config.warmup * recipe.steps
    if step < warmup:
        return peak * (step + 1) / (warmup + 1)
    if recipe.config.schedule == "constant":
        return peak
    done = (step - warmup) / max(1.0, recipe.steps - warmup)
    return peak * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * done)))


def make_optimizer(net: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """Adam or AdamW as the recipe says, fused."""
    if recipe.config.optimizer == "adam":
        return torch.optim.Adam(net.parameters(), lr=recipe.learning_rate, fused=True)
    # Decay pulls kernels towards 0; a norm's scale or a bias has no business there.
    kernels = [p for p in net.parameters() if p.ndim > 1]
    others = [p for p in net.parameters() if p.ndim <= 1]
    groups = [{"params": kernels, "weight_decay": recipe.config.weight_decay}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=recipe.learning_rate, fused=True)


def align_memory(optimizer: torch.optim.Optimizer) -> None:
    """Lay loaded moments out in memory as their parameters are (channels last).

    The fused kernels walk parameter, gradient and moments side by side in memory; a file holds plain row-major arrays.
    """
    for parameter, values in optimizer.state.items():
        for name, value in values.items():
            if isinstance(value, Tensor) and value.shape == parameter.shape:
                values[name] = torch.empty_like(parameter).copy_(value)
