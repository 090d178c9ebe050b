"""From a vector to a row on the wire: what happens before the codec, and what is remembered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from signfed.strategies.core.codecs import Codec, Float32Codec, SignCodec, TopKCodec
from signfed.strategies.core.options import checked

# (vector float32 [N], generator) -> float32 [N]; pure.
Prepare = Callable[[np.ndarray, np.random.Generator], np.ndarray]


@dataclass(frozen=True)
class Encoder:
    """A codec, what is done to the vector before it, and whether the rest is remembered.

    Attributes
    ----------
    codec : Codec
        From a float32 vector to a row of bytes.
    prepare : callable, optional
        (vector, generator) -> vector, before the codec.
    feedback : bool
        Error feedback: the part of the vector that the row does not carry is added to the next one.
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
        """Encode a vector.

        With feedback, decode(row) + next memory = vector + memory, exactly where the codec carries
        a coordinate as it is.

        Parameters
        ----------
        vector : ndarray, float32 [N]
            What is to be sent.
        memory : ndarray, float32 [N], or None
            The rest of the last call; None at first.
        generator : callable
            Makes the generator to draw from; called only when something is drawn.

        Returns
        -------
        row : ndarray
            In the codec's type and length.
        memory : ndarray or None
            The rest; None without feedback. A vector that is not finite leaves it as it was.

        References
        ----------
        Stich et al. 2018, Algorithm 1 (memory without the learning rate).
        """
        if self.feedback and memory is not None:
            vector = vector + memory
        prepared = self.prepare(vector, generator()) if self.prepare else vector
        row = self.codec.encode(prepared)
        if not self.feedback:
            return row, None
        if not np.isfinite(vector).all():
            return row, memory  # a broken vector costs its round, not the memory
        return row, vector - self.codec.decode(row, len(vector))


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

    def coins(vector: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        p_plus = 0.5 + 0.5 * np.clip(vector.astype(np.float64) / scale, -1.0, 1.0)
        return np.where(generator.random(len(vector)) < p_plus, np.float32(1), np.float32(-1))

    return Encoder(SignCodec(), coins)


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


ENCODERS: dict[str, Callable[..., Encoder]] = {
    "sign": sign,
    "sto-sign": sto_sign,
    "noisy-sign": noisy_sign,
    "float32": float32,
    "top-k": top_k,
}
