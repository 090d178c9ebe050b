"""From a vector to a row on the wire: what happens before the codec, and what is remembered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from signfed.strategies.core.codecs import Codec, Float32Codec, SignCodec, TopKCodec
from signfed.strategies.core.options import checked

# (vector float32 [N], generator) -> float32 [N]
Prepare = Callable[[np.ndarray, np.random.Generator], np.ndarray]


def stochastic_sign(
    vector: np.ndarray, generator: np.random.Generator, *, scale: float
) -> np.ndarray:
    """+1 with probability (b + clip(g, -b, b)) / (2 b), else -1, per coordinate: float32 [N].

    Unbiased up to the scale: E[output] = clip(g) / b; a zero is a fair coin. b -> 0 is the sign.

    scale: b > 0.
    Reference: Jin et al. 2020 (sto-signSGD); Park & Lee 2024, appendix A (b = 0.012 on CIFAR-10).
    Deviation from the paper: one b for all coordinates.
    """
    p_plus = 0.5 + 0.5 * np.clip(vector.astype(np.float64) / scale, -1.0, 1.0)
    return np.where(generator.random(len(vector)) < p_plus, np.float32(1), np.float32(-1))


def random_zeros(vector: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Each exact zero becomes +1 or -1, a fair coin; all else stays: float32 [N].

    A dead ReLU's gradient is exactly 0 at every worker; sent as +1, its weights drift by the
    learning rate each round, as coins they stay about where they are.
    """
    zeros = np.flatnonzero(vector == 0)
    coins = vector.copy()
    coins[zeros] = generator.integers(2, size=len(zeros)) * np.float32(2) - np.float32(1)
    return coins


def add_noise(vector: np.ndarray, generator: np.random.Generator, *, std: float) -> np.ndarray:
    """g + N(0, std^2 I), float32 [N]; std >= 0.

    Reference: Chen et al. 2020 (noisy signSGD); Park & Lee 2024, appendix A (std = 1e-3).
    Deviation from the paper: none.
    """
    return vector + np.float32(std) * generator.standard_normal(len(vector), dtype=np.float32)


@dataclass(frozen=True)
class Encoder:
    """A codec, what is done to the vector before it, and whether what was lost is kept.

    prepare: pure in (vector, generator). feedback: error feedback; the part of the vector that
    the row does not carry is added to the next one.
    """

    codec: Codec
    prepare: Prepare | None = None
    feedback: bool = False

    def encode(
        self,
        vector: np.ndarray,
        memory: np.ndarray | None,
        generator: Callable[[], np.random.Generator],
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """float32 [N] and the last memory (None at first) -> (row, next memory).

        generator: makes the one to draw from; called only when something is drawn.
        With feedback, decode(row) + memory' = vector + memory exactly where the codec carries a
        coordinate as it is.
        Reference: Stich et al. 2018, Algorithm 1 (memory without the learning rate).
        """
        if self.feedback and memory is not None:
            vector = vector + memory
        prepared = self.prepare(vector, generator()) if self.prepare else vector
        row = self.codec.encode(prepared)
        if not self.feedback:
            return row, None
        if not np.isfinite(vector).all():
            return row, memory  # a broken gradient costs its round, not the memory
        return row, vector - self.codec.decode(row, len(vector))


@checked
def _sto_sign(
    scale: Annotated[
        float, Field(gt=0, allow_inf_nan=False, description="b, where a gradient counts as large")
    ] = 0.012,
) -> Encoder:
    """A coin for each coordinate, heavier the larger the gradient."""
    return Encoder(SignCodec(), partial(stochastic_sign, scale=scale))


@checked
def _noisy_sign(
    std: Annotated[
        float, Field(ge=0, allow_inf_nan=False, description="standard deviation of the noise")
    ] = 1e-3,
) -> Encoder:
    """The sign of the gradient plus Gaussian noise."""
    return Encoder(SignCodec(), partial(add_noise, std=std))


@checked
def _top_k(
    fraction: Annotated[float, Field(gt=0, le=1, description="K/N, share that is sent")] = 0.1,
) -> Encoder:
    """The largest coordinates as float32 with a bitmap; the rest is remembered."""
    return Encoder(TopKCodec(fraction), feedback=True)


@checked
def _sign(
    zero: Annotated[
        Literal["plus", "random"], Field(description="what an exact 0 is sent as: +1, or a coin")
    ] = "plus",
) -> Encoder:
    """One bit per coordinate: the sign; an exact 0 as +1, or as a coin ("random")."""
    return Encoder(SignCodec(), random_zeros if zero == "random" else None)


def _float32() -> Encoder:
    """The gradient as it is, 32 bits per coordinate."""
    return Encoder(Float32Codec())


ENCODERS: dict[str, Callable[..., Encoder]] = {
    "sign": _sign,
    "sto-sign": _sto_sign,
    "noisy-sign": _noisy_sign,
    "float32": _float32,
    "top-k": _top_k,
}
