"""From a vector to a row on the wire: what happens before the codec, and what is remembered."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from signfed.strategies.core.codecs import Codec

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
