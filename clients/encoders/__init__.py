"""What a client makes of its vector, by name."""

from __future__ import annotations

from collections.abc import Callable

from signfed.clients.encoders.encoder import Encoder
from signfed.clients.encoders.plain import float32, sign, top_k
from signfed.clients.encoders.stochastic import noisy_sign, probit, sto_sign

ENCODERS: dict[str, Callable[..., Encoder]] = {
    "sign": sign,
    "sto-sign": sto_sign,
    "noisy-sign": noisy_sign,
    "probit": probit,
    "float32": float32,
    "top-k": top_k,
}

__all__ = ["ENCODERS", "Encoder"]
