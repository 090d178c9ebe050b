"""Random crops, flips and rotations of images, as one look-up of pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class CropFlipRotate:
    """Crop at random, flip left to right with probability 1/2, then rotate to the nearest pixel.

    A pixel of the result is a pixel of the image or black: exact for any dtype, the same on any
    device, for one image or many in a call.

    Parameters
    ----------
    padding : int
        Black pixels around the image before it is cropped to its size.
    degrees : float
        Largest rotation about the centre, either way.

    Examples
    --------
    >>> augment = CropFlipRotate(padding=1)
    >>> drawn = torch.from_numpy(augment.draw(np.random.default_rng(0), 2))
    >>> augment(torch.ones(2, 3, 4, 4), drawn).shape
    torch.Size([2, 3, 4, 4])

    References
    ----------
    Park & Lee 2024, appendix A.

    Notes
    -----
    Deviation: none; the sizes are those of their code, padding 4, and 15 degrees for CIFAR-100.
    """

    padding: int = 4
    degrees: float = 0.0

    def draw(self, rng: np.random.Generator, batch: int) -> np.ndarray:
        """Draw float64 [batch, 5]: offsets down and right, flip -1 or 1, cosine, sine."""
        offsets = rng.integers(-self.padding, self.padding, (batch, 2), endpoint=True)
        flip = 1 - 2 * rng.integers(0, 2, (batch, 1))
        angle = np.radians(rng.uniform(-self.degrees, self.degrees, (batch, 1)))
        return np.hstack([offsets, flip, np.cos(angle), np.sin(angle)])

    def __call__(self, x: Tensor, drawn: Tensor) -> Tensor:
        """Change images as stored, [n, C, H, W], by their draws [n, 5]."""
        height, width = x.shape[-2:]
        down, right, flip, cos, sin = (column.view(-1, 1, 1) for column in drawn.unbind(1))
        i = torch.arange(height, device=x.device, dtype=torch.float64).view(1, -1, 1)
        j = torch.arange(width, device=x.device, dtype=torch.float64).view(1, 1, -1)
        y, z = i - (height - 1) / 2, j - (width - 1) / 2
        row = (cos * y + sin * z + (height - 1) / 2).round()  # where the rotation took it from
        column = (cos * z - sin * y + (width - 1) / 2).round()
        seen = (row >= 0) & (row < height) & (column >= 0) & (column < width)
        column = torch.where(flip < 0, width - 1 - column, column)
        row, column = row + down, column + right
        seen &= (row >= 0) & (row < height) & (column >= 0) & (column < width)
        index = torch.where(seen, row * width + column, 0).long().flatten(1).unsqueeze(1)
        pixels = x.flatten(2).gather(2, index.expand(-1, x.shape[1], -1)).view_as(x)
        return torch.where(
            seen.unsqueeze(1), pixels, torch.zeros((), dtype=x.dtype, device=x.device)
        )
