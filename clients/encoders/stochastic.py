"""Encoders that send one random bit for each coordinate."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field

from signfed.clients.encoders.encoder import Encoder, Prepare
from signfed.strategies.core.codecs import SignCodec
from signfed.strategies.core.options import checked


@checked
def sto_sign(
    scale: Annotated[
        float, Field(gt=0, allow_inf_nan=False, description="b, where a gradient counts as large")
    ] = 0.012,
) -> Encoder:
    """Send a coin for each coordinate: +1 with probability (b + clip(g, -b, b)) / (2 b).

    Unbiased up to the scale: E[row] = clip(g, -b, b) / b. A zero is a fair coin; b -> 0 is the
    sign.

    Parameters
    ----------
    scale : float, > 0
        b.

    Examples
    --------
    Beyond the scale, the coin is the sign:

    >>> encoder = sto_sign(scale=0.5)
    >>> encoder.prepare(np.array([1.0, -1.0], np.float32), np.random.default_rng(0))
    array([ 1., -1.], dtype=float32)

    References
    ----------
    Jin et al. 2020 (sto-signSGD); Park & Lee 2024, appendix A (b = 0.012 on CIFAR-10).

    Notes
    -----
    Deviation from the paper: one b for all coordinates.
    """

    return Encoder(SignCodec(), coins(scale))


def coins(scale: float) -> Prepare:
    """Make the coins of a range: +1 with probability (b + clip(g, -b, b)) / (2 b), else -1."""

    def prepare(vector: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        p_plus = 0.5 + 0.5 * np.clip(vector.astype(np.float64) / scale, -1.0, 1.0)
        return np.where(generator.random(len(vector)) < p_plus, np.float32(1), np.float32(-1))

    return prepare


@checked
def probit(
    range: Annotated[  # the paper's word; the function needs no range()
        float,
        Field(
            gt=0, allow_inf_nan=False, description="b: what a bit stands for, and where g is cut"
        ),
    ] = 0.01,
) -> Encoder:
    """Send the coins of `sto_sign`, which are read as +b and -b: one bit, without bias up to b.

    E[row] = clip(g, -b, b); its variance is b^2 - g^2, so that a large b costs accuracy and a small
    one cuts.

    Parameters
    ----------
    range : float, > 0
        b, the same for server and clients.

    Examples
    --------
    >>> encoder = probit(range=0.5)
    >>> row, _ = encoder.encode(np.ones(3, np.float32), None, lambda: np.random.default_rng(0))
    >>> row, encoder.codec.decode(row, 3)
    (array([7], dtype=uint8), array([0.5, 0.5, 0.5], dtype=float32))

    References
    ----------
    Lan, Xiao & Zhang 2025 (PRoBit+), arXiv 2507.03973.

    Notes
    -----
    Deviation from the paper: b is one number that stays; of the text the abstract could be read.
    """
    return Encoder(SignCodec(range), coins(range))


@checked
def noisy_sign(
    std: Annotated[
        float, Field(ge=0, allow_inf_nan=False, description="standard deviation of the noise")
    ] = 1e-3,
) -> Encoder:
    """Send the sign of the gradient plus noise: sign(g + N(0, std^2 I)).

    Parameters
    ----------
    std : float, >= 0
        Standard deviation of the noise.

    Examples
    --------
    >>> encoder = noisy_sign(std=0.0)
    >>> encoder.prepare(np.array([1.0, -1.0], np.float32), np.random.default_rng(0))
    array([ 1., -1.], dtype=float32)

    References
    ----------
    Chen et al. 2020 (noisy signSGD); Park & Lee 2024, appendix A (std = 1e-3).

    Notes
    -----
    Deviation from the paper: none.
    """

    def with_noise(vector: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        return vector + np.float32(std) * generator.standard_normal(len(vector), dtype=np.float32)

    return Encoder(SignCodec(), with_noise)
