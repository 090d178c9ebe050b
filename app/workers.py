"""The workers of a run as clients, honest or not, whoever hosts them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from app.config import RunConfig
from attacks import ATTACKS
from clients import ByzantineClient, CodedGradients, Encoder, GradientFn, HonestClient, Memory


def client(
    worker: int, config: RunConfig, gradient: GradientFn, encoder: Encoder, memory: Memory
) -> HonestClient:
    """The worker with this id, with what it remembers."""
    seed, momentum = config.workload.seed, config.worker_momentum
    if worker not in config.byzantine_ids:
        return HonestClient(worker, gradient, encoder, seed=seed, momentum=momentum, memory=memory)
    return ByzantineClient(
        worker,
        gradient,
        encoder,
        ATTACKS[config.attack.name],
        dict(config.attack.options),
        seed=seed,
        n_total=config.workload.num_workers,
        momentum=momentum,
        memory=memory,
    )


def coded(
    gradient: GradientFn, instructions: Mapping[str, Any], config: RunConfig
) -> CodedGradients:
    """Election Coding's gradients of one round, from what the rule tells its clients."""
    n = config.workload.num_workers
    packed = np.frombuffer(instructions["allocation"], np.uint8)
    allocation = np.unpackbits(packed, count=n * n, bitorder="little").reshape(n, n)
    noise = float(instructions["noise"])
    return CodedGradients(gradient, allocation, noise=noise, seed=config.workload.seed)
