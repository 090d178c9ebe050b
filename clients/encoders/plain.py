"""Encoders that send a vector, its signs or its largest values as they are."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from signfed.clients.encoders.encoder import Encoder
from signfed.strategies.core.codecs import Float32Codec, SignCodec, TopKCodec
from signfed.strategies.core.options import checked


@checked
def sign(
    zero: Annotated[
        Literal["plus", "random"], Field(description="what an exact 0 is sent as: +1, or a coin")
    ] = "plus",
) -> Encoder:
    """Send the sign of each coordinate: one bit.

    Parameters
    ----------
    zero : {"plus", "random"}
        What an exact 0 is sent as: +1, or a fair coin. The gradient of a dead ReLU is exactly 0 at
        every worker: as +1, its weights drift by the learning rate each round; as coins, they stay
        about where they are.

    Examples
    --------
    >>> sign().encode(np.array([1.0, -1.0, 0.0], np.float32), None, None)[0]
    array([5], dtype=uint8)

    References
    ----------
    Bernstein et al. 2018 (signSGD).

    Notes
    -----
    Deviation from the paper: sign(0) is +1 or -1, since a bit has no third value.
    """

    def coins_for_zeros(vector: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        zeros = np.flatnonzero(vector == 0)
        coins = vector.copy()
        coins[zeros] = generator.integers(2, size=len(zeros)) * np.float32(2) - np.float32(1)
        return coins

    return Encoder(SignCodec(), coins_for_zeros if zero == "random" else None)


def float32() -> Encoder:
    """Send the gradient as it is, 32 bits for each coordinate.

    Examples
    --------
    >>> float32().encode(np.array([1.5, -2.0], np.float32), None, None)[0]
    array([ 1.5, -2. ], dtype=float32)
    """
    return Encoder(Float32Codec())


@checked
def top_k(
    fraction: Annotated[float, Field(gt=0, le=1, description="K/N, share that is sent")] = 0.1,
) -> Encoder:
    """Send the K largest coordinates as float32 with a bitmap, and remember the rest.

    Parameters
    ----------
    fraction : float in (0, 1]
        K/N.

    Examples
    --------
    >>> row, memory = top_k(fraction=0.5).encode(np.array([1.0, -4.0], np.float32), None, None)
    >>> memory
    array([1., 0.], dtype=float32)

    References
    ----------
    Stich et al. 2018; Park & Lee 2024, appendix A (K/N = 0.1).

    Notes
    -----
    Deviation from the paper: over the whole vector (the authors' code selects in each layer).
    """
    return Encoder(TopKCodec(fraction), feedback=True)
