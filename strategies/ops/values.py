"""What kind of values a tensor holds: finite ones, or signs."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


def is_signs(values: Tensor) -> bool:
    """Tell whether every value is +1 or -1."""
    if (array := _as_numpy(values)) is not None:
        return bool((np.abs(array) == 1).all())
    return bool((values.abs() == 1).all())


def is_finite(values: Tensor) -> bool:
    """Tell whether no value is infinite or NaN."""
    if (array := _as_numpy(values)) is not None:
        return bool(np.isfinite(array).all())
    return bool(torch.isfinite(values).all())


def all_finite(values: Tensor) -> Tensor:
    """Tell of each row whether no value is infinite or NaN, in two steps of a device.

    Parameters
    ----------
    values : Tensor, float [..., N]

    Returns
    -------
    Tensor, bool [...]
        On the device of the values, which is not waited for.

    Examples
    --------
    >>> all_finite(torch.tensor([[1.0, -2.0], [torch.nan, 0.0], [0.0, -torch.inf]]))
    tensor([ True, False, False])
    """
    return torch.linalg.vector_norm(values, torch.inf, dim=-1) < torch.inf


def _as_numpy(values: Tensor) -> np.ndarray | None:
    """View the values as a NumPy array; None where NumPy cannot."""
    # NumPy answers sooner than PyTorch where values are few, and a round asks often.
    usual = values.device.type == "cpu" and values.dtype == torch.float32
    return values.detach().numpy() if usual else None
