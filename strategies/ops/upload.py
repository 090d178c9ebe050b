"""Values that the CPU made, sent to a device that nobody waits for."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


def uploaded(values: np.ndarray | Tensor, device: torch.device) -> Tensor:
    """Return values on a device, without waiting until they are there.

    To a GPU they go by way of pinned memory. A copy from any other memory waits until the device
    has done all that it was given before, and a round makes several.

    Parameters
    ----------
    values : ndarray or Tensor
        On the CPU, of any shape and type; or on the device already. The caller may write into
        them afterwards.
    device : torch.device
        Where they are wanted.

    Returns
    -------
    Tensor
        Of the same shape and type; the values themselves, not a copy, where they are there.

    Examples
    --------
    >>> uploaded(np.arange(3), torch.device("cpu"))
    tensor([0, 1, 2])
    """
    tensor = torch.from_numpy(values) if isinstance(values, np.ndarray) else values
    if device.type != "cuda" or tensor.device.type != "cpu":
        return tensor.to(device)
    return tensor.pin_memory().to(device, non_blocking=True)
