"""Byzantine clients of a small federation, for tests."""

from __future__ import annotations

from typing import Any

from signfed.attacks import Attack
from signfed.clients import Adversary, ByzantineClient, Encoder, GradientFn


def byzantine(
    worker: int,
    gradient: GradientFn,
    encoder: Encoder,
    attack: Attack,
    *,
    seed: int = 0,
    ids: tuple[int, ...] = (),
    n_total: int = 5,
    **kept: Any,
) -> ByzantineClient:
    """One Byzantine worker of 5, alone unless ids names others."""
    everyone = range(n_total)
    adversary = Adversary(
        attack, ids or (worker,), asked=lambda t: everyone, seed=seed, n_classes=10
    )
    return ByzantineClient(
        worker, gradient, encoder, adversary, lambda poison: gradient, seed=seed, **kept
    )
