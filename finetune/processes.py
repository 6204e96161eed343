"""Several processes that learn one model, one for each graphics card, as `accelerate launch` or `torchrun` starts them.

Each takes its share of a step's batches, and the gradients are added up, so that all have the same weights all the
time. Only the first one writes.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, distributed


@contextmanager
def joined() -> Iterator[bool]:
    """Join the processes that were started together, for this block; whether this is the one that writes."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield True
        return
    graphics = torch.cuda.is_available()
    if graphics:
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    distributed.init_process_group("nccl" if graphics else "gloo")
    try:
        yield is_first()
    finally:
        distributed.destroy_process_group()


def is_first() -> bool:
    """Whether this process writes what is learned."""
    return place_of_process()[0] == 0


def place_of_process() -> tuple[int, int]:
    """Which of how many processes this is; (0, 1) for one that is alone."""
    if distributed.is_available() and distributed.is_initialized():
        return distributed.get_rank(), distributed.get_world_size()
    return 0, 1


def add_up(weights: Iterable[Tensor], loss: Tensor) -> None:
    """Replace each weight's gradient, and the loss, by their sums over all processes."""
    tensors = [loss]
    for weight in weights:
        if weight.grad is None:  # this process had no batch of the step
            weight.grad = torch.zeros_like(weight)
        tensors.append(weight.grad)
    flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
    distributed.all_reduce(flat)
    for tensor, part in zip(tensors, flat.split([tensor.numel() for tensor in tensors]), strict=True):
        tensor.copy_(part.view_as(tensor))
