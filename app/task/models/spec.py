"""What a network has to fit."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Spec:
    """What a network has to fit.

    Attributes
    ----------
    input_shape : tuple of int
        Of one sample as it enters the network: (channels, height, width), (features,), (tokens,).
    num_classes : int
        Outputs of the network.
    vocabulary : int
        Number of different tokens; 0 where inputs are not tokens.

    Examples
    --------
    >>> Spec((3, 32, 32), 10).image()
    (3, 32, 32)
    """

    input_shape: tuple[int, ...]
    num_classes: int
    vocabulary: int = 0

    def image(self) -> tuple[int, int, int]:
        """Return (channels, height, width). Raises ValueError where a sample is no image."""
        if self.vocabulary or len(self.input_shape) != 3:
            raise ValueError(f"expected images [channels, height, width]; got {self.described()}")
        return self.input_shape

    def described(self) -> str:
        """Say in words what enters the network."""
        kind = f"tokens below {self.vocabulary}" if self.vocabulary else "numbers"
        return f"{kind} of shape {list(self.input_shape)}"
