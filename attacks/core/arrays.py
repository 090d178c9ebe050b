"""NumPy arrays or torch tensors, as they come: what attacks call on rows.

On arrays the functions are NumPy's own, so that results keep their bits. On tensors they are
torch's under NumPy's names, on the device of the rows, and nothing waits for it: no value comes to
the CPU, and no shape depends on one. torch is imported when the first tensor is seen.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np


def is_tensor(values: object) -> bool:
    """Tell whether it is a torch tensor, without torch."""
    return hasattr(values, "detach")


def namespace(rows: object) -> Any:
    """Return the functions for rows of this kind: NumPy, or torch under NumPy's names.

    Parameters
    ----------
    rows : ndarray or Tensor
        A round's.

    Examples
    --------
    >>> namespace(np.zeros(2)) is np
    True
    """
    return _tensors() if is_tensor(rows) else np


def like(values: Any, rows: Any, dtype: Any = None) -> Any:
    """Return values where the rows lie, as what they are: what NumPy drew, moved to the device.

    Parameters
    ----------
    values : ndarray, Tensor or number
        Of any shape.
    rows : ndarray or Tensor
        Whose kind and device are wanted.
    dtype : dtype, optional
        Of `namespace(rows)`; that of the values by default.

    Examples
    --------
    >>> like([1, 2], np.zeros(3), np.float64)
    array([1., 2.])
    """
    if not is_tensor(rows):
        return np.asarray(values, dtype)
    import torch

    values = torch.as_tensor(values, dtype=dtype)
    if rows.device.type == "cuda" and values.device.type == "cpu":
        values = values.pin_memory()  # from any other memory the copy waits for what went before
    return values.to(rows.device, non_blocking=True)


def zeros(shape: Any, rows: Any, dtype: Any) -> Any:
    """Return zeros where the rows lie, in a type of their namespace.

    Parameters
    ----------
    shape : int or tuple of int
        Theirs.
    rows : ndarray or Tensor
        Whose kind and device are wanted.
    dtype : dtype
        Of `namespace(rows)`.
    """
    return rows.new_zeros(shape, dtype=dtype) if is_tensor(rows) else np.zeros(shape, dtype)


def cast(values: Any, dtype: Any) -> Any:
    """Return the values in another type.

    Parameters
    ----------
    values : ndarray, Tensor or number
        Of any shape.
    dtype : dtype
        Of their namespace: `namespace(values).float64`, say.
    """
    return values.to(dtype) if is_tensor(values) else np.asarray(values).astype(dtype)


def contiguous(values: Any) -> Any:
    """Return the values one behind another in memory; as they are, where they lie so."""
    return values.contiguous() if is_tensor(values) else np.ascontiguousarray(values)


def known_finite(rows: Any) -> Any:
    """Return the tensor, marked: all of it was found finite, so nobody has to wait and look."""
    rows.known_finite = True
    return rows


def is_known_finite(rows: Any) -> bool:
    """Tell whether `known_finite` marked the rows."""
    return bool(getattr(rows, "known_finite", False))


@lru_cache(maxsize=1)
def _tensors() -> Any:
    from signfed.attacks.core import _tensors as tensors

    return tensors
